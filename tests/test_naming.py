import numpy as np
import pyarrow as pa
import pytest
from choice_cases import chosen, points

from curveclinic import score_table
from curveclinic.errors import InputError
from curveclinic.intake.choosing import choose
from curveclinic.intake.naming import parse
from curveclinic.labels import ADVERSARIAL_NOTE, OPPONENTS_NOTE


def table(**sizes):
    return {name: points(np.linspace(2.0, 1.0, n)) for name, n in sizes.items()}


@pytest.mark.parametrize(
    ("raw", "split", "quantity", "component"),
    [
        ("Loss/train", "train", "loss", ()),
        ("train_loss", "train", "loss", ()),
        ("trainLoss", "train", "loss", ()),
        ("Loss/Train/Total", "train", "loss", ()),
        ("loss_train/loss", "train", "loss", ()),
        ("valid_loss", "val", "loss", ()),
        ("validation/epoch_loss", "val", "loss", ()),
        ("eval_loss", "val", "loss", ()),
        ("eval_squad_loss", "val", "loss", ("squad",)),
        ("test_loss", "test", "loss", ()),
        ("train/box_loss", "train", "loss", ("box",)),
        ("rewards/accuracies", "", "metric", ("rewards", "accuracies")),
        ("eval_rewards/accuracies", "val", "metric", ("rewards", "accuracies")),
        ("rewards/margins", "", "", ("rewards", "margins")),
        ("rewards/accuracy_reward/mean", "", "", ("rewards", "acc", "reward")),
        ("valid_nll_loss", "val", "loss", ("nll",)),
        ("lm loss validation", "val", "loss", ()),
        ("loss_metrics/global_avg_loss", "", "loss", ()),
        ("validation_metrics/loss", "val", "loss", ()),
        ("reduced_train_loss", "train", "loss", ()),
        ("metrics/eval/LanguageCrossEntropy", "val", "loss", ("language",)),
        ("valid_0-logloss", "val", "loss", ("0",)),
        ("loss_scale", "", "", None),
        ("z_loss", "", "", None),
        ("load_balancing_loss", "", "", None),
        ("aux_loss", "", "", None),
        ("lm loss vs samples", "", "", None),
        ("eval_runtime", "val", "", None),
        ("train_samples_per_second", "train", "", None),
        ("rewards/mean", "", "", None),
        ("elbo", "", "", None),  # larger is better
        ("best_val_loss", "val", "", None),
        ("lm loss validation ppl", "val", "metric", None),
        ("val_accuracy", "val", "metric", ("acc",)),
        ("metrics/mAP50(B)", "", "metric", ("map50", "b")),
        ("LR", "", "lr", ()),
        ("x/lr0", "", "lr", None),
        ("lr-AdamW/pg1", "", "lr", None),
        ("epoch_learning_rate", "", "lr", ()),
        ("grad_2.0_norm_total", "", "grad_norm", ()),
        ("train_gnorm", "", "grad_norm", ()),
        ("l2_norm/grad/global", "", "grad_norm", ()),
        ("grad_norm/encoder.0", "", "grad_norm", ("encoder.0",)),
        ("grad_update_cos", "", "", None),
        ("te_loss", "test", "loss", ()),
        ("vld_acc", "val", "metric", ("acc",)),
        ("val/InfoNCE", "val", "loss", ()),
        ("errG", "", "loss", ("err", "g")),
        ("top1_err", "", "metric", None),
        ("val_si_sdr", "val", "metric", ("si", "sdr")),
        ("loss_reg", "", "loss", ("reg",)),
        ("step_time", "", "", None),
    ],
)
def test_a_name_is_split_quantity_component(raw, split, quantity, component):
    name = parse(raw)
    assert name.quantity == quantity
    if quantity in ("loss", "metric"):
        assert name.split == split
    if component is not None:
        assert name.component == component


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["loss", "val_loss"], {"train_loss": "loss", "val_loss": "val_loss"}),
        (["loss", "loss_train", "loss_dev"], {"train_loss": "loss_train", "val_loss": "loss_dev"}),
        (["train/loss", "train/kl_loss", "val/loss"], {"train_loss": "train/loss", "val_loss": "val/loss"}),
        (["loss_cls", "loss_bbox", "loss", "lr"], {"train_loss": "loss", "lr": "lr"}),
        (["lr/pg0", "lr/pg1", "train/loss"], {"train_loss": "train/loss", "lr": "lr/pg0"}),
        (["train-rmse", "validation_1-rmse"], {"train_loss": "train-rmse", "val_loss": "validation_1-rmse"}),
        (
            ["training_loss_f", "training_loss", "validation_loss"],
            {"train_loss": "training_loss", "val_loss": "validation_loss"},
        ),
        (
            ["metrics/train/LanguageCrossEntropy", "metrics/eval/LanguageCrossEntropy"],
            {
                "train_loss": "metrics/train/LanguageCrossEntropy",
                "val_loss": "metrics/eval/LanguageCrossEntropy",
            },
        ),
        (["rewards/mean", "episode_return", "loss"], {"train_loss": "loss"}),
        (
            ["loss", "accuracy", "val_loss", "val_accuracy", "val_mae", "mae"],
            {"train_loss": "loss", "val_loss": "val_loss", "train_metric": "accuracy", "val_metric": "val_accuracy"},
        ),
        (
            ["train/loss", "metrics/precision(B)", "metrics/mAP50(B)", "metrics/mAP50-95(B)"],
            {"train_loss": "train/loss", "val_metric": "metrics/mAP50(B)"},
        ),
        (["loss", "grad_norm", "grad_norm/a", "grad_norm/b"], {
            "train_loss": "loss", "grad_norm": "grad_norm", "grad_norm/a": "grad_norm/a", "grad_norm/b": "grad_norm/b",
        }),
        (["loss", "grad_norm/l1", "grad_norm/l2"], {
            "train_loss": "loss", "grad_norm/l1": "grad_norm/l1", "grad_norm/l2": "grad_norm/l2",
        }),
        (["loss", "grad_norm/l2"], {"train_loss": "loss", "grad_norm": "grad_norm/l2"}),
        (["t_loss", "v_loss"], {"train_loss": "t_loss", "val_loss": "v_loss"}),
        (["vloss", "tloss", "vacc"], {"train_loss": "tloss", "val_loss": "vloss", "val_metric": "vacc"}),
        (["v_loss", "train_loss"], {"train_loss": "train_loss"}),
        (["tr_loss", "va_loss", "tr_acc", "va_acc"], {
            "train_loss": "tr_loss", "val_loss": "va_loss", "train_metric": "tr_acc", "val_metric": "va_acc",
        }),
        (["loss_tr", "loss_va", "loss_te"], {"train_loss": "loss_tr", "val_loss": "loss_va"}),
        (["tr_rmse", "va_rmse"], {"train_loss": "tr_rmse", "val_loss": "va_rmse"}),
        (["trloss", "valoss"], {"train_loss": "trloss", "val_loss": "valoss"}),
        (["loss", "loss_va", "loss_expr"], {"train_loss": "loss"}),
        (["tr_loss", "cv_loss", "cv_acc"], {"train_loss": "tr_loss", "val_loss": "cv_loss", "val_metric": "cv_acc"}),
        (["loss", "cv_loss"], {"train_loss": "loss", "val_loss": "cv_loss"}),
        (["train/loss", "train/loss_ctc", "loss", "loss_ctc", "cv_loss"], {
            "train_loss": "train/loss", "val_loss": "cv_loss",
        }),
        (["cv_loss"], {"val_loss": "cv_loss"}),
        (["loss", "nlp_loss", "cv_loss"], {"train_loss": "loss"}),
        (["train_loss", "val_loss", "cv_loss"], {"train_loss": "train_loss", "val_loss": "val_loss"}),
        (["train_loss", "val_loss", "va_loss"], {"train_loss": "train_loss", "val_loss": "val_loss"}),
        (["fold_1/loss", "fold_1/val_loss", "fold_2/loss", "fold_2/val_loss"], {
            "train_loss": "fold_1/loss", "val_loss": "fold_1/val_loss",
        }),
    ],
)  # fmt: skip
def test_the_alias_table_picks(names, expected):
    assert chosen(names) == expected


