"""A network that takes up the weights of a shipped ONNX file."""

from __future__ import annotations

import json
import sys
from copy import deepcopy
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("onnxscript")

import torch
from small_networks import SMALL, calibrated, inputs, quiet_export

import train
from curveclinic.deciding.sidecar import ONNX_NAME, SIDECAR_NAME
from curveclinic.labels import LABELS
from curveclinic.model.export import export_onnx
from curveclinic.model.network import Calibrated, CurveNet, Shape
from curveclinic.model.training import Training
from curveclinic.model.warm_start import keep, warm_start

WEIGHTS = Path(__file__).parent.parent / "weights"

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def trained() -> CurveNet:
    """A network whose normalisations are not those of a fresh one."""
    net = calibrated(SMALL).net
    for part in net.modules():
        if isinstance(part, torch.nn.BatchNorm1d):
            for values in (part.weight, part.bias):
                torch.nn.init.uniform_(values, 0.5, 2.0)
    return net.eval()


@pytest.fixture
def shipped(trained: CurveNet, tmp_path: Path) -> Path:
    path = tmp_path / ONNX_NAME
    ones = torch.ones(len(LABELS))
    export_onnx(Calibrated(trained, ones, 0 * ones), path)
    return path


@quiet_export
def test_it_says_what_the_file_says(trained: CurveNet, shipped: Path) -> None:
    tensor, features = inputs(SMALL, 400)
    net = CurveNet(SMALL)
    warm_start(net, shipped, tensor)
    for said, expected in zip(net.eval()(tensor, features), trained(tensor, features), strict=True):
        torch.testing.assert_close(said, expected, rtol=1e-4, atol=1e-4)


@quiet_export
def test_the_statistics_of_a_batch_change_little(trained: CurveNet, shipped: Path) -> None:
    tensor, _ = inputs(SMALL, 400)
    net = CurveNet(SMALL)
    warm_start(net, shipped, tensor)
    seen = trained._seen(tensor)
    torch.testing.assert_close(net.train()._seen(tensor), seen, rtol=1e-3, atol=1e-3)
    assert not torch.allclose(CurveNet(SMALL).train()._seen(tensor), seen, rtol=0.1, atol=0.1)


@quiet_export
def test_another_size_is_refused(shipped: Path) -> None:
    other = CurveNet(Shape(3, 7, patches=4, width=4, scalars=8, hidden=8))
    with pytest.raises(ValueError, match=r"normalise\.weight is \[5\], this network's \[7\]"):
        warm_start(other, shipped, inputs(SMALL, 8)[0])


@quiet_export
def test_a_file_with_less_is_refused(shipped: Path) -> None:
    other = CurveNet(Shape(3, 5, patches=4, width=4, scalars=8, hidden=8, readers=3))
    with pytest.raises(ValueError, match=r"holds no readers\.2\.scalars"):
        warm_start(other, shipped, inputs(SMALL, 8)[0])


@pytest.mark.skipif(not (WEIGHTS / ONNX_NAME).exists(), reason="no weights")
def test_training_goes_on_from_the_shipped_weights() -> None:
    member = 0 if "members" in json.loads((WEIGHTS / SIDECAR_NAME).read_text())["recipe"] else None
    config = train.Config(seed=0, minutes=1, workers=1, device="cpu", start=str(WEIGHTS), member=member)
    training = Training(train.SHAPE, lr=3e-4, device="cpu")
    behind = train.start_from(training, config)
    assert behind["earlier"]["runs"] > 0
    assert behind["slice"] > 0
    blocks = train.draw((7, 7), 256, train.SEEN)
    fresh = Training(train.SHAPE, lr=3e-4, device="cpu")
    assert train.macro_f1(training.result, blocks, "cpu") > 0.5 > train.macro_f1(fresh.result, blocks, "cpu")
    assert np.isfinite(training.step(*next_batch(blocks), 0.0))


@pytest.mark.skipif(not (WEIGHTS / ONNX_NAME).exists(), reason="no weights")
def test_weights_of_another_encoder_are_refused(tmp_path: Path) -> None:
    body = json.loads((WEIGHTS / SIDECAR_NAME).read_text()) | {"encoder_version": "0"}
    (tmp_path / SIDECAR_NAME).write_text(json.dumps(body))
    config = train.Config(seed=0, minutes=1, workers=1, device="cpu", start=str(tmp_path))
    with pytest.raises(ValueError, match=r"found weights of encoder 0, expected \d+ with the same .* without --start"):
        train.start_from(Training(train.SHAPE, lr=3e-4, device="cpu"), config)


def test_an_unfinished_slice_is_told_without_what_came_before(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = {"finished": False, "seconds": 40_120.0, "earlier": {"seconds": 40_000.0}}
    monkeypatch.setattr(train, "train", lambda *_, **__: (None, recipe))
    monkeypatch.setattr(sys, "argv", ["train.py", "--start", "weights", "--budget", "30"])
    train.main()
    assert capsys.readouterr().out.startswith("2.0 of 30 minutes done")


def next_batch(blocks: train.Blocks) -> tuple[tuple[torch.Tensor, ...], torch.Tensor]:
    rows, pairs = train.paired(blocks, np.arange(64))
    return train.tensors(blocks, rows, "cpu"), torch.from_numpy(pairs)


def test_nothing_and_all_of_the_way_back_say_what_either_end_says(trained: CurveNet) -> None:
    tensor, features = inputs(SMALL, 50)
    other = calibrated(SMALL, seed=5).net.eval()
    for share, expected in ((0.0, trained), (1.0, other)):
        net, start = deepcopy(trained), deepcopy(other)
        keep(net, start, share)
        for said, told in zip(net.eval()(tensor, features), expected(tensor, features), strict=True):
            torch.testing.assert_close(said, told, rtol=1e-4, atol=1e-4)


def test_a_part_of_the_way_back(trained: CurveNet) -> None:
    net, start = deepcopy(trained), deepcopy(trained)
    before = net.readers[0].presence.weight.clone()
    start.readers[0].presence.weight.data.add_(4.0)
    keep(net, start, 0.25)
    torch.testing.assert_close(net.readers[0].presence.weight.data, before + 1.0)
