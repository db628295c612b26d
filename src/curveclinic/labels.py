"""The label set: the symptoms a curve can show, and the channels each one needs."""

from __future__ import annotations

from enum import Enum
from typing import Final, Literal, get_args

CHANNELS: Final = ("train_loss", "val_loss", "train_metric", "val_metric", "lr", "grad_norm")
"""Channel names in the order every array in the project uses."""

LAYER_PREFIX: Final = "grad_norm/"
"""Prefix of the optional per-layer gradient norms, given in layer order."""


MetricGoal = Literal["max", "min"]
"""Whether a larger or a smaller metric is better."""

RunKind = Literal["ordinary", "opponents", "opponents with total", "reinforced"]
"""What the losses of a run are: of one net that descends; of two nets that play against each other, with or without a
total; or of a net that learns from the rewards of its own deeds."""

RUN_KINDS: Final[tuple[RunKind, ...]] = get_args(RunKind)


class Label(str, Enum):
    """A symptom. The order is the order of every per-label array, column and table."""

    OVERFITTING = "overfitting"
    UNDERFITTING = "underfitting"
    NOT_LEARNING = "not_learning"
    UNDERTRAINED = "undertrained"
    SLOW_START = "slow_start"
    DIVERGENCE = "divergence"
    NON_FINITE = "non_finite"
    OSCILLATION = "oscillation"
    LOSS_SPIKES = "loss_spikes"
    VAL_SPIKES = "val_spikes"
    NOISY_VALIDATION = "noisy_validation"
    PERIODIC_LOSS = "periodic_loss"
    NO_GENERALIZATION = "no_generalization"
    VAL_BELOW_TRAIN = "val_below_train"
    TRAIN_STALLED_VAL_FALLS = "train_stalled_val_falls"
    METRIC_MISMATCH = "metric_mismatch"
    HIGH_INITIAL_LOSS = "high_initial_loss"
    VANISHING_GRADIENTS = "vanishing_gradients"
    EXPLODING_GRADIENTS = "exploding_gradients"
    DELAYED_GENERALIZATION = "delayed_generalization"

    def __str__(self) -> str:
        return self.value


LABELS: Final[tuple[str, ...]] = tuple(label.value for label in Label)
"""Label names in array order."""

HEALTHY: Final = "healthy"

_BOTH_LOSSES: Final = (("train_loss",), ("val_loss",))

REQUIRED: Final[dict[str, tuple[tuple[str, ...], ...]]] = {
    # Every inner tuple is a set of alternatives; one channel of each must be there.
    "overfitting": _BOTH_LOSSES,
    "underfitting": (("train_loss",),),
    "not_learning": (("train_loss",),),
    "undertrained": (("train_loss",),),
    "slow_start": (("train_loss",),),
    "divergence": (("train_loss",),),
    "non_finite": (("train_loss", "val_loss"),),
    "oscillation": (("train_loss",),),
    "loss_spikes": (("train_loss",),),
    "val_spikes": _BOTH_LOSSES,
    "noisy_validation": _BOTH_LOSSES,
    "periodic_loss": (("train_loss",),),
    "no_generalization": _BOTH_LOSSES,
    "val_below_train": _BOTH_LOSSES,
    "train_stalled_val_falls": _BOTH_LOSSES,
    "metric_mismatch": (("train_loss", "val_loss"), ("train_metric", "val_metric")),
    "high_initial_loss": (("train_loss",),),
    "vanishing_gradients": (("train_loss",), ("grad_norm",)),
    "exploding_gradients": (("grad_norm",),),
    "delayed_generalization": _BOTH_LOSSES,
}
"""Channels a label needs; a label whose channels are missing is unchecked."""
