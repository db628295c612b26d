"""How often the diagnoses are right on one yardstick: the whole, the network alone and the rules alone.

    python benchmarks/accuracy.py ../shared/clinic_runs/dev.jsonl.gz
    python benchmarks/accuracy.py ../shared/real_runs/dev.jsonl --mistakes mistakes.csv
    python benchmarks/accuracy.py benchmarks/read_runs/labels.jsonl --curves ../shared/real_runs/unlabelled.jsonl.gz

Per label: precision, recall, F1, the F1 at the best threshold in hindsight (best_f1: all that better thresholds could
gain), average precision (ties averaged), calibration error (10 equal bins over scored cells). Over labels: their means
over the labels with at least five positives, and the pooled calibration error. On runs without a positive label: the
share with a clearly absent label (false_alarm), with any label at all, notices included (any_label), and not
`is_healthy` (not_healthy). Every value has a 90 % bootstrap interval; `whole - rules` and `network - rules` compare two
judges on the same resamples. All are told nothing but the curves; `whole, told classes` is the whole with the number
of classes, too, where the yardstick knows it.

What it does not show: labels the readers left unscored, where judges differ most; how a judge does on other sources
(runs are resampled as if independent, but runs of one family are alike: the intervals are too narrow for a new
family); onset, end and severity. A label the judge could not check counts as not found. The network alone is scored on
runs of 6 and more loss points and has non_finite from the rules.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import scores
from judges import Opinion, opinions, whole
from tables import Row, print_table, write_csv, write_scores
from yardstick import Record, default_out, load_records, truth_of, without_positive

from curveclinic.labels import LABELS
from curveclinic.model.calibrate import calibration_error
from curveclinic.ragged import FloatArray, IntArray

OVERALL = (
    *("macro_f1", "macro_best_f1", "macro_average_precision", "calibration_error"),
    *("false_alarm", "any_label", "not_healthy"),
    *("verdict_healthy", "verdict_findings", "verdict_undetermined", "unchecked"),
)
"""Measures over all labels, in the order of the printed table."""

COMPARED = ("macro_f1", "macro_average_precision", "false_alarm", "any_label", "not_healthy")
"""Measures compared pair by pair with the rules'."""

PER_LABEL = ("precision", "recall", "f1", "best_f1", "average_precision", "calibration_error")

Measured = tuple[FloatArray, int]
"""(draws + 1,) values, the sample's first, and how many runs or cells the sample's is over."""


def label_measures(opinion: Opinion, truth: FloatArray, weight: IntArray) -> dict[tuple[str, str], Measured]:
    """(label, measure) -> values, for every label."""
    present, probability = opinion.present, opinion.probability
    scored, there = ~np.isnan(truth), (truth == 1.0).sum(axis=0)
    columns = [[j] for j in range(len(LABELS))]
    errors = [calibration_error(probability[:, j], truth[:, j], weight) for j in columns]
    tables = {
        "precision": (scores.precision(present, truth, weight), (present & scored).sum(axis=0)),
        "recall": (scores.recall(present, truth, weight), there),
        "f1": (scores.f1(present, truth, weight), there),
        "best_f1": (scores.best_f1(probability, truth, weight), there),
        "average_precision": (scores.average_precision(probability, truth, weight), there),
        "calibration_error": (np.stack(errors, axis=1), (scored & ~np.isnan(probability)).sum(axis=0)),
    }
    return {
        (label, name): (values[:, j], int(count[j]))
        for j, label in enumerate(LABELS)
        for name, (values, count) in tables.items()
    }


def overall_measures(opinion: Opinion, records: Sequence[Record], weight: IntArray) -> dict[str, Measured]:
    """Measure -> values, over all labels."""
    truth = scored_truth(opinion, records)
    clear = without_positive(records) & opinion.judged
    wrong = (opinion.present & (truth == 0.0)).any(axis=1)
    some = opinion.present.any(axis=1)
    f1 = scores.macro(scores.f1(opinion.present, truth, weight), truth)
    best = scores.macro(scores.best_f1(opinion.probability, truth, weight), truth)
    ranking = scores.macro(scores.average_precision(opinion.probability, truth, weight), truth)
    cells = ~np.isnan(truth)
    out = {
        "macro_f1": (f1, int(cells.any(axis=1).sum())),
        "macro_best_f1": (best, int(cells.any(axis=1).sum())),
        "macro_average_precision": (ranking, int(cells.any(axis=1).sum())),
        "calibration_error": (calibration_error(opinion.probability, truth, weight), int(cells.sum())),
    }
    for name, flag in (("false_alarm", wrong), ("any_label", some), ("not_healthy", ~opinion.healthy)):
        out[name] = scores.share(flag, clear, weight), int(clear.sum())
    for verdict in ("healthy", "findings", "undetermined"):
        flag = opinion.verdict == verdict
        out[f"verdict_{verdict}"] = scores.share(flag, opinion.judged, weight), int(opinion.judged.sum())
    unchecked = weight @ (cells & np.isnan(opinion.probability)).sum(axis=1) / (weight @ cells.sum(axis=1))
    return out | {"unchecked": (unchecked, int(cells.sum()))}


