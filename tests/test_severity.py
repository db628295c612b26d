"""Curves just under and just over where a symptom turns severe, or is more than worth knowing."""

import numpy as np
import pytest
from hand_curves import decay, healthy, noise

from curveclinic.deciding.rules import judge
from curveclinic.diagnosis import SEVERITIES
from curveclinic.labels import LABELS
from curveclinic.ragged import Batch
from curveclinic.run import Run

X = np.linspace(0, 1, 100)


def val_jumps(places, height):
    curves = healthy(120)
    curves["val_loss"][places] += height
    return curves


def rising(share):
    """Val takes back that share of its drop."""
    val = 1.0 + np.where(X < 0.4, (1 - X / 0.4) ** 2, share * ((X - 0.4) / 0.6) ** 2)
    return {"train_loss": decay(100, 2.0, 0.05), "val_loss": val}


def plateau(drop):
    return {"train_loss": decay(100, 2.0, 2.0 * (1 - drop), 20.0) + noise(100, 0.002)}


def waiting(share):
    """A flat start for that share of the run, then the fall."""
    return {"train_loss": 0.5 + 1.8 / (1 + np.exp((X - share - 0.05) / 0.015))}


def swinging(height):
    swing = height * np.sin(np.cumsum(np.random.default_rng(5).uniform(0.2, 1.2, 120)))
    return {"train_loss": decay(120, 2.0, 1.0) + swing}


def val_at(share):
    """Val is that share of train."""
    return {"train_loss": decay(60), "val_loss": share * decay(60)}


def hockey_stick(times):
    curves = healthy(100)
    curves["train_loss"][:2] = [times * 2.0, 2.1]
    return curves


def burst(times):
    grad = 1.0 + np.abs(noise(100, 0.2))
    grad[60] = times
    return healthy(100) | {"grad_norm": grad}


def fading(decades):
    return {"train_loss": 2.3 + noise(60, 0.003), "grad_norm": 10.0 ** np.linspace(0, -decades, 60)}


@pytest.mark.parametrize(
    ("label", "under", "over", "severities"),
    [
        ("val_spikes", val_jumps([40, 70, 100], 0.8), val_jumps([40, 70, 100], 1.5), "notice mild"),
        ("val_spikes", val_jumps([40, 70, 100], 0.8), val_jumps([30, 50, 70, 100], 0.8), "notice mild"),
        ("val_below_train", val_at(0.3), val_at(0.2), "notice mild"),
        ("overfitting", rising(0.4), rising(0.65), "mild severe"),
        ("underfitting", plateau(0.14), plateau(0.07), "mild severe"),
        ("slow_start", waiting(0.2), waiting(0.4), "mild severe"),
        ("oscillation", swinging(0.5), swinging(0.8), "mild severe"),
        ("high_initial_loss", hockey_stick(6), hockey_stick(12), "mild severe"),
        ("exploding_gradients", burst(200), burst(600), "mild severe"),
        ("vanishing_gradients", fading(4), fading(7), "mild severe"),
    ],
)
def test_severity_changes_between(label, under, over, severities):
    found = judge(Batch.from_runs([Run.from_arrays(curves) for curves in (under, over)]))
    assert " ".join(SEVERITIES[k] for k in found.severity[:, LABELS.index(label)]) == severities
