"""When points are written and what they average: from latent curves to clean values on a logger's axis."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Final

import numpy as np

from curveclinic.ragged import BoolArray
from curveclinic.synth.descent import GRID, FloatArray, IntArray
from curveclinic.synth.plan import LOGGING, Plan

_GAUSS: Final = ((0.1127, 0.2778), (0.5, 0.4444), (0.8873, 0.2778))
"""Nodes and weights of 3-point Gauss-Legendre quadrature on [0, 1]: a mean over an interval."""

_LAGUERRE: Final = ((0.4158, 0.7111), (2.2943, 0.2785), (6.2899, 0.0104))
"""Nodes and weights of 3-point Gauss-Laguerre quadrature: an exponential average."""

_MIN_VAL: Final = 3
"""Fewest val points of a run that has more train points."""

_MAX_VAL: Final = 7000

_EPOCH, _EVAL, _STEP, _WINDOW, EMA, _RUNNING = range(len(LOGGING))


@dataclass(frozen=True, eq=False)
class Axis:
    """Where one channel's points lie.

    Attributes:
        offsets: (n + 1,) first point of every run.
        run, index: (total,) row of each point and its index in the run.
        share, time: (total,) share of the logged window and planned time.
        steps: (total,) as logged.
    """

    offsets: IntArray
    run: IntArray
    index: IntArray
    share: FloatArray
    time: FloatArray
    steps: FloatArray

    @property
    def counts(self) -> IntArray:
        """(n,) points of each run."""
        return np.diff(self.offsets)

    def part(self, where: IntArray) -> Axis:
        """Returns the given points; offsets stay those of the whole."""
        return Axis(self.offsets, **{f.name: getattr(self, f.name)[where] for f in fields(self)[1:]})

    def where(self, chosen: BoolArray) -> IntArray:
        """Flat index of the points of the chosen runs (n,)."""
        return np.flatnonzero(np.repeat(chosen, self.counts))

    def of(self, chosen: BoolArray) -> tuple[IntArray, Axis]:
        """Flat index of the points of the chosen runs (n,) and their axis, on which the other runs have no points."""
        where = self.where(chosen)
        return where, replace(self.part(where), offsets=_offsets(np.where(chosen, self.counts, 0)))


def axes(rng: np.random.Generator, plan: Plan) -> tuple[Axis, Axis]:
    """Axes of the train and of the val points; runs without a val loss have none."""
    n = plan.size
    single = (plan.logging == _EVAL) | (plan.logging == _STEP)
    from_start = single & (rng.random(n) < 0.3)
    train = _axis(plan, plan.points, from_start, np.zeros(n))
    counts = np.clip(np.rint(plan.points / plan.ratio), np.minimum(plan.points, _MIN_VAL), _MAX_VAL).astype(np.int64)
    counts[plan.has_val == 0] = 0
    v_from_start = np.where(plan.ratio > 1.5, rng.random(n) < 0.2, from_start & (plan.logging == _EVAL))
    lag = plan.val_offset * 0.999 * (counts > 4)
    return train, _axis(plan, counts, v_from_start, lag)


def _offsets(counts: IntArray) -> IntArray:
    return np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)


def _axis(plan: Plan, counts: IntArray, from_start: BoolArray, lag: FloatArray) -> Axis:
    offsets = _offsets(counts)
    run = np.repeat(np.arange(len(counts)), counts)
    index = np.arange(offsets[-1]) - np.repeat(offsets[:-1], counts)
    first, whole = np.where(from_start, 0.0, 1.0 - lag), np.where(from_start, counts - 1, counts)
    share = (index + np.repeat(first, counts)) / np.repeat(np.maximum(whole, 1), counts)
    share = np.clip(share, 0.0, 1.0)
    time = np.repeat(plan.window_start, counts) + np.repeat(plan.window_end - plan.window_start, counts) * share
    axis = Axis(offsets, run, index, share, time, _steps(plan, counts, run, index, share))
    again = (axis.steps[1:] <= axis.steps[:-1]) & (run[1:] == run[:-1])
    if not again.any():
        return axis
    kept = np.flatnonzero(~np.append(False, again))
    return replace(axis.part(kept), offsets=_offsets(np.bincount(run[kept], minlength=len(counts))))


def _steps(plan: Plan, counts: IntArray, run: IntArray, index: IntArray, share: FloatArray) -> FloatArray:
    """Steps on one axis for all channels: train point i lies at first + i * size."""
    place = index.astype(np.float64)
    apart = np.flatnonzero(np.repeat(counts != plan.points, counts))
    place[apart] = np.maximum(share[apart] * plan.points[run[apart]] - 1.0, 0.0)
    return np.repeat(plan.first_step, counts) + np.rint(place * np.repeat(plan.step_size * 16, counts)) / 16


def nearest(train: Axis, val: Axis) -> IntArray:
    """Flat train index at each val point."""
    last = train.counts[val.run] - 1
    return train.offsets[val.run] + np.minimum(np.rint(val.share * last), last).astype(np.int64)


def values_at(curve: FloatArray, run: IntArray, time: FloatArray) -> FloatArray:
    """Values of (n, G) curves at planned times, linear in the root of time: GRID is even there."""
    place = np.sqrt(np.clip(time, 0.0, 1.0)) * (len(GRID) - 1)
    left = np.minimum(place.astype(np.int64), len(GRID) - 2)
    weight = place - left
    left += run * len(GRID)
    flat = curve.ravel()
    low = flat.take(left)
    return np.asarray(low + weight * (flat.take(left + 1) - low))


def train_points(plan: Plan, curve: FloatArray, axis: Axis) -> tuple[FloatArray, FloatArray]:
    """Clean train values as the logger averages them, and the factor that averaging leaves of the noise."""
    kind = plan.logging
    gap = (plan.window_end - plan.window_start) / axis.counts
    values, thin = np.empty(len(axis.run)), np.ones(len(axis.run))
    single = axis.where((kind == _EVAL) | (kind == _STEP))
    values[single] = values_at(curve, axis.run[single], axis.time[single])
    mean = axis.where((kind == _EPOCH) | (kind == _WINDOW))
    run, time = axis.run[mean], axis.time[mean]
    values[mean] = _averaged(curve, run, np.maximum(time - gap[run], 0.0), time)
    lagged = axis.where(kind == EMA)
    run = axis.run[lagged]
    values[lagged] = _lagging(curve, run, axis.time[lagged], (plan.ema * gap)[run])
    running = axis.where(kind == _RUNNING)
    run, time = axis.run[running], axis.time[running]
    begin = _epoch_start(plan, run, time)
    values[running] = _averaged(curve, run, np.minimum(begin, time), time)
    thin[running] = 1 / np.sqrt(np.maximum((time - begin) / gap[run], 1.0))
    return values, thin


def _averaged(curve: FloatArray, run: IntArray, low: FloatArray, high: FloatArray) -> FloatArray:
    """Mean over the planned time from low (total,) to high (total,)."""
    width = high - low
    total = np.zeros(len(low))
    for node, weight in _GAUSS:
        total += weight * values_at(curve, run, low + node * width)
    return total


def _lagging(curve: FloatArray, run: IntArray, time: FloatArray, lag: FloatArray) -> FloatArray:
    """Exponential average over the planned time before each point; lag (total,) is its time constant."""
    total = np.zeros(len(lag))
    for node, weight in _LAGUERRE:
        total += weight * values_at(curve, run, time - node * lag)
    return total


def _epoch_start(plan: Plan, run: IntArray, time: FloatArray) -> FloatArray:
    """Planned time at which each point's epoch began."""
    first = plan.window_start[run]
    epoch = ((plan.window_end - plan.window_start) / plan.epochs)[run]
    return np.floor(np.maximum((time - first) / epoch - 1e-9, 0.0)) * epoch + first
