"""Series that hold the steps of others: `val_loss_steps` those of one, `val_step` those of its side, `step` of all."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from typing import Any

import numpy as np

from curveclinic.intake.cells import without_gaps
from curveclinic.intake.grid import axis_of_rows
from curveclinic.intake.naming import parse
from curveclinic.intake.step_names import AXIS_NAMES, axis_key, counts_on, goes_up, in_order, is_log_axis
from curveclinic.intake.vocabulary import NOISE, SPLITS, tokens
from curveclinic.points import FloatArray
from curveclinic.run import is_sound_axis

_ENDS = ("_step", "_steps", "/step")
"""What stands behind the name of a series in that of its steps."""


@dataclass(frozen=True)
class Axes:
    """Which series of some hold the steps of which.

    Attributes:
        own: series -> those of the others that may hold its steps, or those of its side, the best first.
        shared: those that may hold the steps of all others, the finest first.
        sided: those that may hold the steps of a side; one that fits none of it may be of series that are not logged.
    """

    own: Mapping[str, tuple[str, ...]]
    shared: tuple[str, ...]
    sided: frozenset[str]

    @property
    def names(self) -> set[str]:
        """All of them."""
        return {*self.shared, *chain.from_iterable(self.own.values())}

    def of(self, name: str) -> tuple[str, ...]:
        """Those that may hold the steps of a series, the best first."""
        return (*self.own.get(name, ()), *self.shared)


@lru_cache(maxsize=1024)
def axes_among(names: tuple[str, ...], *, alone: bool = False) -> Axes:
    """Returns the series that hold the steps of others by their names; tokens may be those of a text.

    Args:
        names: all series.
        alone: whether to look for the steps of single series only, since the user names those of all.
    """
    sides = {} if alone else _counted_sides(names)
    given, own = frozenset(names), {}
    for name in names:
        found = [name + end for end in _ENDS if name + end in given]
        found += [axis for axis, side in sides.items() if name not in sides and side == parse(name).split]
        if found:
            own[name] = tuple(found)
    shared = () if alone else tuple(name for name in in_order(names) if is_log_axis(name))
    return Axes(own, shared, frozenset(sides))


def own_steps(series: Mapping[str, Any]) -> tuple[dict[str, FloatArray], set[str]]:
    """Returns series -> its own steps, where there is one for each of its values and they go up, and what held them.

    Args:
        series: name -> values, or whatever else a mapping holds.
    """
    out: dict[str, FloatArray] = {}
    held: set[str] = set()
    for name, axes in axes_among(tuple(series)).own.items():
        for axis in axes if hasattr(series[name], "__len__") else ():
            steps = without_gaps(axis, series[axis])
            fits = steps is not None and len(steps) == len(series[name]) and np.isfinite(steps).all()
            if steps is not None and fits and goes_up(steps):
                out[name] = steps
                held.add(axis)
                break
    return out, held


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


def brings_steps(value: Any) -> bool:
    """Whether a value is a pair of steps and values."""
    return isinstance(value, tuple) and len(value) == 2 and not np.isscalar(value[0]) and value[0] is not None


def _counted_sides(names: Iterable[str]) -> dict[str, str]:
    """Series such as `val_step` or `eval/epoch` -> the side whose steps they hold, the finest first."""
    found: dict[str, tuple[str, str]] = {}
    for name in names:
        words = tokens(name)
        sides = [SPLITS[word] for word in words if word in SPLITS]
        key = axis_key("_".join(word for word in words if word not in SPLITS and word not in NOISE))
        if len(sides) == 1 and is_log_axis(key):
            found[name] = sides[0], key
    return {name: found[name][0] for name in sorted(found, key=lambda name: AXIS_NAMES.index(found[name][1]))}
