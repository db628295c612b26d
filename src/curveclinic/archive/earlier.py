"""What lies at OUT already: the result of an earlier scan is replaced, an input or a file of somebody else's never."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, Literal

from curveclinic.errors import InputError
from curveclinic.intake.arrow_series import INDEX_MARK
from curveclinic.writers import ROW

_LONGEST_LINE: Final = 1 << 20
"""Bytes of a first line: a row of ours is some hundred, and a message in it seldom long."""

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
    suffix = out.suffix.lower()
    if suffix == ".parquet":
        return _is_parquet_result(out, kind)
    with suppress(OSError, ValueError, csv.Error):  # not text, not JSON
        return _is_row(_COLUMNS[suffix](_first_line(out)))
    return False


def _is_parquet_result(out: Path, kind: Literal["scan", "index"]) -> bool:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        found = pq.read_schema(out)
    except (pa.ArrowException, OSError, UnicodeDecodeError):
        return False
    return INDEX_MARK[0] in (found.metadata or {}) if kind == "index" else _is_row(found.names)


def _is_row(columns: Sequence[str]) -> bool:
    """Whether these are the columns of a row of ours, and no others, which somebody may have added."""
    return set(columns) >= _NEEDED and all(n in _NAMES or n.startswith(_PROBABILITY) for n in columns)


def _first_line(out: Path) -> str:
    with out.open("rb") as file:
        return file.readline(_LONGEST_LINE).decode("utf-8-sig")


def _json_keys(line: str) -> list[str]:
    row: Any = json.loads(line)
    return list(row) if isinstance(row, dict) else []


_COLUMNS: Final[dict[str, Callable[[str], list[str]]]] = {
    ".csv": lambda line: next(csv.reader([line]), []),
    ".jsonl": _json_keys,
}
"""Suffix -> what returns the columns that a first line tells of."""
