"""First points that are no values of the loss: a 0 put there, a sum of a few batches over many, a mean begun at 0.

A training loop that prints its running loss over 200 batches prints that of one batch first; a smoothed loss that
starts at 0 climbs for as long as it remembers. Both lie far below all that follows, and next to them a healthy run
seems to have diverged. They are left out before anything is measured, and the message says so.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Final

import numpy as np

from curveclinic.labels import LOSSES
from curveclinic.measuring.smoothing import middle_of_three
from curveclinic.phrases import value
from curveclinic.points import Series
from curveclinic.ragged import Batch, BoolArray, FloatArray, Ragged
from curveclinic.run import Run

FirstPoints = Mapping[int, Mapping[str, int]]
"""Row -> loss -> how many of its first points are left out."""

_FEWEST: Final = 6
"""Finite points from which the first one is told from what follows."""

_LITTLE: Final = 0.15
"""Share of the next values up to which the first one is no value of the same loss, where that then falls."""

_FALLS: Final = 2.0
"""Times the end that the next values are at least where it does: what a step has thrown away is not learnt so soon."""

_NEXT_TO_NOTHING: Final = 0.02
"""Share of the next values up to which a fall to `_SETTLES` is enough."""

_SETTLES: Final = 1.3
"""Times the end that the top of a climb is at least: a loss that stays up there has gone there indeed."""

_ALIKE: Final = 3.0
"""Times the first train loss up to which the first val loss bears it out."""

_AGAIN: Final = 1.2
"""Times the first value that all later ones exceed: what a loss comes back to it may well have begun at."""

_DOUBLES: Final = (1.3, 2.7)
"""Second value over the first of a mean that begins at 0: near 2, give or take the noise of a batch."""

_TRIPLES: Final = (1.7, 3.6)
"""Third value over the first: near 3."""

_CLIMBS: Final = 0.8
"""Share of the steps up to its highest value that such a mean goes up at least."""

_SHORTEST_CLIMB: Final = 4
"""Steps of such a climb at least."""

_LATEST_TOP: Final = 0.5
"""Share of the points by which it is at its highest."""


def low_starts(batch: Batch) -> FirstPoints:
    """Returns what is left out of n runs; of most of them nothing."""
    found: dict[int, dict[str, int]] = {}
    train, val = (batch.channels[name].finite() for name in LOSSES)
    for row, count in _of_train(train):
        if not _bears_out(val, row, train.values[train.offsets[row]]):
            found.setdefault(row, {})["train_loss"] = count
    for row in _zero_first(val).nonzero()[0].tolist():
        found.setdefault(row, {})["val_loss"] = 1
    return found


def without_first_points(batch: Batch, found: FirstPoints) -> Batch:
    """Returns the batch without these points."""
    if not found:
        return batch
    channels = dict(batch.channels)
    for name in LOSSES:
        channel = channels[name]
        kept = np.ones(len(channel.values), dtype=bool)
        for row, counts in found.items():
            if name in counts:
                start = channel.offsets[row]
                kept[start : start + _logged(channel.values_of(row), counts[name])] = False
        channels[name] = channel.where(kept)
    return replace(batch, channels=channels)


def run_without_first_points(run: Run, counts: Mapping[str, int]) -> Run:
    """Returns one of the runs without its points that are left out."""
    channels = dict(run.channels)
    for name, count in counts.items():
        first = _logged(channels[name].values, count)
        channels[name] = Series(channels[name].steps[first:], channels[name].values[first:])
    return replace(run, channels=channels)


def as_judged(run: Run) -> Run:
    """Returns a run without its points that are left out."""
    return run_without_first_points(run, low_starts(Batch.from_runs([run])).get(0, {}))


def low_start_notes(batch: Batch, found: FirstPoints) -> dict[int, tuple[str, ...]]:
    """Row -> what is said of it."""
    return {
        row: tuple(_note(name, count, batch.channels[name], row) for name, count in counts.items())
        for row, counts in found.items()
    }


def _note(name: str, count: int, channel: Ragged, row: int) -> str:
    values = channel.values_of(row)
    first, next_ = (value(float(values[np.isfinite(values)][k])) for k in (0, count))
    if count == 1:
        return (
            f"the first {name}, {first}, is left out: so far below the next, {next_}, it is no value of the same loss"
        )
    return f"the first {count} values of {name} are left out: they climb from {first} to {next_} like a mean begun at 0"


def _logged(values: FloatArray, count: int) -> int:
    """How many of the first points hold so many finite ones."""
    return int(np.isfinite(values).nonzero()[0][count - 1]) + 1


def _zero_first(loss: Ragged) -> BoolArray:
    """(n,) the first of several finite values is 0, and all others are above it."""
    out = np.zeros(loss.size, dtype=bool)
    rows = (loss.lengths >= _FEWEST).nonzero()[0]
    for row in rows[loss.values[loss.offsets[rows]] == 0].tolist():
        out[row] = loss.values_of(row)[1:].min() > 0
    return out


def _of_train(loss: Ragged) -> Iterator[tuple[int, int]]:
    """Yields the rows of a train loss of which something is left out, and how many of its points, all finite."""
    rows = (loss.lengths >= _FEWEST).nonzero()[0]
    if not len(rows):
        return
    start, stop = loss.offsets[rows], loss.offsets[rows + 1]
    first, *after = (loss.values[start + k] for k in range(4))
    last = middle_of_three(*(loss.values[stop - k] for k in (1, 2, 3)))
    near = np.minimum.reduce(after)
    falls = np.where(first <= _NEXT_TO_NOTHING * near, _SETTLES, _FALLS)
    lone = (first == 0) | (first <= _LITTLE * near) & (near / falls >= last)
    climbs = _between(after[0], first, _DOUBLES) & _between(after[1], first, _TRIPLES)
    for k in ((first >= 0) & (lone | climbs)).nonzero()[0].tolist():
        values = loss.values_of(int(rows[k]))
        count = (_climb(values) if climbs[k] else 0) or int(lone[k])
        if count and values[1:].min() > _AGAIN * values[0]:
            yield int(rows[k]), count


def _bears_out(val: Ragged, row: int, first: float) -> bool:
    """Whether val, too, begins about as low as train does."""
    values = val.values_of(row)
    return len(values) > 0 and bool(0 < values[0] <= _ALIKE * first)


def _between(x: FloatArray, unit: FloatArray, bounds: tuple[float, float]) -> BoolArray:
    with np.errstate(over="ignore"):
        return np.asarray((x >= bounds[0] * unit) & (x <= bounds[1] * unit))


def _climb(values: FloatArray) -> int:
    """How many points a loss climbs from next to 0 before it falls; 0 if it does no such thing."""
    early = values[: int(_LATEST_TOP * len(values))]
    top = int(early.argmax())
    climbs = np.count_nonzero(np.diff(values[: top + 1]) > 0) >= _CLIMBS * top >= _CLIMBS * _SHORTEST_CLIMB
    falls = values[top] / _SETTLES >= np.median(values[-3:])
    return top if climbs and falls and 0 < values[0] <= _LITTLE * values[top] else 0
