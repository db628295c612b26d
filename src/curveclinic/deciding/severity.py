"""How serious a symptom is: what the definitions measure, as a multiple of where a symptom turns severe."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from operator import itemgetter
from typing import Final

import numpy as np
import numpy.typing as npt

from curveclinic.diagnosis import SEVERITIES
from curveclinic.labels import COLUMN, FATAL, LABELS
from curveclinic.measuring.trends import Quantities, table_of
from curveclinic.ragged import BoolArray

NOTICE, MILD, SEVERE = range(len(SEVERITIES))


@dataclass(frozen=True)
class _Cut:
    """A quantity reaches a bound: sign * quantity >= bound. NaN reaches none."""

    name: str
    sign: float
    bound: float


def _from(name: str, bound: float) -> _Cut:
    """The quantity is at least the bound."""
    return _Cut(name, 1.0, bound)


def _under(name: str, bound: float) -> _Cut:
    """The quantity is smaller than the bound."""
    return _Cut(name, -1.0, float(np.nextafter(-bound, np.inf)))


_SEVERE: Final[dict[str, tuple[tuple[_Cut, ...], ...]]] = {
    # the rise takes back half the drop, what came before the first evaluation included; a gap at three times what
    # counts as one
    "overfitting": (
        (_from("v_rise_drop", 0.5), _from("v_rise_of_all", 0.5)),
        (_from("gap_growth_v", 1.5), _from("gap_ratio", 6.0)),
    ),
    "underfitting": ((_under("t_drop_rel", 0.1),),),
    "not_learning": ((_under("t_drop_rel", 0.005),), (_under("t_drop_noise", 0.5),)),
    "undertrained": ((_from("t_end_fall", 0.15),),),
    "slow_start": ((_from("t_fallen_at", 0.3),),),
    "oscillation": ((_from("t_swing", 0.75),),),
    "loss_spikes": ((_from("t_jump_size", 4.0),),),
    "noisy_validation": ((_from("v_noise_over_t", 9.0), _from("v_noise_drop", 0.3)),),
    "periodic_loss": ((_from("t_noise_drop", 0.3),),),
    "no_generalization": ((_from("t_drop_rel", 0.45),),),
    "train_stalled_val_falls": ((_from("v_drop_rel", 0.5),),),
    "metric_mismatch": ((_from("v_rise_drop", 1.0),),),
    "high_initial_loss": ((_from("first_over_near", 9.0),), (_from("first_over_chance", 9.0),)),
    "vanishing_gradients": ((_from("grad_fall", 5.0),),),
    "exploding_gradients": ((_from("grad_burst", 2.5),), (_from("grad_growth", 2.5),)),
}
"""Label -> where it is severe, at about three times the measure at which it is present: all cuts of any of these.
Of the others the fatal ones always are, the rest never."""

_NEVER: Final = ((_from("t_count", np.inf),),)
"""What no run reaches."""

_USUAL: Final = np.array([[SEVERE if label in FATAL else MILD] for label in LABELS], dtype=np.int8)
"""(20, 1) severity where no cut is reached."""


def _few_small_jumps(q: Quantities) -> BoolArray:
    """Up to three of them, none far above the jumps that are just visible."""
    return (q["v_jumps"] <= 3) & (q["v_jump_size"] < 6.0)


def _plausibly_below(q: Quantities) -> BoolArray:
    """Dropout, an easier set, mixed or smoothed targets of train: they leave val a quarter of train's loss at least."""
    return ~(q["val_over_train_mid"] < 0.25)


def _may_be_all_there_is(q: Quantities) -> BoolArray:
    """A seventh of the loss learnt, and no more: noise in the targets, or a language's entropy, often leave no more."""
    return q["t_drop_rel"] >= 0.15


_NOTICE: Final[dict[str, Callable[[Quantities], BoolArray]]] = {
    "underfitting": _may_be_all_there_is,
    "val_spikes": _few_small_jumps,
    "val_below_train": _plausibly_below,
}
"""Label -> where it is only worth knowing."""

BY_MEASURE: Final = frozenset((*FATAL, *_NOTICE))
"""Labels whose severity is what is measured, whatever the network says."""

_BY_LABEL: Final = [_SEVERE.get(label, _NEVER) for label in LABELS]
_CASES: Final = [case for cases in _BY_LABEL for case in cases]
_CUTS: Final = [cut for case in _CASES for cut in case]
"""The cases of every label one after another, and the cuts of every case."""

_CUT: Final = itemgetter(*(cut.name for cut in _CUTS))
"""The quantities that are cut."""

_SIGN: Final = np.array([[cut.sign] for cut in _CUTS])
_BOUND: Final = np.array([[cut.bound] for cut in _CUTS])
_CASE_STARTS: Final = np.cumsum([0, *map(len, _CASES)])[:-1]
"""Where the cuts of each case begin."""

_LABEL_STARTS: Final = np.cumsum([0, *map(len, _BY_LABEL)])[:-1]
"""Where the cases of each label begin."""


def severities(q: Quantities) -> npt.NDArray[np.int8]:
    """(n, 20) index into `SEVERITIES` of every label, whether it is present or not."""
    reached = table_of(_CUT(q)) * _SIGN >= _BOUND  # (cuts, n)
    cases = np.logical_and.reduceat(reached, _CASE_STARTS, axis=0)
    out = np.logical_or.reduceat(cases, _LABEL_STARTS, axis=0) + _USUAL
    for label, worth_knowing in _NOTICE.items():
        out[COLUMN[label], worth_knowing(q)] = NOTICE
    severity: npt.NDArray[np.int8] = out.T
    return severity
