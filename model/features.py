"""The scalar features the network sees beside the curves: shared measures and tsfresh's definitions.

Measures are numbers (a rise in units of the drop, a gap growth, a period's strength), never the degrees that
the definitions make of them: the network is to judge curves, not to copy the rules.
"""

from __future__ import annotations

from operator import itemgetter
from typing import Final

import numpy as np
import numpy.typing as npt

from curveclinic.measuring.quantities import Measured
from curveclinic.measuring.trends import table_of
from curveclinic.model.tsfresh_features import extract_selected, feature_names

_RATIOS = (
    "drop_rel", "drop_snr", "drop_noise", "end_fall", "end_fall_snr", "end_fall_rel",
    "rise_drop", "rise_snr", "rise_rel", "rise_noise", "above_start_rel", "noise_rel", "noise_drop",
    "jumps", "jump_size", "swing", "swing_level",
)  # fmt: skip
_SHARES = ("low_at", "plateau", "fallen_at", "half_at", "positive", "log", "swing_persistence", "swing_turns")

RATIOS: Final = (
    *(f"t_{name}" for name in _RATIOS),
    *(f"v_{name}" for name in _RATIOS),
    "gap_growth_v", "gap_growth_t", "gap_ratio", "gap_level", "val_over_train_start",
    "val_over_train_end", "val_over_train_mid", "t_late_log_fall", "below",
    "late_fall_rel", "late_fall_error", "bad_gap", "jump_shared", "v_noise_over_t", "v_jitter",
    "metric_gain", "metric_span", "metric_trend", "metric_reversal", "first_over_near", "near_over_last", "first_kink",
    "grad_burst", "grad_growth", "grad_end_log10", "grad_fall",
)  # fmt: skip
"""Quantities that span decades; none carries the unit of the loss."""

SHARES: Final = (
    *(f"t_{name}" for name in _SHARES),
    *(f"v_{name}" for name in _SHARES),
    "v_flat_late", "t_late_fall", "t_after_low", "t_floor", "fit_at", "late_fall", "bad_share", "late_fall_at", "refit",
    "period_strength", "swing_shared", "metric_gain_after_low", "lr_cycles", "metric_typical", "metric_follows",
)  # fmt: skip
"""Quantities of the order of one."""

COUNTS: Final = ("t_count", "v_count", "metric_count")

MEASURES: Final = (*RATIOS, *SHARES, *COUNTS)
"""Quantities handed to the network."""

_MEASURED: Final = itemgetter(*MEASURES)

FEATURE_NAMES: Final[tuple[str, ...]] = (*MEASURES, *feature_names())
"""Columns of the feature array."""

_LIMIT: Final = 14.0
"""Bound of a feature after compression."""

_LARGEST: Final = 1e9
"""Magnitude from which every feature is at that bound."""

_SMALLEST: Final = 300.0
"""Ratios are compressed as log(1 + 300 |x|): a fall of 0.3 % of the level is as visible as one of 30 %."""

_SCALE: Final = np.where(np.arange(len(FEATURE_NAMES)) < len(RATIOS), _SMALLEST, 1.0)
"""(len(FEATURE_NAMES),) factor of every feature before compression."""


def features_of(piece: Measured) -> npt.NDArray[np.float32]:
    """(n, len(FEATURE_NAMES)) float32, finite and within +-14; what could not be measured is 0."""
    raw = np.empty((piece.batch.size, len(FEATURE_NAMES)))
    raw[:, : len(MEASURES)] = table_of(_MEASURED(piece.quantities)).T
    raw[:, len(MEASURES) :] = extract_selected(piece)
    raw[np.isnan(raw)] = 0.0
    squashed = np.log1p(np.minimum(np.abs(raw), _LARGEST) * _SCALE)
    features: npt.NDArray[np.float32] = np.copysign(np.minimum(squashed, _LIMIT), raw).astype(np.float32)
    return features
