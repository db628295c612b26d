"""`worded_steps`: the `best` or `Average` below a table is no point of it."""

import json

import numpy as np
import pandas as pd
import pytest
from doors import in_memory

from curveclinic import predict_pathology
from curveclinic.readers import read_file, read_runs

TRAIN = [2.0 * 0.8**i for i in range(20)]
VAL = [2.1 * 0.8**i + 0.05 * max(0, i - 6) for i in range(20)]
ROWS = [{"epoch": i, "train_loss": TRAIN[i], "val_loss": VAL[i]} for i in range(20)]


def below(rows, *results):
    """Door -> the run of rows with results below them."""
    columns = {name: [row.get(name) for row in (*rows, *results)] for name in rows[0]}
    as_text = {"epoch": list(map(str, columns["epoch"]))}
    held = in_memory(columns | as_text)
    held = {door: held[door] for door in ("records", "pandas", "polars", "arrow")}
    held["index"] = held["pandas"].set_index("epoch")
    held["rows"] = [*rows, *results]
    return {door: predict_pathology(data).run for door, data in held.items()}


@pytest.mark.parametrize("word", ["best", "Average", "mean", "final"])
def test_results_below_a_table_are_left_out_and_said(word, tmp_path):
    result = {"epoch": word, "train_loss": 0.5, "val_loss": 0.25}
    runs = below(ROWS, result)
    pd.DataFrame([*ROWS, result]).to_csv(tmp_path / "a.csv", index=False)
    (tmp_path / "b.jsonl").write_text("".join(json.dumps(row) + "\n" for row in [*ROWS, result]))
    for door, run in (runs | {run.format: run for run in read_runs([tmp_path])}).items():
        assert run.channels["train_loss"].values.tolist() == TRAIN, door
        assert run.channels["val_loss"].values.tolist() == VAL
        assert run.notes == (f"epoch: left out 1 row whose step is no number ({word!r})",)


def test_results_in_the_middle_and_of_a_coarser_counter_are_left_out():
    rows = [{"epoch": row["epoch"], "step": 10 * row["epoch"], **row} for row in ROWS]
    results = [{"epoch": word, "step": None, "train_loss": 0.5, "val_loss": 0.25} for word in ("best", "mean")]
    run = predict_pathology([*rows[:9], results[0], *rows[9:], results[1]]).run
    assert run.channels["train_loss"].steps.tolist() == [10 * i for i in range(20)]
    assert run.channels["train_loss"].values.tolist() == TRAIN
    assert run.notes == ("step: left out 2 rows whose step is no number ('best', 'mean')",)


def test_a_row_with_a_step_is_kept_whatever_else_it_says():
    rows = [{"epoch": str(row["epoch"]), "step": row["epoch"], **row} for row in ROWS]
    rows = [row | {"epoch": "last" if row["step"] == 19 else row["epoch"]} for row in rows]
    assert predict_pathology(rows).run.channels["train_loss"].values.tolist() == TRAIN


def test_rows_with_a_series_of_their_own_are_kept():
    rows = []
    for row in ROWS:
        rows.append({"epoch": row["epoch"], "train_loss": row["train_loss"]})
        if row["epoch"] % 2:
            rows.append({"epoch": f"val {row['epoch']}", "val_loss": row["val_loss"]})
    for run in (predict_pathology(rows).run, predict_pathology(pd.DataFrame(rows)).run):
        assert run.channels["val_loss"].values.tolist() == VAL[1::2]
        assert run.channels["val_loss"].steps.tolist() == list(range(1, 20, 2))


def test_a_gap_among_steps_is_no_word(tmp_path):
    (tmp_path / "a.csv").write_text("epoch,train_loss,val_loss\n1,2.5,\n,,3.5\n2,1.5,\n-,,2.5\n3,0.5,\nN/A,,1.5\n")
    (run,) = read_file(tmp_path / "a.csv")
    assert run.channels["val_loss"].values.tolist() == [3.5, 2.5, 1.5]
    assert run.channels["val_loss"].steps.tolist() == [1, 2, 3]


def test_results_are_no_run_beside_those_of_a_table():
    frame = pd.DataFrame([{"run": name, **row} for name in "ab" for row in ROWS] + [{"epoch": "mean", "val_loss": 9.0}])
    found = predict_pathology(frame)
    assert [diagnosis.run.run_id for diagnosis in found] == ["a", "b"]
    assert np.array_equal([d.run.channels["val_loss"].values for d in found], [VAL, VAL])
