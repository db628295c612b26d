"""Rows of a scan built column by column: what a diagnosis says of one run, for a batch at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from curveclinic.deciding.judging import Judged
from curveclinic.deciding.merge import Verdicts
from curveclinic.deciding.sweeps import notes_of_sweeps
from curveclinic.diagnosis import SEVERITIES
from curveclinic.labels import CHANNELS, HEALTHY, LABELS, RunKind
from curveclinic.measuring.layers import layers_of, silence_notes, silent_layers
from curveclinic.points import Series
from curveclinic.predict import no_verdict
from curveclinic.ragged import Batch, BoolArray, FloatArray, IntArray, Ragged
from curveclinic.run import Run
from curveclinic.symptoms import SYMPTOMS
from curveclinic.writers import schema, storable

if TYPE_CHECKING:
    import pyarrow as pa

Texts = Any
"""A pyarrow string array, (n,): one text a run."""

SEVERITIES_COLUMN: Final = "severities"
"""Severity of every finding, beside `labels`; what a summary counts, and no column of a scan's output."""

_NAMES: Final = (*LABELS, HEALTHY)
_VERDICTS: Final = ("findings", "healthy", "undetermined")
_LOSSES: Final = ("train_loss", "val_loss")

_RANKS: Final = np.array([*(SYMPTOMS[label].rank for label in LABELS), 0])
"""(21,) place of each of `_NAMES` among findings of one severity."""


@dataclass(frozen=True, eq=False)
class Curves:
    """n runs as columns.

    Attributes:
        batch: their channels.
        run_id, path, format: (n,) what is known of each.
        notes: (n,) what was chosen or repaired while reading, as in `Run`.
        kinds: (n,) what their losses are, as in `Run`.
        layers: row -> the norms of single layers, which no batch holds, where there are any.
    """

    batch: Batch
    run_id: Texts
    path: Texts
    format: Texts
    notes: Sequence[tuple[str, ...]]
    kinds: Sequence[RunKind]
    layers: dict[int, dict[str, Series]]

    @classmethod
    def of(cls, runs: Sequence[Run]) -> Curves:
        """Packs runs into columns."""
        import pyarrow as pa

        texts = ([storable(getattr(run, name)) for run in runs] for name in ("run_id", "path", "format"))
        run_id, path, format = (pa.array(column, pa.string()) for column in texts)
        layers = {i: own for i, run in enumerate(runs) if (own := layers_of(run.channels))}
        notes, kinds = [run.notes for run in runs], [run.kind for run in runs]
        return cls(Batch.from_runs(runs), run_id, path, format, notes, kinds, layers)

    def run(self, i: int) -> Run:
        """One of the runs, without its name."""
        channels = {}
        for name in CHANNELS:
            channel = self.batch.channels[name]
            here = slice(channel.offsets[i], channel.offsets[i + 1])
            if here.stop > here.start:
                channels[name] = Series(channel.steps[here], channel.values[here])
        return Run(channels | self.layers.get(i, {}), notes=self.notes[i], kind=self.kinds[i])


def scored_schema() -> pa.Schema:
    """Returns the schema of rows with the severities of all findings."""
    import pyarrow as pa

    return schema().append(pa.field(SEVERITIES_COLUMN, pa.list_(pa.string())))


def verdict_rows(curves: Curves, said: Judged) -> pa.Table:
    """Returns one row a run, in order; columns as in `writers.ROW`, and `SEVERITIES_COLUMN`."""
    import pyarrow as pa

    n, unknown = curves.batch.size, said.undetermined
    present, checked = said.verdicts.present & ~unknown[:, None], said.rules.checked & ~unknown[:, None]
    some = present.any(axis=1)
    ordered = _in_order(np.column_stack([present, ~some & ~unknown]), said.verdicts)
    first = np.append(ordered.codes, 0)[ordered.offsets[:-1]]  # of no use where nothing is judged
    at, columns = np.flatnonzero(some), first[some]
    onset, end = (_logged(curves, at, steps[at, columns], n) for steps in (said.onset, said.end))
    probability = said.verdicts.probability
    out = {
        "run_id": curves.run_id,
        "path": curves.path,
        "format": curves.format,
        "status": pa.repeat(pa.scalar("ok"), n),
        "verdict": pa.array(_VERDICTS).take(pa.array(np.where(unknown, 2, np.where(some, 0, 1)))),
        "labels": _lists(ordered),
        "primary": pa.array(_NAMES).take(pa.array(first, mask=unknown)),
        "severity": pa.array(SEVERITIES).take(_ints(said.verdicts.severity[at, columns], at, n)),
        "onset": _numbers(onset),
        "end": _numbers(end),
        **{f"probability_{x}": _numbers(probability[:, j], checked[:, j]) for j, x in enumerate(LABELS)},
        "unchecked": _lists(_Codes.of(~checked)),
        **_extent(curves.batch),
        "message": pa.array(_messages(curves, said), pa.string()),
        SEVERITIES_COLUMN: _severities(ordered, said.verdicts),
    }
    return pa.table(out, schema=scored_schema())


@dataclass(frozen=True, eq=False)
class _Codes:
    """Lists of places in `_NAMES`: codes (total,), offsets (n + 1,)."""

    codes: IntArray
    offsets: IntArray

    @classmethod
    def of(cls, mask: BoolArray) -> _Codes:
        """The True columns of each row."""
        return cls(mask.nonzero()[1], np.concatenate(([0], np.cumsum(mask.sum(axis=1)))))


