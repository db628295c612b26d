"""Lines of console output that differ in their digits alone: understood once, and read as each would be by itself."""

import numpy as np
import pytest

from curveclinic.errors import LogError
from curveclinic.readers import console_layouts, read_stdin
from curveclinic.readers.console_lines import rows_of

PAIRS = {
    "digits of a name": ("Epoch 1 top1: 60.5 Acc@1 70.5", "Epoch 2 top5: 90.5 Acc@5 95.5"),
    "digits of what is said of a name": ("hit acc (top 1): 0.5", "hit acc (top 5): 0.7"),
    "a share of nothing": ("Accuracy: 0/10 loss: 0.5", "Accuracy: 7/10 loss: 0.4"),
    "a share of none": ("Accuracy: 7/10 loss: 0.5", "Accuracy: 0/00 loss: 0.4"),
    "a count with marks of thousands": ("Epoch 1 [1,640/9,000 (1%)] loss: 0.5", "Epoch 2 [2,640/9,000 (2%)] loss: 0.4"),
    "numbers behind places": (
        "Loss after epoch 3 of step 100: 0.52 (0.61)",
        "Loss after epoch 4 of step 200: 0.42 (0.51)",
    ),
    "means of an evaluation": ("Test: [1/5] Loss 0.5 (0.6)", "Test: [2/5] Loss 0.4 (0.5)"),
    "processes": ("[rank0] Epoch 1 loss: 0.5", "[rank1] Epoch 1 loss: 0.4"),
    "summed losses": (
        "Saving dict for global step 100: average_loss = 0.5, global_step = 100, loss = 64.5",
        "Saving dict for global step 200: average_loss = 0.4, global_step = 200, loss = 51.5",
    ),
    "bars": ("loss: 0.5: 50%|██  | 1/2 [00:01<00:01]", "loss: 0.4: 00%|██  | 2/2 [00:02<00:00]"),
    "dicts of losses": ("epoch 1 Losses {'ner': 12.5}", "epoch 2 Losses {'ner': 11.5}"),
    "words and numbers": ("loss: nan", "loss: inf"),
}


@pytest.mark.parametrize("name", PAIRS)
def test_a_line_is_read_as_it_is_by_itself(name):
    one, other = PAIRS[name]
    together, _ = rows_of([one, other, one])
    if name == "bars":
        assert [row["step"] for row in together] == ["1", "2", "1"]
    assert together == [row for line in (one, other, one) for row in rows_of([line])[0]]
    assert all(together)


def test_lines_that_are_alike_are_understood_once(monkeypatch):
    seen = []
    place_of = console_layouts.place_of
    monkeypatch.setattr(console_layouts, "place_of", lambda line: seen.append(line) or place_of(line))
    rows, _ = rows_of(
        f"Epoch {epoch:03d} train loss: {1 / epoch:.4f} val loss: 0.{epoch:04d}" for epoch in range(1, 900)
    )
    assert len(rows) == 899
    assert len(seen) <= 2


def test_layouts_of_prose_are_forgotten(monkeypatch):
    monkeypatch.setattr(console_layouts, "_MOST_LAYOUTS", 3)
    lines = [f"{'x' * (k % 7)} epoch {k} loss: {k}.5" for k in range(100)]
    assert rows_of(lines)[0] == [{"epoch": str(k), "loss": f"{k}.5"} for k in range(100)]


def test_a_letter_that_is_small_s_in_another_case_is_no_step():
    text = "".join(f"\u017f:{k} epoch {k} loss: {1 / (k + 1):.3f}\n" for k in range(30))
    try:
        (run,) = read_stdin(text.encode())
    except LogError as error:
        pytest.fail(str(error))
    np.testing.assert_allclose(run.channels["train_loss"].values, 1 / np.arange(1, 31), atol=1e-3)
