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


@pytest.mark.parametrize(
    "names",
    [
        ("source_loss", "target_loss"),
        ("in_loss", "out_loss"),
        ("loss_internal", "loss_external"),
        ("src/loss", "tgt/loss"),
    ],
)
def test_losses_that_may_be_of_different_data_are_not_added_up(names):
    choice = choose({name: points([k, k]) for k, name in enumerate(names, 1)})
    assert choice.channels["train_loss"][1].tolist() == [1.0, 1.0]
    assert "val_loss" not in choice.channels
    assert choice.notes[0] == f"losses that may be of different data are not added up: {names[0]!r}, {names[1]!r}"
    assert chosen(names, val_loss=names[1]) == {"train_loss": names[0], "val_loss": names[1]}


def test_of_each_part_the_one_of_the_first_data_is_added_up():
    names = ("source_cls_loss", "source_box_loss", "target_cls_loss", "target_box_loss")
    choice = choose({name: points([k, k]) for k, name in enumerate(names, 1)})
    assert choice.channels["train_loss"][1].tolist() == [3.0, 3.0]
    assert "train_loss <- source_cls_loss + source_box_loss" in choice.notes


@pytest.mark.parametrize(
    "names",
    [
        ("loss_größe", "loss_höhe", "loss_position"),
        ("分类损失", "回归损失"),
        ("loss_cycle_src", "loss_cycle_tgt", "loss_idt"),
    ],
)
def test_parts_are_added_up_in_any_language(names):
    choice = choose({name: points([k, k]) for k, name in enumerate(names, 1)})
    assert choice.channels["train_loss"][1].tolist() == [sum(range(1, len(names) + 1))] * 2


def test_a_total_and_evaluation_sets_are_chosen_as_ever_beside_such_losses():
    assert choose({name: points([1.0, 1.0]) for name in ("loss", "source_loss", "target_loss")}).notes == (
        "train_loss <- loss",
    )
    names = ("loss", "eval_source_loss", "eval_target_loss")
    assert choose({name: points([1.0, 1.0]) for name in names}).notes[-1] == (
        "several evaluation sets: the first is judged, not eval_target_loss"
    )


@pytest.mark.parametrize(
    "pair",
    [
        ("in_sample_loss", "out_of_sample_loss"),
        ("in-sample loss", "out-of-sample loss"),
        ("is_loss", "oos_loss"),
        ("seen_loss", "unseen_loss"),
        ("loss/seen", "loss/unseen"),
        ("tr_loss", "vl_loss"),
        ("loss_tr", "loss_vl"),
    ],
)
def test_words_that_tell_the_sides_of_a_pair(pair):
    assert chosen(pair) == {"train_loss": pair[0], "val_loss": pair[1]}
    assert chosen(pair[::-1]) == {"train_loss": pair[0], "val_loss": pair[1]}


def test_words_that_tell_no_side_beside_others():
    assert chosen(["loss", "seen_loss", "unseen_loss"]) == {"train_loss": "loss"}
    assert chosen(["loss", "loss_vl", "loss_itc"]) == {"train_loss": "loss"}
    assert chosen(["train_loss", "val_loss", "vl_loss"]) == {"train_loss": "train_loss", "val_loss": "val_loss"}
    raw = {f"{part}_loss": points([1.0, 1.0]) for part in ("vl", "itc", "mlm")}
    assert choose(raw).channels["train_loss"][1].tolist() == [3.0, 3.0]


def test_the_value_of_a_loss_is_the_loss():
    assert chosen(["loss_value", "loss_cls", "loss_box"]) == {"train_loss": "loss_value"}
    assert chosen(["lm loss", "validation/lm loss value"]) == {
        "train_loss": "lm loss", "val_loss": "validation/lm loss value",
    }  # fmt: skip
    raw = {name: points([k, k]) for k, name in enumerate(("loss_value", "loss_policy"), 1)}
    assert choose(raw).channels["train_loss"][1].tolist() == [3.0, 3.0]
    assert choose(raw).kind == "reinforced"
    raw = {name: points([k, k]) for k, name in enumerate(("loss_pi", "loss_value"), 1)}
    assert choose(raw).channels["train_loss"][1].tolist() == [3.0, 3.0]
    assert choose(raw).kind == "reinforced"


@pytest.mark.parametrize(
    ("parts", "levels", "expected"),
    [
        (("box", "cls", "dfl"), (1.0, 2.0, 1.0), 4.0),
        (("student", "teacher"), (3.0, 2.0), 3.0),  # other models
        (("recon", "kl"), (3.0, 100.0), 3.0),  # one of them is weighted in the total
    ],
)
def test_parts_of_validation_that_make_the_total_of_training_are_added_up(parts, levels, expected):
    raw = {"train_loss": points([3.5, 3.0])}
    raw |= {f"val_{part}_loss": points([level, level]) for part, level in zip(parts, levels, strict=True)}
    assert choose(raw).channels["val_loss"][1].tolist() == [expected, expected]


@pytest.mark.parametrize(
    "names", [("raw_loss", "smooth_loss"), ("loss_raw", "loss_ema"), ("box_loss", "box_loss_smoothed")]
)
def test_a_smoothed_copy_is_no_part(names):
    choice = choose({name: points([k, k]) for k, name in enumerate(names, 1)})
    assert choice.channels["train_loss"][1].tolist() == [1.0, 1.0]
    assert choose({name: points([k, k]) for k, name in enumerate(names[::-1], 1)}).channels["train_loss"][1][0] == 2.0


@pytest.mark.parametrize("names", [("photo_loss", "smooth_loss"), ("l1_loss", "smooth_l1_loss")])
def test_the_loss_of_what_is_smooth_is_a_part(names):
    choice = choose({name: points([k, k]) for k, name in enumerate(names, 1)})
    assert choice.channels["train_loss"][1].tolist() == [3.0, 3.0]


def test_of_losses_that_are_only_numbered_the_first_is_judged():
    names = ("train_loss_0", "train_loss_1", "val_loss_0", "val_loss_1")
    choice = choose({name: points([k, k]) for k, name in enumerate(names, 1)})
    assert [choice.channels[side][1][0] for side in ("train_loss", "val_loss")] == [1.0, 3.0]
    assert choice.notes[0] == "numbered losses may be of several runs: train_loss_0 is judged, not 'train_loss_1'"
    choice = choose({name: points([k, k]) for k, name in enumerate(("loss", "val_loss_0", "val_loss_1"), 1)})
    assert choice.notes[-1] == "several evaluation sets: the first is judged, not val_loss_1"
