"""A batch of runs judged: both opinions, who decides, and which runs get no verdict at all. Arrays only.

`predict` makes diagnoses of it, `verdict_rows` rows of a table.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Final

import numpy as np

from curveclinic.doubt import doubts_among
from curveclinic.labels import LABELS
from curveclinic.merge import Verdicts, loss_points, merge
from curveclinic.quantities import Measured, measured
from curveclinic.ragged import Batch, BoolArray, IntArray
from curveclinic.rules import RuleOpinion, joined, opinion_on, without
from curveclinic.suspects import Suspects, suspects_in

if TYPE_CHECKING:
    from curveclinic.classifier import Classifier, NetworkOpinion
    from curveclinic.model.encoder import Encoded

FEWEST: Final = 5
"""Finite points one loss must have for a run to be called healthy."""

ADVERSARIAL_LABELS: Final = frozenset({"non_finite", "divergence"})
"""All that can be said of two losses that play against each other."""

_NOT_ADVERSARIAL: Final = ~np.isin(LABELS, sorted(ADVERSARIAL_LABELS))
"""(20,) labels that cannot be said of them."""


@dataclass(eq=False)
class Opinions:
    """What is thought of a batch before anyone decides.

    Attributes:
        rules, network: both opinions; the network's is None without weights.
        encoded: what the network was shown, features without curves; None without weights.
        doubtful: row -> why a run is not judged at all.
        counts: (n, 6) finite points of every channel, as in `Batch.finite_counts`.
    """

    rules: RuleOpinion
    network: NetworkOpinion | None
    encoded: Encoded | None
    doubtful: dict[int, str]
    counts: IntArray


@dataclass(eq=False)
class Judged:
    """What is decided about n runs.

    Attributes:
        verdicts: the final word.
        rules: the rules' opinion on what can be judged.
        counts: (n, 6) finite points of every channel, as in `Batch.finite_counts`.
        points: (n,) finite points of the longer loss, -1 where both are absent.
        doubtful: row -> why a run is not judged at all.
        undetermined: (n,) runs that get no verdict: the doubtful ones, and those of too few points without a finding.
        encoded: what the network was shown, features without curves; None without weights.
    """

    verdicts: Verdicts
    rules: RuleOpinion
    counts: IntArray
    points: IntArray
    doubtful: dict[int, str]
    undetermined: BoolArray
    encoded: Encoded | None


def judged(batch: Batch, classifier: Classifier | None, adversarial: BoolArray) -> Judged:
    """Judges every run of a batch.

    Args:
        batch: n runs.
        classifier: the network; None lets the rules decide alone.
        adversarial: (n,) runs whose losses play against each other.
    """
    opinions = opinions_on(batch, classifier)
    rules, counts = opinions.rules, opinions.counts
    if np.count_nonzero(adversarial):
        rules = without(rules, adversarial[:, None] & _NOT_ADVERSARIAL)
    by_rule: frozenset[str] = frozenset() if classifier is None else classifier.decided_by_rule
    verdicts = merge(rules, opinions.network, counts=counts, decided_by_rule=by_rule)
    doubtful = {row: reason for row, reason in opinions.doubtful.items() if not adversarial[row]}
    points = loss_points(counts)
    undetermined = (points < FEWEST) & ~np.logical_or.reduce(verdicts.present, axis=1)
    if doubtful:
        undetermined[list(doubtful)] = True
    return Judged(verdicts, rules, counts, points, doubtful, undetermined, opinions.encoded)


def opinions_on(batch: Batch, classifier: Classifier | None) -> Opinions:
    """Both opinions on a batch; every run is measured once."""
    rules: list[RuleOpinion] = []
    network: list[tuple[NetworkOpinion, Encoded]] = []
    suspects: list[Suspects | None] = []
    counted: list[IntArray] = []
    start = 0
    for piece in measured(batch):
        rules.append(opinion_on(piece))
        if classifier is not None:
            network.append(_network_opinion(piece, classifier))
        suspects.append(suspects_in(piece, start))
        counted.append(piece.batch.finite_counts)
        start += piece.batch.size
    doubtful, counts = doubts_among(suspects).reasons(), np.concatenate(counted)
    if classifier is None:
        return Opinions(joined(rules), None, None, doubtful, counts)
    from curveclinic.classifier import joined as joined_network
    from curveclinic.model.encoder import joined as joined_encoded

    said, shown = zip(*network, strict=True)
    return Opinions(joined(rules), joined_network(said), joined_encoded(shown), doubtful, counts)


def _network_opinion(piece: Measured, classifier: Classifier) -> tuple[NetworkOpinion, Encoded]:
    """What the network says of a piece, and what it was shown but for the curves."""
    from curveclinic.model.encoder import encode_measured

    encoded = encode_measured(piece)
    return classifier.judge_encoded(encoded), encoded.without_curves()


def shipped_classifier() -> Classifier | None:
    """The shipped network; None, with a warning, where the weights are not installed."""
    from curveclinic.classifier import load_classifier

    classifier = load_classifier()
    if classifier is None:
        _warn_without_weights()
    return classifier


@cache
def _warn_without_weights() -> None:
    warnings.warn(
        "curveclinic's weights are not installed, the rules decide alone; reinstall curveclinic to get them",
        UserWarning,
        stacklevel=4,
    )
