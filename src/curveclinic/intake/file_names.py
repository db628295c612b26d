"""What the name of a file tells of the series in it: `{"train": [...], "val": [...]}` in `loss_history.json`."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from itertools import pairwise
from typing import TypeVar

from curveclinic.intake.naming import parse, quoted
from curveclinic.intake.vocabulary import LOSS_WORDS, LOST, NOISE, SPLITS, Rank, tokens

T = TypeVar("T")

_COPY = re.compile(r"\s*\(\d+\)$")
"""What a browser puts behind the name of a file that is there already."""

_ENDING = re.compile(
    r"\.(?:txt|csv|tsv|dat|log|out|jsonl?|ndjson|parquet|feather|arrow|np[yz]|gz|bz2|xz|zst|zip|tar|tgz)", re.IGNORECASE
)
"""What tells how a file is written; `train.loss` and `train_loss_lr0.1` end in none of them."""


def stem_of(path: str) -> str:
    """Returns the name of a file without its endings, and without the number of a copy."""
    return without_copy_number(without_endings(path))


def without_copy_number(stem: str) -> str:
    """Returns the name of a file without the number of a copy: `loss` of `loss (1)`."""
    return _COPY.sub("", stem)


def without_endings(path: str) -> str:
    """Returns the name of a file without its endings: `train.loss` of `train.loss.csv.gz`."""
    stem, ending = os.path.splitext(os.path.basename(path))
    return without_endings(stem) if _ENDING.fullmatch(ending) else stem + ending


def loss_named_by(path: str) -> str:
    """Returns the name of a file if it tells that its numbers are losses; "" if not."""
    stem = stem_of(path)
    known = parse(stem)
    return stem if known.is_loss and (known.split or not _is_of_things_lost(tokens(stem))) else ""


def _is_of_things_lost(words: tuple[str, ...]) -> bool:
    """Whether a loss is no training's: `packet_loss`, but not `hair_segmentation_loss`."""
    return any(before in LOST and LOSS_WORDS.get(word) == Rank.LOSS for before, word in pairwise(words))


def named_by_file(table: Mapping[str, T], path: str) -> tuple[Mapping[str, T], tuple[str, ...]]:
    """Returns series under the names of losses where their own say the side alone, and that of the file a loss.

    One called `value`, or a lone one by a number, as pandas calls the column of a list, is that loss, too.

    Returns:
        the table, and the note on what was named; nothing changes where a series is named like a loss.
    """
    stem = loss_named_by(path)
    if not stem or any(parse(name).may_be_loss for name in table):
        return table, ()
    losses = {name: f"{name}_loss" for name in table if _says_side(name)}
    if not losses:
        losses = {name: stem for name in table if tokens(name) == ("value",) or (len(table) == 1 and name.isdecimal())}
    if not losses:
        return table, ()
    named = {losses.get(name, name): points for name, points in table.items()}
    return named, (f"{quoted(losses)}: {'a loss' if len(losses) == 1 else 'losses'}, by the name of the file",)


def _says_side(name: str) -> bool:
    words = set(tokens(name))
    return bool(words & SPLITS.keys()) and words <= SPLITS.keys() | NOISE
