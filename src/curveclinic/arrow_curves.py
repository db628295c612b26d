"""Arrow list columns as a ragged batch, one run a row, without a Python object a run.

What the alias table makes of a row depends on which columns hold points in it, and rarely on more. So names are
chosen once for every set of such columns (`_Choices`). A row that needs a closer look (several losses to choose from,
steps that go back, axes in other units, norms of layers, no loss at all) goes the slow way through `assemble`, alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from curveclinic.assemble import Origin, ReadOptions, attempt, run_from_table
from curveclinic.choosing import choose
from curveclinic.columns import STEP_LISTS, axes_of, columns_of, is_axis_of, row_table
from curveclinic.errors import InputError
from curveclinic.grid import OTHER_UNITS, RUN_COLUMNS
from curveclinic.labels import CHANNELS
from curveclinic.naming import Name, Points, parse
from curveclinic.ragged import Batch, BoolArray, FloatArray, IntArray, Ragged
from curveclinic.run import MetricGoal, Run, implied_share, with_inf
from curveclinic.verdict_rows import Curves

if TYPE_CHECKING:
    import pyarrow as pa

INDEX_MARK: Final = b"curveclinic.index"
"""Key in the metadata of a schema: a reader has been over these curves, so names and axes are taken as they are."""

_UNIT_MARGIN: Final = 1e-9
"""Nearer than that to where axes count as being in other units, the slow way decides."""


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
    lists = [name for name in names if _is_list(table.schema.field(name).type)] if len(set(names)) == len(names) else []
    scalar_loss = any(parse(name).quantity == "loss" for name in names if name not in lists)
    return bool(lists) and (not scalar_loss or any(parse(name).quantity for name in lists))


def read_curves(table: pa.Table, options: ReadOptions, *, first: int = 0) -> Reading:
    """Reads a table of curves.

    Args:
        table: see `scoring.score_table`.
        options: what the caller knows better.
        first: number of the first row, which names a run without a name.
    """
    lists = {name for name in table.column_names if _is_list(table.schema.field(name).type)}
    told = _Told.of(table, first, options)
    flat = {name: _List.of(table.column(name)) for name in lists if _is_read(name, lists)}
    odd = np.zeros(table.num_rows, dtype=bool)
    if None not in flat.values():
        found = _Found.of({name: flat[name] for name in table.column_names if name in flat}, table.num_rows)
        choices = _Choices.of(found, options.metric_goal)
        batch, odd = _batch(found, choices, told)
        notes = [(*a, *b) for a, b in zip(told.notes, choices.notes, strict=True)] if choices.any_notes else told.notes
    else:  # lists of something else than numbers
        batch, odd, notes = _empty_batch(table.num_rows), ~odd, told.notes
    curves = Curves(batch, told.run_id, told.path, told.format, notes, {})
    rows = np.flatnonzero(~odd)
    if len(rows) < table.num_rows:
        curves = _taken(curves, rows)
    slow = np.flatnonzero(odd)
    return Reading(curves, rows, dict(zip(slow.tolist(), _one_by_one(table, slow, lists, told), strict=True)))


def _is_read(name: str, lists: set[str]) -> bool:
    """Whether a list column can be a channel or the steps of one."""
    known = parse(name)
    return bool(known.quantity) or known.rank < 9 or name.lower() in STEP_LISTS or is_axis_of(name, lists)


def _taken(curves: Curves, rows: IntArray) -> Curves:
    import pyarrow as pa

    texts = (text.take(pa.array(rows)) for text in (curves.run_id, curves.path, curves.format))
    return Curves(curves.batch.take(rows), *texts, notes=[curves.notes[i] for i in rows.tolist()], layers={})


def _is_list(kind: Any) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind))


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
        origin = Origin(run_id=ids[k], path=paths[k], format=formats[k], notes=told.notes[i])
        raw = row_table(cells, lists, k)
        if told.errors[i] is not None:
            item: Run | InputError = InputError(told.errors[i])
        else:
            item = attempt(_indexed_run if told.indexed else run_from_table, raw, own, origin)
        yield item if isinstance(item, Run) else Unreadable(origin.run_id, origin.path, origin.format, str(item))


def _indexed_run(table: Mapping[str, Points], options: ReadOptions, origin: Origin) -> Run:
    """A run as an index holds it."""
    return Run.from_arrays(
        {name: values if steps is None else (steps, values) for name, (steps, values) in table.items()},
        run_id=origin.run_id,
        num_classes=options.num_classes,
        metric_goal=options.metric_goal,
        path=origin.path,
        format=origin.format,
        notes=origin.notes,
    )


@dataclass(frozen=True, eq=False)
class _Told:
    """What a table says of its n runs beside their curves.

    Attributes:
        run_id, path, format: (n,) Arrow strings.
        notes: (n,) what was noted while reading.
        num_classes: (n,) NaN where unknown.
        goal: (n,) "max", "min" or "" where the name of the metric decides.
        indexed: the table is an index.
        errors: (n,) why an index holds no run in a row; None where it does.
    """

    run_id: Any
    path: Any
    format: Any
    notes: list[tuple[str, ...]]
    num_classes: FloatArray
    goal: npt.NDArray[np.str_]
    indexed: bool
    errors: list[str | None]

    @classmethod
    def of(cls, table: pa.Table, first: int, options: ReadOptions) -> _Told:
        """Reads the columns that are no curves."""
        n = table.num_rows
        plain = {name for name in table.column_names if not _is_list(table.schema.field(name).type)}
        key = next((k for k in (*RUN_COLUMNS, "id") if k in plain), None)
        classes = np.full(n, np.nan if options.num_classes is None else float(options.num_classes))
        if options.num_classes is None and "num_classes" in plain:
            classes = np.array([x if x and x >= 2 else np.nan for x in table["num_classes"].to_pylist()], dtype=float)
        goal = np.full(n, options.metric_goal or "")
        if not options.metric_goal and "metric_goal" in plain:
            goal = np.array([x if x in ("max", "min") else "" for x in table["metric_goal"].to_pylist()], dtype="<U3")
        notes: list[tuple[str, ...]] = [()] * n
        if "notes" in table.column_names and "notes" not in plain:
            notes = [tuple(map(str, x or ())) for x in table["notes"].to_pylist()]
        indexed = INDEX_MARK in (table.schema.metadata or {})
        errors = table["error"].to_pylist() if indexed and "error" in plain else [None] * n
        paths, formats = (_text(table, name, plain) for name in ("path", "format"))
        return cls(_names(table, key, first), paths, formats, notes, classes, goal, indexed, errors)

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


@dataclass(frozen=True, eq=False)
class _List:
    """A list column of numbers made flat.

    Attributes:
        values: (total,) NaN where missing.
        missing: (total,) what is missing; None for nothing.
        lengths: (n,) 0 for a null list.
        valid: (n,) no null.
    """

    values: FloatArray
    missing: BoolArray | None
    lengths: IntArray
    valid: BoolArray

    @classmethod
    def of(cls, column: Any) -> _List | None:
        """Returns the column; None where it holds no numbers."""
        import pyarrow as pa

        inner = column.type.value_type
        if not (pa.types.is_float32(inner) or pa.types.is_float64(inner) or pa.types.is_integer(inner)):
            return None
        array = pa.concat_arrays(column.chunks) if column.num_chunks != 1 else column.chunk(0)
        valid = array.is_valid().to_numpy(zero_copy_only=False)
        lengths = np.diff(array.offsets.to_numpy()).astype(np.int64)
        flat, missing = array.flatten(), None  # what a null list points at is left out
        if flat.null_count:
            missing = flat.is_null().to_numpy(zero_copy_only=False)
            flat = flat.fill_null(0)
        values = with_inf(flat.to_numpy(zero_copy_only=False).astype(np.float64, copy=False))
        if missing is not None:
            values = np.where(missing, np.nan, values)
        return cls(values, missing, np.where(valid, lengths, 0), valid)

    @cached_property
    def offsets(self) -> IntArray:
        """(n + 1,) where each list begins."""
        return offsets_of(self.lengths)


def offsets_of(lengths: IntArray) -> IntArray:
    """(n + 1,) offsets of runs of given lengths."""
    return np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)


@dataclass(frozen=True, eq=False)
class _Series:
    """A raw series of n runs without its missing points.

    Attributes:
        points: steps (position, from 1, where none were logged) and values.
        given: (n,) the steps were logged.
    """

    points: Ragged
    given: BoolArray

    @classmethod
    def of(cls, column: _List, axes: Sequence[_List]) -> _Series:
        """Returns the series of a column; of the axes the first one that is there counts, if it is as long."""
        lengths = column.lengths
        position = np.arange(1, len(column.values) + 1) - np.repeat(column.offsets[:-1], lengths)
        steps, given = _axis(column, axes, position)
        if column.missing is not None:  # a gap keeps its place on the implied axis
            gaps = np.zeros(len(lengths), dtype=bool)
            gaps[_rows_of(column.offsets, np.flatnonzero(column.missing))] = True
            given = given | gaps
        keep = np.isfinite(steps)
        if column.missing is not None:
            keep &= ~column.missing
        points = Ragged(steps, column.values, column.offsets)
        return cls(points if keep.all() else _kept(points, keep), given)


def _axis(column: _List, axes: Sequence[_List], position: IntArray) -> tuple[FloatArray, BoolArray]:
    """Flat steps of a column, and (n,) where they were logged."""
    lengths, open_ = column.lengths, column.valid
    for axis in axes:
        if (axis.valid | ~column.valid).all() and np.array_equal(axis.lengths, lengths):
            return axis.values, column.valid  # the usual case: nothing is copied
        break
    steps, given = position.astype(np.float64), np.zeros(len(lengths), dtype=bool)
    for axis in axes:
        here = open_ & axis.valid
        fits = here & (axis.lengths == lengths)
        steps[np.repeat(fits, lengths)] = axis.values[np.repeat(fits, axis.lengths)]
        given, open_ = given | fits, open_ & ~here
    return steps, given


def _kept(points: Ragged, keep: BoolArray) -> Ragged:
    counts = np.concatenate([[0], np.cumsum(keep)])
    return Ragged(points.steps[keep], points.values[keep], counts[points.offsets].astype(np.int64))


def _rows_of(offsets: IntArray, places: IntArray) -> IntArray:
    """Runs that hold flat places."""
    out: IntArray = offsets.searchsorted(places, side="right") - 1
    return out


@dataclass(frozen=True, eq=False)
class _Found:
    """Raw series by name, and for each row which of them hold no point, one, or more: (n, series)."""

    series: dict[str, _Series]
    sizes: npt.NDArray[np.int8]

    @classmethod
    def of(cls, lists: Mapping[str, _List], n: int) -> _Found:
        """Returns the series of list columns; those that are the axis of another are none."""
        names = [name for name in lists if name.lower() not in STEP_LISTS and not is_axis_of(name, set(lists))]
        series = {name: _Series.of(lists[name], [lists[k] for k in axes_of(name) if k in lists]) for name in names}
        sizes = [np.minimum(one.points.lengths, 2).astype(np.int8) for one in series.values()]
        return cls(series, np.stack(sizes, axis=1) if sizes else np.zeros((n, 0), dtype=np.int8))


@dataclass(frozen=True, eq=False)
class _Choices:
    """Which raw series are the channels of n runs.

    Attributes:
        source: channel -> raw name.
        used: channel -> (n,) runs that have it.
        notes: (n,) what was chosen.
        goal: (n,) goal of the metric by its name, "" for none.
        open: (n,) rows whose choice needs a closer look.
    """

    source: dict[str, str]
    used: dict[str, BoolArray]
    notes: list[tuple[str, ...]]
    goal: npt.NDArray[np.str_]
    open: BoolArray

    @property
    def any_notes(self) -> bool:
        """Whether something was noted at all."""
        return any(self.notes)

    @classmethod
    def of(cls, found: _Found, goal: MetricGoal | None) -> _Choices:
        """Chooses once for every set of series that rows hold, the most frequent set first."""
        kinds, kind, count = np.unique(found.sizes, axis=0, return_inverse=True, return_counts=True)
        kind = kind.reshape(-1)
        names, source = list(found.series), dict[str, str]()
        picks: list[_Pick | None] = [None] * len(kinds)
        for k in np.argsort(-count, kind="stable").tolist():
            pick = _pick({name: int(size) for name, size in zip(names, kinds[k], strict=True) if size}, goal)
            if pick is not None and all(source.get(c, raw) == raw for c, raw in pick.source.items()):
                picks[k] = pick
                source |= pick.source
        used = {c: np.array([p is not None and c in p.source for p in picks], dtype=bool)[kind] for c in source}
        said = [() if p is None else p.notes for p in picks]
        goals = np.array([(p and p.goal) or "" for p in picks], dtype="<U3")
        return cls(
            source, used, [said[k] for k in kind.tolist()], goals[kind], np.array([p is None for p in picks])[kind]
        )  # fmt: skip


@dataclass(frozen=True)
class _Pick:
    """What `choose` makes of one set of series: channel -> raw name, notes, goal of the metric."""

    source: dict[str, str]
    notes: tuple[str, ...]
    goal: MetricGoal | None


def _pick(sizes: Mapping[str, int], goal: MetricGoal | None) -> _Pick | None:
    """Returns the choice among series of one or more points; None where it depends on more than that."""
    if not _is_plain([parse(name) for name in sizes]):
        return None
    table: dict[str, Points] = {name: (np.arange(1.0, size + 1), np.zeros(size)) for name, size in sizes.items()}
    choice = choose(table, metric_goal=goal)
    if not {"train_loss", "val_loss", "grad_norm"} & set(choice.channels) or not set(choice.channels) <= set(CHANNELS):
        return None
    raw = {id(values): name for name, (_, values) in table.items()}
    if not all(id(values) in raw for _, values in choice.channels.values()):
        return None
    return _Pick({c: raw[id(values)] for c, (_, values) in choice.channels.items()}, choice.notes, choice.metric_goal)


def _is_plain(names: Sequence[Name]) -> bool:
    """Whether no two names compete, so that lengths and steps decide nothing."""
    losses = [n for n in names if n.rank <= 1]
    bare, named = ([n for n in names if n.rank < 9 and n.split == split] for split in ("", "train"))
    if not losses or (bare and named):
        return False
    for one_side in (("", "train"), ("val",), ("test",)):
        if sum(n.split in one_side for n in losses) > 1:
            return False
    metrics = [(n.component, n.split) for n in names if n.quantity == "metric"]
    return len(set(metrics)) == len(metrics)


def _empty_batch(n: int) -> Batch:
    absent = Ragged(np.empty(0), np.empty(0), np.zeros(n + 1, dtype=np.int64))
    return Batch(dict.fromkeys(CHANNELS, absent), np.full(n, np.nan), np.ones(n), np.full(n, np.nan))


def _batch(found: _Found, choices: _Choices, told: _Told) -> tuple[Batch, BoolArray]:
    """The chosen channels as a batch, and (n,) the rows that need a closer look."""
    odd, blank = choices.open.copy(), _empty_batch(len(told.num_classes))
    series = {c: _only(found.series[raw], choices.used[c]) for c, raw in choices.source.items()}
    if told.indexed:
        odd |= np.array([error is not None for error in told.errors], dtype=bool)
    else:
        odd |= _in_other_units(series, len(odd))
    longest = np.zeros(len(odd), dtype=np.int64)
    for one in series.values():
        np.maximum(longest, np.where(one.given, 0, one.points.lengths), out=longest)
        odd |= _goes_back(one.points)
    channels = dict(blank.channels) | {c: _on_axis(one, longest) for c, one in series.items()}
    goal = np.where(told.goal == "", choices.goal, told.goal)
    return Batch(channels, told.num_classes, np.where(goal == "min", -1.0, 1.0), blank.layer_ratio), odd


def _only(series: _Series, used: BoolArray) -> _Series:
    """The series without the rows in which it is not chosen."""
    points = series.points
    if not ((points.lengths > 0) & ~used).any():
        return series
    return _Series(_kept(points, np.repeat(used, points.lengths)), series.given)


def _on_axis(series: _Series, longest: IntArray) -> Ragged:
    """The channel; steps that were not logged are on the axis of the longest such channel of their run."""
    points = series.points
    share = np.where(series.given, 1.0, implied_share(points.lengths, longest))
    if (share == 1.0).all():
        return points
    return Ragged(points.steps * np.repeat(share, points.lengths), points.values, points.offsets)


def _goes_back(points: Ragged) -> BoolArray:
    """(n,) runs whose steps do not increase."""
    out = np.zeros(points.size, dtype=bool)
    back = np.flatnonzero(points.steps[1:] <= points.steps[:-1])
    if len(back):
        row, after = _rows_of(points.offsets, back), _rows_of(points.offsets, back + 1)
        out[row[row == after]] = True
    return out


def _in_other_units(series: Mapping[str, _Series], n: int) -> BoolArray:
    """(n,) runs of which a channel is counted in other units than train, see `assemble.share_axis`."""
    out = np.zeros(n, dtype=bool)
    if "train_loss" not in series:
        return out
    train = _last_steps(series["train_loss"])
    for name in ("val_loss", "val_metric", "train_metric", "lr"):
        if name in series:
            own = _last_steps(series[name])
            low, high = np.minimum(train, own), np.maximum(train, own)
            with np.errstate(invalid="ignore"):
                out |= (low > 0) & (high > OTHER_UNITS * (1 - _UNIT_MARGIN) * low)
    return out


def _last_steps(series: _Series) -> FloatArray:
    """(n,) largest logged step, NaN where none or only one was logged."""
    points = series.points
    out = np.full(points.size, np.nan)
    rows = np.flatnonzero((points.lengths >= 2) & series.given)
    if len(rows):
        # runs between two of these lie in their segments and are none of them, or are empty
        every = np.flatnonzero(points.lengths > 0)
        largest = np.maximum.reduceat(points.steps, points.offsets[every])
        out[rows] = largest[np.searchsorted(every, rows)]
    return out
