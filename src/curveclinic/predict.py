"""`predict_pathology`: from whatever the caller holds to diagnoses."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import compress
from typing import TYPE_CHECKING, Any, TypeVar, overload

import numpy as np
import numpy.typing as npt

from curveclinic.chunks import BATCH_RUNS
from curveclinic.deciding.judging import Judged, by_importance, judged, shipped_classifier
from curveclinic.deciding.kinds import Kinds
from curveclinic.deciding.logged import logged_steps
from curveclinic.deciding.low_starts import run_without_first_points
from curveclinic.deciding.ranking import by_experience, cause_inputs, rank
from curveclinic.deciding.rules import why_unchecked
from curveclinic.deciding.sweeps import sweep_notes
from curveclinic.diagnosis import SEVERITIES, Diagnosis, Finding
from curveclinic.errors import InputError
from curveclinic.labels import HEALTHY, LABELS, MetricGoal
from curveclinic.layers import layers_of, silence_notes, silent_layers
from curveclinic.ragged import Batch, IntArray
from curveclinic.report.evidence import evidence
from curveclinic.run import Run
from curveclinic.symptoms import SYMPTOMS

if TYPE_CHECKING:
    from curveclinic.causes import LikelyCause
    from curveclinic.deciding.classifier import Classifier
    from curveclinic.deciding.ranking import CauseModel
    from curveclinic.points import Series

Item = TypeVar("Item")

_Found = tuple[int, float, float]
"""A label found, by its column, and its first and last step, NaN for none."""

Channel = Sequence[float] | npt.NDArray[Any] | tuple[Any, Any]
"""Values, or (steps, values)."""


@overload
def predict_pathology(
    curves: Run | Mapping[str, Any] | Sequence[Mapping[str, float | None]],
    *,
    num_classes: int | None = None,
    metric_goal: MetricGoal | None = None,
) -> Diagnosis: ...


@overload
def predict_pathology(
    curves: Iterable[Run | Mapping[str, Channel]],
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
            of such; docs/python.md lists all of them.
        num_classes: number of classes, where known: tells what a chance prediction costs.
        metric_goal: "max" when a larger metric is better, "min" when a smaller one is; None infers it from the
            metric's name, or else from how it falls with its loss.

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
        for start in range(0, len(runs), BATCH_RUNS)
        for diagnosis in _predict_chunk(runs[start : start + BATCH_RUNS], classifier)
    ]


def undetermined(reason: str, run: Run | None = None, *, message: str = "") -> Diagnosis:
    """Returns the diagnosis of what could not be judged; the reason is its message where there is nothing to add."""
    return Diagnosis("undetermined", (), {}, (), dict.fromkeys(LABELS, reason), (), message or reason, run)


def _predict_chunk(runs: Sequence[Run], classifier: Classifier | None) -> Iterator[Diagnosis]:
    kinds = Kinds.of([run.kind for run in runs])
    batch, layers = Batch.from_runs(runs), {i: own for i, run in enumerate(runs) if (own := layers_of(run.channels))}
    decided = judged(batch, classifier, kinds)
    rows = _Rows(decided, batch, layers, None if classifier is None else classifier.causes)
    reasons = why_unchecked(decided.counts)
    for i, run in enumerate(runs):
        if rows.undetermined[i]:
            message = decided.message(i, list(run.channels), run.notes)
            yield undetermined(decided.reason(i, list(run.channels)), run, message=message)
        else:
            yield _diagnosis(run, i, rows, kinds.reasons(i, reasons[i], decided.withheld.get(i, {})))


class _Rows:
    """A judged batch as plain lists: reading one run's row of numpy arrays cell by cell is slow."""

    def __init__(
        self, decided: Judged, batch: Batch, layers: dict[int, dict[str, Series]], causes: CauseModel | None
    ) -> None:
        n, verdicts, rules = batch.size, decided.verdicts, decided.rules
        self.undetermined = decided.undetermined.tolist()
        self.probability = verdicts.probability.tolist()
        self.model_probability = verdicts.model_probability.tolist()
        rows, columns = by_importance(verdicts.present, verdicts.severity)
        spans = (
            logged_steps(batch, layers, rows, steps[rows, columns]).tolist() for steps in (decided.onset, decided.end)
        )
        self.present = _by_row(n, rows, zip(columns.tolist(), *spans, strict=True))
        self.by_rule, self.severity = verdicts.by_rule.tolist(), verdicts.severity.tolist()
        self.stop_at = decided.stop_at.tolist()
        agreeing, agreed = rules.present.nonzero()
        self.rule_present = _by_row(n, agreeing, agreed.tolist())
        self.checked = rules.checked.tolist()
        self.silent = {i: silent_layers(own) for i, own in layers.items()}
        self.smaller_is_better, self.notes = decided.smaller_is_better.tolist(), decided.notes
        self.left_out, self.past = decided.left_out, decided.past
        self.likely = _likely(decided, self.present, self.silent, causes)


