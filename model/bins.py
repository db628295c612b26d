"""A channel in bins: equal parts of the run's time, the same for every channel of a run.

A bin holds the mean, the lowest and the highest of its cells; one without a cell is interpolated and marked. Nearly all
bins of a dense log hold a single cell: those of several and empty ones are treated apart.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from curveclinic.measuring.measures import Cells
from curveclinic.measuring.smoothing import one_if_equal, row_starts
from curveclinic.ragged import FloatArray, IntArray, places

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
    n, width = cells.mean.shape
    first, held = _held_in(cells, start, stop)
    presence, curves = np.minimum(held, 1.0), np.empty((3, n * BINS))
    alone = len(held) < n * BINS  # all runs share one row of places
    for curve, values in zip(curves, (cells.mean, cells.low, cells.high), strict=True):
        # "clip" writes to `out` without a copy
        if alone:
            values.take(first, axis=1, out=curve.reshape(n, BINS), mode="clip")
        else:
            values.take(first, out=curve, mode="clip")
    if alone:
        presence = np.tile(presence, n)
    several = (held > 1).nonzero()[0]
    if len(several):
        bins, begin, count = _of_all(several, first, held, n, width)
        curves[:, bins] = _merged(cells, begin, count)
    empty = (held == 0).nonzero()[0]
    if len(empty):
        bins, behind, _ = _of_all(empty, first, held, n, width)
        curves[:, bins], presence[bins] = _interpolated(cells, start, stop, behind, bins)
    return Bins(curves.reshape(3, n, BINS), presence.reshape(n, BINS))


def _of_all(bins: IntArray, first: IntArray, held: IntArray, n: int, width: int) -> tuple[IntArray, IntArray, IntArray]:
    """Some bins (k,) of n runs, where their cells begin, and how many they hold; in every run where one speaks for all.

    Args:
        bins: flat places.
        first, held: as from `_held_in`.
        n, width: number of runs, and of cells in each.
    """
    begin, count = first[bins], held[bins]
    if len(held) == n * BINS:
        return bins, begin, count
    return (bins + row_starts(n, BINS)).ravel(), (begin + row_starts(n, width)).ravel(), np.tile(count, n)


def _held_in(cells: Cells, start: FloatArray, stop: FloatArray) -> tuple[IntArray, IntArray]:
    """`_held` of runs, (BINS,) of one where all of them have the same steps."""
    steps = cells.distinct_steps
    if len(steps) == len(one_if_equal(start)) == len(one_if_equal(stop)) == 1:
        return _held(steps, cells.size[:1], start[:1], stop[:1])
    return _held(cells.steps, cells.size, start, stop)


def _held(steps: FloatArray, size: IntArray, start: FloatArray, stop: FloatArray) -> tuple[IntArray, IntArray]:
    """(n BINS,) flat place of the first cell in each bin, or after it where there is none, and how many it holds."""
    n, width = steps.shape
    place = steps - start[:, None]
    place /= (np.maximum(stop - start, _TINY) / BINS)[:, None]
    np.minimum(np.maximum(place, 0.0, out=place), BINS - 1, out=place)
    bins = place.astype(np.int64)
    bins += row_starts(n, BINS)
    held = np.bincount(bins.ravel(), minlength=n * BINS)
    first = np.add.accumulate(held)
    first -= held
    # the padding repeats a run's last cell, and does not count in its bin
    held[bins[:, -1]] -= width - size
    return first, held


def _merged(cells: Cells, first: IntArray, count: IntArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Mean, lowest and highest of stretches of flat cells, (k,) each, by the first cell and their number."""
    at, begin = places(first, count), np.add.accumulate(count) - count
    mean = np.add.reduceat(cells.mean.take(at), begin) / count
    low, high = np.minimum.reduceat(cells.low.take(at), begin), np.maximum.reduceat(cells.high.take(at), begin)
    return mean, low, high


def _interpolated(
    cells: Cells, start: FloatArray, stop: FloatArray, behind: IntArray, empty: IntArray
) -> tuple[FloatArray, FloatArray]:
    """Means in the middle of empty bins, linear between the cells on either side, and the presence of these.

    Args:
        cells, start, stop: the runs.
        behind: (m,) flat place of the next cell after each bin.
        empty: (m,) the bins.
    """
    width, row = cells.steps.shape[1], empty // BINS
    first = row * width
    last = first + cells.size[row] - 1
    left, right = np.maximum(behind - 1, first), np.minimum(behind, last)
    begin, end = cells.steps.take(left), cells.steps.take(right)
    middle = start[row] + (stop - start)[row] * _CENTRES[empty - row * BINS]
    weight = np.minimum(np.maximum((middle - begin) / np.maximum(end - begin, _TINY), 0.0), 1.0)
    low = cells.mean.take(left)
    return low + weight * (cells.mean.take(right) - low), np.where(left < right, 0.0, -1.0)
