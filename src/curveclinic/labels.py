"""The label set: the symptoms a curve can show, with the channels and the treatment each one needs."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final, Literal, get_args

CHANNELS: Final = ("train_loss", "val_loss", "train_metric", "val_metric", "lr", "grad_norm")
"""Channel names in the order every array in the project uses."""

LOSSES: Final = CHANNELS[:2]
"""The train and the validation loss."""

LAYER_PREFIX: Final = "grad_norm/"
"""Prefix of the optional per-layer gradient norms, given in layer order."""


MetricGoal = Literal["max", "min"]
"""Whether a larger or a smaller metric is better."""

RunKind = Literal["ordinary", "opponents", "opponents with total", "reinforced"]
"""What the losses of a run are: of one net that descends; of two nets that play against each other, with or without a
total; or of a net that is trained by reinforcement learning."""

RUN_KINDS: Final[tuple[RunKind, ...]] = get_args(RunKind)

OPPONENTS: Final = "generator and discriminator losses"
ADVERSARIAL_NOTE: Final = f"{OPPONENTS} without a total"
OPPONENTS_NOTE: Final = f"a total of {OPPONENTS}"
REINFORCEMENT: Final = "losses of reinforcement learning"
"""What notes and reasons call the kinds of runs that are not ordinary."""


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

COLUMN: Final = {label: column for column, label in enumerate(LABELS)}
"""Label -> its place in every per-label array."""

HEALTHY: Final = "healthy"

_TRAIN: Final = (("train_loss",),)
_BOTH: Final = (("train_loss",), ("val_loss",))


@dataclass(frozen=True)
class Traits:
    """What sets a label apart where its numbers, which are measured elsewhere, are not asked; most have no trait.

    Attributes:
        needs: channels without which it is unchecked: one of every inner tuple.
        points: fewest finite points in each loss channel it reads.
        fact: a fact of the log, no matter of judgement: the rules alone decide it, whatever the loss is.
        fatal: the run is lost: always severe, and judged of losses that play against each other, too.
        priced: decided by rule where num_classes gives the loss of a chance prediction; the network sees no loss in
            its unit.
        texture: a pattern about the level, of which only the log itself tells how much a logger left.
        thins_out: single points or a pattern that every k-th point may miss.
    """

    needs: tuple[tuple[str, ...], ...]
    points: int = 5
    fact: bool = False
    fatal: bool = False
    priced: bool = False
    texture: bool = False
    thins_out: bool = False


TRAITS: Final[dict[str, Traits]] = {
    "overfitting": Traits(_BOTH),
    "underfitting": Traits(_TRAIN),
    "not_learning": Traits(_TRAIN, points=4),
    "undertrained": Traits(_TRAIN),
    "slow_start": Traits(_TRAIN),
    "divergence": Traits(_TRAIN, points=2, fatal=True),
    "non_finite": Traits((LOSSES,), points=1, fact=True, fatal=True),
    "oscillation": Traits(_TRAIN, points=12, texture=True, thins_out=True),
    "loss_spikes": Traits(_TRAIN, texture=True, thins_out=True),
    "val_spikes": Traits(_BOTH, texture=True, thins_out=True),
    "noisy_validation": Traits(_BOTH, texture=True),
    "periodic_loss": Traits(_TRAIN, points=16, texture=True, thins_out=True),
    "no_generalization": Traits(_BOTH),
    "val_below_train": Traits(_BOTH, points=4),
    "train_stalled_val_falls": Traits(_BOTH),
    "metric_mismatch": Traits((LOSSES, ("train_metric", "val_metric"))),
    "high_initial_loss": Traits(_TRAIN, priced=True),
    "vanishing_gradients": Traits((("train_loss",), ("grad_norm",)), thins_out=True),
    "exploding_gradients": Traits((("grad_norm",),), thins_out=True),
    "delayed_generalization": Traits(_BOTH),
}
"""Label -> its traits, in array order."""

FACTS: Final = tuple(label for label, its in TRAITS.items() if its.fact)
FATAL: Final = tuple(label for label, its in TRAITS.items() if its.fatal)
PRICED: Final = tuple(label for label, its in TRAITS.items() if its.priced)
TEXTURES: Final = tuple(label for label, its in TRAITS.items() if its.texture)
THINNED_AWAY: Final = tuple(label for label, its in TRAITS.items() if its.thins_out)
"""Labels of one trait each."""

FACT_COLUMNS: Final = [COLUMN[label] for label in FACTS]
"""Places of the facts."""
