"""Cells of rows -> columns of numbers, and what is said of cells that hold none."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from curveclinic.errors import InputError
from curveclinic.intake.naming import parse, quoted
from curveclinic.intake.run_columns import numbered
from curveclinic.intake.step_names import is_log_axis
from curveclinic.phrases import counted
from curveclinic.points import FloatArray, IntArray, as_number, as_points, with_inf, without_index

Cells = tuple[Sequence[int], Sequence[Any]]
"""Rows and the cells in them."""

_TEXT_CELLS = 1000
"""After so many cells without a single number a column is taken for text."""

LOOKED_AT = 100
"""Cells without a number among which a note looks for different ones."""

SHOWN = 3
"""Different cells without a number that a note shows."""

_NO_MAPPINGS: Final = frozenset((np.ndarray, list, tuple, float, int, bool, str, type(None)))
"""Types of most values and cells."""


@dataclass(frozen=True, eq=False)
class Column:
    """One column, missing cells left out: the rows it has values in, and the values."""

    rows: IntArray
    values: FloatArray

    @classmethod
    def joined(cls, parts: Sequence[Column]) -> Column:
        """Returns the values of several columns as one, row after row."""
        rows = np.concatenate([part.rows for part in parts])
        order = np.argsort(rows, kind="stable")
        return cls(rows[order], np.concatenate([part.values for part in parts])[order])


def is_mapping(value: Any) -> bool:
    """Whether it is one; what runs hold mostly is told without asking the abstract class, which takes its time."""
    kind = type(value)
    return kind is dict or (kind not in _NO_MAPPINGS and isinstance(value, Mapping))


def flatten(row: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yields (name, value) of nested mappings, names joined by a slash."""
    for key, value in row.items():
        if is_mapping(value):
            yield from flatten(value, f"{prefix}{key}/")
        else:
            yield f"{prefix}{key}", value


def cells_by_name(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Cells]]:
    """Returns name -> its cells, a part for each kind of row; rows with the same keys are one kind."""
    kinds: dict[tuple[str, ...], tuple[list[int], list[Any]]] = {}
    for index, row in enumerate(rows):
        indices, values = kinds.setdefault(tuple(row), ([], []))
        indices.append(index)
        values.append(row.values())
    cells: dict[str, list[Cells]] = {}
    for keys, (indices, values) in kinds.items():
        for key, column in zip(keys, zip(*values, strict=True), strict=True):
            if any(issubclass(kind, Mapping) for kind in set(map(type, column))):
                for index, cell in zip(indices, column, strict=True):
                    for name, value in flatten({key: cell}):
                        cells.setdefault(name, []).append(([index], (value,)))
            else:
                cells.setdefault(str(key), []).append((indices, column))
    return cells


def pairs(parts: Sequence[Cells]) -> list[tuple[int, Any]]:
    """Returns (row, cell) pairs in the order of rows."""
    return sorted((pair for part in parts for pair in zip(*part, strict=True)), key=lambda pair: pair[0])


def texts_of(parts: Sequence[Cells], n_rows: int) -> list[str]:
    """Returns the cells of a column as texts, one for each row; "" for a missing one."""
    named = dict(pairs(parts))
    return [cell_text(named.get(row)) for row in range(n_rows)]


def cell_text(value: Any) -> str:
    """Returns a cell of a column of names as text, "" for a missing one."""
    is_nan = isinstance(value, float) and math.isnan(value)
    return "" if value is None or is_nan or type(value).__name__ == "NAType" else str(value)


def coded(texts: Sequence[str]) -> Column:
    """Returns a column of texts as their numbers."""
    return Column(np.arange(len(texts)), numbered(texts)[0].astype(np.float64))


def plain_column(parts: Sequence[Cells]) -> tuple[Column, list[Any]] | None:
    """Returns the column of cells that are all plain numbers, none of them bad; None if there are others."""
    if not all(set(map(type, values)) <= {float, int} for _, values in parts):
        return None
    rows = np.fromiter((row for indices, _ in parts for row in indices), dtype=np.int64)
    try:
        numbers = np.array([value for _, values in parts for value in values], dtype=np.float64)
    except OverflowError:
        return None
    if len(parts) > 1:
        order = np.argsort(rows, kind="stable")
        rows, numbers = rows[order], numbers[order]
    return Column(rows, with_inf(numbers)), []


def column_from_cells(pairs: Iterable[tuple[int, Any]]) -> tuple[Column, list[Any]]:
    """Returns the column of (row, cell) pairs and the cells that hold no number.

    A column that is mostly text comes back empty; one of nothing but text holds no cells that should be numbers.
    """
    rows: list[int] = []
    values: list[float] = []
    bad: list[Any] = []
    for row, cell in pairs:
        if isinstance(cell, (bool, list, tuple)):
            bad.append(cell)
            continue
        try:
            number = as_number(cell)
        except ValueError:
            bad.append(cell)
            if len(bad) > _TEXT_CELLS and not values:
                break
            continue
        if number is not None:
            rows.append(row)
            values.append(number)
    if not values:
        return Column(np.array([], dtype=np.int64), np.array([])), []
    if len(bad) > len(values):
        rows, values = [], []
    return Column(np.array(rows, dtype=np.int64), np.array(values, dtype=np.float64)), bad


def text_notes(name: str, column: Column, bad: Sequence[Any]) -> list[str]:
    """Returns the note on cells of a column that hold no number; none for a column nobody reads numbers from."""
    if not bad or not _is_read(name):
        return []
    shown = quoted(dict.fromkeys(str(cell) for cell in bad[:LOOKED_AT]), limit=SHOWN)
    if not len(column.rows):
        return [f"{name}: most cells are not numbers ({shown}) and the column is left out"]
    cells = counted(len(bad), "cell that is not a number", "cells that are not numbers")
    return [f"{name}: left out {cells} ({shown})"]


def repeated_notes(names: Sequence[str]) -> tuple[str, ...]:
    """Returns notes on names that several columns have, of which one is read; none for columns nobody reads."""
    if len(set(names)) == len(names):
        return ()
    twice = [name for name, count in Counter(names).items() if count > 1 and _is_read(name)]
    return tuple(f"{names.count(name)} columns are named {name!r}: the first is read" for name in twice)


def _is_read(name: str) -> bool:
    return bool(parse(name).quantity) or is_log_axis(name)


def select(column: Column, rows: IntArray) -> Column:
    """Returns the part of a column in some rows (ascending), renumbered from 0."""
    at = np.searchsorted(column.rows, rows)
    hit = np.flatnonzero(at < len(column.rows))
    hit = hit[column.rows[at[hit]] == rows[hit]]
    return Column(hit, column.values[at[hit]])


def without_gaps(name: str, value: Any) -> FloatArray | None:
    """Returns the numbers of a series that has one in every place and brings no steps; None for any other."""
    try:
        steps, values = as_points(name, without_index(value))
    except InputError:
        return None
    return values if steps is None else None
