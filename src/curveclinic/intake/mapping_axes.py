"""Which lists of a mapping hold steps: those of all series, those of one side of the data, and those of one series."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from curveclinic.intake.grid import axis_of_rows, without_gaps
from curveclinic.intake.list_tables import axes_of
from curveclinic.intake.naming import parse
from curveclinic.intake.step_names import counts_on, in_order, side_of_steps
from curveclinic.points import FloatArray, has_steps
from curveclinic.run import is_sound_axis


def brings_steps(value: Any) -> bool:
    """Whether a value is a pair of steps and values."""
    return isinstance(value, tuple) and len(value) == 2 and not np.isscalar(value[0]) and value[0] is not None


def shared_axis(data: Mapping[str, Any], series: Iterable[tuple[str, Any]]) -> tuple[str, Any]:
    """Name and steps of what is given once for all series, as `epoch` beside a Keras history; None without."""
    for name in in_order(data):
        steps = without_gaps(name, data[name])
        if steps is None or not np.isfinite(steps).all():
            continue
        if not is_sound_axis(steps):
            name, steps = axis_of_rows(series, len(steps))
        if name and counts_on(name, steps):
            return name, steps
    return "", None


@lru_cache(maxsize=8192)
def _may_hold_steps(name: str) -> bool:
    """Whether a list may hold the steps of one series or side; most mappings have none."""
    return name.endswith(("step", "steps")) or bool(side_of_steps(name))


def own_axes(
    series: Sequence[tuple[str, Any]], shared: FloatArray | None
) -> tuple[dict[str, FloatArray], frozenset[str]]:
    """Returns the steps of series that have a list of their own, `val_loss_steps`, or their side has: `val_steps`.

    Beside a loss of which no steps are given they may count anything, and none are returned.

    Args:
        series: (name, values) pairs.
        shared: the steps given once for all series; None without.

    Returns:
        name -> steps, and the names of the lists that hold them.
    """
    named = {raw for raw, _ in series}
    if not any(map(_may_hold_steps, named)):
        return {}, frozenset()
    sides = {side: raw for raw in named if (side := side_of_steps(raw))}
    keys = {raw: next(filter(named.__contains__, axes_of(raw, ())), "") for raw in named}
    keys = {raw: key for raw, own in keys.items() if (key := own or sides.get(parse(raw).split, "")) and key != raw}
    axes = {raw: without_gaps(raw, value) for raw, value in series if raw in keys.values()}
    sound = {raw: steps for raw, steps in axes.items() if steps is not None and len(steps) and is_sound_axis(steps)}
    for raw, value in series if sound else ():
        if raw not in axes and parse(raw).is_loss and hasattr(value, "__len__"):
            fits = (axis is not None and len(axis) == len(value) for axis in (sound.get(keys.get(raw, "")), shared))
            if not (has_steps(value) or brings_steps(value) or any(fits)):
                return {}, frozenset()
    return {raw: sound[key] for raw, key in keys.items() if key in sound}, frozenset(sound)
