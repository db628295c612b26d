"""Calibration and thresholds from held-out synthetic families, and the scores of what they give."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np

from curveclinic.labels import LABELS
from curveclinic.ragged import FloatArray, IntArray

MAX_FALSE_ALARM: Final = 0.004
"""Highest share of clearly-absent cells a threshold may report, per label: 20 labels stay below 8 % of runs."""

BINS: Final = 10
"""Equal-width bins of the expected calibration error."""

_MIN_POSITIVES = 15
_FLOOR, _CEILING = 0.35, 0.9


def fit_calibration(logits: FloatArray, degree: FloatArray, checked: FloatArray) -> dict[str, tuple[float, float]]:
    """Platt's scale and shift of every label's logit, on clear cells.

    Args:
        logits: (n, 20).
        degree: (n, 20) truth, 1 present, 0 absent; what lies between is left out.
        checked: (n, 20) nonzero where the label can be judged.
    """
    from sklearn.linear_model import LogisticRegression

    out = {}
    for j, label in enumerate(LABELS):
        use = (checked[:, j] > 0) & ((degree[:, j] >= 0.999) | (degree[:, j] <= 1e-6))
        x, y = logits[use, j], (degree[use, j] >= 0.999).astype(int)
        if min(y.sum(), len(y) - y.sum()) < _MIN_POSITIVES:
            out[label] = (1.0, 0.0)
            continue
        fit = LogisticRegression(C=1e3).fit(x[:, None], y)
        out[label] = (max(float(fit.coef_[0, 0]), 0.1), float(fit.intercept_[0]))
    return out


def calibrate(
    logits: FloatArray, target: FloatArray, weight: FloatArray
) -> tuple[dict[str, tuple[float, float]], dict[str, float]]:
    """Platt's scale and shift, and the threshold, of every label from training targets and weights (n, 20)."""
    degree = np.where(weight > 0.5, target, 0.5)
    calibration = fit_calibration(logits, degree, weight)
    return calibration, choose_thresholds(probabilities(logits, calibration), degree, weight)


def probabilities(logits: FloatArray, calibration: Mapping[str, tuple[float, float]]) -> FloatArray:
    """(n, 20) calibrated probabilities."""
    scale, shift = (np.array([calibration[label][k] for label in LABELS]) for k in (0, 1))
    out: FloatArray = 0.5 * (1.0 + np.tanh(0.5 * (logits * scale + shift)))
    return out


def choose_thresholds(probability: FloatArray, degree: FloatArray, checked: FloatArray) -> dict[str, float]:
    """The F1-best threshold of each label whose false alarms on clearly-absent cells stay below `MAX_FALSE_ALARM`."""
    out = {}
    grid = np.linspace(_FLOOR, _CEILING, 56)
    for j, label in enumerate(LABELS):
        use = checked[:, j] > 0
        p, present = probability[use, j], degree[use, j] >= 0.999
        absent = degree[use, j] <= 1e-6
        if present.sum() < _MIN_POSITIVES:
            out[label] = 0.5
            continue
        hits = np.array([(p[present] >= t).sum() for t in grid])
        alarms = np.array([(p[absent] >= t).sum() for t in grid])
        f1 = 2 * hits / np.maximum(hits + alarms + present.sum(), 1)
        allowed = alarms <= MAX_FALSE_ALARM * max(absent.sum(), 1)
        best = int(np.argmax(np.where(allowed, f1, -1.0))) if allowed.any() else len(grid) - 1
        out[label] = round(float(grid[best]), 3)
    return out


def calibration_error(probability: FloatArray, truth: FloatArray, weight: IntArray) -> FloatArray:
    """(d,) expected calibration error over the scored cells that have a probability; NaN where there is none.

    Args:
        probability, truth: (n, k), one column for one label, all of them pooled; NaN where unchecked or unscored.
        weight: (d, n) how often each of n runs counts, for d resamples of them.
    """
    use = ~np.isnan(probability) & ~np.isnan(truth)
    place = np.minimum((np.nan_to_num(probability) * BINS).astype(np.int64), BINS - 1)
    surplus = np.where(use, probability - truth, 0.0)  # claimed less found
    gaps = [np.abs(weight @ np.where(use & (place == b), surplus, 0.0).sum(axis=1)) for b in range(BINS)]
    cells = weight @ use.sum(axis=1)
    return np.asarray(np.sum(gaps, axis=0) / np.where(cells > 0, cells, np.nan))


def calibration_errors(probability: FloatArray, target: FloatArray, weight: FloatArray) -> dict[str, float]:
    """Calibration error of every label on clear cells, 0 where there is none; all arrays are (n, 20)."""
    truth, once = np.where(weight > 0.5, target, np.nan), np.ones((1, len(target)), dtype=np.int64)
    errors = [calibration_error(probability[:, [j]], truth[:, [j]], once)[0] for j in range(len(LABELS))]
    return dict(zip(LABELS, np.nan_to_num(errors).tolist(), strict=True))


def f1_scores(
    probability: FloatArray, target: FloatArray, weight: FloatArray, thresholds: Mapping[str, float]
) -> dict[str, float | None]:
    """F1 of every label on clear cells, None below five positives; all arrays are (n, 20)."""
    out: dict[str, float | None] = {}
    for j, label in enumerate(LABELS):
        clear = weight[:, j] > 0.5
        found = probability[clear, j] >= thresholds[label]
        there = target[clear, j] > 0.5
        hits = int((found & there).sum())
        out[label] = None if there.sum() < 5 else 2 * hits / max(int(found.sum() + there.sum()), 1)
    return out
