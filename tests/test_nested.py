"""Rows and tables within mappings and lists: whose series they are, and what is a run of its own."""

import pandas as pd
import pytest
from door_cases import FALLING, one, steps, values

from curveclinic.intake.door import runs_from


@pytest.mark.parametrize(
    "data",
    [
        {side: [{"iter": k, "loss": v, "acc": 1 - v} for k, v in ((5, 0.9), (10, 0.4))] for side in ("train", "val")},
        {name: [{"step": k, "value": v} for k, v in ((5, 0.9), (10, 0.4))] for name in ("loss", "eval_loss")},
        {f"{side}_history": [{"step": k, "loss": v} for k, v in ((5, 0.9), (10, 0.4))] for side in ("train", "test")},
    ],
)
def test_rows_under_the_name_of_a_side_or_a_loss_are_its_series(data):
    run = one(data)
    for channel in ("train_loss", "val_loss"):
        assert (steps(run, channel), values(run, channel)) == ([5, 10], [0.9, 0.4])


def test_a_row_that_lacks_a_number_is_a_gap():
    run = one({"train": [{"loss": 0.9}, {"loss": 0.5}, {"loss": 0.4}], "val": [{}, {"loss": 0.7}, {"loss": 0.6}]})
    assert (steps(run, "val_loss"), values(run, "val_loss")) == ([2, 3], [0.7, 0.6])


@pytest.mark.parametrize("orient", ["dict", "index", "list", "records"])
@pytest.mark.parametrize("named", [False, True], ids=["counted", "with its epochs"])
def test_tables_of_pandas_as_mappings_in_a_list_are_a_run_each(orient, named):
    table = pd.DataFrame({"train_loss": FALLING, "val_loss": FALLING})
    table = table.rename_axis("epoch").reset_index() if named else table
    runs, single = runs_from([table.to_dict(orient)] * 6)
    assert (single, len(runs)) == (False, 6)
    assert all(values(run) == values(run, "val_loss") == list(FALLING) for run in runs)


def test_values_by_class_in_a_row_are_no_run():
    val = {"loss": 1.0, "recall": {0: 0.5, 1: 0.6}}
    rows = [{"epoch": k, "loss": {"0": 2 - k / 8, "1": 1.0}, "val": val} for k in range(9)]
    assert values(one(rows)) == [3 - k / 8 for k in range(9)]


@pytest.mark.parametrize(
    ("by_class", "column"),
    [
        (lambda loss: {"train_loss": loss, "val_loss": {"0": 0.1, "1": 0.2}}, "train_loss"),
        (lambda loss: {"train_loss": loss, "val_loss": {str(k): 0.1 for k in range(10)}}, "train_loss"),
        (lambda loss: {"loss": {"0": loss, "1": 0.0}}, "train_loss"),
    ],
)
def test_losses_by_class_in_rows_without_a_step_are_no_runs(by_class, column):
    assert values(one([by_class(loss) for loss in FALLING]), column) == list(FALLING)


ROWS = [{"epoch": 10 * k, "loss": 2.0 / k, "val_loss": 3.0 / k} for k in range(1, 7)]


@pytest.mark.parametrize("name", ["epoch_losses", "training_history", "train_log", "loss_history"])
def test_rows_of_both_sides_under_any_name_keep_their_epochs_and_sides(name):
    run = one({name: ROWS})
    for channel, key in (("train_loss", "loss"), ("val_loss", "val_loss")):
        assert values(run, channel) == [row[key] for row in ROWS]
        assert steps(run, channel) == [10, 20, 30, 40, 50, 60]


@pytest.mark.parametrize("key", ["loss", "value"])
def test_rows_of_one_loss_are_counted_by_their_epochs(key):
    data = {f"{side}_loss": [{"epoch": row["epoch"], key: row["loss"]} for row in ROWS] for side in ("train", "val")}
    run = one(data)
    for channel in ("train_loss", "val_loss"):
        assert values(run, channel) == [row["loss"] for row in ROWS]
        assert steps(run, channel) == [10, 20, 30, 40, 50, 60]


def test_losses_of_several_tasks_are_parts_of_one_run():
    data = {f"{task}_{side}_loss": FALLING for task in ("age", "gender") for side in ("train", "val")}
    assert values(one(data)) == (2 * FALLING).tolist()
