"""Runs in, a table of rows out: the core that scans, engines and tables of curves share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from curveclinic.diagnosis import Diagnosis
from curveclinic.errors import InputError
from curveclinic.predict import predict_runs
from curveclinic.run import MetricGoal, Run
from curveclinic.writers import Row, error_row, row, schema

if TYPE_CHECKING:
    import pyarrow as pa


SEVERITIES_COLUMN = "severities"
"""Severity of every finding, beside `labels`; what a summary counts, and no column of a scan's output."""


def score_runs(runs: Sequence[Run], *, severities: bool = False) -> pa.Table:
    """Returns one row a run, in order; columns as in `writers.ROW`, with `severities` one more."""
    return _rows([row(diagnosis) | _severities(diagnosis) for diagnosis in predict_runs(runs)], severities=severities)


def _severities(diagnosis: Diagnosis) -> dict[str, list[str]]:
    return {SEVERITIES_COLUMN: [finding.severity for finding in diagnosis.findings]}


def _rows(rows: list[Row], *, severities: bool) -> pa.Table:
    import pyarrow as pa

    return pa.Table.from_pylist(rows, schema=scored_schema() if severities else schema())


def scored_schema() -> pa.Schema:
    """Returns the schema of rows with their severities."""
    import pyarrow as pa

    return schema().append(pa.field(SEVERITIES_COLUMN, pa.list_(pa.string())))


def score_table(
    table: Any,
    *,
    num_classes: int | None = None,
    metric_goal: MetricGoal | None = None,
    severities: bool = False,
) -> pa.Table:
    """Scores a table of curves, one run a row.

    Args:
        table: a pyarrow Table whose list columns are channels (`train_loss`, `val_loss`, ...), each with its steps
            beside it (`train_loss_steps`) or one list of steps for all (`step`), and optionally `run_id`, `path` and
            `format`.
        num_classes, metric_goal: as in `predict_pathology`.
        severities: whether to add the column `severities`.

    Returns:
        One row for every row given, in the same order; columns as in `writers.ROW`. A run that cannot be used is a
        row with `status="error"` and the reason.
    """
    from curveclinic.intake import runs_from

    if not table.num_rows:
        return (scored_schema() if severities else schema()).empty_table()
    found, _ = runs_from(table, num_classes=num_classes, metric_goal=metric_goal)
    diagnoses = iter(predict_runs([item for item in found if isinstance(item, Run)]))
    rows = [
        error_row("", "", str(item)) | {SEVERITIES_COLUMN: []}
        if isinstance(item, InputError)
        else row(diagnosis := next(diagnoses)) | _severities(diagnosis)
        for item in found
    ]
    return _rows(rows, severities=severities)
