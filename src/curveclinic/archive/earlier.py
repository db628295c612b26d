"""What lies at OUT already: the result of an earlier scan is replaced, an input or a file of somebody else's never."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Literal

from curveclinic.errors import InputError
from curveclinic.intake.arrow_series import INDEX_MARK
from curveclinic.writers import ROW, WRITERS

_PROBABILITY: Final = "probability_"
_NAMES: Final = frozenset(name for name, _ in ROW)
_NEEDED: Final = frozenset(name for name in _NAMES if not name.startswith(_PROBABILITY))
"""Columns of every version; the labels may have been others."""


def check_free(out: Path, kind: Literal["scan", "index"], inputs: Sequence[str]) -> None:
    """Raises an InputError where OUT is an input, or a file that `curveclinic scan` (or `index`) has not written.

    An empty file is free, and so is any table with the columns of a result, wherever it came from.
    """
    if not out.exists():
        return
    if any(_is_same(path, out) for path in inputs):
        raise InputError(f"{out}: is one of the inputs, and would be replaced; name another file to write")
    if out.stat().st_size and not os.access(out, os.R_OK):
        raise InputError(
            f"{out}: is there, may not be read by you, and would be replaced; name another file to write, or make this "
            "one readable"
        )
    if out.stat().st_size and not _is_result(out, kind):
        raise InputError(
            f"{out}: is there, but was not written by curveclinic {kind}, and would be replaced; "
            "name another file to write, or move this one away"
        )


def _is_same(path: str, out: Path) -> bool:
    try:
        return os.path.samefile(path, out)
    except (OSError, ValueError):
        return False


def _is_result(out: Path, kind: Literal["scan", "index"]) -> bool:
    try:
        return _is_index(out) if kind == "index" else _is_row(WRITERS[out.suffix.lower()].columns(out))
    except Exception:  # what a library says of a file that is not in its format
        return False


def _is_index(out: Path) -> bool:
    import pyarrow.parquet as pq

    return INDEX_MARK[0] in (pq.read_schema(out).metadata or {})


def _is_row(columns: Sequence[str]) -> bool:
    """Whether these are the columns of a row of ours, and no others, which somebody may have added."""
    return set(columns) >= _NEEDED and all(n in _NAMES or n.startswith(_PROBABILITY) for n in columns)
