"""How many values the row groups of a Parquet file hold, by its footer: a value repeated takes no room in the file.

The footer is read here, Thrift's compact protocol: to ask Arrow for a damaged column chunk ends the process.
"""

from __future__ import annotations

import struct
from typing import Any

from curveclinic.readers.protobuf import varint

MAGIC = b"PAR1"
"""How a Parquet file begins and ends."""
_GROUPS, _CHUNKS, _CHUNK_METADATA, _N_VALUES = 4, 1, 3, 5
"""Fields of the file's metadata, of a row group, of a column chunk and of its metadata."""

_TRUE, _FALSE, _BYTE, _DOUBLE, _BINARY, _LIST, _SET, _STRUCT = 1, 2, 3, 7, 8, 9, 10, 12
_WHOLE = (4, 5, 6)
"""Types of the compact protocol; whole numbers of 16, 32 and 64 bits are written alike."""


def values_of_groups(metadata: Any) -> list[int]:
    """Returns the number of values in each row group, those of all its columns together."""
    import pyarrow as pa

    sink = pa.BufferOutputStream()
    metadata.write_metadata_file(sink)
    footer, _ = _struct(sink.getvalue().to_pybytes(), len(MAGIC))
    chunks = [group.get(_CHUNKS, ()) for group in footer.get(_GROUPS, ())]
    return [sum(max(0, chunk.get(_CHUNK_METADATA, {}).get(_N_VALUES, 0)) for chunk in some) for some in chunks]


def _struct(data: bytes, at: int) -> tuple[dict[int, Any], int]:
    """Returns field number -> value of a struct, and where it ends."""
    found: dict[int, Any] = {}
    number = 0
    while head := data[at]:
        at += 1
        if head >> 4:
            number += head >> 4
        else:
            number, at = _whole(data, at)
        kind = head & 15
        found[number], at = (kind == _TRUE, at) if kind in (_TRUE, _FALSE) else _value(data, at, kind)
    return found, at + 1


def _value(data: bytes, at: int, kind: int) -> tuple[Any, int]:
    """Returns a value of a type, and where it ends; true and false among the elements of a list are bytes."""
    if kind in _WHOLE:
        return _whole(data, at)
    if kind in (_TRUE, _FALSE, _BYTE):
        return data[at], at + 1
    if kind == _DOUBLE:
        return struct.unpack_from("<d", data, at)[0], at + 8
    if kind == _BINARY:
        size, at = varint(data, at)
        return data[at : at + size], at + size
    if kind in (_LIST, _SET):
        return _list(data, at)
    if kind == _STRUCT:
        return _struct(data, at)
    raise ValueError(f"type {kind} in a Parquet footer")


def _list(data: bytes, at: int) -> tuple[list[Any], int]:
    head, at = data[at], at + 1
    size, at = varint(data, at) if head >> 4 == 15 else (head >> 4, at)
    values = []
    for _ in range(size):
        value, at = _value(data, at, head & 15)
        values.append(value)
    return values, at


def _whole(data: bytes, at: int) -> tuple[int, int]:
    """A whole number, its sign in the lowest bit."""
    bits, at = varint(data, at)
    return (bits >> 1) ^ -(bits & 1), at
