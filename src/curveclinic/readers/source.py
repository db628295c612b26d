"""`Source`: one thing to read, a file, a folder of event files, or bytes from a pipe."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from curveclinic.errors import LogError
from curveclinic.intake.assemble import Origin

STDIN = "-"
"""Names standard input where a path is expected."""

HEAD_BYTES = 65536
"""What a format is recognised by."""

_KEPT_BYTES = 1 << 18
"""Files up to this size are read once and kept until their runs are made."""

_BOM = b"\xef\xbb\xbf"

MAX_BYTES = 256 * 1024 * 1024
"""Largest file read into memory at once; Parquet and event files are not bound by it."""


class UnreadableError(LogError):
    """Nobody lets us read a file, or it is empty or damaged where a log should be: it is never passed over."""


class NoCurvesError(LogError):
    """The file is sound but no log: said so if the user named it, passed over if it was met in a folder."""


class TooLargeError(LogError):
    """More than may be held in memory: told where its beginning is that of a log."""


def no_loss(source: Source, reason: object, *, is_log: bool) -> LogError:
    """Returns the error for a source without a loss: of a log it is always told, of any other file if it was named."""
    return (LogError if is_log else NoCurvesError)(f"{source.path}: {reason}")


SUMMARY_FOUND = "found one row a run, which is a summary; expected a row a step"
"""Why a table of results is no log."""


def without_bom(data: bytes) -> bytes:
    """Returns UTF-8 without the mark that Windows puts before it."""
    return data.removeprefix(_BOM)


@dataclass(frozen=True)
class Source:
    """One thing to read.

    Attributes:
        path: where it is, as the user would write it, or `STDIN`.
        run_id: name of its first run.
        parts: files of a run that has several, as (prefix for the tags, file); () for anything else.
        data: its bytes when it is no file, or was unpacked.
        named: the user named it, so that it must be readable; else it was met in a folder.
        unreadable: why it cannot even be opened, as a folder without permission; "" for what can be tried.
        format: name of the format; "" until the content tells it where the layout of a folder does not.
        known: all bytes of a small file, where they have been read already; see `opened`.
        note: what every run in it is to say of how it was read, "" for nothing.
        as_it_lies: it is a folder whose reader takes it as it lies; the parts of a remote one are its files.
        beside: other sources that may hold the same runs; who reads all sources reads them together.
    """

    path: str
    run_id: str
    parts: tuple[tuple[str, str], ...] = ()
    data: bytes | None = None
    named: bool = True
    unreadable: str = ""
    format: str = ""
    known: bytes | None = None
    note: str = ""
    as_it_lies: bool = False
    beside: tuple[Source, ...] = ()

    def origin(self, *, title: str = "", notes: Iterable[str] = ()) -> Origin:
        """Returns where series read from it came from; a run in it may have a title of its own."""
        run_id = f"{self.run_id}#{title}" if title else self.run_id
        return Origin(run_id=run_id, path=self.path, format=self.format, notes=tuple(notes))

    def opened(self) -> Source:
        """Returns the source with its bytes in memory if it is a file of few, so that it is opened once."""
        if self.held is not None or self.parts or self.format:
            return self
        with open(self.path, "rb", buffering=0) as file:
            size = os.fstat(file.fileno()).st_size
            return replace(self, known=file.read(size)) if size <= _KEPT_BYTES else self

    def head(self) -> bytes:
        """Returns the first bytes."""
        held = self.held
        if held is not None:
            return held[:HEAD_BYTES]
        with open(self.path, "rb", buffering=0) as file:
            return file.read(min(HEAD_BYTES, os.fstat(file.fileno()).st_size))

    def beginning(self, most: int) -> Source:
        """Returns a source of no more than its first bytes.

        Raises:
            OSError: they cannot be read.
        """
        if self.held is not None:
            return replace(self, data=self.held[:most], known=None)
        with open(self.path, "rb") as file:
            return replace(self, data=file.read(most))

    def ends_with(self, tail: bytes) -> bool:
        """Says whether these are its last bytes."""
        held = self.held
        if held is not None:
            return held.endswith(tail)
        if self.size() < len(tail):
            return False
        with open(self.path, "rb") as file:
            file.seek(-len(tail), os.SEEK_END)
            return file.read() == tail

    def tail(self) -> bytes:
        """Returns the last bytes, as many as the first ones."""
        held = self.held
        if held is not None:
            return held[-HEAD_BYTES:]
        with open(self.path, "rb", buffering=0) as file:
            file.seek(max(0, self.size() - HEAD_BYTES))
            return file.read(HEAD_BYTES)

    def size(self) -> int:
        """Returns the number of bytes."""
        held = self.held
        return os.path.getsize(self.path) if held is None else len(held)

    def content(self) -> bytes:
        """Returns all bytes.

        Raises:
            TooLargeError: there are too many to hold in memory.
        """
        if self.size() > MAX_BYTES:
            raise TooLargeError(
                f"{self.path}: {self.size() / 2**20:.0f} MB, expected at most {MAX_BYTES / 2**20:.0f} MB "
                "in this format; keep fewer points or convert it to Parquet"
            )
        held = self.held
        return held if held is not None else Path(self.path).read_bytes()

    @property
    def held(self) -> bytes | None:
        """Its bytes, where they are in memory."""
        return self.known if self.data is None else self.data
