"""A train loss that begins below what follows, and what is said of a run without that start.

Such values, as of a mean begun at 0 or of part of a window, make a jump of what follows them. Whether a run was stopped
too early, began with a plateau or jumps is therefore asked again of the rest. Of a first value far above the others it
is not: which one stands apart so changes with how many points are logged, and so would the answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Final

import numpy as np

from curveclinic.deciding.low_starts import FirstPoints, without_first_points
from curveclinic.deciding.merge import Verdicts
from curveclinic.deciding.rules import LOSERS, RuleOpinion
from curveclinic.labels import COLUMN, LABELS
from curveclinic.phrases import value
from curveclinic.ragged import Batch, FloatArray, IntArray

_FEWEST: Final = 8
"""Finite points from which the first one is told from the rest."""

_BELOW: Final = 0.9
"""Share of the next three values up to which the first one lies below them all."""

_TOP: Final = 6
"""Points among which a low start is over..."""

_UP: Final = 0.95
"""...at the first of at least this share of the highest: those of a plateau behind it are no part of the start."""

_SAID: Final = ("degree", "present", "onset", "end", "severity")
"""What the rules say of a label."""

LookedPast = Mapping[int, Mapping[int, int]]
"""Row -> column of a label that was found in the rest -> how many of the first finite points of train were left out."""


@dataclass(eq=False)
class StartsBelow:
    """First points of train that are looked past.

    Attributes:
        rows: (m,) runs.
        count: (m,) how many finite points these are.
    """

    rows: IntArray
    count: IntArray

    def looked_past(self, batch: Batch) -> Batch:
        """Returns these m runs of a batch without the points."""
        counts: FirstPoints = {k: {"train_loss": count} for k, count in enumerate(self.count.tolist())}
        return without_first_points(batch.take(self.rows), counts)

    def put_into(self, verdicts: Verdicts, rules: RuleOpinion, rest: Verdicts, of_rest: RuleOpinion) -> LookedPast:
        """Puts what is thought of the rests in the place of what was thought of the whole runs, where it is better.

        Args:
            verdicts, rules: of the whole batch.
            rest, of_rest: of the m runs without their first points.
        """
        present, again = verdicts.present[self.rows], rest.present
        added, gone = np.zeros_like(again), np.zeros_like(again)
        added[:, [COLUMN["slow_start"], COLUMN["undertrained"]]] = True
        gone[:, [COLUMN["slow_start"], COLUMN["loss_spikes"]]] = True
        for winner, losers in LOSERS:
            added[:, losers] &= ~present[:, winner, None]
        cells = ((added & again & ~present) | (gone & present & ~again)) & rules.checked[self.rows] & of_rest.checked
        k, column = cells.nonzero()
        row = self.rows[k]
        for f in fields(verdicts):
            getattr(verdicts, f.name)[row, column] = getattr(rest, f.name)[k, column]
        for name in _SAID:
            getattr(rules, name)[row, column] = getattr(of_rest, name)[k, column]
        out: dict[int, dict[int, int]] = {}
        found = again[k, column]
        for i, j, count in zip(row[found].tolist(), column[found].tolist(), self.count[k[found]].tolist(), strict=True):
            out.setdefault(i, {})[j] = count
        return out


def starts_below(batch: Batch) -> StartsBelow:
    """Finds the runs that begin below what follows."""
    loss = batch.channels["train_loss"].finite()
    rows = (loss.lengths >= _FEWEST).nonzero()[0]
    early = loss.values[loss.offsets[rows] + np.arange(_TOP)[:, None]]
    low = (early[0] > 0) & (early[0] <= _BELOW * early[1:4].min(axis=0))
    early = early[:, low]
    return StartsBelow(rows[low], (early >= _UP * early.max(axis=0)).argmax(axis=0))


def looked_past_notes(batch: Batch, past: LookedPast) -> dict[int, tuple[str, ...]]:
    """Row -> what is said of it."""
    return {row: (_note(columns, batch.channels["train_loss"].values_of(row)),) for row, columns in past.items()}


def _note(columns: Mapping[int, int], values: FloatArray) -> str:
    labels, count = " and ".join(LABELS[j] for j in columns), max(columns.values())
    first = value(float(values[np.isfinite(values)][0]))
    points = (
        f"first train_loss, {first}, which lies" if count == 1 else f"first {count} values of train_loss, which lie"
    )
    return f"{labels}: judged without the {points} below what follows"
