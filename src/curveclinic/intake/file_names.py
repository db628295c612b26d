"""What the name of a file tells of the series in it: `{"train": [...], "val": [...]}` in `loss_history.json`."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

from curveclinic.intake.naming import parse, quoted
from curveclinic.intake.vocabulary import NOISE, SPLITS, tokens
from curveclinic.points import Points

_COPY = re.compile(r"\s*\(\d+\)$")
"""What a browser puts behind the name of a file that is there already."""


def stem_of(path: str) -> str:
    """Returns the name of a file without its endings, and without the number of a copy."""
    return _COPY.sub("", os.path.basename(path).partition(".")[0])


def loss_named_by(path: str) -> str:
    """Returns the name of a file if it tells that its numbers are losses; "" if not."""
    stem = stem_of(path)
    return stem if parse(stem).is_loss else ""


def named_by_file(table: Mapping[str, Points], path: str) -> tuple[Mapping[str, Points], tuple[str, ...]]:
    """Returns series under the names of losses where their own say the side alone, and that of the file a loss.

    Returns:
        the table, and the note on what was named; nothing changes where a series is named like a loss.
    """
    if not loss_named_by(path) or any(parse(name).may_be_loss for name in table):
        return table, ()
    sides = [name for name in table if _says_side(name)]
    if not sides:
        return table, ()
    named = {f"{name}_loss" if name in sides else name: points for name, points in table.items()}
    return named, (f"{quoted(sides)}: losses, by the name of the file",)


def _says_side(name: str) -> bool:
    words = set(tokens(name))
    return bool(words & SPLITS.keys()) and words <= SPLITS.keys() | NOISE
