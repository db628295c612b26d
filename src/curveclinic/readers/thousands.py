"""Marks of thousands besides commas: blanks and apostrophes, and points where commas are the decimal ones."""

from __future__ import annotations

import re
from typing import Final

from curveclinic.readers.commas import Cells

_MARKS: Final = " \u00a0\u2009\u202f'\u2019"
"""Blanks, also those that do not break or are thin, and apostrophes."""
_MARKED: Final = re.compile(rf"\d[{_MARKS}]\d")
_BY_MARK: Final = re.compile(rf"[+-]?[1-9]\d{{0,2}}(?:[{_MARKS}]\d{{3}})+(?:[.,]\d*)?")
_AWAY: Final = str.maketrans("", "", _MARKS)
_BY_POINT: Final = re.compile(r"[1-9]\d{0,2}(?:\.\d{3})+")
_SMALL: Final = re.compile(r"\d{1,3}")
"""A whole number that needs no mark of thousands."""


def may_hold_marks(texts: bytes) -> bool:
    """Says whether there may be such marks in texts, without a look at each of them."""
    return any(mark.encode() in texts for mark in _MARKS)


def without_marks(cells: list[str | None]) -> list[str | None]:
    """Returns the cells of a column without blanks and apostrophes in numbers, where these mostly part thousands."""
    marked = [cell for cell in cells if cell and _MARKED.search(cell)]
    if 2 * sum(_BY_MARK.fullmatch(cell) is not None for cell in marked) <= len(marked):
        return cells
    return [cell and (cell.translate(_AWAY) if _BY_MARK.fullmatch(cell) else cell) for cell in cells]


def may_be_grouped(cells: Cells) -> bool:
    """Says whether the points in a column of whole numbers may part thousands."""
    some = [cell for cell in cells if cell]
    return any("." in cell for cell in some) and all(
        (_BY_POINT if "." in cell else _SMALL).fullmatch(cell) for cell in some
    )


def is_grouped(cells: Cells) -> bool:
    """Says whether they can do nothing else: numbers below 1000 stand there without a point, or one has two."""
    return may_be_grouped(cells) and any(cell.count(".") != 1 for cell in cells if cell)


def without_points(cells: Cells) -> list[str | None]:
    """Returns cells without points."""
    return [cell and cell.replace(".", "") for cell in cells]
