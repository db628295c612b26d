"""The generator: same seed, same bytes; every family and label occurs; labels and spans follow what was injected."""

from __future__ import annotations

from dataclasses import fields, replace
from functools import cache

import numpy as np
import pytest

from curveclinic.definitions import degrees
from curveclinic.labels import CHANNELS, LABELS
from curveclinic.ragged import BoolArray, FloatArray, IntArray, Ragged
from curveclinic.synth import Sample, generate
from curveclinic.synth.families import EXTRAS, TRENDS
from curveclinic.synth.generate import TREND_NAMES
from curveclinic.synth.truth import ARGUABLE_TARGET, ARGUABLE_WEIGHT, LOOKALIKE_WEIGHT

pytest.importorskip("scipy")

MAX_POINTS = 600
LOSSES = ("train_loss", "val_loss")

HEALTHY = ("plain", "clean_decay", "memorised_flat", "fine_tuning", "five_epochs", "language_model", "scheduled",
           "cyclic", "level_jump", "val_wobble", "first_epochs", "negative")  # fmt: skip
"""Families without an injected fault whose runs are mostly free of any clear symptom."""

INJECTED = {
    "overfit": "overfitting",
    "overfit_after_drop": "overfitting",
    "overfit_after_plateau": "overfitting",
    "overconfident": "overfitting",
    "underfit": "underfitting",
    "no_learning": "not_learning",
    "settles_at_chance": "not_learning",
    "too_slow": "undertrained",
    "slow_start": "slow_start",
    "drift_up": "divergence",
    "blow_up": "divergence",
    "exponential_blow_up": "divergence",
    "slow_turn": "divergence",
    "oscillating": "oscillation",
    "never_generalises": "no_generalization",
    "val_below": "val_below_train",
    "stalled_train": "train_stalled_val_falls",
    "stuck_metric": "metric_mismatch",
    "hockey_stick": "high_initial_loss",
    "vanishing": "vanishing_gradients",
    "double_descent": "delayed_generalization",
    "grokking": "delayed_generalization",
    # riders
    "spikes": "loss_spikes",
    "val_jumps": "val_spikes",
    "shaky_val": "noisy_validation",
    "unshuffled": "periodic_loss",
    "goes_nan": "non_finite",
    "gradient_burst": "exploding_gradients",
    "idle_start": "slow_start",
    "collapsing_start": "high_initial_loss",
    "turning_val": "overfitting",
    "easier_val": "val_below_train",
    "late_blow_up": "divergence",
    "high_swings": "oscillation",
    "dead_metric": "metric_mismatch",
}
"""Family or rider -> the label its mechanism causes where it can be seen."""

SHARES = {
    "delayed_generalization": 0.12,
    "train_stalled_val_falls": 0.25,
    "underfitting": 0.2,
    "slow_start": 0.25,
    "undertrained": 0.25,
    "no_generalization": 0.4,
    "exploding_gradients": 0.25,
    "divergence": 0.5,
    "non_finite": 0.85,
    "val_below_train": 0.6,
}
"""Label -> least share of the checked runs of a family that clearly show it; what cannot be seen is not labelled."""

LEAST_SHARE = 0.3


@cache
def mixed() -> Sample:
    """The stream as training sees it."""
    return generate(7, 3000, max_points=MAX_POINTS)


def sample_of(monkeypatch: pytest.MonkeyPatch, name: str, count: int = 250) -> Sample:
    """Runs of one trend without riders, or plain runs that all carry one rider."""
    for rider, family in EXTRAS.items():
        monkeypatch.setitem(EXTRAS, rider, replace(family, weight=float(rider == name)))
    return generate(11, count, trends=("plain" if name in EXTRAS else name,), max_points=MAX_POINTS)


def present(sample: Sample) -> BoolArray:
    return (sample.target == 1.0) & (sample.weight == 1.0)


