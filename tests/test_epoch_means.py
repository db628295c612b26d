"""Train's mean over an epoch lies above val at the epoch's end while the loss falls: that alone is no gap."""

from __future__ import annotations

import numpy as np
import pytest
from hand_curves import Curves, noise

from curveclinic import predict_pathology

STEPS = 50
"""Of an epoch."""


def epochs(n: int, *, rate: float, gap: float = 1.0) -> Curves:
    """One loss that falls by a rate an epoch, its mean over each epoch and its value at the end of it, times a gap."""
    loss = 0.2 + 1.8 * np.exp(-rate * np.arange(n * STEPS) / STEPS) + noise(n * STEPS, 0.02)
    ends = 0.2 + 1.8 * np.exp(-rate * np.arange(1, n + 1)) + noise(n, 0.002, 1)
    return {"train_loss": loss.reshape(n, STEPS).mean(axis=1), "val_loss": gap * ends}


@pytest.mark.parametrize(("n", "rate"), [(6, 0.15), (8, 0.2), (10, 0.12), (12, 0.3), (20, 0.1)])
def test_half_an_epoch_is_no_gap(n: int, rate: float) -> None:
    assert "val_below_train" not in predict_pathology(epochs(n, rate=rate)).labels


@pytest.mark.parametrize(("n", "rate"), [(6, 0.15), (10, 0.12), (20, 0.1), (40, 0.2)])
def test_a_gap_that_stays_is_told(n: int, rate: float) -> None:
    assert "val_below_train" in predict_pathology(epochs(n, rate=rate, gap=0.85)).labels
