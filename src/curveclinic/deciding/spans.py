"""Where each symptom begins and ends, read from the quantities alone, so that truth and rules use the same words."""

from __future__ import annotations

from dataclasses import dataclass
from operator import itemgetter
from typing import Final

import numpy as np

from curveclinic.deciding.train_symptoms import THROWN
from curveclinic.labels import LABELS
from curveclinic.measuring.trends import Quantities, table_of, unknown
from curveclinic.ragged import FloatArray

_LAST = 0.02
"""A span whose end lies within this share of the run from the last point lasts to the last point."""


_RISES = (3.0, 0.07)
"""Errors, and share of its drop or of its lowest level, from which val's final rise makes a valley of its lowest place.
A val loss that settles is lowest anywhere: from where it is as good, nothing is gained."""


@dataclass(frozen=True)
class _Span:
    """Names of the quantities that hold a span's steps.

    Attributes:
        onset: first step; None for none.
        end: last step; None to the last point.
        loss: prefix of the loss near whose last point the end means to the last point; "" for an end as it is.
        peaks_of: the channel whose peaks it runs between, from the first to the last; "" for a span of another kind.
    """

    onset: str | None
    end: str | None = None
    loss: str = ""
    peaks_of: str = ""


_SPANS: Final[dict[str, _Span]] = {
    "overfitting": _Span("turn"),
    "underfitting": _Span("t_plateau_step"),
    "not_learning": _Span("t_first_step"),
    "undertrained": _Span(None),
    "slow_start": _Span("t_first_step", "t_fallen_step", "t_"),
    "divergence": _Span("departure"),
    "non_finite": _Span("bad_first_step", "bad_last_step"),
    "oscillation": _Span("t_swing_first", "t_swing_last", "t_"),
    "loss_spikes": _Span("t_jump_first", "t_jump_last", peaks_of="train_loss"),
    "val_spikes": _Span("v_jump_first", "v_jump_last", peaks_of="val_loss"),
    "noisy_validation": _Span("v_first_step"),
    "periodic_loss": _Span("t_first_step"),
    "no_generalization": _Span("v_first_step"),
    "val_below_train": _Span("below_first", "below_last", "v_"),
    "train_stalled_val_falls": _Span("v_first_step", "v_plateau_step", "v_"),
    "metric_mismatch": _Span("mismatch_step"),
    "high_initial_loss": _Span("t_first_step", "collapsed_step"),
    "vanishing_gradients": _Span("grad_fall_step"),
    "exploding_gradients": _Span("grad_burst_step", "grad_burst_end", peaks_of="grad_norm"),
    "delayed_generalization": _Span("fit_step", "late_fall_step"),
}
"""Label -> where it begins and ends."""

PEAKS: Final = tuple((column, _SPANS[label].peaks_of) for column, label in enumerate(LABELS) if _SPANS[label].peaks_of)
"""(column, channel) of the labels that run from peak to peak."""

WITHOUT_START: Final = np.array([_SPANS[label].onset is None for label in LABELS])
"""(20,) labels without a start; the network's span heads are not trained on them and say anything."""

_OWN: Final = ("mismatch_step", "departure", "turn", None)
"""Steps that are no quantities: those worked out here, and none."""

_STEPS: Final = (*(_SPANS[label].onset for label in LABELS), *(_SPANS[label].end for label in LABELS))
"""The onsets in the order of the labels, then the ends."""

_OUTER: Final = ("t_first_step", "v_first_step", "t_last_step", "v_last_step")
"""Where the losses begin, and where they end."""

_NAMES: Final = tuple(
    dict.fromkeys(
        (
            *_OUTER,
            "t_rise_step",
            "v_low_step",
            "v_as_good_step",
            *(name for name in _STEPS if name is not None and name not in _OWN),
        )
    )
)
_NAMED: Final = itemgetter(*_NAMES)
"""The quantities that are read, the outer ones first."""

_ROWS: Final = np.array([(*_NAMES, *_OWN).index(name) for name in _STEPS])
"""Row of each step in a table of these quantities and the own steps."""

_OPEN: Final = np.array([row for row, label in enumerate(LABELS) if _SPANS[label].loss])
"""Rows of the labels whose end may be the last point of a loss."""

_LOSS: Final = np.array([("t_", "v_").index(_SPANS[LABELS[row]].loss) for row in _OPEN])
"""Which loss that is: 0 train, 1 val."""


def spans(q: Quantities) -> tuple[FloatArray, FloatArray]:
    """(n, 20) onset and end in steps of every label, whether it is present or not.

    NaN for none; an end of NaN means to the last point.
    """
    table = table_of((*_NAMED(q), _mismatch(q), _departure(q), _turn(q), unknown(len(q["t_count"]))))
    steps, first, last = table.take(_ROWS, axis=0), table[:2], table[2:4]
    onset, end = steps[: len(LABELS)], steps[len(LABELS) :]
    may_last = end[_OPEN]
    may_last[may_last >= (last - _LAST * (last - first))[_LOSS]] = np.nan
    end[_OPEN] = may_last
    return onset.T, end.T


def _turn(q: Quantities) -> FloatArray:
    """Val overfits from where it is lowest, or, where it hardly rises, from where it is as good."""
    errors, share = _RISES
    rises = (q["v_rise_snr"] >= errors) & (np.maximum(q["v_rise_drop"], q["v_rise_rel"]) >= share)
    return np.where(rises, q["v_low_step"], q["v_as_good_step"])


def _departure(q: Quantities) -> FloatArray:
    """A loss diverges from where its level leaves its low, or from the first step that threw it away."""
    thrown = np.logical_and.reduce([q[name] <= absent for name, (_, absent) in THROWN.items()])
    return np.where(thrown, q["t_first_step"], q["t_rise_step"])


def _mismatch(q: Quantities) -> FloatArray:
    """Loss and metric disagree from the val minimum where val rises, else from the beginning."""
    return np.where(q["v_rise_drop"] > 0.2, q["v_low_step"], np.fmin(q["t_first_step"], q["v_first_step"]))
