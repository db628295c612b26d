"""Which runs have few points: the network does not answer there, and the rules are cautious."""

from __future__ import annotations

from typing import Final

import numpy as np

from curveclinic.labels import CHANNELS
from curveclinic.ragged import BoolArray, IntArray

SHORTEST_FOR_NETWORK: Final = 8
"""Finite points of the longer loss below which the rules decide."""

_TRAIN, _VAL = CHANNELS.index("train_loss"), CHANNELS.index("val_loss")


def loss_points(counts: IntArray) -> IntArray:
    """(n,) finite points of the longer loss of `Batch.finite_counts`; -1 where both are absent."""
    return np.maximum(counts[:, _TRAIN], counts[:, _VAL])


def few(counts: IntArray) -> BoolArray:
    """(n,) True where the longer loss has too few points for the network."""
    return loss_points(counts) < SHORTEST_FOR_NETWORK
