"""Console output in the layouts of many tools: which number is which channel, and at which step."""

import numpy as np
import pytest

from curveclinic.errors import LogError
from curveclinic.readers import read_stdin

N = 24
EPOCHS = np.arange(1, N + 1)
TRAIN = 2 * np.exp(-EPOCHS / 7) + 0.31
VAL = 2 * np.exp(-EPOCHS / 6) + 0.5 + np.maximum(0, EPOCHS - 12) * 0.02
HELD_OUT = 88 - 70 * np.exp(-EPOCHS / 5)
FITTED = 97 - 75 * np.exp(-EPOCHS / 5)
RATE = 1e-3 * np.cos(EPOCHS / N)
EXPECTED = {"train_loss": TRAIN, "val_loss": VAL, "train_metric": FITTED, "val_metric": HELD_OUT, "lr": RATE}

BOTH = "train_loss val_loss"

BEST = "Epoch {e}: train loss {t:.4f} val loss {v:.4f} val acc {h:.4f}\n"
TABLE = "{e:7d}  {t:.4f}  {v:.4f}  {h:.4f}\n"

LAYOUTS = {
    # a place between a name and its number
    "Keras guide": (
        "Start of epoch {e}\nTraining loss (for one batch) at step 0: {t:.4f}\nSeen so far: 64 samples\n"
        "Training acc over epoch: {f:.4f}\nValidation acc: {h:.4f}\n",
        "train_loss train_metric val_metric",
    ),
    "word2vec": ("Average loss at step  {b} :  {t:.6f}\n", "train_loss"),
    "after an iteration": ("Cost after iteration {b}: {t:.6f}\n", "train_loss"),
    "of an epoch": (
        "Training loss for epoch {e} is {t:.4f}\nValidation loss for epoch {e} is {v:.4f}\n",
        BOTH,
    ),
    "an epoch in brackets": (
        "Train loss (epoch {e}): {t:.4f}\nValid loss (epoch {e}): {v:.4f}\n",
        BOTH,
    ),
    # what is said about a name
    "a side in brackets": ("Epoch {e}: Loss (train): {t:.4f}, Loss (val): {v:.4f}\n", BOTH),
    "a side in square brackets": ("epoch {e} loss[train]={t:.4f} loss[val]={v:.4f}\n", BOTH),
    "flair": (
        "EPOCH {e} done: loss {t:.4f} - lr {r:.6f}\nDEV : loss {v:.7f} - f1-score (micro avg)  {h:.4f}\n",
        "train_loss val_loss val_metric lr",
    ),
    "a unit in brackets": (
        "Epoch {e} Loss: {t:.4f} Accuracy (%): {f:.2f} Val Loss: {v:.4f} Val Accuracy (%): {h:.2f}\n",
        "train_loss val_loss train_metric val_metric",
    ),
    "shares between bars": (
        "Epoch {e} | Train Loss: {t:.4f} | Train Acc: {f:.4f}% | Val. Loss: {v:.4f} | Val. Acc: {h:.4f} % | 3.2s\n"
        "mAP50: 100%|███| 4/4 [00:01<00:00]\nmAP50: 0% |     | 0/4\nmAP50: 25% |##   |\nmAP50: 100%| 4/4\n",
        "train_loss val_loss train_metric val_metric",
    ),
    # other languages
    "Chinese": (
        "Epoch {e}/24:\n  训练损失: {t:.4f} | 训练准确率: {f:.4f}\n"
        "  验证损失\uff1a{v:.4f} | 验证集准确率: {h:.4f}\n  学习率: {r:.6f}\n"
        "最佳验证损失: 0.0001\n",
        "train_loss val_loss train_metric val_metric lr",
    ),
    "Japanese": ("epoch {e}: 学習損失: {t:.4f}, 検証損失: {v:.4f}\n", BOTH),
    "Korean": ("Epoch {e}: 훈련 손실: {t:.4f}, 검증 손실: {v:.4f}\n", BOTH),
    "Russian": ("Epoch {e} Потери обучения: {t:.4f}, Потери валидации: {v:.4f}\n", BOTH),
    "French": ("Epoch {e} perte: {t:.4f} - perte de validation: {v:.4f}\n", BOTH),
    "Spanish": ("Epoch {e} pérdida: {t:.4f} - pérdida de validación: {v:.4f}\n", BOTH),
    "German": ("Epoch {e} Verlust: {t:.4f} Validierungsverlust: {v:.4f}\n", BOTH),
    "Russian with a preposition": (
        "Эпоха {e}/24\n" + "Потери на обучающей выборке: {t:.4f}\n" + "Потери на валидации: {v:.4f}\n",
        BOTH,
    ),
    "French with an article": ("Epoch {e} Perte d'entraînement : {t:.4f}, perte de validation : {v:.4f}\n", BOTH),
    "Spanish with a preposition": (
        "Epoch {e} pérdida en entrenamiento: {t:.4f} pérdida en validación: {v:.4f}\n",
        BOTH,
    ),
    "German with a preposition": (
        "Epoch {e}: Verlust auf Trainingsdaten: {t:.4f}, Verlust auf Validierungsdaten: {v:.4f}\n",
        BOTH,
    ),
    "prepositions without colons": ("Epoch {e}: loss on train {t:.4f}, loss on val {v:.4f}\n", BOTH),
    "Russian without colons": ("Эпоха {e}: потери на обучении {t:.4f}, потери на валидации {v:.4f}\n", BOTH),
    "French without colons": ("Epoch {e} perte d'entraînement {t:.4f}, perte de validation {v:.4f}\n", BOTH),
    "English with a preposition": ("Epoch {e}: loss on train: {t:.4f}, loss on validation set: {v:.4f}\n", BOTH),
    # an evaluation that does not say that it is one
    "PaddleOCR": (
        "[2022/09/29 02:59:23] ppocr INFO: epoch: [{e}/24], global_step: {b}, lr: {r:.6f}, acc: {f:.6f}, "
        "loss: {t:.6f}, avg_reader_cost: 0.75652 s, eta: 2:56:51\n"
        "[2022/09/29 02:59:27] ppocr INFO: cur metric, acc: {h:.6f}, norm_edit_dis: 0.87, fps: 433.1\n"
        "[2022/09/29 02:59:27] ppocr INFO: best metric, acc: 0.3, norm_edit_dis: 0.87, fps: 433.1, best_epoch: 1\n",
        "train_loss train_metric val_metric lr",
    ),
    # how far a bar is
    "torchtune": ("1|{b}|Loss: {t:.6f}:  9%|█ | {b}/3000 [10:00<1:00:00,  1.2s/it]\r", "train_loss"),
    "a bar of a metric": (
        "Epoch {e} train loss {t:.4f} val acc {h:.4f}\nval acc: 100%|███| 4/4 [00:01<00:00, 4.0it/s]\n",
        "train_loss val_metric",
    ),
    "bars of both sides": (
        "Epoch {e}/24\n100%|███| 391/391 [00:12<00:00, 31.1it/s, loss={t:.4f}, acc={f:.4f}]\n"
        "100%|███| 79/79 [00:02<00:00, 31.1it/s, loss={v:.4f}, acc={h:.4f}]\n",
        "train_loss val_loss train_metric val_metric",
    ),
    "kuangliu": (
        "Epoch: {e}\n [====>]  Step: 12ms | Tot: 1m2s | Loss: {t:.3f} | Acc: {f:.3f}% (4/5) 391/391 \n"
        " [====>]  Step: 2ms | Tot: 2s | Loss: {v:.3f} | Acc: {h:.3f}% (4/5) 100/100 \n",
        "train_loss val_loss train_metric val_metric",
    ),
    "one bar for all epochs": (
        "epoch {e}/80\nsteps:   2%|█ | {b}/8000 [01:40<1:05:00,  1.22s/it, avr_loss={t:.4f}]\n",
        "train_loss",
    ),
    "an epoch that was never finished": (
        "Epoch 1: 9%|█  | {e}/500 [00:12<01:23, 5.1it/s, loss={t:.4f}]\n",
        "train_loss",
    ),
    "Keras without its backspaces": (
        "Epoch {e}/24\n 9/24 [==>...] - ETA: 19s - loss: 9.1000 - acc: 0.2820 10/24 [==>...] - ETA: 1s - loss: 9.1000"
        " - acc: 0.282024/24 [======] - 1s 1ms/step - loss: {t:.4f} - val_loss: {v:.4f}\n",
        BOTH,
    ),
    "segmentation_models": (
        "Epoch: {e}\ntrain: 100%|███| 90/90 [00:10<00:00,  9.1it/s, dice_loss - {t:.4f}, iou_score - {f:.4f}]\n"
        "valid: 100%|███| 20/20 [00:02<00:00,  9.1it/s, dice_loss - {v:.4f}, iou_score - {h:.4f}]\n",
        "train_loss val_loss train_metric val_metric",
    ),
    # tables
    "Hugging Face in a notebook": ("{e}\t{t:.6f}\n", "train_loss"),
    "YOLOv5": (
        "     Epoch   gpu_mem       box       obj       cls     total    labels  img_size\n"
        "     {e}/24    0.868G   0.0639   0.01588  0.0096   {t:.5f}        36       640: 100%|█| 9/9 [00:48<00:00\n"
        "               Class      Images      Labels           P           R      mAP@.5  mAP@.5:.95: 100%|█| 7/7\n"
        "                 all         281        1550        0.23       0.328   {h:.4f}      0.0525\n",
        "train_loss val_metric",
    ),
    "YOLOv8": (
        "      Epoch    GPU_mem   box_loss   cls_loss   dfl_loss  Instances       Size\n"
        "        {e}/24      2.21G      {t:.4f}      0         0         20        640: 100%|███| 8/8 [00:02<00:00]\n"
        "                 Class     Images  Instances      Box(P      R      mAP50  mAP50-95): 100%|█| 4/4 [00:00]\n"
        "                   all        128        929      0.672      0.516      {h:.4f}      0.443\n",
        "train_loss val_metric",
    ),
    "rich": ("│ {e}     │ {t:.4f}     │ {v:.4f}   │ {h:.4f}  │\n", "train_loss val_loss val_metric"),
    "names with blanks": (TABLE, "train_loss val_loss val_metric"),
    "DeepXDE": ("{b:<10d}[{t:.6f}, 0.0e+00]    [{v:.6f}, 0.0e+00]    [{h:.4f}]\n", BOTH),
    "Chainer's bars below its table": (
        "{b:<11d} {t:<12.6g} {v:<12.6g}\n     total [####....] 11.67%\n     100 iter, 1 epoch / 20 epochs\n",
        BOTH,
    ),
    # names
    "spaCy's dict of losses": ("Losses {{'ner': {t:.6f}}}\n", "train_loss"),
    "a dict of losses of each side": (
        "epoch {e} train losses {{'ner': {t:.4f}}} val losses {{'ner': {v:.4f}}}\n",
        BOTH,
    ),
    "errors of both sides": ("Epoch {e}: Train RMSE: {t:.4f}, Val RMSE: {v:.4f}\n", BOTH),
    "OpenNMT": (
        "[2024-01-01 10:00:00,264 INFO] Step {b}/9000; acc:  {f:.4f}; ppl: 170.68; xent: {t:.4f}; 2214/2168 tok/s\n"
        "[2024-01-01 10:00:00,264 INFO] Validation perplexity: {p:.4f}\n"
        "[2024-01-01 10:00:00,264 INFO] Validation accuracy: {h:.4f}\n",
        "train_loss val_loss train_metric val_metric",
    ),
    "perplexities alone": ("Epoch {e} ; Perplexity {q:.4f}\nValidation perplexity: {p:.4f}\n", BOTH),
    "Marian": (
        "[2024-01-01 10:00:00] Ep. 1 : Up. {b} : Sen. 5,529,093 : Cost {t:.6f} : Time 817.42s : 2193.04 words/s\n"
        "[2024-01-01 10:00:00] [valid] Ep. 1 : Up. {b} : cross-entropy : {v:.4f} : new best\n",
        BOTH,
    ),
    "ESPnet": (
        "{b}epoch results: [train] acc={f:.4f}, loss={t:.4f}, [valid] acc={h:.4f}, loss={v:.4f}, time=3 s\n",
        "train_loss val_loss train_metric val_metric",
    ),
    "a bracket that opens no JSON": (
        "[ Info: Epoch {e}: train loss = {t:.4f}, test loss = {v:.4f}\n",
        BOTH,
    ),
    "a brace that opens no JSON": ("{{| Epoch: {e} (9/9) | Loss: {t:.4f} | 1.4 steps/s | }}\n", "train_loss"),
    "lines that begin with a pipe": (
        "| epoch {e:03d} | loss {t:.3f} | valid_loss {v:.3f} | wps 18438\n",
        BOTH,
    ),
    "a number that is padded": ("[{b:5d}] train loss: {t:.4f} | val loss: {v:.4f}\n", BOTH),
    # headings and blocks
    "coqui": (
        " > EPOCH: {e}/1000\n   --> TIME: 2024-01-01 10:00:10 -- STEP: 24/48 -- GLOBAL_STEP: {b}\n"
        "     | > loss: {t:.5f}  (9.00000)\n     | > current_lr: {r:.7f}\n\n"
        "  --> EVAL PERFORMANCE\n     | > avg_loader_time: 0.2 (+0)\n     | > avg_loss: {v:.6f} (-0.0123)\n",
        "train_loss val_loss lr",
    ),
    "OLMo": ("[step={b}/557000,epoch=0]\n    train/loss={t:.4f}\n    eval/loss={v:.4f}\n", BOTH),
    "TensorFlow's object detection": (
        "INFO:tensorflow:Step {b} per-step time 0.8s\nI0912 11:41:51 1 model_lib.py:705] Step {b} per-step time 0.8s\n"
        "INFO:tensorflow:{{'Loss/total_loss': {t:.7f},\n 'learning_rate': {r:.7f}}}\n"
        "I0912 11:41:51.9 1 model_lib.py:708] {{'Loss/total_loss': {t:.7f},\n 'learning_rate': {r:.7f}}}\n",
        "train_loss lr",
    ),
    "a heading without a colon": (
        "INFO - Epoch {e}\nINFO - trainer - Training\nloss: {t:.4f}\nINFO - trainer - Validating\nloss: {v:.4f}\n",
        BOTH,
    ),
    "a heading, a bar, a loss": (
        "Epoch {e} loss {t:.4f}\n***** Running validation *****\n100%|███| 4/4 [00:01<00:00, 3.1it/s]\nloss: {v:.4f}\n",
        BOTH,
    ),
    # what was
    "the best epoch": (BEST + "Best epoch: 3, val loss: 0.0123, val acc: 99.0\n", "train_loss val_loss val_metric"),
    "the best metric": (
        BEST + "INFO: best metric, val acc: 99.0, val loss: 0.0123\n",
        "train_loss val_loss val_metric",
    ),
    "a restored epoch": (BEST + "Restoring weights of epoch 3 (val loss 0.0123)\n", "train_loss val_loss val_metric"),
    "an epoch that is the best": ("New best! " + BEST, "train_loss val_loss val_metric"),
    "a mark behind the epoch": (
        "Epoch {e} (best so far): train loss {t:.4f} val loss {v:.4f}\n",
        BOTH,
    ),
}
HEADERS = {
    "Hugging Face in a notebook": "==((====))==  Unsloth | Num Epochs = 1\nStep\tTraining Loss\n",
    "rich": "┏━━━━━━━┳━━━━━━━━━━━━┓\n┃ Epoch ┃ Train Loss ┃ Val Loss ┃ Val Acc ┃\n┡━━━━━━━╇━━━━━━━━━━━━┩\n",
    "names with blanks": "  Epoch  Train Loss  Valid Loss  Valid Acc\n",
    "DeepXDE": "Step      Train loss              Test loss               Test metric\n",
    "Chainer's bars below its table": "iteration   main/loss   validation/main/loss\n",
}
COUNTED = {
    *("word2vec", "after an iteration", "torchtune", "one bar for all epochs", "DeepXDE", "OpenNMT", "Marian"),
    *("ESPnet", "a number that is padded", "Chainer's bars below its table", "coqui", "OLMo"),
    "PaddleOCR",
    "TensorFlow's object detection",
}
"""Layouts whose steps are 100, 200 and so on; those of the others are the epochs."""