def runs_with(sample: Sample, label: str) -> tuple[IntArray, FloatArray, FloatArray]:
    """Rows that clearly show a label, with its onsets and ends."""
    j = LABELS.index(label)
    rows = np.flatnonzero(present(sample)[:, j])
    return rows, sample.truth.onset[rows, j], sample.truth.end[rows, j]


def points(channel: Ragged, row: int) -> tuple[FloatArray, FloatArray]:
    piece = slice(channel.offsets[row], channel.offsets[row + 1])
    return channel.steps[piece], channel.values[piece]


def arrays(sample: Sample) -> dict[str, np.ndarray]:
    """Every array of a sample by name."""
    found = {f"truth.{f.name}": getattr(sample.truth, f.name) for f in fields(sample.truth)} | {"family": sample.family}
    found |= {f"parts.{name}": values for name, values in sample.logged.parts.items()}
    sets = {"batch": sample.batch.channels, "clean": sample.logged.clean.channels, "textured": sample.logged.textured}
    for kind, channels in sets.items():
        for name, channel in channels.items():
            found |= {f"{kind}.{name}.{f.name}": getattr(channel, f.name) for f in fields(channel)}
    return found | {"metric_sign": sample.batch.metric_sign}


# ---- the stream -------------------------------------------------------------------------------------------------


def test_same_seed_same_bytes() -> None:
    first, second = arrays(generate(5, 600, max_points=MAX_POINTS)), arrays(generate(5, 600, max_points=MAX_POINTS))
    assert first.keys() == second.keys()
    assert [name for name in first if first[name].tobytes() != second[name].tobytes()] == []


def test_a_single_run_may_have_no_val_loss() -> None:
    alone = [generate(seed, 1) for seed in range(40)]
    assert not all(len(sample.batch.channels["val_loss"].values) for sample in alone)
    assert all(sample.truth.target.shape == (1, len(LABELS)) for sample in alone)


def test_other_seeds_give_other_runs() -> None:
    first, second = generate((5, 0), 200, max_points=MAX_POINTS), generate((5, 1), 200, max_points=MAX_POINTS)
    a, b = (s.batch.channels["train_loss"].values for s in (first, second))
    assert not np.array_equal(np.sort(a[:200]), np.sort(b[:200]))
    assert np.isin(a, b).mean() < 0.5  # rounded logs share values
    assert (first.family != second.family).any()


def test_the_global_generator_is_left_alone() -> None:
    state = np.random.get_state()[1].copy()  # noqa: NPY002 the point of the test
    generate(1, 50, max_points=100)
    np.testing.assert_array_equal(np.random.get_state()[1], state)  # noqa: NPY002


def test_every_channel_and_the_channel_shares() -> None:
    lengths = {name: channel.lengths for name, channel in mixed().batch.channels.items()}
    assert tuple(lengths) == CHANNELS
    share = {name: float((n > 0).mean()) for name, n in lengths.items()}
    assert share["train_loss"] == 1.0
    assert 0.7 < share["val_loss"] < 0.95
    assert 0.4 < share["val_metric"] < 0.75
    assert 0.25 < share["lr"] < 0.6
    assert 0.1 < share["grad_norm"] < 0.6


def test_every_label_occurs_and_most_runs_show_little() -> None:
    there = present(mixed())
    assert {label: int(n) for label, n in zip(LABELS, there.sum(axis=0), strict=True) if n < 10} == {}
    assert 0.3 < (~there.any(axis=1)).mean() < 0.6
    assert there.sum(axis=1).mean() < 1.5


def test_families_follow_their_weights() -> None:
    share = np.bincount(mixed().family, minlength=len(TRENDS)) / 3000
    expected = np.array([family.weight for family in TRENDS.values()])
    np.testing.assert_allclose(share, expected / expected.sum(), atol=0.015)


def test_steps_increase_strictly() -> None:
    for name, channel in mixed().batch.channels.items():
        run = np.repeat(np.arange(channel.size), channel.lengths)
        inside = run[1:] == run[:-1]
        assert (np.diff(channel.steps)[inside] > 0).all(), name
        assert np.isfinite(channel.steps).all(), name


