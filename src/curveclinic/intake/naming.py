"""Column names, understood: `train/box_loss` is (train, loss, box). `choosing` picks the channels."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal

from curveclinic.errors import InputError
from curveclinic.intake.vocabulary import (
    ACTING,
    ADVERSARIAL_ERRORS,
    BOOSTED,
    CADENCE,
    FALLING,
    FALSE_LOSSES,
    LIKELIHOODS,
    LOSS_WORDS,
    METRICS,
    NEVER,
    NOISE,
    OF_LOSS,
    PENALTIES,
    RANKED_BESIDE,
    RANKED_RIGHT,
    REINFORCED,
    REINFORCED_PARTS,
    REWARDS,
    SCORED,
    SCORES_OF_ACTS,
    SPLITS,
    SQUARED,
    TRADED,
    Rank,
    tokens,
)
from curveclinic.labels import MetricGoal

Split = Literal["train", "val", "test", ""]
Quantity = Literal["loss", "metric", "lr", "grad_norm", ""]

_GRAD_LAYER = re.compile(r"^(?:.*/)?(?:grad(?:ient)?s?[_\-. ]?(?:\d(?:\.\d)?_)?norms?|l2_norm/grad)[/.](.+)$", re.I)
_OWN_METRICS: Final[dict[str, Split]] = {"train_metric": "train", "val_metric": "val"}
"""Our own channel names: they say which side it is, not what it measures."""

_WHOLE_NET = {"total", "global", "all", "l2"}
_NEGATED: Final = "neg"

Meaning = tuple[Rank, "MetricGoal | None", int, Quantity]
"""Rank, goal, family and quantity, see `Name`."""

_NOTHING: Final[Meaning] = (Rank.NO_LOSS, "max", 0, "")


@dataclass(frozen=True)
class Name:
    """A raw name, understood.

    Attributes:
        raw: the name as logged.
        split: part of the data it was measured on; "" when the name does not say.
        quantity: what it measures; "" for what is no channel.
        rank: how surely it is a loss.
        component: words left over: the part of the loss, the kind of the metric, the layer of a norm.
        cadence: "step" or "epoch" where the name carries that suffix.
        goal: for a metric, whether larger or smaller is better; None when the name does not say.
        family: for a metric, its place in the order of preference.
        reinforced: only reinforcement learning logs it.
        hint: what reinforcement learning logs it as, if something else logs it, too.
    """

    raw: str
    split: Split = ""
    quantity: Quantity = ""
    rank: Rank = Rank.NO_LOSS
    component: tuple[str, ...] = ()
    cadence: str = ""
    goal: MetricGoal | None = "max"
    family: int = 0
    reinforced: bool = False
    hint: Literal["acts", "scores", ""] = ""

    @property
    def is_loss(self) -> bool:
        """Whether it is a loss, by name or by what it measures."""
        return self.rank <= Rank.LOSS_LIKE

    @property
    def stands_in(self) -> bool:
        """Whether it stands in for a loss where there is none."""
        return self.rank in (Rank.ERROR, Rank.PERPLEXITY)

    @property
    def may_be_loss(self) -> bool:
        """Whether it is a loss or stands in for one."""
        return self.rank < Rank.NO_LOSS

    @property
    def is_told(self) -> bool:
        """Whether it can become a channel, or tells what the channels beside it are."""
        return bool(self.quantity or self.hint) or self.reinforced or "/".join(self.component) in RANKED_BESIDE


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
    rank, goal, family, quantity = _classify(rest, has_side=bool(split))
    component = _component(rest, quantity, rank)
    reinforced = _is_reinforced(set(words)) or (quantity == "loss" and _is_of_acts(component, raw))
    return Name(raw, split, quantity, rank, component, cadence, goal, family, reinforced, _hint(rest))


def _is_reinforced(words: set[str]) -> bool:
    return any(own <= words for own in REINFORCED)


def _is_of_acts(component: tuple[str, ...], raw: str) -> bool:
    """Whether a part of a loss is that of what acts are worth: `loss/value`; `loss_value` is the loss itself."""
    if component != (OF_LOSS,):
        return component in REINFORCED_PARTS
    before, found, _ = " ".join(tokens(raw.rpartition("/")[2])).partition(OF_LOSS)
    return not found or LOSS_WORDS.keys().isdisjoint(before.split())


def _hint(words: Sequence[str]) -> Literal["acts", "scores", ""]:
    own = frozenset(words) - NOISE
    return "acts" if own in ACTING else "scores" if own in SCORES_OF_ACTS else ""


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


def _classify(words: Sequence[str], *, has_side: bool) -> Meaning:
    """Returns rank, goal, family and quantity of the words left after the split."""
    bag = set(words)
    if (bag & REWARDS and bag != RANKED_RIGHT) or {"per", "second"} <= bag or {"vs", "samples"} <= bag:
        return _NOTHING
    if bag & {"ppl", "perplexity"}:
        return Rank.PERPLEXITY, "min", len(METRICS), "metric"
    if any(own <= bag for own in ADVERSARIAL_ERRORS):
        return Rank.LOSS, "min", 0, "loss"
    if any(own <= bag for own in FALSE_LOSSES):
        return Rank.ERROR, "min", len(METRICS), "metric"
    told = [w for w in words if w not in NOISE and not w.isdigit()]
    if any(own <= bag for own in LIKELIHOODS) or (has_side and " ".join(told) in BOOSTED):
        return Rank.LOSS_LIKE, "min", 0, "loss"
    if has_side and set(told) in SQUARED:
        return Rank.ERROR, "min", len(METRICS), "metric"
    plain = [w for w in words if w != "l1" or not bag & PENALTIES]
    rank = min((LOSS_WORDS[w] for w in plain if w in LOSS_WORDS), default=Rank.NO_LOSS)
    if _NEGATED in bag and (rank == Rank.ERROR or bag & SCORED):
        return _negated(plain)
    if rank <= Rank.LOSS_LIKE:
        return (Rank.NO_LOSS, "min", 0, "") if bag & NEVER else (rank, "min", 0, "loss")
    if any(re.fullmatch(r"lr\d*|pg\d+", w) for w in words) or {"learning", "rate"} <= bag:
        return _NOTHING if bag & NEVER else (Rank.NO_LOSS, "max", 0, "lr")
    return _NOTHING if bag & NEVER or any(map(TRADED.fullmatch, words)) else _metric(plain, told, rank)


def _metric(words: Sequence[str], told: Sequence[str], rank: Rank) -> Meaning:
    """What words say of a metric; a score of something unknown has no goal."""
    if any(own <= set(words) for own in FALLING):
        return Rank.NO_LOSS, "min", len(METRICS), "metric"
    for family, (pattern, goal) in enumerate(METRICS):
        if any(pattern.fullmatch(w) for w in words):
            is_told = not {"score", "scores"} & set(told) or len(told) == 1 or family < len(METRICS) - 1
            return rank, goal if is_told else None, family or len(METRICS), "metric"
    return _NOTHING


def _negated(words: Sequence[str]) -> Meaning:
    """scikit-learn's scorers turn losses and errors round: `neg_log_loss`, `neg_mean_squared_error`."""
    known = any(w in LOSS_WORDS for w in words) or _metric(words, words, Rank.NO_LOSS)[1] == "min"
    return (Rank.NO_LOSS, "max", len(METRICS), "metric") if known else _NOTHING


