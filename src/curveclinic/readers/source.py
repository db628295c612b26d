"""`Source`: one thing to read, a file, a folder of event files, or bytes from a pipe."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from curveclinic.errors import LogError

HEAD_BYTES = 65536
"""What a format is recognised by."""

MAX_BYTES = 256 * 1024 * 1024
"""Largest file read into memory at once; Parquet and event files are not bound by it."""


class NoCurvesError(LogError):
    """The file is sound but no log: said so if the user named it, passed over if it was met in a folder."""


@dataclass(frozen=True)
class Source:
    """One thing to read.

    Attributes:
        path: where it is, as the user would write it; "-" for standard input.
        run_id: name of its first run.
        parts: event files of a TensorBoard run, as (prefix for the tags, file); () for anything else.
        data: its bytes when it is no file.
        named: the user named it, so that it must be readable; else it was met in a folder.
        unreadable: why it cannot even be opened, as a folder without permission; "" for what can be tried.
    """

    path: str
    run_id: str
    parts: tuple[tuple[str, str], ...] = ()
    data: bytes | None = None
    named: bool = True
    unreadable: str = ""

    def head(self) -> bytes:
        """Returns the first bytes."""
        if self.data is not None:
            return self.data[:HEAD_BYTES]
        with open(self.path, "rb") as file:
            return file.read(HEAD_BYTES)

    def size(self) -> int:
        """Returns the number of bytes."""
        return os.path.getsize(self.path) if self.data is None else len(self.data)

    def content(self) -> bytes:
        """Returns all bytes.

        Raises:
            LogError: there are too many to hold in memory.
        """
        if self.size() > MAX_BYTES:
            raise LogError(
                f"{self.path}: {self.size() / 2**20:.0f} MB, expected at most {MAX_BYTES / 2**20:.0f} MB "
                "in this format; keep fewer points or convert it to Parquet"
            )
        return self.data if self.data is not None else Path(self.path).read_bytes()
