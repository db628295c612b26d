"""The cache: simulated trainings as Parquet, one row a training, dense series as lists."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from curveclinic.errors import InputError
from curveclinic.ragged import BoolArray, FloatArray, IntArray, offsets_of

if TYPE_CHECKING:
    import pyarrow as pa

    from curveclinic.synth.simulate.groups import Group
    from curveclinic.synth.simulate.trainer import Records

DENSE: Final = ("step", "loss", "metric", "lr", "grad_norm", "bad")
"""Columns of lists over the recorded steps."""

EVALUATED: Final = (
    "eval_step", "val_loss", "val_metric", "full_loss", "full_metric", "batch_noise", "pool_loss", "pool_metric",
)  # fmt: skip
"""Columns of lists over the evaluations."""

TEXTS: Final = ("family", "cause")
NUMBERS: Final = ("group", "classes", "metric_sign", "stride", "epoch", "cost", "fixed_order", "every")
"""Columns of single numbers: classes is 0 for a regression, epoch is in steps, cost that of an untrained model."""


@dataclass(frozen=True, eq=False)
class Cache:
    """Simulated trainings in memory.

    Attributes:
        family, cause: (n,) names.
        numbers: name in `NUMBERS` -> (n,).
        dense, evaluated: name -> flat values of all trainings.
        dense_offsets, eval_offsets: (n + 1,) first value of each training.
    """

    family: np.ndarray[Any, Any]
    cause: np.ndarray[Any, Any]
    numbers: dict[str, FloatArray]
    dense: dict[str, FloatArray]
    evaluated: dict[str, FloatArray]
    dense_offsets: IntArray
    eval_offsets: IntArray

    @property
    def size(self) -> int:
        """Number of trainings."""
        return len(self.family)


def table_of(group: Group, records: Records, number: int) -> pa.Table:
    """Rows of one group."""
    import pyarrow as pa

    from curveclinic.synth.simulate.faults import FAULTS, HEALTHY
    from curveclinic.synth.simulate.recipe import ORDERS
    from curveclinic.synth.simulate.tasks import TASKS

    n, classes = len(group.faults), TASKS[group.setting.task].classes
    recipe, every = group.recipe, int(records.step[0]) + 1
    columns: dict[str, Any] = {
        "family": group.families,
        "cause": [FAULTS[fault].cause if fault != HEALTHY else HEALTHY for fault in group.faults],
        "group": np.full(n, number),
        "classes": np.full(n, classes),
        "metric_sign": np.full(n, -1.0 if group.setting.error and not classes else 1.0),
        "stride": np.full(n, group.setting.stride),
        "epoch": np.maximum(recipe.n_train // group.setting.batch, 1),
        "cost": records.cost,
        "fixed_order": np.isin(recipe.order, [ORDERS.index(k) for k in ("fixed", "by_class", "by_target_blocks")]),
        "every": np.full(n, every),
    }
    shared = {"step": records.step, "eval_step": records.eval_step}
    lists = {
        name: np.broadcast_to(shared.get(name, getattr(records, name)), _shape(records, name))
        for name in (*DENSE, *EVALUATED)
    }
    texts = {name: pa.array(columns[name]) for name in TEXTS}
    numbers = {name: pa.array(np.asarray(columns[name], dtype=np.float32)) for name in NUMBERS}
    return pa.table(texts | numbers | {name: _list_column(values) for name, values in lists.items()})


def _shape(records: Records, name: str) -> tuple[int, ...]:
    return (records.val_loss if name in EVALUATED else records.loss).shape


def _list_column(values: Any) -> pa.Array:
    import pyarrow as pa

    rows, width = values.shape
    with np.errstate(over="ignore"):
        flat = pa.array(np.ascontiguousarray(values, dtype=np.float32).ravel())
    return pa.ListArray.from_arrays(np.arange(rows + 1, dtype=np.int32) * width, flat)


def write_tables(paths: Sequence[Path], out: Path) -> int:
    """Joins shards into one file and returns its number of rows."""
    import pyarrow.parquet as pq

    rows, writer = 0, None
    for path in paths:
        table = pq.read_table(path)
        writer = writer or pq.ParquetWriter(out, table.schema, compression="zstd")
        writer.write_table(table)
        rows += table.num_rows
    if writer is None:
        raise InputError(f"{out}: nothing was simulated; expected at least one group; allow more minutes")
    writer.close()
    return rows


def load(path: Path) -> Cache:
    """Reads a cache, or all caches of a folder as one.

    Raises:
        InputError: it is missing, or no cache of simulated trainings.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path)
    except (OSError, pa.ArrowException) as error:
        raise InputError(
            f"{path}: {error}; expected a file that `python -m curveclinic.synth.simulate` wrote, or a folder of such"
        ) from error
    missing = {*TEXTS, *NUMBERS, *DENSE, *EVALUATED} - set(table.column_names)
    if missing:
        raise InputError(f"{path}: no column {', '.join(sorted(missing))}; simulate anew, the format has changed")
    dense = {name: table[name].combine_chunks() for name in (*DENSE, *EVALUATED)}
    flat = {name: column.flatten().to_numpy(zero_copy_only=False).astype(np.float64) for name, column in dense.items()}
    family, cause = (np.asarray(table[name].to_pylist(), dtype=object) for name in TEXTS)
    return Cache(
        family,
        cause,
        {name: table[name].to_numpy().astype(np.float64) for name in NUMBERS},
        {name: flat[name] for name in DENSE},
        {name: flat[name] for name in EVALUATED},
        _offsets(dense["loss"]),
        _offsets(dense["val_loss"]),
    )


def _offsets(column: Any) -> IntArray:
    lengths: IntArray = column.value_lengths().to_numpy(zero_copy_only=False).astype(np.int64)
    return offsets_of(lengths)


def rows_where(cache: Cache, keep: BoolArray) -> IntArray:
    """Indices of trainings; an error where there is none."""
    rows = np.flatnonzero(keep)
    if not len(rows):
        raise InputError(f"the cache of {cache.size} simulated trainings has none of the families asked for")
    return rows
