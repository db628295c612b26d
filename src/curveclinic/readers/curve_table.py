"""Runs as rows of one Parquet table and back: what `curveclinic index` writes. Nothing of a run is lost.

One row a run, or one for an input that could not be read. Channels are list columns, each with its steps in
`<name>_steps` beside it; layers are columns of their own, `grad_norm/<layer>`, present where a run has them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from curveclinic.intake.arrow_series import INDEX_MARK, kinds_of
from curveclinic.intake.assemble import Origin, unusable, why_unusable
from curveclinic.labels import CHANNELS, LAYER_PREFIX
from curveclinic.points import FloatArray, Series
from curveclinic.run import Run
from curveclinic.writers import storable

if TYPE_CHECKING:
    import pyarrow as pa

_STEPS = "_steps"

_N_FIXED = 8
"""Columns before the first channel; from there on a channel and its steps take turns."""


def schema(layers: Iterable[str] = ()) -> pa.Schema:
    """Returns the schema of an index whose runs have these `grad_norm/<layer>` channels."""
    import pyarrow as pa

    texts, curve = pa.list_(pa.string()), pa.list_(pa.float64())
    fields = [
        ("run_id", pa.string()),
        ("path", pa.string()),
        ("format", pa.string()),
        ("error", pa.string()),  # why there is no run in this row; null for a run
        ("num_classes", pa.int64()),
        ("metric_goal", pa.string()),
        ("notes", texts),
        ("channels", texts),  # names in the order of the run
    ]
    for name in (*CHANNELS, *layers):
        fields += [(name, curve), (name + _STEPS, curve)]
    fields.append(("kind", pa.string()))
    return pa.schema(fields, metadata=dict([INDEX_MARK]))


def layers_of(table: pa.Table) -> list[str]:
    """Returns the layer channels a table has columns for."""
    return [name for name in table.column_names[_N_FIXED::2] if name.startswith(LAYER_PREFIX)]


def table_from_runs(runs: Sequence[Run]) -> pa.Table:
    """Returns one row a run; a run without channels is an input that could not be read, its last note the reason."""
    import pyarrow as pa

    layers = dict.fromkeys(name for run in runs for name in run.channels if name.startswith(LAYER_PREFIX))
    columns: dict[str, Any] = {
        "run_id": [storable(run.run_id) for run in runs],
        "path": [storable(run.path) for run in runs],
        "format": [run.format for run in runs],
        "error": [storable(why_unusable(run)) or None for run in runs],
        "num_classes": [run.num_classes for run in runs],
        "metric_goal": [run.metric_goal for run in runs],
        "notes": [[storable(note) for note in run.notes] if run.channels else [] for run in runs],
        "channels": [list(run.channels) for run in runs],
    }
    for name in (*CHANNELS, *layers):
        series = [run.channels.get(name) for run in runs]
        columns[name] = _lists([None if s is None else s.values for s in series])
        columns[name + _STEPS] = _lists([None if s is None else s.steps for s in series])
    columns["kind"] = [run.kind for run in runs]
    return pa.Table.from_pydict(columns, schema=schema(layers))


def runs_from_table(table: pa.Table) -> list[Run]:
    """Returns the runs of an index, in order; one without channels is an input that could not be read."""
    names = [n for n in (*CHANNELS, *layers_of(table)) if table.column(n).null_count < table.num_rows]
    series = {name: _series(table, name) for name in names}
    text = {name: table.column(name).to_pylist() for name in schema().names[:_N_FIXED]}
    return [
        unusable(Origin(path=path, format=format), error)
        if error is not None
        else Run(
            {name: series[name][i] for name in channels},
            run_id=run_id,
            num_classes=num_classes,
            metric_goal=metric_goal,
            path=path,
            format=format,
            notes=tuple(notes),
            kind=kind,
        )
        for i, (run_id, path, format, error, num_classes, metric_goal, notes, channels, kind) in enumerate(
            zip(*text.values(), kinds_of(table), strict=True)
        )
    ]


def _lists(arrays: Sequence[FloatArray | None]) -> pa.Array:
    """Returns a list column, null where there is no array."""
    import pyarrow as pa

    offsets = np.zeros(len(arrays) + 1, dtype=np.int32)
    np.cumsum([0 if a is None else len(a) for a in arrays], out=offsets[1:])
    present = [a for a in arrays if a is not None]
    values = np.concatenate(present) if present else np.zeros(0)
    missing = pa.array(np.array([a is None for a in arrays], dtype=bool))
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(values), mask=missing)


def _series(table: pa.Table, name: str) -> list[Series]:
    """Returns one series a row, views of the table's own memory; an empty one where the cell is null."""
    (steps, cuts), (values, _) = (_flat(table.column(n)) for n in (name + _STEPS, name))
    return [Series(steps[a:b], values[a:b]) for a, b in pairwise(cuts)]


def _flat(column: pa.ChunkedArray) -> tuple[FloatArray, list[int]]:
    """Returns the values of a list column and where its rows begin and end."""
    lists = column.combine_chunks()
    offsets = lists.offsets.to_numpy()
    return lists.values.to_numpy(zero_copy_only=False), offsets.tolist()
