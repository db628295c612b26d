"""TFRecord framing: where the records of an event file lie, found window by window so that memory stays bounded.

A record is its length (8 bytes), the length's checksum, the data, the data's checksum. Logs repeat: after some
records the same lengths come round again, so the next headers are foreseen and compared all at once.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from curveclinic.phrases import counted
from curveclinic.points import IntArray
from curveclinic.readers.crc import masked_crc

PADDING = 8
"""Zero bytes behind a window, so that records can be taken out in whole words."""

FRAME = 16
"""Bytes of a record besides its data."""

_HEADER = 12
_SMALLEST, _LARGEST = 1 << 16, 1 << 20
"""Bytes read at once: few where images are stepped over, many where scalar follows scalar."""
_SKIPPED = 1 << 16
"""A record longer than this that is not wholly in the window is not read into memory."""
_WALKED = 128
"""Records walked one by one before the next ones are foreseen."""
_SHORT = 1 << 14
"""A window of so few bytes is walked to its end: foreseeing has a cost of its own."""
_ALIKE = 16
"""So many lengths must have come before for those after them to be expected again."""
_TRIED = 512
"""Records foreseen at first."""
_MAX_FORESEEN = 1 << 16


class Bytes:
    """Bytes in memory or in a file, read piece by piece; `at` and `size` count from the start."""

    def __init__(self, held: bytes | BinaryIO) -> None:
        self._held = held
        self.size = len(held) if isinstance(held, bytes) else os.fstat(held.fileno()).st_size

    def read(self, at: int, size: int) -> bytes:
        """Returns the bytes from `at` on, fewer at the end."""
        if isinstance(self._held, bytes):
            return self._held[at : at + size]
        self._held.seek(at)
        return self._held.read(max(0, min(size, self.size - at)))


class Paged:
    """A long record as a buffer that reads only the pages looked at."""

    _PAGE = 4096

    def __init__(self, source: Bytes) -> None:
        self._source = source
        self._at, self._page = 0, b""

    def __getitem__(self, key: Any) -> Any:
        start, stop = (key.start, key.stop) if isinstance(key, slice) else (key, key + 1)
        if stop - start > self._PAGE:
            return self._source.read(start, stop - start)
        if start < self._at or stop > self._at + len(self._page):
            self._at, self._page = start, self._source.read(start, self._PAGE)
        piece = self._page[start - self._at : stop - self._at]
        return piece if isinstance(key, slice) else piece[0]


@dataclass(frozen=True, eq=False)
class Window:
    """A piece of the file with whole records in it.

    Attributes:
        data: its bytes, `PADDING` zeros behind them.
        at: place of its first byte in the file.
        starts: (n,) where the data of each record starts, within the window.
        lengths: (n,) bytes of data of each.
        skipped: start and length in the file of a long record that follows and was not read.
    """

    data: bytes
    at: int
    starts: IntArray
    lengths: IntArray
    skipped: tuple[int, int] | None = None


class _Sizes(dict[bytes, int]):
    """Header -> size of the record, for the headers of one file: a look into it costs less than a call."""

    def __missing__(self, header: bytes) -> int:
        size = self[header] = _record_size(header)
        return size


@dataclass
class Walk:
    """A walk over the records of a file; `note` says what ended it early."""

    source: Bytes
    note: str = ""
    n_records: int = 0
    _is_garbage: bool = False
    _sizes: _Sizes = field(default_factory=_Sizes)

    def windows(self) -> Iterator[Window]:
        """Yields the windows of the file in order."""
        at, width = 0, _LARGEST
        while at < self.source.size and not self.note:
            data = self.source.read(at, width)
            starts, sizes, end = self._records(data)
            self.n_records += len(starts)
            skipped = self._rest(data, at, end)
            yield Window(data + bytes(PADDING), at, starts, sizes - FRAME, skipped)
            width = max(_SMALLEST, width // 4) if skipped else min(2 * width, _LARGEST)
            self.n_records += skipped is not None
            at = at + end if skipped is None else sum(skipped) + 4

    def _rest(self, data: bytes, at: int, end: int) -> tuple[int, int] | None:
        """Looks at the record that is not wholly in a window; returns it if it is long and whole."""
        left = self.source.size - at - end
        size = _record_size(data[end : end + _HEADER])
        if self._is_garbage:
            where = f"the {left} bytes from byte {at + end} on are left out"
            self.note = f"garbage after {counted(self.n_records, 'record')}: {where}"
        elif _SKIPPED < size <= left:
            return at + end + _HEADER, size - FRAME
        elif left and (left < max(size, FRAME) or not end):
            self.note = "the last record is cut off and is left out"
        return None

    def _records(self, data: bytes) -> tuple[IntArray, IntArray, int]:
        """Returns start of data and size of each record wholly in a window, and where the last one ends."""
        starts: list[IntArray] = []
        sizes: list[IntArray] = []
        at, wait = 0, _WALKED if len(data) > _SHORT else len(data)
        while True:
            walked, lengths, at, is_over = self._walked(data, at, wait)
            starts.append(walked)
            sizes.append(lengths)
            if is_over:
                break
            foreseen, lengths, at = _foreseen(data, at, lengths)
            starts.append(foreseen)
            sizes.append(lengths)
            wait = _WALKED if len(foreseen) > wait else min(2 * wait, 16 * _WALKED)
        return np.concatenate(starts) + _HEADER, np.concatenate(sizes), at

    def _walked(self, data: bytes, at: int, count: int) -> tuple[IntArray, IntArray, int, bool]:
        """Walks up to `count` records one by one; also says whether the window (or the file) is over."""
        places, stop, sizes = [at], len(data), self._sizes
        for _ in range(count):
            size = sizes[data[at : at + _HEADER]]
            end = at + size
            if not size or end > stop:
                self._is_garbage = not size and at + _HEADER <= stop
                break
            places.append(end)
            at = end
        bounds = np.array(places, dtype=np.int64)
        return bounds[:-1], bounds[1:] - bounds[:-1], at, len(places) <= count


def is_event_head(head: bytes) -> bool:
    """Says whether bytes start with an intact record header."""
    return _record_size(head[:_HEADER]) > 0


@lru_cache(maxsize=4096)
def _record_size(header: bytes) -> int:
    """Returns the size of a record with a header; 0 for a damaged or cut one. Headers come again and again."""
    if len(header) < _HEADER or masked_crc(header[:8]) != int.from_bytes(header[8:], "little"):
        return 0
    return int.from_bytes(header[:8], "little") + FRAME


def _foreseen(data: bytes, at: int, sizes: IntArray) -> tuple[IntArray, IntArray, int]:
    """Returns places and sizes of the records from `at` on as far as they repeat those before, and their end."""
    period = _period(sizes)
    if not period:
        return sizes[:0], sizes[:0], at
    cycle = sizes[-period:]
    lengths = (cycle - FRAME).astype(np.uint64)
    checksums = np.array([_length_crc(length) for length in lengths.tolist()], dtype=np.uint32)
    places, expected = [np.zeros(0, dtype=np.int64)], [sizes[:0]]
    n_rounds = max(1, _TRIED // period)
    while True:
        room = (len(data) - at) // int(cycle.sum())
        n = min(n_rounds, room)
        ends = at + np.cumsum(np.tile(cycle, n))
        begins = np.append(at, ends)[:-1]
        n_right = _n_right(data, begins, np.tile(lengths, n), np.tile(checksums, n))
        places.append(begins[:n_right])
        expected.append(np.resize(cycle, n_right))
        at = int(ends[n_right - 1]) if n_right else at
        if n_right < len(ends) or n_rounds >= room:
            return np.concatenate(places), np.concatenate(expected), at
        n_rounds = min(8 * n_rounds, max(1, _MAX_FORESEEN // period))


def _period(sizes: IntArray) -> int:
    """After how many records the same lengths come again; 0 when they do not."""
    if len(sizes) < 2 * _ALIKE:
        return 0
    text = sizes.astype(np.uint32).tobytes()
    for n_alike in (len(sizes) // 2, _ALIKE):
        tail = text[-4 * n_alike :]
        found = text.rfind(tail, 0, len(text) - 1)
        if found >= 0 and (len(text) - found - len(tail)) % 4 == 0:
            return (len(text) - found - len(tail)) // 4
    return 0


def _n_right(data: bytes, places: IntArray, lengths: npt.NDArray[np.uint64], checksums: npt.NDArray[np.uint32]) -> int:
    """Number of records before the first one whose header is not the one expected."""
    if not len(places):
        return 0
    right = np.ndarray(len(data) - 7, dtype="<u8", buffer=data, strides=(1,))[places] == lengths
    right &= np.ndarray(len(data) - 11, dtype="<u4", buffer=data, offset=8, strides=(1,))[places] == checksums
    return len(right) if right.all() else int(right.argmin())


@lru_cache(maxsize=4096)
def _length_crc(length: int) -> int:
    return masked_crc(length.to_bytes(8, "little"))
