"""Which checkpoint of an overfitted run to keep: the logged step of the lowest validation loss, noise aside."""

from __future__ import annotations

from typing import Final

import numpy as np

from curveclinic.measures import CELLS
from curveclinic.ragged import FloatArray
from curveclinic.run import Series
from curveclinic.smoothing import middle_of_three
from curveclinic.trends import Quantities

_FEW: Final = 12
"""Points up to which the lowest one is taken: so few say nothing of their noise."""


def averaged_points(q: Quantities) -> FloatArray:
    """(n,) val points that one value of the smooth level averages over: the variance it takes away; 1 at least."""
    with np.errstate(all="ignore"):
        ratio = (q["v_drop_snr"] / q["v_drop_noise"]) ** 2
    return np.fmax(np.nan_to_num(ratio, posinf=1.0), 1.0)


def stop_step(val: Series, low_step: float, averaged: float) -> float | None:
    """Returns the logged step whose checkpoint to keep; None where no val loss is finite.

    The smooth level says where the valley is, the points around its lowest place which of them to take. A point much
    lower than both its neighbours counts as its neighbours do: on a noisy curve the lowest point of all may lie far up
    the rise.

    Args:
        val: the validation loss as logged.
        low_step: step at which its smooth level is lowest.
        averaged: points that the smooth level averages over.
    """
    finite = np.isfinite(val.values)
    steps, values = val.steps[finite], val.values[finite]
    if not len(values):
        return None
    lowest = int(values.argmin())
    # best weights restored: the last row repeats the best one, which came first
    restored = lowest < len(values) - 1 and values[-1] == values[lowest]
    if len(values) <= _FEW or restored or not np.isfinite(low_step):
        return float(steps[lowest])
    reach = max((averaged - 1.0) / 2.0, len(values) / CELLS if len(values) > CELLS else 0.0)
    at = int(np.abs(steps - low_step).argmin())
    window = slice(max(at - round(reach), 0), at + round(reach) + 1)
    best = np.lexsort((values[window], _without_dips(values)[window]))[0]
    return float(steps[window][best])


def _without_dips(values: FloatArray) -> FloatArray:
    """Values in which a point below both its neighbours is as low as the lower of them."""
    middle = values.copy()
    middle[1:-1] = middle_of_three(values[:-2], values[1:-1], values[2:])
    highest: FloatArray = np.maximum(values, middle)
    return highest
