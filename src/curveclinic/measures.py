"""Measuring primitives on ragged channels: views, extremes, cells, noise.

Everything here is a number about curves, never a decision. The rules apply these primitives to the logged
curve, the generator's truth to the latent one, the features hand them to the network.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cached_property

import numpy as np

from curveclinic.ragged import BoolArray, FloatArray, IntArray, Ragged
from curveclinic.smoothing import masked_median, masked_quantile, median3, moving_mean, running_median

CELLS = 128
"""Cells a channel is reduced to: short runs keep every point, long ones get means of equal counts."""

LOG_SPAN = 30.0
"""A positive channel whose largest value exceeds the smallest by this factor is looked at in logarithms."""

MAD_TO_STD = 1.4826
"""Standard deviation of a normal distribution over its median absolute deviation."""

_MEAN_TO_STD = 1.2533
"""Standard deviation of a normal distribution over its mean absolute deviation."""

_THIRD_DIFF_STD = np.sqrt(20.0)
"""Standard deviation of x[i+2] - 3 x[i+1] + 3 x[i] - x[i-1] for white noise of standard deviation 1."""

_ZIGZAG_QUANTILE = 0.65
"""Quantile of the distances in `_zigzag`: a third of them is 0 in white noise, spikes are rarer than the others."""

_MID_TO_STD = 1.0 / 0.651
"""Standard deviation of white noise over that quantile of its distances."""

_SMOOTHED = 0.12
"""Largest half width of the mean in `smooth`, as a share of the cells."""

_TINY = 1e-12


@dataclass(frozen=True, eq=False)
class Cells:
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

    def take(self, rows: IntArray) -> Cells:
        """Returns the given runs, in that order."""
        return Cells(**{f.name: getattr(self, f.name)[rows] for f in fields(self)})

    @cached_property
    def middle3(self) -> FloatArray:
        """(n, CELLS) running median of three cells."""
        return median3(self.mean)

    @cached_property
    def middle5(self) -> FloatArray:
        """(n, CELLS) running median of five cells, real cells only."""
        return running_median(self.mean, self.size)

    @cached_property
    def real(self) -> BoolArray:
        """(n, CELLS) True at real cells."""
        return np.arange(CELLS) < self.size[:, None]


def view_of(channel: Ragged) -> tuple[FloatArray, BoolArray, FloatArray]:
    """Returns finite values in the view DESIGN's definitions use: log where a positive curve spans decades.

    Args:
        channel: finite points only.

    Returns:
        values (total,), log flag (n,), scale (n,): linear values are divided by the run's largest magnitude, so
        that 1e308 and 1e-308 are as safe as 1.
    """
    top, bottom = segment_max(channel.values, channel.offsets), segment_min(channel.values, channel.offsets)
    with np.errstate(all="ignore"):
        log = (bottom > 0) & (top / np.maximum(bottom, 1e-300) > LOG_SPAN)
    magnitude = np.maximum(np.abs(top), np.abs(bottom))
    scale = np.where(log | (magnitude == 0) | ~np.isfinite(magnitude), 1.0, magnitude)
    lengths = channel.lengths
    values = channel.values / np.repeat(scale, lengths)
    if log.any():
        flat_log = np.repeat(log, lengths)
        values[flat_log] = np.log(np.maximum(channel.values[flat_log], 1e-300))
    return values, log, scale


def segment_max(values: FloatArray, offsets: IntArray) -> FloatArray:
    """(n,) largest value of each run, NaN for an empty one."""
    return _reduce(np.maximum, values, offsets)


def segment_min(values: FloatArray, offsets: IntArray) -> FloatArray:
    """(n,) smallest value of each run, NaN for an empty one."""
    return _reduce(np.minimum, values, offsets)


def _reduce(ufunc: np.ufunc, values: FloatArray, offsets: IntArray) -> FloatArray:
    filled = offsets[1:] > offsets[:-1]
    if filled.all() and len(filled):
        whole: FloatArray = ufunc.reduceat(values, offsets[:-1])
        return whole
    out = np.full(len(filled), np.nan)
    if filled.any():
        out[filled] = ufunc.reduceat(values, offsets[:-1][filled])
    return out


def cells_of(channel: Ragged) -> Cells:
    """Reduces one channel of many runs to cells; non-finite points are left out."""
    finite = channel.finite()
    if not len(finite.values):
        return _empty(channel.size)
    lengths = finite.lengths
    if not lengths.all():
        return _among_absent(finite)
    size = np.minimum(lengths, CELLS)
    values, log, scale = view_of(finite)
    rough = _third_difference(values, finite.offsets)
    layout = _Layout.of(finite.offsets, lengths, size)
    mean, steps, dense_rough = (layout.means(x) for x in (values, finite.steps, rough))
    _exact_ends(steps, finite, size)
    inner = np.arange(CELLS) < size[:, None]
    # mean |difference| of a cell's points, or the median over cells that hold a point each
    per_cell = np.where(lengths > 2 * CELLS, _MEAN_TO_STD, MAD_TO_STD) / _THIRD_DIFF_STD
    middle = masked_median(dense_rough, inner)
    noise, cell_noise = middle * per_cell, middle * (MAD_TO_STD / _THIRD_DIFF_STD)
    few = lengths <= CELLS
    if few.any():
        noise = np.where(few, np.minimum(noise, _zigzag(mean, size)), noise)
    if not few.all():
        several = _dense_third_difference(mean[~few])
        cell_noise[~few] = masked_median(several, inner[~few]) * (MAD_TO_STD / _THIRD_DIFF_STD)
    low, high = (mean if layout.starts is None else layout.extremes(f, values) for f in (np.minimum, np.maximum))
    return Cells(
        steps, mean, low, high, size, lengths, log, scale,
        noise=noise,
        cell_noise=cell_noise,
    )  # fmt: skip


def _among_absent(channel: Ragged) -> Cells:
    """Cells of a finite channel that some runs lack, reduced without them."""
    rows = np.flatnonzero(channel.lengths)
    packed = Ragged(channel.steps, channel.values, np.append(channel.offsets[rows], channel.offsets[-1]))
    found, out = cells_of(packed), {}
    for f in fields(found):
        values = getattr(found, f.name)
        out[f.name] = np.full((channel.size, *values.shape[1:]), f.name == "scale", dtype=values.dtype)
        out[f.name][rows] = values
    return Cells(**out)


def cell_means(channel: Ragged, *values: FloatArray) -> list[FloatArray]:
    """(n, CELLS) means of other values (total,) at the points of a finite channel, over the cells of `cells_of`."""
    lengths = channel.lengths
    if not len(channel.values):
        return [np.zeros((channel.size, CELLS)) for _ in values]
    layout = _Layout.of(channel.offsets, lengths, np.minimum(lengths, CELLS))
    return [layout.means(x) for x in values]


def _empty(n: int) -> Cells:
    dense, flat, whole = np.zeros((n, CELLS)), np.zeros(n), np.zeros(n, dtype=np.int64)
    no = np.zeros(n, dtype=bool)
    return Cells(dense, dense, dense, dense, whole, whole, no, np.ones(n), flat, flat)


def _zigzag(mean: FloatArray, size: IntArray) -> FloatArray:
    """(n,) standard deviation of single points by how far they lie from the middle of themselves and their neighbours.

    Blind to slopes, and a spike spoils one point only, where the third difference is spoilt at four: with few points
    that matters.
    """
    column = np.arange(CELLS)
    inner = (column >= 1) & (column < size[:, None] - 1)
    return masked_quantile(np.abs(mean - median3(mean)), inner, _ZIGZAG_QUANTILE) * _MID_TO_STD


@dataclass(frozen=True, eq=False)
class _Layout:
    """Where cells lie in a flat channel.

    Attributes:
        index: (n, CELLS) place of each cell among all cells; padding repeats the last real one.
        absent: rows without a cell.
        starts: flat index of each cell's first point; None where every cell is one point.
        width: points of each cell.
    """

    index: IntArray
    absent: IntArray
    starts: IntArray | None
    width: FloatArray | None

    @classmethod
    def of(cls, offsets: IntArray, lengths: IntArray, size: IntArray) -> _Layout:
        before = np.cumsum(size) - size
        index = before[:, None] + np.minimum(np.arange(CELLS), np.maximum(size[:, None] - 1, 0))
        index, absent = np.minimum(index, size.sum() - 1), np.flatnonzero(size == 0)
        if lengths.max() <= CELLS:
            return cls(index, absent, None, None)
        column = np.arange(size.sum()) - np.repeat(before, size)
        starts = np.repeat(offsets[:-1], size) + column * np.repeat(np.maximum(lengths, CELLS), size) // CELLS
        return cls(index, absent, starts, np.diff(np.append(starts, offsets[-1])).astype(np.float64))

    def means(self, values: FloatArray) -> FloatArray:
        """(n, CELLS) mean of each cell's points."""
        if self.starts is None or self.width is None:
            return self._spread(values)
        return self._spread(np.add.reduceat(values, self.starts) / self.width)

    def extremes(self, ufunc: np.ufunc, values: FloatArray) -> FloatArray:
        """(n, CELLS) smallest or largest of each cell's points."""
        return self._spread(values if self.starts is None else ufunc.reduceat(values, self.starts))

    def _spread(self, cells: FloatArray) -> FloatArray:
        out: FloatArray = cells.take(self.index)
        out[self.absent] = 0.0
        return out


