"""From latent curves to log files: which points are written, where a run breaks, and the twins without noise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from curveclinic.labels import LOSSES
from curveclinic.ragged import Batch, BoolArray, FloatArray, Ragged, offsets_of
from curveclinic.synth.observing import Points, gradient_points, loss_points, metric_points, rate_points
from curveclinic.synth.overlay import overlay
from curveclinic.synth.physics import Latent
from curveclinic.synth.plan import Plan
from curveclinic.synth.sampling import Axis, LossAxis, axes

_TRAIN, _VAL = 1, 2
"""Losses by their number in `Plan.nan_where`."""

GOAL_KNOWN: Final = 0.85
"""Share of the logs of which it is known which way the metric gets better; else nobody says, and its name neither."""

_OVERFLOW: Final = 1e37
"""Size from which a float32 training reports Inf."""

_LARGEST: Final = 300
_TENS: Final = 10.0 ** np.arange(-_LARGEST, _LARGEST + 1)
"""Powers of ten: ten times as fast to look up as to compute."""


@dataclass(frozen=True, eq=False)
class Logged:
    """n logged runs and what is known about them.

    Attributes:
        batch: the runs as a logger wrote them.
        clean: the same points without noise, swings, spikes and patterns; only points that are finite in `batch`.
        textured: both losses without noise but with swings, spikes and patterns; the same points as `clean`.
        parts: texture truth by name, (n,) each; see `overlay.Overlay`.
    """

    batch: Batch
    clean: Batch
    textured: dict[str, Ragged]
    parts: dict[str, FloatArray]


def write_log(rng: np.random.Generator, plan: Plan, latent: Latent) -> Logged:
    """Logs n runs."""
    t, v = axes(rng, plan)
    over = overlay(rng, plan, t, v)
    train, val = loss_points(rng, plan, latent, t, v, over)
    wrote = {
        "train_loss": _channel(rng, plan, t, _broken(plan, t, train, _TRAIN)),
        "val_loss": _val_channel(rng, plan, v, val),
    }
    at, axis = t.of(plan.has_train_metric > 0)
    points = metric_points(rng, plan, axis, latent.train_metric, *(x[at] for x in train[::2]))
    wrote["train_metric"] = _channel(rng, plan, axis, points)
    at, axis = v.of(plan.has_val_metric > 0)
    points = metric_points(rng, plan, axis, latent.val_metric, *(x[at] for x in val[::2]))
    wrote["val_metric"] = _channel(rng, plan, axis, points)
    _, axis = t.of(plan.has_lr > 0)
    wrote["lr"] = _channel(rng, plan, axis, rate_points(plan, latent, axis))
    at, axis = t.of(plan.has_grad > 0)
    wrote["grad_norm"] = _channel(rng, plan, axis, gradient_points(rng, plan, latent, axis, over.spikes[at]))
    goal = np.where(plan.metric_kind == 4, -1.0, 1.0)
    known = np.where(rng.random(plan.size) < GOAL_KNOWN, goal, 0.0)
    textured = {name: wrote[name][2] for name in LOSSES}
    logged, clean = ({name: channel[k] for name, channel in wrote.items()} for k in (0, 1))
    return Logged(_batch(logged, known), _batch(clean, goal), textured, over.parts)


def _val_channel(rng: np.random.Generator, plan: Plan, v: LossAxis, val: Points) -> list[Ragged]:
    """The val loss, where it is logged: a metric may be all that is logged of validation."""
    where = v.where(plan.has_val > 0)
    axis = v.part(where)
    return _channel(rng, plan, axis, _broken(plan, axis, tuple(x[where] for x in val), _VAL))


def _batch(channels: dict[str, Ragged], goal: FloatArray) -> Batch:
    """Runs that say nothing of their classes and layers."""
    return Batch(channels, np.full(len(goal), np.nan), goal, np.full(len(goal), np.nan))


def _channel(rng: np.random.Generator, plan: Plan, axis: Axis, points: Points) -> list[Ragged]:
    """Drops what was not written; noise-free twins keep the points that are finite as written."""
    values, *twins = points
    written = printed(values)
    written[np.abs(written) >= _OVERFLOW] = np.inf
    keep = np.ones(len(written), dtype=bool)
    missing = plan.missing > 0
    at = axis.where(missing)
    keep[at] = rng.random(len(at)) >= axis.spread_over(missing, plan.missing)
    finite = np.isfinite(written)
    if finite.all():
        return _kept(axis, keep, written, *twins)
    finite &= keep
    return _kept(axis, keep, written) + _kept(axis, finite, *twins)


def printed(values: FloatArray) -> FloatArray:
    """Six significant digits, as most loggers print."""
    with np.errstate(all="ignore"):
        power = np.abs(values)
        np.log10(power, out=power)
        np.floor(power, out=power)
        np.subtract(_LARGEST + 5, power, out=power)
        factor = _TENS.take(power.astype(np.int64), mode="clip")
        out: FloatArray = np.multiply(values, factor, out=power)
        np.rint(out, out=out)
        out /= factor
        return out


def _broken(plan: Plan, axis: LossAxis, points: Points, loss: int) -> Points:
    """The points of a loss, as logged with NaN or Inf from where the run broke, or in a single gap."""
    values, *twins = points
    at = axis.where((plan.nan_at <= 1) & ((plan.nan_where == 0) | (plan.nan_where == loss)))
    run = axis.run[at]
    at_gap = axis.index[at] == np.floor(plan.nan_at[run] * (axis.counts[run] - 1))
    hit = (axis.share[at] >= plan.nan_at[run]) & ((plan.nan_kind[run] != 2) | at_gap)
    out: FloatArray = values.copy()
    out[at[hit]] = np.where(plan.nan_kind[run[hit]] == 1, np.inf, np.nan)
    return out, *twins


def _kept(axis: Axis, keep: BoolArray, *values: FloatArray) -> list[Ragged]:
    """Channels of the kept points; they share their steps."""
    if keep.all():
        return [Ragged(axis.steps, x, axis.offsets) for x in values]
    counts = axis.counts - np.bincount(axis.run[~keep], minlength=len(axis.counts))
    offsets = offsets_of(counts)
    steps = axis.steps[keep]
    return [Ragged(steps, x[keep], offsets) for x in values]
