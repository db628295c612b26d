"""The masked CRC-32C of TFRecord framing: of short texts, of long ones by blocks, of equal records by columns.

The checksum is linear. That of a record is that of the record with some bytes set to zero, xor what these bytes add
by themselves; so records that differ in a few bytes are checked by these few, and blocks of a long text all at once.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

Registers = npt.NDArray[np.uint32]

_MASK_DELTA = 0xA282EAD8
_ONES = 0xFFFFFFFF
_BLOCK = 64
"""Bytes of a block of a long text."""
_LONG = 2048
"""From so many bytes on, blocks are faster than a loop over bytes."""


def _byte_table() -> Registers:
    table = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        table = np.where(table & 1, (table >> 1) ^ np.uint32(0x82F63B78), table >> 1)
    return table


_TABLE = _byte_table()
_TABLE_LIST: list[int] = _TABLE.tolist()


def masked_crc(data: bytes) -> int:
    """Returns the masked CRC-32C of bytes."""
    plain = crc(data)
    return ((plain >> 15 | plain << 17) + _MASK_DELTA) & _ONES


def crc(data: bytes) -> int:
    """Returns the CRC-32C of bytes."""
    n_head = len(data) % _BLOCK if len(data) >= _LONG else len(data)
    register = _ONES
    for byte in data[:n_head]:
        register = _TABLE_LIST[(register ^ byte) & 0xFF] ^ (register >> 8)
    if n_head < len(data):
        register = _over_blocks(register, data[n_head:])
    return register ^ _ONES


def masked(plain: Registers) -> Registers:
    """Returns checksums as TFRecord framing stores them."""
    stored: Registers = (plain >> np.uint32(15) | plain << np.uint32(17)) + np.uint32(_MASK_DELTA)
    return stored


def contributions(length: int) -> Registers:
    """Returns (length or more, 256): row k is what each byte with k bytes behind it adds to a checksum."""
    return _contributions(max(_BLOCK, 1 << (length - 1).bit_length()))


@lru_cache(maxsize=16)
def _contributions(length: int) -> Registers:
    rows = np.empty((length, 256), dtype=np.uint32)
    rows[0] = _TABLE
    for k in range(1, length):
        rows[k] = _past_a_zero(rows[k - 1])
    return rows


def _past_a_zero(registers: Registers) -> Registers:
    after: Registers = _TABLE[registers & np.uint32(0xFF)] ^ (registers >> np.uint32(8))
    return after


def _over_blocks(register: int, data: bytes) -> int:
    """Returns the register after whole blocks: each block by itself, then joined two by two."""
    blocks = np.frombuffer(data, dtype=np.uint8).reshape(-1, _BLOCK)
    rows = contributions(_BLOCK)
    parts = np.zeros(len(blocks), dtype=np.uint32)
    for k in range(_BLOCK):
        parts ^= rows[_BLOCK - 1 - k].take(blocks[:, k])
    first = np.frombuffer(register.to_bytes(4, "little"), dtype=np.uint8)
    for k in range(4):  # a register is as good as a text that begins with it
        parts[0] ^= rows[_BLOCK - 1 - k][first[k]]
    width = _BLOCK
    while len(parts) > 1:
        if len(parts) % 2:  # zeros in front change nothing
            parts = np.append(np.zeros(1, dtype=np.uint32), parts)
        parts = _past_zeros(parts[0::2], width) ^ parts[1::2]
        width *= 2
    return int(parts[0])


def _past_zeros(registers: Registers, width: int) -> Registers:
    """Registers after so many zero bytes."""
    tables = _zero_tables(width)
    after: Registers = tables[0].take(registers & np.uint32(0xFF))
    for k in (1, 2, 3):
        after ^= tables[k].take(registers >> np.uint32(8 * k) & np.uint32(0xFF))
    return after


@lru_cache(maxsize=64)
def _zero_tables(width: int) -> Registers:
    """Returns (4, 256): what each byte of a register becomes after `width` (a block, doubled) zero bytes."""
    if width > _BLOCK:
        return _past_zeros(_zero_tables(width // 2), width // 2)
    tables: Registers = np.arange(256, dtype=np.uint32) << (8 * np.arange(4, dtype=np.uint32))[:, None]
    for _ in range(width):
        tables = _past_a_zero(tables)
    return tables
