"""tsfresh's features of how a curve moves from point to point: changes, lags, peaks, crossings.

Every function here is tsfresh's calculator of the same name and parameters, for all rows at once.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from curveclinic.model.rows import Rows, row_counts
from curveclinic.ragged import BoolArray, FloatArray, IntArray

_FLAT_VARIANCE = 1e-8
"""Variance that tsfresh takes for zero in `autocorrelation` (the atol of `numpy.isclose`)."""


def absolute_sum_of_changes(rows: Rows) -> FloatArray:
    """Sum of absolute changes."""
    return rows.path


def mean_abs_change(rows: Rows) -> FloatArray:
    """Mean of absolute changes; NaN for a single point."""
    return rows.path / (rows.n - 1.0)


def mean_change(rows: Rows) -> FloatArray:
    """Last less first point over the number of changes; NaN for a single point."""
    return (rows.last - rows.values[:, 0]) / (rows.n - 1.0)


def mean_second_derivative_central(rows: Rows) -> FloatArray:
    """Mean central second derivative; NaN below three points."""
    values, lengths = rows.values, rows.lengths
    before_last = values[np.arange(len(lengths)), np.maximum(lengths - 2, 0)]
    second = values[:, min(1, values.shape[1] - 1)]
    bend = rows.last - before_last - second + values[:, 0]
    return np.where(lengths > 2, bend / (2.0 * (rows.n - 2.0)), np.nan)


def cid_ce(rows: Rows, *, normalize: bool) -> FloatArray:
    """Length of the curve as root of the summed squared changes, of the z-scores if `normalize`."""
    length = np.sqrt(rows.sums(rows.changes * rows.changes, 1))
    if not normalize:
        return length
    return np.where(rows.deviation == 0.0, 0.0, length / rows.deviation)


def change_quantiles(rows: Rows, *, ql: float, qh: float, isabs: bool, f_agg: Literal["mean", "var"]) -> FloatArray:
    """Mean or variance of the (absolute) changes that start and end between two quantiles; 0 without any."""
    if ql >= qh:
        return np.zeros_like(rows.n)
    low, high = rows.quantile(np.array([[ql], [qh]]))
    inside = (rows.points >= low[:, None]) & (rows.points <= high[:, None])
    both = inside[:, 1:] & inside[:, :-1]
    counts = np.count_nonzero(both, axis=1)
    changes = np.abs(rows.changes[both]) if isabs else rows.changes[both]
    average = _segment_means(changes, counts)
    if f_agg == "mean":
        return average
    changes -= np.repeat(average, counts)
    return _segment_means(changes * changes, counts)


def _segment_means(values: FloatArray, counts: IntArray) -> FloatArray:
    """(m,) means of counts[i] values each, one after another; 0 of none."""
    means, some = np.zeros(len(counts)), counts.nonzero()[0]
    starts = np.cumsum(counts) - counts
    means[some] = np.add.reduceat(values, starts[some]) / counts[some]
    return means


def autocorrelation(rows: Rows, *, lag: int) -> FloatArray:
    """Autocorrelation at a lag; NaN for runs no longer than the lag and for flat ones."""
    shifted = rows.centred[:, lag:]
    product = rows.sums(rows.centred[:, : shifted.shape[1]] * shifted, lag)
    known = (rows.lengths > lag) & (rows.variance > _FLAT_VARIANCE)
    return np.where(known, product / ((rows.n - lag) * rows.variance), np.nan)


def c3(rows: Rows, *, lag: int) -> FloatArray:
    """Mean product of three points a lag apart; 0 for runs too short."""
    first, second, third = _lagged(rows, lag)
    return _or_zero(rows.mean_of(third * second * first, 2 * lag))


def time_reversal_asymmetry_statistic(rows: Rows, *, lag: int) -> FloatArray:
    """Mean of x[t + 2 lag]^2 x[t + lag] - x[t + lag] x[t]^2; 0 for runs too short."""
    first, second, third = _lagged(rows, lag)
    return _or_zero(rows.mean_of(second * (third * third - first * first), 2 * lag))


def _or_zero(values: FloatArray) -> FloatArray:
    """The values, 0 for NaN."""
    return np.where(np.isnan(values), 0.0, values)


def _lagged(rows: Rows, lag: int) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Points, the points a lag later, and two lags later, cut to one width."""
    width = max(rows.values.shape[1] - 2 * lag, 0)
    return rows.points[:, :width], rows.points[:, lag : lag + width], rows.points[:, 2 * lag : 2 * lag + width]


def number_crossing_m(rows: Rows, *, m: float) -> FloatArray:
    """Number of times the curve crosses m."""
    above = rows.values > m
    return row_counts(above[:, 1:] != above[:, :-1])


def number_peaks(rows: Rows, *, n: int) -> FloatArray:
    """Number of points higher than their n neighbours on either side."""
    return row_counts(_peaks(rows, n))


def _peaks(rows: Rows, n: int) -> BoolArray:
    """(m, L) True at peaks of support n; the padding is NaN, so nothing is higher than it."""

    def narrow() -> BoolArray:
        x = rows.points
        peak = np.ones(x.shape, dtype=bool) if n == 1 else _peaks(rows, n - 1).copy()
        peak[:, :n] = False
        peak[:, -n:] = False
        peak[:, n:] &= x[:, n:] > x[:, :-n]
        peak[:, :-n] &= x[:, :-n] > x[:, n:]
        return peak

    result: BoolArray = rows.once(("peaks", n), narrow)
    return result
