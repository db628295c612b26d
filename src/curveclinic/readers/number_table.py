"""Delimited text of nothing but numbers and gaps, which nearly every log is: parsed without a look at each cell.

Small texts by Python's own `float`, which starts at once; others as one column of Arrow strings, all cells of all
columns in one go; large ones by pyarrow's CSV reader, told that columns are numbers.
Whatever is not plain (quotes, texts, lines of other lengths, a second header) is left to `delimited`, cell by cell.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from curveclinic.intake.cells import Column, repeated_notes
from curveclinic.intake.charts import JOINT, labelled
from curveclinic.intake.columns import grid_from_frame
from curveclinic.intake.grid import Grid
from curveclinic.intake.run_columns import may_tell_run
from curveclinic.intake.sides import is_side_flag
from curveclinic.points import MISSING_TEXT, BoolArray, FloatArray, IntArray
from curveclinic.readers.source import MAX_BYTES, Source

_TINY = 1 << 12
"""Bytes below which pyarrow gains nothing."""
_SMALL = 1 << 16
"""Bytes below which loading pyarrow, once a process, takes longer than there is to gain."""
_MEDIUM = 1 << 18
"""Bytes up to which all cells in one go are faster than pyarrow's CSV reader, which has to be set up."""
_BLOCK = 1 << 18
"""Bytes that pyarrow's CSV reader converts at once: they stay in the cache."""
_SAMPLE = 1 << 10
"""Bytes behind the header that tell which columns are numbers."""


T = TypeVar("T", bound=np.generic)


class _Header(NamedTuple):
    """What stands between cells, and the columns: their names as written, as they are called, and notes on them."""

    delimiter: str
    raw: tuple[str, ...]
    names: tuple[str, ...]
    notes: tuple[str, ...]


Numbers = tuple[FloatArray, "BoolArray | None"]
"""(cells,) numbers, row after row, and which of them are missing; None where none is."""

_MARK = re.compile(r"^(?:[#%]+|//)\s*")
"""Of a comment, before the names in it."""

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
    head = source.content() if size <= _MEDIUM else source.head()
    end = head.find(b"\n") + 1
    header = _header(head[:end], delimiter_of)
    if header is None or b"\0" in head or not source.ends_with(b"\n"):  # without it the last cell may be cut short
        return None
    if size <= _MEDIUM:
        grid = _grid(header, head[end:])
        if grid is not None or size <= _TINY:
            return grid
    if size > MAX_BYTES or _has_text(head[end : end + _SAMPLE], header.delimiter):
        return None
    return _large_grid(header, source)


@lru_cache(maxsize=64)
def _header(line: bytes, delimiter_of: Callable[[str], str]) -> _Header | None:
    """Returns what a first line says; None where it is no plain header. Most files of an archive have the same."""
    if not line.isascii() or any(mark in line for mark in (b'"', b"'", b"\0")):
        return None
    text = line.decode().rstrip("\r\n")
    if not text or text.startswith(";"):  # a comment, or a nameless first column: the lines below tell
        return None
    delimiter = delimiter_of(text)
    raw = tuple(text.split(delimiter))
    first = raw[0].strip()
    if first in _NULLS - {""} or is_number(first) or any(map(_tells_rows_apart, raw)):
        return None
    names = tuple(column_names(raw))
    return _Header(delimiter, raw, names, repeated_notes(names))


def _tells_rows_apart(name: str) -> bool:
    """Whether numbers in a column may tell of which run or part of the data a row is, which is left to `delimited`."""
    return may_tell_run(name) or is_side_flag(name)


def column_names(raw: Sequence[str]) -> list[str]:
    """Stripped names, the first without the mark of a comment; the nameless first column is pandas' index.

    Of runs of one name, whose columns in a chart are called alike, each is told by its place.
    """
    first = raw[0].strip() if raw else ""
    names = [_MARK.sub("", first) or first, *(name.strip() for name in raw[1:])]
    names = [name or ("index" if i == 0 else f"column {i + 1}") for i, name in enumerate(names)]
    if len(set(names)) == len(names):
        return names
    alike = {name for name, count in Counter(names).items() if count > 1 and labelled(name)[0]}
    return [f"run {i}{JOINT}{name}" if name in alike else name for i, name in enumerate(names)]


