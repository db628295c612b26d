"""Lines of numbers as an array, fast when they are sound, line by line when they are not."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from curveclinic.points import FloatArray, as_number


def number_table(lines: Sequence[bytes], width: int, separator: bytes | None = None) -> tuple[FloatArray, int]:
    """Returns (n, width) numbers, the first cells of each line, and how many lines do not fit.

    Args:
        lines: text without line ends; `nan` and `inf` are numbers.
        width: cells wanted of each line; a line with fewer does not fit.
        separator: what stands between cells; None: blanks.
    """
    rows = [line.split(separator) for line in lines]
    cells = [row[:width] for row in rows if len(row) >= width]
    n_short = len(rows) - len(cells)
    try:
        return np.array(cells, dtype="S").reshape(-1, width).astype(np.float64), n_short
    except ValueError:
        sound = [numbers for numbers in map(_numbers, cells) if numbers is not None]
    return np.array(sound, dtype=np.float64).reshape(-1, width), len(rows) - len(sound)


def _numbers(cells: Sequence[bytes]) -> list[float] | None:
    try:
        numbers = [as_number(cell.decode("ascii", "replace")) for cell in cells]
    except ValueError:
        return None
    return None if None in numbers else [n for n in numbers if n is not None]
