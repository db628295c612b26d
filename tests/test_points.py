"""Whatever holds the numbers of a channel, and the steps of one that came without."""

import re
from types import SimpleNamespace

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from door_cases import FALLING, one

from curveclinic import points, predict_pathology, suggest_lr
from curveclinic.errors import InputError
from curveclinic.run import Run


@pytest.mark.parametrize("first", [0, 100])
def test_a_channel_without_steps_is_put_on_those_of_a_loss_that_has_some(first):
    steps = first + 100 * np.arange(60)
    run = one({"train_loss": (steps, FALLING), "val_loss": FALLING})
    np.testing.assert_array_equal(run.channels["val_loss"].steps, steps)
    run = one({"train_loss": FALLING, "val_loss": (steps, FALLING)})
    np.testing.assert_array_equal(run.channels["train_loss"].steps, steps)
    run = one({"train_loss": (steps, FALLING), "val_loss": FALLING[::2]})
    np.testing.assert_array_equal(run.channels["val_loss"].steps, steps[1::2])
    assert run.notes == ("val_loss: 30 values without steps, taken as one every 2 of the 60 steps logged",)
    run = one({"train_loss": (steps, FALLING), "val_loss": FALLING[:50]})
    np.testing.assert_array_equal(run.channels["val_loss"].steps, steps[:50])


def test_nulls_of_arrow_are_missing_wherever_they_are():
    nulls = pa.array([None if k in (5, 17) else float(v) for k, v in enumerate(FALLING)])
    for data in (nulls, pa.chunked_array([nulls]), list(nulls)):
        assert len(one({"train_loss": data}).channels["train_loss"]) == 58
    np.testing.assert_array_equal(one({"train_loss": pa.array(FALLING)}).channels["train_loss"].values, FALLING)


def test_what_the_caller_writes_later_changes_no_run():
    train, steps = FALLING.copy(), np.arange(60.0)
    frame = pd.DataFrame({"train_loss": FALLING})
    runs = [one({"train_loss": train}), one({"train_loss": (steps, train)}), one(frame)]
    train[:], steps[:], frame.loc[:, "train_loss"] = 7.0, -1.0, 7.0
    for run in runs:
        np.testing.assert_array_equal(run.channels["train_loss"].values, FALLING)
        assert run.channels["train_loss"].steps[-1] > 0


def test_a_table_of_one_column_is_a_series_and_one_of_more_is_not():
    for data in (pd.DataFrame({"x": FALLING}), pl.DataFrame({"x": FALLING})):
        assert len(one({"train_loss": data}).channels["train_loss"]) == 60
    with pytest.raises(InputError, match="train_loss: found a table of 2 columns, expected one sequence"):
        one({"train_loss": pd.DataFrame({"x": FALLING, "y": FALLING})})


def test_what_is_no_curve_beside_good_losses_is_left_out_and_said():
    run = one({"loss": FALLING, "f1_score": [np.zeros(3)] * 60, "lr": [[0.1, 0.01]] * 60})
    assert list(run.channels) == ["train_loss"]
    assert run.notes[0].startswith("left out f1_score: found an array of shape (60, 3), expected one dimension;")
    assert run.notes[1].startswith("left out lr: found an array of shape (60, 2)")


def test_none_is_a_channel_that_was_not_logged():
    assert list(one({"train_loss": FALLING, "val_loss": None}).channels) == ["train_loss"]
    with pytest.raises(InputError, match="train_loss: found NoneType, expected a sequence of numbers"):
        one({"train_loss": None})


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (FALLING + 1j, "loss: found complex numbers, expected real ones"),
        (FALLING.astype("datetime64[s]"), "loss: found times among the values"),
        (([0, "x"], [1.0, 2.0]), "loss, steps: found 'x' among the values"),
    ],
)
def test_values_that_are_no_losses_are_refused(data, found):
    with pytest.raises(InputError, match=re.escape(found)):
        one({"loss": data})


def test_a_run_holds_series_and_a_text_for_its_name():
    with pytest.raises(InputError, match="train_loss: found list, expected a Series"):
        Run({"train_loss": [2.0, 1.0]})
    assert Run.from_arrays({"train_loss": FALLING}, run_id=5).run_id == "5"


def test_a_channel_longer_than_the_loss_with_steps_has_steps_that_increase():
    run = one({"train_loss": (np.arange(10) * 1000, FALLING[:10]), "val_loss": FALLING})
    steps = run.channels["val_loss"].steps
    assert (np.diff(steps) > 0).all()
    assert steps[-1] == 9000


