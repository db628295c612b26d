"""Folds, seeds, trials and models: when they tell runs apart, and when they change within one."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from door_cases import FALLING, values

from curveclinic.intake.door import runs_from
from curveclinic.readers import read_file

GOING_ON = {"epoch": range(60), "loss": FALLING, "val_loss": FALLING}


@pytest.mark.parametrize("kind", [pd.DataFrame, pl.DataFrame, pa.table, lambda c: pd.DataFrame(c).to_dict("records")])
@pytest.mark.parametrize("name", ["model", "trial", "seed", "Config", "optimizer", "experiment_name"])
@pytest.mark.parametrize(
    "cells",
    [
        ["0"] * 10 + ["1"] * 50,
        [str(k // 10) for k in range(60)],
        ["01"[k % 7 == 0] for k in range(60)],
        [f"{k}" for k in range(60)],
    ],
    ids=["frozen, unfrozen", "a checkpoint each 10", "best, last", "a checkpoint each"],
)
def test_what_changes_while_steps_go_on_is_one_run(kind, name, cells):
    (run,), _ = runs_from(kind({**GOING_ON, name: cells}))
    assert values(run) == values(run, "val_loss") == FALLING.tolist()
    (resumed,), _ = runs_from(kind({**GOING_ON, "epoch": [*range(10), *range(8, 58)], name: ["0"] * 10 + ["1"] * 50}))
    assert len(resumed.channels["train_loss"].values) >= 58


@pytest.mark.parametrize(("name", "n_runs"), [("model", 1), ("trial", 1), ("seed", 2), ("fold", 2)])
@pytest.mark.parametrize("counted", [{}, {"index": range(60)}])
def test_without_steps_only_folds_and_seeds_tell_runs_apart(name, n_runs, counted):
    cells = {"loss": FALLING, **counted, name: [0] * 30 + [1] * 30}
    assert len(runs_from(pd.DataFrame(cells))[0]) == n_runs


@pytest.mark.parametrize(
    "name", ["Fold", "Run", "Run ID", "seed_id", "Model Name", "fold-idx", "exp", "experiment", "config", "Optimizer"]
)
def test_columns_that_tell_runs_are_known_in_any_spelling_by_every_door(name, tmp_path):
    rows = [{"Epoch": e, "Train Loss": FALLING[e] + k, name: f"r{k}"} for k in (0, 1) for e in range(9)]
    frame = pd.DataFrame(rows)
    frame.to_csv(tmp_path / "log.csv", index=False)
    frame.assign(**{name: [0] * 9 + [1] * 9}).to_csv(tmp_path / "numbered.csv", index=False)
    indexed = frame.set_index([name, "Epoch"])
    for data in (rows, frame, pl.DataFrame(rows), pa.Table.from_pylist(rows), indexed):
        runs, single = runs_from(data)
        assert (single, [run.run_id for run in runs]) == (False, ["r0", "r1"])
        assert [values(run)[0] for run in runs] == [FALLING[0], FALLING[0] + 1]
    for file in ("log.csv", "numbered.csv"):
        assert [values(run)[0] for run in read_file(tmp_path / file)] == [FALLING[0], FALLING[0] + 1]


@pytest.mark.parametrize("names", [("seed", "model"), ("fold", "seed"), ("fold", "trial")])
@pytest.mark.parametrize("order", [["row"], ["epoch", "row"]])
def test_columns_that_tell_runs_apart_do_so_together(names, order):
    rows = [
        {names[0]: i, names[1]: k, "epoch": e, "loss": FALLING[e] + i + k}
        for i in (0, 1)
        for k in (0, 1, 2)
        for e in range(9)
    ]
    frame = pd.DataFrame(rows).assign(row=range(len(rows))).sort_values(order).drop(columns="row")
    runs, _ = runs_from(frame)
    assert [run.run_id for run in runs] == [f"{names[0]} {i}, {names[1]} {k}" for i in (0, 1) for k in (0, 1, 2)]
    assert [values(run)[0] for run in runs] == [FALLING[0] + i + k for i in (0, 1) for k in (0, 1, 2)]
    tied = frame.assign(**{names[1]: frame[names[0]] + 42})
    assert [run.run_id for run in runs_from(tied)[0]] == ["0", "1"]


def test_a_row_a_trial_is_no_run_a_row():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"trial": range(50), "epoch": rng.integers(5, 60, 50), "loss": rng.random(50)})
    assert len(runs_from(frame)[0]) == 1
