"""How much is read before it is judged, and how much is judged as one batch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, TypeVar

from curveclinic.run import Run

CHUNK_RUNS: Final = 2_000
"""Runs read before they are judged: enough to fill a batch, few enough to bound memory."""

CHUNK_POINTS: Final = 4_000_000
"""Points read before they are judged (64 MB of steps and values), for archives of very long runs."""

BATCH_RUNS: Final = 4_096
"""Runs judged as one batch: bounds memory, and is large enough to hide every per-batch cost."""

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
