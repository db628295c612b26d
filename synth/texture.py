"""What rides on the level: correlated noise, swings, spikes, repeated patterns. Flat arrays over ragged runs."""

from __future__ import annotations

from typing import Final

import numpy as np

from curveclinic.errors import MissingExtraError
from curveclinic.ragged import places
from curveclinic.synth.descent import FloatArray, IntArray

RHO: Final = (0.0, 0.4, 0.8, 0.95)
"""Lag-one correlations of the noise."""

_RECOVERY: Final = 24
"""Points after which a spike has gone."""

SWINGS: Final = ("sine", "smooth", "alternating", "relaxation", "bursts", "wild", "thrown", "chaotic")
"""Kinds of swing: a jittered sine, correlated noise, up and down each point, kick and decay, sine that comes and goes,
a different value at every point (the weights jump about: val does the same), thrown back at odd moments by odd amounts
(descent beyond the edge of stability), and a chaotic map's sequence."""

_MOST_THROWS: Final = 64
"""Kicks of a "thrown" swing and values of a "chaotic" one; beyond the last it goes on from the first."""


def correlated(rng: np.random.Generator, counts: IntArray, rho: IntArray, skew: FloatArray) -> FloatArray:
    """(total,) noise of unit variance with each run's correlation and skewness; counts (n,) are the runs' points."""
    try:
        from scipy.signal import lfilter
    except ModuleNotFoundError:
        raise MissingExtraError("scipy", "train", "the generator") from None

    begin = np.cumsum(counts) - counts
    white = rng.standard_normal(int(counts.sum()))
    for index, r in enumerate(RHO):
        rows = np.flatnonzero(rho == index) if r > 0 else ()
        if len(rows):
            where = places(begin[rows], counts[rows])
            white[where] = lfilter([np.sqrt(1 - r * r)], [1.0, -r], white[where])
    # shifted log-normal of unit variance: a batch loss near zero is skewed to the right
    skewed = np.flatnonzero(skew > 0)
    heavy = places(begin[skewed], counts[skewed])
    e = np.exp(skew**2)
    middle, width = np.sqrt(e), np.sqrt(np.maximum(e * (e - 1.0), 1e-12))
    bulge = white[heavy]
    np.clip(bulge, -4, 4, out=bulge)
    bulge *= np.repeat(skew[skewed], counts[skewed])
    np.exp(bulge, out=bulge)
    bulge -= np.repeat(middle[skewed], counts[skewed])
    bulge /= np.repeat(width[skewed], counts[skewed])
    white[heavy] = bulge
    return white


def swings(
    rng: np.random.Generator, time: FloatArray, run: IntArray, index: IntArray, kind: IntArray, cycles: FloatArray
) -> FloatArray:
    """(total,) swing of amplitude about 1; time (total,) is each point's share of the logged window."""
    n = len(kind)
    phase = rng.random(n)[run] + cycles[run] * time
    wander = 0.35 * np.sin(2 * np.pi * (rng.random(n)[run] + 0.37 * phase))
    wander += 0.2 * np.sin(2 * np.pi * (rng.random(n)[run] + 0.713 * phase))
    out = np.sin(2 * np.pi * (phase + wander))
    kinds = kind[run]
    places = [np.flatnonzero(kinds == k) for k in range(len(SWINGS))]
    at = places[1]
    second = np.sin(2 * np.pi * (1.618 * phase[at] + rng.random(n)[run[at]]))
    third = np.sin(2 * np.pi * (2.41 * phase[at] + rng.random(n)[run[at]] + wander[at]))
    out[at] = 0.8 * out[at] + 0.6 * second + 0.5 * third
    at = places[2]
    out[at] = np.where(index[at] % 2 == 0, 1.0, -1.0) * (0.6 + 0.8 * rng.random(len(at)))
    at = places[3]
    out[at] = 2.2 * np.exp(-4.0 * np.mod(phase[at] + wander[at], 1.0)) - 0.54
    at = places[4]
    out[at] *= 1.4 * np.clip(1.5 * np.sin(2 * np.pi * (0.21 * phase[at] + rng.random(n)[run[at]])), 0, 1)
    at = places[5]
    out[at] = np.clip(rng.standard_normal(len(at)), -2.2, 2.8)
    at = places[6]
    out[at] = _thrown(rng, run[at], phase[at], index[at])
    at = places[7]
    out[at] = _chaotic(rng, run[at], phase[at])
    return out


