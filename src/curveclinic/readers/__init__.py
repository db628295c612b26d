"""Log files -> runs: what a source is, its runs, or why there are none; `formats` lists what can be read."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import groupby

from curveclinic.errors import InputError, LogError
from curveclinic.intake.assemble import ReadOptions, why_unusable
from curveclinic.readers import console, remote, sqlite_file, wandb_offline
from curveclinic.readers.compressed import SUFFIXES, archive_in, unpacked, unpacked_head
from curveclinic.readers.copies import without_copies
from curveclinic.readers.delimited import lacks_header
from curveclinic.readers.discovery import exists, file_source, find_sources, folder_source, is_event_file
from curveclinic.readers.folders import Folder
from curveclinic.readers.formats import BY_NAME, FORMATS, Format
from curveclinic.readers.nul_bytes import mended, without_nul
from curveclinic.readers.once import Once
from curveclinic.readers.source import STDIN, NoCurvesError, Source, TooLargeError, UnreadableError
from curveclinic.run import Run

__all__ = [
    "FORMATS",
    "Format",
    "ReadFailure",
    "ReadOptions",
    "exists",
    "find_sources",
    "is_log",
    "iterate_source",
    "read_file",
    "read_runs",
    "read_source",
    "read_sources",
    "read_stdin",
    "run_or_failure",
    "runs_of_copy",
    "runs_or_failure",
]


_LOG_ENDINGS = (wandb_offline.ENDING, ".csv", ".tsv", ".jsonl", ".json", ".parquet")
"""Of files that, if they are empty, a training most likely left so; empty texts lie everywhere."""

_BEGINNING_BYTES = 1 << 20
"""What tells a log that is too large to be read from other large files; before its first loss a log may say much."""


@dataclass(frozen=True)
class ReadFailure:
    """Something that could not be read.

    Attributes:
        path: where it is.
        format: name of its format, "" when it was not recognised.
        reason: what was found, what was expected, what to do.
        empty: whether it is a folder that was searched and holds no run.
    """

    path: str
    format: str
    reason: str
    empty: bool = False


def read_file(path: str | os.PathLike[str], options: ReadOptions | None = None) -> list[Run]:
    """Returns the runs in one log file, or the one of a folder that is a run (TensorBoard, MLflow, DVCLive, W&B).

    Raises:
        LogError: there is no such file, its format is unknown, it is damaged, or it holds no loss.
    """
    name = os.fspath(path)
    source = file_source(name) or folder_source(Folder(name))
    if source is None:
        raise LogError(f"{name}: found a folder without event files; use read_runs to search it")
    return read_source(source, options)


def read_runs(
    paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]], options: ReadOptions | None = None
) -> Iterator[Run | ReadFailure]:
    """Yields every run under a path or several, files and folders, and what could not be read.

    A file met in a folder is passed over if it is no log; a file the user named is not. Of paths that overlap each
    log is read once.
    """
    names = [os.fspath(path) for path in ([paths] if isinstance(paths, (str, os.PathLike)) else paths)]
    once = Once(names)
    for name in names:
        n_found = 0
        for item in read_sources(once.under(name), options):
            n_found += 1
            yield item
        if not n_found and name not in once.repeated:
            yield ReadFailure(name, "", f"{name}: no run in this folder", empty=True)


def read_sources(sources: Iterable[Source], options: ReadOptions | None = None) -> Iterator[Run | ReadFailure]:
    """Yields the runs of sources, and what could not be read; remote sources are copied ahead of their turn."""
    for distant, group in groupby(sources, lambda source: remote.is_remote(source.path)):
        if distant:
            for source, copy in remote.copied(group, is_log):
                yield from runs_of_copy(source, copy, options)
        else:
            for source in group:
                yield from runs_or_failure(source, options)


def read_stdin(data: bytes, options: ReadOptions | None = None) -> list[Run]:
    """Returns the runs in bytes that came through a pipe.

    Raises:
        LogError: as `read_file`.
    """
    return read_source(Source(STDIN, STDIN, data=data), options)


def read_source(source: Source, options: ReadOptions | None = None) -> list[Run]:
    """Returns the runs of one source.

    Raises:
        LogError: as `read_file`.
    """
    return list(iterate_source(source, options))


def iterate_source(source: Source, options: ReadOptions | None = None) -> Iterator[Run]:
    """Yields the runs of one source; of a database one after the other, so that not all are in memory.

    Raises:
        LogError: as `read_file`.
    """
    if remote.is_remote(source.path):
        yield from _read_remote(source, options)
    else:
        yield from _iterate(*_recognised(source, options), options)


def _iterate(found: Format, source: Source, options: ReadOptions | None) -> Iterator[Run]:
    source = replace(source, format=found.name)
    try:
        for run in found.read(source, options or ReadOptions()):
            yield replace(run, notes=(*run.notes, source.note)) if source.note and run.channels else run
    except OSError as error:
        raise LogError(f"{source.path}: {error.strerror or error}") from None
    except InputError as error:
        raise error if isinstance(error, LogError) else LogError(f"{source.path}: {error}") from None


def runs_or_failure(source: Source, options: ReadOptions | None = None) -> Iterator[Run | ReadFailure]:
    """Yields the runs of a source or one failure; nothing for a file met in a folder that is no log."""
    if remote.is_remote(source.path):
        yield from read_sources([source], options)
        return
    if source.beside:
        together = (replace(source, beside=()), *source.beside)
        yield from without_copies([list(runs_or_failure(one, options)) for one in together])
        return
    found = None
    try:
        found, source = _recognised(source, options)
        for run in _iterate(found, source, options):
            yield run_or_failure(run)
    except LogError as error:
        if source.named or _is_told(error, found, source, options):
            yield ReadFailure(source.path, found.name if found else "", str(error))


def _is_told(error: LogError, found: Format | None, source: Source, options: ReadOptions | None) -> bool:
    """Says whether a file met in a folder, of this format as far as it is known, should have been a log."""
    if isinstance(error, TooLargeError):
        return _begins_as_log(source, options)
    return isinstance(error, UnreadableError) or (found is not None and not isinstance(error, NoCurvesError))


def _begins_as_log(source: Source, options: ReadOptions | None) -> bool:
    """Says whether a file that is too large begins as a log does, sound or damaged, and is no data set or the like."""
    try:
        beginning = source.beginning(_BEGINNING_BYTES)
    except OSError:
        return True
    return beginning.size() < source.size() and any(True for _ in runs_or_failure(beginning, options))


def runs_of_copy(source: Source, copy: Source | OSError, options: ReadOptions | None = None) -> list[Run | ReadFailure]:
    """Returns the runs of a remote source that was copied, or one failure; what comes back tells where it came from."""
    if isinstance(copy, OSError):
        return [ReadFailure(source.path, "", f"{source.path}: {copy.strerror or copy}")]
    return [
        replace(
            item,
            path=item.path.replace(copy.path, source.path),
            notes=tuple(note.replace(copy.path, source.path) for note in item.notes),
        )
        if isinstance(item, Run)
        else replace(item, path=source.path, reason=item.reason.replace(copy.path, source.path))
        for item in runs_or_failure(copy, options)
    ]


def _read_remote(source: Source, options: ReadOptions | None) -> list[Run]:
    items = list(read_sources([source], options))
    runs = [item for item in items if isinstance(item, Run)]
    if not runs:
        raise LogError(next((item.reason for item in items if isinstance(item, ReadFailure)), f"{source.path}: no log"))
    return runs


def is_log(name: str, head: bytes) -> bool:
    """Says whether a file of this name and head is of a known format."""
    return is_event_file(name) or _is_known(unpacked_head(head))


def _is_known(head: bytes) -> bool:
    if any(f.sniff(head) for f in FORMATS):
        return True
    whole = without_nul(head)
    return whole is not None and any(f.sniff(whole) for f in FORMATS if f.is_text)


def run_or_failure(run: Run) -> Run | ReadFailure:
    """Returns the run, or the failure that one without channels among the runs of a file stands for."""
    if run.channels:
        return run
    named = f"{run.run_id}: " if run.run_id else ""
    return ReadFailure(run.path, run.format, f"{named}{why_unusable(run)}")


def _recognised(source: Source, options: ReadOptions | None) -> tuple[Format, Source]:
    """Returns the format of a source, and the source, which keeps the bytes of a small file.

    A format is known by the content; a text the user's patterns fit is a text log.

    Raises:
        LogError: it is missing, empty, or of no known format; an UnreadableError where nobody can tell.
    """
    if source.unreadable:
        raise LogError(f"{source.path}: {source.unreadable}")
    if source.format:
        return BY_NAME[source.format], source
    try:
        source = source.opened()
        head = source.head()
        is_promised = _promises_log(source.path)
        source = unpacked(source, head, lambda i: _is_known(i) or _fits(i, options), is_promised=is_promised)
        source = _without_holes(source, head if source.held is None else source.head())
        head = head if source.held is None else source.head()
    except FileNotFoundError:
        raise LogError(f"{source.path}: no such file or folder") from None
    except OSError as error:
        raise UnreadableError(f"{source.path}: {error.strerror or error}") from None
    if not head or head.isspace():
        kind = UnreadableError if is_promised else LogError
        raise kind(f"{source.path}: the file is empty")
    if _fits(head, options):
        return BY_NAME["text"], source
    found = next((f for f in FORMATS if f.sniff(head) and (f.holds is None or f.holds(source))), None)
    if found is None and is_event_file(os.path.basename(source.path)):
        found = BY_NAME["tensorboard"]
    if found is None and console.ends_as_log(source):
        found = BY_NAME["text"]
    if found is None:
        raise _unknown(source, head)
    return found, source


def _unknown(source: Source, head: bytes) -> LogError:
    """The error for a file of no known format, with advice where something is known of it."""
    if sqlite_file.sniff(head):
        return sqlite_file.refusal(source, [f.name for f in FORMATS if f.sniff is sqlite_file.sniff])
    if source.path.endswith(wandb_offline.ENDING):
        return UnreadableError(f"{source.path}: found no log of W&B, which its name promises; the file is damaged")
    if archive := archive_in(head):
        return LogError(f"{source.path}: found {archive}, expected a log; unpack it and name the folder")
    advice = console.advice_for(head)
    advice = f"; of a text log {advice}" if advice else ""
    if lacks_header(head):
        advice = "; of a table, write the names of its columns into a first line, such as step,train_loss,val_loss"
    known = ", ".join(f.name for f in FORMATS)
    return LogError(f"{source.path}: no known log format; expected one of {known}{advice}")


def _promises_log(path: str) -> bool:
    """Says whether the name of a file, compressed or not, is that of a log."""
    stem, suffix = os.path.splitext(path)
    return (stem if suffix in SUFFIXES else path).endswith(_LOG_ENDINGS)


def _without_holes(source: Source, head: bytes) -> Source:
    """Returns a text log without runs of NUL bytes; anything else as it is."""
    if b"\0" not in head and not source.ends_with(b"\0"):
        return source
    is_binary = is_event_file(os.path.basename(source.path)) or any(f.sniff(head) for f in FORMATS if not f.is_text)
    return source if is_binary else mended(source)


def _fits(head: bytes, options: ReadOptions | None) -> bool:
    """Whether the user's patterns fit a text."""
    return bool(options and options.patterns and console.holds(head, options.patterns))
