"""What is said where no column is the step axis, and rows are counted: which column nearly was one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

import numpy as np

from curveclinic.intake.naming import parse, quoted
from curveclinic.intake.step_names import axis_key
from curveclinic.intake.vocabulary import tokens

if TYPE_CHECKING:
    from curveclinic.intake.cells import Column

_FEWEST_COUNTED: Final = 5
"""Rows from which on whole numbers that go up are hardly chance."""

_TIMES: Final = frozenset(("time", "timestamp", "ts", "seconds", "secs", "sec", "ms", "date", "created"))


def axis_notes(columns: Mapping[str, Column], n_rows: int) -> tuple[str, ...]:
    """The note on columns that would have been the axis: one that holds NaN or Inf, or whose name is not known."""
    unfit = [name for name in filter(axis_key, columns) if 0 < np.isfinite(columns[name].values).mean() < 1]
    if unfit:
        return (f"{quoted(unfit)} holds NaN or Inf and is no step axis: rows are counted",)
    counters = [name for name, column in columns.items() if _may_count(name, column, n_rows)]
    return (
        (f"no column is named like a step: rows are counted, though {quoted(counters)} counts, too",)
        if counters
        else ()
    )


def _may_count(name: str, column: Column, n_rows: int) -> bool:
    """Whether a column whose name says nothing may hold the steps: whole numbers in every row that go up.

    No times do, nor what is only the number of the row.
    """
    values = column.values
    if parse(name).quantity or len(values) < max(n_rows, _FEWEST_COUNTED) or _TIMES & set(tokens(name)):
        return False
    if not np.isfinite(values).all():
        return False
    with np.errstate(over="ignore"):
        change = np.diff(values)
    return bool((change > 0).all() and (change > 1).any() and (values % 1 == 0).all())
