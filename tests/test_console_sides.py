"""Console output that says the side of a loss somewhere else than right before its name."""

import numpy as np
import pytest

from curveclinic import predict_pathology
from curveclinic.readers import read_file, read_stdin

N = 60
EPOCHS = np.arange(N)
TRAIN = 2 * np.exp(-EPOCHS / 12) + 0.05
VAL = 2 * np.exp(-EPOCHS / 10) + 0.5 + np.maximum(0, EPOCHS - 20) * 0.015
SCORE = 80 - 60 * np.exp(-EPOCHS / 6)

CAFFE = (
    "I0101 10:00:00.0 1 solver.cpp:341] Iteration {b}, Testing net (#0)\n"
    "I0101 10:00:00.0 1 data_layer.cpp:73] Restarting data prefetching from start.\n"
    "I0101 10:00:00.0 1 solver.cpp:409]     Test net output #0: accuracy = {a:.4f}\n"
    "I0101 10:00:00.0 1 solver.cpp:409]     Test net output #1: loss = {v:.4f} (* 1 = {v:.4f} loss)\n"
    "I0101 10:00:00.0 1 solver.cpp:237] Iteration {b}, loss = {t:.4f}\n"
    "I0101 10:00:00.0 1 solver.cpp:253]     Train net output #0: loss = {t:.4f} (* 1 = {t:.4f} loss)\n"
    "I0101 10:00:00.0 1 sgd_solver.cpp:106] Iteration {b}, lr = 0.01\n"
    "I0101 10:00:00.0 1 solver.cpp:237] Iteration {c}, loss = {t:.4f}\n"
    "I0101 10:00:00.0 1 solver.cpp:253]     Train net output #0: loss = {t:.4f} (* 1 = {t:.4f} loss)\n"
)
DEIT = (
    "Epoch: [{e}]  [  0/100]  eta: 0:01:00  lr: 0.000100  loss: {t:.4f} ({t:.4f})  time: 0.5  max mem: 1000\n"
    "Epoch: [{e}]  [ 50/100]  eta: 0:01:00  lr: 0.000100  loss: {t:.4f} ({t:.4f})  time: 0.5  max mem: 1000\n"
    "Epoch: [{e}] Total time: 0:01:00 (0.1 s / it)\n"
    "Averaged stats: lr: 0.000100  loss: {t:.4f} ({t:.4f})\n"
    "Test:  [ 0/50]  eta: 0:00:10  loss: 9.9000 ({v:.4f})  acc1: 70.0 ({a:.4f})  time: 0.1\n"
    "Test: Total time: 0:00:10 (0.1 s / it)\n"
)
ACCURACY = "* Acc@1 {a:.4f} Acc@5 90.0 loss {v:.4f}\nAccuracy of the network on the 5000 test images: 7.0%\n"
IMAGENET = (
    "Epoch: [{e}][ 50/100]\tTime  0.1 (  0.1)\tLoss {t:.4f} ({t:.4f})\tAcc@1  90.00 ( 90.00)\n"
    "Test: [ 50/100]\tTime  0.1 (0.1)\tLoss {v:.4f} ({v:.4f})\tAcc@1  11.00 ( 12.00)\n"
)
ESTIMATOR = (
    "INFO:tensorflow:loss = {t:.4f}, step = {b}\n"
    "INFO:tensorflow:global_step/sec: 80.1\n"
    "INFO:tensorflow:loss = {t:.4f}, step = {c} (1.2 sec)\n"
    "INFO:tensorflow:Starting evaluation at 2018-10-16-01:02:49\n"
    "INFO:tensorflow:Saving dict for global step {d}: accuracy = {a:.4f}, average_loss = 0.01, global_step = {d}, "
    "loss = {v:.4f}\n"
)
ITERATION = (
    " iteration {b}/ 6000 | learning rate: 1.0E-04 | lm loss: {t:.6E} | loss scale: 1.0 | grad norm: 1.2 |\n-----\n"
)
MEGATRON = ITERATION + " validation loss at iteration {b} | lm loss value: {v:.6E} | lm loss PPL: {p:.6E} | \n-----\n"
NEOX = (
    ITERATION + " validation results at iteration {b} | lm_loss value: {v:.6E} | lm_loss_ppl value: {p:.6E} | \n-----\n"
)
TITAN = (
    "[rank0]:2024-01-01 10:00:00,1 - root - INFO - step: {e}  loss: {t:.4f}  grad_norm:  1.2  memory: 10.00GiB(10.1%)\n"
    "[rank0]:2024-01-01 10:00:00,1 - root - INFO - validate step: {e}  loss: {v:.4f}  memory: 10.00GiB(10.1%)\n"
)
VAE = (
    "Train Epoch: {e} [0/60000 (0%)]\tLoss: {t:.4f}\nTrain Epoch: {e} [12800/60000 (21%)]\tLoss: {t:.4f}\n"
    "====> Epoch: {e} Average loss: {t:.4f}\n====> Test set loss: {v:.4f}\n"
)
TUTORIAL = "EPOCH {e}:\n  batch 1000 loss: {t:.4f}\n  batch 2000 loss: {t:.4f}\nLOSS train {t:.16f} valid {v:.16f}\n"
LITGPT = "Epoch 1 | iter {e} step {e} | loss train: {t:.4f}, val: {v:.4f} | iter time: 100.1 ms (step)\n"

