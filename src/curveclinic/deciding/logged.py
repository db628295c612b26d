"""Estimated steps brought to the nearest logged one, the smaller one of two."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

import numpy as np

from curveclinic.points import Series
from curveclinic.ragged import Batch, FloatArray, IntArray, Ragged

_FEW: Final = 32
"""Steps up to which looking for one after another is faster than for all at once."""


def logged_steps(
    batch: Batch, layers: Mapping[int, Mapping[str, Series]], rows: IntArray, steps: FloatArray
) -> FloatArray:
    """(m,) the logged step nearest to one of each of some runs, NaN for none.

    Args:
        batch: n runs.
        layers: row -> the norms of single layers, which no batch holds, where there are any.
        rows, steps: (m,) runs, and a step of each.
    """
    out, known = np.full(len(rows), np.nan), np.isfinite(steps)
    rows, steps = rows[known], steps[known]
    if len(rows) <= _FEW:
        pairs = zip(rows.tolist(), steps.tolist(), strict=True)
        out[known] = [_nearest_of_one(_steps_of(batch, layers, row), step) for row, step in pairs]
        return out
    nearest = np.full(len(rows), np.inf)
    for channel in batch.channels.values():
        if len(channel.values):
            nearest = _nearer(nearest, _nearest(channel, rows, steps), steps)
    for k in np.flatnonzero(np.isin(rows, list(layers))):
        own = [nearest[k : k + 1], *(series.steps for series in layers[int(rows[k])].values())]
        nearest[k] = _nearest_of_one(own, float(steps[k]))
    out[known] = nearest
    return out


def _steps_of(batch: Batch, layers: Mapping[int, Mapping[str, Series]], row: int) -> Iterator[FloatArray]:
    """The steps of every channel of one run."""
    for channel in batch.channels.values():
        if len(channel.values):
            yield channel.steps[channel.offsets[row] : channel.offsets[row + 1]]
    yield from (series.steps for series in layers.get(row, {}).values())


def _nearest_of_one(channels: Iterable[FloatArray], step: float) -> float:
    """The nearest of the increasing steps of some channels, one of which has a step."""
    around: list[float] = []
    for steps in channels:
        at = int(steps.searchsorted(step))
        around += steps[max(at - 1, 0) : at + 1].tolist()
    return min(around, key=lambda logged: (abs(logged - step), logged))


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
