"""The shipped weights: whole, small, made for this encoder, and right on clear cases of `examples/`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from curveclinic import Diagnosis, Run
from curveclinic.deciding.classifier import Classifier, load_classifier, weights_folder
from curveclinic.deciding.sidecar import INT8_NAME, ONNX_NAME, SIDECAR_NAME, Sidecar, read_sidecar
from curveclinic.labels import LABELS
from curveclinic.predict import predict_runs
from curveclinic.readers import read_runs
from curveclinic.synth.generate import generate

EXAMPLES = Path(__file__).parent.parent / "examples"
FOLDER = weights_folder()

CLEAR = {
    "digits-overfit": "overfitting",
    "digits-unshuffled": "periodic_loss",
    "digits-lr-ramp": "divergence",
    "digits-dead-relu": "not_learning",
    "rings-linear": "underfitting",
}
"""Example -> its clear-cut fault."""

pytestmark = pytest.mark.skipif(
    not (FOLDER / SIDECAR_NAME).exists(), reason=f"no weights in {FOLDER}: `python train.py` writes them"
)


@pytest.fixture(scope="module")
def sidecar() -> Sidecar:
    return read_sidecar(FOLDER / SIDECAR_NAME)


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    """Loading checks the hash and the encoder's version."""
    loaded = load_classifier()
    assert loaded is not None
    return loaded


def test_the_folder_holds_what_is_shipped() -> None:
    names = {path.name for path in FOLDER.iterdir()}
    assert {ONNX_NAME, INT8_NAME, SIDECAR_NAME, "MODEL_CARD.md", "__init__.py"} <= names
    assert {name for name in names if name.endswith(".new")} == set()
    assert all(path.stat().st_size < 1_000_000 for path in FOLDER.glob("*.onnx"))


def test_the_sidecar_has_a_number_for_every_label(sidecar: Sidecar) -> None:
    assert tuple(sidecar.thresholds) == tuple(sidecar.calibration) == LABELS
    assert all(0.1 <= threshold <= 0.95 for threshold in sidecar.thresholds.values())
    assert all(scale > 0 for scale, _ in sidecar.calibration.values())
    assert set(sidecar.decided_by_rule) <= set(LABELS)
    assert "non_finite" in sidecar.decided_by_rule
    assert sidecar.onnx_max_difference <= 1e-4


def test_the_recipe_is_of_a_finished_training(sidecar: Sidecar) -> None:
    assert sidecar.recipe["finished"] is True
    assert sidecar.recipe["parameters"] <= 300_000
    assert sidecar.recipe["held_out_families"]
    assert sidecar.scores["macro_f1"] > 0.6


def test_the_classifier_loads(classifier: Classifier, sidecar: Sidecar) -> None:
    assert classifier.sidecar == sidecar
    assert len(classifier.decided_by_rule) < len(LABELS) / 2


def test_the_int8_network_mostly_finds_what_the_float_one_finds(classifier: Classifier, sidecar: Sidecar) -> None:
    int8 = load_classifier(fast=True)
    assert int8 is not None
    assert sidecar.int8 is not None
    assert sidecar.int8.runs >= 4096
    assert sidecar.int8.equal_label_sets >= 0.98
    batch = generate(2024, 512, max_points=1000).batch
    one, other = classifier.judge(batch), int8.judge(batch)
    same = (one.found == other.found).all(axis=1)
    difference = np.abs(one.probability - other.probability)
    assert 0 < difference.mean() < 2 * sidecar.int8.mean_difference
    assert same.mean() >= sidecar.int8.equal_label_sets - 0.02


def example(name: str) -> Run:
    (run,) = read_runs([EXAMPLES / name])
    assert isinstance(run, Run)
    return run


@pytest.mark.parametrize("name", CLEAR)
def test_a_clear_fault_is_found(name: str) -> None:
    (diagnosis,) = predict_runs([example(name)])
    assert isinstance(diagnosis, Diagnosis)
    assert CLEAR[name] in diagnosis.labels


@pytest.mark.usefixtures("classifier")
@pytest.mark.parametrize("name", CLEAR)
def test_the_network_sees_it_too(name: str, sidecar: Sidecar) -> None:
    (diagnosis,) = predict_runs([example(name)])
    finding = next(f for f in diagnosis.findings if f.label == CLEAR[name])
    assert finding.model_probability is not None
    if finding.source == "model":
        assert finding.model_probability >= sidecar.thresholds[finding.label]
    assert diagnosis.run is not None
    steps = diagnosis.run.channels["train_loss"].steps
    assert finding.onset is None or steps[0] <= finding.onset <= steps[-1]


def test_a_healthy_example_stays_healthy() -> None:
    (diagnosis,) = predict_runs([example("wine-mlp")])
    assert diagnosis.is_healthy
    assert sum(p >= 0.5 for p in diagnosis.probabilities.values()) <= 1
