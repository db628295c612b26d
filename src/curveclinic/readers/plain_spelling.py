"""Cells of a table as Python spells numbers: decimal commas, marks of thousands, Fortran's exponents."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from curveclinic.intake.run_columns import may_tell_run
from curveclinic.intake.step_names import axis_key
from curveclinic.readers.commas import Cells, Comma, has_points, is_with_comma, settled
from curveclinic.readers.number_table import is_number
from curveclinic.readers.thousands import (
    is_grouped,
    may_be_grouped,
    may_hold_marks,
    without_marks,
    without_points,
)

_FORTRAN = re.compile(r"([+-]?(?:\d+(?:\.\d*)?|\.\d+))[dD]([+-]?\d+)")
"""`1.2D+00`."""


def is_spelt_number(cell: str) -> bool:
    """Says whether a cell is a number, however it is spelt."""
    return is_number(cell) or is_with_comma(cell) or _FORTRAN.fullmatch(cell) is not None


def spelt_plainly(
    columns: Sequence[Any], names: Sequence[str], written: Callable[[int], list[str | None]]
) -> tuple[list[Any], tuple[str, ...]]:
    """Returns columns with texts stripped and numbers in them spelt as in Python, and notes on what was guessed.

    Args:
        columns: the columns of a table.
        names: what they are called.
        written: place of a column of numbers -> its cells as texts.
    """
    import pyarrow as pa

    texts = _texts(columns, names)
    with_commas: dict[str, int] = {}
    for place, cells in texts.items():
        if not may_tell_run(names[place]) and any("," in cell for cell in cells if cell):
            with_commas.setdefault(names[place], place)
    numbers, notes = dict[int, Any](), tuple[str, ...]()
    if with_commas:
        steps = _grouped_steps(columns, names, texts, written)
        grouped = {place for place, cells in steps.items() if is_grouped(cells)}
        others = [place for place in range(len(columns)) if place not in grouped]
        points = any(_is_fractional(columns[k]) or has_points(texts.get(k, ())) for k in others)
        spelt, notes = settled({name: texts[place] for name, place in with_commas.items()}, Comma.POINT, points=points)
        numbers = {with_commas[name]: _as_numbers(cells) for name, cells in spelt.items()}
        if any(_is_decimal(texts[with_commas[name]], cells) for name, cells in spelt.items()):
            numbers |= {place: _as_numbers(without_points(cells)) for place, cells in steps.items()}
    plain = {place: pa.array(cells, pa.string()) for place, cells in texts.items()} | numbers
    return [pa.chunked_array([plain[k]]) if k in plain else column for k, column in enumerate(columns)], notes


def _texts(columns: Sequence[Any], names: Sequence[str]) -> dict[int, list[str | None]]:
    """Returns place -> cells of the columns of texts, stripped, and without blanks in numbers."""
    import pyarrow as pa

    texts = {}
    for place, column in enumerate(columns):
        if pa.types.is_string(column.type):
            cells = [None if cell is None else _plain(cell) for cell in column.to_pylist()]
            has_marks = not may_tell_run(names[place]) and may_hold_marks(_characters(column))
            texts[place] = without_marks(cells) if has_marks else cells
    return texts


def _characters(column: Any) -> bytes:
    """Returns the texts of a column, one behind the other."""
    return b"".join(chunk.buffers()[2] or b"" for chunk in column.chunks)


def _is_decimal(written: Cells, spelt: Cells) -> bool:
    """Whether commas in the cells of a column were decimal points."""
    both = zip(written, spelt, strict=True)
    return any(old and "," in old and new == old.replace(".", "").replace(",", ".") for old, new in both)


def _grouped_steps(
    columns: Sequence[Any],
    names: Sequence[str],
    texts: Mapping[int, list[str | None]],
    written: Callable[[int], list[str | None]],
) -> dict[int, list[str | None]]:
    """Returns the cells of the columns of steps whose points may part thousands, `1.000` beside `2,05`."""
    import pyarrow as pa

    cells = {
        place: texts[place] if place in texts else written(place)
        for place, column in enumerate(columns)
        if axis_key(names[place]) and (place in texts or pa.types.is_floating(column.type))
    }
    return {place: own for place, own in cells.items() if may_be_grouped(own)}


def _plain(cell: str) -> str:
    found = _FORTRAN.fullmatch(cell.strip()) if "D" in cell or "d" in cell else None
    return f"{found[1]}e{found[2]}" if found else cell.strip()


def _is_fractional(column: Any) -> bool:
    """Whether a column of numbers has been written with decimal points."""
    import pyarrow as pa

    return pa.types.is_floating(column.type) and any(v % 1 for v in column.to_pylist() if v is not None and v - v == 0)


def _as_numbers(cells: Cells) -> Any:
    """Returns cells as an array of numbers where all are, else of texts."""
    import pyarrow as pa

    texts = pa.array(cells, pa.string())
    try:
        return texts.cast(pa.float64())
    except pa.ArrowInvalid:
        return texts
