"""Mappings that hold the rows or columns of a table: JSON of pandas, the state of a trainer, epochs by number."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from numbers import Real
from typing import Any

import numpy as np

from curveclinic.intake.cells import flatten, is_mapping
from curveclinic.intake.long_tables import is_long, may_label
from curveclinic.intake.naming import parse
from curveclinic.intake.sides import is_side_column, may_tell_side, names_both
from curveclinic.intake.step_names import is_log_axis

_COUNTED = re.compile(r"(?:(?:epoch|step|iter|iteration|round)[ _-]?)?([+-]?\d+(?:\.\d+)?)", re.IGNORECASE)

_FEWEST_ROWS = 3
"""Steps of a list within a mapping that make it a log; fewer are settings of layers or the like."""

Row = Mapping[str, Any]

SUMMARY = "train_runtime"
"""In the last row of a Hugging Face trainer, whose `train_loss` is the average of the run."""


def rows_held(data: Any) -> list[Row] | None:
    """Returns the rows of the one run that something holds; None where it holds no rows.

    These are a Hugging Face `TrainerState` or its JSON, but for the summary at its end; CatBoost's own JSON; pandas'
    orients "index" ({"1": {"loss": 0.5}}, also of "epoch_1"), "split" ({"columns": ["loss"], "data": [[0.5]]}),
    "table" ({"schema": ..., "data": [{"loss": 0.5}]}); columns of which one says the side of each row
    ({"split": ["val"], "loss": [0.5]}), or what it measures ({"metric": ["loss"], "value": [0.5]}).
    """
    if not is_mapping(data):
        rows = getattr(data, "log_history", None)
    elif "log_history" in data:
        rows = data["log_history"]
    elif "iterations" in data and "meta" in data:
        rows = _boosted_rows(data["meta"], data["iterations"])
    elif data and all(map(_is_counted, data)) and all(isinstance(row, Mapping) for row in data.values()):
        rows = [{"step": _count(step), **row} for step, row in data.items()]
    elif "columns" in data and "data" in data:
        rows = _split_rows(data["columns"], data["data"])
    elif "schema" in data and "data" in data:
        rows = data["data"]
    else:
        rows = _told_rows(data) if any(isinstance(name, str) and _may_tell(name) for name in data) else None
    if not isinstance(rows, list) or not all(isinstance(row, Mapping) for row in rows):
        return None
    return [row for row in rows if SUMMARY not in row] or None


def rows_within(data: Any) -> list[Row] | None:
    """Returns the one list in a mapping, `{"epochs": [{"epoch": 1, "loss": 0.5}]}`; None unless of rows of a log.

    They must count on and name a loss, and no list of numbers beside them may: settings and checkpoints are no rows.
    Rows under the name of a side or of a loss are series.
    """
    lists = [(key, v) for key, v in data.items() if isinstance(v, list)] if is_mapping(data) else []
    if len(lists) != 1:
        return None
    [(key, rows)] = lists
    if not all(map(is_mapping, rows)) or not _counts_on(rows):
        return None
    if any(parse(name).may_be_loss and _is_list(v) for name, v in flatten(data)):
        return None
    losses = [known for row in rows for known in (parse(name) for name, _ in flatten(row)) if known.may_be_loss]
    is_side = parse(str(key)).split and not any(known.split for known in losses)
    return rows if losses and not is_side else None


def _counts_on(rows: Sequence[Row]) -> bool:
    """Whether a counter stands in all of a few rows or more, and never goes back."""
    counters = [[row.get(name) for row in rows] for name in rows[0] if is_log_axis(name)] if rows else []
    numbers = [steps for steps in counters if all(isinstance(step, (int, float)) for step in steps)]
    return any(steps == sorted(steps) and len(set(steps)) >= _FEWEST_ROWS for steps in numbers)  # type: ignore[type-var]


def _is_list(value: Any) -> bool:
    """Whether it is a list that starts with a number or a gap."""
    return isinstance(value, list) and bool(value) and (value[0] is None or isinstance(value[0], (int, float)))


def _boosted_rows(meta: Any, iterations: Any) -> list[Row] | None:
    """The rows of CatBoost: {"iteration": 0, "learn": [0.6], "test": [0.7]}, and in `meta` what these values are."""
    sides = {"learn_sets": "learn_metrics", "test_sets": "test_metrics"}
    try:
        names = {side: [metric["name"] for metric in meta[own]] for sets, own in sides.items() for side in meta[sets]}
        return [
            {"iteration": row["iteration"]}
            | {f"{side}/{n}": v for side, own in names.items() for n, v in zip(own, row.get(side, ()), strict=False)}
            for row in iterations
            if "iteration" in row
        ]
    except (AttributeError, KeyError, TypeError):
        return None


def _split_rows(columns: Any, data: Any) -> list[Row] | None:
    if not isinstance(columns, list) or not isinstance(data, list):
        return None
    if not all(isinstance(row, Sequence) and len(row) == len(columns) for row in data):
        return None
    return [dict(zip(map(str, columns), row, strict=True)) for row in data]


def _may_tell(name: str) -> bool:
    return may_tell_side(name) or may_label(name)


def _told_rows(data: Row) -> list[Row] | None:
    """The rows of columns, of which one says their side in texts, or by yes and no, or what their values are."""
    columns = {
        str(name): cells
        for name, cells in data.items()
        if hasattr(cells, "__len__") and not isinstance(cells, (str, Mapping))
    }
    is_told = any(map(_tells_side, columns, columns.values())) or is_long(columns)
    if not is_told or len(set(map(len, columns.values()))) > 1:
        return None
    return [dict(zip(columns, row, strict=True)) for row in zip(*map(list, columns.values()), strict=True)]


def _tells_side(name: str, cells: Sequence[Any]) -> bool:
    """Whether a column says the side of each row: in texts, or by a name that means much else for both sides."""
    if not may_tell_side(name):
        return False
    if is_side_column(name):
        return all(isinstance(cell, str) for cell in cells)
    return all(map(np.isscalar, cells)) and names_both(name, list(map(str, cells)))


def points_held(value: Mapping[Any, Any]) -> tuple[list[float], list[Any]] | None:
    """Returns (steps, values) of a mapping step -> value, which is what pandas makes of a column; None for others."""
    if not value or not all(map(_is_counted, value)) or any(isinstance(v, (Mapping, list)) for v in value.values()):
        return None
    return list(map(_count, value)), list(value.values())


def _count(key: Any) -> float:
    """The number that a counted key is, or holds."""
    return float(key if not isinstance(key, str) else _COUNTED.sub(r"\1", key))


def _is_counted(key: Any) -> bool:
    """Whether a key is a number, or the text of one, as in JSON, perhaps behind a word: `epoch_1`."""
    if isinstance(key, str):
        return _COUNTED.fullmatch(key) is not None
    return isinstance(key, Real) and not isinstance(key, bool)
