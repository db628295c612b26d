"""What a run is beside an ordinary one decides what can be said of it, by whatever door it came."""

import pickle
from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from doors import diagnoses, verdicts

from curveclinic import Run, predict_pathology, score_table
from curveclinic.deciding.kinds import REINFORCEMENT_REASON, Kinds
from curveclinic.errors import InputError
from curveclinic.intake.arrow_curves import read_curves
from curveclinic.intake.assemble import ReadOptions
from curveclinic.intake.naming import parse
from curveclinic.labels import ADVERSARIAL_NOTE, LABELS, OPPONENTS_NOTE, REINFORCEMENT, RUN_KINDS
from curveclinic.readers import read_file, read_stdin
from curveclinic.readers.curve_table import runs_from_table, table_from_runs

N = 60
FALL = (2 * np.exp(-np.arange(N) / 12) + 0.1 + 0.01 * np.random.default_rng(0).standard_normal(N)).tolist()
RISE = FALL[::-1]
REWARD = np.linspace(-200, 150, N).tolist()
STABLE_BASELINES = {
    "train/value_loss": RISE, "train/approx_kl": [0.01] * N, "train/policy_gradient_loss": FALL,
    "rollout/ep_rew_mean": REWARD,
}  # fmt: skip


def test_kinds_tell_what_cannot_be_said():
    kinds = Kinds.of(RUN_KINDS)
    assert kinds.adversarial.tolist() == [False, True, False, False]
    assert kinds.opposed.tolist() == [False, True, True, False]
    assert kinds.reinforced.tolist() == [False, False, False, True]
    assert kinds.silent.sum(axis=1).tolist() == [0, len(LABELS) - 2, 0, len(LABELS) - 1]


@pytest.mark.parametrize("words", [ADVERSARIAL_NOTE, OPPONENTS_NOTE, f"{REINFORCEMENT}, told by 'reward'"])
def test_words_decide_nothing(words, tmp_path):
    column = f"{words.partition(',')[0]} loss"
    assert {said[:2] for said in verdicts({column: RISE}, tmp_path).values()} == {("findings", ("divergence",))}
    noted = Run.from_arrays({"train_loss": RISE}, notes=(words,))
    assert predict_pathology(noted).labels == ("divergence",)
    table = pa.table({"train_loss": [RISE], "notes": [[words]], "kind": ["reinforced"]})
    (row,) = score_table(table).to_pylist()
    assert (row["labels"], row["message"]) == (["divergence"], words)


@pytest.mark.parametrize("kind", RUN_KINDS)
def test_the_kind_of_a_run_goes_with_it(kind):
    run = Run.from_arrays({"train_loss": RISE}, kind=kind)
    stored = table_from_runs([run, run])
    (loaded, _) = runs_from_table(stored)
    assert {own.kind for own in (pickle.loads(pickle.dumps(run)), replace(run, run_id="a"), loaded)} == {kind}
    judged = {tuple(row["labels"] or ()) for row in score_table(stored).to_pylist()}
    assert judged == {() if kind == "reinforced" else ("divergence",)}
    place = stored.schema.get_field_index("train_loss_steps")  # steps that go back are read the slow way
    backward = stored.set_column(place, "train_loss_steps", [[run.channels["train_loss"].steps[::-1]] * 2])
    assert read_curves(backward, ReadOptions()).others[1].kind == kind
    assert [own.kind for own in runs_from_table(stored.drop_columns("kind"))] == ["ordinary"] * 2


def test_an_unknown_kind_is_refused():
    with pytest.raises(InputError, match="kind: found 'odd', expected one of ordinary, opponents"):
        Run({}, kind="odd")


def test_a_val_loss_alone_is_not_called_healthy(tmp_path):
    said = verdicts({"val_loss": FALL}, tmp_path)
    message = "no train_loss was logged, so too few labels could be checked; log it, too"
    assert set(said.values()) == {("undetermined", (), message)}


