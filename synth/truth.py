"""Labels by visible effect: the shared definitions applied to the latent curve within the logged window.

What lies between "clearly absent" and "clearly present" is arguable: its target is silence, its weight small.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from curveclinic.deciding.definitions import label_degrees, starts_high_degree
from curveclinic.deciding.degrees import above
from curveclinic.deciding.rules import overrule
from curveclinic.deciding.severity import severities
from curveclinic.deciding.spans import spans
from curveclinic.diagnosis import SEVERITIES
from curveclinic.labels import CHANNELS, COLUMN, FACT_COLUMNS, FACTS, PRICED, TRAITS
from curveclinic.measuring.quantities import Measured
from curveclinic.measuring.trends import Quantities
from curveclinic.ragged import BoolArray, FloatArray, Ragged
from curveclinic.synth.logger import Logged
from curveclinic.synth.noiseless import noiseless_quantities

ARGUABLE_WEIGHT: Final = 0.5
"""Training weight of an arguable cell: what a careful reader would leave unsaid is learnt as such."""

ARGUABLE_TARGET: Final = 0.05
"""Training target of an arguable cell: silence, not denial."""

LOOKALIKE_WEIGHT: Final = 0.5
"""Training weight of a cell whose cause says no while the curve may well look like it."""

_DOUBT: Final = 0.3
"""Degree of what is neither clearly there nor clearly absent."""

_ALSO_TRUE: Final = (
    ("train_stalled_val_falls", "not_learning"),
    ("train_stalled_val_falls", "underfitting"),
    ("delayed_generalization", "overfitting"),
    ("periodic_loss", "oscillation"),
)
"""(winner, loser) where a careful reader would not call the loser wrong."""

_IMITATED: Final = 0.9
"""Degree of the log alone from which a reader sees what is not there."""

_JITTERS: Final = 0.3
"""Share of what was added to val that is seen as noise of single points where it jitters."""

_KNOWN: Final = [COLUMN[label] for label in (*FACTS, *PRICED)]
"""Labels that are known, not seen: facts of the log, and what depends on the cost of an untrained model."""


@dataclass(frozen=True, eq=False)
class Truth:
    """What n runs truly show.

    Attributes:
        degree: (n, 20) in [0, 1]; 1 present, 0 absent, between arguable.
        checked: (n, 20) True where the label's channels are there.
        target, weight: (n, 20) for training.
        onset, end: (n, 20) steps, NaN where none; an end of NaN means to the last point.
        severe: (n, 20) 1.0 severe, 0.0 mild or notice.
    """

    degree: FloatArray
    checked: BoolArray
    target: FloatArray
    weight: FloatArray
    onset: FloatArray
    end: FloatArray
    severe: FloatArray


def judge(logged: Logged, seen: Measured) -> Truth:
    """Labels n logged runs; seen is what can be measured on them."""
    q = seen.quantities | noiseless_quantities(logged, seen)
    degree = _settled(_doubt_causes(label_degrees(q), q, logged.parts))
    degree = _doubt_seen(degree, overrule(label_degrees(seen.quantities)))
    degree = _doubt_drift(degree, q["v_noise_rel"], seen.quantities["v_noise_rel"])
    checked = checked_labels(logged.clean.channels)  # what is NaN throughout shows nothing but that
    checked[:, FACT_COLUMNS] = checked_labels(logged.batch.channels)[:, FACT_COLUMNS]
    degree = np.where(checked, np.nan_to_num(degree), 0.0)
    present, absent = degree >= 0.999, degree <= 1e-6
    target = np.where(present, 1.0, np.where(absent, 0.0, ARGUABLE_TARGET))
    weight = np.where(present | absent, 1.0, ARGUABLE_WEIGHT) * checked
    j = COLUMN["high_initial_loss"]
    fast = _fast_learner(q, logged.parts) & ~absent[:, j] & ~present[:, j]
    target[fast, j], weight[fast, j] = 0.0, LOOKALIKE_WEIGHT
    onset, end = spans(q)
    severe = (severities(q) >= SEVERITIES.index("severe")).astype(np.float64)
    return Truth(degree, checked, target, weight, onset, end, severe)


def checked_labels(channels: Mapping[str, Ragged]) -> BoolArray:
    """(n, 20) True where every channel a label needs has a point."""
    has = {name: channels[name].lengths > 0 for name in CHANNELS}
    either = [[np.logical_or.reduce([has[c] for c in group]) for group in traits.needs] for traits in TRAITS.values()]
    return np.stack([np.logical_and.reduce(groups) for groups in either], axis=1)


def _doubt_causes(degree: FloatArray, q: Quantities, parts: Mapping[str, FloatArray]) -> FloatArray:
    """What only the cause can settle is arguable where the cause says otherwise."""
    out: FloatArray = degree.copy()
    excess = _excess(q, parts)
    falls_at_once = above(q["first_over_near"], 1.3, 2.0)
    j = COLUMN["high_initial_loss"]
    out[:, j] = np.where(
        excess > 0,
        np.maximum(np.minimum(excess, falls_at_once), np.minimum(excess, _DOUBT)),
        np.minimum(out[:, j], np.maximum(starts_high_degree(q), _DOUBT)),
    )
    j = COLUMN["not_learning"]
    # noise hides the descent, or a trained model is tuned at its level: silence is better than denial
    out[:, j] = np.where(parts["idle"] == 0, np.minimum(out[:, j], _DOUBT), out[:, j])
    # swings of the whole model about a flat level are swings, not idleness
    swings = np.minimum(above(q["t_swing"], 0.16, 0.32), above(q["t_swing_level"], 0.08, 0.16)) * (q["t_count"] >= 14)
    whole = (parts["swing_val"] > 0.5) | (q["t_swing_persistence"] > 0)
    swings *= (parts["swinging"] > 0) & whole & (out[:, COLUMN["divergence"]] < 0.5)
    out[:, j] = np.where(swings > 0, np.minimum(out[:, j], np.minimum(_DOUBT, 1 - swings)), out[:, j])
    j = COLUMN["oscillation"]
    out[:, j] = np.maximum(out[:, j], swings)
    j = COLUMN["divergence"]
    # another resolution or augmentation costs more; that nothing comes back need not be a fault
    out[:, j] = np.where(parts["jumped"] > 0, np.minimum(out[:, j], _DOUBT), out[:, j])
    j = COLUMN["no_generalization"]
    # val improves, but its own noise hides it
    out[:, j] = np.where(q["v_drop_rel"] > 0.05, np.minimum(out[:, j], _DOUBT), out[:, j])
    return out


def _excess(q: Quantities, parts: Mapping[str, FloatArray]) -> FloatArray:
    """(n,) degree to which the first loss lies above the cost of an untrained model, which is known here."""
    return above(q["first"] / parts["cost"], 2.0, 3.0) * (q["t_count"] >= 5)


def _fast_learner(q: Quantities, parts: Mapping[str, FloatArray]) -> BoolArray:
    """(n,) True where the run started no higher than an untrained model: a fast fall in a long log is no fault."""
    return np.nan_to_num(_excess(q, parts)) <= 0


def _settled(degree: FloatArray) -> FloatArray:
    """Labels that exclude each other: the loser is absent, or arguable where both describe the same thing."""
    out = overrule(degree)
    for winner, loser in _ALSO_TRUE:
        w, j = COLUMN[winner], COLUMN[loser]
        overruled = (degree[:, w] > 0) & (degree[:, j] > 0) & (out[:, j] < degree[:, j])
        out[:, j] = np.where(overruled, np.minimum(_DOUBT, degree[:, j]), out[:, j])
    return out


def _doubt_drift(degree: FloatArray, added: FloatArray, seen: FloatArray) -> FloatArray:
    """What was added to val with a long memory drifts and does not jitter: calling that noise is arguable.

    Args:
        degree: (n, 20) degrees of the labels.
        added: (n,) all that was added to val, relative to its level.
        seen: (n,) what of it is seen to change from one point to the next.
    """
    j = COLUMN["noisy_validation"]
    out: FloatArray = degree.copy()
    out[:, j] = np.where(seen < _JITTERS * added, np.minimum(out[:, j], _DOUBT), out[:, j])
    return out


def _doubt_seen(degree: FloatArray, shown: FloatArray) -> FloatArray:
    """What nobody injected but noise happens to imitate, for any reader of the log, is arguable, not absent."""
    imitated = (degree <= 0) & (shown >= _IMITATED)
    imitated[:, _KNOWN] = False
    return np.where(imitated, _DOUBT, degree)
