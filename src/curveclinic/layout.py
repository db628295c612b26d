"""Where the points of cells lie in a flat channel, and what they come to: means and extremes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache, partial

import numpy as np

from curveclinic.medians import low_high
from curveclinic.ragged import FloatArray, IntArray
from curveclinic.smoothing import for_rows


def padded(*values: FloatArray) -> FloatArray:
    """(len(values), total + 1) flat values (total,) with room for the edge after the last cell."""
    out = np.empty((len(values), len(values[0]) + 1))
    out[:, -1] = 0.0
    for row, own in zip(out, values, strict=True):
        row[:-1] = own
    return out


@lru_cache(maxsize=4096)
def _places(cells: int, length: int) -> tuple[IntArray, IntArray, IntArray]:
    """Where the cells of a run of that length lie from its first point on.

    Returns:
        (1, cells) first and last point of each cell, (1, cells + 1) where they begin and the last one ends.
    """
    edges, final = np.arange(cells + 1)[None, :] * max(length, cells) // cells, max(length, 1) - 1
    return np.minimum(edges[:, :-1], final), np.minimum(edges[:, 1:] - 1, final), edges


@dataclass(eq=False)
class Layout:
    """Where the points of cells lie in a flat channel; padding repeats a row's last cell, an empty row means nothing.

    Attributes:
        first, last: (n, cells) index of each cell's first and last point; the same array where every cell is one point.
        long: rows whose cells hold more points than these two.
        edges: (len(long), cells + 1) where their cells begin and the last one ends.
    """

    first: IntArray
    last: IntArray
    long: IntArray
    edges: IntArray

    @classmethod
    def of(cls, offsets: IntArray, lengths: IntArray, cells: int) -> Layout:
        """Returns the layout of runs on at most so many cells each, of nearly equal counts of points."""
        begin = offsets[:-1, None]
        if np.maximum.reduce(lengths) <= cells:
            first = np.minimum(begin + np.arange(cells), begin + np.maximum(lengths, 1)[:, None] - 1)
            return cls(first, first, lengths[:0], first[:0])
        first, last, edges = for_rows(partial(_places, cells), lengths)
        long = (lengths > 2 * cells).nonzero()[0]
        edges = (edges + begin)[long] if len(long) else edges[:0]
        return cls(first + begin, last + begin, long, edges)

    def ends(self, flat: FloatArray) -> tuple[FloatArray, FloatArray]:
        """(k, n, cells) first and last point of each cell, of k padded values (k, total + 1)."""
        first = flat.take(self.first, axis=1)
        return first, first if self.last is self.first else flat.take(self.last, axis=1)

    def means(self, flat: FloatArray, first: FloatArray, last: FloatArray) -> FloatArray:
        """(k, n, cells) mean of each cell's points, written over the first of them."""
        if first is last:
            return first
        first += last
        first *= 0.5
        if len(self.long):
            first[:, self.long] = self._reduced(np.add, flat) / np.diff(self.edges)
        return first

    def extremes(self, flat: FloatArray, first: FloatArray, last: FloatArray) -> tuple[FloatArray, FloatArray]:
        """(n, cells) smallest and largest of each cell's points, from the first and the last of them."""
        if self.first is self.last:
            return first, first
        low, high = low_high(first, last)
        if len(self.long):
            low[self.long], high[self.long] = self._reduced(np.minimum, flat), self._reduced(np.maximum, flat)
        return low, high

    def _reduced(self, ufunc: np.ufunc, flat: FloatArray) -> FloatArray:
        """(..., len(long), cells) points of the cells of long rows, put together."""
        whole = ufunc.reduceat(flat, self.edges.ravel(), axis=-1)
        out: FloatArray = whole.reshape(*flat.shape[:-1], *self.edges.shape)[..., :-1]
        return out
