"""What each label means, in numbers: every clause has two cuts, clearly absent and clearly present.

A clause turns a quantity into a degree: 0 at or beyond `absent`, 1 at or beyond `present`, linear between. `all_of`
takes the smallest degree, `any_of` the largest. A label is present at degree 1, absent at 0 and arguable between.
The same table judges the generator's latent curves (truth) and logged ones (rules).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np

from curveclinic.deciding import train_symptoms, val_symptoms
from curveclinic.deciding.clauses import Names, Program, Statement
from curveclinic.measuring.trends import Quantities
from curveclinic.ragged import FloatArray

DEFINITIONS: Final[dict[str, Callable[[Names], Statement]]] = {
    "overfitting": val_symptoms.overfitting,
    "underfitting": train_symptoms.underfitting,
    "not_learning": train_symptoms.not_learning,
    "undertrained": train_symptoms.undertrained,
    "slow_start": train_symptoms.slow_start,
    "divergence": train_symptoms.divergence,
    "non_finite": train_symptoms.non_finite,
    "oscillation": train_symptoms.oscillation,
    "loss_spikes": train_symptoms.loss_spikes,
    "val_spikes": val_symptoms.val_spikes,
    "noisy_validation": val_symptoms.noisy_validation,
    "periodic_loss": train_symptoms.periodic_loss,
    "no_generalization": val_symptoms.no_generalization,
    "val_below_train": val_symptoms.val_below_train,
    "train_stalled_val_falls": val_symptoms.train_stalled_val_falls,
    "metric_mismatch": val_symptoms.metric_mismatch,
    "high_initial_loss": train_symptoms.high_initial_loss,
    "vanishing_gradients": train_symptoms.vanishing_gradients,
    "exploding_gradients": train_symptoms.exploding_gradients,
    "delayed_generalization": val_symptoms.delayed_generalization,
}
"""Label -> what it means, in the order of `labels.LABELS`."""


_PROGRAM: Final = Program([define(Names()) for define in DEFINITIONS.values()])

_SWINGS: Final = Program([train_symptoms.swings(Names())])

_STARTS_HIGH: Final = Program([train_symptoms.starts_high(Names())])

_UNSEEN: Final = Program([val_symptoms.came_down_unseen(Names())])

_STUCK: Final = Program([train_symptoms.stuck_at_chance(Names())])


def label_degrees(q: Quantities) -> FloatArray:
    """(n, 20) degree of every label."""
    with np.errstate(over="ignore", invalid="ignore"):
        degree: FloatArray = _PROGRAM.degrees(q | derived(q)).T
    return degree


def swing_degree(q: Quantities) -> FloatArray:
    """(n,) degree to which the train loss moves up and down, be it the weights, the noise of batches or a schedule."""
    return _degree(_SWINGS, q)


def starts_high_degree(q: Quantities) -> FloatArray:
    """(n,) degree to which the first loss is such a multiple of what follows that any reader sees a hockey stick."""
    return _degree(_STARTS_HIGH, q)


def unseen_degree(q: Quantities) -> FloatArray:
    """(n,) degree to which val came down before it was first evaluated."""
    return _degree(_UNSEEN, q)


def stuck_degree(q: Quantities) -> FloatArray:
    """(n,) degree to which a metric that stays put shows that a model makes chance predictions all along."""
    return _degree(_STUCK, q)


def _degree(one: Program, q: Quantities) -> FloatArray:
    """(n,) degree of the only statement of a program."""
    with np.errstate(over="ignore", invalid="ignore"):
        return np.asarray(np.nan_to_num(one.degrees(q)[0]))


def derived(q: Quantities) -> Quantities:
    """What clauses ask of several quantities at once."""
    before = 0.05 / np.maximum(q["t_fallen_at"], 1e-3)
    after = 0.45 / np.maximum(q["t_half_at"] - q["t_fallen_at"], 1e-3)
    return {
        "t_fallen_points": q["t_fallen_at"] * q["t_count"],
        # speed of the fall after the plateau over the speed on it
        "t_quickening": after / before,
        "dies": (np.isfinite(q["bad_first_step"]) & np.isnan(q["bad_last_step"])).astype(np.float64),
        "v_per_t": q["v_count"] / np.maximum(q["t_count"], 1.0),
        "jump_beside": q["jump_shared"] / np.maximum(q["v_jump_size"], 1e-9),
        # the best of many lags of pure noise reaches the more the fewer points there are
        "period_excess": q["period_strength"] - 0.8 / np.sqrt(np.maximum(q["t_count"], 1.0)),
    }
