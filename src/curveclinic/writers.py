"""Rows of a scan, and the files they are written to. Columns and types are fixed, also for zero rows."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from curveclinic.errors import InputError
from curveclinic.labels import LABELS
from curveclinic.phrases import either, printable

if TYPE_CHECKING:
    import pyarrow as pa

Kind = Literal["text", "texts", "number", "integer"]
Row = dict[str, Any]

ROW: Final[tuple[tuple[str, Kind], ...]] = (
    ("run_id", "text"),
    ("path", "text"),
    ("format", "text"),
    ("status", "text"),  # "ok", or "error" for an input that could not be read
    ("verdict", "text"),
    ("labels", "texts"),
    ("primary", "text"),  # the first of labels
    ("severity", "text"),  # severity, onset and end are those of the primary finding
    ("onset", "number"),
    ("end", "number"),
    *((f"probability_{label}", "number") for label in LABELS),  # null where unchecked
    ("unchecked", "texts"),
    ("n_points", "integer"),
    ("steps_min", "number"),
    ("steps_max", "number"),
    ("message", "text"),
)  # fmt: skip
"""Column -> kind, in file order."""

_TEMPORARY = ".tmp"

_LONGEST_LINE: Final = 1 << 20
"""Bytes of a first line: a row of ours is some hundred, and a message in it seldom long."""

_FORMULA_STARTS = ("=", "+", "-", "@", "＝", "＋", "－", "＠")  # noqa: RUF001
"""A spreadsheet may run a cell that starts so (OWASP, CSV injection); an apostrophe before it makes it text."""


def error_row(path: str, format: str, reason: str, *, run_id: str = "") -> Row:
    """Returns the row of an input that could not be read."""
    told = {"run_id": run_id, "path": path, "format": format, "status": "error", "message": reason}
    blank: Row = dict.fromkeys(name for name, _ in ROW)
    return blank | {name: storable(text) for name, text in told.items()} | {"labels": [], "unchecked": []}


def storable(text: str) -> str:
    """Text that UTF-8 can hold; a file name that was not UTF-8 keeps its odd bytes as visible escapes."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def schema() -> pa.Schema:
    """Returns the Arrow schema of the rows."""
    import pyarrow as pa

    types = {"text": pa.string(), "texts": pa.list_(pa.string()), "number": pa.float64(), "integer": pa.int64()}
    return pa.schema([(name, types[kind]) for name, kind in ROW])


def write_tables(tables: Iterable[pa.Table], out: Path) -> int:
    """Writes tables of rows to a file in the format of its suffix and returns how many rows.

    Columns that are not in `ROW` are left out. The file appears, or is replaced, only when all rows are written.

    Raises:
        InputError: unknown suffix, or the file cannot be created there.
        OSError: the disk is full; the file is as it was before.
    """
    check_target(out)
    output = WRITERS[out.suffix.lower()]
    names = [name for name, _ in ROW]
    return replaced(out, lambda path: output.write((table.select(names) for table in tables), path))


def replaced(out: Path, write: Callable[[Path], int]) -> int:
    """Lets `write` make a file beside another one, which it then replaces; returns what `write` returns.

    Of a link what it leads to is replaced.
    """
    real = Path(os.path.realpath(out))
    temporary = real.with_name(f".{real.name}.{os.getpid()}{_TEMPORARY}")
    try:
        count = write(temporary)
        os.replace(temporary, real)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return count


def remove_leftovers(out: Path) -> None:
    """Removes what writers of a file left beside it when they were killed; none may be at work."""
    real = Path(os.path.realpath(out))
    for name in os.listdir(real.parent):
        if name.startswith(f".{real.name}.") and name.endswith(_TEMPORARY):
            (real.parent / name).unlink(missing_ok=True)


def check_target(out: Path) -> None:
    """Raises before a long scan the InputError that would otherwise be raised after it."""
    check_place(out, tuple(WRITERS))


def check_place(out: Path, suffixes: Sequence[str]) -> None:
    """Raises an InputError where no file of one of these suffixes can be written."""
    if out.suffix.lower() not in suffixes:
        raise InputError(f"{out}: unknown suffix {out.suffix!r}; expected {either(suffixes)}")
    if out.is_dir():
        raise InputError(f"{out}: is a folder; name a file in it")
    if out.exists() and not out.is_file():
        raise InputError(f"{out}: is a pipe, socket or device; name a file")
    if not all(os.access(folder, os.W_OK) for folder in (out.parent, os.path.dirname(os.path.realpath(out)))):
        raise InputError(f"{out}: its folder does not exist or is read-only; create it or choose another")


def _write_parquet(tables: Iterable[pa.Table], path: Path) -> int:
    import pyarrow.parquet as pq

    count = 0
    with pq.ParquetWriter(path, schema(), compression="zstd") as writer:
        for table in tables:
            writer.write_table(table)
            count += table.num_rows
    return count


def _parquet_columns(path: Path) -> list[str]:
    import pyarrow.parquet as pq

    names: list[str] = pq.read_schema(path).names
    return names


def _write_csv(tables: Iterable[pa.Table], path: Path) -> int:
    count = 0
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow([name for name, _ in ROW])
        for table in tables:
            writer.writerows(zip(*(_cells(table[name].to_pylist(), kind) for name, kind in ROW), strict=True))
            count += table.num_rows
    return count


def _csv_columns(path: Path) -> list[str]:
    return next(csv.reader([_first_line(path)]), [])


def _cells(values: list[Any], kind: Kind) -> list[Any]:
    """CSV cells: a list joined by semicolons, a text on one line and never taken for a formula."""
    if kind == "texts":
        return ["" if v is None else ";".join(v) for v in values]
    if kind == "text":
        return ["" if v is None else _text_cell(v) for v in values]
    return values


def _text_cell(value: str) -> str:
    text = printable(value)
    return f"'{text}" if text.lstrip().startswith(_FORMULA_STARTS) else text


def _write_jsonl(tables: Iterable[pa.Table], path: Path) -> int:
    count = 0
    with path.open("w", encoding="utf-8") as stream:
        for table in tables:
            stream.writelines(json.dumps(r, ensure_ascii=False, allow_nan=False) + "\n" for r in table.to_pylist())
            count += table.num_rows
    return count


def _jsonl_columns(path: Path) -> list[str]:
    row: Any = json.loads(_first_line(path))
    return list(row) if isinstance(row, dict) else []


def _first_line(path: Path) -> str:
    with path.open("rb") as file:
        return file.readline(_LONGEST_LINE).decode("utf-8-sig")


@dataclass(frozen=True)
class Output:
    """A format of the rows of a scan.

    Attributes:
        write: writes tables of rows to a file and returns the number of rows.
        columns: returns the columns of a file of this format; an error of any kind says that it is none.
    """

    write: Callable[[Iterable[pa.Table], Path], int]
    columns: Callable[[Path], list[str]]


WRITERS: Final[dict[str, Output]] = {
    ".parquet": Output(_write_parquet, _parquet_columns),
    ".csv": Output(_write_csv, _csv_columns),
    ".jsonl": Output(_write_jsonl, _jsonl_columns),
}
"""Suffix -> the format of a file that ends in it."""
