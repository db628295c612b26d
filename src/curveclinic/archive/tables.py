"""Runs and failures as tables: rows of a scan with their severities, or curves of an index. One row each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from curveclinic.intake.arrow_curves import Unreadable
from curveclinic.intake.assemble import Origin, unusable
from curveclinic.readers import ReadFailure, ReadOptions
from curveclinic.readers.curve_table import table_from_runs
from curveclinic.run import Run
from curveclinic.scoring import error_rows, in_order, score_runs, score_table, scored_schema

if TYPE_CHECKING:
    import pyarrow as pa


def rows_table(items: Sequence[Run | ReadFailure], *, fast: bool = False) -> pa.Table:
    """Returns the rows of a scan, with the severities of all findings; `fast` as in `scoring.score_table`."""
    is_run = np.array([isinstance(item, Run) for item in items], dtype=bool)
    runs = [item for item in items if isinstance(item, Run)]
    judged = score_runs(runs, severities=True, fast=fast) if runs else scored_schema().empty_table()
    if is_run.all():
        return judged
    failures = [Unreadable("", item.path, item.format, item.reason) for item in items if isinstance(item, ReadFailure)]
    return in_order(judged, error_rows(failures), is_run)


def score_rows(
    curves: pa.Table, run_ids: Sequence[str], path: str, options: ReadOptions, *, fast: bool = False
) -> pa.Table:
    """Returns the rows of a scan for a table with one run a row."""
    rows = index_rows(curves, options, fast=fast)
    own = {"run_id": list(run_ids), "path": [path] * rows.num_rows, "format": ["parquet"] * rows.num_rows}
    for name, values in own.items():
        rows = rows.set_column(rows.schema.get_field_index(name), rows.schema.field(name), [values])
    return rows


def index_rows(curves: pa.Table, options: ReadOptions, *, fast: bool = False) -> pa.Table:
    """Returns the rows of a scan for rows of an index, which know their names, paths and failures themselves."""
    return score_table(
        curves, num_classes=options.num_classes, metric_goal=options.metric_goal, severities=True, fast=fast
    )


def curves_table(items: Sequence[Run | ReadFailure]) -> pa.Table:
    """Returns the rows of an index."""
    return table_from_runs(
        [
            item if isinstance(item, Run) else unusable(Origin(path=item.path, format=item.format), item.reason)
            for item in items
        ]
    )
