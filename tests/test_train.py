"""The training script: what it draws, what a step and a checkpoint do, and one tiny training from seed to weights."""

from __future__ import annotations

import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("onnxscript")
pytest.importorskip("sklearn")
pytest.importorskip("scipy")

import torch
from torch import Tensor

import train
from curveclinic.deciding.classifier import load_classifier
from curveclinic.labels import LABELS
from curveclinic.model.bins import BINS
from curveclinic.model.encoder import TENSOR_CHANNELS
from curveclinic.model.features import FEATURE_NAMES
from curveclinic.model.network import Shape, parameters_of
from curveclinic.model.training import Training, averaging
from curveclinic.records import joined
from curveclinic.synth import generate
from curveclinic.synth.families import TRENDS

SMALL = Shape(3, 5, patches=4, width=4, scalars=96, hidden=8)
NO_PAIRS = torch.zeros((0, 2), dtype=torch.int64)


pytestmark = pytest.mark.usefixtures("one_thread")


# ---- data -------------------------------------------------------------------------------------------------------


def test_held_out_families_are_never_trained_on() -> None:
    assert set(train.HELD_OUT) <= set(TRENDS)
    assert set(train.SEEN) == set(TRENDS) - set(train.HELD_OUT)
    assert 0.05 < sum(TRENDS[name].weight for name in train.HELD_OUT) / sum(f.weight for f in TRENDS.values()) < 0.3


def test_blocks_hold_what_the_loss_takes() -> None:
    sample = generate((1, 2), 300, max_points=400)
    blocks = train.blocks_of(sample.seen, sample.truth, np.zeros(300, dtype=np.int64))
    assert blocks.tensor.shape == (300, len(TENSOR_CHANNELS), BINS)
    assert (blocks.tensor.dtype, blocks.features.dtype) == (np.float16, np.float32)
    assert blocks.features.shape == (300, len(FEATURE_NAMES))
    assert blocks.target.shape == blocks.weight.shape == blocks.severe.shape == (300, len(LABELS))
    there = (blocks.target == 1) & (blocks.weight == 1)
    undertrained = LABELS.index("undertrained")
    dated = np.delete(there, undertrained, axis=1)
    spans = np.delete(blocks.spans, undertrained, axis=1)[dated]
    assert 0 <= spans.min() <= spans.max() <= 1
    assert (spans[:, 0] <= spans[:, 1]).all()
    assert np.isnan(blocks.spans[there[:, undertrained], undertrained]).all()
    divergence = there[:, LABELS.index("divergence")]
    np.testing.assert_array_equal(blocks.spans[divergence, LABELS.index("divergence"), 1], 1.0)  # to the end


def test_same_seed_same_blocks() -> None:
    first, second = (train.draw((3, 1, 4), 64, train.SEEN) for _ in range(2))
    for name, array in vars(first).items():
        np.testing.assert_array_equal(array, getattr(second, name))
    other = train.draw((3, 1, 5), 64, train.SEEN)
    assert (other.features != first.features).any()


def test_a_twin_knows_its_full_log() -> None:
    blocks = train.draw((3, 1, 4), 64, train.SEEN, retold=True)
    twins = slice(64, 64 + int(64 * train.TWINS))
    assert (blocks.partner[:64] == 0).all()
    rows, pairs = train.paired(blocks, np.array([2, 65, 70]))
    assert rows[:3].tolist() == [2, 65, 70]
    np.testing.assert_array_equal(pairs, [[1, 3], [2, 4]])
    assert (rows[3:] < 64).all()
    trend = LABELS.index("overfitting")
    whole = np.arange(twins.start, twins.stop) + blocks.partner[twins]
    np.testing.assert_array_equal(blocks.target[twins, trend], blocks.target[whole, trend])
    np.testing.assert_array_equal(blocks.weight[twins, trend], blocks.weight[whole, trend])


def test_prefixes_follow_the_twins_and_stand_alone() -> None:
    blocks = train.draw((3, 1, 4), 64, train.SEEN, retold=True)
    early = slice(64 + int(64 * train.TWINS), None)
    assert len(blocks.target[early]) == int(64 * train.EARLY)
    assert (blocks.partner[early] == 0).all()
    assert np.isfinite(blocks.features[early]).all()
    assert (blocks.target[early] != blocks.target[: int(64 * train.EARLY)]).any()


def test_tensors_and_joined() -> None:
    blocks = train.draw((0,), 20, train.SEEN)
    both = joined([blocks, blocks])
    assert len(both.target) == 40
    parts = train.tensors(both, np.array([1, 21]), "cpu")
    assert {part.dtype for part in parts} == {torch.float32}
    torch.testing.assert_close(parts[0][0], parts[0][1])


# ---- a step and a checkpoint ------------------------------------------------------------------------------------


def batch_for(shape: Shape, size: int = 64) -> tuple[torch.Tensor, ...]:
    """Label 0 is there where the first feature is positive."""
    generator = torch.Generator().manual_seed(0)
    tensor = torch.randn(size, shape.channels, BINS, generator=generator)
    features = torch.randn(size, shape.features, generator=generator)
    target = torch.zeros(size, len(LABELS))
    target[:, 0] = (features[:, 0] > 0).float()
    spans = torch.full((size, len(LABELS), 2), float("nan"))
    return tensor, features, target, torch.ones_like(target), torch.zeros_like(target), spans


