"""Curves without a direction: how often one turns, whether it walks at random, whether it stands still in its noise."""

from __future__ import annotations

from typing import Final

import numpy as np

from curveclinic.deciding.suspects import Loss
from curveclinic.ragged import BoolArray, FloatArray, IntArray

_FEWEST: Final = 30
"""Finite points from which a walk can be told from chance."""

_FEW: Final = 32
"""Curves up to which Python counts their moves faster than NumPy is called."""

_LAGS: Final = {2: (0.75, 1.45), 4: (0.55, 2.0), 8: (0.35, 2.8), 16: (0.0, 4.0)}
"""Lag -> range of the variance ratio of a random walk, which is 1 up to chance (Lo and MacKinlay 1988)."""

_STRAIGHT: Final = -0.3
"""Correlation of steps that follow each other, less their drift, below which they are the noise about a straight line,
of which it is -0.5; of a walk it is 0."""

_EVEN: Final = 2.5
"""Most by which the squared steps of one half of a walk exceed those of the other."""

_TALL: Final = 14.0
"""Largest squared step of a walk over their mean: stages of a training change its level in single jumps."""

_SAME_WAY: Final = (11, 18)
"""Steps in a row in one direction that no walk makes (1 or 2 in a hundred do), of single points and of their means,
which remember a quarter of the last step."""

_LEARNT: Final = 0.02
"""Share of its first level that a loss stays below in its second half when it has learnt: what it does there, however
wild in logarithms, is the rest of a training."""

_WHITE: Final = 0.7
"""Mean squared step over twice the variance from which cells know nothing of each other: 1 for white noise, next to 0
for a trend (von Neumann 1941)."""

_STILL: Final = 2.5
"""Standard errors by which the means of both halves of a level without a trend differ at most."""

_FIRST: Final = 2.5
"""Standard deviations above the mean from which the first point is where a fast descent began."""


def count_legs(view: FloatArray, least: FloatArray) -> IntArray:
    """(n,) moves in turn up and down of at least `least` (n,) each, of curves (n, G)."""
    if len(view) <= _FEW:
        return np.array([_legs_of(*row) for row in zip(view.tolist(), least.tolist(), strict=True)], dtype=np.int64)
    high, low = view[:, 0].copy(), view[:, 0].copy()
    direction, legs = np.zeros(len(view), dtype=np.int64), np.zeros(len(view), dtype=np.int64)
    for x in view.T[1:]:
        np.maximum(high, x, out=high)
        np.minimum(low, x, out=low)
        down = (direction >= 0) & (x <= high - least)
        turned = down | ((direction <= 0) & (x >= low + least))
        legs += turned
        direction[turned] = np.where(down[turned], -1, 1)
        high[turned], low[turned] = x[turned], x[turned]
    return legs


def _legs_of(curve: list[float], least: float) -> int:
    """`count_legs` of one curve."""
    high = low = curve[0]
    direction = legs = 0
    for x in curve[1:]:
        if x > high:
            high = x
        elif x < low:
            low = x
        if direction >= 0 and x <= high - least:
            direction = -1
        elif direction <= 0 and x >= low + least:
            direction = 1
        else:
            continue
        legs += 1
        high = low = x
    return legs


