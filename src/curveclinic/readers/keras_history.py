"""JSON documents: a Keras `History` dict, dicts of runs, lists of per-epoch dicts, what CatBoost and ClearML write."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from curveclinic.errors import InputError
from curveclinic.intake.assemble import Origin, ReadOptions, runs_from_grid, runs_of_each
from curveclinic.intake.cells import flatten
from curveclinic.intake.door import run_from_mapping, table_from_mapping
from curveclinic.intake.grid import Grid, grid_from_rows, is_summary
from curveclinic.intake.held import runs_by_name
from curveclinic.intake.naming import parse, quoted
from curveclinic.intake.orientations import rows_held, rows_within
from curveclinic.intake.step_names import is_log_axis
from curveclinic.points import Points
from curveclinic.readers.json_text import load_json, opens_document
from curveclinic.readers.source import SUMMARY_FOUND, NoCurvesError, Source, no_loss
from curveclinic.run import Run


def sniff(head: bytes) -> bool:
    """Says whether bytes are the head of a JSON document."""
    return opens_document(head)


def read(source: Source, options: ReadOptions) -> list[Run]:
    """Returns the runs of a JSON document.

    Raises:
        LogError: the text is no JSON, or holds no series of numbers, or no loss.
    """
    document, notes = load_json(source)
    try:
        return runs_from_document(document, options, source.origin(notes=notes))
    except NoCurvesError:
        raise
    except InputError as error:
        raise no_loss(source, "; ".join((str(error), *notes)), is_log=has_series(document)) from None


def runs_from_document(document: Any, options: ReadOptions, origin: Origin) -> list[Run]:
    """Returns the runs of parsed JSON.

    Raises:
        InputError: there is none in it.
    """
    document = rows_held(document) or rows_within(document) or document
    if isinstance(document, Mapping):
        parts = runs_by_name(document)
        if not parts:
            return [run_from_mapping(document, options, origin)]
        return runs_of_items(list(parts.values()), list(parts), options, origin)
    rows = _checked_rows(document)
    if is_run_per_item(rows[0]):
        return runs_of_items(rows, names_of(rows), options, origin)
    grid = grid_from_rows(_unstacked(rows))
    if is_summary(grid):
        raise NoCurvesError(f"{origin.path}: {SUMMARY_FOUND}")
    return runs_from_grid(grid, options, origin)


def rows_or_curves(document: Any) -> Grid | dict[str, Points]:
    """Returns the rows of parsed JSON, or its curves by name, of one run.

    Raises:
        InputError: there are none in it, or there are several runs.
    """
    document = rows_held(document) or rows_within(document) or document
    if isinstance(document, Mapping):
        if runs_by_name(document):
            raise InputError(f"found several runs, {quoted(map(str, document))}, expected one")
        return table_from_mapping(document)
    return grid_from_rows(_unstacked(_checked_rows(document)))


def _checked_rows(document: Any) -> list[Mapping[str, Any]]:
    """Returns a document that is a list of rows or runs.

    Raises:
        InputError: it is something else.
    """
    if not isinstance(document, list) or not document or not all(isinstance(row, Mapping) for row in document):
        raise InputError(f"found a JSON {type(document).__name__}, expected a dict of lists or a list of dicts")
    return document


def is_counted(row: Mapping[str, Any]) -> bool:
    """Says whether a row has a step."""
    return any(map(is_log_axis, row))


def _unstacked(rows: Sequence[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
    """Returns rows of one value each, as ClearML writes them offline, under the names of the values."""
    stacked = [row for row in rows if row.keys() >= {"metric", "variant", "value", "iter"}]
    return [{"iter": row["iter"], f"{row['metric']}/{row['variant']}": row["value"]} for row in stacked] or rows


def is_run_per_item(item: Mapping[str, Any]) -> bool:
    """Says whether an item of a list is a whole run: a loss in it is a series, not a number."""
    inner = item.get("curves", item.get("history", item))
    try:
        table = table_from_mapping(inner if isinstance(inner, Mapping) else item)
    except InputError:
        return False
    return any(parse(name).may_be_loss for name in table)


def has_series(document: Any) -> bool:
    """Says whether parsed JSON logs something: a list named like a channel, or such a number at a step.

    Without a step only a number named like a loss does: predictions and other data have a score in each row.
    """
    is_rows = isinstance(document, list) and len(document) > 0
    first = document[0] if is_rows else document
    if not isinstance(first, Mapping):
        return False
    is_stepless = is_rows and not is_counted(first)
    cells = [(parse(name).quantity, value) for name, value in flatten(first)]
    logged = [
        value for known, value in cells if known and (known == "loss" or isinstance(value, list) or not is_stepless)
    ]
    return any(_holds_numbers(value, is_rows) for value in logged)


def _holds_numbers(value: Any, is_cell: bool) -> bool:
    """A number in a row; elsewhere a list that starts with one (or with a gap)."""
    if is_cell and not isinstance(value, list):
        return isinstance(value, (int, float))
    return isinstance(value, list) and bool(value) and (value[0] is None or isinstance(value[0], (int, float)))


def names_of(items: Sequence[Mapping[str, Any]]) -> list[str]:
    """Returns the names of items that are whole runs, their numbers where they have none."""
    return [str(item.get("run_id", item.get("id", k))) for k, item in enumerate(items, 1)]


def runs_of_items(
    items: Sequence[Mapping[str, Any]], names: Sequence[str], options: ReadOptions, origin: Origin
) -> list[Run]:
    """Returns the runs of items that are one each.

    Raises:
        InputError: none is usable.
    """
    ids = [f"{origin.run_id}#{name}" if name else origin.run_id for name in names]
    return runs_of_each(run_from_mapping, items, options, [replace(origin, run_id=run_id) for run_id in ids])
