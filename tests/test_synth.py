"""The generator: same seed, same bytes; every family and label occurs; labels and spans follow what was injected."""

from __future__ import annotations

from dataclasses import fields
from functools import cache

import numpy as np
import pytest
from synth_samples import LOSSES, MAX_POINTS, present, sample_of

from curveclinic.deciding.definitions import label_degrees
from curveclinic.labels import CHANNELS, LABELS
from curveclinic.synth import Sample, generate
from curveclinic.synth.families import TRENDS
from curveclinic.synth.generate import TREND_NAMES
from curveclinic.synth.truth import ARGUABLE_TARGET, ARGUABLE_WEIGHT, LOOKALIKE_WEIGHT

pytest.importorskip("scipy")


@cache
def mixed() -> Sample:
    """The stream as training sees it."""
    return generate(7, 3000, max_points=MAX_POINTS)


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
    # a metric may be all that is logged of validation
    assert 0.3 < (lengths["val_metric"][lengths["val_loss"] == 0] > 0).mean() < 0.8


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
    assert np.quantile(val[val > 0] / train[val > 0], 0.25) < 1


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
    damped = np.isin(np.array(TREND_NAMES)[mixed().family], ["damped_start", "killed_early"])
    assert quiet.mean() > 0.5
    assert not (apart & point & ~np.repeat(damped, clean.lengths)).any()


# ---- truth ------------------------------------------------------------------------------------------------------


def test_a_level_jump_is_no_divergence(monkeypatch: pytest.MonkeyPatch) -> None:
    sample = sample_of(monkeypatch, "level_jump")
    j = LABELS.index("divergence")
    risen = label_degrees(sample.seen.quantities)[:, j] >= 0.999
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
