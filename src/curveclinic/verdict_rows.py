"""Rows of a scan built column by column: what a diagnosis says of one run, for a batch at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from curveclinic.curves import Curves
from curveclinic.deciding.judging import Judged, by_importance
from curveclinic.deciding.logged import logged_steps
from curveclinic.deciding.sweeps import notes_of_sweeps
from curveclinic.diagnosis import SEVERITIES
from curveclinic.labels import HEALTHY, LABELS, LOSSES
from curveclinic.layers import silence_notes, silent_layers
from curveclinic.ragged import Batch, BoolArray, FloatArray, IntArray, Ragged, offsets_of
from curveclinic.writers import schema, storable

if TYPE_CHECKING:
    import pyarrow as pa

SEVERITIES_COLUMN: Final = "severities"
"""Severity of every finding, beside `labels`; what a summary counts, and no column of a scan's output."""

_NAMES: Final = (*LABELS, HEALTHY)
_HEALTHY: Final = len(LABELS)
_VERDICTS: Final = ("findings", "healthy", "undetermined")


def scored_schema() -> pa.Schema:
    """Returns the schema of rows with the severities of all findings."""
    import pyarrow as pa

    return schema().append(pa.field(SEVERITIES_COLUMN, pa.list_(pa.string())))


def verdict_rows(curves: Curves, decided: Judged) -> pa.Table:
    """Returns one row a run, in order; columns as in `writers.ROW`, and `SEVERITIES_COLUMN`."""
    import pyarrow as pa

    n, unknown = curves.batch.size, decided.undetermined
    present, checked = decided.verdicts.present & ~unknown[:, None], decided.rules.checked & ~unknown[:, None]
    rows, columns = by_importance(present, decided.verdicts.severity)
    severity, counts = decided.verdicts.severity[rows, columns], np.bincount(rows, minlength=n)
    has_findings, healthy, starts = counts > 0, (counts == 0) & ~unknown, offsets_of(counts)[:-1]
    at, first = np.flatnonzero(has_findings), starts[has_findings]
    onset, end = (
        logged_steps(curves.batch, curves.layers, at, steps[at, columns[first]])
        for steps in (decided.onset, decided.end)
    )
    probability = decided.verdicts.probability
    out = {
        "run_id": curves.run_id,
        "path": curves.path,
        "format": curves.format,
        "status": pa.repeat(pa.scalar("ok"), n),
        "verdict": pa.array(_VERDICTS).take(pa.array(np.where(unknown, 2, healthy))),
        "labels": _lists(_NAMES, np.insert(columns, starts[healthy], _HEALTHY), counts + healthy),
        "primary": pa.array(_NAMES).take(pa.array(_spread(columns[first], at, n, _HEALTHY), mask=unknown)),
        "severity": pa.array(SEVERITIES).take(pa.array(_spread(severity[first], at, n, 0), mask=~has_findings)),
        "onset": _numbers(_spread(onset, at, n, np.nan)),
        "end": _numbers(_spread(end, at, n, np.nan)),
        **{f"probability_{x}": _numbers(probability[:, j], checked[:, j]) for j, x in enumerate(LABELS)},
        "unchecked": _lists(LABELS, (~checked).nonzero()[1], (~checked).sum(axis=1)),
        **_extent(curves.batch),
        "message": pa.array(_messages(curves, decided), pa.string()),
        SEVERITIES_COLUMN: _lists(SEVERITIES, severity, counts),
    }
    return pa.table(out, schema=scored_schema())


def _lists(names: Sequence[str], codes: IntArray | npt.NDArray[np.int8], counts: IntArray) -> Any:
    """Lists of names, by their places: the first counts[0] of them make the first list."""
    import pyarrow as pa

    return pa.ListArray.from_arrays(pa.array(offsets_of(counts), pa.int32()), pa.array(names).take(pa.array(codes)))


def _spread(values: npt.NDArray[Any], rows: IntArray, n: int, filler: float) -> npt.NDArray[Any]:
    """(n,) values at some rows, a filler at the others."""
    out = np.full(n, filler, dtype=values.dtype)
    out[rows] = values
    return out


def _numbers(values: FloatArray, known: BoolArray | None = None) -> Any:
    """Numbers, null where they are not finite or not known."""
    import pyarrow as pa

    fine = np.isfinite(values) if known is None else np.isfinite(values) & known
    return pa.array(values, mask=~fine)


def _extent(batch: Batch) -> dict[str, Any]:
    """Points of the longer loss, first and last step of both."""
    import pyarrow as pa

    losses = [batch.channels[name] for name in LOSSES]
    low = np.minimum(*(_at(loss, loss.offsets[:-1], np.inf) for loss in losses))
    high = np.maximum(*(_at(loss, loss.offsets[1:] - 1, -np.inf) for loss in losses))
    points = np.maximum(*(loss.lengths for loss in losses))
    return {"n_points": pa.array(points, pa.int64()), "steps_min": _numbers(low), "steps_max": _numbers(high)}


def _at(channel: Ragged, index: IntArray, absent: float) -> FloatArray:
    """(n,) steps at flat places, another number where a run has none."""
    if not len(channel.steps):
        return np.full(channel.size, absent)
    return np.where(channel.lengths > 0, channel.steps[np.minimum(index, len(channel.steps) - 1)], absent)


def _messages(curves: Curves, decided: Judged) -> list[str]:
    out = [storable("; ".join(notes)) if notes else "" for notes in curves.notes]
    sweeps = notes_of_sweeps(curves.batch.channels["lr"])
    for i in curves.layers.keys() | sweeps.keys() | decided.notes.keys():
        silence = silence_notes(silent_layers(curves.layers.get(i, {})))
        out[i] = storable("; ".join((*curves.notes[i], *silence, *sweeps.get(i, ()), *decided.notes.get(i, ()))))
    for i in np.flatnonzero(decided.undetermined).tolist():
        out[i] = storable(decided.message(i, curves.channels(i), curves.notes[i]))
    return out
