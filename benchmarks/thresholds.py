"""Chooses the shipped thresholds and the labels left to the rules, on yardsticks, and scores both family-out.

    python benchmarks/thresholds.py REAL/dev.jsonl CLINIC/dev.jsonl.gz --unlabelled REAL/unlabelled.jsonl.gz [--write]

The network is trained on synthetic runs only; how sure it must be before a finding is reported depends on how common
a symptom is among real runs, which synthetic runs cannot tell. For each label the threshold is the one with the best
F1 on the pooled yardsticks, where a finding that nobody scored on a run without any symptom counts as a
false alarm, less a price for every run whose label changes when only every fourth point is kept (labelled or not),
smoothed over its neighbours and pulled towards one value for all. A label goes to the rules where they
beat the network by a clear margin. Every score printed here is family-out: a family's runs are judged with thresholds
and deciders chosen without them. What it does not show: the rules' own cuts, and the constants below, were set with
both yardsticks in sight.

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
from tables import Row, write_csv
from yardstick import RESULTS, Record, load_records, shortest_loss, truth_of, without_positive

from curveclinic.classifier import Classifier, load_classifier, weights_folder
from curveclinic.labels import LABELS
from curveclinic.merge import ALWAYS_BY_RULE, SHORTEST_FOR_NETWORK
from curveclinic.ragged import Batch, BoolArray, FloatArray
from curveclinic.rules import judge
from curveclinic.run import Run
from curveclinic.sidecar import SIDECAR_NAME

Names = npt.NDArray[np.str_]

GRID = np.round(np.arange(0.2, 0.71, 0.05), 2)
"""Thresholds tried: below a fifth nothing is worth a word; few positives, all of them sure, prove no need of more than
0.7; symptoms that are rare among synthetic runs need little."""

_PRIOR = 0.4
"""Threshold where nothing speaks for another: calibrated on synthetic runs, the network is shy on real ones."""

_PULL = 0.3
"""F1 given up for every unit of distance from the prior: few positives decide."""

_STEADY = 2.5
"""F1 given up for the share of runs whose label changes when every fourth point is kept: a change in a hundred runs
is worth what a few positives can tell of the F1."""

_QUIET = 3.0
"""Weight of a finding nobody scored on a run without any symptom, in false alarms."""

_MARGIN = 0.3
"""F1 by which the rules must beat the network before they decide a label: their cuts were set on these runs."""

_FEWEST = 4
"""Positives a label needs before its F1 counts; below that only the prior and steadiness do."""

_STRIDE, _FEWEST_POINTS = 4, 24
"""Thinning, and the points of the shorter loss a run needs for it; as in robustness.py."""


def costs(records: list[Record]) -> tuple[FloatArray, FloatArray]:
    """(n, 20) gain of a hit and cost of a false alarm of every cell."""
    truth = truth_of(records)
    unscored = np.isnan(truth) & without_positive(records)[:, None]
    return (truth == 1).astype(float), np.where(truth == 0, 1.0, np.where(unscored, _QUIET, 0.0))


def f1_of(present: BoolArray, hit: FloatArray, cost: FloatArray) -> float:
    """F1 of one label's findings with weighted false alarms; 0 without a positive."""
    hits, alarms, there = (present * hit).sum(), (present * cost).sum(), hit.sum()
    return float(2 * hits / (hits + alarms + there)) if there else 0.0


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

    def changed(self, label: int) -> FloatArray:
        """Share of the runs whose label changes, at every threshold of `GRID`."""
        known = ~np.isnan(self.full[:, label]) & ~np.isnan(self.thin[:, label])
        full, thin = self.full[known, label], self.thin[known, label]
        if not len(full):
            return np.zeros(len(GRID))
        return ((full >= GRID[:, None]) != (thin >= GRID[:, None])).mean(axis=1)


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


def thresholds_of(probability: FloatArray, hit: FloatArray, cost: FloatArray, twice: Thinned) -> FloatArray:
    """(20,) the threshold of every label."""
    return np.array(
        [_threshold_of(probability[:, j], hit[:, j], cost[:, j], twice.changed(j)) for j in range(len(LABELS))]
    )


def _threshold_of(probability: FloatArray, hit: FloatArray, cost: FloatArray, changed: FloatArray) -> float:
    told = hit.sum() >= _FEWEST
    f1 = np.array([f1_of(probability >= t, hit, cost) if told else 0.0 for t in GRID])
    scores = f1 - _PULL * np.abs(GRID - _PRIOR) - _STEADY * changed
    smooth = np.convolve(np.pad(scores, 1, mode="edge"), (0.25, 0.5, 0.25), "valid")
    return float(GRID[smooth.argmax()])


