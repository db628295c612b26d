"""runmedic's rules on a yardstick, beside ours, on the labels that both know.

    pip install runmedic==0.1.1      # no dependencies
    python benchmarks/peer.py ../shared/clinic_runs/dev.jsonl.gz

F1 per shared label and over those with at least five positives; on runs without any positive label the share with one
of the shared labels; the share of runs whose shared labels change when every 4th point of each channel is kept. 90 %
bootstrap intervals. A finding of any severity counts, as a notice of ours does.

What it does not show: runmedic's other checks (GPU, memory, log lines) and its advice; how it does on the logs its
authors had in mind. Its findings were mapped to our labels by name, and the yardsticks follow our definitions, which
flatters us.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import scores
from judges import rules_alone, whole
from robustness import FEWEST_KEPT, thinned
from runmedic.checks import run_checks
from runmedic.model import Run as TheirRun
from runmedic.model import Series as TheirSeries
from runmedic.roles import detect
from tables import Row, print_table, write_csv
from yardstick import Record, default_out, load_records, shortest_loss, truth_of, without_positive

from curveclinic.labels import LABELS
from curveclinic.ragged import Batch, BoolArray, FloatArray, IntArray
from curveclinic.rules import judge
from curveclinic.run import Run

SHARED = {
    "overfitting": "overfitting",
    "no_learning": "not_learning",
    "divergence": "divergence",
    "non_finite": "non_finite",
    "loss_spikes": "loss_spikes",
    "val_below_train": "val_below_train",
    "grad_spikes": "exploding_gradients",
}
"""runmedic's check -> our label."""

COLUMNS = [LABELS.index(label) for label in SHARED.values()]


def runmedic(runs: Sequence[Run]) -> BoolArray:
    """(n, shared labels) what runmedic finds."""
    return np.array([[check in found for check in SHARED] for found in map(_findings, runs)])


def _findings(run: Run) -> set[str]:
    series = {name: TheirSeries(name, s.steps.tolist(), s.values.tolist()) for name, s in run.channels.items()}
    theirs = TheirRun(run.run_id, "memory", "", series)
    return {finding.check for finding in run_checks(theirs, detect(theirs))}


JUDGES: dict[str, Callable[[Sequence[Run]], BoolArray]] = {
    "whole": lambda runs: whole(runs).present[:, COLUMNS],
    "rules": lambda runs: rules_alone(batch := Batch.from_runs(runs), judge(batch)).present[:, COLUMNS],
    "runmedic": runmedic,
}


def rows_of(records: Sequence[Record], draws: int) -> Iterator[Row]:
    """Every judge's scores and how often thinning changes its mind."""
    runs = [record.run for record in records]
    weight = scores.resamples(len(runs), draws, seed=0)
    for name, find in JUDGES.items():
        yield from _scored(name, find(runs), records, weight)
        yield _thinned_row(name, find, [run for run in runs if shortest_loss(run) >= 4 * FEWEST_KEPT], draws)


def _scored(name: str, present: BoolArray, records: Sequence[Record], weight: IntArray) -> Iterator[Row]:
    truth = truth_of(records)[:, COLUMNS]
    f1 = scores.f1(present, truth, weight)
    clear = without_positive(records)
    yield _row(name, "", "macro_f1", scores.macro(f1, truth), len(records))
    yield _row(name, "", "any_shared_label", scores.share(present.any(axis=1), clear, weight), int(clear.sum()))
    for j, label in enumerate(SHARED.values()):
        yield _row(name, label, "f1", f1[:, j], int((truth[:, j] == 1).sum()))


def _thinned_row(name: str, find: Callable[[Sequence[Run]], BoolArray], runs: Sequence[Run], draws: int) -> Row:
    changed = (find(runs) != find([thinned(run, 4) for run in runs])).any(axis=1)
    weight = scores.resamples(len(runs), draws, seed=0)
    return _row(name, "", "changed_by_every_4th_point", scores.share(changed, np.ones_like(changed), weight), len(runs))


def _row(judge: str, label: str, measure: str, values: FloatArray, count: int) -> Row:
    return {"judge": judge, "label": label, "measure": measure, **asdict(scores.estimate(values)), "n": count}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("records", type=Path, help="labelled runs, JSON lines")
    parser.add_argument("--out", type=Path, help="CSV (default: results/peer_<folder>.csv)")
    parser.add_argument("--draws", type=int, default=1000, help="bootstrap resamples")
    options = parser.parse_args()
    rows = list(rows_of(load_records(options.records), options.draws))
    print_table(rows)
    write_csv(rows, options.out or default_out(__file__, options.records))


if __name__ == "__main__":
    main()
