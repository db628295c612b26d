"""Progress bars: of one that is drawn again and again the last state counts, or its own count is the step."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from curveclinic.readers.console_pairs import Row, names_error, names_loss

_BAR = re.compile(r"^\s*(\d+)/(\d+) +(?:[━\[]|- \S*s\b)|\d%\|[^|]*\| *(\d+)/(\d+) \[")
"""A progress bar of Keras or of tqdm: done and total."""

_FEW_BARS = 2
"""More finished bars than this, without an epoch beside them, are an epoch each; else a bar's own count is the step."""


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


def bar_of(line: str) -> tuple[int | None, int | None]:
    """Returns how far a progress bar is, and its length; None and None where there is none."""
    bar = _BAR.search(line)
    done, total = (int(n) for n in bar.groups() if n is not None) if bar else (None, None)
    return done, total


def without_drawings(found: Sequence[Line]) -> list[Row]:
    """Rows as they are, and of bars the finished ones; the bars of a run without epochs give its steps."""
    finished = sum(line.done == line.total and "epoch" not in line.row for line in found if line.done is not None)
    rows = []
    for line in found:
        if line.done is None:
            rows.append(line.row)
        elif "epoch" in line.row or finished > _FEW_BARS:
            if line.done != line.total:
                continue
            row = {name: cell for name, cell in line.row.items() if name != "step"}
            if rows and "epoch" in row and rows[-1].get("epoch") == row["epoch"] and rows[-1].keys() <= row.keys():
                rows[-1] = row  # drawn once more, with the validation
            else:
                rows.append(row)
        else:
            rows.append({"step": str(line.done), **line.row})
    telling = names_loss if any(map(names_loss, rows)) else names_error
    first = next((i for i, row in enumerate(rows) if telling(row)), len(rows))
    return rows[first:]  # what is printed before is the configuration
