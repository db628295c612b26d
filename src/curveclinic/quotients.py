"""Many quantities worked out in one division: for a single run it is calls that cost."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from curveclinic.levels import EPS
from curveclinic.ragged import BoolArray, FloatArray

Quantities = dict[str, FloatArray]
"""Quantity name -> (n,) float64; NaN where a channel is missing."""


def quotients(parts: Mapping[str, tuple[FloatArray, FloatArray]]) -> Quantities:
    """Each (n,) dividend over its (n,) divisor, which is `EPS` at least."""
    values = np.array(list(parts.values()))  # (k, 2, n)
    return dict(zip(parts, values[:, 0] / np.maximum(values[:, 1], EPS), strict=True))


def stacked(quantities: Quantities, absent: BoolArray | None) -> FloatArray:
    """(len(quantities), n) all of them, NaN where absent (n,): a few large steps in place of many small ones."""
    values = np.array(list(quantities.values()), dtype=np.float64)
    if absent is not None:
        values[:, absent] = np.nan
    return values
