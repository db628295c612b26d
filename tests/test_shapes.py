"""What curves are kept in: pairs with names, groups of a table, rows by epoch, plots; advice where it is no run."""

from datetime import datetime, timedelta

import numpy as np
import pandas as pd
import polars as pl
import pytest
from door_cases import FALLING, steps, values

from curveclinic import predict_pathology
from curveclinic.errors import InputError
from curveclinic.intake.door import runs_from
from curveclinic.readers import read_file

LOSSES = FALLING.tolist()
ROWS = [{"epoch": k, "train_loss": loss, "val_loss": loss + 1} for k, loss in enumerate(LOSSES)]


@pytest.mark.parametrize("container", [list, tuple, iter])
@pytest.mark.parametrize("lists", [[LOSSES, LOSSES], list(zip(LOSSES, LOSSES, strict=True)), [FALLING, FALLING]])
def test_lists_without_names_are_told_how_to_get_them(container, lists):
    with pytest.raises(InputError, match=r"found \d+ lists of numbers without names; say what they are: {'train_loss'"):
        runs_from(container(lists))
    with pytest.raises(InputError, match=r"found ndarray of shape .*; say what they are"):
        runs_from(np.array(lists))


def test_groups_of_a_table_and_pairs_with_names_are_runs():
    table = {"config": ["a"] * 60 + ["b"] * 60, "epoch": [*range(60)] * 2, "train_loss": LOSSES * 2}
    frame = pd.DataFrame(table).rename(columns={"config": "net"})
    runs = {name: group for name, group in frame.groupby("net")}
    for many in (frame.groupby("net"), frame.groupby(["net"]), list(frame.groupby("net")), runs.items()):
        found, single = runs_from(many)
        assert (single, [run.run_id for run in found]) == (False, ["a", "b"])
        assert values(found[1]) == LOSSES
    found, _ = runs_from(pl.DataFrame(table).group_by("config", maintain_order=True))
    assert [run.run_id for run in found] == ["a", "b"]
    found, _ = runs_from(frame.groupby("net").agg(list))
    assert [run.run_id for run in found] == ["a", "b"]
    found, _ = runs_from([(0.1, ROWS), ("bad", {"acc": [1.0]})])
    assert found[0].run_id == "0.1"
    assert isinstance(found[1], InputError)


@pytest.mark.parametrize("word", ["epoch_", "Epoch ", "step", "iteration-"])
def test_rows_by_epochs_that_are_called_so(word):
    (run,), single = runs_from({f"{word}{k}": {"train_loss": loss} for k, loss in enumerate(LOSSES, 1)})
    assert (single, values(run), steps(run)) == (True, LOSSES, [*range(1, 61)])
    (run,), _ = runs_from({"train_loss": {f"{word}{k}": loss for k, loss in enumerate(LOSSES, 1)}})
    assert (values(run), steps(run)) == (LOSSES, [*range(1, 61)])


@pytest.mark.parametrize("beside", [{}, {"model": "net", "best": 0.5, "config": {"layers": 3}}])
def test_the_one_list_of_rows_in_a_mapping_is_the_run_in_memory_too(beside):
    (run,), single = runs_from({**beside, "epochs": ROWS})
    assert (single, values(run), values(run, "val_loss")) == (True, LOSSES, [loss + 1 for loss in LOSSES])
    (run,), _ = runs_from({"val": [{"epoch": row["epoch"], "loss": row["val_loss"]} for row in ROWS]})
    assert list(run.channels) == ["val_loss"]


def test_runs_in_a_list_beside_settings_are_told_to_be_taken_out():
    folds = [{"fold": k, "history": {"train_loss": LOSSES}} for k in range(3)]
    for held in (folds, [fold["history"] for fold in folds]):
        with pytest.raises(InputError, match="found a list of runs, 'folds'; hand it over by itself"):
            runs_from({"folds": held, "k": 3})
    assert len(runs_from(folds)[0]) == 3


def test_what_a_plot_holds_is_one_series():
    plot = {"x": [*range(10, 70)], "y": LOSSES, "name": "train", "line": {"color": "red"}}
    (run,), _ = runs_from({"train_loss": plot, "val_loss": {"x": [*range(60)], "y": LOSSES}})
    assert (values(run), steps(run)[0], values(run, "val_loss")) == (LOSSES, 10, LOSSES)


@pytest.mark.parametrize("kind", [list, tuple])
def test_moments_are_steps(kind):
    at = kind(datetime(2024, 1, 1) + timedelta(seconds=k) for k in range(60))
    (run,), _ = runs_from({"train_loss": (at, LOSSES)})
    assert (values(run), np.diff(steps(run)).tolist()) == (LOSSES, [1.0] * 59)
    with pytest.raises(InputError, match="train_loss, steps: found 'noon' among the values"):
        runs_from({"train_loss": ([*at[:-1], "noon"], LOSSES)})


@pytest.mark.parametrize("lists", [[LOSSES] * 5, [[1.0, 0.9, 0.8], [0.7, 0.6]]])
def test_lists_of_folds_or_batches_get_advice(lists):
    with pytest.raises(InputError, match="of several runs give a mapping each, of batches the mean of each epoch"):
        runs_from({"train_loss": lists})


def test_padded_names_are_shown_without_their_blanks(tmp_path):
    table = pd.DataFrame({"epoch": range(60), "    train/box_loss": LOSSES, "   val/box_loss": LOSSES, " lr/pg0": 0.1})
    assert "train_loss <- train/box_loss; val_loss <- val/box_loss; lr <- lr/pg0" in predict_pathology(table).message
    table.to_csv(tmp_path / "results.csv", index=False)
    assert "train_loss <- train/box_loss" in read_file(tmp_path / "results.csv")[0].notes
