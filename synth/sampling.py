"""When points are written and what they average: from latent curves to clean values on a logger's axis."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Final

import numpy as np

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


def axes(rng: np.random.Generator, plan: Plan) -> tuple[Axis, Axis]:
    """Axes of the train and of the val points."""
    n = plan.size
    single = (plan.logging == _EVAL) | (plan.logging == _STEP)
    from_start = np.where(single, rng.random(n) < 0.3, False).astype(float)
    train = _axis(plan, plan.points, from_start, np.zeros(n))
    counts = np.clip(np.rint(plan.points / plan.ratio), np.minimum(plan.points, _MIN_VAL), _MAX_VAL).astype(np.int64)
    v_from_start = np.where(plan.ratio > 1.5, rng.random(n) < 0.2, from_start * (plan.logging == _EVAL))
    lag = plan.val_offset * 0.999 * (counts > 4)
    return train, _axis(plan, counts, v_from_start.astype(float), lag)


def _axis(plan: Plan, counts: IntArray, from_start: FloatArray, lag: FloatArray) -> Axis:
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    run = np.repeat(np.arange(len(counts)), counts)
    index = np.arange(offsets[-1]) - offsets[run]
    at_end = (index + 1.0 - lag[run]) / counts[run]
    share = np.where(from_start[run] > 0, index / np.maximum(counts[run] - 1, 1), at_end)
    share = np.clip(share, 0.0, 1.0)
    time = plan.window_start[run] + (plan.window_end - plan.window_start)[run] * share
    return Axis(offsets, run, index, share, time, _steps(plan, counts, run, index, share))


def _steps(plan: Plan, counts: IntArray, run: IntArray, index: IntArray, share: FloatArray) -> FloatArray:
    """Steps on one axis for all channels: train point i lies at first + i * size."""
    place = np.where(counts[run] == plan.points[run], index, share * plan.points[run] - 1)
    return plan.first_step[run] + np.rint(np.maximum(place, 0) * plan.step_size[run] * 16) / 16


def nearest(train: Axis, val: Axis) -> IntArray:
    """Flat train index at each val point."""
    last = train.counts[val.run] - 1
    return train.offsets[val.run] + np.minimum(np.rint(val.share * last), last).astype(np.int64)


def values_at(curve: FloatArray, run: IntArray, time: FloatArray) -> FloatArray:
    """Values of (n, G) curves at planned times: GRID is a square, so the cell is a square root away."""
    place = np.sqrt(np.clip(time, 0.0, 1.0)) * (len(GRID) - 1)
    left = np.minimum(place.astype(np.int64), len(GRID) - 2)
    weight = (np.clip(time, 0.0, 1.0) - GRID[left]) / (GRID[left + 1] - GRID[left])
    flat = curve.ravel()
    base = run * curve.shape[1] + left
    return np.asarray(flat[base] * (1 - weight) + flat[base + 1] * weight)


def train_points(plan: Plan, curve: FloatArray, axis: Axis) -> tuple[FloatArray, FloatArray]:
    """Clean train values as the logger averages them, and the factor that averaging leaves of the noise."""
    kind = plan.logging[axis.run]
    gap = (plan.window_end - plan.window_start)[axis.run] / axis.counts[axis.run]
    values = values_at(curve, axis.run, axis.time)
    thin = np.ones(len(axis.run))
    mean = np.flatnonzero((kind == _EPOCH) | (kind == _WINDOW))
    points = axis.part(mean)
    values[mean] = _averaged(curve, points, np.maximum(points.time - gap[mean], 0.0))
    lagged = np.flatnonzero(kind == EMA)
    if len(lagged):
        values[lagged] = _lagging(curve, axis.part(lagged), plan.ema[axis.run[lagged]] * gap[lagged])
    running = np.flatnonzero(kind == _RUNNING)
    if len(running):
        points = axis.part(running)
        begin = _epoch_start(plan, points)
        values[running] = _averaged(curve, points, np.minimum(begin, points.time))
        thin[running] = 1 / np.sqrt(np.maximum((points.time - begin) / gap[running], 1.0))
    return values, thin


def _averaged(curve: FloatArray, axis: Axis, low: FloatArray) -> FloatArray:
    """Mean over the planned time from low (total,) to each point."""
    width = axis.time - low
    total = np.zeros(len(low))
    for node, weight in _GAUSS:
        total += weight * values_at(curve, axis.run, low + node * width)
    return total


def _lagging(curve: FloatArray, axis: Axis, lag: FloatArray) -> FloatArray:
    """Exponential average over the planned time before each point; lag (total,) is its time constant."""
    total = np.zeros(len(lag))
    for node, weight in _LAGUERRE:
        total += weight * values_at(curve, axis.run, axis.time - node * lag)
    return total


def _epoch_start(plan: Plan, axis: Axis) -> FloatArray:
    """Planned time at which each point's epoch began."""
    first = plan.window_start[axis.run]
    epoch = (plan.window_end - plan.window_start)[axis.run] / plan.epochs[axis.run]
    return np.floor(np.maximum((axis.time - first) / epoch - 1e-9, 0.0)) * epoch + first
