"""tsfresh's features of how a curve's values are distributed and where its extremes lie.

Every function here is tsfresh's calculator of the same name and parameters, for all rows at once.
"""

from __future__ import annotations

import numpy as np

from curveclinic.model.rows import Rows, row_counts, row_sums
from curveclinic.ragged import BoolArray, FloatArray, IntArray


def mean(rows: Rows) -> FloatArray:
    """Mean."""
    return rows.mean


def median(rows: Rows) -> FloatArray:
    """Median."""
    return rows.quantile(0.5)


def quantile(rows: Rows, *, q: float | FloatArray) -> FloatArray:
    """Linear quantile; (k, m) for several, q (k, 1)."""
    return rows.quantile(q)


def variance(rows: Rows) -> FloatArray:
    """Population variance."""
    return rows.variance


def standard_deviation(rows: Rows) -> FloatArray:
    """Population standard deviation."""
    return rows.deviation


def variation_coefficient(rows: Rows) -> FloatArray:
    """Standard deviation over mean."""
    return rows.deviation / np.where(rows.mean == 0.0, np.nan, rows.mean)


def root_mean_square(rows: Rows) -> FloatArray:
    """Root of the mean square."""
    return np.sqrt(rows.mean_of(rows.points * rows.points))


def skewness(rows: Rows) -> FloatArray:
    """Adjusted Fisher-Pearson G1; NaN below three points and for constants."""
    n, second = rows.n, rows.variance * rows.n
    third = rows.sums(rows.squared * rows.centred)
    return np.where(n > 2, n * np.sqrt(n - 1.0) / (n - 2.0) * third / second**1.5, np.nan)


def kurtosis(rows: Rows) -> FloatArray:
    """Adjusted Fisher-Pearson G2; NaN below four points and for constants."""
    n, second = rows.n, rows.variance * rows.n
    fourth = rows.sums(rows.squared * rows.squared)
    pairs = (n - 2.0) * (n - 3.0)
    value = n * (n + 1.0) * (n - 1.0) * fourth / (pairs * second**2) - 3.0 * (n - 1.0) ** 2 / pairs
    return np.where(n > 3, value, np.nan)


def mean_n_absolute_max(rows: Rows, *, number_of_maxima: int) -> FloatArray:
    """Mean of the largest values; NaN unless there are more points than that."""
    index = rows.lengths[:, None] - 1 - np.arange(number_of_maxima)
    largest: FloatArray = np.take_along_axis(rows.ordered, np.maximum(index, 0), axis=1).mean(axis=1)
    return np.where(rows.lengths > number_of_maxima, largest, np.nan)


def ratio_beyond_r_sigma(rows: Rows, *, r: float) -> FloatArray:
    """Share of points more than r standard deviations from the mean."""
    return row_counts(np.abs(rows.centred) > (r * rows.deviation)[:, None]) / rows.n


def count_above(rows: Rows, *, t: float) -> FloatArray:
    """Share of points at or above t."""
    return row_counts(rows.points >= t) / rows.n


def count_below(rows: Rows, *, t: float) -> FloatArray:
    """Share of points at or below t."""
    return row_counts(rows.points <= t) / rows.n


def count_above_mean(rows: Rows) -> FloatArray:
    """Number of points above the mean."""
    return row_counts(rows.points > rows.mean[:, None])


def count_below_mean(rows: Rows) -> FloatArray:
    """Number of points below the mean."""
    return row_counts(rows.points < rows.mean[:, None])


def longest_strike_above_mean(rows: Rows) -> FloatArray:
    """Most points in a row above the mean."""
    return _longest(rows.points > rows.mean[:, None])


def longest_strike_below_mean(rows: Rows) -> FloatArray:
    """Most points in a row below the mean."""
    return _longest(rows.points < rows.mean[:, None])


