"""What a val loss cannot vouch for: it never changes, or its last point alone says that it rose.

Whatever train does, a val loss that is one number throughout was hardly measured anew, and is no sign of health. And
one point is no trend: the same jump, logged earlier, would be a spike.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from curveclinic.phrases import value
from curveclinic.ragged import Batch, BoolArray

_FEWEST: Final = 8
"""Points from which one value is no chance: a settled loss, rounded to a few digits, repeats itself for a while."""

_RISEN: Final = 0.1
"""Share of its drop that a val loss takes back to have risen; a gap that widens beside a flat one is another matter."""

_SHARE: Final = 0.25
"""Share of the last point's height over the lowest that the two points before it may have at most."""


def frozen_validation(batch: Batch, among: BoolArray) -> dict[int, str]:
    """Returns row -> what is odd, for those of some (n,) runs whose val loss never changes."""
    val = batch.channels["val_loss"]
    changes = np.concatenate(([0, 0], np.cumsum(val.values[1:] != val.values[:-1])))  # up to each point
    rows = np.flatnonzero(among & (val.lengths >= _FEWEST))
    first, last = val.offsets[rows], val.offsets[rows + 1] - 1
    still = changes[last + 1] == changes[first + 1]
    found = zip(rows[still].tolist(), val.values[first[still]].tolist(), strict=True)
    return {
        row: f"val loss is {value(level)} at every one of its {val.lengths[row]:,} points: is it logged right?"
        for row, level in found
    }


def lone_rise(batch: Batch, among: BoolArray) -> dict[int, str]:
    """Returns row -> what is odd, for those of some (n,) runs whose val loss stood low until its last point."""
    val = batch.channels["val_loss"]
    rows = np.flatnonzero(among & (val.lengths >= _FEWEST))
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