def _thrown(rng: np.random.Generator, run: IntArray, phase: FloatArray, index: IntArray) -> FloatArray:
    """Thrown up about once a cycle, each time by another amount, and back down; it rings while it falls."""
    rows, row = np.unique(run, return_inverse=True)
    shape = (len(rows), _MOST_THROWS)
    times = np.cumsum(rng.gamma(1.5, 1 / 1.5, shape), axis=1)
    height, fall = 0.4 + rng.gamma(2.0, 0.5, shape), np.exp(rng.normal(0.3, 0.7, shape))
    slope, ring = rng.uniform(0.0, 1.2, (len(rows), 1)), rng.uniform(0.0, 0.9, (len(rows), 1))
    clock = np.mod(phase, times[row, -1])
    long = times[:, -1].max(initial=0.0) + 1.0
    last = np.searchsorted((times + long * np.arange(len(rows))[:, None]).ravel(), clock + long * row, side="right")
    last -= row * _MOST_THROWS
    since = clock - np.where(last > 0, times[row, last - 1], 0.0)
    rest = np.exp(-2.0 * fall[row, last] * since)
    side = np.where(index % 2 == 0, 1.0, -1.0) * rng.uniform(0.2, 1.8, len(row))
    out: FloatArray = height[row, last] * rest * (1.0 + ring[row, 0] * side) - slope[row, 0] * (since - 0.5) - 0.45
    return np.clip(out, -2.0, 2.8)


def _chaotic(rng: np.random.Generator, run: IntArray, phase: FloatArray) -> FloatArray:
    """A logistic map in its chaotic range, one to six of its steps a cycle, straight lines between."""
    rows, row = np.unique(run, return_inverse=True)
    growth, pace = rng.uniform(3.57, 4.0, len(rows)), rng.uniform(1.0, 6.0, len(rows))
    steps = np.empty((len(rows), _MOST_THROWS))
    x = rng.uniform(0.1, 0.9, len(rows))
    for k in range(_MOST_THROWS):
        x = growth * x * (1.0 - x)
        steps[:, k] = x
    clock = np.mod(phase * pace[row], _MOST_THROWS)
    left = clock.astype(np.int64)
    part = clock - left
    value = steps[row, left] * (1.0 - part) + steps[row, (left + 1) % _MOST_THROWS] * part
    sign = np.where(rng.random(len(rows)) < 0.3, -1.0, 1.0)
    out: FloatArray = sign[row] * (value - 0.6) / 0.3
    return out


def patterns(rng: np.random.Generator, index: IntArray, run: IntArray, period: FloatArray) -> FloatArray:
    """(total,) repeated pattern of unit variance; period (n,) is each run's in whole points, 0 for none."""
    n, length = len(period), period.astype(np.int64)
    first, row = np.cumsum(length) - length, np.repeat(np.arange(n), length)
    phase = (np.arange(len(row)) - first[row]) / length[row]
    once = np.zeros(len(row))
    for harmonic, weight in ((1, 1.0), (2, 0.7), (3, 0.5), (5, 0.4)):
        size, shift = rng.normal(0, weight, n), rng.random(n)
        once += size[row] * np.sin(2 * np.pi * (harmonic * phase + shift[row]))
    ramp, sign = rng.random(n) < 0.35, np.where(rng.random(n) < 0.5, 1, -1)
    once = np.where(ramp[row], sign[row] * (phase - 0.5) * 3.46, once / np.sqrt(0.95))
    return np.asarray(once[first[run] + index % length[run]])


def spike_train(
    rng: np.random.Generator, offsets: IntArray, count: IntArray, size: FloatArray, tail: FloatArray, early: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Isolated jumps in log level, each followed by recovery.

    Returns:
        rise (total,) to be added to the log level; first and last (n,) index within the run of the jumps, NaN if none.
    """
    total = int(offsets[-1])
    lengths = np.diff(offsets)
    out = np.zeros(total)
    first, last = np.full(len(count), np.nan), np.full(len(count), np.nan)
    wanted = np.where(lengths >= 5, count, 0)
    row = np.repeat(np.arange(len(count)), wanted)
    if not len(row):
        return out, first, last
    room = np.where(early[row] > 0, np.maximum(lengths[row] // 5, 3), lengths[row])
    at = 1 + np.floor(rng.random(len(row)) * np.maximum(np.minimum(room, lengths[row] - 2) - 1, 1)).astype(np.int64)
    at = np.minimum(at, lengths[row] - 2)
    height = size[row] * np.exp(rng.normal(0, 0.35, len(row)))
    np.fmin.at(first, row, at.astype(float))
    np.fmax.at(last, row, at.astype(float))
    later = np.arange(_RECOVERY)
    with np.errstate(divide="ignore", invalid="ignore"):
        fade = np.where(later > 0, np.exp(-later / tail[row, None]), 1.0)
    spike, k = np.nonzero((fade > 0.03) & (at[:, None] + later < lengths[row, None]))
    np.maximum.at(out, (offsets[row] + at)[spike] + k, height[spike] * fade[spike, k])
    return out, first, last
