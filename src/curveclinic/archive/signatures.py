"""What tells a changed source from an unchanged one: size and time of its files, then their content."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from curveclinic.readers import remote
from curveclinic.readers.formats import BY_NAME
from curveclinic.readers.source import Source

HASHED_BYTES: Final = 64 * 1024 * 1024
"""Larger sources have no hash: with a new time they are read again, which costs hardly more than hashing them."""

_BLOCK: Final = 1024 * 1024

_DATABASES: Final = (".db", ".sqlite", ".sqlite3")
_JOURNAL: Final = "-wal"
"""What a database has not yet taken over lies in a file beside it."""


@dataclass(frozen=True)
class Signature:
    """Size and time of a source.

    Attributes:
        size: bytes of all its files; -1 when one cannot be read.
        time: latest time of change of its files, ns since 1970; -1 when one cannot be read.
    """

    size: int
    time: int


UNREADABLE: Final = Signature(-1, -1)
"""Equals no other signature, not even itself a scan later."""


def signature(source: Source) -> Signature:
    """Returns size and time of a source, without reading it."""
    if source.data is not None:
        return Signature(len(source.data), 0)
    if remote.is_remote(source.path):
        return _remote_signature(source)
    try:
        found = [os.stat(path) for path in _files(source)]
    except OSError:
        return UNREADABLE
    if source.unreadable or not all(os.access(one.path, os.R_OK) for one in (source, *source.beside)):
        return UNREADABLE
    return Signature(sum(s.st_size for s in found), max((s.st_mtime_ns for s in found), default=0))


def _remote_signature(source: Source) -> Signature:
    try:
        found = [remote.stat(path) for path in ([file for _, file in source.parts] or [source.path])]
    except OSError:
        return UNREADABLE
    return Signature(sum(entry.size for entry in found), max(entry.mtime_ns for entry in found))


def digest(source: Source) -> bytes:
    """Returns a hash of the content of a source; b"" for a large or remote one.

    Raises:
        OSError: it cannot be read.
    """
    state = hashlib.sha256()
    if source.data is not None:
        state.update(source.data)
        return state.digest()
    if remote.is_remote(source.path):
        return b""
    files = list(_files(source))
    if sum(map(os.path.getsize, files)) > HASHED_BYTES:
        return b""
    for path in files:
        state.update(os.fsencode(path) + b"\0")
        if source.known is not None and path == source.path:
            state.update(source.known)
            continue
        with open(path, "rb") as file:
            while block := file.read(_BLOCK):
                state.update(block)
    return state.digest()


def _files(source: Source) -> Iterator[str]:
    """Yields the files a source is read from."""
    for other in source.beside:
        yield from _files(other)
    if source.parts:
        yield from (path for _, path in source.parts)
    elif os.path.isdir(source.path):
        layout = BY_NAME[source.format].layout if source.format else None
        unread = layout.unread if layout else frozenset()
        for folder, folders, files in os.walk(source.path):
            folders[:] = sorted(set(folders) - unread)
            yield from (os.path.join(folder, name) for name in sorted(files) if _is_file(folder, name))
    else:
        yield source.path
        if source.path.endswith(_DATABASES) and os.path.exists(source.path + _JOURNAL):
            yield source.path + _JOURNAL


def _is_file(folder: str, name: str) -> bool:
    return os.path.isfile(os.path.join(folder, name))
