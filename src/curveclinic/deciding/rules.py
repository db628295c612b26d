"""The rules' opinion on many runs at once: what the definitions say of the logged curves."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import Final

import numpy as np
import numpy.typing as npt

from curveclinic.deciding.definitions import label_degrees, stuck_degree, unseen_degree
from curveclinic.deciding.few_evaluations import overfitting_degree
from curveclinic.deciding.few_points import few_for_rules
from curveclinic.deciding.severity import severities
from curveclinic.deciding.spans import spans
from curveclinic.deciding.stopping import READ
from curveclinic.labels import CHANNELS, COLUMN, LABELS, LOSSES, TRAITS
from curveclinic.measuring.quantities import Measured, measured, places_of
from curveclinic.measuring.trends import Quantities
from curveclinic.phrases import counted
from curveclinic.ragged import Batch, BoolArray, FloatArray, IntArray
from curveclinic.records import joined

SeverityArray = npt.NDArray[np.int8]

PRICE: Final = "first_over_chance"
"""Quantity that is known where num_classes gives the loss of a chance prediction."""

KEPT: Final = (*READ, PRICE)
"""Quantities that are read again after the rules have judged."""

STUCK: Final = "stuck_at_chance"
"""What is kept beside them: the degree of `definitions.stuck_degree`."""

UNSEEN: Final = "came_down_unseen"
"""And that of `definitions.unseen_degree`."""

PRESENT: Final = 0.5
"""Degree from which a label is found: half way from clearly absent to clearly present."""

_NEARLY_CLEAR: Final = 0.8
"""Degree that counts as `PRESENT` in a run of few points: a wobble of one point in five or six reaches half way on many
healthy runs."""

_JUST_ABSENT: Final = float(np.nextafter(PRESENT, 0.0))
"""The largest degree at which a label is not found."""

_POINTS: Final = np.array([traits.points for traits in TRAITS.values()])
"""(20,) finite points every label needs in each loss channel it reads."""

_ALTERNATIVES: Final = tuple(dict.fromkeys(names for traits in TRAITS.values() for names in traits.needs))
"""Every set of channels one of which a label needs."""

_COLUMNS: Final = np.array([CHANNELS.index(name) for names in _ALTERNATIVES for name in names])
"""The same as columns of `Batch.finite_counts`, one set after another."""

_STARTS: Final = np.cumsum([0, *(len(names) for names in _ALTERNATIVES[:-1])])
"""Where each set begins in `_COLUMNS`."""

_NEEDED: Final = np.array([[_ALTERNATIVES.index(traits.needs[k]) for traits in TRAITS.values()] for k in (0, -1)])
"""(2, 20) first and last of each label's sets, of which it needs one channel each; no label has more than two."""

_EITHER_LOSS: Final = _ALTERNATIVES.index(LOSSES)

OVERRULED: Final = (
    # a run that blows up is described by that
    ("divergence", ("overfitting", "underfitting", "not_learning", "undertrained", "no_generalization", "slow_start")),
    ("divergence", ("train_stalled_val_falls",)),  # a train loss that rises is not flat
    # what never leaves its level has no shape to speak of
    ("not_learning", ("overfitting", "underfitting", "undertrained", "slow_start", "no_generalization")),
    # val that falls in the end did not stay bad
    ("delayed_generalization", ("overfitting", "no_generalization")),
    # flat train is the finding; that nothing is learnt is its consequence
    ("train_stalled_val_falls", ("not_learning", "underfitting", "undertrained")),
    ("underfitting", ("undertrained",)),
    ("periodic_loss", ("oscillation", "loss_spikes")),
    # where the level swings, its last turn is no trend
    ("oscillation", ("undertrained",)),
)
"""(label, labels it excludes), applied in order: the second cannot be said of a run of which the first is true."""

LOSERS: Final = tuple((COLUMN[winner], np.array([COLUMN[loser] for loser in losers])) for winner, losers in OVERRULED)
"""The same as columns."""


@dataclass(eq=False)
class RuleOpinion:
    """What the rules say of n runs; columns in the order of `labels.LABELS`.

    Attributes:
        degree: (n, 20) 0 clearly absent, 1 clearly present.
        present: (n, 20) degree of at least `PRESENT` of a checked label.
        checked: (n, 20) the channels are there and long enough, or show the one thing or the other all the same.
        onset, end: (n, 20) steps; NaN for none, an end of NaN means to the last point.
        severity: (n, 20) index into `diagnosis.SEVERITIES`.
        quantities: what is read of the measures later on, `KEPT`, `STUCK` and `UNSEEN`.
    """

    degree: FloatArray
    present: BoolArray
    checked: BoolArray
    onset: FloatArray
    end: FloatArray
    severity: SeverityArray
    quantities: Quantities


