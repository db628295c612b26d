"""tsfresh's features of how a curve moves from point to point: changes and lags.

Every function here is tsfresh's calculator of the same name and parameters, for all rows at once.
"""

from __future__ import annotations

import numpy as np

from curveclinic.model.rows import Rows
from curveclinic.ragged import FloatArray

_FLAT_VARIANCE = 1e-8
"""Variance that tsfresh takes for zero in `autocorrelation` (the atol of `numpy.isclose`)."""


def mean_abs_change(rows: Rows) -> FloatArray:
    """Mean of absolute changes; NaN for a single point."""
    return rows.path / (rows.n - 1.0)


def autocorrelation(rows: Rows, *, lag: int) -> FloatArray:
    """Autocorrelation at a lag; NaN for runs no longer than the lag and for flat ones."""
    shifted = rows.centred[:, lag:]
    product = rows.sums(rows.centred[:, : shifted.shape[1]] * shifted, lag)
    known = (rows.lengths > lag) & (rows.variance > _FLAT_VARIANCE)
    return np.where(known, product / ((rows.n - lag) * rows.variance), np.nan)


def c3(rows: Rows, *, lag: int) -> FloatArray:
    """Mean product of three points a lag apart; 0 for runs too short."""
    width = max(rows.values.shape[1] - 2 * lag, 0)
    first, second, third = (rows.points[:, k : k + width] for k in (0, lag, 2 * lag))
    mean = rows.mean_of(third * second * first, 2 * lag)
    return np.where(np.isnan(mean), 0.0, mean)
