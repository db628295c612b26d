"""Isolated upward jumps with recovery: where they are, how high, how many."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np

from curveclinic.measuring.measures import CELLS, Cells
from curveclinic.measuring.smoothing import (
    Tables,
    row_count,
    row_max,
    row_mean,
    row_spread,
    rows_of,
    take_columns,
    windowed,
    windows,
)
from curveclinic.ragged import BoolArray, FloatArray, IntArray

_NOISE = 6.0
"""Standard deviations of single points that a jump must exceed."""

_SPREAD = 0.12
"""Share of the curve's range that a jump must exceed to be seen in a plot."""

_LEVEL = 0.05
"""Share of the typical level that a jump must exceed; in the log view 5 % are 0.05."""

_ISOLATED = 5.0
"""A jump is this many times as high as the mean of what sticks out around it: ringing and rough noise are not."""

_AROUND = 12
"""Cells on both sides of a jump that "around it" means."""

_SLOW = 9
"""Cells after which a jump that recovers slowly must have come down."""

_BEFORE: Final = np.maximum(np.arange(CELLS) - 2, 1)
"""(CELLS,) the middle one of the three cells before each; next to an end it is the larger of the two others there."""


@dataclass(eq=False)
class Jumps:
    """Isolated upward jumps of n runs, view units.

    Attributes:
        prominence: (n, CELLS) height of a cell's highest point above the levels before AND after it, 0 elsewhere.
        limit: (n,) height from which a jump is visible.
        isolated: (n, CELLS) prominence where it stands out from what is around it, 0 elsewhere.
        hit: (n, CELLS) isolated and higher than the limit.
    """

    prominence: FloatArray
    limit: FloatArray
    isolated: FloatArray
    hit: BoolArray

    @property
    def count(self) -> IntArray:
        """(n,) jumps; neighbouring cells count once."""
        return row_count(self.hit[:, 1:] > self.hit[:, :-1])  # the first cell is none

    @property
    def size(self) -> FloatArray:
        """(n,) height of the highest isolated jump in units of the limit."""
        out: FloatArray = row_max(self.isolated) / self.limit
        return out


def visible_height(noise: FloatArray, spread: FloatArray, size: FloatArray) -> FloatArray:
    """(n,) height from which a jump is seen: above noise, a share of the range and of the level, view units."""
    height: FloatArray = np.maximum(np.maximum(_NOISE * noise, _SPREAD * spread), _LEVEL * size + 1e-12)
    return height


def jumps_of(cells: Cells) -> Jumps:
    """Finds the jumps of every run."""
    base = cells.middle5
    soon, late, beyond, inner, *around = rows_of(_places(), cells.extent)
    after = np.minimum(take_columns(cells.middle3, soon), take_columns(base, late) + beyond)
    prominence = _prominence(cells, after)
    prominence *= inner
    size = row_mean(np.abs(base))
    size[cells.log] = 1.0
    limit = visible_height(cells.noise, row_spread(base), size)
    mean = windowed(prominence, *around)
    # _ISOLATED times the mean of the others around it, written for the mean that it is part of itself
    isolated = prominence * (prominence > mean * (_ISOLATED * (2 * _AROUND + 1) / (2 * _AROUND + _ISOLATED)))
    return Jumps(prominence, limit, isolated, isolated > limit[:, None])


def _prominence(cells: Cells, after: FloatArray) -> FloatArray:
    """(n, CELLS) height of each cell's highest point above the levels around it.

    "Before" is the median of the three cells before it, so that a slow rise is no jump; "after" the lower of the
    median of three right after it and of the level a little later, so that a slow recovery is one.
    """
    base = np.maximum(after, cells.middle3.take(_BEFORE, axis=1))
    np.maximum(base, _shoulders(cells), out=base)
    np.subtract(cells.high, base, out=base)
    return np.maximum(base, 0.0, out=base)


@cache
def _places() -> Tables:
    """Where a run is looked at about each cell, by its size.

    Returns:
        columns right after it and a little later, infinity where that is beyond the end, 1 at the cells inside and 0
        at the others, and the window around.
    """
    column, size = np.arange(CELLS), np.arange(CELLS + 1)[:, None]
    last = size - 1
    soon = np.maximum(np.minimum(column + 2, last - 1), 0)
    late = np.maximum(np.minimum(column + _SLOW, last), 0)
    beyond, inner = np.where(column + _SLOW <= last, 0.0, np.inf), (column >= 1) & (column < last)
    return soon, late, beyond, inner.astype(np.float64), *windows(CELLS, np.full_like(size, _AROUND), size)


def _shoulders(cells: Cells) -> FloatArray:
    """(n, CELLS) level on either side that a jump must rise from: a hump wider than two points is no jump.

    On a steep slope the highest of several points in a cell is where the next cell begins, so there the lowest
    point of either neighbour counts; where a cell is one point, the lower of the two next to it.
    """
    low, out = cells.low, np.zeros(cells.low.shape)
    rows = (cells.count > CELLS).nonzero()[0]
    if len(rows) < len(low):
        lower = np.minimum(low[:, :-1], low[:, 1:])
        np.maximum(lower[:, :-3], lower[:, 3:], out=out[:, 2:-2])
        np.maximum(low[:, 0], lower[:, 2], out=out[:, 1])
        np.maximum(lower[:, -3], low[:, -1], out=out[:, -2])
    if len(rows) == len(low):
        flat = low.ravel()  # faster than row by row; what spans two rows lands at their ends
        np.maximum(flat[:-2], flat[2:], out=out.reshape(-1)[1:-1])
    elif len(rows):
        out[rows, 1:-1] = np.maximum(low[rows, :-2], low[rows, 2:])
    return out
