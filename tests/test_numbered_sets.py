"""`numbered_sets`: evaluation sets by number, and which of them is the training set."""

import numpy as np
import pyarrow as pa
import pytest
from choice_cases import chosen, points

from curveclinic import predict_pathology, score_table
from curveclinic.intake.choosing import choose

FITTED, UNSEEN = 0.7 * 0.95 ** np.arange(60), 0.1 + 0.6 * 0.97 ** np.arange(60)
TRAINED_ON = "validation_0 is taken for the training set, as in eval_set=[(X, y), (Xv, yv)]"


@pytest.mark.parametrize("loss", ["logloss", "rmse", "mlogloss"])
def test_the_first_set_of_xgboost_is_the_training_set_where_it_ends_lower(loss):
    results = {"validation_0": {loss: FITTED, "auc": 1 - FITTED}, "validation_1": {loss: UNSEEN, "auc": 1 - UNSEEN}}
    run = predict_pathology(results).run
    for channel, values in (("train_loss", FITTED), ("val_loss", UNSEEN), ("train_metric", 1 - FITTED)):
        assert run.channels[channel].values.tolist() == values.tolist()
    assert TRAINED_ON in run.notes
    table = pa.table({f"validation_{k}-{loss}": [values.tolist()] for k, values in enumerate((FITTED, UNSEEN))})
    assert TRAINED_ON in score_table(table)["message"][0].as_py()


def test_sets_of_xgboost_that_do_not_look_like_it_are_both_validation():
    choice = choose({"validation_0-logloss": points(UNSEEN), "validation_1-logloss": points(FITTED)})
    assert list(choice.channels) == ["val_loss"]
    assert "no train loss is logged; if validation_0 is the training set, call it 'train'" in choice.notes


RISING = np.maximum(0.7 * 0.9 ** np.arange(60), 0.01 * np.arange(60))


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (RISING, RISING + 0.02),
        (RISING, RISING + 0.2),
        (UNSEEN, UNSEEN + 0.02),
        (UNSEEN, UNSEEN + 0.2),
        (UNSEEN, UNSEEN),
    ],
)
def test_two_validation_sets_of_xgboost_are_not_told_apart_by_their_levels(first, second):
    results = {f"validation_{k}": {"logloss": values} for k, values in enumerate((first, second))}
    diagnosis = predict_pathology(results)
    assert (list(diagnosis.run.channels), diagnosis.verdict) == (["val_loss"], "undetermined")


@pytest.mark.parametrize("train", ["train-logloss", "training/binary_logloss", "loss"])
def test_beside_a_train_loss_every_numbered_set_is_validation(train):
    table = {"validation_0-logloss": points(FITTED), "validation_1-logloss": points(UNSEEN), train: points(FITTED)}
    choice = choose(table)
    assert choice.channels["val_loss"][1].tolist() == FITTED.tolist()
    assert TRAINED_ON not in choice.notes
    named = choose(dict(list(table.items())[:2]), train_loss="validation_1")
    assert named.channels["train_loss"][1].tolist() == UNSEEN.tolist()


def test_numbered_sets_come_in_the_order_of_their_numbers():
    names = ["train_loss", "train_acc"]
    names += [f"val_{name}/dataloader_idx_{k}" for name in ("loss", "acc") for k in (10, 2, 1)]
    assert chosen(names) == {
        "train_loss": "train_loss",
        "val_loss": "val_loss/dataloader_idx_1",
        "train_metric": "train_acc",
        "val_metric": "val_acc/dataloader_idx_1",
    }


def test_a_metric_of_train_is_paired_with_that_of_a_numbered_set():
    names = ["training/binary_logloss", "training/binary_error", "valid_1/binary_logloss", "valid_1/binary_error"]
    assert chosen(names)["train_metric"] == "training/binary_error"
    names = ["train_loss", "val_loss", "train_acc@1", "val_acc@5", "val_acc@1"]
    assert (chosen(names)["train_metric"], chosen(names)["val_metric"]) == ("train_acc@1", "val_acc@1")


@pytest.mark.parametrize("metric", ["recall@20", "map_50", "precision_5", "ndcg@10"])
def test_a_number_that_is_no_set_tells_another_metric(metric):
    train = metric[: metric.index("_" if "_" in metric else "@")]
    picked = chosen(["train_loss", "val_loss", f"train_{train}", f"val_{metric}"])
    assert "train_metric" not in picked or "val_metric" not in picked
    assert chosen(["train_loss", "val_loss", f"val_{train}@20", f"val_{train}@5"])["val_metric"] == f"val_{train}@20"


@pytest.mark.parametrize(
    "name", ["val_acc/dataloader_idx_0", "validation_0-acc", "valid_1/acc", "val_1_acc", "test/0/acc"]
)
def test_a_number_behind_the_word_of_a_set_is_its_own(name):
    picked = chosen(["train_loss", "train_acc", name])
    assert (picked["train_metric"], picked["val_metric"]) == ("train_acc", name)


def test_the_first_set_of_lightgbm_may_be_a_copy_of_the_training_set():
    fitted = {"valid_0": {"binary_logloss": FITTED}, "valid_1": {"binary_logloss": UNSEEN}}
    run = predict_pathology(fitted).run
    assert run.channels["train_loss"].values.tolist() == FITTED.tolist()
    assert TRAINED_ON.replace("validation", "valid") in run.notes
    run = predict_pathology({"valid_0": {"l2": UNSEEN}, "valid_1": {"l2": UNSEEN}}).run
    assert "no train loss is logged; if valid_0 is the training set, call it 'train'" in run.notes
