"""Units of work: a few sources each, read and turned into tables of rows. What a worker process does."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from curveclinic.archive.signatures import UNREADABLE, Signature, digest, signature
from curveclinic.archive.tables import curves_table, index_rows, rows_table, score_rows
from curveclinic.chunks import is_full, points_of
from curveclinic.errors import CurveclinicError, LogError
from curveclinic.readers import (
    ReadFailure,
    ReadOptions,
    is_log,
    remote,
    run_or_failure,
    runs_of_copy,
    runs_or_failure,
)
from curveclinic.readers.columnar import check_index_options, indexed_runs, runs_of_rows
from curveclinic.readers.list_columns import Batch, Slice, batches, run_ids, slices
from curveclinic.readers.source import Source
from curveclinic.run import Run

if TYPE_CHECKING:
    import pyarrow as pa

UNIT_BYTES: Final = 16 * 1024 * 1024
UNIT_SOURCES: Final = 256
"""A unit is one source or more, up to these bounds: a second of work or so, which is what a killed scan repeats."""

Item: TypeAlias = "Run | ReadFailure"


@dataclass(frozen=True)
class Job:
    """What is done with every run.

    Attributes:
        kind: "scan" judges it, "index" keeps its curves.
        options: what the user knows better than the logs.
        fast: whether the int8 network judges instead of the float one.
    """

    kind: Literal["scan", "index"]
    options: ReadOptions = field(default_factory=ReadOptions)
    fast: bool = False


@dataclass(frozen=True)
class Task:
    """One source to read, or a slice of it.

    Attributes:
        key: number of the source in the state.
        source: what to read.
        found: its signature before it was read.
        piece: rows to read of a file with one run a row; None for the whole source.
        have: rows of it that are in the state already.
    """

    key: int
    source: Source
    found: Signature
    piece: Slice | None = None
    have: int = 0


@dataclass(frozen=True)
class Part:
    """Which rows of a table belong to one source.

    Attributes:
        key: number of the source.
        first: place of the first of them among the rows of the source.
        count: how many.
        done: whether they are the last of their task.
        format: name of the log format.
        content: hash of the source; b"" where there is none.
        again: whether the next scan is to read it again, changed or not.
    """

    key: int
    first: int
    count: int
    done: bool
    format: str = ""
    content: bytes = b""
    again: bool = False


@dataclass(frozen=True, eq=False)
class Finished:
    """Rows that are done, and whose they are, in the order of the rows."""

    table: pa.Table
    parts: tuple[Part, ...]


@dataclass(frozen=True)
class Split:
    """A source that is better read as slices, which are tasks of their own."""

    task: Task
    slices: tuple[Slice, ...]
    content: bytes


Message: TypeAlias = "Finished | Split"
Work: TypeAlias = "Callable[[Sequence[Task], Job, Callable[[int], None]], Iterator[Message]]"


def work(tasks: Sequence[Task], job: Job, begin: Callable[[int], None]) -> Iterator[Message]:
    """Reads sources and yields their rows, in order; `begin` is told the place of each before it is read."""
    gathered = _Gathered(job)
    copies = remote.copied([task.source for task in tasks if _is_copied(task)], is_log)
    for place, task in enumerate(tasks):
        begin(place)
        opened = replace(task, source=_opened(task.source))
        try:
            pieces = () if task.piece or _is_copied(task) else slices(opened.source, job.options)
        except LogError:
            pieces = ()  # reading it says what is wrong with it
        if task.piece:
            yield from _rows_of_slice(task, task.piece, job)
        elif len(pieces) == 1:
            yield from _rows_of_slice(task, pieces[0], job, whole=True)
        elif pieces:
            yield Split(task, pieces, _content(task)[0])
        else:
            yield from gathered.add(opened, _read(opened, job.options, copies))
    yield from gathered.flush()


def failed(task: Task, reason: str, job: Job) -> Finished:
    """Returns the row of a source that could not be read and whose reading is not to be tried again in this scan."""
    item = ReadFailure(task.source.path, "", reason)
    first = task.have + (task.piece.first if task.piece else 0)
    return Finished(_table([item], job), (Part(task.key, first, 1, done=True, again=True),))


class _Gathered:
    """Runs of several sources, judged together once there are enough."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._items: list[Item] = []
        self._parts: list[Part] = []
        self._points = 0

    def add(self, task: Task, items: Iterable[Item]) -> Iterator[Finished]:
        """Takes the items of one source and yields what is full; those that are stored already are passed over."""
        first = count = task.have
        format = ""
        for item in islice(items, task.have, None):
            format = format or item.format
            self._items.append(item)
            self._points += points_of(item)
            count += 1
            if is_full(len(self._items), self._points):
                self._parts.append(Part(task.key, first, count - first, done=False, format=format))
                first = count
                yield from self.flush()
        self._parts.append(Part(task.key, first, count - first, True, format, *_content(task)))

    def flush(self) -> Iterator[Finished]:
        """Yields what was taken since the last time."""
        if self._parts:
            yield Finished(_table(self._items, self._job), tuple(self._parts))
        self._items, self._parts, self._points = [], [], 0


