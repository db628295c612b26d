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


@pytest.mark.parametrize("kind", [pd.DataFrame, pl.DataFrame, pa.table, lambda c: pd.DataFrame(c).to_dict("records")])
@pytest.mark.parametrize("by_epoch", [False, True])
@pytest.mark.parametrize(
    ("settings", "names"),
    [
        ({"lr": [0.1, 0.01]}, ["0.1", "0.01"]),
        ({"Batch Size": [32, 64], "lr": [0.1, 0.1]}, ["32", "64"]),
        ({"name": ["a", "b"], "group": ["x", "x"]}, ["a", "b"]),
        ({"lr": [0.1, 0.1, 0.2], "wd": [0.0, 0.5, 0.0]}, ["lr 0.1, wd 0.0", "lr 0.1, wd 0.5", "lr 0.2, wd 0.0"]),
        ({"seed": [0, 0, 1, 1], "lr": [0.1, 0.01] * 2}, [f"seed {k}, lr {lr}" for k in (0, 1) for lr in (0.1, 0.01)]),
    ],
)  # fmt: skip
def test_the_settings_of_a_sweep_tell_its_runs_apart(kind, by_epoch, settings, names):
    rows = [(k, e) for k in range(len(names)) for e in range(9)]
    rows = sorted(rows, key=lambda row: row[1]) if by_epoch else rows
    cells = {name: [values[k] for k, _ in rows] for name, values in settings.items()}
    runs, _ = runs_from(kind({**cells, "epoch": [e for _, e in rows], "loss": [FALLING[e] + k for k, e in rows]}))
    assert [run.run_id for run in runs] == names
    assert ["lr" in run.channels for run in runs] == ["lr" in settings] * len(names)
    assert [values(run)[0] for run in runs] == [FALLING[0] + k for k in range(len(names))]


@pytest.mark.parametrize(
    "cells",
    [
        {"epoch": range(60), "lr": [0.1] * 30 + [0.01] * 30},
        {"step": [*range(20)] * 3, "lr": [0.1] * 20 + [0.01] * 20 + [0.001] * 20},  # steps of an epoch
        {"epoch": [*range(40), *range(20, 40)], "lr": [0.1] * 40 + [0.01] * 20},  # resumed
        {"epoch": [*range(30)] * 2, "lr": [0.1] * 20 + [0.01] * 30 + [0.1] * 10},
        {"epoch": [*range(30)] * 2, "name": ["model"] * 60},
    ],
)
def test_what_a_schedule_sets_is_one_run(cells):
    assert len(runs_from(pd.DataFrame({**cells, "loss": FALLING}))[0]) == 1


def test_names_of_sides_and_of_what_is_measured_tell_no_runs():
    long = {"epoch": [*range(30)] * 2, "name": ["train_loss"] * 30 + ["val_loss"] * 30, "value": FALLING}
    (run,), _ = runs_from(pd.DataFrame(long))
    assert set(run.channels) == {"train_loss", "val_loss"}
    (run,), _ = runs_from(
        pd.DataFrame({**long, "group": ["train"] * 30 + ["val"] * 30, "loss": FALLING}).iloc[:, [0, 3, 4]]
    )
    assert set(run.channels) == {"train_loss", "val_loss"}
