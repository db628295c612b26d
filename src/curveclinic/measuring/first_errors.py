"""What the first train loss costs for each wrong answer, where a metric tells the share of right ones.

A model that guesses among k classes, none much more frequent than others, pays ln k and is wrong in 1 - 1/k of its
answers. Three times that price is 3 ln 2, about 2.1, or more, and 6 ln 2, about 4.2, or more for each wrong answer.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from curveclinic.measuring.smoothing import EPS, middle_of_three
from curveclinic.measuring.trends import Quantities, unknown
from curveclinic.ragged import Batch, BoolArray, FloatArray, Ragged

_FEWEST: Final = 4
"""Points of a metric from which it is looked at."""

_HUNDRED: Final = 1.5
"""Largest value from which a metric of at most 100 is in percent."""

_NAMES: Final = ("first_per_error", "near_error", "error_kept")


def first_errors(batch: Batch, first: FloatArray, collapsed_step: FloatArray, among: BoolArray) -> Quantities:
    """The share of wrong answers beside the first loss, where that has collapsed, and at the end.

    Args:
        batch: n runs.
        first: (n,) first train loss.
        collapsed_step: (n,) where it has come down.
        among: (n,) runs that are asked about.

    Returns:
        (n,) each, NaN where no metric is a share that grows: the first loss over the first share of wrong answers;
        that share where the loss has come down; what is left of it at the end.
    """
    out = dict.fromkeys(_NAMES, unknown(batch.size))
    waiting = among & (batch.metric_sign > 0)
    for name in ("train_metric", "val_metric"):
        channel = batch.channels[name].finite()
        rows = (waiting & (channel.lengths >= _FEWEST)).nonzero()[0]
        if not len(rows):
            continue
        metric = channel.take(rows)
        start, near, end = _shares_wrong(metric, collapsed_step[rows])
        with np.errstate(over="ignore"):
            values = first[rows] / np.maximum(start, EPS), near, end / np.maximum(near, EPS)
        known = np.isfinite(start) & (start >= near)
        for key, value in zip(_NAMES, values, strict=True):
            whole = out[key].copy()
            whole[rows[known]] = value[known]
            out[key] = whole
        waiting[rows[known]] = False
    return out


def _shares_wrong(metric: Ragged, near_step: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """(m,) shares of wrong answers at first, from a step on, and at the end; NaN for what is no share."""
    begin, stop = metric.offsets[:-1], metric.offsets[1:]
    low, high = (reduce.reduceat(metric.values, begin) for reduce in (np.minimum, np.maximum))
    unit = np.where(high > _HUNDRED, 100.0, 1.0)
    unit[(low < 0) | (high > unit)] = np.nan
    later = np.add.reduceat(metric.steps < near_step.repeat(metric.lengths), begin)
    last = middle_of_three(*(metric.values[stop - k] for k in (1, 2, 3)))
    near = metric.values[np.minimum(begin + later, stop - 1)]
    start, near, end = (1.0 - value / unit for value in (metric.values[begin], near, last))
    return start, near, end
