"""Printed tables: a line of names (fastai, skorch, spaCy, YOLO, DeepXDE, rich), and lines of numbers below it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from curveclinic.intake.naming import parse
from curveclinic.readers.console_pairs import NUMBER, WRITTEN, Row
from curveclinic.readers.console_places import AXIS_COLUMN

_FEWEST_COLUMNS = 3
_FEWEST_TABBED = 2
"""The same where tabs part names of several words, as Hugging Face's Trainer in a notebook: Step, Training Loss."""

_STARTS = re.compile(r"[\s#│┃]*(?:epoch|ep|e|step|iter\w*|batch|class)[\s│┃]", re.IGNORECASE)
"""How a header begins, for a quick look at each line."""

_AXES: Final = {**AXIS_COLUMN, "e": "epoch", "#": "step"}

_BORDER = re.compile(r"[│┃]")
_APART = re.compile(r"\t+|\s{2,}")
_CELL = re.compile(r"\[[^\]]*\]|No log|\S+")
_COUNTED = re.compile(r"\d+(?:/\d+)?")
_NO_NAME = re.compile(r"^#?[\d.+\-]|=")
"""What no column is called: `1/30,` and `loss=0.5` are of a line that says its names itself."""

_NUMBER = re.compile(NUMBER, re.IGNORECASE)
_WRITTEN = re.compile(WRITTEN, re.IGNORECASE)

_NOT_MEASURED = frozenset(("", "-", "--", "n/a", "na", "none", "#na#", "[]", "no log"))
"""Cells of a loss or metric that was not measured in a row."""

_PARTS = frozenset(("box", "obj", "cls", "dfl", "seg", "kobj", "pose", "total"))
"""Columns of older YOLOs that do not say that they are losses."""

_CLASSES = re.compile(r"\s*class\s+images\s+(?:labels|targets|instances)\s+(.*?)(?::\s+\d+%.*)?$", re.IGNORECASE)
_ALL = "all"
"""The header above the metrics of a YOLO, and the class whose row is the mean of all."""


def header_of(line: str) -> tuple[str, ...]:
    """Returns the column names of a printed table; () for any other line."""
    if not _STARTS.match(line):
        return ()
    classes = _CLASSES.match(line)
    if classes:
        measured = (name.rpartition("(")[2].rstrip(")") for name in classes[1].split())
        return (_ALL, "", "", *(f"val/{name}" for name in measured))
    names = _names(line)
    if len(names) < _fewest(line) or names[0].lower() not in _AXES or ":" in line or any(map(_NO_NAME.search, names)):
        return ()
    if {"box", "cls"} <= set(names):
        return tuple(f"{name}_loss" if name in _PARTS else name for name in names)
    return tuple(names) if any(parse(name).quantity == "loss" for name in names) else ()


def table_row(line: str, header: Sequence[str]) -> Row:
    """Returns the numbers of a table's row by the names in its header; nothing for a line that is no row of it.

    Of parts in brackets, `[0.5, 0.1]`, the sum is the loss.
    """
    cells = _cells(line) if header else []
    if not cells or len(cells) < len(header):
        return {}
    if not (cells[0] == _ALL if header[0] == _ALL else _COUNTED.fullmatch(cells[0])):
        return {}
    row: Row = {}
    for name, cell in zip(header, cells, strict=False):
        if name.lower() in _AXES:
            row.setdefault(_AXES[name.lower()], cell.partition("/")[0])
        elif parse(name).is_told and cell.lower() not in _NOT_MEASURED:
            number = _in_brackets(cell, name) if cell.startswith("[") else cell.rstrip(":%")
            if _WRITTEN.fullmatch(number):
                row.setdefault(name, number)
            elif parse(name).quantity == "loss":
                return {}
    return row if any(parse(name).is_told for name in row) else {}


def _names(line: str) -> list[str]:
    """Returns the names in a header, which may have blanks where more of them, tabs or borders part the columns."""
    bare = line.strip()
    if bare.startswith("#"):
        bare = bare.lstrip("# \t")
    if _BORDER.search(bare):
        return [name.strip() for name in _BORDER.split(bare)[1:-1]]
    apart = _APART.split(bare)
    return apart if len(apart) >= _fewest(bare) and any(" " in name for name in apart) else bare.split()


def _fewest(header: str) -> int:
    """How many columns a header has at least."""
    return _FEWEST_TABBED if "\t" in header and " " in header.strip() else _FEWEST_COLUMNS


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in _BORDER.split(line.strip())[1:-1]] if _BORDER.search(line) else _CELL.findall(line)


def _in_brackets(cell: str, name: str) -> str:
    """The sum of the parts of a loss; of others the first."""
    numbers = [float(number) for number in _NUMBER.findall(cell)]
    return str(sum(numbers) if parse(name).may_be_loss else numbers[0]) if numbers else ""
