"""From latent curves to log files: which points are written, where a run breaks, and the twins without noise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from curveclinic.ragged import Batch, BoolArray, Ragged
from curveclinic.synth.descent import FloatArray
from curveclinic.synth.observing import Points, gradient_points, loss_points, metric_points, rate_points
from curveclinic.synth.overlay import overlay
from curveclinic.synth.physics import Latent
from curveclinic.synth.plan import Plan
from curveclinic.synth.sampling import Axis, axes

_TRAIN, _VAL = 1, 2
"""Losses by their number in `Plan.nan_where`."""

_OVERFLOW: Final = 1e37
"""Size from which a float32 training reports Inf."""


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
    has_val_metric = plan.has_val_metric * plan.has_val
    wrote = {  # in the order of the draws
        "train_loss": _channel(rng, plan, t, train, np.ones(plan.size), _TRAIN),
        "val_loss": _channel(rng, plan, v, val, plan.has_val, _VAL),
        "train_metric": _channel(
            rng, plan, t, metric_points(rng, plan, t, latent.train_metric, train), plan.has_train_metric
        ),
        "val_metric": _channel(rng, plan, v, metric_points(rng, plan, v, latent.val_metric, val), has_val_metric),
        "lr": _channel(rng, plan, t, rate_points(plan, latent, t), plan.has_lr),
        "grad_norm": _channel(rng, plan, t, gradient_points(rng, plan, latent, t, over.spikes), plan.has_grad),
    }
    goal = np.where(plan.metric_kind == 4, -1.0, 1.0)
    known = np.where(rng.random(plan.size) < 0.85, goal, 1.0)  # inferred from a name that says nothing at times
    textured = {name: wrote[name][2] for name in ("train_loss", "val_loss")}
    logged, clean = ({name: channel[k] for name, channel in wrote.items()} for k in (0, 1))
    return Logged(_batch(logged, known), _batch(clean, goal), textured, over.parts)


def _batch(channels: dict[str, Ragged], goal: FloatArray) -> Batch:
    """Runs that say nothing of their classes and layers."""
    return Batch(channels, np.full(len(goal), np.nan), goal, np.full(len(goal), np.nan))


def _channel(
    rng: np.random.Generator, plan: Plan, axis: Axis, points: Points, has: FloatArray, loss: int = 0
) -> tuple[Ragged, ...]:
    """Drops what was not written, puts NaN where the run broke; noise-free twins keep the finite points only."""
    run, steps = axis.run, axis.steps
    keep = (has[run] > 0) & (rng.random(len(run)) >= plan.missing[run])
    values, *twins = points
    written = _broken(plan, axis, values, loss) if loss else values.copy()
    written = printed(written)
    huge = ~(np.abs(written) < _OVERFLOW)
    written[huge] = np.where(np.isnan(written[huge]), np.nan, np.inf)
    keep &= np.append(True, (steps[1:] > steps[:-1]) | (run[1:] != run[:-1]))
    return _kept(axis, written, keep), *(_kept(axis, twin, keep & np.isfinite(written)) for twin in twins)


def printed(values: FloatArray) -> FloatArray:
    """Six significant digits, as most loggers print."""
    with np.errstate(all="ignore"):
        exponent = np.floor(np.log10(np.abs(values)))
        factor = 10.0 ** (5.0 - exponent)
        rounded = np.rint(values * factor) / factor
    return np.where(np.isfinite(rounded), rounded, values)


def _broken(plan: Plan, axis: Axis, values: FloatArray, loss: int) -> FloatArray:
    """The loss with NaN or Inf from the point where the run broke, or in a single gap."""
    run = axis.run
    gap = plan.nan_kind[run] == 2
    at_gap = axis.index == np.floor(plan.nan_at[run] * (axis.counts[run] - 1))
    hit = (axis.share >= plan.nan_at[run]) & (~gap | at_gap)
    hit &= (plan.nan_where[run] == 0) | (plan.nan_where[run] == loss)
    return np.where(hit, np.where(plan.nan_kind[run] == 1, np.inf, np.nan), values)


def _kept(axis: Axis, values: FloatArray, keep: BoolArray) -> Ragged:
    counts = np.concatenate([[0], np.cumsum(keep)])
    return Ragged(axis.steps[keep], values[keep], counts[axis.offsets].astype(np.int64))
