"""Tables of pandas, whose NaN says two things, and the levels of their indexes."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from door_cases import FALLING, one, steps, values

from curveclinic.intake.door import runs_from
from curveclinic.predict import predict_pathology


def test_pandas_gaps_are_missing_and_a_nan_tail_is_not():
    nan = np.nan
    run = one(pd.DataFrame({"train_loss": [3, 2, nan, nan], "val_loss": [3, nan, 2, nan]}))
    assert np.array_equal(values(run), [3, 2, nan, nan], equal_nan=True)
    assert values(run, "val_loss") == [3, 2]


def test_pandas_tail_of_a_sparse_column_keeps_its_cadence():
    nan = np.nan
    frame = pd.DataFrame(
        {"train_loss": [3, nan, 2, nan, nan, nan, nan, nan], "val_loss": [nan, 4, nan, 4, nan, 4, nan, 4]}
    )
    run = one(frame)
    assert steps(run) == [1, 3, 5, 7]
    assert values(run, "val_loss") == [4, 4, 4, 4]


def test_pandas_summary_row_at_the_end_is_not_nan():
    nan = np.nan
    frame = pd.DataFrame({"train_loss": [*np.linspace(3, 1, 30), nan], "test_loss": [*[nan] * 30, 1.0]})
    assert len(values(one(frame))) == 30


def test_pandas_column_of_nan_is_a_dead_train_loss_or_no_validation():
    run = one(pd.DataFrame({"loss": [np.nan] * 4, "val_loss": [np.nan] * 4}))
    assert set(run.channels) == {"train_loss"}
    assert np.isnan(values(run)).all()


def test_pandas_column_of_nan_is_not_logged_where_another_train_loss_is():
    frame = pd.concat(
        [pd.DataFrame({"run_id": "a", "train_loss": [2.0, 1.0]}), pd.DataFrame({"run_id": "b", "loss": [4.0, 3.0]})]
    )
    runs, _ = runs_from(frame)
    assert [values(run) for run in runs] == [[2, 1], [4, 3]]


def test_pandas_column_of_nan_in_a_run_beside_others_is_not_logged():
    runs = {
        "whole": {"epoch": range(9), "train_loss": FALLING[:9], "val_loss": FALLING[:9]},
        "evaluated": {"epoch": range(9), "val_loss": FALLING[:9]},
        "parent": {"epoch": [0]},
        "broken": {"epoch": range(9), "train_loss": [np.nan] * 9, "val_loss": [np.nan] * 9},
        "guessing": {"epoch": range(9), "train_loss": [np.nan] * 9, "val_loss": [np.nan] * 9, "val_acc": [0.1] * 9},
    }
    frame = pd.concat([pd.DataFrame({"run_id": name, **columns}) for name, columns in runs.items()])
    (whole, evaluated, parent, broken, guessing), single = runs_from(frame)
    assert (list(whole.channels), list(evaluated.channels), single) == (["train_loss", "val_loss"], ["val_loss"], False)
    assert "no loss column" in str(parent)
    assert np.isnan(values(broken)).all()
    assert np.isnan(values(guessing)).all()
    assert ["non_finite" in diagnosis.labels for diagnosis in predict_pathology(frame)] == [False] * 3 + [True] * 2


@pytest.mark.parametrize("levels", [["run", None], ["run_id", "step"], [None, "step"]])
def test_levels_of_a_pandas_index_tell_runs_and_steps(levels):
    one_run = pd.DataFrame({"train_loss": FALLING[:9]}, index=np.arange(0, 90, 10))
    frame = pd.concat([one_run, one_run * 2], keys=["a", "b"], names=levels)
    runs, single = runs_from(frame.loc[["a"]] if levels[0] is None else frame)
    first = runs[0]
    assert (single, first.run_id) == ((True, "") if levels[0] is None else (False, "a"))
    assert steps(first) == list(range(0, 90, 10) if levels[1] else range(1, 10))


def test_of_levels_of_one_name_the_first_is_read():
    index = pd.MultiIndex.from_arrays([range(0, 90, 10), range(9)], names=["step", "step"])
    (run,), _ = runs_from(pd.DataFrame({"train_loss": FALLING[:9]}, index=index))
    assert steps(run) == list(range(0, 90, 10))


IDS = {"run_id": [2**60, 2**60 + 1, 7], "train_loss": [3.0, 2.0, 1.0]}


@pytest.mark.parametrize("frame", [pd.DataFrame(IDS), pl.DataFrame(IDS), pa.table(IDS)], ids=["pd", "pl", "pa"])
def test_whole_numbers_are_exact_run_ids(frame):
    runs, _ = runs_from(frame)
    assert [run.run_id for run in runs] == [str(2**60), str(2**60 + 1), "7"]


def joined(**options):
    one_run = pd.DataFrame({"train_loss": FALLING[:9]})
    return pd.concat([one_run, one_run * 2], **options)


@pytest.mark.parametrize(("keys", "names"), [(["a", "b"], ["a", "b"]), (None, ["0", "1"])])
def test_tables_joined_in_pandas_are_runs(keys, names):
    runs, single = runs_from(joined(keys=keys))
    assert (single, [run.run_id for run in runs]) == (False, names)
    assert [values(run) for run in runs] == [list(FALLING[:9]), [2 * x for x in FALLING[:9]]]


def test_joined_tables_of_one_run_that_was_resumed_are_one():
    parts = [pd.DataFrame({"step": range(k, k + 9), "train_loss": FALLING[:9]}) for k in (0, 6)]
    (run,), single = runs_from(pd.concat(parts))
    assert (single, steps(run)) == (True, list(range(15)))


def test_joined_tables_of_train_and_val_are_one_run():
    (run,), _ = runs_from(pd.concat({k: pd.DataFrame({"loss": FALLING[:9]}) for k in ("train", "val")}))
    assert sorted(run.channels) == ["train_loss", "val_loss"]


@pytest.mark.parametrize("axis", [{}, {"epoch": range(9)}])
def test_a_table_of_the_training_above_one_of_validation_is_one_run(axis):
    parts = [pd.DataFrame({**axis, name: FALLING[:9]}) for name in ("train_loss", "val_loss")]
    (run,), single = runs_from(pd.concat(parts))
    assert (single, steps(run), steps(run, "val_loss")) == (True, list(range(9)), list(range(9)))
    assert values(run) == values(run, "val_loss") == list(FALLING[:9])


def test_rows_joined_one_by_one_are_one_run():
    (run,), single = runs_from(pd.concat([pd.DataFrame([{"train_loss": loss}]) for loss in FALLING[:9]]))
    assert (single, values(run)) == (True, list(FALLING[:9]))


def test_an_index_of_large_numbers_tells_nothing():
    index = pd.Index(np.arange(9, dtype=np.uint64) + 2**60)
    (run,), single = runs_from(pd.DataFrame({"train_loss": FALLING[:9]}, index=index))
    assert (single, steps(run)) == (True, list(range(1, 10)))


def test_texts_on_two_levels_tell_runs_together():
    index = pd.MultiIndex.from_product([["a", "b"], ["x", "y"], range(9)])
    runs, _ = runs_from(pd.DataFrame({"train_loss": np.tile(FALLING[:9], 4)}, index=index))
    assert [run.run_id for run in runs] == ["a/x", "a/y", "b/x", "b/y"]
    index = pd.MultiIndex.from_product([["a", "b"], ["train", "val"], range(9)])
    runs, _ = runs_from(pd.DataFrame({"loss": np.tile(FALLING[:9], 4)}, index=index))
    assert [(run.run_id, sorted(run.channels)) for run in runs] == [(k, ["train_loss", "val_loss"]) for k in "ab"]


def test_texts_that_name_each_row_tell_no_runs():
    index = pd.MultiIndex.from_arrays([[k // 3 for k in range(9)], [f"row {k}" for k in range(9)]])
    runs, single = runs_from(pd.DataFrame({"train_loss": FALLING[:9]}, index=index))
    assert (single, len(runs)) == (True, 1)


def test_numbers_above_another_level_are_noted():
    (run,), _ = runs_from(joined(keys=[0, 1]))
    assert run.notes[0].startswith("the first level of the index has no name: all rows are read as one run")


def test_an_index_without_a_name_holds_the_steps():
    (run,), _ = runs_from(pd.DataFrame({"train_loss": FALLING[:9]}, index=np.arange(0, 9000, 1000)))
    assert steps(run) == list(range(0, 9000, 1000))
