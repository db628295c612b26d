"""tsfresh's features of how a curve's values are distributed and where its extremes lie.

Every function here is tsfresh's calculator of the same name and parameters, for all rows at once.
"""

from __future__ import annotations

import numpy as np

from curveclinic.model.rows import Rows, row_counts
from curveclinic.ragged import BoolArray, FloatArray, IntArray


def quantile(rows: Rows, *, q: float | FloatArray) -> FloatArray:
    """Linear quantile; (k, m) for several, q (k, 1)."""
    return rows.quantile(q)


def standard_deviation(rows: Rows) -> FloatArray:
    """Population standard deviation."""
    return rows.deviation


def count_above(rows: Rows, *, t: float) -> FloatArray:
    """Share of points at or above t."""
    return row_counts(rows.points >= t) / rows.n


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
