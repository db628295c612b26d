"""Val is evaluated for the first time when it has fallen already: what it did before, train's start tells."""

from __future__ import annotations

import numpy as np
import pytest
from hand_curves import Curves, decay, noise

from curveclinic import predict_pathology
from curveclinic.deciding.definitions import label_degrees, unseen_degree
from curveclinic.labels import LABELS
from curveclinic.measuring.quantities import measure
from curveclinic.ragged import Batch
from curveclinic.run import Run

STEPS = np.arange(10, 2401, 10)


def memorised(every: int, *, rises: float = 1.0, starts: float = 1.6, scatter: float = 0.05) -> Curves:
    """A small set learnt by heart; val has its valley near step 90 and is evaluated every so many steps."""
    at = np.arange(every, 2401, every)
    val = 1.0 + 0.6 * np.exp(-at / 20) + rises * (1 - np.exp(-np.clip(at - 80, 0, None) / 900))
    train = (starts * np.exp(-STEPS / 150) + 0.01) * np.exp(noise(len(STEPS), scatter))
    return {"train_loss": (STEPS, train), "val_loss": (at, val + noise(len(at), 0.004, 1))}


def degree(label: str, curves: Curves) -> float:
    piece = measure(Batch.from_runs([Run.from_arrays(curves)]))
    return float(label_degrees(piece.quantities)[0, LABELS.index(label)])


@pytest.mark.parametrize("every", [100, 200, 300])
def test_a_valley_before_the_first_evaluation_is_overfitting(every: int) -> None:
    d = predict_pathology(memorised(every))
    assert "overfitting" in d.labels
    assert "no_generalization" not in d.labels
    assert d.stop_at == every


def test_a_small_rise_is_not_severe() -> None:
    mild, severe = (predict_pathology(memorised(200, rises=rises)).findings[0] for rises in (0.25, 1.0))
    assert (mild.label, mild.severity) == ("overfitting", "mild")
    assert (severe.label, severe.severity) == ("overfitting", "severe")


def test_a_val_that_begins_where_train_did_never_generalises() -> None:
    curves = memorised(200)
    curves["val_loss"] = (curves["val_loss"][0], curves["val_loss"][1] + 0.7)
    assert predict_pathology(curves).labels[0] == "no_generalization"


def test_a_first_step_that_throws_much_away_does_not_make_chance_a_fall() -> None:
    """From a bad start down to chance in a few steps, in both losses alike."""
    curves = memorised(200)
    curves["train_loss"][1][:] = decay(len(STEPS), 1.05, 0.01) + 12.0 * np.exp(-np.arange(len(STEPS)) / 0.7)
    curves["val_loss"] = (curves["val_loss"][0], 1.05 + noise(12, 0.004))
    assert degree("no_generalization", curves) == 1.0
    assert unseen_degree(measure(Batch.from_runs([Run.from_arrays(curves)])).quantities)[0] == 0.0
