"""Which checkpoint of an overfitted run to keep: the logged step of the lowest validation loss, noise aside.

Where val settles and hardly rises, its lowest place may be anywhere, and the first that is as good is kept.
It is the onset of overfitting, too: a report that names two steps for one valley helps nobody.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from curveclinic.measuring.measures import CELLS
from curveclinic.measuring.smoothing import middle_of_three
from curveclinic.measuring.trends import Quantities
from curveclinic.ragged import BoolArray, FloatArray, IntArray, Ragged, places

_FEW: Final = 12
"""Points up to which the lowest one is taken: so few say nothing of their noise."""

READ: Final = ("v_drop_snr", "v_drop_noise", "v_low_step")
"""Quantities that are read."""


def averaged_points(q: Quantities) -> FloatArray:
    """(n,) val points that one value of the smooth level averages over: the variance it takes away; 1 at least."""
    with np.errstate(all="ignore"):
        ratio = (q["v_drop_snr"] / q["v_drop_noise"]) ** 2
    return np.fmax(np.nan_to_num(ratio, posinf=1.0), 1.0)


def stops(val: Ragged, q: Quantities, turn: FloatArray, overfitted: BoolArray) -> FloatArray:
    """(n,) logged step whose checkpoint to keep of the overfitted runs among n; NaN for the others.

    Args:
        val: validation losses as logged.
        q: quantities of the runs.
        turn: (n,) step at which each one's smooth level is lowest, or first as good, by `spans`.
        overfitted: (n,) the runs asked about.
    """
    out, rows = np.full(len(overfitted), np.nan), overfitted.nonzero()[0]
    if len(rows):
        own = {name: q[name][rows] for name in READ}
        out[rows] = stop_steps(
            val if len(rows) == val.size else val.take(rows),
            turn[rows],
            averaged_points(own),
            settled=turn[rows] < own["v_low_step"],
        )
    return out


def stop_steps(val: Ragged, low_step: FloatArray, averaged: FloatArray, *, settled: BoolArray) -> FloatArray:
    """(n,) logged step whose checkpoint to keep; NaN where no val loss is finite.

    The smooth level says where the valley is, the points around its lowest place which of them to take. A point much
    lower than both its neighbours counts as its neighbours do: on a noisy curve the lowest point of all may lie far up
    the rise.

    Args:
        val: validation losses as logged.
        low_step: (n,) step at which each one's smooth level is lowest, or first as good.
        averaged: (n,) points that the smooth level averages over.
        settled: (n,) the level is lowest only later.
    """
    val = val.finite()
    out, some = np.full(val.size, np.nan), val.lengths.nonzero()[0]
    if len(some):
        out[some] = _of_finite(val, some, low_step[some], averaged[some], settled[some])
    return out


def _of_finite(
    val: Ragged, some: IntArray, low_step: FloatArray, averaged: FloatArray, settled: BoolArray
) -> FloatArray:
    """(m,) the step to keep of those runs (m,) of a finite channel that have a point."""
    begin, lengths = val.offsets[some], val.lengths[some]
    values, last = val.values, begin + lengths - 1
    lowest = _first_smallest(values, begin, lengths)
    # best weights restored: the last row repeats the best one, which came first
    restored = (lowest < last) & (values[last] == values[lowest])
    known = np.isfinite(low_step)
    at = _first_smallest(np.abs(val.steps - np.where(known, low_step, 0.0).repeat(lengths)), begin, lengths)
    reach = np.maximum((averaged - 1.0) / 2.0, np.where(lengths > CELLS, lengths / CELLS, 0.0))
    whole = np.rint(np.minimum(reach, lengths)).astype(np.int64)
    first, end = np.maximum(at - whole, begin), np.minimum(at + whole, last) + 1
    chosen = _lowest_without_dips(values, first, end, begin, last)
    given = (lengths <= _FEW) & ~settled | restored | ~known
    return val.steps[np.where(given, lowest, chosen)]


def _first_smallest(values: FloatArray, begin: IntArray, lengths: IntArray) -> IntArray:
    """(m,) flat index of the smallest value of runs that fill an array; the first one of several."""
    smallest = np.minimum.reduceat(values, begin)
    found = (values == smallest.repeat(lengths)).nonzero()[0]
    first: IntArray = found[found.searchsorted(begin)]
    return first


def _lowest_without_dips(
    values: FloatArray, first: IntArray, end: IntArray, begin: IntArray, last: IntArray
) -> IntArray:
    """(m,) flat index of the lowest value in windows first:end of runs begin to last.

    A point below both its neighbours is as low as the lower of them; of points as low the lower one is taken.
    """
    lengths = end - first
    at, run = places(first, lengths), np.arange(len(first)).repeat(lengths)
    before, after = np.maximum(at - 1, begin[run]), np.minimum(at + 1, last[run])
    own = values[at]
    middle = middle_of_three(values[before], own, values[after])  # at an end of the run the point itself
    order = np.lexsort((own, np.maximum(own, middle), run))
    chosen: IntArray = at[order[np.add.accumulate(lengths) - lengths]]
    return chosen
