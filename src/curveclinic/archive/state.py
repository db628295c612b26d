"""The state of a scan: one SQLite file beside OUT that holds what was read and the rows that are done.

A table of rows is stored in one transaction with the note whose rows they are, so that a scan killed at any moment
leaves whole tables. Sources point at their rows: tables stay as they are when some of their sources change or go.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from curveclinic.archive.database import begin, connect, explained, remove
from curveclinic.archive.signatures import Signature
from curveclinic.archive.units import Finished, Part
from curveclinic.readers.curve_table import layers_of
from curveclinic.readers.source import Source

if TYPE_CHECKING:
    import pyarrow as pa

SUFFIX: Final = ".state.sqlite"

_RACY: Final = 2_000_000_000
"""A file changed this short a time (ns) before it was read may change again without a new time: see `add`."""

_CACHE_BYTES: Final = 32 * 1024 * 1024
"""Unpacked tables kept while rows are put in order: those of some 100,000 rows, and more than two workers mix up."""

CHUNK_ROWS: Final = 10_000
"""Rows of a table handed out; fewer when they take more than half of the cache."""


@dataclass(frozen=True)
class Known:
    """What the state holds of a source: see `units.Part` and `signatures.Signature`."""

    key: int
    found: Signature
    content: bytes
    done: bool
    met: bool  # by this scan


class State:
    """An open state file; nobody else can open it meanwhile."""

    def __init__(self, path: Path, database: sqlite3.Connection, judge: str) -> None:
        self.path = path
        self._database = database
        self._number = begin(database, judge)

    def find(self, root: str, source: Source) -> Known | None:
        """Returns what is known of a source found under a root."""
        row = self._database.execute(
            "SELECT id, size, time, content, done, seen FROM sources WHERE path = ? AND root = ? AND run_id = ?",
            _key(root, source),
        ).fetchone()
        if row is None:
            return None
        return Known(row[0], Signature(row[1], row[2]), row[3], bool(row[4]), row[5] == self._number)

    def add(self, root: str, source: Source, found: Signature, *, now: int) -> int:
        """Notes a source that is to be read, without its old rows, and returns its key.

        A source that changed just before `now` (ns) is stored without its time: the next scan compares its content.
        """
        known = self.find(root, source)
        if known is not None:
            self._database.execute("DELETE FROM parts WHERE source = ?", (known.key,))
            self._database.execute("DELETE FROM sources WHERE id = ?", (known.key,))
        values = (*_key(root, source), found.size, _settled(found, now), self._number)
        return int(
            self._database.execute(
                "INSERT INTO sources (path, root, run_id, size, time, seen, content, format, done)"
                " VALUES (?, ?, ?, ?, ?, ?, x'', '', 0)",
                values,
            ).lastrowid
            or 0
        )

    def keep(self, key: int, found: Signature, *, now: int) -> None:
        """Notes that a source is still there, and its rows good."""
        values = (self._number, _settled(found, now), key)
        self._database.execute("UPDATE sources SET seen = ?, time = ? WHERE id = ?", values)

    def stored(self, key: int, first: int = 0) -> int:
        """Returns how many rows of a source are stored in one piece from a place on."""
        end = first
        query = "SELECT first, count FROM parts WHERE source = ? AND first >= ? ORDER BY first"
        for start, count in self._database.execute(query, (key, first)):
            if start != end:
                break
            end += count
        return end - first

    def store(self, finished: Finished) -> None:
        """Stores rows, and commits."""
        table = None
        if finished.table.num_rows:
            packed, size = _packed(finished.table)
            layers = json.dumps(layers_of(finished.table))
            query = "INSERT INTO tables (size, layers, content) VALUES (?, ?, ?)"
            table = self._database.execute(query, (size, layers, packed)).lastrowid
        start = 0
        for part in finished.parts:
            if part.count:
                self._database.execute(
                    "INSERT OR REPLACE INTO parts VALUES (?, ?, ?, ?, ?)",
                    (part.key, part.first, part.count, table, start),
                )
            self._note(part)
            start += part.count
        self._database.commit()

    def _note(self, part: Part) -> None:
        self._database.execute(
            "UPDATE sources SET format = ?, content = iif(?, ?, content), time = iif(?, -1, time) WHERE id = ?",
            (part.format, bool(part.content), part.content, part.again, part.key),
        )
        if part.again:
            self._database.execute("UPDATE sources SET content = x'' WHERE id = ?", (part.key,))

    def describe(self, key: int, content: bytes) -> None:
        """Notes the hash of a source."""
        self._database.execute("UPDATE sources SET content = ? WHERE id = ?", (content, key))

    def finish(self, key: int) -> None:
        """Notes that all rows of a source are stored, or are with the next `store`."""
        self._database.execute("UPDATE sources SET done = 1 WHERE id = ?", (key,))

    def drop_gone(self) -> None:
        """Forgets the sources this scan has not met, and the tables nobody points at."""
        gone = "SELECT id FROM sources WHERE seen != ?"
        self._database.execute(f"DELETE FROM parts WHERE source IN ({gone})", (self._number,))
        self._database.execute("DELETE FROM sources WHERE seen != ?", (self._number,))
        self._database.execute("DELETE FROM tables WHERE id NOT IN (SELECT rows_of FROM parts)")
        self._database.commit()

    def has_met(self) -> bool:
        """Says whether this scan has met a source with rows."""
        query = "SELECT EXISTS (SELECT 1 FROM sources JOIN parts ON source = sources.id WHERE seen = ?)"
        return bool(self._database.execute(query, (self._number,)).fetchone()[0])

    def count(self, root: str | None = None) -> int:
        """Returns the number of rows, of one root or of all."""
        query = "SELECT coalesce(sum(count), 0) FROM parts"
        if root is None:
            return int(self._database.execute(query).fetchone()[0])
        query += " WHERE source IN (SELECT id FROM sources WHERE root = ?)"
        return int(self._database.execute(query, (_folder(root),)).fetchone()[0])

    def count_of(self, key: int) -> int:
        """Returns the number of rows of a source."""
        query = "SELECT coalesce(sum(count), 0) FROM parts WHERE source = ?"
        return int(self._database.execute(query, (key,)).fetchone()[0])

    def passed_over(self) -> int:
        """Returns the number of sources that hold no run."""
        query = "SELECT count(*) FROM sources WHERE done AND id NOT IN (SELECT source FROM parts)"
        return int(self._database.execute(query).fetchone()[0])

    def layers(self) -> list[str]:
        """Returns the layer channels that the curves of an index have, in the order they came."""
        found = self._database.execute("SELECT layers FROM tables GROUP BY layers ORDER BY min(id)")
        return list(dict.fromkeys(name for (text,) in found for name in json.loads(text)))

    def tables(self) -> Iterator[pa.Table]:
        """Yields all rows in the order of their paths, in tables of bounded size."""
        chunk: list[tuple[int, int, int]] = []
        rows = size = 0
        cache = _Cache(self._database)
        query = (
            "SELECT rows_of, start, count, tables.size FROM sources CROSS JOIN parts ON source = sources.id"
            " CROSS JOIN tables ON tables.id = rows_of ORDER BY path, root, run_id, sources.id, first"
        )
        held: set[int] = set()
        for table, start, count, table_size in self._database.execute(query):
            if chunk and (rows >= CHUNK_ROWS or (table not in held and size + table_size > _CACHE_BYTES // 2)):
                yield _assembled(chunk, cache)
                chunk, held, rows, size = [], set(), 0, 0
            chunk.append((table, start, count))
            size += 0 if table in held else table_size
            held.add(table)
            rows += count
        if chunk:
            yield _assembled(chunk, cache)

    def close(self) -> None:
        """Closes the file; one that holds nothing is removed."""
        self._database.commit()
        empty = not self.count()
        self._database.close()
        if empty:
            remove(self.path)


def _settled(found: Signature, now: int) -> int:
    """The time to store of a source: none while it may change again without a new one."""
    return -1 if now - found.time < _RACY else found.time


class _Cache:
    """Tables of a state as they were stored, the last ones used."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database
        self._tables: OrderedDict[int, pa.Table] = OrderedDict()
        self._size = 0

    def __getitem__(self, key: int) -> pa.Table:
        if key in self._tables:
            self._tables.move_to_end(key)
            return self._tables[key]
        packed, size = self._database.execute("SELECT content, size FROM tables WHERE id = ?", (key,)).fetchone()
        table = self._tables[key] = _unpacked(packed, size)
        self._size += table.nbytes
        while self._size > _CACHE_BYTES and len(self._tables) > 1:
            self._size -= self._tables.popitem(last=False)[1].nbytes
        return table


