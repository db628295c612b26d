"""What one smooth level alone says: drops, rises, plateaus. Serves the latent and the logged curve alike."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import cache, lru_cache

import numpy as np

from curveclinic.measuring.levels import Level
from curveclinic.measuring.smoothing import EPS, row_mean, row_numbers
from curveclinic.ragged import BoolArray, FloatArray, IntArray

_EDGE = 0.1
"""Share of the run that "initial level" and "end level" average over when the curve is noisy."""

_AS_LOW = (2.5, 0.002, 0.05)
"""Errors of the level, and share of its final rise, at most of its drop, up to which a level above the lowest still
counts as low."""

_AS_GOOD = 0.01
"""Share of its drop, and of its lowest level, up to which a level above the lowest is as good whatever its error."""

_LATE = 0.8
"""Share of the run after which a fall is still going on at the end."""

_LATER = 0.92
"""Share of the run after which it goes on where it has not settled meanwhile."""


Quantities = dict[str, FloatArray]
"""Quantity name -> (n,) float64; NaN where a channel is missing."""


@lru_cache(maxsize=4)
def unknown(n: int) -> FloatArray:
    """(n,) NaN, for reading."""
    nothing = np.full(n, np.nan)
    nothing.flags.writeable = False
    return nothing


def by_loss(losses: Quantities, absent: BoolArray | None = None) -> Quantities:
    """Quantities of both losses, (2 n,) train's and then val's, as t_ and v_ quantities of n runs, NaN where absent."""
    table = table_of(losses.values())
    if absent is not None and np.count_nonzero(absent):
        table[:, absent] = np.nan
    names = _names_by_loss(tuple(losses))
    return dict(zip(names, table.reshape(len(names), -1), strict=True))


def table_of(quantities: Collection[FloatArray]) -> FloatArray:
    """(k, n) table of k quantities; they are joined faster than an array is made of them."""
    return np.concatenate(list(quantities)).reshape(len(quantities), -1)


def without(quantities: Quantities, absent: BoolArray) -> Quantities:
    """The quantities, NaN where absent (n,)."""
    if not np.count_nonzero(absent):
        return quantities
    values = table_of(quantities.values())
    values[:, absent] = np.nan
    return dict(zip(quantities, values, strict=True))


@cache
def _names_by_loss(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(f"{loss}_{name}" for name in names for loss in "tv")


def loss_quantities(level: Level) -> Quantities:
    """Everything that depends on one smooth level alone; names carry t_ for train, v_ for val.

    Args:
        level: train's n runs, then val's.
    """
    ends = _Ends.of(level)
    return by_loss(_changes(level, ends) | _places(level, ends), level.count == 0)


def _edges(level: Level, spread: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Initial and end level: a single point of a clean curve each, the mean of up to a tenth of a noisy one."""
    n, width = level.view.shape
    reach = np.rint(np.minimum(level.error / spread, _EDGE) * width).astype(np.int64)
    most = int(_EDGE * width) + 2
    total = np.add.accumulate(np.array([level.view[:, :most], level.view[:, : -most - 1 : -1]]), axis=2)
    start, end = total[:, row_numbers(n), reach] / (reach + 1)
    return start, end


def _relative(change: FloatArray, base: FloatArray, log: BoolArray) -> FloatArray:
    """(k, n) changes of the raw level as shares of the levels `base` (k, n), view units, that they start from."""
    linear: FloatArray = change / np.maximum(np.abs(base), EPS)
    if not np.count_nonzero(log):
        return linear
    return np.where(log, np.expm1(np.minimum(np.maximum(change, -700.0), 700.0)), linear)


@dataclass(eq=False)
class _Ends:
    """Where a level starts, how low it gets, where it ends; (n,) each, view units.

    Attributes:
        start, low, end: the initial, the lowest and the end level.
        low_at: column of the lowest one on the grid.
        spread: highest minus lowest.
        drop: initial minus lowest level.
        scale: what rises are measured by: the drop, or twice the error where there is none.
    """

    start: FloatArray
    low: FloatArray
    low_at: IntArray
    end: FloatArray
    spread: FloatArray
    drop: FloatArray
    scale: FloatArray

    @classmethod
    def of(cls, level: Level) -> _Ends:
        low_at = level.view.argmin(axis=1)
        spread = level.spread
        start, end = _edges(level, spread)
        low = np.minimum(level.bottom, start)
        drop = start - low
        return cls(start, low, low_at, end, spread, drop, np.maximum(np.maximum(drop, 2 * level.error), EPS))


