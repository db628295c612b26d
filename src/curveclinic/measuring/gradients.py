"""What the gradient norm and the learning rate say."""

from __future__ import annotations

import numpy as np

from curveclinic.measuring.measures import CELLS, Cells
from curveclinic.measuring.medians import wide_median
from curveclinic.measuring.smoothing import masked_median, row_median
from curveclinic.measuring.texture import marked_steps
from curveclinic.measuring.trends import Quantities, unknown
from curveclinic.ragged import FloatArray

_FEWEST = 4
"""Points below which nothing is said."""

_NAMES = (
    "grad_burst", "grad_growth", "grad_end_log10", "grad_fall", "grad_burst_step", "grad_burst_end", "grad_fall_step",
)  # fmt: skip


_ZERO = -300.0
"""Power of ten that stands for a norm of exactly 0."""

_DROP = 1.0
"""Powers of ten that a norm falls by at least, within two cells, to have dropped."""

_CYCLE = 0.01
"""Share of the peak below which a rise of the learning rate is rounding."""


def gradient_quantities(cells: Cells) -> Quantities:
    """Growth of the gradient norm in powers of ten: bursts over the running median, start against end."""
    rows, nothing = (cells.count >= _FEWEST).nonzero()[0], unknown(len(cells.size))
    if not len(rows):
        return dict.fromkeys(_NAMES, nothing)
    out = {name: nothing.copy() for name in _NAMES}
    for name, value in _course(cells.take(rows)).items():
        out[name][rows] = value
    return out


def _log10(cells: Cells, values: FloatArray) -> FloatArray:
    """Cells in powers of ten; a norm of 0 is far below anything."""
    scale = np.log10(cells.scale)[:, None]
    linear = np.where(values > 0, np.log10(np.maximum(values, 1e-300)) + scale, _ZERO)
    return np.where(cells.log[:, None], values / np.log(10.0), linear)


def _course(cells: Cells) -> Quantities:
    column, size = np.arange(CELLS)[None, :], cells.size[:, None]
    raw, mid = _log10(cells, cells.high), _log10(cells, cells.mean)
    base = wide_median(mid, cells.size)
    # the first logged norms are large in any run
    counted = cells.real & (column >= np.minimum(np.maximum(size // 30, 2), 4))
    # what starts at exactly 0, before the first update, is no growth from nothing
    lowest = np.minimum.accumulate(np.where(base > _ZERO, base, np.inf), axis=1)
    edge = np.maximum(size // 8, 3)
    early = masked_median(mid, cells.real & (column < edge))
    late = masked_median(mid, cells.real & (column >= size - edge))
    highest = np.maximum(early, row_median(base))
    counted &= base > _ZERO
    # where a norm drops within a cell, its highest point belongs to what came before, its median to what follows
    before = np.concatenate([base[:, :1], base[:, :1], base[:, :-2]], axis=1)
    burst = np.where(counted, raw - np.where(before - base > _DROP, before, base), 0.0)
    growth = np.where(counted, base - lowest, 0.0)
    surge = np.maximum(burst, growth)
    high = surge > np.maximum(surge.max(axis=1, keepdims=True) - 1.0, 1.0)
    fallen = cells.real & (column >= base.argmax(axis=1)[:, None]) & (mid < ((highest + late) / 2)[:, None])
    first, last = marked_steps(cells, np.array([high, fallen]))
    return {
        "grad_burst": burst.max(axis=1),
        "grad_growth": growth.max(axis=1),
        "grad_end_log10": late,
        "grad_fall": highest - late,
        "grad_burst_step": first[0],
        "grad_burst_end": np.where(last[0] >= cells.steps[:, -1], np.nan, last[0]),
        "grad_fall_step": first[1],
    }


def schedule_quantities(lr: Cells) -> Quantities:
    """Rises of the learning rate after its first peak, as a share of it: a cyclic schedule explains bumps."""
    rows, cycles = (lr.count >= 3).nonzero()[0], unknown(len(lr.size))
    if len(rows):
        cycles = cycles.copy()
        cycles[rows] = _rises(lr.take(rows))
    return {"lr_cycles": cycles}


def _rises(cells: Cells) -> FloatArray:
    """(n,) the largest rise of a learning rate after its peak, as a share of it; 0 where it is rounding."""
    top = np.where(cells.log, cells.mean.max(axis=1), 0.0)[:, None]
    value = np.where(cells.log[:, None], np.exp(cells.mean - top), cells.mean)
    peak = value.max(axis=1)
    after = np.arange(CELLS)[None, :] > value.argmax(axis=1)[:, None]
    floor = np.minimum.accumulate(np.where(after, value, np.inf), axis=1)
    with np.errstate(invalid="ignore"):
        rises = np.where(after, value - floor, 0.0).max(axis=1)
    share = rises / np.maximum(peak, 1e-300)
    return np.where(share > _CYCLE, share, 0.0)