def _likely(
    decided: Judged, found: list[list[_Found]], silent: dict[int, tuple[str, ...]], causes: CauseModel | None
) -> list[tuple[LikelyCause, ...]]:
    """What may be behind the labels found in each run, the most important of them first."""
    if causes is None or decided.encoded is None:
        return [by_experience([LABELS[j] for j, _, _ in own]) for own in found]
    if not any(found):
        return [()] * len(found)
    inputs = cause_inputs(decided.verdicts, decided.rules.checked, decided.counts, decided.encoded)
    return rank(causes, decided.verdicts.present, inputs, np.array([bool(silent.get(i)) for i in range(len(found))]))


def _by_row(n: int, rows: IntArray, items: Iterable[Item]) -> list[list[Item]]:
    """The items of each of n rows."""
    out: list[list[Item]] = [[] for _ in range(n)]
    for row, item in zip(rows.tolist(), items, strict=True):
        out[row].append(item)
    return out


def _diagnosis(run: Run, i: int, rows: _Rows, reasons: dict[str, str]) -> Diagnosis:
    findings = tuple(_finding(run, i, found, rows) for found in rows.present[i])
    probabilities = dict(compress(zip(LABELS, rows.probability[i], strict=True), rows.checked[i]))
    notes = (*run.notes, *silence_notes(rows.silent.get(i, ())), *_sweep_notes(run), *rows.notes.get(i, ()))
    return Diagnosis(
        verdict="findings" if findings else "healthy",
        labels=tuple(finding.label for finding in findings) or (HEALTHY,),
        probabilities=probabilities,
        findings=findings,
        unchecked={label: reason for label, reason in reasons.items() if label not in probabilities},
        rule_labels=tuple(LABELS[j] for j in rows.rule_present[i]),
        message="; ".join(notes),
        run=run,
        stop_at=_known(rows.stop_at[i]),
        likely_causes=rows.likely[i],
    )


def _sweep_notes(run: Run) -> tuple[str, ...]:
    rates = run.channels.get("lr")
    return () if rates is None else sweep_notes(rates.values)


def _known(number: float) -> float | None:
    return None if math.isnan(number) else number


def _finding(run: Run, i: int, found: _Found, rows: _Rows) -> Finding:
    j, onset, end = found[0], _known(found[1]), _known(found[2])
    label = LABELS[j]
    seen = run_without_first_points(run, rows.left_out[i]) if i in rows.left_out else run
    if j in rows.past.get(i, {}):
        seen = run_without_first_points(seen, {"train_loss": rows.past[i][j]})
    tell = partial(evidence, label, seen, onset=onset, end=end, smaller_is_better=rows.smaller_is_better[i])
    return Finding.deferred(
        tell,
        label=label,
        probability=rows.probability[i][j],
        severity=SEVERITIES[rows.severity[i][j]],
        onset=onset,
        end=end,
        source="rule" if rows.by_rule[i][j] else "model",
        model_probability=_known(rows.model_probability[i][j]),
        rule_agrees=j in rows.rule_present[i] if rows.checked[i][j] else None,
        causes=SYMPTOMS[label].causes,
        remedies=SYMPTOMS[label].remedies,
    )