LOGS = {
    "DeiT": (DEIT + ACCURACY, None),
    "DETR": (DEIT + "Averaged stats: class_error: 9.0  loss: 9.9000 ({v:.4f})  loss_ce: 0.5 (0.5)\n", None),
    "a logger before the summary": (DEIT + "[2021-01-01 10:00:00 swin](main.py 310): INFO  " + ACCURACY, None),
    "the ImageNet example": (IMAGENET + " *   Acc@1 {a:.4f} Acc@5 90.1\n", None),
    "TensorFlow's Estimator": (ESTIMATOR, 100 * EPOCHS + 80),
    "torchtitan": (TITAN, EPOCHS),
    "Caffe": (CAFFE, 100 * EPOCHS),
    "Megatron-LM": (MEGATRON, 100 * EPOCHS),
    "GPT-NeoX": (NEOX, 100 * EPOCHS),
    "sets": ("Epoch {e} Train set loss: {t:.4f} Validation set loss: {v:.4f}\n", EPOCHS),
    "the VAE example": (VAE, None),
    "the VAE example, means alone": ("====> Epoch: {e} Average loss: {t:.4f}\n====> Test set loss: {v:.4f}\n", EPOCHS),
    "PyTorch's tutorial": (TUTORIAL, None),
    "PyTorch's tutorial, epochs alone": ("EPOCH {e}:\nLOSS train {t:.16f} valid {v:.16f}\n", EPOCHS),
    "litgpt": (LITGPT, EPOCHS),
    "values of losses": ("Epoch {e} | Loss value {t:.4f} | Validation loss value {v:.4f}\n", EPOCHS),
    "a bar of the evaluation": (
        "Training: 100%|███| 9/9 [00:05<00:00, loss={t:.4f}]\nEvaluating: 100%|███| 9/9 [00:05<00:00, loss={v:.4f}]\n",
        None,
    ),
    "a block below a heading": ("Epoch {e}\nloss: {t:.4f}\nValidation:\n  acc: {a:.4f}\n  loss: {v:.4f}\n", EPOCHS),
}
"""Layout -> one epoch of it, and the steps of its evaluations where they are plain."""


def written(layout, first=0):
    return "".join(
        layout.format(
            e=e, b=100 * e, c=100 * e + 50, d=100 * e + 80, t=TRAIN[e], v=VAL[e], p=np.exp(VAL[e]), a=SCORE[e]
        )
        for e in range(first, N)
    )


@pytest.mark.parametrize("name", LOGS)
def test_both_sides_are_read_and_judged(name, tmp_path):
    layout, steps = LOGS[name]
    path = tmp_path / "train.log"
    path.write_text(written(layout))
    (run,) = read_file(path)
    assert (run.format, run.kind) == ("text", "ordinary")
    train, val = run.channels["train_loss"], run.channels["val_loss"]
    np.testing.assert_allclose(val.values, VAL, atol=1e-4)
    assert steps is None or val.steps.tolist() == steps.tolist()
    assert set(np.round(train.values, 4)) == set(np.round(TRAIN, 4))
    (found,) = [f for f in predict_pathology(run).findings if f.label == "overfitting"]
    assert 20 <= np.searchsorted(val.steps, found.onset) <= 26
    (piped,) = read_stdin(path.read_bytes())
    assert piped.channels["val_loss"].values.tolist() == val.values.tolist()


@pytest.mark.parametrize(
    "name", ["DeiT", "the ImageNet example", "Caffe", "TensorFlow's Estimator", "a block below a heading"]
)
def test_the_score_of_the_summary_is_that_of_the_evaluation(name):
    (run,) = read_stdin(written(LOGS[name][0]).encode())
    np.testing.assert_allclose(run.channels["val_metric"].values[-59:], SCORE[1:], atol=1e-4)
    assert "train_metric" not in run.channels or set(run.channels["train_metric"].values) == {90.0}


def test_what_sums_up_the_training_stays_with_it():
    log = written("Epoch: [{e}]  [ 50/100]  loss: {t:.4f} ({t:.4f})\nAveraged stats: loss: {v:.4f} ({v:.4f})\n")
    (run,) = read_stdin(log.encode())
    assert "val_loss" not in run.channels
    np.testing.assert_allclose(run.channels["train_loss"].values, VAL, atol=1e-4)


