"""The rows of the training and of its validation put under one another: NaN fills each in the rows of the other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np

from curveclinic.intake.naming import parse
from curveclinic.points import BoolArray, FloatArray, IntArray, Points

if TYPE_CHECKING:
    from curveclinic.intake.cells import Column

_FEWEST: Final = 3
"""Rows above the training that are its validation's; fewer were evaluated before it began."""

Cells = tuple[IntArray, FloatArray]
"""Rows and the values in them."""


def unfilled(columns: Mapping[str, Column], steps: FloatArray) -> Mapping[str, Column]:
    """Returns the columns of a log without the NaN that fills rows of others; themselves where there is none.

    Args:
        columns: name -> column.
        steps: step of each row.
    """
    found = _fillers({name: (column.rows, column.values) for name, column in columns.items()}, steps)
    if not found:
        return columns
    out = dict(columns)
    for name, filler in found.items():
        out[name] = replace(out[name], rows=out[name].rows[~filler], values=out[name].values[~filler])
    return out


def without_fillers(table: Mapping[str, Points]) -> Mapping[str, Points]:
    """Returns raw series without the NaN that fills rows of others on the same steps."""
    axis = next((steps for steps, values in table.values() if steps is not None and _has_nan(values)), None)
    if axis is None:
        return table
    every = np.arange(len(axis))
    mates = {name: (every, values) for name, (steps, values) in table.items() if _is_axis(steps, axis)}
    found = _fillers(mates, axis)
    return {**table, **{name: (axis[~filler], table[name][1][~filler]) for name, filler in found.items()}}


def _has_nan(values: FloatArray) -> bool:
    return len(values) > 0 and bool(np.isnan(values[values.argmin()]))  # the first NaN, the fastest way


def _is_axis(steps: FloatArray | None, axis: FloatArray) -> bool:
    return steps is axis or (steps is not None and np.array_equal(steps, axis))


def _fillers(columns: Mapping[str, Cells], steps: FloatArray) -> dict[str, BoolArray]:
    """Returns which cells of columns only fill rows that belong to others; a column without such is left out.

    NaN fills a column in a part of the table in which it has no number, in the rows of columns that have theirs in one
    part only. Any other NaN was logged.
    """
    if not any(_has_nan(values) for _, values in columns.values()):
        return {}
    holed = {name: np.isnan(values) for name, (_, values) in columns.items() if parse(name).quantity}
    numbers = {name: columns[name][0][~hole] for name, hole in holed.items() if not hole.all()}
    begins = _parts(numbers, steps)
    if not begins:
        return {}
    parts = {name: np.unique(np.searchsorted(begins, rows, side="right")) for name, rows in numbers.items()}
    owned = np.concatenate(
        [numbers[name] for name, logged in parts.items() if len(logged) == 1] or [np.empty(0, dtype=np.int64)]
    )
    out = {}
    for name, logged in parts.items():
        rows, _ = columns[name]
        elsewhere = ~np.isin(np.searchsorted(begins, rows, side="right"), logged)
        filler = holed[name] & elsewhere & np.isin(rows, owned)
        if filler.any():
            out[name] = filler
    return out


def _parts(numbers: Mapping[str, IntArray], steps: FloatArray) -> list[int]:
    """Rows at which parts of a table begin, but for the first: a column does, and steps go back or it is the training.

    Args:
        numbers: rows in which each column has a number.
        steps: step of each row.
    """
    out = set()
    for name, rows in numbers.items():
        known, first = parse(name), int(rows[0])
        is_training = known.may_be_loss and known.split in ("train", "") and first >= _FEWEST
        if is_training or (first and steps[first] < steps[first - 1]):
            out.add(first)
    return sorted(out)
