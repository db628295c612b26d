"""What a val loss cannot vouch for: it never changes, or its last point alone says that it rose.

Whatever train does, a val loss that is one number throughout was hardly measured anew, and is no sign of health. And
one point is no trend: the same jump, logged earlier, would be a spike.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np

from curveclinic.phrases import value
from curveclinic.ragged import Batch, BoolArray, Ragged, offsets_of

_FEWEST: Final = 8
"""Points from which one value is no chance: a settled loss, rounded to a few digits, repeats itself for a while."""

_RISEN: Final = 0.1
"""Share of its drop that a val loss takes back to have risen; a gap that widens beside a flat one is another matter."""

_SHARE: Final = 0.25
"""Share of the last point's height over the lowest that the two points before it may have at most."""


def frozen_validation(batch: Batch, among: BoolArray) -> dict[int, str]:
    """Returns row -> what is odd, for those of some (n,) runs whose val loss never changes."""
    val = batch.channels["val_loss"]
    rows = (among & (val.lengths >= _FEWEST)).nonzero()[0]
    first, last = val.offsets[rows], val.offsets[rows + 1] - 1
    returns = val.values[first] == val.values[last]  # few do, and only they need a look
    curves = ((row, val.values[val.offsets[row] : val.offsets[row + 1]]) for row in rows[returns].tolist())
    return {
        row: f"val loss is {value(float(curve[0]))} at every one of its {len(curve):,} points: is it logged right?"
        for row, curve in curves
        if (curve == curve[0]).all()
    }


def lone_rise(batch: Batch, among: BoolArray) -> dict[int, str]:
    """Returns row -> what is odd, for those of some (n,) runs whose val loss stood low until its last point."""
    val = batch.channels["val_loss"]
    rows = (among & (val.lengths >= _FEWEST)).nonzero()[0]
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
