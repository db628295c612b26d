"""Whether a smaller metric is better, told by the loss it belongs to, where nobody says and its name does not.

A larger metric is taken for better until the curves say clearly that it is an error: it falls where its loss falls. An
accuracy that gets worse beside a falling loss drifts down in its own time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from curveclinic.measuring.levels import Level
from curveclinic.measuring.measures import Cells, smooth
from curveclinic.measuring.smoothing import EPS, resample, row_correlation, row_ranks
from curveclinic.ragged import BoolArray, FloatArray

PAIRS: Final = (("val_metric", "val_loss"), ("val_metric", "train_loss"), ("train_metric", "train_loss"))
"""Metrics and the losses they are held against, val's first: against the train loss where val has none."""

_COURSE: Final = 4
"""Points from which a metric has a course that can speak against its being an error."""

_ENOUGH: Final = 8
"""Points from which a metric in step with its loss is an error: fewer fall alike by chance."""

_FALL: Final = 0.05
"""Share of its largest magnitude that a metric must have come down by where its loss is lowest, to have fallen; the
loss, of its own in its view."""

_OVER_NOISE: Final = 3.0
"""Deviations of single points that both must have come down by."""

_IN_STEP: Final = 0.9
"""Correlation with the level of the loss, of values or of ranks, from which a metric follows it."""

_BESIDE: Final = 0.5
"""Correlation, of ranks for what falls, from which it goes the same way; with less it has a course of its own."""

_MOST: Final = 0.8
"""Share of the loss's fall at which the metric's is looked at."""

_DONE: Final = 0.6
"""Share of its own fall that a metric in step has made by then: a root of the loss has made 0.64, a straight line
beside an exponential of five time constants 0.32."""

_SETTLED: Final = 0.95
"""Share of its fall, of its logarithm where it is positive, after which a loss has settled."""

_LATE: Final = 0.5
"""Share of its fall that a metric still has before it then, if it has little to do with the loss."""

_OPPOSED: Final = 2.5
"""Standard errors below 0 at which the ranks of single moves of metric and loss, whatever their trends, are opposed:
what makes the loss larger makes an accuracy smaller."""


@dataclass(eq=False)
class Directions:
    """Which way the metrics of n runs get better.

    Attributes:
        sign: (n,) +1.0 where a larger metric is taken for better, -1.0 where a smaller one is.
        inferred: (n,) True where the curves alone say that smaller is better.
        unclear: (n,) True where nobody says, and the metric falls beside its loss, though not clearly in step with it.
    """

    sign: FloatArray
    inferred: BoolArray
    unclear: BoolArray


def directions_of(sign: FloatArray, losses: Level, cells: Cells, beside: Mapping[str, Cells]) -> Directions:
    """Infers the direction of metrics of which it is unknown.

    Args:
        sign: (n,) +1.0 larger, -1.0 smaller is better, 0.0 where nobody says.
        losses: levels of train's n runs, then val's.
        cells: the same reduced to cells.
        beside: the channels beside the losses reduced to cells.
    """
    n = len(sign)
    falls, in_step, against = np.zeros((3, n), dtype=bool)
    unheard = {name: (sign == 0) & (beside[name].count >= _COURSE) for name in ("train_metric", "val_metric")}
    for metric, loss in PAIRS:
        begin = n * (loss == "val_loss")
        rows = np.flatnonzero(unheard[metric] & (losses.count[begin : begin + n] >= _COURSE))
        if len(rows):
            found = _held_against(beside[metric].take(rows), losses.take(begin + rows), cells.take(begin + rows))
            falls[rows] |= found[0]
            # beside a train loss that falls an accuracy on other data may fall, too: that is overfitting
            in_step[rows] |= found[1] & (metric[:3] == loss[:3])
            against[rows] |= found[2]
            unheard[metric][rows] = False
    inferred = in_step & ~against
    return Directions(np.where(inferred | (sign < 0), -1.0, 1.0), inferred, falls & ~in_step & ~against)


def _held_against(metric: Cells, level: Level, loss: Cells) -> tuple[BoolArray, BoolArray, BoolArray]:
    """(n,) metrics that fall beside a loss, of these those in step with it, and metrics that go another way.

    Args:
        metric, loss: cells of both.
        level: of the loss.
    """
    course, noise = course_of(metric, level.steps)
    row, size = np.arange(len(course)), np.abs(course).max(axis=1)
    fall, loss_fall = course[:, 0] - course[row, level.view.argmin(axis=1)], level.view[:, 0] - level.bottom
    least = np.maximum(np.maximum(_FALL * size, _OVER_NOISE * noise), EPS)
    loss_size = np.where(level.log, 1.0, np.maximum(np.abs(level.top), np.abs(level.bottom)))
    falls = (fall >= least) & (loss_fall >= np.maximum(_FALL * loss_size, _OVER_NOISE * level.noise))
    in_step, values = np.zeros(len(falls), dtype=bool), row_correlation(course, level.view)
    apart = (np.ptp(course, axis=1) >= least) & (values < _BESIDE)
    rows = np.flatnonzero(falls)  # few metrics fall, and only they need a closer look
    if len(rows):
        view, own = level.view[rows], _opposes(metric.take(rows), loss.take(rows))
        own |= _goes_on(course[rows], level.take(rows), fall[rows])
        ranks = row_correlation(row_ranks(course[rows]), row_ranks(view))
        falls[rows] = ((values[rows] >= _IN_STEP) | (ranks >= _BESIDE)) & ~own
        mostly = (view <= (view[:, 0] - _MOST * loss_fall[rows])[:, None]).argmax(axis=1)
        done = course[rows, 0] - course[rows, mostly] >= _DONE * fall[rows]
        follows = np.maximum(values[rows], ranks) >= _IN_STEP
        in_step[rows] = falls[rows] & follows & done & (metric.count[rows] >= _ENOUGH)
        apart[rows] |= own
    return falls, in_step, apart & ~falls


def course_of(cells: Cells, steps: FloatArray) -> tuple[FloatArray, FloatArray]:
    """(n, G) smooth raw course of a channel at some steps, over its largest magnitude, and (n,) noise of its points."""
    level, log = smooth(cells), cells.log[:, None]
    below_top = np.where(log, level - cells.mean.max(axis=1, keepdims=True), 0.0)
    level = np.where(log, np.exp(below_top), level)
    noise = np.where(cells.log, cells.noise * level.mean(axis=1), cells.noise)
    return resample(cells.steps, level, cells.size, steps), noise


def _opposes(metric: Cells, loss: Cells) -> BoolArray:
    """(n,) metrics that go up where the loss goes down from one point to the next, more often than chance has it."""
    beside, real = loss.at(metric.steps), metric.real[:, 1:]
    own, other = (row_ranks(np.where(real, x[:, 1:] - x[:, :-1], np.inf)) for x in (metric.mean, beside))
    out: BoolArray = row_correlation(own, other, real) * np.sqrt(real.sum(axis=1)) <= -_OPPOSED
    return out


def _goes_on(course: FloatArray, level: Level, fall: FloatArray) -> BoolArray:
    """(n,) metrics of some course (n, G) that make much of their fall (n,) after their loss has settled."""
    view = np.where(level.positive[:, None], np.log(np.maximum(level.linear, EPS)), level.view)
    lowest = view.argmin(axis=1)
    row, bottom = np.arange(len(view)), view.min(axis=1)
    settled = (view <= (bottom + (1.0 - _SETTLED) * (view[:, 0] - bottom))[:, None]).argmax(axis=1)
    out: BoolArray = course[row, settled] - course[row, lowest] >= _LATE * fall
    return out
