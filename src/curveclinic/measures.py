"""Ragged measuring primitives: views, cells, smoothing, noise, jumps, swings, periods.

Everything here is a number about curves, never a decision. The rules apply these primitives to the logged
curve, the generator's truth to the latent one, the features hand them to the network.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from curveclinic.ragged import BoolArray, FloatArray, IntArray, Ragged, blocks

CELLS = 128
"""Cells a channel is reduced to: short runs keep every point, long ones get means of equal counts."""

LOG_SPAN = 30.0
"""A positive channel whose largest value exceeds the smallest by this factor is looked at in logarithms."""

_MAD_TO_STD = 1.4826
"""Standard deviation of a normal distribution over its median absolute deviation."""

_SECOND_DIFF_STD = np.sqrt(1.5)
"""Standard deviation of x[i] - (x[i-1] + x[i+1]) / 2 for white noise of standard deviation 1."""

_TINY = 1e-12

_MAX_PERIOD_POINTS = 2048
"""Longer runs are averaged down to this before the search for a period."""


@dataclass(frozen=True, eq=False)
class Cells:
    """One channel of n runs on at most `CELLS` cells, in its view (see `view_of`).

    Attributes:
        steps, mean, low, high: (n, CELLS) float64, padded on the right with the last real cell.
        size: (n,) number of real cells, 0 where the channel is absent or has no finite value.
        count: (n,) number of finite points.
        log: (n,) True where the view is logarithmic.
        scale: (n,) factor the raw values were divided by before the view (1 in the log view).
        noise: (n,) robust standard deviation of single points about their neighbours, view units.
        cell_noise: (n,) the same of cell means.
        late_noise: (n,) noise of single points over the last half.
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
    late_noise: FloatArray


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
    flat_log = np.repeat(log, lengths)
    values = channel.values / np.repeat(scale, lengths)
    values[flat_log] = np.log(np.maximum(channel.values[flat_log], 1e-300))
    return values, log, scale


def segment_max(values: FloatArray, offsets: IntArray) -> FloatArray:
    """(n,) largest value of each run, NaN for an empty one."""
    return _reduce(np.maximum, values, offsets)


def segment_min(values: FloatArray, offsets: IntArray) -> FloatArray:
    """(n,) smallest value of each run, NaN for an empty one."""
    return _reduce(np.minimum, values, offsets)


def _reduce(ufunc: np.ufunc, values: FloatArray, offsets: IntArray) -> FloatArray:
    out = np.full(len(offsets) - 1, np.nan)
    filled = np.flatnonzero(np.diff(offsets) > 0)
    if len(filled):
        out[filled] = ufunc.reduceat(values, offsets[filled])
    return out


