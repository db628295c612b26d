"""Networks that were trained apart as one: their mean, its file, and the way back to each of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("onnxscript")

import onnx
import onnxruntime as ort
import torch
from small_networks import SMALL, calibrated, inputs, quiet_export

from combine import recipe_of
from curveclinic.model.encoder import TENSOR_CHANNELS
from curveclinic.model.export import export_onnx, rounded, strip
from curveclinic.model.features import FEATURE_NAMES
from curveclinic.model.halves import halved, in_floats
from curveclinic.model.int8_graph import int8_graph
from curveclinic.model.network import N_LABELS, Calibrated, Committee, CurveNet, Shape
from curveclinic.model.warm_start import warm_start

pytestmark = pytest.mark.usefixtures("one_thread")


def committee(shape: Shape) -> Calibrated:
    members = [calibrated(shape, seed=seed).net for seed in (1, 2)]
    return rounded(Calibrated(Committee(members), torch.ones(N_LABELS), torch.zeros(N_LABELS)).eval())


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[Calibrated, Path]:
    model, path = committee(SMALL), tmp_path_factory.mktemp("weights") / "net.onnx"
    export_onnx(model, path)
    strip(path)
    return model, path


def arrays_of(model: onnx.ModelProto) -> dict[str, np.ndarray]:
    return {one.name: onnx.numpy_helper.to_array(one) for one in model.graph.initializer}


def test_a_committee_says_the_mean_of_its_members() -> None:
    net = committee(SMALL).net
    tensor, features = inputs(SMALL, 9)
    first, second = (member(tensor, features) for member in net.members)
    for said, one, other in zip(net(tensor, features), first, second, strict=True):
        torch.testing.assert_close(said, (one + other) / 2)
    assert not torch.allclose(first[0], second[0], atol=0.01)


@quiet_export
@pytest.mark.parametrize("member", [0, 1])
def test_training_goes_on_from_each_member(written: tuple[Calibrated, Path], member: int) -> None:
    model, path = written
    tensor, features = inputs(SMALL, 400)
    net = CurveNet(SMALL)
    warm_start(net, path, tensor, member)
    expected = model.net.members[member](tensor, features)
    for said, told in zip(net.eval()(tensor, features), expected, strict=True):
        torch.testing.assert_close(said, told, rtol=2e-3, atol=2e-3)
    other = model.net.members[1 - member](tensor, features)
    assert not torch.allclose(net(tensor, features)[0], other[0], atol=0.02)


@quiet_export
def test_which_member_must_be_said(written: tuple[Calibrated, Path]) -> None:
    with pytest.raises(ValueError, match="holds a committee of networks; say with which one to begin"):
        warm_start(CurveNet(SMALL), written[1], inputs(SMALL, 8)[0])
    with pytest.raises(ValueError, match=r"holds no curves\.0\.weight"):
        warm_start(CurveNet(SMALL), written[1], inputs(SMALL, 8)[0], 2)


@quiet_export
def test_large_arrays_are_stored_in_half_precision_and_come_back(written: tuple[Calibrated, Path]) -> None:
    stored = onnx.load(written[1])
    assert {array.dtype for array in arrays_of(stored).values() if array.ndim > 1} == {np.dtype(np.float16)}
    whole = in_floats(stored)
    assert {array.dtype for array in arrays_of(whole).values() if array.ndim > 1} == {np.dtype(np.float32)}
    assert not any(node.op_type == "Cast" for node in whole.graph.node)
    again = arrays_of(halved(whole))
    assert again.keys() == arrays_of(stored).keys()
    assert all((again[name] == array).all() for name, array in arrays_of(stored).items())


@quiet_export
def test_each_member_gets_convolutions_in_integers(tmp_path: Path) -> None:
    shape = Shape(len(TENSOR_CHANNELS), len(FEATURE_NAMES), patches=6, width=8, scalars=8, hidden=8)
    model, path = committee(shape), tmp_path / "net.onnx"
    export_onnx(model, path)
    strip(path)
    given = dict(zip(("tensor", "features"), (t.numpy() for t in inputs(shape, 64)), strict=True))
    quantised = int8_graph(onnx.load(path), given["tensor"], given["features"])
    assert sum(array.dtype == np.int8 for array in arrays_of(quantised).values()) == 6
    said, told = (
        ort.InferenceSession(content, providers=["CPUExecutionProvider"]).run(["probability"], given)[0]
        for content in (quantised.SerializeToString(), path.read_bytes())
    )
    assert 0 < np.abs(said - told).max() < 0.2 * np.ptp(told)


def test_the_recipe_of_a_committee_adds_up_and_keeps_those_of_its_members() -> None:
    recipe = {
        "step": 10, "runs": 100, "seconds": 5.0, "parameters": 7, "batch": 512, "device": "cpu", "workers": 1,
        "torch": "2", "held_out_families": ["resumed"], "seed": 0, "share": 0.3, "finished": True,
    }  # fmt: skip
    found = recipe_of([recipe, recipe | {"seed": 1, "step": 5, "finished": False}])
    assert (found["step"], found["runs"], found["seed"], found["finished"]) == (15, 200, "0, 1", False)
    assert [own["seed"] for own in found["members"]] == [0, 1]
    with pytest.raises(ValueError, match="tested on different families"):
        recipe_of([recipe, recipe | {"held_out_families": []}])
