"""Trackio's project database: one row per `log` call, its metrics as JSON."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from curveclinic.errors import InputError, LogError
from curveclinic.intake.assemble import Origin, ReadOptions, runs_from_grid, unusable, why_unusable
from curveclinic.intake.cells import column_from_cells, flatten, text_notes
from curveclinic.intake.grid import Grid
from curveclinic.phrases import counted
from curveclinic.readers import sqlite_file
from curveclinic.readers.source import Source, no_loss
from curveclinic.run import Run

_TABLES = {"metrics": {"run_name", "step", "metrics"}}


def holds(source: Source) -> bool:
    """Says whether a SQLite database is Trackio's."""
    return sqlite_file.has_columns(source, _TABLES)


def read(source: Source, options: ReadOptions) -> Iterator[Run]:
    """Yields the runs of a project one by one; one without a loss has no channels and notes why.

    Raises:
        LogError: the database is damaged so that no run can be listed, or no run has a loss.
    """
    origin = source.origin()
    bad: list[Run] = []
    n_good = 0
    damaged = False
    with sqlite_file.opened(source) as connection:
        try:
            names = _names(connection)
        except sqlite_file.ERRORS as error:
            raise LogError(f"{source.path}: the database is damaged ({error})") from None
        for column, key, name in names:
            here = replace(origin, run_id=f"{source.run_id}#{name}")
            runs, is_damaged = _runs(connection, column, key, options, here)
            damaged = damaged or is_damaged
            for run in runs:
                n_good += bool(run.channels)
                if run.channels:
                    yield run
                else:
                    bad.append(run)
    if not n_good:
        reason = why_unusable(bad[0]) if bad else "a Trackio project without a run"
        raise no_loss(source, reason, is_log=damaged)
    yield from bad


def _names(connection: sqlite3.Connection) -> list[tuple[str, str, str]]:
    """Returns (column that tells runs apart, its value, name to show) in the order of their first rows."""
    columns = sqlite_file.columns_of(connection, "metrics")
    key = "run_id" if "run_id" in columns else "run_name"
    query = f"SELECT {key}, run_name FROM metrics GROUP BY {key} ORDER BY min(rowid)"
    found = [(str(k), str(name)) for k, name in connection.execute(query)]
    names = [name for _, name in found]
    return [(key, k, name if names.count(name) == 1 else f"{name}/{k}") for k, name in found]


def _runs(
    connection: sqlite3.Connection, column: str, key: str, options: ReadOptions, origin: Origin
) -> tuple[list[Run], bool]:
    """Returns the runs of one name, and whether rows of them are damaged."""
    rows: list[tuple[Any, Any]] = []
    notes: tuple[str, ...] = ()
    try:
        for row in connection.execute(f"SELECT step, metrics FROM metrics WHERE {column} = ? ORDER BY rowid", (key,)):
            rows.append(row)  # one by one, so that those before an error are kept
    except sqlite_file.ERRORS as error:
        notes = (f"the database is damaged ({error}); rows after the first {len(rows)} are left out",)
    grid, n_bad = _grid(rows)
    if n_bad:
        notes = (*notes, f"the database is damaged; left out {counted(n_bad, 'row')} without JSON")
    try:
        return runs_from_grid(grid, options, replace(origin, notes=notes)), bool(notes)
    except InputError as error:
        return [unusable(origin, "; ".join((*notes, str(error))))], bool(notes)


def _grid(rows: list[tuple[Any, Any]]) -> tuple[Grid, int]:
    """Returns the grid of (step, JSON) rows and how many are broken."""
    cells: dict[str, list[tuple[int, Any]]] = {}
    n_bad = 0
    for index, (step, text) in enumerate(rows):
        try:
            row = json.loads(text)
        except (ValueError, TypeError, RecursionError):
            row = None
        if not isinstance(row, dict):
            n_bad += 1
            continue
        for name, value in flatten({**row, "step": step}):
            cells.setdefault(name, []).append((index, value))
    parsed = {name: column_from_cells(pairs) for name, pairs in cells.items()}
    notes = tuple(note for name, (column, bad) in parsed.items() for note in text_notes(name, column, bad))
    columns = {name: column for name, (column, _) in parsed.items() if len(column.rows)}
    return Grid(columns, len(rows), notes=notes), n_bad
