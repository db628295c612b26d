"""What names mean beside each other: `t_loss` and `v_loss` are two sides, `fold0/loss` and `fold1/loss` two runs."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Literal

from curveclinic.intake.charts import is_run_name
from curveclinic.intake.languages import plain
from curveclinic.intake.naming import Name, quoted
from curveclinic.intake.vocabulary import (
    CROSS_VAL,
    NUMBERED,
    OF_LOSS,
    SHORT_VALS,
    SIDE_LIKE,
    SIDE_PAIRS,
    SMOOTHED,
    SPLITS,
    UNSMOOTHED,
    Rank,
    is_part,
    tokens,
)

_NUMBERED = re.compile(rf"({'|'.join(NUMBERED)})(\d*)")

Mark = tuple[str, ...]
"""Words that tell the series of one run from those of another; () for none."""


def settled_names(names: Sequence[Name]) -> tuple[list[Name], list[str]]:
    """Returns the names of one run, each with its side, and remarks."""
    one, remarks = _first_repetition(_without_copies(names))
    one = _sides_by_pair(one)
    for word in SHORT_VALS:
        one = _short_val(one, word)
    one, said = _of_one_data(_whole_values(_cross_val(one)))
    return one, [*remarks, *said]


def _without_copies(names: Sequence[Name]) -> list[Name]:
    """Leaves out losses that are smoothed copies of others, and takes `raw_loss` for the loss that one is a copy of."""
    losses = {(n.split, n.component): n for n in names if n.may_be_loss}
    out = list(names)
    for (split, component), copy in losses.items():
        own = _without(component, SMOOTHED)
        if own == component or "l1" in own:  # `smooth_l1_loss` is a loss
            continue
        raw = next((n for (at, part), n in losses.items() if at == split and _without(part, UNSMOOTHED) == own), None)
        if raw is not None:
            out = [replace(n, component=own) if n == raw else n for n in out if n != copy]
    return out


def _short_val(names: Sequence[Name], word: str) -> list[Name]:
    """Gives names with `va` their side where train logs the same loss by its side, and no loss is of neither."""
    shortened, others = _losses_with(word, names)
    of_train = {n.component for n in others if n.split == "train"}
    if any(n.split in ("val", "") for n in others) or of_train.isdisjoint(shortened):
        return list(names)
    return [_with_side(name, word, "val") for name in names]


def _cross_val(names: Sequence[Name]) -> list[Name]:
    """Gives names with `cv` their side where no loss is of validation by its name, or a part that training lacks."""
    shortened, others = _losses_with(CROSS_VAL, names)
    whole = shortened | {n.component for n in others if n.split == "train"}
    if not shortened or any(n.split == "val" or (not n.split and n.component not in whole) for n in others):
        return list(names)
    return [_with_side(name, CROSS_VAL, "val") for name in names]


def _losses_with(word: str, names: Sequence[Name]) -> tuple[set[tuple[str, ...]], list[Name]]:
    """The losses with a word, by their components without it, and the other ones."""
    losses = [n for n in names if n.may_be_loss]
    own = [n for n in losses if not n.split and word in n.component]
    return {_without(n.component, (word,)) for n in own}, [n for n in losses if n not in own]


def _sides_by_pair(names: Sequence[Name]) -> list[Name]:
    """Gives names their side where the losses are one of `t` and one of `v`: beside a `u_loss` they are parts."""
    parts = sorted(n.component for n in names if n.quantity == "loss" and n.rank == Rank.LOSS)
    pair = next((pair for pair in SIDE_PAIRS if parts == sorted((word,) for word in pair)), {})
    if any(n.split for n in names):
        return list(names)
    for word, side in pair.items():
        names = [_with_side(name, word, side) for name in names]
    return list(names)


def _whole_values(names: Sequence[Name]) -> list[Name]:
    """Takes `loss_value` for the loss; beside another one, as `loss_pi`, it is the loss of what acts are worth.

    Beside parts of a loss, as `loss_box`, it is their total.
    """
    if any(n.reinforced for n in names):
        return list(names)
    values = [n for n in names if n.is_loss and n.component == (OF_LOSS,)]
    others = [n for n in names if n.is_loss and n not in values]
    beside = {n.split for n in others if not n.component or not is_part(n.component)}
    if any(n.split in beside for n in values):
        return [replace(n, reinforced=True) if n in values else n for n in names]
    return [replace(n, component=()) if n in values else n for n in names]


def _of_one_data(names: Sequence[Name]) -> tuple[list[Name], list[str]]:
    """Leaves out train losses that differ from an earlier one only in words that may name other data, and remarks.

    Beside a total nothing is to be added up, and of several evaluation sets the first one is judged. Where one of the
    losses is there once, all are parts.
    """
    losses = [n for n in names if n.is_loss and n.split in ("train", "")]
    if any(not n.component for n in losses):
        return list(names), []
    alike: dict[tuple[Rank, Mark], dict[Mark, list[Name]]] = {}
    for name in losses:
        mark = tuple(word for word in name.component if word in SIDE_LIKE or not plain(word).isascii())
        alike.setdefault((name.rank, _without(name.component, mark)), {}).setdefault(mark, []).append(name)
    several = [list(groups.values()) for groups in alike.values()]
    if not several or min(map(len, several)) < 2:
        return list(names), []
    left = {name for groups in several for group in groups[1:] for name in group}
    shown = quoted((group[0].raw for groups in several for group in groups), limit=4)
    return [n for n in names if n not in left], [f"losses that may be of different data are not added up: {shown}"]


def _with_side(name: Name, word: str, side: Literal["train", "val"]) -> Name:
    if name.split or word not in name.component or name.quantity not in ("loss", "metric"):
        return name
    return replace(name, split=side, component=_without(name.component, (word,)))


def _first_repetition(names: Sequence[Name]) -> tuple[list[Name], list[str]]:
    """Leaves out all repetitions but the first where losses of several are there: they are no parts of one loss."""
    marks = {name: _mark(name.component) for name in names}
    found = _told_apart(marks)
    if len(found) < 2:
        marks = _by_folder(names)
        found = _told_apart(marks)
    if len(found) < 2:
        return _first_number(names)
    kept = [name for name in names if marks[name] in ((), found[0])]
    remark = (
        f"several runs in one table: {' '.join(found[0])} is judged, not {quoted(map(' '.join, found[1:]), limit=3)}"
    )
    return [replace(name, component=_without(name.component, found[0])) for name in kept], [remark]


def _first_number(names: Sequence[Name]) -> tuple[list[Name], list[str]]:
    """Leaves out losses that differ from the first one in a number alone: `train_loss_0` and `train_loss_1`."""
    losses = [n for n in names if n.is_loss]
    of_train = [n for n in losses if n.split in ("train", "")]
    if len(of_train) < 2 or not all(len(n.component) == 1 and n.component[0].isdigit() for n in losses):
        return list(names), []
    first = of_train[0].component
    kept = [n for n in names if n not in losses or n.component == first]
    others = quoted((n.raw for n in of_train if n.component != first), limit=3)
    remark = f"numbered losses may be of several runs: {of_train[0].raw} is judged, not {others}"
    return [replace(n, component=()) if n in losses else n for n in kept], [remark] if len(kept) < len(names) else []


def _told_apart(marks: Mapping[Name, Mark]) -> list[Mark]:
    """The marks that losses carry."""
    return list(dict.fromkeys(mark for name, mark in marks.items() if mark and name.may_be_loss))


def _mark(component: Sequence[str]) -> Mark:
    """The words that number a repetition: ("fold0",) or ("fold", "0"); () for none."""
    for place, word in enumerate(component):
        match = _NUMBERED.fullmatch(word)
        if match and match.group(2):
            return (word,)
        if match and place + 1 < len(component) and component[place + 1].isdigit():
            return word, component[place + 1]
    return ()


def _by_folder(names: Sequence[Name]) -> dict[Name, Mark]:
    """Marks by the first folder of a name, `a/loss` and `b/loss`, where each holds the same series of a run.

    Losses alone may be parts of one (`image/loss`, `text/loss`): a run logs a metric or a rate beside its own. A loss
    outside of folders is the total.
    """
    marks = {name: _folder(name.raw) for name in names}
    held: dict[Mark, set[tuple[str, str, Mark]]] = {}
    for name, mark in marks.items():
        held.setdefault(mark, set()).add((name.split, name.quantity, _without(name.component, mark)))
    of_none = {quantity for _, quantity, _ in held.pop((), set())}
    series = next(iter(held.values()), set())
    alike = all(own == series for own in held.values())
    if not alike or "loss" in of_none or {quantity for _, quantity, _ in series} <= {"loss", ""}:
        return dict.fromkeys(names, ())
    return marks


def _folder(raw: str) -> Mark:
    """The words of the first folder of a name; () where they name a side, a part of a loss, or nothing but a number."""
    first, slash, rest = raw.partition("/")
    words = tokens(first)
    told = is_run_name(first) and not first.isdigit() and not SPLITS.keys() & set(words)
    return words if slash and rest and told else ()


def _without(component: Sequence[str], mark: Collection[str]) -> tuple[str, ...]:
    return tuple(word for word in component if word not in mark)