def test_parts_logged_on_both_sides_are_added_up_and_said():
    raw = {f"{side}/{part}_loss": points([k, k]) for k, side in ((1.0, "train"), (2.0, "val")) for part in "abc"}
    raw["train/reg_d_loss"] = points([9.0, 9.0])
    choice = choose(raw)
    assert choice.channels["train_loss"][1].tolist() == [3.0, 3.0]
    assert choice.channels["val_loss"][1].tolist() == [6.0, 6.0]
    assert "train_loss <- train/a_loss + train/b_loss + train/c_loss" in choice.notes


def test_parts_called_t_and_v_beside_a_third_are_parts():
    raw = {f"loss_{part}": points([1.0, 1.0]) for part in "tuv"}
    assert choose(raw).channels["train_loss"][1].tolist() == [3.0, 3.0]


def test_a_regression_loss_is_a_part_and_not_the_total():
    raw = {
        f"{side}_loss_{part}": points([k, k]) for k, side in ((1.0, "train"), (2.0, "val")) for part in ("cls", "reg")
    }
    choice = choose(raw)
    assert choice.channels["train_loss"][1].tolist() == [2.0, 2.0]
    assert choice.channels["val_loss"][1].tolist() == [4.0, 4.0]


def test_norms_of_layers_alone_are_said_not_to_be_judged():
    (note,) = choose({"train_loss": points([2.0, 1.0]), "grad_norm/fc": points([1.0, 1.0])}).notes
    assert note == "norms of single layers are not judged without that of the whole net; log grad_norm, too"


