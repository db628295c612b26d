"""`Rows`: padded curves and what several features share (moments, sorted values, differences), each computed once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np

from curveclinic.kept import kept
from curveclinic.measuring.smoothing import row_starts
from curveclinic.ragged import BoolArray, FloatArray, IntArray


def row_sums(cells: FloatArray, counts: IntArray) -> FloatArray:
    """Sums the first counts[i] cells of row i, to the bit as `cells[i, :counts[i]].sum()` whatever follows them.

    NumPy adds pairwise, so a sum over zero padding would round differently, and a feature that compares with the mean
    (ties are common in logs) would depend on the batch its run is in.

    `reduceat` starts from a segment's first cell where `sum` starts from zero: hence the zero in front of every row.
    The one behind it is for rows without a column.
    """
    m, width = cells.shape
    fenced = np.zeros((m, width + 2))
    fenced[:, 1:-1] = cells
    edges = np.empty((m, 2), dtype=np.int64)
    edges[:, :1] = row_starts(m, width + 2)
    edges[:, 1] = edges[:, 0] + 1 + np.maximum(counts, 0)
    totals: FloatArray = np.add.reduceat(fenced.ravel(), edges.ravel())[::2]
    return totals


def row_counts(cells: BoolArray) -> FloatArray:
    """Number of True cells of every row."""
    counts: IntArray = np.count_nonzero(cells, axis=1)
    return counts.astype(np.float64)


def _without_padding(values: FloatArray, lengths: IntArray) -> FloatArray:
    """The rows with NaN behind their first lengths[i] cells."""
    short = (lengths < values.shape[1]).nonzero()[0]
    points: FloatArray = values.copy()
    points[short] = np.where(np.arange(values.shape[1]) < lengths[short, None], values[short], np.nan)
    return points


_KEPT: Final = ("sum", "mean", "centred", "squared", "variance", "changes", "path", "ordered", "total")
"""What `Rows` work out when it is first asked for, (m, ...) each."""


class Rows:
    """Curves of similar length on [0, 1], one a row.

    Attributes:
        values: (m, L) padded on the right with the last value: minima, maxima and differences need no mask.
        points: (m, L) the same padded with NaN: comparisons are False and sorted values come first.
        lengths: (m,) number of real points, at least 1.
        n: (m,) the lengths as float64.
        full: no row is padded.
        last: (m,) last point.
    """

    def __init__(self, values: FloatArray, lengths: IntArray) -> None:
        self.values = values
        self.lengths = lengths
        self.n = lengths.astype(np.float64)
        self.full = not np.count_nonzero(lengths < values.shape[1])
        self.points = values if self.full else _without_padding(values, lengths)
        self.last: FloatArray = values[:, -1]
        self._memo: dict[tuple[Any, ...], Any] = {}

    def take(self, index: IntArray) -> Rows:
        """Returns the rows of a rising index, no wider than they need to be."""
        if self.full and index[-1] - index[0] == len(index) - 1:
            return self._part(slice(index[0], index[-1] + 1))
        lengths = self.lengths[index]
        return Rows(self.values[index, : lengths.max(initial=1)], lengths)

    def _part(self, own: slice) -> Rows:
        """Rows side by side, with what is known of them already."""
        part = Rows(self.values[own], self.lengths[own])
        known = vars(self)
        vars(part).update({name: known[name][own] for name in _KEPT if name in known})
        return part

    def once(self, key: tuple[Any, ...], compute: Callable[[], Any]) -> Any:
        """Result of `compute`, kept under `key` for the other features of these rows."""
        found = self._memo.get(key)
        if found is None:
            found = self._memo[key] = compute()
        return found

    def sums(self, cells: FloatArray, shortened: int = 0) -> FloatArray:
        """Sums of every row's first length - `shortened` cells; `cells` are as many columns narrower."""
        if self.full:
            total: FloatArray = np.add.reduce(cells, axis=1)
            return total
        return row_sums(cells, self.lengths - shortened)

    def mean_of(self, cells: FloatArray, shortened: int = 0) -> FloatArray:
        """Mean of every row's first length - `shortened` cells, NaN where there are none."""
        counts = self.n - shortened if shortened else self.n
        return self.sums(cells, shortened) / np.where(counts > 0, counts, np.nan)

    @kept
    def sum(self) -> FloatArray:
        """(m,) sum."""
        return self.sums(self.points)

    @kept
    def mean(self) -> FloatArray:
        """(m,) mean."""
        mean: FloatArray = self.sum / self.n
        return mean

    @kept
    def centred(self) -> FloatArray:
        """(m, L) points less their mean."""
        centred: FloatArray = self.points - self.mean[:, None]
        return centred

    @kept
    def squared(self) -> FloatArray:
        """(m, L) squares of the centred points."""
        squared: FloatArray = self.centred * self.centred
        return squared

    @kept
    def variance(self) -> FloatArray:
        """(m,) population variance."""
        variance: FloatArray = self.sums(self.squared) / self.n
        return variance

    @property
    def deviation(self) -> FloatArray:
        """(m,) population standard deviation."""
        return np.sqrt(self.variance)

    @kept
    def changes(self) -> FloatArray:
        """(m, L - 1) differences of neighbours."""
        changes: FloatArray = self.points[:, 1:] - self.points[:, :-1]
        return changes

    @kept
    def path(self) -> FloatArray:
        """(m,) sum of absolute differences."""
        return self.sums(np.abs(self.changes), 1)

    @kept
    def ordered(self) -> FloatArray:
        """(m, L) points in ascending order, the padding behind them."""
        ordered: FloatArray = self.points.copy()
        ordered.sort(axis=1)
        return ordered

    @kept
    def total(self) -> FloatArray:
        """(m, L) running sum."""
        total: FloatArray = np.add.accumulate(self.points, axis=1)
        return total

    def quantile(self, q: float | FloatArray) -> FloatArray:
        """(m,) linear quantile with NumPy's own rounding, so that ties at a quantile fall on the same side.

        (k, m) for several, q (k, 1).
        """
        position = (self.n - 1.0) * q
        below = position.astype(np.int64)
        weight = position - below
        row = np.arange(len(self.lengths))
        low = self.ordered[row, below]
        step = self.ordered[row, np.minimum(below + 1, self.lengths - 1)] - low
        return np.where(weight >= 0.5, low + step - step * (1.0 - weight), low + step * weight)