def _exact_ends(steps: FloatArray, finite: Ragged, size: IntArray) -> None:
    """Puts the first and the last logged step at the ends, so that a span can reach the ends of the run."""
    filled = size > 0
    last = finite.steps[np.maximum(finite.offsets[1:] - 1, 0)]
    np.copyto(steps, last[:, None], where=filled[:, None] & (np.arange(CELLS) >= size[:, None] - 1))
    steps[filled, 0] = finite.steps[finite.offsets[:-1][filled]]


def _third_difference(values: FloatArray, offsets: IntArray) -> FloatArray:
    """|x[i+2] - 3 x[i+1] + 3 x[i] - x[i-1]| inside runs, the neighbour's value near their ends.

    A smooth curve, even a steep one, has next to none; runs of fewer than 4 points have none.
    """
    out = np.zeros(len(values))
    if len(values) >= 4:
        out[1:-2] = np.abs(values[3:] - values[:-3] - 3.0 * (values[2:-1] - values[1:-2]))
    lengths = np.diff(offsets)
    long = lengths >= 4
    first, stop = offsets[:-1][long], offsets[1:][long]
    out[first], out[stop - 2], out[stop - 1] = out[first + 1], out[stop - 3], out[stop - 3]
    if not long.all():
        out[np.repeat(~long, lengths)] = 0.0
    return out