def test_parts_at_other_steps_are_not_added_up():
    raw = {"train/a_loss": points([1.0, 1.0]), "train/b_loss": points([5.0, 5.0, 5.0], [2, 4, 6])}
    assert choose(raw).channels["train_loss"][1].tolist() == [5.0, 5.0, 5.0]


def test_epoch_series_is_preferred_beside_validation_per_epoch_if_long_enough():
    raw = table(train_loss_step=100, train_loss_epoch=10, val_loss=10)
    assert len(choose(raw).channels["train_loss"][1]) == 10
    assert len(choose(table(train_loss_step=100, train_loss_epoch=7, val_loss=7)).channels["train_loss"][1]) == 100
    assert len(choose(table(train_loss_step=100, train_loss_epoch=10)).channels["train_loss"][1]) == 100


def test_hugging_face_average_is_not_the_train_loss():
    assert len(choose(table(loss=20, eval_loss=20, train_loss=1)).channels["train_loss"][1]) == 20


def test_test_loss_stands_in_for_validation_and_is_said():
    choice = choose(table(train_loss=5, test_loss=5))
    assert len(choice.channels["val_loss"][1]) == 5
    assert "no validation loss is logged; the test loss is taken for it" in choice.notes
    choice = choose(table(train_loss=5, val_loss=4, test_loss=5))
    assert len(choice.channels["val_loss"][1]) == 4
    assert not any("test" in note for note in choice.notes)


@pytest.mark.parametrize("kind", ["rmse", "mae", "error", "mse", "rmse-mean", "perplexity"])
@pytest.mark.parametrize("name", ["{side}/{kind}", "{side}-{kind}", "{side}_{kind}"])
def test_a_test_error_stands_in_for_validation_beside_the_same_of_train(name, kind):
    train, test = (name.format(side=side, kind=kind) for side in ("train", "test"))
    choice = choose({train: points([4.0, 2.0, 1.0]), test: points([4.0, 3.0, 5.0])})
    assert set(choice.channels) == {"train_loss", "val_loss"}
    assert choice.channels["val_loss"][1].argmax() == 2
    assert "no validation loss is logged; the test loss is taken for it" in choice.notes


def test_a_test_error_of_another_kind_or_beside_a_loss_stays_a_metric():
    assert chosen(["train_rmse", "test_mae"]) == {"train_loss": "train_rmse", "val_metric": "test_mae"}
    assert chosen(["train_loss", "train_mse", "test_mse"])["val_metric"] == "test_mse"
    assert chosen(["train_rmse", "val_rmse", "test_rmse"])["val_loss"] == "val_rmse"


def test_of_several_errors_the_first_that_both_sides_log_is_judged():
    assert chosen(["train_mae", "train_rmse", "test_rmse"])["train_loss"] == "train_rmse"
    names = ["train-rmse", "train-mae", "validation_0-mae"]
    assert chosen(names) == {
        "train_loss": "train-mae", "val_loss": "validation_0-mae", "train_metric": "train-rmse",
    }  # fmt: skip


