"""The texture quantities' names, filled from the parts a logger added instead of being estimated."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np

from curveclinic.jumps import visible_height
from curveclinic.levels import Level
from curveclinic.measures import CELLS, Cells
from curveclinic.medians import from_middle
from curveclinic.ragged import FloatArray
from curveclinic.smoothing import row_median
from curveclinic.synth.texture import SWINGS
from curveclinic.texture import jitter_ratio
from curveclinic.trends import Quantities

_TINY: Final = 1e-12


def texture_truth(parts: Mapping[str, FloatArray], losses: Level, clean: Cells, written: Cells) -> Quantities:
    """What the parts say of n runs.

    Args:
        parts: see `logger.Logged`.
        losses: latent levels with the bare noise of single points, train's n runs and then val's.
        clean: cells of the same without noise.
        written: cells as logged.
    """
    n = len(losses.count) // 2
    train, val = losses.part(0, n), losses.part(n, 2 * n)
    out: Quantities = {}
    for prefix, level, name in (("t_", train, "spike"), ("v_", val, "val_spike")):
        out |= _jump_truth(parts[f"{name}_height"], parts[f"{name}_count"], level, prefix)
        there = parts[f"{name}_height"] > 0
        first, last = level.steps[:, 0], level.steps[:, -1]
        out[prefix + "jump_first"] = np.where(there, parts[f"{name}_first"], first)
        out[prefix + "jump_last"] = np.where(there, parts[f"{name}_last"], last)
    out["jump_shared"] = np.where(parts["val_spike_count"] > 0, 0.0, 1.0)
    out |= _swing_truth(parts, train, "t_", 1.0) | _swing_truth(parts, val, "v_", parts["swing_val"])
    out["swing_shared"] = np.where(parts["swing_val"] > 0.5, 0.9, 0.0) * (val.count > 0)
    return out | _period_truth(parts, train) | _jitter_truth(parts, val, written, written.mean - clean.mean)


def _jump_truth(height: FloatArray, count: FloatArray, level: Level, prefix: str) -> Quantities:
    """Jumps and their size in units of what can be seen; a linear view shows a log jump at the level's middle."""
    typical = row_median(np.abs(level.view))
    seen = np.where(level.log, height, np.expm1(np.minimum(height, 50.0)) * typical)
    size = np.where(level.log, 1.0, np.abs(level.view).mean(axis=1))
    limit = visible_height(level.noise, np.ptp(level.view, axis=1), size)
    return {prefix + "jumps": np.where(height > 0, count, 0.0), prefix + "jump_size": seen / limit}


def _swing_truth(parts: Mapping[str, FloatArray], level: Level, prefix: str, factor: FloatArray | float) -> Quantities:
    typical = np.abs(level.view).mean(axis=1)
    size = parts["swinging"] * factor * np.where(level.log, 1.0, typical)
    ordered = np.sort(level.view, axis=1)
    trend = ordered[:, int(0.98 * (CELLS - 1))] - ordered[:, int(0.02 * (CELLS - 1))]
    restless = np.isin(
        parts["swing_kind"], [SWINGS.index(kind) for kind in ("alternating", "wild")]
    )  # another value at every point
    turns = 2 * parts["swing_cycles"] / np.clip(level.count, 1, CELLS) + 0.05
    begin = level.steps[:, 0] + np.maximum(parts["swing_from"], 0.0) * (level.steps[:, -1] - level.steps[:, 0])
    return {
        prefix + "swing": 0.9 * size / np.maximum(trend, 0.02 * typical + _TINY) * (size > 1.2 * level.noise),
        prefix + "swing_level": 0.9 * parts["swinging"] * factor,
        prefix + "swing_persistence": np.where(restless, -0.5, 0.6),
        prefix + "swing_turns": np.where(restless, 0.5, turns),
        prefix + "swing_first": begin,
        prefix + "swing_last": level.steps[:, -1],
    }


def _period_truth(parts: Mapping[str, FloatArray], train: Level) -> Quantities:
    """A pattern's share of the variance about the trend, where it repeats often enough to be seen."""
    size = parts["period_size"] * np.where(train.log, 1.0, np.abs(train.view).mean(axis=1))
    ordered = np.sort(train.view, axis=1)
    spread = ordered[:, int(0.95 * (CELLS - 1))] - ordered[:, int(0.05 * (CELLS - 1))]
    visible = (parts["period"] >= 3) & (train.count >= 4.5 * parts["period"]) & (size > 0.015 * spread)
    strength = size**2 / np.maximum(size**2 + train.noise**2, 1e-300)
    return {"period_strength": np.where(visible, strength, 0.0), "period": parts["period"]}


def _jitter_truth(parts: Mapping[str, FloatArray], val: Level, written: Cells, added: FloatArray) -> Quantities:
    """The shared jitter measure on what the logger added alone; swings that train makes too are no val noise.

    Args:
        parts: see `logger.Logged`.
        val: latent level of the val loss.
        written: cells of both losses as logged.
        added: (2 n, CELLS) what the logger added to their means.
    """
    ratio, jitter = jitter_ratio(written, from_middle(added))
    swung = parts["swinging"] * parts["swing_val"] > 0.5 * val.noise
    return {"v_noise_over_t": np.where(swung, 1.0, ratio), "v_jitter": np.where(swung, 0.0, jitter)}
