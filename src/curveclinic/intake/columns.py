"""Tables of other libraries (pandas, polars, pyarrow): their cells, and the `Grid` of one."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from curveclinic.intake.cells import Column, cell_text, column_from_cells, repeated_notes, select, text_notes
from curveclinic.intake.grid import Grid, one_series_each, results_among, row_steps, rows_by_run
from curveclinic.intake.joined import unfilled
from curveclinic.intake.naming import parse
from curveclinic.intake.pandas_index import STEPS, are_other_losses, level_notes, levels, runs_below
from curveclinic.intake.run_columns import runs_told
from curveclinic.intake.step_names import axis_key
from curveclinic.intake.worded_steps import words_among
from curveclinic.phrases import counted
from curveclinic.points import BoolArray, IntArray

Cells = tuple["npt.NDArray[Any]", "BoolArray | None"]
"""Cells of a column, and which of them are missing; None for object columns, whose None are missing."""

_FEW_GAPS = 0.2
"""Share of a column's rows up to which NaN stands out."""


def grid_from_frame(frame: Any) -> Grid:
    """Returns the grid of a wide or long table; see `_settle_nans` for what pandas cannot tell apart."""
    cells = columns_of(frame)
    n_rows = max((len(values) for values, _ in cells.values()), default=0)
    columns: dict[str, Column] = {}
    notes, words = [*repeated_notes(_names_of(frame))], dict[int, str]()
    every = np.arange(n_rows)
    for name, (values, missing) in cells.items():
        column, bad = _column(values, missing, every)
        if len(column.rows):
            columns[name] = column
            words |= words_among(enumerate(values.tolist())) if bad and axis_key(name) else {}
        notes += text_notes(name, column, bad)
    results, said = results_among(words, columns, n_rows)
    if results:
        points = grid_from_frame(_taken(frame, np.delete(every, list(results))))
        return replace(points, notes=(*said, *points.notes))

    def texts(name: str) -> list[str]:
        return _texts(cells[name])

    is_pandas = type(frame).__module__.partition(".")[0] == "pandas"
    axis, steps = row_steps(Grid(columns, n_rows), None)
    told, run_of, run_names = runs_told(cells, texts, axis, steps)
    parts, n_parts = run_of, len(run_names)
    if run_of is None and is_pandas and n_rows:
        parts = runs_below(frame.index, axis, steps)
        n_parts = 0 if parts is None else int(parts[-1]) + 1
        if parts is not None and not are_other_losses(map(_logged, filter(_is_loss, columns.items())), parts):
            run_of, run_names = parts, tuple(map(str, range(n_parts)))
        elif parts is not None and not axis:
            columns[STEPS] = Column(every, np.asarray(frame.index, dtype=np.float64))
    columns = one_series_each(columns, cells, texts, told=told, run_of=run_of)
    if is_pandas:
        notes += level_notes(frame.index)
        columns = columns if parts is not None else dict(unfilled(columns, steps))
        settled = _settle_runs(columns, parts, n_parts, n_rows)
        notes += _gap_notes(columns, settled)
        columns = settled
    return Grid(columns, n_rows, run_of=run_of, run_names=run_names, notes=tuple(notes))


def _is_loss(named: tuple[str, Column]) -> bool:
    return parse(named[0]).may_be_loss


def _logged(named: tuple[str, Column]) -> IntArray:
    """The rows in which a column has a number."""
    _, column = named
    return column.rows[~np.isnan(column.values)]


def _texts(cells: Cells) -> list[str]:
    """Returns the cells of a column as texts; "" for a missing one."""
    values, missing = cells
    given = values.tolist()
    texts = given if set(map(type, given)) == {str} else list(map(cell_text, given))
    return texts if missing is None else ["" if gap else text for text, gap in zip(texts, missing, strict=True)]


def _column(values: npt.NDArray[Any], missing: BoolArray | None, every: IntArray) -> tuple[Column, list[Any]]:
    """The numbers of a column, and its cells that hold none; `every` are all rows, shared by columns without gaps."""
    if missing is None:
        return column_from_cells(enumerate(values.tolist()))
    if not missing.any():
        return Column(every[: len(values)], values.astype(np.float64, copy=False)), []
    rows = np.flatnonzero(~missing)
    return Column(rows, values[rows].astype(np.float64, copy=False)), []


