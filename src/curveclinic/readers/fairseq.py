"""fairseq with `--log-format json`: lines of text that end in a JSON dict; all numbers are strings.

`train_inner` is logged every few updates, `train` and `valid` once an epoch; losses are in bits.
"""

from __future__ import annotations

import json
import re
from typing import Any

from curveclinic.errors import InputError
from curveclinic.intake.assemble import ReadOptions, runs_from_grid
from curveclinic.intake.grid import grid_from_rows
from curveclinic.phrases import counted
from curveclinic.readers.source import Source, no_loss
from curveclinic.run import Run

_LINE = re.compile(rb"\| (\w+) \| (\{[^|\n]*\})\s*$", re.MULTILINE)
_SIGN = re.compile(rb"\| \w+ \| \{\"epoch\": \d+, ")
_BROKEN = re.compile(rb"\| \w+ \| \{\"epoch\"[^}|\n]*\Z")

_UPDATES = ("num_updates", "train_num_updates", "valid_num_updates")
_TRAIN = "train_"


def sniff(head: bytes) -> bool:
    """Says whether bytes are the head of a fairseq log in JSON format."""
    return b"{" in head and _SIGN.search(head) is not None and b"num_updates" in head and b"\0" not in head


def read(source: Source, options: ReadOptions) -> list[Run]:
    """Returns the runs of a fairseq log.

    Raises:
        LogError: there is no loss in it.
    """
    data = source.content()
    found = [(match[1].decode(), _parsed(match[2])) for match in _LINE.finditer(data)]
    rows = [_row(tag, stats) for tag, stats in found if stats is not None]
    n_bad = len(found) - len(rows) + bool(_BROKEN.search(data))
    notes = (f"left out {counted(n_bad, 'broken line')}",) if n_bad else ()
    try:
        return runs_from_grid(grid_from_rows(rows), options, source.origin(notes=notes))
    except InputError as error:
        raise no_loss(source, error, is_log=bool(rows)) from None


def _parsed(text: bytes) -> dict[str, Any] | None:
    try:
        stats = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return stats if isinstance(stats, dict) else None


def _row(tag: str, stats: dict[str, Any]) -> dict[str, Any]:
    """One line's numbers; the two cadences of the training set get names of their own."""
    row: dict[str, Any] = {}
    for name, value in stats.items():
        if name in _UPDATES:
            row["num_updates"] = value
        elif name.startswith(_TRAIN):
            row[f"{name}_epoch"] = value
        elif tag in ("train_inner", "train") and name not in ("epoch", "update"):
            row[f"train_{name}_step"] = value
        else:
            row[name] = value
    return row