@pytest.mark.parametrize("beside", ["val_accuracy", "train_accuracy", "grad_norm"])
def test_a_metric_or_a_norm_beside_a_val_loss_alone_makes_it_not_healthy(beside, tmp_path):
    said = verdicts({"val_loss": [*FALL, *FALL[::-1]], beside: [0.5] * (2 * N)}, tmp_path)
    assert {(verdict, labels) for verdict, labels, _ in said.values()} == {("undetermined", ())}


def test_what_a_metric_beside_a_val_loss_alone_shows_is_a_finding():
    val = [*np.linspace(2, 1, 20), *np.linspace(1, 3, 40)]
    d = predict_pathology({"val_loss": val, "val_accuracy": 0.9 - 0.8 * np.exp(-5 * np.linspace(0, 1, 60))})
    assert d.labels == ("metric_mismatch",)


@pytest.mark.parametrize(("points", "has"), [(1, "only 1 finite point"), (3, "only 3 finite points")])
def test_a_val_loss_beside_too_short_a_train_loss_is_not_called_healthy(points, has):
    train = np.linspace(2.0, 1.0, points)
    d = predict_pathology({"train_loss": (np.linspace(1, N, points), train), "val_loss": [*FALL, *FALL[::-1]]})
    assert d.verdict == "undetermined"
    assert d.message == f"too few labels could be checked: train_loss has {has}, at least 5 are needed"


def test_a_val_loss_alone_that_is_nan_is_a_finding(tmp_path):
    said = verdicts({"val_loss": [*FALL, float("nan")]}, tmp_path)
    assert {labels for _, labels, _ in said.values()} == {("non_finite",)}


@pytest.mark.parametrize(
    "columns",
    [
        {"loss": RISE, "reward": REWARD},
        {"loss": RISE, "episode_reward": REWARD},
        {"loss": RISE, "rewards/accuracies/mean": REWARD},
        {"loss": RISE, "val_loss": RISE, "EpisodeReturn": REWARD},
        {"actor_loss": RISE, "critic_loss": RISE},
        {"q_loss": RISE, "AverageReturn": REWARD},
        STABLE_BASELINES,
    ],
)
def test_reinforcement_learning_is_judged_on_nan_only(columns, tmp_path):
    said = verdicts(columns, tmp_path)
    assert {(verdict, labels) for verdict, labels, _ in said.values()} == {("undetermined", ())}
    assert all(message.startswith(REINFORCEMENT_REASON) for _, _, message in said.values())
    assert all("generator" not in message for _, _, message in said.values())


def test_tuning_on_pairs_of_answers_is_judged_by_its_losses(tmp_path):
    rewards = dict.fromkeys(("rewards/chosen", "rewards/rejected", "rewards/margins"), REWARD)
    rewards["rewards/accuracies"] = np.linspace(0.8, 0.5, len(REWARD)).tolist()
    said = verdicts({"loss": RISE} | rewards, tmp_path)
    assert {labels for _, labels, _ in said.values()} == {("divergence",)}
    assert not any(REINFORCEMENT_REASON in message for _, _, message in said.values())
    online = verdicts({"loss": RISE, "objective/reward": REWARD} | rewards, tmp_path)
    assert {(verdict, labels) for verdict, labels, _ in online.values()} == {("undetermined", ())}


def test_reinforcement_learning_with_a_nan_is_a_finding_that_says_what_is_unchecked(tmp_path):
    columns = {"loss": [*RISE, float("nan")], "reward": [*REWARD, 150.0]}
    assert {labels for _, labels, _ in verdicts(columns, tmp_path).values()} == {("non_finite",)}
    for d in diagnoses(columns).values():
        assert list(d.probabilities) == ["non_finite"]
        assert d.unchecked["divergence"] == REINFORCEMENT_REASON
        assert d.message == f"train_loss <- loss; {REINFORCEMENT}, told by 'reward'"


