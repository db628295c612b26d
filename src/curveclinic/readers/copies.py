"""Runs that two writers have logged, as a CSV beside event files: which of them says nothing that another does not."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TypeVar

import numpy as np

from curveclinic.labels import LOSSES
from curveclinic.points import Series
from curveclinic.run import Run

T = TypeVar("T")

_FEWEST = 3
"""Different values of a loss that may not be the same by chance."""

_TABLE = "metrics.csv"
"""Lightning's; of the training whose event files lie beside it, and of no other that is known by its name."""


def without_copies(groups: Sequence[Sequence[T]]) -> list[T]:
    """Returns the items of several sources without the copies; of equal runs the first stays.

    A copy is the only run of a source, and its every point is one of the only run of another source.
    """
    found = [[item for item in group if isinstance(item, Run)] for group in groups]
    lone = [runs[0] for runs in found if len(runs) == 1]
    copies: set[Run] = set()
    for place, run in enumerate(lone):
        earlier = [other for other in lone[:place] if other not in copies]
        later = [other for other in lone[place + 1 :] if _is_within(run, other) and not _is_within(other, run)]
        if later or any(_is_within(run, other) for other in earlier):
            copies.add(run)
    return [item for group in groups for item in group if item not in copies]


def _is_within(inner: Run, outer: Run) -> bool:
    losses = [inner.channels[name] for name in LOSSES if name in inner.channels]
    pairs = [(outer.channels.get(name), series) for name, series in inner.channels.items()]
    may_be_part = _are_one_training(inner.path, outer.path)
    return any(len(set(series.values[np.isfinite(series.values)].tolist())) >= _FEWEST for series in losses) and all(
        theirs is not None and (may_be_part or len(theirs.steps) == len(ours.steps)) and _holds(theirs, ours)
        for theirs, ours in pairs
    )


def _are_one_training(*paths: str) -> bool:
    """Whether the names say so; else one may have been stopped early, and the other gone on from the same seed."""
    names = {os.path.basename(path) for path in paths}
    return _TABLE not in names or any(os.path.join(path, _TABLE) in paths for path in paths)


def _holds(outer: Series, inner: Series) -> bool:
    """Whether a series has all points of another, to the 32 bits that event files keep of a value."""
    at = np.searchsorted(outer.steps, inner.steps)
    if not len(outer.steps) or at.max(initial=0) == len(outer.steps) or (outer.steps[at] != inner.steps).any():
        return False
    with np.errstate(over="ignore"):
        ours, theirs = outer.values[at].astype(np.float32), inner.values.astype(np.float32)
    return np.array_equal(ours, theirs, equal_nan=True)
