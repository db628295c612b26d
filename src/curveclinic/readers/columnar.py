"""Parquet: wide (one run), long (a `run_id` column), list columns (one run per row), or an index of ours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from curveclinic.errors import InputError, LogError
from curveclinic.intake.arrow_series import is_index
from curveclinic.intake.assemble import Origin, ReadOptions, is_logged, run_from_table, runs_from_grid, runs_of_each
from curveclinic.intake.columns import grid_from_frame
from curveclinic.intake.grid import row_steps
from curveclinic.intake.list_tables import tables_from_lists
from curveclinic.intake.step_names import is_log_axis
from curveclinic.points import Points
from curveclinic.readers.curve_table import runs_from_table
from curveclinic.readers.parquet_footer import MAGIC, values_of_groups
from curveclinic.readers.source import Source, no_loss
from curveclinic.run import Run

MAX_TABLE_BYTES = 1024 * 1024 * 1024
"""Largest table read into memory at once, unpacked; `list_columns` reads tables with one run a row piece by piece."""

MAX_REPEATED_BYTES = 64 * 1024 * 1024
"""Largest table, unpacked, in a file too small to hold its numbers: one value repeated, which no long log is."""

MOST_UNPACKED = 100
"""Bytes of values for each byte of a file: curves pack to a half or a tenth, one value repeated to a millionth."""

_NUMBER_BYTES = 8
_ADVICE = "keep one run a row in list columns and scan it, or split the file"


def sniff(head: bytes) -> bool:
    """Says whether bytes are the head of a Parquet file."""
    return head.startswith(MAGIC)


def read(source: Source, options: ReadOptions) -> list[Run]:
    """Returns the runs of a Parquet file.

    Raises:
        LogError: the file is damaged or holds no loss.
    """
    import pyarrow as pa

    try:
        file = opened(source, source.path)
        check_size(sum(unpacked_bytes(file.metadata)), source, _ADVICE, file_bytes=source.size())
        table = file.read(use_threads=False)
        table.validate(full=True)  # text that is no UTF-8, lists that end outside
        _ = table.column_names  # the same for names
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise LogError(f"{source.path}: damaged Parquet file ({first_line(error)})") from None
    if is_index(table.schema):
        return indexed_runs(table, source, options)
    return _runs(table, source, options)


def indexed_runs(table: Any, source: Source, options: ReadOptions) -> list[Run]:
    """Returns the runs of rows of an index; one without channels is an input that could not be read.

    Raises:
        LogError: a loss is named, but an index holds only what was chosen when it was written.
    """
    check_index_options(source, options)
    known = {k: v for k in ("num_classes", "metric_goal") if (v := getattr(options, k)) is not None}
    runs = runs_from_table(table)
    return [replace(run, **known) for run in runs] if known else runs


def check_index_options(source: Source, options: ReadOptions) -> None:
    """Raises a LogError where a column is named: an index holds only what was chosen when it was written."""
    if options.names_columns:
        raise LogError(f"{source.path}: the columns of an index are chosen already; name them to curveclinic index")


def opened(source: Source, path: str) -> Any:
    """Returns a Parquet file whose texts are read as dictionaries: a long one repeated is held once."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    where = path if source.data is None else pa.BufferReader(source.data)
    file = pq.ParquetFile(where, page_checksum_verification=True)
    texts = [f.name for f in file.schema_arrow if pa.types.is_string(f.type) or pa.types.is_large_string(f.type)]
    return pq.ParquetFile(where, read_dictionary=texts, page_checksum_verification=True) if texts else file


def unpacked_bytes(metadata: Any) -> list[int]:
    """Returns about how much memory each row group takes: a column of one number repeated is stored in a few bytes."""
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    return [
        max(group.total_byte_size, _NUMBER_BYTES * max(group.num_rows * group.num_columns, n_values))
        for group, n_values in zip(groups, values_of_groups(metadata), strict=True)
    ]


def first_line(error: Exception) -> str:
    """Returns what an error of Arrow says, in a line."""
    return "".join(str(error).splitlines()[:1])[:120]


def check_size(n_bytes: int, source: Source, advice: str, *, file_bytes: int | None = None) -> None:
    """Raises a LogError where a table is, or becomes when unpacked, more than may be held at once.

    Args:
        n_bytes: the table, unpacked.
        source: where it is.
        advice: what to do.
        file_bytes: size of its file, where that tells whether it may hold so many numbers.
    """
    found = f"a table of {n_bytes / 2**20:,.0f} MB"
    if n_bytes > MAX_TABLE_BYTES:
        raise LogError(f"{source.path}: {found}, expected at most {MAX_TABLE_BYTES / 2**20:,.0f} MB; {advice}")
    if file_bytes is not None and n_bytes > max(MAX_REPEATED_BYTES, MOST_UNPACKED * file_bytes):
        raise LogError(
            f"{source.path}: {found} in a file of {file_bytes:,} bytes, expected at most "
            f"{MAX_REPEATED_BYTES / 2**20:,.0f} MB where values only repeat; {advice}"
        )


def _runs(table: Any, source: Source, options: ReadOptions) -> list[Run]:
    origin = source.origin()
    lists = tables_from_lists(table, options.step)
    if lists is None:
        grid = grid_from_frame(table)
        try:
            return runs_from_grid(grid, options, origin)
        except InputError as error:
            raise no_loss(source, error, is_log=is_log_axis(row_steps(grid, None)[0])) from None
    lone = len(lists) == 1 and not lists[0][0]
    ids = [source.run_id if lone else f"{source.run_id}#{name or k}" for k, (name, _) in enumerate(lists, 1)]
    try:
        return _runs_of_lists(lists, ids, options, origin)
    except InputError as error:
        is_log = any(isinstance(series, InputError) or is_logged(series) for _, series in lists)
        raise no_loss(source, error, is_log=is_log) from None


def runs_of_rows(table: Any, run_ids: list[str], source: Source, options: ReadOptions) -> list[Run]:
    """Returns one run a row of a table with list columns; one without channels cannot be used, its note says why."""
    origin = Origin(path=source.path, format="parquet")
    return _runs_of_lists(tables_from_lists(table, options.step) or (), run_ids, options, origin, some=False)


def _runs_of_lists(
    lists: Sequence[tuple[str, dict[str, Points] | InputError]],
    run_ids: Sequence[str],
    options: ReadOptions,
    origin: Origin,
    *,
    some: bool = True,
) -> list[Run]:
    """The run of each row with lists, see `runs_of_each`."""
    origins = [replace(origin, run_id=run_id) for run_id in run_ids]
    return runs_of_each(run_from_table, [series for _, series in lists], options, origins, some=some)
