"""Where the points of cells lie in a flat channel, and what they come to: means and extremes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np

from curveclinic.measuring.medians import low_high
from curveclinic.measuring.smoothing import one_if_equal
from curveclinic.ragged import FloatArray, IntArray

Summary = tuple[FloatArray, FloatArray, FloatArray]
"""Mean, smallest and largest of each cell's points; for reading, they may be one array."""


@dataclass(frozen=True, eq=False)
class _Single:
    """Runs of at most as many points as cells: one in each, and the last one again in the cells that are left.

    Attributes:
        rows: (m,) which runs these are.
        point: (m, cells) index of each cell's point.
    """

    rows: IntArray
    point: IntArray

    @classmethod
    def of(cls, rows: IntArray, begin: IntArray, length: IntArray, cells: int) -> _Single:
        point = begin + np.arange(cells)
        return cls(rows, np.minimum(point, begin + (length - 1), out=point))

    def means(self, values: FloatArray) -> FloatArray:
        """(m, cells) mean of each cell's points."""
        return values.take(self.point)

    def summary(self, values: FloatArray) -> Summary:
        """Mean, smallest and largest of each cell's points."""
        mean = self.means(values)
        return mean, mean, mean


@dataclass(frozen=True, eq=False)
class _Double:
    """Runs of up to twice as many points as cells: one or two in each.

    Attributes:
        rows: (m,) which runs these are.
        first, last: (m, cells) index of each cell's points.
    """

    rows: IntArray
    first: IntArray
    last: IntArray

    @classmethod
    def of(cls, rows: IntArray, begin: IntArray, length: IntArray, cells: int) -> _Double:
        edges = _edges(begin, length, cells)
        return cls(rows, edges[:, :-1], edges[:, 1:] - 1)

    def means(self, values: FloatArray) -> FloatArray:
        return self._middle(values.take(self.first), values.take(self.last))

    def summary(self, values: FloatArray) -> Summary:
        first, last = values.take(self.first), values.take(self.last)
        low, high = low_high(first, last)
        return self._middle(first, last), low, high

    def _middle(self, first: FloatArray, last: FloatArray) -> FloatArray:
        first += last
        first *= 0.5
        return first


@dataclass(frozen=True, eq=False)
class _Several:
    """Runs of more points than that.

    Attributes:
        rows: (m,) which runs these are.
        edges: (m, cells + 1) index at which their cells begin, and the last one ends.
    """

    rows: IntArray
    edges: IntArray

    @classmethod
    def of(cls, rows: IntArray, begin: IntArray, length: IntArray, cells: int) -> _Several:
        return cls(rows, _edges(begin, length, cells))

    def means(self, values: FloatArray) -> FloatArray:
        out: FloatArray = self._reduced(np.add, values) / np.diff(self.edges)
        return out

    def summary(self, values: FloatArray) -> Summary:
        return self.means(values), self._reduced(np.minimum, values), self._reduced(np.maximum, values)

    def _reduced(self, ufunc: np.ufunc, values: FloatArray) -> FloatArray:
        """(m, cells) `ufunc` over the points of each cell."""
        places, out = self.edges.ravel(), np.empty(self.edges.shape)
        # the stretch between two runs is reduced as well, and cut off below; the last cell may end with the values
        stop = len(places) - (places[-1] == len(values))
        ufunc.reduceat(values, places[:stop], out=out.ravel()[:stop])
        return out[:, :-1]


def _edges(begin: IntArray, length: IntArray, cells: int) -> IntArray:
    """(m, cells + 1) where the cells of runs begin and the last one ends; begin and length are (m, 1)."""
    edges = np.arange(cells + 1) * length
    edges //= cells
    edges += begin
    return edges


_Group = _Single | _Double | _Several

_GROUPS: Final[tuple[type[_Group], ...]] = (_Single, _Double, _Several)
"""Kinds of runs by how many points a cell holds at most: one, two, more."""


@dataclass(eq=False)
class Layout:
    """Where the points of the cells of n runs lie in a flat channel; what is made of a run without points is 0.

    Attributes:
        shape: n, and the number of cells.
        groups: the runs that have points, by how many a cell holds.
        absent: rows of the others.
    """

    shape: tuple[int, int]
    groups: Sequence[_Group]
    absent: IntArray

    @classmethod
    def of(cls, offsets: IntArray, lengths: IntArray, cells: int) -> Layout:
        """Returns the layout of runs on at most so many cells each, of nearly equal counts of points."""
        if len(lengths) and not offsets[0] and len(one_if_equal(lengths)) == 1:
            return _even_layout(len(lengths), int(lengths[0]), cells)
        return cls._of(offsets, lengths, cells)

    @classmethod
    def _of(cls, offsets: IntArray, lengths: IntArray, cells: int) -> Layout:
        points = np.array([1, cells + 1, 2 * cells + 1]).searchsorted(lengths, side="right")
        groups: list[_Group] = []
        for held, kind in enumerate(_GROUPS, start=1):
            rows = (points == held).nonzero()[0]
            if len(rows):
                groups.append(kind.of(rows, offsets[rows, None], lengths[rows, None], cells))
        return cls((len(lengths), cells), groups, (points == 0).nonzero()[0])

    def means(self, values: FloatArray) -> FloatArray:
        """(n, cells) mean of each cell's points."""
        return self.joined([group.means(values) for group in self.groups])

    def summary(self, values: FloatArray) -> Summary:
        """(n, cells) mean, smallest and largest of each cell's points."""
        parts = [group.summary(values) for group in self.groups]
        mean, low, high = (self.joined([part[k] for part in parts]) for k in range(3))
        return mean, low, high

    def joined(self, parts: Sequence[FloatArray]) -> FloatArray:
        """(n, cells) what was made of every group, in the order of the runs."""
        if len(parts) == 1 and not len(self.absent):
            return parts[0]
        out = np.zeros(self.shape) if len(self.absent) else np.empty(self.shape)
        for group, part in zip(self.groups, parts, strict=True):
            out[group.rows] = part
        return out


@lru_cache(maxsize=8)
def _even_layout(n: int, length: int, cells: int) -> Layout:
    """The layout of n runs of one length: most pieces of a large batch are such, and alike."""
    return Layout._of(np.arange(n + 1) * length, np.full(n, length), cells)
