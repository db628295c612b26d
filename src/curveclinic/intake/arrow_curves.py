"""Arrow list columns as a ragged batch, one run a row, without a Python object a run.

A row that needs a closer look (several losses to choose from, steps that go back, axes in other units, a NaN that
may be hidden or a gap, norms of layers, no loss at all) goes the slow way through `assemble`, alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from curveclinic.curves import Curves
from curveclinic.errors import InputError
from curveclinic.intake.arrow_channels import Choices, Found, batch_of, empty_batch
from curveclinic.intake.arrow_series import NumberLists, is_index, kinds_of, lists_of
from curveclinic.intake.assemble import IN_MEMORY, Origin, ReadOptions, attempt, attempt_run
from curveclinic.intake.columns import columns_of
from curveclinic.intake.list_tables import is_run_per_row, key_of, row_table
from curveclinic.intake.naming import parse
from curveclinic.intake.own_steps import axes_among
from curveclinic.labels import MetricGoal, RunKind
from curveclinic.points import BoolArray, FloatArray, IntArray, Points
from curveclinic.run import Run

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class Unreadable:
    """A row that holds no run: its name, and why."""

    run_id: str
    path: str
    format: str
    reason: str


@dataclass(frozen=True, eq=False)
class Reading:
    """A table read.

    Attributes:
        curves: the runs of the rows that could be read as columns.
        rows: (m,) their rows.
        others: row -> run, or why there is none, of the other rows.
    """

    curves: Curves
    rows: IntArray
    others: dict[int, Run | Unreadable]


def is_curve_table(table: pa.Table) -> bool:
    """Whether a table holds one run a row: its curves are lists of numbers, and no loss is a single number."""
    names = table.column_names
    return len(set(names)) == len(names) and is_run_per_row(names, lists_of(table.schema))


def read_curves(table: pa.Table, options: ReadOptions, *, first: int = 0) -> Reading:
    """Reads a table of curves.

    Args:
        table: see `scoring.score_table`.
        options: what the caller knows better.
        first: number of the first row, which names a run without a name.
    """
    lists = set(lists_of(table.schema))
    told = _Told.of(table, first, options)
    flat = {name: NumberLists.of(table.column(name)) for name in lists if _is_read(name, lists)}
    odd = np.zeros(table.num_rows, dtype=bool)
    numbers = {name: one for name in table.column_names if (one := flat.get(name)) is not None}
    if len(numbers) == len(flat):
        found = Found.of(numbers, table.num_rows)
        choices = Choices.of(found, options.metric_goal)
        batch, odd, placed = batch_of(
            found, choices, num_classes=told.num_classes, goal=told.goal, one_axis=told.indexed
        )
        odd |= told.broken
        notes = told.notes
        if choices.any_notes or placed:
            notes = [
                (*a, *b, *placed.get(k, ())) for k, (a, b) in enumerate(zip(told.notes, choices.notes, strict=True))
            ]
        kinds = told.kinds if told.indexed else choices.kinds
    else:  # lists of something else than numbers
        batch, odd, notes, kinds = empty_batch(table.num_rows), ~odd, told.notes, list[RunKind]()
    curves = Curves(batch, told.run_id, told.path, told.format, notes, kinds, {})
    rows = np.flatnonzero(~odd)
    if len(rows) < table.num_rows:
        curves = _taken(curves, rows)
    slow = np.flatnonzero(odd)
    return Reading(curves, rows, dict(zip(slow.tolist(), _one_by_one(table, slow, lists, told), strict=True)))


def _is_read(name: str, lists: set[str]) -> bool:
    """Whether a list column can be a channel or the steps of one, or tells what the others are."""
    known = parse(name)
    return known.is_told or known.may_be_loss or name in axes_among(tuple(sorted(lists))).names


def _taken(curves: Curves, rows: IntArray) -> Curves:
    import pyarrow as pa

    run_id, path, format = (text.take(pa.array(rows)) for text in (curves.run_id, curves.path, curves.format))
    notes, kinds = ([column[i] for i in rows.tolist()] for column in (curves.notes, curves.kinds))
    return Curves(curves.batch.take(rows), run_id, path, format, notes, kinds, {})


def _one_by_one(table: pa.Table, rows: IntArray, lists: set[str], told: _Told) -> Iterator[Run | Unreadable]:
    """Runs of some rows, or why there are none, the slow way."""
    import pyarrow as pa

    if not len(rows):
        return
    some = table.take(pa.array(rows))
    cells = {name: values for name, (values, _) in columns_of(some).items()}
    ids, paths, formats = (column.take(pa.array(rows)).to_pylist() for column in (told.run_id, told.path, told.format))
    for k, i in enumerate(rows.tolist()):
        own = ReadOptions(num_classes=told.num_classes_of(i), metric_goal=told.goal_of(i))
        origin = Origin(run_id=ids[k], path=paths[k], format=formats[k], notes=told.notes[i], advice=IN_MEMORY)
        raw = attempt(row_table, cells, lists, k)
        if told.errors[i] is not None:
            item: Run | InputError = InputError(told.errors[i])
        elif told.indexed and not isinstance(raw, InputError):
            item = attempt(_indexed_run, raw, own, origin, kind=told.kinds[i])
        else:
            item = attempt_run(raw, own, origin)
        yield item if isinstance(item, Run) else Unreadable(origin.run_id, origin.path, origin.format, str(item))


def _indexed_run(table: Mapping[str, Points], options: ReadOptions, origin: Origin, *, kind: RunKind) -> Run:
    """A run as an index holds it."""
    return Run.from_arrays(
        {name: values if steps is None else (steps, values) for name, (steps, values) in table.items()},
        run_id=origin.run_id,
        num_classes=options.num_classes,
        metric_goal=options.metric_goal,
        path=origin.path,
        format=origin.format,
        notes=origin.notes,
        kind=kind,
    )


@dataclass(frozen=True, eq=False)
class _Told:
    """What a table says of its n runs beside their curves.

    Attributes:
        run_id, path, format: (n,) Arrow strings.
        notes: (n,) what was noted while reading.
        kinds: (n,) what the losses are, as an index tells it.
        num_classes: (n,) NaN where unknown.
        goal: (n,) "max", "min" or "" where the name of the metric decides.
        indexed: the table is an index.
        errors: (n,) why an index holds no run in a row; None where it does.
    """

    run_id: Any
    path: Any
    format: Any
    notes: list[tuple[str, ...]]
    kinds: list[RunKind]
    num_classes: FloatArray
    goal: npt.NDArray[np.str_]
    indexed: bool
    errors: list[str | None]

    @classmethod
    def of(cls, table: pa.Table, first: int, options: ReadOptions) -> _Told:
        """Reads the columns that are no curves."""
        n = table.num_rows
        lists = lists_of(table.schema)
        plain, key = set(table.column_names).difference(lists), key_of(table.column_names, lists)
        classes = np.full(n, np.nan if options.num_classes is None else float(options.num_classes))
        if options.num_classes is None and "num_classes" in plain:
            classes = np.array([x if x and x >= 2 else np.nan for x in table["num_classes"].to_pylist()], dtype=float)
        goal = np.full(n, options.metric_goal or "")
        if not options.metric_goal and "metric_goal" in plain:
            goal = np.array([x if x in ("max", "min") else "" for x in table["metric_goal"].to_pylist()], dtype="<U3")
        notes: list[tuple[str, ...]] = [()] * n
        if "notes" in table.column_names and "notes" not in plain:
            notes = [tuple(map(str, x or ())) for x in table["notes"].to_pylist()]
        indexed = is_index(table.schema)
        errors = table["error"].to_pylist() if indexed and "error" in plain else [None] * n
        paths, formats = (_text(table, name, plain) for name in ("path", "format"))
        names = _text(table, "run_id", plain) if indexed else _names(table, key, first)
        kinds = kinds_of(table) if indexed else list[RunKind]()
        return cls(names, paths, formats, notes, kinds, classes, goal, indexed, errors)

    @property
    def broken(self) -> BoolArray:
        """(n,) rows of an index that hold no run."""
        return np.array([error is not None for error in self.errors], dtype=bool)

    def num_classes_of(self, i: int) -> int | None:
        """Number of classes of one run."""
        return None if np.isnan(self.num_classes[i]) else int(self.num_classes[i])

    def goal_of(self, i: int) -> MetricGoal | None:
        """Goal of one run's metric."""
        return str(self.goal[i]) or None  # type: ignore[return-value]  # checked in `of`


def _text(table: pa.Table, name: str, among: set[str]) -> Any:
    """A column of texts, empty where there are none."""
    import pyarrow as pa

    if name not in among:
        return pa.repeat(pa.scalar(""), table.num_rows)
    column = table[name]
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
        column = pa.chunked_array([pa.array([None if x is None else str(x) for x in column.to_pylist()], pa.string())])
    return column.cast(pa.string()).fill_null("").combine_chunks()


def _names(table: pa.Table, key: str | None, first: int) -> Any:
    """Names of the runs, their number where they have none."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if key is not None:
        names = _text(table, key, {key})
        empty = pc.equal(names, "")
        if not pc.any(empty).as_py():
            return names
        return pc.if_else(empty, pa.array([str(first + k) for k in range(table.num_rows)]), names)
    return pa.array([str(first + k) for k in range(table.num_rows)], pa.string())