def _dense_third_difference(mean: FloatArray) -> FloatArray:
    """`_third_difference` of rows whose cells are all filled."""
    out = np.empty_like(mean)
    out[:, 1:-2] = np.abs(mean[:, 3:] - mean[:, :-3] - 3.0 * (mean[:, 2:-1] - mean[:, 1:-2]))
    out[:, 0] = out[:, 1]
    out[:, -2:] = out[:, -3:-2]
    return out


def smoothing_width(cells: Cells, spread: FloatArray) -> FloatArray:
    """(n,) half width of the mean in `smooth`, in cells: none for a clean curve, up to an eighth for noise."""
    ratio = np.minimum(cells.cell_noise / np.maximum(spread, _TINY), _SMOOTHED)
    return np.rint(ratio * cells.size * (cells.size >= 8))


def smooth(cells: Cells) -> FloatArray:
    """(n, CELLS) level of the curve: upward spikes cut by a short running median, then a mean as wide as noise asks.

    A clean curve is left as it is. Only upward outliers are cut: a low point that lasts one epoch is a minimum that
    an engineer would keep the checkpoint of.
    """
    level = np.minimum(cells.mean, cells.middle5)
    spread = level.max(axis=1) - level.min(axis=1)
    return moving_mean(level, smoothing_width(cells, spread).astype(np.int64), cells.size)
