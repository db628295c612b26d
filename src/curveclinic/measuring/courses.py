"""What the metric and single points say: loss against metric, first values, points that are not finite."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from curveclinic.labels import LOSSES
from curveclinic.measuring.directions import PAIRS, course_of
from curveclinic.measuring.gradients import gradient_quantities, schedule_quantities
from curveclinic.measuring.levels import Level
from curveclinic.measuring.measures import Cells
from curveclinic.measuring.smoothing import EPS, middle_of_three, row_correlation
from curveclinic.measuring.trends import Quantities, unknown
from curveclinic.ragged import Batch, FloatArray, IntArray, Ragged

_FEWEST_METRICS = 4
"""Metric points below which nothing is said about its course."""

_METRIC_NAMES = (
    "metric_gain_after_low", "metric_gain", "metric_span", "metric_count", "metric_trend", "metric_reversal",
    "metric_typical", "metric_follows", "metric_sign",
)  # fmt: skip

_AS_SHARE = 1.5
"""Typical size above which a metric of at most 100 is taken as a percentage."""

_NEAR = 0.02
"""Share of the run after which the first loss should have met the ordinary descent."""


_BESIDE = np.arange(-1, 2)[:, None, None]
"""(3, 1, 1) places before, at and after one."""


def channel_quantities(batch: Batch, losses: Cells, level: Level, beside: Mapping[str, Cells]) -> Quantities:
    """What the optional channels say: metric, learning rate, gradient norm, first values, non-finite points.

    Args:
        batch: n runs.
        losses: train's n runs, then val's, reduced to cells.
        level: their levels.
        beside: the channels beside the losses reduced to cells.
    """
    return (
        metric_quantities(batch, level, beside)
        | first_values(batch, losses)
        | gradient_quantities(beside["grad_norm"])
        | schedule_quantities(beside["lr"])
        | {"layer_ratio": batch.layer_ratio}
        | _bad_points(batch)
    )


def _bad_points(batch: Batch) -> Quantities:
    """Share of the points of either loss that are not finite, and the first and the last step of any of them.

    The last step is NaN where they last to the end of that loss.
    """
    train, val = (batch.channels[name] for name in LOSSES)
    nothing = unknown(batch.size)
    first, last = _bad_steps((train, val)) if len(train.bad) or len(val.bad) else (nothing, nothing)
    return {"bad_first_step": first, "bad_last_step": last, "t_bad": _bad_share(train), "v_bad": _bad_share(val)}


def _bad_share(loss: Ragged) -> FloatArray:
    """(n,) share of the points that are not finite, NaN where there is no point."""
    share = np.where(loss.lengths > 0, 0.0, np.nan)
    if len(loss.bad):
        share += 1.0 - loss.finite_lengths / np.maximum(loss.lengths, 1)
    return share


def _bad_steps(losses: Sequence[Ragged]) -> tuple[FloatArray, FloatArray]:
    """(n,) first and last step at which a loss is not finite; the last is NaN where that lasts to the loss's end."""
    first, last = np.full(losses[0].size, np.nan), np.full(losses[0].size, -np.inf)
    for channel in losses:
        bad = channel.bad
        if not len(bad):
            continue
        # bad points come run by run in the order of their steps
        row, step = channel.offsets.searchsorted(bad, side="right") - 1, channel.steps[bad]
        rows, begin = np.unique(row, return_index=True)
        end = np.append(begin[1:], len(row)) - 1
        lasting = bad[end] == channel.offsets[rows + 1] - 1
        first[rows] = np.fmin(first[rows], step[begin])
        last[rows] = np.maximum(last[rows], np.where(lasting, np.inf, step[end]))
    return first, np.where(np.isfinite(last), last, np.nan)


def metric_quantities(batch: Batch, losses: Level, cells: Mapping[str, Cells]) -> Quantities:
    """The metric's course, larger is better, against the loss it belongs to; val's metric wins over train's."""
    nothing = unknown(batch.size)
    if not any(len(batch.channels[name].values) for name in ("train_metric", "val_metric")):
        return dict.fromkeys(_METRIC_NAMES, nothing)
    out = {name: nothing.copy() for name in _METRIC_NAMES}
    told = np.zeros(batch.size, dtype=bool)
    loss_begins = {"train_loss": 0, "val_loss": batch.size}
    for metric, loss in PAIRS:
        begin = loss_begins[loss]
        enough = (cells[metric].count >= _FEWEST_METRICS) & (losses.count[begin : begin + batch.size] > 1)
        rows = np.flatnonzero(enough & ~told)
        if len(rows):
            at = begin + rows
            q = _metric_course(cells[metric].take(rows), losses.steps[at], losses.view[at], batch.metric_sign[rows])
            for name, value in q.items():
                out[name][rows] = value
            told[rows] = True
    return out


