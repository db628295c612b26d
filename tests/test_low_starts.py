"""First points that are no values of the loss are left out before anything is judged."""

import numpy as np
import pytest

from curveclinic import judge_cohort, predict_pathology
from curveclinic.deciding.low_starts import low_starts, run_without_first_points, without_first_points
from curveclinic.ragged import Batch
from curveclinic.run import Run

FALL = 0.4 + 1.9 * np.exp(-np.arange(60) / 8) + 0.01 * np.sin(np.arange(60) * 2.4)


def counts(*losses, channel="train_loss"):
    runs = [Run.from_arrays({channel: loss}) for loss in losses]
    found = low_starts(Batch.from_runs(runs))
    return [found.get(row, {}).get(channel, 0) for row in range(len(losses))]


def started_with(first, loss=FALL):
    return np.concatenate([[first], loss])


def begun_at_zero(loss, memory):
    out, mean = [], 0.0
    for x in loss:
        mean = memory * mean + (1 - memory) * x
        out.append(mean)
    return np.array(out)


@pytest.mark.parametrize("first", [0.0, FALL[0] / 200, FALL[0] / 10])
def test_a_sum_of_a_few_batches_over_many_is_no_divergence(first):
    d = predict_pathology({"train_loss": started_with(first)})
    assert "divergence" not in d.labels
    assert d.labels == predict_pathology({"train_loss": FALL}).labels
    assert d.message.startswith("the first train_loss")
    assert len(d.run.channels["train_loss"].values) == 61  # what was given is what is shown


def test_a_mean_that_begins_at_zero_is_left_out_until_it_has_caught_up():
    loss = 0.4 + 1.9 * np.exp(-np.arange(300) / 60)
    assert counts(begun_at_zero(loss, 0.9)) == [int(begun_at_zero(loss, 0.9).argmax())]
    d = predict_pathology({"train_loss": begun_at_zero(loss, 0.9)})
    assert "divergence" not in d.labels
    assert "like a mean begun at 0" in d.message


def test_what_was_thrown_away_and_stays_away_is_kept():
    thrown = np.concatenate([[0.1], np.full(60, 2.3) + 0.01 * np.sin(np.arange(60))])
    assert counts(thrown, started_with(0.5), FALL, -FALL, started_with(0.0, -FALL), FALL[:3]) == [0] * 6
    assert "divergence" in predict_pathology({"train_loss": thrown}).labels


def test_a_climb_to_where_the_loss_stays_is_kept():
    blown_up = np.concatenate([np.linspace(0.1, 3.0, 20), np.full(40, 3.5)])
    assert counts(blown_up) == [0]


def test_of_a_val_loss_only_a_zero_is_left_out():
    assert counts(started_with(0.0), started_with(0.02), begun_at_zero(FALL, 0.9), channel="val_loss") == [1, 0, 0]


def test_the_same_points_are_left_out_of_batch_and_run():
    runs = [Run.from_arrays({"train_loss": loss, "val_loss": FALL}) for loss in (FALL, started_with(0.0), FALL)]
    runs[1] = Run.from_arrays({"train_loss": np.concatenate([[np.nan, 0.0], FALL]), "val_loss": FALL})
    batch = Batch.from_runs(runs)
    found = low_starts(batch)
    assert found == {1: {"train_loss": 1}}
    assert without_first_points(batch, found).channels["train_loss"].lengths.tolist() == [60, 60, 60]
    left = run_without_first_points(runs[1], found[1])
    assert left.channels["train_loss"].steps[0] == 3
    assert len(left.channels["val_loss"]) == 60


def thrown(end, n=40):
    return np.concatenate([[0.5], np.linspace(9.0, end, n)])


def test_what_val_bears_out_or_the_loss_comes_back_to_is_kept():
    climbs = np.concatenate([np.arange(1, 20) * 0.5, np.linspace(9.0, 4.0, 40)])
    runs = [
        {"train_loss": thrown(3.0)},
        {"train_loss": thrown(3.0), "val_loss": 1.1 * thrown(3.0)},
        {"train_loss": climbs, "val_loss": 1.1 * climbs},
        {"train_loss": thrown(6.0)},
        {"train_loss": thrown(0.1)},
        {"train_loss": np.minimum(0.25 * np.arange(1, 60), 5.0)},
    ]
    found = low_starts(Batch.from_runs([Run.from_arrays(run) for run in runs]))
    assert found == {0: {"train_loss": 1}}


def test_time_grows_with_the_runs_not_with_their_square():
    """Every run is looked at by itself: its own points alone are asked which are finite."""
    looked_at = []
    runs = [Run.from_arrays({"train_loss": started_with(0.0), "val_loss": started_with(0.0)})] * 30
    batch = Batch.from_runs(runs)
    found = low_starts(batch)

    def finite(values):
        looked_at.append(len(values))
        return np.ones(len(values), dtype=bool)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("curveclinic.deciding.low_starts.np.isfinite", finite)
        without_first_points(batch, found)
    assert looked_at
    assert max(looked_at) == 61


def test_a_cohort_is_compared_without_them():
    runs = [{"train_loss": FALL, "val_loss": started_with(0.0)} for _ in range(3)]
    assert judge_cohort(runs).best.low == pytest.approx(FALL.min())
