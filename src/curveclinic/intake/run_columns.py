"""Columns that tell the runs of a table apart: their names, folds, seeds, trials and models, what a sweep sets."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache

import numpy as np

from curveclinic.intake.naming import parse
from curveclinic.intake.sides import part_of
from curveclinic.intake.step_names import COARSE, axis_key
from curveclinic.intake.vocabulary import REPETITIONS
from curveclinic.points import FloatArray, IntArray

RUN_COLUMNS = ("run_id", "run_uuid", "run_name", "run", "trial_id")
"""Columns that tell the runs of a long table apart, the first one found counts."""

ID_COLUMNS = (*RUN_COLUMNS, "id")
"""Columns that name the run of a row, where one row is one run."""

_RATES = ("lr", "learning_rate")
"""Settings that change within a run, too."""

_SETTINGS = (
    *_RATES,
    *("batch_size", "bs", "dropout", "weight_decay", "wd", "momentum", "hidden", "hidden_size", "hidden_dim", "units"),
    *("width", "depth", "n_layers", "num_layers", "activation", "alpha", "beta", "gamma", "lambda", "temperature"),
    *("name", "group", "method", "algorithm", "arch", "architecture", "variant"),
)
"""Columns of what a sweep sets, and of what its runs are called."""

_FEWEST = 3
"""Rows of a run that a setting tells."""

_ENDS = ("", "_id", "_idx", "_index", "_name", "_no", "_num", "_number")
"""What may stand behind the name of a repetition."""

_ROW_COUNTS = ("", "_step", "index", "idx")
"""Axes that may count the rows of a table, whatever runs it holds."""

_MOSTLY = 0.5
"""Share of a run's rows that are behind another run, where the axis starts over for it."""


@lru_cache(maxsize=1024)
def telling(names: tuple[str, ...]) -> Mapping[str, str]:
    """Returns what may tell the runs of a table apart -> the column called so, such as "fold" -> `Fold ID`.

    In the order in which they count.
    """
    spelt: dict[str, str] = {}
    for name in sorted(names, key=lambda name: name != _spelling(name)):
        spelt.setdefault(_spelling(name), name)
    found = {key: spelt[key] for key in RUN_COLUMNS if key in spelt}
    for key in REPETITIONS:
        found |= next(({key: spelt[key + end]} for end in _ENDS if key + end in spelt), {})
    return found


@lru_cache(maxsize=1024)
def settings_among(names: tuple[str, ...]) -> Mapping[str, str]:
    """Returns what a sweep may set -> the column called so, such as "batch_size" -> `Batch Size`."""
    spelt = {_spelling(name): name for name in reversed(names)}
    return {key: spelt[key] for key in _SETTINGS if key in spelt}


def may_tell_run(name: str) -> bool:
    """Whether a column is named like one that tells the runs of a table apart."""
    return bool(telling((name,)))


def _spelling(name: str) -> str:
    return re.sub(r"[ .-]", "_", name.strip().lower())


