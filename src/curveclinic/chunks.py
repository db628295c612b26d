"""How much is read before it is judged."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, TypeVar

from curveclinic.run import Run

CHUNK_RUNS: Final = 2_000
"""Runs judged at once: enough to fill a batch, few enough to bound memory."""

CHUNK_POINTS: Final = 4_000_000
"""Points judged at once (64 MB of steps and values), for archives of very long runs."""

T = TypeVar("T")


def chunks(items: Iterable[T]) -> Iterator[list[T]]:
    """Yields runs, and what stands for those that could not be read, in lists small enough to judge at once."""
    chunk: list[T] = []
    points = 0
    for item in items:
        chunk.append(item)
        points += points_of(item)
        if is_full(len(chunk), points):
            yield chunk
            chunk, points = [], 0
    if chunk:
        yield chunk


def is_full(runs: int, points: int) -> bool:
    """Tells whether these are enough to be judged."""
    return runs >= CHUNK_RUNS or points >= CHUNK_POINTS


def points_of(item: object) -> int:
    """Returns the number of points of a run; what is none has none."""
    return sum(map(len, item.channels.values())) if isinstance(item, Run) else 0
