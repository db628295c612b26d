"""`Curves`: many runs as columns, their names and remarks beside the batch of their points."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from curveclinic.labels import CHANNELS, RunKind
from curveclinic.layers import layers_of
from curveclinic.points import Series
from curveclinic.ragged import Batch
from curveclinic.run import Run
from curveclinic.writers import storable

Texts = Any
"""A pyarrow string array, (n,): one text a run."""


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
        layers = {i: norms for i, run in enumerate(runs) if (norms := layers_of(run.channels))}
        notes, kinds = [run.notes for run in runs], [run.kind for run in runs]
        return cls(Batch.from_runs(runs), run_id, path, format, notes, kinds, layers)

    def channels(self, i: int) -> list[str]:
        """What one of the runs logged."""
        return [name for name in CHANNELS if self.batch.channels[name].lengths[i]] + list(self.layers.get(i, ()))
