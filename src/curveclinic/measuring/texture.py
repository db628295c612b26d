"""What rides on the level of a logged curve: jumps, swings, periods, noise of val against train.

The generator knows these from the parts it put in; here they are estimated from the points.
"""

from __future__ import annotations

from functools import cache
from typing import Final

import numpy as np

from curveclinic.measuring.jumps import Jumps, jumps_of
from curveclinic.measuring.levels import common_span
from curveclinic.measuring.measures import CELLS, Cells
from curveclinic.measuring.periods import period_in
from curveclinic.measuring.smoothing import (
    EPS,
    Tables,
    even_grid,
    moving_mean_of_full,
    row_count,
    row_max,
    row_mean,
    row_median,
    row_numbers,
    rows_of,
    split_losses,
    swap_losses,
    take_columns,
    windowed,
    windows,
)
from curveclinic.measuring.trends import Quantities, by_loss
from curveclinic.ragged import BoolArray, FloatArray, IntArray, Ragged

_GRID = 64
"""Points on which the swings of train and val are compared."""

_ROUNDING = 1e-9
"""Share of a curve's largest view value below which a deviation is float rounding."""

_SIZES: Final = np.arange(CELLS + 1)[:, None]
"""(CELLS + 1, 1) every number of cells a run can have."""

_HIGH: Final = np.array([min(CELLS - count + int(0.7 * (count - 1)), CELLS - 1) for count in range(CELLS + 1)])
"""(CELLS + 1,) place of the 0.7 quantile of so many cells that stand in rising order behind the others."""

_STEADY = 0.75
"""Share of the smaller jitters that the jitter of a curve is the mean of: spikes are not jitter."""


def texture_quantities(train: Ragged, losses: Cells) -> Quantities:
    """Estimates of what rides on the level.

    Args:
        train: the finite points of the train loss of n runs in its view.
        losses: train's n runs, then val's.
    """
    jumps = jumps_of(losses)
    swings, swinging = _swings(losses)
    first, last = marked_steps(losses, np.array([jumps.hit, swinging]))
    q = by_loss(
        {"jumps": jumps.count.astype(np.float64), "jump_size": jumps.size, "jump_first": first[0], "jump_last": last[0]}
        | swings
        | {"swing_first": first[1], "swing_last": last[1]}
    )
    q["jump_shared"] = _shared_jumps(losses, jumps)
    q["v_noise_over_t"], q["v_jitter"] = jitter_ratio(losses, np.abs(losses.mean - losses.middle3))
    q["period_strength"], q["period"] = period_in(train)
    q["swing_shared"] = _shared_swings(losses)
    return q


def marked_steps(cells: Cells, marked: BoolArray) -> tuple[FloatArray, FloatArray]:
    """(k, n) steps of the first and of the last cell that each of k masks (k, n, CELLS) marks.

    Where one marks none they are the first and the last step.
    """
    last = marked.shape[2] - 1 - marked[:, :, ::-1].argmax(axis=2)
    first, last = cells.steps[row_numbers(marked.shape[1]), np.array([marked.argmax(axis=2), last])]
    return first, last


def _swings(cells: Cells) -> tuple[Quantities, BoolArray]:
    """Swings about a wide moving mean: amplitude against the drop, persistence, turns; and their cells (n, CELLS)."""
    mean, size, row = cells.mean, cells.extent, row_numbers(len(cells.size))
    settled, settled_count, *sixth = rows_of(_swing_places(), size)
    wide = windowed(mean, *sixth)
    rest = mean - wide
    rest *= settled
    height = np.abs(rest)
    # what is rounding in the largest value is no swing
    largest = np.maximum(cells.highest, -cells.lowest)
    moving = height > (_ROUNDING * largest)[:, None]
    count = row_count(moving)
    still = (count < settled_count).nonzero()[0]  # few curves have cells that do not move
    if len(still):
        height[still] *= moving[still]
        rest[still] *= moving[still]
    ordered = height.copy()
    ordered.sort(axis=1)  # the others first, as zeros
    amplitude = ordered[row, _HIGH.take(count)]
    height_unit = np.maximum(row_mean(np.abs(wide)), EPS)
    height_unit[cells.log] = 1.0  # a logarithm has no level of its own: it would be that of the loss's unit
    wide.sort(axis=1)
    trend = wide[:, int(0.98 * (CELLS - 1))] - wide[:, int(0.02 * (CELLS - 1))]
    product = _beside(rest)
    q = {
        "swing": amplitude / np.maximum(trend, 0.02 * height_unit + EPS),
        "swing_level": amplitude / height_unit,
        "swing_persistence": np.add.reduce(product[:, :-1], axis=1)
        / np.maximum(np.add.reduce(rest * rest, axis=1), 1e-300),
        "swing_turns": row_count(product < 0) / np.maximum(count, 1),
    }
    return q, height > (0.5 * amplitude)[:, None]


