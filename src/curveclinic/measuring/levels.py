"""`Level`: the smooth course of a loss, estimated from logged points or taken from the generator's latent curve."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from curveclinic.kept import kept
from curveclinic.measuring.measures import Cells, smooth, smoothing_width
from curveclinic.measuring.smoothing import (
    EPS,
    even_grid,
    resample_even,
    row_extremes,
    row_median,
    row_min,
    swap_losses,
)
from curveclinic.ragged import BoolArray, FloatArray, IntArray
from curveclinic.records import PerRun

_TINY: Final[FloatArray] = np.array(1e-300)


@dataclass(eq=False)
class Level(PerRun):
    """The smooth level of one channel of n runs on an even grid over its own steps.

    Attributes:
        steps: (n, G).
        view: (n, G) level in its view (log where the curve spans decades, else raw / largest magnitude).
        linear: (n, G) raw level / largest magnitude of the level.
        unit: (n,) raw value of 1.0 in `linear`.
        error: (n,) standard error of `view`.
        noise: (n,) standard deviation of single points in view units.
        count: (n,) number of logged finite points; 0 where the channel is absent.
        log: (n,) True where the view is logarithmic.
        positive: (n,) all logged values > 0: clauses relative to the level make sense.
        bottom, top: (n,) lowest and highest of `view`.
    """

    steps: FloatArray
    view: FloatArray
    linear: FloatArray
    unit: FloatArray
    error: FloatArray
    noise: FloatArray
    count: IntArray
    log: BoolArray
    positive: BoolArray
    bottom: FloatArray
    top: FloatArray

    @kept
    def spread(self) -> FloatArray:
        """(n,) highest less lowest of `view`, `EPS` at least."""
        return np.maximum(self.top - self.bottom, EPS)


def level_of(cells: Cells) -> Level:
    """Estimates the level from logged points."""
    level = smooth(cells)
    steps = cells.distinct_steps
    steps = even_grid(steps[:, 0], steps[:, -1], steps.shape[1])
    if len(steps) == 1:
        steps = steps.repeat(len(cells.steps), axis=0)
    view = cells.axis.evened(level)
    bottom, top = row_extremes(view)
    averaged = 2.0 * smoothing_width(cells, np.maximum(top - bottom, EPS)) + 1.0
    linear, unit = raw_of(view, cells.log, cells.scale, bottom, top)
    return Level(
        steps, view, linear, unit, cells.cell_noise / np.sqrt(averaged), cells.noise, cells.count, cells.log,
        cells.positive, bottom, top,
    )  # fmt: skip


def make_level(
    steps: FloatArray, view: FloatArray, log: BoolArray, scale: FloatArray, error: FloatArray, noise: FloatArray,
    count: IntArray, positive: BoolArray,
) -> Level:  # fmt: skip
    """Builds a Level from a curve in its view; raw = exp(view) or view * scale."""
    bottom, top = row_extremes(view)
    with np.errstate(all="ignore"):
        linear, unit = raw_of(view, log, scale, bottom, top)
    return Level(steps, view, linear, unit, error, noise, count, log, positive, bottom, top)


def raw_of(
    view: FloatArray, log: BoolArray, scale: FloatArray, bottom: FloatArray, top: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """The raw level over its largest magnitude, and the raw value of 1.0 in that."""
    peak = np.maximum(np.maximum(top, -bottom), _TINY)
    linear, unit = view / peak[:, None], scale * peak
    rows = log.nonzero()[0]
    if len(rows):
        linear[rows] = np.exp(view[rows] - top[rows, None])
        unit[rows] = np.exp(np.minimum(np.maximum(top[rows], -690.0), 709.0))
    return linear, unit


def in_log(level: Level, wanted: BoolArray) -> Level:
    """Returns the level with a logarithmic view where wanted (n,) and the values allow it."""
    rows = (wanted & ~level.log & level.positive).nonzero()[0]
    if not len(rows):
        return level
    rows = rows[row_min(level.linear[rows]) > 0]
    if not len(rows):
        return level
    view, error, noise, log = level.view.copy(), level.error.copy(), level.noise.copy(), level.log.copy()
    # errors are constant in the linear view: the logarithm's are those at a typical level
    typical = np.maximum(row_median(view[rows]), EPS)
    view[rows] = np.log(level.linear[rows]) + np.log(np.maximum(level.unit[rows], _TINY))[:, None]
    error[rows] /= typical
    noise[rows] /= typical
    log[rows] = True
    return Level(
        level.steps, view, level.linear, level.unit, error, noise, level.count, log, level.positive, *row_extremes(view)
    )  # fmt: skip


def raw_pair(losses: Level) -> tuple[FloatArray, FloatArray]:
    """Returns common steps (n, G) and the raw levels (2 n, G) of train and val on them, divided by one common unit.

    Args:
        losses: train's n runs, then val's.
    """
    start, stop = common_span(losses.steps)
    both = resample_even(losses.steps, losses.linear, start, stop)
    n = len(losses.unit) // 2
    steps = losses.steps[:n] if both is losses.linear else even_grid(start[:n], stop[:n], losses.steps.shape[1])
    return steps, both * (losses.unit / _pair_unit(losses))[:, None]


def first_of_train(losses: Level) -> FloatArray:
    """(n,) where train's own level begins, be it before val's first step, in the unit of `raw_pair`."""
    n = len(losses.unit) // 2
    first: FloatArray = losses.linear[:n, 0] * (losses.unit / _pair_unit(losses))[:n]
    return first


def view_unit(losses: Level) -> FloatArray:
    """(2 n,) what 1.0 of a linear view comes to in the unit of `raw_pair`."""
    peak = np.maximum(np.maximum(losses.top, -losses.bottom), _TINY)
    out: FloatArray = losses.unit / peak / _pair_unit(losses)
    return out


def _pair_unit(losses: Level) -> FloatArray:
    """(2 n,) the unit that both losses of a run are divided by."""
    unit: FloatArray = np.maximum(np.maximum(losses.unit, swap_losses(losses.unit)), _TINY)
    return unit


def common_span(steps: FloatArray) -> tuple[FloatArray, FloatArray]:
    """(2 n,) first and last step that a run's losses have in common.

    Args:
        steps: (2 n, ...) train's, then val's; (1, ...) where all share them, which gives (1,) first and last ones.
    """
    first, last = steps[:, 0], steps[:, -1]
    if len(steps) == 1:
        return first, last
    start = np.maximum(first, swap_losses(first))
    return start, np.maximum(np.minimum(last, swap_losses(last)), start)
