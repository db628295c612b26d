"""What a network is worth on encoded runs whose labels are known."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from curveclinic.labels import LABELS
from curveclinic.model.blocks import Blocks, tensors
from curveclinic.model.calibrate import calibration_errors, f1_scores
from curveclinic.model.network import CurveNet


@torch.no_grad()
def logits_of(net: CurveNet, data: Blocks, device: str) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Presence logits (n, 20) and spans (n, 20, 2)."""
    net.eval()
    presence, spans = [], []
    for i in range(0, len(data.target), 1024):
        batch = tensors(data, slice(i, i + 1024), device)
        out = net(batch[0], batch[1])
        presence.append(out[0].cpu().numpy())
        spans.append(out[2].cpu().numpy())
    return np.concatenate(presence).astype(np.float64), np.concatenate(spans)


def macro_f1(net: CurveNet, data: Blocks, device: str) -> float:
    """Macro-F1 on clear cells over labels with at least five positives."""
    logits, _ = logits_of(net, data, device)
    scores = f1_scores(1 / (1 + np.exp(-logits)), data.target, data.weight, dict.fromkeys(LABELS, 0.5))
    return _mean(scores)


def _mean(scores: dict[str, float | None]) -> float:
    return float(np.mean([score for score in scores.values() if score is not None]))


def measured(probability: Any, spans: Any, test: Blocks, thresholds: dict[str, float]) -> dict[str, Any]:
    """F1 and calibration error of every label, and how far onsets lie from the truth, as shares of the run."""
    scores = f1_scores(probability, test.target, test.weight, thresholds)
    errors = calibration_errors(probability, test.target, test.weight)
    sure = (test.weight > 0.5) & (test.target > 0.5) & np.isfinite(test.spans[:, :, 0])
    onset_error = np.abs(spans[:, :, 0] - test.spans[:, :, 0])[sure]
    return {
        "f1": {label: None if score is None else round(score, 4) for label, score in scores.items()},
        "macro_f1": round(_mean(scores), 4),
        "calibration_error": {label: round(error, 4) for label, error in errors.items()},
        "onset_error_median": round(float(np.median(onset_error)), 4),
        "onset_error_p90": round(float(np.quantile(onset_error, 0.9)), 4),
    }
