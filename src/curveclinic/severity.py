"""How serious a symptom is: what the definitions measure, as a multiple of where a symptom turns severe."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
import numpy.typing as npt

from curveclinic.diagnosis import SEVERITIES
from curveclinic.labels import LABELS
from curveclinic.ragged import BoolArray
from curveclinic.trends import Quantities

NOTICE, MILD, SEVERE = range(len(SEVERITIES))


def _always(q: Quantities) -> BoolArray:
    return np.ones(len(q["t_count"]), dtype=bool)


def _never(q: Quantities) -> BoolArray:
    return np.zeros(len(q["t_count"]), dtype=bool)


_SEVERE: Final[dict[str, Callable[[Quantities], BoolArray]]] = {
    # the rise takes back half the drop; a gap at three times what counts as one
    "overfitting": lambda q: (q["v_rise_drop"] >= 0.5) | ((q["gap_growth_v"] >= 1.5) & (q["gap_ratio"] >= 6.0)),
    "underfitting": lambda q: q["t_drop_rel"] < 0.1,
    "not_learning": lambda q: (q["t_drop_rel"] < 0.005) | (q["t_drop_noise"] < 0.5),
    "undertrained": lambda q: q["t_end_fall"] >= 0.15,
    "slow_start": lambda q: q["t_fallen_at"] >= 0.3,
    "divergence": _always,
    "non_finite": _always,
    "oscillation": lambda q: q["t_swing"] >= 0.75,
    "loss_spikes": lambda q: q["t_jump_size"] >= 4.0,
    "val_spikes": _never,
    "noisy_validation": lambda q: (q["v_noise_over_t"] >= 9.0) & (q["v_noise_drop"] >= 0.3),
    "periodic_loss": lambda q: q["t_noise_drop"] >= 0.3,
    "no_generalization": lambda q: q["t_drop_rel"] >= 0.45,
    "val_below_train": _never,
    "train_stalled_val_falls": lambda q: q["v_drop_rel"] >= 0.5,
    "metric_mismatch": lambda q: q["v_rise_drop"] >= 1.0,
    "high_initial_loss": lambda q: np.fmax(q["first_over_near"], q["first_over_chance"]) >= 9.0,
    "vanishing_gradients": lambda q: q["grad_fall"] >= 5.0,
    "exploding_gradients": lambda q: np.fmax(q["grad_burst"], q["grad_growth"]) >= 2.5,
    "delayed_generalization": _never,
}
"""Label -> where it is severe: about three times the measure at which it is present."""

_NOTICE: Final[dict[str, Callable[[Quantities], BoolArray]]] = {
    # up to three of them, none far above the jumps that are just visible
    "val_spikes": lambda q: (q["v_jumps"] <= 3) & (q["v_jump_size"] < 6.0),
    # dropout, augmentation, an easier set: a val loss below half of train's is no such thing
    "val_below_train": lambda q: ~(q["val_over_train_mid"] < 0.5),
}
"""Label -> where it is only worth knowing."""


def severities(q: Quantities) -> npt.NDArray[np.int8]:
    """(n, 20) index into `SEVERITIES` of every label, whether it is present or not."""
    with np.errstate(invalid="ignore"):
        out = np.where(np.array([_SEVERE[label](q) for label in LABELS]), SEVERE, MILD).astype(np.int8)
        for label, notice in _NOTICE.items():
            out[LABELS.index(label), notice(q)] = NOTICE
    return np.ascontiguousarray(out.T)
