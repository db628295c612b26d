"""Scalars out of TensorBoard event files: record framing, checksums, columns of equal records.

Records of equal length that share one layout (nearly all of a scalar log) are decoded column-wise by numpy,
the rest by `protobuf`; a test compares both ways.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from curveclinic.readers.protobuf import decode_event

ByteMatrix = npt.NDArray[np.uint8]

_MASK_DELTA = 0xA282EAD8
_CHECKED_BYTES = 4096
"""Records longer than this (images, graphs) are not checksummed: they hold no scalar we want."""
_MIN_COLUMN = 16
"""Fewer records of one length are decoded one by one."""
_MAX_LAYOUTS = 64
"""Layouts tried per record length before the rest is decoded one by one."""


def _crc_table() -> npt.NDArray[np.uint32]:
    table = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        table = np.where(table & 1, (table >> 1) ^ np.uint32(0x82F63B78), table >> 1)
    return table


_TABLE = _crc_table()
_TABLE_LIST = _TABLE.tolist()


@dataclass
class Scalars:
    """Points of one tag in the order written."""

    order: list[int] = field(default_factory=list)
    walls: list[float] = field(default_factory=list)
    steps: list[int] = field(default_factory=list)
    values: list[float] = field(default_factory=list)


@dataclass
class EventFile:
    """What an event file holds.

    Attributes:
        tags: tag -> (wall times, steps, values), in the order written.
        starts: (wall time, step) of each session start: later steps written before are void.
        notes: what was wrong with the file.
        n_records: number of intact records.
    """

    tags: dict[str, tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.float64]]]
    starts: list[tuple[float, int]]
    notes: list[str]
    n_records: int


def masked_crc(data: bytes) -> int:
    """Returns the masked CRC-32C of TFRecord framing."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = _TABLE_LIST[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    crc ^= 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + _MASK_DELTA) & 0xFFFFFFFF


@lru_cache(maxsize=4096)
def _length_crc(header: bytes) -> int:
    return masked_crc(header)


def is_event_head(head: bytes) -> bool:
    """Says whether bytes start with an intact record header."""
    return len(head) >= 12 and _length_crc(head[:8]) == struct.unpack_from("<I", head, 8)[0]


def decode(buffer: Any, *, columnwise: bool = True) -> EventFile:
    """Returns the scalars in the bytes of an event file; a damaged tail is left out and noted.

    Args:
        buffer: bytes or a memory map.
        columnwise: False decodes every record by the reference decoder.
    """
    starts, lengths, notes = _frames(buffer)
    data = np.frombuffer(buffer, dtype=np.uint8)
    found: dict[str, list[tuple[npt.NDArray[Any], ...]]] = {}
    slow: list[int] = []
    sessions: list[tuple[float, int]] = []
    n_bad = 0
    for length in np.unique(lengths):
        members = np.flatnonzero(lengths == length)
        if length > _CHECKED_BYTES:
            slow.extend(members.tolist())
            continue
        matrix = data[starts[members][:, None] + np.arange(length + 4)]
        intact = _intact(matrix)
        n_bad += int((~intact).sum())
        members, matrix = members[intact], matrix[intact, :-4]
        if columnwise and len(members) >= _MIN_COLUMN:
            members = _decode_columns(matrix, members, found)
        slow.extend(members.tolist())
    if n_bad:
        notes.append(f"{n_bad} records have a wrong checksum and are left out")
    _decode_slow(buffer, sorted(slow), starts, lengths, found, sessions)
    return EventFile(_in_order(found), sessions, notes, len(starts) - n_bad)


def _frames(buffer: Any) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], list[str]]:
    """Walks the records; returns where their data starts, how long it is, and what ended the walk early."""
    starts: list[int] = []
    lengths: list[int] = []
    notes: list[str] = []
    size, at = len(buffer), 0
    while at + 12 <= size:
        header = bytes(buffer[at : at + 8])
        length = int.from_bytes(header, "little")
        if _length_crc(header) != int.from_bytes(buffer[at + 8 : at + 12], "little"):
            notes.append(f"garbage after {len(starts)} records: the {size - at} bytes from byte {at} on are left out")
            break
        if at + 16 + length > size:
            notes.append("the last record is cut off and is left out")
            break
        starts.append(at + 12)
        lengths.append(length)
        at += 16 + length
    else:
        if at < size:
            notes.append("the last record is cut off and is left out")
    return np.array(starts, dtype=np.int64), np.array(lengths, dtype=np.int64), notes


