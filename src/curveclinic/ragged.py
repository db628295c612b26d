"""Many runs as one ragged batch: flat arrays with offsets, and dense blocks cut from them for vector work.

Records of arrays, here and in what is measured, are never written to, but not frozen either: a frozen one takes five
times as long to make, and of a single run dozens are made.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Final

import numpy as np

from curveclinic.kept import kept
from curveclinic.labels import CHANNELS, MetricGoal
from curveclinic.layers import layer_ratio
from curveclinic.points import BoolArray as BoolArray
from curveclinic.points import FloatArray as FloatArray
from curveclinic.points import IntArray as IntArray
from curveclinic.run import Run

_BLOCK_GROWTH = 1.3
"""Lengths within this factor share a block: at most 30 % padding, about 9 blocks a decade."""

_BLOCK_CELLS = 1 << 18
"""Most cells of a block (2 MiB of float64): measured fastest while the working set stays in cache."""

_STRETCH = 4
"""Neighbours from which it pays on average to copy them whole."""

_SIGNS: Final[dict[MetricGoal | None, float]] = {"max": 1.0, "min": -1.0, None: 0.0}
"""What `Batch.metric_sign` holds for each goal."""


def offsets_of(lengths: IntArray) -> IntArray:
    """(n + 1,) where runs of these lengths begin one after another, and where the last one ends."""
    offsets = np.zeros(len(lengths) + 1, dtype=np.int64)
    np.add.accumulate(lengths, out=offsets[1:])
    return offsets


def places(begin: IntArray, lengths: IntArray) -> IntArray:
    """(total,) flat index of the points of runs that begin at (n,) and have so many points (n,)."""
    ends = np.add.accumulate(lengths, dtype=np.int64)
    index: IntArray = np.repeat(begin - (ends - lengths), lengths)
    index += np.arange(len(index))
    return index


@dataclass(eq=False)
class Ragged:
    """One channel of n runs.

    Attributes:
        steps: (total,) float64, strictly increasing inside a run.
        values: (total,) float64, NaN and Inf are data.
        offsets: (n + 1,) int64; run i is the slice offsets[i]:offsets[i + 1]; empty where it is absent.
        lengths: (n,) number of points of every run.
        size: n.
    """

    steps: FloatArray
    values: FloatArray
    offsets: IntArray
    lengths: IntArray = field(init=False)

    def __post_init__(self) -> None:
        self.lengths = self.offsets[1:] - self.offsets[:-1]
        self.size: int = len(self.lengths)

    def finite(self) -> Ragged:
        """Returns the same channel with NaN and Inf points left out."""
        return self._finite if len(self.bad) else self

    def values_of(self, row: int) -> FloatArray:
        """Returns the values of one run, without copying them."""
        return self.values[self.offsets[row] : self.offsets[row + 1]]

    def where(self, keep: BoolArray) -> Ragged:
        """Returns the same channel with those of its points (total,) that are kept."""
        before = np.zeros(len(keep) + 1, dtype=np.int64)
        np.cumsum(keep, out=before[1:])
        return Ragged(self.steps[keep], self.values[keep], before[self.offsets])

    @kept
    def _finite(self) -> Ragged:
        keep = np.ones(len(self.values), dtype=bool)
        keep[self.bad] = False
        return Ragged(self.steps[keep], self.values[keep], self.offsets - self.bad.searchsorted(self.offsets))

    @kept
    def bad(self) -> IntArray:
        """(k,) flat index of every point that is NaN or Inf."""
        return (~np.isfinite(self.values)).nonzero()[0]

    @kept
    def finite_lengths(self) -> IntArray:
        """(n,) number of points of every run that are neither NaN nor Inf."""
        before = self.bad.searchsorted(self.offsets)
        return self.lengths - (before[1:] - before[:-1])

    def take(self, rows: IntArray) -> Ragged:
        """Returns the given runs, in that order."""
        if _is_stretch(rows):
            return self.part(int(rows[0]), int(rows[-1]) + 1)
        lengths = self.lengths[rows]
        offsets = offsets_of(lengths)
        if not offsets[-1]:
            return Ragged(self.steps[:0], self.values[:0], offsets)
        ends = np.append((rows[1:] != rows[:-1] + 1).nonzero()[0], len(rows) - 1) + 1
        if len(ends) * _STRETCH > len(rows):
            index = places(self.offsets[rows], lengths)
            return Ragged(self.steps.take(index), self.values.take(index), offsets)
        # stretches of neighbours are copied whole
        first, stop = self.offsets[rows[np.append(0, ends[:-1])]].tolist(), self.offsets[rows[ends - 1] + 1].tolist()
        steps, values = (
            np.concatenate([flat[a:b] for a, b in zip(first, stop, strict=True)]) for flat in (self.steps, self.values)
        )
        return Ragged(steps, values, offsets)

    def part(self, start: int, stop: int) -> Ragged:
        """Returns consecutive runs without copying their points."""
        if stop - start == self.size:
            return self
        first, last = self.offsets[start], self.offsets[stop]
        return Ragged(self.steps[first:last], self.values[first:last], self.offsets[start : stop + 1] - first)

    @classmethod
    def stacked(cls, channels: Sequence[Ragged]) -> Ragged:
        """Returns the runs of several channels one after another, as the runs of one."""
        lengths = np.concatenate([channel.lengths for channel in channels])
        return cls(
            np.concatenate([channel.steps for channel in channels]),
            np.concatenate([channel.values for channel in channels]),
            offsets_of(lengths),
        )

    @classmethod
    def from_list(cls, parts: Sequence[tuple[FloatArray, FloatArray]]) -> Ragged:
        """Builds a channel from one (steps, values) pair a run."""
        offsets = np.array([0, *accumulate([len(v) for _, v in parts])], dtype=np.int64)
        if len(parts) < 2:
            steps, values = parts[0] if len(parts) else (np.empty(0), np.empty(0))
            return cls(np.asarray(steps, dtype=np.float64), np.asarray(values, dtype=np.float64), offsets)
        steps, values = (np.concatenate([part[k] for part in parts], dtype=np.float64) for k in (0, 1))
        return cls(steps, values, offsets)


def _is_stretch(rows: IntArray) -> bool:
    """Whether rows are some neighbours in their order."""
    n = len(rows)
    return n > 0 and rows[-1] - rows[0] == n - 1 and not np.count_nonzero(rows[1:] - rows[:-1] != 1)


@dataclass(eq=False)
class Block:
    """Runs of similar length as one padded array.

    Attributes:
        rows: (m,) index of each run in the batch.
        values: (m, L) float64, padded on the right with the last value.
        lengths: (m,) number of real points, at least 1.
    """

    rows: IntArray
    values: FloatArray
    lengths: IntArray


def blocks(channel: Ragged, min_points: int = 1, spare: int = 0) -> Iterator[Block]:
    """Yields dense blocks that together hold every run of at least `min_points` points, and at least 1, once.

    They are for reading: runs of one length are not copied. Runs share a block where their lengths are alike, and
    however they differ up to `spare` cells of padding in all: what is done to a block costs as much as some cells.
    """
    lengths = channel.lengths
    if channel.size and lengths[0] >= max(min_points, 1) and _is_block(channel):
        yield Block(np.arange(channel.size), channel.values.reshape(channel.size, -1), lengths)
        return
    order = np.argsort(lengths, kind="stable")
    ascending = lengths[order]
    start = int(ascending.searchsorted(max(min_points, 1)))
    while start < len(order):
        shortest, within = int(ascending[start]), ascending[start:]
        padding = within * np.arange(1, len(within) + 1) - np.add.accumulate(within)  # of so many runs
        alike = int(ascending.searchsorted(max(shortest * _BLOCK_GROWTH, shortest + 1)))
        stop = max(alike, start + int(padding.searchsorted(spare, side="right")))
        stop = min(stop, start + max(1, _BLOCK_CELLS // int(ascending[stop - 1])))
        rows, within = order[start:stop], ascending[start:stop]
        index = channel.offsets[rows, None] + np.minimum(np.arange(within[-1]), within[:, None] - 1)
        yield Block(rows, channel.values.take(index), within)
        start = stop


def _is_block(channel: Ragged) -> bool:
    """Whether all runs are of one length and together no larger than a block."""
    lengths = channel.lengths
    return len(channel.values) <= _BLOCK_CELLS and np.count_nonzero(lengths == lengths[0]) == len(lengths)


@dataclass(eq=False)
class Batch:
    """n runs, ready for the rules, the encoder and the features.

    Attributes:
        channels: every name of `labels.CHANNELS`; an absent channel is an empty slice.
        num_classes: (n,) float64, NaN where unknown.
        metric_sign: (n,) +1.0 where a larger metric is better, -1.0 where a smaller one is, 0.0 where nobody says.
        layer_ratio: (n,) ratio of the median gradient norm of the first layer to that of the last, NaN if unknown.
    """

    channels: Mapping[str, Ragged]
    num_classes: FloatArray
    metric_sign: FloatArray
    layer_ratio: FloatArray

    @kept
    def size(self) -> int:
        """Number of runs."""
        return len(self.num_classes)

    @kept
    def finite_counts(self) -> IntArray:
        """(n, 6) finite points of every channel in the order of `labels.CHANNELS`, -1 where a channel is absent."""
        out = np.empty((self.size, len(CHANNELS)), dtype=np.int64)
        out.fill(-1)
        for column, name in enumerate(CHANNELS):
            channel = self.channels[name]
            if len(channel.values):
                out[:, column] = np.where(channel.lengths > 0, channel.finite_lengths, -1)
        return out

    def by_shape(self) -> IntArray:
        """(n,) the runs, those of as many finite points next to one another: of train loss, of val loss, and so on."""
        order: IntArray = np.lexsort(self.finite_counts.T[::-1])
        return order

    def take(self, rows: IntArray) -> Batch:
        """Returns the given runs, in that order."""
        return Batch(
            {name: channel.take(rows) for name, channel in self.channels.items()},
            self.num_classes[rows],
            self.metric_sign[rows],
            self.layer_ratio[rows],
        )

    def part(self, start: int, stop: int) -> Batch:
        """Returns consecutive runs without copying their points."""
        return Batch(
            {name: channel.part(start, stop) for name, channel in self.channels.items()},
            self.num_classes[start:stop],
            self.metric_sign[start:stop],
            self.layer_ratio[start:stop],
        )

    @classmethod
    def from_runs(cls, runs: Sequence[Run]) -> Batch:
        """Packs runs into one batch; the only place where runs are walked one by one."""
        empty = np.empty(0)
        packed = dict.fromkeys(CHANNELS, Ragged(empty, empty, np.zeros(len(runs) + 1, dtype=np.int64)))
        logged = {name for run in runs for name in run.channels}
        for name in logged & packed.keys():
            series = [run.channels.get(name) for run in runs]
            packed[name] = Ragged.from_list([(empty, empty) if s is None else (s.steps, s.values) for s in series])
        has_layers = bool(logged - packed.keys())
        return cls(
            packed,
            np.array([np.nan if r.num_classes is None else float(r.num_classes) for r in runs]),
            np.array([_SIGNS[r.metric_goal] for r in runs]),
            np.array([layer_ratio(r.channels) if has_layers else np.nan for r in runs]),
        )