def scored_truth(opinion: Opinion, records: Sequence[Record]) -> FloatArray:
    """(n, 20) truth without the runs a judge is not scored on."""
    return np.where(opinion.judged[:, None], truth_of(records), np.nan)


def rows_of(found: dict[str, Opinion], records: Sequence[Record], weight: IntArray) -> Iterator[Row]:
    """Every judge's measures, then the differences to the rules on the same resamples."""
    overall = {judge: overall_measures(opinion, records, weight) for judge, opinion in found.items()}
    for judge, measures in overall.items():
        yield from (_row(judge, "", name, *measured) for name, measured in measures.items())
    for judge in (name for name in found if name != "rules"):
        pairs = ((name, overall[judge][name], overall["rules"][name]) for name in COMPARED)
        yield from (_row(f"{judge} - rules", "", name, a[0] - b[0], a[1]) for name, a, b in pairs)
    for judge, opinion in found.items():
        measures = label_measures(opinion, scored_truth(opinion, records), weight)
        yield from (_row(judge, label, name, *measured) for (label, name), measured in measures.items())


def _row(judge: str, label: str, measure: str, values: FloatArray, count: int) -> Row:
    return {"judge": judge, "label": label, "measure": measure, **asdict(scores.estimate(values)), "n": count}


def mistakes(found: dict[str, Opinion], records: Sequence[Record]) -> Iterator[Row]:
    """Every scored cell a judge got wrong, the surest false findings first."""
    truth = truth_of(records)
    for judge, opinion in found.items():
        wrong = (opinion.present != (truth == 1.0)) & ~np.isnan(truth) & opinion.judged[:, None]
        rows, columns = np.nonzero(wrong)
        for k in np.argsort(-opinion.probability[wrong], kind="stable"):
            i, j = rows[k], columns[k]
            yield {
                "judge": judge,
                "kind": "false" if opinion.present[i, j] else "missed",
                "label": LABELS[j],
                "probability": float(opinion.probability[i, j]),
                "run": records[i].run.run_id,
                "family": records[i].family,
            }


def print_summary(rows: Sequence[Row]) -> None:
    """Prints the overall measures with their intervals, then a table of labels for each of the others."""
    cell = {(r["judge"], r["label"], r["measure"]): r for r in rows}
    judges = list(dict.fromkeys(r["judge"] for r in rows))
    print_table([{"measure": name, **{j: _interval(cell.get((j, "", name))) for j in judges}} for name in OVERALL])
    plain = [j for j in judges if (j, LABELS[0], "f1") in cell]
    for measure in PER_LABEL:
        print_table(
            [
                {measure: label, "n": cell[plain[0], label, measure]["n"]}
                | {judge: cell[judge, label, measure]["value"] for judge in plain}
                for label in LABELS
            ]
        )


def _interval(row: Row | None) -> str:
    return "-" if row is None else f"{row['value']:.3f} [{row['low']:.3f}, {row['high']:.3f}]"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("records", type=Path, help="labelled runs, JSON lines")
    parser.add_argument("--curves", type=Path, help="JSON lines with the curves, where the labels stand alone")
    parser.add_argument("--out", type=Path, help="CSV of all values (default: results/accuracy_<folder>.csv)")
    parser.add_argument("--mistakes", type=Path, help="also write every wrong cell to this CSV")
    parser.add_argument("--draws", type=int, default=1000, help="bootstrap resamples")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    records = load_records(options.records, curves=options.curves)
    told = [record.run for record in load_records(options.records, curves=options.curves, num_classes=True)]
    found = opinions([record.run for record in records]) | {"whole, told classes": whole(told)}
    rows = list(rows_of(found, records, scores.resamples(len(records), options.draws, options.seed)))
    print_summary(rows)
    write_scores(rows, options.out or default_out(__file__, options.records))
    if options.mistakes:
        write_csv(list(mistakes(found, records)), options.mistakes)


if __name__ == "__main__":
    main()
