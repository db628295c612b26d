"""Parquet files with one run a row, read piece by piece: a file of any size takes the memory of one batch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from curveclinic.errors import InputError, LogError
from curveclinic.intake.arrow_series import is_index, is_list, lists_of
from curveclinic.intake.assemble import Origin, ReadOptions, run_from_table
from curveclinic.intake.list_tables import is_run_per_row, key_of
from curveclinic.readers import remote
from curveclinic.readers.columnar import MOST_UNPACKED, check_size, first_line, sniff, unpacked_bytes
from curveclinic.readers.parquet_footer import MAGIC
from curveclinic.readers.source import NoCurvesError, Source

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

SLICE_ROWS: Final = 16_384
"""Rows of a slice at least, unless its file ends: enough to be worth handing to another process."""

BATCH_ROWS: Final = 2_048
BATCH_BYTES: Final = 32 * 1024 * 1024
"""A batch has no more rows than this, and fewer when a row is long."""

_BUFFER_BYTES: Final = 1024 * 1024
"""Column chunks are read through buffers of this size: one row group may be a whole file."""


@dataclass(frozen=True)
class Slice:
    """Consecutive row groups of a file, a piece of work of its own.

    Attributes:
        groups: the first row group, and the one after the last.
        first: place of the first row in the file, from 0.
        rows: number of rows.
    """

    groups: tuple[int, int]
    first: int
    rows: int


@dataclass(frozen=True, eq=False)
class Batch:
    """Consecutive rows of a file.

    Attributes:
        table: the rows; list columns of numbers, and the column that names the runs.
        first: place of the first row in the file, from 0.
        total: rows of the file.
        index: whether `curve_table` wrote it.
    """

    table: pa.Table
    first: int
    total: int
    index: bool


def slices(source: Source, options: ReadOptions) -> tuple[Slice, ...]:
    """Returns the pieces of a Parquet file with one run a row; () for anything else.

    Raises:
        LogError: the file is damaged, or no list column is a loss.
    """
    if source.parts or source.unreadable or not _is_parquet(source):
        return ()
    with _open(source) as file:
        if not _wanted(file.schema_arrow):
            return ()
        _check_unpacking(file.metadata, source)
        if not is_index(file.schema_arrow):
            _check_names(file.schema_arrow, source, options)
        return tuple(_slices([file.metadata.row_group(g).num_rows for g in range(file.num_row_groups)]))


def batches(source: Source, piece: Slice, *, skip: int = 0) -> Iterator[Batch]:
    """Yields the rows of a slice, but for the first `skip` ones.

    Raises:
        LogError: the file is damaged.
    """
    import pyarrow as pa

    with _open(source) as file:
        row = piece.first
        wanted, index = _wanted(file.schema_arrow), is_index(file.schema_arrow)
        found = file.iter_batches(
            batch_size=_batch_rows(file, piece), row_groups=range(*piece.groups), columns=wanted, use_threads=False
        )
        try:
            for batch in found:
                batch.validate(full=True)
                table = pa.Table.from_batches([batch]).slice(max(0, piece.first + skip - row))
                row += len(batch)
                if table.num_rows:
                    yield Batch(table, row - table.num_rows, file.metadata.num_rows, index)
        except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
            raise _damaged(source, error) from None


def run_ids(batch: Batch, source: Source) -> list[str]:
    """Returns the name of each run: that of the file, and its own or its place."""
    name = key_of(batch.table.column_names, lists_of(batch.table.schema))
    own = [None] * batch.table.num_rows if name is None else batch.table.column(name).to_pylist()
    if batch.total == 1 and (not own or own[0] in (None, "")):
        return [source.run_id]
    return [f"{source.run_id}#{batch.first + k if v is None or v == '' else v}" for k, v in enumerate(own, 1)]


def _is_parquet(source: Source) -> bool:
    try:
        return sniff(remote.head(source.path, len(MAGIC)) if remote.is_remote(source.path) else source.head())
    except OSError:
        return False


def _open(source: Source) -> pq.ParquetFile:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(
            _place(source), buffer_size=_BUFFER_BYTES, pre_buffer=False, page_checksum_verification=True
        )
        _ = file.schema_arrow.names  # raises where one is no UTF-8
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise _damaged(source, error) from None
    return file


def _place(source: Source) -> Any:
    import pyarrow as pa

    if source.data is not None:
        return pa.BufferReader(source.data)
    return remote.open_file(source.path) if remote.is_remote(source.path) else source.path


def _damaged(source: Source, error: Exception) -> LogError:
    return LogError(f"{source.path}: damaged Parquet file ({first_line(error)})")


def _wanted(found: pa.Schema) -> list[str]:
    """Columns to read of a table with one run a row; none if it has not one run a row."""
    lists = lists_of(found)
    if not is_run_per_row(found.names, lists):
        return []
    if is_index(found):
        return list(found.names)
    numbers = [name for name in lists if _is_number(found.field(name).type.value_type)]
    key = key_of(found.names, lists)
    return [*([key] if key else []), *numbers] if numbers else lists


def _is_number(kind: Any) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_floating(kind) or pa.types.is_integer(kind))


def _check_names(found: pa.Schema, source: Source, options: ReadOptions) -> None:
    """Raises what any of its rows would raise, when no column can be a loss whatever it holds."""
    numbers = [f.name for f in found if is_list(f.type) and _is_number(f.type.value_type)]
    if not numbers:
        raise NoCurvesError(f"{source.path}: no list column of numbers; expected train_loss, val_loss, ...")
    falling = np.array([2.0, 1.0])
    try:
        run_from_table(dict.fromkeys(numbers, (None, falling)), options, Origin())
    except InputError as error:
        raise LogError(f"{source.path}: {error}") from None


def _check_unpacking(metadata: Any, source: Source) -> None:
    """Raises a LogError where one row may hold more than memory: its values are claimed by a file far too small."""
    import pyarrow as pa

    try:
        largest = max(unpacked_bytes(metadata), default=0)
        size = remote.stat(source.path).size if remote.is_remote(source.path) else source.size()
    except (pa.ArrowException, OSError) as error:
        raise _damaged(source, error) from None
    if largest > MOST_UNPACKED * size:
        check_size(largest, source, "keep fewer points a run, or write fewer rows to a row group", file_bytes=size)


def _slices(rows: list[int]) -> Iterator[Slice]:
    """Yields row groups, given by their numbers of rows, joined to slices."""
    start = first = count = 0
    for group, n in enumerate(rows, 1):
        count += n
        if count >= SLICE_ROWS or group == len(rows):
            yield Slice((start, group), first, count)
            start, first, count = group, first + count, 0


def _batch_rows(file: pq.ParquetFile, piece: Slice) -> int:
    size = sum(unpacked_bytes(file.metadata)[slice(*piece.groups)])
    rows: int = BATCH_BYTES * max(piece.rows, 1) // max(size, 1)
    return max(1, min(BATCH_ROWS, rows))