def test_an_error_that_is_judged_is_no_metric_of_another_set():
    assert chosen(["train_rmse", "val_rmse", "test_rmse"]) == {"train_loss": "train_rmse", "val_loss": "val_rmse"}
    names = ["train-rmse", "validation_0-rmse", "validation_1-rmse", "validation_0-mae"]
    assert chosen(names)["val_metric"] == "validation_0-mae"
    assert chosen(["train_loss", "val_loss", "val_rmse"])["val_metric"] == "val_rmse"


def test_one_test_point_is_no_validation_curve():
    assert "val_loss" not in choose(table(train_loss=5, test_loss=1)).channels


def test_of_several_evaluation_sets_the_first_is_judged_and_named():
    names = ["loss", "eval_mnli_loss", "eval_squad_loss"]
    assert chosen(names)["val_loss"] == "eval_mnli_loss"
    notes = choose(table(loss=5, eval_mnli_loss=5, eval_squad_loss=5)).notes
    assert "several evaluation sets: the first is judged, not eval_squad_loss" in notes


def test_parts_of_the_validation_loss_beside_the_total_of_train_are_added_up():
    for parts in (["val_loss_cls", "val_loss_box"], ["val/recon_loss", "val/kl_loss"]):
        choice = choose(table(train_loss=5) | {parts[0]: points(np.full(5, 2.0)), parts[1]: points(np.full(5, 3.0))})
        assert choice.channels["val_loss"][1].tolist() == [5.0] * 5
        assert choice.notes == (f"val_loss <- {' + '.join(parts)}",)
    apart = choose(table(train_loss=9, val_loss_cls=4, val_loss_box=5))
    assert apart.notes == ("val_loss <- val_loss_box",)
    sets = choose(table(train_loss=5, val_loss_box=5, val_loss_cifar=5))
    assert "several evaluation sets: the first is judged, not val_loss_cifar" in sets.notes


def test_a_bare_metric_that_stands_only_where_validation_does_is_of_validation():
    loss = points(np.geomspace(2, 1, 50), np.arange(10, 510, 10))
    seldom = points(np.linspace(0, 1, 10), np.arange(50, 550, 50))
    table = {"loss": loss, "eval_loss": seldom, "accuracy": seldom}
    assert list(choose(table).channels) == ["train_loss", "val_loss", "val_metric"]
    for beside in ({"eval_accuracy": seldom}, {"accuracy": points(np.linspace(0, 1, 50), loss[0])}):
        assert choose(table | beside).channels["train_metric"][1].tolist() == (table | beside)["accuracy"][1].tolist()
    every_epoch = choose({"loss": seldom, "val_loss": seldom, "accuracy": seldom})
    assert list(every_epoch.channels) == ["train_loss", "val_loss", "train_metric"]
    lists = {name: [values.tolist()] for name, (_, values) in table.items()}
    steps = {f"{name}_steps": [steps.tolist()] for name, (steps, _) in table.items()}
    assert "val_metric <- accuracy" in score_table(pa.table(lists | steps))["message"][0].as_py()


def test_adversarial_losses_are_marked():
    assert ADVERSARIAL_NOTE in choose(table(loss_G=5, loss_D=5)).notes
    assert ADVERSARIAL_NOTE not in choose(table(loss_G=5, loss_D=5, loss=5)).notes
    assert OPPONENTS_NOTE in choose(table(loss_G=5, loss_D=5, loss=5)).notes


@pytest.mark.parametrize(
    ("metric", "goal"),
    [("val_accuracy", "max"), ("val_mae", "min"), ("val_ppl", "min"), ("val_top1_err", "min"), ("mIoU", "max")],
)
def test_the_goal_follows_from_the_metric(metric, goal):
    raw = {**table(loss=5, val_loss=2), metric: points([1.0, 2.0])}
    assert choose(raw).metric_goal == goal
    assert choose(raw, metric_goal="max").metric_goal == "max"