def cells_of(channel: Ragged) -> Cells:
    """Reduces one channel of many runs to cells; non-finite points are left out."""
    finite = channel.finite()
    n = finite.size
    lengths = finite.lengths
    size = np.minimum(lengths, CELLS)
    starts, row, column = _cell_starts(finite.offsets, lengths, size)
    dense = {k: np.zeros((n, CELLS)) for k in ("steps", "mean", "low", "high", "rough")}
    values, log, scale = view_of(finite)
    if len(starts):
        ends = np.append(starts[1:], len(values))
        width = (ends - starts).astype(np.float64)
        dense["mean"][row, column] = np.add.reduceat(values, starts) / width
        dense["steps"][row, column] = np.add.reduceat(finite.steps, starts) / width
        dense["low"][row, column] = np.minimum.reduceat(values, starts)
        dense["high"][row, column] = np.maximum.reduceat(values, starts)
        dense["rough"][row, column] = np.add.reduceat(_second_difference(values, finite.offsets), starts) / width
        # the first and last step are exact, so that a span can reach the ends of the run
        filled = size > 0
        dense["steps"][filled, 0] = finite.steps[finite.offsets[:-1][filled]]
        dense["steps"][filled, size[filled] - 1] = finite.steps[finite.offsets[1:][filled] - 1]
    pad_right(dense, size)
    inner = (np.arange(CELLS) >= np.minimum(1, size[:, None] - 1)) & (np.arange(CELLS) < size[:, None])
    late = inner & (np.arange(CELLS) >= size[:, None] // 2)
    # mean |second difference| within a cell: for normal noise 0.798 std; one point a cell: the median absolute deviation
    per_cell = np.where(lengths > 2 * CELLS, 1.2533, _MAD_TO_STD) / _SECOND_DIFF_STD
    rough_of_means = np.abs(_dense_second_difference(dense["mean"]))
    return Cells(
        dense["steps"], dense["mean"], dense["low"], dense["high"], size.astype(np.int64), lengths, log, scale,
        noise=masked_median(dense["rough"], inner) * per_cell,
        cell_noise=masked_median(rough_of_means, inner) * _MAD_TO_STD / _SECOND_DIFF_STD,
        late_noise=masked_median(dense["rough"], late) * per_cell,
    )  # fmt: skip


def _cell_starts(offsets: IntArray, lengths: IntArray, size: IntArray) -> tuple[IntArray, IntArray, IntArray]:
    """Flat index where every cell starts, with its run and its column."""
    row = np.repeat(np.arange(len(size)), size)
    column = np.arange(len(row)) - np.repeat(np.cumsum(size) - size, size)
    starts = offsets[row] + column * lengths[row] // np.maximum(size[row], 1)
    return starts.astype(np.int64), row, column


def pad_right(dense: dict[str, FloatArray], size: IntArray) -> None:
    """Fills the cells past the last real one with it, in place."""
    last = np.minimum(np.arange(CELLS), np.maximum(size[:, None] - 1, 0))
    for key, array in dense.items():
        dense[key] = np.take_along_axis(array, last, axis=1)


def _second_difference(values: FloatArray, offsets: IntArray) -> FloatArray:
    """|x[i] - (x[i-1] + x[i+1]) / 2| inside runs, the neighbour's value at their ends."""
    out = np.zeros(len(values))
    if len(values) < 3:
        return out
    out[1:-1] = np.abs(values[1:-1] - 0.5 * (values[:-2] + values[2:]))
    lengths = np.diff(offsets)
    long = lengths >= 3
    first, last = offsets[:-1][long], offsets[1:][long] - 1
    out[first], out[last] = out[first + 1], out[last - 1]
    short = np.repeat(~long, lengths)
    out[short] = 0.0
    return out


def _dense_second_difference(mean: FloatArray) -> FloatArray:
    out = np.zeros_like(mean)
    out[:, 1:-1] = mean[:, 1:-1] - 0.5 * (mean[:, :-2] + mean[:, 2:])
    return out


def masked_median(values: FloatArray, mask: BoolArray) -> FloatArray:
    """(n,) lower median of the masked cells of each row, 0 where there is none."""
    return masked_quantile(values, mask, 0.5)


def masked_quantile(values: FloatArray, mask: BoolArray, q: float) -> FloatArray:
    """(n,) lower quantile of the masked cells of each row, 0 where there is none."""
    ordered = np.sort(np.where(mask, values, np.inf), axis=1)
    count = mask.sum(axis=1)
    pick = np.maximum(np.floor((count - 1) * q), 0).astype(np.int64)
    out = ordered[np.arange(len(values)), pick]
    return np.where(count > 0, out, 0.0)


def smooth(cells: Cells) -> FloatArray:
    """(n, CELLS) level of the curve: a short running median, then a mean whose width follows the noise.

    A clean curve is left as it is; a noisy one is averaged over up to +-12 % of its cells.
    """
    level = running_median(cells.mean, 5, cells.size)
    spread = level.max(axis=1) - level.min(axis=1)
    with np.errstate(all="ignore"):
        ratio = np.nan_to_num(cells.cell_noise / np.maximum(spread, _TINY))
    width = np.clip(ratio, 0.0, 0.12) * cells.size * (cells.size >= 8)
    return moving_mean(level, np.rint(width).astype(np.int64), cells.size)


def moving_mean(values: FloatArray, half: IntArray, size: IntArray) -> FloatArray:
    """Centred mean of +-half[i] cells; the window shrinks to a third of that towards the ends."""
    n, width = values.shape
    total = np.concatenate([np.zeros((n, 1)), np.cumsum(values, axis=1)], axis=1)
    position = np.arange(width)[None, :]
    last = np.maximum(size[:, None] - 1, 0)
    left = np.minimum(half[:, None], np.maximum(position, half[:, None] // 3))
    right = np.minimum(half[:, None], np.maximum(last - position, half[:, None] // 3))
    reach = np.minimum(left, right)
    low = np.clip(position - reach, 0, last)
    high = np.clip(position + reach, 0, last)
    out = (np.take_along_axis(total, high + 1, 1) - np.take_along_axis(total, low, 1)) / (high - low + 1)
    return np.where(position <= last, out, np.take_along_axis(out, np.broadcast_to(last, (n, 1)), 1))


def running_median(values: FloatArray, width: int, size: IntArray) -> FloatArray:
    """Centred running median of odd width; runs shorter than 8 cells and the end cells stay as they are."""
    half = width // 2
    out = values.copy()
    if not len(values):
        return out
    windows = np.lib.stride_tricks.sliding_window_view(values, width, axis=1)
    out[:, half:-half] = np.median(windows, axis=2)
    position = np.arange(values.shape[1])[None, :]
    last = size[:, None] - 1
    keep = (size[:, None] < 8) | (position < half) | (position > last - half)
    three = np.median(np.lib.stride_tricks.sliding_window_view(values, 3, axis=1), axis=2)
    near = np.zeros_like(keep)
    near[:, 1:-1] = True
    near &= keep & (size[:, None] >= 8) & (position > 0) & (position < last)
    out = np.where(keep, values, out)
    inner = out[:, 1:-1]
    inner[near[:, 1:-1]] = three[near[:, 1:-1]]
    return out


def resample(steps: FloatArray, values: FloatArray, size: IntArray, grid: FloatArray) -> FloatArray:
    """Linear interpolation of padded cells (n, CELLS) at grid steps (n, G); clamped at the ends."""
    n, width = steps.shape
    if not n:
        return np.zeros_like(grid)
    low = steps[:, :1]
    span = np.maximum(steps[:, -1:] - low, _TINY)
    unit = np.clip((steps - low) / span, 0.0, 1.0)
    unit[np.arange(width)[None, :] >= size[:, None]] = 1.5  # padding sorts after every grid point
    asked = np.clip((grid - low) / span, 0.0, 1.0)
    row = 2.0 * np.arange(n)[:, None]
    right = np.searchsorted((unit + row).ravel(), (asked + row).ravel(), side="right").reshape(grid.shape)
    right = np.clip(right - width * np.arange(n)[:, None], 1, np.maximum(size[:, None] - 1, 1))
    left = right - 1
    x0, x1 = np.take_along_axis(unit, left, 1), np.take_along_axis(unit, right, 1)
    y0, y1 = np.take_along_axis(values, left, 1), np.take_along_axis(values, right, 1)
    weight = np.clip((asked - x0) / np.maximum(x1 - x0, _TINY), 0.0, 1.0)
    return np.where(size[:, None] > 1, y0 + weight * (y1 - y0), values[:, :1])


def common_grid(first: Cells, second: Cells, points: int = CELLS) -> FloatArray:
    """(n, points) evenly spaced steps over the range both channels cover."""
    start = np.maximum(first.steps[:, 0], second.steps[:, 0])
    stop = np.minimum(first.steps[:, -1], second.steps[:, -1])
    stop = np.maximum(stop, start)
    return start[:, None] + (stop - start)[:, None] * np.linspace(0.0, 1.0, points)


def own_grid(cells: Cells, points: int = CELLS) -> FloatArray:
    """(n, points) evenly spaced steps over the channel's own range."""
    start, stop = cells.steps[:, 0], cells.steps[:, -1]
    return start[:, None] + (stop - start)[:, None] * np.linspace(0.0, 1.0, points)


@dataclass(frozen=True, eq=False)
class Jumps:
    """Isolated upward jumps with recovery, view units.

    Attributes:
        prominence: (n, CELLS) height of a cell's highest point above the levels before AND after it, 0 elsewhere.
        first, last: (n,) column of the first and last counted jump, -1 without one.
        count: (n,) jumps higher than `limit`, neighbours counted once.
        largest: (n,) height of the largest jump.
    """

    prominence: FloatArray
    first: IntArray
    last: IntArray
    count: IntArray
    largest: FloatArray


def jumps_of(cells: Cells, limit: FloatArray) -> Jumps:
    """Finds jumps higher than limit (n,), in view units, that the curve recovers from."""
    base = running_median(cells.mean, 5, cells.size)
    n = len(base)
    before, after = np.full_like(base, -np.inf), np.full_like(base, -np.inf)
    if n:
        windows = np.median(np.lib.stride_tricks.sliding_window_view(base, 5, axis=1), axis=2)  # (n, CELLS - 4)
        before[:, 6:] = windows[:, :-2]
        before[:, 1:6] = base[:, 0:5]
        near, far = windows[:, 2:], windows[:, 8:]
        after[:, : near.shape[1]] = near
        after[:, : far.shape[1]] = np.minimum(after[:, : far.shape[1]], far)
        after[:, near.shape[1] :] = base[:, -1:]
    position = np.arange(CELLS)[None, :]
    prominence = cells.high - np.maximum(before, after)
    # a jump needs a point before it and one after it
    inside = (position >= 1) & (position < cells.size[:, None] - 1)
    prominence = np.where(inside & (prominence > 0), prominence, 0.0)
    hit = prominence > limit[:, None]
    starts = hit & ~np.concatenate([np.zeros((n, 1), bool), hit[:, :-1]], axis=1)
    any_hit = hit.any(axis=1)
    first = np.where(any_hit, hit.argmax(axis=1), -1)
    last = np.where(any_hit, CELLS - 1 - hit[:, ::-1].argmax(axis=1), -1)
    return Jumps(prominence, first, last, starts.sum(axis=1), prominence.max(axis=1, initial=0.0))


def autocorrelation_peak(channel: Ragged) -> tuple[FloatArray, FloatArray]:
    """Strength and length of the strongest period of each run, over and above the trend.

    The trend is a centred moving mean over a sixth of the run in the channel's view. Strength is the smaller of the
    autocorrelations at a lag and at its double where that lag is a local maximum at least 3 points long and the
    curve dips between; 0 where there is none. A period must repeat at least four times.

    Returns:
        strength (n,) in [0, 1], period (n,) in points, 0 without one.
    """
    finite = channel.finite()
    values, _, _ = view_of(finite)
    viewed = Ragged(finite.steps, values, finite.offsets)
    strength, period = np.zeros(channel.size), np.zeros(channel.size)
    for block in blocks(viewed, min_points=16):
        factor = int(np.ceil(block.values.shape[1] / _MAX_PERIOD_POINTS))
        dense, mask = (block.values, block.mask) if factor == 1 else _coarse(block.values, block.mask, factor)
        s, p = _period_of(detrend(dense, mask), mask)
        strength[block.rows], period[block.rows] = s, p * factor
    return strength, period


def _coarse(values: FloatArray, mask: BoolArray, factor: int) -> tuple[FloatArray, BoolArray]:
    usable = values.shape[1] // factor * factor
    folded = values[:, :usable].reshape(len(values), -1, factor)
    return folded.mean(axis=2), mask[:, :usable].reshape(len(values), -1, factor).all(axis=2)


def detrend(values: FloatArray, mask: BoolArray) -> FloatArray:
    """Residual about a centred moving mean over a sixth of each row's length, clipped at 4 robust deviations."""
    length = mask.sum(axis=1)
    half = np.maximum(length // 12, 2)
    total = np.concatenate([np.zeros((len(values), 1)), np.cumsum(np.where(mask, values, 0.0), axis=1)], axis=1)
    position = np.arange(values.shape[1])[None, :]
    reach = np.minimum(half[:, None], np.minimum(position, np.maximum(length[:, None] - 1 - position, 0)))
    low = np.clip(position - reach, 0, length[:, None])
    high = np.clip(position + reach + 1, 0, length[:, None])
    level = (np.take_along_axis(total, high, 1) - np.take_along_axis(total, low, 1)) / np.maximum(high - low, 1)
    rest = np.where(mask, values - level, 0.0)
    mid = mask & (position >= half[:, None] // 2) & (position < length[:, None] - half[:, None] // 2)
    bound = 4.0 * _MAD_TO_STD * masked_median(np.abs(rest), mid)[:, None]
    return np.where(mid, np.clip(rest, -bound, bound), 0.0)


def _period_of(rest: FloatArray, mask: BoolArray) -> tuple[FloatArray, FloatArray]:
    n, width = rest.shape
    spectrum = np.fft.rfft(rest, 2 * width, axis=1)
    acf = np.fft.irfft(np.abs(spectrum) ** 2, axis=1)[:, : width // 2 + 1]
    length = mask.sum(axis=1)[:, None]
    lag = np.arange(acf.shape[1])[None, :]
    with np.errstate(all="ignore"):
        acf = np.nan_to_num(acf / acf[:, :1] * (length / np.maximum(length - lag, 1)))
    single = acf[:, : width // 4 + 1]
    peak = np.zeros_like(single, dtype=bool)
    peak[:, 1:-1] = (single[:, 1:-1] >= single[:, :-2]) & (single[:, 1:-1] > single[:, 2:])
    lags = np.arange(single.shape[1])
    doubled = acf[:, np.minimum(2 * lags, acf.shape[1] - 1)]
    near = np.maximum(doubled, np.maximum(acf[:, np.minimum(2 * lags + 1, acf.shape[1] - 1)], acf[:, 2 * lags - (lags > 0)]))
    dip = np.minimum.accumulate(single, axis=1)
    fits = peak & (lags >= 3) & (4 * lags[None, :] <= length)
    score = np.where(fits, np.minimum(np.minimum(single, near), single - dip), 0.0)
    best = score.argmax(axis=1)
    return np.clip(score[np.arange(n), best], 0.0, 1.0), best.astype(np.float64)


def first_true(mask: npt.NDArray[np.bool_]) -> IntArray:
    """(n,) column of the first True of each row, the row's width where there is none."""
    return np.where(mask.any(axis=1), mask.argmax(axis=1), mask.shape[1]).astype(np.int64)