def test_steps_learn() -> None:
    torch.manual_seed(0)
    training = Training(SMALL, lr=1e-2, device="cpu")
    losses = [training.step(batch_for(SMALL), NO_PAIRS, i / 200) for i in range(200)]
    assert training.steps == 200
    assert losses[0] == pytest.approx(np.log(2), abs=0.1)
    assert losses[-1] < 0.05
    averaged = training.result.eval()(*batch_for(SMALL)[:2])[0][:, 0]
    assert ((averaged > 0) == (batch_for(SMALL)[2][:, 0] > 0.5)).float().mean() > 0.9


def test_the_learning_rate_warms_up_and_falls() -> None:
    training = Training(SMALL, lr=1.0, device="cpu")
    rates = []
    for steps, done in ((0, 0.0), (99, 0.0), (400, 0.0), (400, 0.5), (400, 1.0)):
        training.steps = steps
        training.step(batch_for(SMALL), NO_PAIRS, done)
        rates.append(training.optimiser.param_groups[0]["lr"])
    np.testing.assert_allclose(rates, [1 / 200, 0.5, 1.0, 0.5, 0.001], rtol=3e-3)


def test_a_checkpoint_brings_everything_back(tmp_path: Path) -> None:
    torch.manual_seed(0)
    first = Training(SMALL, lr=1e-2, device="cpu")
    for _ in range(3):
        first.step(batch_for(SMALL), NO_PAIRS, 0.1)
    first.save(tmp_path / "checkpoint.pt", {"step": 3, "seconds": 1.5, "runs": 64, "slice": 1})
    second = Training(SMALL, lr=1e-2, device="cpu")
    assert second.load(tmp_path / "checkpoint.pt", "cpu") == {"step": 3, "seconds": 1.5, "runs": 64, "slice": 1}
    for training in (first, second):
        torch.manual_seed(1)  # dropout
        training.step(batch_for(SMALL), NO_PAIRS, 0.1)
    assert first.steps == second.steps == 4
    for a, b in zip(first.result.state_dict().values(), second.result.state_dict().values(), strict=True):
        torch.testing.assert_close(a, b)


def averaged(old: Tensor, new: Tensor, count: int) -> float:
    """What the average of one tensor becomes."""
    into = old.clone()
    averaging([into], [new], count)
    return float(into)


def test_the_average_follows_with_a_growing_memory() -> None:
    old, new = torch.tensor(0.0), torch.tensor(1.0)
    assert averaged(old, new, 0) == pytest.approx(0.9)
    assert averaged(old, new, 90) == pytest.approx(0.09)
    assert averaged(old, new, 10**6) == pytest.approx(0.001)
    assert averaged(torch.tensor(3), torch.tensor(8), 5) == 8


# ---- the whole story --------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.filterwarnings(
    # what torch's exporter says about itself
    "ignore:.isinstance.treespec, LeafSpec.. is deprecated:FutureWarning",
    "ignore:# The axis name. batch will not be used:UserWarning",
)
def test_from_seed_to_weights(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """`train.py --quick`, cut down to seconds, then one more slice from its checkpoint."""
    whole = train.Config

    def tiny(**options: Any) -> train.Config:
        return replace(whole(**options), minutes=0.05, pool=1024, warm=512, batch=64, held_out=512)

    monkeypatch.setattr(train, "Config", tiny)
    monkeypatch.setattr(train, "BLOCK", 256)
    monkeypatch.setattr(train, "MAX_POINTS", 300)
    monkeypatch.setattr(train.quantize, "add_int8", partial(train.quantize.add_int8, calibration=128, fresh=128))
    folder, checkpoints = tmp_path / "weights", tmp_path / "checkpoints"
    command = [
        "train.py",
        "--quick",
        "--out",
        folder,
        "--checkpoints",
        checkpoints,
        "--workers",
        "1",
        "--device",
        "cpu",
    ]
    monkeypatch.setattr(sys, "argv", [str(word) for word in command])
    train.main()

    classifier = load_classifier(folder)
    assert classifier is not None
    recipe = classifier.sidecar.recipe
    assert recipe["step"] >= 1
    assert recipe["finished"] is True
    assert recipe["parameters"] == parameters_of(Training(train.SHAPE, lr=0.1, device="cpu").net) <= 150_000
    assert recipe["held_out_families"] == list(train.HELD_OUT)
    assert classifier.sidecar.onnx_max_difference <= 1e-4
    opinion = classifier.judge(generate(9, 30, max_points=200).batch)
    assert opinion.probability.shape == (30, len(LABELS))
    assert 0 <= opinion.probability.min() <= opinion.probability.max() <= 1

    int8 = load_classifier(folder, fast=True)
    assert int8 is not None
    assert np.abs(int8.judge(generate(9, 30, max_points=200).batch).probability - opinion.probability).mean() < 0.02

    config = tiny(seed=0, minutes=1.2, reuse=20.0, workers=1, device="cpu")
    _, second = train.train(config, checkpoints, resume=True, minutes_now=0.01)
    assert second["step"] == recipe["step"] + 1  # the budget is spent: one step, then it stops
    assert (recipe["slice"], second["slice"]) == (1, 2)
    assert second["seconds"] > recipe["seconds"]
