"""Shards of an archive: what one worker reads and scores at a time, and the file its rows go to.

The name of that file is made from all that its rows depend on, so that a scan started again knows what is done.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from curveclinic.archive import units
from curveclinic.archive.scan import judge_of
from curveclinic.archive.signatures import UNREADABLE, Signature, signature
from curveclinic.archive.tables import rows_table
from curveclinic.engines.storage import write_shard
from curveclinic.errors import LogError
from curveclinic.readers import ReadFailure, ReadOptions
from curveclinic.readers.list_columns import Slice, slices
from curveclinic.readers.source import Source
from curveclinic.scoring import scored_schema

if TYPE_CHECKING:
    import pyarrow as pa

SHARD_SOURCES: Final = 500
SHARD_BYTES: Final = 64 * 2**20
"""A shard has no more sources than this, nor more bytes unless it is one source: some seconds of work."""


@dataclass(frozen=True)
class Piece:
    """A source, or some rows of a file with one run a row."""

    source: Source
    rows: Slice | None = None


@dataclass(frozen=True)
class Shard:
    """Part of an archive.

    Attributes:
        name: of the file its rows go to.
        pieces: what to read, in order.
    """

    name: str
    pieces: tuple[Piece, ...]


@dataclass(frozen=True)
class Done:
    """What became of a shard.

    Attributes:
        name: of its file.
        rows: how many rows it holds.
        lost: why it was not scored, as when its worker was killed; "" if it was.
    """

    name: str
    rows: int
    lost: str = ""


@dataclass(frozen=True)
class Work:
    """What a worker does with the text of a shard: reads and scores its runs, and writes their rows.

    Attributes:
        out: folder or URI the rows go to.
        options: what the user knows better than the logs.
        folder: what the paths of logs are relative to, wherever the worker was started.
        fast: whether the int8 network judges instead of the float one.
    """

    out: str
    options: ReadOptions
    folder: str
    fast: bool = False

    def __call__(self, text: str) -> Done:
        """Does one shard."""
        os.chdir(self.folder)
        shard = from_text(text)
        rows = score_shard(shard, self.options, fast=self.fast)
        write_shard(rows, self.out, shard.name)
        return Done(shard.name, rows.num_rows)


def tried(work: Work, text: str) -> dict[str, Any]:
    """Does a shard and returns what became of it as plain data: an error of any kind costs this shard, not the scan."""
    try:
        return asdict(work(text))
    except Exception as error:
        return asdict(lost(text, f"{type(error).__name__}: {error}"))


def lost(text: str, reason: str) -> Done:
    """Returns what became of a shard that was not scored."""
    return Done(json.loads(text)["name"], 0, reason)


def plan(sources: Iterable[Source], options: ReadOptions, *, fast: bool = False) -> Iterator[Shard]:
    """Yields the shards of an archive, in the order of its sources."""
    judge = judge_of(units.Job("scan", options, fast))
    for k, group in enumerate(_groups(_pieces(sources, options))):
        seen = [(asdict(piece), asdict(found)) for piece, found in group]
        told = hashlib.sha256(json.dumps([judge, seen], sort_keys=True).encode())
        yield Shard(f"shard-{k:08d}-{told.hexdigest()[:16]}.parquet", tuple(piece for piece, _ in group))


def _pieces(sources: Iterable[Source], options: ReadOptions) -> Iterator[tuple[Piece, Signature]]:
    """Yields sources with their signatures, a large table in pieces."""
    for source in sources:
        found = signature(source)
        cut = _cut(source, options) if found.size > SHARD_BYTES else ()
        for rows in cut:
            yield Piece(source, rows), found
        if not cut:
            yield Piece(source), found


def _cut(source: Source, options: ReadOptions) -> tuple[Slice, ...]:
    try:
        return slices(source, options)
    except LogError:
        return ()  # reading it says what is wrong with it


def _groups(pieces: Iterable[tuple[Piece, Signature]]) -> Iterator[list[tuple[Piece, Signature]]]:
    """Yields groups of pieces of bounded size."""
    group: list[tuple[Piece, Signature]] = []
    size = 0
    for piece, found in pieces:
        if group and (piece.rows or len(group) == SHARD_SOURCES or size + found.size > SHARD_BYTES):
            yield group
            group, size = [], 0
        group.append((piece, found))
        size += SHARD_BYTES if piece.rows else max(found.size, 0)
    if group:
        yield group


def to_text(shard: Shard) -> str:
    """Returns a shard as JSON, which every engine can carry."""
    return json.dumps({"name": shard.name, "pieces": [asdict(piece) for piece in shard.pieces]})


def from_text(text: str) -> Shard:
    """Returns the shard of `to_text`."""
    body = json.loads(text)
    return Shard(body["name"], tuple(_piece(**piece) for piece in body["pieces"]))


def _piece(source: dict[str, Any], rows: dict[str, Any] | None) -> Piece:
    if rows is not None:
        rows["groups"] = tuple(rows["groups"])
    return Piece(_source(**source), Slice(**rows) if rows else None)


def _source(parts: Iterable[Iterable[str]], beside: Iterable[dict[str, Any]], **others: Any) -> Source:
    """Returns a source whose tuples are lists in JSON."""
    pairs: Any = tuple(map(tuple, parts))
    return Source(parts=pairs, beside=tuple(_source(**other) for other in beside), **others)


def score_shard(shard: Shard, options: ReadOptions, *, fast: bool = False) -> pa.Table:
    """Returns one row a run and one for what could not be read, in order, with the severities of all findings."""
    import pyarrow as pa

    tasks = [units.Task(k, piece.source, UNREADABLE, piece.rows) for k, piece in enumerate(shard.pieces)]
    parts = []
    for finished in _finished(tasks, units.Job("scan", options, fast)):
        start = 0
        for part in finished.parts:
            parts.append((part.key, part.first, finished.table.slice(start, part.count)))
            start += part.count
    tables = [table for _, _, table in sorted(parts, key=lambda part: part[:2]) if table.num_rows]
    return pa.concat_tables(tables) if tables else scored_schema().empty_table()


def _finished(tasks: list[units.Task], job: units.Job) -> Iterator[units.Finished]:
    for message in units.work(tasks, job, lambda _: None):
        if isinstance(message, units.Split):
            yield from _finished([replace(message.task, piece=rows) for rows in message.slices], job)
        else:
            yield message


def lost_rows(shard: Shard, reason: str) -> pa.Table:
    """Returns the rows of a shard whose worker failed: each of its sources is one that could not be read."""
    told = f"the worker that read it with {len(shard.pieces) - 1} others failed ({reason}); run the same scan again"
    paths = dict.fromkeys(piece.source.path for piece in shard.pieces)
    return rows_table([ReadFailure(path, "", f"{path}: {told}") for path in paths])
