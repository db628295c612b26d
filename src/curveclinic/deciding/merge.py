"""Who decides: the network, or the rules where it must not or cannot answer. One function for many runs."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from curveclinic.deciding.few_evaluations import few_evaluations
from curveclinic.deciding.few_points import few_for_network
from curveclinic.deciding.rules import LOSERS, PRESENT, PRICE, STUCK, UNSEEN, RuleOpinion
from curveclinic.deciding.severity import BY_MEASURE, MILD, SEVERE
from curveclinic.deciding.spans import WITHOUT_START
from curveclinic.labels import COLUMN, FACT_COLUMNS, FACTS, LABELS, PRICED
from curveclinic.ragged import BoolArray, FloatArray, IntArray

if TYPE_CHECKING:
    from curveclinic.deciding.classifier import NetworkOpinion

_PRICED: Final = np.isin(LABELS, PRICED)
_OVERFITTING: Final = np.isin(LABELS, "overfitting")
_SEVERITY_BY_RULE: Final = np.isin(LABELS, sorted(BY_MEASURE))

_SEEN_BY_RULES: Final = (
    (STUCK, COLUMN["not_learning"], np.isin(LABELS, "not_learning")),
    # of a descent that was not evaluated the network sees none
    (UNSEEN, COLUMN["overfitting"], np.isin(LABELS, ("overfitting", "no_generalization"))),
)
"""What is 1 where rules see more than the network; the label they find there; (20,) the labels that are theirs then."""

_DEGREES: Final = np.array([0.0, PRESENT, 1.0])
_PROBABILITIES: Final = np.array([0.02, 0.5, 0.9])
"""A rule is right in about nine of ten clear cases, and misses about one in fifty."""


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

    A fact is there or not: 0 or 1.
    """
    out: FloatArray = np.interp(degree, _DEGREES, _PROBABILITIES)
    out[:, FACT_COLUMNS] = degree[:, FACT_COLUMNS]
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
    few = few_for_network(counts)[:, None] | few_evaluations(counts)[:, None] & _OVERFITTING
    priced = np.isfinite(rules.quantities[PRICE])[:, None] & _PRICED
    by_rule = few | _left_to_rules(decided_by_rule) | priced
    for quantity, label, theirs in _SEEN_BY_RULES:
        by_rule |= (rules.present[:, label] & (rules.quantities[quantity] >= 1.0))[:, None] & theirs
    onset, end = _span(rules, network, by_rule)
    ours = by_rule | _SEVERITY_BY_RULE
    judged = rules.checked & ~few
    return Verdicts(
        probability=np.where(by_rule, probability, network.probability),
        present=np.where(by_rule, rules.present, _found(rules, network)),
        by_rule=by_rule,
        model_probability=np.where(judged, network.probability, np.nan),
        onset=onset,
        end=end,
        severity=np.where(ours, rules.severity, np.where(network.severe, SEVERE, MILD)).astype(np.int8),
    )


@cache
def _left_to_rules(decided_by_rule: frozenset[str]) -> BoolArray:
    """(20,) True at the labels that the rules always decide, and at those the sidecar leaves to them."""
    return np.isin(LABELS, sorted({*FACTS, *decided_by_rule}))


def _found(rules: RuleOpinion, network: NetworkOpinion) -> BoolArray:
    """(n, 20) what the network finds; of two labels that exclude each other the surer one."""
    found: BoolArray = network.found & rules.checked
    j = COLUMN["non_finite"]
    dead = rules.present[:, j] & np.isnan(rules.end[:, j])
    found[dead, COLUMN["undertrained"]] = False  # what ends in NaN was not stopped too early
    if (found.sum(axis=1) > 1).any():
        for winner, losers in LOSERS:
            surer = network.probability[:, losers] > network.probability[:, winner, None]
            found[:, winner] &= ~(found[:, losers] & surer).any(axis=1)
            found[:, losers] &= ~found[:, winner, None]
    return found


def _span(rules: RuleOpinion, network: NetworkOpinion, by_rule: BoolArray) -> tuple[FloatArray, FloatArray]:
    """The measured span where the rules find the label too, else the network's; a span never ends before it starts."""
    ours = by_rule | rules.present | ~np.isfinite(network.onset) | WITHOUT_START
    onset = np.where(ours, rules.onset, network.onset)
    end = np.where(ours, rules.end, network.end)
    return onset, np.where(end < onset, np.nan, end)