def choose(
    probability: FloatArray, rule: BoolArray, hit: FloatArray, cost: FloatArray, family: Names, twice: Thinned
) -> tuple[FloatArray, BoolArray]:
    """Thresholds (20,) and which labels go to the rules (20,), the latter by an inner family-out comparison.

    There a false alarm counts once, for quiet is what thresholds are for, and unsteadiness as in `_threshold_of`.
    """
    threshold = thresholds_of(probability, hit, cost, twice)
    inner = np.zeros(probability.shape, dtype=bool)
    for name in np.unique(family):
        out = family == name
        inner[out] = probability[out] >= thresholds_of(
            probability[~out], hit[~out], cost[~out], twice.without(str(name))
        )
    once, labels = np.minimum(cost, 1.0), range(len(LABELS))
    changed = np.array([twice.changed(j)[threshold[j] == GRID][0] for j in labels])
    network = np.array([f1_of(inner[:, j], hit[:, j], once[:, j]) for j in labels]) - _STEADY * changed
    rules = np.array([f1_of(rule[:, j], hit[:, j], once[:, j]) for j in labels]) - _STEADY * twice.rule.mean(axis=0)
    enough = hit.sum(axis=0) >= _FEWEST
    return threshold, (rules > network + _MARGIN) & enough | np.isin(LABELS, sorted(ALWAYS_BY_RULE))


def judged(
    probability: FloatArray,
    rule: BoolArray,
    checked: BoolArray,
    short: BoolArray,
    threshold: FloatArray,
    by_rule: BoolArray,
) -> BoolArray:
    """(n, 20) findings of the whole."""
    return np.where(short[:, None] | by_rule, rule, (probability >= threshold) & checked)


def family_out(
    probability: FloatArray, rule: BoolArray, checked: BoolArray, short: BoolArray, hit: FloatArray, cost: FloatArray,
    family: Names, twice: Thinned,
) -> tuple[BoolArray, BoolArray]:  # fmt: skip
    """Findings of the whole and of the network alone, each family judged with numbers chosen without it."""
    whole, alone = np.zeros(rule.shape, dtype=bool), np.zeros(rule.shape, dtype=bool)
    only_facts = np.isin(LABELS, sorted(ALWAYS_BY_RULE))
    for name in np.unique(family):
        out = family == name
        rest = ~out
        kept = twice.without(str(name))
        threshold, by_rule = choose(probability[rest], rule[rest], hit[rest], cost[rest], family[rest], kept)
        whole[out] = judged(probability[out], rule[out], checked[out], short[out], threshold, by_rule)
        alone[out] = judged(probability[out], rule[out], checked[out], short[out], threshold, only_facts)
    return whole, alone


def scores(present: BoolArray, records: list[Record], who: str, where: str) -> list[Row]:
    """Macro-F1 over labels with five positives, false alarms and any label on runs without a positive."""
    truth, quiet = truth_of(records), without_positive(records)
    f1 = []
    for j in range(len(LABELS)):
        if (truth[:, j] == 1).sum() >= 5:
            f1.append(f1_of(present[:, j], (truth[:, j] == 1) * 1.0, (truth[:, j] == 0) * 1.0))
    alarm = (present & (truth == 0)).any(axis=1)[quiet].mean()
    values = {"macro_f1": np.mean(f1), "false_alarm": alarm, "any_label": present.any(axis=1)[quiet].mean()}
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
    batch = Batch.from_runs([record.run for record in records])
    rules, probability = judge(batch), classifier.judge(batch).probability
    short = np.array([record.run.n_points < SHORTEST_FOR_NETWORK for record in records])
    family = np.array([record.family for record in records])
    hit, cost = costs(records)
    steady = told_twice(records, classifier, labelled=True)
    if options.unlabelled:
        steady = steady.and_also(told_twice(load_records(options.unlabelled), classifier, labelled=False))
    whole, alone = family_out(probability, rules.present, rules.checked, short, hit, cost, family, steady)
    threshold, by_rule = choose(probability, rules.present, hit, cost, family, steady)
    rows: list[Row] = []
    at = 0
    for name, part in parts.items():
        here = slice(at, at + len(part))
        at += len(part)
        for who, found in (("whole", whole), ("network alone", alone), ("rules", rules.present)):
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
    write_csv(rows, options.out)
    if options.write:
        path = weights_folder() / SIDECAR_NAME
        body = json.loads(path.read_text())
        body["thresholds"] = dict(zip(LABELS, threshold.tolist(), strict=True))
        body["decided_by_rule"] = [label for label, flag in zip(LABELS, by_rule, strict=True) if flag]
        path.write_text(json.dumps(body, indent=1, allow_nan=False) + "\n")
        print(f"wrote {path.name}")


if __name__ == "__main__":
    main()
