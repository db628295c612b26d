"""Overfitting beside three or four evaluations of val: what a fine-tuning of as many epochs leaves to judge by.

So few points have no smooth level and no known noise, and the network is not asked. A rise that no wobble explains,
while train goes on falling, is overfitting all the same; a val loss that falls at every evaluation has none. What lies
between cannot be judged, and a run in which nothing else is found says so.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from curveclinic.deciding.clauses import Names, Program, Statement, above, all_of, any_of, below
from curveclinic.deciding.few_points import SHORTEST_FOR_RULES
from curveclinic.labels import CHANNELS, COLUMN, TRAITS
from curveclinic.measuring.quantities import Measured
from curveclinic.measuring.smoothing import EPS, resample, row_extremes, row_mean
from curveclinic.measuring.trends import Quantities
from curveclinic.phrases import counted
from curveclinic.ragged import BoolArray, FloatArray, IntArray

FEWEST: Final = 3
"""Finite val points from which overfitting may be unmistakable."""

_ENOUGH: Final = TRAITS["overfitting"].points
"""Finite val points from which overfitting is judged as of any other run."""

_COURSE: Final = ("overfitting", "no_generalization")
"""Labels that a run may well have whose val loss has too few points to tell."""

_STILL_FALLS: Final = 0.01
"""Share of the last val loss by which the one before exceeds it where val still falls: it has not turned."""

_END: Final = 10
"""Part of the train level, one in so many, whose mean is where it ends."""

_TRAIN, _VAL = CHANNELS.index("train_loss"), CHANNELS.index("val_loss")


def _unmistakable(q: Names) -> Statement:
    """Val came down, then rose beyond any wobble and above train, which has clearly fallen since or is at a low floor.

    The cuts were chosen on yardsticks of which three or four val points were kept: none of 749 runs that do not overfit
    has all of this, of 92 that do 41 with three points and 61 with four.
    """
    # one point is no trend, unless it lies far above; one that lies far above the last is a spike
    twice = all_of(above(q["rise_before"], 0.02, 0.06), above(q["rise_kept"], 0.35, 0.65))
    wide = above(q["rise"], 0.35, 0.65)
    falls = all_of(above(q["train_fall"], 0.06, 0.14), above(q["train_fall_snr"], 2.5, 5.0))
    at_floor = all_of(below(q["train_floor"], 0.03, 0.08), above(q["last_over_train"], 1.5, 2.5))
    return all_of(
        above(q["rise"], 0.08, 0.16),
        above(q["rise_drop"], 0.07, 0.15),
        any_of(all_of(twice, any_of(falls, at_floor)), all_of(wide, falls)),
        # it came down, before anyone looked perhaps
        any_of(above(q["first_over_low"], 1.002, 1.01), below(q["first_over_train"], 0.88, 0.97)),
        # what lies below train is an easier set, or a small one
        above(q["last_over_train"], 1.0, 1.1),
    )


_UNMISTAKABLE: Final = Program([_unmistakable(Names())])

_TURNED: Final = 0.5
"""Degree from which it is unmistakable."""


def few_evaluations(counts: IntArray) -> BoolArray:
    """(n,) runs of three or four finite val points beside a train loss of enough, by their `Batch.finite_counts`."""
    val = counts[:, _VAL]
    out: BoolArray = (val >= FEWEST) & (val < _ENOUGH) & (counts[:, _TRAIN] >= SHORTEST_FOR_RULES)
    return out


def overfitting_degree(piece: Measured) -> FloatArray:
    """(n,) degree of overfitting where it shows at few evaluations, or its absence; NaN for all other runs."""
    out = np.full(piece.batch.size, np.nan)
    rows = few_evaluations(piece.batch.finite_counts).nonzero()[0]
    if len(rows):
        val, count = _evaluations(piece, rows)
        positive = piece.level.positive
        known = positive[rows] & positive[rows + piece.batch.size]
        with np.errstate(all="ignore"):
            degree = _UNMISTAKABLE.degrees(_quantities(piece, rows, val, count))[0]
            before = val[np.arange(len(rows)), count - 2]
            falls = np.where(np.isnan(val[:, 1:]), True, val[:, 1:] < val[:, :-1]).all(axis=1)
            falls &= before >= (1.0 + _STILL_FALLS) * _last(val, count)
        out[rows] = np.where(known & (falls | (degree >= _TURNED)), degree, np.nan)
    return out


def _evaluations(piece: Measured, rows: IntArray) -> tuple[FloatArray, IntArray]:
    """(k, 4) finite val losses of some runs, NaN behind the last one, and (k,) how many these are."""
    val = piece.batch.channels["val_loss"].finite()
    place = val.offsets[rows, None] + np.arange(_ENOUGH - 1)
    count = val.lengths[rows]
    inside = np.arange(_ENOUGH - 1) < count[:, None]
    return np.where(inside, val.values[np.minimum(place, len(val.values) - 1)], np.nan), count


def _last(val: FloatArray, count: IntArray) -> FloatArray:
    last: FloatArray = val[np.arange(len(val)), count - 1]
    return last


def _quantities(piece: Measured, rows: IntArray, val: FloatArray, count: IntArray) -> Quantities:
    """What `_unmistakable` asks of runs of positive losses; (k,) each.

    Args:
        piece: the runs.
        rows: (k,) which of them.
        val: (k, 4) their val losses, NaN behind the last one.
        count: (k,) how many these are.
    """
    number, low_at = np.arange(len(rows)), np.nanargmin(val, axis=1)
    first, low, last = val[:, 0], val[number, low_at], _last(val, count)
    before = np.where(low_at < count - 2, val[number, count - 2], low)
    channel, level = piece.batch.channels["val_loss"].finite(), piece.level
    train, steps = level.linear[rows] * level.unit[rows, None], np.broadcast_to(level.steps, level.view.shape)[rows]
    low_step = channel.steps[channel.offsets[rows] + low_at]
    then = resample(steps, train, np.full(len(rows), train.shape[1]), low_step[:, None])[:, 0]
    end, (lowest, highest) = row_mean(train[:, -max(train.shape[1] // _END, 1) :]), row_extremes(train)
    relative = np.where(level.log[rows], 1.0, piece.losses.scale[rows] / then)
    fall = 1.0 - end / then
    return {
        "rise": last / low - 1.0,
        "rise_before": before / low - 1.0,
        "rise_kept": (last - low) / np.maximum(before - low, EPS * low),
        "rise_drop": (last - low) / np.maximum(first - low, EPS * low),
        "first_over_low": first / low,
        "first_over_train": first / train[:, 0],
        "last_over_train": last / end,
        "train_fall": fall,
        "train_fall_snr": fall / np.maximum(level.error[rows] * relative, EPS),
        "train_floor": (end - lowest) / np.maximum(highest - lowest, EPS * highest),
    }


def open_questions(checked: BoolArray, counts: IntArray, among: BoolArray) -> dict[int, tuple[str, ...]]:
    """Returns row -> the note on what too few evaluations of val leave open, and why.

    Args:
        checked: (n, 20) labels that were judged.
        counts: (n, 6) finite points of every channel.
        among: (n,) the runs that are asked about.
    """
    val = counts[:, _VAL]
    rows = (among & (val > 0) & (val < _ENOUGH) & ~checked[:, COLUMN["overfitting"]]).nonzero()[0].tolist()
    return {row: (_open(int(val[row])),) for row in rows}


def _open(points: int) -> str:
    labels, few = " and ".join(_COURSE), counted(points, "finite point")
    return f"{labels} could not be judged: val_loss has only {few}, at least {_ENOUGH} are needed; evaluate more often"