def judge(batch: Batch) -> RuleOpinion:
    """Judges every run of a batch by the definitions."""
    opinions = [(opinion_on(piece), piece.rows) for piece in measured(batch)]
    return joined([opinion for opinion, _ in opinions], places_of(rows for _, rows in opinions))


def opinion_on(piece: Measured) -> RuleOpinion:
    """Judges measured runs."""
    quantities = piece.quantities
    counts = piece.batch.finite_counts
    checked = checked_labels(counts)
    degree = np.where(checked, cautious(label_degrees(quantities), counts), 0.0)
    seldom = overfitting_degree(piece)
    told = ~np.isnan(seldom)
    checked[told, COLUMN["overfitting"]], degree[told, COLUMN["overfitting"]] = True, seldom[told]
    degree = overrule(degree)
    onset, end = spans(quantities)
    return RuleOpinion(
        degree, checked & (degree >= PRESENT), checked, onset, end, severities(quantities),
        {
            **{name: quantities[name] for name in KEPT},
            STUCK: stuck_degree(quantities),
            UNSEEN: unseen_degree(quantities),
        },
    )  # fmt: skip


def cautious(degree: FloatArray, counts: IntArray) -> FloatArray:
    """Degrees (n, 20) of which those of runs of few points are lowered, by their row (n, 6) of `Batch.finite_counts`.

    What is clearly present, or clearly absent, stays. So does everything about a run that has gone NaN: somebody looks
    at it anyway, and one more doubtful finding costs nothing.
    """
    short = (few_for_rules(counts) & (degree[:, COLUMN["non_finite"]] < PRESENT)).nonzero()[0]
    if not len(short):
        return degree
    out: FloatArray = degree.copy()
    out[short] = np.interp(degree[short], [0.0, _NEARLY_CLEAR, 1.0], [0.0, PRESENT, 1.0])
    return out


def without(opinion: RuleOpinion, cells: BoolArray) -> RuleOpinion:
    """Returns the opinion with the given (n, 20) cells unchecked."""
    checked = opinion.checked & ~cells
    degree = np.where(checked, opinion.degree, 0.0)
    return replace(opinion, degree=degree, present=opinion.present & checked, checked=checked)


def overrule(degree: FloatArray) -> FloatArray:
    """Returns degrees in which no label exceeds what the labels that exclude it leave room for."""
    columns = degree.T.copy()  # (20, n)
    held = np.logical_or.reduce(columns, axis=1).tolist()  # where no run has the winner there is room for all
    for winner, losers in LOSERS:
        if not held[winner]:
            continue
        room = 1.0 - columns[winner]
        # at a degree of exactly one half the winner is present and the loser is not
        room[room == 1.0 - PRESENT] = _JUST_ABSENT
        columns[losers] = np.minimum(columns[losers], room)
    return np.ascontiguousarray(columns.T)


def checked_labels(counts: IntArray) -> BoolArray:
    """(n, 20) labels whose channels hold enough finite points."""
    best = np.maximum.reduceat(counts.take(_COLUMNS, axis=1), _STARTS, axis=1)  # (n, sets)
    out: BoolArray = np.minimum(best.take(_NEEDED[0], axis=1), best.take(_NEEDED[1], axis=1)) >= _POINTS
    # a loss of NaN from the first row on can be judged on that alone
    out[:, COLUMN["non_finite"]] = best[:, _EITHER_LOSS] >= 0
    return out


def why_unchecked(counts: IntArray) -> list[dict[str, str]]:
    """Returns for every run, by its row of `Batch.finite_counts`: label -> why it cannot be judged."""
    return [dict(_reasons(tuple(row))) for row in np.minimum(counts, _POINTS.max()).tolist()]


@cache
def _reasons(counts: tuple[int, ...]) -> dict[str, str]:
    checked = checked_labels(np.array([counts], dtype=np.int64))[0]
    return {label: _reason(label, counts) for label, fine in zip(LABELS, checked, strict=True) if not fine}


def _reason(label: str, counts: tuple[int, ...]) -> str:
    found = dict(zip(CHANNELS, counts, strict=True))
    for alternatives in TRAITS[label].needs:
        if all(found[name] < 0 for name in alternatives):
            return f"no {' or '.join(alternatives)} was logged"
    needed = int(_POINTS[COLUMN[label]])
    for alternatives in TRAITS[label].needs:
        name = max(alternatives, key=lambda name: found[name])
        if found[name] < needed:
            few = "no finite point" if not found[name] else f"only {counted(found[name], 'finite point')}"
            return f"{name} has {few}, at least {needed} are needed"
    raise AssertionError(f"{label} is checked")  # pragma: no cover
