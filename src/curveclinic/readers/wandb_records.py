"""Records of a `.wandb` file: LevelDB's log framing, and the history items inside."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import BinaryIO

from curveclinic.phrases import counted
from curveclinic.readers.protobuf import fields

HEADER = b":W&B\xe1\xbe"
"""Magic of the 7-byte file header; a version byte follows."""

_BLOCK = 32768
_HEAD = struct.Struct("<IHB")
_FULL, _FIRST, _MIDDLE, _LAST = 1, 2, 3, 4

_HISTORY, _RUN = 2, 17
"""Field numbers of a Record."""

Item = tuple[bytes, bytes]
"""Key as it stands in the file, and value as JSON text."""


def records(file: BinaryIO, notes: list[str]) -> Iterator[bytes]:
    """Yields the intact records of a file; what is damaged or cut off is left out and noted.

    After damage reading goes on at the next block, as LevelDB does.
    """
    pieces: list[bytes] = []
    n_bad = 0
    at = len(HEADER) + 1
    block = file.read(_BLOCK)
    while block:
        while at + _HEAD.size <= len(block):
            crc, length, kind = _HEAD.unpack_from(block, at)
            data = block[at + _HEAD.size : at + _HEAD.size + length]
            if len(data) < length and len(block) < _BLOCK:
                break
            if not _FULL <= kind <= _LAST or zlib.crc32(data, zlib.crc32(block[at + 6 : at + 7])) != crc:
                if any(block[at:]):  # zeros are space reserved by a writer that was killed
                    n_bad += 1
                pieces, at = [], len(block)
                break
            at += _HEAD.size + length
            if kind in (_FULL, _FIRST):
                n_bad += bool(pieces)
                pieces = []
            elif not pieces:  # a middle or last piece whose beginning is lost
                continue
            pieces.append(data)
            if kind in (_FULL, _LAST):
                yield b"".join(pieces)
                pieces = []
        cut = len(block) < _BLOCK and (at < len(block) or bool(pieces))
        block, at = file.read(_BLOCK), 0
        if cut and not block:
            notes.append("the last record is cut off and is left out")
            pieces = []
    if pieces:
        notes.append("the last record is cut off and is left out")
    if n_bad:
        notes.append(f"the file is damaged; records in {counted(n_bad, 'block')} are left out")


def title(record: bytes) -> str | None:
    """Returns "project/name" of a Record that describes the run; None for any other."""
    for number, kind, start, stop in fields(record, 0, len(record)):
        if number == _RUN and kind == 2:
            texts = {n: record[a:b].decode("utf-8", "replace") for n, k, a, b in fields(record, start, stop) if k == 2}
            return "/".join(texts[n] for n in (3, 8) if texts.get(n))
    return None


def history(record: bytes) -> list[Item] | None:
    """Returns the items of a Record that holds a history row; None for any other.

    Raises:
        ValueError, IndexError: the record is no protobuf message.
    """
    for number, kind, start, stop in fields(record, 0, len(record)):
        if number == _HISTORY and kind == 2:
            return _items(record, start, stop)
    return None


def _items(record: bytes, at: int, end: int) -> list[Item]:
    """Items of a HistoryRecord; short ones are cut out by their layout, others decoded field by field."""
    items: list[Item] = []
    while at < end:
        if record[at] != 0x0A or record[at + 1] > 127:
            return [*items, *_items_slowly(record, at, end)]
        start, stop = at + 2, at + 2 + record[at + 1]
        value = start
        while record[value] == 0x12 and record[value + 1] < 128:
            value += 2 + record[value + 1]
        first = value + 3
        if record[value : value + 2] == b"\x82\x01" and value < stop == first + record[first - 1] <= end:
            items.append((record[start:value], record[first:stop]))
        else:
            items.extend(_items_slowly(record, at, stop))
        at = stop
    return items


def _items_slowly(record: bytes, at: int, end: int) -> Iterator[Item]:
    for number, kind, start, stop in fields(record, at, end):
        if number == 1 and kind == 2:
            yield _item(record, start, stop)
        elif number == 2 and kind == 2:
            for inner, wire, step, _ in fields(record, start, stop):
                if inner == 1 and wire == 0:
                    yield b"\x12\x05_step", str(step).encode()


def _item(record: bytes, at: int, end: int) -> Item:
    """One HistoryItem; its key is rewritten as a nested key of one part if it is a plain one."""
    key, value = b"", b""
    for number, kind, start, stop in fields(record, at, end):
        if number in (1, 2) and kind == 2 and stop - start < 128:
            key += bytes((0x12, stop - start)) + record[start:stop]
        elif number == 16 and kind == 2:
            value = record[start:stop]
    return key, value


def key_name(key: bytes) -> str:
    """Returns the name a key stands for, nested parts joined by dots as W&B shows them."""
    parts = [key[start:stop].decode("utf-8", "replace") for _, _, start, stop in fields(key, 0, len(key))]
    return ".".join(parts)