def as_table(frame: Any) -> Any:
    """Returns an Arrow record batch as a table, any other table as it is."""
    if type(frame).__name__ != "RecordBatch":
        return frame
    import pyarrow as pa

    return pa.Table.from_batches([frame])


def columns_of(frame: Any) -> dict[str, Cells]:
    """Returns name -> cells of a table; of columns with the same name the first."""
    places: dict[str, int] = {}
    for place, name in enumerate(_names_of(frame)):
        places.setdefault(name, place)
    module = type(frame).__module__.partition(".")[0]
    if module == "pyarrow":
        return {name: _from_arrow(frame.column(i)) for name, i in places.items()}
    if module == "polars":
        return {name: _from_polars(frame.get_column(name)) for name in places}
    cells = {name: _from_pandas(frame.iloc[:, i]) for name, i in places.items()}
    own = {name: level for name, level in levels(frame.index).items() if name not in cells}
    return cells | {name: _from_pandas(level.to_series()) for name, level in own.items()}


def _taken(frame: Any, rows: IntArray) -> Any:
    """Returns some rows of a table."""
    module = type(frame).__module__.partition(".")[0]
    return frame.take(rows) if module in ("pandas", "pyarrow") else frame[rows]


def _names_of(frame: Any) -> list[str]:
    module = type(frame).__module__.partition(".")[0]
    return list(map(str, frame.column_names if module == "pyarrow" else frame.columns))


def _from_arrow(column: Any) -> Cells:
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = column.type
    if pa.types.is_dictionary(kind) and (
        pa.types.is_string(kind.value_type) or pa.types.is_large_string(kind.value_type)
    ):
        return _object_array([text for chunk in column.chunks for text in _shared_texts(chunk)]), None
    if pa.types.is_dictionary(kind):
        column = pc.cast(column, kind.value_type)
        kind = column.type
    if pa.types.is_floating(kind) or pa.types.is_integer(kind):
        if not column.null_count:
            return column.to_numpy(zero_copy_only=False), np.zeros(len(column), dtype=bool)
        missing = column.is_null().to_numpy(zero_copy_only=False)
        return column.fill_null(0).to_numpy(zero_copy_only=False), missing
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return _object_array([_list_values(v) for v in column]), None
    try:
        return _object_array(column.to_pylist()), None
    except (OverflowError, ValueError):  # times before the year 1 or after 9999
        return _object_array([None] * len(column)), None


def _shared_texts(array: Any) -> Iterator[str | None]:
    """Yields the texts of a dictionary array; equal ones are one object, however long and often repeated."""
    texts = [*array.dictionary.to_pylist(), None]
    return (texts[place] for place in array.indices.fill_null(len(texts) - 1).to_pylist())


def _list_values(scalar: Any) -> Any:
    """One list cell as an array, without a Python object per number unless some are missing."""
    inner = scalar.values
    if inner is None:
        return None
    return inner.to_pylist() if inner.null_count else inner.to_numpy(zero_copy_only=False)


def _from_polars(column: Any) -> Cells:
    if column.dtype.is_numeric():
        exact = column if column.dtype.is_integer() else column.cast(float)  # a run id may not fit a float
        return exact.fill_null(0).to_numpy(), column.is_null().to_numpy()
    return _object_array(column.to_list()), None


def _from_pandas(column: Any) -> Cells:
    """Nullable columns know what is missing; float columns do not, and keep their NaN."""
    if isinstance(column.dtype, np.dtype) and column.dtype.kind in "fiu":
        return column.to_numpy(), np.zeros(len(column), dtype=bool)
    if hasattr(column.array, "isna") and getattr(column.dtype, "kind", "O") in "fiu":
        missing = np.asarray(column.isna(), dtype=bool)
        return column.to_numpy(dtype=np.float64, na_value=np.nan), missing
    return _object_array(list(column)), None


