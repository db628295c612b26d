"""A run as it stood part of the way: every point up to a step, and what is known about those points.

The labels of a prefix are measured anew (`truth.judge` on what was logged so far); nothing of the later points is used.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import numpy as np

from curveclinic.labels import LOSSES
from curveclinic.measuring.quantities import Measured, measure
from curveclinic.ragged import Batch, FloatArray, IntArray, Ragged
from curveclinic.synth.logger import Logged
from curveclinic.synth.truth import Truth, judge

_SHARES: Final = (0.05, 1.0)
"""Range of the shares of `tell_early`."""

_FEWEST: Final = 5
"""Finite points of one loss a prefix of `tell_early` has."""


def tell_early(
    rng: np.random.Generator, logged: Logged, count: int, label: Callable[[Logged, Measured], Truth] = judge
) -> tuple[IntArray, Measured, Truth]:
    """Returns the rows of runs told up to a random step, (count,), these prefixes as measured, and what they show.

    Args:
        rng: draws which runs are told and up to where.
        logged: the runs.
        count: prefixes wanted.
        label: says what logged runs show.
    """
    share = rng.uniform(*_SHARES, len(logged.batch.num_classes))
    early = cut(logged, share)
    points = [early.batch.channels[name].finite().lengths for name in LOSSES]
    rows = np.flatnonzero(np.maximum(*points) >= _FEWEST)
    rows = np.sort(rng.choice(rows, count, replace=len(rows) < count))
    taken = _taken(early, rows)
    seen = measure(taken.batch)
    return rows, seen, label(taken, seen)


def cut(logged: Logged, share: float | FloatArray) -> Logged:
    """Returns n logged runs up to a share of their steps, counted from the first loss point to the last.

    Args:
        logged: the runs.
        share: in (0, 1], one for all or (n,).
    """
    first, last = loss_span(logged.batch)
    until = first + share * (last - first)
    textured = {name: _until(channel, until) for name, channel in logged.textured.items()}
    batch, clean = (_batch_until(whole, until) for whole in (logged.batch, logged.clean))
    return Logged(batch, clean, textured, _parts(logged, textured, clean, until, share))


def _taken(logged: Logged, rows: IntArray) -> Logged:
    textured = {name: channel.take(rows) for name, channel in logged.textured.items()}
    parts = {name: values[rows] for name, values in logged.parts.items()}
    return Logged(logged.batch.take(rows), logged.clean.take(rows), textured, parts)


def loss_span(batch: Batch) -> tuple[FloatArray, FloatArray]:
    """(n,) first and last step of either loss; 0 and 0 where there is none."""
    ends = []
    for name in LOSSES:
        channel = batch.channels[name]
        there = channel.lengths > 0
        first, last = np.full(channel.size, np.inf), np.full(channel.size, -np.inf)
        first[there] = channel.steps[channel.offsets[:-1][there]]
        last[there] = channel.steps[channel.offsets[1:][there] - 1]
        ends.append((first, last))
    first, last = np.minimum(ends[0][0], ends[1][0]), np.maximum(ends[0][1], ends[1][1])
    some = np.isfinite(first)
    return np.where(some, first, 0.0), np.where(some, last, 0.0)


def _batch_until(batch: Batch, until: FloatArray) -> Batch:
    channels = {name: _until(channel, until) for name, channel in batch.channels.items()}
    return Batch(channels, batch.num_classes, batch.metric_sign, batch.layer_ratio)


def _until(channel: Ragged, until: FloatArray) -> Ragged:
    return channel.where(channel.steps <= np.repeat(until, channel.lengths))


def _parts(
    logged: Logged, textured: Mapping[str, Ragged], clean: Batch, until: FloatArray, share: float | FloatArray
) -> dict[str, FloatArray]:
    """Texture truth of the prefix: jumps and swings that have not come yet are not there."""
    parts = dict(logged.parts)
    for name, channel in (("spike", "train_loss"), ("val_spike", "val_loss")):
        parts |= _jumps_so_far(parts, name, until, highest_lift(textured[channel], clean.channels[channel]))
    begin = np.maximum(parts["swing_from"], 0.0) / share
    parts["swing_from"] = np.where(parts["swing_from"] < 0, parts["swing_from"], np.minimum(begin, 1.0))
    parts["swinging"] = np.where(begin < 1.0, parts["swinging"], 0.0)
    parts["swing_cycles"] = parts["swing_cycles"] * share
    return parts


def _jumps_so_far(
    parts: Mapping[str, FloatArray], name: str, until: FloatArray, highest: FloatArray
) -> dict[str, FloatArray]:
    """Of several jumps only the first and the last place are known: those between are taken as evenly spread."""
    first, last, height = parts[f"{name}_first"], parts[f"{name}_last"], parts[f"{name}_height"]
    with np.errstate(invalid="ignore"):
        over = until >= last
        passed = np.where(over, 1.0, np.clip((until - first) / np.maximum(last - first, 1e-300), 0.0, 1.0))
        come = (until >= first) & (parts[f"{name}_count"] > 0)
    count = np.where(come, 1.0 + np.floor(np.nan_to_num(passed) * np.maximum(parts[f"{name}_count"] - 1.0, 0.0)), 0.0)
    return {
        f"{name}_count": count,
        f"{name}_height": np.where(come, np.where(over, height, np.minimum(height, highest)), 0.0),
        f"{name}_first": np.where(come, first, np.nan),
        f"{name}_last": np.where(come, np.minimum(last, until), np.nan),
    }


def highest_lift(textured: Ragged, clean: Ragged) -> FloatArray:
    """(n,) how far the textures lift the log level at most; Inf where a loss is not positive, 0 for an empty run."""
    with np.errstate(all="ignore"):
        lift = np.log(textured.values / clean.values)
    lift = np.where((textured.values > 0) & (clean.values > 0), lift, np.inf)
    out = np.zeros(textured.size)
    filled = textured.lengths > 0
    if filled.any():
        out[filled] = np.maximum.reduceat(lift, textured.offsets[:-1][filled])
    return out
