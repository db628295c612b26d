"""Commas in the numbers of text logs: decimal points, marks of thousands, and what parts one number from the next."""

import pytest

from curveclinic.readers import ReadOptions, read_stdin


def channels(text, **options):
    (run,) = read_stdin(text.encode() if isinstance(text, str) else text, ReadOptions(**options))
    assert run.format == "text"
    return {name: (s.steps.tolist(), s.values.tolist()) for name, s in run.channels.items()}


FALLING = (12345.5, 2345.25, 994.75, 20.5)


def spelt(value, style):
    text = f"{value:,.2f}"
    return {"comma": text.replace(",", "").replace(".", ","), "points": text.translate(str.maketrans(",.", ".,"))}.get(
        style, text
    )


@pytest.mark.parametrize("style", ["comma", "points", "thousands"])
@pytest.mark.parametrize(
    "line",
    [
        "Epoch {k} loss: {a} val_loss: {b}",
        "Epoch {k} - loss={a} - val_loss={b}",
        "Epoch {k}: loss: {a}, val_loss: {b}, done",
        "{{'epoch':{k},'loss':{a},'val_loss':{b}}}",
        "epoch={k},loss={a},val_loss={b}",
        "Epoch {k} train loss {a} ({a}) | val loss 0 ({b})",
    ],
)
def test_commas_within_numbers(line, style):
    lines = [
        line.format(k=k, a=spelt(value, style), b=spelt(value + 1, style)) + "\n" for k, value in enumerate(FALLING)
    ]
    found = channels("".join(lines))
    assert found["train_loss"] == ([0, 1, 2, 3], list(FALLING))
    assert found["val_loss"] == ([0, 1, 2, 3], [value + 1 for value in FALLING])


def test_decimal_commas_in_a_printed_table():
    rows = "".join(f"{k}  {9 - k},5  {9 - k},75\n" for k in range(4))
    found = channels("epoch  train_loss  valid_loss\n" + rows)
    assert (found["train_loss"][1], found["val_loss"][1]) == ([9.5, 8.5, 7.5, 6.5], [9.75, 8.75, 7.75, 6.75])


@pytest.mark.parametrize(
    "place",
    [
        "Step {:,}",
        "step {:,}/40,000",
        "iter: {:,} |",
        "global_step={:,},",
        "Train: [{:,}/40,000 (3%)]",
        "[{:,}/40,000]",
    ],
)
def test_steps_of_thousands(place):
    text = "".join(f"{place.format(step)} loss: {9 - k}.5\n" for k, step in enumerate((500, 1000, 12_000, 24_500)))
    (run,) = read_stdin(text.encode())
    series = run.channels["train_loss"]
    assert (series.steps.tolist(), series.values.tolist()) == ([500, 1000, 12_000, 24_500], [9.5, 8.5, 7.5, 6.5])
    assert not any("comma" in note or "left out" in note for note in run.notes)


def test_shares_of_thousands():
    text = "".join(f"Epoch {k} loss: 1.5\nTest set: Accuracy: {k},800/10,000 (98%)\n" for k in (1, 2, 3))
    assert channels(text)["val_metric"][1] == [0.18, 0.28, 0.38]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("step {k} loss: 0.5,{k} acc=0.9", 0.5),
        ("step={k},loss=0.5,acc=0.9,lr=1e-3", 0.5),
        ("{{'step':{k},'loss':0.5,'acc':0.9}}", 0.5),
        ("step {k} shape: [1,2] size (3,4) ids {{1,2}} loss: 0.5, acc: 0.9", 0.5),
        ("step {k} loss=0.5,0.25,0.125", 0.5),
        ("step {k} loss 5e-1,2e-1", 0.5),
        ("step {k} loss: 5, acc: 7,", 5),
    ],
)
def test_commas_between_numbers_part_them(line, expected):
    (run,) = read_stdin("".join(line.format(k=k) + "\n" for k in range(1, 5)).encode())
    series = run.channels["train_loss"]
    assert (series.steps.tolist(), series.values.tolist()) == ([1, 2, 3, 4], [expected] * 4)
    assert not any("comma" in note or "left out" in note for note in run.notes)


def test_a_comma_that_could_be_both_is_said():
    text = "".join(f"step {k} loss: {9 - k},345\n" for k in range(4))
    (run,) = read_stdin(text.encode())
    assert run.channels["train_loss"].values.tolist() == [9345, 8345, 7345, 6345]
    assert "loss: commas are taken for marks of thousands ('9,345' for 9345)" in run.notes
    (run,) = read_stdin((text + "step 4 loss: 0,345\n").encode())
    assert run.channels["train_loss"].values.tolist() == [9.345, 8.345, 7.345, 6.345, 0.345]


def test_commas_that_nothing_explains_are_left_out_and_said():
    text = "".join(f"step {k} loss: {9 - k}.5\n" for k in range(4)) + "step 4 loss: 4,25\nstep 5 loss: 12,34,567\n"
    (run,) = read_stdin(text.encode())
    assert run.channels["train_loss"].values.tolist() == [9.5, 8.5, 7.5, 6.5]
    assert "loss: left out 2 cells that are not numbers ('4,25', '12,34,567')" in run.notes


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        ([f"{900 - 10 * k},{500 - 10 * k},{101 - k}" for k in range(4)], [900, 890, 880, 870]),
        (["3,1.1", "0.5,0.4", ".3,.2"], [3, 0.5, 0.3]),
    ],
)
def test_of_lists_of_numbers_the_first_is_read(cells, expected):
    (run,) = read_stdin("".join(f"step {k} loss: {cell}\n" for k, cell in enumerate(cells)).encode())
    assert run.channels["train_loss"].values.tolist() == expected


def test_an_epoch_and_a_batch_are_no_decimal_number():
    text = "".join(f"epoch {e},{b} loss: {9 - e}.{b}\n" for e in (1, 2) for b in (1, 5))
    (run,) = read_stdin(text.encode())
    assert run.channels["train_loss"].steps.tolist() == [1, 2, 3, 4]
    assert "epoch: what its commas mean is not told ('1,1') and the column is left out" in run.notes


@pytest.mark.parametrize("end", ["2,0", "2,", "2"])
def test_a_decimal_comma_cut_short_is_left_out(end):
    (run,) = read_stdin(("".join(f"step {k} loss: {9 - k},5\n" for k in range(4)) + "step 4 loss: " + end).encode())
    assert run.channels["train_loss"].values.tolist() == [9.5, 8.5, 7.5, 6.5]
    assert "the last line has no end: its last value may be cut short and is left out" in run.notes


def test_patterns_of_the_user_find_commas_too():
    text = "".join(f"T {9 - k},5\n" for k in range(4))
    assert channels(text, patterns=(r"T (?P<loss>\S+)",))["train_loss"][1] == [9.5, 8.5, 7.5, 6.5]
