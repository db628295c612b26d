"""Raw series -> channels: which one is which, and why; `losses` tells which are the train and the validation loss."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from curveclinic.errors import InputError
from curveclinic.intake.charts import is_bound, taken_apart, without_bound
from curveclinic.intake.losses import TEST_NOTE, by_cadence, losses_of, same_steps, with_value_loss
from curveclinic.intake.naming import Name, called, parse, quoted
from curveclinic.intake.numbered_sets import in_order, kind_of, of_any_set, with_training_set
from curveclinic.intake.together import settled_names
from curveclinic.intake.vocabulary import (
    BETWEEN_TWO,
    EVAL_FAMILIES,
    PREFERRED,
    RANKED_BESIDE,
    RANKED_REWARDS,
    SPLITS,
    Rank,
    tokens,
)
from curveclinic.labels import (
    ADVERSARIAL_NOTE,
    CHANNELS,
    LAYER_PREFIX,
    OPPONENTS_NOTE,
    REINFORCEMENT,
    MetricGoal,
    RunKind,
)
from curveclinic.points import FloatArray, Points

_KIND_NOTES: dict[RunKind, str] = {
    "opponents": ADVERSARIAL_NOTE,
    "opponents with total": OPPONENTS_NOTE,
    "reinforced": REINFORCEMENT,
}

_OURS = frozenset(CHANNELS)
"""Names that mean themselves: where there are no others, nothing is to be chosen."""


@dataclass(frozen=True, eq=False)
class Choice:
    """The channels taken from a table of raw series.

    Attributes:
        channels: canonical channel -> points.
        notes: what was chosen and why, one sentence each.
        metric_goal: inferred from the metric's name; None without a metric.
        kind: what the losses are by their names; "ordinary" where the user named the train loss.
    """

    channels: dict[str, Points]
    notes: tuple[str, ...]
    metric_goal: MetricGoal | None
    kind: RunKind = "ordinary"


def choose(
    table: Mapping[str, Points],
    *,
    train_loss: str | None = None,
    val_loss: str | None = None,
    metric_goal: MetricGoal | None = None,
) -> Choice:
    """Returns the canonical channels of a table of raw series.

    Args:
        table: raw name -> points, in the order logged.
        train_loss: name of the train loss, or a regular expression found in it; None: by the alias table.
        val_loss: the same for the validation loss.
        metric_goal: overrides the goal inferred from the metric's name.

    Raises:
        InputError: `train_loss` or `val_loss` matches nothing, or both match the same series; or the table has a
            column for every run of several.
    """
    by_name = train_loss is None and val_loss is None
    if by_name and table.keys() <= _OURS:
        ours = {channel: table[channel] for channel in CHANNELS if channel in table and len(table[channel][1])}
        return Choice(ours, (), metric_goal)
    runs = taken_apart(table)
    if runs and by_name:
        advice = "hand over each by itself, or a list of them; of parts of one loss their sum as 'train_loss'"
        raise InputError(f"found several runs by name, {quoted(runs)}; {advice}")
    size = {raw: len(values) for raw, (_, values) in table.items() if len(values) and not _is_band(raw, table)}
    names, remarks = _understood(tuple(size))
    names, told_apart = with_training_set(names, table) if by_name else (names, [])
    names, of_value = with_value_loss(names, table)
    asked, val_asked = _named(train_loss, table, "train_loss"), _named(val_loss, table, "val_loss")
    train, val, why, kind = _losses(names, size, table, asked, val_asked)
    train, val, logs = _with_perplexity(train, val, names, table)
    if "val_loss" in logs and val[0].split == "test" and TEST_NOTE not in why and not val_asked:
        why = [TEST_NOTE, *why]
    used, judged = {n.raw for n in (*train, *val)}, {kind_of(n) for n in (*train, *val) if n.stands_in}
    others = [n for n in names if n.raw not in used and not (n.stands_in and kind_of(n) in judged)]
    metrics, goal = _metrics(others, size, of_train=_bare_of_train(others, train, val, table))
    norms, without_whole = _norms(names)
    rate = _first_group([n for n in names if n.quantity == "lr"])
    picked = {"train_loss": train, "val_loss": val, **metrics, "lr": rate, **norms}
    channels, sources = _channels(picked, logs, table)
    notes = (*remarks, *told_apart, *of_value, *without_whole, *sources)
    if train_loss is not None:
        return Choice(channels, notes, metric_goal or goal)
    kind, said = _kind(names, kind)
    return Choice(channels, (*notes, *why, *said), metric_goal or goal, kind)


def _losses(
    names: Sequence[Name],
    size: Mapping[str, int],
    table: Mapping[str, Points],
    asked: list[Name],
    val_asked: list[Name],
) -> tuple[list[Name], list[Name], list[str], RunKind]:
    """What `losses_of` returns, but for the losses that the user names: they are no losses of the other side."""
    train, val, why, kind = losses_of(names, size, table)
    if any(name in val for name in asked):
        val = losses_of([n for n in names if n not in asked], size, table)[1]
    if any(name in train for name in val_asked):
        train = losses_of([n for n in names if n not in val_asked], size, table)[0]
    train, val = asked or train, val_asked or val
    if train and train == val:
        raise InputError(f"train_loss and val_loss both name {train[0].raw!r}; name two columns")
    return train, val, why, kind


def _channels(
    picked: Mapping[str, Sequence[Name]], logs: Sequence[str], table: Mapping[str, Points]
) -> tuple[dict[str, Points], list[str]]:
    """The points of channels, the logarithm of some, and the notes on what they were made of."""
    channels, notes = dict[str, Points](), list[str]()
    for channel, sources in picked.items():
        if not sources:
            continue
        steps, values = channels[channel] = _total(sources, table)
        if channel in logs:
            channels[channel] = steps, np.log(values)
            notes.append(f"{channel} <- logarithm of {sources[0].raw.strip()}")
        elif [n.raw.strip() for n in sources] != [channel]:
            notes.append(f"{channel} <- {' + '.join(n.raw.strip() for n in sources)}")
    return channels, notes


def _kind(names: Sequence[Name], kind: RunKind) -> tuple[RunKind, list[str]]:
    """What the losses are, where some name may tell of reinforcement learning, and the note on what is not ordinary."""
    told = _rewards(names)
    if told:
        kind = "reinforced"  # its actor and critic are no opponents
    if kind == "ordinary":
        return kind, []
    return kind, [_KIND_NOTES[kind] + (f", told by {quoted((n.raw for n in told), limit=3)}" if told else "")]


def _is_band(raw: str, table: Mapping[str, Points]) -> bool:
    """Whether a series is the band that W&B puts around another of the table."""
    return is_bound(raw) and without_bound(raw) in table


@lru_cache(maxsize=4096)
def _understood(raw: tuple[str, ...]) -> tuple[Sequence[Name], tuple[str, ...]]:
    """What the names of a table mean beside each other, and remarks; tables of one archive are named alike."""
    names, remarks = settled_names(list(map(parse, raw)))
    return tuple(in_order(names)), tuple(remarks)


def _of_pairs(told: Sequence[Name], names: Sequence[Name]) -> bool:
    """Whether all rewards are those of an answer that was chosen and of one that was rejected."""
    words = [set(tokens(n.raw)) & PREFERRED for n in told]
    return (all(words) and any(own & BETWEEN_TWO for own in words)) or _of_reward_model(told, names)


def _of_reward_model(told: Sequence[Name], names: Sequence[Name]) -> bool:
    """Whether all rewards are the scores of a model that learns to rank pairs: TRL's `RewardTrainer`."""
    scores = {frozenset(tokens(n.raw)).difference(SPLITS) for n in told}
    return scores == set(RANKED_REWARDS) and {(word,) for word in RANKED_BESIDE} <= {n.component for n in names}