@pytest.mark.parametrize("side", ["", "train/", "eval_"])
def test_a_reward_model_learns_from_pairs(side, tmp_path):
    names = ("min_reward", "mean_reward", "max_reward", "margin")
    columns = {f"{side}{name}": REWARD for name in names} | {f"{side}accuracy": [0.5] * len(REWARD)}
    said = verdicts({"loss": RISE} | columns, tmp_path)
    assert {labels[:1] for _, labels, _ in said.values()} == {("divergence",)}
    assert not any(REINFORCEMENT_REASON in message for _, _, message in said.values())
    rows = pd.DataFrame({"loss": RISE} | columns).to_dict("records")
    printed = "\n".join(map(str, rows))
    (run,) = read_stdin(printed.encode())
    assert not any(REINFORCEMENT in note for note in run.notes)


@pytest.mark.parametrize(
    "names",
    [
        ("min_reward", "mean_reward", "max_reward"),
        ("min_reward", "mean_reward", "max_reward", "margin", "accuracy", "objective/scores_reward"),
        ("reward", "reward_std", "rewards/accuracy_reward/mean", "margin"),
        ("mean_reward", "margin", "accuracy"),
    ],
)
def test_rewards_of_deeds_are_none_of_a_reward_model(names):
    d = predict_pathology({"loss": RISE} | dict.fromkeys(names, REWARD))
    assert d.verdict == "undetermined"
    assert d.message.startswith(REINFORCEMENT_REASON)


@pytest.mark.parametrize("beside", ["forward_time", "rewarded", "episode", "boundary_value_loss", "key_value_cache"])
def test_what_only_sounds_like_it_changes_nothing(beside):
    assert predict_pathology({"loss": RISE, beside: FALL}).labels == ("divergence",)


@pytest.mark.parametrize(
    ("raw", "reinforced"),
    [
        ("rewards/chosen", True), ("charts/episodic_return", True), ("train/mean_reward", True), ("AverageEpRet", True),
        ("losses/value_loss", True), ("loss/policy", True), ("train/clip_fraction", True), ("meanReward", True),
        ("forward", False), ("return", False), ("episode", False), ("value", False), ("val_loss", False),
        ("kl_loss", False), ("grad_norm/value", False), ("wall_time", False), ("loss_D", False),
        ("loss/value", True), ("Loss/value_function", True), ("Loss / Value loss", True), ("train/valueLoss", True),
        ("loss/value_epoch", True), ("loss_value", False), ("val/loss_value", False), ("lossValue", False),
        ("validation/lm loss value", False), ("loss_train_value", False), ("objective_value", False),
    ],
)  # fmt: skip
def test_names_of_reinforcement_learning(raw, reinforced):
    assert parse(raw).reinforced is reinforced


@pytest.mark.parametrize(
    "names",
    [("train_loss_value", "val_loss_value"), ("loss_value", "val_loss_value"), ("Loss value", "Validation loss value")],
)
def test_the_value_of_a_loss_tells_no_reinforcement_learning(names, tmp_path):
    train, val = names
    risen = (2 * np.exp(-np.arange(N) / 10) + 0.5 + np.maximum(0, np.arange(N) - 20) * 0.015).tolist()
    said = verdicts({train: (2 * np.exp(-np.arange(N) / 12) + 0.05).tolist(), val: risen}, tmp_path)
    assert set(said.values()) == {("findings", ("overfitting",), f"train_loss <- {train}; val_loss <- {val}")}
    acts = verdicts({train: FALL, val: risen, "mean_reward": REWARD}, tmp_path)
    assert {verdict for verdict, _, _ in acts.values()} == {"undetermined"}


def test_a_loss_named_by_the_user_is_judged_though_a_reward_stands_beside():
    from curveclinic.intake.door import runs_from
    from curveclinic.predict import predict_runs

    runs, _ = runs_from({"loss": RISE, "reward": REWARD}, train_loss="loss")
    assert predict_runs(runs)[0].labels == ("divergence",)


