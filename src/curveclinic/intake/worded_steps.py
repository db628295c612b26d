"""Rows whose step is a word, as the `best` or `Average` below a table: results, and no points."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from curveclinic.intake.naming import parse, quoted
from curveclinic.phrases import counted
from curveclinic.points import as_number

if TYPE_CHECKING:
    from curveclinic.intake.cells import Column


def words_among(cells: Iterable[tuple[int, Any]]) -> dict[int, str]:
    """Returns row -> text of the cells that are neither numbers nor missing."""
    return {row: cell.strip() for row, cell in cells if isinstance(cell, str) and not _is_read(cell)}


def rows_of_results(words: Mapping[int, str], columns: Mapping[str, Column], axis: str) -> dict[int, str]:
    """Returns which rows only repeat, without a step, what others log: their number -> the word for a step.

    A row with a loss or metric that no row with a step holds is kept: validation may say so there.

    Args:
        words: row -> word in a step column.
        columns: the numbers of a table.
        axis: the column of steps.
    """
    unplaced = np.setdiff1d(np.array(sorted(words), dtype=np.int64), columns[axis].rows)
    measured = (column for name, column in columns.items() if parse(name).quantity in ("loss", "metric"))
    logged = [column.rows[~np.isnan(column.values)] for column in measured]
    alone = [rows for rows in logged if np.isin(rows, unplaced).all()]
    found = np.setdiff1d(unplaced, np.concatenate([unplaced[:0], *alone]))
    return {row: words[row] for row in found.tolist()}


def results_note(axis: str, found: Mapping[int, str]) -> str:
    """Returns the note on rows that are left out."""
    rows = counted(len(found), "row whose step is no number", "rows whose step is no number")
    return f"{axis}: left out {rows} ({quoted(dict.fromkeys(found.values()), limit=3)})"


def _is_read(cell: str) -> bool:
    """Whether a text is a number or missing."""
    try:
        as_number(cell)
    except ValueError:
        return False
    return True
