"""Tables with a column for every run."""

import numpy as np
import pandas as pd
import pytest

from curveclinic.errors import InputError
from curveclinic.intake.charts import taken_apart
from curveclinic.intake.door import runs_from
from curveclinic.predict import predict_pathology
from curveclinic.readers import ReadOptions, read_file, read_stdin

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


@pytest.mark.parametrize(
    ("names", "runs"),
    [
        (["lr0.1_train_loss", "lr0.01_train_loss", "lr0.1_val_loss", "lr0.01_val_loss"], ["lr0.1", "lr0.01"]),
        (["train_loss (lr=1e-3)", "train_loss (lr=1e-4)"], ["lr=1e-3", "lr=1e-4"]),
        (["loss_bs32_dropout0.5", "loss_bs64_dropout0.5"], ["bs32 dropout0.5", "bs64 dropout0.5"]),
        (["weight_decay_0.1_train_loss", "weight_decay_0_train_loss"], ["weight_decay_0.1", "weight_decay_0"]),
        (["model_a_loss", "model_b_loss"], ["model_a", "model_b"]),
        (["adam/loss", "sgd/loss"], ["adam", "sgd"]),
        (["resnet18_loss", "resnet50_loss"], ["resnet18", "resnet50"]),
        (["train_loss_baseline", "train_loss_ours"], ["baseline", "ours"]),
        (["tiny_train_loss", "big_train_loss", "tiny_val_loss", "big_val_loss", "big_lr"], ["tiny", "big"]),
        (["with_bn_train_loss", "no_bn_train_loss", "with_bn_test_loss", "no_bn_test_loss"], ["with_bn", "no_bn"]),
    ],
)
def test_columns_named_by_what_tells_runs_apart(names, runs):
    assert list(taken_apart(dict.fromkeys([*names, "epoch"]))) == runs
    assert [run.channels["train_loss"].values[0] for run in runs_of(names)] == [2.0, 3.0]
    with pytest.raises(InputError, match="found several runs by name"):
        predict_pathology({name: FALL for name in names})


def runs_of(names):
    runs, single = runs_from(pd.DataFrame({name: FALL + k for k, name in enumerate(names)}))
    assert not single
    return runs


@pytest.mark.parametrize(
    "names",
    [
        ("box_train_loss", "cls_train_loss", "box_val_loss", "cls_val_loss"),
        ("image_train_loss", "text_train_loss", "image_val_loss", "text_val_loss"),
        ("coarse_train_loss", "fine_train_loss", "coarse_val_loss", "fine_val_loss"),
        ("train_foo_loss", "train_bar_loss", "val_foo_loss", "val_bar_loss"),
        ("foo_train_loss", "bar_train_loss"), ("foo_train_loss", "bar_val_loss"),
        ("layer1_loss", "layer2_loss"), ("net_g_loss", "net_d_loss"), ("loss_ce_0", "loss_ce_1", "loss_bbox_0"),
        ("adam_loss", "sgd_loss", "loss"), ("lr0.1_train_loss", "lr0.1_val_loss"), ("model_a_loss", "kl_loss"),
        ("lr_0", "lr_1", "train_loss"), ("best_train_loss", "last_train_loss", "best_val_loss", "last_val_loss"),
    ],
)  # fmt: skip
def test_parts_of_a_loss_are_no_runs(names):
    assert taken_apart(dict.fromkeys(names)) == {}


def test_a_column_that_the_user_names_is_of_one_run(tmp_path):
    names = ["lr0.1_train_loss", "lr0.01_train_loss", "lr0.1_val_loss", "lr0.01_val_loss"]
    pd.DataFrame({name: FALL + k for k, name in enumerate(names)}).to_csv(tmp_path / "sweep.csv")
    assert [run.run_id.rpartition("#")[2] for run in read_file(tmp_path / "sweep.csv")] == ["lr0.1", "lr0.01"]
    (run,) = read_file(tmp_path / "sweep.csv", ReadOptions(train_loss="lr0.01_train_loss", val_loss="lr0.01_val_loss"))
    assert run.channels["train_loss"].values[0] == 3.0


def test_rows_of_several_runs_side_by_side_are_a_list():
    rows = pd.DataFrame({"a - loss": FALL, "b - loss": FALL + 1}).to_dict("records")
    assert [d.run.run_id for d in predict_pathology(rows)] == ["a", "b"]
