"""What rides on the level of a logged curve: jumps, swings, periods, noise of val against train.

The generator knows these from the parts it put in; here they are estimated from the points.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from curveclinic.jumps import Jumps, jumps_of
from curveclinic.levels import EPS
from curveclinic.measures import CELLS, Cells
from curveclinic.periods import autocorrelation_peak
from curveclinic.ragged import Batch, BoolArray, FloatArray
from curveclinic.smoothing import even_grid, masked_sort, moving_mean, quantile_of, resample, row_median
from curveclinic.trends import Quantities

_GRID = 64
"""Points on which the swings of train and val are compared."""

_ROUNDING = 1e-9
"""Share of a curve's largest view value below which a deviation is float rounding."""

_STEADY = 0.75
"""Share of the smaller jitters that the jitter of a curve is the mean of: spikes are not jitter."""


def texture_quantities(batch: Batch, cells: Mapping[str, Cells]) -> Quantities:
    """Estimates of what rides on the level."""
    t, v = cells["train_loss"], cells["val_loss"]
    jumps = {"t_": jumps_of(t), "v_": jumps_of(v)}
    q: Quantities = {}
    for prefix, c in (("t_", t), ("v_", v)):
        q |= _jump_quantities(c, jumps[prefix], prefix) | _swings(c, prefix)
    q["jump_shared"] = _shared_jumps(t, v, jumps["t_"], jumps["v_"])
    q["v_noise_over_t"], q["v_jitter"] = jitter_ratio(t, v, t, v)
    q["period_strength"], q["period"] = autocorrelation_peak(batch.channels["train_loss"])
    q["swing_shared"] = _shared_swings(t, v)
    return q


def first_step(cells: Cells, mask: BoolArray) -> FloatArray:
    """(n,) step of the first marked cell, the first step where there is none."""
    out: FloatArray = cells.steps[np.arange(len(mask)), mask.argmax(axis=1)]
    return out


def last_step(cells: Cells, mask: BoolArray) -> FloatArray:
    """(n,) step of the last marked cell, the last step where there is none."""
    out: FloatArray = cells.steps[np.arange(len(mask)), mask.shape[1] - 1 - mask[:, ::-1].argmax(axis=1)]
    return out


def _jump_quantities(cells: Cells, jumps: Jumps, prefix: str) -> Quantities:
    return {
        prefix + "jumps": jumps.count.astype(np.float64),
        prefix + "jump_size": jumps.size,
        prefix + "jump_first": first_step(cells, jumps.hit),
        prefix + "jump_last": last_step(cells, jumps.hit),
    }


