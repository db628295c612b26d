"""The wire format of TensorBoard's `Event`, field by field: the reference decoder.

Only what leads to scalars is decoded; images, histograms and graphs are stepped over by their length.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

_64_BITS = (1 << 64) - 1

Number = tuple[float, int, str]
"""A number, its first byte (-1: left out), and numpy's name for its bytes ("": of no fixed size)."""


def fields(buffer: Any, at: int, end: int) -> Iterator[tuple[int, int, int, int]]:
    """Yields (field number, wire type, value or start, end) of a message; wire type 2 is not entered."""
    while at < end:
        key, at = varint(buffer, at)
        number, kind = key >> 3, key & 7
        if kind == 0:
            value, at = varint(buffer, at)
            yield number, kind, value, at
        elif kind in (1, 5):
            yield number, kind, at, at + (8 if kind == 1 else 4)
            at += 8 if kind == 1 else 4
        elif kind == 2:
            size, at = varint(buffer, at)
            yield number, kind, at, at + size
            at += size
        else:
            raise ValueError(f"wire type {kind}")
    if at > end:
        raise ValueError("a field runs past its message")


def varint(buffer: Any, at: int) -> tuple[int, int]:
    """Returns a whole number of up to 64 bits, seven a byte, the lowest first, and where it ends."""
    if buffer[at] < 0x80:  # most are short
        return buffer[at], at + 1
    value = shift = 0
    while True:
        byte = buffer[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & _64_BITS, at
        shift += 7
        if shift > 63:
            raise ValueError("varint too long")


def _varint_start(buffer: Any, end: int) -> int:
    """First byte of the varint that ends at `end`: the byte before it has no continuation bit."""
    at = end - 1
    while buffer[at - 1] & 0x80:
        at -= 1
    return at


def _signed(value: int) -> int:
    return value - (1 << 64) if value >= 1 << 63 else value


class Scalar(NamedTuple):
    """One number of an event, and the bytes it was read from.

    Attributes:
        tag: its name.
        value: the number.
        tag_at: first byte of the tag.
        tag_end: byte after the tag.
        at: first byte of the number; -1 when it was left out, as proto3 does with a zero.
        kind: numpy's name for these bytes; "" when they are no number of fixed size.
    """

    tag: str
    value: float
    tag_at: int
    tag_end: int
    at: int
    kind: str


class Event(NamedTuple):
    """What the decoder found in one Event message, and where.

    Attributes:
        wall: wall time in seconds.
        step: the step.
        scalars: its numbers, in the order written.
        session: whether a session starts here.
        is_other: whether it holds something known to be no scalar: an image, a histogram, a text, a graph.
        wall_at: first byte of the wall time, -1 when it was left out.
        step_at: first byte of the step, -1 when it was left out.
        step_end: byte after the step.
    """

    wall: float
    step: int
    scalars: list[Scalar]
    session: bool
    is_other: bool
    wall_at: int
    step_at: int
    step_end: int


_OTHER_CONTENT = (3, 4, 6, 8, 9)
"""Fields of an Event that hold no scalars: file version, graph, log message, run metadata, meta graph."""


def decode_event(buffer: Any, at: int, end: int) -> Event:
    """Returns what is in one Event message.

    Raises:
        ValueError, IndexError, struct.error: the bytes are none.
    """
    wall, step, session, is_other = 0.0, 0, False, False
    wall_at = step_at = step_end = -1
    scalars: list[Scalar] = []
    for number, kind, start, stop in fields(buffer, at, end):
        if number == 1 and kind == 1:
            wall, wall_at = struct.unpack("<d", buffer[start:stop])[0], start
        elif number == 2 and kind == 0:
            step, step_at, step_end = _signed(start), _varint_start(buffer, stop), stop
        elif number == 5 and kind == 2:
            found = list(_summary(buffer, start, stop))
            scalars.extend(s for s in found if s is not None)
            is_other = is_other or None in found
        elif number == 7 and kind == 2:
            session = any(n == 1 and k == 0 and v == 1 for n, k, v, _ in fields(buffer, start, stop))
        elif number in _OTHER_CONTENT and kind == 2:
            is_other = True
    return Event(wall, step, scalars, session, is_other, wall_at, step_at, step_end)


def _summary(buffer: Any, at: int, end: int) -> Iterator[Scalar | None]:
    for number, kind, start, stop in fields(buffer, at, end):
        if number == 1 and kind == 2:
            yield _value(buffer, start, stop)


def _value(buffer: Any, at: int, end: int) -> Scalar | None:
    """Returns the scalar of one Value; None for images, histograms, texts, hyper-parameters.

    A tag with neither value nor metadata is a zero that was left out, as proto3 does.
    """
    tag_at = tag_end = -1
    number_in: Number | None = (0.0, -1, "")
    known = plugin = False
    for number, kind, start, stop in fields(buffer, at, end):
        if number == 1 and kind == 2:
            tag_at, tag_end = start, stop
        elif number == 2 and kind == 5:
            number_in, known = (struct.unpack("<f", buffer[start:stop])[0], start, "<f4"), True
        elif number == 8 and kind == 2:
            number_in, known = tensor_scalar(buffer, start, stop), True
        elif number == 9:
            plugin = True
        elif number in (3, 4, 5, 6) and kind == 2:
            return None
    if number_in is None or tag_at == tag_end or (plugin and not known):
        return None
    value, value_at, value_kind = number_in
    tag = bytes(buffer[tag_at:tag_end]).decode("utf-8", "replace")
    return Scalar(tag, value, tag_at, tag_end, value_at, value_kind)


_CONTENT = {
    1: ("<f4", 4),
    2: ("<f8", 8),
    3: ("<i4", 4),
    4: ("u1", 1),
    5: ("<i2", 2),
    6: ("i1", 1),
    9: ("<i8", 8),
    10: ("?", 1),
    19: ("<f2", 2),
    17: ("<u2", 2),
    22: ("<u4", 4),
    23: ("<u8", 8),
}
"""TensorFlow dtype number -> numpy dtype and size of one element in `tensor_content`."""

_BFLOAT16, _HALF = 14, 19


def tensor_scalar(buffer: Any, at: int, end: int) -> Number | None:
    """Returns the number in a TensorProto of one element; None for anything else (text, histograms)."""
    dtype, n_elements = 0, 1
    content = typed = (0, 0, 0, 0)
    for field in fields(buffer, at, end):
        number, kind, start, stop = field
        if number == 1 and kind == 0:
            dtype = start
        elif number == 2 and kind == 2:
            n_elements = _elements(buffer, start, stop)
        elif number == 4 and kind == 2:
            content = field
        elif number in _TYPED and not typed[0]:
            typed = field
    if n_elements != 1 or dtype not in (*_CONTENT, _BFLOAT16):
        return None
    if content[2] < content[3]:
        return _from_content(buffer, content[2], content[3], dtype)
    return _typed(buffer, typed, dtype) if typed[0] else (0.0, -1, "")


def _elements(buffer: Any, at: int, end: int) -> int:
    """Number of elements of a TensorShapeProto."""
    count = 1
    for number, kind, start, stop in fields(buffer, at, end):
        if number == 2 and kind == 2:
            count *= next((_signed(v) for n, k, v, _ in fields(buffer, start, stop) if n == 1 and k == 0), 0)
    return count


def _from_content(buffer: Any, at: int, end: int, dtype: int) -> Number | None:
    if dtype == _BFLOAT16:
        return (_bfloat16(int.from_bytes(buffer[at:end], "little")), at, "") if end - at == 2 else None
    kind, size = _CONTENT[dtype]
    if end - at != size:
        return None
    return float(np.frombuffer(buffer[at:end], dtype=kind)[0]), at, kind if size > 1 else ""


def _bfloat16(bits: int) -> float:
    return float(struct.unpack("<f", struct.pack("<I", (bits & 0xFFFF) << 16))[0])


_TYPED: dict[int, tuple[str, int, int] | None] = {
    **{5: ("<f", 4, 5), 6: ("<d", 8, 1)},
    **dict.fromkeys((7, 10, 11, 13, 16, 17)),
}
"""TensorProto's typed value fields: format, size and wire type of a lone value; None for varints."""


def _typed(buffer: Any, field: tuple[int, int, int, int], dtype: int) -> Number:
    """Returns the first value of a typed field, packed or not."""
    number, kind, start, stop = field
    fixed = _TYPED[number]
    if fixed:
        pattern, size, lone = fixed
        if kind not in (2, lone) or stop - start < size:
            return 0.0, -1, ""
        return struct.unpack(pattern, buffer[start : start + size])[0], start, pattern
    if kind not in (0, 2) or (kind == 2 and start == stop):
        return 0.0, -1, ""
    bits = start if kind == 0 else varint(buffer, start)[0]
    at = stop - 1  # any of its bytes
    if number == 13:
        half = _bfloat16(bits) if dtype == _BFLOAT16 else struct.unpack("<e", struct.pack("<H", bits & 0xFFFF))[0]
        return float(half), at, ""
    return float(bits if number in (16, 17) else _signed(bits)), at, ""
