"""`predict_pathology`: from whatever the caller holds to diagnoses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from curveclinic.diagnosis import Diagnosis
from curveclinic.run import MetricGoal, Run


def predict_runs(runs: Sequence[Run]) -> list[Diagnosis]:
    """Returns one diagnosis a run, in order; all runs are judged as one batch."""
    raise NotImplementedError


def predict_pathology(
    curves: Any, *, num_classes: int | None = None, metric_goal: MetricGoal | None = None
) -> Diagnosis | list[Diagnosis]:
    """Says what is wrong with one run or many."""
    raise NotImplementedError
