"""Tables with a column for every run: `<run> - <metric>` as W&B exports a chart, or (run, metric) on two levels."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from string import digits
from typing import Final, TypeVar

from curveclinic.intake.naming import parse
from curveclinic.intake.vocabulary import NOT_RUNS, tokens

Column = TypeVar("Column")

JOINT: Final = " - "
"""What W&B puts between the name of a run and that of a metric."""

_BOUNDS = ("__MIN", "__MAX")


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
    """Returns run -> its columns by their own names, those of no run among them; empty where all are one run's.

    There are several runs where columns of several labels hold the same loss, and none without a label does.
    """
    if not any(JOINT in name or name.startswith("(") for name in columns):
        return {}
    runs: dict[str, dict[str, Column]] = {}
    for name, column in columns.items():
        label, own = labelled(name)
        if not is_bound(name):
            runs.setdefault(label, {})[own] = column
    shared = runs.pop("", {})
    losses = [name for own in runs.values() for name in own if parse(name).may_be_loss]
    if len(set(losses)) == len(losses) or any(parse(name).may_be_loss for name in shared):
        return {}
    return {label: {**shared, **own} for label, own in runs.items()}


def _levels(name: str) -> tuple[str, str]:
    """The label and the last level of a name such as "('a', 'loss')", which is what columns on levels become."""
    try:
        levels = ast.literal_eval(name)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return "", ""
    return ("/".join(map(str, levels[:-1])), str(levels[-1])) if isinstance(levels, tuple) and levels else ("", "")
