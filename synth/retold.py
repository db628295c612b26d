"""The same run told another way: every k-th point, or a trace of added noise. What it shows stays what it showed.

A verdict that changes when a log is thinned is one nobody trusts. A twin carries the truth of the full log, so that
the network learns to read a coarse log as it would have read the fine one; only textures, which thinning can hide,
ask whether they are still there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

import numpy as np

from curveclinic.deciding.definitions import label_degrees
from curveclinic.labels import FACT_COLUMNS, LABELS, LOSSES, THINNED_AWAY
from curveclinic.measuring.quantities import Measured, measure
from curveclinic.measuring.trends import Quantities
from curveclinic.ragged import Batch, BoolArray, FloatArray, IntArray, Ragged
from curveclinic.records import taken
from curveclinic.synth.logger import Logged
from curveclinic.synth.prefix import highest_lift
from curveclinic.synth.swings import SWINGS
from curveclinic.synth.truth import ARGUABLE_TARGET, Truth

_STRIDES: Final = (2, 3, 4, 4, 4, 5, 8, 20)
"""Every how many-th point is kept; every fourth most often."""

_FEWEST_KEPT: Final = 6
"""Points the shorter loss keeps."""

_NOISE: Final = 0.01
"""Relative standard deviation of what a noisy twin adds."""

_STEADY_DROP: Final = 0.1
"""Relative drop of both losses from which a percent of noise hides nothing."""

_FAINT_WEIGHT: Final = 0.5
"""Training weight of what the full log shows and the measures of the twin do not."""

_LOST_WEIGHT: Final = 0.2
"""Training weight of a texture that thinning hides: steadied harder, it was forgotten on full logs, too."""


def retell(rng: np.random.Generator, seen: Measured, truth: Truth, count: int) -> tuple[IntArray, Measured, Truth]:
    """Returns the rows of runs that are told again, (count,), their twins as measured, and what these show.

    Args:
        rng: draws which runs are told again and how.
        seen: the runs; some must be long enough to be thinned.
        truth: what they show.
        count: twins wanted.
    """
    rows, stride, noise = _draw(rng, seen, count)
    batch = _noisy(rng, thinned(seen.batch.take(rows), stride), noise)
    twin = measure(batch)
    return rows, twin, _truth(taken(truth, rows), stride, label_degrees(twin.quantities))


def thinned(batch: Batch, stride: IntArray) -> Batch:
    """Every stride-th point of each channel of n runs, from the first; stride (n,)."""
    channels = {name: _every(channel, stride) for name, channel in batch.channels.items()}
    return Batch(channels, batch.num_classes, batch.metric_sign, batch.layer_ratio)


def thinned_log(logged: Logged, stride: int) -> Logged:
    """Every stride-th logged point of n runs, with what is known about these points: labels can be measured anew."""
    every = np.full(logged.batch.size, stride)
    kept = {
        name: _is_kept(channel, every)[np.isfinite(channel.values)] for name, channel in logged.batch.channels.items()
    }
    clean = {name: channel.where(kept[name]) for name, channel in logged.clean.channels.items()}
    textured = {name: channel.where(kept[name]) for name, channel in logged.textured.items()}
    return Logged(
        thinned(logged.batch, every),
        replace(logged.clean, channels=clean),
        textured,
        _parts(logged, clean, textured, stride),
    )


def _parts(
    logged: Logged, clean: Mapping[str, Ragged], textured: Mapping[str, Ragged], stride: int
) -> dict[str, FloatArray]:
    """Texture truth of a thinned log: lower peaks, patterns whose points are still those of a period, slower waves."""
    parts = dict(logged.parts)
    for name, channel in (("spike", "train_loss"), ("val_spike", "val_loss")):
        height = np.minimum(parts[f"{name}_height"], highest_lift(textured[channel], clean[channel]))
        parts[f"{name}_height"] = np.maximum(height, 0.0)
        parts[f"{name}_count"] = np.where(height > 0, parts[f"{name}_count"], 0.0)
    parts["period"] = np.where(parts["period"] % stride == 0, parts["period"] / stride, 0.0)
    from_point_to_point = parts["swing_kind"] == SWINGS.index("alternating")
    parts["swinging"] = np.where(from_point_to_point & (stride % 2 == 0), 0.0, parts["swinging"])
    return parts


def _every(channel: Ragged, stride: IntArray) -> Ragged:
    return channel.where(_is_kept(channel, stride))


def _is_kept(channel: Ragged, stride: IntArray) -> BoolArray:
    """(total,) True at every stride-th point of each run, from its first."""
    index = np.arange(len(channel.values)) - np.repeat(channel.offsets[:-1], channel.lengths)
    return np.asarray(index % np.repeat(stride, channel.lengths) == 0)


def _draw(rng: np.random.Generator, seen: Measured, count: int) -> tuple[IntArray, IntArray, FloatArray]:
    """Which runs (m,), every how many-th point of each (m,), and its noise (m,); each is changed one way at least."""
    n = seen.batch.size
    stride = rng.choice(_STRIDES, size=n)
    stride = np.where(_shortest(seen.batch) >= _FEWEST_KEPT * stride, stride, 1)
    noise = np.where(_steady(seen.quantities) & (rng.random(n) < np.where(stride > 1, 0.15, 0.5)), _NOISE, 0.0)
    rows = np.flatnonzero((stride > 1) | (noise > 0))
    rows = np.sort(rng.choice(rows, count, replace=len(rows) < count))
    return rows, stride[rows], noise[rows]


def _shortest(batch: Batch) -> IntArray:
    """(n,) points of the shorter logged loss."""
    train, val = (batch.channels[name].lengths for name in LOSSES)
    return np.where((train > 0) & (val > 0), np.minimum(train, val), np.maximum(train, val))


def _steady(q: Quantities) -> BoolArray:
    """(n,) True where every logged loss falls so far that a percent of noise changes nothing."""
    train, val = (np.isnan(q[name]) | (q[name] > _STEADY_DROP) for name in ("t_drop_rel", "v_drop_rel"))
    return np.asarray(train & val)


def _noisy(rng: np.random.Generator, batch: Batch, noise: FloatArray) -> Batch:
    """All values but the learning rate, times 1 + noise * N(0, 1); noise (n,)."""
    channels = dict(batch.channels)
    for name, channel in batch.channels.items():
        if name != "lr":
            factor = 1.0 + np.repeat(noise, channel.lengths) * rng.standard_normal(len(channel.values))
            channels[name] = Ragged(channel.steps, channel.values * factor, channel.offsets)
    return Batch(channels, batch.num_classes, batch.metric_sign, batch.layer_ratio)


def _truth(full: Truth, stride: IntArray, rule: FloatArray) -> Truth:
    """The full log's truth, with less weight where the twin does not show it; a lost texture is arguable."""
    target, weight = full.target.copy(), full.weight.copy()
    gone = (target == 1.0) & (stride > 1)[:, None] & (rule <= 0)
    texture = gone & np.isin(LABELS, THINNED_AWAY)
    target[texture], weight[texture] = ARGUABLE_TARGET, _LOST_WEIGHT
    weight[gone & ~texture] = _FAINT_WEIGHT
    target[:, FACT_COLUMNS] = rule[:, FACT_COLUMNS]
    return Truth(full.degree, full.checked, target, weight, full.onset, full.end, full.severe)
