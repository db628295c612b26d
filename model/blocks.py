"""Encoded, labelled runs as arrays: what a training draws its batches from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from curveclinic.model.training import Batch

Array = npt.NDArray[Any]

_FOR_A_STEP = ("tensor", "features", "target", "weight", "severe", "spans")
"""What a step of the training is given, in its order."""


@dataclass(eq=False)
class Blocks:
    """Encoded, labelled runs; arrays share their first axis.

    Attributes:
        tensor: (n, channels, bins) curves.
        features: (n, features).
        target, weight, severe: (n, 20).
        spans: (n, 20, 2) onset and end as shares of the run, NaN for none.
        partner: (n,) rows from a twin to its full log; 0 for runs that are no twins.
    """

    tensor: Array
    features: Array
    target: Array
    weight: Array
    severe: Array
    spans: Array
    partner: Array


def paired(data: Blocks, rows: Array) -> tuple[Array, Array]:
    """Adds the full log of every twin among the rows; returns the rows and (m, 2) places of twin and full log."""
    twins = np.flatnonzero(data.partner[rows])
    full = rows[twins] + data.partner[rows[twins]]
    return np.concatenate([rows, full]), np.stack([twins, len(rows) + np.arange(len(twins))], axis=1)


def tensors(data: Blocks, rows: Array | slice, device: str) -> Batch:
    """The given rows as float32 tensors on the device."""
    arrays = (np.asarray(getattr(data, name)[rows], dtype=np.float32) for name in _FOR_A_STEP)
    return tuple(torch.from_numpy(array).to(device) for array in arrays)
