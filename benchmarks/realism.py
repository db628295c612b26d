"""How far the synthetic runs are from real ones: can a classifier tell them apart by the encoder's features?

    python benchmarks/realism.py --real ../shared/real_runs/dev.jsonl ../shared/clinic_runs/dev.jsonl.gz \\
        ../shared/real_runs/unlabelled.jsonl.gz

A gradient boosting is cross-validated with whole families of real runs left out; every family has the same weight,
and the real runs together as much as the synthetic ones. An AUC of 0.5 means that they cannot be told apart. As the
measure of what is attainable, a control tells the real runs of one folder from those of another in the same way: real
collections differ, too. Another line compares runs without any label only: a yardstick holds other shares of
pathologies than the generator draws. The CSV lists, per feature, what shuffling it costs the separating AUC, the AUC of
that feature alone (below 0.5: larger in real runs), and its quartiles on both sides.

What it does not show: whether what gives the synthetic runs away matters for the labels; anything the features do not
see. Features that say the same share their importance, so read the single AUC beside it. Real runs were thinned to
1,500 to 3,000 points when they were collected; synthetic ones end at 2,000.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np
import numpy.typing as npt
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedGroupKFold
from tables import Row, print_table, write_csv
from yardstick import RESULTS, Record, load_records

from curveclinic.model.encoder import encode
from curveclinic.model.features import FEATURE_NAMES
from curveclinic.ragged import Batch, BoolArray, FloatArray
from curveclinic.synth import Sample, generate

MAX_POINTS = 2000
"""Longest synthetic run, as in `real_runs`."""

FOLDS = 5
SHUFFLES = 3
SHOWN = 25
"""Features and families printed."""

QUARTILES = (0.25, 0.5, 0.75)


@dataclass(frozen=True, eq=False)
class Task:
    """Two groups of runs to tell apart.

    Attributes:
        features: (n, len(FEATURE_NAMES)).
        second: (n,) True for the runs of the second group (the synthetic ones).
        family: (n,) runs of one family share a fold.
        weight: (n,) sums to one half in each group.
    """

    features: npt.NDArray[np.float32]
    second: BoolArray
    family: npt.NDArray[np.str_]
    weight: FloatArray


def task_of(first: list[Record], second: list[Record]) -> Task:
    """Two groups of real runs; a family in both groups would give itself away and is left to the first."""
    known = {record.family for record in first}
    second = [record for record in second if record.family not in known]
    families = np.array([record.family for record in first + second])
    is_second = np.repeat([False, True], [len(first), len(second)])
    features = encode(Batch.from_runs([record.run for record in first + second])).features
    return Task(features, is_second, families, _weights(families, is_second))


def against_synthetic(real: list[Record], synthetic: Batch) -> Task:
    """Real runs first, then synthetic ones, each of which is a family of its own."""
    families = np.array([record.family for record in real] + [f"synthetic {i}" for i in range(synthetic.size)])
    is_second = np.repeat([False, True], [len(real), synthetic.size])
    batches = (Batch.from_runs([record.run for record in real]), synthetic)
    features = np.concatenate([encode(batch).features for batch in batches])
    return Task(features, is_second, families, _weights(families, is_second))


def _weights(family: npt.NDArray[np.str_], second: BoolArray) -> FloatArray:
    """Equal for the families of a group, equal for the runs of a family."""
    weight = np.zeros(len(family))
    for group in (second, ~second):
        names, size = np.unique(family[group], return_counts=True)
        weight[group] = 0.5 / len(names) / size[np.searchsorted(names, family[group])]
    return weight


def separate(task: Task, seed: int, *, shuffles: int = 0) -> tuple[FloatArray, FloatArray]:
    """Returns (n,) held-out probability of the second group, and (features,) AUC lost when a feature is shuffled."""
    probability = np.zeros(len(task.second))
    lost = np.zeros((FOLDS, task.features.shape[1]))
    folds = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed)
    for k, (fit, held) in enumerate(folds.split(task.features, task.second, task.family)):
        model = HistGradientBoostingClassifier(max_iter=150, l2_regularization=1.0, random_state=seed)
        model.fit(task.features[fit], task.second[fit], sample_weight=task.weight[fit] * len(fit))
        probability[held] = model.predict_proba(task.features[held])[:, 1]
        if shuffles:
            lost[k] = _lost_by_shuffling(model, task, held, shuffles, np.random.default_rng((seed, k)))
    return probability, lost.mean(axis=0)


def _lost_by_shuffling(
    model: HistGradientBoostingClassifier,
    task: Task,
    held: npt.NDArray[np.int64],
    shuffles: int,
    rng: np.random.Generator,
) -> FloatArray:
    x, y, w = task.features[held], task.second[held], task.weight[held]
    full = roc_auc_score(y, model.predict_proba(x)[:, 1], sample_weight=w)
    lost = np.zeros(x.shape[1])
    for j in range(x.shape[1]):
        shuffled = np.repeat(x[None], shuffles, axis=0)
        for copy in shuffled:
            copy[:, j] = rng.permutation(copy[:, j])
        scores = model.predict_proba(shuffled.reshape(-1, x.shape[1]))[:, 1].reshape(shuffles, -1)
        lost[j] = full - np.mean([roc_auc_score(y, row, sample_weight=w) for row in scores])
    return lost


def feature_rows(task: Task, lost: FloatArray) -> Iterator[Row]:
    """What gives the second group away, the most telling feature first."""
    for j in np.argsort(-lost, kind="stable"):
        x = task.features[:, j].astype(np.float64)
        auc = float(roc_auc_score(task.second, x, sample_weight=task.weight))
        row = {"feature": FEATURE_NAMES[j], "auc_lost": float(lost[j]), "auc_alone": auc}
        for side, here in (("real", ~task.second), ("synthetic", task.second)):
            row |= {f"{side}_{q:.0%}": value for q, value in _quartiles(x[here], task.weight[here])}
        yield row


def _quartiles(x: FloatArray, weight: FloatArray) -> Iterator[tuple[float, float]]:
    order = np.argsort(x)
    total = np.cumsum(weight[order]) / weight.sum()
    return ((q, float(x[order][np.searchsorted(total, q)])) for q in QUARTILES)


def family_rows(task: Task, probability: FloatArray) -> Iterator[Row]:
    """Real families, those least like the synthetic runs first."""
    families = np.unique(task.family[~task.second])
    likeness = {family: float(probability[task.family == family].mean()) for family in families}
    for family in sorted(likeness, key=likeness.__getitem__):
        yield {"family": family, "synthetic_likeness": likeness[family], "runs": int((task.family == family).sum())}


def healthy_row(real: list[Record], synthetic: Sample, seed: int) -> Row:
    """How well labelled real runs without a positive can be told from synthetic runs without a label."""
    clear = [record for record in real if record.negative and not record.positive]
    none = np.flatnonzero((synthetic.target * synthetic.weight).max(axis=1) < 0.5)
    task = against_synthetic(clear, synthetic.batch.take(none))
    return _auc_row("real without a label", "synthetic without a label", task, separate(task, seed)[0])


def control_rows(real: dict[str, list[Record]], seed: int) -> Iterator[Row]:
    """How well the folders of real runs can be told apart."""
    for first, second in combinations(real, 2):
        task = task_of(real[first], real[second])
        yield _auc_row(first, second, task, separate(task, seed)[0])


def _auc_row(first: str, second: str, task: Task, probability: FloatArray) -> Row:
    runs = {"first_runs": int((~task.second).sum()), "second_runs": int(task.second.sum())}
    return {"first": first, "second": second, "auc": auc_of(task, probability), **runs}


def by_folder(paths: list[Path]) -> dict[str, list[Record]]:
    """The records of every folder that a file lies in."""
    found: dict[str, list[Record]] = {}
    for path in paths:
        found.setdefault(path.resolve().parent.name, []).extend(load_records(path))
    return found


def auc_of(task: Task, probability: FloatArray) -> float:
    """Weighted area under the curve."""
    return float(roc_auc_score(task.second, probability, sample_weight=task.weight))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--real", type=Path, nargs="+", required=True, help="files of real runs, JSON lines")
    parser.add_argument("--count", type=int, default=3000, help="synthetic runs")
    parser.add_argument("--out", type=Path, default=RESULTS / "realism.csv", help="CSV of features; see also *_auc.csv")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    folders = by_folder(options.real)
    real = [record for records in folders.values() for record in records]
    synthetic = generate(options.seed, options.count, max_points=MAX_POINTS)
    task = against_synthetic(real, synthetic.batch)
    probability, lost = separate(task, options.seed, shuffles=SHUFFLES)
    aucs = [_auc_row("all real", "synthetic", task, probability), healthy_row(real, synthetic, options.seed)]
    aucs += control_rows(folders, options.seed)
    features = list(feature_rows(task, lost))
    print_table(aucs)
    print_table(features[:SHOWN])
    print_table(list(family_rows(task, probability))[:SHOWN])
    write_csv(features, options.out)
    write_csv(aucs, options.out.with_name(f"{options.out.stem}_auc.csv"))


if __name__ == "__main__":
    main()
