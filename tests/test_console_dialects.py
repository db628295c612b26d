"""Consoles of trainers that print as no other does: Darknet, CatBoost, CLU, WeNet, MATLAB."""

import numpy as np
import pytest

from curveclinic.errors import LogError
from curveclinic.readers import read_stdin

N = 20
STEPS = np.arange(1, N + 1) * 10
TRAIN = 2 * np.exp(-STEPS / 70) + 0.31
VAL = 2 * np.exp(-STEPS / 60) + 0.5


def curves(text):
    (run,) = read_stdin(text.encode())
    assert run.format == "text"
    return {name: (series.steps.tolist(), series.values.tolist()) for name, series in run.channels.items()}


def on_steps(losses):
    return STEPS.tolist(), pytest.approx(losses.tolist(), abs=1e-4)


def written(layout):
    points = enumerate(zip(STEPS, TRAIN, VAL, strict=True))
    return "".join(layout.format(k=k, s=s, t=t, v=v, batch=t + k % 3) for k, (s, t, v) in points)


LAYERS = "".join(
    f"v3 (mse loss, Normalizer: (iou: 0.75, cls: 1.00) Region {region} Avg (IOU: 0.52, GIOU: 0.5), Class: 0.4, "
    "Obj: 0.5, No Obj: 0.5, .5R: 0.5, .75R: 0.0, count: 4, class_loss = 300.0, iou_loss = 9.0, total_loss = 312.0 \n"
    for region in (82, 94, 106)
)
BATCH = " {s}: {batch:.6f}, {t:.6f} avg loss, 0.001000 rate, 3.112123 seconds, 640 images, 1.2 hours left\n"
MAP = (
    "class_id = 0, name = dog, ap = 95.12%   \t (TP = 30, FP = 10) \n"
    " for conf_thresh = 0.25, precision = 0.71, recall = 0.61, F1-score = 0.65 \n"
    " mean average precision (mAP@0.50) = 0.{k:02d}1234, or 55.12 % \n"
)


@pytest.mark.parametrize(
    "layers",
    [
        "",
        LAYERS,
        "Region 82 Avg IOU: 0.3, Class: 0.4, Obj: 0.5, .5R: 0.1,  count: 4\n"
        "Region Avg IOU: 0.3, Class: 0.7, Avg Recall: 0.12, count: 8\n",
    ],
)
@pytest.mark.parametrize(
    "batch",
    [
        BATCH,
        "{s}: {batch:.6f}, {t:.6f} avg, 0.001000 rate, 3.112123 seconds, 640 images\n",
        "{s}: loss={batch:.3f}, avg loss={t:.5f}, rate=0.001000, 10 milliseconds, 64 images, time remaining=2 hours\n",
        "{s}: loss={batch:.3f}, avg loss={t:.5f}, last=68.62%, best=73.10%, mAP=700, rate=0.001, load 64=20.2 ms\n",
    ],
)
def test_of_darknet_the_mean_over_batches_is_read(batch, layers):
    found = curves("yolov4\nLearning Rate: 0.001, Momentum: 0.9\n" + written(layers + batch))
    assert found == {"train_loss": on_steps(TRAIN), "lr": on_steps(np.full(N, 0.001))}


def test_of_darknet_the_mean_precision_is_read():
    found = curves(written(LAYERS + BATCH + MAP + " Last accuracy mAP@0.50 = 99.00 %, best = 99.00 % \n"))
    assert found["train_loss"] == on_steps(TRAIN)
    assert found["val_metric"] == on_steps(np.arange(N) / 100 + 0.001234)


def test_a_loss_of_darknet_that_is_no_number_is_one():
    found = curves(written(BATCH) + " 210: -nan, -nan avg loss, 0.001000 rate, 3.1 seconds, 640 images\n")
    steps, losses = found["train_loss"]
    assert steps[-1] == 210
    assert np.isnan(losses[-1])


ROUND = "{s}:\tlearn: {t:.7f}\ttest: {v:.7f}\tbest: {v:.7f} ({s})\ttotal: 60ms\tremaining: 1m 3s\n"


def test_rounds_of_catboost():
    assert curves("Learning rate set to 0.03\n" + written(ROUND) + "\nbestTest = 0.2\nbestIteration = 280\n") == {
        "train_loss": on_steps(TRAIN),
        "val_loss": on_steps(VAL),
    }
    assert curves(written("{s}:\tlearn: {t:.7f}\ttotal: 60ms\tremaining: 3s\n")) == {"train_loss": on_steps(TRAIN)}


