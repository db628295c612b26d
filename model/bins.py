"""A channel in bins: equal parts of the run's time, the same for every channel of a run.

A bin holds the mean, the lowest and the highest of its cells; one without a cell is interpolated and marked. Nearly all
bins of a dense log hold a single cell: bins of several and empty ones are seen to apart.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from curveclinic.measures import Cells
from curveclinic.ragged import BoolArray, FloatArray, IntArray, places
from curveclinic.smoothing import alike, columns, row_starts

BINS: Final = 128

_CENTRES: Final = (np.arange(BINS) + 0.5) / BINS
"""(BINS,) middle of each bin as a share of the run."""

_TINY: Final[FloatArray] = np.array(1e-300)
"""Smallest divisor."""


@dataclass(eq=False)
class Bins:
    """One channel of n runs in bins.

    Attributes:
        curves: (3, n, BINS) mean, low and high in view units.
        presence: (n, BINS) 1 point, 0 interpolated, -1 outside.
    """

    curves: FloatArray
    presence: FloatArray


def bins_of(cells: Cells, start: FloatArray, stop: FloatArray) -> Bins:
    """Bins of one channel between two steps (n,); runs without it are zeros, and marked as outside."""
    rows = cells.size.nonzero()[0]
    if 0 < len(rows) == len(start):
        return _filled(cells, start, stop)
    curves, presence = np.zeros((3, len(start), BINS)), np.full((len(start), BINS), -1.0)
    if len(rows):
        filled = _filled(cells.take(rows), start[rows], stop[rows])
        curves[:, rows], presence[rows] = filled.curves, filled.presence
    return Bins(curves, presence)


def _filled(cells: Cells, start: FloatArray, stop: FloatArray) -> Bins:
    """Bins of runs that all have the channel."""
    first, held = _held_in(cells, start, stop)
    curves = np.empty((3, *cells.mean.shape[:1], BINS))
    for curve, values in zip(curves, (cells.mean, cells.low, cells.high), strict=True):
        columns(values, first, out=curve)
    presence = np.minimum(held, 1.0)
    if len(presence) < len(cells.size):
        presence = presence.repeat(len(cells.size), axis=0)
    flat = curves.reshape(3, -1)  # a view
    several = _Marked.of(held > 1, cells)
    if len(several.bins):
        flat[:, several.bins] = _merged(cells, several.cells(first), several.among(held))
    empty = _Marked.of(held == 0, cells)
    if len(empty.bins):
        flat[:, empty.bins], presence.ravel()[empty.bins] = _interpolated(cells, start, stop, empty, first)
    return Bins(curves, presence)


@dataclass(eq=False)
class _Marked:
    """Some bins of n runs, (k,) each.

    Attributes:
        bins: their flat places.
        row, column: run and place in it.
        width: cells of a run.
    """

    bins: IntArray
    row: IntArray
    column: IntArray
    width: int

    @classmethod
    def of(cls, mask: BoolArray, cells: Cells) -> _Marked:
        """Returns the bins that are True in a mask (n, BINS), or (1, BINS) that all runs share."""
        n, width = cells.mean.shape
        bins = mask.ravel().nonzero()[0]
        if len(mask) < n and len(bins):
            bins = (bins + row_starts(n, BINS)).ravel()
        row = bins // BINS
        return cls(bins, row, bins - row * BINS, width)

    def among(self, table: IntArray) -> IntArray:
        """Their numbers in a table (n, BINS), or (1, BINS) that all runs share."""
        return table[0].take(self.column) if len(table) == 1 else table.take(self.bins)

    def cells(self, first: IntArray) -> IntArray:
        """Flat places of cells by their columns (n, BINS), or (1, BINS), for every bin."""
        return self.among(first) + self.row * self.width


def _held_in(cells: Cells, start: FloatArray, stop: FloatArray) -> tuple[IntArray, IntArray]:
    """`_held` of runs, (1, BINS) where all of them have the same steps."""
    steps = cells.distinct_steps
    if len(steps) == len(alike(start)) == len(alike(stop)) == 1:
        return _held(steps, cells.size[:1], start[:1], stop[:1])
    return _held(cells.steps, cells.size, start, stop)


def _held(steps: FloatArray, size: IntArray, start: FloatArray, stop: FloatArray) -> tuple[IntArray, IntArray]:
    """(n, BINS) column of the first cell in each bin, or after it where there is none, and how many it holds."""
    n, width = steps.shape
    place = steps - start[:, None]
    place /= (np.maximum(stop - start, _TINY) / BINS)[:, None]
    np.minimum(np.maximum(place, 0.0, out=place), BINS - 1, out=place)
    bins = place.astype(np.int64)
    bins += row_starts(n, BINS)
    flat = np.bincount(bins.ravel(), minlength=n * BINS)
    first = np.add.accumulate(flat)
    first -= flat
    # the padding repeats a run's last cell, and does not count in its bin
    flat[bins[:, -1]] -= width - size
    return first.reshape(n, BINS) - row_starts(n, width), flat.reshape(n, BINS)


def _merged(cells: Cells, first: IntArray, count: IntArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Mean, lowest and highest of stretches of flat cells, (k,) each, by the first cell and their number."""
    at, begin = places(first, count), np.add.accumulate(count) - count
    mean = np.add.reduceat(cells.mean.take(at), begin) / count
    low, high = np.minimum.reduceat(cells.low.take(at), begin), np.maximum.reduceat(cells.high.take(at), begin)
    return mean, low, high


def _interpolated(
    cells: Cells, start: FloatArray, stop: FloatArray, empty: _Marked, behind: IntArray
) -> tuple[FloatArray, FloatArray]:
    """Means in the middle of empty bins, linear between the cells on either side, and the presence of these.

    Args:
        cells, start, stop: the runs.
        empty: the bins.
        behind: (n, BINS), or (1, BINS) that all runs share, column of the next cell after each bin.
    """
    row, first = empty.row, empty.row * empty.width
    last, after = first + cells.size[row] - 1, empty.cells(behind)
    left, right = np.maximum(after - 1, first), np.minimum(after, last)
    begin, end = cells.steps.take(left), cells.steps.take(right)
    middle = start[row] + (stop - start)[row] * _CENTRES[empty.column]
    weight = np.minimum(np.maximum((middle - begin) / np.maximum(end - begin, _TINY), 0.0), 1.0)
    low = cells.mean.take(left)
    return low + weight * (cells.mean.take(right) - low), np.where(left < right, 0.0, -1.0)
