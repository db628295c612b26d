"""What smooth levels alone say: drops, rises, plateaus, gaps. Serves the latent and the logged curve alike."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np

from curveclinic.levels import EPS, Level, in_log, raw_pair
from curveclinic.ragged import BoolArray, FloatArray, IntArray
from curveclinic.smoothing import first_true, halves, row_count, row_mean, row_spread, twice

Quantities = dict[str, FloatArray]
"""Quantity name -> (n,) float64; NaN where a channel is missing."""

_EDGE = 0.1
"""Share of the run that "initial level" and "end level" average over when the curve is noisy."""

_LATE = 0.8
"""Share of the run after which a fall is still going on at the end."""

_FIFTH = 0.84
"""Standard deviations that a fifth of normal deviates exceed."""

_FIT = 0.15
"""A train loss within this share of its range from its lowest level is low."""


def by_loss(losses: Quantities, absent: BoolArray | None = None) -> Quantities:
    """Quantities of both losses, (2 n,) train's and then val's, as t_ and v_ quantities of n runs; NaN where absent."""
    values = _stacked(losses, absent)
    n = values.shape[1] // 2
    train, val = _names_by_loss(tuple(losses))
    return dict(zip(train, values[:, :n], strict=True)) | dict(zip(val, values[:, n:], strict=True))


def _stacked(quantities: Quantities, absent: BoolArray | None) -> FloatArray:
    """(len(quantities), n) all of them, NaN where absent (n,): a few large steps in place of many small ones."""
    values = np.array(list(quantities.values()))
    if absent is not None:
        values[:, absent] = np.nan
    return values


@cache
def _names_by_loss(names: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    return tuple(f"t_{name}" for name in names), tuple(f"v_{name}" for name in names)


def trend_quantities(losses: Level) -> Quantities:
    """Everything that depends on smooth levels alone; names carry t_ for train, v_ for val.

    One run has one view: where either loss spans decades, both are looked at in logarithms.

    Args:
        losses: train's n runs, then val's.
    """
    log = np.logical_or(*halves(losses.log & (losses.count > 0)))
    level = in_log(losses, twice(log))
    ends = _Ends.of(level)
    pair = _pair_quantities(losses, log)
    lacking = np.logical_or(*halves(losses.count <= 1))
    q = by_loss(_changes(level, ends) | _places(level, ends), losses.count == 0)
    return q | dict(zip(pair, _stacked(pair, lacking), strict=True))


def _edges(level: Level, spread: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Initial and end level: a single point of a clean curve each, the mean of up to a tenth of a noisy one."""
    n, width = level.view.shape
    reach = np.rint(np.minimum(level.error / spread, _EDGE) * width).astype(np.int64)
    most = int(_EDGE * width) + 2
    total = np.add.accumulate(np.array([level.view[:, :most], level.view[:, : -most - 1 : -1]]), axis=2)
    start, end = total[:, np.arange(n), reach] / (reach + 1)
    return start, end


def _relative(change: FloatArray, base: FloatArray, log: BoolArray) -> FloatArray:
    """(k, n) changes of the raw level as shares of the levels `base` (k, n), view units, that they start from."""
    linear: FloatArray = change / np.maximum(np.abs(base), EPS)
    return np.where(log, np.expm1(np.minimum(np.maximum(change, -700.0), 700.0)), linear) if log.any() else linear


def _suffix_flat(view: FloatArray, tolerance: FloatArray) -> IntArray:
    """(n,) columns at the end over which the level stays within a band of +-tolerance (n,)."""
    tail = view[:, ::-1]
    band = np.fmax.accumulate(tail, axis=1) - np.fmin.accumulate(tail, axis=1)  # faster where nothing is NaN
    return first_true(band > 2 * tolerance[:, None])


@dataclass(frozen=True, eq=False)
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
        bottom = level.view[np.arange(len(low_at)), low_at]
        spread = np.maximum(np.maximum.reduce(level.view, axis=1) - bottom, EPS)
        start, end = _edges(level, spread)
        low = np.minimum(bottom, start)
        drop = start - low
        return cls(start, low, low_at, end, spread, drop, np.maximum(np.maximum(drop, 2 * level.error), EPS))


