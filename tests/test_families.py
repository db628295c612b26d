"""Families of the generator: each gives runs, faults are seen where they were put, look-alikes show none."""

from __future__ import annotations

import numpy as np
import pytest
from synth_samples import LOSSES, opening_phases, points, present, runs_with, sample_of

from curveclinic.labels import LABELS
from curveclinic.synth.families import EXTRAS, TRENDS
from curveclinic.synth.generate import TREND_NAMES

pytest.importorskip("scipy")

HEALTHY = ("plain", "clean_decay", "memorised_flat", "fine_tuning", "five_epochs", "language_model", "scheduled",
           "cyclic", "level_jump", "val_wobble", "first_epochs", "negative", "val_lags")  # fmt: skip
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
    "crawls": "not_learning",
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
    "underfitting": 0.18,
    "slow_start": 0.25,
    "undertrained": 0.25,
    "no_generalization": 0.4,
    "exploding_gradients": 0.25,
    "divergence": 0.5,
    "non_finite": 0.85,
    "val_below_train": 0.5,
}
"""Label -> least share of the checked runs of a family that clearly show it; what cannot be seen is not labelled."""

LEAST_SHARE = 0.3


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
    assert share > 2.5 * present(sample_of(monkeypatch, "plain"))[:, j].mean()


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
    found = list(opening_phases(sample, "slow_start"))
    fallen = [(values[0] - level) / (values[0] - values.min()) for values, level, _ in found]
    share = [share for _, _, share in found]
    assert np.quantile(fallen, 0.9) < 0.15
    assert np.quantile(share, 0.05) > 0.1


def test_a_hockey_stick_ends_with_its_collapse(monkeypatch: pytest.MonkeyPatch) -> None:
    sample = sample_of(monkeypatch, "hockey_stick")
    found = list(opening_phases(sample, "high_initial_loss"))
    share = [share for _, _, share in found]
    kept = [level / values[0] for values, level, _ in found]
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


def test_a_blow_up_starts_where_the_level_leaves_its_best(monkeypatch: pytest.MonkeyPatch) -> None:
    sample = sample_of(monkeypatch, "blow_up")
    rows, onset, _ = runs_with(sample, "divergence")
    height, before = [], []
    for row, at in zip(rows, onset, strict=True):
        steps, values = points(sample.logged.clean.channels["train_loss"], row)
        start = int(np.abs(steps - at).argmin())
        height.append((values[start] - values.min()) / (values[-1] - values.min()))
        before.append(start >= values.argmin() - 0.02 * len(values))
    assert np.quantile(height, 0.9) < 0.05
    assert np.mean(before) > 0.9
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
    assert present(sample)[rise < 0.03, j].mean() <= 0.1  # a val that has settled while train falls is one
    assert present(sample)[(rise > 0.5) & (rise < 2), j].mean() > 0.6


def test_what_crawls_is_undertrained_where_its_fall_is_clear_and_val_goes_along(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sample = sample_of(monkeypatch, "crawls")
    there, checked = present(sample), sample.truth.checked
    crawls, still = (there[:, LABELS.index(name)] for name in ("undertrained", "not_learning"))
    assert not (crawls & still).any()
    assert crawls.mean() > 0.08
    assert (crawls | still)[checked[:, LABELS.index("not_learning")]].mean() > 0.5
