"""Delimited text: Keras CSVLogger, Lightning metrics.csv, Ultralytics results.csv, timm, fastai, any CSV.

What makes one reader do for all: names are stripped, missing cells are not NaN, train and validation may
stand in different rows, and a second header starts a new block.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from itertools import islice, pairwise
from typing import Any

import numpy as np

from curveclinic.assemble import Origin, ReadOptions, runs_from_grid
from curveclinic.columns import grid_from_frame
from curveclinic.errors import InputError, LogError
from curveclinic.grid import Column, Grid, row_steps
from curveclinic.naming import parse
from curveclinic.plurals import counted
from curveclinic.readers.number_table import NULLS, column_names, is_number, number_grid
from curveclinic.readers.source import NoCurvesError, Source
from curveclinic.run import Run

_DELIMITERS = ",;\t|"
_SNIFFED_LINES = 8
_SNIFFED_TEXT = 2048
"""Characters that nearly always hold so many lines."""
_ABOVE_HEADER = ("#", ";", "//", "%", "sep=")
"""How lines begin that may stand above a header: comments, and what Excel is told of the delimiter."""


def sniff(head: bytes) -> bool:
    """Says whether bytes are a header line and rows of as many cells, some of them numbers."""
    text = _as_text(head)
    if text is None:
        return False
    text = _from_header(text)
    lines = _first_lines(text[:_SNIFFED_TEXT])
    if len(lines) < _SNIFFED_LINES:
        lines = _first_lines(text)
    delimiter, names = _header(lines[0]) if lines else ("", ())
    if not names:
        return False
    if len(lines) == 1:
        return any(parse(n).quantity for n in names)
    rows = (_cells(line, delimiter) for line in lines[1:])
    return any(len(row) == len(names) and any(map(is_number, row)) for row in rows)


@lru_cache(maxsize=64)
def _header(line: str) -> tuple[str, tuple[str, ...]]:
    """Returns the delimiter and the names of a header line; no names where it is none. Most files have the same."""
    delimiter = _delimiter(line)
    names = tuple(_cells(line, delimiter))
    if line.lstrip()[:1] in "{[<" or (len(names) < 2 and not parse(line.strip()).quantity):
        return delimiter, ()
    if all(is_number(n) for n in names) or any(len(n) > 200 for n in names):
        return delimiter, ()
    return delimiter, names


def _first_lines(text: str) -> list[str]:
    """Returns the first lines that are not blank."""
    return list(islice((line for line in text.splitlines() if line.strip()), _SNIFFED_LINES))


def read(source: Source, options: ReadOptions) -> list[Run]:
    """Returns the runs of a delimited text file.

    Raises:
        LogError: the text is no table, holds no numbers, or has no loss column.
    """
    grid, n_bad, cut = _whole(source)
    notes = (*unfit_note(n_bad), *cut)
    origin = Origin(
        run_id=source.run_id, path=source.path, format="csv", notes=notes, advice="name it with --train-loss"
    )
    try:
        return runs_from_grid(grid, options, origin)
    except InputError as error:
        kind = LogError if row_steps(grid, None)[0] else NoCurvesError
        raise kind(f"{source.path}: {error}") from None


def _whole(source: Source) -> tuple[Grid, int, tuple[str, ...]]:
    """Returns the rows of all blocks, the number of lines that do not fit the header, and what else is to be noted."""
    plain = number_grid(source, _delimiter)
    return _by_blocks(source.content(), source.path) if plain is None else (plain, 0, ())


def _by_blocks(data: bytes, path: str) -> tuple[Grid, int, tuple[str, ...]]:
    """Parses whatever is a table, cell by cell where need be."""
    text = _as_text(data)
    if text is None:
        raise LogError(f"{path}: found binary data, expected delimited text")
    text = _from_header(text)
    delimiter = _delimiter(text.partition("\n")[0])
    text, cut = _without_cut_cell(text, delimiter)
    parsed = [_grid(block, delimiter, path) for block in _blocks(text, delimiter)]
    quoted = quoted_note(sum(swallowed for _, _, swallowed in parsed))
    return _stacked([grid for grid, _, _ in parsed]), sum(bad for _, bad, _ in parsed), (*cut, *quoted)


def _without_cut_cell(text: str, delimiter: str) -> tuple[str, tuple[str, ...]]:
    """Empties the last cell of a table whose last line has no end: `0.5` may be the start of `0.5e-3`."""
    rows, end, last = text.rpartition("\n")
    cells, mark, cell = last.rpartition(delimiter)
    if not end or not is_number(cell.strip(" \"'")):
        return text, ()
    note = "the last line has no end: its last cell may be cut short and is left out"
    return rows + end + cells + mark, (note,)


def _as_text(data: bytes) -> str | None:
    """Returns bytes as text; None for binary data. A character cut in half at the end is dropped."""
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return data.decode("utf-16", "replace").lstrip("\ufeff")
    if b"\0" in data[:65536]:
        return None
    if data.isascii():
        return data.decode("ascii")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        if error.start >= len(data) - 4:
            return data[: error.start].decode("utf-8-sig")
    text = data.decode("latin-1")
    control = sum((c < " " and c not in "\t\r\n") or "\x7f" <= c < "\xa0" for c in text[:4096])
    return None if control > 0.01 * min(len(text), 4096) else text


def _from_header(text: str) -> str:
    """Returns a text without the blank lines and comments above its header; a comment with the names is the header."""
    text = text.lstrip("\r\n ")
    above = at = 0
    while text.startswith(_ABOVE_HEADER, at):
        above, at = at, text.find("\n", at) + 1 or len(text)
        while text[at : at + 1].isspace() and text[at] != "\t":
            at += 1
    if not at:
        return text
    comment, row = text[above:].partition("\n")[0], text[at:].partition("\n")[0]
    delimiter = _delimiter(comment)
    names, cells = _cells(comment, delimiter), _cells(row, delimiter)
    is_header = len(names) == len(cells) and any(map(is_number, cells))
    return text[above:] if is_header or not row else text[at:]


def _delimiter(header: str) -> str:
    return max(_DELIMITERS, key=header.count)


def _cells(line: str, delimiter: str) -> list[str]:
    return [cell.strip().strip("\"'").strip() for cell in line.split(delimiter)]


def _blocks(text: str, delimiter: str) -> list[str]:
    """Cuts the text before each header line after the first (CSVLogger appending to a file)."""
    header = text.partition("\n")[0]
    first = header.split(delimiter)[0]
    if not first.strip() or delimiter not in header:
        return [text]
    again = [m.start() for m in re.finditer(rf"^{re.escape(first)}{re.escape(delimiter)}", text, re.MULTILINE)]
    again = [at for at in again if not any(is_number(c) for c in _cells(text[at:].partition("\n")[0], delimiter))]
    return [text[a:b] for a, b in pairwise([0, *again[1:], len(text)])]


def n_within_quotes(data: bytes, n_rows: int) -> int:
    """Returns how many lines below the header are no rows because a quotation mark before them is still open."""
    if b'"' not in data:
        return 0
    ends = np.frombuffer(data.replace(b"\r", b""), dtype=np.uint8) == ord("\n")
    n_lines = np.count_nonzero(~ends & np.append(True, ends[:-1]))
    return max(0, int(n_lines) - 1 - n_rows)


def unfit_note(n_lines: int) -> tuple[str, ...]:
    """Returns the note on lines that do not fit the header; nothing where all do."""
    if not n_lines:
        return ()
    return (f"left out {counted(n_lines, 'line that does not fit the header', 'lines that do not fit the header')}",)


def quoted_note(n_lines: int) -> tuple[str, ...]:
    """Returns the note on such lines; nothing where there are none."""
    if not n_lines:
        return ()
    return (f"left out {counted(n_lines, 'line')} within quotation marks; is a mark damaged or not closed?",)


def _grid(block: str, delimiter: str, path: str) -> tuple[Grid, int, int]:
    """Parses one block; returns its grid, how many lines do not fit its header, and how many are within quotes."""
    import pyarrow as pa
    from pyarrow import csv

    bad: list[Any] = []

    def skip(row: Any) -> str:
        bad.append(row)
        return "skip"

    data = block.encode()
    try:
        table = csv.read_csv(
            pa.BufferReader(data),
            read_options=csv.ReadOptions(use_threads=False, block_size=len(data) + 1),
            parse_options=csv.ParseOptions(delimiter=delimiter, invalid_row_handler=skip),
            convert_options=csv.ConvertOptions(
                null_values=NULLS, strings_can_be_null=True, quoted_strings_can_be_null=True, timestamp_parsers=[]
            ),
        )
    except (pa.ArrowInvalid, pa.ArrowKeyError, pa.ArrowNotImplementedError) as error:
        raise LogError(f"{path}: no delimited text ({str(error).splitlines()[0][:120]})") from None
    columns = [
        pa.chunked_array([_plain(column.to_pylist(), delimiter)]) if pa.types.is_string(column.type) else column
        for column in table.columns
    ]
    grid = grid_from_frame(pa.Table.from_arrays(columns, names=column_names(table.column_names)))
    return grid, len(bad), n_within_quotes(data, table.num_rows + len(bad))


def _plain(cells: list[str | None], delimiter: str) -> list[str | None]:
    """Cells without padding; with `;` between cells a comma is a decimal point."""
    stripped = [None if c is None else c.strip() for c in cells]
    if delimiter != ";":
        return stripped
    return [c.replace(",", ".") if c and re.fullmatch(r"[+-]?\d*,\d+([eE][+-]?\d+)?", c) else c for c in stripped]


def _stacked(grids: Sequence[Grid]) -> Grid:
    """Puts the rows of blocks under one another; each block is a new start."""
    if len(grids) == 1:
        return grids[0]
    offsets = np.cumsum([0, *(g.n_rows for g in grids)])
    columns: dict[str, list[Column]] = {}
    for grid, offset in zip(grids, offsets, strict=False):
        for name, column in grid.columns.items():
            columns.setdefault(name, []).append(Column(column.rows + offset, column.values))
    joined = {
        name: Column(np.concatenate([p.rows for p in parts]), np.concatenate([p.values for p in parts]))
        for name, parts in columns.items()
    }
    notes = tuple(dict.fromkeys(note for grid in grids for note in grid.notes))
    return Grid(joined, int(offsets[-1]), breaks=tuple(int(o) for o in offsets[1:-1]), notes=notes)