def test_a_test_between_two_lines_of_the_training_has_its_own_step():
    test = "Iteration {d}, Testing net (#0)\n    Test net output #0: loss = {v:.4f} (* 1 = {v:.4f} loss)\n"
    (run,) = read_stdin(written("Iteration {b}, loss = {t:.4f}\n" + test).encode())
    assert run.channels["train_loss"].steps.tolist() == (100 * EPOCHS).tolist()
    assert run.channels["val_loss"].steps.tolist() == (100 * EPOCHS + 80).tolist()


def test_a_side_alone_takes_the_name_before_it_only_where_that_ends_in_a_side():
    (run,) = read_stdin(written("Epoch {e} loss: {t:.4f}, val: {a:.4f}\n").encode())
    assert list(run.channels) == ["train_loss"]
    (run,) = read_stdin(written("Epoch {e} loss train: {t:.4f} (seconds val: {a:.4f})\n").encode())
    assert list(run.channels) == ["train_loss"]
    both = "Epoch {e} loss train: {t:.4f}, val: {v:.4f} acc train: 0.9, val: {a:.4f}\n"
    (run,) = read_stdin(written(both).encode())
    np.testing.assert_allclose(run.channels["val_metric"].values, SCORE, atol=1e-4)


def test_lines_beside_a_block_are_not_of_it():
    log = written("Epoch {e}\n  Validation:\n    loss: {v:.4f}\n  loss: {t:.4f}\n")
    (run,) = read_stdin(log.encode())
    np.testing.assert_allclose(run.channels["train_loss"].values, TRAIN, atol=1e-4)


INDENTED = (
    "    Iter 1: loss 2.5\n    Iter 2: loss 2.2\nValidation:\n    loss: 2.4\n    Iter 3: loss 2.0\n"
    "    Iter 4: loss 1.8\nValidation:\n    loss: 2.1\n    Iter 5: loss 1.6\n    Iter 6: loss 1.5\n"
)


def test_a_block_ends_at_the_first_line_with_a_place_of_its_own():
    (run,) = read_stdin(INDENTED.encode())
    train, val = run.channels["train_loss"], run.channels["val_loss"]
    assert (train.steps.tolist(), train.values.tolist()) == ([1, 2, 3, 4, 5, 6], [2.5, 2.2, 2.0, 1.8, 1.6, 1.5])
    assert (val.steps.tolist(), val.values.tolist()) == ([2, 4], [2.4, 2.1])
    (run,) = read_stdin(written("Iter {e}: loss {t:.4f}\n    loss {t:.4f}\n").replace("Iter", "  Iter").encode())
    assert "val_loss" not in run.channels


@pytest.mark.parametrize(
    "line", ["    Iter {e}: loss {t:.4f}\n", "    loss: {t:.4f}\n", "    {e}/60 [==] - loss: {t:.4f}\n"]
)
def test_an_indented_log_is_not_of_the_heading_above_it(line):
    (run,) = read_stdin(("Train on 5000, validate on set:\n" + written(line)).encode())
    np.testing.assert_allclose(run.channels["train_loss"].values[-59:], TRAIN[1:], atol=1e-4)
    assert "val_loss" not in run.channels or len(run.channels["val_loss"].values) == 1


@pytest.mark.parametrize(
    "end",
    ["{a:.4f} (acc)", "{a:.4f} acc", "{a:.4f} acc | lr: 0.1", "{a:.4f}%", "{a:.4f} samples/s", "{a:.4f} s lr: 0.1"],
)
def test_a_side_alone_with_a_unit_is_no_loss(end):
    (run,) = read_stdin(written("Epoch {e} | Loss Train: {t:.4f} | Val: " + end + "\n").encode())
    assert "val_loss" not in run.channels
    np.testing.assert_allclose(run.channels["train_loss"].values, TRAIN, atol=1e-4)


@pytest.mark.parametrize(
    "after",
    [
        "eval: 12 samples/s, val_loss: {v:.4f}",
        "eval: 12, val_loss: {v:.4f}",
        "val: {v:.4f}, val_box_loss: 0.1",
        "val: {v:.4f} time: 1.5",
        "val {v:.4f} lr 0.1",
        "val: {v:.4f} train acc: 0.9",
    ],
)
def test_the_loss_a_line_names_goes_before_a_side_alone(after):
    (run,) = read_stdin(written("Epoch {e} loss train: {t:.4f}, " + after + "\n").encode())
    np.testing.assert_allclose(run.channels["val_loss"].values, VAL, atol=1e-4)


def test_one_side_alone_is_carried():
    (run,) = read_stdin(written("Epoch {e} loss train: {t:.4f}, val: {v:.4f}, test: 12\n").encode())
    assert not any(12 in channel.values for channel in run.channels.values())
