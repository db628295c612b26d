"""Who decides: the network, or the rules where it must not or cannot answer. One function for many runs."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt

from curveclinic.deciding.few_points import few
from curveclinic.deciding.rules import PRESENT, PRICE, RuleOpinion
from curveclinic.labels import LABELS
from curveclinic.ragged import BoolArray, FloatArray, IntArray

_FACT: Final = LABELS.index("non_finite")
_TOO_SHORT: Final = LABELS.index("undertrained")

ALWAYS_BY_RULE: Final = frozenset({"non_finite"})
"""Labels that are facts of the log, not matters of judgement."""

_PRICED: Final = frozenset({"high_initial_loss"})
"""Labels that the price of a chance prediction settles; the network never sees the loss in its unit."""

_SEVERITY_BY_RULE: Final = frozenset({"val_below_train", "val_spikes"})
"""Labels that are a notice unless a measured number says otherwise."""

_WITHOUT_SPAN: Final = frozenset({"undertrained"})
"""Labels without a start; the network's span heads are not trained on them and say anything."""

_DEGREES: Final = np.array([0.0, PRESENT, 1.0])
_PROBABILITIES: Final = np.array([0.02, 0.5, 0.9])
"""A rule is right in about nine of ten clear cases, and misses about one in fifty."""


class NetworkOpinion(Protocol):
    """What the network says of n runs; columns in the order of `labels.LABELS`, steps as in `RuleOpinion`."""

    @property
    def probability(self) -> FloatArray:
        """(n, 20) calibrated probability."""

    @property
    def threshold(self) -> FloatArray:
        """(20,) probability from which a label is found."""

    @property
    def onset(self) -> FloatArray:
        """(n, 20) first step, NaN for none."""

    @property
    def end(self) -> FloatArray:
        """(n, 20) last step, NaN for the last point."""

    @property
    def severity(self) -> npt.NDArray[np.int8]:
        """(n, 20) index into `diagnosis.SEVERITIES`."""


@dataclass(eq=False)
class Verdicts:
    """The final word on n runs; arrays are (n, 20) in the order of `labels.LABELS`.

    Attributes:
        probability: of the source that decides.
        present: the label is found.
        by_rule: the rules decided.
        model_probability: the network's, NaN where it did not judge.
        onset, end: steps, NaN for none.
        severity: index into `diagnosis.SEVERITIES`.
    """

    probability: FloatArray
    present: BoolArray
    by_rule: BoolArray
    model_probability: FloatArray
    onset: FloatArray
    end: FloatArray
    severity: npt.NDArray[np.int8]


def rule_probability(degree: FloatArray) -> FloatArray:
    """(n, 20) probability of a label the rules decide: monotone in its degree, 0.5 where it turns present.

    `non_finite` is a fact: 0 or 1.
    """
    out: FloatArray = np.interp(degree, _DEGREES, _PROBABILITIES)
    out[:, _FACT] = degree[:, _FACT]
    return out


def merge(
    rules: RuleOpinion, network: NetworkOpinion | None, *, counts: IntArray, decided_by_rule: frozenset[str]
) -> Verdicts:
    """Joins both opinions.

    Args:
        rules: the rules' opinion.
        network: the network's; None without weights.
        counts: (n, 6) finite points of every channel.
        decided_by_rule: labels the sidecar leaves to the rules.
    """
    probability = rule_probability(rules.degree)
    if network is None:
        every = np.ones_like(rules.present)
        unknown = np.full_like(probability, np.nan)
        return Verdicts(probability, rules.present, every, unknown, rules.onset, rules.end, rules.severity)
    long_enough = ~few(counts)[:, None]
    priced = np.isfinite(rules.quantities[PRICE])[:, None] & _columns(_PRICED)
    by_rule = ~long_enough | _left_to_rules(decided_by_rule) | priced
    found = (network.probability >= network.threshold) & rules.checked
    dead = rules.present[:, _FACT] & np.isnan(rules.end[:, _FACT])
    found[dead, _TOO_SHORT] = False  # what ends in NaN was not stopped too early
    onset, end = _span(rules, network, by_rule)
    ours = by_rule | _columns(_SEVERITY_BY_RULE)
    judged = long_enough & rules.checked
    return Verdicts(
        probability=np.where(by_rule, probability, network.probability),
        present=np.where(by_rule, rules.present, found),
        by_rule=by_rule,
        model_probability=np.where(judged, network.probability, np.nan),
        onset=onset,
        end=end,
        severity=np.where(ours, rules.severity, network.severity).astype(np.int8),
    )


@cache
def _columns(labels: frozenset[str]) -> BoolArray:
    """(20,) True at the given labels."""
    return np.array([label in labels for label in LABELS])


@cache
def _left_to_rules(decided_by_rule: frozenset[str]) -> BoolArray:
    """(20,) True at the labels that the rules always decide, and at those the sidecar leaves to them."""
    return _columns(ALWAYS_BY_RULE | decided_by_rule)


def _span(rules: RuleOpinion, network: NetworkOpinion, by_rule: BoolArray) -> tuple[FloatArray, FloatArray]:
    """The measured span where the rules find the label too, else the network's; a span never ends before it starts."""
    ours = by_rule | rules.present | ~np.isfinite(network.onset) | _columns(_WITHOUT_SPAN)
    onset = np.where(ours, rules.onset, network.onset)
    end = np.where(ours, rules.end, network.end)
    return onset, np.where(end < onset, np.nan, end)
