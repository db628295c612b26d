"""Runs in, a table of rows out: the core that scans, engines and tables of curves share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from curveclinic.errors import InputError
from curveclinic.predict import predict_runs
from curveclinic.run import MetricGoal, Run
from curveclinic.writers import error_row, row, schema

if TYPE_CHECKING:
    import pyarrow as pa


def score_runs(runs: Sequence[Run]) -> pa.Table:
    """Returns one row a run, in order; columns as in `writers.ROW`."""
    import pyarrow as pa

    return pa.Table.from_pylist([row(diagnosis) for diagnosis in predict_runs(runs)], schema=schema())


def score_table(table: Any, *, num_classes: int | None = None, metric_goal: MetricGoal | None = None) -> pa.Table:
    """Scores a table of curves, one run a row.

    Args:
        table: a pyarrow Table whose list columns are channels (`train_loss`, `val_loss`, ...), each with its steps
            beside it (`train_loss_steps`) or one list of steps for all (`step`), and optionally `run_id`, `path` and
            `format`.
        num_classes, metric_goal: as in `predict_pathology`.

    Returns:
        One row for every row given, in the same order; columns as in `writers.ROW`. A run that cannot be used is a
        row with `status="error"` and the reason.
    """
    import pyarrow as pa

    from curveclinic.intake import runs_from

    if not table.num_rows:
        return schema().empty_table()
    found, _ = runs_from(table, num_classes=num_classes, metric_goal=metric_goal)
    diagnoses = iter(predict_runs([item for item in found if isinstance(item, Run)]))
    rows = [error_row("", "", str(item)) if isinstance(item, InputError) else row(next(diagnoses)) for item in found]
    return pa.Table.from_pylist(rows, schema=schema())