def runs_told(
    names: Iterable[str], texts_of: Callable[[str], Sequence[str]], axis: str, steps: FloatArray
) -> tuple[list[str], IntArray | None, tuple[str, ...]]:
    """Returns the columns that tell the runs of a table apart, the number of each row's run, and the runs' names.

    A fold tells them where every row has one and they differ; so does a seed, a trial, a model or the like for which
    the steps start over, else the one run that there is only changes it. Without steps each seed is a run. What a sweep
    sets tells them where each of its values, alone or together, has rows of its own from the first step on.

    Args:
        names: all columns.
        texts_of: column -> its cells as texts; "" for a missing cell.
        axis: name of the column of steps; "" if rows are counted.
        steps: the step of each row.
    """
    listed = tuple(names)
    columns = telling(listed)
    texts = {key: texts_of(name) for key, name in columns.items()}
    known = next((key for key in RUN_COLUMNS if key in texts), None)
    if known is not None:
        return [columns[known]], *numbered(texts[known])
    told: list[str] = []
    run_of = np.zeros(len(steps), dtype=np.int64)
    for key in (key for key in REPETITIONS if key in texts and all(texts[key])):
        own, different = numbered(texts[key])
        finer = np.unique(run_of * len(different) + own, return_inverse=True)[1]
        if len(different) > 1 and (
            (not told and (key == "fold" or (key == "seed" and axis in _ROW_COUNTS)))
            or ((key == "seed" or finer.max() + 1 < len(finer)) and _starts_over(steps, run_of, finer))
        ):
            told.append(key)
            run_of = finer
    if axis and np.count_nonzero(steps == steps[0]) > 1 and not _go_up(steps, run_of):
        settings = settings_among(listed)
        swept = _swept({key: texts_of(name) for key, name in settings.items()}, axis, steps, run_of)
        columns, texts, told = {**settings, **columns}, {**texts, **swept}, [*told, *swept]
    if not told:
        return [], None, ()
    if len(told) == 1:
        return [columns[told[0]]], *numbered(texts[told[0]])
    rows = zip(*(texts[key] for key in told), strict=True)
    joined = [", ".join(map(" ".join, zip(told, cells, strict=True))) for cells in rows]
    return [columns[key] for key in told], *numbered(joined)


def _swept(
    settings: Mapping[str, Sequence[str]], axis: str, steps: FloatArray, run_of: IntArray
) -> dict[str, Sequence[str]]:
    """Returns the settings that tell the runs of a sweep, with their cells; none where the table is no sweep."""
    varied = {name: cells for name, cells in settings.items() if all(cells) and _is_setting(set(cells))}
    fixed = {name: cells for name, cells in varied.items() if name not in _RATES}
    for tried in (varied, fixed) if axis_key(axis) in COARSE else (fixed,):
        finer = run_of
        for cells in tried.values():
            own, names = numbered(cells)
            finer = np.unique(finer * len(names) + own, return_inverse=True)[1]
        begins = np.unique(finer, return_index=True)[1]
        is_alike = np.bincount(finer).min() >= _FEWEST and bool((steps[begins] == steps[0]).all())
        if tried and is_alike and _go_up(steps, finer):
            return tried
    return {}


def _is_setting(values: set[str]) -> bool:
    """Whether cells differ, and name no part of the data and nothing that is measured."""
    return len(values) > 1 and not any(part_of(text) or parse(text).quantity for text in values)


def _go_up(steps: FloatArray, run_of: IntArray) -> bool:
    """Whether the steps of each run go up from row to row."""
    order = np.argsort(run_of, kind="stable")
    is_same = np.diff(run_of[order]) == 0
    return bool((np.diff(steps[order])[is_same] > 0).all())


def _starts_over(steps: FloatArray, run_of: IntArray, finer: IntArray) -> bool:
    """Whether runs divide into finer ones, of one of which most rows are at steps that another was at before."""
    order = np.argsort(run_of, kind="stable")
    steps = (steps + run_of * (np.ptp(steps) + 1))[order]  # each run above the one before it
    codes = finer[order]
    furthest = np.maximum.accumulate(steps)
    is_ahead = np.append(True, steps[1:] > furthest[:-1])
    leader = codes[np.maximum.accumulate(np.where(is_ahead, np.arange(len(steps)), 0))]
    n_behind = np.bincount(codes[codes != leader], minlength=finer.max() + 1)
    return bool((n_behind > _MOSTLY * np.bincount(codes)).any())


def numbered(names: Sequence[str]) -> tuple[IntArray, tuple[str, ...]]:
    """Returns the number of each name, in order of first appearance, and the names."""
    known: dict[str, int] = {}
    codes = np.fromiter((known.setdefault(n, len(known)) for n in names), dtype=np.int64, count=len(names))
    return codes, tuple(known)
