"""The SQLite file of a state: its tables, who may open it, and its errors in our words."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from curveclinic.errors import InputError

_VERSION: Final = 2
"""Of the tables below; a state of another version is begun anew."""

_APPLICATION: Final = 0x63757276
"""Marks a database as ours; another one by this name is left alone."""

_TABLES: Final = """
CREATE TABLE scan (judge TEXT NOT NULL, number INTEGER NOT NULL);
CREATE TABLE sources (
    id INTEGER PRIMARY KEY,
    root BLOB NOT NULL, path BLOB NOT NULL, run_id BLOB NOT NULL,
    size INTEGER NOT NULL, time INTEGER NOT NULL, content BLOB NOT NULL, format TEXT NOT NULL,
    done INTEGER NOT NULL, seen INTEGER NOT NULL
);
CREATE UNIQUE INDEX by_path ON sources (path, root, run_id);
CREATE TABLE tables (id INTEGER PRIMARY KEY, size INTEGER NOT NULL, layers TEXT NOT NULL, content BLOB NOT NULL);
CREATE TABLE parts (
    source INTEGER NOT NULL, first INTEGER NOT NULL, count INTEGER NOT NULL,
    rows_of INTEGER NOT NULL, start INTEGER NOT NULL,
    PRIMARY KEY (source, first)
) WITHOUT ROWID;
CREATE INDEX by_table ON parts (rows_of);
"""


def connect(path: Path, *, fresh: bool) -> sqlite3.Connection:
    """Opens a state for this process alone, and makes it where there is none; with `fresh` it is emptied.

    Raises:
        InputError: it is another program's, or somebody else's who lets nobody write.
        sqlite3.Error: see `explained`.
    """
    if path.exists() and not os.access(path, os.W_OK):  # SQLite would call it a fault of the disk
        raise InputError(f"{path}: may not be written by you; choose another output, or have it made writable")
    database = sqlite3.connect(path, timeout=0)
    try:
        database.execute("PRAGMA locking_mode = EXCLUSIVE")
        _check_ours(database, path)
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = NORMAL")
        database.execute("BEGIN EXCLUSIVE")
        if fresh or database.execute("PRAGMA user_version").fetchone()[0] != _VERSION:
            _create(database)
        database.commit()
    except sqlite3.DatabaseError as error:
        database.close()
        if fresh and not isinstance(error, sqlite3.OperationalError):  # no database: nobody can have it open
            remove(path)
            return connect(path, fresh=False)
        raise
    except InputError:
        database.close()
        raise
    return database


def _check_ours(database: sqlite3.Connection, path: Path) -> None:
    """Raises an InputError for a database of another program."""
    used = database.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    if used and database.execute("PRAGMA application_id").fetchone()[0] != _APPLICATION:
        raise InputError(f"{path}: a database of another program; move it away or choose another output")


def _create(database: sqlite3.Connection) -> None:
    for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
        database.execute(f'DROP TABLE "{name}"')
    for statement in filter(str.strip, _TABLES.split(";")):
        database.execute(statement)
    database.execute(f"PRAGMA application_id = {_APPLICATION}")
    database.execute(f"PRAGMA user_version = {_VERSION}")


def begin(database: sqlite3.Connection, judge: str) -> int:
    """Returns the number of this scan; drops all rows of another judge."""
    row = database.execute("SELECT judge, number FROM scan").fetchone()
    if row is not None and row[0] != judge:
        for table in ("sources", "tables", "parts"):
            database.execute(f"DELETE FROM {table}")
    number = 1 if row is None else int(row[1]) + 1
    database.execute("DELETE FROM scan")
    database.execute("INSERT INTO scan VALUES (?, ?)", (judge, number))
    database.commit()
    return number


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turns errors of SQLite into ours.

    Raises:
        InputError: another scan has the file open, or it is no state of a scan.
        OSError: the disk is full, or the file cannot be written.
    """
    try:
        yield
    except sqlite3.OperationalError as error:
        if "locked" in str(error):
            raise InputError(f"{path}: another scan is writing here; wait for it or choose another output") from None
        raise OSError(f"{path}: {error}; what was finished before is kept, run the same command again") from None
    except sqlite3.DatabaseError as error:
        raise InputError(f"{path}: no state of a scan ({error}); run with --fresh to start anew") from None


def remove(path: Path) -> None:
    """Removes a state file and what SQLite keeps beside it."""
    for name in (path.name, f"{path.name}-wal", f"{path.name}-shm", f"{path.name}-journal"):
        path.with_name(name).unlink(missing_ok=True)
