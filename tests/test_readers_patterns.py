"""The readers' own regular expressions take time in proportion to the text, whatever the text."""

import time
import timeit

import pytest

from curveclinic.readers import (
    console,
    console_bars,
    console_layouts,
    console_lines,
    console_pairs,
    console_places,
    console_tables,
    fairseq,
    mlflow_files,
    nnunet,
)

pytestmark = pytest.mark.slow  # times of a busy machine tell little

LONGER = 8
MOST = 24
"""Times as slow as a text of one eighth: 8 where the time is linear, 64 where it is quadratic."""

TEXTS = {
    "words of losses": (console._PRINTED, lambda n: "loss" * n),
    "short words of losses": (console._PRINTED, lambda n: "ce" * n),
    "blank lines before a table": (console._TABLE, lambda n: "\n" * n),
    "losses and what is said of them": (console._PRINTED, lambda n: "loss is " * n),
    "code": (console._CODE_LINE, lambda n: "for " + " in " * n),
    "blanks behind an axis": (console_places._AXIS, lambda n: "epoch" + " " * n + "x"),
    "blanks behind a place": (console_places._AXIS, lambda n: "epoch 1 /" + " " * n + "x"),
    "blanks in a count": (console_places._COUNT, lambda n: "[1/1" + " " * n + "x"),
    "brackets": (console_places._COUNT, lambda n: "[ " * n),
    "blanks behind a name": (console_pairs._PAIR, lambda n: "a b c d" + " " * n + "x"),
    "digits": (console_pairs._PAIR, lambda n: "loss " + "1" * n + "x"),
    "words": (console_pairs._PAIR, lambda n: "abc " * n),
    "commas": (console_pairs._PAIR, lambda n: "loss " + "1,1" * n + "x"),
    "headings": (console_pairs.HEADING, lambda n: "train " + " " * n),
    "bars": (console_bars._BAR, lambda n: "1%|" * n),
    "bars that begin a line": (console_bars._BAR, lambda n: "[=>" + "." * n + "] " * n),
    "dicts of losses": (console_pairs._OF_LOSSES, lambda n: "loss {" * n),
    "keys of losses": (console_pairs._KEY, lambda n: "'a" * n),
    "what is said about a name": (console_pairs._PAIR, lambda n: "loss (" * n + "a" * n),
    "words before a place": (console_places._WITHIN, lambda n: "a " + " " * n + "x"),
    "what goes on behind a place": (console_places._GOES_ON, lambda n: " " * n + ")" + " " * n + "x"),
    "what was": (console_layouts._RECALLS, lambda n: "best " * n),
    "glued bars": (console_lines._GLUED_BAR, lambda n: ".1" * n + "1" * n),
    "tables of classes": (console_tables._CLASSES, lambda n: "class images labels " + ": 1" * n),
    "names with digits": (console_layouts._NAMES, lambda n: "(a1 " * n),
    "cells in brackets": (console_tables._CELL, lambda n: "[" * n),
    "escapes": (console_lines._ESCAPES, lambda n: "\x1b[" * n),
    "titles": (console_lines._ESCAPES, lambda n: "\x1b]0;" * n),
    "openings of fairseq": (fairseq._LINE, lambda n: b"| a | {" * n),
    "broken lines of fairseq": (fairseq._BROKEN, lambda n: b'| a | {"epoch" ' * n),
    "numbers of nnU-Net": (nnunet._LINES[0][1], lambda n: "2024-01-01 00:00:00: train_loss " + "1" * n + "x"),
    "blanks in meta.yaml": (mlflow_files._LINE, lambda n: "a:" + "b" + " " * n + "c"),
}


def seconds(pattern, text, number):
    return min(timeit.repeat(lambda: pattern.sub(text[:0], text), time.process_time, repeat=5, number=number))


@pytest.mark.parametrize("name", TEXTS)
def test_time_grows_with_the_text(name):
    pattern, text = TEXTS[name]
    short, long = text(250), text(250 * LONGER)
    number = max(1, round(2e-3 / (seconds(pattern, short, 3) / 3 + 1e-7)))
    # a busy machine can spoil a comparison, not five: what is quadratic loses all of them
    assert any(seconds(pattern, long, number) < MOST * seconds(pattern, short, number) for _ in range(5))
