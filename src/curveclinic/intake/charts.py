"""Tables with columns of several runs: W&B's `<run> - <metric>`, (run, metric) on two levels, `lr0.1_val_loss`."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from functools import lru_cache
from string import digits
from typing import Final, TypeVar

from curveclinic.intake.naming import parse
from curveclinic.intake.vocabulary import NEVER, NOT_RUNS, NUMBERED, SIDE_LIKE, SPLITS, TASKS, tokens

Column = TypeVar("Column")

JOINT: Final = " - "
"""What W&B puts between the name of a run and that of a metric."""

_BOUNDS = ("__MIN", "__MAX")

_SETTINGS: Final = (
    *("lr", "learning[_ -]?rate", "bs", "batch[_ -]?size", "wd", "weight[_ -]?decay", "dropout", "momentum"),
    *("hidden(?:[_ -]?(?:size|dim|units))?", "units", "alpha", "beta", "gamma", "lam(?:bda)?", "temp(?:erature)?"),
)
"""What is set to another number in each run of a sweep."""

_KINDS: Final = (
    *("sgd", "adam", "adamw", "adamax", "adagrad", "adadelta", "adafactor", "rmsprop", "nadam", "radam", "lamb"),
    *("lion", "lbfgs", "muon"),
    *("resnet", "resnext", "densenet", "mobilenet", "efficientnet", "convnext", "alexnet", "lenet", "unet"),
    *("vgg", "vit", "swin", "bert", "roberta", "distilbert", "gpt", "lstm", "bilstm", "gru", "rnn", "cnn", "mlp"),
    *("transformer", "baseline", "ours", "proposed"),
)
"""Optimisers and architectures, and what papers call theirs and the others."""

_LETTERED: Final = ("model", "net", "network", "config", "variant", "version", "setup", "method")
"""Words that, with a letter or a number, name a run: `model_a_loss`."""

_TOLD = re.compile(
    r"(?<![^\W_])(?:"
    rf"(?:{'|'.join(_SETTINGS)})[\s_=:-]*\d*\.?\d+(?:e[+-]?\d+)?"
    rf"|(?:{'|'.join(_KINDS)})[_-]?\d*"
    rf"|(?:{'|'.join(_LETTERED)})[\s_-]?(?:(?![gd](?![^\W_]))[a-z]|\d+)"
    r")(?![^\W_])",
    re.IGNORECASE,
)
"""What tells a run within the name of a column; `net_g` and `net_d` are opponents."""

_NO_RUNS: Final = NOT_RUNS | TASKS | SIDE_LIKE | NEVER | frozenset(NUMBERED)
"""Words of which none stands in the name of a run before that of a side; `together` knows folds."""

_SEPARATORS: Final = " _-/.:,|()[]="


def labelled(name: str) -> tuple[str, str]:
    """Returns the run and the metric that a column is named by; ("", name) where it names no run."""
    label, own = _levels(name) if name.startswith("(") else ("", "")
    if not label:
        label, _, own = name.rpartition(JOINT)
    return (label, own) if own and is_run_name(label) else ("", name)


def is_run_name(label: str) -> bool:
    """Whether a word or two before the name of a metric may be that of a run: no side, no part of a loss."""
    words = tokens(label)
    named = {word.strip(digits) for word in words} - {""}
    return bool(words) and (not named or not named <= NOT_RUNS)


def is_bound(name: str) -> bool:
    """Whether a column of such a chart is the band around another."""
    return name.endswith(_BOUNDS)


def without_bound(name: str) -> str:
    """Returns the column that such a band is around."""
    return name[: -len(_BOUNDS[0])]


def taken_apart(columns: Mapping[str, Column]) -> dict[str, dict[str, Column]]:
    """Returns run -> its columns by their own names, those of no run among them; empty where all are one run's."""
    runs: dict[str, dict[str, Column]] = {}
    for name, (label, own) in _labels(tuple(columns)).items():
        runs.setdefault(label, {})[own] = columns[name]
    shared = runs.pop("", {})
    return {label: {**shared, **own} for label, own in runs.items()}


@lru_cache(maxsize=1024)
def _labels(names: tuple[str, ...]) -> Mapping[str, tuple[str, str]]:
    """Returns column -> its run, "" for none, and its own name; empty where all are one run's.

    There are several runs where columns of several labels hold the same loss, and none without a label does. What
    stands before a side must name the same losses of both sides for each: else it may be a part of one.
    """
    if any(JOINT in name or name.startswith("(") for name in names):
        found = {name: labelled(name) for name in names if not is_bound(name)}
        if _are_runs(found):
            return found
    found = {name: _before_side(name) for name in names}
    if _are_runs(found) and _are_alike(found):
        return found
    found = {name: _told(name) for name in names}
    return found if _are_runs(found) else {}


def _are_runs(found: Mapping[str, tuple[str, str]]) -> bool:
    losses = [(label, own) for label, own in found.values() if parse(own).may_be_loss]
    return len({own for _, own in losses}) < len(losses) and all(label for label, _ in losses)


def _are_alike(found: Mapping[str, tuple[str, str]]) -> bool:
    """Whether each label has the same losses, of the training and of validation or test."""
    held: dict[str, set[str]] = {}
    for label, own in found.values():
        if parse(own).may_be_loss:
            held.setdefault(label, set()).add(own)
    first, *others = held.values()
    return all(own == first for own in others) and len({parse(own).split == "train" for own in first}) > 1


def _before_side(name: str) -> tuple[str, str]:
    """The words before the side in the name of a column, `small_train_loss`, and the rest; ("", name) without."""
    for piece in re.finditer(r"[^\W_]+", name):
        if piece.group().lower() in SPLITS:
            label = name[: piece.start()].strip(_SEPARATORS)
            words = {word.strip(digits) for word in tokens(label)}
            is_run = label and "/" not in name[: piece.start()] and words.isdisjoint(_NO_RUNS)
            return (label, name[piece.start() :]) if is_run else ("", name)
    return "", name


def _told(name: str) -> tuple[str, str]:
    """What tells a run in the name of a column, and the rest of it; ("", name) where nothing does."""
    label = " ".join(match.group() for match in _TOLD.finditer(name))
    own = _TOLD.sub("", name).strip(_SEPARATORS)
    return (label, own) if label and own else ("", name)


def _levels(name: str) -> tuple[str, str]:
    """The label and the last level of a name such as "('a', 'loss')", which is what columns on levels become."""
    try:
        levels = ast.literal_eval(name)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return "", ""
    return ("/".join(map(str, levels[:-1])), str(levels[-1])) if isinstance(levels, tuple) and levels else ("", "")
