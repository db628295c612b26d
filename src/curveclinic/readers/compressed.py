"""Logs kept compressed, one in a file (gzip, bzip2, xz, zstd): unpacked in memory, and never more than may be read.

Archives of many files (tar, zip) are named in the reason, not opened: nobody can tell which of their files are logs.
"""

from __future__ import annotations

import gzip
import io
import os
import zlib
from collections.abc import Callable
from dataclasses import replace
from typing import IO, Final

from curveclinic.errors import LogError
from curveclinic.readers.source import HEAD_BYTES, MAX_BYTES, Source, TooLargeError, UnreadableError

SUFFIXES: Final = (".gz", ".bz2", ".xz", ".zst")
"""What tools put behind the name of a file they compress."""

_PIECE: Final = 1 << 20
"""Bytes unpacked at once."""

_GZIP_LENGTH: Final = 4
"""Bytes at the end of a gzip file that tell the length of what is inside."""

_MOST_PACKED: Final = 1032
"""Bytes that one byte of gzip can stand for."""

_DAMAGE: Final = (EOFError, OSError, zlib.error, ImportError)
"""What is raised where data end too early or are broken, and by a Python that was built without a decoder."""


def _bzip2(file: IO[bytes]) -> io.BufferedIOBase:
    import bz2

    return bz2.BZ2File(file)


def _xz(file: IO[bytes]) -> io.BufferedIOBase:
    import lzma

    return lzma.LZMAFile(file)


def _zstd(file: IO[bytes]) -> io.BufferedIOBase:
    import pyarrow as pa

    return pa.CompressedInputStream(pa.PythonFile(file, mode="r"), "zstd")  # type: ignore[no-any-return]


_PACKED: Final[dict[str, tuple[bytes, Callable[[IO[bytes]], io.BufferedIOBase]]]] = {
    "gzip": (b"\x1f\x8b\x08", lambda file: gzip.GzipFile(fileobj=file)),
    "bzip2": (b"BZh", _bzip2),
    "xz": (b"\xfd7zXZ\x00", _xz),
    "zstd": (b"\x28\xb5\x2f\xfd", _zstd),
}
"""Kind -> how its files begin, and what unpacks them."""

_ARCHIVES: Final = {
    "a zip archive (as are .npz, .pth and .xlsx)": (0, b"PK\x03\x04"),
    "a tar archive": (257, b"ustar"),
    "a 7z archive": (0, b"7z\xbc\xaf\x27\x1c"),
}
"""What holds many files -> where its mark stands, and the mark."""


def unpacked_head(head: bytes) -> bytes:
    """Returns what the head of a compressed file unpacks to, as far as it goes; any other head as it is."""
    kind = _kind(head)
    return head if kind is None else _read(kind, io.BytesIO(head), HEAD_BYTES)[0]


def unpacked(source: Source, head: bytes, is_known: Callable[[bytes], bool], *, is_promised: bool) -> Source:
    """Returns a compressed source with what it holds in memory; any other as it is.

    Args:
        source: what to read.
        head: its first bytes.
        is_known: whether the first bytes of what is inside are those of a log; of anything else no more is unpacked.
        is_promised: whether the name of the file says that it is a log.

    Raises:
        LogError: what is inside is no log; an UnreadableError if it was to be one and is lost; a TooLargeError if it is
            too long to hold in memory.
    """
    kind = _kind(head)
    if kind is None:
        return source
    inside, _ = _read_source(kind, source, HEAD_BYTES)
    if not is_known(inside):
        reason = f"{source.path}: found {_what(inside)}, compressed by {kind}, expected one log; unpack it first"
        raise UnreadableError(reason) if is_promised and not inside else LogError(reason)
    data, damage = _read_source(kind, source, MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise TooLargeError(
            f"{source.path}: more than {MAX_BYTES / 2**20:.0f} MB of log, compressed by {kind}; unpack it first"
        )
    note = f"the data compressed by {kind} are cut off or damaged: what comes before is read" if damage else ""
    return replace(source, data=data, known=None, note=note)


def repeats(packed: str, plain: str) -> bool:
    """Says whether a compressed file is likely the same log as a plain one, which may have grown since.

    What its first bytes unpack to stand in the plain one, too, and that is not shorter than gzip says the log was.
    """
    try:
        inside, damaged = _head_of(packed)
        with open(plain, "rb") as file:
            beginning = file.read(HEAD_BYTES)
        length = 0 if damaged else _length(packed)
        return bool(beginning) and beginning.startswith(inside) and os.path.getsize(plain) >= length
    except OSError:
        return False  # reading them says what is wrong


def _head_of(path: str) -> tuple[bytes, bool]:
    """Returns the first bytes of what a file holds, unpacked if it is compressed, and whether damage ended them."""
    with open(path, "rb") as file:
        kind = _kind(file.read(HEAD_BYTES))
        file.seek(0)
        return (file.read(HEAD_BYTES), False) if kind is None else _read(kind, file, HEAD_BYTES)


def _length(packed: str) -> int:
    """Returns how long gzip says its content is, of several pieces the last (and modulo 4 GB); 0 for other kinds."""
    with open(packed, "rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(0)
        if size < _GZIP_LENGTH or _kind(file.read(4)) != "gzip":
            return 0
        file.seek(-_GZIP_LENGTH, os.SEEK_END)
        length = int.from_bytes(file.read(), "little")
    return length if length <= size * _MOST_PACKED else 0  # else the end of the file is lost


def archive_in(head: bytes) -> str | None:
    """Returns what archive of many files a head is of, None for anything else."""
    return next((what for what, (at, mark) in _ARCHIVES.items() if head.startswith(mark, at)), None)


def _what(inside: bytes) -> str:
    return archive_in(inside) or ("nothing that can be unpacked" if not inside else "no known log format")


def _kind(head: bytes) -> str | None:
    return next((kind for kind, (mark, _) in _PACKED.items() if head.startswith(mark)), None)


def _read_source(kind: str, source: Source, most: int) -> tuple[bytes, bool]:
    if source.held is not None:
        return _read(kind, io.BytesIO(source.held), most)
    with open(source.path, "rb") as file:
        return _read(kind, file, most)


def _read(kind: str, file: IO[bytes], most: int) -> tuple[bytes, bool]:
    """Returns up to so many unpacked bytes, and whether damage ended them."""
    parts, left = [], most
    try:
        with _PACKED[kind][1](file) as stream:
            while left > 0 and (piece := stream.read1(min(left, _PIECE))):  # `read` would lose what comes before damage
                parts.append(piece)
                left -= len(piece)
    except Exception as error:
        if not isinstance(error, _DAMAGE) and type(error).__name__ != "LZMAError":
            raise
        return b"".join(parts), True
    return b"".join(parts), False
