"""Isolated upward jumps with recovery: where they are, how high, how many."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from curveclinic.measures import CELLS, Cells
from curveclinic.ragged import BoolArray, FloatArray, IntArray
from curveclinic.smoothing import alike, columns, moving_mean, row_mean

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


@dataclass(frozen=True, eq=False)
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
        starts = self.hit.copy()
        starts[:, 1:] &= ~self.hit[:, :-1]
        out: IntArray = starts.sum(axis=1)
        return out

    @property
    def size(self) -> FloatArray:
        """(n,) height of the highest isolated jump in units of the limit."""
        out: FloatArray = self.isolated.max(axis=1, initial=0.0) / self.limit
        return out


def visible_height(noise: FloatArray, spread: FloatArray, size: FloatArray) -> FloatArray:
    """(n,) height from which a jump is seen: above noise, a share of the range and of the level, view units."""
    height: FloatArray = np.maximum(np.maximum(_NOISE * noise, _SPREAD * spread), _LEVEL * size + 1e-12)
    return height


def jumps_of(cells: Cells) -> Jumps:
    """Finds the jumps of every run."""
    base = cells.middle5
    prominence = _prominence(cells, base)
    size = np.where(cells.log, 1.0, row_mean(np.abs(base)))
    limit = visible_height(cells.noise, base.max(axis=1) - base.min(axis=1), size)
    half = np.full(len(limit), _AROUND)
    mean = moving_mean(prominence, half, np.maximum(cells.size, 1))
    around = np.maximum(mean * (2 * _AROUND + 1) - prominence, 0.0) / (2 * _AROUND)
    isolated = np.where(prominence > _ISOLATED * around, prominence, 0.0)
    return Jumps(prominence, limit, isolated, isolated > limit[:, None])


def _prominence(cells: Cells, level: FloatArray) -> FloatArray:
    """(n, CELLS) height of each cell's highest point above the levels around it, 0 at the ends of a run.

    "Before" is the median of the three cells before it, so that a slow rise is no jump; "after" the lower of the
    median of three right after it and of the level a little later, so that a slow recovery is one.
    """
    three = cells.middle3
    column, last = np.arange(CELLS)[None, :], alike(cells.size)[:, None] - 1
    # next to an end the window of three holds the cell itself, and is then the larger of the two others
    before = three.take(np.maximum(column[0] - 2, 1), axis=1)
    soon = columns(three, np.maximum(np.minimum(column + 2, last - 1), 0))
    late = columns(level, np.maximum(np.minimum(column + _SLOW, last), 0))
    late = np.where(column + _SLOW <= last, late, np.inf)
    base = np.maximum(before, np.minimum(soon, late))
    base = np.maximum(base, _shoulders(cells))
    prominence = cells.high - base
    return np.where((column >= 1) & (column < last) & (prominence > 0), prominence, 0.0)


def _shoulders(cells: Cells) -> FloatArray:
    """(n, CELLS) level on either side that a jump must rise from: a hump wider than two points is no jump.

    On a steep slope the highest of several points in a cell is where the next cell begins, so there the lowest
    point of either neighbour counts; where a cell is one point, the lower of the two next to it.
    """
    low = cells.low
    left, right = np.full_like(low, -np.inf), np.full_like(low, -np.inf)
    left[:, 2:] = np.minimum(low[:, 1:-1], low[:, :-2])
    left[:, 1] = low[:, 0]
    right[:, :-2] = np.minimum(low[:, 1:-1], low[:, 2:])
    right[:, -2] = low[:, -1]
    several = (cells.count > CELLS).nonzero()[0]
    left[several, 1:], right[several, :-1] = low[several, :-1], low[several, 1:]
    return np.maximum(left, right)