def is_walk(loss: Loss) -> BoolArray:
    """Steps that know nothing of each other, at every lag, and are as large late as early."""
    view, linear = loss.mean.copy(), ((loss.lowest > 0) & ~loss.log).nonzero()[0]
    view[linear] = np.log(np.maximum(view[linear], 1e-300))
    one = _squared_steps(view, loss.size, 1)
    whole = one.sum(axis=1)
    mean = whole / np.maximum(loss.size - 1, 1)
    out: BoolArray = (loss.count >= _FEWEST) & (one.max(axis=1) <= _TALL * mean) & ~_has_learnt(loss)
    early = np.where(np.arange(one.shape[1]) < loss.size[:, None] // 2, one, 0.0).sum(axis=1)
    later = whole - early
    out &= (early <= _EVEN * later) & (later <= _EVEN * early)
    for lag, (least, most) in _LAGS.items():
        rows = out.nonzero()[0]  # few are left when one lag has told
        if len(rows):
            ratio = _squared_steps(view[rows], loss.size[rows], lag).sum(axis=1)
            ratio /= np.maximum(loss.size[rows] - lag, 1)
            ratio /= np.maximum(lag * mean[rows], 1e-300)
            out[rows] = (ratio >= least) & (ratio <= most)
    rows = out.nonzero()[0]
    if len(rows):
        size = loss.size[rows]
        too_many = np.where(loss.count[rows] <= size, *_SAME_WAY)
        out[rows] = ~_is_straight(view[rows], size) & (_longest_course(view[rows], size) < too_many)
    return out


def _longest_course(view: FloatArray, size: IntArray) -> IntArray:
    """(n,) most steps in a row that go the same way, of curves (n, CELLS) of each size (n,)."""
    way = np.sign(view[:, 1:] - view[:, :-1]) * (np.arange(1, view.shape[1]) < size[:, None])
    place = np.arange(way.shape[1])
    turned = np.ones(way.shape, dtype=bool)
    np.not_equal(way[:, 1:], way[:, :-1], out=turned[:, 1:])
    begin = np.maximum.accumulate(np.where(turned, place, 0), axis=1)
    out: IntArray = np.where(way != 0, place - begin + 1, 0).max(axis=1)
    return out


def _is_straight(view: FloatArray, size: IntArray) -> BoolArray:
    """(n,) walks (n, CELLS) of which each step takes much of the last one back, once their drift is taken out.

    A straight line in noise has the variance ratios of a walk where its slope and its noise are of a size.
    """
    pairs = (size - 1)[:, None]
    change = view[:, 1:] - view[:, :-1]
    real = np.arange(1, view.shape[1]) < size[:, None]
    free = np.where(real, change - np.where(real, change, 0.0).sum(axis=1, keepdims=True) / pairs, 0.0)
    memory = (free[:, 1:] * free[:, :-1]).sum(axis=1) / np.maximum((free * free).sum(axis=1), 1e-300)
    out: BoolArray = memory < _STRAIGHT
    return out


def _has_learnt(loss: Loss) -> BoolArray:
    """(n,) positive losses that stay far below their first level in the second half."""
    late = np.where(loss.real & (np.arange(loss.mean.shape[1]) >= loss.size[:, None] // 2), loss.mean, -np.inf)
    first, highest = loss.mean[:, 0], late.max(axis=1)
    ratio = np.where(loss.log, np.exp(np.minimum(highest - first, 0.0)), highest / np.maximum(first, 1e-300))
    out: BoolArray = (loss.log | (loss.lowest > 0)) & (ratio <= _LEARNT)
    return out


def is_still(loss: Loss) -> BoolArray:
    """White about one mean: steps as large as independent points make them, both halves at the same level."""
    out, size = np.zeros(len(loss.size), dtype=bool), np.maximum(loss.size, 2)
    variance = _about_mean(loss.mean, loss.real, size)[1]
    steps = _squared_steps(loss.mean, loss.size, 1).sum(axis=1)
    white = (steps / (size - 1) >= 2 * _WHITE * variance).nonzero()[0]
    if len(white):
        out[white] = _is_level(loss.take(white))
    return out


def _is_level(loss: Loss) -> BoolArray:
    """Both halves, and the first point, are at the same level."""
    size = np.maximum(loss.size, 2)
    mean, variance = _about_mean(loss.mean, loss.real, size)
    early = loss.real & (np.arange(loss.mean.shape[1]) < loss.size[:, None] // 2)
    first, second = (_about_mean(loss.mean, part, part.sum(axis=1))[0] for part in (early, loss.real & ~early))
    out: BoolArray = (np.abs(first - second) <= _STILL * np.sqrt(4.0 * variance / size)) & (variance > 0)
    out &= loss.mean[:, 0] - mean <= _FIRST * np.sqrt(variance)
    return out


def _about_mean(values: FloatArray, part: BoolArray, count: IntArray) -> tuple[FloatArray, FloatArray]:
    """(n,) mean and variance of part of each row."""
    count = np.maximum(count, 1)
    mean = np.where(part, values, 0.0).sum(axis=1) / count
    return mean, (np.where(part, values - mean[:, None], 0.0) ** 2).sum(axis=1) / count


def _squared_steps(values: FloatArray, size: IntArray, lag: int) -> FloatArray:
    """(n, CELLS - lag) squared change over some cells (n, CELLS), 0 beyond the last one of each size (n,)."""
    change = values[:, lag:] - values[:, :-lag]
    return np.where(np.arange(lag, values.shape[1]) < size[:, None], change * change, 0.0)
