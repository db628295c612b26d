"""SQLite databases, opened so that nothing is written beside or into them."""

from __future__ import annotations

import os
import sqlite3
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress

from curveclinic.errors import LogError
from curveclinic.intake.naming import quoted
from curveclinic.readers.source import NoCurvesError, Source, UnreadableError

_MAGIC = b"SQLite format 3\0"
_WAL = 2
"""Value of the header's format bytes (18, 19) in a database with a write-ahead log."""
_CACHE_KB = 32768
_BUSY_SECONDS = 10.0

ERRORS = (sqlite3.Error, UnicodeDecodeError)
"""What a damaged database raises; the second where SQLite's own message quotes broken text."""


def sniff(head: bytes) -> bool:
    """Says whether bytes are the head of a SQLite database."""
    return head.startswith(_MAGIC)


def refusal(source: Source, known: Iterable[str]) -> LogError:
    """Returns the error for a database of an unknown layout; `known` are the formats that are databases."""
    try:
        with opened(source) as connection:
            found = quoted(sorted(tables(connection)))
    except ERRORS as error:
        return UnreadableError(f"{source.path}: damaged SQLite database ({error})")
    return NoCurvesError(f"{source.path}: a SQLite database with tables {found}; expected one of {', '.join(known)}")


def has_columns(source: Source, wanted: Mapping[str, set[str]]) -> bool:
    """Says whether a database has tables with (at least) these columns."""
    try:
        with opened(source) as connection:
            return wanted.keys() <= tables(connection) and all(
                columns <= columns_of(connection, table) for table, columns in wanted.items()
            )
    except (*ERRORS, OSError):
        return False


def tables(connection: sqlite3.Connection) -> set[str]:
    """Returns the names of the tables; views do not count, for they run what somebody wrote."""
    return {str(name) for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}


def columns_of(connection: sqlite3.Connection, table: str) -> set[str]:
    """Returns the column names of a table."""
    return {str(name) for (name,) in connection.execute("SELECT name FROM pragma_table_info(?)", (table,))}


def identifier(name: str) -> str:
    """Returns a name as SQL may hold it, whatever is in it: whoever wrote the database chose it."""
    return '"' + name.replace('"', '""') + '"'


@contextmanager
def opened(source: Source) -> Iterator[sqlite3.Connection]:
    """Opens a database read-only; one that came through a pipe is put into a temporary file."""
    if source.data is None:
        with _connection(source.path) as connection:
            yield connection
        return
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "piped.db")
        with open(path, "wb") as file:
            file.write(source.data)
        with _connection(path) as connection:
            yield connection


@contextmanager
def _connection(path: str) -> Iterator[sqlite3.Connection]:
    connection = _connect(path)
    try:
        connection.text_factory = _as_text
        connection.execute(f"PRAGMA cache_size = -{_CACHE_KB}")
        connection.execute("PRAGMA cell_size_check = ON")
        connection.execute("PRAGMA trusted_schema = OFF")
        yield connection
    finally:
        connection.close()


def _as_text(data: bytes) -> str:
    return data.decode("utf-8", "replace")


def _connect(path: str) -> sqlite3.Connection:
    """Connects with `mode=ro`; as `immutable` where even a reader would have to write.

    A write-ahead log needs files beside the database, unless nobody has it open: then the log is empty or gone.
    """
    from urllib.request import pathname2url  # loads what speaks HTTP, too, so not before there is a database

    uri = f"file:{pathname2url(os.path.abspath(path))}"
    if not _needs_log(path):
        connection = sqlite3.connect(f"{uri}?mode=ro", uri=True, timeout=_BUSY_SECONDS)
        with suppress(*ERRORS):
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
            return connection
        connection.close()
    return sqlite3.connect(f"{uri}?immutable=1", uri=True)


def _needs_log(path: str) -> bool:
    """Whether a database in write-ahead mode lies there without its log."""
    with open(path, "rb") as file:
        head = file.read(20)
    log = f"{path}-wal"
    return head[18:20] == bytes((_WAL, _WAL)) and not (os.path.exists(log) and os.path.getsize(log))