def _metric_course(cells: Cells, steps: FloatArray, loss: FloatArray, sign: FloatArray) -> Quantities:
    """Quantities of runs that have a metric and its loss, the metric divided by its largest magnitude.

    Args:
        cells: of the metric.
        steps: (n, G) grid of the loss.
        loss: (n, G) its level there.
        sign: (n,) 1 where a larger metric is better, else -1.
    """
    course, noise = course_of(cells, steps)
    course *= sign[:, None]
    width = course.shape[1]
    early, late = course[:, : width // 6].mean(axis=1), course[:, width // 2 :].mean(axis=1)
    tail = course[:, -width // 12 :].mean(axis=1)
    at_low = course[np.arange(len(course)), loss.argmin(axis=1)]
    spread, size = np.maximum(np.ptp(course, axis=1), EPS), np.maximum(np.abs(course).max(axis=1), EPS)
    middle, top = np.abs(course).mean(axis=1), cells.mean.max(axis=1)
    typical = 0.02 * middle + EPS
    largest = np.where(cells.log, np.exp(np.minimum(top, 700.0)), cells.scale)
    typical_size = middle * largest
    in_percent = (sign > 0) & (cells.lowest >= 0) & (typical_size > _AS_SHARE) & (largest <= 100.0)
    return {
        "metric_typical": typical_size / np.where(in_percent, 100.0, 1.0),
        "metric_gain_after_low": (tail - at_low) / spread * (spread > 2 * noise),
        "metric_gain": (tail - course[:, 0]) / size,
        "metric_span": spread / size,
        "metric_count": cells.count.astype(np.float64),
        # how far it gets in units of its own scatter
        "metric_trend": (late - early) / np.maximum(noise, typical),
        "metric_reversal": (tail - at_low) / np.maximum(noise, typical),
        "metric_follows": -row_correlation(course, loss),
        "metric_sign": sign,
    }


def first_values(batch: Batch, losses: Cells) -> Quantities:
    """First train loss against the level at 2 % of the run, against its end and against a chance prediction.

    A loss has collapsed when it has come down to that level to within a tenth of the way.

    Args:
        batch: n runs.
        losses: train's n runs, then val's.
    """
    channel = batch.channels["train_loss"].finite()
    count = channel.lengths
    near_at = np.maximum(np.ceil(_NEAR * count).astype(np.int64), 2)
    around = _around(channel, np.array([0 * count, near_at, 2 * near_at, count - 2]))
    first = around[1, 0]  # single, for nothing comes before it
    near, next_, last = middle_of_three(*around[:, 1:])
    with np.errstate(all="ignore"):
        over_near, near_over_last = first / near, near / last
        chance = np.log(np.where(batch.num_classes >= 2, batch.num_classes, np.nan))
        # 1 where the loss goes on falling, or rising, at the same rate, 0 where that ends at once
        fall, on = np.log(over_near), np.log(near / next_)
        kink, leap = on / np.maximum(fall, EPS), -on / np.maximum(-fall, EPS)
        over_last = over_near * near_over_last
        at_once = (first - around[2, 0]) / np.maximum(first - near, EPS)
        over_low = first / _lowest_later(losses, batch.size)
        ratios = np.array([over_near, near_over_last, first / chance, over_last, kink, leap, over_low, at_once])
        down = near + 0.1 * (first - near)
    ratios[:, (count < 4) | ~losses.positive[: batch.size]] = np.nan
    return {
        "first_over_near": ratios[0],
        "near_over_last": ratios[1],
        "first_over_chance": ratios[2],
        "first_over_last": ratios[3],
        "first_kink": ratios[4],
        "first_leap": ratios[5],
        "first_over_low": ratios[6],
        # share of the fall to the level at 2 % of the run that the second value has made
        "first_at_once": ratios[7],
        "first": first,
        "near": near,
        "collapsed_step": _collapsed_step(channel, down, losses.steps[: batch.size, -1]),
    }


def _lowest_later(losses: Cells, n: int) -> FloatArray:
    """(n,) lowest cell of train after the first, strays aside, in the loss's own unit; NaN where there is none."""
    level = np.where(losses.real[:n], losses.middle3[:n], np.inf)[:, 1:].min(axis=1)
    raw = np.where(losses.log[:n], np.exp(np.minimum(level, 700.0)), level * losses.scale[:n])
    return np.where(np.isfinite(level), raw, np.nan)


def _around(channel: Ragged, at: IntArray) -> FloatArray:
    """(3, k, n) points before, at and after k places in every run, kept inside the run; NaN for an empty run."""
    index = np.minimum(np.maximum(at + _BESIDE, 0), channel.lengths - 1)
    if not len(channel.values):
        return np.full(index.shape, np.nan)
    index += channel.offsets[:-1]
    points: FloatArray = channel.values.take(index, mode="clip")
    empty = (channel.lengths == 0).nonzero()[0]
    if len(empty):
        points[:, :, empty] = np.nan
    return points


def _collapsed_step(channel: Ragged, reached: FloatArray, last: FloatArray) -> FloatArray:
    """First step at which the loss is down to a level (n,), the last one (n,) where it never is."""
    hits = (channel.values <= reached.repeat(channel.lengths)).nonzero()[0]
    place = hits.searchsorted(channel.offsets)  # of each run's first hit among all
    rows = (place[1:] > place[:-1]).nonzero()[0]
    out: FloatArray = last.copy()
    out[rows] = channel.steps[hits[place[rows]]]
    return out
