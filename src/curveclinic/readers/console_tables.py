"""Printed tables: a line of names, and lines of numbers below it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from curveclinic.intake.naming import parse
from curveclinic.readers.console_pairs import WRITTEN, Row
from curveclinic.readers.console_places import AXIS_COLUMN


def header_of(line: str) -> tuple[str, ...]:
    """The column names of a printed table (fastai, skorch, YOLO); () for any other line."""
    cells = line.split()
    if len(cells) < 3 or cells[0].lower() not in AXIS_COLUMN:
        return ()
    return tuple(cells) if any(parse(c).quantity == "loss" for c in cells) and ":" not in line else ()


def table_row(line: str, header: Sequence[str]) -> Row:
    """The numbers of a table's row, by the names in its header."""
    cells = line.split()
    if not header or len(cells) < len(header) or not re.fullmatch(r"\d+(/\d+)?", cells[0]):
        return {}
    named = {name: cell.rstrip(":") for name, cell in zip(header, cells, strict=False)}
    row = {n: c for n, c in named.items() if parse(n).is_told and re.fullmatch(WRITTEN, c, re.IGNORECASE)}
    return {AXIS_COLUMN[header[0].lower()]: cells[0].partition("/")[0], **row} if row else {}