def written(layout):
    return "".join(
        layout.format(
            e=e,
            b=100 * e,
            t=TRAIN[k],
            v=VAL[k],
            h=HELD_OUT[k],
            f=FITTED[k],
            r=RATE[k],
            p=np.exp(VAL[k]),
            q=np.exp(TRAIN[k]),
        )
        for k, e in enumerate(EPOCHS)
    )


@pytest.mark.parametrize("name", LAYOUTS)
def test_each_number_becomes_its_channel(name):
    layout, channels = LAYOUTS[name]
    (run,) = read_stdin((HEADERS.get(name, "") + written(layout)).encode())
    assert run.format == "text"
    assert set(run.channels) & {"train_loss", "val_loss", "grad_norm"} == set(channels.split()) & {
        "train_loss",
        "val_loss",
    }
    for channel in channels.split():
        series = run.channels[channel]
        np.testing.assert_allclose(series.values, EXPECTED[channel], rtol=2e-3, atol=6e-4, err_msg=channel)
        if name in COUNTED:
            assert series.steps.tolist() == (100 * EPOCHS).tolist(), channel
        elif name != "Keras guide":
            assert series.steps.tolist() == EPOCHS.tolist(), channel


def test_a_norm_of_weights_is_no_norm_of_gradients():
    for name in ("weight norm", "params norm", "Average key norm"):
        (run,) = read_stdin(written("step {b} loss {t:.4f} " + name + " 123.4\n").encode())
        assert set(run.channels) == {"train_loss"}


