"""Runs whose losses are not those of one net that descends: what can be said of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from curveclinic.labels import ADVERSARIAL_NOTE, FACTS, FATAL, LABELS, OPPONENTS, REINFORCEMENT, RunKind
from curveclinic.ragged import Batch, BoolArray

_NOT_ADVERSARIAL: Final = ~np.isin(LABELS, FATAL)
_NOT_REINFORCED: Final = ~np.isin(LABELS, FACTS)
"""(20,) labels that cannot be said of such runs."""

_ADVERSARIAL_REASON: Final = f"{ADVERSARIAL_NOTE}: only non_finite and divergence are judged"
_BALANCING_REASON: Final = f"{OPPONENTS} rise and fall with each other, and have not blown up"

REINFORCEMENT_REASON: Final = f"{REINFORCEMENT} rise and fall with what the policy meets, so only non_finite is judged"
"""Why nothing else is said of them."""

_BLOWN_UP: Final = 5.0
"""Multiple of its early size from which a loss of opponents that only grows has blown up."""

_PARTS: Final = 20
"""Parts of a run whose medians tell how such a loss comes and goes."""

_LEFT_AGAIN: Final = 0.7
"""Share of the size at the end that a loss which had been as large before came down to in between."""

_AS_LARGE: Final = _LEFT_AGAIN**0.5
"""Share of the size at the end from which it had been as large before: half of the way down, in logarithms."""


@dataclass(frozen=True, eq=False)
class Kinds:
    """What n runs are beside ordinary ones.

    Attributes:
        adversarial: (n,) runs whose losses play against each other, without a total.
        opposed: (n,) these, and those with a total.
        reinforced: (n,) runs of reinforcement learning.
    """

    adversarial: BoolArray
    opposed: BoolArray
    reinforced: BoolArray

    @classmethod
    def of(cls, kinds: Sequence[RunKind]) -> Kinds:
        """Returns the kinds of n runs."""
        adversarial, total, reinforced = (
            np.array([own == kind for own in kinds], dtype=bool)
            for kind in ("opponents", "opponents with total", "reinforced")
        )
        return cls(adversarial, adversarial | total, reinforced)

    @property
    def unlike(self) -> BoolArray:
        """(n,) runs of which most labels, and the shape of the curve, say nothing."""
        return self.adversarial | self.reinforced

    @property
    def silent(self) -> BoolArray:
        """(n, 20) labels that cannot be said of a run of its kind."""
        return self.adversarial[:, None] & _NOT_ADVERSARIAL | self.reinforced[:, None] & _NOT_REINFORCED

    def reasons(self, i: int, known: dict[str, str], withheld: dict[str, str]) -> dict[str, str]:
        """Returns label -> why it is unchecked of one run.

        Args:
            i: the run.
            known: why labels are unchecked of any run with its channels.
            withheld: label -> why it is not judged of this run, of `judging.Judged`.
        """
        if self.reinforced[i]:
            return {label: REINFORCEMENT_REASON for label in LABELS if label not in FACTS}
        own = withheld
        if self.adversarial[i]:
            own = withheld | {label: _ADVERSARIAL_REASON for label in LABELS if label not in FATAL}
        if not own:
            return known
        both = known | own
        return {label: both[label] for label in LABELS if label in both}


def balancing(batch: Batch, opposed: BoolArray) -> dict[int, str]:
    """Returns row -> why it does not diverge, for those of some (n,) runs with opponents whose loss has not blown up.

    A beaten generator, or a fooled critic, has not: it ends at a few times its early size at most, or at one that it
    had before and came down from.
    """
    train, out = batch.channels["train_loss"], dict[int, str]()
    for row in np.flatnonzero(opposed).tolist():
        values = train.values_of(row)
        values = values[np.isfinite(values)]
        if len(values):
            size = np.array([np.median(np.abs(part)) for part in np.array_split(values, _PARTS) if len(part)])
            before = size[:-1] >= _AS_LARGE * size[-1]
            came_down = (np.logical_or.accumulate(before) & (size[:-1] <= _LEFT_AGAIN * size[-1])).any()
            if size[-1] <= _BLOWN_UP * size[:2].max() or came_down:
                out[row] = _BALANCING_REASON
    return out
