"""Which losses of a run are the train loss and which the validation loss: the total, a sum of parts, one of them.

The total is preferred to the sum of the components logged on both sides, and that to a single component.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from curveclinic.intake.naming import Name, parse, quoted
from curveclinic.intake.numbered_sets import kind_of
from curveclinic.intake.vocabulary import ADVERSARIAL, Rank, is_part, tokens
from curveclinic.labels import RunKind
from curveclinic.points import Points

_SIZE = 3.0
"""Factor between a total of training and the sum of parts of validation up to which they are one loss."""

_MISFIT = 2e-3
"""Share of a total up to which it is the sum of its parts; they may be rounded."""

_MISFIT_OF_PART = 0.1
"""The same as a share of each part: without one of them it is no such sum."""

_SUMMED = 0.9
"""Share of the points of a total that are to be such sums."""

_FEWEST_SUMS = 5
"""Points below which sums may be chance."""

_FEWEST_MEANS = 8
"""A series of the means of epochs or evaluations that is shorter says less than that of single steps beside it."""

TEST_NOTE = "no validation loss is logged; the test loss is taken for it"

Part = tuple[str, ...]
"""Words that tell one part of a loss from another; () is the total."""


def losses_of(
    names: Sequence[Name], size: Mapping[str, int], table: Mapping[str, Points]
) -> tuple[list[Name], list[Name], list[str], RunKind]:
    """Returns the names to add up for the train loss, for the validation loss, remarks, and what the losses are."""
    lossy = [n for n in names if n.may_be_loss]
    train, val = _train_side(lossy, size), [n for n in lossy if n.split == "val"]
    notes = []
    test = _standing_in([n for n in lossy if n.split == "test" and size[n.raw] > 1], train, val)
    if test:
        val, notes = test, [TEST_NOTE]
    train, val = _same_tier(train, val)
    parts, val_parts = _by_component(train), _by_component(val)
    shared = [c for c in parts if c in val_parts]
    wanted: list[Part]
    val_wanted: list[Part]
    if () in shared or (() in parts and not val) or (() in val_parts and not train):
        wanted = val_wanted = [()]
    elif shared:
        wanted = val_wanted = _addable(shared, parts, val_parts, size, table)
    else:
        wanted = [()] if () in parts else _addable(list(parts), parts, {}, size, table)
        val_wanted = [()] if () in val_parts else list(val_parts)[:1]
        if () not in val_parts and () in parts and _makes_total(val_parts, parts[()], table):
            val_wanted = _addable(list(val_parts), val_parts, {}, size, table)
        elif () not in val_parts and len(val_parts) > 1:
            others = ", ".join(g[0].raw for c, g in val_parts.items() if c not in val_wanted)
            notes.append(f"several evaluation sets: the first is judged, not {others}")
    kind: RunKind = "ordinary"
    if any(ADVERSARIAL & set(c) for c in parts):
        kind = "opponents" if any(ADVERSARIAL & set(c) for c in wanted) else "opponents with total"
    chosen_val = [by_cadence(val_parts[c], size, 0) for c in val_wanted if c in val_parts]
    n_val = max((size[n.raw] for n in chosen_val), default=0)
    chosen = [by_cadence(parts[c], size, n_val) for c in wanted if c in parts]
    if not chosen_val or not any(n.split == "test" for n in chosen_val):
        notes = [n for n in notes if n != TEST_NOTE]
    return chosen, chosen_val, notes, kind


def with_value_loss(names: Sequence[Name], table: Mapping[str, Points]) -> tuple[Sequence[Name], list[str]]:
    """Returns names in which `val_loss` is that of value where the total is the sum of it and the other parts.

    A net that plays, as AlphaZero does, logs `loss`, `pol_loss` and `val_loss`; no validation adds up like that.
    """
    totals, parts, vals = list[Name](), list[Name](), list[Name]()
    for n in names:
        if n.is_loss and (not n.split or (n.split == "val" and "val" in tokens(n.raw))):
            (vals if n.split else parts if n.component else totals).append(n)
    if not parts or len(totals) != 1 or len(vals) != 1 or not _adds_up(totals[0], [*parts, *vals], table):
        return names, []
    (val,) = vals
    value = replace(parse("value_loss"), raw=val.raw)
    note = f"{val.raw} is a part, no validation: {totals[0].raw} is the sum of {quoted(n.raw for n in (*parts, val))}"
    return [value if n is val else n for n in names], [note]


def _adds_up(total: Name, parts: Sequence[Name], table: Mapping[str, Points]) -> bool:
    """Whether a total is the sum of parts, of which none is too small to tell, at nearly every point."""
    whole = table[total.raw]
    if not all(same_steps(whole, table[n.raw]) for n in parts):
        return False
    known = np.isfinite(whole[1]) & (whole[1] != 0)
    if np.count_nonzero(known) < _FEWEST_SUMS:
        return False
    sums, values = whole[1][known], np.stack([table[n.raw][1][known] for n in parts])
    with np.errstate(invalid="ignore", over="ignore"):
        misfit = np.abs(sums - values.sum(axis=0))
        is_sum = (misfit <= _MISFIT * np.abs(sums)) & (misfit <= _MISFIT_OF_PART * np.abs(values).min(axis=0))
    return bool(np.mean(is_sum) >= _SUMMED)


def _standing_in(test: list[Name], train: Sequence[Name], val: Sequence[Name]) -> list[Name]:
    """Test losses to take for the missing validation: losses by name, else errors where train logs the same as well."""
    if any(n.is_loss for n in val):
        return []
    if any(n.is_loss for n in test):
        return test
    if val or any(n.is_loss for n in train):
        return []
    kinds = {kind_of(n) for n in train}
    return [n for n in test if kind_of(n) in kinds]


def _train_side(lossy: Sequence[Name], size: Mapping[str, int]) -> list[Name]:
    """Losses of the training set; a bare `loss` counts unless a real `train_loss` series is beside it.

    Hugging Face logs `loss` all along and one final `train_loss`, the average of the run; nanoGPT
    logs one at each evaluation.
    """
    named = [n for n in lossy if n.split == "train"]
    bare = [n for n in lossy if n.split == ""]
    longest_bare = max((size[n.raw] for n in bare), default=0)
    total = any(
        n.rank == Rank.LOSS and not n.component and size[n.raw] >= min(_FEWEST_MEANS, longest_bare) for n in named
    )
    bare_total = any(n.is_loss and not n.component for n in bare)
    if named and (total or not bare_total):
        return named
    return [n for n in named if size[n.raw] >= min(3, longest_bare)] + bare


def _same_tier(train: Sequence[Name], val: Sequence[Name]) -> tuple[list[Name], list[Name]]:
    """Keeps the best kind of loss that both sides log, else the best of each side."""

    def of(side: Sequence[Name], rank: Rank) -> list[Name]:
        return [n for n in side if n.rank == rank]

    for rank in (Rank.LOSS, Rank.LOSS_LIKE):
        if of(train, rank) and of(val, rank):
            return of(train, rank), of(val, rank)
    if any(n.is_loss for n in (*train, *val)):
        return of(train, Rank.LOSS) or of(train, Rank.LOSS_LIKE), of(val, Rank.LOSS) or of(val, Rank.LOSS_LIKE)
    for rank in (Rank.ERROR, Rank.PERPLEXITY):
        if of(train, rank) or of(val, rank):
            return _like_first(of(train, rank), of(val, rank))
    return [], []


def _like_first(train: list[Name], val: list[Name]) -> tuple[list[Name], list[Name]]:
    """Keeps one kind of error of several: the first one that both sides log, else the first one of each."""
    evaluated = {kind_of(n) for n in val}
    kind = next((kind_of(n) for n in train if kind_of(n) in evaluated), kind_of((train or val)[0]))
    same = [n for n in val if kind_of(n) == kind]
    return [n for n in train if kind_of(n) == kind], same or val[:1]


def _by_component(names: Iterable[Name]) -> dict[Part, list[Name]]:
    groups: dict[Part, list[Name]] = {}
    for name in names:
        groups.setdefault(name.component, []).append(name)
    return groups


def _makes_total(parts: Mapping[Part, list[Name]], total: list[Name], table: Mapping[str, Points]) -> bool:
    """Whether components are parts of one loss, and add up to about the size of a total."""
    if not all(map(is_part, parts)):
        return False
    begins = abs(_first_value(total[0], table))
    return begins / _SIZE <= abs(sum(_first_value(group[0], table) for group in parts.values())) <= _SIZE * begins


def _first_value(name: Name, table: Mapping[str, Points]) -> float:
    """The first number of a column, NaN without one."""
    values = table[name.raw][1]
    return float(next(iter(values[np.isfinite(values)]), np.nan))


def _addable(
    wanted: list[Part],
    parts: Mapping[Part, list[Name]],
    val_parts: Mapping[Part, list[Name]],
    size: Mapping[str, int],
    table: Mapping[str, Points],
) -> list[Part]:
    """Returns the components to add up: all that share their steps, else the longest alone."""
    for side in (parts, val_parts):
        sources = [by_cadence(side[c], size, 0) for c in wanted if c in side]
        if not all(same_steps(table[sources[0].raw], table[s.raw]) for s in sources[1:]):
            return [max(wanted, key=lambda c: max(size[n.raw] for n in parts[c]))]
    return wanted


def same_steps(a: Points, b: Points) -> bool:
    """Whether two series have their points at the same steps."""
    if a[0] is None or b[0] is None:
        return a[0] is b[0] and len(a[1]) == len(b[1])
    return np.array_equal(a[0], b[0])


def by_cadence(names: Sequence[Name], size: Mapping[str, int], n_val: int) -> Name:
    """Of the series of one quantity: `_epoch` where validation is per epoch, else the longest."""
    if len(names) == 1:
        return names[0]
    epoch = next((n for n in names if n.cadence == "epoch"), None)
    if epoch and size[epoch.raw] >= _FEWEST_MEANS and 0 < n_val <= 1.5 * size[epoch.raw]:
        return epoch
    return max(names, key=lambda n: (size[n.raw], n.cadence != "step"))