def _changes(level: Level, ends: _Ends) -> Quantities:
    """How far the level falls and rises: against itself, its error and the scatter of its points."""
    error, noise = np.maximum(level.error, EPS), np.maximum(level.noise, EPS)
    rise = ends.end - ends.low
    end_fall = _late_level(level, ends.spread) - ends.end
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
        "end_fall_rel": -end_fall_rel,
        "rise": rise,
        "rise_drop": rise / ends.scale,
        "rise_snr": rise / error,
        "rise_rel": rise_rel,
        "rise_noise": rise / noise,
        "above_start_rel": above_start_rel,
        "noise_rel": np.where(level.log, level.noise, level.noise / np.maximum(np.abs(ends.start), EPS)),
        "noise_drop": level.noise / ends.scale,
        "count": level.count.astype(np.float64),
        "positive": level.positive.astype(np.float64),
        "log": level.log.astype(np.float64),
    }


def _places(level: Level, ends: _Ends) -> Quantities:
    """Where the level is lowest, leaves its start, is half way down, becomes flat: shares of the run, and steps."""
    view, width = level.view, level.view.shape[1]
    fall = np.array([np.maximum(0.05 * ends.drop, 2.5 * level.error), 0.5 * ends.drop])
    fallen, half = np.minimum(first_true(view < (ends.start - fall)[:, :, None]), width - 1)
    flat = _suffix_flat(view, np.maximum(0.04 * ends.spread, 1.5 * level.error))
    return {
        "low_at": ends.low_at / (width - 1),
        "fallen_at": fallen / (width - 1),
        "half_at": half / (width - 1),
        "plateau": flat / width,
        "first_step": level.steps[:, 0],
        "last_step": level.steps[:, -1],
        "low_step": _step(level, ends.low_at),
        "fallen_step": _step(level, fallen),
        "plateau_step": _step(level, width - flat),
    }


def _step(level: Level, column: IntArray) -> FloatArray:
    out: FloatArray = level.steps[np.arange(len(column)), np.minimum(column, level.steps.shape[1] - 1)]
    return out


def _late_level(level: Level, spread: FloatArray) -> FloatArray:
    """Level at four fifths of the run, averaged over a window of a clearly noisy curve."""
    width = level.view.shape[1]
    around = row_mean(level.view[:, int(width * (_LATE - 0.04)) : int(width * (_LATE + 0.04))])
    return np.where(level.error > 0.02 * spread, around, level.view[:, int(width * _LATE)])


@dataclass(frozen=True, eq=False)
class _Pair:
    """Both raw levels on common steps, in one unit, and how low and how high (n,) they get."""

    grid: FloatArray
    t: FloatArray
    v: FloatArray
    t_low: FloatArray
    t_high: FloatArray
    v_low: FloatArray
    v_high: FloatArray

    @classmethod
    def of(cls, losses: Level) -> _Pair:
        grid, both = raw_pair(losses)
        low, high = np.minimum.reduce(both, axis=1), np.maximum.reduce(both, axis=1)
        (t, v), (t_low, v_low), (t_high, v_high) = halves(both), halves(low), halves(high)
        return cls(grid, t, v, t_low, t_high, v_low, v_high)

    @cached_property
    def column(self) -> IntArray:
        return np.arange(self.t.shape[1])

    @cached_property
    def row(self) -> IntArray:
        return np.arange(len(self.t))


def _pair_quantities(losses: Level, log: BoolArray) -> Quantities:
    pair, val = _Pair.of(losses), losses.part(len(log), 2 * len(log))
    positive = np.logical_and(*halves(losses.positive))
    view_range = np.maximum(row_spread(val.view), EPS)
    return (
        _gap_quantities(pair, positive)
        | _below_quantities(pair, val, positive, val.noise * (pair.v_high - pair.v_low) / view_range)
        | _late_quantities(pair, log & val.positive, val.error / view_range)
    )


