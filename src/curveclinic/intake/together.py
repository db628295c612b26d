"""What names mean beside each other: `t_loss` and `v_loss` are two sides, `fold0/loss` and `fold1/loss` two runs."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Literal

from curveclinic.intake.charts import is_run_name
from curveclinic.intake.naming import Name, quoted
from curveclinic.intake.vocabulary import CROSS_VAL, NUMBERED, SHORT_VAL, SIDE_LETTERS, SPLITS, Rank, tokens

_NUMBERED = re.compile(rf"({'|'.join(NUMBERED)})(\d*)")

Mark = tuple[str, ...]
"""Words that tell the series of one run from those of another; () for none."""


def settled_names(names: Sequence[Name]) -> tuple[list[Name], list[str]]:
    """Returns the names of one run, each with its side, and remarks."""
    one, remarks = _first_repetition(names)
    return _cross_val(_short_val(_sides_by_letter(one))), remarks


def _short_val(names: Sequence[Name]) -> list[Name]:
    """Gives names with `va` their side where train logs the same loss by its side, and no loss is of neither."""
    shortened, others = _losses_with(SHORT_VAL, names)
    of_train = {n.component for n in others if n.split == "train"}
    if any(n.split in ("val", "") for n in others) or of_train.isdisjoint(shortened):
        return list(names)
    return [_with_side(name, SHORT_VAL, "val") for name in names]


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


def _sides_by_letter(names: Sequence[Name]) -> list[Name]:
    """Gives names their side where the losses are one of `t` and one of `v`: beside a `u_loss` they are parts."""
    parts = [n.component for n in names if n.quantity == "loss" and n.rank == Rank.LOSS]
    if sorted(parts) != sorted((letter,) for letter in SIDE_LETTERS) or any(n.split for n in names):
        return list(names)
    for letter, side in SIDE_LETTERS.items():
        names = [_with_side(name, letter, side) for name in names]
    return list(names)


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
        return list(names), []
    kept = [name for name in names if marks[name] in ((), found[0])]
    remark = (
        f"several runs in one table: {' '.join(found[0])} is judged, not {quoted(map(' '.join, found[1:]), limit=3)}"
    )
    return [replace(name, component=_without(name.component, found[0])) for name in kept], [remark]


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


def _without(component: Sequence[str], mark: Sequence[str]) -> tuple[str, ...]:
    return tuple(word for word in component if word not in mark)
