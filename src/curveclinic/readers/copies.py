"""Runs that two writers have logged, as a CSV beside event files: which of them says nothing that another does not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

from curveclinic.points import Series
from curveclinic.run import Run

T = TypeVar("T")

_FEWEST = 3
"""Points of a loss that may not be the same by chance."""


def without_copies(items: Sequence[T]) -> list[T]:
    """Returns items without the runs whose every point is one of another run; of equal runs the first stays."""
    kept: list[T] = []
    for place, item in enumerate(items, 1):
        if any(_is_within(item, other) for other in kept):
            continue
        if not any(_is_within(item, other) and not _is_within(other, item) for other in items[place:]):
            kept.append(item)
    return kept


def _is_within(inner: object, outer: object) -> bool:
    if not isinstance(inner, Run) or not isinstance(outer, Run):
        return False
    losses = [inner.channels[name] for name in ("train_loss", "val_loss") if name in inner.channels]
    return (
        any(len(series.steps) >= _FEWEST for series in losses)
        and inner.channels.keys() <= outer.channels.keys()
        and all(_holds(outer.channels[name], series) for name, series in inner.channels.items())
    )


def _holds(outer: Series, inner: Series) -> bool:
    """Whether a series has all points of another, to the 32 bits that event files keep of a value."""
    at = np.searchsorted(outer.steps, inner.steps)
    if not len(outer.steps) or at.max(initial=0) == len(outer.steps) or (outer.steps[at] != inner.steps).any():
        return False
    with np.errstate(over="ignore"):
        ours, theirs = outer.values[at].astype(np.float32), inner.values.astype(np.float32)
    return np.array_equal(ours, theirs, equal_nan=True)
