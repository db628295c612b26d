"""Who is scored: the whole as a user meets it, the network alone, the rules alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from curveclinic.deciding.classifier import NetworkOpinion, load_classifier
from curveclinic.deciding.few_points import few_for_network
from curveclinic.deciding.merge import merge
from curveclinic.deciding.rules import RuleOpinion, judge
from curveclinic.diagnosis import SEVERITIES
from curveclinic.labels import LABELS
from curveclinic.predict import predict_runs
from curveclinic.ragged import Batch, BoolArray, FloatArray
from curveclinic.run import Run


@dataclass(frozen=True, eq=False)
class Opinion:
    """What a judge says of n runs; columns in the order of `labels.LABELS`.

    Attributes:
        present: (n, 20) label found.
        probability: (n, 20) NaN where the label could not be checked.
        healthy: (n,) judged, and nothing above a notice found.
        verdict: (n,) "healthy", "findings" or "undetermined".
        judged: (n,) runs this judge is scored on.
    """

    present: BoolArray
    probability: FloatArray
    healthy: BoolArray
    verdict: npt.NDArray[np.str_]
    judged: BoolArray


def opinions(runs: Sequence[Run]) -> dict[str, Opinion]:
    """Every judge's opinion by its name; the network's is left out where there are no weights."""
    batch = Batch.from_runs(runs)
    rules, classifier = judge(batch), load_classifier()
    found = {"whole": whole(runs)}
    if classifier is not None:
        found["network"] = network_alone(batch, rules, classifier.judge(batch))
    return found | {"rules": rules_alone(batch, rules)}


def whole(runs: Sequence[Run]) -> Opinion:
    """What `predict_runs` answers."""
    diagnoses = predict_runs(runs)
    return Opinion(
        present=np.array([[label in d.labels for label in LABELS] for d in diagnoses]),
        probability=np.array([[d.probabilities.get(label, np.nan) for label in LABELS] for d in diagnoses]),
        healthy=np.array([d.is_healthy for d in diagnoses]),
        verdict=np.array([d.verdict for d in diagnoses]),
        judged=np.ones(len(diagnoses), dtype=bool),
    )


def rules_alone(batch: Batch, rules: RuleOpinion) -> Opinion:
    """What users without weights get."""
    return _merged(batch, rules, None, np.ones(batch.size, dtype=bool))


def network_alone(batch: Batch, rules: RuleOpinion, network: NetworkOpinion) -> Opinion:
    """The network for all it can judge: runs of 6 and more points, all labels but non_finite, a fact the rules read."""
    return _merged(batch, rules, network, ~few_for_network(batch.finite_counts))


def _merged(batch: Batch, rules: RuleOpinion, network: NetworkOpinion | None, judged: BoolArray) -> Opinion:
    verdicts = merge(rules, network, counts=batch.finite_counts, decided_by_rule=frozenset())
    some = verdicts.present.any(axis=1)
    serious = (verdicts.present & (verdicts.severity > SEVERITIES.index("notice"))).any(axis=1)
    curves_read = np.delete(rules.checked, LABELS.index("non_finite"), axis=1).any(axis=1)
    return Opinion(
        present=verdicts.present,
        probability=np.where(rules.checked, verdicts.probability, np.nan),
        healthy=(some | curves_read) & ~serious,
        verdict=np.where(some, "findings", np.where(curves_read, "healthy", "undetermined")),
        judged=judged,
    )
