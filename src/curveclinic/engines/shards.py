"""Shards of an archive: what one worker reads and scores at a time, and the file its rows go to.

The name of that file is made from all that its rows depend on, so that a scan started again knows what is done.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final

from curveclinic.engines.storage import write_shard
from curveclinic.readers import ReadFailure, ReadOptions, read_sources
from curveclinic.readers.source import Source, modified
from curveclinic.run import Run
from curveclinic.scoring import score_runs
from curveclinic.writers import error_row, schema

if TYPE_CHECKING:
    import pyarrow as pa

SHARD_SOURCES: Final = 500
SHARD_BYTES: Final = 64 * 2**20
"""A shard has no more sources than this, nor more bytes unless it is one source: some seconds of work."""

CHUNK_RUNS: Final = 2_000
CHUNK_POINTS: Final = 4_000_000
"""Runs and points (64 MB of steps and values) scored at once."""


@dataclass(frozen=True)
class Shard:
    """Part of an archive.

    Attributes:
        name: of the file its rows go to.
        sources: what to read, in order.
    """

    name: str
    sources: tuple[Source, ...]


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
class Task:
    """What a worker does with the text of a shard: reads and scores its runs, writes their rows.

    Attributes:
        out: folder or URI the rows go to.
        options: what the user knows better than the logs.
    """

    out: str
    options: ReadOptions

    def __call__(self, text: str) -> Done:
        """Does one shard."""
        shard = from_text(text)
        rows = score_shard(shard, self.options)
        write_shard(rows, self.out, shard.name)
        return Done(shard.name, rows.num_rows)


def plan(sources: Iterable[Source], options: ReadOptions) -> Iterator[Shard]:
    """Yields the shards of an archive, in the order of its sources."""
    judge = judge_of(options)
    for k, group in enumerate(_groups(sources)):
        seen = [(asdict(source), list(stamp)) for source, stamp in group]
        told = json.dumps([judge, seen], sort_keys=True).encode("utf-8", "surrogatepass")
        yield Shard(f"shard-{k:08d}-{hashlib.sha256(told).hexdigest()[:16]}.parquet", tuple(s for s, _ in group))


def judge_of(options: ReadOptions) -> str:
    """Returns all that rows depend on beside the logs: with another one they are scored anew."""
    from curveclinic import __version__
    from curveclinic.classifier import weights_folder

    weights = hashlib.sha256()
    for file in sorted(weights_folder().glob("*.[oj]*")):  # the network and its numbers
        weights.update(file.read_bytes())
    return json.dumps([__version__, weights.hexdigest(), asdict(options)])


def _groups(sources: Iterable[Source]) -> Iterator[list[tuple[Source, tuple[int, int]]]]:
    """Yields groups of sources of bounded size, each source with its size and time."""
    group: list[tuple[Source, tuple[int, int]]] = []
    size = 0
    for source in sources:
        stamp = modified(source)
        if group and (len(group) == SHARD_SOURCES or size + stamp[0] > SHARD_BYTES):
            yield group
            group, size = [], 0
        group.append((source, stamp))
        size += stamp[0]
    if group:
        yield group


def to_text(shard: Shard) -> str:
    """Returns a shard as JSON: the form in which every engine can carry it."""
    return json.dumps({"name": shard.name, "sources": [asdict(source) for source in shard.sources]})


def from_text(text: str) -> Shard:
    """Returns the shard of `to_text`."""
    body = json.loads(text)
    sources = tuple(
        Source(s["path"], s["run_id"], parts=tuple((p, f) for p, f in s["parts"]), named=s["named"])
        for s in body["sources"]
    )
    return Shard(body["name"], sources)


def score_shard(shard: Shard, options: ReadOptions) -> pa.Table:
    """Returns one row a run and one for what could not be read, in order."""
    import pyarrow as pa

    rows = [_score(chunk) for chunk in _chunks(read_sources(shard.sources, options))]
    return pa.concat_tables(rows) if rows else schema().empty_table()


def lost_rows(shard: Shard, reason: str) -> pa.Table:
    """Returns the rows of a shard that could not be scored: each of its sources is one that could not be read."""
    import pyarrow as pa

    told = f"the worker that read it with {len(shard.sources) - 1} others failed ({reason}); run the same scan again"
    rows = [error_row(source.path, "", f"{source.path}: {told}") for source in shard.sources]
    return pa.Table.from_pylist(rows, schema=schema())


def _score(items: Sequence[Run | ReadFailure]) -> pa.Table:
    import pyarrow as pa

    failures = [(k, item) for k, item in enumerate(items) if isinstance(item, ReadFailure)]
    rows = score_runs([item for item in items if isinstance(item, Run)])
    if not failures:
        return rows
    errors = [error_row(item.path, item.format, item.reason) for _, item in failures]
    both = pa.concat_tables([rows, pa.Table.from_pylist(errors, schema=schema())])
    order = [k for k, item in enumerate(items) if isinstance(item, Run)] + [k for k, _ in failures]
    return both.take(sorted(range(len(order)), key=order.__getitem__))


def _chunks(items: Iterable[Run | ReadFailure]) -> Iterator[list[Run | ReadFailure]]:
    chunk: list[Run | ReadFailure] = []
    points = 0
    for item in items:
        chunk.append(item)
        points += sum(map(len, item.channels.values())) if isinstance(item, Run) else 0
        if len(chunk) >= CHUNK_RUNS or points >= CHUNK_POINTS:
            yield chunk
            chunk, points = [], 0
    if chunk:
        yield chunk
