"""`predict_pathology`: from whatever the caller holds to diagnoses."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import compress
from typing import TYPE_CHECKING, Any, overload

import numpy as np
import numpy.typing as npt

from curveclinic.deciding.judging import FEWEST, Judged, judged, shipped_classifier
from curveclinic.deciding.kinds import Kinds
from curveclinic.deciding.ranking import by_experience, cause_inputs, rank
from curveclinic.deciding.rules import why_unchecked
from curveclinic.deciding.sweeps import sweep_notes
from curveclinic.diagnosis import SEVERITIES, Diagnosis, Finding
from curveclinic.errors import InputError
from curveclinic.labels import HEALTHY, LABELS, MetricGoal
from curveclinic.measuring.layers import silence_notes, silent_layers
from curveclinic.phrases import counted
from curveclinic.ragged import Batch, BoolArray, FloatArray
from curveclinic.report.evidence import evidence
from curveclinic.run import Run
from curveclinic.symptoms import SYMPTOMS

if TYPE_CHECKING:
    from curveclinic.causes import LikelyCause
    from curveclinic.deciding.classifier import Classifier

_CHUNK = 4096
"""Runs judged as one batch: bounds memory, and is large enough to hide every per-batch cost."""


@overload
def predict_pathology(
    curves: Run | Mapping[str, Any], *, num_classes: int | None = None, metric_goal: MetricGoal | None = None
) -> Diagnosis: ...


@overload
def predict_pathology(
    curves: Sequence[Run] | Sequence[Mapping[str, Sequence[float]]] | Sequence[Mapping[str, npt.NDArray[Any]]],
    *,
    num_classes: int | None = None,
    metric_goal: MetricGoal | None = None,
) -> list[Diagnosis]: ...


@overload
def predict_pathology(
    curves: Any, *, num_classes: int | None = None, metric_goal: MetricGoal | None = None
) -> Diagnosis | list[Diagnosis]: ...


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
    from curveclinic.intake.door import runs_from

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
    classifier = shipped_classifier()
    return [
        diagnosis
        for start in range(0, len(runs), _CHUNK)
        for diagnosis in _predict_chunk(runs[start : start + _CHUNK], classifier)
    ]


def undetermined(reason: str, run: Run | None = None) -> Diagnosis:
    """Returns the diagnosis of what could not be judged."""
    return Diagnosis("undetermined", (), {}, (), dict.fromkeys(LABELS, reason), (), reason, run)


def _predict_chunk(runs: Sequence[Run], classifier: Classifier | None) -> Iterator[Diagnosis]:
    kinds = Kinds.of([run.kind for run in runs])
    said = judged(Batch.from_runs(runs), classifier, kinds)
    rows = _Rows(said)
    rows.silent = [silent_layers(run.channels) for run in runs]
    if classifier is not None and classifier.causes is not None and said.encoded is not None:
        rows.likely = [()] * len(runs)
        if any(rows.present):
            inputs = cause_inputs(said.verdicts, said.rules.checked, said.counts, said.encoded)
            rows.likely = rank(
                classifier.causes, said.verdicts.present, inputs, np.array([bool(s) for s in rows.silent])
            )
    reasons = why_unchecked(said.counts)
    for i, run in enumerate(runs):
        if rows.undetermined[i]:
            yield undetermined(no_verdict(run, int(said.points[i]), said.doubtful.get(i)), run)
        else:
            yield _diagnosis(run, i, rows, kinds.reasons(i, reasons[i], balancing=bool(said.balancing[i])))


def no_verdict(run: Run, points: int, doubt: str | None) -> str:
    """Why an undetermined run got no verdict: the doubt about its curve, or too few finite points of a loss."""
    return _too_little(run, points) if doubt is None else "; ".join((doubt, *run.notes))


class _Rows:
    """Arrays of a batch as plain lists: reading one run's row of numpy arrays cell by cell is slow."""

    def __init__(self, said: Judged) -> None:
        verdicts, rules = said.verdicts, said.rules
        self.undetermined = said.undetermined.tolist()
        self.probability = verdicts.probability.tolist()
        self.model_probability = verdicts.model_probability.tolist()
        self.present = _true_columns(verdicts.present)
        self.by_rule, self.severity = verdicts.by_rule.tolist(), verdicts.severity.tolist()
        self.onset, self.end = said.onset.tolist(), said.end.tolist()
        self.stop_at = said.stop_at.tolist()
        self.rule_present = _true_columns(rules.present)
        self.checked = rules.checked.tolist()
        self.likely: list[tuple[LikelyCause, ...]] | None = None
        self.silent: list[tuple[str, ...]] = []


def _true_columns(mask: BoolArray) -> list[list[int]]:
    """Columns of the True cells of each row."""
    columns: list[list[int]] = [[] for _ in mask]
    rows, places = mask.nonzero()
    for row, column in zip(rows.tolist(), places.tolist(), strict=True):
        columns[row].append(column)
    return columns


def _diagnosis(run: Run, i: int, rows: _Rows, reasons: dict[str, str]) -> Diagnosis:
    findings = sorted((_finding(run, i, j, rows) for j in rows.present[i]), key=_importance)
    checked = rows.checked[i]
    return Diagnosis(
        verdict="findings" if findings else "healthy",
        labels=tuple(finding.label for finding in findings) or (HEALTHY,),
        probabilities=dict(compress(zip(LABELS, rows.probability[i], strict=True), checked)),
        findings=tuple(findings),
        unchecked=reasons,
        rule_labels=tuple(LABELS[j] for j in rows.rule_present[i]),
        message="; ".join((*run.notes, *silence_notes(rows.silent[i]), *_sweep_notes(run))),
        run=run,
        stop_at=None if math.isnan(rows.stop_at[i]) else rows.stop_at[i],
        likely_causes=by_experience([f.label for f in findings]) if rows.likely is None else rows.likely[i],
    )


def _sweep_notes(run: Run) -> tuple[str, ...]:
    rates = run.channels.get("lr")
    return () if rates is None else sweep_notes(rates.values)


def _importance(finding: Finding) -> tuple[int, int, float]:
    """Sort key: the most serious first, then the most important, then the surest."""
    return -SEVERITIES.index(finding.severity), SYMPTOMS[finding.label].rank, -finding.probability


def _finding(run: Run, i: int, j: int, rows: _Rows) -> Finding:
    label, model_probability = LABELS[j], rows.model_probability[i][j]
    onset, end = _logged_step(run, rows.onset[i][j]), _logged_step(run, rows.end[i][j])
    tell = partial(evidence, label, run, onset=onset, end=end)
    return Finding.deferred(
        tell,
        label=label,
        probability=rows.probability[i][j],
        severity=SEVERITIES[rows.severity[i][j]],
        onset=onset,
        end=end,
        source="rule" if rows.by_rule[i][j] else "model",
        model_probability=None if math.isnan(model_probability) else model_probability,
        rule_agrees=j in rows.rule_present[i] if rows.checked[i][j] else None,
        causes=SYMPTOMS[label].causes,
        remedies=SYMPTOMS[label].remedies,
    )


def _logged_step(run: Run, step: float) -> float | None:
    """The logged step nearest to an estimated one, the smaller one of two; None for none."""
    if not math.isfinite(step):
        return None
    nearest = [_nearest(s.steps, step) for s in run.channels.values() if len(s)]
    return min(nearest, key=lambda logged: (abs(logged - step), logged))


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
        f"found {counted(points, 'finite point')} of {' and '.join(names)}, expected {FEWEST} or more; "
        "log more often or wait"
    )
