"""The wire format of TensorBoard's `Event`, field by field: the reference decoder.

Only what leads to scalars is decoded; images, histograms and graphs are stepped over by their length.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

import numpy as np


def _fields(buffer: Any, at: int, end: int) -> Iterator[tuple[int, int, int, int]]:
    """Yields (field number, wire type, value or start, end) of a message; wire type 2 is not entered."""
    while at < end:
        key, at = _varint(buffer, at)
        number, kind = key >> 3, key & 7
        if kind == 0:
            value, at = _varint(buffer, at)
            yield number, kind, value, at
        elif kind in (1, 5):
            yield number, kind, at, at + (8 if kind == 1 else 4)
            at += 8 if kind == 1 else 4
        elif kind == 2:
            size, at = _varint(buffer, at)
            yield number, kind, at, at + size
            at += size
        else:
            raise ValueError(f"wire type {kind}")
    if at > end:
        raise ValueError("a field runs past its message")


def _varint(buffer: Any, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = buffer[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
        if shift > 63:
            raise ValueError("varint too long")


def _signed(value: int) -> int:
    return value - (1 << 64) if value >= 1 << 63 else value


def decode_event(buffer: Any, at: int, end: int) -> tuple[float, int, list[tuple[str, float]], bool]:
    """Returns wall time, step, scalars and whether a session starts, of one Event message."""
    wall, step, session = 0.0, 0, False
    values: list[tuple[str, float]] = []
    for number, kind, start, stop in _fields(buffer, at, end):
        if number == 1 and kind == 1:
            wall = struct.unpack_from("<d", buffer, start)[0]
        elif number == 2 and kind == 0:
            step = _signed(start)
        elif number == 5 and kind == 2:
            values.extend(v for v in _summary(buffer, start, stop) if v is not None)
        elif number == 7 and kind == 2:
            session = any(n == 1 and k == 0 and v == 1 for n, k, v, _ in _fields(buffer, start, stop))
    return wall, step, values, session


def _summary(buffer: Any, at: int, end: int) -> Iterator[tuple[str, float] | None]:
    for number, kind, start, stop in _fields(buffer, at, end):
        if number == 1 and kind == 2:
            yield _value(buffer, start, stop)


def _value(buffer: Any, at: int, end: int) -> tuple[str, float] | None:
    """Returns (tag, scalar) of one Value; None for images, histograms, texts, hyper-parameters.

    A tag with neither value nor metadata is a zero that was left out, as proto3 does.
    """
    tag = ""
    scalar: float | None = 0.0
    known = plugin = False
    for number, kind, start, stop in _fields(buffer, at, end):
        if number == 1 and kind == 2:
            tag = bytes(buffer[start:stop]).decode("utf-8", "replace")
        elif number == 2 and kind == 5:
            scalar, known = struct.unpack_from("<f", buffer, start)[0], True
        elif number == 8 and kind == 2:
            scalar, known = tensor_scalar(buffer, start, stop), True
        elif number == 9:
            plugin = True
        elif number in (3, 4, 5, 6):
            return None
    if scalar is None or not tag or (plugin and not known):
        return None
    return tag, scalar


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


def tensor_scalar(buffer: Any, at: int, end: int) -> float | None:
    """Returns the number in a TensorProto of one element; None for anything else (text, histograms)."""
    dtype, content, n_elements = 0, b"", 1
    typed: list[float] = []
    for number, kind, start, stop in _fields(buffer, at, end):
        if number == 1 and kind == 0:
            dtype = start
        elif number == 2 and kind == 2:
            n_elements = _elements(buffer, start, stop)
        elif number == 4 and kind == 2:
            content = bytes(buffer[start:stop])
        elif number in _TYPED:
            typed.extend(_typed(buffer, number, kind, start, stop, dtype))
    if n_elements != 1 or dtype not in (*_CONTENT, _BFLOAT16):
        return None
    if content:
        return _from_content(content, dtype)
    return typed[0] if typed else 0.0


def _elements(buffer: Any, at: int, end: int) -> int:
    """Number of elements of a TensorShapeProto."""
    count = 1
    for number, kind, start, stop in _fields(buffer, at, end):
        if number == 2 and kind == 2:
            count *= next((_signed(v) for n, k, v, _ in _fields(buffer, start, stop) if n == 1 and k == 0), 0)
    return count


def _from_content(content: bytes, dtype: int) -> float | None:
    if dtype == _BFLOAT16:
        return _bfloat16(int.from_bytes(content[:2], "little")) if len(content) == 2 else None
    kind, size = _CONTENT[dtype]
    return float(np.frombuffer(content, dtype=kind)[0]) if len(content) == size else None


def _bfloat16(bits: int) -> float:
    return float(struct.unpack("<f", struct.pack("<I", (bits & 0xFFFF) << 16))[0])


_TYPED = {5: "<f", 6: "<d", 7: "", 10: "", 11: "", 13: "", 16: "", 17: ""}
"""TensorProto's typed value fields: fixed-size format, or "" for varints."""


def _typed(buffer: Any, number: int, kind: int, start: int, stop: int, dtype: int) -> Iterator[float]:
    """Yields the values of one typed field, packed or not."""
    pattern = _TYPED[number]
    if pattern:
        for at in range(start, stop, struct.calcsize(pattern)):
            yield struct.unpack_from(pattern, buffer, at)[0]
        return
    bits = [start] if kind == 0 else []
    at = start
    while kind == 2 and at < stop:
        value, at = _varint(buffer, at)
        bits.append(value)
    for value in bits:
        if number == 13:
            half = _bfloat16(value) if dtype == _BFLOAT16 else struct.unpack("<e", struct.pack("<H", value & 0xFFFF))[0]
            yield float(half)
        else:
            yield float(value if number in (16, 17) else _signed(value))
