"""Delimited text: Keras CSVLogger, Lightning metrics.csv, Ultralytics results.csv, timm, fastai, any CSV.

What makes one reader do for all: names are stripped, missing cells are not NaN, train and validation may
stand in different rows, and a second header starts a new block.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from functools import lru_cache
from itertools import islice, pairwise
from typing import Any

import numpy as np

from curveclinic.errors import InputError, LogError
from curveclinic.intake.assemble import ReadOptions, runs_from_grid
from curveclinic.intake.cells import LOOKED_AT, SHOWN, Column
from curveclinic.intake.columns import grid_from_frame
from curveclinic.intake.grid import Grid, is_summary, row_steps
from curveclinic.intake.naming import parse, quoted
from curveclinic.intake.step_names import is_log_axis
from curveclinic.phrases import counted
from curveclinic.readers.number_table import NULLS, column_names, is_number, number_grid
from curveclinic.readers.plain_spelling import is_spelt_number, spelt_plainly
from curveclinic.readers.source import SUMMARY_FOUND, NoCurvesError, Source, no_loss
from curveclinic.run import Run

_DELIMITERS = ",;\t|"
_ENDINGS = (".csv", ".tsv")
_SNIFFED_LINES = 8
_SNIFFED_TEXT = 2048
"""Characters that nearly always hold so many lines."""
_SCALAR = re.compile(r"(?:tensor|(?:np|numpy)\.float\d+)\(\[?([^][(),\n]*)\]?(?:,[^()\n]*)?\)")
"""`tensor(0.5, device='cuda:0')`."""
_RULE = re.compile(r"^[-+=|: \t]+(?:\r?\n|\Z)", re.MULTILINE)
"""`+-----+-----+`, or `|---|:-:|`."""
_ABOVE_HEADER = ("#", ";", "//", "%", "sep=")
"""How lines begin that may stand above a header: comments, and what Excel is told of the delimiter."""


def sniff(head: bytes) -> bool:
    """Says whether bytes are a header line and rows of as many cells, some of them numbers."""
    text = _as_text(head)
    if text is None:
        return False
    text = _from_header(_without_rules(_without_tensors(text)))
    lines = _first_lines(text[:_SNIFFED_TEXT])
    if len(lines) < _SNIFFED_LINES:
        lines = _first_lines(text)
    delimiter, names = _header(lines[0]) if lines else ("", ())
    if not names:
        return False
    if len(lines) == 1:
        return any(parse(n).quantity for n in names)
    rows = (cells_of(line, delimiter) for line in lines[1:])
    return any(_fits(row, len(names)) and any(map(is_spelt_number, row)) for row in rows)


def _fits(row: Sequence[str], width: int) -> bool:
    """Whether a row has as many cells as its header; behind the last one there may be a delimiter."""
    return len(row) == width or (len(row) == width + 1 and not row[-1])


def lacks_header(head: bytes) -> bool:
    """Says whether bytes are rows of numbers without their names above."""
    text = _as_text(head)
    lines = _first_lines(text[:_SNIFFED_TEXT])[:2] if text else []
    rows = [cells_of(line, _delimiter(line)) for line in lines]
    return len(rows) == 2 and all(all(map(is_number, row)) for row in rows)


@lru_cache(maxsize=64)
def _header(line: str) -> tuple[str, tuple[str, ...]]:
    """Returns the delimiter and the names of a header line; no names where it is none. Most files have the same."""
    delimiter = _delimiter(line)
    names = tuple(cells_of(line, delimiter))
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
    grid, notes = whole(source)
    if is_summary(grid):
        raise NoCurvesError(f"{source.path}: {SUMMARY_FOUND}")
    try:
        return runs_from_grid(grid, options, source.origin(notes=notes))
    except InputError as error:
        is_log = is_log_axis(row_steps(grid, None)[0]) if grid.n_rows else _begins_log(source)
        raise no_loss(source, "; ".join((str(error), *grid.notes)), is_log=is_log) from None


def _begins_log(source: Source) -> bool:
    """Whether a header without rows is that of a log; settings and notes have a line that names a loss, too."""
    if source.path.endswith(_ENDINGS):
        return True
    lines = _first_lines(_from_header(_as_text(source.head()) or ""))
    return bool(lines) and any(map(is_log_axis, _header(lines[0])[1]))


def whole(source: Source) -> tuple[Grid, tuple[str, ...]]:
    """Returns the rows of all blocks, and notes on the lines and cells that are left out.

    Raises:
        LogError: the text is no table.
    """
    plain = number_grid(source, _delimiter)
    return by_blocks(source.content(), source.path) if plain is None else (plain, ())


def by_blocks(data: bytes, path: str) -> tuple[Grid, tuple[str, ...]]:
    """Parses whatever is a table, cell by cell where need be."""
    text = _as_text(data)
    if text is None:
        raise LogError(f"{path}: found binary data, expected delimited text")
    text = _from_header(_without_rules(_without_tensors(text)))
    delimiter = _delimiter(text.partition("\n")[0])
    text, cut = _without_cut_cell(text, delimiter)
    parsed = [_grid(block, delimiter, path) for block in _blocks(text, delimiter)]
    unfit = _unfit_note(sum(bad for _, bad, _ in parsed))
    quoted = _quoted_note(sum(swallowed for _, _, swallowed in parsed))
    return _stacked([grid for grid, _, _ in parsed]), (*unfit, *cut, *quoted)


def _without_cut_cell(text: str, delimiter: str) -> tuple[str, tuple[str, ...]]:
    """Empties the last cell of a table whose last line has no end: `0.5` may be the start of `0.5e-3`."""
    rows, end, last = text.rpartition("\n")
    is_open = last.count('"') % 2 == 1
    cells, mark, cell = last.rpartition('"' if is_open else delimiter)
    if not end or not (is_open or not cell.endswith('"')) or not is_spelt_number(cell.strip(" '").rstrip(",")):
        return text, ()
    note = "the last line has no end: its last cell may be cut short and is left out"
    return rows + end + cells + ("" if is_open else mark), (note,)


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


def _without_tensors(text: str) -> str:
    """Returns a text with numbers where Python has written the scalars of torch and NumPy."""
    return _SCALAR.sub(r"\1", text) if "tensor(" in text or ".float" in text else text


def _without_rules(text: str) -> str:
    """Returns a text without the lines drawn in a table between its rows, of which one is near its header."""
    top = text[:_SNIFFED_TEXT]
    if "---" not in top or not any(map(_is_rule, _RULE.findall(top))):
        return text
    return _RULE.sub(lambda line: "" if _is_rule(line[0]) else line[0], text)


def _is_rule(line: str) -> bool:
    return ("---" in line or "===" in line) and ("+" in line or "|" in line)


def _from_header(text: str) -> str:
    """Returns a text without the blank lines and comments above its header; a comment with the names is the header."""
    text = text.lstrip("\r\n ")
    above = at = 0
    is_header = False
    while text.startswith(_ABOVE_HEADER, at):
        above, at = at, text.find("\n", at) + 1 or len(text)
        while text[at : at + 1].isspace() and text[at] != "\t":
            at += 1
        is_header = _names_cells(text[above:].partition("\n")[0], text[at:].partition("\n")[0])
        if is_header and text[above] == ";":  # no comment, but a nameless first column
            break
    return text[above:] if is_header or at == len(text) else text[at:]


def _names_cells(comment: str, row: str) -> bool:
    """Whether a comment has a name for each cell of the line below it, which holds numbers."""
    delimiter = _delimiter(comment)
    names, cells = cells_of(comment, delimiter), cells_of(row, delimiter)
    return len(names) == len(cells) and any(map(is_spelt_number, cells)) and not all(map(is_spelt_number, names))


def _delimiter(header: str) -> str:
    return max(_DELIMITERS, key=header.count)


def cells_of(line: str, delimiter: str) -> list[str]:
    """Returns the cells of a line, without what is around them."""
    cells = line.split(delimiter)
    if '"' in line:
        with suppress(csv.Error):
            cells = next(csv.reader([line], delimiter=delimiter), [])
    return [cell.strip().strip("\"'").strip() for cell in cells]


def _blocks(text: str, delimiter: str) -> list[str]:
    """Cuts the text before each header line after the first (CSVLogger appending to a file)."""
    header = text.partition("\n")[0]
    first = header.split(delimiter)[0]
    if not first.strip() or delimiter not in header:
        return [text]
    again = [m.start() for m in re.finditer(rf"^{re.escape(first)}{re.escape(delimiter)}", text, re.MULTILINE)]
    again = [at for at in again if not any(is_number(c) for c in cells_of(text[at:].partition("\n")[0], delimiter))]
    return [text[a:b] for a, b in pairwise([0, *again[1:], len(text)])]


def _n_within_quotes(data: bytes, n_rows: int) -> int:
    """Returns how many lines below the header are no rows because a quotation mark before them is still open."""
    if b'"' not in data:
        return 0
    ends = np.frombuffer(data.replace(b"\r", b""), dtype=np.uint8) == ord("\n")
    n_lines = np.count_nonzero(~ends & np.append(True, ends[:-1]))
    return max(0, int(n_lines) - 1 - n_rows)


def _unfit_note(n_lines: int) -> tuple[str, ...]:
    """Returns the note on lines that do not fit the header; nothing where all do."""
    if not n_lines:
        return ()
    return (f"left out {counted(n_lines, 'line that does not fit the header', 'lines that do not fit the header')}",)


def _quoted_note(n_lines: int) -> tuple[str, ...]:
    """Returns the note on such lines; nothing where there are none."""
    if not n_lines:
        return ()
    return (f"left out {counted(n_lines, 'line')} within quotation marks; is a mark damaged or not closed?",)


def _grid(block: str, delimiter: str, path: str) -> tuple[Grid, int, int]:
    """Parses one block; returns its grid, how many lines do not fit its header, and how many are within quotes."""
    import pyarrow as pa

    data = block.encode()
    try:
        table, n_bad = _parsed(data, delimiter)
        if n_bad > table.num_rows:
            wider = _with_last_name(block, delimiter).encode()
            again, n_unfit = _parsed(wider, delimiter)
            is_blank = again.column(again.num_columns - 1).null_count == again.num_rows
            data, table, n_bad = (wider, again, n_unfit) if is_blank and n_unfit < n_bad else (data, table, n_bad)
    except (pa.ArrowInvalid, pa.ArrowKeyError, pa.ArrowNotImplementedError) as error:
        raise LogError(f"{path}: no delimited text ({str(error).splitlines()[0][:120]})") from None
    names = column_names(table.column_names)
    columns, notes = spelt_plainly(table.columns, names, lambda place: _written(data, delimiter, table, place))
    grid = grid_from_frame(pa.Table.from_arrays(columns, names=names))
    grid = replace(grid, notes=(*grid.notes, *notes))
    grid = replace(grid, notes=(*grid.notes, *_text_notes(grid, columns, names)))
    return grid, n_bad, _n_within_quotes(data, table.num_rows + n_bad)


def _with_last_name(block: str, delimiter: str) -> str:
    """Returns a block with a last, empty name in its header, for rows that end with a delimiter."""
    header, end, rows = block.partition("\n")
    return header.rstrip("\r") + delimiter + end + rows


def _parsed(data: bytes, delimiter: str, as_text: Sequence[str] = ()) -> tuple[Any, int]:
    """Returns the table of a text, and how many lines do not fit its header; numbers in some columns remain text."""
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    bad: list[Any] = []

    def skip(row: Any) -> str:
        bad.append(row)
        return "skip"

    table = arrow_csv.read_csv(
        pa.BufferReader(data),
        read_options=arrow_csv.ReadOptions(use_threads=False, block_size=len(data) + 1),
        parse_options=arrow_csv.ParseOptions(delimiter=delimiter, invalid_row_handler=skip),
        convert_options=arrow_csv.ConvertOptions(
            null_values=NULLS,
            strings_can_be_null=True,
            quoted_strings_can_be_null=True,
            timestamp_parsers=[],
            column_types=dict.fromkeys(as_text, pa.string()),
        ),
    )
    return table, len(bad)


def _written(data: bytes, delimiter: str, table: Any, place: int) -> list[str | None]:
    """Returns the cells of a column of a table as they are written."""
    again, _ = _parsed(data, delimiter, [table.column_names[place]])
    return [cell and cell.strip() for cell in again.column(place).to_pylist()]


def _text_notes(grid: Grid, columns: Sequence[Any], names: Sequence[str]) -> list[str]:
    """Returns notes on columns that are named like a loss and hold nothing but text."""
    said = " ".join(grid.notes)
    notes = []
    for name, column in zip(names, columns, strict=True):
        texts = dict.fromkeys(cell for cell in column[:LOOKED_AT].to_pylist() if isinstance(cell, str))
        if texts and name not in grid.columns and parse(name).quantity == "loss" and f"{name}: " not in said:
            notes.append(f"{name}: no cell is a number ({quoted(texts, limit=SHOWN)})")
    return notes


def _stacked(grids: Sequence[Grid]) -> Grid:
    """Puts the rows of blocks under one another; each block is a new start."""
    if len(grids) == 1:
        return grids[0]
    offsets = np.cumsum([0, *(g.n_rows for g in grids)])
    columns: dict[str, list[Column]] = {}
    for grid, offset in zip(grids, offsets, strict=False):
        for name, column in grid.columns.items():
            columns.setdefault(name, []).append(Column(column.rows + offset, column.values))
    joined = {name: Column.joined(parts) for name, parts in columns.items()}
    notes = tuple(dict.fromkeys(note for grid in grids for note in grid.notes))
    return Grid(joined, int(offsets[-1]), breaks=tuple(int(o) for o in offsets[1:-1]), notes=notes)
