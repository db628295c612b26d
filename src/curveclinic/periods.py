"""Search for a period: the strongest autocorrelation of what is left of a curve when its trend is taken off."""

from __future__ import annotations

import numpy as np

from curveclinic.measures import MAD_TO_STD, View
from curveclinic.ragged import FloatArray, IntArray, Ragged, blocks
from curveclinic.smoothing import alike, columns, masked_median, running_total

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
    return period_in(View.of(channel))


def period_in(view: View) -> tuple[FloatArray, FloatArray]:
    """`autocorrelation_peak` of a viewed channel."""
    points = view.points
    strength, period = np.zeros(points.size), np.zeros(points.size)
    factors = -(-points.lengths // _MAX_POINTS)
    for factor in sorted(set(factors.tolist()) - {0}):
        rows = np.flatnonzero(factors == factor)
        some = points if len(rows) == points.size else points.take(rows)
        for block in blocks(some, min_points=_FEWEST_POINTS):
            length = alike(block.lengths // factor)[:, None]
            s, p = _period_of(detrend(_coarse(block.values, factor), length), length)
            strength[rows[block.rows]], period[rows[block.rows]] = s, p * factor
    return strength, period


def _coarse(values: FloatArray, factor: int) -> FloatArray:
    """Means of consecutive points; what is left over at the end is dropped."""
    if factor == 1:
        return values
    usable = values.shape[1] // factor * factor
    means: FloatArray = values[:, :usable].reshape(len(values), -1, factor).mean(axis=2)
    return means


def detrend(values: FloatArray, length: IntArray) -> FloatArray:
    """Residual about a centred moving mean over a sixth of each row's length, clipped at 4 robust deviations.

    Args:
        values: (n, L) padded on the right.
        length: (n, 1) real points of each row, or (1, 1) where all rows have as many.
    """
    half = np.maximum(length // 12, 2)
    total, position = running_total(values), np.arange(values.shape[1])[None, :]
    reach = np.minimum(half, np.minimum(position, np.maximum(length - 1 - position, 0)))
    low, high = np.minimum(position - reach, length), np.minimum(position + reach + 1, length)
    level = (columns(total, high) - columns(total, low)) / np.maximum(high - low, 1)
    mid = (position >= half // 2) & (position < length - half // 2)
    rest = np.where(mid, values - level, 0.0)
    bound = 4.0 * MAD_TO_STD * masked_median(np.abs(rest), np.broadcast_to(mid, rest.shape))[:, None]
    return np.minimum(np.maximum(rest, -bound), bound)


def _period_of(rest: FloatArray, length: IntArray) -> tuple[FloatArray, FloatArray]:
    """Strength and lag of the best peak of each row."""
    acf = _autocorrelation(rest, length)
    single = acf[:, : rest.shape[1] // _REPEATS + 2]
    lags = np.arange(single.shape[1])
    peak = np.zeros_like(single, dtype=bool)
    peak[:, 1:-1] = (single[:, 1:-1] >= single[:, :-2]) & (single[:, 1:-1] > single[:, 2:])
    # a period of some points and a half has its double at an odd lag
    around = acf.copy()
    np.maximum(around[:, 1:], acf[:, :-1], out=around[:, 1:])
    np.maximum(around[:, :-1], acf[:, 1:], out=around[:, :-1])
    doubled = around.take(np.minimum(2 * lags, acf.shape[1] - 1), axis=1)
    dip = np.minimum.accumulate(single, axis=1)
    fits = peak & (lags >= _SHORTEST) & (_REPEATS * lags[None, :] <= length)
    score = np.where(fits, np.minimum(np.minimum(single, doubled), single - dip), 0.0)
    best = score.argmax(axis=1)
    return np.minimum(score[np.arange(len(rest)), best], 1.0), best.astype(np.float64)


def _autocorrelation(rest: FloatArray, length: IntArray) -> FloatArray:
    """(n, L // 2 + 2) unbiased autocorrelation, 1 at lag 0; 0 where nothing varies."""
    width = rest.shape[1]
    padded = _fast_length(width + width // 2 + 2)  # zeros beyond the largest lag that is asked for
    spectrum = np.fft.rfft(rest, padded, axis=1)
    acf = np.fft.irfft(spectrum * spectrum.conj(), padded, axis=1)[:, : width // 2 + 2]
    lag = np.arange(acf.shape[1])[None, :]
    whole = np.where(acf[:, :1] == 0.0, 1.0, acf[:, :1])
    out: FloatArray = acf / whole * (length / np.maximum(length - lag, 1))
    return out


def _fast_length(least: int) -> int:
    """The next larger length of a fast transform: a power of two, or five or six quarters of one."""
    power = 1 << max(least - 1, 1).bit_length()
    return next(length for length in (power * 5 // 8, power * 3 // 4, power) if length >= least)
