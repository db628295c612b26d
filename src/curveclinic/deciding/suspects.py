"""The runs of a batch that get a closer look: whether these are learning curves at all is asked in `doubt.py`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from curveclinic.kept import kept
from curveclinic.measuring.levels import raw_of
from curveclinic.measuring.measures import CELLS, Cells
from curveclinic.measuring.periods import QUARTERS, quarter_levels
from curveclinic.measuring.quantities import Measured
from curveclinic.measuring.smoothing import EPS, row_correlation, row_median, row_ranks, row_spread
from curveclinic.measuring.trends import Quantities
from curveclinic.ragged import BoolArray, FloatArray, IntArray
from curveclinic.records import PerRun

_LOOK: Final = 0.25
"""Share of the range that is still covered in the second half, from which a run gets a closer look."""

_FEWEST_METRICS: Final = 10
"""Points of a metric from which its course tells something of the loss."""

_FUNCTION: Final = 0.995
"""Correlation of ranks from which a metric is made of the loss, as a perplexity is, and tells nothing new."""

_REPEATS: Final = 0.6
"""Autocorrelation at a lag and at its double from which train repeats a pattern; of that of many points of pure noise
nothing comes near."""

_FEWEST_PERIODS: Final = 4
"""Times the pattern is there in a quarter of the run from which it does not move the level of that quarter."""

_READ: Final = (
    "first", "first_over_chance", "grad_fall", "grad_end_log10", "lr_cycles", "period", "period_strength",
    "swing_shared", "v_drop_snr", "v_drop_noise", "v_rise_drop",
)  # fmt: skip
"""Quantities that are read."""


@dataclass(eq=False)
class Loss(PerRun):
    """What is read of one loss of m runs: as little as can be, for it is copied.

    Attributes:
        view: (m, G) its smooth level, as in `Level`.
        mean: (m, CELLS) means of its cells, as in `Cells`.
        size, count, log, scale: (m,) as in `Cells`.
        error, noise, bottom, top: (m,) as in `Level`.
        lowest, highest: (m,) as in `Cells`.
    """

    view: FloatArray
    mean: FloatArray
    size: IntArray
    count: IntArray
    log: BoolArray
    scale: FloatArray
    error: FloatArray
    noise: FloatArray
    bottom: FloatArray
    top: FloatArray
    lowest: FloatArray
    highest: FloatArray

    @classmethod
    def of(cls, piece: Measured, rows: IntArray) -> Loss:
        """Returns some of the losses of a piece, of which val's come after train's."""
        cells, level = piece.losses, piece.level
        whole = cls(
            level.view, cells.mean, cells.size, cells.count, cells.log, cells.scale, level.error, level.noise,
            level.bottom, level.top, cells.lowest, cells.highest,
        )  # fmt: skip
        return whole.take(rows)

    @kept
    def spread(self) -> FloatArray:
        """(m,) highest less lowest of the level, `EPS` at least."""
        return np.maximum(self.top - self.bottom, EPS)

    @kept
    def real(self) -> BoolArray:
        """(m, CELLS) True at real cells."""
        return self.size[:, None] > np.arange(CELLS)

    def raw_level(self) -> FloatArray:
        """(m,) median of the level in the loss's own unit."""
        linear, unit = raw_of(self.view, self.log, self.scale, self.bottom, self.top)
        return row_median(linear) * unit

    def raw_ends(self) -> tuple[FloatArray, FloatArray]:
        """(m,) lowest and highest point in the loss's own unit."""
        with np.errstate(over="ignore"):
            low, high = (np.where(self.log, np.exp(end), end * self.scale) for end in (self.lowest, self.highest))
        return low, high


@dataclass(eq=False)
class Suspects:
    """What was measured on the runs that get a closer look.

    Attributes:
        rows: (m,) their rows among all runs.
        late: (m,) share of train's range that is still covered in the second half.
        quantities: those that are read.
        train, val: both losses.
        followed: (m,) correlation of train's metric, or val's, with the train loss, larger where both fare alike; 0
            where there is none, or where it is a function of the loss.
    """

    rows: IntArray
    late: FloatArray
    quantities: Quantities
    train: Loss
    val: Loss
    followed: FloatArray
    quarters: FloatArray
    quarter_error: FloatArray