def _grid(header: _Header, rest: bytes) -> Grid | None:
    """Returns the grid of the lines below a header; None unless they are rows of plain numbers and gaps."""
    text = rest.replace(b"\r\n", b"\n") if b"\r" in rest else rest
    delimiter, width = header.delimiter, len(header.names)
    ends = _ends_of_cells(text, delimiter, width)
    if ends is None:
        return None
    by_python = len(text) < (_TINY if "pyarrow" in sys.modules else _SMALL)
    parsed = _parsed_by_python(text, delimiter) if by_python else _parsed_by_arrow(text, delimiter, ends)
    if parsed is None:
        return None
    values, gaps = parsed
    columns = _columns(_by_column(values, width), None if gaps is None else _by_column(gaps, width))
    found: dict[str, Column] = {}
    for name, column in zip(header.names, columns, strict=True):
        found.setdefault(name, column)  # of columns of one name the first is read, be it empty
    filled = {name: column for name, column in found.items() if len(column.rows)}
    return Grid(filled, len(values) // width, notes=header.notes)


def _ends_of_cells(text: bytes, delimiter: str, width: int) -> IntArray | None:
    """Returns where each cell ends; None if a line is empty or has not as many cells as the header."""
    if b"\r" in text:
        return None
    characters = np.frombuffer(text, dtype=np.uint8)
    ends_line = characters == ord("\n")
    ends: IntArray = ((characters == ord(delimiter)) | ends_line).nonzero()[0]
    if width == 1 and (np.diff(ends, prepend=-1) == 1).any():
        return None
    n_rows, rest = divmod(len(ends), width)
    fits = not rest and np.count_nonzero(ends_line) == n_rows and ends_line[ends[width - 1 :: width]].all()
    return ends if fits else None


def _parsed_by_python(text: bytes, delimiter: str) -> Numbers | None:
    if not text.isascii():
        return None
    cells = text.decode().replace("\n", delimiter).split(delimiter)[:-1]
    try:
        return np.array(list(map(float, cells))), None
    except ValueError:
        pass
    gaps = np.array([cell in _NULLS for cell in cells], dtype=bool)
    try:
        return np.array([np.nan if gap else float(cell) for cell, gap in zip(cells, gaps, strict=True)]), gaps
    except ValueError:
        return None


def _parsed_by_arrow(text: bytes, delimiter: str, ends: IntArray) -> Numbers | None:
    """Numbers of cells that are empty where missing; with the marks between them taken out they are Arrow's strings."""
    import pyarrow as pa

    offsets = np.zeros(len(ends) + 1, dtype=np.int32)
    offsets[1:] = ends - np.arange(len(ends))
    empty = offsets[1:] == offsets[:-1]
    gaps = empty if empty.any() else None
    known = None if gaps is None else pa.py_buffer(np.packbits(~gaps, bitorder="little"))
    content = pa.py_buffer(text.translate(None, delimiter.encode() + b"\n"))
    cells = pa.Array.from_buffers(pa.string(), len(ends), [known, pa.py_buffer(offsets), content])
    try:
        numbers = cells.cast(pa.float64())
    except pa.ArrowInvalid:
        return None
    return np.frombuffer(numbers.buffers()[1], dtype=np.float64), gaps  # its own way to numpy would import pandas


def _by_column(cells: npt.NDArray[T], width: int) -> npt.NDArray[T]:
    """(columns, rows) of the cells of a table, row after row."""
    return np.ascontiguousarray(cells.reshape(-1, width).T)


def _columns(values: FloatArray, gaps: BoolArray | None) -> Iterator[Column]:
    """Yields the columns of a table, (columns, rows); those without gaps share their rows."""
    every = np.arange(values.shape[1])
    for k, column in enumerate(values):
        if gaps is not None and gaps[k].any():
            rows = np.flatnonzero(~gaps[k])
            yield Column(rows, column[rows])
        else:
            yield Column(every, column)


def _large_grid(header: _Header, source: Source) -> Grid | None:
    import pyarrow as pa
    from pyarrow import csv

    try:
        table = csv.read_csv(
            pa.OSFile(source.path) if source.data is None else pa.BufferReader(source.data),
            read_options=csv.ReadOptions(use_threads=False, block_size=_BLOCK),
            parse_options=csv.ParseOptions(delimiter=header.delimiter),
            convert_options=csv.ConvertOptions(null_values=NULLS, column_types=dict.fromkeys(header.raw, pa.float64())),
        )
    except (pa.ArrowInvalid, pa.ArrowKeyError, pa.ArrowNotImplementedError):
        return None
    return grid_from_frame(table.rename_columns(header.names))


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
