"""Progress bars: of one that is drawn again and again the last state counts, or its own count is the step."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from curveclinic.intake.naming import parse
from curveclinic.readers.console_pairs import Row, telling

_BAR = re.compile(
    r"^\s*(\d+)/(\d+) +(?:[━\[]|- \S*s\b)|\d%\|[^|]*\| *(\d+)/(\d+) \[|^\s*\[=+>?\.*\].*\s(\d+)/(\d+)\s*$"
)
"""A progress bar of Keras, of tqdm or of those who followed kuangliu: done and total."""

_FEW_BARS = 2
"""More finished bars than this are an epoch each; else a bar's own count is the step."""

_MANY_STATES = 5
"""So many states of bars that were never finished are worth more than a bar or two that were."""


@dataclass(frozen=True)
class Line:
    """What one line says.

    Attributes:
        row: column -> number as text.
        done: how far a progress bar is; None where there is none.
        total: its length.
    """

    row: Row
    done: int | None = None
    total: int | None = None


def bar_in(line: str) -> tuple[slice, slice] | None:
    """Returns where a line says how far a progress bar is, and its length; None where there is none."""
    bar = _BAR.search(line)
    if not bar:
        return None
    done, total = (slice(*bar.span(group)) for group in range(1, _BAR.groups + 1) if bar[group])
    return done, total


def without_drawings(found: Sequence[Line]) -> tuple[list[Row], tuple[str, ...]]:
    """Returns rows as they are, and of bars the finished ones; and the note on what had to be guessed.

    The bars of a log with few finished ones give its steps.
    """
    rows, notes = _finished(found) if _is_bar_an_epoch(found) else (_states(found), ())
    tells = telling(rows)
    first = next((i for i, row in enumerate(rows) if tells(row)), len(rows))
    return rows[first:], notes  # what is printed before is the configuration


def _is_bar_an_epoch(found: Sequence[Line]) -> bool:
    """Whether bars begin anew with each epoch, and enough were finished."""
    bars = [line for line in found if line.done is not None]
    finished = sum(line.done == line.total for line in bars)
    epochs = len({line.row.get("epoch") for line in bars})
    if 2 * finished < epochs:
        return False  # one bar for all of them
    few = all("epoch" not in line.row for line in bars) or len(bars) - finished >= _MANY_STATES
    return finished > _FEW_BARS or not few


def _states(found: Sequence[Line]) -> list[Row]:
    return [line.row if line.done is None else {"step": str(line.done), **line.row} for line in found]


def _finished(found: Sequence[Line]) -> tuple[list[Row], tuple[str, ...]]:
    """Returns rows without those of unfinished bars; the short one of two in each epoch is that of the validation."""
    kept: list[Line] = []
    for line in found:
        if line.done is None:
            kept.append(line)
        elif line.done == line.total:
            line = replace(line, row={name: cell for name, cell in line.row.items() if name != "step"})
            if kept and _is_drawn_again(kept[-1], line):
                kept[-1] = line
            else:
                kept.append(line)
    return _with_second_bars(kept)


def _is_drawn_again(before: Line, line: Line) -> bool:
    """Whether a finished bar is the one before once more, with the validation."""
    epoch = line.row.get("epoch")
    same = epoch is not None and before.row.get("epoch") == epoch and before.total in (None, line.total)
    return same and before.row.keys() <= line.row.keys()


def _with_second_bars(kept: Sequence[Line]) -> tuple[list[Row], tuple[str, ...]]:
    """Returns rows, and the note on a guess: of bars in two lengths by turns the short ones are of the validation.

    They are where all name the same, of no side.

    A short one before all others, where a short one is the last as well, is a trial of the validation and left out.
    """
    bars = [line for line in kept if line.total is not None]
    lengths = [line.total for line in bars if line.total is not None]
    told = {name for line in bars for name in line.row if parse(name).quantity in ("loss", "metric")}
    take_turns = len(set(lengths)) == 2 and all(a != b for a, b in pairwise(lengths))
    if (
        not take_turns
        or len(bars) <= 2 * _FEW_BARS
        or any(parse(name).split for name in told)
        or not all(told <= line.row.keys() for line in bars)
    ):
        return [line.row for line in kept], ()
    short = min(lengths)
    trial = bars[0] if lengths[0] == lengths[-1] == short else None
    return [
        {f"val/{name}" if name in told and line.total == short else name: cell for name, cell in line.row.items()}
        for line in kept
        if line is not trial
    ], (f"bars of {max(lengths)} and of {short} take turns: the shorter one is taken for the validation",)
