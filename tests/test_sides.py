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
