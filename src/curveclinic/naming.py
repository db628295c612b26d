"""Column names, understood: `train/box_loss` is (train, loss, box). `choosing` picks the channels."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal

from curveclinic.points import FloatArray
from curveclinic.run import MetricGoal
from curveclinic.vocabulary import (
    ADVERSARIAL_ERRORS,
    CADENCE,
    LOSS_WORDS,
    METRICS,
    NEVER,
    NOISE,
    RANKED_RIGHT,
    REINFORCED,
    REINFORCED_PARTS,
    REWARDS,
    SPLITS,
    tokens,
)

Points = tuple["FloatArray | None", FloatArray]
"""Steps (None: not logged) and values of one raw series; missing points are left out."""

Split = Literal["train", "val", "test", ""]
Quantity = Literal["loss", "metric", "lr", "grad_norm", ""]

OPPONENTS = "generator and discriminator losses"
"""Words in the notes of a run whose losses play against each other."""

ADVERSARIAL_NOTE = f"{OPPONENTS} without a total"
"""Note of such a run of which only non_finite and divergence can be judged."""

OPPONENTS_NOTE = f"a total of {OPPONENTS}"
"""Note of such a run that logs a total."""

REINFORCEMENT = "losses of reinforcement learning"
"""Words in the notes of a run whose net learns from the rewards of its own deeds."""

PERPLEXITY: Final = 3
"""Rank of a perplexity, the exponential of a loss."""

_GRAD_LAYER = re.compile(r"^(?:.*/)?(?:grad(?:ient)?s?[_\-. ]?(?:\d(?:\.\d)?_)?norms?|l2_norm/grad)[/.](.+)$", re.I)
_OWN_METRICS: Final[dict[str, Split]] = {"train_metric": "train", "val_metric": "val"}
"""Our own channel names: they say which side it is, not what it measures."""

_WHOLE_NET = {"total", "global", "all", "l2"}


@dataclass(frozen=True)
class Name:
    """A raw name, understood.

    Attributes:
        raw: the name as logged.
        split: part of the data it was measured on; "" when the name does not say.
        quantity: what it measures; "" for what is no channel.
        rank: 0 a loss by name, 1 a loss-like quantity (nll, cross entropy), 2 an error and 3 a perplexity
            that stand in for a loss when there is no other; 9 never a loss.
        component: words left over: the part of the loss, the kind of the metric, the layer of a norm.
        cadence: "step" or "epoch" where the name carries that suffix.
        goal: for a metric, whether larger or smaller is better; None when the name does not say.
        family: for a metric, its place in the order of preference.
        reinforced: only reinforcement learning logs it.
    """

    raw: str
    split: Split = ""
    quantity: Quantity = ""
    rank: int = 9
    component: tuple[str, ...] = ()
    cadence: str = ""
    goal: MetricGoal | None = "max"
    family: int = 0
    reinforced: bool = False

    @property
    def is_told(self) -> bool:
        """Whether it can become a channel, or tells what the channels beside it are."""
        return bool(self.quantity) or self.reinforced


@lru_cache(maxsize=8192)
def parse(raw: str) -> Name:
    """Returns what a column name or tag says about its series."""
    if raw in _OWN_METRICS:
        return Name(raw, _OWN_METRICS[raw], "metric", goal=None, family=-1)
    layer = _GRAD_LAYER.match(raw)
    words = tokens(raw)
    if layer or ("gnorm" in words) or ("norm" in words and {"grad", "grads", "gradient", "gradients"} & set(words)):
        inner = layer.group(1) if layer else ""
        return Name(raw, quantity="grad_norm", component=(inner,) if inner and inner.lower() not in _WHOLE_NET else ())
    split, rest, cadence = _strip_split(words)
    rank, goal, family, quantity = _classify(rest)
    component = _component(rest, quantity, rank)
    reinforced = _is_reinforced(set(words)) or (quantity == "loss" and component in REINFORCED_PARTS)
    return Name(raw, split, quantity, rank, component, cadence, goal, family, reinforced)


def _is_reinforced(words: set[str]) -> bool:
    return any(own <= words for own in REINFORCED)


def _strip_split(words: Sequence[str]) -> tuple[Split, list[str], str]:
    """Splits off the words that name the data set and the cadence."""
    split: Split = ""
    cadence = ""
    rest = []
    for word in words:
        named = SPLITS.get(word) or SPLITS.get(word.rstrip("0123456789"))
        if named and split in ("", named):
            split = named  # type: ignore[assignment]  # the table holds Split values
            if word not in SPLITS:
                rest.append(word.lstrip("abcdefghijklmnopqrstuvwxyz"))
        elif word in CADENCE:
            cadence = cadence or CADENCE[word]
        else:
            rest.append(word)
    return split, rest, cadence


def _classify(words: Sequence[str]) -> tuple[int, MetricGoal, int, Quantity]:
    """Returns rank, goal, family and quantity of the words left after the split."""
    bag = set(words)
    if (bag & REWARDS and bag != RANKED_RIGHT) or {"per", "second"} <= bag or {"vs", "samples"} <= bag:
        return 9, "max", 0, ""
    if bag & {"ppl", "perplexity"}:
        return PERPLEXITY, "min", len(METRICS), "metric"
    if any(words <= bag for words in ADVERSARIAL_ERRORS):
        return 0, "min", 0, "loss"
    rank = min((LOSS_WORDS[w] for w in words if w in LOSS_WORDS), default=9)
    if rank <= 1:
        return (9, "min", 0, "") if bag & NEVER else (rank, "min", 0, "loss")
    if any(re.fullmatch(r"lr\d*|pg\d+", w) for w in words) or {"learning", "rate"} <= bag:
        return (9, "max", 0, "") if bag & NEVER else (9, "max", 0, "lr")
    if bag & NEVER:
        return 9, "max", 0, ""
    for family, (pattern, goal) in enumerate(METRICS):
        if any(pattern.fullmatch(w) for w in words):
            return rank, goal, family or len(METRICS), "metric"
    return 9, "max", 0, ""


def _component(words: Sequence[str], quantity: Quantity, rank: int) -> tuple[str, ...]:
    if quantity == "loss":
        return tuple(w for w in words if w not in NOISE and LOSS_WORDS.get(w, 9) != rank)
    if quantity == "lr":
        return tuple(w for w in words if w not in NOISE and w not in ("lr", "learning", "rate"))
    return tuple("acc" if w == "accuracy" else w for w in words if w not in NOISE)


def quoted(names: Iterable[str], limit: int = 8) -> str:
    """Returns names in quotes for a message, shortened when there are many."""
    listed = [repr(n if len(n) <= 40 else n[:37] + "...") for n in names]
    more = f" and {len(listed) - limit} more" if len(listed) > limit else ""
    return (", ".join(listed[:limit]) + more) or "nothing"