def _in_order(found: BoolArray, verdicts: Verdicts) -> _Codes:
    """The labels (n, 21) found in each run, the most important first: see `predict._importance`."""
    row, code = found.nonzero()
    column = np.minimum(code, len(LABELS) - 1)
    severity, probability = verdicts.severity[row, column], verdicts.probability[row, column]
    order = np.lexsort((-probability, _RANKS[code], -severity.astype(np.int64), row))
    return _Codes(code[order], _Codes.of(found).offsets)


def _lists(lists: _Codes) -> Any:
    import pyarrow as pa

    return pa.ListArray.from_arrays(pa.array(lists.offsets, pa.int32()), pa.array(_NAMES).take(pa.array(lists.codes)))


def _severities(ordered: _Codes, verdicts: Verdicts) -> Any:
    import pyarrow as pa

    row = np.repeat(np.arange(len(ordered.offsets) - 1), np.diff(ordered.offsets))
    found = ordered.codes < len(LABELS)
    severity = verdicts.severity[row[found], ordered.codes[found]].astype(np.int64)
    before = np.concatenate([[0], np.cumsum(found)])[ordered.offsets]
    return pa.ListArray.from_arrays(pa.array(before, pa.int32()), pa.array(SEVERITIES).take(pa.array(severity)))


def _ints(values: IntArray, rows: IntArray, n: int) -> Any:
    """Whole numbers of some of n rows, null in the others."""
    import pyarrow as pa

    out, absent = np.zeros(n, dtype=np.int64), np.ones(n, dtype=bool)
    out[rows], absent[rows] = values, False
    return pa.array(out, mask=absent)


def _numbers(values: FloatArray, known: BoolArray | None = None) -> Any:
    """Numbers, null where they are not finite or not known."""
    import pyarrow as pa

    fine = np.isfinite(values) if known is None else np.isfinite(values) & known
    return pa.array(values, mask=~fine)


def _logged(curves: Curves, rows: IntArray, steps: FloatArray, n: int) -> FloatArray:
    """(n,) the logged step nearest to an estimated one of some runs, the smaller one of two; NaN for none."""
    out, known = np.full(n, np.nan), np.isfinite(steps)
    rows, steps = rows[known], steps[known]
    nearest = np.full(len(rows), np.inf)
    for channel in curves.batch.channels.values():
        if len(channel.values):
            nearest = _nearer(nearest, _nearest(channel, rows, steps), steps)
    if curves.layers:
        for k in np.flatnonzero(np.isin(rows, list(curves.layers))):
            for series in curves.layers[int(rows[k])].values():
                layer = Ragged(series.steps, series.values, np.array([0, len(series)]))
                own = slice(k, k + 1)
                nearest[own] = _nearer(
                    nearest[own], _nearest(layer, np.zeros(1, dtype=np.int64), steps[own]), steps[own]
                )
    out[rows] = nearest
    return out


def _nearer(one: FloatArray, other: FloatArray, steps: FloatArray) -> FloatArray:
    """The nearer of two logged steps, the smaller one where both are as near; Inf is none."""
    away, other_away = np.abs(one - steps), np.abs(other - steps)
    return np.where((other_away < away) | ((other_away == away) & (other < one)), other, one)


def _nearest(channel: Ragged, rows: IntArray, steps: FloatArray) -> FloatArray:
    """(m,) step of some runs of a channel that is nearest to a given one, Inf where a run has none."""
    begin, stop = channel.offsets[rows], channel.offsets[rows + 1]
    low, high = begin, stop
    while (low < high).any():  # the first logged step that is not smaller, by halving
        middle = (low + high) // 2
        smaller = (low < high) & (channel.steps[np.minimum(middle, len(channel.steps) - 1)] < steps)
        low, high = np.where(smaller, middle + 1, low), np.where(smaller, high, np.minimum(middle, high))
    at = np.maximum(np.minimum(low, stop - 1), 0)
    before, after = channel.steps[np.maximum(at - 1, np.minimum(begin, at))], channel.steps[at]
    found = np.where(np.abs(before - steps) <= np.abs(after - steps), before, after)
    return np.where(stop > begin, found, np.inf)


def _extent(batch: Batch) -> dict[str, Any]:
    """Points of the longer loss, first and last step of both."""
    import pyarrow as pa

    losses = [batch.channels[name] for name in _LOSSES]
    low = np.minimum(*(_at(loss, loss.offsets[:-1], np.inf) for loss in losses))
    high = np.maximum(*(_at(loss, loss.offsets[1:] - 1, -np.inf) for loss in losses))
    points = np.maximum(*(loss.lengths for loss in losses))
    return {"n_points": pa.array(points, pa.int64()), "steps_min": _numbers(low), "steps_max": _numbers(high)}


def _at(channel: Ragged, index: IntArray, absent: float) -> FloatArray:
    """(n,) steps at flat places, another number where a run has none."""
    if not len(channel.steps):
        return np.full(channel.size, absent)
    return np.where(channel.lengths > 0, channel.steps[np.minimum(index, len(channel.steps) - 1)], absent)


def _messages(curves: Curves, said: Judged) -> list[str]:
    out = [storable("; ".join(notes)) if notes else "" for notes in curves.notes]
    sweeps = notes_of_sweeps(curves.batch.channels["lr"])
    for i in curves.layers.keys() | sweeps.keys():
        silence = silence_notes(silent_layers(curves.layers.get(i, {})))
        out[i] = storable("; ".join((*curves.notes[i], *silence, *sweeps.get(i, ()))))
    for i in np.flatnonzero(said.undetermined).tolist():
        out[i] = storable(no_verdict(curves.run(i), int(said.points[i]), said.doubtful.get(i)))
    return out