def _opened(source: Source) -> Source:
    """Returns a source with the bytes of a small file, which are told apart, read and hashed; else as it is."""
    if source.unreadable or remote.is_remote(source.path):
        return source
    try:
        return source.opened()
    except OSError:
        return source  # reading it says what is wrong with it


def _is_copied(task: Task) -> bool:
    """Whether a source is copied before it is read: remote ones are, but for tables, which are read in pieces."""
    return remote.is_remote(task.source.path) and not task.source.path.endswith(".parquet")


def _read(task: Task, options: ReadOptions, copies: Iterator[tuple[Source, Source | OSError]]) -> Iterator[Item]:
    """Yields the runs of a source; a fault of a reader is a failure of this source, not of the scan."""
    count, source = 0, task.source
    try:
        for item in runs_of_copy(*next(copies), options) if _is_copied(task) else runs_or_failure(source, options):
            count += 1
            yield item
    except CurveclinicError:
        raise
    except Exception as error:
        yield ReadFailure(source.path, "", _fault(source, error))
    else:
        if not count and source.named:
            yield ReadFailure(source.path, "", f"{source.path}: no run in this file")


def _content(task: Task) -> tuple[bytes, bool]:
    """Returns the hash of what was read, and whether it should be read again: it changes, or could not be read."""
    if task.found == UNREADABLE:
        return b"", True
    try:
        content = digest(task.source)
    except OSError:
        return b"", True
    return (content, False) if signature(task.source) == task.found else (b"", True)


def _rows_of_slice(task: Task, piece: Slice, job: Job, *, whole: bool = False) -> Iterator[Finished]:
    """Yields the rows of a slice batch by batch, the last one marked; what ends it too early is a row itself.

    With `whole` the slice is all of its source, and the mark says what the source was.
    """
    done = task.have
    reason = f"{task.source.path}: changed while it was read"
    mark = Part(task.key, piece.first + done, 0, done=True, format="parquet")
    if whole:
        content, again = _content(task)
        mark = replace(mark, content=content, again=again)
    try:
        for batch in batches(task.source, piece, skip=task.have):
            table = _rows_of_batch(batch, task.source, job)
            done += table.num_rows
            part = replace(mark, first=batch.first, count=table.num_rows, done=done >= piece.rows)
            yield Finished(table, (part,))
    except CurveclinicError as error:
        if not isinstance(error, LogError):
            raise
        reason = str(error)
    except Exception as error:
        reason = _fault(task.source, error)
    if done < piece.rows:
        yield failed(replace(task, piece=piece, have=done), reason, job)
    elif done == task.have:
        yield Finished(_table([], job), (mark,))


def _rows_of_batch(batch: Batch, source: Source, job: Job) -> pa.Table:
    if batch.index and job.kind == "scan":
        check_index_options(source, job.options)
        return index_rows(batch.table, job.options, fast=job.fast)
    if batch.index:
        return _table([run_or_failure(run) for run in indexed_runs(batch.table, source, job.options)], job)
    ids = run_ids(batch, source)
    if job.kind == "scan" and not job.options.names_columns:
        return score_rows(batch.table, ids, source.path, job.options, fast=job.fast)
    return _table([run_or_failure(run) for run in runs_of_rows(batch.table, ids, source, job.options)], job)


def _fault(source: Source, error: Exception) -> str:
    return f"{source.path}: the reader failed ({type(error).__name__}: {error}); please report this"


def _table(items: Sequence[Item], job: Job) -> pa.Table:
    """Returns one row an item; a run that breaks the judge is found by halves and becomes an error."""
    make = partial(rows_table, fast=job.fast) if job.kind == "scan" else curves_table
    try:
        return make(items)
    except CurveclinicError:
        raise
    except Exception as error:
        if len(items) == 1:
            return make([_unjudged(items[0], error)])
    import pyarrow as pa

    middle = len(items) // 2
    halves = (_table(items[:middle], job), _table(items[middle:], job))
    return pa.concat_tables(halves, promote_options="default")


def _unjudged(item: Item, error: Exception) -> ReadFailure:
    name = item.run_id if isinstance(item, Run) else item.path
    reason = f"{name}: judging it failed ({type(error).__name__}: {error}); please report this"
    return ReadFailure(item.path, item.format, reason)