def test_lengths() -> None:
    train, val = (mixed().batch.channels[name].lengths for name in LOSSES)
    assert train.max() == MAX_POINTS
    assert np.quantile(train, 0.002) >= 5  # fewer only where a logger left out points
    assert 40 < np.median(train) < 120
    assert (val <= train + 1).mean() > 0.97
    assert np.quantile(val[val > 0] / train[val > 0], 0.4) < 1


def test_values_are_bounded_or_not_finite() -> None:
    values = np.concatenate([channel.values for channel in mixed().batch.channels.values()])
    assert np.abs(values[np.isfinite(values)]).max() < 1e38
    assert not np.isneginf(values).any()
    train = mixed().batch.channels["train_loss"].finite().values
    assert (train < 0).any()
    assert 0 < np.abs(train[train != 0]).min() < 1e-8
    assert train.max() > 1e6


def test_clean_twins_hold_the_finite_points() -> None:
    logged = mixed().logged
    for name, channel in logged.batch.channels.items():
        finite = channel.finite()
        twins = [logged.clean.channels[name]] + ([logged.textured[name]] if name in LOSSES else [])
        for twin in twins:
            np.testing.assert_array_equal(twin.steps, finite.steps)
            np.testing.assert_array_equal(twin.offsets, finite.offsets)
            assert np.isfinite(twin.values).all()


def test_textures_are_all_that_separates_the_twins() -> None:
    """Without spikes, swings and patterns the textured curve is the clean one."""
    logged = mixed().logged
    quiet = (logged.parts["spike_height"] == 0) & (logged.parts["swinging"] == 0) & (logged.parts["period"] == 0)
    clean, textured = logged.clean.channels["train_loss"], logged.textured["train_loss"]
    point = np.repeat(quiet, clean.lengths)
    apart = ~np.isclose(clean.values, textured.values, rtol=1e-9)
    damped = np.array(TREND_NAMES)[mixed().family] == "damped_start"
    assert quiet.mean() > 0.5
    assert not (apart & point & ~np.repeat(damped, clean.lengths)).any()


# ---- truth ------------------------------------------------------------------------------------------------------


def test_a_level_jump_is_no_divergence(monkeypatch: pytest.MonkeyPatch) -> None:
    sample = sample_of(monkeypatch, "level_jump")
    j = LABELS.index("divergence")
    risen = degrees(sample.seen.quantities)[:, j] >= 0.999
    assert risen.sum() >= 3
    assert not present(sample)[:, j].any()


def test_troubles_come_together(monkeypatch: pytest.MonkeyPatch) -> None:
    there = present(sample_of(monkeypatch, "overfit_after_plateau"))
    both = there[:, LABELS.index("slow_start")] & there[:, LABELS.index("overfitting")]
    assert both.mean() > 0.2


def test_targets_and_weights_follow_the_three_states() -> None:
    truth = mixed().truth
    degree = truth.degree
    sure = degree >= 0.999, degree <= 1e-6
    arguable = ~(sure[0] | sure[1])
    assert 0.01 < arguable.mean() < 0.15
    assert set(np.unique(truth.target[sure[0]])) == {1.0}
    assert set(np.unique(truth.target[sure[1]])) == {0.0}
    fast = arguable & (truth.target == 0.0)  # what looks like a hockey stick and is none
    assert fast.any()
    assert (np.flatnonzero(fast.any(axis=0)) == LABELS.index("high_initial_loss")).all()
    assert set(np.unique(truth.weight[fast])) == {LOOKALIKE_WEIGHT}
    assert set(np.unique(truth.target[arguable & truth.checked & ~fast])) == {ARGUABLE_TARGET}
    assert set(np.unique(truth.weight[arguable & truth.checked & ~fast])) == {ARGUABLE_WEIGHT}
    assert set(np.unique(truth.weight[~arguable & truth.checked])) == {1.0}
    assert set(np.unique(truth.weight[~truth.checked])) == {0.0}
    assert ARGUABLE_TARGET < 0.5
    assert set(np.unique(truth.severe)) == {0.0, 1.0}


