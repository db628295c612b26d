"""The texture quantities' names, filled from the parts a logger added instead of being estimated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from curveclinic.measuring.jumps import visible_height
from curveclinic.measuring.levels import Level
from curveclinic.measuring.measures import CELLS, Cells
from curveclinic.measuring.medians import from_middle
from curveclinic.measuring.smoothing import row_mean, row_median
from curveclinic.measuring.texture import jitter_ratio
from curveclinic.measuring.trends import Quantities
from curveclinic.ragged import FloatArray
from curveclinic.synth.swings import SWINGS

_TINY: Final = 1e-12


def texture_truth(parts: Mapping[str, FloatArray], losses: Level, clean: Cells, written: Cells) -> Quantities:
    """What the parts say of n runs.

    Args:
        parts: see `logger.Logged`.
        losses: latent levels with the bare noise of single points, train's n runs and then val's.
        clean: cells of the same without noise.
        written: cells as logged.
    """
    train, val = _courses(losses)
    out: Quantities = {}
    for prefix, course, name in (("t_", train, "spike"), ("v_", val, "val_spike")):
        out |= _jump_truth(parts[f"{name}_height"], parts[f"{name}_count"], course, prefix)
        there = parts[f"{name}_height"] > 0
        first, last = course.level.steps[:, 0], course.level.steps[:, -1]
        out[prefix + "jump_first"] = np.where(there, parts[f"{name}_first"], first)
        out[prefix + "jump_last"] = np.where(there, parts[f"{name}_last"], last)
    out["jump_shared"] = np.where(parts["val_spike_count"] > 0, 0.0, 1.0)
    out |= _swing_truth(parts, train, "t_", 1.0) | _swing_truth(parts, val, "v_", parts["swing_val"])
    out["swing_shared"] = np.where(parts["swing_val"] > 0.5, 0.9, 0.0) * (val.level.count > 0)
    return out | _period_truth(parts, train) | _jitter_truth(parts, val.level, written, written.mean - clean.mean)


@dataclass(frozen=True, eq=False)
class _Course:
    """The latent level of a loss of n runs and what it comes to.

    Attributes:
        level: with the bare noise of single points.
        ordered: (n, CELLS) its view, sorted.
        size, middle: (n,) mean and median magnitude of the view.
    """

    level: Level
    ordered: FloatArray
    size: FloatArray
    middle: FloatArray

    @property
    def unit(self) -> FloatArray:
        """(n,) what a log jump of 1 comes to in the view, about."""
        return np.where(self.level.log, 1.0, self.size)

    def reach(self, low: float, high: float) -> FloatArray:
        """(n,) from one quantile of the view to another."""
        out: FloatArray = self.ordered[:, int(high * (CELLS - 1))] - self.ordered[:, int(low * (CELLS - 1))]
        return out


def _courses(losses: Level) -> tuple[_Course, _Course]:
    """Train's and val's."""
    n, magnitude = len(losses.count) // 2, np.abs(losses.view)
    ordered, size, middle = np.sort(losses.view, axis=1), row_mean(magnitude), row_median(magnitude)
    train, val = (
        _Course(losses.part(k, k + n), ordered[k : k + n], size[k : k + n], middle[k : k + n]) for k in (0, n)
    )
    return train, val


def _jump_truth(height: FloatArray, count: FloatArray, course: _Course, prefix: str) -> Quantities:
    """Jumps and their size in units of what can be seen; a linear view shows a log jump at the level's middle."""
    seen = np.where(course.level.log, height, np.expm1(np.minimum(height, 50.0)) * course.middle)
    limit = visible_height(course.level.noise, course.reach(0.0, 1.0), course.unit)
    return {prefix + "jumps": np.where(height > 0, count, 0.0), prefix + "jump_size": seen / limit}


def _swing_truth(
    parts: Mapping[str, FloatArray], course: _Course, prefix: str, factor: FloatArray | float
) -> Quantities:
    level, size = course.level, parts["swinging"] * factor * course.unit
    # another value at every point
    restless = np.isin(parts["swing_kind"], [SWINGS.index(kind) for kind in ("alternating", "wild", "chaotic")])
    turns = 2 * parts["swing_cycles"] / np.clip(level.count, 1, CELLS) + 0.05
    begin = level.steps[:, 0] + np.maximum(parts["swing_from"], 0.0) * (level.steps[:, -1] - level.steps[:, 0])
    trend = np.maximum(course.reach(0.02, 0.98), 0.02 * course.size + _TINY)
    return {
        prefix + "swing": 0.9 * size / trend * (size > 1.2 * level.noise),
        prefix + "swing_level": 0.9 * parts["swinging"] * factor,
        prefix + "swing_persistence": np.where(restless, -0.5, 0.6),
        prefix + "swing_turns": np.where(restless, 0.5, turns),
        prefix + "swing_first": begin,
        prefix + "swing_last": level.steps[:, -1],
    }


def _period_truth(parts: Mapping[str, FloatArray], train: _Course) -> Quantities:
    """A pattern's share of the variance about the trend, where it repeats often enough to be seen."""
    size, count = parts["period_size"] * train.unit, train.level.count
    shown = size > 0.015 * train.reach(0.05, 0.95)
    visible = (parts["period"] >= 3) & (count >= 4.5 * parts["period"]) & shown
    strength = size**2 / np.maximum(size**2 + train.level.noise**2, 1e-300)
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
