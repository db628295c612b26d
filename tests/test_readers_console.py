"""Console output in many layouts, the user's own patterns, and text that is no log."""

import json
from pathlib import Path

import numpy as np
import pytest

from curveclinic.cli import main
from curveclinic.errors import InputError, LogError
from curveclinic.readers import ReadOptions, console, find_sources, read_file, read_runs, read_stdin
from curveclinic.readers.console import compiled, sniff
from curveclinic.readers.source import Source

FIXTURES = Path(__file__).parent / "fixtures"


def channels(text, **options):
    (run,) = read_stdin(text.encode() if isinstance(text, str) else text, ReadOptions(**options))
    assert run.format == "text"
    return {name: (s.steps.tolist(), s.values.tolist()) for name, s in run.channels.items()}


LAYOUTS = {
    "one line an epoch": (
        "\n".join(f"Epoch {e}/10 ... loss: {1 / e:.2f} val_loss: {2 / e:.2f} lr: 1e-3" for e in (1, 2, 3)),
        {"train_loss": ([1, 2, 3], [1, 0.5, 0.33]), "val_loss": ([1, 2, 3], [2, 1, 0.67])},
    ),
    "pytorch mnist example": (
        "".join(
            f"Train Epoch: {e} [0/60000 (0%)]\tLoss: {3 - e}.5\nTrain Epoch: {e} [640/60000 (1%)]\tLoss: {3 - e}.25\n"
            f"\nTest set: Average loss: {2 / e:.1f}, Accuracy: 9{e}00/10000 (9{e}%)\n\n"
            for e in (1, 2)
        ),
        {
            "train_loss": ([0, 640, 1280, 1920], [2.5, 2.25, 1.5, 1.25]),
            "val_loss": ([640, 1920], [2.0, 1.0]),
            "val_metric": ([640, 1920], [0.91, 0.92]),
        },
    ),
    "pytorch cifar tutorial": (
        "".join(f"[{e}, {b:5d}] loss: {3 - e - b / 1e5:.3f}\n" for e in (1, 2) for b in (2000, 4000)),
        {"train_loss": ([2000, 4000, 6000, 8000], [1.98, 1.96, 0.98, 0.96])},
    ),
    "pytorch dcgan tutorial": (
        "".join(f"[{e}/2][{b}/100]\tLoss: {2 - e - b / 100:.2f}\tx\n" for e in (0, 1) for b in (0, 50)),
        {"train_loss": ([0, 50, 100, 150], [2.0, 1.5, 1.0, 0.5])},
    ),
    "a time before epoch and batch": (
        "".join(f"[10:0{e}:{b}] [{e}/2] [{b}/100] Loss: {2 - e - b / 100:.2f}\n" for e in (0, 1) for b in (0, 50)),
        {"train_loss": ([0, 50, 100, 150], [2.0, 1.5, 1.0, 0.5])},
    ),
    "pytorch transfer-learning tutorial": (
        "".join(
            f"Epoch {e}/24\n----------\ntrain Loss: {1 - e / 10:.4f} Acc: 0.{e}000\nval Loss: 0.{e}5 Acc: 0.{e}1\n\n"
            for e in (0, 1, 2)
        ),
        {
            "train_loss": ([0, 1, 2], [1.0, 0.9, 0.8]),
            "val_loss": ([0, 1, 2], [0.05, 0.15, 0.25]),
            "train_metric": ([0, 1, 2], [0.0, 0.1, 0.2]),
            "val_metric": ([0, 1, 2], [0.01, 0.11, 0.21]),
        },
    ),
    "pytorch quick start": (
        "".join(
            f"Epoch {e}\n----------\nloss: {3 - e}.5  [   64/60000]\nloss: {3 - e}.1  [ 6464/60000]\n"
            f"Test Error: \n Accuracy: {40 + e}.9%, Avg loss: {2 - e / 10:.6f} \n\n"
            for e in (1, 2)
        ),
        {
            "train_loss": ([64, 6464, 6528, 12928], [2.5, 2.1, 1.5, 1.1]),
            "val_loss": ([6464, 12928], [1.9, 1.8]),
            "val_metric": ([6464, 12928], [41.9, 42.9]),
        },
    ),
    "nanoGPT": (
        "".join(
            (f"step {i}: train loss {3 - i / 1e3:.4f}, val loss {3.5 - i / 1e3:.4f}\n" if i % 100 == 0 else "")
            + f"iter {i}: loss {2.9 - i / 1e3:.4f}, time 12.34ms, mfu 1.20%\n"
            for i in range(0, 710, 10)
        ),
        {
            "train_loss": (list(range(0, 710, 100)), [3, 2.9, 2.8, 2.7, 2.6, 2.5, 2.4, 2.3]),
            "val_loss": (list(range(0, 710, 100)), [3.5, 3.4, 3.3, 3.2, 3.1, 3.0, 2.9, 2.8]),
        },
    ),
    "nanoGPT, seldom evaluated": (
        "".join(
            (f"step {i}: train loss {3 - i / 1e3:.4f}, val loss {3.5 - i / 1e3:.4f}\n" if i % 100 == 0 else "")
            + f"iter {i}: loss {2.9 - i / 1e3:.4f}, time 12.34ms, mfu 1.20%\n"
            for i in range(0, 260, 50)
        ),
        {
            "train_loss": ([0, 50, 100, 150, 200, 250], [2.9, 2.85, 2.8, 2.75, 2.7, 2.65]),
            "val_loss": ([0, 100, 200], [3.5, 3.4, 3.3]),
        },
    ),
    "llm.c": (
        "".join(
            f"step {i:4d}/1000 | loss {7 - i / 100:.6f} (+1.2z)| norm 2.{i} (+0.1z)| lr 1.00e-0{i} | 12 ms\n"
            for i in (1, 2, 3)
        )
        + "val loss 5.5\n",
        {
            "train_loss": ([1, 2, 3], [6.99, 6.98, 6.97]),
            "val_loss": ([3], [5.5]),
            "lr": ([1, 2, 3], [0.1, 0.01, 0.001]),
            "grad_norm": ([1, 2, 3], [2.1, 2.2, 2.3]),
        },
    ),
    "Hugging Face dicts": (
        "{'loss': 2.5, 'grad_norm': 1.5, 'learning_rate': 5e-05, 'epoch': 0.5}\n{'eval_loss': 2.0, 'epoch': 1.0}\n"
        "{'loss': 1.5, 'grad_norm': nan, 'learning_rate': 4e-05, 'epoch': 1.0}\n"
        "{'loss': 1.25, 'grad_norm': 1.0, 'learning_rate': 3e-05, 'epoch': 1.5}\n"
        "{'train_runtime': 9.9, 'train_loss': 1.75, 'epoch': 1.5}\n",
        {"train_loss": ([0.5, 1, 1.5], [2.5, 1.5, 1.25]), "val_loss": ([1.0], [2.0])},
    ),
    "timm": (
        "".join(
            f"Train: 0 [{i:4d}/1251 (  {i}%)]  Loss: {7 - i}.0 (6.95)  Time: 1.2s  LR: 1.000e-06  Data: 0.5 (0.4)\n"
            for i in (0, 1, 2)
        )
        + "Test: [   0/49]  Time: 1.0 (1.0)  Loss:  0.9 (0.9)  Acc@1: 80.0 (80.0)\n"
        + "Test: [  49/49]  Time: 1.0 (1.0)  Loss:  0.5 (0.7)  Acc@1: 90.0 (85.0)\n",
        {"train_loss": ([0, 1, 2], [7, 6, 5]), "val_loss": ([2], [0.7]), "val_metric": ([2], [85.0])},
    ),
    "Megatron": (
        "".join(
            f" iteration      {i}00/  500000 | consumed samples:  256 | elapsed time per iteration (ms): 500.1 | "
            f"learning rate: 1.0E-0{i} | global batch size:   256 | lm loss: {9 - i}.5E+00 | loss scale: 1.0 | "
            f"grad norm: 2.{i} | number of skipped iterations:   0 |\n"
            for i in (1, 2, 3)
        )
        + "validation loss at iteration 300 | lm loss value: 6.75E+00 | lm loss PPL: 8.5E+02 |\n",
        {
            "train_loss": ([100, 200, 300], [8.5, 7.5, 6.5]),
            "lr": ([100, 200, 300], [0.1, 0.01, 0.001]),
            "grad_norm": ([100, 200, 300], [2.1, 2.2, 2.3]),
        },
    ),
    "python logging": (
        "".join(
            f"2024-06-17 22:30:0{e},153 - INFO - Epoch: {e} | Step: {s} | Train loss: {e}.5 | Eval loss: {e}.75\n"
            for e in (1, 2)
            for s in (100, 200)
        ),
        {
            "train_loss": ([100, 200, 300, 400], [1.5, 1.5, 2.5, 2.5]),
            "val_loss": ([100, 200, 300, 400], [1.75] * 2 + [2.75] * 2),
        },
    ),
    "old Keras": (
        "".join(
            f"Epoch {e}/3\n  32/1000 [>.............................] - ETA: 3s - loss: 9.0\r"
            f"1000/1000 [==============================] - 3s 3us/step - loss: {3 - e}.5 - val_loss: {4 - e}.5\n"
            f"Epoch 0000{e}: val_loss improved from 9.00000 to 8.00000, saving model to best.h5\n"
            for e in (1, 2, 3)
        ),
        {"train_loss": ([1, 2, 3], [2.5, 1.5, 0.5]), "val_loss": ([1, 2, 3], [3.5, 2.5, 1.5])},
    ),
    "tqdm, an epoch a bar": (
        "".join(
            f"Epoch {e}:  50%|█████     | 5/10 [00:01<00:01,  5.0it/s, loss=9.5]\r"
            f"Epoch {e}: 100%|██████████| 10/10 [00:02<00:00,  5.0it/s, loss={3 - e}.5]\n"
            for e in (0, 1, 2)
        ),
        {"train_loss": ([0, 1, 2], [3.5, 2.5, 1.5])},
    ),
    "tqdm, one bar": (
        "\r".join(f" {i}0%|███       | {i}00/1000 [00:01<00:09, 99.0it/s, loss={10 - i}.5]" for i in range(1, 5))
        + "\n",
        {"train_loss": ([100, 200, 300, 400], [9.5, 8.5, 7.5, 6.5])},
    ),
    "Lightning, all epochs on one line": (
        "\r".join(
            f"Epoch {e}: {p}0%|██| {p}/10 [00:01<00:00, 70.5it/s, v_num=0, train_loss={3 - e}.{p % 10}]"
            for e in (0, 1, 2)
            for p in (1, 5, 10)
        ),
        {"train_loss": ([0, 1, 2], [3.0, 2.0, 1.0])},
    ),
    "fastai": (
        "epoch     train_loss  valid_loss  accuracy  time    \n"
        + "".join(f"{e}         {2 - e / 2:.6f}    {3 - e / 2:.6f}    0.{e}00000  00:01     \n" for e in (0, 1, 2)),
        {
            "train_loss": ([0, 1, 2], [2, 1.5, 1]),
            "val_loss": ([0, 1, 2], [3, 2.5, 2]),
            "val_metric": ([0, 1, 2], [0, 0.1, 0.2]),
        },
    ),
    "YOLO": (
        "".join(
            "      Epoch    GPU_mem   box_loss   cls_loss   dfl_loss  Instances       Size\n"
            f"        {e}/3      0.53G      1.{e}       2.{e}       1.5         10    640:  50%|█ | 1/2 [00:01<0]\r"
            f"        {e}/3      0.53G      1.{e}       2.{e}       1.0         10    640: 100%|██| 2/2 [00:01<0]\n"
            for e in (1, 2, 3)
        ),
        {"train_loss": ([1, 2, 3], [4.2, 4.4, 4.6])},
    ),
    "dicts with a side": (
        "".join(
            f"{{'epoch': {e}, 'split': '{s}', 'loss': {4 - e}.{k}}}\n"
            for e in (1, 2, 3)
            for k, s in enumerate(("train", "val"))
        ),
        {"train_loss": ([1, 2, 3], [3.0, 2.0, 1.0]), "val_loss": ([1, 2, 3], [3.1, 2.1, 1.1])},
    ),
    "epoch, side, loss": (
        "".join(f"Epoch {e}, {s}, Loss: {4 - e}.{k}\n" for e in (1, 2, 3) for k, s in enumerate(("train", "valid"))),
        {"train_loss": ([1, 2, 3], [3.0, 2.0, 1.0]), "val_loss": ([1, 2, 3], [3.1, 2.1, 1.1])},
    ),
    "scikit-learn's MLP": (
        "".join(f"Iteration {i}, loss = {4 - i}.5\nValidation score: 0.{i}00000\n" for i in (1, 2, 3)),
        {"train_loss": ([1, 2, 3], [3.5, 2.5, 1.5]), "val_metric": ([1, 2, 3], [0.1, 0.2, 0.3])},
    ),
    "xgboost": (
        "".join(f"[{i}]\ttrain-logloss:0.{9 - i}5\teval-logloss:0.{9 - i}9\n" for i in range(4)),
        {"train_loss": ([0, 1, 2, 3], [0.95, 0.85, 0.75, 0.65]), "val_loss": ([0, 1, 2, 3], [0.99, 0.89, 0.79, 0.69])},
    ),
    "tensors": (
        "".join(f"epoch {e} loss: tensor({3 - e}.5, device='cuda:0', grad_fn=<NllLossBackward>)\n" for e in (0, 1, 2)),
        {"train_loss": ([0, 1, 2], [3.5, 2.5, 1.5])},
    ),
    "non-finite": (
        "step 1 loss: 2.0\nstep 2 loss: inf\nstep 3 loss: nan\nstep 4 loss: -1e+03\n",
        {"train_loss": ([1, 2, 3, 4], [2, np.inf, np.nan, -1000])},
    ),
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_layouts(name):
    text, expected = LAYOUTS[name]
    found = channels(text if text.endswith("\n") or "Lightning" in name else text + "\n")
    for channel, (steps, values) in expected.items():
        assert found[channel][0] == steps, channel
        assert np.allclose(found[channel][1], values, equal_nan=True), channel


def logged(folder):
    """(file, name, steps, values) of everything a tool was given to log."""
    for file, curves in json.loads((FIXTURES / folder / "expected.json").read_text()).items():
        for name, points in curves.items():
            yield file, name, [p[0] for p in points], [p[1] for p in points]


CHANNEL = {
    "loss": "train_loss",
    "eval_loss": "val_loss",
    "accuracy": "train_metric",
    "val_accuracy": "val_metric",
    "eval_accuracy": "val_metric",
    "learning_rate": "lr",
}


ROUNDS = {
    "tabs": "[{i}]\ttrain-{m}:{a}\teval-{m}:{b}\n",
    "spaces": "[{i}]  train-{m}:{a}  validation_1-{m}:{b}\n",
    "cross-validation": "[{i}]\ttrain-{m}:{a}+0.0123\ttest-{m}:{b}+0.1\n",
    "SageMaker": "[{i}]#011train-{m}:{a}#011validation-{m}:{b}\n",
    "LightGBM": "[{i}]\ttraining's {m}: {a}\tvalid_1's {m}: {b}\n",
    "LightGBM's cross-validation": "[{i}]\tcv_agg's train {m}: {a} + 0.01\tcv_agg's valid {m}: {b} + 0.02\n",
}


HEADS = (
    "",
    "Loading the data\nfit at 12:30\n",
    "[18:02:01] WARNING: src/learner.cc:627: Parameters { silent } might not be used.\n\n",
    "Training until validation scores don't improve for 10 rounds\n",
)


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("measure", ["rmse", "mae", "error", "merror", "rmsle", "mlogloss", "binary_logloss", "l2"])
@pytest.mark.parametrize("layout", ROUNDS)
def test_rounds_of_gradient_boosting(layout, measure, head, tmp_path):
    lines = (ROUNDS[layout].format(i=10 * i, m=measure, a=f"0.{9 - i}5", b=f"0.{9 - i}9") for i in range(4))
    path = tmp_path / "boost.log"
    path.write_text(head + "".join(lines))
    (run,) = read_file(path)
    assert run.format == "text"
    assert run.channels["train_loss"].values.tolist() == [0.95, 0.85, 0.75, 0.65]
    assert run.channels["val_loss"].values.tolist() == [0.99, 0.89, 0.79, 0.69]
    assert run.channels["val_loss"].steps.tolist() == [0, 10, 20, 30]


def test_errors_elsewhere_in_a_text_are_no_log():
    assert not sniff(b"".join(b"test %d, error: %d\n" % (i, i) for i in range(40)))
    with pytest.raises(LogError, match="no known log format"):
        read_stdin(b"".join(b"[%d] train-auc:0.%d\n" % (i, i) for i in range(40)))


def test_a_text_that_no_pattern_fits_is_told_of_patterns():
    with pytest.raises(LogError, match=r"no known log format; .*of a text log give a regular .*--pattern '\(\?P<step>"):
        read_stdin(b"".join(b"it %d : objektiv -> 0.%d\n" % (i, i) for i in range(40)))
    with pytest.raises(LogError, match=r"no known log format; expected one of [\w, ]+$"):
        read_stdin(b"\x00\x01\x02junk\xff" * 50)


@pytest.mark.parametrize("folder", ["keras_console", "transformers_console"])
def test_what_the_tools_print_is_what_they_logged(folder):
    seen = set()
    for file, name, steps, values in logged(folder):
        (run,) = read_file(FIXTURES / folder / file)
        series = run.channels[CHANNEL.get(name, name)]
        assert run.format == "text"
        assert np.allclose(series.steps, steps, rtol=1e-3), (file, name)
        assert np.allclose(series.values, values, rtol=1e-3, atol=5e-5), (file, name)
        seen.add((file, name))
    assert len(seen) >= 5


@pytest.mark.parametrize("kind", ["epochs", "iterations"])
def test_the_text_log_of_mmengine_equals_its_scalars(kind):
    (text,) = read_file(FIXTURES / f"mmengine/{kind}/20240611_120000.log")
    (scalars,) = read_file(FIXTURES / f"mmengine/{kind}/vis_data/scalars.json")
    assert set(text.channels) == set(scalars.channels) == {"train_loss", "val_metric", "lr"}
    for name, series in scalars.channels.items():
        assert text.channels[name].steps.tolist() == series.steps.tolist()
        assert np.allclose(text.channels[name].values, series.values, rtol=1e-4, atol=5e-5)


def test_the_text_log_of_mmcv_equals_its_json():
    (text,) = read_file(FIXTURES / "mmcv/20240611_120000.log")
    (lines,) = read_file(FIXTURES / "mmcv/20240611_120000.log.json")
    for name in ("train_loss", "val_loss", "lr"):
        assert text.channels[name].steps.tolist() == lines.channels[name].steps.tolist()
        assert np.allclose(text.channels[name].values, lines.channels[name].values, rtol=1e-3, atol=5e-5)


NO_LOGS = {
    "prose": "The loss fell to 0.5 in epoch 1.\nIn epoch 2 we saw a loss of 0.4.\nThen it rose.\n" * 5,
    "python": "import torch\n\ndef f():\n    loss = 0.5\n    return loss\n\nfor x in y:\n    print(x)\n" * 9,
    "test code": 'def test_a():\n    rows = [{"step": 1, "loss": 2.0}]\n    assert read(rows)\n    return 1\n' * 9,
    "markdown": "# Training\n\n```\nstep 1: loss 2.5\nstep 2: loss 2.4\nstep 3: loss 2.3\n```\n\n- [docs](x)\n",
    "config": "loss_weight: 1.0\nlr: 0.1\nepochs: 5\ntrain_batch: 3\nloss_scale: 2.0\n",
    "indented json": '[\n {\n  "epoch": 1,\n  "loss": 2.0\n }\n]\n',
    "json without its first brace": ' "history": [\n' + '  {\n   "epoch": 1,\n   "loss": 2.0\n  },\n' * 9,
    "two lines only": "step 1 loss: 2.0\nstep 2 loss: 1.0\n",
    "html": "<p>loss: 1.0</p>\n<p>loss: 1.0</p>\n<p>loss: 1.0</p>\n",
    "csv": "epoch,loss\n1,2.0\n2,1.0\n3,0.5\n",
    "jsonl": '{"epoch": 1, "loss": 2.0}\n' * 5,
}


@pytest.mark.parametrize("name", NO_LOGS)
def test_prose_code_and_other_formats_are_not_claimed(name):
    assert not sniff(NO_LOGS[name].encode())


def test_a_long_log_may_print_code():
    log = "".join(f"INFO Epoch {k} | Train loss: {9 / k:.3f}\n" + ">>> import metric\n" * 3 for k in range(1, 61))
    (run,) = read_stdin(log.encode(), ReadOptions())
    assert run.channels["train_loss"].values[:2].tolist() == [9.0, 4.5]


def test_our_own_source_is_no_log():
    root = Path(__file__).parent.parent
    folders = ("src", "model", "synth", "tests", "benchmarks", "docs", "examples")
    ours = [*root.glob("*.py"), *root.glob("*.md"), *(p for f in folders for p in (root / f).rglob("*.[pm][yd]"))]
    assert len(ours) > 100
    assert [p for p in ours if sniff(p.read_bytes()[:65536])] == []


def test_a_log_that_begins_with_other_things_is_found(tmp_path):
    lead = "".join(
        f"2024-06-17 14:43:{k % 60:02d},907 - INFO - size: torch.Size([32, 128, {k}])\n" for k in range(2000)
    )
    path = tmp_path / "app.log"
    path.write_text(lead + "".join(f"step {k} loss: {9 - k}.5\n" for k in range(4)))
    assert path.stat().st_size > 65536
    (run,) = read_file(path)
    assert run.channels["train_loss"].values.tolist() == [9.5, 8.5, 7.5, 6.5]
    path.write_text(lead)
    with pytest.raises(LogError, match=r"app\.log: no loss in 2,000 lines of text; give a regular expression"):
        read_file(path)
    assert [r.reason for r in read_runs([tmp_path])] == [f"{tmp_path}: no run in this folder"]


LEADS = {
    "NCCL": "node{k:02d}:{i}:{i} [{k}] NCCL INFO Channel {i}/0 : 1[1] -> 2[2] via P2P/CUMEM/read\n",
    "Slurm": "srun: job {i} queued and waiting for resources\n",
    "data": "[rank{k}] loaded shard {i}/4096 of the-pile in 0.{k}3s, 1.2 GB\n",
}


@pytest.mark.parametrize("lead", LEADS)
def test_a_log_that_says_nothing_of_a_training_at_first_is_found_by_its_end(lead, tmp_path):
    path = tmp_path / "slurm-12.out"
    said = "".join(LEADS[lead].format(i=i, k=i % 8) for i in range(2000))
    path.write_text(said + "".join(f"step {k} loss: {9 - k}.5\n" for k in range(4)))
    (run,) = read_runs(tmp_path)
    assert run.channels["train_loss"].values.tolist() == [9.5, 8.5, 7.5, 6.5]
    path.write_text(said + "the loss of one was 3, of another 4, of a third 5, of the last 6\n" * 99)
    assert [r.empty for r in read_runs(tmp_path)] == [True]


def test_a_long_document_that_ends_as_a_log_is_none(tmp_path):
    log = "".join(f"step {k} loss: {9 - k}.5\n" for k in range(40))
    (tmp_path / "page.html").write_text("<html>" + "<p>words</p>\n" * 9000 + log)
    (tmp_path / "notebook.ipynb").write_text('{"cells": [\n' + ' "words",\n' * 9000 + log)
    assert [r.empty for r in read_runs(tmp_path)] == [True]


def test_encodings():
    text = "".join(f"step {k} loss: {9 - k}.5 ✓\n" for k in range(4))
    for data in (text.encode("utf-16"), text.encode("utf-8-sig"), text.replace("\n", "\r\n").encode()):
        assert channels(data)["train_loss"] == ([0, 1, 2, 3], [9.5, 8.5, 7.5, 6.5])


COLOURS = {
    "before the number": "loss: \x1b[31m{}\x1b[0m",
    "around the pair": "\x1b[1;32mloss: {}\x1b[0m",
    "around the name": "\x1b[36mloss\x1b[0m: {}",
    "around each character": "\x1b[36mloss\x1b[39m\x1b[33m=\x1b[39m\x1b[1m{}\x1b[22m",
    "256 colours": "loss: \x1b[38;5;208m{}\x1b[m",
    "a title of the window": "\x1b]0;train.py\x07loss: {}",
    "a link": "\x1b]8;;file://train.py\x1b\\loss: {}\x1b]8;;\x1b\\",
}


@pytest.mark.parametrize("name", COLOURS)
def test_colours_are_seen_through(name):
    text = "".join(f"Epoch {k} " + COLOURS[name].format(f"{9 - k}.5") + "\n" for k in range(4))
    assert channels(text)["train_loss"] == ([0, 1, 2, 3], [9.5, 8.5, 7.5, 6.5])


def test_a_coloured_table_is_seen_through():
    rows = "".join(f"{k}  \x1b[32m{9 - k}.5\x1b[0m  \x1b[35m{9 - k}.75\x1b[0m\n" for k in range(4))
    assert channels("\x1b[1mepoch  train_loss  valid_loss\x1b[0m\n" + rows)["val_loss"][1] == [9.75, 8.75, 7.75, 6.75]


def test_a_number_cut_short_is_left_out_and_said():
    (run,) = read_stdin(b"step 1 loss: 2.5\nstep 2 loss: 2.25\nstep 3 loss: 2.125\nstep 4 loss: 1.06")
    assert run.channels["train_loss"].values.tolist() == [2.5, 2.25, 2.125]
    assert "the last line has no end: its last value may be cut short and is left out" in run.notes


def test_patterns_of_the_user():
    text = "s=1 T 3.5\ns=1 V 4.5 a=0.1\ns=2 T 2.5\ns=2 V 3.5 a=0.2\n"
    patterns = (r"s=(?P<step>\d+)", r"T (?P<train_loss>\S+)", r"V (?P<val_loss>\S+) a=(?P<val_accuracy>\S+)")
    assert channels(text, patterns=patterns) == {
        "train_loss": ([1, 2], [3.5, 2.5]),
        "val_loss": ([1, 2], [4.5, 3.5]),
        "val_metric": ([1, 2], [0.1, 0.2]),
    }
    one = r"s=(?P<step>\d+) (?:T (?P<loss>\S+)|V (?P<val_loss>\S+))"
    assert channels(text, patterns=(one,))["val_loss"] == ([1, 2], [4.5, 3.5])


def test_patterns_leave_other_formats_alone(tmp_path):
    (tmp_path / "a.csv").write_text("epoch,loss\n1,2\n2,1\n")
    (tmp_path / "b.txt").write_text("1> 3.5\n2> 2.5\n")
    options = ReadOptions(patterns=(r"^(?P<step>\d+)> (?P<loss>\S+)",))
    assert [(r.run_id, r.format) for r in read_runs([tmp_path], options)] == [("a.csv", "csv"), ("b.txt", "text")]


def test_bad_patterns_say_what_is_wrong(capsys, tmp_path):
    with pytest.raises(InputError, match=r"pattern '\(' is no regular expression"):
        compiled(["("])
    with pytest.raises(InputError, match="has no named group; expected such as"):
        compiled(["loss (.*)"])
    with pytest.raises(SystemExit, match="2"):
        main(["diagnose", str(tmp_path), "--pattern", "("])
    assert "is no regular expression" in capsys.readouterr().err


def test_pattern_on_the_command_line(tmp_path, capsys):
    (tmp_path / "x.log").write_text("".join(f"at {k}: {2.5 - k / 10:.2f}\n" for k in range(12)))
    assert main(["diagnose", str(tmp_path / "x.log"), "--json", "--pattern", r"at (?P<step>\d+): (?P<loss>\S+)"]) == 0
    assert json.loads(capsys.readouterr().out)["run_id"] == "x.log"


def test_twins_of_a_run_are_read_once():
    for folder, ids in (
        ("mmcv", ["20240611_120000.log.json"]),
        ("mmengine", ["epochs/vis_data/scalars.json", "iterations/vis_data/scalars.json"]),
    ):
        found = [s.run_id for s in find_sources(FIXTURES / folder)]
        assert [name for name in found if name != "expected.json"] == ids


@pytest.mark.parametrize("twin", ["", '{"lr": [1, 2]}\n', "no lines of JSON\n"])
@pytest.mark.parametrize(("log", "lines"), [("T.log", "T.log.json"), ("T.log", "vis_data/scalars.json")])
def test_a_text_log_is_read_where_its_twin_is_none(tmp_path, log, lines, twin):
    (tmp_path / "vis_data").mkdir()
    (tmp_path / lines).write_text(twin)
    (tmp_path / log).write_text("".join(f"epoch {k} loss: {2.5 - k / 10:.2f}\n" for k in range(12)))
    assert log in [source.run_id for source in find_sources(tmp_path)]
    (tmp_path / lines).write_text("".join(f'{{"epoch": {k}, "loss": {2.5 - k / 10:.2f}}}\n' for k in range(12)))
    assert [source.run_id for source in find_sources(tmp_path)] == [lines]


def test_long_lines_and_many_words_take_no_time():
    for line in (
        b"a" * 200_000,
        b"loss " * 40_000,
        b"epoch " * 40_000,
        b"1 " * 90_000,
        b"loss: " * 40_000,
        b"[ " * 90_000,
    ):
        data = line + b"\n" + line[:19_999] + b"\n" + b"step 1 loss: 2.0\nstep 2 loss: 1.0\nstep 3 loss: 1.5\n"
        (run,) = console.read(Source("x", "x", data=data), ReadOptions())
        assert run.channels["train_loss"].values.tolist()[-3:] == [2, 1, 1.5]