def test_degrees_are_numbers() -> None:
    degree = mixed().truth.degree
    assert np.isfinite(degree).all()
    assert degree.min() >= 0.0
    assert degree.max() <= 1.0


def test_what_was_not_logged_is_not_checked() -> None:
    """A channel without a finite point says nothing but that."""
    sample = mixed()
    has = {name: channel.finite().lengths > 0 for name, channel in sample.batch.channels.items()}
    checked = dict(zip(LABELS, sample.truth.checked.T, strict=True))
    np.testing.assert_array_equal(checked["overfitting"], has["train_loss"] & has["val_loss"])
    np.testing.assert_array_equal(checked["underfitting"], has["train_loss"])
    np.testing.assert_array_equal(checked["exploding_gradients"], has["grad_norm"])
    metric = has["train_metric"] | has["val_metric"]
    np.testing.assert_array_equal(checked["metric_mismatch"], metric & (has["train_loss"] | has["val_loss"]))
    assert (~has["train_loss"] & ~has["val_loss"]).any()
    assert checked["non_finite"].all()


def test_spans_lie_inside_the_run() -> None:
    sample = mixed()
    there, onset, end = present(sample), sample.truth.onset, sample.truth.end
    channels = sample.batch.channels.values()
    first = np.min(
        [np.where(c.lengths > 0, c.steps[np.minimum(c.offsets[:-1], len(c.steps) - 1)], np.inf) for c in channels],
        axis=0,
    )
    last = np.max([np.where(c.lengths > 0, c.steps[c.offsets[1:] - 1], -np.inf) for c in channels], axis=0)
    dated = there & ~np.isnan(onset)
    assert (np.isnan(onset) & there).any(axis=0).tolist() == [label == "undertrained" for label in LABELS]
    assert ((onset >= first[:, None] - 1e-9) & (onset <= last[:, None] + 1e-9))[dated].all()
    ended = dated & ~np.isnan(end)
    assert (end >= onset)[ended].all()
    assert (end <= last[:, None] + 1e-9)[ended].all()


