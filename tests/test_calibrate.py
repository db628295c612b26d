"""Calibration recovers a known distortion, thresholds keep false alarms down, reliability measures the gap."""

from __future__ import annotations

import numpy as np
import pytest

from curveclinic.labels import LABELS
from curveclinic.model.calibrate import (
    MAX_FALSE_ALARM,
    calibration_error,
    calibration_errors,
    choose_thresholds,
    f1_scores,
    fit_calibration,
)
from curveclinic.ragged import FloatArray

N = 4000


def sigmoid(x: FloatArray) -> FloatArray:
    return 1 / (1 + np.exp(-x))


def reliability(probability: FloatArray, present: FloatArray) -> float:
    return float(
        calibration_error(probability[:, None], present[:, None], np.ones((1, len(present)), dtype=np.int64))[0]
    )


def world(seed: int = 0) -> tuple[FloatArray, FloatArray]:
    """True logits (N, 20) and degrees drawn from them: 1 with the logit's probability, else 0."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(-1.5, 2.5, (N, len(LABELS)))
    return logits, (rng.random(logits.shape) < sigmoid(logits)).astype(float)


def test_calibration_undoes_overconfidence() -> None:
    pytest.importorskip("sklearn")
    true, degree = world()
    found = fit_calibration(3.0 * true + 1.2, degree, np.ones_like(degree))
    assert tuple(found) == LABELS
    scale, shift = np.array(list(found.values())).T
    np.testing.assert_allclose(scale, 1 / 3, rtol=0.2)
    np.testing.assert_allclose(shift, -0.4, atol=0.25)
    probability = sigmoid((3.0 * true + 1.2) * scale + shift)
    before = reliability(sigmoid(3.0 * true[:, 0] + 1.2), degree[:, 0])
    after = reliability(probability[:, 0], degree[:, 0])
    assert after < 0.02 < 0.08 < before


def test_arguable_and_unchecked_cells_do_not_count() -> None:
    pytest.importorskip("sklearn")
    true, degree = world()
    checked = np.ones_like(degree)
    plain = fit_calibration(true, degree, checked)
    wild, more = np.concatenate([true, 50 + 0 * true]), np.concatenate([degree, 0 * degree])
    unchecked = fit_calibration(wild, more, np.concatenate([checked, 0 * checked]))
    arguable = fit_calibration(wild, np.concatenate([degree, 0.5 + 0 * degree]), np.concatenate([checked, checked]))
    for other in (unchecked, arguable):
        np.testing.assert_allclose(list(other.values()), list(plain.values()), rtol=1e-6)


def test_a_rare_label_is_left_as_it_is() -> None:
    pytest.importorskip("sklearn")
    true, degree = world()
    degree[:, 3] = 0.0
    degree[:14, 3] = 1.0
    degree[:, 4] = 1.0
    found = fit_calibration(true, degree, np.ones_like(degree))
    assert found[LABELS[3]] == found[LABELS[4]] == (1.0, 0.0)
    assert found[LABELS[5]] != (1.0, 0.0)


def test_calibration_never_turns_the_order_round() -> None:
    pytest.importorskip("sklearn")
    true, degree = world()
    assert {scale for scale, _ in fit_calibration(-true, degree, np.ones_like(degree)).values()} == {0.1}


def test_thresholds_keep_false_alarms_down() -> None:
    true, degree = world()
    probability = sigmoid(true)
    chosen = choose_thresholds(probability, degree, np.ones_like(degree))
    assert tuple(chosen) == LABELS
    alarms = [(probability[degree[:, j] == 0, j] >= chosen[label]).mean() for j, label in enumerate(LABELS)]
    allowed = [chosen[label] < 0.9 for label in LABELS]
    assert max(np.array(alarms)[allowed], default=0.0) <= MAX_FALSE_ALARM
    assert all(0.35 <= threshold <= 0.9 for threshold in chosen.values())


def test_a_clean_split_is_found() -> None:
    rng = np.random.default_rng(1)
    degree = (rng.random((N, len(LABELS))) < 0.1).astype(float)
    probability = np.where(degree > 0, rng.uniform(0.7, 1.0, degree.shape), rng.uniform(0.0, 0.6, degree.shape))
    chosen = choose_thresholds(probability, degree, np.ones_like(degree))
    assert all(0.59 < threshold <= 0.71 for threshold in chosen.values())


def test_thresholds_ignore_arguable_and_unchecked_cells() -> None:
    rng = np.random.default_rng(1)
    degree = (rng.random((N, len(LABELS))) < 0.1).astype(float)
    probability = np.where(degree > 0, 0.8, 0.1)
    degree[:400], probability[:400] = 0.5, 0.99
    checked = np.ones_like(degree)
    checked[400:800], probability[400:800] = 0.0, 0.99
    assert all(threshold <= 0.8 for threshold in choose_thresholds(probability, degree, checked).values())


def test_a_label_without_examples_gets_a_half() -> None:
    probability = np.full((N, len(LABELS)), 0.9)
    assert set(choose_thresholds(probability, np.zeros_like(probability), np.ones_like(probability)).values()) == {0.5}


def test_reliability() -> None:
    assert reliability(np.array([0.0, 1.0, 1.0]), np.array([0.0, 1.0, 1.0])) == 0.0
    assert reliability(np.full(10, 0.9), np.zeros(10)) == pytest.approx(0.9)
    assert reliability(np.array([0.25] * 4 + [0.75] * 4), np.array([1, 0, 0, 0, 1, 1, 1, 1.0])) == pytest.approx(0.125)
    rng = np.random.default_rng(0)
    p = rng.random(20_000)
    assert reliability(p, (rng.random(20_000) < p).astype(float)) < 0.02


def test_scores_count_clear_cells_only() -> None:
    target, weight, probability = (np.zeros((100, len(LABELS))) for _ in range(3))
    weight[:] = 1.0
    target[:10, 0] = 1.0
    probability[2:12, 0] = 0.9  # 8 hits, 2 misses, 2 false alarms
    target[:10, 1], probability[:10, 1] = 1.0, 0.6
    target[50:, 1], weight[50:, 1], probability[50:, 1] = 0.15, 0.2, 0.99  # arguable
    target[:4, 2] = 1.0
    scores = f1_scores(probability, target, weight, dict.fromkeys(LABELS, 0.5))
    assert scores[LABELS[0]] == pytest.approx(0.8)
    assert scores[LABELS[1]] == 1.0
    assert scores[LABELS[2]] is None  # too few to say
    assert f1_scores(probability, target, weight, dict.fromkeys(LABELS, 0.7))[LABELS[1]] == 0.0
    errors = calibration_errors(probability, target, weight)
    assert errors[LABELS[1]] == pytest.approx(0.2 * 0.4)
    assert errors[LABELS[3]] == 0.0
