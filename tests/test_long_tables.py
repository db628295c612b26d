"""`long_tables`: a value a row, and the column that says what it is."""

import pytest
from doors import runs_by_door

from curveclinic import predict_pathology

TRAIN = [2.0 * 0.8**i for i in range(20)]
VAL = [2.1 * 0.8**i + 0.05 * max(0, i - 6) for i in range(20)]


def is_read(run):
    losses = [run.channels[name] for name in ("train_loss", "val_loss")]
    return [s.values.tolist() for s in losses] == [TRAIN, VAL] and [len(s.steps) for s in losses] == [20, 20]


@pytest.mark.parametrize("label", ["name", "tag", "metric", "Key"])
def test_each_name_is_a_series(label, tmp_path):
    losses = {"train_loss": TRAIN, "val_loss": VAL}
    rows = [{label: name, "value": own[i], "step": i} for i in range(20) for name, own in losses.items()]
    for door, run in runs_by_door(rows, tmp_path).items():
        assert is_read(run), door


@pytest.mark.parametrize("side", ["split", "tag", "type"])
def test_the_side_may_stand_in_a_column_of_its_own(side, tmp_path):
    sides = {"train": TRAIN, "val": VAL}
    rows = [
        {"epoch": i, side: name, "metric": metric, "value": own[i] if metric == "loss" else i / 20}
        for i in range(20)
        for name, own in sides.items()
        for metric in ("loss", "acc")
    ]
    for door, run in runs_by_door(rows, tmp_path).items():
        assert is_read(run), door
        assert {"train_metric", "val_metric"} <= run.channels.keys()


def test_a_name_beside_no_value_stacks_nothing():
    rows = [{"epoch": i, "name": f"run of {i}", "loss": TRAIN[i], "val_loss": VAL[i]} for i in range(20)]
    assert is_read(predict_pathology(rows).run)