def test_bars_of_one_side_alone_are_no_validation():
    bars = (
        "100%|███| 391/391 [00:12<00:00, 31.1it/s, train_loss={t:.4f}]\n100%|███| 79/79 [00:02<00:00, loss={v:.4f}]\n"
    )
    (run,) = read_stdin(written("Epoch {e}\n" + bars).encode())
    np.testing.assert_allclose(run.channels["train_loss"].values, TRAIN, atol=1e-4)
    (run,) = read_stdin(written("Epoch {e}\n" + 2 * "100%|███| 9/9 [00:12<00:00, 31.1it/s, loss={t:.4f}]\n").encode())
    assert set(run.channels) == {"train_loss"}


def test_a_line_with_a_step_gives_it_to_those_below_it_alone():
    log = written("loss: {t:.4f}\nsaved a checkpoint at step {b}\n")
    (run,) = read_stdin(log.encode())
    assert run.channels["train_loss"].steps.tolist() == EPOCHS.tolist()


@pytest.mark.parametrize("head", ["[2024-01-01 10:00:00] starting\n", "[main] run 1\n", "[Errno 2] x\n"])
def test_a_log_without_a_loss_is_no_broken_json(head):
    with pytest.raises(LogError, match="no known log format"):
        read_stdin((head + written("tick {b} kimg {t:.1f}\n")).encode())


