"""Series in mappings that may be nested: by side, by step, as steps and values, as rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from curveclinic.intake.cells import flatten, is_mapping
from curveclinic.intake.naming import parse
from curveclinic.intake.orientations import points_held
from curveclinic.intake.step_names import in_order, is_log_axis

_STEPS_AND_VALUES: Final = frozenset(("step", "steps", "value", "values", "timestamp", "timestamps"))

_LIBRARIES: Final = ("pandas", "polars", "pyarrow")
_TABLES: Final = ("DataFrame", "Table", "RecordBatch")


def is_table(value: Any) -> bool:
    """Whether it is a table of pandas, polars or pyarrow."""
    return type(value).__name__ in _TABLES and type(value).__module__.partition(".")[0] in _LIBRARIES


def series_in(data: Mapping[str, Any], prefix: str = "") -> Iterable[tuple[str, Any]]:
    """Yields (name, values) of a mapping that may be nested.

    A mapping step -> value, which is what pandas' `to_dict` makes of a column, {"step": ..., "value": ...} and what a
    plot holds, {"x": ..., "y": ...}, are one series each; Sacred has "timestamps" there, too. Rows under the name of a
    side or of a loss, {"val": [{"epoch": 1, "loss": 0.5}]}, are the series of their columns, and so is a table under
    that of a side.
    """
    for key, value in data.items():
        name = f"{prefix}{key}"
        columns = _columns_of(name, value) if type(value) is list else _columns_of_side(name, value)
        value = columns or value
        if not is_mapping(value):
            yield name, value
        elif (points := points_held(value)) is not None:
            yield name, points
        elif set(value) <= _STEPS_AND_VALUES and {"value", "values"} & set(value):
            values = value.get("value", value.get("values"))
            steps = value.get("step", value.get("steps"))
            yield name, values if steps is None else (steps, values)
        elif all(hasattr(value.get(axis), "__len__") for axis in "xy"):
            yield name, (value["x"], value["y"])
        else:
            yield from series_in(value, f"{name}/")


def _columns_of(name: str, rows: list[Any]) -> dict[str, Any] | None:
    """Returns the columns of rows under the name of a side or a loss, None for what a row lacks; None for others."""
    if not rows or not all(map(is_mapping, rows)):
        return None
    known = parse(name)
    if not (known.split or known.may_be_loss):
        return None
    cells = [dict(flatten(row)) for row in rows]
    columns = {key: [own.get(key) for own in cells] for key in dict.fromkeys(key for own in cells for key in own)}
    axes = [key for key in in_order(columns) if is_log_axis(key)] if known.may_be_loss else []
    if not axes:
        return columns
    return {key: (columns[axes[0]], values) for key, values in columns.items() if key not in axes}


def _columns_of_side(name: str, table: Any) -> dict[str, Any]:
    """The columns of a table that is called as a side of the data; none of anything else."""
    known = parse(name) if is_table(table) else None
    if known is None or not known.split or known.quantity:
        return {}
    return {str(column): table[column] for column in getattr(table, "column_names", None) or table.columns}