def _rewards(names: Sequence[Name]) -> list[Name]:
    """The names that tell of reinforcement learning, one or two together; none where it is tuning on pairs.

    Two together do not where a loss of validation is logged: an attack and private training have an epsilon, too.
    """
    told = [n for n in names if n.reinforced]
    is_supervised = any(n.is_loss and n.split in ("val", "test") for n in names)
    hints = [] if is_supervised else [n for n in names if n.hint]
    if not told and {n.hint for n in hints} == {"acts", "scores"}:
        return hints
    return [] if _of_pairs(told, names) else told


def _total(sources: Sequence[Name], table: Mapping[str, Points]) -> Points:
    steps, values = table[sources[0].raw]
    for other in sources[1:]:
        if same_steps(table[sources[0].raw], table[other.raw]):
            values = values + table[other.raw][1]
    return steps, values


def _metrics(
    names: Sequence[Name], size: Mapping[str, int], *, of_train: Sequence[Name]
) -> tuple[dict[str, list[Name]], MetricGoal | None]:
    """Returns the metric to judge, on both sides where both log it, and its goal."""
    metrics = [n for n in names if n.quantity == "metric"]
    if not metrics:
        return {}, None
    val_split = "val" if any(n.split == "val" for n in metrics) else "test"
    sides: dict[tuple[str, ...], dict[str, list[Name]]] = {}
    evaluated = {n.component for n in metrics if n.split == val_split}
    first_set = {of_any_set(n): n.component for n in reversed(metrics) if n.split == val_split}
    for name in metrics:
        component = name.component if name.component in evaluated else first_set.get(name.component, name.component)
        side = _metric_side(name, val_split, component in evaluated or name in of_train)
        if side:
            sides.setdefault(component, {}).setdefault(side, []).append(name)
    if not sides:
        return {}, None

    def cost(item: tuple[tuple[str, ...], dict[str, list[Name]]]) -> tuple[bool, bool, bool, int, int]:
        key, found = item
        first = next(iter(found.values()))[0]
        short = all(size[n.raw] < 2 for group in found.values() for n in group)
        return short, len(found) < 2, "val" not in found, first.family, len(key)

    _, found = min(sides.items(), key=cost)
    n_val = max((size[n.raw] for n in found.get("val", [])), default=0)
    picked = {f"{side}_metric": [by_cadence(found[side], size, n_val)] for side in ("train", "val") if side in found}
    return picked, next(iter(found.values()))[0].goal


