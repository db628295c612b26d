"""What has few points: there the network does not answer, the rules are cautious, and one val point is no curve."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np

from curveclinic.labels import CHANNELS, LOSSES
from curveclinic.ragged import Batch, BoolArray, IntArray

SHORTEST_FOR_NETWORK: Final = 6
"""Finite points of the longer loss below which the rules decide."""

SHORTEST_FOR_RULES: Final = 8
"""Finite points of the longer loss below which the rules ask for more than elsewhere."""

_TRAIN, _VAL = CHANNELS.index("train_loss"), CHANNELS.index("val_loss")


def loss_points(counts: IntArray) -> IntArray:
    """(n,) finite points of the longer loss of `Batch.finite_counts`; -1 where both are absent."""
    return np.maximum(counts[:, _TRAIN], counts[:, _VAL])


def few_for_network(counts: IntArray) -> BoolArray:
    """(n,) True where the longer loss has too few points for the network."""
    return loss_points(counts) < SHORTEST_FOR_NETWORK


def few_for_rules(counts: IntArray) -> BoolArray:
    """(n,) True where the longer loss has so few points that the rules ask for more than elsewhere."""
    return loss_points(counts) < SHORTEST_FOR_RULES


def without_lone_val(batch: Batch) -> Batch:
    """Returns the batch without val losses of one point beside a train loss: they have no course to judge train by."""
    train, val = (batch.channels[name] for name in LOSSES)
    lone = (val.lengths == 1) & (train.lengths > 1)
    if not np.count_nonzero(lone):
        return batch
    lone &= val.finite_lengths == 1  # NaN is a fact, however lone
    rest = val.where(np.repeat(~lone, val.lengths))
    return replace(batch, channels={**batch.channels, "val_loss": rest})
