"""Layers without a gradient: what their norms say, and where users read it."""

import numpy as np
import pytest

from curveclinic import Run, predict_pathology
from curveclinic.layers import silent_layers
from curveclinic.scoring import score_runs

N = 40
NORM = np.random.default_rng(0).uniform(0.5, 2.0, N)
FLAT = 2.3 + 0.001 * np.random.default_rng(1).standard_normal(N)


def run_with(**layers):
    return Run.from_arrays({"train_loss": FLAT} | {f"grad_norm/{name}": values for name, values in layers.items()})


def silent(**layers):
    return silent_layers(run_with(**layers).channels)


def test_a_layer_whose_gradient_vanishes_is_silent():
    dies = np.where(np.arange(N) < 10, NORM, 0.0)
    assert silent(first=dies, last=NORM) == ("first",)
    assert silent(first=dies * 1e-9, last=NORM, middle=NORM * 1e-9) == ("first", "middle")


@pytest.mark.parametrize(
    "layers",
    [
        {},
        {"only": np.zeros(N)},
        {"first": np.zeros(N), "last": np.zeros(N)},
        {"first": NORM * 1e-5, "last": NORM},
        {"first": np.where(np.arange(N) < 30, 0.0, NORM), "last": NORM},
        {"first": np.full(N, np.nan), "last": NORM},
    ],
)
def test_a_small_late_or_unknown_gradient_is_none(layers):
    assert silent(**layers) == ()


def test_users_read_of_it_in_every_output():
    run = run_with(first=np.zeros(N), last=NORM)
    diagnosis = predict_pathology(run)
    assert "grad_norm/first is nothing in the second half" in diagnosis.message
    assert score_runs([run]).column("message").to_pylist() == [diagnosis.message]
    causes = [cause.cause for cause in diagnosis.likely_causes]
    assert "dead_or_saturated_units" in causes[:2]