def suspects_in(piece: Measured) -> Suspects | None:
    """Returns the runs of a piece that get a closer look, None for none."""
    n, q = piece.batch.size, piece.quantities
    level = piece.level
    whole, half = (level.top - level.bottom)[:n], row_spread(level.view[:n, level.view.shape[1] // 2 :])
    not_finite = (q["t_bad"] > 0) | (q["v_bad"] > 0)
    # most trainings have done nearly everything by half of their time: they need no closer look
    rows = (~not_finite & ((half >= _LOOK * whole) | (whole == 0))).nonzero()[0]
    if not len(rows):
        return None
    late = half[rows] / np.maximum(whole[rows], EPS)
    quantities = {name: q[name][rows] for name in _READ}
    train, val = Loss.of(piece, rows), Loss.of(piece, rows + n)
    followed, (quarters, error) = _followed(piece, rows), _quarters(piece, rows)
    return Suspects(piece.rows[rows], late, quantities, train, val, followed, quarters, error)


def _quarters(piece: Measured, rows: IntArray) -> tuple[FloatArray, FloatArray]:
    """(m, 4) levels of train's quarters of the given runs, and (m,) their error; see `Suspects`."""
    levels, error = np.full((len(rows), QUARTERS), np.nan), np.full(len(rows), np.nan)
    period, count = piece.quantities["period"][rows], piece.losses.count[rows]
    repeats = (piece.quantities["period_strength"][rows] >= _REPEATS) & (count >= QUARTERS * _FEWEST_PERIODS * period)
    some = repeats.nonzero()[0]
    if len(some):
        points, log = piece.view.points.take(rows[some]), piece.losses.log[rows[some]]
        top = np.where(log, piece.losses.highest[rows[some]], 0.0).repeat(points.lengths)
        raw = np.where(log.repeat(points.lengths), np.exp(points.values - top), points.values)
        levels[some], error[some] = quarter_levels(replace(points, values=raw), period[some])
    return levels, error


def _followed(piece: Measured, rows: IntArray) -> FloatArray:
    """(m,) how well a metric fares with the train loss of the given runs; see `Suspects`."""
    out, told, loss = np.zeros(len(rows)), np.zeros(len(rows), dtype=bool), piece.losses
    for name in ("train_metric", "val_metric"):
        metric = piece.cells[name]
        enough = (np.minimum(metric.count[rows], loss.count[rows]) >= _FEWEST_METRICS) & ~told
        if np.count_nonzero(enough):
            some = rows[enough]
            out[enough] = _fares_with(metric.take(some), loss.take(some), piece.batch.metric_sign[some])
            told |= enough
    return out


def _fares_with(metric: Cells, loss: Cells, sign: FloatArray) -> FloatArray:
    """(m,) correlation of a metric, larger is better, with the loss less; 0 for what is made of the loss."""
    beside, values = _read_off(loss, metric), metric.mean * sign[:, None]
    rank, rank_beside = (row_ranks(np.where(metric.real, x, np.inf)) for x in (values, beside))
    made_of_it = np.abs(row_correlation(rank, rank_beside, metric.real)) > _FUNCTION
    out: FloatArray = np.where(made_of_it, 0.0, -row_correlation(values, beside, metric.real))
    return out


def _read_off(loss: Cells, at: Cells) -> FloatArray:
    """(m, CELLS) a loss at the steps of another channel, linear between its cells and clamped at its ends.

    `Cells.at` takes nearly even steps for even, which is enough to hide that a metric is made of the loss.
    """
    row = np.arange(len(loss.size))[:, None]
    first, last = loss.steps[:, :1], loss.steps[row, loss.size[:, None] - 1]

    def place(steps: FloatArray) -> FloatArray:
        """Where steps lie on one axis that the runs share: each has a stretch of length 1, and 1 is left between."""
        share: FloatArray = np.clip((steps - first) / np.maximum(last - first, EPS), 0.0, 1.0)
        return share + 2.0 * row

    out = np.zeros(at.mean.shape)
    out[at.real] = np.interp(place(at.steps)[at.real], place(loss.steps)[loss.real], loss.mean[loss.real])
    return out
