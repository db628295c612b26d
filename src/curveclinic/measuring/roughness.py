"""How far points scatter about a smooth curve, whatever its slope: the stuff noise is estimated from."""

from __future__ import annotations

import numpy as np

from curveclinic.measuring.medians import from_middle
from curveclinic.measuring.smoothing import masked_quantile
from curveclinic.ragged import FloatArray, IntArray, places

THIRD_DIFF_STD = np.sqrt(20.0)
"""Standard deviation of x[i+2] - 3 x[i+1] + 3 x[i] - x[i-1] for white noise of standard deviation 1."""

_ZIGZAG_QUANTILE = 0.65
"""Quantile of the distances in `zigzag`: a third of them is 0 in white noise, spikes are rarer than the others."""

_MID_TO_STD = 1.0 / 0.651
"""Standard deviation of white noise over that quantile of its distances."""


def zigzag(mean: FloatArray, size: IntArray) -> FloatArray:
    """(n,) standard deviation of single points by how far they lie from the middle of themselves and their neighbours.

    Blind to slopes, and a spike spoils one point only, where the third difference is spoilt at four: with few points
    that matters.
    """
    column = np.arange(mean.shape[1])
    inner = (column >= 1) & (column < size[:, None] - 1)
    return masked_quantile(from_middle(mean), inner, _ZIGZAG_QUANTILE) * _MID_TO_STD


def third_difference(values: FloatArray, offsets: IntArray) -> FloatArray:
    """|x[i+2] - 3 x[i+1] + 3 x[i] - x[i-1]| inside runs, the neighbour's value near their ends.

    A smooth curve, even a steep one, has next to none; runs of fewer than 4 points have none.
    """
    out = np.empty(len(values))
    if len(values) >= 4:
        _third_difference(values, out[1:-2])
    lengths = offsets[1:] - offsets[:-1]
    long = (lengths >= 4).nonzero()[0]
    first, last = offsets[long], offsets[long + 1] - 1
    out[first] = out[first + 1]
    out[last] = out[last - 1] = out[last - 2]
    if len(long) < len(lengths):
        short = (lengths < 4).nonzero()[0]
        out[places(offsets[short], lengths[short])] = 0.0
    return out


def dense_third_difference(mean: FloatArray) -> FloatArray:
    """`third_difference` of rows (n, CELLS) whose cells are all filled."""
    out = np.empty(mean.shape)
    _third_difference(mean.ravel(), out.reshape(-1)[1:-2])  # flat rows are faster; what spans two is overwritten
    out[:, 0] = out[:, 1]
    out[:, -2:] = out[:, -3:-2]
    return out


def _third_difference(values: FloatArray, out: FloatArray) -> None:
    """Writes |x[i+2] - 3 x[i+1] + 3 x[i] - x[i-1]| of flat values."""
    np.subtract(values[1:-2], values[2:-1], out=out)
    out *= 3.0
    out += values[3:]
    out -= values[:-3]
    np.abs(out, out=out)
