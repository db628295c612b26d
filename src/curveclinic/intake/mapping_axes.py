"""Which list of a mapping holds the steps of all series, and which values bring their own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from curveclinic.intake.cells import without_gaps
from curveclinic.intake.grid import axis_of_rows
from curveclinic.intake.step_names import counts_on, in_order
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
