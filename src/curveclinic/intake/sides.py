"""Rows that say of which part of the data they tell: a `split`, `phase` or `mode` beside a bare `loss`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import numpy as np

from curveclinic.intake.naming import parse
from curveclinic.intake.vocabulary import SPLITS, tokens
from curveclinic.points import IntArray

if TYPE_CHECKING:
    from curveclinic.intake.cells import Column

_SIDE_COLUMNS: Final = frozenset(("split", "phase", "mode", "stage", "dataset", "set", "subset", "partition"))

_AMBIGUOUS: Final = frozenset(("type", "kind", "event", "tag", "data", "group", "name"))
"""Columns that hold much else in other logs: they tell sides where each loss is of one, and both are there."""

_FLAGS: Final = {
    **dict.fromkeys(("is_train", "is_training", "training"), "train"),
    **dict.fromkeys(("is_val", "is_validation", "is_eval"), "val"),
    "is_test": "test",
}
"""Columns of yes and no, which tell sides as those do: the part of the data that a yes means."""

_ANSWERS: Final = {
    **dict.fromkeys(("true", "1", "1.0", "yes"), True),
    **dict.fromkeys(("false", "0", "0.0", "no"), False),
}


def may_tell_side(name: str) -> bool:
    """Whether a column may say of which part of the data a row tells."""
    key = name.strip().lower()
    return key in _SIDE_COLUMNS or key in _AMBIGUOUS or key in _FLAGS


def is_side_column(name: str) -> bool:
    """Whether a column hardly holds anything but the part of the data a row tells of."""
    return name.strip().lower() in _SIDE_COLUMNS


def is_side_flag(name: str) -> bool:
    """Whether a column may answer, perhaps in numbers, whether a row is of one part of the data."""
    return name.strip().lower() in _FLAGS


def sides_in(names: Iterable[str], columns: Mapping[str, Column]) -> list[str]:
    """Returns the columns that may say of which part of the data a row tells, in texts or by yes and no."""
    return [name for name in filter(may_tell_side, names) if name not in columns or is_side_flag(name)]


def names_both(name: str, cells: Sequence[str]) -> bool:
    """Whether the cells of a column that may tell sides name the training, and validation or test."""
    return _are_both(set(map(part_of, _spelt(name, cells))))


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
    texts = {name: _spelt(name, cells) for name, cells in texts.items()}
    told = side_column({name: cells for name, cells in texts.items() if is_side_column(name) or _tell(cells, columns)})
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


def _spelt(name: str, cells: Sequence[str]) -> Sequence[str]:
    """Returns cells that say sides; those of a flag as the part of the data that is meant, "" for no answer."""
    part = _FLAGS.get(name.strip().lower())
    if part is None:
        return cells
    other = "val" if part == "train" else "train"
    said = {True: part, False: other, None: ""}
    return [said[_ANSWERS.get(cell.strip().lower())] for cell in cells]


def _tell(cells: Sequence[str], columns: Mapping[str, Column]) -> bool:
    """Whether each loss whose name says no side stands in a row of one, and what is measured is of both."""
    of_losses, of_all = set[str](), set[str]()
    for name, column in columns.items():
        known = parse(name)
        if not known.split and known.quantity in ("loss", "metric"):
            own = set(map(part_of, {cells[row] for row in column.rows[np.isfinite(column.values)].tolist()}))
            of_all |= own
            of_losses |= own if known.quantity == "loss" else set()
    return "" not in of_losses and _are_both(of_all)


def _are_both(parts: Collection[str]) -> bool:
    return "train" in parts and ("val" in parts or "test" in parts)


def _called(sides: Collection[str]) -> dict[str, str]:
    """Returns what sides are called: the part of the data for several words, where no other side is of that part."""
    parts = Counter(map(part_of, sides))
    return {side: part if parts[part := part_of(side)] == 1 and len(tokens(side)) > 1 else side for side in sides}


def _is_check(side: str) -> bool:
    """Whether a row is of Lightning's `sanity_check`, before the training."""
    return "sanity" in tokens(side)
