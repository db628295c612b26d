"""Rows that say of which part of the data they tell: a `split`, `phase` or `mode` beside a bare `loss`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from curveclinic.intake.naming import parse
from curveclinic.intake.vocabulary import SPLITS

if TYPE_CHECKING:
    from curveclinic.intake.grid import Column

_SIDE_COLUMNS = frozenset(("split", "phase", "mode", "stage", "dataset", "set", "subset", "partition"))


def may_tell_side(name: str) -> bool:
    """Whether a column may say of which part of the data a row tells."""
    return name.strip().lower() in _SIDE_COLUMNS


def is_evaluated(side: str) -> bool:
    """Whether a row is one of validation or test; one that says anything else, or nothing, is of the training."""
    return SPLITS.get(side.strip().lower(), "train") != "train"


def named_by_side(columns: dict[str, Column], texts: Mapping[str, Sequence[str]]) -> dict[str, Column]:
    """Returns the columns, with what rows of validation and test hold in columns of their own, `val/loss`.

    Names that say their side stay. A rate in such a row is no point of its own.

    Args:
        columns: the numbers of a table.
        texts: name -> cells, for the columns that may tell the side; "" for a missing cell.
    """
    told = next((cells for cells in texts.values() if any(map(is_evaluated, set(cells)))), None)
    if told is None:
        return columns
    sides = np.array([side.strip() if is_evaluated(side) else "" for side in told])
    out: dict[str, Column] = {}
    for name, column in columns.items():
        known, own = parse(name), sides[column.rows]
        if known.split or known.quantity not in ("loss", "metric", "lr"):
            out[name] = column
            continue
        for side in dict.fromkeys(own.tolist()):
            here = own == side
            if not side or known.quantity != "lr":
                sided = f"{side}/{name}" if side else name
                out.setdefault(sided, replace(column, rows=column.rows[here], values=column.values[here]))
    return out
