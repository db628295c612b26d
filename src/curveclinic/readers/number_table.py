"""Delimited text of nothing but numbers and gaps, which nearly every log is: parsed without a look at each cell.

Small texts by Python's own `float`, which starts at once; large ones by pyarrow, told that columns are numbers.
Whatever is not plain (quotes, texts, lines of other lengths, a second header) is left to `delimited`, cell by cell.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from curveclinic.columns import grid_from_frame
from curveclinic.grid import RUN_COLUMNS, Column, Grid
from curveclinic.readers.source import MAX_BYTES, Source
from curveclinic.run import MISSING_TEXT

_SMALL = 1 << 15
"""Bytes up to which Python is faster than calling pyarrow."""
_BLOCK = 1 << 18
"""Bytes that pyarrow converts at once: they stay in the cache."""
_SAMPLE = 1 << 10
"""Bytes behind the header that tell which columns are numbers."""

NULLS = sorted({spelt for t in MISSING_TEXT for spelt in (t, t.upper(), t.capitalize())} | {"N/A", "#N/A"})
"""Cells that are missing."""
_NULLS = frozenset(NULLS)


def number_grid(source: Source, delimiter_of: Callable[[str], str]) -> Grid | None:
    """Returns the grid of a text; None unless all of it is a header and plain numbers and gaps.

    Args:
        source: the text.
        delimiter_of: tells from the header what stands between cells.
    """
    size = source.size()
    head = source.content() if size <= _SMALL else source.head()
    end = head.find(b"\n") + 1
    header = head[:end].rstrip(b"\r\n")
    if not header or not header.isascii() or b'"' in header or b"'" in header or b"\0" in head:
        return None
    delimiter = delimiter_of(header.decode())
    names = header.decode().split(delimiter)
    first = names[0].strip()
    if first in _NULLS - {""} or is_number(first) or any(name.strip() in RUN_COLUMNS for name in names):
        return None
    if not source.ends_with(b"\n"):
        return None  # its last cell may be cut short
    if size <= _SMALL:
        return _small_grid(names, head[end:], delimiter)
    if size > MAX_BYTES or _has_text(head[end : end + _SAMPLE], delimiter):
        return None
    return _large_grid(names, source, delimiter)


def column_names(raw: Sequence[str]) -> list[str]:
    """Stripped names; the nameless first column is pandas' index, a repeated name gets its place."""
    out: dict[str, None] = {}
    for i, name in enumerate(raw):
        clean = name.strip() or ("index" if i == 0 else f"column {i + 1}")
        while clean in out:
            clean = f"{clean}.{i}"
        out[clean] = None
    return list(out)


def _small_grid(names: list[str], rest: bytes, delimiter: str) -> Grid | None:
    if not rest.isascii():
        return None
    text = rest.decode().replace("\r\n", "\n")
    rows = [line.split(delimiter) for line in text.split("\n") if line]
    if "\r" in text or any(len(row) != len(names) for row in rows):
        return None
    columns = {}
    for name, cells in zip(column_names(names), zip(*rows, strict=True), strict=False):
        column = _column(cells)
        if column is None:
            return None
        if len(column.rows):
            columns[name] = column
    return Grid(columns, len(rows))


def _column(cells: Sequence[str]) -> Column | None:
    """The numbers of a column; None if a cell is neither a number nor missing."""
    try:
        return Column(np.arange(len(cells)), np.array(list(map(float, cells))))
    except ValueError:
        pass
    logged = [i for i, cell in enumerate(cells) if cell not in _NULLS]
    try:
        return Column(np.array(logged, dtype=np.int64), np.array([float(cells[i]) for i in logged]))
    except ValueError:
        return None


def _large_grid(names: list[str], source: Source, delimiter: str) -> Grid | None:
    import pyarrow as pa
    from pyarrow import csv

    try:
        table = csv.read_csv(
            pa.OSFile(source.path) if source.data is None else pa.BufferReader(source.data),
            read_options=csv.ReadOptions(use_threads=False, block_size=_BLOCK),
            parse_options=csv.ParseOptions(delimiter=delimiter),
            convert_options=csv.ConvertOptions(null_values=NULLS, column_types=dict.fromkeys(names, pa.float64())),
        )
    except (pa.ArrowInvalid, pa.ArrowKeyError, pa.ArrowNotImplementedError):
        return None
    return grid_from_frame(table.rename_columns(column_names(table.column_names)))


def _has_text(sample: bytes, delimiter: str) -> bool:
    """Whether a cell of a sample is no number, so that there is no need to try; its last line may be cut."""
    lines = sample.split(b"\n")[:-1]
    cells = (cell for line in lines if line for cell in line.decode("latin-1").rstrip("\r").split(delimiter))
    return not all(map(_is_plain, cells))


def _is_plain(cell: str) -> bool:
    return cell in _NULLS or is_number(cell)


def is_number(cell: str) -> bool:
    """Says whether Python reads a cell as a number."""
    try:
        float(cell)
    except ValueError:
        return False
    return True