def _beside(values: FloatArray) -> FloatArray:
    """(n, CELLS) product of each cell and the next one in its row, 0 for the last one."""
    out, flat = np.empty(values.shape), values.ravel()
    np.multiply(flat[1:], flat[:-1], out=out.reshape(-1)[:-1])  # flat rows are faster; what spans two is overwritten
    out[:, -1] = 0.0
    return out


@cache
def _swing_places() -> Tables:
    """1 at the cells of a run but for its first tenth, else 0, their number, and the wide window, by the run's size."""
    column = np.arange(CELLS)
    settled = (column >= _SIZES // 10) & (column < _SIZES)
    return settled.astype(np.float64), settled.sum(axis=1), *windows(CELLS, np.maximum(_SIZES // 6, 1), _SIZES)


def _late_jitter(distance: FloatArray, size: IntArray) -> FloatArray:
    """(n,) typical jitter all along: the smaller of the means over both halves, the largest quarter left out.

    Args:
        distance: (n, CELLS) distance of each cell from the middle one of itself and its neighbours.
        size: (n,) number of real cells.
    """
    column, inner, weight = rows_of(_both_halves(), size)
    jitter = take_columns(distance, column)
    jitter *= inner
    split = jitter.reshape(-1, 2, CELLS // 2)
    split.sort(axis=2)  # what does not count first, as zeros
    jitter *= weight
    first, second = np.add.reduce(split, axis=2).T
    out: FloatArray = np.minimum(first, second)
    return out


@cache
def _both_halves() -> Tables:
    """How the cells of both halves of a run are averaged, half by half, by its size.

    Returns:
        their columns, 1 at those with two neighbours and 0 at others, and the weights of all in rising order: none for
        the largest.
    """
    place = np.arange(CELLS // 2)
    second = _SIZES // 2 + place
    column = np.concatenate((np.broadcast_to(place, second.shape), np.minimum(second, CELLS - 1)), axis=1)
    inner = np.concatenate(((place >= 1) & (second < 2 * (_SIZES // 2)), (second >= 1) & (second < _SIZES - 1)), axis=1)
    count = inner.reshape(len(_SIZES), 2, -1).sum(axis=2, keepdims=True)
    kept = np.ceil(_STEADY * count)
    rank = place - (CELLS // 2 - count)
    weight = ((rank >= 0) & (rank < kept)) / np.maximum(kept, 1)
    return column, inner.astype(np.float64), weight.reshape(len(_SIZES), CELLS)


def jitter_ratio(losses: Cells, distance: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Jitter of val over that of train, and val's own in view units.

    Compared in log units where either channel is seen in logarithms, else in raw ones.

    Args:
        losses: train's n runs, then val's.
        distance: (2 n, CELLS) distance of their cells from the middle ones of themselves and their neighbours.
    """
    jitter = _late_jitter(distance, losses.extent)
    with np.errstate(all="ignore"):
        train, val = split_losses(jitter * _unit(losses))
        return val / np.maximum(train, EPS * val + 1e-300), jitter[len(val) :]


def _unit(losses: Cells) -> FloatArray:
    """(2 n,) factor from view units to the units that train and val are compared in."""
    rows = (swap_losses(losses.log) > losses.log).nonzero()[0]
    if not len(rows):
        return losses.scale
    unit: FloatArray = losses.scale.copy()
    unit[rows] = 1.0 / np.maximum(np.abs(row_median(losses.mean[rows])), EPS)
    return unit


def _shared_jumps(losses: Cells, jumps: Jumps) -> FloatArray:
    """Size of train's jump at the place of val's largest one, in units of train's limit."""
    n = len(losses.size) // 2
    steps, at = losses.steps, jumps.isolated[n:].argmax(axis=1)
    at = steps[n:][row_numbers(n), at]
    span = steps[:, -1] - steps[:, 0]
    reach = 0.02 * np.maximum(span[:n], EPS) + np.abs(span[n:]) / np.maximum(losses.size[n:], 2)
    near = np.abs(steps[:n] - at[:, None]) <= reach[:, None]
    out: FloatArray = row_max(jumps.prominence[:n] * near) / jumps.limit[:n]
    return out


def _shared_swings(losses: Cells) -> FloatArray:
    """Correlation of train's and val's swings on common steps: a moving model moves both."""
    grid = even_grid(*common_span(losses.distinct_steps), _GRID)
    curves = losses.at(grid)
    rest = curves - moving_mean_of_full(curves, _GRID // 8)
    (a, b), n = split_losses(rest), len(rest) // 2
    norm = np.sqrt(np.multiply(*split_losses(np.add.reduce(rest * rest, axis=1))))
    out: FloatArray = np.add.reduce(a * b, axis=1) / np.maximum(norm, 1e-300) * (norm > 0)
    if len(losses.absent):
        out[losses.absent % n] = 0.0
    return out
