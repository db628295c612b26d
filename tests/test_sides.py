"""`sides`: a column that says of which part of the data a row tells."""

import json
import math

import pandas as pd
import pytest
from doors import diagnoses, runs_by_door

from curveclinic import predict_pathology
from curveclinic.intake.sides import is_evaluated
from curveclinic.readers import read_runs

TRAIN = [2.0 * 0.8**i for i in range(20)]
VAL = [2.1 * 0.8**i + 0.05 * max(0, i - 6) for i in range(20)]


def rows_of(column, *sides):
    losses = {"train": TRAIN, "val": VAL, "test": [v + 1 for v in VAL]}
    return [{"epoch": i, column: side, "loss": losses[side][i], "lr": 0.1} for i in range(20) for side in sides]


@pytest.mark.parametrize("column", ["split", "Phase", "mode", "stage", "dataset", "set", "subset", "partition"])
def test_rows_that_say_their_side_are_series_of_it(column, tmp_path):
    for run in runs_by_door(rows_of(column, "train", "val", "test"), tmp_path).values():
        assert (run.channels["train_loss"].values.tolist(), run.channels["val_loss"].values.tolist()) == (TRAIN, VAL)
        assert run.channels["train_loss"].steps.tolist() == run.channels["val_loss"].steps.tolist() == list(range(20))
        assert len(run.channels["lr"].values) == 20


def test_test_rows_stand_in_where_there_is_no_validation(tmp_path):
    for run in runs_by_door(rows_of("split", "train", "test"), tmp_path).values():
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
    for run in runs_by_door(rows, tmp_path).values():
        assert (run.channels["train_loss"].values.tolist(), run.channels["val_loss"].values.tolist()) == (TRAIN, VAL)
    run = predict_pathology(pd.DataFrame(rows_of("stage", "train")).assign(stage=side)).run
    assert list(run.channels) == ["train_loss", "lr"]


def test_lines_of_json_that_are_all_of_the_validation_are(tmp_path):
    (tmp_path / "val.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows_of("mode", "val")))
    (run,) = read_runs([tmp_path])
    assert run.channels["val_loss"].values.tolist() == VAL
    assert "train_loss" not in run.channels


def test_the_column_that_tells_sides_is_the_one_of_both(tmp_path):
    for run in runs_by_door(
        [{"epoch": row["epoch"], "dataset": "dev", **row} for row in rows_of("split", "train", "val")], tmp_path
    ).values():
        assert (run.channels["train_loss"].values.tolist(), run.channels["val_loss"].values.tolist()) == (TRAIN, VAL)


def test_a_loss_beside_one_that_says_its_side_stays(tmp_path):
    rows = [{"epoch": i, "phase": "train", "loss": TRAIN[i], "val_loss": None} for i in range(20)]
    for row in rows[4::5]:
        row |= {"phase": "val", "val_loss": VAL[row["epoch"]]}
    for run in runs_by_door(rows, tmp_path).values():
        assert run.channels["train_loss"].values.tolist() == TRAIN
        assert run.channels["val_loss"].values.tolist() == VAL[4::5]


@pytest.mark.parametrize("side", ["validate", "validating", "val_1", "val_unseen", "Validation set", "VALIDATE"])
def test_words_within_a_side_tell_it(side, tmp_path):
    rows = [{"epoch": 0, "stage": "sanity_check", "loss": 9.0}]
    rows += [row | {"stage": row["stage"].replace("val", side)} for row in rows_of("stage", "train", "val")]
    for run in runs_by_door(rows, tmp_path).values():
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


LABELS = ["type", "Kind", "event", "tag", "data", "group", "name"]


@pytest.mark.parametrize("column", LABELS)
def test_a_column_of_many_meanings_tells_sides_where_every_loss_is_of_one(column, tmp_path):
    rows = rows_of(column, "train", "val")
    for run in runs_by_door(rows, tmp_path).values():
        assert (run.channels["train_loss"].values.tolist(), run.channels["val_loss"].values.tolist()) == (TRAIN, VAL)
        assert run.channels["train_loss"].steps.tolist() == run.channels["val_loss"].steps.tolist() == list(range(20))
    indexed = pd.DataFrame(rows).set_index([column, "epoch"])
    assert predict_pathology(indexed).run.channels["val_loss"].values.tolist() == VAL


@pytest.mark.parametrize("column", LABELS)
def test_a_column_of_many_meanings_tells_no_side_by_default(column, tmp_path):
    for other in ("", "saved"):
        rows = [row | {column: other if row[column] == "train" else "val"} for row in rows_of(column, "train", "val")]
        for run in runs_by_door([row | {"epoch": k} for k, row in enumerate(rows)], tmp_path).values():
            assert "val_loss" not in run.channels
            assert len(run.channels["train_loss"]) == 40


def test_words_beside_losses_that_say_their_side_move_nothing(tmp_path):
    rows = [{"epoch": i, "train_loss": TRAIN[i], "val_loss": VAL[i], "event": "", "acc": i / 20} for i in range(20)]
    rows[0]["event"], rows[9]["event"] = "training begins", "best validation so far"
    for run in runs_by_door(rows, tmp_path).values():
        assert [len(series) for series in run.channels.values()] == [20, 20, 20]


def test_rows_of_other_events_hold_no_loss(tmp_path):
    rows = []
    for row in rows_of("event", "train", "val"):
        rows.append(row | {"event": {"train": "train_step", "val": "validation"}[row["event"]]})
        rows.append({"epoch": row["epoch"], "event": "checkpoint", "loss": None, "lr": 0.1})
    for door, run in runs_by_door(rows, tmp_path).items():
        assert run.channels["val_loss"].values.tolist() == VAL, door
        assert run.channels["train_loss"].values.tolist() == TRAIN


@pytest.mark.parametrize(
    ("column", "yes", "no"), [("is_train", "train", "val"), ("Training", "train", "val"), ("is_val", "val", "train")]
)
@pytest.mark.parametrize("spelt", [bool, int, float, lambda is_it: "yes" if is_it else "no"])
def test_yes_and_no_tell_sides(column, yes, no, spelt, tmp_path):
    rows = [row | {column: spelt(row[column] == yes)} for row in rows_of(column, yes, no)]
    for door, run in runs_by_door(rows, tmp_path).items():
        assert run.channels["train_loss"].values.tolist() == TRAIN, door
        assert run.channels["val_loss"].values.tolist() == VAL


def test_a_loss_called_training_is_no_answer(tmp_path):
    rows = [{"epoch": i, "training": TRAIN[i], "valid_0": VAL[i], "loss": VAL[i]} for i in range(20)]
    for run in runs_by_door(rows, tmp_path).values():
        assert list(run.channels) == ["train_loss"]
        assert run.channels["train_loss"].values.tolist() == VAL


def test_rows_of_both_sides_are_diagnosed_as_columns_of_both():
    train = [2 * math.exp(-i / 12) + 0.05 for i in range(60)]
    val = [2 * math.exp(-i / 10) + 0.5 + max(0, i - 20) * 0.015 for i in range(60)]
    expected = predict_pathology({"epoch": list(range(60)), "train_loss": train, "val_loss": val})
    assert expected.labels == ("overfitting",)
    both = [value for pair in zip(train, val, strict=True) for value in pair]
    rows = {"epoch": [k // 2 for k in range(120)], "type": ["train", "eval"] * 60, "loss": both}
    for door, found in diagnoses(rows).items():
        assert [(f.label, f.onset) for f in found.findings] == [(f.label, f.onset) for f in expected.findings], door
