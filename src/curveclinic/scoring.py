"""Runs in, a table of rows out: the core that scans, engines and tables of curves share."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from curveclinic.chunks import BATCH_RUNS
from curveclinic.curves import Curves
from curveclinic.deciding.judging import judged, shipped_classifier
from curveclinic.deciding.kinds import Kinds
from curveclinic.errors import InputError
from curveclinic.intake.arrow_curves import Reading, Unreadable, is_curve_table, read_curves
from curveclinic.intake.assemble import ReadOptions
from curveclinic.intake.columns import as_table
from curveclinic.intake.door import check_options, runs_from
from curveclinic.labels import MetricGoal
from curveclinic.points import BoolArray
from curveclinic.run import Run
from curveclinic.verdict_rows import SEVERITIES_COLUMN, scored_schema, verdict_rows
from curveclinic.writers import error_row

if TYPE_CHECKING:
    import pyarrow as pa

    from curveclinic.deciding.classifier import Classifier

__all__ = ["SEVERITIES_COLUMN", "score_runs", "score_table", "scored_schema"]

_PIECE_BYTES = 1 << 26
"""Bytes of curves read together, for long runs."""

_FEWEST_ROWS = 64
"""Runs read together at least."""


def score_runs(runs: Sequence[Run], *, severities: bool = False, fast: bool = False) -> pa.Table:
    """Returns one row a run, in order; columns as in `writers.ROW`, with `severities` one more.

    With `fast` the int8 network judges instead of the float one.
    """
    return _columns(_score_runs(runs, fast=fast), severities=severities)


def score_table(
    table: Any,
    *,
    num_classes: int | None = None,
    metric_goal: MetricGoal | None = None,
    severities: bool = False,
    fast: bool = False,
) -> pa.Table:
    """Scores a table of curves, one run a row.

    Args:
        table: a pyarrow Table or RecordBatch whose list columns are channels (`train_loss`, `val_loss`, ..., or any
            name of the alias table), each with its steps beside it (`train_loss_steps`) or one list of steps for a
            side (`val_step`) or for all (`step`). A null list is a channel that was not logged, a null in a list a
            missing point. Optional: `run_id`, `path` and `format`, which the rows repeat, and what `Run` knows:
            `num_classes`, `metric_goal`, `notes` (a list).
        num_classes, metric_goal: as in `predict_pathology`.
        severities: whether to add the column `severities`, one for each of `labels` but "healthy".
        fast: whether the int8 network judges instead of the float one: about a third of its time is saved, and about
            one run in a hundred gets other labels.

    Returns:
        One row for every row given, in the same order; columns as in `writers.ROW`. A run that cannot be used is a
        row with `status="error"` and the reason.

    Raises:
        InputError: it is no Arrow table, or an option is impossible.
        WeightsError: the weights are damaged, or `fast` is asked for and there is no int8 network.
    """
    import pyarrow as pa

    if not isinstance(table, (pa.Table, pa.RecordBatch)):
        raise InputError(
            f"found {type(table).__name__}, expected a pyarrow table; predict_pathology takes all else with curves"
        )
    table = as_table(table)
    if not table.num_rows:
        return _columns(scored_schema().empty_table(), severities=severities)
    check_options(num_classes, metric_goal)
    options = ReadOptions(num_classes=num_classes, metric_goal=metric_goal)
    if not is_curve_table(table):
        return _columns(_general(table, options, fast=fast), severities=severities)
    classifier, height, parts = shipped_classifier(fast=fast), _height(table), []
    for start in range(0, table.num_rows, height):
        reading = read_curves(table.slice(start, height), options, first=start)
        parts.append(_completed(_rows(reading.curves, classifier), reading, classifier))
    return _columns(pa.concat_tables(parts), severities=severities)


def _columns(rows: pa.Table, *, severities: bool) -> pa.Table:
    return rows if severities else rows.drop_columns(SEVERITIES_COLUMN)


def _score_runs(runs: Sequence[Run], *, fast: bool) -> pa.Table:
    import pyarrow as pa

    if not runs:
        return scored_schema().empty_table()
    classifier = shipped_classifier(fast=fast)
    return pa.concat_tables(
        [_rows(Curves.of(runs[k : k + BATCH_RUNS]), classifier) for k in range(0, len(runs), BATCH_RUNS)]
    )  # fmt: skip


def _rows(curves: Curves, classifier: Classifier | None) -> pa.Table:
    return verdict_rows(curves, judged(curves.batch, classifier, Kinds.of(curves.kinds)))


def _height(table: pa.Table) -> int:
    """Rows of a piece: some thousands, fewer of long runs."""
    return max(_FEWEST_ROWS, min(BATCH_RUNS, int(_PIECE_BYTES * table.num_rows / max(table.nbytes, 1))))


def _completed(plain: pa.Table, reading: Reading, classifier: Classifier | None) -> pa.Table:
    """Rows of a piece in the order of the table: beside those judged as columns the others."""
    import pyarrow as pa

    if not reading.others:
        return plain
    runs = {row: item for row, item in reading.others.items() if isinstance(item, Run)}
    errors = {row: item for row, item in reading.others.items() if isinstance(item, Unreadable)}
    parts = [plain, _rows(Curves.of(list(runs.values())), classifier)] if runs else [plain]
    parts.append(error_rows(errors.values()))
    order = np.concatenate([reading.rows, np.array([*runs, *errors], dtype=np.int64)])
    return pa.concat_tables(parts).take(pa.array(np.argsort(order)))


def error_rows(items: Iterable[Unreadable]) -> pa.Table:
    """Returns one row for each item that could not be read."""
    import pyarrow as pa

    lines = [error_row(item.path, item.format, item.reason, run_id=item.run_id) for item in items]
    return pa.Table.from_pylist([{**line, SEVERITIES_COLUMN: []} for line in lines], schema=scored_schema())


def in_order(judged_rows: pa.Table, errors: pa.Table, is_run: BoolArray) -> pa.Table:
    """Returns the rows of runs and of what could not be read, in the order of (n,) items that are one or the other."""
    import pyarrow as pa

    # Runs come first in both tables together: the place of an item there is its rank among its own kind.
    place = np.where(is_run, np.cumsum(is_run) - 1, is_run.sum() + np.cumsum(~is_run) - 1)
    return pa.concat_tables([judged_rows, errors]).take(pa.array(place))


def _general(table: Any, options: ReadOptions, *, fast: bool) -> pa.Table:
    """Rows of a table that holds its runs in another way: the runs that `predict_pathology` finds in it."""
    found, _ = runs_from(table, num_classes=options.num_classes, metric_goal=options.metric_goal)
    judged_rows = _score_runs([item for item in found if isinstance(item, Run)], fast=fast)
    errors = error_rows([Unreadable("", "", "", str(item)) for item in found if isinstance(item, InputError)])
    return in_order(judged_rows, errors, np.array([isinstance(item, Run) for item in found], dtype=bool))
