"""CSV of a W&B chart: a step column, then `<run> - <metric>` for every run, each with `__MIN` and `__MAX` beside it."""

from __future__ import annotations

import csv
import io
from collections import Counter
from dataclasses import replace

from curveclinic.errors import LogError
from curveclinic.intake.assemble import Origin, ReadOptions, attempt, runs_from_grid, usable
from curveclinic.intake.charts import JOINT, is_bound, is_run_name
from curveclinic.intake.columns import grid_from_frame
from curveclinic.intake.grid import Column, Grid
from curveclinic.readers.delimited import n_within_quotes, quoted_note, unfit_note
from curveclinic.readers.source import HEAD_BYTES, Source
from curveclinic.run import Run


def sniff(head: bytes) -> bool:
    """Says whether every column but the first is named `<run> - <metric>`; `train - loss` is none."""
    if JOINT.encode() not in head[: head.find(b"\n")]:
        return False
    first, rest, _ = head.removeprefix(b"\xef\xbb\xbf").partition(b"\n")
    if not rest and len(head) >= HEAD_BYTES:
        first, rest = first[: first.rfind(b",") + 1].rstrip(b","), b"\n"  # so many runs that the header is cut
    if not rest or b"," not in first or first[:1] in (b"{", b"["):
        return False
    names = _header(first.decode("utf-8", "replace"))
    if len(names) < 2 or JOINT in names[0] or not all(JOINT in name for name in names[1:]):
        return False
    return any(is_run_name(name.rpartition(JOINT)[0]) for name in names[1:])


def read(source: Source, options: ReadOptions) -> list[Run]:
    """Returns one run for every run of the chart.

    Raises:
        LogError: the text is no table, or no metric in it is a loss.
    """
    notes: list[str] = []
    step, columns, n_rows = _columns(source, notes)
    runs: dict[str, dict[str, Column]] = {}
    for name, column in columns.items():
        run, _, metric = name.rpartition(JOINT)
        if not is_bound(name):
            runs.setdefault(run, {})[metric] = column
    origin = source.origin(notes=notes)
    ids = [f"{source.run_id}#{run}" for run in runs]
    made = [
        attempt(_one, Grid({"step": step, **table}, n_rows), options, replace(origin, run_id=run_id))
        for run_id, table in zip(ids, runs.values(), strict=True)
    ]
    if not made:
        raise LogError(f"{source.path}: no column '<run> - <metric>' holds a number")
    return usable(made, ids, origin)


def _one(grid: Grid, options: ReadOptions, origin: Origin) -> Run:
    return runs_from_grid(grid, options, origin, split=False)[0]


def _header(line: str) -> list[str]:
    try:
        return next(csv.reader(io.StringIO(line.strip())), [])
    except csv.Error:
        return []


def _columns(source: Source, notes: list[str]) -> tuple[Column, dict[str, Column], int]:
    """Returns the step column, the others, and the number of rows; what is wrong is put into `notes`."""
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    bad: list[object] = []

    def skip(row: object) -> str:
        bad.append(row)
        return "skip"

    data = source.content().decode("utf-8-sig", "replace").encode()
    try:
        data.decode()
    except UnicodeDecodeError as error:
        raise LogError(f"{source.path}: no UTF-8 text (byte {error.start})") from None
    try:
        table = arrow_csv.read_csv(
            pa.BufferReader(data),
            read_options=arrow_csv.ReadOptions(use_threads=False, block_size=len(data) + 1),
            parse_options=arrow_csv.ParseOptions(invalid_row_handler=skip),
            convert_options=arrow_csv.ConvertOptions(
                null_values=[""], strings_can_be_null=True, quoted_strings_can_be_null=True, timestamp_parsers=[]
            ),
        )
    except (pa.ArrowInvalid, pa.ArrowKeyError, pa.ArrowNotImplementedError) as error:
        raise LogError(f"{source.path}: no delimited text ({str(error).splitlines()[0][:120]})") from None
    notes.extend(unfit_note(len(bad)))
    notes.extend(quoted_note(n_within_quotes(data, table.num_rows + len(bad))))
    first, *rest = table.column_names
    count = Counter(rest)
    names = ["step", *(name if count[name] == 1 else f"run {k}{JOINT}{name}" for k, name in enumerate(rest))]
    columns = dict(grid_from_frame(table.rename_columns(names)).columns)
    step = columns.pop("step", None)
    if step is None:
        raise LogError(f"{source.path}: no numbers in the step column {first!r}")
    return step, columns, table.num_rows
