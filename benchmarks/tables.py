"""Result rows as CSV files and as text."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

Row = Mapping[str, Any]


def write_csv(rows: Sequence[Row], path: Path) -> None:
    """Writes rows of equal keys; numbers have four significant digits, NaN is an empty cell."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows({key: shown(value, blank="") for key, value in row.items()} for row in rows)
    print(f"wrote {path}")


def print_table(rows: Sequence[Row]) -> None:
    """Prints rows of equal keys under a heading, numbers to the right."""
    cells = [list(rows[0]), *([shown(value) for value in row.values()] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for first, *others in cells:
        print(first.ljust(widths[0]), *(cell.rjust(w) for cell, w in zip(others, widths[1:], strict=True)), sep="  ")
    print()


def shown(value: Any, *, blank: str = "-") -> str:
    """Text of one cell."""
    if isinstance(value, float):
        return blank if math.isnan(value) else f"{value:.4g}"
    return str(value)
