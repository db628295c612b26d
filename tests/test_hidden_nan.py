"""A NaN loss that Hugging Face's Trainer wrote as 0 is found by the gradient norm beside it."""

import numpy as np
import pytest

from curveclinic import predict_pathology
from curveclinic.intake.hidden_nan import revealed


def history(first_bad: int, rows: int = 60):
    nan = float("nan")
    return [
        {"step": k, "loss": 0.0 if k >= first_bad else 3 / k**0.5, "grad_norm": nan if k >= first_bad else 1.0}
        for k in range(1, rows + 1)
    ]


def test_a_hidden_nan_is_a_finding_that_says_where():
    diagnosis = predict_pathology(history(26))
    assert "non_finite" in diagnosis.labels
    (finding,) = [f for f in diagnosis.findings if f.label == "non_finite"]
    assert finding.onset == 26
    assert "train_loss is 0 where grad_norm is not finite, first at step 26" in diagnosis.message


def test_a_loss_of_zero_with_a_finite_norm_stays():
    rows = [{**row, "grad_norm": 0.1} for row in history(26)]
    assert "non_finite" not in predict_pathology(rows).labels


@pytest.mark.parametrize("steps", [None, np.array([10.0, 20.0, 30.0, 40.0])])
def test_only_a_zero_beside_a_bad_norm_is_taken_for_nan(steps):
    losses, norms = np.array([2.0, 0.0, 0.0, 1.0]), np.array([1.0, np.inf, 1.0, np.nan])
    channels, notes = revealed({"train_loss": (steps, losses), "grad_norm": (steps, norms)})
    np.testing.assert_array_equal(channels["train_loss"][1], [2.0, np.nan, 0.0, 1.0])
    assert len(notes) == 1
    assert losses[1] == 0.0  # what was handed over stays as it was


def test_a_tiny_loss_beside_a_bad_norm_is_a_loss():
    given = {"train_loss": (None, np.array([1.0, 1e-4, 1e-30])), "grad_norm": (None, np.array([1.0, np.inf, np.nan]))}
    assert revealed(given) == (given, ())


def test_without_a_norm_nothing_is_known():
    given = {"train_loss": (None, np.array([1.0, 0.0]))}
    assert revealed(given) == (given, ())
