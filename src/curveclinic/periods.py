"""Search for a period: the strongest autocorrelation of what is left of a curve when its trend is taken off."""

from __future__ import annotations

from functools import reduce

import numpy as np

from curveclinic.measures import MAD_TO_STD, view_of
from curveclinic.ragged import BoolArray, FloatArray, IntArray, Ragged, blocks
from curveclinic.smoothing import alike, columns, masked_median

_MAX_POINTS = 2048
"""Longer runs are averaged down to this before the search."""

_FEWEST_POINTS = 16
_SHORTEST = 3
"""Shortest period in points."""

_REPEATS = 4
"""Times a period must fit into the run."""


def autocorrelation_peak(channel: Ragged) -> tuple[FloatArray, FloatArray]:
    """Strength and length of the strongest period of each run, over and above the trend.

    The trend is a centred moving mean over a sixth of the run in the channel's view. Strength is the smaller of the
    autocorrelations at a lag and at its double where that lag is a local maximum at least 3 points long and the
    curve dips between; 0 where there is none. A period must repeat at least four times.

    Returns:
        strength (n,) in [0, 1], period (n,) in points, 0 without one.
    """
    finite = channel.finite()
    values, _, _ = view_of(finite)
    viewed = Ragged(finite.steps, values, finite.offsets)
    strength, period = np.zeros(channel.size), np.zeros(channel.size)
    factors = -(-channel.lengths // _MAX_POINTS)
    for factor in sorted(set(factors.tolist()) - {0}):
        rows = np.flatnonzero(factors == factor)
        some = viewed if len(rows) == viewed.size else viewed.take(rows)
        for block in blocks(some, min_points=_FEWEST_POINTS):
            dense, mask = _coarse(block.values, block.mask, factor)
            s, p = _period_of(detrend(dense, mask), mask)
            strength[rows[block.rows]], period[rows[block.rows]] = s, p * factor
    return strength, period


def _coarse(values: FloatArray, mask: BoolArray, factor: int) -> tuple[FloatArray, BoolArray]:
    if factor == 1:
        return values, mask
    usable = values.shape[1] // factor * factor
    folded = values[:, :usable].reshape(len(values), -1, factor)
    whole = np.logical_and.reduce(mask[:, :usable].reshape(len(values), -1, factor), axis=2)
    return folded.mean(axis=2), np.asarray(whole)


def detrend(values: FloatArray, mask: BoolArray) -> FloatArray:
    """Residual about a centred moving mean over a sixth of each row's length, clipped at 4 robust deviations."""
    length = alike(mask.sum(axis=1))[:, None]
    half = np.maximum(length // 12, 2)
    n, width = values.shape
    total = np.zeros((n, width + 1))
    np.cumsum(np.where(mask, values, 0.0), axis=1, out=total[:, 1:])
    position = np.arange(width)[None, :]
    reach = np.minimum(half, np.minimum(position, np.maximum(length - 1 - position, 0)))
    low, high = np.minimum(position - reach, length), np.minimum(position + reach + 1, length)
    level = (columns(total, high) - columns(total, low)) / np.maximum(high - low, 1)
    mid = mask & (position >= half // 2) & (position < length - half // 2)
    rest = np.where(mid, values - level, 0.0)
    bound = 4.0 * MAD_TO_STD * masked_median(np.abs(rest), mid)[:, None]
    return np.minimum(np.maximum(rest, -bound), bound)


def _period_of(rest: FloatArray, mask: BoolArray) -> tuple[FloatArray, FloatArray]:
    """Strength and lag of the best peak of each row."""
    length = alike(mask.sum(axis=1))[:, None]
    acf = _autocorrelation(rest, length)
    single = acf[:, : rest.shape[1] // _REPEATS + 2]
    lags = np.arange(single.shape[1])
    peak = np.zeros_like(single, dtype=bool)
    peak[:, 1:-1] = (single[:, 1:-1] >= single[:, :-2]) & (single[:, 1:-1] > single[:, 2:])
    top = acf.shape[1] - 1
    # a period of some points and a half has its double at an odd lag
    around = (acf.take(np.minimum(np.maximum(2 * lags + k, 0), top), axis=1) for k in (-1, 0, 1))
    doubled = reduce(np.maximum, around)
    dip = np.minimum.accumulate(single, axis=1)
    fits = peak & (lags >= _SHORTEST) & (_REPEATS * lags[None, :] <= length)
    score = np.where(fits, np.minimum(np.minimum(single, doubled), single - dip), 0.0)
    best = score.argmax(axis=1)
    return np.clip(score[np.arange(len(rest)), best], 0.0, 1.0), best.astype(np.float64)


def _autocorrelation(rest: FloatArray, length: IntArray) -> FloatArray:
    """(n, L // 2 + 2) unbiased autocorrelation, 1 at lag 0; 0 where nothing varies."""
    width = rest.shape[1]
    # zero padding beyond the largest lag that is asked for; a power of two is the fastest length
    padded = 1 << int(np.ceil(np.log2(width + width // 2 + 3)))
    spectrum = np.fft.rfft(rest, padded, axis=1)
    power = spectrum.real**2 + spectrum.imag**2
    acf = np.fft.irfft(power, padded, axis=1)[:, : width // 2 + 2]
    lag = np.arange(acf.shape[1])[None, :]
    whole = np.where(acf[:, :1] == 0.0, 1.0, acf[:, :1])
    out: FloatArray = acf / whole * (length / np.maximum(length - lag, 1))
    return out
