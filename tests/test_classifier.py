"""The classifier on stand-in weights: a graph of three biases, made here, so every number is known."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hand_curves import SHOWS, healthy

from curveclinic.deciding.classifier import Classifier, load_classifier, onnx_session
from curveclinic.deciding.sidecar import INT8_NAME, ONNX_NAME, SIDECAR_NAME, Int8, read_sidecar
from curveclinic.errors import WeightsError
from curveclinic.labels import LABELS
from curveclinic.model.bins import BINS
from curveclinic.model.encoder import ENCODER_VERSION, TENSOR_CHANNELS, encode
from curveclinic.model.features import FEATURE_NAMES
from curveclinic.predict import predict_pathology
from curveclinic.ragged import Batch, FloatArray
from curveclinic.run import Run

onnx = pytest.importorskip("onnx")

OVERFITTING, DIVERGENCE, VAL_SPIKES = (LABELS.index(label) for label in ("overfitting", "divergence", "val_spikes"))
N = len(LABELS)


def graph_of(probability: FloatArray, severe: FloatArray, span: FloatArray) -> bytes:
    """An ONNX graph that answers these (20,), (20,) and (20, 2) whatever the run, broadcast over the batch."""
    h, tp = onnx.helper, onnx.TensorProto
    constants = {"p": probability[None], "s": severe[None], "w": span[None], "flat": np.zeros((len(FEATURE_NAMES), 1))}
    stored = [onnx.numpy_helper.from_array(a.astype(np.float32), name) for name, a in constants.items()]
    stored.append(onnx.numpy_helper.from_array(np.array([-1, 1, 1], dtype=np.int64), "shape"))
    nodes = [
        h.make_node("MatMul", ["features", "flat"], ["zero"]),
        h.make_node("Add", ["zero", "p"], ["probability"]),
        h.make_node("Add", ["zero", "s"], ["severe"]),
        h.make_node("Reshape", ["zero", "shape"], ["zeros"]),
        h.make_node("Add", ["zeros", "w"], ["span"]),
    ]
    inputs = [
        h.make_tensor_value_info("tensor", tp.FLOAT, ["batch", len(TENSOR_CHANNELS), BINS]),
        h.make_tensor_value_info("features", tp.FLOAT, ["batch", len(FEATURE_NAMES)]),
    ]
    shapes = {"probability": ["batch", N], "severe": ["batch", N], "span": ["batch", N, 2]}
    outputs = [h.make_tensor_value_info(name, tp.FLOAT, shape) for name, shape in shapes.items()]
    graph = h.make_graph(nodes, "stand-in", inputs, outputs, stored)
    model = h.make_model(graph, opset_imports=[h.make_opsetid("", 17)], ir_version=8)
    return bytes(model.SerializeToString())


def stand_in_graph() -> bytes:
    """Overfitting at 0.9 from a quarter to three quarters of the run, all else at 0.1 to the end."""
    probability, severe, span = np.full(N, 0.1), np.full(N, 0.2), np.tile([0.5, 0.99], (N, 1))
    probability[OVERFITTING], span[OVERFITTING] = 0.9, (0.25, 0.75)
    severe[VAL_SPIKES] = 0.8
    span[DIVERGENCE] = (0.6, 0.4)
    return graph_of(probability, severe, span)


def sidecar_for(content: bytes, **changes: Any) -> dict[str, Any]:
    return {
        "encoder_version": ENCODER_VERSION,
        "labels": LABELS,
        "tensor_channels": TENSOR_CHANNELS,
        "feature_names": FEATURE_NAMES,
        "bins": BINS,
        "thresholds": dict.fromkeys(LABELS, 0.5) | {"overfitting": 0.7},
        "calibration": dict.fromkeys(LABELS, (1.0, 0.0)),
        "decided_by_rule": ["non_finite"],
        "recipe": {"seed": 0},
        "scores": {},
        "onnx_sha256": hashlib.sha256(content).hexdigest(),
        "onnx_max_difference": 0.0,
    } | changes


def write(folder: Path, **changes: Any) -> Path:
    """A weights folder; changes go into its sidecar, None removes the key."""
    content = stand_in_graph()
    (folder / ONNX_NAME).write_bytes(content)
    body = {key: value for key, value in sidecar_for(content, **changes).items() if value is not None}
    (folder / SIDECAR_NAME).write_text(json.dumps(body))
    return folder


@pytest.fixture
def classifier(tmp_path: Path) -> Classifier:
    loaded = load_classifier(write(tmp_path))
    assert loaded is not None
    return loaded


def batch_of(*curves: dict) -> Batch:
    return Batch.from_runs([Run.from_arrays(c) for c in curves])


# ---- loading ----------------------------------------------------------------------------------------------------


def test_the_sidecar_is_read(classifier: Classifier) -> None:
    assert classifier.sidecar.labels == LABELS
    assert classifier.decided_by_rule == {"non_finite"}
    assert classifier.threshold[OVERFITTING] == 0.7
    assert classifier.threshold.sum() == pytest.approx(0.7 + 0.5 * (N - 1))


def test_no_weights_at_all_is_no_classifier(tmp_path: Path) -> None:
    assert load_classifier(tmp_path) is None
    assert load_classifier(tmp_path / "no such folder") is None


@pytest.mark.parametrize("name", [ONNX_NAME, SIDECAR_NAME])
def test_one_missing_file_is_an_error(tmp_path: Path, name: str) -> None:
    (write(tmp_path) / name).unlink()
    with pytest.raises(WeightsError, match=f"{name} is missing beside its twin; reinstall"):
        load_classifier(tmp_path)


def test_a_wrong_hash_is_an_error(tmp_path: Path) -> None:
    with (write(tmp_path) / ONNX_NAME).open("ab") as file:
        file.write(b"\0")
    with pytest.raises(WeightsError, match=r"curvenet.onnx: sha256 is \w{12}, the sidecar expects \w{12}; reinstall"):
        load_classifier(tmp_path)


@pytest.mark.parametrize(
    "change",
    [
        {"encoder_version": "0"},
        {"bins": BINS // 2},
        {"tensor_channels": TENSOR_CHANNELS[::-1]},
        {"feature_names": FEATURE_NAMES[:-1]},
    ],
    ids=lambda change: next(iter(change)),
)
def test_another_encoder_is_an_error(tmp_path: Path, change: dict[str, Any]) -> None:
    with pytest.raises(WeightsError, match=rf"made for encoder \S+, this is encoder {ENCODER_VERSION}; retrain"):
        load_classifier(write(tmp_path, **change))


def test_an_unknown_or_missing_key_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"unknown or missing keys \['colour'\]"):
        load_classifier(write(tmp_path, colour="blue"))
    with pytest.raises(WeightsError, match=r"unknown or missing keys \['thresholds'\]"):
        read_sidecar(write(tmp_path, thresholds=None) / SIDECAR_NAME)
    with pytest.raises(WeightsError, match=r"thresholds unknown or missing for .*'overfitting'"):
        read_sidecar(write(tmp_path, thresholds={"typo": 0.5}) / SIDECAR_NAME)


def test_other_labels_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="made for other labels"):
        load_classifier(write(tmp_path, labels=LABELS[::-1]))


def write_int8(folder: Path, content: bytes, **changes: Any) -> Path:
    """A weights folder with these bytes as its int8 network; changes go into what the sidecar says of it."""
    note = {
        "sha256": hashlib.sha256(content).hexdigest(),
        "runs": 100,
        "equal_label_sets": 0.99,
        "mean_difference": 0.001,
        "largest_difference": 0.2,
    }
    (folder / INT8_NAME).write_bytes(content)
    return write(folder, int8=note | changes)


def test_the_int8_network_is_loaded_on_request(tmp_path: Path) -> None:
    certain = graph_of(np.full(N, 1.0), np.full(N, 0.2), np.tile([0.5, 0.99], (N, 1)))
    folder = write_int8(tmp_path, certain)
    slow, fast = load_classifier(folder), load_classifier(folder, fast=True)
    assert slow is not None
    assert fast is not None
    assert slow.sidecar == fast.sidecar
    assert fast.sidecar.int8 == Int8(hashlib.sha256(certain).hexdigest(), 100, 0.99, 0.001, 0.2)
    batch = batch_of(healthy())
    assert slow.judge(batch).probability[0, DIVERGENCE] == pytest.approx(0.1)
    assert fast.judge(batch).probability[0, DIVERGENCE] == 1.0


def test_an_int8_network_of_another_hash_is_an_error(tmp_path: Path) -> None:
    folder = write_int8(tmp_path, stand_in_graph(), sha256="0" * 64)
    message = r"curvenet.int8.onnx: sha256 is \w{12}, the sidecar expects 0{12}; .* make it anew with quantize.py"
    with pytest.raises(WeightsError, match=message):
        load_classifier(folder, fast=True)
    assert load_classifier(folder) is not None


@pytest.mark.parametrize("noted", [True, False])
def test_a_missing_int8_network_is_an_error_that_says_what_to_do(tmp_path: Path, noted: bool) -> None:
    folder = write_int8(tmp_path, stand_in_graph())
    if noted:
        (folder / INT8_NAME).unlink()
    else:
        write(folder)  # a training that made none: the file is of other weights
    with pytest.raises(WeightsError, match=r"curvenet.int8.onnx is missing; make it with quantize.py, or do without"):
        load_classifier(folder, fast=True)
    assert load_classifier(folder) is not None


def test_no_weights_at_all_are_no_int8_network_either(tmp_path: Path) -> None:
    assert load_classifier(tmp_path, fast=True) is None


def test_unknown_or_missing_keys_of_the_int8_network_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"unknown or missing keys \['colour'\]"):
        load_classifier(write_int8(tmp_path, b"", colour="blue"))
    with pytest.raises(WeightsError, match=r"unknown or missing keys .*'sha256'"):
        load_classifier(write(tmp_path, int8={}))


@pytest.mark.parametrize("text", ["", "[]", "{", "null"])
def test_a_broken_sidecar_is_an_error(tmp_path: Path, text: str) -> None:
    (write(tmp_path) / SIDECAR_NAME).write_text(text)
    with pytest.raises(WeightsError, match=r"curvenet\.json: "):
        load_classifier(tmp_path)


# ---- judging ----------------------------------------------------------------------------------------------------


def test_probabilities_come_through(classifier: Classifier) -> None:
    opinion = classifier.judge(batch_of(healthy(), SHOWS["overfitting"]))
    assert opinion.probability.shape == (2, N)
    assert opinion.probability.dtype == np.float64
    np.testing.assert_allclose(opinion.probability[:, OVERFITTING], 0.9, rtol=1e-6)
    np.testing.assert_allclose(np.delete(opinion.probability, OVERFITTING, axis=1), 0.1, rtol=1e-6)
    np.testing.assert_array_equal(opinion.found, opinion.probability >= classifier.threshold)


def test_spans_are_steps_inside_the_run(classifier: Classifier) -> None:
    steps = np.arange(1000.0, 1101.0)
    opinion = classifier.judge(batch_of({"train_loss": (steps, 1 / steps), "val_loss": (steps, 2 / steps)}))
    assert (opinion.onset[0, OVERFITTING], opinion.end[0, OVERFITTING]) == pytest.approx((1025.0, 1075.0))
    others = np.delete(np.arange(N), [OVERFITTING, DIVERGENCE])
    np.testing.assert_allclose(opinion.onset[0, others], 1050.0)
    assert np.isnan(opinion.end[0, others]).all()  # to the last point
    assert opinion.end[0, DIVERGENCE] == opinion.onset[0, DIVERGENCE] == pytest.approx(1060.0)


def test_what_is_more_likely_severe_than_not(classifier: Classifier) -> None:
    severe = classifier.judge(batch_of(healthy())).severe[0]
    assert np.flatnonzero(severe).tolist() == [VAL_SPIKES]


def test_many_runs_are_judged_in_pieces(classifier: Classifier) -> None:
    batch = batch_of(*(healthy(10 + i % 7, seed=i) for i in range(600)))
    opinion = classifier.judge(batch)
    assert opinion.probability.shape == (600, N)
    np.testing.assert_array_equal(opinion.onset[550], classifier.judge(batch.take(np.array([550]))).onset[0])
    np.testing.assert_array_equal(classifier.judge_encoded(encode(batch)).onset, opinion.onset)


def test_no_runs(classifier: Classifier) -> None:
    opinion = classifier.judge(batch_of(healthy()).take(np.array([], dtype=np.int64)))
    assert opinion.probability.shape == opinion.onset.shape == opinion.severe.shape == (0, N)


def test_a_run_without_a_finite_loss_does_not_break_the_batch(classifier: Classifier) -> None:
    opinion = classifier.judge(batch_of({"train_loss": [np.nan] * 9}, healthy(), {}))
    assert np.isfinite(opinion.probability).all()
    assert np.isfinite(opinion.onset).all()


def test_the_stand_in_decides_for_predict_pathology(classifier: Classifier, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("curveclinic.predict.shipped_classifier", lambda: classifier)
    diagnosis = predict_pathology(healthy() | {"val_loss": np.linspace(2.2, 0.6, 60)})
    assert diagnosis.labels == ("overfitting",)
    finding = diagnosis.findings[0]
    assert (finding.source, finding.severity, finding.rule_agrees) == ("model", "mild", False)
    assert finding.probability == pytest.approx(0.9)
    # overfitting begins at the checkpoint to keep, not at step 16 as the network says; an end before that is none
    assert (finding.onset, finding.end) == (diagnosis.stop_at, None)


def test_a_file_that_onnxruntime_refuses_is_an_error_of_the_weights() -> None:
    with pytest.raises(WeightsError, match="cannot load it"):
        onnx_session(b"no graph at all")
