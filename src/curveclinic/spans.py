"""Where each symptom begins and ends, read from the quantities alone, so that truth and rules use the same words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np

from curveclinic.labels import LABELS
from curveclinic.ragged import FloatArray
from curveclinic.trends import Quantities

Span = tuple[FloatArray, FloatArray]

_LAST = 0.02
"""A span whose end lies within this share of the run from the last point lasts to the last point."""


def _open(start: FloatArray) -> Span:
    """From a step to the last point."""
    return start, start * np.nan


def _until(start: FloatArray, end: FloatArray, q: Quantities, prefix: str = "t_") -> Span:
    """From a step to another one; open where that is practically the last point."""
    margin = _LAST * (q[prefix + "last_step"] - q[prefix + "first_step"])
    return start, np.where(end >= q[prefix + "last_step"] - margin, np.nan, end)


def _mismatch(q: Quantities) -> Span:
    rises = q["v_rise_drop"] > 0.2
    return _open(np.where(rises, q["v_low_step"], np.fmin(q["t_first_step"], q["v_first_step"])))


_SPANS: Final[dict[str, Callable[[Quantities], Span]]] = {
    "overfitting": lambda q: _open(q["v_low_step"]),
    "underfitting": lambda q: _open(q["t_plateau_step"]),
    "not_learning": lambda q: _open(q["t_first_step"]),
    "undertrained": lambda q: _open(q["t_count"] * np.nan),
    "slow_start": lambda q: _until(q["t_first_step"], q["t_fallen_step"], q),
    "divergence": lambda q: _open(q["t_low_step"]),
    "non_finite": lambda q: (q["bad_first_step"], q["bad_last_step"]),
    "oscillation": lambda q: _until(q["t_swing_first"], q["t_swing_last"], q),
    "loss_spikes": lambda q: (q["t_jump_first"], q["t_jump_last"]),
    "val_spikes": lambda q: (q["v_jump_first"], q["v_jump_last"]),
    "noisy_validation": lambda q: _open(q["v_first_step"]),
    "periodic_loss": lambda q: _open(q["t_first_step"]),
    "no_generalization": lambda q: _open(q["v_first_step"]),
    "val_below_train": lambda q: _until(q["below_first"], q["below_last"], q, "v_"),
    "train_stalled_val_falls": lambda q: _until(q["v_first_step"], q["v_plateau_step"], q, "v_"),
    "metric_mismatch": _mismatch,
    "high_initial_loss": lambda q: (q["t_first_step"], q["collapsed_step"]),
    "vanishing_gradients": lambda q: _open(q["grad_fall_step"]),
    "exploding_gradients": lambda q: (q["grad_burst_step"], q["grad_burst_end"]),
    "delayed_generalization": lambda q: (q["fit_step"], q["late_fall_step"]),
}
"""Label -> (onset, end) in steps; NaN for none, an end of NaN means to the last point."""


def spans(q: Quantities) -> Span:
    """(n, 20) onset and end of every label, whether it is present or not."""
    pairs = [_SPANS[label](q) for label in LABELS]
    return np.array([onset for onset, _ in pairs]).T, np.array([end for _, end in pairs]).T
