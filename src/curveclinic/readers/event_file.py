"""Scalars out of TensorBoard event files, window by window, in bounded memory.

Records that are alike (nearly all of a scalar log) are decoded in columns, the rest by `protobuf`; a test compares
both ways. Checksums of all records that yield numbers are checked, those of images, texts and graphs on request.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, BinaryIO

import numpy as np

from curveclinic.phrases import counted
from curveclinic.points import FloatArray, IntArray
from curveclinic.readers.crc import masked_crc
from curveclinic.readers.event_columns import POSITIONS, Piece, is_worthwhile, take
from curveclinic.readers.event_frames import Bytes, Paged, Walk, Window
from curveclinic.readers.protobuf import Event, decode_event

_ALWAYS_CHECKED = 512
"""Records up to this many bytes are checked whatever they hold: a damaged scalar may look like something else."""

Columns = tuple[FloatArray, FloatArray, FloatArray]
"""Wall times, steps and values of one tag."""


@dataclass(frozen=True, eq=False)
class EventFile:
    """What an event file holds.

    Attributes:
        tags: tag -> (wall times, steps, values), in the order written.
        starts: (wall time, step) of each session start: later steps written before are void.
        notes: what was wrong with the file.
        n_records: number of intact records.
    """

    tags: dict[str, Columns]
    starts: list[tuple[float, int]]
    notes: list[str]
    n_records: int


@dataclass
class _Found:
    """What has been decoded so far."""

    columnwise: bool
    verify_crc: bool
    pieces: dict[str, list[Piece]] = field(default_factory=dict)
    lone: dict[str, list[tuple[int, float, int, float]]] = field(default_factory=dict)
    starts: list[tuple[float, int]] = field(default_factory=list)
    n_records: int = 0
    n_bad: int = 0


def decode(held: bytes | BinaryIO, *, columnwise: bool = True, verify_crc: bool = False) -> EventFile:
    """Returns the scalars in an event file; a damaged tail is left out and noted.

    Args:
        held: its bytes, or the file opened for reading bytes.
        columnwise: False decodes every record by the reference decoder.
        verify_crc: also checks the records that hold no scalars; they are read for nothing else.
    """
    source = Bytes(held)
    walk, found = Walk(source), _Found(columnwise, verify_crc)
    for window in walk.windows():
        _decode_window(window, found)
        if window.skipped:
            _decode_skipped(source, *window.skipped, found)
    notes = [walk.note] if walk.note else []
    if found.n_bad:
        notes.append(f"left out {counted(found.n_bad, 'record')} with a wrong checksum")
    return EventFile(_in_order(found), found.starts, notes, found.n_records - found.n_bad)


def _decode_window(window: Window, found: _Found) -> None:
    """Decodes the records of a window, those of one length together."""
    slow = []
    for length, members in _by_length(window.lengths):
        if not (found.columnwise and is_worthwhile(len(members), length)):
            slow.append(members)
            continue
        taken = take(window.data, window.starts[members], members + found.n_records, length)
        for tag, piece in taken.found:
            found.pieces.setdefault(tag, []).append(piece)
        found.n_bad += taken.n_bad
        slow.append(taken.left - found.n_records)
    for member in np.sort(np.concatenate(slow)).tolist() if slow else ():
        start, length = int(window.starts[member]), int(window.lengths[member])
        event = _event(window.data, start, start + length)
        if not _is_checked(event, length, found) or _is_intact(window.data[start : start + length + 4]):
            _keep(event, found.n_records + member, found)
        else:
            found.n_bad += 1
    found.n_records += len(window.starts)


def _by_length(lengths: IntArray) -> list[tuple[int, IntArray]]:
    """Returns each length and the records that have it."""
    if not len(lengths):
        return []
    order = np.argsort(lengths, kind="stable")
    ascending = lengths[order]
    ends = (ascending[1:] != ascending[:-1]).nonzero()[0] + 1
    return [(int(ascending[a]), order[a:b]) for a, b in pairwise([0, *ends.tolist(), len(order)])]


def _decode_skipped(source: Bytes, start: int, length: int, found: _Found) -> None:
    """Decodes a long record outside the windows, of which only the pages looked at are read."""
    event = _event(Paged(source), start, start + length)
    if (found.verify_crc or event is None or event.scalars) and not _is_intact(source.read(start, length + 4)):
        found.n_bad += 1
    else:
        _keep(event, found.n_records, found)
    found.n_records += 1


def _event(buffer: Any, start: int, stop: int) -> Event | None:
    try:
        return decode_event(buffer, start, stop)
    except (IndexError, ValueError, struct.error):
        return None


def _is_checked(event: Event | None, length: int, found: _Found) -> bool:
    if found.verify_crc or event is None or length <= _ALWAYS_CHECKED:
        return True
    return bool(event.scalars) or event.session or not event.is_other


def _is_intact(record: bytes) -> bool:
    return masked_crc(record[:-4]) == int.from_bytes(record[-4:], "little")


def _keep(event: Event | None, member: int, found: _Found) -> None:
    if event is None:
        return
    if event.session:
        found.starts.append((event.wall, event.step))
    for k, scalar in enumerate(event.scalars):
        point = ((member << POSITIONS) + k, event.wall, event.step, scalar.value)
        found.lone.setdefault(scalar.tag, []).append(point)


def _in_order(found: _Found) -> dict[str, Columns]:
    """Puts the points of each tag, and the tags, in the order written."""
    tags = {}
    for tag in found.pieces.keys() | found.lone.keys():
        parts = [piece for piece in found.pieces.get(tag, ()) if len(piece.order)]
        if tag in found.lone:
            parts.append(Piece(*map(np.array, zip(*found.lone[tag], strict=True))))
        if not parts:
            continue
        parts.sort(key=_first)  # most follow one another: steps take another byte as they grow
        points = parts[0] if len(parts) == 1 else Piece(*map(np.concatenate, zip(*parts, strict=True)))
        if (points.order[1:] < points.order[:-1]).any():
            points = points.at(np.argsort(points.order))
        tags[tag] = (_first(points), (points.walls, points.steps.astype(np.float64), points.values))
    return {tag: columns for tag, (_, columns) in sorted(tags.items(), key=lambda item: item[1][0])}


def _first(points: Piece) -> int:
    """Place in the file of the first of some points."""
    return int(points.order[0])