def _gap_quantities(pair: _Pair, positive: BoolArray) -> Quantities:
    """The gap between val and train at the val minimum, half way and at the end."""
    t, v, width = pair.t, pair.v, pair.t.shape[1]
    low_at = v.argmin(axis=1)
    v_range, t_range = np.maximum(pair.v_high - pair.v_low, EPS), np.maximum(pair.t_high - pair.t_low, EPS)
    last = slice(-max(width // 20, 1), None)
    t_end, v_end = row_mean(t[:, last]), row_mean(v[:, last])
    t_at_low = t[pair.row, low_at]
    gap_low, gap_end = pair.v_low - t_at_low, v_end - t_end
    half = width // 2
    late, t_half, t_last, v_last = v[:, half:], t[:, half], t[:, -1], v[:, -1]
    return {
        "gap_end": gap_end,
        "gap_growth_v": (gap_end - gap_low) / v_range,
        "gap_growth_t": (gap_end - gap_low) / t_range,
        "gap_ratio": np.where(gap_low > 0, gap_end / np.maximum(gap_low, EPS), np.nan),
        "gap_level": np.abs(gap_end) / np.maximum(np.abs(v_last), EPS),
        # below 1: what val logs first is better than what train began with, so it has improved before
        "val_over_train_start": np.where(positive, v[:, 0] / np.maximum(t[:, 0], EPS), np.nan),
        "val_over_train_end": v_last / np.maximum(np.abs(t_last), EPS),
        "val_over_train_mid": np.where(positive, v[:, half] / np.maximum(t_half, EPS), np.nan),
        "v_flat_late": row_spread(late) / v_range,
        "t_late_fall": (t_half - t_last) / t_range,
        "t_late_log_fall": np.log(np.maximum(t_half, EPS) / np.maximum(t_last, EPS)),
        "t_after_low": (t_at_low - t_end) / t_range,
        "t_floor": (t_end - pair.t_low) / t_range,
    }


def _below_quantities(pair: _Pair, val: Level, positive: BoolArray, raw_noise: FloatArray) -> Quantities:
    """By how much val lies below train at four fifths of the points, in units of DESIGN's visible margin.

    Args:
        pair: both raw levels.
        val: the level of val in its view.
        positive: all values of both are above 0.
        raw_noise: scatter of single val points in the pair's unit, for a linear view.
    """
    t, v = pair.t, pair.v
    span = np.maximum(pair.t_high, pair.v_high) - np.minimum(pair.t_low, pair.v_low)
    unit = np.maximum(0.2 * span, EPS)[:, None]
    by_level = np.where(positive[:, None], np.maximum(0.03 * np.abs(t), EPS), np.inf)
    # single points count, so what a fifth of them exceed by chance is taken off
    in_log = v * np.expm1(np.minimum(_FIFTH * val.noise, 10.0))[:, None]
    scatter = np.where(val.log[:, None], in_log, (_FIFTH * raw_noise)[:, None])
    margin = (t - v - scatter) / np.minimum(unit, by_level)
    inside = margin >= 1.0
    width = t.shape[1]
    return {
        "below": np.sort(margin, axis=1)[:, int(0.2 * (width - 1))],
        "below_first": pair.grid[pair.row, inside.argmax(axis=1)],
        "below_last": pair.grid[pair.row, width - 1 - inside[:, ::-1].argmax(axis=1)],
    }


def _late_quantities(pair: _Pair, log: BoolArray, error: FloatArray) -> Quantities:
    """Train is low, val still bad: how long, and how far val falls after it.

    Args:
        pair: both raw levels.
        log: val is looked at in logarithms.
        error: standard error of val's level as a share of its range.
    """
    t, v, column, row, width = pair.t, pair.v, pair.column, pair.row, pair.t.shape[1]
    t_low, v_low, v_high = pair.t_low, pair.v_low, pair.v_high
    rows = log.nonzero()[0]
    if len(rows):
        v, v_low, v_high = v.copy(), v_low.copy(), v_high.copy()
        for values in (v, v_low, v_high):
            values[rows] = np.log(np.maximum(values[rows], EPS))
    t_range, v_range = np.maximum(pair.t_high - t_low, EPS), np.maximum(v_high - v_low, EPS)
    fit_at = (t <= (t_low + _FIT * t_range)[:, None]).argmax(axis=1)
    fitted = column >= fit_at[:, None]
    worst_at = np.where(fitted, v, -np.inf).argmax(axis=1)
    worst, peak = pair.v[row, worst_at], v[row, worst_at]
    low = np.where(column >= worst_at[:, None], v, np.inf).min(axis=1)
    fall = peak - low
    bad = fitted & (v > (low + 0.6 * fall)[:, None])
    fallen = first_true((column > worst_at[:, None]) & (v < (low + 0.5 * fall)[:, None]))
    return {
        "fit_at": fit_at / (width - 1),
        "refit": (np.where(fitted, t, -np.inf).max(axis=1) - t_low) / t_range,
        "late_fall": fall / v_range,
        "late_fall_rel": np.where(log, -np.expm1(-fall), fall / np.maximum(np.abs(peak), EPS)),
        "late_fall_error": fall / np.maximum(error * v_range, EPS),
        "bad_share": row_count(bad) / width,
        "bad_gap": (worst - t[row, worst_at]) / np.maximum(np.abs(worst), EPS),
        "late_fall_at": worst_at / (width - 1),
        "fit_step": pair.grid[row, fit_at],
        "late_fall_step": pair.grid[row, np.minimum(fallen, width - 1)],
    }
