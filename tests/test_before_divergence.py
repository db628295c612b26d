"""A run that overfits for long and then blows up did both."""

from __future__ import annotations

import numpy as np
import pytest
from hand_curves import Curves, decay, noise

from curveclinic import predict_pathology

EPOCHS = 40


def blows_up(*, at: int, rise: float) -> Curves:
    """Train falls to its floor, val rises from epoch 10 on, from an epoch on both grow without bound."""
    epoch = np.arange(EPOCHS)
    blow = np.exp(np.clip(epoch - at, 0, None) * 1.2)
    val = decay(EPOCHS, 1.6, 1.0, 12.0) + rise * np.clip(epoch - 10, 0, None) / EPOCHS + noise(EPOCHS, 0.005, 1)
    return {"train_loss": (decay(EPOCHS, 1.6, 0.1) + noise(EPOCHS, 0.005)) * blow, "val_loss": val * blow}


@pytest.mark.parametrize("at", [22, 28, 34])
def test_both_are_told(at: int) -> None:
    d = predict_pathology(blows_up(at=at, rise=1.0))
    assert d.labels[:2] == ("divergence", "overfitting")
    diverges, overfits = d.findings[:2]
    assert overfits.end == diverges.onset
    assert overfits.onset == d.stop_at
    assert overfits.onset is not None
    assert overfits.onset < 14
    assert f"by step {overfits.end - 1:.0f}," in overfits.evidence


@pytest.mark.parametrize("at", [3, 22, 28, 34])
def test_a_blow_up_alone_is_no_overfitting(at: int) -> None:
    assert "overfitting" not in predict_pathology(blows_up(at=at, rise=0.0)).labels


def test_it_is_the_same_in_a_batch_and_beside_others() -> None:
    runs = [blows_up(at=at, rise=rise) for at, rise in ((28, 0.0), (28, 1.0), (EPOCHS, 1.0), (3, 1.0))]
    assert [d.labels for d in predict_pathology(runs)] == [predict_pathology(run).labels for run in runs]


@pytest.mark.parametrize("at", [6, 22, 34])
@pytest.mark.parametrize("lead", [1, 2])
def test_a_val_that_blows_up_before_train_does_is_no_overfitting(at: int, lead: int) -> None:
    run = blows_up(at=at, rise=0.0)
    run["val_loss"][at - lead + 1 :] = 6.0
    assert "overfitting" not in predict_pathology(run).labels


def test_a_val_that_is_lower_later_had_not_turned() -> None:
    run = blows_up(at=28, rise=1.0)
    run["val_loss"][29] = 0.3
    assert predict_pathology(run).labels == ("divergence",)
