"""Search for a period: the strongest autocorrelation of what is left of a curve when its trend is taken off.

And the trend of what repeats: levels of its quarters that whole periods do not move.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from curveclinic.measuring.measures import MAD_TO_STD, View
from curveclinic.measuring.smoothing import one_if_equal, row_numbers, running_total, take_columns
from curveclinic.ragged import BoolArray, FloatArray, IntArray, Ragged, blocks, offsets_of
from curveclinic.ragged import places as flat_places

_MAX_POINTS = 2048
"""Longer runs are averaged down to this before the search."""

_FEWEST_POINTS = 16
_SHORTEST = 3
"""Shortest period in points."""

_REPEATS = 4
"""Times a period must fit into the run."""

QUARTERS = 4
"""Stretches of a run whose levels are compared."""


def autocorrelation_peak(channel: Ragged) -> tuple[FloatArray, FloatArray]:
    """Strength and length of the strongest period of each run, over and above the trend.

    The trend is a centred moving mean over a sixth of the run in the channel's view. Strength is the smaller of the
    autocorrelations at a lag and at its double where that lag is a local maximum at least 3 points long and the
    curve dips between; 0 where there is none. A period must repeat at least four times.

    Returns:
        strength (n,) in [0, 1], period (n,) in points, 0 without one.
    """
    return period_in(View.of(channel).points)


def period_in(points: Ragged) -> tuple[FloatArray, FloatArray]:
    """`autocorrelation_peak` of a channel of finite points in its view."""
    strength, period = np.zeros(points.size), np.zeros(points.size)
    factors = (points.lengths + (_MAX_POINTS - 1)) // _MAX_POINTS
    for factor in sorted(set(factors.tolist()) - {0}):
        rows = (factors == factor).nonzero()[0]
        some = points if len(rows) == points.size else points.take(rows)
        for block in blocks(some, min_points=_FEWEST_POINTS):
            values = _coarse(block.values, factor)
            places = _Places.of_rows(values.shape[1], one_if_equal(block.lengths // factor))
            s, p = _period_of(detrend(values, places), places)
            strength[rows[block.rows]], period[rows[block.rows]] = s, p * factor
    return strength, period


def _coarse(values: FloatArray, factor: int) -> FloatArray:
    """Means of consecutive points; what is left over at the end is dropped."""
    if factor == 1:
        return values
    usable = values.shape[1] // factor * factor
    means: FloatArray = values[:, :usable].reshape(len(values), -1, factor).mean(axis=2)
    return means


@dataclass(frozen=True, eq=False)
class _Places:
    """Where points and lags lie in rows of width L, by their lengths; (n, ...) each, (1, ...) for rows of one length.

    Attributes:
        start, stop: (n, L) first point of the moving mean about each point, and the one after its last.
        count: (n, L) float64 points in it, 1 at least.
        weight: (n, L) 1 at the points far enough from both ends, 0 at the others.
        middle: (n,) place of the lower median of the former where they stand in rising order behind the others.
        unbias: (n, L // 2 + 2) factor of the products at a lag, of which there are the fewer the longer it is.
        fits: (n, L // _REPEATS + 2) lags that can be a period.
        double: (L // _REPEATS + 2,) twice each of these lags.
        padded: length with zeros beyond the largest lag that is asked for.
    """

    start: IntArray
    stop: IntArray
    count: FloatArray
    weight: FloatArray
    middle: IntArray
    unbias: FloatArray
    fits: BoolArray
    double: IntArray
    padded: int

    @classmethod
    def of_rows(cls, width: int, length: IntArray) -> _Places:
        """Returns the places in rows of a width, by their lengths (n,), or by the one (1,) that all have."""
        return _kept_places(width, int(length[0])) if len(length) == 1 else cls.of(width, length[:, None])

    @classmethod
    def of(cls, width: int, length: IntArray) -> _Places:
        """Returns the places in rows of a width, by their lengths (n, 1)."""
        position, half = np.arange(width), np.maximum(length // 12, 2)
        reach = np.subtract(length - 1, position)
        np.maximum(reach, 0, out=reach)
        np.minimum(reach, np.minimum(position, half), out=reach)
        start, stop = position - reach, reach
        np.minimum(start, length, out=start)
        stop += position + 1
        np.minimum(stop, length, out=stop)
        lag, short = np.arange(width // 2 + 2), np.arange(width // _REPEATS + 2)
        mid = (position >= half // 2) & (position < length - half // 2)
        held = np.add.reduce(mid, axis=1)
        return cls(
            start,
            stop,
            count=np.maximum(stop - start, 1).astype(np.float64),
            weight=mid.astype(np.float64),
            middle=width - held + (held - 1) // 2,
            unbias=length / np.maximum(length - lag, 1),
            fits=(short >= _SHORTEST) & (_REPEATS * short <= length),
            double=np.minimum(2 * short, len(lag) - 1),
            padded=_fast_length(width + len(lag)),
        )


@lru_cache(maxsize=64)
def _kept_places(width: int, length: int) -> _Places:
    return _Places.of(width, np.array([[length]]))


def detrend(values: FloatArray, places: _Places) -> FloatArray:
    """Residual (n, L) about a centred moving mean over a sixth of each row's length, clipped at 4 robust deviations."""
    total = running_total(values)
    rest = take_columns(total, places.stop)
    rest -= take_columns(total, places.start)
    rest /= places.count
    np.subtract(values, rest, out=rest)
    rest *= places.weight
    ordered = np.abs(rest)
    ordered.sort(axis=1)  # the others first, as zeros
    bound = (4.0 * MAD_TO_STD * ordered[row_numbers(len(rest)), places.middle])[:, None]
    return np.minimum(np.maximum(rest, -bound, out=rest), bound, out=rest)


def _period_of(rest: FloatArray, places: _Places) -> tuple[FloatArray, FloatArray]:
    """Strength and lag of the best peak of each row."""
    acf = _autocorrelation(rest, places)
    single = acf[:, : len(places.double)]
    fits = np.zeros(single.shape, dtype=bool)
    np.greater_equal(single[:, 1:-1], single[:, :-2], out=fits[:, 1:-1])
    fits[:, 1:-1] &= single[:, 1:-1] > single[:, 2:]
    fits &= places.fits
    # a period of some points and a half has its double at an odd lag
    around = acf.copy()
    np.maximum(around[:, 1:], acf[:, :-1], out=around[:, 1:])
    np.maximum(around[:, :-1], acf[:, 1:], out=around[:, :-1])
    dip = np.fmin.accumulate(single, axis=1)  # faster than `minimum` where nothing is NaN
    score = np.where(fits, np.minimum(np.minimum(single, around.take(places.double, axis=1)), single - dip), 0.0)
    best = score.argmax(axis=1)
    return np.minimum(score[row_numbers(len(rest)), best], 1.0), best.astype(np.float64)


def _autocorrelation(rest: FloatArray, places: _Places) -> FloatArray:
    """(n, L // 2 + 2) unbiased autocorrelation, 1 at lag 0; 0 where nothing varies."""
    spectrum = np.fft.rfft(rest, places.padded, axis=1)
    acf = np.fft.irfft(spectrum * spectrum.conj(), places.padded, axis=1)[:, : places.unbias.shape[1]]
    whole = acf[:, :1]
    out: FloatArray = acf / np.where(whole == 0.0, 1.0, whole)
    out *= places.unbias
    return out


def _fast_length(least: int) -> int:
    """The next larger length of a fast transform: a power of two, or five or six quarters of one."""
    power = 1 << max(least - 1, 1).bit_length()
    return next(length for length in (power * 5 // 8, power * 3 // 4, power) if length >= least)


def quarter_levels(points: Ragged, period: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Levels of the quarters of runs that repeat a pattern, and their standard error.

    Each is a mean under a Hann window: of a wave of k periods in a quarter it keeps a share of 1 / (pi k^3) at most,
    whatever the phase and however badly the period is known. The error is that of points which differ as much as those
    one period apart do.

    Args:
        points: finite points of n runs of `QUARTERS` points or more.
        period: (n,) points after which each repeats itself.

    Returns:
        levels (n, QUARTERS), error (n,).
    """
    edges = points.offsets[:-1, None] + points.lengths[:, None] * np.arange(QUARTERS + 1) // QUARTERS
    begin, lengths = edges[:, :-1].ravel(), np.diff(edges, axis=1).ravel()
    at, own = flat_places(begin, lengths), offsets_of(lengths)[:-1]
    share = (at - begin.repeat(lengths) + 0.5) / lengths.repeat(lengths)
    window = 1.0 - np.cos(2.0 * np.pi * share)
    weight = np.add.reduceat(window, own)
    levels = (np.add.reduceat(window * points.values[at], own) / weight).reshape(-1, QUARTERS)
    lag = np.minimum(np.maximum(np.rint(period).astype(np.int64), 1), points.lengths - 1)
    pairs = points.lengths - lag
    first = flat_places(points.offsets[:-1], pairs)
    apart = (points.values[first + lag.repeat(pairs)] - points.values[first]) ** 2
    variance = np.add.reduceat(apart, offsets_of(pairs)[:-1]) / (2.0 * pairs)
    spread = (np.add.reduceat(window * window, own) / weight**2).reshape(-1, QUARTERS).max(axis=1)
    return levels, np.sqrt(variance * spread)