DOZEN = range(1, 13)


def log_of(*lines):
    """A log of lines, each repeated with its epoch and losses that fall."""
    return "".join(line.format(e=e, t=2 / e, v=2 / e + 0.1, last=e - 1) + "\n" for e in DOZEN for line in lines)


def points_in(text):
    (run,) = read_stdin(text.encode())
    return {name: len(series.values) for name, series in run.channels.items()}


@pytest.mark.parametrize(
    ("lines", "val"),
    [
        (["Epoch {e}/12, loss={t:.4f}"], False),
        (["Epoch #{e}, loss={t:.4f}, val_loss={v:.4f}"], True),
        (["step {e}/12 loss={t:.4f}"], False),
        (["Epoch {e} loss: {t:.4f}", "Evaluating..."], False),
        (["Epoch {e} loss: {t:.4f}", "***** Running evaluation *****"], False),
        (["Epoch {e} loss: {t:.4f}", "Evaluating...", "loss: {v:.4f}"], True),
        (["[best] Epoch {e}: loss {t:.4f}"], False),
        (["INFO (best) epoch {e} loss {t:.4f}"], False),
        (["Best acc: .9 | Epoch: {e} | loss: {t:.4f}"], False),
        (["Best val loss: 0.1, val loss: {v:.4f}, train loss: {t:.4f}"], True),
        (["Epoch {e} loss {t:.4f} val_loss {v:.4f}", "Best epoch: {last}, val_loss: 9.0"], True),
        (["Epoch {e} loss {t:.4f} val_loss {v:.4f}", "Restored epoch {last} (val_loss 9.0)"], True),
    ],
)
def test_lines_that_name_their_place_are_read_whatever_stands_before_it(lines, val):
    assert points_in(log_of(*lines)) == {"train_loss": 12} | ({"val_loss": 12} if val else {})


