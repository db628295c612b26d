"""Runs as they stood part of the way, and what is answered about each prefix: the shared part of `early.py`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from curveclinic.diagnosis import Diagnosis
from curveclinic.labels import LABELS, LOSSES
from curveclinic.measuring.quantities import measure
from curveclinic.points import Series
from curveclinic.predict import predict_runs
from curveclinic.ragged import Batch, BoolArray, FloatArray
from curveclinic.run import Run
from curveclinic.synth.generate import Sample
from curveclinic.synth.logger import Logged
from curveclinic.synth.prefix import cut
from curveclinic.synth.truth import Truth, judge

SHARES = tuple(round(0.1 * k, 1) for k in range(1, 11))
"""Prefixes, as shares of the run's steps."""

PRESENT, ABSENT = 0.999, 1e-6
"""Degrees of truth from which a label is clearly there, and up to which it is clearly not."""


@dataclass(frozen=True, eq=False)
class Stream:
    """What is answered about k prefixes of n runs.

    Attributes:
        found: (k, n, 20) label found.
        serious: (k, n, 20) found, and above a notice.
        undetermined: (k, n) nothing was judged.
        degree: (k, n, 20) truth of the prefix, judged anew; NaN where nobody knows.
        onset: (n, 20) true onset of the whole run as a share of its steps, NaN where none.
    """

    found: BoolArray
    serious: BoolArray
    undetermined: BoolArray
    degree: FloatArray
    onset: FloatArray


def runs_of(batch: Batch) -> list[Run]:
    """The runs of a batch, one by one."""
    goals = np.where(batch.metric_sign < 0, "min", "max")
    return [
        Run(
            {
                name: Series(c.steps[c.offsets[i] : c.offsets[i + 1]], c.values[c.offsets[i] : c.offsets[i + 1]])
                for name, c in batch.channels.items()
                if c.lengths[i]
            },
            metric_goal=str(goals[i]),  # type: ignore[arg-type]  # one of two texts
        )
        for i in range(batch.size)
    ]


def found_in(runs: Sequence[Run]) -> BoolArray:
    """(n, 20) labels found in runs."""
    return np.array([[label in diagnosis.labels for label in LABELS] for diagnosis in predict_runs(runs)])


def synthetic_stream(sample: Sample) -> Stream:
    """Answers and truth of every prefix of synthetic runs."""
    parts = [cut(sample.logged, share) for share in SHARES]
    diagnoses = [predict_runs(runs_of(part.batch)) for part in parts]
    degree = np.stack([truth_of(part).degree for part in parts])
    first, last = (np.array([f(r) for r in runs_of(sample.batch)]) for f in (_first_step, _last_step))
    onset = (sample.truth.onset - first[:, None]) / np.maximum(last - first, 1e-300)[:, None]
    return _stream(diagnoses, degree, onset)


def truth_of(logged: Logged) -> Truth:
    """What logged runs truly show."""
    return judge(logged, measure(logged.batch))


def logged_stream(runs: Sequence[Run]) -> Stream:
    """Answers about every prefix of runs whose truth on the way is unknown."""
    diagnoses = [predict_runs([until_share(run, share) for run in runs]) for share in SHARES]
    shape = (len(SHARES), len(runs), len(LABELS))
    return _stream(diagnoses, np.full(shape, np.nan), np.full(shape[1:], np.nan))


def until_share(run: Run, share: float) -> Run:
    """The run up to a share of its steps."""
    first, last = _first_step(run), _last_step(run)
    return until_step(run, first + share * (last - first))


def until_step(run: Run, step: float) -> Run:
    """The run up to a step."""
    kept = {name: Series(s.steps[s.steps <= step], s.values[s.steps <= step]) for name, s in run.channels.items()}
    return Run({name: s for name, s in kept.items() if len(s)}, run_id=run.run_id, metric_goal=run.metric_goal)


def _first_step(run: Run) -> float:
    return min((float(run.channels[n].steps[0]) for n in LOSSES if n in run.channels), default=0.0)


def _last_step(run: Run) -> float:
    return max((float(run.channels[n].steps[-1]) for n in LOSSES if n in run.channels), default=0.0)


def _stream(diagnoses: Sequence[Sequence[Diagnosis]], degree: FloatArray, onset: FloatArray) -> Stream:
    shape = (len(diagnoses), len(diagnoses[0]), len(LABELS))
    found, serious = np.zeros(shape, dtype=bool), np.zeros(shape, dtype=bool)
    undetermined = np.array([[d.verdict == "undetermined" for d in row] for row in diagnoses])
    for k, row in enumerate(diagnoses):
        for i, diagnosis in enumerate(row):
            for finding in diagnosis.findings:
                j = LABELS.index(finding.label)
                found[k, i, j], serious[k, i, j] = True, finding.severity != "notice"
    return Stream(found, serious, undetermined, degree, onset)
