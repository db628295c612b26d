"""Estimated steps brought to the nearest logged one, the smaller one of two: of one run, and of many at once."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

import numpy as np

from curveclinic.points import Series
from curveclinic.ragged import Batch, FloatArray, IntArray, Ragged


def logged_step(channels: Iterable[Series], step: float) -> float | None:
    """The nearest step of a run's channels; None for none. A single run is done faster so than as a batch of one."""
    if not math.isfinite(step):
        return None
    nearest = [_nearest_of_one(series.steps, step) for series in channels if len(series)]
    return min(nearest, key=lambda logged: (abs(logged - step), logged))


def logged_steps(
    batch: Batch, layers: Mapping[int, Mapping[str, Series]], rows: IntArray, steps: FloatArray
) -> FloatArray:
    """(m,) the step nearest to one of each of some runs, NaN for none.

    Args:
        batch: n runs.
        layers: row -> the norms of single layers, which no batch holds, where there are any.
        rows, steps: (m,) runs, and a step of each.
    """
    out, known = np.full(len(rows), np.nan), np.isfinite(steps)
    rows, steps = rows[known], steps[known]
    nearest = np.full(len(rows), np.inf)
    for channel in batch.channels.values():
        if len(channel.values):
            nearest = _nearer(nearest, _nearest(channel, rows, steps), steps)
    for k in np.flatnonzero(np.isin(rows, list(layers))):
        own = [_nearest_of_one(series.steps, steps[k]) for series in layers[int(rows[k])].values()]
        nearest[k] = min((nearest[k], *own), key=lambda logged: (abs(logged - steps[k]), logged))
    out[known] = nearest
    return out


def _nearest_of_one(steps: FloatArray, step: float) -> float:
    """The nearest of increasing steps."""
    at = min(int(steps.searchsorted(step)), len(steps) - 1)
    before, after = float(steps[max(at - 1, 0)]), float(steps[at])
    return before if abs(before - step) <= abs(after - step) else after


def _nearer(one: FloatArray, other: FloatArray, steps: FloatArray) -> FloatArray:
    """The nearer of two logged steps, the smaller one where both are as near; Inf is none."""
    away, other_away = np.abs(one - steps), np.abs(other - steps)
    return np.where((other_away < away) | ((other_away == away) & (other < one)), other, one)


def _nearest(channel: Ragged, rows: IntArray, steps: FloatArray) -> FloatArray:
    """(m,) step of some runs of a channel that is nearest to a given one, Inf where a run has none."""
    begin, stop = channel.offsets[rows], channel.offsets[rows + 1]
    low, high = begin, stop
    while (low < high).any():  # the first logged step that is not smaller, by halving
        middle = (low + high) // 2
        smaller = (low < high) & (channel.steps[np.minimum(middle, len(channel.steps) - 1)] < steps)
        low, high = np.where(smaller, middle + 1, low), np.where(smaller, high, np.minimum(middle, high))
    at = np.maximum(np.minimum(low, stop - 1), 0)
    before, after = channel.steps[np.maximum(at - 1, np.minimum(begin, at))], channel.steps[at]
    found = np.where(np.abs(before - steps) <= np.abs(after - steps), before, after)
    return np.where(stop > begin, found, np.inf)
