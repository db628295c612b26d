"""Long tables, a value a row: the column that names what is measured, `tag` or `name`, gives each its own series."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from curveclinic.intake.naming import parse
from curveclinic.intake.run_columns import numbered

if TYPE_CHECKING:
    from curveclinic.intake.cells import Column

_LABEL_COLUMNS: Final = ("tag", "metric", "metric_name", "name", "key", "variable", "attribute_path")
_VALUE_COLUMNS: Final = ("value", "float_value")


def may_label(name: str) -> bool:
    """Whether a column may name what is measured."""
    return name.strip().lower() in _LABEL_COLUMNS


def is_long(columns: Mapping[str, Sequence[Any]]) -> bool:
    """Whether one of some columns holds values, and another the name of each in texts."""
    if not any(name.strip().lower() in _VALUE_COLUMNS for name in columns):
        return False
    return any(may_label(name) and all(isinstance(cell, str) for cell in cells) for name, cells in columns.items())


def labels_in(names: Iterable[str], columns: Mapping[str, Column]) -> list[str]:
    """Returns the columns of texts that may name what the values of a long table are; none in another table."""
    lower = _in_lower_case(names)
    if not any(lower.get(key) in columns for key in _VALUE_COLUMNS):
        return []
    return [lower[key] for key in _LABEL_COLUMNS if key in lower and lower[key] not in columns]


def unstacked(columns: dict[str, Column], labels: Mapping[str, Sequence[str]]) -> dict[str, Column]:
    """Gives each metric of a long table a column of its own, by the first label that names one that is known.

    Args:
        columns: the numbers of a table.
        labels: name -> cells of the columns that may say what they are; "" for a missing cell.
    """
    if not labels:
        return columns
    known = list(map(numbered, labels.values()))
    codes, names = next((one for one in known if any(parse(name).quantity for name in one[1])), known[0])
    lower = _in_lower_case(columns)
    value = next(lower[key] for key in _VALUE_COLUMNS if key in lower)
    out = {name: column for name, column in columns.items() if name != value}
    rows, values = columns[value].rows, columns[value].values
    own = codes[rows]
    for code, name in enumerate(names):
        here = own == code
        if here.any():
            out[name] = replace(columns[value], rows=rows[here], values=values[here])
    return out


def _in_lower_case(names: Iterable[str]) -> dict[str, str]:
    return {name.strip().lower(): name for name in reversed(list(names))}
