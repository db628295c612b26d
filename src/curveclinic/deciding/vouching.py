"""What the logged points do not vouch for.

A val loss that never changes, or whose last point alone says that it rose: whatever train does, one number throughout
was hardly measured anew, and is no sign of health. And one point is no trend: the same jump, logged earlier, would be a
spike.

What the network finds against a plain fact: spikes where no inner point stands out, gradients that explode where no
norm after the first ones is large, a first loss that is high though the next ones hardly lie below it, a loss that
falls by little of its level where it has none to compare with, a pattern that does not come again, a metric at odds
with the loss that has been good all along beside a loss that does not rise, a fall at the end that has settled.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np

from curveclinic.deciding.train_symptoms import KINK, TIMES
from curveclinic.labels import COLUMN
from curveclinic.measuring.quantities import Measured
from curveclinic.measuring.trends import Quantities
from curveclinic.phrases import value
from curveclinic.ragged import Batch, BoolArray, Ragged, blocks, offsets_of

_FEWEST: Final = 8
"""Points from which one value is no chance: a settled loss, rounded to a few digits, repeats itself for a while."""

_RISEN: Final = 0.1
"""Share of its drop that a val loss takes back to have risen; a gap that widens beside a flat one is another matter."""

_SHARE: Final = 0.25
"""Share of the last point's height over the lowest that the two points before it may have at most."""

_SPIKES: Final = ((COLUMN["loss_spikes"], "t_jump_size"), (COLUMN["val_spikes"], "v_jump_size"))
"""Labels that need a point between the first and the last one that stands out, and how high it does by the measures."""

_SEEN: Final = 0.9
"""Height of a jump, 1 for what is just seen in a plot, from which nobody asks further."""

_TOWERS: Final = 0.2
"""Share of the range of a loss by which an inner point exceeds some point before and some point after it where it
stands out all the same: of several spikes in a few points, and of broad ones, the measures see little.

Both cuts lose none of 53 spikes that readers saw and the network found, and 4 of 2,690 drawn ones."""

_LARGER: Final = 0.7
"""Powers of ten, about five times, that gradient norms burst or grow by at least where they explode. The least that the
network finds is 1.1 on logs, and 1.2 on 840 drawn runs whose gradients do."""

_FAST: Final = 4.0
"""Times the third point below which a first loss that falls on without a kink is a fast learner's, in a short log."""

_SHORT: Final = 100
"""Points from which a log is longer: there 2 % of the run are too many points to tell."""


_GOES_ON: Final = 0.06
"""Pace of the last twelfth over that of the last fifth below which a fall has settled."""

_CLEAR: Final = 10.0
"""Errors of the level that the fall comes to at least for its pace to be known."""

_COMES_AGAIN: Final = 0.25
"""Autocorrelation that a pattern has at least; of 17 logs whose pattern readers saw and the network finds, none has
less than 0.34."""

_GOOD: Final = (0.8, 1.0)
"""Typical size of a metric, larger is better and 1 the best, that leaves it little room to follow a falling loss."""

_RISES: Final = 0.1
"""Share of its drop that a loss takes back to have risen against a good metric."""

_WORSENS: Final = 0.05
"""Share of its size by which a good metric gets worse to be at odds with a falling loss."""


def frozen_validation(batch: Batch, among: BoolArray) -> dict[int, str]:
    """Returns row -> what is odd, for those of some (n,) runs whose val loss never changes."""
    val = batch.channels["val_loss"]
    rows = (among & (val.lengths >= _FEWEST)).nonzero()[0]
    first, last = val.offsets[rows], val.offsets[rows + 1] - 1
    returns = val.values[first] == val.values[last]  # few do, and only they need a look
    curves = ((row, val.values_of(row)) for row in rows[returns].tolist())
    return {
        row: f"val loss is {value(float(curve[0]))} at every one of its {len(curve):,} points: is it logged right?"
        for row, curve in curves
        if (curve == curve[0]).all()
    }


