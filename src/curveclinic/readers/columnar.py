"""Parquet: wide (one run), long (a `run_id` column), or list columns (one run per row)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from curveclinic.assemble import Origin, ReadOptions, attempt, run_from_table, runs_from_grid, usable
from curveclinic.columns import grid_from_frame, tables_from_lists
from curveclinic.errors import InputError, LogError
from curveclinic.grid import Grid, row_steps
from curveclinic.naming import Points
from curveclinic.readers.source import NoCurvesError, Source
from curveclinic.run import Run


def sniff(head: bytes) -> bool:
    """Says whether bytes are the head of a Parquet file."""
    return head[:4] == b"PAR1"


def read(source: Source, options: ReadOptions) -> list[Run]:
    """Returns the runs of a Parquet file.

    Raises:
        LogError: the file is damaged or holds no loss.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(source.path if source.data is None else pa.BufferReader(source.data))
        table = file.read(use_threads=False)
    except (pa.ArrowException, OSError) as error:
        raise LogError(f"{source.path}: damaged Parquet file ({str(error).splitlines()[0][:120]})") from None
    return _runs(table, source, options)


def _runs(table: Any, source: Source, options: ReadOptions) -> list[Run]:
    origin = Origin(run_id=source.run_id, path=source.path, format="parquet", advice="name it with --train-loss")
    lists = tables_from_lists(table)
    grid = grid_from_frame(table) if lists is None else None
    try:
        if lists is None:
            assert grid is not None
            return runs_from_grid(grid, options, origin)
        lone = len(lists) == 1 and not lists[0][0]
        ids = [source.run_id if lone else f"{source.run_id}#{name or k}" for k, (name, _) in enumerate(lists, 1)]
        made = [
            attempt(run_from_table, series, options, replace(origin, run_id=run_id))
            for run_id, (_, series) in zip(ids, lists, strict=True)
        ]
        return usable(made, ids, origin)
    except InputError as error:
        raise (LogError if _is_logged(lists, grid) else NoCurvesError)(f"{source.path}: {error}") from None


def _is_logged(lists: list[tuple[str, dict[str, Points]]] | None, grid: Grid | None) -> bool:
    """Whether a table without a loss is a log at all: numbers in its lists, or rows with a step."""
    if grid is not None:
        return bool(row_steps(grid, None)[0])
    return any(len(values) for _, series in lists or () for _, values in series.values())
