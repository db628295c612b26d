"""Chooses the shipped thresholds and the labels left to the rules, on yardsticks, and scores both family-out.

    python benchmarks/thresholds.py REAL/dev.jsonl CLINIC/dev.jsonl.gz benchmarks/public_runs/runs.jsonl.gz \\
        --unlabelled REAL/unlabelled.jsonl.gz [--write]

The network is trained on synthetic runs only; how sure it must be before a finding is reported depends on how common
a symptom is among real runs, which synthetic runs cannot tell. Clearly absent symptoms hardly ever get a probability
near any sensible threshold; what a threshold decides is how many findings a run gets on which a reader found nothing.
So there are three thresholds for all labels, and each label has the lowest at which it is found on no more than a
small share of such runs: what is never said of a healthy run may be said early, what is talkative must be surer.
Positives have no say: few labels have enough of them, and thresholds that followed them did not hold on other families.
A label goes to the rules where they beat the network by a clear margin, or, if all it does is compare levels, where
they are as good; a price is paid for every run whose label changes when only every fourth point is kept. Every score
printed here is family-out: a family's runs are judged with thresholds and deciders chosen without them. What it does
not show: the rules' own cuts, and the constants below, were set with both yardsticks in sight.

With --write the numbers chosen on all families go into the sidecar of the shipped weights.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import numpy.typing as npt
from robustness import thinned
from scores import f1, macro
from tables import Row, write_scores
from yardstick import RESULTS, Record, load_records, shortest_loss, truth_of, without_positive

from curveclinic.deciding.classifier import Classifier, load_classifier, weights_folder
from curveclinic.deciding.few_points import few_for_network
from curveclinic.deciding.rules import judge
from curveclinic.deciding.sidecar import SIDECAR_NAME
from curveclinic.labels import FACTS, LABELS
from curveclinic.ragged import Batch, BoolArray, FloatArray
from curveclinic.run import Run

Names = npt.NDArray[np.str_]

LEVELS = {0.2: 0.005, 0.4: 0.02, 0.57: 1.0}
"""Threshold -> share of the runs without any symptom on which a label that has it may be found."""

_STEADY = 2.5
"""F1 given up for the share of runs whose label changes when every fourth point is kept: a change in a hundred runs
is worth what a few positives can tell of the F1."""

_MARGIN = 0.3
"""F1 by which the rules must beat the network before they decide a label: their cuts were set on these runs."""

_MEASURED = frozenset({"val_below_train", "vanishing_gradients", "exploding_gradients"})
"""Labels that compare levels, and judge no shape: the rules take them where they are as good, or nearly."""

_NEARLY = 0.02
"""F1 by which the network must beat the rules before it decides such a label."""

_FEWEST = 3
"""Positives a label needs before the rules may take it."""

_STRIDE, _FEWEST_POINTS = 4, 24
"""Thinning, and the points of the shorter loss a run needs for it; as in robustness.py."""


def f1_of(present: BoolArray, truth: FloatArray) -> FloatArray:
    """(20,) F1 of findings (n, 20); NaN without a positive."""
    return np.asarray(f1(present, truth, np.ones((1, len(truth)), dtype=np.int64))[0])


@dataclass(frozen=True, eq=False)
class Thinned:
    """Runs told twice, in full and with every fourth point only; NaN where a label cannot be checked.

    Attributes:
        full, thin: (m, 20) probabilities.
        rule: (m, 20) the rules' answer changes.
        family: (m,) "" for unlabelled runs, which are in no family that is left out.
    """

    full: FloatArray
    thin: FloatArray
    rule: BoolArray
    family: Names

    def and_also(self, other: Thinned) -> Thinned:
        """These runs and others."""
        return Thinned(*(np.concatenate([getattr(self, f.name), getattr(other, f.name)]) for f in fields(self)))

    def without(self, name: str) -> Thinned:
        """The runs of all families but one."""
        rest = self.family != name
        return Thinned(*(getattr(self, f.name)[rest] for f in fields(self)))

    def changed(self, threshold: FloatArray) -> FloatArray:
        """(20,) share of the runs whose label changes, of those where it can be checked both times."""
        known = ~np.isnan(self.full) & ~np.isnan(self.thin)
        other = (self.full >= threshold) != (self.thin >= threshold)
        return np.asarray((other & known).sum(axis=0) / np.maximum(known.sum(axis=0), 1))


def told_twice(records: Sequence[Record], classifier: Classifier, *, labelled: bool) -> Thinned:
    """Judges the runs that are long enough, in full and thinned."""
    long = [record for record in records if shortest_loss(record.run) >= _FEWEST_POINTS]
    (full, rule), (thin, thin_rule) = (
        _answers(runs, classifier) for runs in ([r.run for r in long], [thinned(r.run, _STRIDE) for r in long])
    )
    return Thinned(full, thin, rule != thin_rule, np.array([record.family if labelled else "" for record in long]))


def _answers(runs: Sequence[Run], classifier: Classifier) -> tuple[FloatArray, BoolArray]:
    """(n, 20) probability, NaN where a label cannot be checked, and whether the rules find it."""
    batch = Batch.from_runs(runs)
    rules = judge(batch)
    return np.where(rules.checked, classifier.judge(batch).probability, np.nan), rules.present


def thresholds_of(found: FloatArray) -> FloatArray:
    """(20,) thresholds, from probabilities (n, 20) on runs without any symptom, NaN where a label cannot be checked."""
    levels, share = np.array([*LEVELS]), np.array([*LEVELS.values()])
    quiet = (found >= levels[:, None, None]).mean(axis=1) <= share[:, None]
    return np.asarray(levels[quiet.argmax(axis=0)])


@dataclass(frozen=True, eq=False)
class Cells:
    """What the choice is made from, for n labelled runs.

    Attributes:
        probability: (n, 20) of the network, NaN where a label cannot be checked.
        rule: (n, 20) the rules find the label.
        truth: (n, 20) 1 there, 0 not there, NaN where nobody scored.
        quiet: (n,) a reader found nothing.
        family: (n,).
    """

    probability: FloatArray
    rule: BoolArray
    truth: FloatArray
    quiet: BoolArray
    family: Names

    def part(self, rows: BoolArray) -> Cells:
        """Some of the runs."""
        return Cells(*(getattr(self, f.name)[rows] for f in fields(self)))


def choose(cells: Cells, twice: Thinned) -> tuple[FloatArray, BoolArray]:
    """Thresholds (20,) and which labels go to the rules (20,), the latter by an inner family-out comparison."""
    threshold = thresholds_of(cells.probability[cells.quiet])
    inner = np.zeros(cells.rule.shape, dtype=bool)
    for name in np.unique(cells.family):
        out = cells.family == name
        inner[out] = cells.probability[out] >= thresholds_of(cells.probability[cells.quiet & ~out])
    network, rules = (np.nan_to_num(f1_of(found, cells.truth)) for found in (inner, cells.rule))
    network -= _STEADY * twice.changed(threshold)
    rules -= _STEADY * twice.rule.mean(axis=0)
    enough = (cells.truth == 1).sum(axis=0) >= _FEWEST
    better = np.where(np.isin(LABELS, sorted(_MEASURED)), rules >= network - _NEARLY, rules > network + _MARGIN)
    return threshold, better & enough | np.isin(LABELS, FACTS)


def judged(cells: Cells, short: BoolArray, threshold: FloatArray, by_rule: BoolArray) -> BoolArray:
    """(n, 20) findings of the whole."""
    return np.where(short[:, None] | by_rule, cells.rule, cells.probability >= threshold)


def family_out(cells: Cells, short: BoolArray, twice: Thinned) -> tuple[BoolArray, BoolArray]:
    """Findings of the whole and of the network alone, each family judged with numbers chosen without it."""
    whole, alone = np.zeros(cells.rule.shape, dtype=bool), np.zeros(cells.rule.shape, dtype=bool)
    only_facts = np.isin(LABELS, FACTS)
    for name in np.unique(cells.family):
        out = cells.family == name
        threshold, by_rule = choose(cells.part(~out), twice.without(str(name)))
        whole[out] = judged(cells.part(out), short[out], threshold, by_rule)
        alone[out] = judged(cells.part(out), short[out], threshold, only_facts)
    return whole, alone


def scores(present: BoolArray, records: list[Record], who: str, where: str) -> list[Row]:
    """Macro-F1 over labels with five positives, false alarms and any label on runs without a positive."""
    truth, quiet = truth_of(records), without_positive(records)
    macro_f1 = macro(f1_of(present, truth)[None], truth)[0]
    alarm = (present & (truth == 0)).any(axis=1)[quiet].mean()
    values = {"macro_f1": macro_f1, "false_alarm": alarm, "any_label": present.any(axis=1)[quiet].mean()}
    return [{"yardstick": where, "judge": who, "measure": k, "value": round(float(v), 4)} for k, v in values.items()]


def main() -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("records", type=Path, nargs="+", help="labelled yardsticks, JSON lines")
    parser.add_argument("--unlabelled", type=Path, help="more real runs, JSON lines: only their steadiness counts")
    parser.add_argument("--write", action="store_true", help="write the numbers into the shipped sidecar")
    parser.add_argument("--out", type=Path, default=RESULTS / "thresholds.csv")
    options = parser.parse_args()
    parts = {path.resolve().parent.name: load_records(path) for path in options.records}
    records = [record for part in parts.values() for record in part]
    classifier = load_classifier()
    if classifier is None:
        raise SystemExit("no weights are installed: run train.py first")
    probability, rule = _answers([record.run for record in records], classifier)
    short = few_for_network(Batch.from_runs([record.run for record in records]).finite_counts)
    family = np.array([record.family for record in records])
    cells = Cells(probability, rule, truth_of(records), without_positive(records), family)
    steady = told_twice(records, classifier, labelled=True)
    if options.unlabelled:
        steady = steady.and_also(told_twice(load_records(options.unlabelled), classifier, labelled=False))
    whole, alone = family_out(cells, short, steady)
    threshold, by_rule = choose(cells, steady)
    rows: list[Row] = []
    at = 0
    for name, part in parts.items():
        here = slice(at, at + len(part))
        at += len(part)
        for who, found in (("whole", whole), ("network alone", alone), ("rules", rule)):
            rows += scores(found[here], part, who, name)
    for row in rows:
        print(*row.values())
    for j, label in enumerate(LABELS):
        rows.append(
            {
                "yardstick": "all",
                "judge": "rules" if by_rule[j] else "network",
                "measure": f"threshold {label}",
                "value": threshold[j],
            }
        )
    print("decided by rule:", ", ".join(label for label, flag in zip(LABELS, by_rule, strict=True) if flag))
    if options.write:
        path = weights_folder() / SIDECAR_NAME
        body = json.loads(path.read_text())
        body["thresholds"] = dict(zip(LABELS, threshold.tolist(), strict=True))
        body["decided_by_rule"] = [label for label, flag in zip(LABELS, by_rule, strict=True) if flag]
        path.write_text(json.dumps(body, indent=1, allow_nan=False) + "\n")
        print(f"wrote {path.name}; run quantize.py next: the int8 network was compared at the old thresholds")
    write_scores(rows, options.out)  # with the numbers just written


if __name__ == "__main__":
    main()
