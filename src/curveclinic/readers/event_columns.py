"""Columns out of event records that are alike: the bytes that may differ are known, all others are compared.

A layout is learnt from one record by the reference decoder, which says where it read the wall time, the step, the tags
and the numbers. A record with the same bytes everywhere else takes the same way through that decoder, so its numbers
stand at the same places; one that differs anywhere else is left to the decoder.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from curveclinic.points import BoolArray, FloatArray, IntArray
from curveclinic.readers.crc import Registers, contributions, crc, masked
from curveclinic.readers.protobuf import Scalar, decode_event

Words = npt.NDArray[np.uint64]
"""(w, n) words of n records."""

Rows = npt.NDArray[np.void]
"""(n,) records in whole words, their checksum and what follows it included."""

POSITIONS = 20
"""Bits for the place of a number within its record; its record's number stands above them."""

_FEWEST = 8
"""Fewer records of one length, or fewer left of them, are decoded one by one."""
_MAX_REFUSED = 8
"""After so many records of one length without a layout the rest are decoded one by one."""
_MAX_KNOWN = 8
"""Layouts remembered per record length."""
_MAX_LENGTH = 512
"""Longer records are decoded one by one, too."""
_MIX = np.uint64(0x9E3779B97F4A7C15)


class Piece(NamedTuple):
    """Points of one tag, (n,) each: place in the file, wall time, step, value."""

    order: IntArray
    walls: FloatArray
    steps: IntArray
    values: FloatArray

    def at(self, places: IntArray) -> Piece:
        """Returns the points at some places."""
        return Piece(self.order[places], self.walls[places], self.steps[places], self.values[places])


class Taken(NamedTuple):
    """What came out of the records of one length: points by tag, records left over, number of damaged ones."""

    found: list[tuple[str, Piece]]
    left: IntArray
    n_bad: int


@dataclass(frozen=True, eq=False)
class Layout:
    """Where the records of one kind hold what differs between them.

    Attributes:
        pattern: (w, 1) words of the record it was learnt from.
        fixed: (w, 1) bits of them that must be the same.
        named_words: (t,) which words hold tags.
        named: (t, 1) bits of these that are the tags'.
        length: bytes of data of the record.
        free: (f,) bytes that differ: wall time, step, numbers.
        adds: (256 f,) what each value of each of these bytes adds to the checksum.
        adds_at: (f, 1) where in there the values of each byte begin.
        wall_at: first byte of the wall time, -1 without one.
        step: bytes of the step.
        scalars: the numbers.
    """

    pattern: Words
    fixed: Words
    named_words: IntArray
    named: Words
    length: int
    free: IntArray
    adds: Registers
    adds_at: IntArray
    wall_at: int
    step: range
    scalars: tuple[Scalar, ...]


class _Group(NamedTuple):
    """Records of one length: in whole words, the same as columns, and their numbers in the file."""

    rows: Rows
    words: Words
    members: IntArray

    def part(self, chosen: Any) -> _Group:
        return _Group(self.rows[chosen], self.words[:, chosen], self.members[chosen])


def is_worthwhile(count: int, length: int) -> bool:
    """Says whether so many records of one length are decoded faster by columns than one by one."""
    return count >= _FEWEST and length <= _MAX_LENGTH


def take(window: bytes, starts: IntArray, members: IntArray, length: int) -> Taken:
    """Decodes the records of one length that have a layout.

    Args:
        window: bytes with the records in them, zeros behind them.
        starts: (n,) where the data of each record starts.
        members: (n,) number of each record in the file.
        length: bytes of data of each.
    """
    n_words = (length + 4 + 7) // 8
    rows: Rows = np.ndarray(len(window) - 8 * n_words + 1, f"V{8 * n_words}", window, strides=(1,))[starts]
    group = _Group(rows, np.ascontiguousarray(rows.view("<u8").reshape(-1, n_words).T), members)
    found, left, n_bad, n_refused = [], [], 0, 0
    known, used = list(_known_layouts(length)), []
    while len(group.members) >= _FEWEST and n_refused < _MAX_REFUSED:
        layout = known.pop(0) if known else _learnt(group, length)
        if layout is None:
            left.append(group.members[-1:])
            group = group.part(slice(None, -1))
            n_refused += 1
            continue
        alike = _is_alike(group.words, layout)
        n_alike = np.count_nonzero(alike)
        if not n_alike:
            continue
        used.append(layout)
        is_last = n_alike == len(alike)
        taken = _decoded(group if is_last else group.part(alike), layout)
        found += taken.found
        left.append(taken.left)
        n_bad += taken.n_bad
        group = group.part(slice(0) if is_last else ~alike)
    _remember(length, used)
    return Taken(found, np.concatenate([*left, group.members]), n_bad)


@lru_cache(maxsize=_MAX_LENGTH)
def _known_layouts(length: int) -> list[Layout]:
    """The layouts met last in records of a length: most files of an archive are alike."""
    return []


def _remember(length: int, used: list[Layout]) -> None:
    known = _known_layouts(length)
    if known[: len(used)] != used:
        known[:] = (used + [layout for layout in known if layout not in used])[:_MAX_KNOWN]


