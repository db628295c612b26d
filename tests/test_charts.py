"""Tables with a column for every run."""

import numpy as np
import pandas as pd
import pytest

from curveclinic.errors import InputError
from curveclinic.intake.charts import taken_apart
from curveclinic.predict import predict_pathology
from curveclinic.readers import read_file, read_stdin

FALL = np.linspace(2.0, 1.0, 30)


def test_runs_come_with_the_columns_of_none():
    found = taken_apart({"Step": 0, "a - loss": 1, "a - loss__MIN": 2, "b - loss": 3, "b - val_loss": 4})
    assert found == {"a": {"Step": 0, "loss": 1}, "b": {"Step": 0, "loss": 3, "val_loss": 4}}


def test_columns_on_levels():
    frame = pd.concat({k: pd.DataFrame({"loss": FALL, "val_loss": FALL}) for k in ("a", 1)}, axis=1)
    assert list(taken_apart(dict.fromkeys(map(str, frame.columns)))) == ["a", "1"]


@pytest.mark.parametrize(
    "names",
    [
        ("loss", "val_loss"), ("a - loss", "a - val_loss"), ("a - loss", "b - val_loss"), ("a - acc", "b - acc"),
        ("a - loss", "b - loss", "loss"), ("train - loss", "val - loss"), ("(broken", "('a', 'loss')"), (),
    ],
)  # fmt: skip
def test_what_is_one_run(names):
    assert taken_apart(dict.fromkeys(names)) == {}


def test_a_chart_in_memory_is_no_sum_of_its_runs(tmp_path):
    frame = pd.DataFrame({"Step": range(30), "run1 - loss": FALL, "run2 - loss": FALL + 1})
    frame.to_csv(tmp_path / "chart.csv", index=False)
    assert [run.channels["train_loss"].values[0] for run in read_file(tmp_path / "chart.csv")] == [2.0, 3.0]
    with pytest.raises(InputError, match="several runs by name, 'run1', 'run2'"):
        predict_pathology(frame.to_dict("list"))


def test_a_csv_of_both_sides_is_no_chart_of_two_runs():
    text = pd.DataFrame({"Step": range(30), "train - loss": FALL, "val - loss": FALL + 1}).to_csv(index=False)
    (run,) = read_stdin(text.encode())
    assert list(run.channels) == ["train_loss", "val_loss"]
