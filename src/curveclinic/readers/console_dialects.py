"""Trainers that print as no other does, put as others put it: Darknet, CatBoost, CLU (Flax, T5X), WeNet, MATLAB.

What a line of theirs means is told by its place in it, or by the lines before it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from curveclinic.readers.console_pairs import NUMBER

_NUMBER = rf"(?i:{NUMBER})"

_BATCH = re.compile(
    rf"^[ \t]*(\d+): (?:loss=)?{_NUMBER}, (?:avg loss=)?({_NUMBER})(?: avg(?: loss)?)?,(?: .*?,)??"
    rf" (?:rate=)?({_NUMBER})\b.*$",
    re.MULTILINE,
)
"""` 7: 2.31, 3.12 avg loss, 0.001 rate, 2.1 seconds, 448 images`: of one batch, then the mean so far."""

_DETAIL = re.compile(r"^.*(?:\bRegion (?:\d+ )?Avg|^[ \t]*class_id = |^[ \t]*for conf_thresh ?=).*$", re.MULTILINE)
"""What Darknet says of one layer, one class, one threshold."""

_MEAN_AP = re.compile(rf"^[ \t]*mean average precision \(mAP@[\d.]+\) ?= ?({_NUMBER}).*$", re.MULTILINE)

_BOOSTED = re.compile(rf"^(\d+):[ \t]+learn: ({_NUMBER})(.*)$", re.MULTILINE)
"""`7:	learn: 0.51	test: 0.53	best: 0.53 (7)	total: 12ms	remaining: 40ms`."""
_TESTED = re.compile(r"(?<=\s)test(\d*):")

_CLU = re.compile(r"^.*logging_writer\.py:\d+\] \[(\d+)\] (?:collection=(\S+) )?", re.MULTILINE)
"""What stands before the numbers of a step: `I0501 ... logging_writer.py:48] [100] loss=0.5`."""

_WENET = re.compile(r"\bTRAIN Batch (\d+)/(?=\d+ )|^.* CV Batch \d+/\d+ .*$", re.MULTILINE)
"""`DEBUG TRAIN Batch 3/100 loss 9.1`: epoch and batch; the mean over those of `CV` comes at the end of an epoch."""

_HEADING = re.compile(r"^(\|[ \t]*Epoch[ \t]*\|[ \t]*Iteration[ \t]*\|.*)\n(\|.*\|)[ \t\r]*$", re.MULTILINE)
"""The names of the columns of MATLAB's table, in two lines."""
_BARRED = re.compile(r"^\|([ \t]*\d+[ \t]*\|.*\|)[ \t\r]*$", re.MULTILINE)

_RULED = re.compile(r"^([ \t]*Iteration {2,}.*)\n((?:[ \t]+_+)+)[ \t\r]*\n((?:[ \t]+\d.*\n)+)", re.MULTILINE)
"""The newer table of MATLAB: names, a rule below each, and rows in which cells may be blank."""
_RULE = re.compile(r"[ \t]+_+")


def in_common_words(text: str) -> str:
    """Returns a text in which the lines of these trainers are like those of others."""
    for marks, put in _DIALECTS:
        if any(mark in text for mark in marks):
            text = put(text)
    return text


def _of_darknet(text: str) -> str:
    return _DETAIL.sub("", _MEAN_AP.sub(r"val mAP: \1", _BATCH.sub(r"iteration \1, avg loss: \2, lr: \3", text)))


def _of_catboost(text: str) -> str:
    """What is boosted is not named: boosting makes a loss smaller, and a score larger."""
    rounds = _BOOSTED.findall(text)
    what = "score" if rounds and float(rounds[-1][1]) > float(rounds[0][1]) else "loss"
    return _BOOSTED.sub(
        lambda m: f"iteration {m[1]} learn_{what}: {m[2]}" + _TESTED.sub(rf"test\1_{what}:", m[3]), text
    )


def _of_clu(text: str) -> str:
    return _CLU.sub(lambda m: f"step {m[1]} " + ("" if not m[2] else "eval: " if "eval" in m[2] else "train: "), text)


def _of_wenet(text: str) -> str:
    return _WENET.sub(lambda m: f"TRAIN: epoch {m[1]} step " if m[1] else "", text)


def _of_matlab(text: str) -> str:
    return _BARRED.sub(lambda m: _bordered(m[0].split("|")[1:-1]), _HEADING.sub(_joined, text))


def _joined(heading: re.Match[str]) -> str:
    """The header in one line: a name is above its second half, beside a time there is its unit."""
    cells = zip(*(line.rstrip().split("|")[1:-1] for line in heading.groups()), strict=False)
    names = (f"{above.strip()} {'' if '(' in below else below.strip()}".strip() for above, below in cells)
    return _bordered([name.replace("Mini-batch", "Training") for name in names])


def _within_rules(table: re.Match[str]) -> str:
    """A table whose cells end where the rules of their columns do; as it is where some do not."""
    columns = [slice(*rule.span()) for rule in _RULE.finditer(table[2])]
    lines = (table[1], *table[3].splitlines())
    if not all(line[column.start : column.start + 1].strip() == "" for line in lines for column in columns):
        return table[0]
    return "".join(f"{_bordered([line[column].strip() for column in columns])}\n" for line in lines)


def _bordered(cells: list[str]) -> str:
    return f"│{'│'.join(cells)}│"


_DIALECTS: Final[tuple[tuple[tuple[str, ...], Callable[[str], str]], ...]] = (
    ((" avg, ", " avg loss, ", ", avg loss="), _of_darknet),
    (("\tlearn: ",), _of_catboost),
    (("logging_writer.py:",), _of_clu),
    ((" TRAIN Batch ",), _of_wenet),
    (("|  Iteration  |",), _of_matlab),
    (("    _________    _____    _",), lambda text: _RULED.sub(_within_rules, text)),
)
"""What is found in such a log, for a quick look, and what makes it common."""