def _assembled(chunk: list[tuple[int, int, int]], cache: _Cache) -> pa.Table:
    """Returns the rows (table, start, count) of a chunk, in its order, with one copy."""
    import pyarrow as pa

    keys = list(dict.fromkeys(key for key, _, _ in chunk))
    found = [cache[key] for key in keys]
    offset = dict(zip(keys, np.cumsum([0, *(t.num_rows for t in found[:-1])]).tolist(), strict=True))
    places = np.concatenate([np.arange(start, start + count) + offset[key] for key, start, count in chunk])
    both = pa.concat_tables(found, promote_options="default")
    if len(places) == both.num_rows and bool((np.diff(places) == 1).all()):
        return both
    return both.take(places)


def _packed(table: pa.Table) -> tuple[bytes, int]:
    """Returns a table as compressed bytes, and their number before."""
    import pyarrow as pa

    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    raw = sink.getvalue()
    return pa.compress(raw, codec="zstd", asbytes=True), raw.size


def _unpacked(packed: bytes, size: int) -> pa.Table:
    import pyarrow as pa

    return pa.ipc.open_stream(pa.decompress(packed, decompressed_size=size, codec="zstd")).read_all()


def state_path(out: Path) -> Path:
    """Returns the state file of an output file."""
    return out.with_name(out.name + SUFFIX)


@contextmanager
def open_state(path: Path, judge: str, *, fresh: bool = False) -> Iterator[State]:
    """Opens the state of an output file for one scan.

    Args:
        path: the state file; made when it is not there.
        judge: what the rows depend on beside the logs; with another one all rows are dropped.
        fresh: whether to drop all rows anyway.

    Raises:
        InputError: another scan has it open, or it is no state of a scan.
        OSError: the disk is full, or the file cannot be made.
    """
    with explained(path):
        state = State(path, connect(path, fresh=fresh), judge)
    try:
        with explained(path):
            yield state
    finally:
        with suppress(sqlite3.Error):  # what went wrong is on its way up already
            state.close()


def _key(root: str, source: Source) -> tuple[Any, ...]:
    return os.fsencode(source.path), _folder(root), os.fsencode(source.run_id)


def _folder(root: str) -> bytes:
    """The bytes to store of a root, which is the same with a slash behind it."""
    return os.fsencode(root.rstrip("/"))
