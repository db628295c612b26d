"""What names mean beside each other: parts of one loss, or the series of several runs."""

import re

import pytest
from choice_cases import chosen, points

from curveclinic.errors import InputError
from curveclinic.intake.choosing import choose


@pytest.mark.parametrize("name", ["{side}_loss_fold{k}", "fold_{k}/{side}_loss", "{side}/seed{k}/loss"])
def test_folds_are_not_added_up(name):
    raw = {name.format(side=side, k=k): points([k, k]) for k in (1.0, 2.0, 3.0) for side in ("train", "val")}
    raw = {key.replace(".0", ""): value for key, value in raw.items()}
    choice = choose(raw)
    assert choice.channels["train_loss"][1].tolist() == [1.0, 1.0]
    assert choice.channels["val_loss"][1].tolist() == [1.0, 1.0]
    assert re.fullmatch(r"several runs in one table: (fold|seed) ?1 is judged, not '\w+ ?2', '\w+ ?3'", choice.notes[0])


@pytest.mark.parametrize(
    "names", [("a/loss", "b/loss", "a/lr", "b/lr"), ("run1_loss", "run2_loss"), ("brisk-sun-3/rmse", "calm-4/rmse")]
)
def test_series_of_different_runs_are_not_added_up(names):
    choice = choose({name: points([k, k]) for k, name in enumerate(names, 1)})
    assert choice.channels["train_loss"][1].tolist() == [1.0, 1.0]
    assert choice.notes[0].startswith("several runs in one table: ")


@pytest.mark.parametrize("names", [("image/loss", "text/loss"), ("classification/loss", "regression/loss", "lr")])
def test_losses_in_folders_without_anything_else_there_are_parts_of_one(names):
    choice = choose({name: points([k, k]) for k, name in enumerate(names, 1)})
    assert choice.channels["train_loss"][1].tolist() == [3.0, 3.0]


def test_both_sides_of_a_run_stay_together_beside_another_run():
    names = ["a/train/loss", "a/val/loss", "b/train/loss", "b/val/loss", "a/val/acc", "b/val/acc"]
    assert chosen(names) == {"train_loss": "a/train/loss", "val_loss": "a/val/loss", "val_metric": "a/val/acc"}


@pytest.mark.parametrize(
    "names",
    [("box/loss", "cls/loss"), ("head1/loss", "head2/loss"), ("train/a/loss", "train/b/loss"), ("a_loss", "b_loss")],
)
def test_folders_of_parts_hold_parts(names):
    choice = choose({name: points([k, k]) for k, name in enumerate(names, 1)})
    assert choice.channels["train_loss"][1].tolist() == [3.0, 3.0]


def test_the_total_beside_folders_is_the_loss():
    assert chosen(["loss", "a/loss", "b/loss"]) == {"train_loss": "loss"}


@pytest.mark.parametrize("name", ["{} - loss", "('{}', 'loss')", "{} - train/rmse"])
def test_a_column_a_run_is_refused(name):
    with pytest.raises(InputError, match=r"found several runs by name, 'calm-4', 'run1'; hand over each by itself"):
        choose({name.format(run): points([1.0]) for run in ("calm-4", "run1")})
    assert chosen([name.format("calm-4")]) == {"train_loss": name.format("calm-4")}


@pytest.mark.parametrize("name", ["{} - loss", "('{}', 'loss')"])
def test_a_column_a_side_or_a_part_is_one_run(name):
    assert chosen([name.format(side) for side in ("train", "val")]).keys() == {"train_loss", "val_loss"}
    raw = {name.format(part): points([k, k]) for k, part in enumerate(("box", "cls"), 1)}
    assert choose(raw).channels["train_loss"][1].tolist() == [3.0, 3.0]


def test_the_band_around_a_series_is_no_part_of_a_loss():
    names = ["calm-4 - loss", "calm-4 - loss__MIN", "calm-4 - loss__MAX"]
    assert chosen(names) == {"train_loss": "calm-4 - loss"}


def test_the_only_fold_is_a_run_as_any_other():
    choice = choose({"train_loss_fold3": points([2.0, 1.0]), "val_loss_fold3": points([2.0, 1.5])})
    assert choice.notes == ("train_loss <- train_loss_fold3", "val_loss <- val_loss_fold3")