def _longest(cells: BoolArray) -> FloatArray:
    """Length of the longest stretch of True in every row."""
    m, width = cells.shape
    fenced = np.zeros(m * (width + 1) + 1, dtype=np.int8)  # a 0 before the first row and after every row
    fenced[1:].reshape(m, width + 1)[:, :-1] = cells
    edges = np.flatnonzero(np.diff(fenced))
    starts, stops = edges[::2], edges[1::2]
    longest = np.zeros(m)
    np.maximum.at(longest, starts // (width + 1), (stops - starts).astype(np.float64))
    return longest


def first_location_of_maximum(rows: Rows) -> FloatArray:
    """First place of the maximum, relative to the length."""
    place: IntArray = rows.values.argmax(axis=1)
    return place / rows.n


def last_location_of_maximum(rows: Rows) -> FloatArray:
    """Place after the last maximum, relative to the length."""
    return _from_end(rows, rows.values[:, ::-1].argmax(axis=1))


def first_location_of_minimum(rows: Rows) -> FloatArray:
    """First place of the minimum, relative to the length."""
    place: IntArray = rows.values.argmin(axis=1)
    return place / rows.n


def last_location_of_minimum(rows: Rows) -> FloatArray:
    """Place after the last minimum, relative to the length."""
    return _from_end(rows, rows.values[:, ::-1].argmin(axis=1))


def _from_end(rows: Rows, reverse: IntArray) -> FloatArray:
    """1 - distance from the end over length; a hit in the padding is the last point itself."""
    padding = rows.values.shape[1] - rows.lengths
    distance: IntArray = np.maximum(reverse - padding, 0)
    return 1.0 - distance / rows.n


def index_mass_quantile(rows: Rows, *, q: float | FloatArray) -> FloatArray:
    """Relative place where the running sum reaches the share q; NaN for an all-zero row.

    (k, m) for several, q (k, 1).
    """
    share = rows.total / rows.sum[:, None]  # NaN in an all-zero row
    reached: BoolArray = share >= np.asarray(q)[..., None]
    place: FloatArray = (reached.argmax(axis=-1) + 1) / np.where(rows.sum == 0.0, np.nan, rows.n)
    return place


def binned_entropy(rows: Rows, *, max_bins: int) -> FloatArray:
    """Entropy of the histogram over equal bins of [0, 1], the range of a normalised curve."""
    edges = np.linspace(0.0, 1.0, max_bins + 1)[1:-1]
    reached = [rows.n, *(row_counts(rows.points >= edge) for edge in edges), np.zeros_like(rows.n)]
    share = -np.diff(np.stack(reached, axis=1), axis=1) / rows.n[:, None]
    surprise: FloatArray = np.log(np.where(share > 0.0, share, 1.0))
    return -row_sums(share * surprise, np.full(len(share), max_bins))


def ratio_value_number_to_time_series_length(rows: Rows) -> FloatArray:
    """Number of distinct values over the length."""
    return (rows.n - _repeats(rows)[0]) / rows.n


def percentage_of_reoccurring_values_to_all_values(rows: Rows) -> FloatArray:
    """Share of the distinct values that occur more than once."""
    repeats, repeated = _repeats(rows)
    return repeated / (rows.n - repeats)


def percentage_of_reoccurring_datapoints_to_all_datapoints(rows: Rows) -> FloatArray:
    """Share of the points whose value occurs more than once."""
    repeats, repeated = _repeats(rows)
    return (repeats + repeated) / rows.n


def _repeats(rows: Rows) -> tuple[FloatArray, FloatArray]:
    """Points equal to one before them in sorted order, and how many values have such points."""

    def count() -> tuple[FloatArray, FloatArray]:
        equal = rows.ordered[:, 1:] == rows.ordered[:, :-1]
        continued = row_counts(equal[:, 1:] & equal[:, :-1])
        repeats = row_counts(equal)
        return repeats, repeats - continued

    result: tuple[FloatArray, FloatArray] = rows.once(("repeats",), count)
    return result