def _changes(level: Level, ends: _Ends) -> Quantities:
    """How far the level falls and rises: against itself, its error and the scatter of its points."""
    error, noise, rise = np.maximum(level.error, EPS), np.maximum(level.noise, EPS), ends.end - ends.low
    end_fall, last_fall = (_late_level(level, ends.spread, share) - ends.end for share in (_LATE, _LATER))
    unit = np.maximum(np.abs(ends.start), EPS)
    unit[level.log] = 1.0
    drop_rel, end_fall_rel, rise_rel, above_start_rel = _relative(
        np.array([-ends.drop, -np.maximum(end_fall, 0.0), rise, ends.end - ends.start]),
        np.array([ends.start, ends.end + end_fall, ends.low, ends.start]),
        level.log,
    )
    return {
        "start": ends.start,
        "low": ends.low,
        "end": ends.end,
        "drop": ends.drop,
        "spread": ends.spread,
        "drop_rel": -drop_rel,
        "drop_snr": ends.drop / error,
        "drop_noise": ends.drop / noise,
        "end_fall": end_fall / ends.scale,
        "end_fall_snr": end_fall / error,
        # its pace from `_LATER` on over that from `_LATE` on: 1 for a straight line, 0 where it has settled
        "end_goes_on": last_fall * ((1 - _LATE) / (1 - _LATER)) / np.maximum(end_fall, EPS),
        "end_fall_rel": -end_fall_rel,
        "rise": rise,
        "rise_drop": rise / ends.scale,
        "rise_snr": rise / error,
        "rise_rel": rise_rel,
        "rise_noise": rise / noise,
        "above_start_rel": above_start_rel,
        "noise_rel": level.noise / unit,
        "noise_drop": level.noise / ends.scale,
        "count": level.count.astype(np.float64),
        "positive": level.positive.astype(np.float64),
        "log": level.log.astype(np.float64),
    }


def _places(level: Level, ends: _Ends) -> Quantities:
    """Where the level is lowest, leaves its start, is half way down, becomes flat, rises: shares of the run, and steps.

    It rises from the last place that still counts as low, see `_AS_LOW`; it is as good as at its lowest from the first
    place that does, or lies within `_AS_GOOD` of it.
    """
    view, (n, width) = level.view, level.view.shape
    reached = np.empty((5, n, width + 1), dtype=bool)
    reached[:, :, width] = True  # found behind the end where nothing else is
    fall = np.array([np.maximum(0.05 * ends.drop, 2.5 * level.error), 0.5 * ends.drop])
    np.less(view, (ends.start - fall)[:, :, None], out=reached[:2, :, :width])
    np.greater(_band(view), 2 * np.maximum(0.04 * ends.spread, 1.5 * level.error)[:, None], out=reached[2, :, :width])
    share = np.minimum(_AS_LOW[1] * (ends.end - ends.low), _AS_LOW[2] * ends.scale)
    still_low = ends.low + _AS_LOW[0] * level.error + share
    np.less_equal(view[:, ::-1], still_low[:, None], out=reached[3, :, :width])
    size = np.where(level.log, 1.0, np.where(level.positive, np.abs(ends.low), np.inf))
    close = np.minimum(_AS_LOW[0] * level.error, _AS_LOW[2] * ends.scale)
    good = level.bottom + np.maximum(close, _AS_GOOD * np.minimum(ends.drop, size))
    np.less_equal(view, good[:, None], out=reached[4, :, :width])
    fallen, half, flat, risen, as_good = reached.argmax(axis=2)
    rises = np.maximum(width - 1 - risen, ends.low_at)
    columns = np.minimum(np.array([ends.low_at, fallen, half, width - flat, rises, as_good]), width - 1)
    places, steps = columns / (width - 1), level.steps[row_numbers(n), columns]
    return {
        "low_at": places[0],
        "fallen_at": places[1],
        "half_at": places[2],
        "plateau": flat / width,
        "first_step": level.steps[:, 0],
        "last_step": level.steps[:, -1],
        "low_step": steps[0],
        "fallen_step": steps[1],
        "plateau_step": steps[3],
        "rise_step": steps[4],
        "as_good_step": steps[5],
    }


def _band(view: FloatArray) -> FloatArray:
    """(n, G) highest less lowest level of the last columns, more and more of them."""
    tail = view[:, ::-1]
    band: FloatArray = np.fmax.accumulate(tail, axis=1)  # faster than `maximum` where nothing is NaN
    band -= np.fmin.accumulate(tail, axis=1)
    return band


def _late_level(level: Level, spread: FloatArray, share: float) -> FloatArray:
    """Level at a share of the run, averaged over a window of a clearly noisy curve."""
    width = level.view.shape[1]
    around = row_mean(level.view[:, int(width * (share - 0.04)) : int(width * (share + 0.04))])
    return np.where(level.error > 0.02 * spread, around, level.view[:, int(width * share)])
