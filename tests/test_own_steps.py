"""Series that hold the steps of one other, or of all of one side."""

import json

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from door_cases import one, steps, values

from curveclinic import predict_pathology, score_table
from curveclinic.intake.own_steps import axes_among
from curveclinic.readers import read_file

TRAIN_STEPS, VAL_STEPS = list(range(0, 400, 10)), [10, 20, 40, 80, 120, 200, 300, 390]
TRAIN = (2 * np.exp(-np.array(TRAIN_STEPS) / 150) + 0.1).tolist()
VAL = (1 + np.abs(np.log(np.array(VAL_STEPS) / 80))).tolist()
LOSSES = {"train_loss": TRAIN, "val_loss": VAL}


@pytest.mark.parametrize(
    ("train", "val"),
    [
        ("train_loss_steps", "val_loss_steps"),
        ("train_step", "val_step"),
        ("train_steps", "eval_steps"),
        ("step", "val_step"),
        ("train/iteration", "val/iteration"),
        ("train_epochs", "valid_epochs"),
        ("epoch_train", "epoch_val"),
    ],
)
def test_steps_of_one_side_are_its_own_by_every_door(train, val, tmp_path):
    columns = {train: TRAIN_STEPS, **LOSSES, val: VAL_STEPS}
    (tmp_path / "log.json").write_text(json.dumps(columns))
    lists = {name: [cells] for name, cells in columns.items()}
    for data in (columns, *read_file(tmp_path / "log.json")):
        run = one(data)
        assert (steps(run), steps(run, "val_loss"), run.notes) == (TRAIN_STEPS, VAL_STEPS, ())
    (row,) = score_table(pa.table(lists)).to_pylist()
    (of_polars,) = predict_pathology(pl.DataFrame(lists))
    expected = predict_pathology({"train_loss": (TRAIN_STEPS, TRAIN), "val_loss": (VAL_STEPS, VAL)})
    assert expected.stop_at == 80
    assert (row["onset"], of_polars.stop_at, of_polars.labels) == (80, 80, expected.labels)


def test_sides_that_keep_their_steps_beside_their_loss():
    run = one({"train": {"step": TRAIN_STEPS, "loss": TRAIN}, "val": {"step": VAL_STEPS, "loss": VAL}})
    assert (steps(run), steps(run, "val_loss")) == (TRAIN_STEPS, VAL_STEPS)


@pytest.mark.parametrize("kind", [list, pd.DataFrame, pl.DataFrame, pa.Table.from_pylist])
def test_rows_and_tables_of_each_side_are_its_series(kind, tmp_path):
    train = [{"step": step, "loss": loss, "acc": 0.5} for step, loss in zip(TRAIN_STEPS, TRAIN, strict=True)]
    val = [{"step": step, "loss": loss} for step, loss in zip(VAL_STEPS, VAL, strict=True)]
    (tmp_path / "log.json").write_text(json.dumps({"train": train, "val": val}))
    for data in ({"train": kind(train), "val": kind(val)}, *read_file(tmp_path / "log.json")):
        run = one(data)
        assert (values(run), values(run, "val_loss")) == (TRAIN, VAL)
        assert (steps(run), steps(run, "val_loss")) == (TRAIN_STEPS, VAL_STEPS)
        assert list(run.channels) == ["train_loss", "val_loss", "train_metric"]


def test_gaps_keep_their_place_among_the_steps_of_their_side():
    run = one({**LOSSES, "val_loss": [None, *VAL[1:]], "val_step": VAL_STEPS, "train_step": TRAIN_STEPS})
    assert (steps(run, "val_loss"), values(run, "val_loss")) == (VAL_STEPS[1:], VAL[1:])


def test_epochs_of_the_validation_are_spread_over_the_steps_of_the_training():
    run = one({"step": TRAIN_STEPS, **LOSSES, "val_epoch": list(range(8))})
    np.testing.assert_allclose(steps(run, "val_loss"), 390 / 8 * np.arange(1, 9))


@pytest.mark.parametrize("given", [VAL_STEPS[:5], 500, [5] * 8, [np.nan] * 8, "each epoch"])
def test_what_does_not_count_the_values_of_a_side_is_passed_over(given):
    run = one({"train_step": TRAIN_STEPS, **LOSSES, "val_steps": given})
    assert steps(run, "val_loss") == [40, 90, 140, 190, 240, 290, 340, 390]


def test_the_steps_of_one_side_are_not_said_to_be_of_no_series():
    run = one({"train_step": TRAIN_STEPS, **LOSSES})
    assert steps(run) == TRAIN_STEPS
    assert not any("train_step" in note for note in run.notes)


def test_a_side_is_counted_by_its_finest_steps():
    axes = axes_among(("val_epoch", "val_loss", "val_step", "train_loss", "step", "val_step_loss", "test_samples"))
    assert axes.own == {"val_loss": ("val_step", "val_epoch"), "val_step_loss": ("val_step", "val_epoch")}
    assert axes.shared == ("step",)


@pytest.mark.parametrize("shared", [{}, {"step": TRAIN_STEPS}])
@pytest.mark.parametrize("given", [VAL_STEPS[:5], [*VAL_STEPS, 400], []])
def test_steps_that_fit_nothing_of_their_side_are_passed_over_by_every_door(given, shared, tmp_path):
    columns = {**shared, **LOSSES, "val_step": given}
    path = tmp_path / "log.parquet"
    table = pa.table(
        {name: [cells] for name, cells in columns.items()} | {"val_step": pa.array([given], pa.list_(pa.int64()))}
    )
    pq.write_table(table, path)
    expected = one(columns)
    for run in (
        *read_file(path),
        *(d.run for d in predict_pathology(table)),
        *(d.run for d in predict_pathology(table.to_pandas())),
    ):
        assert (steps(run), steps(run, "val_loss")) == (steps(expected), steps(expected, "val_loss"))
    (row,) = score_table(table).to_pylist()
    assert (row["status"], row["steps_max"]) == ("ok", steps(expected)[-1])
