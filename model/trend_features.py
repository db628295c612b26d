"""tsfresh's features of a curve's course: straight-line fits and energy by segment.

Every function here is tsfresh's calculator of the same name and parameters, for all rows at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np

from curveclinic.kept import kept
from curveclinic.measuring.smoothing import float_range, row_starts, take_columns
from curveclinic.model.rows import Rows
from curveclinic.ragged import FloatArray, IntArray

FitAttribute = Literal["slope", "intercept", "rvalue"]

_KEPT = 16
"""Widths for which what depends on nothing else is kept; a batch has as many in turn."""


@dataclass(eq=False)
class Fit:
    """Least-squares lines over 0, 1, 2, ...; (m,) each, with the NaNs of `scipy.stats.linregress`.

    Attributes:
        n: number of points.
        average: mean of the points.
        variance: population variance of the points.
        covariance: of the points with their places.
    """

    n: FloatArray
    average: FloatArray
    variance: FloatArray
    covariance: FloatArray

    @classmethod
    def of(cls, rows: Rows) -> Fit:
        """Fits a line to every row."""
        products = rows.centred * float_range(rows.values.shape[1])
        return cls(rows.n, rows.mean, rows.variance, rows.sums(products) / rows.n)

    @kept
    def place_variance(self) -> FloatArray:
        """Variance of 0, 1, ..., n - 1."""
        variance: FloatArray = (self.n * self.n - 1.0) / 12.0
        return variance

    @property
    def slope(self) -> FloatArray:
        """Change from one point to the next."""
        return self.covariance / self.place_variance

    @property
    def intercept(self) -> FloatArray:
        """Value at the first point."""
        return self.average - self.slope * (self.n - 1.0) / 2.0

    @property
    def rvalue(self) -> FloatArray:
        """Correlation of the points with their places."""
        return np.minimum(np.maximum(self.covariance / np.sqrt(self.place_variance * self.variance), -1.0), 1.0)


def linear_trend(rows: Rows, *, attr: FitAttribute) -> FloatArray:
    """An attribute of the line through the points."""
    line: Fit = rows.once(("fit",), lambda: Fit.of(rows))
    value: FloatArray = getattr(line, attr)
    return value


def agg_linear_trend(rows: Rows, *, attr: FitAttribute, chunk_len: int, f_agg: Literal["mean"]) -> FloatArray:
    """An attribute of the line through the means of chunks; NaN for runs no longer than a chunk."""
    line: Fit = rows.once(("fit", chunk_len, f_agg), lambda: Fit.of(_chunk_means(rows, chunk_len)))
    value: FloatArray = getattr(line, attr)
    return np.where(rows.lengths > chunk_len, value, np.nan)


def _chunk_means(rows: Rows, size: int) -> Rows:
    """Means of the chunks of every row, from running sums; the last real one may be of a partial chunk."""
    width = rows.values.shape[1]
    last, count = _chunk_ends(width, size) if rows.full else _ends_of(width, size, rows.lengths[:, None])
    means = take_columns(rows.total, last)
    means[:, 1:] -= means[:, :-1]
    means /= count
    return Rows(means, -(-rows.lengths // size))


@lru_cache(maxsize=_KEPT)
def _chunk_ends(width: int, size: int) -> tuple[IntArray, FloatArray]:
    """`_ends_of` of rows without padding."""
    return _ends_of(width, size, np.array([[width]]))


def _ends_of(width: int, size: int, lengths: IntArray) -> tuple[IntArray, FloatArray]:
    """(n, K) last point and number of points, at least 1, of the chunks of rows by their lengths (n, 1)."""
    ends = np.arange(size, width + size, size)
    stop = np.minimum(ends, lengths)
    return stop - 1, np.maximum(stop - (ends - size), 1).astype(np.float64)


def energy_ratio_by_chunks(rows: Rows, *, num_segments: int, segment_focus: int | IntArray) -> FloatArray:
    """Share of the sum of squares in one of equal segments; NaN for an all-zero row.

    (k, 1, m) for several, segment_focus (k, 1).
    """
    share: FloatArray = _energy_shares(rows, num_segments)[segment_focus]
    return share


def _energy_shares(rows: Rows, segments: int) -> FloatArray:
    """(segments, m) shares of the sum of squares."""
    m, width = rows.values.shape
    edges, held = _full_edges(width, segments) if rows.full else _edges_of(rows.lengths[:, None], segments)
    squares = np.zeros(m * width + 1)
    np.multiply(rows.values, rows.values, out=squares[:-1].reshape(m, width))
    starts = edges + row_starts(m, width)
    parts = np.add.reduceat(squares, starts.ravel()).reshape(m, -1)[:, :-1]
    parts *= held  # `reduceat` gives an empty segment a cell
    whole = np.add.reduce(parts, axis=1)
    whole[whole == 0.0] = np.nan
    shares: FloatArray = (parts / whole[:, None]).T
    return shares


@lru_cache(maxsize=_KEPT)
def _full_edges(width: int, segments: int) -> tuple[IntArray, FloatArray]:
    """`_edges_of` of rows without padding."""
    return _edges_of(np.array([[width]]), segments)


def _edges_of(lengths: IntArray, segments: int) -> tuple[IntArray, FloatArray]:
    """(n, segments + 1) edges of the segments of rows by their lengths (n, 1), and 0 for empty segments, else 1."""
    size, longer = np.divmod(lengths, segments)
    part = np.arange(segments + 1)
    edges = part * size + np.minimum(part, longer)
    return edges, (edges[:, 1:] > edges[:, :-1]).astype(np.float64)