def _swings(cells: Cells, prefix: str) -> Quantities:
    """Swings about a wide moving mean: amplitude against the drop, persistence, number of turns."""
    column = np.arange(CELLS)[None, :]
    wide = moving_mean(cells.mean, np.maximum(cells.size // 6, 1), cells.size)
    rest = np.where(cells.real & (column >= cells.size[:, None] // 10), cells.mean - wide, 0.0)
    # what is rounding in the largest value is no swing
    rest[np.abs(rest) <= _ROUNDING * np.abs(cells.mean).max(axis=1, keepdims=True)] = 0.0
    moving = rest != 0
    amplitude = quantile_of(*masked_sort(np.abs(rest), moving), 0.7)
    level = np.abs(wide).mean(axis=1)
    ordered = np.sort(wide, axis=1)
    trend = ordered[:, int(0.98 * (CELLS - 1))] - ordered[:, int(0.02 * (CELLS - 1))]
    product = rest[:, 1:] * rest[:, :-1]
    swinging = np.abs(rest) > 0.5 * amplitude[:, None]
    return {
        prefix + "swing": amplitude / np.maximum(trend, 0.02 * level + EPS),
        prefix + "swing_level": np.where(cells.log, amplitude, amplitude / np.maximum(level, EPS)),
        prefix + "swing_persistence": product.sum(axis=1) / np.maximum((rest * rest).sum(axis=1), 1e-300),
        prefix + "swing_turns": (product < 0).sum(axis=1) / np.maximum(moving.sum(axis=1), 1),
        prefix + "swing_first": first_step(cells, swinging),
        prefix + "swing_last": last_step(cells, swinging),
    }


def _jitter(cells: Cells) -> FloatArray:
    """(n, CELLS) distance of each cell from the middle one of itself and its neighbours: 0 on any steady slope."""
    return np.abs(cells.mean - cells.middle3)


def _late_jitter(cells: Cells) -> FloatArray:
    """(n,) typical jitter all along: the smaller of the means over both halves, the largest quarter left out."""
    jitter, column, size = _jitter(cells), np.arange(CELLS)[None, :], cells.size[:, None]
    halves = []
    for inside in (column < size // 2, column >= size // 2):
        ordered, count = masked_sort(jitter, inside & (column >= 1) & (column < size - 1))
        kept = np.ceil(_STEADY * count).astype(np.int64)
        total = np.where(np.arange(CELLS) < kept[:, None], ordered, 0.0).sum(axis=1)
        halves.append(total / np.maximum(kept, 1))
    out: FloatArray = np.minimum(halves[0], halves[1])
    return out


def jitter_ratio(t: Cells, v: Cells, like_t: Cells, like_v: Cells) -> tuple[FloatArray, FloatArray]:
    """Jitter of val over that of train, and val's own in view units; the levels come from the `like` cells.

    Compared in log units where either channel is seen in logarithms, else in raw ones.
    """
    jt, jv = _late_jitter(t), _late_jitter(v)
    either = like_t.log | like_v.log
    with np.errstate(all="ignore"):
        unit_t, unit_v = _unit(like_t, either), _unit(like_v, either)
        return jv * unit_v / np.maximum(jt * unit_t, EPS * jv * unit_v + 1e-300), jv


def _unit(cells: Cells, log: BoolArray) -> FloatArray:
    """Factor from view units to the units two channels are compared in."""
    relative = 1.0 / np.maximum(np.abs(row_median(cells.mean)), EPS)
    return np.where(cells.log, 1.0, np.where(log, relative, cells.scale))


def _shared_jumps(t: Cells, v: Cells, jt: Jumps, jv: Jumps) -> FloatArray:
    """Size of train's jump at the place of val's largest one, in units of train's limit."""
    at = v.steps[np.arange(len(v.size)), jv.isolated.argmax(axis=1)]
    span = np.maximum(t.steps[:, -1] - t.steps[:, 0], EPS)
    reach = 0.02 * span + np.abs(v.steps[:, -1] - v.steps[:, 0]) / np.maximum(v.size, 2)
    near = np.abs(t.steps - at[:, None]) <= reach[:, None]
    out: FloatArray = np.where(near, jt.prominence, 0.0).max(axis=1) / jt.limit
    return out


def _shared_swings(t: Cells, v: Cells) -> FloatArray:
    """Correlation of train's and val's swings on common steps: a moving model moves both."""
    both = np.flatnonzero((t.size > 0) & (v.size > 0))
    out = np.zeros(len(t.size))
    if not len(both):
        return out
    start = np.maximum(t.steps[both, 0], v.steps[both, 0])
    stop = np.maximum(np.minimum(t.steps[both, -1], v.steps[both, -1]), start)
    grid = even_grid(start, stop, _GRID)
    size, half = np.full(len(both), _GRID), np.full(len(both), _GRID // 8)
    a, b = (resample(c.steps[both], c.mean[both], c.size[both], grid) for c in (t, v))
    a, b = (x - moving_mean(x, half, size) for x in (a, b))
    norm = np.sqrt((a * a).sum(axis=1) * (b * b).sum(axis=1))
    out[both] = (a * b).sum(axis=1) / np.maximum(norm, 1e-300) * (norm > 0)
    return out