@pytest.mark.parametrize("data", [pa.array(["1.5", "0.5"]), pa.array([1, 0]), pa.array([True, False])])
def test_arrow_arrays_of_any_type_are_read_or_refused_as_lists_are(data):
    assert one({"train_loss": data}).channels["train_loss"].values.tolist() == [float(v) for v in data.to_pylist()]


def test_the_index_of_a_series_is_its_steps():
    steps = 100 * np.arange(60)
    train, val = pd.Series(FALLING, index=steps), pd.Series(FALLING[::2], index=steps[::2].astype(float))
    run = one({"train_loss": train, "val_loss": val})
    np.testing.assert_array_equal(run.channels["train_loss"].steps, steps)
    np.testing.assert_array_equal(run.channels["val_loss"].steps, steps[::2])
    np.testing.assert_array_equal(Run.from_arrays({"train_loss": train}).channels["train_loss"].steps, steps)
    nullable = pd.Series([None, *FALLING[1:]], index=steps, dtype="Float64")
    np.testing.assert_array_equal(one({"train_loss": nullable}).channels["train_loss"].steps, steps[1:])


def test_stop_at_is_told_in_the_index_of_a_series():
    steps = np.arange(0, 4000, 100)
    val = 2 * np.exp(-np.arange(40) / 8) + 0.1 + 0.05 * np.maximum(0, np.arange(40) - 12)
    train = 2 * np.exp(-np.arange(40) / 6)
    indexed = {name: pd.Series(values, index=steps) for name, values in (("train_loss", train), ("val_loss", val))}
    told = predict_pathology(indexed)
    assert told.stop_at == predict_pathology({"train_loss": (steps, train), "val_loss": (steps, val)}).stop_at == 1300
    assert told.labels == ("overfitting",)


def test_an_index_that_only_counts_is_no_steps_unless_another_says_more():
    frame = pd.DataFrame({"train_loss": FALLING, "val_loss": [None, *FALLING[1:]]})
    run = one({"train_loss": frame["train_loss"]})
    assert run.channels["train_loss"].steps.tolist() == list(range(1, 61))
    run = one({"train_loss": frame["train_loss"], "val_loss": frame["val_loss"].dropna()})
    assert run.channels["train_loss"].steps.tolist() == list(range(60))
    assert run.channels["val_loss"].steps.tolist() == list(range(1, 60))
    for index in (frame.index[::-1], pd.date_range("2026", periods=60), list(map(str, range(60))), [7] * 60):
        run = one({"train_loss": pd.Series(FALLING, index=index)})
        assert run.channels["train_loss"].steps.tolist() == list(range(1, 61))


@pytest.mark.parametrize("index", [range(0, 120, 2), range(1, 61)])
@pytest.mark.parametrize("stepped", ["train_loss", "val_loss"])
def test_an_index_that_counts_as_many_values_as_another_has_steps_is_their_places(index, stepped):
    series = {name: pd.Series(FALLING) for name in ("train_loss", "val_loss")}
    run = one(series | {stepped: pd.Series(FALLING, index=index)})
    assert [channel.steps.tolist() for channel in run.channels.values()] == [list(index)] * 2


def test_steps_beside_series_count_and_not_their_index():
    frame = pd.DataFrame({"epoch": np.arange(60) * 10.0, "train_loss": FALLING}, index=np.arange(500, 560))
    run = one({"epoch": frame["epoch"], "train_loss": frame["train_loss"]})
    np.testing.assert_array_equal(run.channels["train_loss"].steps, frame["epoch"])
    rates = pd.Series(np.geomspace(1e-6, 1, 60), index=np.arange(500, 560))
    assert suggest_lr(rates, pd.Series(FALLING, index=rates.index)) == suggest_lr(rates.tolist(), FALLING)


def test_what_trackers_keep_of_a_point_is_a_step_and_a_value():
    scalars = [SimpleNamespace(wall_time=0.0, step=10 * k, value=value) for k, value in enumerate(FALLING)]
    run = one({"train_loss": scalars, "val_loss": tuple(scalars[::2])})
    np.testing.assert_array_equal(run.channels["train_loss"].steps, 10 * np.arange(60))
    np.testing.assert_array_equal(run.channels["train_loss"].values, FALLING)
    np.testing.assert_array_equal(run.channels["val_loss"].steps, 20 * np.arange(30))


@pytest.mark.parametrize("kind", [np.float64, np.float32])
def test_the_cells_of_an_array_need_no_look_one_by_one(kind, monkeypatch):
    monkeypatch.setattr(points, "_is_missing", None)  # what is called for every cell that might be missing
    values = FALLING.astype(kind)
    np.testing.assert_array_equal(points.as_points("train_loss", list(values))[1], values)
