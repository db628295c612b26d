"""Runs of few points: the network does not answer there, and the rules say only what is nearly clear."""

from __future__ import annotations

from typing import Final

import numpy as np

from curveclinic.labels import CHANNELS, LABELS
from curveclinic.ragged import BoolArray, FloatArray, IntArray

SHORTEST_FOR_NETWORK: Final = 8
"""Finite points of the longer loss below which the rules decide."""

_NEARLY_CLEAR: Final = 0.8
"""Degree that is as much, of a run of few points, as half way from clearly absent to clearly present of a longer one:
a wobble of one point in five or six reaches half way on many healthy runs."""

_FACT: Final = LABELS.index("non_finite")
_TRAIN, _VAL = CHANNELS.index("train_loss"), CHANNELS.index("val_loss")


def loss_points(counts: IntArray) -> IntArray:
    """(n,) finite points of the longer loss of `Batch.finite_counts`; -1 where both are absent."""
    return np.maximum(counts[:, _TRAIN], counts[:, _VAL])


def few(counts: IntArray) -> BoolArray:
    """(n,) True where the longer loss has too few points for the network."""
    return loss_points(counts) < SHORTEST_FOR_NETWORK


def cautious(degree: FloatArray, counts: IntArray) -> FloatArray:
    """Degrees (n, 20) of which those of short runs are lowered, by their row (n, 6) of `Batch.finite_counts`.

    What is clearly present, or clearly absent, stays, and so does everything about a run that has gone NaN: there one
    doubtful word more makes nobody look who would not have looked.
    """
    short = (few(counts) & (degree[:, _FACT] < 0.5)).nonzero()[0]
    if not len(short):
        return degree
    out: FloatArray = degree.copy()
    out[short] = np.interp(degree[short], [0.0, _NEARLY_CLEAR, 1.0], [0.0, 0.5, 1.0])
    return out
