"""How far the reported steps lie from the true ones, as shares of the run.

    python benchmarks/onsets.py ../shared/clinic_runs/dev.jsonl.gz ../shared/real_runs/dev.jsonl

Synthetic runs, of the families that training never saw and fresh ones of all families: the distance of a finding's
onset (and end, where both have one) from the truth, for labels that are clearly there and found. Marked runs: thirty
runs of the yardsticks whose steps somebody marked in a plot before any answer was seen (`onsets_marked.csv`); an end
is marked where it says more than the onset (a slow start begins at the first step). Per label the median, the 90th
percentile and the share within a twentieth of the run; of runs in which the label is not found, only their number.

What it does not show: errors of findings that should not be there. Marks are one reader's, to a few percent of the
run; a wide valley has no sharp lowest point. The first step is the true onset of several labels: ends tell more there.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from early import HELD_OUT, MAX_POINTS
from streams import PRESENT, runs_of
from tables import Row, print_table, write_scores
from yardstick import RESULTS, load_records

from curveclinic.diagnosis import Diagnosis
from curveclinic.labels import LABELS
from curveclinic.predict import predict_runs
from curveclinic.ragged import FloatArray
from curveclinic.run import Run
from curveclinic.synth.families import TRENDS
from curveclinic.synth.generate import Sample, generate

MARKED = Path(__file__).parent / "onsets_marked.csv"

FROM_THE_START = ("slow_start", "high_initial_loss")
"""Labels that begin with the run, by definition."""

NEAR = 0.05
"""Share of the run within which a step counts as met."""


def synthetic_rows(name: str, sample: Sample) -> Iterator[Row]:
    """Errors of onsets and ends per label."""
    runs = runs_of(sample.batch)
    diagnoses = predict_runs(runs)
    for what, true in (("onset", sample.truth.onset), ("end", sample.truth.end)):
        errors = np.full(true.shape, np.nan)
        for i, (run, diagnosis) in enumerate(zip(runs, diagnoses, strict=True)):
            for label, step in _steps(diagnosis, what).items():
                errors[i, LABELS.index(label)] = abs(step - true[i, LABELS.index(label)]) / length(run)
        there = (sample.truth.degree >= PRESENT) & np.isfinite(true)
        for j, label in enumerate(LABELS):
            yield from _errors(name, label, what, errors[there[:, j], j])
        yield from _errors(name, "all", what, errors[there])


def marked_rows(paths: Sequence[Path]) -> Iterator[Row]:
    """Errors on the marked runs, one by one and together."""
    runs = {record.run.run_id: record.run for path in paths for record in load_records(path)}
    with MARKED.open(newline="") as file:
        marks = [mark for mark in csv.DictReader(file) if mark["id"] in runs]
    if not marks:
        return
    diagnoses = predict_runs([runs[mark["id"]] for mark in marks])
    for what in ("onset", "end"):
        errors: dict[str, list[float]] = {}
        for mark, diagnosis in zip(marks, diagnoses, strict=True):
            if mark[what]:
                step = _steps(diagnosis, what).get(mark["label"], np.nan)
                error = abs(step - float(mark[what])) / length(runs[mark["id"]])
                errors.setdefault(mark["label"], []).append(error)
                yield _row("marked run", mark["id"], f"{mark['label']} {what}", error, 1)
        for label, values in errors.items():
            yield from _errors("marked", label, what, np.array(values))
        yield from _errors("marked", "all", what, np.array([e for v in errors.values() for e in v]))
        later = [v for label, v in errors.items() if what == "end" or label not in FROM_THE_START]
        yield from _errors("marked", "all that start later", what, np.array([e for v in later for e in v]))


def length(run: Run) -> float:
    """Steps from the first point of a run to its last; 1 where there is one point."""
    steps = [s.steps for s in run.channels.values() if len(s)]
    span = max(float(s[-1]) for s in steps) - min(float(s[0]) for s in steps)
    return span if span > 0 else 1.0


def _steps(diagnosis: Diagnosis, what: str) -> dict[str, float]:
    """Label -> reported onset or end, of the findings that have one."""
    found = {f.label: f.onset if what == "onset" else f.end for f in diagnosis.findings}
    return {label: step for label, step in found.items() if step is not None}


def _errors(runs: str, label: str, what: str, errors: FloatArray) -> Iterator[Row]:
    known = errors[~np.isnan(errors)]
    if not len(known):
        return
    values = {
        "median": float(np.median(known)),
        "p90": float(np.quantile(known, 0.9)),
        "near": float((known <= NEAR).mean()),
        "not_found": float(len(errors) - len(known)),
    }
    for measure, value in values.items():
        yield _row(runs, label, f"{what}_{measure}", value, len(known))


def _row(runs: str, who: str, measure: str, value: float, n: int) -> Row:
    return {"runs": runs, "who": who, "measure": measure, "value": float(value), "n": n}


def print_summary(rows: Sequence[Row]) -> None:
    """Prints one table a set of runs."""
    for runs in dict.fromkeys(r["runs"] for r in rows):
        some = [r for r in rows if r["runs"] == runs]
        if runs == "marked run":
            print_table([{runs: r["who"], "measure": r["measure"], "error": r["value"]} for r in some])
            continue
        cells = {(r["who"], r["measure"]): r["value"] for r in some}
        measures = [m for m in dict.fromkeys(m for _, m in cells) if not m.startswith("end")]
        counts = {r["who"]: r["n"] for r in reversed(some) if r["measure"] == "onset_median"}
        print_table(
            [
                {runs: who, "n": counts.get(who, 0)}
                | {m: cells.get((who, m), np.nan) for m in (*measures, "end_median", "end_p90")}
                for who in dict.fromkeys(who for who, _ in cells)
            ]
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("records", type=Path, nargs="*", help="labelled runs, JSON lines")
    parser.add_argument("--out", type=Path, default=RESULTS / "onsets.csv", help="CSV of all values")
    parser.add_argument("--runs", type=int, default=4000, help="synthetic runs of each set")
    parser.add_argument("--seed", type=int, default=30)
    options = parser.parse_args()
    rows: list[Row] = []
    for name, trends in (("held-out families", HELD_OUT), ("all families", tuple(TRENDS))):
        rows += synthetic_rows(name, generate((options.seed, 1), options.runs, trends=trends, max_points=MAX_POINTS))
    rows += marked_rows(options.records)
    print_summary(rows)
    write_scores(rows, options.out)


if __name__ == "__main__":
    main()
