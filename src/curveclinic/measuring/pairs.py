"""What the smooth levels of both losses say together: gaps, val below train, val that falls late."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from curveclinic.measuring.levels import Level, first_of_train, raw_pair, view_unit
from curveclinic.measuring.smoothing import (
    EPS,
    interpolate,
    reduced_from,
    row_count,
    row_extremes,
    row_mean,
    row_median,
    row_numbers,
    row_spread,
    split_losses,
)
from curveclinic.measuring.trends import Quantities, without
from curveclinic.ragged import BoolArray, FloatArray, IntArray

_FIFTH = 0.84
"""Standard deviations that a fifth of normal deviates exceed."""

_SETTLED = 0.08
"""A val loss within this share of its range, and of its size, from its lowest level has settled."""

_FIT = 0.15
"""A train loss within this share of its range from its lowest level is low."""


@dataclass(eq=False)
class _Pair:
    """Both raw levels on common steps, in one unit.

    Attributes:
        grid: (n, G) the steps.
        both: (2 n, G) the levels, train's and then val's.
        t, v: (n, G) these.
        t_low, t_high, v_low, v_high: (n,) how low and how high they get.
        t_range, v_range: (n,) from there to there, `EPS` at least.
        row: (n,) 0, 1, 2, ...
    """

    grid: FloatArray
    both: FloatArray
    t: FloatArray
    v: FloatArray
    t_low: FloatArray
    t_high: FloatArray
    v_low: FloatArray
    v_high: FloatArray
    t_range: FloatArray
    v_range: FloatArray
    row: IntArray

    @classmethod
    def of(cls, losses: Level) -> _Pair:
        grid, both = raw_pair(losses)
        n, (low, high) = len(grid), row_extremes(both)
        span = np.maximum(high - low, EPS)
        return cls(
            grid, both, both[:n], both[n:], low[:n], high[:n], low[n:], high[n:], span[:n], span[n:], row_numbers(n)
        )  # fmt: skip


def pair_quantities(losses: Level, log: BoolArray) -> Quantities:
    """Everything that depends on the smooth levels of both losses; NaN where one of them has a point at most.

    Args:
        losses: train's n runs, then val's.
        log: (n,) either is looked at in logarithms.
    """
    n = len(log)
    pair, few = _Pair.of(losses), losses.count <= 1
    v_positive = losses.positive[n:]
    positive = losses.positive[:n] & v_positive
    errors = np.maximum(np.hypot(*split_losses(_deviations(pair.both, losses, losses.error, view_unit(losses)))), EPS)
    q = (
        _gap_quantities(pair, positive, errors)
        | _unseen_quantities(pair, positive, first_of_train(losses))
        | _below_quantities(pair, positive, losses, errors)
        | _late_quantities(pair, log & v_positive, losses.error[n:] / losses.spread[n:])
    )
    return without(q, few[:n] | few[n:])


def _gap_quantities(pair: _Pair, positive: BoolArray, errors: FloatArray) -> Quantities:
    """The gap between val and train at the val minimum, once val has settled, half way and at the end.

    Args:
        pair: both raw levels.
        positive: all values of both are above 0.
        errors: (n, G), or (n, 1) where the same everywhere, standard error of the gap.
    """
    t, v, width, t_range, v_range = pair.t, pair.v, pair.t.shape[1], pair.t_range, pair.v_range
    last, half = slice(-max(width // 20, 1), None), width // 2
    t_end, v_end = split_losses(row_mean(pair.both[:, last]))
    t_at_low = t[pair.row, v.argmin(axis=1)]
    gap_low, gap_end = pair.v_low - t_at_low, v_end - t_end
    growth = gap_end - gap_low
    t_first, t_half, t_last = (np.maximum(t[:, place], EPS) for place in (0, half, -1))
    t_end_size, v_end_size = split_losses(np.maximum(np.abs(pair.both[:, -1]), EPS))
    v_last, known = v[:, -1], np.where(positive, 1.0, np.nan)
    settled = _settled(pair, positive)
    since = gap_end - (v[pair.row, settled] - t[pair.row, settled])
    error = errors[pair.row, np.minimum(settled, errors.shape[1] - 1)]
    return {
        "gap_end": gap_end,
        "gap_growth_v": growth / v_range,
        "gap_growth_t": growth / t_range,
        "gap_growth_level": known * growth / v_end_size,
        "v_settled_at": settled / (width - 1),
        "gap_since_level": known * since / v_end_size,
        "gap_since_share": since / np.maximum(gap_end, EPS),
        "gap_since_snr": since / error,
        "gap_ratio": np.where(gap_low > 0, gap_end, np.nan) / np.maximum(gap_low, EPS),
        "gap_level": np.abs(gap_end) / v_end_size,
        # below 1: what val logs first is better than what train began with, so it has improved before
        "val_over_train_start": known * v[:, 0] / t_first,
        "val_over_train_end": v_last / t_end_size,
        "val_over_train_mid": known * v[:, half] / t_half,
        "v_flat_late": row_spread(v[:, half:]) / v_range,
        "t_late_fall": (t[:, half] - t[:, -1]) / t_range,
        "t_late_log_fall": np.log(t_half / t_last),
        "t_after_low": (t_at_low - t_end) / t_range,
        "t_floor": (t_end - pair.t_low) / t_range,
        # what val can be held against: train's fall since val was first looked at
        "t_fall_beside": (t[:, 0] - pair.t_low) / np.maximum(np.abs(t[:, 0]), EPS),
    }


def _unseen_quantities(pair: _Pair, positive: BoolArray, began: FloatArray) -> Quantities:
    """What happened before val was first looked at.

    Args:
        pair: both raw levels.
        positive: all values of both are above 0.
        began: (n,) where train's own level begins.
    """
    began = np.where(positive, np.maximum(began, EPS), np.nan)
    first, last = pair.v[:, 0], row_mean(pair.v[:, -max(pair.v.shape[1] // 20, 1) :])
    return {
        # below 1: val came down, too, if it began where train did
        "val_over_first_train": first / began,
        "t_fall_unseen": 1.0 - pair.t[:, 0] / began,
        "v_rise_of_all": (last - pair.v_low) / np.maximum(np.fmax(first, began) - pair.v_low, EPS),
    }


def _settled(pair: _Pair, positive: BoolArray) -> IntArray:
    """(n,) column from which on val is near its lowest level, were it not for a rise."""
    near = np.where(positive, np.minimum(pair.v_range, np.abs(pair.v_low)), pair.v_range)
    column: IntArray = (pair.v <= (pair.v_low + _SETTLED * near)[:, None]).argmax(axis=1)
    return column


def _deviations(raw: FloatArray, losses: Level, size: FloatArray, unit: FloatArray) -> FloatArray:
    """(k, G), or (k, 1) where the same everywhere, how far deviations of the view lift raw levels.

    Args:
        raw: (k, G) raw levels in the pair's unit.
        losses: the levels.
        size: (k,) the deviations in view units.
        unit: (k,) what 1.0 of a linear view comes to in the pair's unit.
    """
    linear: FloatArray = (size * unit)[:, None]
    if not np.count_nonzero(losses.log):
        return linear
    return np.where(losses.log[:, None], raw * np.expm1(np.minimum(size, 10.0))[:, None], linear)


def _below_quantities(pair: _Pair, positive: BoolArray, losses: Level, errors: FloatArray) -> Quantities:
    """By how much val lies below train at four fifths of the points, at three fifths, and on average in the last fifth.

    In units of DESIGN's visible margin; single points count, so what a fifth of val's exceed by chance is taken off.
    Beside it, half way, in standard errors of both levels.

    Args:
        pair: both raw levels.
        positive: all values of both are above 0.
        losses: both levels as they are.
        errors: (n, G), or (n, 1) where the same everywhere, standard error of the gap.
    """
    t, v, width = pair.t, pair.v, pair.t.shape[1]
    span = np.maximum(pair.t_high, pair.v_high) - np.minimum(pair.t_low, pair.v_low)
    unit = np.maximum(0.03 * np.abs(t), EPS)
    unit[~positive] = np.inf
    np.minimum(unit, np.maximum(0.2 * span, EPS)[:, None], out=unit)
    margin = t - v
    apart = margin / errors
    val = losses.part(len(t), 2 * len(t))
    margin -= _deviations(v, val, _FIFTH * val.noise, view_unit(losses)[len(t) :])
    margin /= unit
    inside = margin >= 1.0
    ends = np.array([inside.argmax(axis=1), width - 1 - inside[:, ::-1].argmax(axis=1)])
    first, last = pair.grid[pair.row, ends]
    late = row_mean(margin[:, -(width // 5) :])
    margin.sort(axis=1)
    return {
        "below": margin[:, int(0.2 * (width - 1))],
        "below_mostly": margin[:, int(0.4 * (width - 1))],
        "below_late": late,
        "below_snr": row_median(apart),
        # half way, without what train falls while one of its values is averaged
        "below_then": row_median((_half_an_interval_later(pair, positive, losses) - v) / unit),
        "below_first": first,
        "below_last": last,
    }


def _half_an_interval_later(pair: _Pair, positive: BoolArray, losses: Level) -> FloatArray:
    """(n, G) train's level half a logging interval later, where it is lower then; behind its end it falls on as before.

    A mean over an epoch is half an epoch old when val is evaluated.
    """
    n, width = pair.t.shape
    steps, grid = losses.steps[:n], pair.grid
    interval = (steps[:, -1] - steps[:, 0]) / np.maximum(losses.count[:n] - 1, 1)
    later = np.minimum(0.5 * interval / np.maximum(grid[:, -1] - grid[:, 0], EPS), 0.5)
    columns, known = row_numbers(width) + (later * (width - 1))[:, None], positive[:, None]
    t = np.where(known, np.log(np.maximum(pair.t, EPS)), pair.t)
    then = interpolate(t, np.full(n, width), columns)
    return np.minimum(np.where(known, np.exp(np.minimum(then, 1.0)), then), pair.t)


def _late_quantities(pair: _Pair, log: BoolArray, error: FloatArray) -> Quantities:
    """Train is low, val still bad: how long, and how far val falls after it.

    Args:
        pair: both raw levels.
        log: val is looked at in logarithms.
        error: standard error of val's level as a share of its range.
    """
    t, v, row, width, v_range = pair.t, pair.v, pair.row, pair.t.shape[1], pair.v_range
    column = row_numbers(width)
    rows = log.nonzero()[0]
    if len(rows):
        v, v_range = v.copy(), v_range.copy()
        v[rows] = np.log(np.maximum(v[rows], EPS))
        v_range[rows] = np.maximum(row_spread(v[rows]), EPS)
    fit_at = (t <= (pair.t_low + _FIT * pair.t_range)[:, None]).argmax(axis=1)
    fitted = column >= fit_at[:, None]
    worst_at = np.where(fitted, v, -np.inf).argmax(axis=1)
    worst = pair.v[row, worst_at]
    peak = v[row, worst_at] if len(rows) else worst
    low = reduced_from(np.minimum, v, worst_at)
    fall = peak - low
    bad = fitted & (v > (low + 0.6 * fall)[:, None])
    begun, most = ((column >= worst_at[:, None]) & (v < (low + left * fall)[:, None]) for left in (0.8, 0.4))
    begun[:, -1] = most[:, -1] = True  # at the end where it does not get that far
    waited, taken = begun.argmax(axis=1) - fit_at, most.argmax(axis=1) - fit_at
    halved = (column > worst_at[:, None]) & (v < (low + 0.5 * fall)[:, None])
    halved[:, -1] = True  # it lasts to the end where there is none
    relative = fall / np.maximum(np.abs(peak), EPS)
    if len(rows):
        relative[rows] = -np.expm1(-fall[rows])
    fit_step, fall_step = pair.grid[row, np.array([fit_at, halved.argmax(axis=1)])]
    return {
        "fit_at": fit_at / (width - 1),
        "refit": (reduced_from(np.maximum, t, fit_at) - pair.t_low) / pair.t_range,
        "late_fall": fall / v_range,
        "late_fall_rel": relative,
        "late_fall_error": fall / np.maximum(error * v_range, EPS),
        "bad_share": row_count(bad) / width,
        # what falls like an exponential spends a quarter of the time on the first fifth of the way
        "late_wait": waited / np.maximum(taken, 1),
        "late_of_all": fall / np.maximum(v[:, 0] - low, EPS),
        "late_climb": (peak - np.minimum.accumulate(v, axis=1)[row, worst_at]) / np.maximum(fall, EPS),
        "bad_gap": (worst - t[row, worst_at]) / np.maximum(np.abs(worst), EPS),
        "late_fall_at": worst_at / (width - 1),
        "fit_step": fit_step,
        "late_fall_step": fall_step,
    }
