"""A channel in bins: equal parts of the run's time, the same for every channel of a run.

A bin holds the mean, the lowest and the highest of its cells; one without a cell is interpolated and marked. Nearly all
bins of a dense log hold a single cell: bins of several and empty ones are seen to apart.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from curveclinic.measures import Cells
from curveclinic.ragged import FloatArray, IntArray

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
    n, held = len(start), _Held.of(cells, start, stop)
    shown, presence = np.zeros(n * BINS, dtype=np.int64), np.zeros(n * BINS)
    first, behind = held.first[:-1], held.stop[1:]
    shown[held.bins], presence[held.bins] = first, 1.0
    curves = np.empty((3, n * BINS))
    for curve, values in zip(curves, (cells.mean, cells.low, cells.high), strict=True):
        values.take(shown, out=curve, mode="clip")  # a mode that needs no copy
    several = (behind - first > 1).nonzero()[0]
    if len(several):
        curves[:, held.bins[several]] = _merged(cells, first[several], behind[several])
    empty = (presence == 0.0).nonzero()[0]
    if len(empty):
        curves[:, empty], presence[empty] = _interpolated(cells, start, stop, held, empty)
    return Bins(curves.reshape(3, n, BINS), presence.reshape(n, BINS))


@dataclass(eq=False)
class _Held:
    """Bins that hold cells; places are those of flat arrays, and ascend.

    Attributes:
        bins: (k,) the bins.
        first: (k + 1,) the first cell of each, and the number of all cells.
        stop: (k + 1,) 0, and the cell after the last one of each.
    """

    bins: IntArray
    first: IntArray
    stop: IntArray

    @classmethod
    def of(cls, cells: Cells, start: FloatArray, stop: FloatArray) -> _Held:
        """Sorts cells into bins."""
        n, width = cells.steps.shape
        place = cells.steps - start[:, None]
        place /= (np.maximum(stop - start, _TINY) / BINS)[:, None]
        np.minimum(np.maximum(place, 0.0, out=place), BINS - 1, out=place)
        bins = (place.astype(np.int64) + np.arange(0, n * BINS, BINS)[:, None]).ravel()
        fresh = np.empty(n * width, dtype=bool)
        fresh[:1] = True
        np.not_equal(bins[1:], bins[:-1], out=fresh[1:])
        held = fresh.nonzero()[0]
        first, behind = np.empty(len(held) + 1, dtype=np.int64), np.empty(len(held) + 1, dtype=np.int64)
        first[:-1], first[-1] = held, n * width
        behind[0], behind[1:] = 0, first[1:]
        # the padding repeats a run's last cell, and belongs to no bin
        begin = np.arange(0, n * width, width)
        behind[held.searchsorted(begin + width)] = begin + cells.size
        return cls(bins.take(held), first, behind)


def _merged(cells: Cells, first: IntArray, stop: IntArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Mean, lowest and highest of stretches of flat cells, from the first one (k,) to before another."""
    edges = np.empty(2 * len(first), dtype=np.int64)
    edges[::2], edges[1::2] = first, stop
    edges = edges[: edges.searchsorted(cells.steps.size)]  # a stretch up to the last cell needs no edge behind it
    mean = np.add.reduceat(cells.mean.ravel(), edges)[::2] / (stop - first)
    low, high = np.minimum.reduceat(cells.low.ravel(), edges)[::2], np.maximum.reduceat(cells.high.ravel(), edges)[::2]
    return mean, low, high


def _interpolated(
    cells: Cells, start: FloatArray, stop: FloatArray, held: _Held, empty: IntArray
) -> tuple[FloatArray, FloatArray]:
    """Means in the middle of empty bins (m,), linear between the cells on either side, and the presence of these."""
    width, row = cells.steps.shape[1], empty // BINS
    before = empty - np.arange(len(empty))  # of all bins up to each one, those that hold a cell
    first = row * width
    last = first + cells.size[row] - 1
    left = np.maximum(held.stop.take(before) - 1, first)
    right = np.minimum(held.first.take(before), last)
    begin, end = cells.steps.take(left), cells.steps.take(right)
    middle = start[row] + (stop - start)[row] * _CENTRES[empty - row * BINS]
    weight = np.minimum(np.maximum((middle - begin) / np.maximum(end - begin, _TINY), 0.0), 1.0)
    low = cells.mean.take(left)
    return low + weight * (cells.mean.take(right) - low), np.where(left < right, 0.0, -1.0)