@pytest.mark.parametrize(
    ("name", "rank", "goal"),
    [
        ("train-mlogloss", 1, "min"), ("eval-poisson-nloglik", 1, "min"), ("valid_0/quantile", 1, "min"),
        ("learn/MultiClass", 1, "min"), ("val_neg_log_likelihood", 1, "min"), ("train-merror", 2, "min"),
        ("eval-rmsle", 2, "min"), ("training/l2", 2, "min"), ("valid_0/l2", 2, "min"), ("valid l1-mean", 2, "min"),
        ("valid_0/multi_error", 2, "min"), ("train-gamma-deviance", 2, "min"), ("train_rel_l2", 2, "min"),
        ("val_hamming_loss", 2, "min"), ("train-aucpr", 9, "max"), ("valid_0/ndcg@5", 9, "max"),
    ],
)  # fmt: skip
def test_names_of_gradient_boosting_and_its_kin(name, rank, goal):
    found = parse(name)
    assert (found.quantity, found.rank, found.goal) == ("loss" if rank < 2 else "metric", rank, goal)


@pytest.mark.parametrize("name", ["l2", "l2_reg", "l2_norm/param", "train/l2_norm", "weight_l2", "l1_reg", "quantile"])
def test_norms_penalties_and_settings_are_no_errors(name):
    assert parse(name).quantity == ""
    assert chosen(["train_loss", "val_loss", name]) == {"train_loss": "train_loss", "val_loss": "val_loss"}


def test_l2_in_names_of_norms_and_of_parts_of_a_loss_is_what_it_was():
    assert {parse(name).quantity for name in ("l2_norm/grad", "grad_norm/l2", "l2_norm/grad/global")} == {"grad_norm"}
    assert parse("train/l2_loss").component == ("l2",)


def test_errors_of_gradient_boosting_are_judged():
    names = ["training/l2", "training/l1", "valid_0/l2", "valid_0/l1"]
    assert chosen(names)["train_loss"] == "training/l2"
    assert chosen(names)["val_loss"] == "valid_0/l2"
    assert chosen(["train_l2-mean", "train_l2-stdv", "valid_l2-mean"]) == {
        "train_loss": "train_l2-mean", "val_loss": "valid_l2-mean",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("metric", "goal"),
    [
        ("val_brier_score", "min"), ("val_edit_distance_score", "min"), ("val_fid_score", "min"), ("val_eer", "min"),
        ("val_rmse_score", "min"), ("val_perplexity_score", "min"), ("val_hamming_loss", "min"), ("val_hd95", "min"),
        ("val_neg_mean_squared_error", "max"), ("val_neg_log_loss", "max"), ("val_neg_brier_score", "max"),
        ("val_score", "max"), ("val_f1_score", "max"), ("val_dice_score", "max"), ("val_quality_score", None),
    ],
)  # fmt: skip
def test_a_score_has_the_goal_of_what_it_scores(metric, goal):
    assert parse(metric).quantity == "metric"
    assert choose({**table(loss=5, val_loss=5), metric: points([1.0, 2.0])}).metric_goal == goal


@pytest.mark.parametrize("name", ["val_ece", "val_calibration_error", "val_fpr_score", "val_fnr", "fpr_at_95_recall"])
def test_what_need_not_get_better_as_the_loss_falls_is_not_judged(name):
    assert chosen(["train_loss", "val_loss", name]) == {"train_loss": "train_loss", "val_loss": "val_loss"}


def test_our_own_channel_names_come_first_and_say_no_goal():
    names = ["val_accuracy", "accuracy", "train_metric", "val_metric", "loss"]
    assert chosen(names) == {"train_loss": "loss", "train_metric": "train_metric", "val_metric": "val_metric"}
    assert choose({name: points([1.0]) for name in names}).metric_goal is None


def test_without_a_metric_there_is_no_goal():
    assert choose(table(loss=5)).metric_goal is None


def test_overrides_take_a_name_or_a_pattern():
    names = ["loss", "my/objective_x", "other"]
    assert chosen(names, train_loss="other")["train_loss"] == "other"
    assert chosen(names, train_loss="^my/")["train_loss"] == "my/objective_x"
    assert chosen(names, val_loss="other")["val_loss"] == "other"


def test_an_override_without_a_match_names_what_is_there():
    with pytest.raises(InputError, match=r"no column matches train_loss 'x\+'; found 'loss', 'acc'"):
        choose(table(loss=3, acc=3), train_loss="x+")
    with pytest.raises(InputError, match="no regular expression"):
        choose(table(loss=3), train_loss="(")


