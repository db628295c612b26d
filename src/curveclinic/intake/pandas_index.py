"""The index of a pandas table: steps, and the runs of tables that were put under one another."""

from __future__ import annotations

from collections.abc import Iterable
from functools import reduce
from typing import Any, Final

import numpy as np

from curveclinic.intake.run_columns import RUN_COLUMNS, may_tell_run
from curveclinic.intake.sides import may_tell_side, part_of
from curveclinic.intake.step_names import axis_key
from curveclinic.points import BoolArray, FloatArray, IntArray

_RUN: Final = RUN_COLUMNS[0]
STEPS: Final = "index"
_SIDE: Final = "split"
"""What the levels without names are called that hold runs, steps, and parts of the data."""

_FEWEST: Final = 3
"""Rows, on average, of a run among joined ones."""

_LARGEST: Final = 2.0**53
"""Whole numbers beyond are no longer exact."""


def levels(index: Any) -> dict[str, Any]:
    """Returns name -> cells of the levels of an index that say more than the places of the rows.

    Of those without a name, texts tell runs, or training from validation; the numbers below them, or by themselves
    where they go up, are steps.
    """
    out: dict[str, Any] = {}
    unnamed = []
    for level, name in enumerate(index.names):
        cells = index.get_level_values(level)
        if name is None:
            unnamed.append(cells)
        elif isinstance(name, str) and (axis_key(name) or may_tell_run(name) or may_tell_side(name)):
            out.setdefault(name, cells)
    texts = [cells for cells in unnamed if cells.dtype.kind not in "iufMm" and index.nlevels > 1]
    runs = []
    for cells in (cells for cells in texts if 1 < cells.nunique() <= len(cells) / 2):
        if all(part_of(str(text)) for text in cells.unique()):
            out.setdefault(_SIDE, cells)
        else:
            runs.append(cells)
    if runs:
        out.setdefault(_RUN, reduce(lambda outer, inner: outer.astype(str) + "/" + inner.astype(str), runs))
    numbers = _numbers(unnamed[-1]) if unnamed else None
    if numbers is not None and (texts or not _starts(numbers).any()) and _says_more(numbers):
        out.setdefault(STEPS, unnamed[-1])
    return out


def level_notes(index: Any) -> list[str]:
    """Returns the note on numbers above another level that may tell runs, or epochs."""
    first = index.get_level_values(0) if index.nlevels > 1 and index.names[0] is None else None
    if first is None or first.dtype.kind not in "iuf" or first.nunique() < 2:
        return []
    return ["the first level of the index has no name: all rows are read as one run; call it 'run_id' if it tells runs"]


def _says_more(numbers: FloatArray) -> bool:
    return not np.array_equal(numbers, np.arange(len(numbers)))


def runs_below(index: Any, axis: str, steps: FloatArray) -> IntArray | None:
    """Returns the number of each row's run where an index starts over, as that of joined tables does; None for one run.

    Steps, where they are logged, must start over there, too: else a run was resumed. Rows that were joined
    one by one are one run.

    Args:
        index: the index of the rows.
        axis: name of the step column, "" for none.
        steps: step of each row.
    """
    numbers = _numbers(index) if index.nlevels == 1 else None
    if numbers is None:
        return None
    starts = _starts(numbers)
    n_starts = np.count_nonzero(starts)
    if not n_starts or (n_starts + 1) * _FEWEST > len(numbers) or (numbers[starts] != numbers[0]).any():
        return None
    if axis and (steps[starts] > steps[0]).any():
        return None
    return np.cumsum(starts)


def are_other_losses(losses: Iterable[IntArray], parts: IntArray) -> bool:
    """Says whether each part of a table holds losses that no other does: the training, and its validation below it.

    Args:
        losses: of each loss the rows in which it was logged.
        parts: the number of each row's part.
    """
    held = [np.unique(parts[rows]) for rows in losses if len(rows)]
    return len(held) > 1 and len(np.unique(np.concatenate(held))) > 1 and all(len(own) == 1 for own in held)


def _numbers(cells: Any) -> FloatArray | None:
    """The numbers of a level; None for texts, times and gaps, and for what is too large to be told apart."""
    if cells.dtype.kind not in "iuf":
        return None
    numbers = np.asarray(cells, dtype=np.float64)
    return numbers if len(numbers) and (np.abs(numbers) < _LARGEST).all() else None


def _starts(numbers: FloatArray) -> BoolArray:
    """(n,) rows whose number is not above that of the row before."""
    return np.append(False, numbers[1:] <= numbers[:-1])
