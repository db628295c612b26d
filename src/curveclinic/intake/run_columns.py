"""Columns that tell the runs of a table apart: their names, and folds, seeds, trials and models."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache

import numpy as np

from curveclinic.intake.vocabulary import REPETITIONS
from curveclinic.points import FloatArray, IntArray

RUN_COLUMNS = ("run_id", "run_uuid", "run_name", "run", "trial_id")
"""Columns that tell the runs of a long table apart, the first one found counts."""

ID_COLUMNS = (*RUN_COLUMNS, "id")
"""Columns that name the run of a row, where one row is one run."""

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


def may_tell_run(name: str) -> bool:
    """Whether a column is named like one that tells the runs of a table apart."""
    return bool(telling((name,)))


def _spelling(name: str) -> str:
    return re.sub(r"[ .-]", "_", name.strip().lower())


def runs_told(
    texts: Mapping[str, Sequence[str]], axis: str, steps: FloatArray
) -> tuple[tuple[str, ...], IntArray | None, tuple[str, ...]]:
    """Returns the columns that tell the runs of a table apart, the number of each row's run, and the runs' names.

    A fold tells them where every row has one and they differ; so does a seed, a trial, a model or the like for which
    the steps start over, else the one run that there is only changes it. Without steps each seed is a run.

    Args:
        texts: see `telling` -> cells of the column; "" for a missing cell.
        axis: name of the column of steps; "" if rows are counted.
        steps: the step of each row.
    """
    known = next((name for name in RUN_COLUMNS if name in texts), None)
    if known is not None:
        return (known,), *numbered(texts[known])
    told: list[str] = []
    run_of = np.zeros(len(steps), dtype=np.int64)
    for name in (name for name in REPETITIONS if name in texts and all(texts[name])):
        own, names = numbered(texts[name])
        finer = np.unique(run_of * len(names) + own, return_inverse=True)[1]
        if len(names) > 1 and (
            (not told and (name == "fold" or (name == "seed" and axis in _ROW_COUNTS)))
            or ((name == "seed" or finer.max() + 1 < len(finer)) and _starts_over(steps, run_of, finer))
        ):
            told.append(name)
            run_of = finer
    if not told:
        return (), None, ()
    if len(told) == 1:
        return (told[0],), *numbered(texts[told[0]])
    rows = zip(*(texts[name] for name in told), strict=True)
    return tuple(told), *numbered([", ".join(map(" ".join, zip(told, cells, strict=True))) for cells in rows])


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
