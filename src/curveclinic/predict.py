"""`predict_pathology`: from whatever the caller holds to diagnoses."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import compress
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from curveclinic.diagnosis import SEVERITIES, Diagnosis, Finding
from curveclinic.doubt import doubts
from curveclinic.errors import InputError
from curveclinic.evidence import evidence
from curveclinic.labels import HEALTHY, LABELS
from curveclinic.merge import Verdicts, loss_points, merge
from curveclinic.naming import ADVERSARIAL_NOTE
from curveclinic.quantities import Measured, measured
from curveclinic.ragged import Batch, BoolArray, FloatArray
from curveclinic.ranking import by_experience, cause_inputs, rank
from curveclinic.rules import RuleOpinion, joined, opinion_on, why_unchecked, without
from curveclinic.run import MetricGoal, Run
from curveclinic.stopping import averaged_points, stop_step
from curveclinic.symptoms import SYMPTOMS

if TYPE_CHECKING:
    from curveclinic.causes import LikelyCause
    from curveclinic.classifier import Classifier, NetworkOpinion
    from curveclinic.model.encoder import Encoded

_CHUNK = 4096
"""Runs judged as one batch: bounds memory, and is large enough to hide every per-batch cost."""

_FEWEST = 3
"""Finite points one loss must have for a run to be called healthy."""

_OVERFITTING: Final = LABELS.index("overfitting")

_ADVERSARIAL_LABELS: Final = frozenset({"non_finite", "divergence"})
"""All that can be said of two losses that play against each other."""

_ADVERSARIAL_REASON: Final = f"{ADVERSARIAL_NOTE}: only non_finite and divergence are judged"


def predict_pathology(
    curves: Any, *, num_classes: int | None = None, metric_goal: MetricGoal | None = None
) -> Diagnosis | list[Diagnosis]:
    """Says what is wrong with one run or many.

    Args:
        curves: a mapping channel -> values or (steps, values), a `Run`, a table, a framework's history, or a list
            of such; see the README for all of them.
        num_classes: number of classes, where known: tells what a chance prediction costs.
        metric_goal: "max" when a larger metric is better, "min" when a smaller one is; None infers it.

    Returns:
        One `Diagnosis` for one run, a list in the same order for many.

    Raises:
        InputError: a single run that cannot be used; in a list it becomes an undetermined `Diagnosis`.
    """
    from curveclinic.intake import runs_from

    found, single = runs_from(curves, num_classes=num_classes, metric_goal=metric_goal)
    if single and isinstance(found[0], InputError):
        raise found[0]
    diagnoses = iter(predict_runs([item for item in found if isinstance(item, Run)]))
    out = [next(diagnoses) if isinstance(item, Run) else undetermined(str(item)) for item in found]
    return out[0] if single else out


def predict_runs(runs: Sequence[Run]) -> list[Diagnosis]:
    """Returns one diagnosis a run, in order; runs are judged in batches."""
    if not runs:
        return []
    classifier = _classifier()
    return [
        diagnosis
        for start in range(0, len(runs), _CHUNK)
        for diagnosis in _predict_chunk(runs[start : start + _CHUNK], classifier)
    ]


def undetermined(reason: str, run: Run | None = None) -> Diagnosis:
    """Returns the diagnosis of what could not be judged."""
    return Diagnosis("undetermined", (), {}, (), dict.fromkeys(LABELS, reason), (), reason, run)


def _classifier() -> Classifier | None:
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


def _predict_chunk(runs: Sequence[Run], classifier: Classifier | None) -> Iterator[Diagnosis]:
    batch = Batch.from_runs(runs)
    counts = batch.finite_counts
    reasons = why_unchecked(counts)
    points = loss_points(counts).tolist()
    opinions = opinions_on(batch, classifier)
    rules, encoded = opinions.rules, opinions.encoded
    adversarial = np.array([any(ADVERSARIAL_NOTE in note for note in run.notes) for run in runs])
    if adversarial.any():
        rules = without(rules, adversarial[:, None] & ~np.isin(LABELS, sorted(_ADVERSARIAL_LABELS)))
    by_rule: frozenset[str] = frozenset() if classifier is None else classifier.decided_by_rule
    verdicts = merge(rules, opinions.network, counts=counts, decided_by_rule=by_rule)
    rows = _Rows(verdicts, rules)
    if classifier is not None and classifier.causes is not None and encoded is not None:
        inputs = cause_inputs(verdicts, rules.checked, counts, encoded)
        rows.likely = rank(classifier.causes, verdicts.present, inputs)
    for i, run in enumerate(runs):
        if adversarial[i]:
            reasons[i] |= {label: _ADVERSARIAL_REASON for label in LABELS if label not in _ADVERSARIAL_LABELS}
        if i in opinions.doubtful and not adversarial[i]:
            yield undetermined("; ".join((opinions.doubtful[i], *run.notes)), run)
        else:
            yield _diagnosis(run, i, rows, reasons[i], points[i])


@dataclass(frozen=True, eq=False)
class Opinions:
    """What is thought of a batch before anyone decides.

    Attributes:
        rules, network: both opinions; the network's is None without weights.
        encoded: what the network was shown, features without curves; None without weights.
        doubtful: row -> why a run is not judged at all.
    """

    rules: RuleOpinion
    network: NetworkOpinion | None
    encoded: Encoded | None
    doubtful: dict[int, str]


def opinions_on(batch: Batch, classifier: Classifier | None) -> Opinions:
    """Both opinions on a batch; every run is measured once."""
    rules: list[RuleOpinion] = []
    network: list[tuple[NetworkOpinion, Encoded]] = []
    doubtful: dict[int, str] = {}
    start = 0
    for piece in measured(batch):
        rules.append(opinion_on(piece))
        if classifier is not None:
            network.append(_network_opinion(piece, classifier))
        doubtful |= {start + row: reason for row, reason in doubts(piece).reasons().items()}
        start += piece.batch.size
    if classifier is None:
        return Opinions(joined(rules), None, None, doubtful)
    from curveclinic.classifier import joined as joined_network
    from curveclinic.model.encoder import joined as joined_encoded

    said, shown = zip(*network, strict=True)
    return Opinions(joined(rules), joined_network(said), joined_encoded(shown), doubtful)


def _network_opinion(piece: Measured, classifier: Classifier) -> tuple[NetworkOpinion, Encoded]:
    """What the network says of a piece, and what it was shown but for the curves, which take much room."""
    from curveclinic.model.encoder import encode_measured

    encoded = encode_measured(piece)
    return classifier.judge_encoded(encoded), replace(encoded, tensor=encoded.tensor[:, :0])


class _Rows:
    """Arrays of a batch as plain lists: reading one run's row of numpy arrays cell by cell is slow."""

    def __init__(self, verdicts: Verdicts, rules: RuleOpinion) -> None:
        self.probability = verdicts.probability.tolist()
        self.model_probability = verdicts.model_probability.tolist()
        self.present = _true_columns(verdicts.present)
        self.by_rule = verdicts.by_rule
        self.onset, self.end, self.severity = verdicts.onset, verdicts.end, verdicts.severity
        self.rule_present = _true_columns(rules.present)
        self.checked = rules.checked.tolist()
        self.val_low = rules.quantities["v_low_step"]
        self.val_averaged = averaged_points(rules.quantities)
        self.likely: list[tuple[LikelyCause, ...]] | None = None


