"""`Grid`: rows of a log with named columns; its step axis, and where one run ends and the next begins."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from curveclinic.intake.axis_notes import axis_notes
from curveclinic.intake.batches import between_epochs, logs_means, run_on, tells_abreast
from curveclinic.intake.cells import (
    Column,
    cell_text,
    cells_by_name,
    coded,
    column_from_cells,
    pairs,
    plain_column,
    select,
    text_notes,
    texts_of,
    without_gaps,
)
from curveclinic.intake.charts import taken_apart
from curveclinic.intake.joined import unfilled
from curveclinic.intake.long_tables import labels_in, unstacked
from curveclinic.intake.naming import called, parse
from curveclinic.intake.orientations import SUMMARY
from curveclinic.intake.other_units import beside_train, spread_note
from curveclinic.intake.restarts import cut, moved_on
from curveclinic.intake.run_columns import runs_told
from curveclinic.intake.sides import is_side_column, named_by_side, sides_in
from curveclinic.intake.step_names import (
    COARSE,
    LOG_CALLS,
    TALLIES,
    axis_key,
    counts_on,
    goes_up,
    in_order,
)
from curveclinic.intake.vocabulary import Rank
from curveclinic.intake.worded_steps import results_note, rows_of_results, words_among
from curveclinic.points import FloatArray, IntArray, Points
from curveclinic.run import is_sound_axis


@dataclass(frozen=True, eq=False)
class Grid:
    """Rows of a log.

    Attributes:
        columns: name -> column, in the order logged; columns without a number are left out.
        n_rows: number of rows.
        breaks: rows before which the writer started over (a second header).
        ends: rows before which a training ended.
        run_of: number of the run each row belongs to, None when all rows are one run's.
        run_names: names of these runs.
        notes: what had to be repaired.
    """

    columns: Mapping[str, Column]
    n_rows: int
    breaks: tuple[int, ...] = ()
    ends: tuple[int, ...] = ()
    run_of: IntArray | None = None
    run_names: tuple[str, ...] = ()
    notes: tuple[str, ...] = field(default=())


def grid_from_rows(rows: Sequence[Mapping[str, Any]]) -> Grid:
    """Returns the grid of a list of dicts; a key a dict lacks is a missing cell."""
    cells = cells_by_name(rows)
    columns, notes, words = {}, [], dict[int, str]()
    for name, parts in cells.items():
        column, bad = plain_column(parts) or column_from_cells(pairs(parts))
        if len(column.rows):
            columns[name] = column
            words |= words_among(pairs(parts)) if bad and axis_key(name) else {}
        notes += text_notes(name, column, bad)
    results, said = results_among(words, columns, len(rows))
    if results:
        points = grid_from_rows([row for place, row in enumerate(rows) if place not in results])
        return replace(points, notes=(*said, *points.notes))

    def texts(name: str) -> list[str]:
        return texts_of(cells[name], len(rows))

    told, run_of, run_names = runs_told(cells, texts, *row_steps(Grid(columns, len(rows)), None))
    columns = one_series_each(columns, cells, texts, told=told, run_of=run_of)
    ends = tuple(place for place, row in enumerate(rows, 1) if SUMMARY in row)
    return Grid(columns, len(rows), ends=ends, run_of=run_of, run_names=run_names, notes=tuple(notes))


def results_among(
    words: Mapping[int, str], columns: Mapping[str, Column], n_rows: int
) -> tuple[dict[int, str], tuple[str, ...]]:
    """Returns which rows, of those with a word in a step column, are results and no points, and the note on them."""
    axis = row_steps(Grid(columns, n_rows), None)[0] if words else ""
    found = rows_of_results(words, columns, axis) if axis else {}
    return found, (results_note(axis, found),) if found else ()


def one_series_each(
    columns: Mapping[str, Column],
    names: Collection[str],
    texts_of: Callable[[str], Sequence[str]],
    *,
    told: Collection[str],
    run_of: IntArray | None,
) -> dict[str, Column]:
    """Returns the numbers of a table, those of several metrics or sides in one column taken apart; see `runs_told`."""
    numbers = {name: column for name, column in columns.items() if name not in told or parse(name).quantity}
    labels = {name: texts_of(name) for name in labels_in(names, numbers)}
    sides = {name: labels.get(name) or texts_of(name) for name in sides_in(names, numbers)}
    numbers |= {name: coded(texts_of(name)) for name in _abreast_in_text(names, numbers) if name not in told}
    return named_by_side(unstacked(numbers, labels), sides, run_of)


def _abreast_in_text(names: Iterable[str], columns: Mapping[str, Column]) -> list[str]:
    """The columns without numbers that may tell apart what is trained side by side in an epoch."""
    if not any(axis_key(name) in COARSE for name in columns):
        return []
    return [name for name in names if name not in columns and tells_abreast(name)]


def tables(
    grid: Grid, *, split: bool = True, step: str | None = None, one: bool = False
) -> list[tuple[str, dict[str, Points], tuple[str, ...]]]:
    """Returns one (id or "", table, notes) for each run in the grid.

    Args:
        grid: the rows of one or many runs.
        split: whether rows whose steps start over may be several runs.
        step: name of the step column, or a regular expression found in it; None: by the names that are known.
        one: whether the columns are of one run, whatever their names.

    Raises:
        InputError: there is no column `step`.
    """
    if grid.run_of is None:
        charted = {} if one else taken_apart(grid.columns)
        apart = {name: replace(grid, columns=own) for name, own in charted.items()} if charted else {"": grid}
        return [(name, *one) for name, own in apart.items() for one in _tables_in_order(own, split, step)]
    out = []
    for code, rows in enumerate(rows_by_run(grid.run_of, len(grid.run_names))):
        parts = _tables_in_order(rows_of(grid, rows), split, step)
        for k, (table, notes) in enumerate(parts, 1):
            name = grid.run_names[code]
            out.append((name if len(parts) == 1 else f"{name}#{k}", table, notes))
    return out


def is_summary(grid: Grid) -> bool:
    """Says whether several runs have one row each: their results, no curves."""
    return 1 < len(grid.run_names) == grid.n_rows


def rows_by_run(run_of: IntArray, n_runs: int) -> list[IntArray]:
    """Returns the rows of each run, ascending."""
    order = np.argsort(run_of, kind="stable")
    return np.split(order, np.searchsorted(run_of[order], np.arange(1, n_runs)))


def rows_of(grid: Grid, rows: IntArray) -> Grid:
    """Returns the grid of some rows (ascending), renumbered from 0."""
    chosen = {name: select(column, rows) for name, column in grid.columns.items()}
    return Grid({name: column for name, column in chosen.items() if len(column.rows)}, len(rows))


def _tables_in_order(grid: Grid, split: bool, step: str | None) -> list[tuple[dict[str, Points], tuple[str, ...]]]:
    main = main_column(grid.columns)
    axis_name, steps = row_steps(grid, main, step)
    columns = unfilled(grid.columns, steps)
    if columns is not grid.columns:
        return _tables_in_order(replace(grid, columns=columns), split, step)
    starts: list[int] = [0]
    notes = () if axis_name else axis_notes(grid.columns, grid.n_rows)
    if main is not None:
        starts, steps, said = cut(steps, main.rows, main.values, breaks=grid.breaks, ends=grid.ends, split=split)
        notes = (*notes, *said)
    out = []
    for start, stop in zip(starts, [*starts[1:], grid.n_rows], strict=True):
        table: dict[str, Points] = {}
        for name, column in grid.columns.items():
            inside = _between(column, start, stop)
            if name != axis_name and len(inside.rows):
                is_dense = len(inside.rows) == grid.n_rows
                table[name] = (steps if is_dense else steps[inside.rows], inside.values)
        anchored, spread = _anchor(table, grid, main, start, stop)
        out.append((anchored, (*notes, *spread)))
    return out


def _between(column: Column, start: int, stop: int) -> Column:
    """The part of a column in the rows from `start` to before `stop`."""
    rows = column.rows
    if not len(rows) or (rows[0] >= start and rows[-1] < stop):
        return column
    low, high = rows.searchsorted((start, stop)).tolist()
    return Column(rows[low:high], column.values[low:high])


def main_column(columns: Mapping[str, Column]) -> Column | None:
    """Returns the column whose rows tell where a run starts over: a train loss, else the longest one."""

    def rank(name: str) -> tuple[bool, bool, int]:
        known = parse(name)
        return known.rank > Rank.ERROR, known.split in ("val", "test"), -len(columns[name].rows)

    best = min(columns, key=rank, default=None)
    return None if best is None else columns[best]


def row_steps(grid: Grid, main: Column | None, step: str | None = None) -> tuple[str, FloatArray]:
    """Returns the name of the axis column and the step of each row; without one, rows are counted from 1."""
    known = in_order(grid.columns)
    keys = {axis_key(name): name for name in reversed(known)}
    epochs = next((keys[key] for key in COARSE if key in keys), None)
    for name in known if step is None else [called(step, grid.columns, "step")]:
        key = axis_key(name)
        column = grid.columns[name]
        rows = main.rows if main is not None else column.rows
        dense = len(column.rows) == grid.n_rows
        covered = len(rows) if dense else len(np.intersect1d(column.rows, rows))
        is_axis = 2 * covered >= len(rows) and not _is_constant(column.values) and np.isfinite(column.values).all()
        if step is None and not is_axis:
            continue
        steps = _filled(column, grid.n_rows)
        if key in COARSE and LOG_CALLS in keys and 2 * np.count_nonzero(np.diff(steps[rows]) == 0) > len(rows):
            continue  # most rows share their epoch with the row before
        if epochs is not None and key not in COARSE:
            coarse = _filled(grid.columns[epochs], grid.n_rows)
            is_one_each = is_sound_axis(coarse[rows])
            if step is None and is_one_each and (key in TALLIES or not goes_up(steps[rows])):
                continue  # what each epoch used up, or how many steps it took
            if step is None and np.array_equal(coarse[rows], steps[rows]):
                continue  # another name of the epoch
            steps = run_on(steps, coarse, rows)
            if is_one_each:
                steps = moved_on(steps, rows, (np.flatnonzero(np.diff(steps[rows]) < 0) + 1).tolist())
        elif key in COARSE and main is not None and not _logs_means(grid.columns, main):
            steps = between_epochs(steps, rows, main.values, begins=grid.breaks, abreast=_abreast(grid))
        if step is not None or counts_on(name, steps[rows]):
            return name, steps
    return "", np.arange(1, grid.n_rows + 1, dtype=np.float64)


def axis_of_rows(series: Iterable[tuple[str, Any]], n_rows: int) -> tuple[str, FloatArray]:
    """Returns the name and the steps of the axis of series with a number in each of so many places; "" without one."""
    every = np.arange(n_rows)
    given = dict(series)
    logged = {name: without_gaps(name, value) for name, value in given.items()}
    columns = {name: Column(every, own) for name, own in logged.items() if own is not None and len(own) == n_rows}
    for name in filter(_tells_rows_apart, given):
        if logged[name] is None and hasattr(given[name], "__len__") and len(given[name]) == n_rows:
            columns[name] = coded(list(map(cell_text, given[name])))
    return row_steps(Grid(columns, n_rows), main_column(columns))


def _logs_means(columns: Mapping[str, Column], main: Column) -> bool:
    """Whether the means of epochs are logged beside the main column."""
    name = next(name for name, column in columns.items() if column is main)
    return logs_means(name, {other: len(column.rows) for other, column in columns.items()})


def _abreast(grid: Grid) -> list[FloatArray]:
    """The columns that may tell apart what is trained side by side, or the sides of one training."""
    return [_filled(column, grid.n_rows) for name, column in grid.columns.items() if _tells_rows_apart(name)]


def _tells_rows_apart(name: str) -> bool:
    return tells_abreast(name) or is_side_column(name)


def _is_constant(values: FloatArray) -> bool:
    return len(values) > 1 and bool(values[0] == values[-1]) and bool(np.all(values == values[0]))


def _filled(column: Column, n_rows: int) -> FloatArray:
    """Spreads a column over all rows; a row without a value takes the one before it."""
    if len(column.rows) == n_rows:
        return column.values
    before = np.clip(np.searchsorted(column.rows, np.arange(n_rows), side="right") - 1, 0, None)
    filled: FloatArray = column.values[before]
    return filled


def _anchor(
    table: Mapping[str, Points], grid: Grid, main: Column | None, start: int, stop: int
) -> tuple[dict[str, Points], list[str]]:
    """Brings rows that count in another unit than the train rows onto their steps, and notes which were spread."""
    out, notes = dict(table), list[str]()
    beside = next((name for name, column in grid.columns.items() if column is main), "")
    train, losses = table.get(beside, (None, None))
    if train is None or losses is None or len(train) < 2:
        return out, notes
    rows = _between(grid.columns[beside], start, stop).rows
    for name, (own, values) in table.items():
        if own is None or own is train:
            continue
        placed = beside_train(own, _between(grid.columns[name], start, stop).rows, (train, losses), rows)
        if placed is None:
            continue
        axis, is_spread = placed
        out[name] = (axis, values)
        if is_spread and parse(name).quantity:
            notes.append(spread_note(name, beside))
    return out, notes
