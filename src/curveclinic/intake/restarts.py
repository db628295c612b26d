"""Step counters that start over: one run continued, or the next run in the same file?"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from curveclinic.points import FloatArray, IntArray
from curveclinic.run import is_sound_axis

_CONTINUES = 0.25
"""A restarted counter goes on with the same run if the first new value lies within this share of
the run's whole change from its last value; a new run starts back near the first value."""

_MAX_RESUMED = 3
"""A series that goes back more often than this is out of order, not restarted."""

_ZIGZAG = 20
"""More restarts than this, after two points each, are several writers at once."""

_CLEAR_CHANGE = 0.2
"""Below this relative change a run's first and last value are too close to tell which one a restart is near."""

_ONE_INTERVAL = 0.25
"""A run that begins at the beginning is logged first after one interval, give or take this share of it."""

ANEW_NOTE = "the step counter started over while the loss went on: read as one run continued"


def cut(
    steps: FloatArray, rows: IntArray, values: FloatArray, *, breaks: Sequence[int], ends: Sequence[int], split: bool
) -> tuple[list[int], FloatArray, tuple[str, ...]]:
    """Returns the first row of each run, the steps with continued restarts moved on, and notes.

    A counter that goes back to its first step starts a new run, unless the loss goes on at every such
    place: then one run was continued with a fresh counter.

    Args:
        steps: step of each row of the log.
        rows: rows of the series that tells, the train loss.
        values: its values.
        breaks: rows before which the writer started over.
        ends: rows before which a training ended: what follows may be the next one, or this one resumed.
        split: False keeps new runs together; the last value of a step will win.
    """
    if len(rows) < 2:
        return [0], steps, ()
    own = steps if len(rows) == len(steps) else steps[rows]
    if not breaks and (is_sound_axis(own) or (not ends and _never_twice(own))):
        return [0], steps, ()
    places = _restarts(own, values, _points_at(rows, breaks), _points_at(rows, ends))
    if not places:
        return [0], steps, ()
    if not all(goes_on(*values[[begin, i - 1, i]]) for begin, i in pairwise([0, *places])):
        bounds = [_first_drop(steps, int(rows[i - 1]), int(rows[i])) for i in places]
        return [0, *(bounds if split else ())], steps, ()
    return [0], moved_on(steps, rows, places), (ANEW_NOTE,)


def moved_on(steps: FloatArray, rows: IntArray, places: Sequence[int]) -> FloatArray:
    """Returns the steps, with those from each place on moved so that they follow those before it.

    Args:
        steps: step of each row of the log.
        rows: rows of the series that tells.
        places: its points at which the counter starts over.
    """
    own = steps[rows]
    moved: FloatArray = steps.copy()
    for begin, i in pairwise([0, *places]):
        bound = _first_drop(steps, int(rows[i - 1]), int(rows[i]))
        moved[bound:] += own[i - 1] + usual_gap(own[begin:i]) - own[i]
    return moved


def _never_twice(own: FloatArray) -> bool:
    """Whether no step stands in two rows: then rows that go back are out of order, as no counter started over."""
    ordered = np.sort(own)
    return bool((ordered[1:] > ordered[:-1]).all())


def usual_gap(steps: FloatArray) -> float:
    """Returns the usual distance between steps; 1 where there is but one."""
    return float(np.median(np.diff(steps))) if len(steps) > 1 else 1.0


def _points_at(rows: IntArray, lines: Sequence[int]) -> set[int]:
    """Returns the first points in or after some rows."""
    return {int(np.searchsorted(rows, line)) for line in lines}


def _restarts(own: FloatArray, values: FloatArray, headers: set[int], ends: set[int]) -> list[int]:
    """Points of the main column at which the counter is back at the first step of its run, or at that of a coarser one.

    Rows merely out of order do not count: what goes before must ascend, but for a few resumptions. Nor does a coarser
    counter with which the loss goes on: there one run was resumed and logged less often.
    """
    places: list[int] = []
    begin = resumed = 0
    backs = sorted({*(np.flatnonzero(own[1:] < own[:-1]) + 1).tolist(), *headers} - {0, len(own)})
    for i, end in pairwise([*backs, len(own)]):
        at_first = False
        if resumed <= min(_MAX_RESUMED, (i - begin) / 5) and i - begin > 1:
            if own[i] <= own[begin]:
                at_first = bool(own[begin] - own[i] <= np.median(np.abs(np.diff(own[begin:i]))))
            else:
                is_coarser = _is_one_interval_in(own[begin:i]) and _is_one_interval_in(own[i:end])
                at_first = is_coarser and not goes_on(*values[[begin, i - 1, i]])
        if i in ends:
            at_first |= bool(own[i] - own[begin] <= usual_gap(own[begin:i]))
        if at_first or (i in headers and own[i] <= own[i - 1]):
            places.append(int(i))
            begin, resumed = i, 0
        else:
            resumed += 1
    zigzag = len(places) > _ZIGZAG and np.median(np.diff(places)) < 3
    return [] if zigzag else places


def _is_one_interval_in(steps: FloatArray) -> bool:
    """Whether steps begin where a counter from zero is logged first; a resumed one is further on."""
    gap = usual_gap(steps)
    return len(steps) > 2 and bool(abs(steps[0] - gap) <= _ONE_INTERVAL * gap)


def _first_drop(steps: FloatArray, previous: int, row: int) -> int:
    falls = np.flatnonzero(np.diff(steps[previous : row + 1]) < 0)
    return previous + 1 + int(falls[0]) if len(falls) else row


def goes_on(first: float, last: float, new: float) -> bool:
    """Says whether a series that began at `first` and stood at `last` goes on with `new` after a restart."""
    change = abs(first - last)
    if not np.isfinite([first, last, new]).all() or change < _CLEAR_CHANGE * abs(first):
        return False
    return bool(abs(new - last) < _CONTINUES * change)