def _intact(matrix: ByteMatrix) -> npt.NDArray[np.bool_]:
    """Says which records, each a row with its checksum at the end, are undamaged."""
    crc = np.full(len(matrix), 0xFFFFFFFF, dtype=np.uint32)
    for column in range(matrix.shape[1] - 4):
        crc = _TABLE[(crc ^ matrix[:, column]) & np.uint32(0xFF)] ^ (crc >> np.uint32(8))
    crc ^= np.uint32(0xFFFFFFFF)
    masked = (crc >> np.uint32(15) | crc << np.uint32(17)) + np.uint32(_MASK_DELTA)
    stored = np.ascontiguousarray(matrix[:, -4:]).view("<u4").ravel()
    return np.asarray(masked == stored)


def _decode_columns(
    matrix: ByteMatrix, members: npt.NDArray[np.int64], found: dict[str, list[tuple[npt.NDArray[Any], ...]]]
) -> npt.NDArray[np.int64]:
    """Decodes the rows that share a layout with simple values; returns the members left over."""
    left = np.ones(len(members), dtype=bool)
    refused = np.zeros(len(members), dtype=bool)
    for _ in range(_MAX_LAYOUTS):
        todo = np.flatnonzero(left & ~refused)
        if not len(todo):
            break
        layout = _layout(matrix[todo[0]].tobytes())
        if layout is None:
            refused[todo[0]] = True
            continue
        tag, end = layout
        rows = todo[_like(matrix[todo], end)]
        left[rows] = False
        found.setdefault(tag, []).append((members[rows], *_columns(matrix[rows], end)))
    return members[left]


def _layout(record: bytes) -> tuple[str, int] | None:
    """Returns tag and end of the step varint of: wall_time, step, one Value of tag and simple_value; else None."""
    if len(record) < 20 or record[0] != 0x09 or record[9] != 0x10:
        return None
    end = 10
    while end < min(len(record), 18) and record[end] & 0x80:
        end += 1
    end += 1
    rest = record[end:]
    if len(rest) < 12 or rest[0] != 0x2A or rest[1] > 127 or rest[2] != 0x0A or rest[4] != 0x0A:
        return None
    tag_end = 6 + rest[5]
    whole = rest[1] == len(rest) - 2 and rest[3] == len(rest) - 4 and rest[5] < 128
    if not whole or tag_end + 5 != len(rest) or rest[tag_end] != 0x15:
        return None
    return rest[6:tag_end].decode("utf-8", "replace"), end


def _like(matrix: ByteMatrix, end: int) -> npt.NDArray[np.bool_]:
    """Says which rows have the layout and tag of the first one."""
    first = matrix[0]
    same = matrix[:, 0] == first[0]
    same &= matrix[:, 9] == first[9]
    same &= np.all((matrix[:, 10:end] & 0x80) == (first[10:end] & 0x80), axis=1)
    same &= np.all(matrix[:, end:-4] == first[end:-4], axis=1)
    return np.asarray(same)


def _columns(matrix: ByteMatrix, end: int) -> tuple[npt.NDArray[Any], npt.NDArray[Any], npt.NDArray[Any]]:
    walls = np.ascontiguousarray(matrix[:, 1:9]).view("<f8").ravel()
    shifts = 7 * np.arange(end - 10, dtype=np.int64)
    steps = ((matrix[:, 10:end] & 0x7F).astype(np.int64) << shifts).sum(axis=1)
    values = np.ascontiguousarray(matrix[:, -4:]).view("<f4").ravel()
    return walls, steps, values


def _decode_slow(
    buffer: Any,
    members: list[int],
    starts: npt.NDArray[np.int64],
    lengths: npt.NDArray[np.int64],
    found: dict[str, list[tuple[npt.NDArray[Any], ...]]],
    sessions: list[tuple[float, int]],
) -> None:
    """Decodes records one by one; what does not parse is skipped."""
    points: dict[str, Scalars] = {}
    for member in members:
        start = int(starts[member])
        try:
            wall, step, values, session = decode_event(buffer, start, start + int(lengths[member]))
        except (IndexError, ValueError, struct.error):
            continue
        if session:
            sessions.append((wall, step))
        for tag, value in values:
            one = points.setdefault(tag, Scalars())
            one.order.append(member)
            one.walls.append(wall)
            one.steps.append(step)
            one.values.append(value)
    for tag, one in points.items():
        columns = (np.array(one.order), np.array(one.walls), np.array(one.steps), np.array(one.values))
        found.setdefault(tag, []).append(columns)


def _in_order(
    found: dict[str, list[tuple[npt.NDArray[Any], ...]]],
) -> dict[str, tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.float64]]]:
    first = {tag: min(int(p[0].min()) for p in parts) for tag, parts in found.items()}
    out = {}
    for tag in sorted(found, key=lambda t: first[t]):
        order, walls, steps, values = (
            np.concatenate([part[i].astype(np.float64) for part in found[tag]]) for i in range(4)
        )
        by_record = np.argsort(order, kind="stable")
        out[tag] = (walls[by_record], steps[by_record], values[by_record])
    return out
