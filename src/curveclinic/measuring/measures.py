"""Measuring primitives on ragged channels: views, extremes, cells, noise.

Everything here is a number about curves, never a decision. The rules apply these primitives to the logged
curve, the generator's truth to the latent one, the features hand them to the network.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np

from curveclinic.kept import kept
from curveclinic.measuring.layout import Layout
from curveclinic.measuring.medians import median3, neighbours, running_median
from curveclinic.measuring.roughness import THIRD_DIFF_STD, dense_third_difference, third_difference, zigzag
from curveclinic.measuring.smoothing import (
    EPS,
    StepAxis,
    masked_median,
    moving_mean,
    one_if_equal,
    row_max,
    row_middle,
    row_min,
    row_spread,
)
from curveclinic.ragged import BoolArray, FloatArray, IntArray, Ragged, places
from curveclinic.records import PerRun

CELLS = 128
"""Cells a channel is reduced to: short runs keep every point, long ones get means of equal counts."""

_COLUMN: Final = np.arange(CELLS)
"""(CELLS,) place of each cell."""

LOG_SPAN = 30.0
"""A positive channel whose largest value exceeds the smallest by this factor is looked at in logarithms."""

MAD_TO_STD = 1.4826
"""Standard deviation of a normal distribution over its median absolute deviation."""

_MEAN_TO_STD = 1.2533
"""Standard deviation of a normal distribution over its mean absolute deviation."""

_SMOOTHED: Final[FloatArray] = np.array(0.12)
"""Largest half width of the mean in `smooth`, as a share of the cells."""

_FEWEST_SMOOTHED = 8
"""Cells below which there is no such mean."""


@dataclass(eq=False)
class Cells(PerRun):
    """One channel of n runs on at most `CELLS` cells, in its view (see `view_of`).

    Attributes:
        steps, mean, low, high: (n, CELLS) float64, padded on the right with the last real cell.
        size: (n,) number of real cells, 0 where the channel is absent or has no finite value.
        count: (n,) number of finite points.
        log: (n,) True where the view is logarithmic.
        scale: (n,) factor the raw values were divided by before the view (1 in the log view).
        noise: (n,) robust standard deviation of single points about a smooth curve, view units.
        cell_noise: (n,) the same of cell means.
    """

    steps: FloatArray
    mean: FloatArray
    low: FloatArray
    high: FloatArray
    size: IntArray
    count: IntArray
    log: BoolArray
    scale: FloatArray
    noise: FloatArray
    cell_noise: FloatArray

    @kept
    def extent(self) -> IntArray:
        """(n,) `size`, (1,) where all runs share it.

        Absent runs hold zeros, so any size is safe; they count as the longest one.
        """
        if not len(self.absent):
            return one_if_equal(self.size)
        return one_if_equal(np.where(self.size > 0, self.size, np.maximum.reduce(self.size, initial=1)))

    @kept
    def absent(self) -> IntArray:
        """(k,) runs without a cell."""
        rows: IntArray = (self.size == 0).nonzero()[0]
        return rows

    @kept
    def smoothable(self) -> FloatArray:
        """(n,) `size`, 0 where it is too small for a mean over several cells."""
        return (self.size * (self.size >= _FEWEST_SMOOTHED)).astype(np.float64)

    @kept
    def positive(self) -> BoolArray:
        """(n,) all values are above 0."""
        out: BoolArray = self.log | (self.lowest > 0)
        return out

    @kept
    def lowest(self) -> FloatArray:
        """(n,) lowest point."""
        return row_min(self.low)

    @kept
    def highest(self) -> FloatArray:
        """(n,) highest point."""
        return row_max(self.high)

    @property
    def middle3(self) -> FloatArray:
        """(n, CELLS) running median of three cells."""
        return self._medians[0]

    @property
    def middle5(self) -> FloatArray:
        """(n, CELLS) running median of five cells, real cells only."""
        return self._medians[1]

    @kept
    def _medians(self) -> tuple[FloatArray, FloatArray]:
        pairs = neighbours(self.mean)
        three = median3(self.mean, pairs)
        return three, running_median(self.mean, self.size, pairs, three)

    @kept
    def axis(self) -> StepAxis:
        """Where the cells lie along the steps."""
        steps = self.distinct_steps
        return StepAxis.of(steps, self.size[: len(steps)])

    @kept
    def distinct_steps(self) -> FloatArray:
        """(n, CELLS) `steps`, (1, CELLS) where all runs share them: what is made of them is made once."""
        one = len(one_if_equal(self.size)) == 1 and not np.count_nonzero(self.steps != self.steps[:1])
        return self.steps[:1] if one else self.steps

    def at(self, grid: FloatArray) -> FloatArray:
        """(n, G) means at grid steps (n, G), or at those (1, G) that all runs share, linear between cells."""
        return self.axis.interpolate(self.mean, grid)

    @kept
    def real(self) -> BoolArray:
        """(n, CELLS) True at real cells."""
        return self.size[:, None] > _COLUMN


@dataclass(eq=False)
class View:
    """The finite points of one channel of n runs in their view.

    Attributes:
        points: steps and viewed values.
        log, scale: (n,) as in `view_of`.
    """

    points: Ragged
    log: BoolArray
    scale: FloatArray

    @classmethod
    def of(cls, channel: Ragged) -> View:
        """Returns the view of a logged channel."""
        return cls.of_finite(channel.finite())

    @classmethod
    def of_finite(cls, channel: Ragged) -> View:
        """Returns the view of a channel that holds finite points only."""
        values, log, scale = view_of(channel)
        return cls(Ragged(channel.steps, values, channel.offsets), log, scale)

    def part(self, start: int, stop: int) -> View:
        """Returns consecutive runs without copying their points."""
        if stop - start == self.points.size:
            return self
        return View(self.points.part(start, stop), self.log[start:stop], self.scale[start:stop])


def view_of(channel: Ragged) -> tuple[FloatArray, BoolArray, FloatArray]:
    """Returns finite values in the view DESIGN's definitions use: log where a positive curve spans decades.

    Args:
        channel: finite points only.

    Returns:
        values (total,), log flag (n,), scale (n,): linear values are divided by the run's largest magnitude, so
        that 1e308 and 1e-308 are as safe as 1.
    """
    bottom, top = segment_extremes(channel.values, channel.offsets)
    with np.errstate(all="ignore"):
        log = (bottom > 0) & (top / np.maximum(bottom, 1e-300) > LOG_SPAN)
        scale = np.maximum(top, -bottom)
        scale[log | ~(scale > 0)] = 1.0
    lengths = channel.lengths
    values = scale.repeat(lengths)
    np.divide(channel.values, values, out=values)
    rows = log.nonzero()[0]
    if len(rows):
        at = places(channel.offsets[rows], lengths[rows])
        values[at] = np.log(np.maximum(channel.values.take(at), 1e-300))
    return values, log, scale


def segment_extremes(values: FloatArray, offsets: IntArray) -> tuple[FloatArray, FloatArray]:
    """(n,) smallest and largest value of each run, NaN for an empty one."""
    filled = (offsets[1:] > offsets[:-1]).nonzero()[0]
    starts = offsets[filled]
    if not len(filled):
        low = high = starts.astype(np.float64)
    else:
        low, high = np.minimum.reduceat(values, starts), np.maximum.reduceat(values, starts)
    if len(filled) == len(offsets) - 1:
        return low, high
    out = np.full((2, len(offsets) - 1), np.nan)
    out[0, filled], out[1, filled] = low, high
    return out[0], out[1]


def segment_max(values: FloatArray, offsets: IntArray) -> FloatArray:
    """(n,) largest value of each run, NaN for an empty one."""
    return segment_extremes(values, offsets)[1]


def segment_min(values: FloatArray, offsets: IntArray) -> FloatArray:
    """(n,) smallest value of each run, NaN for an empty one."""
    return segment_extremes(values, offsets)[0]


def cells_of(channel: Ragged) -> Cells:
    """Reduces one channel of many runs to cells; non-finite points are left out."""
    return cells_in(View.of(channel))


def cells_in(view: View) -> Cells:
    """Reduces one viewed channel of many runs to cells."""
    points, lengths = view.points, view.points.lengths
    if not len(points.values):
        return no_cells(points.size)
    layout, size = Layout.of(points.offsets, lengths, CELLS), np.minimum(lengths, CELLS)
    rough = third_difference(points.values, points.offsets)
    noise, cell_noise, parts = np.zeros(points.size), np.zeros(points.size), []
    for group in layout.groups:
        rows = group.rows
        summary, steps = group.summary(points.values), group.means(points.steps)
        noise[rows], cell_noise[rows] = _noise(summary[0], group.means(rough), lengths[rows])
        parts.append((steps, *summary))
    steps, mean, low, high = map(layout.joined, zip(*parts, strict=True))
    _exact_ends(steps, points, (lengths > CELLS).nonzero()[0])
    return Cells(steps, mean, low, high, size, lengths, view.log, view.scale, noise, cell_noise)


def _noise(mean: FloatArray, rough: FloatArray, count: IntArray) -> tuple[FloatArray, FloatArray]:
    """(n,) robust standard deviations of single points about a smooth curve, and of cell means.

    Args:
        mean: (n, CELLS) cell means of runs that all have a point a cell, or one or two, or more.
        rough: (n, CELLS) means of the points' `third_difference`.
        count: (n,) points.
    """
    if count[0] <= CELLS:
        single = masked_median(rough, count[:, None] > _COLUMN) * (MAD_TO_STD / THIRD_DIFF_STD)
        return np.minimum(single, zigzag(mean, count)), single
    # mean |difference| of a cell's points, or the median over cells that hold a point each
    to_std = (_MEAN_TO_STD if count[0] > 2 * CELLS else MAD_TO_STD) / THIRD_DIFF_STD
    return row_middle(rough) * to_std, row_middle(dense_third_difference(mean)) * (MAD_TO_STD / THIRD_DIFF_STD)


def cell_means(channel: Ragged, values: FloatArray) -> FloatArray:
    """(n, CELLS) means of other values (total,) at the points of a finite channel, over its cells."""
    return Layout.of(channel.offsets, channel.lengths, CELLS).means(values)


@lru_cache(maxsize=4)
def no_cells(n: int) -> Cells:
    """Cells of a channel that none of n runs has; for reading."""
    dense, flat, whole = np.zeros((n, CELLS)), np.zeros(n), np.zeros(n, dtype=np.int64)
    no, one = np.zeros(n, dtype=bool), np.ones(n)
    for shared in (dense, flat, whole, no, one):
        shared.flags.writeable = False
    return Cells(dense, dense, dense, dense, whole, whole, no, one, flat, flat)


def _exact_ends(steps: FloatArray, finite: Ragged, rows: IntArray) -> None:
    """Puts the first and the last logged step at the ends of full rows: a span can reach the ends of the run."""
    steps[rows, 0] = finite.steps[finite.offsets[rows]]
    steps[rows, -1] = finite.steps[finite.offsets[rows + 1] - 1]


def smoothing_width(cells: Cells, spread: FloatArray) -> FloatArray:
    """(n,) half width of the mean in `smooth`, in cells: none for a clean curve, up to an eighth for noise."""
    return np.rint(np.minimum(cells.cell_noise / np.maximum(spread, EPS), _SMOOTHED) * cells.smoothable)


def smooth(cells: Cells) -> FloatArray:
    """(n, CELLS) level of the curve: upward spikes cut by a short running median, then a mean as wide as noise asks.

    A clean curve is left as it is. Only upward outliers are cut: a low point that lasts one epoch is a minimum that
    an engineer would keep the checkpoint of.
    """
    level = np.minimum(cells.mean, cells.middle5)
    return moving_mean(level, smoothing_width(cells, row_spread(level)).astype(np.int64), cells.size)
