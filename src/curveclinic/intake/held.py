"""What a caller holds: one run, many, the rows of one, or nothing that can be read.

Nothing here imports pandas, polars or keras; their objects are known by their module and what they can do.
"""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Real
from typing import Any

import numpy as np

from curveclinic.intake.cells import flatten, is_mapping
from curveclinic.intake.naming import parse
from curveclinic.intake.nested import is_table, series_in
from curveclinic.intake.orientations import rows_held
from curveclinic.intake.step_names import axis_key
from curveclinic.intake.vocabulary import SPLITS, Rank
from curveclinic.run import Run

EXPECTED = (
    "expected a mapping such as {'train_loss': [...], 'val_loss': [...]}, a Run, a table, "
    "a Keras History, a log_history, or a list of these"
)
_NAMELESS = "say what they are: {'train_loss': [...]}"
SIDES = "say what they are: {'train_loss': [...], 'val_loss': [...]}"
_FEWEST_STEPS = 5
"""Values by number, in a mapping in a list, below which they are no curve: fewer are not judged, either."""


def are_numbers(items: Any) -> bool:
    """Whether they are a list of numbers, or of numbers and gaps."""
    if not isinstance(items, (list, tuple)) or all(item is None for item in items):
        return False
    return all(item is None or (np.isscalar(item) and not isinstance(item, (str, bytes))) for item in items)


def refusal(data: Any) -> str:
    """Says what was found that holds no run, and what was expected."""
    found = type(data).__name__
    if are_numbers(data):
        return f"found a {found} of numbers; {_NAMELESS}"
    if found == "Series" or getattr(data, "ndim", 0) == 1:
        return f"found {found} of numbers; {_NAMELESS}"
    if getattr(data, "ndim", 0) > 1 and hasattr(data, "dtype"):
        return f"found {found} of shape {tuple(data.shape)}; {SIDES}"
    if isinstance(data, (str, bytes)) or hasattr(data, "__fspath__"):
        return f"found {found}, {EXPECTED}; read a log file with curveclinic.readers.read_file(path)"
    if hasattr(data, "collect"):
        return f"found {found}; call .collect() on it first"
    return f"found {found}, {EXPECTED}"


def is_one(data: Any) -> bool:
    """Whether it is a run, a table, a history, or what holds the rows of a run."""
    if is_mapping(data) or isinstance(data, Run) or is_table(data):
        return True
    return isinstance(getattr(data, "history", None), Mapping) or log_rows(data) is not None


def log_rows(data: Any) -> list[Mapping[str, Any]] | None:
    """The rows of one run that something holds, each of numbers; None where there are none."""
    rows = rows_held(data)
    return rows if rows is not None and is_log(rows) else None


def is_log(data: Any) -> bool:
    """A list of dicts with scalar values: the rows of one run, as Hugging Face's `log_history`.

    Beside a loss that is a number, a list or a histogram is a cell like another.
    """
    if not isinstance(data, (list, tuple)) or not all(map(is_mapping, data)) or not any(data):
        return False
    if _holds_curve(next(filter(None, data))):
        return False
    is_flat = True
    for name, value in (cell for row in data for cell in flatten(row)):
        if not _is_scalar(value):
            if parse(name).is_loss:
                return False
            is_flat = False
    losses = () if is_flat else [value for row in data for name, value in flatten(row) if parse(name).is_loss]
    numbers = [value for value in losses if value is not None]
    return is_flat or (bool(numbers) and not any(isinstance(value, str) for value in numbers))


def _holds_curve(row: Mapping[str, Any]) -> bool:
    """Whether a mapping holds a loss, or rows, by step, and is at no step itself: it is a run, no row of one.

    A few values are those of classes or sets, and beside a loss that is a number all are.
    """
    if not any(map(is_mapping, row.values())) or any(axis_key(k) and not is_mapping(v) for k, v in row.items()):
        return False
    rows = rows_held(row)
    if rows is not None:
        return len(rows) >= _FEWEST_STEPS
    losses = [value for name, value in series_in(row) if parse(name).may_be_loss]
    by_step = any(isinstance(v, tuple) and isinstance(v[0], list) and len(v[0]) >= _FEWEST_STEPS for v in losses)
    return by_step and not any(isinstance(v, Real) for v in losses)


def is_item(item: Any) -> bool:
    """Whether it is a run, or a pair of its name and it, as `runs.items()` or pandas' `groupby` give them."""
    return is_one(item) or is_log(item) or is_named(item)


def is_named(item: Any) -> bool:
    """Whether it is a pair of a run's name and the run."""
    if not isinstance(item, tuple) or len(item) != 2:  # a pair
        return False
    name, run = item
    names = name if isinstance(name, tuple) else (name,)
    return bool(names) and all(map(np.isscalar, names)) and (is_one(run) or is_log(run))


def _is_scalar(value: Any) -> bool:
    if isinstance(value, (list, tuple)) or is_one(value):
        return False
    return getattr(value, "ndim", 0) == 0


def are_runs(value: Any) -> bool:
    """Whether a value is a list of mappings, each a run, perhaps beside its settings: [{"fold": 1, "log": {...}}]."""
    if not isinstance(value, list) or not value or not all(map(is_mapping, value)):
        return False
    return all(any(is_mapping(held) and _is_history(held) for held in (item, *item.values())) for item in value)


def runs_by_name(data: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Returns name -> history of a mapping that holds several; empty if it is one run."""
    parts = {str(name): held for name, value in data.items() if is_mapping(held := _history_of(value))}
    if not parts or set(parts) & {"history", "curves", "channels"} or any(n.lower() in SPLITS for n in parts):
        return {}
    return parts if all(_is_history(part) for part in parts.values()) else {}


def _history_of(value: Any) -> Any:
    """What a Keras history or a run keeps its curves in; anything else as it is."""
    if isinstance(value, Run):
        return {name: (series.steps, series.values) for name, series in value.channels.items()}
    held = None if type(value) in (np.ndarray, list) else getattr(value, "history", None)
    return held if isinstance(held, Mapping) else value


def _is_history(part: Mapping[str, Any]) -> bool:
    return any(
        hasattr(value, "__len__") and not isinstance(value, (str, Mapping)) and parse(str(name)).rank == Rank.LOSS
        for name, value in part.items()
    )
