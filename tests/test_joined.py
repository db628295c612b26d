"""NaN that fills the rows of another column of a joined table, and NaN that was logged."""

import numpy as np
import pandas as pd
import pytest
from door_cases import FALLING, one, steps, values
from doors import verdicts

NAN = float("nan")


def joined(*parts, step="step"):
    """Columns of tables, each (name, steps, values), put under one another: NaN where they have none."""
    table = pd.concat([pd.DataFrame({step: at, name: losses}) for name, at, losses in parts], ignore_index=True)
    return table.to_dict("list")


TRAIN = ("train_loss", np.arange(1.0, 61.0), FALLING)
VAL = ("val_loss", np.arange(6.0, 61.0, 6), FALLING[5::6] + 0.01)
TEST = ("test_loss", np.arange(12.0, 61.0, 12), FALLING[11::12] + 0.01)


@pytest.mark.parametrize("parts", [(TRAIN, VAL), (VAL, TRAIN), (TRAIN, VAL, TEST), (TEST, VAL, TRAIN)])
def test_nan_in_the_rows_of_another_column_was_not_logged_by_any_door(parts, tmp_path):
    columns = joined(*parts)
    frame = pd.DataFrame(columns)
    for data in (columns, frame, frame.to_dict("records"), {name: frame[name] for name in frame}):
        run = one(data)
        assert (steps(run), values(run)) == (TRAIN[1].tolist(), TRAIN[2].tolist())
        assert (steps(run, "val_loss"), values(run, "val_loss")) == (VAL[1].tolist(), VAL[2].tolist())
    assert {labels for _, labels, _ in verdicts(columns, tmp_path).values()} == {("undertrained",)}


@pytest.mark.parametrize("parts", [(TRAIN, VAL), (VAL, TRAIN)])
def test_a_loss_that_breaks_in_its_own_rows_is_broken_by_every_door(parts, tmp_path):
    name, at, losses = TRAIN
    broken = (name, at, np.where(at > 40, NAN, losses))
    columns = joined(*(broken if part is TRAIN else part for part in parts))
    run = one(columns)
    assert np.flatnonzero(np.isnan(values(run))).tolist() == list(range(40, 60))
    assert {labels[0] for _, labels, _ in verdicts(columns, tmp_path).values()} == {"non_finite"}


def test_a_loss_that_breaks_as_the_first_evaluation_counts_epochs_is_broken():
    table = [{"step": 10 * k, "train_loss": 2.0, "val_acc": NAN} for k in range(1, 11)]
    for epoch in range(1, 6):
        table.append({"step": epoch, "train_loss": NAN, "val_acc": 0.1})
        table += [{"step": 100 * epoch + 10 * k, "train_loss": NAN, "val_acc": NAN} for k in range(1, 11)]
    assert np.isnan(values(one(table))).sum() == 50


def test_a_loss_that_turns_nan_where_another_begins_may_be_broken_on_one_axis():
    losses = {"train_loss": [3.0, 2.0, 1.0, NAN, NAN, NAN], "val_loss": [NAN, NAN, NAN, 3.0, 2.0, 1.0]}
    assert np.isnan(values(one({"step": [1, 2, 3, 4, 5, 6], **losses}))).sum() == 3


def test_a_column_of_nothing_but_nan_stays_one():
    columns = joined(("train_loss", TRAIN[1], np.full(60, NAN)), VAL)
    assert np.isnan(values(one(columns))).all()


@pytest.mark.parametrize(("n_above", "n_broken"), [(1, 9), (5, 0)])
def test_validation_above_the_training_goes_before_it_only_if_it_is_one_evaluation(n_above, n_broken):
    above = {"step": range(n_above), "val_loss": FALLING[:n_above], "train_loss": [NAN] * n_above}
    below = {"step": range(10, 100, 10), "val_loss": [NAN] * 9, "train_loss": FALLING[:9]}
    table = pd.concat([pd.DataFrame(above), pd.DataFrame(below)], ignore_index=True).to_dict("records")
    assert np.isnan(values(one(table), "val_loss")).sum() == n_broken
