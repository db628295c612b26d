"""Is the cause named that was put in? Top-1 and top-3 among runs with findings, on trainings whose fault is known.

    python benchmarks/causes.py CLINIC/dev.jsonl.gz [--simulated cache.parquet]

Simulated runs are logs of families (net x task x fault) that `train_causes.py` leaves out; the others are small
trainings made by other code. Judges: `likely_causes` as served (a cause below the floor is not told and counts as
missed), the symptoms' table in its order (what is told without `weights/causes.json`), and the three commonest causes
of the very runs that are scored, which knows their mix. Of sound trainings those that are too long or too short for
their data are scored; without another fault no cause is right, and they are left out. Also the mean probability of
the first cause beside its share of hits: equal where probabilities are calibrated.

What it does not show: how it does on logs of large trainings. The faults of the small trainings were chosen by
people, about as often each; how common a fault is among users nobody knows, and the learnt probabilities hold for the
simulator's mix. Small-batch noise, class imbalance and uninformative inputs are not simulated, so they are never
named; the runs that have them count as missed. What a yardstick's cause is in our words is written in `MEANS` by one
reader. Many faults look alike in a curve: no judge gets near 100 %. Two numbers, how much of the simulator's mix is
taken out and how much the symptoms' table adds, were chosen with the small trainings in sight.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import numpy as np
from tables import Row, print_table, write_scores
from yardstick import RESULTS, Record, load_records

sys.path.insert(0, str(Path(__file__).parent.parent))  # train_causes.py is a script of the repository

import train_causes
from curveclinic.causes import NO_FAULT, SOUND_BUT, LikelyCause
from curveclinic.deciding.classifier import Classifier
from curveclinic.deciding.judging import by_importance
from curveclinic.deciding.ranking import MOST, by_experience, input_names, rank
from curveclinic.errors import WeightsError
from curveclinic.labels import LABELS
from curveclinic.predict import predict_runs
from curveclinic.ragged import FloatArray

SEED: Final = 1
"""Another one than that of the fit."""

MEANS: Final = {
    "accum_bug": "learning_rate_too_high", "bad_bias": "initialisation_too_large", "bn_momentum": "batch_norm_lag",
    "corrupt_batches": "corrupted_batches", "corrupt_val": "evaluation_glitches",
    "dead_relu": "dead_or_saturated_units", "deep_explode": "gradients_explode", "double_descent": "memorised_first",
    "dropout_val_below": "harder_training_loss", "few_epochs": "training_too_short",
    "frozen_params": "learning_rate_too_low", "frozen_train": "curves_mixed_up", "grad_sign": "sign_error",
    "grokking": "memorised_first", "gru_explode": "gradients_explode", "heavy_augment": "harder_training_loss",
    "imbalance": "class_imbalance", "init_const": "initialisation_too_small",
    "init_huge": "initialisation_too_large", "init_tiny": "initialisation_too_small", "label_noise": "label_noise",
    "lr_diverge": "learning_rate_too_high", "lr_high": "learning_rate_too_high", "lr_low": "learning_rate_too_low",
    "metric_bug": "metric_at_fault", "nan_log": "number_overflow", "no_norm": "inputs_not_scaled",
    "noisy_target": "weak_inputs", "overconfidence": "overconfidence", "random_train_labels": "label_noise",
    "raw_target": "inputs_not_scaled", "relu_softmax": "wrong_output_or_loss",
    "sigmoid_deep": "dead_or_saturated_units", "small_model": "model_too_small", "small_val": "noisy_evaluation",
    "strong_dropout": "too_much_regularisation", "strong_wd": "too_much_regularisation",
    "tiny_train": "model_too_large", "unshuffled": "data_not_shuffled", "val_preproc": "validation_mismatch",
    "val_random_labels": "validation_mismatch", "val_shift": "validation_mismatch",
}  # fmt: skip
"""Cause in the small trainings' words -> ours; a warm restart is no fault."""

Told = Sequence[Sequence[LikelyCause]]


