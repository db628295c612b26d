"""Folds, seeds, trials and models: when they tell runs apart, and when they change within one."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from door_cases import FALLING, values

from curveclinic.intake.door import runs_from

GOING_ON = {"epoch": range(60), "loss": FALLING, "val_loss": FALLING}


@pytest.mark.parametrize("kind", [pd.DataFrame, pl.DataFrame, pa.table, lambda c: pd.DataFrame(c).to_dict("records")])
@pytest.mark.parametrize("name", ["model", "trial", "seed"])
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
