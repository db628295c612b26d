"""Runs and diagnoses that the tests of everything behind `Diagnosis` share."""

from __future__ import annotations

import numpy as np

from curveclinic.diagnosis import Diagnosis, Finding, Severity
from curveclinic.run import Run

HOSTILE = "<script>alert(1)</script> [red]x[/red] \x1b[2J\x07\u202e $x$ & \udcff"
"""A run name that tries to be HTML, markup, an escape sequence, mathematics and not UTF-8."""


def finding(
    label: str = "overfitting",
    *,
    severity: Severity = "severe",
    onset: float | None = 30.0,
    end: float | None = None,
    evidence: str = "Validation loss rises from 0.41 at step 30 to 0.98.",
) -> Finding:
    return Finding(
        label, 0.97, severity, onset, end, "model", 0.97, True, evidence, ("too many steps",), ("stop at step 30",)
    )


def diagnosis(run: Run | None, *findings: Finding, message: str = "") -> Diagnosis:
    labels = tuple(f.label for f in findings)
    return Diagnosis(
        verdict="findings" if findings else "healthy",
        labels=labels or ("healthy",),
        probabilities={"divergence": 0.01} | {f.label: f.probability for f in findings},
        findings=findings,
        unchecked={"metric_mismatch": "no metric is logged", "exploding_gradients": "grad_norm is not logged"},
        rule_labels=labels,
        message=message,
        run=run,
    )


def undetermined(run: Run | None, message: str) -> Diagnosis:
    return Diagnosis("undetermined", (), {}, (), {}, (), message, run)


def overfit_run(run_id: str = "exp7", path: str = "runs/log.csv") -> Run:
    step = np.arange(1.0, 61.0)
    train = 2 * np.exp(-step / 10) + 0.01
    val = 2 * np.exp(-step / 10) + 0.3 + np.maximum(0, step - 30) * 0.02
    return Run.from_arrays({"train_loss": train, "val_loss": val}, run_id=run_id, path=path, format="csv")


NASTY_CURVES = {
    "nan and inf": [2.0, float("nan"), 1.0, float("inf"), 0.5, float("-inf")],
    "all nan": [float("nan")] * 5,
    "constant": [2.3] * 20,
    "one point": [0.5],
    "negative": [-1.0, -2.0, -3.5],
    "1e31": [2.0, 1.0, 1e5, 1e31],
    "range overflows": [-1e308, 1e308, 0.0],
    "zeros": [0.0, 0.0, 0.0],
    "down to zero": [10.0, 0.001, 0.0],
    "denormal": [5e-324, 1.0, 1e308],
    "nearly constant": [1.0, 1.0 + 2e-16, 1.0],
    "empty": [],
}
"""Curves that break careless drawing."""