def _component(words: Sequence[str], quantity: Quantity, rank: Rank) -> tuple[str, ...]:
    if quantity == "loss":
        return tuple(w for w in words if w not in NOISE and LOSS_WORDS.get(w) != rank)
    if quantity == "lr":
        return tuple(w for w in words if w not in NOISE and w not in ("lr", "learning", "rate"))
    return tuple("acc" if w == "accuracy" else w for w in words if w not in NOISE)


def called(wanted: str, names: Iterable[str], keyword: str) -> str:
    """Returns the name a user means: his own, where there is one, else the first one his pattern is found in.

    Raises:
        InputError: there is none.
    """
    listed = list(names)
    if wanted in listed:
        return wanted
    try:
        pattern = re.compile(wanted)
    except re.error as error:
        raise InputError(f"{keyword}: no column {wanted!r}, and it is no regular expression ({error})") from None
    found = next(filter(pattern.search, listed), None)
    if found is None:
        raise InputError(f"no column matches {keyword} {wanted!r}; found {quoted(listed)}")
    return found


def quoted(names: Iterable[str], limit: int = 8) -> str:
    """Returns names in quotes for a message, shortened when there are many."""
    listed = [repr(n if len(n) <= 40 else n[:37] + "...") for n in names]
    more = f" and {len(listed) - limit} more" if len(listed) > limit else ""
    return (", ".join(listed[:limit]) + more) or "nothing"