def test_a_series_named_for_one_side_is_taken_from_the_other():
    assert chosen(["loss", "val_loss"], train_loss="val_loss") == {"train_loss": "val_loss"}
    assert chosen(["loss", "val_loss"], val_loss="loss") == {"val_loss": "loss"}
    names = ["loss", "val_loss", "test_loss"]
    assert chosen(names, train_loss="val_loss") == {"train_loss": "val_loss", "val_loss": "test_loss"}
    with pytest.raises(InputError, match="train_loss and val_loss both name 'loss'; name two columns"):
        chosen(["loss", "val_loss"], train_loss="loss", val_loss="^lo")


@pytest.mark.parametrize("name", ["val_ppl", "eval/perplexity"])
def test_a_perplexity_stands_in_for_the_loss_beside_a_loss_as_its_logarithm(name):
    losses = np.linspace(3.0, 1.0, 9)
    choice = choose({"train_loss": points(losses), name: points(np.exp(losses + 0.5))})
    np.testing.assert_allclose(choice.channels["val_loss"][1], losses + 0.5)
    assert choice.notes == (f"val_loss <- logarithm of {name}",)
    assert "val_metric" not in choice.channels
    choice = choose({"val_loss": points(losses), "train_ppl": points(np.exp(losses))})
    np.testing.assert_allclose(choice.channels["train_loss"][1], losses)


def test_a_perplexity_of_the_test_set_stands_in_where_validation_logs_none():
    losses = np.linspace(3.0, 1.0, 9)
    choice = choose({"train_loss": points(losses), "test_ppl": points(np.exp(losses + 0.5))})
    np.testing.assert_allclose(choice.channels["val_loss"][1], losses + 0.5)
    note = "no validation loss is logged; the test loss is taken for it"
    assert choice.notes == ("val_loss <- logarithm of test_ppl", note)
    assert "val_loss" not in choose({"train_loss": points(losses), "test_ppl": points([9.0])}).channels
    assert choose({"loss": points(losses), "val_ppl": points([9.0, 8.0]), "test_ppl": points([7.0, 6.0])}).notes == (
        "train_loss <- loss", "val_loss <- logarithm of val_ppl",
    )  # fmt: skip


@pytest.mark.parametrize("names", [("train_ppl", "val_ppl"), ("ppl", "val_ppl"), ("train/perplexity",)])
def test_perplexities_alone_are_read_as_logarithms(names):
    losses = np.linspace(9.0, 3.0, 9)
    choice = choose({name: points(np.exp(losses)) for name in names})
    for channel, name in zip(("train_loss", "val_loss"), names, strict=False):
        np.testing.assert_allclose(choice.channels[channel][1], losses)
        assert f"{channel} <- logarithm of {name}" in choice.notes


def test_perplexities_of_which_one_cannot_be_one_are_taken_as_they_are():
    choice = choose({"train_ppl": points([9.0, 0.5]), "val_ppl": points([9.0, 8.0])})
    assert choice.channels["train_loss"][1].tolist() == [9.0, 0.5]
    assert choice.channels["val_loss"][1].tolist() == [9.0, 8.0]


def test_a_perplexity_named_for_the_loss_is_read_as_its_logarithm():
    raw = {"loss": points([3.0, 2.0]), "val_loss": points([1.0, 1.0]), "val_ppl": points(np.exp([2.0, 1.0]))}
    np.testing.assert_allclose(choose(raw, val_loss="val_ppl").channels["val_loss"][1], [2.0, 1.0])


def test_a_perplexity_stays_a_metric_where_it_is_none_or_a_loss_is_there():
    small = choose({"train_loss": points([3.0, 2.0]), "val_ppl": points([9.0, 0.5])})
    assert small.channels["val_metric"][1].tolist() == [9.0, 0.5]
    assert "val_loss" not in small.channels
    assert chosen(["train_loss", "val_loss", "val_ppl"])["val_metric"] == "val_ppl"
    assert chosen(["train_ppl", "val_ppl"]) == {"train_loss": "train_ppl", "val_loss": "val_ppl"}
    assert chosen(["val_loss", "ppl"])["val_loss"] == "val_loss"
    assert "train_loss" not in chosen(["val_loss", "ppl"])
