"""Tables whose cells hold lists: a run a row, its curves, the steps beside them, and the column that names the runs."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import suppress
from typing import Any

import numpy as np
import numpy.typing as npt

from curveclinic.errors import InputError
from curveclinic.intake.assemble import attempt
from curveclinic.intake.cells import without_gaps
from curveclinic.intake.columns import columns_of
from curveclinic.intake.grid import axis_of_rows
from curveclinic.intake.naming import parse
from curveclinic.intake.own_steps import axes_among
from curveclinic.intake.run_columns import ID_COLUMNS
from curveclinic.intake.step_names import is_counter, is_log_axis
from curveclinic.points import Points, as_points
from curveclinic.run import is_sound_axis


def is_run_per_row(names: Collection[str], lists: Collection[str]) -> bool:
    """Says whether a table holds one run a row: curves in its list columns, and no loss that is a single number.

    Args:
        names: all columns.
        lists: those whose cells hold lists.
    """
    scalar_loss = any(parse(name).quantity == "loss" for name in names if name not in lists)
    return bool(lists) and (not scalar_loss or any(parse(name).quantity for name in lists))


def key_of(names: Collection[str], lists: Collection[str]) -> str | None:
    """Returns the column that names the run of a row; None where there is none."""
    return next((name for name in ID_COLUMNS if name in names and name not in lists), None)


def tables_from_lists(frame: Any, step: str | None = None) -> list[tuple[str, dict[str, Points] | InputError]] | None:
    """Returns (run id, table) per row of a frame whose cells hold lists; None if they do not.

    Where lists have the wrong length the error takes the table's place.

    Args:
        frame: any table.
        step: how the user calls the column of steps, which is then a series like another; None: by its name.
    """
    cells = {name: values for name, (values, _) in columns_of(frame).items()}
    lists = {name for name, values in cells.items() if _holds_lists(values)}
    if not is_run_per_row(cells, lists):
        return None
    key = key_of(cells, lists)
    n_rows = max(len(values) for values in cells.values())
    names = _names_above(frame, n_rows) if key is None else map(str, cells[key])
    return [(name, attempt(row_table, cells, lists, i, step)) for i, name in enumerate(names)]


def _names_above(frame: Any, n_rows: int) -> list[str]:
    """The names of the rows in the index of a pandas table, as that of groups made lists; "" without."""
    index = getattr(frame, "index", None)
    return [""] * n_rows if getattr(index, "name", None) is None else list(map(str, frame.index))


def row_table(
    cells: Mapping[str, npt.NDArray[Any]], lists: set[str], row: int, step: str | None = None
) -> dict[str, Points]:
    """Returns the series in one row; a list of anything but numbers is left out.

    Raises:
        InputError: a list that may be a channel has more or fewer values than steps of its own, or of all.
    """
    known_axes = axes_among(tuple(sorted(lists)), alone=step is not None)
    table: dict[str, Points] = {}
    axes: dict[str, Any] = {}
    fitting: set[str] = set()
    unfit: dict[str, str] = {}
    for name in cells:
        value = cells[name][row] if name in lists else None
        if value is None or isinstance(value, float) or name in known_axes.names:
            continue
        there = [key for key in known_axes.of(name) if _is_there(cells[key][row])]
        fits = (key for key in there if key not in known_axes.sided or len(cells[key][row]) == len(value))
        key = next(fits, None)
        if key is not None and key not in axes:
            axes[key] = _steps(key, cells, lists, row)
        axis: Any = None if key is None else axes[key]
        with suppress(InputError):
            if key is None or len(axis) == len(value):
                table[name] = as_points(name, value if key is None else (axis, value))
                fitting |= {key} if key else set()
            else:
                table[name] = as_points(name, value)
                known = parse(name)
                if (known.is_told or known.may_be_loss) and (key not in known_axes.shared or is_counter(key)):
                    unfit.setdefault(key, f"{name}: {len(axis)} steps ({key}) but {len(value)} values")
    wrong = [reason for key, reason in unfit.items() if key not in fitting]
    if wrong:
        raise InputError(f"{wrong[0]}; give one step for every value")
    return table


def _steps(key: str, cells: Mapping[str, npt.NDArray[Any]], lists: set[str], row: int) -> Any:
    """The steps in a list; those of a counter that starts anew, or that rows share, are told from what is beside it."""
    given = cells[key][row]
    counts = without_gaps(key, given) if is_log_axis(key) else None
    if counts is None or is_sound_axis(counts) or not np.isfinite(counts).all():
        return given
    name, steps = axis_of_rows(((name, cells[name][row]) for name in cells if name in lists), len(counts))
    return steps if name else given


def _is_there(cell: Any) -> bool:
    return cell is not None and not isinstance(cell, float)


def _holds_lists(values: npt.NDArray[Any]) -> bool:
    if values.dtype != object:
        return False
    first = next((v for v in values if v is not None and not (isinstance(v, float) and v != v)), None)
    return isinstance(first, (list, tuple, np.ndarray))
