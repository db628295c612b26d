"""Ragged channels cut into dense blocks."""

from __future__ import annotations

import numpy as np
import pytest

from curveclinic.ragged import Block, Ragged, blocks, offsets_of

LENGTHS = np.random.default_rng(0).integers(0, 60, 80)


def channel() -> Ragged:
    total = int(LENGTHS.sum())
    return Ragged(np.arange(float(total)), np.random.default_rng(1).normal(size=total), offsets_of(LENGTHS))


def padding_of(block: Block) -> int:
    return block.values.size - int(block.lengths.sum())


@pytest.mark.parametrize("spare", [0, 100, 10_000])
def test_blocks_hold_every_run_once(spare: int) -> None:
    whole = channel()
    found = list(blocks(whole, min_points=3, spare=spare))
    rows = np.concatenate([block.rows for block in found])
    np.testing.assert_array_equal(np.sort(rows), np.flatnonzero(LENGTHS >= 3))
    for block in found:
        for row, values, length in zip(block.rows, block.values, block.lengths, strict=True):
            own = whole.part(row, row + 1).values
            np.testing.assert_array_equal(values, np.append(own, [own[-1]] * (len(values) - length)))


def test_spare_cells_of_padding_save_blocks() -> None:
    alike, few, one = (list(blocks(channel(), spare=spare)) for spare in (0, 100, 10_000))
    assert len(alike) > len(few) > len(one) == 1
    assert all(padding_of(block) <= max(100, 0.3 * block.lengths.sum()) for block in few)