def test_what_catboost_makes_larger_is_no_loss():
    with pytest.raises(LogError):
        read_stdin("".join(f"{k}:\tlearn: 0.{k}\ttest: 0.{k}\ttotal: 60ms\n" for k in range(10, 40)).encode())


CLU = "I0501 10:10:10.123456 140123456789 logging_writer.py:48] [{s}] "


@pytest.mark.parametrize(
    ("train", "val"),
    [
        ("accuracy=0.5, loss={t:.5f}, steps_per_second=3.1\n", "eval_accuracy=0.4, eval_loss={v:.5f}\n"),
        ("collection=train loss={t:.5f}, timing/seconds=2\n", "collection=training_eval/c4 loss={v:.5f}, z_loss=1\n"),
    ],
)
def test_lines_of_clu_have_their_steps_and_sides(train, val):
    found = curves(written(CLU + train + CLU + val))
    assert found["train_loss"] == on_steps(TRAIN)
    assert found["val_loss"] == on_steps(VAL)


def test_batches_of_wenet_are_within_their_epoch():
    batches = "".join(
        f"2024-05-01 10:10:10,123 DEBUG TRAIN Batch {e}/{b} loss {9 / (e + 1 + b / 300):.6f} loss_ctc 8.1 rank 0\n"
        for e in range(12)
        for b in (0, 100, 200)
    )
    ends = [f"INFO Epoch {e} CV info cv_loss {9 / (e + 2):.5f}\n" for e in range(12)]
    lines = batches.splitlines(keepends=True)
    tested = "2024-05-01 10:10:11,123 DEBUG CV Batch 0/100 loss 1.0 history loss 1.0 rank 0\n"
    found = curves("".join(line for e in range(12) for line in (*lines[3 * e : 3 * e + 3], tested, ends[e])))
    steps, losses = found["train_loss"]
    assert len(steps) == 36
    assert losses == pytest.approx([9 / (e + 1 + b / 300) for e in range(12) for b in (0, 100, 200)], abs=1e-5)
    assert found["val_loss"] == (steps[2::3], pytest.approx([9 / (e + 2) for e in range(12)], abs=1e-4))


MATLAB = """Training on single CPU.
|=====================================================================================|
|  Epoch  |  Iteration  |  Time Elapsed  |  Mini-batch  |  Mini-batch  |  Validation  |  Base Learning  |
|         |             |   (hh:mm:ss)   |   Accuracy   |     Loss     |     Loss     |      Rate       |
|=====================================================================================|
"""


def test_the_table_of_matlab():
    row = "|       1 | {s:11d} |       00:01:12 |       57.81% | {t:12.4f} | "
    text = MATLAB + written(row + "{v:12.4f} |          0.0100 |\n") + "Training finished: Max epochs completed.\n"
    expected = {
        "train_loss": on_steps(TRAIN),
        "val_loss": on_steps(VAL),
        "train_metric": on_steps(np.full(N, 57.81)),
        "lr": on_steps(np.full(N, 0.01)),
    }
    assert curves(text) == curves(text.replace("\n", "\r\n")) == expected


def test_a_row_of_matlab_without_a_validation_is_one():
    row = "|       1 | {s:11d} |       00:01:12 |       57.81% | {t:12.4f} |              |          0.0100 |\n"
    text = written(row).replace("|              |", f"| {VAL[0]:12.4f} |", 1)
    found = curves(MATLAB + text)
    assert found["train_loss"] == on_steps(TRAIN)
    assert found["val_loss"] == ([10.0], [pytest.approx(VAL[0], abs=1e-4)])


def test_the_newer_table_of_matlab():
    heading = (
        "    Iteration    Epoch    TimeElapsed    LearnRate    TrainingLoss    ValidationLoss\n"
        "    _________    _____    ___________    _________    ____________    ______________\n"
    )
    row = "    {s:9d}        1       00:00:12       0.001    {t:12.4f}\n"
    rows = written(row).splitlines(keepends=True)
    rows[4] = rows[4].replace("\n", "          1.5\n")
    text = (
        heading + "            0        0       00:00:02       0.001                            2.5\n" + "".join(rows)
    )
    found = curves(text + "Training stopped: Max epochs completed\n")
    assert found == curves(text.replace("\n", "\r\n"))
    assert found["train_loss"] == on_steps(TRAIN)
    assert found["val_loss"] == ([0.0, 50.0], [2.5, 1.5])
