"""The network: shapes, size, what its loss counts, and the exported graph against torch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("onnxscript")

import onnxruntime as ort
import torch
from small_networks import SMALL, calibrated, inputs, quiet_export

from curveclinic.deciding.sidecar import ONNX_NAME, SIDECAR_NAME
from curveclinic.labels import LABELS
from curveclinic.model.bins import BINS
from curveclinic.model.encoder import TENSOR_CHANNELS
from curveclinic.model.export import TOLERANCE, export_onnx, largest_difference, rounded, write_weights
from curveclinic.model.features import FEATURE_NAMES
from curveclinic.model.network import N_LABELS, Calibrated, Committee, CurveNet, Shape, loss_of, parameters_of

SHIPPED = Shape(len(TENSOR_CHANNELS), len(FEATURE_NAMES))

pytestmark = pytest.mark.usefixtures("one_thread")


# ---- the network ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "shape", [SHIPPED, SMALL, Shape(0, 5), Shape(3, 0)], ids=["shipped", "small", "features", "curves"]
)
def test_shapes(shape: Shape) -> None:
    presence, severity, span = (out.detach() for out in CurveNet(shape).eval()(*inputs(shape, 7)))
    assert presence.shape == severity.shape == (7, N_LABELS)
    assert span.shape == (7, N_LABELS, 2)
    assert 0.0 <= float(span.min()) <= float(span.max()) <= 1.0


def test_size() -> None:
    assert len(LABELS) == N_LABELS
    assert 30_000 < parameters_of(CurveNet(SHIPPED)) <= 150_000


def test_the_answer_is_the_mean_of_the_readers() -> None:
    net = CurveNet(SMALL).eval()
    first, second = net.each(*inputs(SMALL, 4))
    for one, other, mean in zip(first, second, net(*inputs(SMALL, 4)), strict=True):
        assert not torch.allclose(one, other, atol=1e-3)
        torch.testing.assert_close(mean, (one + other) / 2)


def test_an_ablated_input_does_not_matter() -> None:
    net = CurveNet(Shape(0, 5)).eval()
    tensor, features = inputs(Shape(0, 5), 4)
    torch.testing.assert_close(net(tensor, features)[0], net(100 * tensor, features)[0])
    net = CurveNet(Shape(3, 0)).eval()
    tensor, features = inputs(Shape(3, 0), 4)
    torch.testing.assert_close(net(tensor, features)[0], net(tensor, 100 * features)[0])


def test_calibration_scales_and_shifts_the_logit() -> None:
    model = calibrated(SMALL)
    presence, severity, span = model.net(*inputs(SMALL, 4))
    found = model(*inputs(SMALL, 4))
    torch.testing.assert_close(found[0], torch.sigmoid(presence * model.scale + model.shift))
    torch.testing.assert_close(found[1], torch.sigmoid(severity))
    torch.testing.assert_close(found[2], span)


# ---- its loss ---------------------------------------------------------------------------------------------------


def loss_case() -> dict[str, torch.Tensor]:
    """Two runs: label 0 is there in the first, label 1 arguable, label 2 unchecked, all else absent."""
    target, weight = torch.zeros(2, N_LABELS), torch.ones(2, N_LABELS)
    target[0, 0], target[0, 1], weight[0, 1], weight[0, 2] = 1.0, 0.15, 0.2, 0.0
    spans = torch.full((2, N_LABELS, 2), 0.25)
    return {"target": target, "weight": weight, "severe": torch.ones(2, N_LABELS), "spans": spans}


def loss_at(case: dict[str, torch.Tensor], **outputs: torch.Tensor) -> float:
    presence = outputs.get("presence", torch.zeros(2, N_LABELS))
    severity = outputs.get("severity", torch.zeros(2, N_LABELS))
    span = outputs.get("span", torch.full((2, N_LABELS, 2), 0.25))
    return float(loss_of((presence, severity, span), case["target"], case["weight"], case["severe"], case["spans"]))


def changed(
    value: float, row: int, label: int, shape: tuple[int, ...] = (2, N_LABELS), start: float = 0.0
) -> torch.Tensor:
    out = torch.full(shape, start)
    out[row, label] = value
    return out


def test_the_loss_of_knowing_nothing() -> None:
    expected = np.log(2) + 0.02 * np.log(2)  # presence over the weights, severity of the one label that is there
    assert loss_at(loss_case()) == pytest.approx(expected, abs=1e-6)


def test_a_cell_counts_by_its_weight() -> None:
    plain = loss_at(loss_case())
    assert loss_at(loss_case(), presence=changed(9.0, 0, 2)) == pytest.approx(plain, abs=1e-6)
    wrong, arguable = (
        loss_at(loss_case(), presence=changed(9.0, 1, 3)),
        loss_at(loss_case(), presence=changed(9.0, 0, 1)),
    )
    assert wrong - plain > 3 * (arguable - plain) > 0
    assert loss_at(loss_case(), presence=changed(9.0, 0, 0)) < plain


def test_severity_and_span_count_only_where_the_label_is_there() -> None:
    plain = loss_at(loss_case())
    assert loss_at(loss_case(), severity=changed(9.0, 0, 0)) < plain
    far = {"shape": (2, N_LABELS, 2), "start": 0.25}
    assert loss_at(loss_case(), span=changed(0.9, 0, 0, **far)) > plain
    for row, label in ((0, 1), (0, 2), (1, 0)):
        assert loss_at(loss_case(), severity=changed(9.0, row, label)) == pytest.approx(plain, abs=1e-6)
        assert loss_at(loss_case(), span=changed(0.9, row, label, **far)) == pytest.approx(plain, abs=1e-6)


def test_unknown_spans_and_severities_are_left_out() -> None:
    case = loss_case()
    case["spans"][0, 0, 1] = float("nan")
    ends = torch.full((2, N_LABELS, 2), 0.25)
    ends[0, 0, 1] = 0.9
    assert loss_at(case, span=ends) == pytest.approx(loss_at(loss_case()), abs=1e-6)
    case["spans"][:] = float("nan")
    case["severe"][:] = float("nan")
    assert loss_at(case, severity=changed(9.0, 0, 0), span=ends) == pytest.approx(np.log(2), abs=1e-6)


def test_the_gradient_is_finite_with_nan_in_the_truth() -> None:
    net, case = CurveNet(SMALL), loss_case()
    case["spans"][0, 0, 0] = float("nan")
    loss_of(net(*inputs(SMALL, 2)), case["target"], case["weight"], case["severe"], case["spans"]).backward()
    assert all(bool(torch.isfinite(p.grad).all()) for p in net.parameters() if p.grad is not None)
    case["weight"][:] = 0.0
    assert loss_at(case) == 0.0


# ---- the exported graph -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> tuple[Calibrated, Path]:
    """Two networks of the shipped size as one ONNX file, checked on the way; with the weights that it holds."""
    members = [calibrated(SHIPPED, seed=seed).net for seed in (1, 2)]
    model = Calibrated(Committee(members), torch.ones(N_LABELS), torch.zeros(N_LABELS)).eval()
    folder = tmp_path_factory.mktemp("weights")
    check = tuple(t.numpy() for t in inputs(SHIPPED, 16, seed=3))
    assert write_weights(model, folder, {"labels": LABELS}, check) <= TOLERANCE
    return rounded(model), folder


@quiet_export
def test_onnx_agrees_with_torch(exported: tuple[Calibrated, Path]) -> None:
    model, folder = exported
    for size in (1, 5):
        tensor, features = (t.numpy() for t in inputs(SHIPPED, size, seed=size))
        assert largest_difference(model, folder / ONNX_NAME, tensor, features) <= 1e-4


@quiet_export
def test_the_onnx_file(exported: tuple[Calibrated, Path]) -> None:
    _, folder = exported
    assert sorted(path.name for path in folder.iterdir()) == sorted([ONNX_NAME, SIDECAR_NAME])
    assert (folder / ONNX_NAME).stat().st_size < 1_000_000
    assert str(Path(torch.__file__).parent).encode() not in (folder / ONNX_NAME).read_bytes(), "paths of this machine"
    session = ort.InferenceSession(str(folder / ONNX_NAME), providers=["CPUExecutionProvider"])
    assert [(i.name, i.type, i.shape[1:]) for i in session.get_inputs()] == [
        ("tensor", "tensor(float)", [len(TENSOR_CHANNELS), BINS]),
        ("features", "tensor(float)", [len(FEATURE_NAMES)]),
    ]
    assert [o.name for o in session.get_outputs()] == ["probability", "severe", "span"]
    tensor, features = (t.numpy() for t in inputs(SHIPPED, 3))
    probability, severe, span = session.run(None, {"tensor": tensor, "features": features})
    assert (probability.shape, severe.shape, span.shape) == ((3, N_LABELS), (3, N_LABELS), (3, N_LABELS, 2))
    assert 0 < probability.min() < probability.max() < 1


@quiet_export
def test_weights_that_disagree_are_not_written(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("curveclinic.model.export.largest_difference", lambda *_: 0.01)
    (tmp_path / ONNX_NAME).write_bytes(b"the old one")
    check = tuple(t.numpy() for t in inputs(SMALL, 2))
    with pytest.raises(RuntimeError, match=r"differ by 1\.00e-02, expected at most 1e-04"):
        write_weights(calibrated(SMALL), tmp_path, {}, check)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {ONNX_NAME: b"the old one"}


@quiet_export
def test_an_ablated_network_takes_the_same_inputs(tmp_path: Path) -> None:
    shape = Shape(0, 5, hidden=8)
    model, path = calibrated(shape), tmp_path / "net.onnx"
    export_onnx(model, path)
    assert largest_difference(model, path, *(t.numpy() for t in inputs(shape, 3))) <= 1e-4
