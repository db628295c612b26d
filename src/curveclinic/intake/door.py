"""The door for curves held in memory: mappings, tables, Keras histories, Hugging Face log histories.

Nothing here imports pandas, polars or keras; their objects are known by their module and what they can do.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from curveclinic.errors import InputError
from curveclinic.intake.assemble import (
    IN_MEMORY,
    Origin,
    ReadOptions,
    attempt_run,
    run_from_table,
    runs_from_grid,
    why_unusable,
)
from curveclinic.intake.cells import is_mapping
from curveclinic.intake.columns import as_table, grid_from_frame
from curveclinic.intake.grid import Grid, grid_from_rows
from curveclinic.intake.held import (
    EXPECTED,
    SIDES,
    are_numbers,
    are_runs,
    is_item,
    is_log,
    is_named,
    is_one,
    log_rows,
    refusal,
    runs_by_name,
)
from curveclinic.intake.list_tables import tables_from_lists
from curveclinic.intake.naming import parse, quoted
from curveclinic.intake.nested import is_table, series_in
from curveclinic.intake.orientations import rows_within
from curveclinic.intake.own_steps import brings_steps, own_steps, shared_axis
from curveclinic.intake.run_columns import ID_COLUMNS, RUN_COLUMNS
from curveclinic.intake.step_names import axis_key
from curveclinic.intake.vocabulary import ADVERSARIAL, tokens
from curveclinic.labels import MetricGoal
from curveclinic.phrases import counted
from curveclinic.points import FloatArray, Points, as_points, has_steps, index_of, without_index
from curveclinic.run import Run, check_metric_goal, check_num_classes

_BY_NAME = "found runs by name, {}; hand over their list, list(runs.items())"
_IN_LIST = "found a list of runs, {}; hand it over by itself"
_NOWHERE = Origin(advice=IN_MEMORY)


def runs_from(
    data: Any,
    *,
    num_classes: int | None = None,
    metric_goal: MetricGoal | None = None,
    train_loss: str | None = None,
    val_loss: str | None = None,
) -> tuple[list[Run | InputError], bool]:
    """Returns the runs held by whatever the caller has, and whether that was a single run.

    Args:
        data: one run, a table of one or many, or a list of runs (see DESIGN, section 2).
        num_classes: number of classes, where known.
        metric_goal: "max" or "min"; None: inferred from the metric's name, left open where that says nothing.
        train_loss: name of the train loss, or a regular expression found in it.
        val_loss: the same for the validation loss.

    Raises:
        InputError: `data` is no run, or a single unusable one. In a list the error takes the run's place.
    """
    check_options(num_classes, metric_goal)
    options = ReadOptions(num_classes=num_classes, metric_goal=metric_goal, train_loss=train_loss, val_loss=val_loss)
    if is_one(data):
        runs, single = _one(data, options)
        return list(runs), single
    if not isinstance(data, Iterable) or isinstance(data, (str, bytes, np.ndarray)) or hasattr(data, "__fspath__"):
        raise InputError(refusal(data))
    items = list(data)
    if items and all(are_numbers(item) or getattr(item, "ndim", 0) == 1 for item in items):
        raise InputError(f"found {counted(len(items), 'list')} of numbers without names; {SIDES}")
    if items and not isinstance(data, (list, tuple)) and not all(map(is_item, items)):
        raise InputError(refusal(data))
    if is_log(items):
        runs, single = _from_rows(items, options)
        return list(runs), single
    if are_numbers(items):
        raise InputError(refusal(items))
    return [_listed(item, options) for item in items], False


def check_options(num_classes: Any, metric_goal: Any) -> None:
    """Raises an InputError for what is no number of classes or no goal."""
    check_metric_goal(metric_goal)
    check_num_classes(num_classes)


def _listed(item: Any, options: ReadOptions) -> Run | InputError:
    """Returns one run of a list, or the reason why there is none."""
    if is_named(item):
        name, run = item[0] if isinstance(item[0], tuple) else item[:1], _listed(item[1], options)
        return run if isinstance(run, InputError) else replace(run, run_id=", ".join(map(str, name)))
    try:
        if is_log(item):
            runs, _ = _from_rows(item, options)
        elif is_one(item):
            runs, _ = _one(item, options)
        else:
            return InputError(refusal(item))
    except InputError as error:
        return error
    if len(runs) != 1:
        return InputError(f"this element holds {len(runs)} runs, expected one; hand it over by itself")
    return runs[0]


def _one(data: Any, options: ReadOptions) -> tuple[Sequence[Run | InputError], bool]:
    if isinstance(data, Run):
        return [_completed(data, options)], True
    if is_table(data):
        return _from_frame(data, options)
    rows = log_rows(data)
    if rows is not None:
        return _from_rows(rows, options)
    if not is_mapping(data):
        epochs = getattr(data, "epoch", None)
        history = dict(data.history)
        if isinstance(epochs, list) and "epoch" not in history:
            history["epoch"] = epochs
        return [run_from_mapping(history, options, _NOWHERE)], True
    rows = rows_within(data)
    if rows is not None and is_log(rows):
        return _from_rows(rows, options)
    named = runs_by_name(data)
    if len(named) > 1 and not any(ADVERSARIAL & set(tokens(name)) for name in named):
        raise InputError(_BY_NAME.format(quoted(named)))
    try:
        return [run_from_mapping(data, options, _NOWHERE)], True
    except InputError:
        lists = [str(name) for name, value in data.items() if are_runs(value)]
        if lists:
            raise InputError(_IN_LIST.format(quoted(lists))) from None
        tables = [str(name) for name, value in data.items() if is_table(value) or is_log(value)]
        if not tables or any(parse(name).split or parse(name).quantity == "loss" for name in tables):
            raise
        raise InputError(_BY_NAME.format(quoted(tables))) from None


def _completed(run: Run, options: ReadOptions) -> Run:
    return replace(
        run,
        num_classes=options.num_classes if options.num_classes is not None else run.num_classes,
        metric_goal=options.metric_goal or run.metric_goal,
    )


def _from_rows(rows: Sequence[Mapping[str, Any]], options: ReadOptions) -> tuple[Sequence[Run | InputError], bool]:
    """One run of rows, many where a column tells runs apart."""
    return _from_grid(grid_from_rows(rows), options)


def _from_grid(grid: Grid, options: ReadOptions) -> tuple[Sequence[Run | InputError], bool]:
    """The runs of a grid, the reason in the place of one that cannot be used beside others."""
    runs = runs_from_grid(grid, options, _NOWHERE, split=False)
    found = [run if run.channels else InputError(f"{run.run_id}: {why_unusable(run)}") for run in runs]
    return found, grid.run_of is None and len(runs) == 1


def _from_frame(frame: Any, options: ReadOptions) -> tuple[Sequence[Run | InputError], bool]:
    """One run of a wide table; many of a table with a run column or with lists in its cells."""
    frame = as_table(frame)
    lists = tables_from_lists(frame)
    if lists is not None:
        made = [
            attempt_run(table, options, replace(_NOWHERE, run_id=name or str(k)))
            for k, (name, table) in enumerate(lists)
        ]
        return made, False
    return _from_grid(grid_from_frame(frame), options)


def run_from_mapping(data: Mapping[str, Any], options: ReadOptions, origin: Origin) -> Run:
    """Returns the run of a mapping name -> values or (steps, values); a lone `history` key is looked into.

    Raises:
        InputError: a channel holds no numbers, or there is no loss.
    """
    if not data:
        raise InputError(f"found an empty mapping, {EXPECTED}")
    for wrapper in ("history", "curves", "channels"):
        if wrapper in data and isinstance(data[wrapper], Mapping):
            inner = dict(data[wrapper])
            if "epoch" in data and "epoch" not in inner:
                inner["epoch"] = data["epoch"]
            data = {**inner, **{k: data[k] for k in ID_COLUMNS if k in data}}
    table, notes = _table_and_notes(data, options)
    run_id = next((str(data[k]) for k in ID_COLUMNS if isinstance(data.get(k), (str, int))), "")
    if notes or (run_id and not origin.run_id):
        origin = replace(origin, run_id=origin.run_id or run_id, notes=(*origin.notes, *notes))
    return run_from_table(table, options, origin)


def table_from_mapping(data: Mapping[str, Any]) -> dict[str, Points]:
    """Returns the raw series of a mapping; entries that are no series are passed over.

    Raises:
        InputError: an entry named like a loss holds no numbers, or the only loss is a single number.
    """
    return _table_and_notes(data, ReadOptions())[0]


def _table_and_notes(data: Mapping[str, Any], options: ReadOptions) -> tuple[dict[str, Points], tuple[str, ...]]:
    """The raw series of a mapping, and what was left out of those that it names like a channel."""
    table: dict[str, Points] = {}
    single: list[InputError] = []
    notes: list[str] = []
    series = [(raw, value) for raw, value in series_in(data) if raw not in RUN_COLUMNS]
    axis_name, axis, own, held = "", None, dict[str, FloatArray](), set[str]()
    if options.step is None:
        axis_name, axis = shared_axis(data, series)
        own, held = own_steps(dict(series))
        series = [(raw, value) for raw, value in series if raw not in held and not axis_key(raw)]
    used = axis is None
    for raw, value in _on_one_index(series) if used else ((raw, without_index(value)) for raw, value in series):
        try:
            steps, values = as_points(raw, value)
        except InputError as error:
            known = parse(raw)
            if value is None or isinstance(value, (int, float, str)):
                # not logged, a hyper-parameter (lr, the kind of loss), or a final score
                single += [error] if known.quantity == "loss" else []
            elif known.quantity == "loss" or raw in (options.train_loss, options.val_loss, options.step):
                raise
            elif known.quantity:
                notes.append(f"left out {error}")
            continue
        at = own.get(raw, axis)
        if steps is None and at is not None and len(at) == len(values):
            steps, used = at, used or at is axis
        elif steps is not None and at is not None and not brings_steps(value):
            steps = at[steps.astype(np.int64) - 1] if steps.max(initial=0) <= len(at) else steps
            used = used or at is axis
        table[raw] = (steps, values)
    if single and not any(parse(raw).is_loss for raw in table):
        raise single[0]
    used = used or axis_name in held
    if axis is not None and not used and any(steps is None for steps, _ in table.values()):
        notes.append(f"{axis_name}: its length, {len(axis)}, is that of no series: steps are counted")
    return table, tuple(notes)


def _on_one_index(series: Sequence[tuple[str, Any]]) -> Iterable[tuple[str, Any]]:
    """Returns (name, values) pairs; where the index of one Series is its steps, that of every other is, too.

    But not one that only counts as many values as that Series has: these are values in the places of the others.
    """
    lengths = {len(value) for _, value in series if has_steps(value)}
    if not lengths:
        return series
    counts = {
        raw for raw, value in series if index_of(value) is None or (len(value) in lengths and not has_steps(value))
    }
    return [(raw, value if raw in counts else (index_of(value), value)) for raw, value in series]