def _metric_side(name: Name, val_split: str, bare_is_train: bool) -> str:
    """Side of a metric, "" for none."""
    if name.split:
        return {"train": "train", val_split: "val"}.get(name.split, "")
    return "train" if bare_is_train else "val"


def _bare_of_train(
    names: Sequence[Name], train: Sequence[Name], val: Sequence[Name], table: Mapping[str, Points]
) -> list[Name]:
    """Names without a side that are the train side where validation does not log them, too: beside a bare loss."""
    if not train or any(n.split for n in train):
        return []
    losses = [table[side[0].raw] if side else None for side in (train, val)]
    return [n for n in names if not n.split and n.family not in EVAL_FAMILIES and not _is_beside(table[n.raw], *losses)]


def _is_beside(points: Points, train: Points | None, val: Points | None) -> bool:
    """Whether points stand only where validation has one, and the train loss has twice as many."""
    if train is None or val is None or 2 * len(points[1]) > len(train[1]):
        return False
    if points[0] is None or val[0] is None:
        return same_steps(points, val)
    return bool(np.isin(points[0], val[0]).all())


def _first_group(names: Sequence[Name]) -> list[Name]:
    """The learning rate: the plainest name, the first parameter group; none without one."""

    def group(name: Name) -> tuple[int, str]:
        return len(name.component), "".join(filter(str.isdigit, "".join(name.component)))

    return sorted(names, key=group)[:1]


def _norms(names: Sequence[Name]) -> tuple[dict[str, list[Name]], list[str]]:
    """The norm of the whole net and those of layers, and the note where there are none but these."""
    norms = [n for n in names if n.quantity == "grad_norm"]
    beside_l1 = any(re.fullmatch(r"l\d+", n.component[0]) for n in norms if n.component)
    picked: dict[str, list[Name]] = {}
    whole = []
    for n in norms:
        if beside_l1 and n.raw.endswith("/l2"):  # beside l1 and l3 a layer, not the L2 norm of the net
            picked[f"{LAYER_PREFIX}l2"] = [n]
        elif n.component:
            picked[LAYER_PREFIX + n.component[0]] = [n]
        else:
            whole.append(n)
    if whole:
        picked["grad_norm"] = [min(whole, key=lambda n: len(tokens(n.raw)))]
    elif picked:
        return picked, ["norms of single layers are not judged without that of the whole net; log grad_norm, too"]
    return picked, []


def _with_perplexity(
    train: list[Name], val: list[Name], names: Sequence[Name], table: Mapping[str, Points]
) -> tuple[list[Name], list[Name], list[str]]:
    """Returns both losses and the channels that are logarithms: of a perplexity where a side logs no loss."""
    sides, logs = {"train_loss": train, "val_loss": val}, list[str]()
    logged = {channel: side[0] for channel, side in sides.items() if side}
    if all(n.rank == Rank.PERPLEXITY and _is_perplexity(table[n.raw][1]) for n in logged.values()):
        return train, val, list(logged)
    for channel, other, splits in (("val_loss", train, ("val", "test")), ("train_loss", val, ("train",))):
        if not other or any(not n.is_loss for n in other):
            continue
        known = [n for split in splits for n in names if n.split == split and n.rank == Rank.PERPLEXITY]
        found = sides[channel] or [n for n in known if n.split != "test" or len(table[n.raw][1]) > 1]
        if found and found[0].rank == Rank.PERPLEXITY and _is_perplexity(table[found[0].raw][1]):
            sides[channel] = found[:1]
            logs.append(channel)
    return sides["train_loss"], sides["val_loss"], logs


def _is_perplexity(values: FloatArray) -> bool:
    return bool(np.isfinite(values).any()) and not (values < 1).any()


def _named(wanted: str | None, table: Mapping[str, Points], keyword: str) -> list[Name]:
    """The series a user named, none if he did not."""
    return [] if wanted is None else [parse(called(wanted, table, keyword))]