def _learnt(group: _Group, length: int) -> Layout | None:
    """Returns the layout of the last record; None if it holds no scalar, or not at a fixed place."""
    row = group.rows[-1].tobytes()
    try:
        event = decode_event(row[:length], 0, length)
    except (IndexError, ValueError, struct.error):
        return None
    if not event.scalars or event.session or any(s.at >= 0 and not s.kind for s in event.scalars):
        return None
    wall = range(event.wall_at, event.wall_at + 8) if event.wall_at >= 0 else range(0)
    step = range(event.step_at, event.step_end) if event.step_at >= 0 else range(0)
    numbers = [p for s in event.scalars if s.at >= 0 for p in range(s.at, s.at + np.dtype(s.kind).itemsize)]
    fixed, named = np.zeros((2, len(row)), dtype=np.uint8)
    fixed[:length] = 0xFF
    for scalar in event.scalars:
        named[scalar.tag_at : scalar.tag_end] = 0xFF
    fixed[named > 0] = 0
    fixed[[*wall, *numbers]] = 0
    fixed[step] = 0x80
    free = np.array([*wall, *step, *numbers], dtype=np.int64)
    return Layout(
        pattern=np.frombuffer(row, dtype="<u8")[:, None],
        fixed=fixed.view("<u8")[:, None],
        named_words=np.flatnonzero(named.view("<u8")),
        named=named.view("<u8")[named.view("<u8") > 0][:, None],
        length=length,
        free=free,
        adds=contributions(length)[length - 1 - free].ravel(),
        adds_at=256 * np.arange(len(free), dtype=np.int64)[:, None],
        wall_at=event.wall_at,
        step=step,
        scalars=tuple(event.scalars),
    )


def _is_alike(words: Words, layout: Layout) -> BoolArray:
    """Says which records have the layout."""
    differs = np.bitwise_or.reduce((words ^ layout.pattern) & layout.fixed, axis=0)
    return np.asarray(differs == 0)


def _decoded(group: _Group, layout: Layout) -> Taken:
    """Returns the points of records of one layout by tag; left are those whose tag is in doubt."""
    which, firsts, sure = _by_tags(group.words[layout.named_words], layout)
    heads = [_without(group.rows[first].tobytes()[: layout.length], layout.free) for first in firsts]
    sound = _is_sound(group.rows, layout, np.array([_head_crc(head) for head in heads], dtype=np.uint32)[which])
    n_bad, left, good = 0, group.members[:0], sound if sure is None else sound & sure
    if not good.all():
        left = left if sure is None else group.members[~sure]
        n_bad = len(good) - len(left) - np.count_nonzero(good)
        group, which = group.part(good), which[good]
    bounds = [0, len(which)]
    if len(firsts) > 1:
        by_tag = np.argsort(which, kind="stable")
        group, which = group.part(by_tag), which[by_tag]
        bounds = np.searchsorted(which, np.arange(len(firsts) + 1)).tolist()
    walls, steps = _walls(group.rows, layout), _steps(group.rows, layout)
    found = []
    for k, scalar in enumerate(layout.scalars):
        order, values = (group.members << POSITIONS) + k, _values(group.rows, scalar)
        for head, start, stop in zip(heads, bounds[:-1], bounds[1:], strict=True):
            tag = head[scalar.tag_at : scalar.tag_end].decode("utf-8", "replace")
            part = slice(start, stop)
            found.append((tag, Piece(order[part], walls[part], steps[part], values[part])))
    return Taken(found, left, n_bad)


def _by_tags(names: Words, layout: Layout) -> tuple[IntArray, list[int], BoolArray | None]:
    """Returns the number of each record's tags, the first record with each, and whether that is sure; None: all are.

    Args:
        names: the words with tags in them.
        layout: says which of their bits are the tags'.
    """
    count = names.shape[1]
    names = (names ^ names[:, :1]) & layout.named
    if not names.any():
        return np.zeros(count, dtype=np.int64), [0], None
    mixed = np.zeros(count, dtype=np.uint64)
    for column in names:
        mixed = (mixed ^ column) * _MIX
        mixed ^= mixed >> np.uint64(32)
    _, firsts, which = np.unique(mixed, return_index=True, return_inverse=True)
    differs = np.bitwise_or.reduce(names ^ names[:, firsts[which]], axis=0)  # two tags may mix to one number
    return which, firsts.tolist(), np.asarray(differs == 0)


def _without(record: bytes, free: IntArray) -> bytes:
    """The record with zeros in its free bytes."""
    head = np.frombuffer(record, dtype=np.uint8).copy()
    head[free] = 0
    return bytes(head)


@lru_cache(maxsize=1024)
def _head_crc(head: bytes) -> int:
    """The checksum of a record without its free bytes: the same in all files with its tag."""
    return crc(head)


def _is_sound(rows: Rows, layout: Layout, heads: Registers) -> BoolArray:
    """Says which records are undamaged: the checksum without the free bytes, and what each of these adds."""
    free = rows.view(np.uint8).reshape(len(rows), -1).T[layout.free]  # (free bytes, records)
    found = np.bitwise_xor.reduce(layout.adds.take(free + layout.adds_at), axis=0) ^ heads
    return np.asarray(masked(found) == _column(rows, "<u4", layout.length))


def _column(rows: Rows, kind: str, at: int) -> npt.NDArray[Any]:
    """The same bytes of every record, as numbers."""
    column: npt.NDArray[Any] = np.ndarray(len(rows), kind, rows, at, (rows.itemsize,))
    return column


def _walls(rows: Rows, layout: Layout) -> FloatArray:
    if layout.wall_at < 0:
        return np.zeros(len(rows))
    return _column(rows, "<f8", layout.wall_at).astype(np.float64)


def _steps(rows: Rows, layout: Layout) -> IntArray:
    """Steps of a varint: seven bits a byte, the lowest first, of which 64 count."""
    steps = np.zeros(len(rows), dtype=np.int64)
    for k, at in enumerate(layout.step):
        steps |= (_column(rows, "u1", at) & np.uint8(0x7F)).astype(np.int64) << np.int64(7 * k)
    return steps


def _values(rows: Rows, scalar: Scalar) -> FloatArray:
    if scalar.at < 0:
        return np.zeros(len(rows))
    return _column(rows, scalar.kind, scalar.at).astype(np.float64)
