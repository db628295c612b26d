"""Twins: the same run thinned or with a trace of noise, with the truth of the full log."""

from __future__ import annotations

import numpy as np
import pytest

from curveclinic.deciding.definitions import label_degrees
from curveclinic.labels import LABELS
from curveclinic.measuring.quantities import measure
from curveclinic.synth.generate import Sample, generate
from curveclinic.synth.retold import retell, thinned, thinned_log
from curveclinic.synth.truth import ARGUABLE_TARGET, ARGUABLE_WEIGHT, judge

TREND = LABELS.index("overfitting")
SPIKES = LABELS.index("loss_spikes")


@pytest.fixture(scope="module")
def sample() -> Sample:
    return generate(3, 512, max_points=2000)


def test_thinned_keeps_every_stride_th_point_of_each_channel_from_its_first(sample: Sample) -> None:
    stride = np.where(np.arange(512) % 2 == 0, 4, 1)
    thin = thinned(sample.batch, stride)
    for name, channel in sample.batch.channels.items():
        for i in (0, 1, 10, 511):
            values = channel.values[channel.offsets[i] : channel.offsets[i + 1]]
            kept = thin.channels[name]
            np.testing.assert_array_equal(kept.values[kept.offsets[i] : kept.offsets[i + 1]], values[:: stride[i]])


def test_a_thinned_log_is_labelled_by_the_points_it_keeps(sample: Sample) -> None:
    same = thinned_log(sample.logged, 1)
    apart = np.abs(judge(same, measure(same.batch)).degree - sample.truth.degree) > 1e-9
    assert apart.sum() <= 3  # a spike that was planned for after a blow-up is not there
    coarse = thinned_log(sample.logged, 4)
    for name in ("train_loss", "val_loss"):
        finite = coarse.batch.channels[name].finite()
        np.testing.assert_array_equal(coarse.clean.channels[name].steps, finite.steps)
        np.testing.assert_array_equal(coarse.textured[name].offsets, finite.offsets)
    before, after = sample.truth.degree, judge(coarse, measure(coarse.batch)).degree
    spikes = before[:, SPIKES] >= 0.999
    assert 0.05 < (after[spikes, SPIKES] < 0.5).mean() < 0.95
    long = sample.batch.channels["val_loss"].lengths >= 60
    assert np.abs(after - before)[long, TREND].mean() < 0.05


def test_twins_are_runs_of_the_sample_with_fewer_points_or_other_values(sample: Sample) -> None:
    _, twin, truth = retell(np.random.default_rng(0), sample.seen, sample.truth, 100)
    assert twin.batch.size == len(truth.target) == 100
    points = twin.batch.channels["train_loss"].lengths
    assert points.min() >= 5
    assert np.median(points) < np.median(sample.batch.channels["train_loss"].lengths)


def test_same_seed_same_twins(sample: Sample) -> None:
    one, other = (retell(np.random.default_rng(7), sample.seen, sample.truth, 64)[1] for _ in range(2))
    for name, channel in one.batch.channels.items():
        np.testing.assert_array_equal(channel.values, other.batch.channels[name].values)


def test_trends_keep_the_truth_of_the_full_log(sample: Sample) -> None:
    rows, _, truth = retell(np.random.default_rng(1), sample.seen, sample.truth, 512)
    np.testing.assert_array_equal(truth.target[:, TREND], sample.truth.target[rows, TREND])
    np.testing.assert_array_equal(truth.onset, sample.truth.onset[rows])
    assert (truth.target[:, TREND] == 1.0).any()


def test_a_texture_that_thinning_hides_becomes_arguable() -> None:
    sample = generate(4, 2048, max_points=2000)
    _, twin, truth = retell(np.random.default_rng(2), sample.seen, sample.truth, 2048)
    target, weight = truth.target[:, SPIKES], truth.weight[:, SPIKES]
    shown = label_degrees(twin.quantities)[:, SPIKES] > 0
    assert (target[shown] == 1.0).any()
    assert (target[~shown] == ARGUABLE_TARGET).any()

    assert (weight[target == ARGUABLE_TARGET] <= ARGUABLE_WEIGHT).all()


def test_a_nan_that_thinning_removes_is_absent() -> None:
    sample = generate(5, 1024, max_points=2000)
    fact = LABELS.index("non_finite")
    _, twin, truth = retell(np.random.default_rng(3), sample.seen, sample.truth, 1024)
    bad = np.zeros(twin.batch.size, dtype=bool)
    for name in ("train_loss", "val_loss"):
        channel = twin.batch.channels[name]
        bad |= channel.lengths != channel.finite().lengths
    np.testing.assert_array_equal(truth.target[:, fact] == 1.0, bad)
    assert bad.any()