def _true_columns(mask: BoolArray) -> list[list[int]]:
    """Columns of the True cells of each row."""
    columns: list[list[int]] = [[] for _ in mask]
    for row, column in zip(*(index.tolist() for index in mask.nonzero()), strict=True):
        columns[row].append(column)
    return columns


def _diagnosis(run: Run, i: int, rows: _Rows, reasons: dict[str, str], points: int) -> Diagnosis:
    if points < _FEWEST and not rows.present[i]:
        return undetermined(_too_little(run, points), run)
    findings = sorted((_finding(run, i, j, rows) for j in rows.present[i]), key=_importance)
    checked = rows.checked[i]
    return Diagnosis(
        verdict="findings" if findings else "healthy",
        labels=tuple(finding.label for finding in findings) or (HEALTHY,),
        probabilities=dict(compress(zip(LABELS, rows.probability[i], strict=True), checked)),
        findings=tuple(findings),
        unchecked=reasons,
        rule_labels=tuple(LABELS[j] for j in rows.rule_present[i]),
        message="; ".join(run.notes),
        run=run,
        stop_at=_stop_at(run, i, rows),
        likely_causes=by_experience([f.label for f in findings]) if rows.likely is None else rows.likely[i],
    )


def _stop_at(run: Run, i: int, rows: _Rows) -> float | None:
    """The step whose checkpoint to keep, where the run overfits."""
    if _OVERFITTING not in rows.present[i] or "val_loss" not in run.channels:
        return None
    return stop_step(run.channels["val_loss"], float(rows.val_low[i]), float(rows.val_averaged[i]))


def _importance(finding: Finding) -> tuple[int, int, float]:
    """Sort key: the most serious first, then the most important, then the surest."""
    return -SEVERITIES.index(finding.severity), SYMPTOMS[finding.label].rank, -finding.probability


def _finding(run: Run, i: int, j: int, rows: _Rows) -> Finding:
    label, model_probability = LABELS[j], rows.model_probability[i][j]
    onset, end = _logged_step(run, rows.onset[i, j]), _logged_step(run, rows.end[i, j])
    return Finding(
        label=label,
        probability=rows.probability[i][j],
        severity=SEVERITIES[rows.severity[i, j]],
        onset=onset,
        end=end,
        source="rule" if rows.by_rule[i, j] else "model",
        model_probability=None if math.isnan(model_probability) else model_probability,
        rule_agrees=j in rows.rule_present[i] if rows.checked[i][j] else None,
        evidence=evidence(label, run, onset=onset, end=end),
        causes=SYMPTOMS[label].causes,
        remedies=SYMPTOMS[label].remedies,
    )


def _logged_step(run: Run, step: float) -> float | None:
    """The logged step nearest to an estimated one; None for none."""
    if not math.isfinite(step):
        return None
    nearest = [_nearest(s.steps, step) for s in run.channels.values() if len(s)]
    return min(nearest, key=lambda logged: abs(logged - step))


def _nearest(steps: FloatArray, step: float) -> float:
    """The increasing step nearest to another, the smaller one of two."""
    at = min(int(steps.searchsorted(step)), len(steps) - 1)
    before, after = float(steps[max(at - 1, 0)]), float(steps[at])
    return before if abs(before - step) <= abs(after - step) else after


def _too_little(run: Run, points: int) -> str:
    names = [name for name in ("train_loss", "val_loss") if name in run.channels]
    if not names:
        return f"found {', '.join(run.channels) or 'no channel'}, expected train_loss or val_loss; name the loss"
    return (
        f"found {points} finite point{'s' * (points != 1)} of {' and '.join(names)}, expected {_FEWEST} or more; "
        "log more often or wait"
    )
