import numpy as np
import pytest

from curveclinic import predict_pathology
from curveclinic.deciding.few_points import (
    SHORTEST_FOR_NETWORK,
    SHORTEST_FOR_RULES,
    few_for_network,
    few_for_rules,
    loss_points,
    without_lone_val,
)
from curveclinic.deciding.rules import cautious, judge
from curveclinic.labels import CHANNELS, LABELS
from curveclinic.ragged import Batch
from curveclinic.run import Run


def counts(train, val):
    row = np.full((1, len(CHANNELS)), -1)
    row[0, CHANNELS.index("train_loss")], row[0, CHANNELS.index("val_loss")] = train, val
    return row


def test_the_longer_loss_counts():
    assert loss_points(counts(3, 9)).tolist() == [9]
    assert loss_points(counts(-1, -1)).tolist() == [-1]
    for few, shortest in ((few_for_network, SHORTEST_FOR_NETWORK), (few_for_rules, SHORTEST_FOR_RULES)):
        assert few(counts(shortest - 1, 2)).tolist() == [True]
        assert few(counts(shortest, 2)).tolist() == [False]


def test_what_is_clear_stays_and_what_is_half_way_does_not():
    degree = np.tile([0.0, 0.4, 0.7, 0.9, 1.0], (2, 4))
    degree[:, LABELS.index("non_finite")] = 0.0
    lowered = cautious(degree, np.concatenate([counts(6, 6), counts(60, 6)]))
    np.testing.assert_array_equal(lowered[1], degree[1])
    np.testing.assert_array_equal(lowered[0][degree[0] == 0.0], 0.0)
    np.testing.assert_array_equal(lowered[0][degree[0] == 1.0], 1.0)
    assert (lowered[0][degree[0] == 0.7] < 0.5).all()
    assert (lowered[0][degree[0] == 0.9] > 0.5).all()


def test_a_run_that_has_gone_nan_is_told_in_full():
    degree = np.full((1, len(LABELS)), 0.7)
    degree[0, LABELS.index("non_finite")] = 1.0
    assert cautious(degree, counts(5, 5)) is degree


@pytest.mark.parametrize(("points", "rise", "found"), [(7, 0.14, False), (7, 0.2, True), (9, 0.14, True)])
def test_the_rules_ask_for_more_where_there_are_few_points(points, rise, found):
    train = 2.0 * 0.6 ** np.arange(points)
    val = np.concatenate([[2.0, 1.5, 1.2], 1.0 + np.linspace(0.0, rise, points - 3)])
    opinion = judge(Batch.from_runs([Run.from_arrays({"train_loss": train, "val_loss": val})]))
    assert opinion.present[0, LABELS.index("overfitting")] == found


def test_a_val_loss_of_one_point_changes_nothing_that_is_said_of_train():
    noise = np.random.default_rng(4).normal(0.0, 0.01, (20, 40))
    falls = [np.linspace(1.0, 0.5, 40) + own for own in noise]
    alone = predict_pathology([{"train_loss": fall} for fall in falls])
    beside = predict_pathology([{"train_loss": fall, "val_loss": ([30], [0.6])} for fall in falls])
    assert [d.labels for d in beside] == [d.labels for d in alone]
    assert all("only 1 finite point" in d.unchecked["no_generalization"] for d in beside)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_lone_val_loss_that_is_not_finite_is_a_finding(value):
    d = predict_pathology({"train_loss": np.linspace(2.0, 1.0, 60), "val_loss": ([59], [value])})
    assert "non_finite" in d.labels


def test_only_a_val_loss_of_one_point_beside_a_train_loss_is_left_out():
    runs = [
        {"train_loss": [2.0, 1.0], "val_loss": [1.0]},
        {"val_loss": [1.0]},
        {"train_loss": [2.0, 1.0], "val_loss": [2.0, 1.0]},
    ]
    batch = without_lone_val(Batch.from_runs([Run.from_arrays(run) for run in runs]))
    assert batch.channels["val_loss"].lengths.tolist() == [0, 1, 2]
    assert batch.channels["train_loss"].lengths.tolist() == [2, 0, 2]