def known_cause(record: Record) -> str:
    """Our id of what was changed in a run, or of what a sound run suffers from; `NO_FAULT` where nothing is wrong."""
    sound = next((cause for label, cause in SOUND_BUT.items() if label in record.positive), NO_FAULT)
    return MEANS.get(record.cause, NO_FAULT) if record.cause else sound


def clinic(path: Path) -> tuple[list[str], Told, Told]:
    """Known causes of the small trainings with findings, those told, and those of the symptoms' table."""
    records = load_records(path)
    diagnoses = predict_runs([record.run for record in records])
    kept = [(r, d) for r, d in zip(records, diagnoses, strict=True) if d.findings]
    table = [by_experience(d.labels) for _, d in kept]
    return [known_cause(record) for record, _ in kept], [d.likely_causes for _, d in kept], table


def simulated(path: Path, runs: int, classifier: Classifier) -> tuple[list[str], Told, Told]:
    """The same of logs of simulated trainings of families left out of the fit."""
    from curveclinic.synth.simulate.stream import Simulations

    simulations = Simulations.read(path)
    inputs, causes = train_causes.drawn(simulations, simulations.unseen, classifier, runs=runs, seed=SEED)
    present = _columns(inputs, "present") > 0
    assert classifier.causes is not None
    severity = _columns(inputs, "severity")
    rows, columns = by_importance(present, severity)
    table = [by_experience([LABELS[j] for j in columns[rows == i]]) for i in range(len(present))]
    return causes.tolist(), rank(classifier.causes, present, inputs, np.zeros(len(present), dtype=bool)), table


def _columns(inputs: FloatArray, kind: str) -> FloatArray:
    names = input_names()
    return inputs[:, [names.index(f"{kind} {label}") for label in LABELS]]


def rows_of(source: str, known: list[str], told: Told, table: Told) -> Iterator[Row]:
    """One row a judge, over all causes; then one a cause, of what is served."""
    fault = [i for i, cause in enumerate(known) if cause != NO_FAULT]
    truth = [known[i] for i in fault]
    commonest = [cause for cause, _ in Counter(truth).most_common(MOST)]
    answers = {
        "likely_causes": [[c.cause for c in told[i]] for i in fault],
        "symptoms' table": [[c.cause for c in table[i]] for i in fault],
        "commonest": [commonest] * len(fault),
    }
    for judge, answer in answers.items():
        yield _row(source, judge, "", truth, answer)
    first = [told[i][0].probability or 0.0 for i in fault if told[i]]
    yield _row(source, "stated for the first", "", truth, []) | {"top_1": float(np.mean(first))}
    for cause in sorted(set(truth)):
        at = [k for k, true in enumerate(truth) if true == cause]
        yield _row(source, "likely_causes", cause, [cause] * len(at), [answers["likely_causes"][k] for k in at])


def _row(source: str, judge: str, cause: str, truth: list[str], answer: Sequence[Sequence[str]]) -> dict[str, object]:
    hits = [(list(names[:1]) == [true], true in names) for true, names in zip(truth, answer, strict=False)]
    top_1, top_3 = np.mean(hits, axis=0).tolist() if hits else (np.nan, np.nan)
    return {"source": source, "judge": judge, "cause": cause, "runs": len(truth), "top_1": top_1, "top_3": top_3}


def main() -> None:
    """Scores, prints, writes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("records", type=Path, help="clinic_runs/dev.jsonl.gz")
    parser.add_argument("--simulated", type=Path, help="cache of simulated trainings")
    parser.add_argument("--runs", type=int, default=4000, help="logs drawn from it")
    parser.add_argument("--out", type=Path, default=RESULTS / "causes.csv")
    args = parser.parse_args()
    classifier = train_causes.shipped()
    if classifier.causes is None:
        raise WeightsError("weights/causes.json is absent or of another network; run train_causes.py first")
    rows = list(rows_of("small trainings", *clinic(args.records)))
    if args.simulated:
        rows += rows_of("simulated, unseen families", *simulated(args.simulated, args.runs, classifier))
    print_table([row for row in rows if not row["cause"]])
    write_scores(rows, args.out)


if __name__ == "__main__":
    main()
