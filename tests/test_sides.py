"""`sides`: a column that says of which part of the data a row tells."""

import json

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from curveclinic import predict_pathology
from curveclinic.intake.sides import is_evaluated
from curveclinic.readers import read_runs

TRAIN = [2.0 * 0.8**i for i in range(20)]
VAL = [2.1 * 0.8**i + 0.05 * max(0, i - 6) for i in range(20)]


def rows_of(column, *sides):
    losses = {"train": TRAIN, "val": VAL, "test": [v + 1 for v in VAL]}
    return [{"epoch": i, column: side, "loss": losses[side][i], "lr": 0.1} for i in range(20) for side in sides]


def doors(rows, folder):
    """Door -> the run of rows that tell their side."""
    frame = pd.DataFrame(rows)
    frame.to_csv(folder / "a.csv", index=False)
    frame.to_parquet(folder / "b.parquet")
    (folder / "c.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "d.json").write_text(json.dumps(frame.to_dict("list")))
    held = {
        "pandas": frame,
        "polars": pl.DataFrame(rows),
        "arrow": pa.Table.from_pylist(rows),
        "rows": rows,
        "lists": frame.to_dict("list"),
        "by side": frame.sort_values(frame.columns[1], kind="stable"),
    }
    return {k: predict_pathology(data).run for k, data in held.items()} | {
        run.format: run for run in read_runs([str(folder)])
    }


@pytest.mark.parametrize("column", ["split", "Phase", "mode", "stage", "dataset", "set", "subset", "partition"])
def test_rows_that_say_their_side_are_series_of_it(column, tmp_path):
    for run in doors(rows_of(column, "train", "val", "test"), tmp_path).values():
        assert (run.channels["train_loss"].values.tolist(), run.channels["val_loss"].values.tolist()) == (TRAIN, VAL)
        assert run.channels["train_loss"].steps.tolist() == run.channels["val_loss"].steps.tolist() == list(range(20))
        assert len(run.channels["lr"].values) == 20


def test_test_rows_stand_in_where_there_is_no_validation(tmp_path):
    for run in doors(rows_of("split", "train", "test"), tmp_path).values():
        assert run.channels["val_loss"].values.tolist() == [v + 1 for v in VAL]
        assert "the test loss is taken for it" in " ".join(run.notes)


def test_a_column_of_other_words_tells_no_side():
    run = predict_pathology([row | {"dataset": "cifar10"} for row in rows_of("phase", "train")]).run
    assert list(run.channels) == ["train_loss", "lr"]
    assert [is_evaluated(side) for side in ("Validation ", "test", "train", "warmup", "")] == [True, True, *[False] * 3]


def test_each_of_many_runs_has_its_sides():
    rows = [{"run": name, **row} for name in "ab" for row in rows_of("split", "train", "val")]
    for diagnosis in predict_pathology(pd.DataFrame(rows)):
        assert diagnosis.run.channels["val_loss"].values.tolist() == VAL


@pytest.mark.parametrize("side", ["dev", "test"])
def test_a_column_of_one_side_tells_none(side, tmp_path):
    rows = [row | {"val_loss": val, "stage": side} for row, val in zip(rows_of("stage", "train"), VAL, strict=True)]
    for run in doors(rows, tmp_path).values():
        assert (run.channels["train_loss"].values.tolist(), run.channels["val_loss"].values.tolist()) == (TRAIN, VAL)
    run = predict_pathology(pd.DataFrame(rows_of("stage", "train")).assign(stage=side)).run
    assert list(run.channels) == ["train_loss", "lr"]


def test_lines_of_json_that_are_all_of_the_validation_are(tmp_path):
    (tmp_path / "val.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows_of("mode", "val")))
    (run,) = read_runs([tmp_path])
    assert run.channels["val_loss"].values.tolist() == VAL
    assert "train_loss" not in run.channels


def test_the_column_that_tells_sides_is_the_one_of_both(tmp_path):
    for run in doors(
        [{"epoch": row["epoch"], "dataset": "dev", **row} for row in rows_of("split", "train", "val")], tmp_path
    ).values():
        assert (run.channels["train_loss"].values.tolist(), run.channels["val_loss"].values.tolist()) == (TRAIN, VAL)


def test_a_loss_beside_one_that_says_its_side_stays(tmp_path):
    rows = [{"epoch": i, "phase": "train", "loss": TRAIN[i], "val_loss": None} for i in range(20)]
    for row in rows[4::5]:
        row |= {"phase": "val", "val_loss": VAL[row["epoch"]]}
    for run in doors(rows, tmp_path).values():
        assert run.channels["train_loss"].values.tolist() == TRAIN
        assert run.channels["val_loss"].values.tolist() == VAL[4::5]


@pytest.mark.parametrize("side", ["validate", "validating", "val_1", "val_unseen", "Validation set", "VALIDATE"])
def test_words_within_a_side_tell_it(side, tmp_path):
    rows = [{"epoch": 0, "stage": "sanity_check", "loss": 9.0}]
    rows += [row | {"stage": row["stage"].replace("val", side)} for row in rows_of("stage", "train", "val")]
    for run in doors(rows, tmp_path).values():
        assert (run.channels["train_loss"].values.tolist(), run.channels["val_loss"].values.tolist()) == (TRAIN, VAL)
    rows = [row | {"acc": row["loss"]} for row in rows]
    assert {"train_metric", "val_metric"} <= predict_pathology(rows).run.channels.keys()


def test_a_run_of_one_side_among_others_has_none():
    runs = {"a": rows_of("split", "train", "val"), "b": rows_of("split", "val")}
    a, b = (
        d.run for d in predict_pathology(pd.DataFrame([{"run": k, **row} for k, rows in runs.items() for row in rows]))
    )
    assert a.channels["val_loss"].values.tolist() == VAL
    assert b.channels["train_loss"].values.tolist() == VAL
