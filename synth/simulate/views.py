"""The view without noise on the recorded steps: what the logged losses of a training scatter about.

Evaluations on (nearly) the whole train set and on a large sample of the val distribution carry next to no noise. They
differ from what a log shows by a slow bias: a batch is new to the model, a small val set is easier or harder than the
rest. That bias is measured on the recorded values with a wide window and put on the view.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from curveclinic.ragged import BoolArray, FloatArray, IntArray
from curveclinic.synth.simulate.record import Cache

_SMALLEST: Final = 1e-12
"""Loss below which there is nothing to see."""

_WIDE: Final = 6
"""The bias is a mean over two of this many parts of a training."""

_FAR: Final = 4.0
"""Mean absolute deviations beyond which a recorded value says nothing about the bias."""

_FARTHEST: Final = 3.0
"""Most of that in log level: sums over all trainings stay exact."""

_SURE: Final = 2.0
"""Standard errors that a bias must exceed to be believed."""

_MEAN_STEP: Final = 1.128
"""Mean absolute difference of two normal deviates, in standard deviations."""

_KEY: Final = 1 << 16
"""More than the steps of a training: rows times this plus step is one increasing axis for all trainings."""


@dataclass(frozen=True, eq=False)
class Views:
    """Flat like the cache's series.

    Attributes:
        train: level of the batch losses on the recorded steps.
        noise: standard deviation of a batch's loss about it.
        val: level of the val losses at the evaluations.
    """

    train: FloatArray
    noise: FloatArray
    val: FloatArray


def views_of(cache: Cache) -> Views:
    """Levels and batch noise of all trainings."""
    rows, at = row_of(cache.dense_offsets), cache.dense["step"]
    eval_rows, evaluated = row_of(cache.eval_offsets), cache.evaluated
    where, known = at + _KEY * rows, evaluated["eval_step"] + _KEY * eval_rows
    full = _carried(evaluated["full_loss"], cache.eval_offsets)
    seen = np.exp(np.interp(where, known, np.log(np.maximum(full, _SMALLEST))))
    blown = np.interp(where, known, (~np.isfinite(evaluated["full_loss"])).astype(np.float64)) > 0
    loss, usable = cache.dense["loss"], cache.dense["bad"] < 0.5
    level = seen * _bias(loss, seen, cache.dense_offsets, usable=usable)
    level = np.where(blown & np.isfinite(loss), loss, level)
    noise = np.interp(where, known, np.nan_to_num(evaluated["batch_noise"], posinf=0.0))
    pool = np.maximum(_carried(evaluated["pool_loss"], cache.eval_offsets), _SMALLEST)
    val = evaluated["val_loss"]
    return Views(level, noise, pool * _bias(val, pool, cache.eval_offsets, usable=np.ones(len(val), dtype=bool)))


def row_of(offsets: IntArray) -> IntArray:
    """(total,) row of every point."""
    return np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))


def _carried(values: FloatArray, offsets: IntArray) -> FloatArray:
    """Non-finite values replaced by the last finite one of the training, 1 where there is none."""
    good = np.isfinite(values)
    last = np.maximum.accumulate(np.where(good, np.arange(len(values)), -1))
    own = last >= offsets[row_of(offsets)]
    return np.where(own, values[np.maximum(last, 0)], 1.0)


def _bias(logged: FloatArray, level: FloatArray, offsets: IntArray, *, usable: BoolArray) -> FloatArray:
    """(total,) wide moving mean of logged over level; outliers are cut."""
    rows = row_of(offsets)
    with np.errstate(all="ignore"):
        ratio = np.log(np.maximum(logged, _SMALLEST) / np.maximum(level, _SMALLEST))
    fine = usable & np.isfinite(ratio)
    ratio = np.where(fine, ratio, 0.0)
    typical = np.add.reduceat(np.abs(ratio), offsets[:-1]) / np.maximum(np.add.reduceat(fine, offsets[:-1]), 1)
    bound = np.minimum(_FAR * typical + 0.01, _FARTHEST)[rows]
    share = np.where(fine, np.exp(np.clip(ratio, -bound, bound)), 0.0)
    half = np.maximum(np.diff(offsets) // _WIDE, 3)
    total, count = (_moving_sum(x, offsets, half) for x in (share, fine.astype(np.float64)))
    bias = np.where(count > 0, total / np.maximum(count, 1.0), 1.0) - 1.0
    error = _roughness(share, fine, offsets)[rows] / np.sqrt(np.maximum(count, 1.0))
    # what the scatter of so many points explains is no bias
    return 1.0 + bias * np.maximum(1.0 - (_SURE * error / np.maximum(np.abs(bias), 1e-9)) ** 2, 0.0)


def _roughness(share: FloatArray, fine: BoolArray, offsets: IntArray) -> FloatArray:
    """(n,) standard deviation of neighbouring points about each other, as of white noise."""
    beside = np.zeros(len(share), dtype=bool)
    beside[1:] = fine[1:] & fine[:-1]
    beside[offsets[:-1]] = False
    steps = np.where(beside, np.abs(share - np.append(0.0, share[:-1])), 0.0)
    count = np.maximum(np.add.reduceat(beside, offsets[:-1]), 1)
    out: FloatArray = np.add.reduceat(steps, offsets[:-1]) / count / _MEAN_STEP
    return out


def _moving_sum(values: FloatArray, offsets: IntArray, half: IntArray) -> FloatArray:
    rows, place = row_of(offsets), np.arange(len(values))
    total = np.concatenate([[0.0], np.cumsum(values)])
    reach = np.minimum(half[rows], np.minimum(place - offsets[rows], offsets[rows + 1] - 1 - place))
    out: FloatArray = total[place + reach + 1] - total[place - reach]
    return out
