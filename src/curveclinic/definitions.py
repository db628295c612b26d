"""What each label means, in numbers: every clause has two cuts, clearly absent and clearly present.

A clause turns a quantity into a degree: 0 at or beyond `absent`, 1 at or beyond `present`, linear between. `all_of`
takes the smallest degree, `any_of` the largest. A label is present at degree 1, absent at 0 and arguable between.
The same table judges the generator's latent curves (truth) and logged ones (rules).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np

from curveclinic.quantities import Quantities
from curveclinic.ragged import FloatArray


def above(x: FloatArray, absent: float, present: float) -> FloatArray:
    """Degree to which x is large; NaN counts as absent."""
    return np.nan_to_num(np.clip((x - absent) / (present - absent), 0.0, 1.0), nan=0.0)


def below(x: FloatArray, present: float, absent: float) -> FloatArray:
    """Degree to which x is small; NaN counts as absent."""
    return np.nan_to_num(np.clip((absent - x) / (absent - present), 0.0, 1.0), nan=0.0)


def all_of(*degrees: FloatArray) -> FloatArray:
    """Every clause holds."""
    return np.minimum.reduce(degrees)


def any_of(*degrees: FloatArray) -> FloatArray:
    """At least one clause holds."""
    return np.maximum.reduce(degrees)


def _learns(q: Quantities) -> FloatArray:
    """Train falls clearly: by 3-8 % of its level, and by more than its error."""
    relative = any_of(above(q["t_drop_rel"], 0.03, 0.08), 1.0 - q["t_positive"])
    return all_of(relative, above(q["t_drop_snr"], 3.0, 6.0))


def _overfitting(q: Quantities) -> FloatArray:
    falls = any_of(above(q["t_after_low"], 0.005, 0.03), below(q["t_floor"], 0.08, 0.25))
    visible = all_of(above(q["v_rise_snr"], 3.0, 6.0), above(q["v_rise_noise"], 0.8, 1.8), above(q["v_rise_rel"], 0.015, 0.04))
    rises = all_of(above(q["v_rise_drop"], 0.07, 0.15), visible, above(q["v_drop_rel"], 0.01, 0.03), above(q["v_drop_snr"], 1.5, 4.0))
    widens = all_of(
        below(q["v_low_at"], 0.5, 0.65), below(q["v_flat_late"], 0.12, 0.25), above(q["gap_growth_v"], 0.25, 0.6),
        above(q["t_late_log_fall"], 0.4, 1.2), above(q["gap_ratio"], 1.5, 2.5), above(q["v_rise_drop"], 0.02, 0.05),
        above(q["v_drop_rel"], 0.05, 0.15),
    )  # fmt: skip
    return all_of(any_of(rises, widens), falls, _learns(q), 1.0 - _delayed_generalization(q))


def _underfitting(q: Quantities) -> FloatArray:
    small = all_of(below(q["t_drop_rel"], 0.25, 0.35), above(q["t_drop_rel"], 0.012, 0.03), above(q["t_drop_snr"], 3.0, 6.0))
    flat = all_of(above(q["t_plateau"], 0.3, 0.45), below(q["t_end_fall"], 0.02, 0.06), below(q["t_noise_drop"], 0.6, 1.5))
    no_gap = np.where(np.isnan(q["gap_level"]), 1.0, below(q["gap_level"], 0.12, 0.3))
    val_flat = np.where(np.isnan(q["v_plateau"]), 1.0, all_of(above(q["v_plateau"], 0.25, 0.4), below(q["v_drop_rel"], 0.3, 0.5)))
    return all_of(small, flat, no_gap, val_flat, below(q["t_rise_drop"], 0.15, 0.4), 1.0 - _divergence(q))


def _not_learning(q: Quantities) -> FloatArray:
    still = any_of(all_of(below(q["t_drop_rel"], 0.008, 0.03), q["t_positive"]), below(q["t_drop_snr"], 1.5, 4.0))
    hidden = all_of(below(q["t_drop_noise"], 1.0, 2.0), below(q["t_drop_snr"], 4.0, 8.0))
    return all_of(any_of(still, hidden), below(q["t_above_start_rel"], 0.03, 0.08), above(q["t_count"], 3.0, 5.0))


def _undertrained(q: Quantities) -> FloatArray:
    train = all_of(above(q["t_end_fall"], 0.035, 0.065), above(q["t_end_fall_snr"], 2.5, 5.0), below(q["t_rise_drop"], 0.03, 0.1))
    val = np.where(np.isnan(q["v_end_fall"]), 1.0, all_of(
        above(q["v_end_fall"], 0.035, 0.065), above(q["v_end_fall_snr"], 1.5, 3.0), below(q["v_rise_drop"], 0.03, 0.1)))  # fmt: skip
    return all_of(train, val, above(q["t_drop_rel"], 0.008, 0.02), above(q["t_end_fall_rel"], 0.002, 0.006))


def _slow_start(q: Quantities) -> FloatArray:
    ratio = (0.45 / np.maximum(q["t_half_at"] - q["t_fallen_at"], 1e-3)) / (0.05 / np.maximum(q["t_fallen_at"], 1e-3))
    return all_of(
        above(q["t_fallen_at"], 0.07, 0.12), above(ratio, 2.5, 4.0), above(q["t_drop_rel"], 0.1, 0.25),
        above(q["t_drop_snr"], 6.0, 10.0), above(q["t_fallen_at"] * q["t_count"], 1.5, 2.5), below(q["t_noise_drop"], 0.12, 0.3),
        1.0 - _divergence(q),
    )  # fmt: skip


def _divergence(q: Quantities) -> FloatArray:
    lost = all_of(above(q["t_rise_drop"], 0.6, 1.0), above(q["t_rise_rel"], 0.04, 0.1))
    visible = all_of(above(q["t_rise_snr"], 4.0, 8.0), above(q["t_rise_noise"], 1.0, 2.5))
    return all_of(lost, visible, above(q["t_above_start_rel"], -0.25, 0.0), above(q["t_count"], 3.0, 4.0))


def _non_finite(q: Quantities) -> FloatArray:
    return (np.nan_to_num(q["t_bad"]) + np.nan_to_num(q["v_bad"]) > 0).astype(np.float64)


def _oscillation(q: Quantities) -> FloatArray:
    moving = any_of(above(q["t_swing_persistence"], 0.1, 0.35), above(q["swing_shared"], 0.3, 0.6))
    return all_of(
        above(q["t_swing"], 0.16, 0.32), above(q["t_swing_level"], 0.05, 0.12), moving, above(q["t_swing_turns"], 0.05, 0.1),
        above(q["t_count"], 12.0, 16.0), 1.0 - _not_learning(q), 1.0 - _divergence(q), below(q["period_strength"], 0.5, 0.7),
        1.0 - above(q["lr_cycles"], 0.1, 0.3),
    )  # fmt: skip


def _loss_spikes(q: Quantities) -> FloatArray:
    few = below(q["t_jumps"], 8.0, 14.0)
    return all_of(above(q["t_jump_size"], 0.9, 1.8), few, above(q["t_jumps"], 0.0, 1.0), above(q["t_count"], 5.0, 8.0),
                  1.0 - _divergence(q), below(q["period_strength"], 0.5, 0.7), 1.0 - above(q["lr_cycles"], 0.1, 0.3))  # fmt: skip


def _val_spikes(q: Quantities) -> FloatArray:
    return all_of(above(q["v_jump_size"], 1.0, 2.0), above(q["v_jumps"], 0.0, 1.0), below(q["v_jumps"], 6.0, 10.0),
                  above(q["v_count"], 5.0, 8.0), below(q["jump_shared"], 0.5, 1.0), 1.0 - _noisy_validation(q))  # fmt: skip


def _noisy_validation(q: Quantities) -> FloatArray:
    return all_of(above(q["v_noise_over_t"], 2.0, 4.0), above(q["v_noise_drop"], 0.06, 0.14), above(q["v_noise_rel"], 0.01, 0.03),
                  above(q["v_count"], 5.0, 8.0))  # fmt: skip


def _periodic_loss(q: Quantities) -> FloatArray:
    return all_of(above(q["period_strength"], 0.4, 0.65), above(q["t_count"], 20.0, 30.0), 1.0 - above(q["lr_cycles"], 0.1, 0.3),
                  above(q["t_noise_rel"], 0.002, 0.005))  # fmt: skip


def _no_generalization(q: Quantities) -> FloatArray:
    train = all_of(above(q["t_drop_rel"], 0.08, 0.2), above(q["t_drop_snr"], 5.0, 10.0))
    stuck = any_of(below(q["v_drop_rel"], 0.015, 0.05), below(q["v_drop_snr"], 1.0, 3.0))
    no_metric = np.where(np.isnan(q["metric_trend"]), 1.0, 1.0)
    return all_of(train, stuck, no_metric, above(q["v_count"], 3.0, 4.0), below(q["t_above_start_rel"], -0.05, 0.0))


def _val_below_train(q: Quantities) -> FloatArray:
    return all_of(above(q["below"], 0.5, 1.0), above(q["v_count"], 2.0, 4.0))


def _train_stalled_val_falls(q: Quantities) -> FloatArray:
    flat = any_of(below(q["t_drop_rel"], 0.02, 0.06), below(q["t_drop_noise"], 0.6, 1.2))
    return all_of(flat, above(q["v_drop_rel"], 0.1, 0.25), above(q["v_drop_snr"], 4.0, 8.0), above(q["v_drop_noise"], 3.0, 6.0))


def _metric_mismatch(q: Quantities) -> FloatArray:
    rises = all_of(
        any_of(_overfitting(q), _divergence(q), all_of(above(q["v_rise_drop"], 0.2, 0.5), above(q["v_rise_snr"], 5.0, 10.0), above(q["v_rise_rel"], 0.05, 0.15))),
        above(q["metric_gain_after_low"], 0.12, 0.3), above(q["metric_trend"], 0.5, 1.5))  # fmt: skip
    stuck = all_of(above(q["v_drop_rel"], 0.1, 0.25), above(q["t_drop_rel"], 0.1, 0.25), below(q["metric_trend"], 0.6, 1.5), above(q["metric_count"], 5.0, 7.0),
                   below(q["metric_gain"], 0.05, 0.2))  # fmt: skip
    return any_of(rises, stuck)


def _high_initial_loss(q: Quantities) -> FloatArray:
    stick = all_of(above(q["first_over_near"], 2.2, 3.2), below(q["near_over_last"], 8.0, 25.0), above(q["t_count"], 5.0, 8.0))
    return any_of(stick, all_of(above(q["first_over_chance"], 2.2, 3.2), above(q["first_over_near"], 1.3, 2.0)))


def _vanishing_gradients(q: Quantities) -> FloatArray:
    high = any_of(below(q["t_drop_rel"], 0.25, 0.5), _not_learning(q))
    tiny = any_of(all_of(above(q["grad_fall"], 1.3, 2.2), below(q["grad_end_log10"], -2.5, -1.5)), below(q["grad_end_log10"], -5.0, -4.0))
    return all_of(high, tiny)


def _exploding_gradients(q: Quantities) -> FloatArray:
    return any_of(above(q["grad_burst"], 1.6, 2.0), above(q["grad_growth"], 1.8, 2.3))


def _delayed_generalization(q: Quantities) -> FloatArray:
    return all_of(
        above(q["late_fall"], 0.25, 0.45), above(q["late_fall_rel"], 0.1, 0.25), above(q["bad_share"], 0.08, 0.15),
        below(q["fit_at"], 0.2, 0.35), above(q["late_fall_error"], 4.0, 8.0), above(q["v_count"], 8.0, 12.0),
        any_of(above(q["val_over_train_end"], 1.2, 2.0), above(q["late_fall_at"], 0.05, 0.1)),
    )  # fmt: skip


DEFINITIONS: Final[dict[str, Callable[[Quantities], FloatArray]]] = {
    "overfitting": _overfitting,
    "underfitting": _underfitting,
    "not_learning": _not_learning,
    "undertrained": _undertrained,
    "slow_start": _slow_start,
    "divergence": _divergence,
    "non_finite": _non_finite,
    "oscillation": _oscillation,
    "loss_spikes": _loss_spikes,
    "val_spikes": _val_spikes,
    "noisy_validation": _noisy_validation,
    "periodic_loss": _periodic_loss,
    "no_generalization": _no_generalization,
    "val_below_train": _val_below_train,
    "train_stalled_val_falls": _train_stalled_val_falls,
    "metric_mismatch": _metric_mismatch,
    "high_initial_loss": _high_initial_loss,
    "vanishing_gradients": _vanishing_gradients,
    "exploding_gradients": _exploding_gradients,
    "delayed_generalization": _delayed_generalization,
}
"""Label -> degree in [0, 1] from the quantities, in the order of `labels.LABELS`."""


def degrees(q: Quantities) -> FloatArray:
    """(n, 20) degree of every label."""
    with np.errstate(invalid="ignore"):
        return np.stack([define(q) for define in DEFINITIONS.values()], axis=1)
