"""Where each symptom begins and ends, read from the quantities alone, so that truth and rules use the same words."""

from __future__ import annotations

from dataclasses import dataclass
from operator import itemgetter
from typing import Final

import numpy as np

from curveclinic.labels import LABELS
from curveclinic.ragged import FloatArray
from curveclinic.smoothing import halves
from curveclinic.trends import Quantities, table_of, unknown

_LAST = 0.02
"""A span whose end lies within this share of the run from the last point lasts to the last point."""


@dataclass(frozen=True)
class _Span:
    """Names of the quantities that hold a span's steps.

    Attributes:
        onset: first step; None for none.
        end: last step; None to the last point.
        loss: prefix of the loss near whose last point the end means to the last point; "" for an end as it is.
    """

    onset: str | None
    end: str | None = None
    loss: str = ""


_SPANS: Final[dict[str, _Span]] = {
    "overfitting": _Span("v_low_step"),
    "underfitting": _Span("t_plateau_step"),
    "not_learning": _Span("t_first_step"),
    "undertrained": _Span(None),
    "slow_start": _Span("t_first_step", "t_fallen_step", "t_"),
    "divergence": _Span("t_low_step"),
    "non_finite": _Span("bad_first_step", "bad_last_step"),
    "oscillation": _Span("t_swing_first", "t_swing_last", "t_"),
    "loss_spikes": _Span("t_jump_first", "t_jump_last"),
    "val_spikes": _Span("v_jump_first", "v_jump_last"),
    "noisy_validation": _Span("v_first_step"),
    "periodic_loss": _Span("t_first_step"),
    "no_generalization": _Span("v_first_step"),
    "val_below_train": _Span("below_first", "below_last", "v_"),
    "train_stalled_val_falls": _Span("v_first_step", "v_plateau_step", "v_"),
    "metric_mismatch": _Span("mismatch_step"),
    "high_initial_loss": _Span("t_first_step", "collapsed_step"),
    "vanishing_gradients": _Span("grad_fall_step"),
    "exploding_gradients": _Span("grad_burst_step", "grad_burst_end"),
    "delayed_generalization": _Span("fit_step", "late_fall_step"),
}
"""Label -> where it begins and ends."""

_STEPS: Final = itemgetter(
    *(_SPANS[label].onset or "" for label in LABELS), *(_SPANS[label].end or "" for label in LABELS)
)
"""The onsets in the order of the labels, then the ends; the quantity "" where there is none."""

_OPEN: Final = np.array([row for row, label in enumerate(LABELS) if _SPANS[label].loss])
"""Rows of the labels whose end may be the last point of a loss."""

_LOSS: Final = np.array([("t_", "v_").index(_SPANS[LABELS[row]].loss) for row in _OPEN])
"""Which loss that is: 0 train, 1 val."""


def spans(q: Quantities) -> tuple[FloatArray, FloatArray]:
    """(n, 20) onset and end in steps of every label, whether it is present or not.

    NaN for none; an end of NaN means to the last point.
    """
    known = q | {"mismatch_step": _mismatch(q), "": unknown(len(q["t_count"]))}
    steps = table_of(_STEPS(known))
    onset, end = steps[: len(LABELS)], steps[len(LABELS) :]
    first, last = halves(table_of((q["t_first_step"], q["v_first_step"], q["t_last_step"], q["v_last_step"])))
    own = end[_OPEN]
    own[own >= (last - _LAST * (last - first))[_LOSS]] = np.nan
    end[_OPEN] = own
    return onset.T, end.T


def _mismatch(q: Quantities) -> FloatArray:
    """Loss and metric disagree from the val minimum where val rises, else from the beginning."""
    return np.where(q["v_rise_drop"] > 0.2, q["v_low_step"], np.fmin(q["t_first_step"], q["v_first_step"]))
