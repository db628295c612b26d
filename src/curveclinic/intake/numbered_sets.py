"""Evaluation sets that are numbered: `val_acc/dataloader_idx_0`, and `validation_0`, which may be the training set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np

from curveclinic.intake.naming import Name, Quantity
from curveclinic.intake.vocabulary import SPLITS, tokens
from curveclinic.points import FloatArray, Points

_END = 0.2
"""Share of the points at the end whose level tells which of two sets is fitted better."""

_CLEAR = 0.05
"""Share of its range that the loss of the training set may rise, and has to end below the other one."""

_GROWN = 2.0
"""The gap at the end is more than so many times the first one; sets that only differ in level keep theirs."""

_TRAINED_ON = "{}_0 is taken for the training set, as in eval_set=[(X, y), (Xv, yv)]"
_UNTOLD = "no train loss is logged; if {}_0 is the training set, call it 'train'"

_SETS = ("validation", "valid")
"""What the doors of XGBoost and of LightGBM to scikit-learn call an evaluation set, before its number."""


def kind_of(name: Name) -> tuple[str, ...]:
    """What an error measures, whatever its numbers: `validation_0-rmse` and `train-rmse` measure the same."""
    return tuple(word for word in name.component if not word.isdigit())


def of_any_set(name: Name) -> tuple[str, ...]:
    """What is measured, whatever the number of the set: that of `val_1_acc` and `val_acc/dataloader_idx_0`.

    The number in `val_recall@20` belongs to what is measured.
    """
    component = list(name.component)
    for before, word in pairwise(tokens(name.raw)):
        if word.isdigit() and word in component and (before == "idx" or SPLITS.get(before, "train") != "train"):
            component.remove(word)
    return tuple(component)


def in_order(names: Sequence[Name]) -> list[Name]:
    """Returns the names with the sets of one quantity by their numbers, in the places of one another."""
    places: dict[tuple[str, Quantity, tuple[str, ...]], list[int]] = {}
    for place, name in enumerate(names):
        if name.split in ("val", "test"):
            places.setdefault((name.split, name.quantity, of_any_set(name)), []).append(place)
    out = list(names)
    for own in places.values():
        for place, name in zip(own, sorted((names[k] for k in own), key=_number), strict=True):
            out[place] = name
    return out


def _number(name: Name) -> list[tuple[int, str]]:
    return [(len(word), word) for word in name.component if word.isdigit()]


def with_training_set(names: Sequence[Name], table: Mapping[str, Points]) -> tuple[Sequence[Name], list[str]]:
    """Returns the names, `validation_0` or `valid_0` as train where it looks it, and a remark.

    The doors of XGBoost and LightGBM to scikit-learn number what they are given as `eval_set`, and the usual is the
    training set first. Then its loss does not rise, and falls more and more below that of the second. LightGBM names
    its own training data, but not a copy of them.
    """
    losses = [n for n in names if n.may_be_loss]
    sets = [{kind_of(n): n for n in losses if _is_set(n, number)} for number in "01"]
    kind = next((k for k in sets[0] if k in sets[1]), None)
    if kind is None or any(n.split in ("train", "") for n in losses):
        return names, []
    if not _is_fitted(*(table[own[kind].raw][1] for own in sets)):
        return names, [_UNTOLD.format(tokens(sets[0][kind].raw)[0])]
    trained_on = _TRAINED_ON.format(tokens(sets[0][kind].raw)[0])
    return [_of_training(n) if _is_set(n, "0") else n for n in names], [trained_on]


def _is_set(name: Name, number: str) -> bool:
    words = tokens(name.raw)
    return words[1:2] == (number,) and words[0] in _SETS


def _of_training(name: Name) -> Name:
    at = name.component.index("0")
    return replace(name, split="train", component=name.component[:at] + name.component[at + 1 :])


def _is_fitted(first: FloatArray, second: FloatArray) -> bool:
    """Whether the first of two losses is that of the training set."""
    both = np.isfinite(first[: len(second)]) & np.isfinite(second[: len(first)])
    first, second = first[: len(both)][both], second[: len(both)][both]
    if not len(first):
        return False
    end = float(np.median(first[-max(1, int(_END * len(first))) :]))
    gap = float(np.median(second[-max(1, int(_END * len(first))) :])) - end
    clear = _CLEAR * float(np.ptp(first))
    return bool(end - first.min() <= clear < gap and gap > _GROWN * (second[0] - first[0]))
