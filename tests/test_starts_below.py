"""What first values below the others hide is found without them."""

import numpy as np
import pytest

from curveclinic import predict_pathology
from curveclinic.deciding.starts_below import starts_below
from curveclinic.ragged import Batch
from curveclinic.run import Run

X = np.linspace(0, 1, 30)
FALLS = 2.3 - 1.6 * X
PLATEAU = 0.2 + 2.1 / (1 + np.exp(14 * (X - 0.5)))
LEARNS = 0.1 + 2.2 * (1 + 10 * X) ** -0.7


def after(first, loss):
    return np.concatenate([np.atleast_1d(first), loss[np.size(first) :]])


def apart(*losses):
    found = starts_below(Batch.from_runs([Run.from_arrays({"train_loss": loss}) for loss in losses]))
    return dict(zip(found.rows.tolist(), found.count.tolist(), strict=True))


def test_which_starts_lie_below_the_rest():
    ramp = after([0.5, 1.1], LEARNS)
    learner = 2.3 / (1 + np.arange(30.0))
    spike = after([2.3, 9.0], FALLS)
    runs = [FALLS, after(23.0, FALLS), ramp, learner, spike, ramp[:7], -after(0.1, -FALLS)]
    assert apart(*runs) == {2: 2}


def test_a_plateau_behind_a_low_first_value_is_a_slow_start():
    d = predict_pathology({"train_loss": after([0.7, 1.7], PLATEAU)})
    assert "slow_start" in d.labels


@pytest.mark.parametrize("ups", [[0, 0, 0, 0, 0.02], [0, 0, 0.03, 0, 0.02]])
def test_of_a_plateau_behind_a_low_first_value_nothing_is_left_out(ups):
    loss = np.array([1.6, *(2.28 + np.array(ups)), 1.6, 1.0, 0.6, 0.5, 0.45, 0.43])
    assert apart(loss) == {0: 1}
    assert "slow_start" in predict_pathology({"train_loss": loss}).labels


@pytest.mark.parametrize("first", [0.7, 1.2])
def test_a_fall_behind_a_low_first_value_goes_on(first):
    d = predict_pathology({"train_loss": after(first, FALLS), "val_loss": FALLS + 0.05})
    assert d.labels == ("undertrained",)


@pytest.mark.parametrize("start", [0.7, 1.0, [0.5, 1.0], [0.7, 1.2, 1.5]])
def test_what_follows_a_low_start_is_no_spike(start):
    assert "loss_spikes" not in predict_pathology({"train_loss": after(start, LEARNS)}).labels


def test_a_spike_after_a_low_start_is_one():
    loss = after(0.7, LEARNS)
    loss[18] += 3.0
    assert "loss_spikes" in predict_pathology({"train_loss": loss}).labels


def test_a_run_that_ends_in_nan_was_not_stopped_too_early():
    loss = after(0.7, FALLS).copy()
    loss[-3:] = np.nan
    assert "undertrained" not in predict_pathology({"train_loss": loss}).labels
