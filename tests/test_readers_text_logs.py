"""Logs of mmengine, mmcv, detectron2, fairseq, nnU-Net, DeiT and MAE: what is read equals what the tools logged."""

import json
from pathlib import Path

import numpy as np
import pytest

from curveclinic.errors import LogError
from curveclinic.readers import fairseq, nnunet, read_file, read_stdin

FIXTURES = Path(__file__).parent / "fixtures"


def logged(folder, file):
    curves = json.loads((FIXTURES / folder / "expected.json").read_text())[file]
    return {name: ([p[0] for p in points], [p[1] for p in points]) for name, points in curves.items()}


def read(folder, file):
    (run,) = read_file(FIXTURES / folder / file)
    return run


def equal(run, channel, points, **tolerance):
    series = run.channels[channel]
    return series.steps.tolist() == points[0] and np.allclose(series.values, points[1], **tolerance)


@pytest.mark.parametrize("kind", ["epochs", "iterations"])
def test_mmengine_scalars(kind):
    file = f"{kind}/vis_data/scalars.json"
    run, curves = read("mmengine", file), logged("mmengine", file)
    assert run.format == "jsonl"
    assert equal(run, "train_loss", curves["loss"], rtol=1e-6)
    assert equal(run, "val_metric", curves["accuracy"], rtol=1e-9)
    assert len(run.channels["lr"]) == 24


def test_mmcv_json():
    file = "20240611_120000.log.json"
    run, curves = read("mmcv", file), logged("mmcv", file)
    assert run.format == "jsonl"
    assert equal(run, "train_loss", curves["loss"], atol=6e-6)
    assert equal(run, "val_loss", curves["val_loss"], atol=6e-6)
    assert np.allclose(run.channels["lr"].values, [0.5] * 12 + [0.05] * 6)


def test_a_length_of_the_validation_set_is_no_step():
    rows = [{"mode": "train", "epoch": e, "iter": i, "loss": 1.0, "lr": 0.1} for e in (1, 2) for i in (50, 100)]
    rows.insert(2, {"mode": "val", "epoch": 1, "iter": 7, "lr": 0.1, "bbox_mAP": 0.1})
    rows.append({"mode": "val", "epoch": 2, "iter": 7, "lr": 0.1, "bbox_mAP": 0.2})
    (run,) = read_stdin("".join(json.dumps(r) + "\n" for r in rows).encode())
    assert run.channels["val_metric"].steps.tolist() == [100, 200]
    assert run.channels["lr"].steps.tolist() == [50, 100, 150, 200]


def test_metrics_logged_seldom_and_alone_are_the_validations():
    rows = [{"step": s, "loss": 1.0} for s in range(1, 9)]
    rows.insert(4, {"step": 4, "accuracy/top1": 0.5})
    rows.append({"step": 8, "accuracy/top1": 0.6})
    (run,) = read_stdin("".join(json.dumps(r) + "\n" for r in rows).encode())
    assert (run.channels["val_metric"].values.tolist(), "train_metric" in run.channels) == ([0.5, 0.6], False)


def test_detectron2_metrics():
    run = read("layout_only_detectron2", "metrics.json")
    assert run.format == "jsonl"
    assert equal(run, "train_loss", ([19, 39, 59, 79, 99, 119], [2.5, 1.75, 1.25, 1.0, 0.75, 0.5]))
    assert equal(run, "val_loss", ([59, 119], [1.5, 1.125]))
    assert equal(run, "val_metric", ([59, 119], [21.5, 30.25]))
    assert run.channels["lr"].values.tolist() == [0.005, 0.01, 0.02, 0.02, 0.02, 0.002]


def test_deit_and_mae_logs():
    first, second, third = read_file(FIXTURES / "layout_only_deit/log.txt")
    assert [r.run_id for r in (first, second, third)] == ["log.txt#1", "log.txt#2", "log.txt#3"]
    assert equal(first, "train_loss", ([0, 1, 2, 3], [6.5, 6.0, 5.5, 5.25]))
    assert equal(second, "train_loss", ([0, 1, 2, 3, 4], [6.75, 6.25, 5.75, 5.5, 5.375]))
    assert equal(third, "train_loss", ([0, 1], [6.625, 6.125]))
    assert equal(first, "val_loss", ([0, 1, 2, 3], [6.25, 5.75, 5.25, 5.0]))
    assert equal(first, "val_metric", ([0, 1, 2, 3], [1.5, 2.5, 3.5, 4.5]))


def test_fairseq_json():
    run, curves = read("fairseq", "json.log"), logged("fairseq", "json.log")
    assert run.format == "fairseq"
    assert equal(run, "train_loss", curves["train_loss"], atol=6e-4)
    assert equal(run, "val_loss", curves["valid_loss"], atol=6e-4)
    assert "train_loss <- train_loss_epoch" in run.notes


def test_fairseq_of_few_epochs_is_read_by_updates():
    lines = (FIXTURES / "fairseq/json.log").read_text().splitlines(keepends=True)
    (run,) = read_stdin("".join(lines[:26]).encode())
    steps, values = logged("fairseq", "json.log")["inner"]
    n = len(run.channels["train_loss"])
    assert n > 10
    assert equal(run, "train_loss", (steps[:n], values[:n]), atol=6e-4)


def test_fairseq_simple_text():
    run, curves = read("fairseq", "simple.log"), logged("fairseq", "simple.log")
    assert run.format == "text"
    assert equal(run, "train_loss", curves["train_loss"], atol=6e-4)
    assert equal(run, "val_loss", curves["valid_loss"], atol=6e-4)


def test_fairseq_says_what_is_broken():
    data = (FIXTURES / "fairseq/json.log").read_bytes()
    (run,) = read_stdin(data[:-30])
    assert "left out 1 broken line" in run.notes
    assert not fairseq.sniff(b'2024 | INFO | train | {"epoch": 1, "loss": "2"}')


def test_nnunet_v2():
    file = "training_log_2024_6_11_12_00_00.txt"
    run, curves = read("nnunet", file), logged("nnunet", file)
    assert run.format == "nnunet"
    assert run.channels["val_loss"].values.min() < -0.5
    for channel, name in (("train_loss", "train_loss"), ("val_loss", "val_loss"), ("val_metric", "dice"), ("lr", "lr")):
        assert equal(run, channel, curves[name], atol=6e-5), channel


def test_nnunet_v1():
    run = read("layout_only_nnunet_v1", "training_log_2020_6_11_12_00_00.txt")
    assert run.format == "nnunet"
    assert equal(run, "train_loss", ([0, 1, 2], [-0.1234, -0.3456, -0.4567]))
    assert equal(run, "val_loss", ([0, 1, 2], [-0.2345, -0.4012, -0.4321]))
    assert equal(run, "val_metric", ([0, 1, 2], [0.55, 0.65, 0.75]))
    assert equal(run, "lr", ([0, 1, 2], [0.009991, 0.009982, 0.009973]))


def test_nnunet_without_an_epoch_and_other_text():
    head = b"2024-06-11 12:00:00.1: do_dummy_2d_data_aug: False\nnnU-Net\n2024-06-11 12:00:00.1: Epoch 0\n"
    with pytest.raises(LogError, match="an nnU-Net log without a finished epoch"):
        read_stdin(head)
    assert not nnunet.sniff(b"2024-06-11 12:00:00.1: train_loss 0.5\n")
