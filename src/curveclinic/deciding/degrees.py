"""Degrees in [0, 1] to which measured numbers hold: linear between two cuts."""

from __future__ import annotations

import numpy as np

from curveclinic.ragged import FloatArray


def above(x: FloatArray, absent: float, present: float) -> FloatArray:
    """Degree to which x is large; NaN counts as absent."""
    return between(x, absent, present)


def between(x: FloatArray, absent: FloatArray | float, present: FloatArray | float) -> FloatArray:
    """Degree to which x is on its way from one cut to the other, whichever is larger; NaN counts as absent."""
    return np.fmin(np.fmax((x - absent) / (present - absent), 0.0), 1.0)