# ---- families ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [*TRENDS, *EXTRAS])
def test_every_family_and_rider_gives_runs(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    sample = sample_of(monkeypatch, name, 40)
    family = name if name in TRENDS else "plain"
    assert {TREND_NAMES[i] for i in sample.family} == {family}
    assert sample.batch.size == 40
    assert (sample.batch.channels["train_loss"].lengths >= 3).all()
    assert sample.target.shape == sample.weight.shape == (40, len(LABELS))


@pytest.mark.parametrize("name", HEALTHY)
def test_healthy_families_show_few_faults(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    there = present(sample_of(monkeypatch, name))
    serious = there[:, [j for j, label in enumerate(LABELS) if label != "val_below_train"]]
    assert serious.any(axis=1).mean() < 0.35
    assert serious.sum() < 0.4 * len(serious)
    for label in ("oscillation", "loss_spikes", "val_spikes", "periodic_loss", "non_finite", "exploding_gradients"):
        assert there[:, LABELS.index(label)].mean() <= 0.02, label


@pytest.mark.parametrize("name", INJECTED)
def test_a_fault_that_is_injected_is_seen(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    sample = sample_of(monkeypatch, name)
    j = LABELS.index(INJECTED[name])
    checked = sample.weight[:, j] > 0
    share = present(sample)[checked, j].mean()
    assert share >= SHARES.get(INJECTED[name], LEAST_SHARE)
    assert share > 3 * present(sample_of(monkeypatch, "plain"))[:, j].mean()


def test_overfitting_starts_at_the_val_minimum(monkeypatch: pytest.MonkeyPatch) -> None:
    sample = sample_of(monkeypatch, "overfit")
    rows, onset, end = runs_with(sample, "overfitting")
    apart, rises = [], []
    for row, at in zip(rows, onset, strict=True):
        steps, values = points(sample.logged.clean.channels["val_loss"], row)
        apart.append(abs(steps[values.argmin()] - at) / (steps[-1] - steps[0]))
        rises.append((values[-1] - values.min()) / np.ptp(values))
    assert np.quantile(apart, 0.9) < 0.1
    assert np.median(rises) > 0.25
    assert np.isnan(end).all()


def test_spikes_are_found_where_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    sample = sample_of(monkeypatch, "spikes")
    rows, onset, end = runs_with(sample, "loss_spikes")
    for row, first, last in zip(rows, onset, end, strict=True):
        steps, clean = points(sample.logged.clean.channels["train_loss"], row)
        _, spiky = points(sample.logged.textured["train_loss"], row)
        raised = steps[~np.isclose(spiky, clean, rtol=0.01)]
        if sample.logged.parts["spike_first"][row] in steps:  # else the logger left that point out
            assert first == raised[0]
        assert first <= last <= steps[-1]
        assert sample.logged.parts["spike_count"][row] > 1 or first == last


def test_val_spikes_spare_the_train_loss(monkeypatch: pytest.MonkeyPatch) -> None:
    sample = sample_of(monkeypatch, "val_jumps")
    rows, onset, _ = runs_with(sample, "val_spikes")
    for row, first in zip(rows, onset, strict=True):
        steps, clean = points(sample.logged.clean.channels["val_loss"], row)
        jump = (points(sample.logged.textured["val_loss"], row)[1] / clean)[np.searchsorted(steps, first)]
        assert jump > 1.03 or first not in steps
        train = points(sample.logged.clean.channels["train_loss"], row)[1]
        np.testing.assert_allclose(points(sample.logged.textured["train_loss"], row)[1], train, rtol=1e-9)


def test_non_finite_is_a_fact_with_a_date(monkeypatch: pytest.MonkeyPatch) -> None:
    sample = sample_of(monkeypatch, "goes_nan")
    bad = np.full(sample.batch.size, np.inf)
    for name in LOSSES:
        channel = sample.batch.channels[name]
        run = np.repeat(np.arange(channel.size), channel.lengths)
        broken = ~np.isfinite(channel.values)
        np.minimum.at(bad, run[broken], channel.steps[broken])
    np.testing.assert_array_equal(present(sample)[:, LABELS.index("non_finite")], np.isfinite(bad))
    rows, onset, _ = runs_with(sample, "non_finite")
    np.testing.assert_array_equal(onset, bad[rows])


def test_a_slow_start_ends_when_the_loss_falls(monkeypatch: pytest.MonkeyPatch) -> None:
    sample = sample_of(monkeypatch, "slow_start")
    rows, onset, end = runs_with(sample, "slow_start")
    fallen, share = [], []
    for row, first, last in zip(rows, onset, end, strict=True):
        steps, values = points(sample.logged.clean.channels["train_loss"], row)
        assert first == steps[0]
        fallen.append((values[0] - np.interp(last, steps, values)) / (values[0] - values.min()))
        share.append((last - first) / (steps[-1] - steps[0]))
    assert np.quantile(fallen, 0.9) < 0.15
    assert np.quantile(share, 0.05) > 0.1


def test_a_hockey_stick_ends_with_its_collapse(monkeypatch: pytest.MonkeyPatch) -> None:
    sample = sample_of(monkeypatch, "hockey_stick")
    rows, onset, end = runs_with(sample, "high_initial_loss")
    share, kept = [], []
    for row, first, last in zip(rows, onset, end, strict=True):
        steps, values = points(sample.logged.clean.channels["train_loss"], row)
        assert first == steps[0]
        share.append((last - first) / (steps[-1] - steps[0]))
        kept.append(np.interp(last, steps, values) / values[0])
    assert np.quantile(share, 0.9) < 0.15
    assert np.median(kept) < 0.5


def test_the_mean_of_a_first_epoch_lies_above_val_and_is_no_hockey_stick(monkeypatch: pytest.MonkeyPatch) -> None:
    sample = sample_of(monkeypatch, "first_epochs", 400)
    train, val = (sample.batch.channels[name] for name in LOSSES)
    paired = (train.lengths > 0) & (val.lengths == train.lengths)
    first = np.array([train.values[train.offsets[:-1][paired]], val.values[val.offsets[:-1][paired]]])
    assert (first[1] < 0.9 * first[0]).mean() > 0.4
    assert present(sample)[:, LABELS.index("high_initial_loss")].mean() < 0.05


def test_some_logs_begin_with_a_val_of_the_untrained_model(monkeypatch: pytest.MonkeyPatch) -> None:
    sample = sample_of(monkeypatch, "first_epochs", 400)
    train, val = (sample.batch.channels[name] for name in LOSSES)
    rows = np.flatnonzero((val.lengths == train.lengths + 1) & (train.lengths > 4))
    assert 0.04 < len(rows) / sample.batch.size < 0.4
    begin = val.offsets[rows]
    assert (val.steps[begin] == train.steps[train.offsets[rows]] - 1).mean() > 0.9
    assert (val.values[begin] > 1.1 * val.values[begin + 1]).mean() > 0.7


def test_pretrained_models_begin_with_a_metric_above_chance(monkeypatch: pytest.MonkeyPatch) -> None:
    gain = {}
    for name in ("fine_tuning", "clean_decay"):
        metric = sample_of(monkeypatch, name, 400).logged.clean.channels["val_metric"]
        rows = np.flatnonzero(metric.lengths > 4)
        first, last = metric.values[metric.offsets[rows]], metric.values[metric.offsets[rows + 1] - 1]
        score = (last > first) & (last <= 1)  # neither an error nor in percent
        gain[name] = np.quantile((last - first)[score] / last[score], 0.3)
    assert gain["fine_tuning"] < 0.5 * gain["clean_decay"]


def test_delayed_generalisation_waits_for_val(monkeypatch: pytest.MonkeyPatch) -> None:
    """From the train fit to the val fall."""
    sample = sample_of(monkeypatch, "grokking")
    rows, onset, end = runs_with(sample, "delayed_generalization")
    unfitted, missing = [], []
    for row, first, last in zip(rows, onset, end, strict=True):
        assert first < last
        steps, values = points(sample.logged.clean.channels["train_loss"], row)
        unfitted.append((np.interp(first, steps, values) - values.min()) / (values[0] - values.min()))
        steps, values = points(sample.logged.clean.channels["val_loss"], row)
        missing.append((np.interp(first, steps, values) - values[-1]) / (values.max() - values[-1]))
    assert np.quantile(unfitted, 0.9) < 0.25
    assert np.quantile(missing, 0.1) > 0.4


def test_a_blow_up_starts_at_the_best_level(monkeypatch: pytest.MonkeyPatch) -> None:
    sample = sample_of(monkeypatch, "blow_up")
    rows, onset, _ = runs_with(sample, "divergence")
    apart = []
    for row, at in zip(rows, onset, strict=True):
        steps, values = points(sample.logged.clean.channels["train_loss"], row)
        apart.append(abs(steps[values.argmin()] - at) / (steps[-1] - steps[0]))
    assert np.quantile(apart, 0.9) < 0.12
    assert sample.truth.severe[rows, LABELS.index("divergence")].all()


def test_weaker_faults_are_arguable_and_none_are_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    """The rise decides, not the family: the degree grows with it."""
    sample = sample_of(monkeypatch, "overfit", 400)
    j = LABELS.index("overfitting")
    rise = np.full(400, np.nan)
    for row in np.flatnonzero(sample.truth.checked[:, j]):
        _, values = points(sample.logged.clean.channels["val_loss"], row)
        if len(values) > 8 and np.isfinite(values).all():
            rise[row] = (values[-1] - values.min()) / max(values[0] - values.min(), 1e-12)
    assert present(sample)[rise < 0.03, j].mean() <= 0.05
    assert present(sample)[(rise > 0.5) & (rise < 2), j].mean() > 0.6
