"""Textures of simulated logs: the shared texture measures, held against the noise that is known to be there.

A drawn run knows its spikes, swings and patterns because it put them in. A simulated one does not: its weights really
jump and swing. Jumps and patterns measured on the log count as far as the batches' own noise cannot explain them;
swings are those of the loss on the whole train set.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

import numpy as np

from curveclinic.measuring.jumps import jumps_of
from curveclinic.measuring.measures import CELLS, Cells, cells_of, smooth, smoothing_width
from curveclinic.measuring.quantities import Measured
from curveclinic.measuring.smoothing import row_median
from curveclinic.measuring.texture import marked_steps
from curveclinic.measuring.trends import Quantities
from curveclinic.ragged import FloatArray, Ragged
from curveclinic.synth.draws import Rng
from curveclinic.synth.simulate.views import row_of
from curveclinic.synth.swings import SWINGS

_RESTLESS: Final = 0.1
"""Persistence below which a swing is another value at every point."""

_FIXED: Final = 0.3
"""Autocorrelation from which a fixed order of the data shows as a pattern."""

_IDLE: Final = 0.02
"""Share of its first level that an idle model may improve by."""

_GUESS: Final = 0.06
"""The same where nearly all of it is over at once: a bad first guess becomes that of chance."""

_AT_ONCE: Final = 0.07
"""Share of the points in which that happens."""

_LEFT: Final = 0.005
"""Share of its level by which the model improves in all of the rest."""

_SWAYED: Final = 0.03
"""Share of its range by which a view without noise may sway before its trend is taken instead."""


_MOST: Final = 50.0
"""Largest noise and pattern in log level: beyond it numbers overflow."""


def trend_of(view: Ragged) -> Ragged:
    """The view without swings and jumps: smoothed by the shared measure where it is restless, else as it is."""
    cells = cells_of(view)
    level = smooth(cells)
    spread = np.maximum(np.ptp(cells.mean, axis=1), 1e-12)
    restless = (smoothing_width(cells, spread) > 0) | (
        np.abs(cells.middle5 - cells.mean).max(axis=1) > _SWAYED * spread
    )
    restless &= cells.size >= 8
    run = row_of(view.offsets)
    index = np.arange(len(run)) - view.offsets[run]
    size = cells.size[run]
    place = np.clip((index + 0.5) * size / np.maximum(view.lengths[run], 1) - 0.5, 0, np.maximum(size - 1, 0))
    left = np.minimum(place.astype(np.int64), np.maximum(size - 2, 0))
    weight = np.clip(place - left, 0.0, 1.0)
    right = np.minimum(left + 1, CELLS - 1)
    at = level[run, left] * (1 - weight) + level[run, right] * weight
    with np.errstate(over="ignore"):
        raw = np.where(cells.log[run], np.exp(np.minimum(at, 700.0)), at * cells.scale[run])
    first = index < 2  # where a loss begins is a fact of its own
    return Ragged(view.steps, np.where(restless[run] & ~first, raw, view.values), view.offsets)


def known_noise(
    seen: Measured, logged: Ragged, noise: FloatArray, scatter: FloatArray, fixed: FloatArray
) -> FloatArray:
    """(n,) typical noise of single train points in the view of the log.

    Args:
        seen: what is measured on the logs.
        logged: finite train points.
        noise: (total,) known standard deviation of each.
        scatter: (n,) of the points about their trend, in the view of the log.
        fixed: (n,) 1.0 where the order of the data is fixed: there what does not repeat itself is noise.
    """
    cells, run = seen.cells["train_loss"], row_of(logged.offsets)
    with np.errstate(all="ignore"):
        one = np.where(cells.log[run], noise / np.maximum(np.abs(logged.values), 1e-300), noise / cells.scale[run])
    gauged = cells_of(Ragged(logged.steps, np.nan_to_num(one, posinf=0.0) + 1e-12, logged.offsets))
    back = np.where(gauged.log[:, None], np.exp(np.minimum(gauged.mean, 50.0)), gauged.mean * gauged.scale[:, None])
    random = np.sqrt(1.0 - np.clip(seen.quantities["period_strength"], 0.0, 1.0)) * scatter
    return np.where(fixed > 0, random, row_median(back)) * (logged.lengths > 0)


def textured_train(rng: Rng, seen: Measured, logged: Ragged, known: FloatArray) -> Ragged:
    """The train log less noise of the known size: what the dynamics, swings and jumps included, may have been."""
    cells, run = seen.cells["train_loss"], row_of(logged.offsets)
    drawn = np.clip(rng.standard_normal(len(run)), -2.5, 2.5) * np.minimum(known, _MOST)[run]
    moved = np.where(cells.log[run], logged.values * np.exp(-drawn), logged.values - drawn * cells.scale[run])
    return Ragged(logged.steps, moved, logged.offsets)


def measured_parts(
    seen: Measured, trend: Ragged, known: Mapping[str, FloatArray], quiet: Quantities, *, scatter: FloatArray,
    fixed: FloatArray, cost: FloatArray, jumped: FloatArray,
) -> dict[str, FloatArray]:  # fmt: skip
    """The texture parts that `truth.judge` asks for.

    Args:
        seen: what is measured on the logs.
        trend: the train loss without noise and swings.
        known: (n,) noise of single points of both losses, in the view of the log.
        quiet: what is measured on the losses without noise, swings included.
        scatter: (n,) of the train points about their trend, in the view of the log.
        fixed: (n,) 1.0 where the data came in the same order in every epoch.
        cost: (n,) loss of an untrained model, in the log's units.
        jumped: (n,) 1.0 where the loss may go to another level on the way, because data or weights were changed.
    """
    t, v, q = seen.cells["train_loss"], seen.cells["val_loss"], seen.quantities
    beside = q["jump_shared"] / np.maximum(q["v_jump_size"], 1e-9)
    alone = (q["jump_shared"] < 0.75) | (beside < 0.25)
    parts = _jump_parts(t, known["train_loss"], "spike") | _jump_parts(v, known["val_loss"], "val_spike")
    parts["val_spike_height"] = np.where(alone, parts["val_spike_height"], 0.0)
    parts["val_spike_count"] = np.where(alone, parts["val_spike_count"], 0.0)
    parts |= _swing_parts(t, quiet) | _period_parts(t, q, scatter, fixed)
    return parts | {"cost": cost, "idle": _idle(trend), "jumped": jumped}


def _typical(cells: Cells) -> FloatArray:
    """(n,) what a relative size is relative to: 1 in logarithms."""
    return np.where(cells.log, 1.0, np.maximum(np.abs(cells.middle5).mean(axis=1), 1e-12))


def _jump_parts(cells: Cells, noise: FloatArray, name: str) -> dict[str, FloatArray]:
    """Jumps that rise above the known noise; heights in log level."""
    jumps = jumps_of(replace(cells, noise=np.maximum(noise, 0.3 * cells.noise)))
    typical = np.where(cells.log, 1.0, np.maximum(row_median(np.abs(cells.middle5)), 1e-12))
    top = jumps.isolated.max(axis=1, initial=0.0)
    there, (first, last) = jumps.hit.any(axis=1), marked_steps(cells, jumps.hit[None])
    height = np.where(cells.log, top, np.log1p(top / typical))
    return {
        f"{name}_height": np.where(there, height, 0.0),
        f"{name}_count": np.where(there, jumps.count, 0).astype(np.float64),
        f"{name}_first": np.where(there, first[0], np.nan),
        f"{name}_last": np.where(there, last[0], np.nan),
    }


def _swing_parts(cells: Cells, quiet: Quantities) -> dict[str, FloatArray]:
    """Swings of the loss on the whole train set: no noise of batches, so the weights swing, and val with them."""
    restless = quiet["t_swing_persistence"] < _RESTLESS
    span = np.maximum(cells.steps[:, -1] - cells.steps[:, 0], 1e-12)
    return {
        "swinging": quiet["t_swing_level"] / 0.9,
        "swing_val": np.ones(len(span)),
        "swing_kind": np.where(restless, SWINGS.index("wild"), SWINGS.index("sine")).astype(np.float64),
        "swing_cycles": 0.5 * np.maximum(quiet["t_swing_turns"] - 0.05, 0.0) * np.clip(cells.count, 1, CELLS),
        "swing_from": np.clip((quiet["t_swing_first"] - cells.steps[:, 0]) / span, 0.0, 1.0),
    }


def _period_parts(
    cells: Cells, q: Mapping[str, FloatArray], scatter: FloatArray, fixed: FloatArray
) -> dict[str, FloatArray]:
    """A pattern where the order of the data is fixed and the log repeats itself."""
    there = (fixed > 0) & (q["period_strength"] > _FIXED)
    size = np.minimum(np.sqrt(np.clip(q["period_strength"], 0.0, 1.0)) * scatter / _typical(cells), _MOST)
    return {"period": np.where(there, q["period"], 0.0), "period_size": np.where(there, size, 0.0)}


def _idle(trend: Ragged) -> FloatArray:
    """(n,) 1.0 where the view without noise says that nothing was learnt."""
    first, low = np.full(trend.size, np.nan), np.full(trend.size, np.inf)
    early = first.copy()
    some = trend.lengths > 0
    starts, lengths = trend.offsets[:-1][some], trend.lengths[some]
    first[some] = trend.values[starts]
    early[some] = trend.values[starts + (_AT_ONCE * (lengths - 1)).astype(np.int64)]
    np.fmin.at(low, row_of(trend.offsets), trend.values)
    with np.errstate(invalid="ignore"):
        never = first - low <= _IDLE * np.abs(first)
        guess = (first - low <= _GUESS * np.abs(first)) & (early - low <= _LEFT * np.abs(early))
    return np.where(never | guess, 1.0, 0.0)
