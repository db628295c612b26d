"""How often nonsense gets no verdict, and what that costs on real runs.

    python benchmarks/abstention.py ../shared/clinic_runs/dev.jsonl.gz ../shared/real_runs/dev.jsonl

Nonsense (`nonsense.py`): walks, waves, noise, constants, steps, shuffled and pasted runs, of 12 to 1,500 points, with
and without a val loss. Per kind, length and relative size, the share that is undetermined, is at most a notice, is
called healthy, or gets a finding. Kinds marked fresh were not looked at while the cuts of `doubt.py` were chosen.
Yardsticks, and synthetic runs: the share of undetermined runs, and of each label's positives among them; macro-F1
with the doubts and without them (yardsticks only).

What it does not show: nonsense of other kinds; a log of one real and one broken loss. Some kinds cannot be told from
real runs and are not doubted: noise of a few percent about a level is what a run that does not learn looks like; two
runs pasted together look like a change of data or schedule; a val loss from elsewhere looks like one that does not
generalise. Cuts were chosen with these yardsticks in sight: that the cost is small on them is partly their doing.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import scores
from judges import whole
from nonsense import FRESH, LENGTHS, NONSENSE, SIZES, nonsense_runs
from tables import Row, print_table, write_scores
from yardstick import RESULTS, load_records, truth_of

from curveclinic.deciding.classifier import load_classifier
from curveclinic.deciding.doubt import doubts
from curveclinic.deciding.opinions import opinions_on
from curveclinic.diagnosis import Diagnosis
from curveclinic.labels import LABELS
from curveclinic.measuring.quantities import measured
from curveclinic.predict import predict_runs
from curveclinic.ragged import Batch, BoolArray, FloatArray
from curveclinic.synth.generate import generate

MAX_POINTS = 2000

OUTCOMES = ("undetermined", "notice", "healthy", "finding")


def outcome(diagnosis: Diagnosis) -> str:
    """What a user sees first."""
    if diagnosis.verdict == "findings":
        return "notice" if diagnosis.is_healthy else "finding"
    return diagnosis.verdict


def nonsense_rows(seed: int, repeats: int) -> Iterator[Row]:
    """Outcomes of every kind: over all its runs, by length and by size."""
    for kind in NONSENSE:
        answers = np.array([outcome(d) for d in predict_runs(nonsense_runs(kind, seed, repeats))])
        cells = answers.reshape(len(LENGTHS), len(SIZES), repeats)
        group = "fresh" if kind in FRESH else "tuned"
        yield from _outcomes(kind, group, "all", cells)
        for i, length in enumerate(LENGTHS):
            yield from _outcomes(kind, group, f"points {length}", cells[i])
        for j, size in enumerate(SIZES):
            yield from _outcomes(kind, group, f"size {size:g}", cells[:, j])


def _outcomes(kind: str, group: str, part: str, answers: npt.NDArray[np.str_]) -> Iterator[Row]:
    for name in OUTCOMES:
        yield _row(kind, group, part, name, float((answers == name).mean()), answers.size)


def doubted(batch: Batch) -> BoolArray:
    """(n,) runs that get no verdict for their shape."""
    out = np.zeros(batch.size, dtype=bool)
    for piece in measured(batch):
        out[list(doubts(piece).reasons())] = True
    return out


def real_rows(path: Path) -> Iterator[Row]:
    """Share of undetermined runs and macro-F1 with and without doubts."""
    records, name = load_records(path), path.resolve().parent.name
    truth = truth_of(records)
    rows = doubted(Batch.from_runs([record.run for record in records]))
    yield from _lost(name, "real", rows, truth == 1.0)
    with_doubts = _macro(whole([r.run for r in records]).present, truth)
    without = _macro(_undoubted(Batch.from_runs([r.run for r in records])), truth)
    yield _row(name, "real", "all", "macro_f1", with_doubts, len(records))
    yield _row(name, "real", "all", "macro_f1_without_doubts", without, len(records))


def synthetic_rows(seed: int, runs: int) -> Iterator[Row]:
    """Share of synthetic runs without a verdict."""
    sample = generate((seed, 3), runs, max_points=MAX_POINTS)
    yield from _lost("synthetic", "synthetic", doubted(sample.batch), sample.truth.degree >= 0.999)


def _lost(name: str, group: str, rows: BoolArray, there: BoolArray) -> Iterator[Row]:
    yield _row(name, group, "all", "undetermined", float(rows.mean()), len(rows))
    for j in np.flatnonzero(there.any(axis=0)):
        yield _row(name, group, LABELS[j], "undetermined", float(rows[there[:, j]].mean()), int(there[:, j].sum()))


def _undoubted(batch: Batch) -> BoolArray:
    """(n, 20) labels found if nothing were doubted."""
    classifier = load_classifier()
    said = opinions_on(batch, classifier)
    return said.merged().present


def _macro(present: BoolArray, truth: FloatArray) -> float:
    return float(scores.macro(scores.f1(present, truth, np.ones((1, len(truth)), dtype=np.int64)), truth)[0])


def _row(kind: str, group: str, part: str, measure: str, value: float, n: int) -> Row:
    return {"kind": kind, "group": group, "part": part, "measure": measure, "value": value, "n": n}


def print_summary(rows: Sequence[Row]) -> None:
    """Prints the outcomes of each kind, by length, and the cost."""
    cells = {(r["kind"], r["part"], r["measure"]): r["value"] for r in rows}
    answered = [r for r in rows if r["group"] in ("tuned", "fresh")]
    print_table(
        [
            {"kind": kind, "group": next(r["group"] for r in answered if r["kind"] == kind)}
            | {name: cells[kind, "all", name] for name in OUTCOMES}
            | {f"undetermined at {n}": cells[kind, f"points {n}", "undetermined"] for n in LENGTHS}
            for kind in dict.fromkeys(r["kind"] for r in answered)
        ]
    )
    print_table([r for r in rows if r["group"] in ("real", "synthetic") and (r["value"] > 0 or r["part"] == "all")])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("records", type=Path, nargs="*", help="labelled runs, JSON lines")
    parser.add_argument("--out", type=Path, default=RESULTS / "abstention.csv", help="CSV of all values")
    parser.add_argument("--repeats", type=int, default=20, help="nonsense runs of each kind, length and size")
    parser.add_argument("--runs", type=int, default=4000, help="synthetic runs")
    parser.add_argument("--seed", type=int, default=40)
    options = parser.parse_args()
    rows = [*nonsense_rows(options.seed, options.repeats), *synthetic_rows(options.seed, options.runs)]
    for path in options.records:
        rows += real_rows(path)
    print_summary(rows)
    write_scores(rows, options.out)


if __name__ == "__main__":
    main()
