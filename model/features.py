"""The scalar features the network sees beside the curves: shared measures and tsfresh's definitions.

Measures are numbers (a rise in units of the drop, a gap growth, a period's strength), never the degrees that
the definitions make of them: the network is to judge curves, not to copy the rules.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from curveclinic.model.tsfresh_features import extract_selected, feature_names
from curveclinic.quantities import Quantities
from curveclinic.ragged import Batch

_ONE_CHANNEL = (
    "drop_rel", "drop_snr", "drop_noise", "low_at", "end_fall", "end_fall_snr", "end_fall_rel", "rise_drop", "rise_snr", "rise_rel",
    "rise_noise", "above_start_rel", "plateau", "fallen_at", "half_at", "noise_rel", "noise_drop", "count", "positive",
    "log", "jumps", "jump_size", "swing", "swing_level", "swing_persistence", "swing_turns",
)  # fmt: skip

MEASURES: Final = (
    *(f"t_{name}" for name in _ONE_CHANNEL),
    *(f"v_{name}" for name in _ONE_CHANNEL),
    "gap_growth_v", "gap_growth_t", "gap_ratio", "gap_level", "val_over_train_end", "v_flat_late", "t_late_fall", "t_late_log_fall",
    "t_after_low", "t_floor", "below", "fit_at", "late_fall", "late_fall_rel", "late_fall_error", "bad_share", "late_fall_at",
    "jump_shared", "v_noise_over_t", "period_strength", "swing_shared",
    "metric_gain_after_low", "metric_gain", "metric_span", "metric_count", "metric_trend",
    "metric_reversal", "first_over_near", "near_over_last", "first_kink", "refit", "bad_gap", "val_over_train_mid", "v_jitter", "grad_burst", "grad_growth", "grad_end_log10", "grad_fall", "lr_cycles",
)  # fmt: skip
"""Quantities handed to the network; none carries the unit of the loss."""

FEATURE_NAMES: Final[tuple[str, ...]] = (*MEASURES, *feature_names())
"""Columns of the feature array."""

_LIMIT: Final = 12.0
"""Bound of a feature after compression: e**12 is past any ratio that matters."""


def features_of(batch: Batch, quantities: Quantities) -> npt.NDArray[np.float32]:
    """(n, len(FEATURE_NAMES)) float32, finite and within +-12; what could not be measured is 0."""
    measured = np.stack([quantities[name] for name in MEASURES], axis=1)
    raw = np.concatenate([measured, extract_selected(batch)], axis=1)
    with np.errstate(all="ignore"):
        raw = np.nan_to_num(raw, nan=0.0, posinf=1e30, neginf=-1e30)
        squashed = np.sign(raw) * np.log1p(np.abs(raw))
    return np.clip(squashed, -_LIMIT, _LIMIT).astype(np.float32)
