"""Likely causes: a hand-made model ranks as its weights say, a model of another network is not used."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hand_curves import SHOWS, healthy

from curveclinic import Run
from curveclinic.causes import CAUSES, NO_FAULT
from curveclinic.deciding.classifier import load_classifier, weights_folder
from curveclinic.deciding.ranking import (
    CAUSES_FILE,
    FLOOR,
    MOST,
    CauseModel,
    by_experience,
    input_names,
    load_cause_model,
    rank,
)  # fmt: skip
from curveclinic.deciding.sidecar import ONNX_NAME
from curveclinic.errors import InputError, WeightsError
from curveclinic.labels import LABELS
from curveclinic.model.causes import fit_causes, write_causes
from curveclinic.predict import predict_runs
from curveclinic.symptoms import SYMPTOMS

NAMES = input_names()
HIGH, LOW = "learning_rate_too_high", "learning_rate_too_low"


def model(*causes: str, digest: str = "abc", **weights: float) -> CauseModel:
    """The first cause scores each finding as given, the others 0."""
    scores = np.zeros((len(causes), len(NAMES)))
    for label, weight in weights.items():
        scores[0, NAMES.index(f"present {label}")] = weight
    zero, one = np.zeros(len(NAMES)), np.ones(len(NAMES))
    return CauseModel(digest, NAMES, causes, zero, one, scores, np.zeros(len(causes)), {"seed": 0})


def found(*labels: str):
    """One run with the given findings: present, inputs."""
    present = np.isin(LABELS, labels)[None, :]
    inputs = np.zeros((1, len(NAMES)))
    inputs[0, [NAMES.index(f"present {label}") for label in labels]] = 1.0
    return present, inputs, np.zeros(1, dtype=bool)


def test_ranks_by_probability():
    # val_below_train does not name any of these in the symptoms' table, so experience adds nothing
    told = rank(model(HIGH, LOW, val_below_train=1.0), *found("val_below_train"))[0]
    assert [cause.cause for cause in told] == [HIGH, LOW]
    assert [cause.probability for cause in told] == pytest.approx([np.e / (np.e + 1), 1 / (np.e + 1)])
    assert told[0].name == CAUSES[HIGH].name
    assert told[0].remedies == CAUSES[HIGH].remedies


def test_a_layer_without_gradient_points_to_dead_units():
    dead = "dead_or_saturated_units"
    present, inputs, heard = found("not_learning")
    causes = model(LOW, dead, HIGH)
    before, after = (rank(causes, present, inputs, silent)[0] for silent in (heard, ~heard))
    assert [c.probability for c in before if c.cause == dead] < [c.probability for c in after if c.cause == dead]
    assert after[0].cause == dead
    # where the symptom has nothing to do with it, a frozen layer is no cause
    other = found("val_spikes")[:2]
    assert rank(causes, *other, heard) == rank(causes, *other, ~heard)


def test_experience_breaks_a_tie():
    told = rank(model(LOW, HIGH), *found("divergence"))[0]
    assert [cause.cause for cause in told] == [HIGH, LOW]
    # the other one is named for no finding at all
    assert told[0].probability == pytest.approx(np.exp(0.5 + 1.0) / (np.exp(0.5 + 1.0) + 1))


def test_no_fault_takes_its_share_and_is_not_told():
    # the cause loses 1 more, for val_below_train does not name it
    told = rank(model(NO_FAULT, HIGH, val_below_train=1.0), *found("val_below_train"))[0]
    assert [cause.cause for cause in told] == [HIGH]
    assert told[0].probability == pytest.approx(1 / (1 + np.exp(2.0)))


def test_a_cause_that_only_unchecked_labels_could_show_is_not_told():
    present, inputs, silent = found("divergence")
    causes = model("metric_at_fault", HIGH)
    assert {cause.cause for cause in rank(causes, present, inputs, silent)[0]} == {"metric_at_fault", HIGH}
    inputs[0, NAMES.index("unchecked metric_mismatch")] = 1.0
    assert [cause.cause for cause in rank(causes, present, inputs, silent)[0]] == [HIGH]


def test_no_run_without_a_metric_is_told_that_its_metric_is_at_fault():
    loss = 2.0 * np.exp(-np.linspace(0, 4, 60)) + 0.01 * np.random.default_rng(1).standard_normal(60)
    train = np.where(np.arange(60) < 40, loss, np.nan)
    (d,) = predict_runs([Run.from_arrays({"train_loss": train, "val_loss": loss + 0.1})])
    causes = {cause.cause for cause in d.likely_causes}
    assert "number_overflow" in causes
    assert "metric_at_fault" not in causes


def test_what_is_unlikely_is_not_told():
    assert rank(model(NO_FAULT, HIGH, val_below_train=4.0), *found("val_below_train")) == [()]


def test_a_run_without_findings_has_no_causes():
    assert rank(model(HIGH, LOW), *found()) == [()]
    assert predict_runs([Run.from_arrays(healthy())])[0].likely_causes == ()


def test_by_experience_takes_turns():
    told = by_experience(["divergence", "loss_spikes"])
    assert [cause.cause for cause in told] == [HIGH, "corrupted_batches", "gradients_explode"]
    assert {cause.probability for cause in told} == {None}
    assert by_experience([]) == ()


def test_fit_finds_what_tells_causes_apart():
    rng = np.random.default_rng(0)
    which = rng.integers(3, size=600)
    inputs = rng.normal(size=(600, len(NAMES)))
    inputs[np.arange(600), which] += 6.0
    fitted = fit_causes(inputs, np.array([HIGH, LOW, NO_FAULT])[which], onnx_sha256="abc", recipe={})
    assert fitted.causes == (HIGH, LOW, NO_FAULT)
    guess = fitted.probabilities(inputs, np.zeros((600, len(LABELS)), dtype=bool), np.zeros(600, dtype=bool)).argmax(
        axis=1
    )
    assert (guess == which).mean() > 0.95


def test_too_few_causes_are_an_error():
    with pytest.raises(InputError, match="found 2 causes behind the findings, expected 3 or more"):
        fit_causes(np.zeros((4, len(NAMES))), np.array([HIGH, HIGH, LOW, LOW]), onnx_sha256="abc", recipe={})


def test_what_is_written_is_read(tmp_path):
    made = model(HIGH, LOW, divergence=1.5)
    write_causes(made, tmp_path)
    read = load_cause_model(tmp_path, "abc")
    assert read is not None
    np.testing.assert_array_equal(read.weights, made.weights)
    assert (read.causes, read.inputs, read.recipe) == (made.causes, made.inputs, made.recipe)


@pytest.mark.parametrize(
    "odd",
    [
        model(HIGH, LOW, digest="another network"),
        model("a cause of another version", LOW),
        replace(model(HIGH, LOW), inputs=("other", *NAMES[1:])),
    ],
    ids=["network", "cause", "inputs"],
)
def test_a_model_for_something_else_is_not_used(tmp_path, odd):
    write_causes(odd, tmp_path)
    assert load_cause_model(tmp_path, "abc") is None


def test_a_damaged_file_is_an_error(tmp_path):
    write_causes(model(HIGH, LOW), tmp_path)
    body = json.loads((tmp_path / CAUSES_FILE).read_text())
    (tmp_path / CAUSES_FILE).write_text(json.dumps(body | {"bias": [0.0]}))
    with pytest.raises(WeightsError, match=r"bias has shape \(1,\), expected \(2,\)"):
        load_cause_model(tmp_path, "abc")


needs_weights = pytest.mark.skipif(
    not (weights_folder() / ONNX_NAME).exists(), reason="no weights: `python train.py` writes them"
)


@needs_weights
def test_the_shipped_file_belongs_to_the_shipped_network():
    classifier = load_classifier()
    assert classifier is not None
    assert classifier.causes is not None, "run train_causes.py; its docstring says how"
    assert NO_FAULT in classifier.causes.causes
    assert len(classifier.causes.causes) > 20


@needs_weights
def test_many_runs_get_what_each_gets_alone():
    runs = [Run.from_arrays(curves) for curves in SHOWS.values()]
    together = predict_runs(runs)
    for run, diagnosis in zip(runs, together, strict=True):
        alone = predict_runs([run])[0]
        assert [c.cause for c in alone.likely_causes] == [c.cause for c in diagnosis.likely_causes]
        shares = [cause.probability for cause in diagnosis.likely_causes]
        assert shares == pytest.approx([cause.probability for cause in alone.likely_causes], abs=1e-5)
        assert shares == sorted(shares, reverse=True)
        assert sum(shares) <= 1
        assert len(shares) <= MOST
        assert all(share >= FLOOR for share in shares)
        body = json.loads(json.dumps(diagnosis.to_dict(), allow_nan=False))
        assert [cause["cause"] for cause in body["likely_causes"]] == [c.cause for c in diagnosis.likely_causes]
        assert all(cause["remedies"] for cause in body["likely_causes"])


@needs_weights
def test_without_the_file_causes_are_those_of_the_table(monkeypatch):
    classifier = load_classifier()
    monkeypatch.setattr(classifier, "causes", None)
    diagnosis = predict_runs([Run.from_arrays(SHOWS["divergence"])])[0]
    assert diagnosis.likely_causes == by_experience(diagnosis.labels)
    assert diagnosis.likely_causes[0].cause == SYMPTOMS[diagnosis.labels[0]].cause_ids[0]
    assert "Likely causes" not in str(diagnosis)
    assert "likely: " in str(diagnosis)
