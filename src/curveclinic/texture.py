"""What rides on the level of a logged curve: jumps, swings, periods, noise of val against train.

The generator knows these from the parts it put in; here they are estimated from the points.
"""

from __future__ import annotations

import numpy as np

from curveclinic.jumps import Jumps, jumps_of
from curveclinic.levels import EPS, common_span
from curveclinic.measures import CELLS, Cells, View
from curveclinic.periods import period_in
from curveclinic.ragged import BoolArray, FloatArray
from curveclinic.smoothing import even_grid, halves, masked_sort, moving_mean, quantile_of, row_mean, row_median, twice
from curveclinic.trends import Quantities, by_loss

_GRID = 64
"""Points on which the swings of train and val are compared."""

_ROUNDING = 1e-9
"""Share of a curve's largest view value below which a deviation is float rounding."""

_STEADY = 0.75
"""Share of the smaller jitters that the jitter of a curve is the mean of: spikes are not jitter."""


def texture_quantities(train: View, losses: Cells) -> Quantities:
    """Estimates of what rides on the level.

    Args:
        train: the points of the train loss of n runs.
        losses: train's n runs, then val's.
    """
    jumps = jumps_of(losses)
    q = by_loss(_jump_quantities(losses, jumps) | _swings(losses))
    q["jump_shared"] = _shared_jumps(losses, jumps)
    q["v_noise_over_t"], q["v_jitter"] = jitter_ratio(losses, losses)
    q["period_strength"], q["period"] = period_in(train)
    q["swing_shared"] = _shared_swings(losses)
    return q


def first_step(cells: Cells, mask: BoolArray) -> FloatArray:
    """(n,) step of the first marked cell, the first step where there is none."""
    out: FloatArray = cells.steps[np.arange(len(mask)), mask.argmax(axis=1)]
    return out


def last_step(cells: Cells, mask: BoolArray) -> FloatArray:
    """(n,) step of the last marked cell, the last step where there is none."""
    out: FloatArray = cells.steps[np.arange(len(mask)), mask.shape[1] - 1 - mask[:, ::-1].argmax(axis=1)]
    return out


def _jump_quantities(cells: Cells, jumps: Jumps) -> Quantities:
    return {
        "jumps": jumps.count.astype(np.float64),
        "jump_size": jumps.size,
        "jump_first": first_step(cells, jumps.hit),
        "jump_last": last_step(cells, jumps.hit),
    }


def _swings(cells: Cells) -> Quantities:
    """Swings about a wide moving mean: amplitude against the drop, persistence, number of turns."""
    column = np.arange(CELLS)[None, :]
    wide = moving_mean(cells.mean, np.maximum(cells.size // 6, 1), cells.size)
    rest = np.where(cells.real & (column >= cells.size[:, None] // 10), cells.mean - wide, 0.0)
    # what is rounding in the largest value is no swing
    rest[np.abs(rest) <= _ROUNDING * np.abs(cells.mean).max(axis=1, keepdims=True)] = 0.0
    moving = rest != 0
    amplitude = quantile_of(*masked_sort(np.abs(rest), moving), 0.7)
    level = row_mean(np.abs(wide))
    ordered = np.sort(wide, axis=1)
    trend = ordered[:, int(0.98 * (CELLS - 1))] - ordered[:, int(0.02 * (CELLS - 1))]
    product = rest[:, 1:] * rest[:, :-1]
    swinging = np.abs(rest) > 0.5 * amplitude[:, None]
    return {
        "swing": amplitude / np.maximum(trend, 0.02 * level + EPS),
        "swing_level": np.where(cells.log, amplitude, amplitude / np.maximum(level, EPS)),
        "swing_persistence": product.sum(axis=1) / np.maximum((rest * rest).sum(axis=1), 1e-300),
        "swing_turns": (product < 0).sum(axis=1) / np.maximum(moving.sum(axis=1), 1),
        "swing_first": first_step(cells, swinging),
        "swing_last": last_step(cells, swinging),
    }


def _jitter(cells: Cells) -> FloatArray:
    """(n, CELLS) distance of each cell from the middle one of itself and its neighbours: 0 on any steady slope."""
    return np.abs(cells.mean - cells.middle3)


def _late_jitter(cells: Cells) -> FloatArray:
    """(n,) typical jitter all along: the smaller of the means over both halves, the largest quarter left out."""
    jitter, column, size = _jitter(cells), np.arange(CELLS)[None, :], cells.size[:, None]
    inner, late = (column >= 1) & (column < size - 1), column >= size // 2
    ordered, count = masked_sort(twice(jitter), np.concatenate((inner & ~late, inner & late)))
    kept = np.ceil(_STEADY * count).astype(np.int64)
    total = np.where(column < kept[:, None], ordered, 0.0).sum(axis=1)
    out: FloatArray = np.minimum(*halves(total / np.maximum(kept, 1)))
    return out


def jitter_ratio(losses: Cells, like: Cells) -> tuple[FloatArray, FloatArray]:
    """Jitter of val over that of train, and val's own in view units; the levels come from the `like` cells.

    Compared in log units where either channel is seen in logarithms, else in raw ones. Both hold train's n runs,
    then val's.
    """
    jitter = _late_jitter(losses)
    with np.errstate(all="ignore"):
        train, val = halves(jitter * _unit(like, twice(np.logical_or(*halves(like.log)))))
        return val / np.maximum(train, EPS * val + 1e-300), halves(jitter)[1]


def _unit(cells: Cells, log: BoolArray) -> FloatArray:
    """Factor from view units to the units two channels are compared in."""
    relative = 1.0 / np.maximum(np.abs(row_median(cells.mean)), EPS)
    return np.where(cells.log, 1.0, np.where(log, relative, cells.scale))


def _shared_jumps(losses: Cells, jumps: Jumps) -> FloatArray:
    """Size of train's jump at the place of val's largest one, in units of train's limit."""
    t_steps, v_steps = halves(losses.steps)
    at = v_steps[np.arange(len(v_steps)), halves(jumps.isolated)[1].argmax(axis=1)]
    span = np.maximum(t_steps[:, -1] - t_steps[:, 0], EPS)
    reach = 0.02 * span + np.abs(v_steps[:, -1] - v_steps[:, 0]) / np.maximum(halves(losses.size)[1], 2)
    near = np.abs(t_steps - at[:, None]) <= reach[:, None]
    out: FloatArray = np.where(near, halves(jumps.prominence)[0], 0.0).max(axis=1) / halves(jumps.limit)[0]
    return out


def _shared_swings(losses: Cells) -> FloatArray:
    """Correlation of train's and val's swings on common steps: a moving model moves both."""
    grid = twice(even_grid(*common_span(losses.steps), _GRID))
    curves = losses.at(grid)
    size = np.full(len(grid), _GRID)
    rest = curves - moving_mean(curves, size // 8, size)
    a, b = halves(rest)
    norm = np.sqrt(np.multiply(*halves((rest * rest).sum(axis=1))))
    both = np.logical_and(*halves(losses.size > 0))
    out: FloatArray = (a * b).sum(axis=1) / np.maximum(norm, 1e-300) * ((norm > 0) & both)
    return out
