"""What a comma within numbers means, a decimal point or a mark of thousands: the numbers of a log tell together."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from enum import Enum
from typing import Final

Cells = Sequence[str | None]


class Comma(Enum):
    """What the commas of a column mean."""

    POINT = "decimal points"
    GROUPS = "marks of thousands"


class _Hint(Enum):
    """What a column tells that tells no meaning for certain."""

    SMALL_WHOLE = "its whole numbers without commas are below 1000, as beside thousands"
    EITHER = "nothing"
    NEITHER = "its commas cannot all be of one kind"


_GROUPED: Final = re.compile(r"[+-]?[1-9]\d{0,2}(?:,\d{3})+(?:\.\d*)?")
_POINTED: Final = re.compile(r"[+-]?(?:\d*|[1-9]\d{0,2}(?:\.\d{3})+),\d+(?:[eE][+-]?\d+)?")
_WITH_POINT: Final = re.compile(r"[+-]?(?:\d+\.\d*|\.\d+)(?:[eE][+-]?\d+)?")
_ONLY_GROUPED: Final = re.compile(r"^[+-]?\d{1,3}(?:(?:,\d{3}){2,}(?:\.\d*)?|,\d{3}\.\d*)$", re.MULTILINE)
_SMALL: Final = re.compile(r"[+-]?\d{1,3}")
"""A whole number that needs no mark of thousands."""


def settled(
    columns: Mapping[str, Cells],
    unclear: Comma,
    *,
    points: bool = False,
    counters: Collection[str] = (),
    apart: bool = False,
) -> tuple[dict[str, list[str | None]], tuple[str, ...]]:
    """Returns the columns that hold commas, written with points, and notes on what had to be guessed.

    A cell that does not fit what the others tell stays as it is, no number.

    Args:
        columns: name -> cells, of which some hold commas.
        unclear: what commas mean that could be both, where nothing else in the log tells.
        points: whether there are decimal points in the log besides.
        counters: columns of whole numbers, in which commas are decimal points only if they are in other columns.
        apart: whether commas may also part numbers, as in lines of text: where most of a column would be lost, the
            first one is read.
    """
    told = {name: _told(cells) for name, cells in columns.items()}
    sure = {meaning for name, meaning in told.items() if name not in counters}
    likely = next((meaning for meaning in Comma if meaning in sure), Comma.GROUPS if points else None)
    out, notes = {}, []
    for name, meaning in told.items():
        if meaning is _Hint.NEITHER or (name in counters and meaning is Comma.POINT and Comma.POINT not in sure):
            some = list(filter(None, columns[name]))
            first = apart and name not in counters and 2 * sum("," in cell for cell in some) > len(some)
            if first:
                out[name] = [cell and cell.partition(",")[0] for cell in columns[name]]
            if first or all(map(is_with_comma, some)):
                what = "what stands before them is read" if first else "the column is left out"
                notes.append(f"{name}: what its commas mean is not told ({some[0]!r}) and {what}")
            continue
        found, guessed = likely or unclear, likely is None
        if isinstance(meaning, Comma):
            found, guessed = meaning, False
        elif meaning is _Hint.SMALL_WHOLE and (name in counters or likely is not Comma.POINT):
            found, guessed = Comma.GROUPS, likely is not Comma.GROUPS
        out[name] = [_rewritten(cell, found) if cell and "," in cell else cell for cell in columns[name]]
        if guessed:
            shown = next(cell for cell in columns[name] if cell and _GROUPED.fullmatch(cell))
            notes.append(f"{name}: commas are taken for {found.value} ({shown!r} for {_rewritten(shown, found)})")
    return out, tuple(notes)


def is_grouped(cell: str) -> bool:
    """Says whether a cell is a number whose commas may part thousands."""
    return _GROUPED.fullmatch(cell) is not None


def is_with_comma(cell: str) -> bool:
    """Says whether a cell is a number with a comma in it."""
    return "," in cell and (_POINTED.fullmatch(cell) or _GROUPED.fullmatch(cell)) is not None


def has_points(cells: Cells) -> bool:
    """Says whether a cell is a number with a decimal point."""
    return any("." in cell and _WITH_POINT.fullmatch(cell) for cell in cells if cell)


def _told(cells: Cells) -> Comma | _Hint:
    """What a column tells by itself."""
    commas = [cell for cell in cells if cell and "," in cell]
    only_grouped = _ONLY_GROUPED.search("\n".join(commas)) is not None
    if any(_POINTED.fullmatch(cell) and not _GROUPED.fullmatch(cell) for cell in commas):
        return _Hint.NEITHER if only_grouped or has_points(cells) else Comma.POINT
    if not any(map(_GROUPED.fullmatch, commas)):
        return _Hint.NEITHER
    if only_grouped or has_points(cells):
        return Comma.GROUPS if all(map(_GROUPED.fullmatch, commas)) else _Hint.NEITHER
    whole = [cell for cell in cells if cell and cell.lstrip("+-").isdigit()]
    return _Hint.SMALL_WHOLE if whole and all(map(_SMALL.fullmatch, whole)) else _Hint.EITHER


def _rewritten(cell: str, meaning: Comma) -> str:
    if meaning is Comma.GROUPS:
        return cell.replace(",", "") if _GROUPED.fullmatch(cell) else cell
    return cell.replace(".", "").replace(",", ".") if _POINTED.fullmatch(cell) else cell
