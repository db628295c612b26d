"""What rules and network think of a batch of runs; what is found against plain facts is no part of it any more."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from curveclinic.deciding.doubt import doubts_among
from curveclinic.deciding.few_points import without_lone_val
from curveclinic.deciding.merge import Verdicts, merge, rule_probability
from curveclinic.deciding.rules import RuleOpinion, opinion_on
from curveclinic.deciding.suspects import Suspects, suspects_in
from curveclinic.deciding.vouching import refuted
from curveclinic.measuring.directions import Directions
from curveclinic.measuring.quantities import Measured, measured, places_of
from curveclinic.ragged import Batch, IntArray
from curveclinic.records import joined

if TYPE_CHECKING:
    from curveclinic.deciding.classifier import Classifier, NetworkOpinion
    from curveclinic.model.encoder import Encoded


@dataclass(eq=False)
class Opinions:
    """What is thought of a batch, before `merge` decides whose word counts.

    Attributes:
        rules, network: both opinions; the network's, held against the facts, is None without weights.
        encoded: what the network was shown, features without curves; None without weights.
        doubtful: row -> why a run is not judged at all.
        counts: (n, 6) finite points of every channel, as in `Batch.finite_counts`.
        directions: which way the metrics get better, and how that was told.
        decided_by_rule: labels the sidecar leaves to the rules.
    """

    rules: RuleOpinion
    network: NetworkOpinion | None
    encoded: Encoded | None
    doubtful: dict[int, str]
    counts: IntArray
    directions: Directions
    decided_by_rule: frozenset[str]

    def merged(self) -> Verdicts:
        """Returns the verdicts that `merge` makes of them."""
        return merge(self.rules, self.network, counts=self.counts, decided_by_rule=self.decided_by_rule)


def opinions_on(batch: Batch, classifier: Classifier | None) -> Opinions:
    """Both opinions on a batch; every run is measured once."""
    rules: list[RuleOpinion] = []
    network: list[tuple[NetworkOpinion, Encoded]] = []
    suspects: list[Suspects | None] = []
    directions: list[Directions] = []
    rows: list[IntArray] = []
    for piece in measured(without_lone_val(batch)):
        rules.append(opinion_on(piece))
        if classifier is not None:
            network.append(_network_opinion(piece, rules[-1], classifier))
        suspects.append(suspects_in(piece))
        directions.append(piece.directions)
        rows.append(piece.rows)
    doubtful, counts, places = doubts_among(suspects).reasons(), batch.finite_counts, places_of(rows)
    told = joined(directions, places)
    if classifier is None:
        return Opinions(joined(rules, places), None, None, doubtful, counts, told, frozenset())
    says, shown = zip(*network, strict=True)
    return Opinions(
        joined(rules, places), joined(says, places), joined(shown, places), doubtful, counts, told,
        classifier.decided_by_rule,
    )  # fmt: skip


def _network_opinion(piece: Measured, rules: RuleOpinion, classifier: Classifier) -> tuple[NetworkOpinion, Encoded]:
    """What the network says of a piece, the facts granted, and what it was shown but for the curves."""
    from curveclinic.model.encoder import encode_measured

    encoded = encode_measured(piece)
    says = classifier.judge_encoded(encoded)
    against = refuted(piece, says.found & ~rules.present)
    if np.count_nonzero(against):  # there the rules, which do not find it either, are the better word
        probability = np.where(against, rule_probability(rules.degree), says.probability)
        says = replace(says, found=says.found & ~against, probability=probability)
    return says, encoded.without_curves()
