"""Where spikes stand in the log: of long runs their cells are known, here the logged points in them."""

from __future__ import annotations

import numpy as np

from curveclinic.measuring.measures import CELLS
from curveclinic.ragged import BoolArray, FloatArray, IntArray, Ragged, places


def peak_steps(channel: Ragged, spiky: BoolArray, steps: FloatArray) -> FloatArray:
    """(n,) the given steps, of spiky runs the logged step of the highest point within half a cell of it.

    Args:
        channel: as logged.
        spiky: (n,) the runs asked about.
        steps: (n,) places of their spikes, cell by cell; NaN for none.
    """
    rows = (spiky & np.isfinite(steps) & (channel.lengths > CELLS)).nonzero()[0]
    if not len(rows):
        return steps
    own = channel.take(rows).finite()
    long = own.lengths > CELLS
    rows, own = rows[long], own.take(long.nonzero()[0])
    out: FloatArray = steps.copy()
    if len(rows):
        out[rows] = own.steps[_highest(own, steps[rows])]
    return out


def _highest(channel: Ragged, steps: FloatArray) -> IntArray:
    """(m,) flat index of the highest point within half a cell of a step of each run; the first one of several."""
    lengths, begin = channel.lengths, channel.offsets[:-1]
    run = np.arange(channel.size).repeat(lengths)
    smaller = np.add.reduceat((channel.steps < steps[run]).astype(np.int64), begin)
    half = -(-lengths // (2 * CELLS))
    low = np.maximum(begin + np.minimum(smaller - half, lengths - 1), begin)
    high = np.minimum(begin + np.maximum(smaller + half, 1), begin + lengths)
    at = places(low, high - low)
    window = np.arange(channel.size).repeat(high - low)
    order = np.lexsort((-channel.values[at], window))
    found: IntArray = at[order[np.add.accumulate(high - low) - (high - low)]]
    return found
