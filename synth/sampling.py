"""When points are written and what they average: from latent curves to clean values on a logger's axis."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Final

import numpy as np

from curveclinic.kept import kept
from curveclinic.ragged import BoolArray, FloatArray, IntArray, offsets_of, places
from curveclinic.synth.descent import GRID
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
        run: (total,) row of each point.
        time: (total,) planned time.
        steps: (total,) as logged.
    """

    offsets: IntArray
    run: IntArray
    time: FloatArray
    steps: FloatArray

    @kept
    def counts(self) -> IntArray:
        """(n,) points of each run."""
        return np.diff(self.offsets)

    def where(self, chosen: BoolArray) -> IntArray:
        """Flat index of the points of the chosen runs (n,)."""
        rows = np.flatnonzero(chosen)
        return places(self.offsets[rows], self.counts[rows])

    def mask(self, chosen: BoolArray) -> BoolArray:
        """(total,) True at the points of the chosen runs (n,): faster than `where` unless they are few."""
        return np.repeat(chosen, self.counts)

    def spread(self, numbers: FloatArray) -> FloatArray:
        """(total,) the number (n,) of each point's run."""
        return np.repeat(numbers, self.counts)

    def spread_over(self, chosen: BoolArray, numbers: FloatArray) -> FloatArray:
        """The number (n,) of each point's run, at the points of the chosen runs (n,)."""
        return np.repeat(numbers[chosen], self.counts[chosen])

    def of(self, chosen: BoolArray) -> tuple[BoolArray, Axis]:
        """Mask of the points of the chosen runs (n,) and their axis, on which the other runs have no points."""
        mask, counts = self.mask(chosen), np.where(chosen, self.counts, 0)
        run = np.repeat(np.arange(len(counts)), counts)
        return mask, Axis(offsets_of(counts), run, self.time[mask], self.steps[mask])


@dataclass(frozen=True, eq=False)
class LossAxis(Axis):
    """The same of a loss.

    Attributes:
        index: (total,) place of each point in its run.
        share: (total,) share of the logged window.
    """

    index: IntArray
    share: FloatArray

    def part(self, where: IntArray) -> LossAxis:
        """Returns the given points, in the order of the runs."""
        counts = np.bincount(self.run[where], minlength=len(self.counts))
        return LossAxis(offsets_of(counts), *(getattr(self, f.name)[where] for f in fields(self)[1:]))


def axes(rng: np.random.Generator, plan: Plan) -> tuple[LossAxis, LossAxis]:
    """Axes of the train and of the val points; runs without a val loss and a val metric have none."""
    n = plan.size
    single = (plan.logging == _EVAL) | (plan.logging == _STEP)
    from_start = single & (rng.random(n) < 0.3)
    train = _axis(plan, plan.points, from_start, np.zeros(n))
    counts = np.clip(np.rint(plan.points / plan.ratio), np.minimum(plan.points, _MIN_VAL), _MAX_VAL).astype(np.int64)
    v_from_start = np.where(plan.ratio > 1.5, rng.random(n) < 0.2, from_start & (plan.logging == _EVAL))
    # the untrained model is evaluated before the first epoch, too
    before = (plan.ratio == 1) & (plan.logging == _EPOCH) & (plan.first_step >= plan.step_size)
    before &= rng.random(n) < 0.3
    counts[before] += 1
    v_from_start |= before
    counts[(plan.has_val == 0) & (plan.has_val_metric == 0)] = 0
    lag = plan.val_offset * 0.999 * (counts > 4)
    return train, _axis(plan, counts, v_from_start, lag)


def _axis(plan: Plan, counts: IntArray, from_start: BoolArray, lag: FloatArray) -> LossAxis:
    offsets = offsets_of(counts)
    run = np.repeat(np.arange(len(counts)), counts)
    index = np.arange(offsets[-1])
    index -= np.repeat(offsets[:-1], counts)
    first, whole = np.where(from_start, 0.0, 1.0 - lag), np.where(from_start, counts - 1, counts)
    share = index + np.repeat(first, counts)
    share /= np.repeat(np.maximum(whole, 1).astype(np.float64), counts)
    time = np.repeat(plan.window_end - plan.window_start, counts)
    time *= share
    time += np.repeat(plan.window_start, counts)
    axis = LossAxis(offsets, run, time, _steps(plan, counts, index, share), index, share)
    again = (axis.steps[1:] <= axis.steps[:-1]) & (run[1:] == run[:-1])
    return axis.part(np.flatnonzero(~np.append(False, again))) if again.any() else axis


def _steps(plan: Plan, counts: IntArray, index: IntArray, share: FloatArray) -> FloatArray:
    """Steps on one axis for all channels: train point i lies at first + i * size."""
    place, differ = index.astype(np.float64), counts != plan.points
    apart = np.flatnonzero(np.repeat(differ, counts))
    place[apart] = share[apart] * np.repeat(plan.points[differ], counts[differ]) - 1.0
    # what is evaluated before the first train point lies before it where its step leaves room
    lowest = np.where(plan.first_step >= plan.step_size, -1.0, 0.0)[differ]
    place[apart] = np.maximum(place[apart], np.repeat(lowest, counts[differ]))
    place *= np.repeat(plan.step_size * 16, counts)
    np.rint(place, out=place)
    place /= 16
    place += np.repeat(plan.first_step, counts)
    return place


def nearest(train: Axis, run: IntArray, share: FloatArray) -> IntArray:
    """Flat train index at each share (total,) of the logged window of a run (total,)."""
    last = train.counts[run] - 1
    return train.offsets[run] + np.minimum(np.rint(share * last), last).astype(np.int64)


def values_at(curve: FloatArray, run: IntArray, time: FloatArray) -> FloatArray:
    """Values of (n, G) curves at planned times, linear in the root of time: GRID is even there."""
    weight = np.clip(time, 0.0, 1.0)
    np.sqrt(weight, out=weight)
    weight *= len(GRID) - 1
    left = weight.astype(np.int64)
    np.minimum(left, len(GRID) - 2, out=left)
    weight -= left
    left += run * len(GRID)
    flat = curve.ravel()
    low = flat.take(left)
    left += 1
    out = flat.take(left)
    out -= low
    out *= weight
    out += low
    return out


def train_points(plan: Plan, curve: FloatArray, axis: Axis) -> tuple[FloatArray, FloatArray]:
    """Clean train values as the logger averages them, and the factor that averaging leaves of the noise."""
    kind = plan.logging
    gap = (plan.window_end - plan.window_start) / axis.counts
    values, thin = np.empty(len(axis.run)), np.ones(len(axis.run))
    single = axis.mask((kind == _EVAL) | (kind == _STEP))
    values[single] = values_at(curve, axis.run[single], axis.time[single])
    chosen = (kind == _EPOCH) | (kind == _WINDOW)
    mean = axis.mask(chosen)
    time = axis.time[mean]
    begin = np.maximum(time - axis.spread_over(chosen, gap), 0.0)
    values[mean] = _averaged(curve, axis.run[mean], begin, time)
    chosen = kind == EMA
    lagged = axis.mask(chosen)
    lag = axis.spread_over(chosen, plan.ema * gap)
    values[lagged] = _lagging(curve, axis.run[lagged], axis.time[lagged], lag)
    running = axis.mask(kind == _RUNNING)
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
        time = node * width
        time += low
        values = values_at(curve, run, time)
        values *= weight
        total += values
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