def _object_array(values: list[Any]) -> npt.NDArray[Any]:
    out = np.empty(len(values), dtype=object)
    for i, value in enumerate(values):
        out[i] = value
    return out


def _gap_notes(before: Mapping[str, Column], after: Mapping[str, Column]) -> list[str]:
    """The notes on a few NaN that were read as not logged, in columns that have a number in nearly every row."""
    out = []
    for name, column in before.items():
        lost = len(column.rows) - len(after[name].rows) if name in after else 0
        if 0 < lost <= _FEW_GAPS * len(column.rows) and parse(name).quantity:
            out.append(f"{name}: NaN in {counted(lost, 'row')} is read as not logged, which pandas writes so, too")
    return out


def _settle_runs(columns: dict[str, Column], run_of: IntArray | None, n_runs: int, n_rows: int) -> dict[str, Column]:
    """Applies `_settle_nans` to each run's own rows."""
    if run_of is None:
        return _settle_nans(columns, n_rows)
    kept: dict[str, list[Column]] = {name: [] for name in columns}
    logged = frozenset(name for name, column in columns.items() if not np.isnan(column.values).all())
    for rows in rows_by_run(run_of, n_runs):
        own = {name: select(column, rows) for name, column in columns.items()}
        own = {name: column for name, column in own.items() if len(column.rows)}
        for name, column in _settle_nans(own, len(rows), logged).items():
            kept[name].append(Column(rows[column.rows], column.values))
    return {name: Column.joined(parts) for name, parts in kept.items() if parts}


def _settle_nans(
    columns: Mapping[str, Column], n_rows: int, logged: Collection[str] = frozenset()
) -> dict[str, Column]:
    """Tells missing cells from real NaN in float columns, where pandas writes NaN for both.

    A NaN with a later finite value in its column is missing. A block of NaN at the end is real if it is
    longer than the column's usual gap; of it, the rows the column's cadence leads to are kept. A column
    of nothing but NaN is real if it is the run's only train loss, and no padding of one of `logged`: the columns that
    others of many runs log.
    """
    finite = {name: column.rows[~np.isnan(column.values)] for name, column in columns.items()}
    rare = [rows for rows in finite.values() if 0 < len(rows) <= max(1, n_rows // 20) and rows[-1] >= n_rows - 2]
    summary = set(np.concatenate(rare).tolist()) if rare else set()
    out = {}
    for name, column in columns.items():
        is_nan = np.isnan(column.values)
        keep = ~is_nan
        if len(finite[name]):
            keep |= _real_nans(column, finite[name], summary)
        else:
            keep |= _is_dead_loss(name, finite) and not (name in logged and _may_be_padded(finite, n_rows))
        if keep.any():
            out[name] = Column(column.rows[keep], column.values[keep])
    return out


def _is_dead_loss(name: str, finite: Mapping[str, IntArray]) -> bool:
    """Whether a column of NaN is a train loss, not a second name for one that is logged."""

    def part(name: str) -> tuple[str, ...] | None:
        known = parse(name)
        return known.component if known.quantity == "loss" and known.split in ("train", "") else None

    return part(name) is not None and not any(len(rows) and part(name) == part(other) for other, rows in finite.items())


def _may_be_padded(finite: Mapping[str, IntArray], n_rows: int) -> bool:
    """Whether one of many runs may log no train loss: it logs another loss, or is a single row."""
    return n_rows == 1 or any(len(rows) and parse(name).quantity == "loss" for name, rows in finite.items())


def _real_nans(column: Column, finite: IntArray, summary: set[int]) -> BoolArray:
    is_nan = np.isnan(column.values)
    gaps = np.diff(finite)
    widest, usual = (int(gaps.max()), int(np.median(gaps))) if len(gaps) else (int(finite[-1]) + 1, int(finite[-1]) + 1)
    trailing = is_nan & (column.rows > finite[-1])
    trailing &= ~np.isin(column.rows, np.array(sorted(summary), dtype=np.int64))
    if trailing.sum() < widest:
        return np.zeros(len(is_nan), dtype=bool)
    return np.asarray(trailing & ((column.rows - finite[-1]) % max(usual, 1) == 0))