def test_a_language_model_that_logs_perplexities_alone_starts_no_higher_than_others(tmp_path):
    train = np.array(FALL) * 4 + 3
    said = verdicts({"train_ppl": np.exp(train).tolist(), "val_ppl": np.exp(train + 0.05).tolist()}, tmp_path)
    message = "train_loss <- logarithm of train_ppl; val_loss <- logarithm of val_ppl"
    assert set(said.values()) == {("healthy", ("healthy",), message)}


def test_a_perplexity_of_validation_is_its_loss_by_every_door(tmp_path):
    said = verdicts({"train_loss": FALL, "val_ppl": np.exp(np.array(FALL) + 0.01).tolist()}, tmp_path)
    assert set(said.values()) == {("healthy", ("healthy",), "val_loss <- logarithm of val_ppl")}
    d = predict_pathology({"train_loss": FALL, "val_mse": FALL})
    assert d.unchecked["overfitting"] == "no val_loss was logged"
    assert d.message == "val_metric <- val_mse"


@pytest.mark.parametrize(
    "beside", [("epsilon", "return"), ("eps", "score"), ("epsilon", "win_rate"), ("ep_len", "score")]
)
def test_two_words_together_tell_reinforcement_learning(beside, tmp_path):
    said = verdicts({"loss": RISE, beside[0]: FALL, beside[1]: REWARD}, tmp_path)
    assert {verdict for verdict, _, _ in said.values()} == {"undetermined"}
    for alone in beside:
        assert "divergence" in predict_pathology({"loss": RISE, alone: FALL}).labels


def test_two_words_beside_validation_tell_none():
    run = {"train_loss": FALL, "val_loss": RISE, "epsilon": FALL, "val_score": REWARD}
    assert "overfitting" in predict_pathology(run).labels


@pytest.mark.parametrize("margin", ["reward_margin", "rewards/margins"])
def test_a_margin_of_rewards_is_between_two_answers(margin):
    assert predict_pathology({"loss": RISE, margin: REWARD}).labels == ("divergence",)


def _played(**changes):
    """The log of a net that plays: its total, rounded as is usual, is the loss of its policy and that of the value."""
    k = np.arange(40)
    parts = {"pol_loss": 2 * np.exp(-k / 15) + 0.8, "val_loss": 0.8 * np.exp(-k / 20) + 0.15} | changes
    return {"iter": k, "loss": np.round(sum(parts.values()), 3)} | {n: np.round(v, 3) for n, v in parts.items()}


@pytest.mark.parametrize("changes", [{}, {"l2_loss": np.full(40, 0.1)}, {"val_loss": np.r_[np.full(39, 0.5), np.nan]}])
def test_a_part_of_the_total_that_is_called_val_is_no_validation(changes, tmp_path):
    log = _played(**changes)
    path = tmp_path / "log.csv"
    pd.DataFrame(log).to_csv(path, index=False, na_rep="nan")
    lists = pa.table({name: [values] for name, values in log.items()})
    for d in (predict_pathology(log), *predict_pathology(lists), *map(predict_pathology, read_file(path))):
        assert list(d.run.channels) == ["train_loss"]
        assert d.run.kind == "reinforced"
        assert d.run.notes[0].startswith("val_loss is a part, no validation: loss is the sum of 'pol_loss', ")


@pytest.mark.parametrize(
    "changes",
    [
        {"loss": 2 * np.exp(-np.arange(40) / 15) + 1.2},
        {
            "loss": _played()["pol_loss"] + 1e-4,
            "pol_loss": np.full(40, 1e-4),
            "val_loss": 1.001 * _played()["pol_loss"],
        },
        {"pol_loss": np.ones(40), "val_loss": _played()["loss"] - 1 + 0.02 * (-1) ** np.arange(40)},
    ],
    ids=["no sum", "a part too small to tell", "validation without the penalty"],
)
def test_a_validation_beside_parts_stays_one(changes):
    assert list(predict_pathology(_played() | changes).run.channels) == ["train_loss", "val_loss"]
