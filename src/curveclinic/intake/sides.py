"""Rows that say of which part of the data they tell: a `split`, `phase` or `mode` beside a bare `loss`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from curveclinic.intake.naming import parse
from curveclinic.intake.vocabulary import SPLITS, tokens
from curveclinic.points import IntArray

if TYPE_CHECKING:
    from curveclinic.intake.grid import Column

_SIDE_COLUMNS = frozenset(("split", "phase", "mode", "stage", "dataset", "set", "subset", "partition"))


def may_tell_side(name: str) -> bool:
    """Whether a column may say of which part of the data a row tells."""
    return name.strip().lower() in _SIDE_COLUMNS


@lru_cache(maxsize=1024)
def part_of(side: str) -> str:
    """Returns which part of the data a cell names: "train", "val" or "test"; "" for none."""
    parts = [SPLITS[word] for word in tokens(side) if word in SPLITS]
    return "train" if "train" in parts else next(iter(parts), "")


def is_evaluated(side: str) -> bool:
    """Whether a row is one of validation or test; one that says anything else, or nothing, is of the training."""
    return part_of(side) in ("val", "test")


def side_column(texts: Mapping[str, Sequence[str]]) -> str | None:
    """Returns which of the columns tells the sides of rows: the one with rows of both, by name rather than by default.

    Args:
        texts: name -> cells, for the columns that may tell; "" for a missing cell.
    """
    parts = {name: set(map(part_of, set(cells))) for name, cells in texts.items()}
    both = [name for name, own in parts.items() if own & {"val", "test"} and own & {"train", ""}]
    return next((name for name in both if "train" in parts[name]), next(iter(both), None))


def named_by_side(
    columns: dict[str, Column], texts: Mapping[str, Sequence[str]], run_of: IntArray | None = None
) -> dict[str, Column]:
    """Returns the columns, with what rows of validation and test hold in columns of their own, `val/loss`.

    Names that say their side stay, and so does what is beside such a loss. A rate in such a row is no point of its own,
    and nothing is in one of a sanity check.

    Args:
        columns: the numbers of a table.
        texts: name -> cells, for the columns that may tell the side; "" for a missing cell.
        run_of: number of the run each row belongs to; a run without a row of the training has no sides.
    """
    told = side_column(texts)
    if told is None:
        return columns
    sides = np.array([side.strip() if is_evaluated(side) or _is_check(side) else "" for side in texts[told]])
    runs = np.zeros(len(sides), dtype=np.int64) if run_of is None else run_of
    sides[~np.isin(runs, runs[sides == ""])] = ""
    for name, column in columns.items():
        known = parse(name)
        if known.quantity == "loss" and known.split in ("val", "test"):
            sides[column.rows[np.isfinite(column.values)]] = ""
    called = _called(set(sides.tolist()))
    out: dict[str, Column] = {}
    for name, column in columns.items():
        known, own = parse(name), sides[column.rows]
        if known.split or known.quantity not in ("loss", "metric", "lr"):
            out[name] = column
            continue
        for side in dict.fromkeys(own.tolist()):
            here = own == side
            if not side or not (known.quantity == "lr" or _is_check(side)):
                sided = f"{called[side]}/{name}" if side else name
                out.setdefault(sided, replace(column, rows=column.rows[here], values=column.values[here]))
    return out


def _called(sides: Collection[str]) -> dict[str, str]:
    """Returns what sides are called: the part of the data for several words, where no other side is of that part."""
    parts = Counter(map(part_of, sides))
    return {side: part if parts[part := part_of(side)] == 1 and len(tokens(side)) > 1 else side for side in sides}


def _is_check(side: str) -> bool:
    """Whether a row is of Lightning's `sanity_check`, before the training."""
    return "sanity" in tokens(side)
