"""Prefixes of synthetic runs: only what was logged so far, and a truth measured anew."""

from __future__ import annotations

import numpy as np
import pytest

from curveclinic.labels import LABELS
from curveclinic.measuring.quantities import measure
from curveclinic.synth.generate import Sample, generate
from curveclinic.synth.prefix import cut, loss_span, tell_early
from curveclinic.synth.truth import Truth, judge


@pytest.fixture(scope="module")
def sample() -> Sample:
    return generate(11, 2048, max_points=1000)


def truth_at(sample: Sample, share: float) -> Truth:
    part = cut(sample.logged, share)
    return judge(part, measure(part.batch))


def test_a_prefix_holds_every_point_up_to_its_step_and_no_other(sample: Sample) -> None:
    first, last = loss_span(sample.batch)
    part = cut(sample.logged, 0.4)
    for name, whole in sample.batch.channels.items():
        channel = part.batch.channels[name]
        for i in (0, 5, 77, 1023):
            steps = whole.steps[whole.offsets[i] : whole.offsets[i + 1]]
            wanted = steps <= first[i] + 0.4 * (last[i] - first[i])
            values = whole.values[whole.offsets[i] : whole.offsets[i + 1]][wanted]
            np.testing.assert_array_equal(channel.values[channel.offsets[i] : channel.offsets[i + 1]], values)
    for name in ("train_loss", "val_loss"):
        np.testing.assert_array_equal(part.textured[name].offsets, part.clean.channels[name].offsets)


def test_the_whole_run_is_its_own_longest_prefix(sample: Sample) -> None:
    np.testing.assert_allclose(truth_at(sample, 1.0).degree, sample.truth.degree, atol=0.05)


def test_what_has_not_begun_is_not_there(sample: Sample) -> None:
    """A blow-up, a rise or a NaN of the second half leaves no trace in the first tenth."""
    first, last = loss_span(sample.batch)
    early = truth_at(sample, 0.1)
    for label in ("overfitting", "divergence", "non_finite"):
        j = LABELS.index(label)
        late = sample.truth.onset[:, j] > first + 0.5 * (last - first)
        late &= sample.truth.degree[:, j] >= 0.999
        assert late.sum() >= 2
        assert (early.degree[late, j] < 0.999).all()


def test_spikes_that_have_not_come_are_not_counted(sample: Sample) -> None:
    parts = cut(sample.logged, 0.3).parts
    first, last = loss_span(sample.batch)
    until = first + 0.3 * (last - first)
    with_spikes = sample.logged.parts["spike_count"] > 0
    later = with_spikes & (sample.logged.parts["spike_first"] > until)
    assert later.sum() >= 10
    assert (parts["spike_count"][later] == 0).all()
    assert (parts["spike_height"][later] == 0).all()
    over = with_spikes & (sample.logged.parts["spike_last"] <= until)
    np.testing.assert_array_equal(parts["spike_count"][over], sample.logged.parts["spike_count"][over])


def test_runs_told_early_follow_the_seed_and_have_points(sample: Sample) -> None:
    one, other = (tell_early(np.random.default_rng(3), sample.logged, 200) for _ in range(2))
    np.testing.assert_array_equal(one[0], other[0])
    np.testing.assert_array_equal(one[2].target, other[2].target)
    counts = [one[1].batch.channels[name].finite().lengths for name in ("train_loss", "val_loss")]
    assert np.maximum(*counts).min() >= 5
    full = sample.batch.channels["train_loss"].lengths[one[0]]
    assert (one[1].batch.channels["train_loss"].lengths <= full).all()
    assert np.median(one[1].batch.channels["train_loss"].lengths / full) == pytest.approx(0.56, abs=0.1)
