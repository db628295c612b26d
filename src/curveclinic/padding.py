"""NaN, or 0, that says "not logged in this row": what joining columns written at different steps leaves behind.

A notebook's copy of a tracker's history, or a joined table turned into lists, holds NaN wherever a channel was not
written; an array made by `np.zeros` and filled at every tenth step holds 0. NaN is a fact of a loss, so it is taken for
a gap only where the pattern cannot be that of a broken loss, and 0 only between points at a regular stride.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np

from curveclinic.points import BoolArray, FloatArray, IntArray, Points

_FEWEST: Final = 3
"""Points that make a pattern."""


def settled(channels: Mapping[str, Points]) -> tuple[Mapping[str, Points], tuple[str, ...]]:
    """Returns channels without the NaN or 0 of rows in which they were not logged, and notes.

    Such rows are told by the other channels on the same axis: a channel and another take turns, one has points exactly
    where the other has none; or a channel has points in every second row or fewer, at a regular stride. A NaN where the
    stride leads is a NaN, and a 0 is one. For 0 only the stride counts.
    """
    holed = [name for name, (_, values) in channels.items() if _may_have_gaps(values)] if len(channels) > 1 else []
    if not holed:
        return channels, ()
    out, notes = dict(channels), []
    for name in holed:
        steps, values = channels[name]
        mates = [own for other, own in channels.items() if other != name and _on_one_axis(channels[name], own)]
        filler, gaps = "NaN", _gaps(~np.isnan(values), mates)
        if gaps is None:
            filler, gaps = "0", _zeros_between(values, mates)
        if gaps is not None:
            places = np.arange(1.0, len(values) + 1) if steps is None else steps
            out[name] = (places[~gaps], values[~gaps])
            notes.append(f"{name}: {filler} in rows between its own is read as not logged there")
    return out, tuple(notes)


def _may_have_gaps(values: FloatArray) -> bool:
    lowest = values[values.argmin()] if len(values) else 1.0
    return bool(lowest != lowest or lowest == 0.0)  # faster than asking whether one number is NaN


def _zeros_between(values: FloatArray, mates: list[Points]) -> BoolArray | None:
    """(n,) zeros between points at a regular stride, which no loss or metric makes by itself; None for others."""
    points = values.nonzero()[0]  # NaN among them
    if not mates or len(points) < _FEWEST:
        return None
    gaps = _between_strides(points, len(values))
    return gaps if gaps is not None and not values[gaps].any() else None


def _on_one_axis(one: Points, other: Points) -> bool:
    if len(one[1]) != len(other[1]):
        return False
    return one[0] is other[0] or (one[0] is not None and other[0] is not None and np.array_equal(one[0], other[0]))


def _gaps(here: BoolArray, mates: list[Points]) -> BoolArray | None:
    """(n,) rows that are gaps of a channel with points `here`; None where it cannot be told."""
    points = here.nonzero()[0]
    if not mates or len(points) < _FEWEST:
        return None
    if _takes_turns(here) and any(np.array_equal(np.isnan(values), here) for _, values in mates):
        return ~here
    return _between_strides(points, len(here))


def _takes_turns(here: BoolArray) -> bool:
    """Whether points come and go: a loss that turns NaN where another begins may be broken."""
    turns, gaps = np.count_nonzero(here[1:] != here[:-1]), np.count_nonzero(~here)
    return bool(min(turns, gaps) >= _FEWEST)


def _between_strides(points: IntArray, n: int) -> BoolArray | None:
    """(n,) rows that a regular stride passes over; None where rows with points, but for the last, keep to none."""
    stride = int(np.diff(points)[:-1].min())
    off = (points - points[0]) % stride != 0
    if stride < 2 or points[0] > stride or off[:-1].any() or len(points) - off[-1] < _FEWEST:
        return None
    due = np.zeros(n, dtype=bool)
    due[points[0] : points[-1] : stride] = True
    due[points[-1] :: stride] = True
    return ~due
