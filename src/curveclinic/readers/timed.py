"""Series as trackers store them, step, value and time of each point; steps nobody gave are told by the time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from curveclinic.intake.naming import parse
from curveclinic.intake.restarts import usual_gap
from curveclinic.points import FloatArray, IntArray, Points


@dataclass(frozen=True, eq=False)
class Timed:
    """Points of one metric in the order written, three arrays of shape (n,); times are in any one unit."""

    steps: FloatArray
    values: FloatArray
    times: FloatArray


def is_blind(series: Timed) -> bool:
    """Says whether every point of several has the same step."""
    return len(series.steps) > 1 and bool(np.all(series.steps == series.steps[0]))


def on_steps(series: Mapping[str, Timed]) -> tuple[dict[str, Points], tuple[str, ...]]:
    """Returns the series on their steps, and a note on those that were logged without one.

    A tracker writes step 0 (or 1) for every point when none is given. Such a series is counted in order of
    time, or placed beside the points of the longest loss logged at the same times.
    """
    blind = {name for name, s in series.items() if is_blind(s)}
    table: dict[str, Points] = {name: (s.steps, s.values) for name, s in series.items()}
    if not blind:
        return table, ()
    guide = _guide(series, blind)
    order = np.argsort(series[guide].times, kind="stable")
    times = series[guide].times[order]
    axis = np.arange(1.0, len(order) + 1) if guide in blind else series[guide].steps[order]
    for name in blind:
        by_time = np.argsort(series[name].times, kind="stable")
        place = np.searchsorted(times, series[name].times[by_time], side="right") - 1
        steps = axis if name == guide else _beside(axis, np.clip(place, 0, None))
        table[name] = (steps, series[name].values[by_time])
    lossy = [name for name in series if name in blind and parse(name).quantity == "loss"]
    return table, tuple(f"{name}: every point has the same step, so they are placed by time" for name in lossy)


def _beside(axis: FloatArray, place: IntArray) -> FloatArray:
    """Returns steps at places on an axis, ascending; of points at one place the last stays and the others come before.

    Metrics that are logged faster than the clock ticks have the same time.
    """
    first, after = np.searchsorted(place, place), np.searchsorted(place, place, side="right")
    room = place - np.append(-1, place)[first]
    at = place - (after - 1 - np.arange(len(place))) * np.minimum(1, room / (after - first))
    steps: FloatArray = np.interp(at, np.arange(-1.0, len(axis)), np.append(axis[0] - usual_gap(axis), axis))
    return steps


def _guide(series: Mapping[str, Timed], blind: set[str]) -> str:
    """The series whose points the others are placed beside: the longest loss; of several one that has steps."""

    def rank(name: str) -> tuple[bool, int, bool]:
        return parse(name).quantity != "loss", -len(series[name].steps), name in blind

    return min((name for name in series if len(series[name].steps) > 1), key=rank)
