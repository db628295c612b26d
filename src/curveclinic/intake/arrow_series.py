"""List columns of numbers made flat: raw series of many runs, their missing points left out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from curveclinic.kept import kept
from curveclinic.labels import RUN_KINDS, RunKind
from curveclinic.measuring.smoothing import one_if_equal
from curveclinic.points import BoolArray, FloatArray, IntArray, with_inf
from curveclinic.ragged import Ragged, offsets_of

if TYPE_CHECKING:
    import pyarrow as pa


INDEX_MARK: Final = (b"curveclinic.index", b"1")
"""Key and version in the metadata of a schema: a reader has been over these curves, so names and axes are taken as
they are; see `readers.curve_table`."""


def is_index(found: pa.Schema) -> bool:
    """Tells whether a schema is that of an index this version can read."""
    return (found.metadata or {}).get(INDEX_MARK[0]) == INDEX_MARK[1]


def kinds_of(index: pa.Table) -> list[RunKind]:
    """Returns what the losses of each run of an index are; one written before that was stored holds ordinary runs."""
    stored = index["kind"].to_pylist() if "kind" in index.column_names else [None] * index.num_rows
    return [kind if kind in RUN_KINDS else "ordinary" for kind in stored]


def is_list(kind: Any) -> bool:
    """Whether an Arrow type is that of lists."""
    import pyarrow as pa

    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind))


def lists_of(found: pa.Schema) -> list[str]:
    """Returns the names of the columns whose cells hold lists."""
    return [field.name for field in found if is_list(field.type)]


@dataclass(frozen=True, eq=False)
class NumberLists:
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
    def of(cls, column: Any) -> NumberLists | None:
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

    @kept
    def offsets(self) -> IntArray:
        """(n + 1,) where each list begins."""
        return offsets_of(self.lengths)


@dataclass(frozen=True, eq=False)
class RawSeries:
    """A raw series of n runs without its missing points.

    Attributes:
        points: steps (position, from 1, where none were logged) and values.
        given: (n,) the steps were logged.
        unfit: (n,) there are steps, but not one for every value.
    """

    points: Ragged
    given: BoolArray
    unfit: BoolArray

    @classmethod
    def of(cls, column: NumberLists, axes: Sequence[NumberLists]) -> RawSeries:
        """Returns the series of a column; of the axes the first one that is there counts, if it is as long."""
        lengths = column.lengths
        steps, given, unfit = _axis(column, axes)
        if column.missing is not None:  # a gap keeps its place on the implied axis
            gaps = np.zeros(len(lengths), dtype=bool)
            gaps[rows_of(column.offsets, np.flatnonzero(column.missing))] = True
            given = given | gaps
        points = Ragged(steps, column.values, column.offsets)
        return cls(points if column.missing is None else points.where(~column.missing), given, unfit)


def _axis(column: NumberLists, axes: Sequence[NumberLists]) -> tuple[FloatArray, BoolArray, BoolArray]:
    """Flat steps of a column, (n,) where they were logged, and where there are not as many as values."""
    lengths, open_ = column.lengths, column.valid
    for axis in axes:
        if (axis.valid | ~column.valid).all() and np.array_equal(axis.lengths, lengths):
            return axis.values, column.valid, np.zeros(len(lengths), dtype=bool)  # the usual case: nothing is copied
        break
    steps, given, unfit = _positions(column), np.zeros(len(lengths), dtype=bool), np.zeros(len(lengths), dtype=bool)
    for axis in axes:
        here = open_ & axis.valid
        fits = here & (axis.lengths == lengths)
        steps[np.repeat(fits, lengths)] = axis.values[np.repeat(fits, axis.lengths)]
        given, unfit, open_ = given | fits, unfit | (here & ~fits), open_ & ~here
    return steps, given, unfit


def _positions(column: NumberLists) -> FloatArray:
    """(total,) place of every point in its list, from 1."""
    lengths = column.lengths
    if len(lengths) and len(one_if_equal(lengths)) == 1:
        return np.tile(np.arange(1.0, lengths[0] + 1.0), len(lengths))
    position = np.arange(1.0, len(column.values) + 1.0)
    position -= np.repeat(column.offsets[:-1], lengths)
    return position


def rows_of(offsets: IntArray, places: IntArray) -> IntArray:
    """Runs that hold flat places."""
    out: IntArray = offsets.searchsorted(places, side="right") - 1
    return out
