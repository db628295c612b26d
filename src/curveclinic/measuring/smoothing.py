"""Smoothing and resampling of padded rows: moving means, interpolation, order statistics.

Rows are (n, CELLS) float64, real on the first `size` columns and padded with the last real value after them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any, Final, TypeVar

import numpy as np

from curveclinic.ragged import BoolArray, FloatArray, IntArray

AnyArray = TypeVar("AnyArray", FloatArray, IntArray, BoolArray)
Numbers = TypeVar("Numbers", FloatArray, IntArray)

Tables = tuple[Any, ...]
"""Arrays of W columns that are looked up by size: row k holds what applies to rows of size k."""

EPS: Final[FloatArray] = np.array(1e-12)
"""Smallest divisor, where what is divided by is of size 1; NumPy takes an array faster than a number."""

_EVEN: Final = np.array([1e-3, 1.0])
"""Steps that stray from even spacing by less than this share of a cell are taken as even.

More where all cells are filled: they hold one point or two in turn, which says nothing about the steps.
"""


def middle_of_three(a: FloatArray, b: FloatArray, c: FloatArray) -> FloatArray:
    """Median of three arrays, cell by cell."""
    return np.maximum(np.minimum(a, b), np.minimum(np.maximum(a, b), c))


def row_mean(values: FloatArray) -> FloatArray:
    """(n,) `np.mean` of rows, without its overhead."""
    out: FloatArray = np.add.reduce(values, axis=1) / values.shape[1]
    return out


def row_min(values: FloatArray) -> FloatArray:
    """(n,) smallest of each row: NumPy finds its place several times as fast as the number alone."""
    out: FloatArray = values[row_numbers(len(values)), values.argmin(axis=1)]
    return out


def row_max(values: FloatArray) -> FloatArray:
    """(n,) largest of each row, as `row_min`."""
    out: FloatArray = values[row_numbers(len(values)), values.argmax(axis=1)]
    return out


def row_extremes(values: FloatArray) -> tuple[FloatArray, FloatArray]:
    """(n,) smallest and largest of each row."""
    return row_min(values), row_max(values)


def row_spread(values: FloatArray) -> FloatArray:
    """(n,) largest minus smallest of each row."""
    return row_max(values) - row_min(values)


def reduced_from(reduce: np.ufunc, values: FloatArray, start: IntArray) -> FloatArray:
    """(n,) `reduce` over each row from column start (n,) on: with `np.minimum` the smallest value there."""
    n, width = values.shape
    edges = np.empty((n, 2), dtype=np.int64)
    edges[:, 0], edges[:, 1] = start, width
    edges += row_starts(n, width)
    out: FloatArray = reduce.reduceat(values.ravel(), edges.ravel()[:-1])[::2]
    return out


@lru_cache(maxsize=64)
def row_numbers(n: int) -> IntArray:
    """(n,) 0, 1, 2, ..., for reading."""
    return np.arange(n)


@lru_cache(maxsize=64)
def row_starts(n: int, width: int) -> IntArray:
    """(n, 1) flat place at which each row begins, for reading."""
    return np.arange(0, n * width, width)[:, None]


def row_median(values: FloatArray) -> FloatArray:
    """(n,) `np.median` of rows of an even number of numbers, without its overhead."""
    half = values.shape[1] // 2
    ordered = values.copy()
    ordered.sort(axis=1)  # numpy sorts rows of this length faster than it partitions them
    out: FloatArray = (ordered[:, half - 1] + ordered[:, half]) / 2.0
    return out


def moving_mean(values: FloatArray, half: IntArray, size: IntArray) -> FloatArray:
    """Centred mean of +-half[i] cells; the window shrinks to a third of that towards the ends."""
    rows = half.nonzero()[0]
    if len(rows) < len(half) or not len(rows):
        out: FloatArray = values.copy()
        if len(rows):
            out[rows] = moving_mean(values[rows], half[rows], size[rows])
        return out
    return windowed(values, *windows_of(values.shape[1], half, size))


def moving_mean_of_full(values: FloatArray, half: int) -> FloatArray:
    """`moving_mean` of rows without padding, of +-half cells in all of them."""
    width = values.shape[1]
    return windowed(values, *window(width, half, width))


def windowed(values: FloatArray, low: IntArray, stop: IntArray, count: FloatArray) -> FloatArray:
    """Means of windows as `windows` gives them, (1, W) for all rows or (n, W)."""
    total = running_total(values)
    if len(stop) == 1:
        means: FloatArray = total.take(stop[0], axis=1)
        means -= total.take(low[0], axis=1)
    else:
        means = take_columns(total, stop)
        means -= take_columns(total, low)
    means /= count
    return means


def running_total(values: FloatArray) -> FloatArray:
    """(n, W + 1) sum of the columns before each one."""
    n, width = values.shape
    total = np.empty((n, width + 1))
    total[:, 0] = 0.0
    np.add.accumulate(values, axis=1, out=total[:, 1:])
    return total


@lru_cache(maxsize=4096)
def window(width: int, half: int, size: int) -> tuple[IntArray, IntArray, FloatArray]:
    """(1, width) what `windows` says of a row of that size."""
    return windows(width, np.array([[half]]), np.array([[size]]))


def windows(width: int, half: IntArray, size: IntArray) -> tuple[IntArray, IntArray, FloatArray]:
    """(n, width) first column, column after the last one, and length of the windows of rows of sizes (n, 1)."""
    last = np.maximum(size - 1, 0)
    position = np.minimum(np.arange(width), last)
    reach = np.minimum(half, np.maximum(np.minimum(position, last - position), half // 3))
    low, stop = np.maximum(position - reach, 0), np.minimum(position + reach, last) + 1
    return low, stop, (stop - low).astype(np.float64)


def windows_of(width: int, half: IntArray, size: IntArray) -> tuple[IntArray, IntArray, FloatArray]:
    """`windows` of rows by their halves and sizes (n,), (1, W) where all are alike: few occur, and all the time."""
    code = half * (width + 1) + size
    known = np.bincount(code).nonzero()[0]
    parts = [window(width, *divmod(one, width + 1)) for one in known.tolist()]
    if len(parts) == 1:
        return parts[0]
    place = np.empty(known[-1] + 1, dtype=np.int64)
    place[known] = row_numbers(len(known))
    rows = place[code]
    low, stop, count = (np.concatenate(part).take(rows, axis=0) for part in zip(*parts, strict=True))
    return low, stop, count


def rows_of(tables: Tables, size: IntArray) -> tuple[Any, ...]:
    """The rows of some tables for sizes (n,), or for the one (1,) that all share."""
    if len(size) == 1:
        row = size.item()
        return tuple(table[row : row + 1] for table in tables)
    return tuple(table.take(size, axis=0) for table in tables)


def one_if_equal(numbers: Numbers) -> Numbers:
    """(1,) the number that all rows share, else the numbers (n,): what follows from one is worked out once."""
    first = numbers[:1]
    return numbers if True in (numbers != first).tolist() else first


def take_columns(values: FloatArray, index: IntArray) -> FloatArray:
    """Cells of every row at the given columns, (1, W) for all rows or (n, W)."""
    out: FloatArray
    if len(index) == 1:
        out = values.take(index[0], axis=1, mode="clip")
    else:
        out = values.take(index + row_starts(*values.shape), mode="clip")  # "clip" saves the check of the bounds
    return out


def row_ranks(values: FloatArray) -> FloatArray:
    """(n, W) place of each value among those of its row."""
    order: IntArray = values.argsort(axis=1, kind="stable").argsort(axis=1, kind="stable")
    return order.astype(np.float64)


def row_correlation(a: FloatArray, b: FloatArray, real: BoolArray | bool = True) -> FloatArray:
    """(n,) correlation of the rows of two arrays over their real cells, 0 where one of them never changes."""
    a, b = ((x - x.mean(axis=1, keepdims=True, where=real)) * real for x in (a, b))
    size = np.sqrt((a * a).sum(axis=1) * (b * b).sum(axis=1))
    out: FloatArray = (a * b).sum(axis=1) / np.maximum(size, EPS)
    return out


def resample(steps: FloatArray, values: FloatArray, size: IntArray, grid: FloatArray) -> FloatArray:
    """Linear interpolation of padded cells (n, CELLS) at grid steps (n, G); clamped at the ends."""
    if steps.shape == grid.shape and np.array_equal(steps, grid):
        return values
    return StepAxis.of(steps, size).interpolate(values, grid)


def resample_even(steps: FloatArray, values: FloatArray, start: FloatArray, stop: FloatArray) -> FloatArray:
    """Values on even steps (n, W) at as many even steps from start (n,) to stop (n,), clamped at the ends."""
    first, last, width = steps[:, 0], steps[:, -1], steps.shape[1]
    rows = ((first != start) | (last != stop)).nonzero()[0]
    if not len(rows):
        return values
    first, start, stop = first[rows], start[rows], stop[rows]
    share = (even_grid(start, stop, width) - first[:, None]) / np.maximum(last[rows] - first, EPS)[:, None]
    position = np.minimum(np.maximum(share, 0.0), 1.0) * (width - 1)
    out: FloatArray = values.copy()
    out[rows] = interpolate(values[rows], np.full(len(rows), width), position)
    return out


@dataclass(eq=False)
class StepAxis:
    """Where the cells of n runs lie along their steps, made once for every grid they are asked for on.

    Runs that share their steps may be given as one row.

    Attributes:
        low, span: (n, 1) first step, and the distance from there to the last one.
        unit: (n, CELLS) share of that distance at which each cell lies.
        size: (n,) number of real cells.
        uneven: (n,) True where steps are not evenly spaced.
    """

    low: FloatArray
    span: FloatArray
    unit: FloatArray
    size: IntArray
    uneven: BoolArray

    @classmethod
    def of(cls, steps: FloatArray, size: IntArray) -> StepAxis:
        """Returns the axis of padded steps (n, CELLS)."""
        low, width = steps[:, :1], steps.shape[1]
        span = np.maximum(steps[:, -1:] - low, EPS)
        unit, last = steps - low, np.maximum(one_if_equal(size) - 1.0, 1.0)[:, None]
        unit /= span
        apart = unit * last
        apart -= np.minimum(float_range(width), last)
        straying = row_max(np.abs(apart, out=apart))
        return cls(low, span, unit, size, (straying > _EVEN.take(size == width)) & (size > 1))

    def take(self, rows: IntArray) -> StepAxis:
        """Returns the axis of the given runs, in that order."""
        return StepAxis(self.low[rows], self.span[rows], self.unit[rows], self.size[rows], self.uneven[rows])

    def interpolate(self, values: FloatArray, grid: FloatArray) -> FloatArray:
        """(n, G) linear interpolation of cell values (n, CELLS) at grid steps (n, G); clamped at the ends.

        Where runs share their steps they may share the grid, too: (1, G).
        """
        if len(grid) > len(self.size):
            return self.take(np.zeros(len(grid), dtype=np.int64)).interpolate(values, grid)
        share = grid - self.low
        share /= self.span
        return self._at_shares(values, np.minimum(np.maximum(share, 0.0, out=share), 1.0, out=share))

    def evened(self, values: FloatArray) -> FloatArray:
        """(n, CELLS) cell values at even steps from the first to the last one of each run."""
        width = values.shape[1]
        rows = (self.uneven | (self.size < width)).nonzero()[0]
        if not len(rows):
            return values
        if len(self.size) == 1:
            return self._at_shares(values, _shares(width)[None])
        out: FloatArray = values.copy()
        out[rows] = self.take(rows)._at_shares(values[rows], np.broadcast_to(_shares(width), (len(rows), width)))
        return out

    def _at_shares(self, values: FloatArray, share: FloatArray) -> FloatArray:
        """(n, G) cell values at shares (n, G), or (1, G), of the way from the first to the last step."""
        position = share * np.maximum(self.size - 1.0, 1.0)[:, None]
        rows = self.uneven.nonzero()[0]
        if len(rows):
            position[rows] = _searched(self.unit[rows], self.size[rows], share[rows])
        return interpolate(values, self.size, position)


def _searched(unit: FloatArray, size: IntArray, asked: FloatArray) -> FloatArray:
    n, width = unit.shape
    unit = np.minimum(np.maximum(unit, 0.0), 1.0)
    unit[np.arange(width) >= size[:, None]] = 1.5  # padding sorts after every grid point
    row = np.arange(n)[:, None]
    right = np.searchsorted((unit + 2.0 * row).ravel(), (asked + 2.0 * row).ravel(), side="right").reshape(asked.shape)
    right = np.minimum(np.maximum(right - width * row, 1), np.maximum(size[:, None] - 1, 1))
    flat = unit.ravel()
    x0, x1 = flat.take(row * width + right - 1), flat.take(row * width + right)
    out: FloatArray = right - 1 + np.minimum(np.maximum((asked - x0) / np.maximum(x1 - x0, EPS), 0.0), 1.0)
    return out


def interpolate(values: FloatArray, size: IntArray, position: FloatArray) -> FloatArray:
    """Values (n, W) at fractional columns (n, G), (1, G) for all rows; so are their sizes, (n,) or (1,)."""
    before = np.minimum(np.floor(position), np.maximum(size - 2.0, 0.0)[:, None])
    weight = position - before
    left = before.astype(np.int64)
    y0 = take_columns(values, left)
    left += 1
    out = take_columns(values, left)
    out -= y0
    out *= weight
    out += y0
    if np.count_nonzero(size <= 1):
        single = np.broadcast_to(size <= 1, len(values))
        out[single] = values[single, :1]
    return out


def even_grid(start: FloatArray, stop: FloatArray, points: int) -> FloatArray:
    """(n, points) evenly spaced steps."""
    return start[:, None] + (stop - start)[:, None] * _shares(points)


@cache
def float_range(count: int) -> FloatArray:
    """(count,) 0, 1, 2, ..., for reading."""
    return np.arange(count, dtype=np.float64)


@cache
def _shares(points: int) -> FloatArray:
    """(points,) evenly spaced from 0 to 1."""
    return np.linspace(0.0, 1.0, points)


def split_losses(rows: AnyArray) -> tuple[AnyArray, AnyArray]:
    """The first and the second half of the rows: train's and val's where both losses are stacked."""
    n = len(rows) // 2
    return rows[:n], rows[n:]


def swap_losses(rows: AnyArray) -> AnyArray:
    """(2 n,) the second half, then the first: for each run of two stacked losses what its other loss has."""
    return rows.reshape(2, -1)[::-1].reshape(-1)


def repeat_for_both(rows: AnyArray) -> AnyArray:
    """The rows, and the same rows again: for each run of two stacked losses what both of them share."""
    return np.concatenate((rows, rows))


def row_count(mask: BoolArray) -> IntArray:
    """(n,) True cells of rows of at most 255, several times as fast as their `sum`."""
    out: IntArray = np.add.reduce(mask.view(np.uint8), axis=1, dtype=np.uint8).astype(np.int64)
    return out


def row_middle(values: FloatArray) -> FloatArray:
    """(n,) lower median of each row."""
    ordered = values.copy()
    ordered.sort(axis=1)
    out: FloatArray = ordered[:, (values.shape[1] - 1) // 2]
    return out


def masked_sort(values: FloatArray, mask: BoolArray) -> tuple[FloatArray, IntArray]:
    """Rows sorted with the masked cells first, and how many they are."""
    ordered = np.where(mask, values, np.inf)
    ordered.sort(axis=1)
    return ordered, mask.sum(axis=1)


def quantile_of(ordered: FloatArray, count: IntArray, q: float) -> FloatArray:
    """(n,) lower quantile of what `masked_sort` returned, 0 for an empty row."""
    pick = ((count - 1) * q).astype(np.int64)  # 0 for an empty row
    return np.where(count > 0, ordered[np.arange(len(ordered)), pick], 0.0)


def masked_median(values: FloatArray, mask: BoolArray) -> FloatArray:
    """(n,) lower median of the masked cells of each row, 0 where there is none."""
    return masked_quantile(values, mask, 0.5)


def masked_quantile(values: FloatArray, mask: BoolArray, q: float) -> FloatArray:
    """(n,) lower quantile of the masked cells of each row, 0 where there is none."""
    return quantile_of(*masked_sort(values, mask), q)