@pytest.mark.parametrize("trial", [0, 1])
@pytest.mark.parametrize("lengths", [(100, 20), (20, 100)])
def test_of_two_bars_that_take_turns_the_short_one_is_the_validation(lengths, trial):
    bar = "{0}/{0} [==============================] - 1s 2ms/step - loss: {1:.4f}\n"
    lines = [bar.format(20, 7.0)] * trial if lengths[0] == 100 else []
    for e in DOZEN:
        lines += [bar.format(n, 2 / e + (n == 20)) for n in lengths]
    (run,) = read_stdin("".join(lines).encode())
    np.testing.assert_allclose(run.channels["train_loss"].values, [round(2 / e, 4) for e in DOZEN])
    np.testing.assert_allclose(run.channels["val_loss"].values, [round(2 / e + 1, 4) for e in DOZEN])
    assert "bars of 100 and of 20 take turns: the shorter one is taken for the validation" in run.notes


def test_a_word_at_the_beginning_of_every_line_tells_of_no_earlier_epoch():
    assert points_in(log_of("[resumed] step {e} loss {t:.4f} val_loss {v:.4f}")) == {"train_loss": 11, "val_loss": 11}


def test_a_loss_that_was_not_logged_yet_leaves_the_others_of_its_row():
    rows = "".join(f"{e}\t{'No log' if e < 3 else 2 / e}\t{3 / e}\n" for e in DOZEN)
    assert points_in("Epoch\tTraining Loss\tValidation Loss\n" + rows) == {"train_loss": 10, "val_loss": 12}
