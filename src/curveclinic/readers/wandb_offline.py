"""W&B's own log, `run-<id>.wandb`: one history row per `log` call, values as JSON text."""

from __future__ import annotations

import io
import json
import re
import struct
from collections.abc import Sequence

import numpy as np

from curveclinic.errors import InputError, LogError
from curveclinic.intake.assemble import ReadOptions, runs_from_grid
from curveclinic.intake.cells import Column, column_from_cells, flatten
from curveclinic.intake.grid import Grid
from curveclinic.intake.naming import parse
from curveclinic.phrases import counted
from curveclinic.points import FloatArray, IntArray
from curveclinic.readers.folders import Folder
from curveclinic.readers.source import Source, no_loss
from curveclinic.readers.wandb_records import HEADER, history, key_name, records, title
from curveclinic.run import Run

Cells = tuple[list[int], list[bytes]]
"""Rows of a column and its cells, JSON text."""

ENDING = ".wandb"
_FILE = re.compile(rf"run-[^/\\]+\{ENDING}")
_LONGEST_NUMBER = 40
_LONGEST_CELL = 4096
"""Longer cells hold tables and histograms, not numbers."""
_SKIPPED = {"_runtime", "_timestamp", "_wandb.runtime"}


def sniff(head: bytes) -> bool:
    """Says whether bytes are the head of a `.wandb` file."""
    return head.startswith(HEADER)


def file_in(folder: Folder) -> str | None:
    """Returns the name of the log in a run folder of W&B (`offline-run-<time>-<id>`, `run-<time>-<id>`), or None."""
    if not re.search(r"(^|-)run-", folder.name):
        return None
    return next((name for name in folder.files if _FILE.fullmatch(name)), None)


def read(source: Source, options: ReadOptions) -> list[Run]:
    """Returns the run of a `.wandb` file; several if its steps start over.

    Raises:
        LogError: it holds no history, or no loss.
    """
    notes: list[str] = []
    columns: dict[bytes, Cells] = {}
    name, n_rows, n_bad = "", 0, 0
    with open(source.path, "rb") if source.data is None else io.BytesIO(source.data) as file:
        for record in records(file, notes):
            try:
                items = history(record)
                if items is None:
                    name = name or title(record) or ""
                    continue
            except (IndexError, ValueError, struct.error):
                n_bad += 1
                continue
            for key, value in items:
                rows, cells = columns.setdefault(key, ([], []))
                rows.append(n_rows)
                cells.append(value)
            n_rows += 1
    if n_bad:
        notes.append(f"the file is damaged; left out {counted(n_bad, 'record')} that cannot be parsed")
    if not source.size():
        raise LogError(f"{source.path}: the file is empty")
    if not n_rows:
        reason = "; ".join(notes) or "no history in this W&B run; it logged nothing"
        raise no_loss(source, reason, is_log=bool(notes))
    grid = Grid(_columns(columns), n_rows)
    try:
        return runs_from_grid(grid, options, source.origin(title=name, notes=notes))
    except InputError as error:
        is_log = bool(notes) or any(parse(n).quantity for n in grid.columns)
        raise no_loss(source, error, is_log=is_log) from None


def _columns(raw: dict[bytes, Cells]) -> dict[str, Column]:
    columns: dict[str, Column] = {}
    for key, (rows, cells) in raw.items():
        try:
            name = key_name(key)
        except (IndexError, ValueError):
            continue
        if name not in _SKIPPED:
            columns.update(_numbers(name, rows, cells))
    return columns


def _numbers(name: str, rows: Sequence[int], cells: Sequence[bytes]) -> dict[str, Column]:
    """Returns the column of JSON cells; several if they hold dicts, none if they hold no numbers."""
    if max(map(len, cells)) <= _LONGEST_NUMBER:
        try:
            values = np.array(cells, dtype="S").astype(np.float64)
        except ValueError:
            pass
        else:
            return {name: column_of(rows, values)}
    pairs: dict[str, list[tuple[int, object]]] = {}
    for row, cell in zip(rows, cells, strict=True):
        if len(cell) > _LONGEST_CELL:
            continue
        try:
            value = json.loads(cell)
        except (ValueError, RecursionError):
            continue
        for inner, number in flatten({name: value}):
            pairs.setdefault(inner.replace("/", ".") if isinstance(value, dict) else inner, []).append((row, number))
    made = {inner: column_from_cells(found)[0] for inner, found in pairs.items()}
    return {inner: column_of(column.rows, column.values) for inner, column in made.items() if len(column.rows)}


def column_of(rows: Sequence[int] | IntArray, values: FloatArray) -> Column:
    """Returns a column; a name logged twice in a row keeps the later value."""
    index = np.array(rows, dtype=np.int64)
    last = np.append(index[1:] != index[:-1], True)
    return Column(index[last], values[last])
