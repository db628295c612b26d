"""What rides on the level: correlated noise, spikes, repeated patterns. Flat arrays over ragged runs."""

from __future__ import annotations

from typing import Final

import numpy as np

from curveclinic.errors import MissingExtraError
from curveclinic.ragged import FloatArray, IntArray, places

RHO: Final = (0.0, 0.4, 0.8, 0.95)
"""Lag-one correlations of the noise."""

_GONE: Final = 0.03
"""Share of its height at which a spike has gone."""

_SLOW: Final = 9.0
"""Recovery, in points, from which a spike is a setback: it comes early enough to be made good."""


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
    room -= np.where(tail[row] > _SLOW, np.rint(2.5 * tail[row]), 0).astype(np.int64)
    at = 1 + np.floor(rng.random(len(row)) * np.maximum(np.minimum(room, lengths[row] - 2) - 1, 1)).astype(np.int64)
    at = np.minimum(at, lengths[row] - 2)
    height = size[row] * np.exp(rng.normal(0, 0.35, len(row)))
    np.fmin.at(first, row, at.astype(float))
    np.fmax.at(last, row, at.astype(float))
    later = np.arange(int(-np.log(_GONE) * np.max(tail[row], initial=0.0)) + 2)
    with np.errstate(divide="ignore", invalid="ignore"):
        fade = np.where(later > 0, np.exp(-later / tail[row, None]), 1.0)
    spike, k = np.nonzero((fade > _GONE) & (at[:, None] + later < lengths[row, None]))
    np.maximum.at(out, (offsets[row] + at)[spike] + k, height[spike] * fade[spike, k])
    return out, first, last