def lone_rise(batch: Batch, among: BoolArray, *, fewest: int = _FEWEST) -> dict[int, str]:
    """Returns row -> what is odd, for those of some (n,) runs whose val loss stood low until its last point.

    Args:
        batch: n runs.
        among: (n,) the runs asked about.
        fewest: val points from which one is told.
    """
    val = batch.channels["val_loss"]
    rows = (among & (val.lengths >= fewest)).nonzero()[0]
    if not len(rows):
        return {}
    first, last = val.offsets[rows], val.offsets[rows + 1] - 1
    bounds = np.column_stack([first, last]).ravel()  # from the first point to before the last
    half = val.values / 2  # the range of two doubles can overflow
    lowest = np.minimum.reduceat(half, bounds)[::2]
    height = half[last] - lowest
    lone = (height > 0) & (height >= _RISEN * (half[first] - lowest))
    lone &= np.maximum(half[last - 1], half[last - 2]) - lowest <= _SHARE * height
    found = zip(rows[lone].tolist(), val.values[last[lone]].tolist(), val.values[last[lone] - 1].tolist(), strict=True)
    return {
        row: f"only the last point of val loss has risen, from {value(low)} to {value(high)}: one point is no trend; "
        "look at it, or log more"
        for row, high, low in found
    }


def without_last_val(batch: Batch) -> Batch:
    """Returns n runs without the last point of their val loss, which each of them has."""
    val = batch.channels["val_loss"]
    kept = np.ones(len(val.values), dtype=bool)
    kept[val.offsets[1:] - 1] = False
    shorter = Ragged(val.steps[kept], val.values[kept], offsets_of(val.lengths - 1))
    return replace(batch, channels={**batch.channels, "val_loss": shorter})


def refuted(piece: Measured, found: BoolArray) -> BoolArray:
    """(n, 20) what the logged points speak against.

    Args:
        piece: n measured runs.
        found: (n, 20) what the network finds of them and the rules do not.
    """
    q, n, out = piece.quantities, piece.batch.size, np.zeros_like(found)
    for channel, (label, height) in enumerate(_SPIKES):
        rows = (found[:, label] & ~(q[height] >= _SEEN)).nonzero()[0]
        if len(rows):
            out[rows, label] = ~_stands_out(piece.view.points.take(rows + channel * n))
    out[:, COLUMN["exploding_gradients"]] = ~((q["grad_burst"] >= _LARGER) | (q["grad_growth"] >= _LARGER))
    out[:, COLUMN["high_initial_loss"]] = _is_no_stick(q)
    # level-relative clauses hold only where all values are above 0
    out[:, COLUMN["underfitting"]] = ~(q["t_positive"] > 0)
    out[:, COLUMN["undertrained"]] = _has_settled(q)
    out[:, COLUMN["periodic_loss"]] = ~(q["period_strength"] >= _COMES_AGAIN)
    out[:, COLUMN["metric_mismatch"]] = _has_been_good(q)
    return out & found


def _is_no_stick(q: Quantities) -> BoolArray:
    """(n,) the first loss is hardly above the next ones, or, in a short log, the fall from it goes smoothly on."""
    times = q["first_over_near"]
    smooth = (times < _FAST) & (q["first_kink"] > KINK[1]) & (q["t_count"] < _SHORT)
    return np.asarray((times < TIMES[0]) | smooth)


def _has_settled(q: Quantities) -> BoolArray:
    """(n,) what train lost in the last fifth of the run it lost at once, as at a late drop of the learning rate."""
    return np.asarray((q["t_end_goes_on"] < _GOES_ON) & (q["t_end_fall_snr"] >= _CLEAR))


def _has_been_good(q: Quantities) -> BoolArray:
    """(n,) the metric is good throughout and gets no worse, and no loss rises."""
    typical, rise = q["metric_typical"], np.fmax(q["t_rise_drop"], q["v_rise_drop"])
    is_good = (q["metric_sign"] > 0) & (typical >= _GOOD[0]) & (typical <= _GOOD[1])
    return np.asarray(is_good & (q["metric_gain"] > -_WORSENS) & ~(rise > _RISES))


def _stands_out(loss: Ragged) -> BoolArray:
    """(n,) an inner point lies clearly above one before it and one after it."""
    out = np.zeros(loss.size, dtype=bool)
    for block in blocks(loss, min_points=3):
        values = block.values  # padded with the last value, above which it does not lie
        before = np.minimum.accumulate(values, axis=1)[:, :-2]
        after = np.minimum.accumulate(values[:, ::-1], axis=1)[:, -3::-1]
        height = (values[:, 1:-1] - np.maximum(before, after)).max(axis=1)
        out[block.rows] = (height > 0) & (height >= _TOWERS * (values.max(axis=1) - values.min(axis=1)))
    return out
