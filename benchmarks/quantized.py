"""What the int8 network of `--fast` saves, and how often it answers otherwise than the float network.

    python benchmarks/quantized.py YARD/real_runs/dev.jsonl YARD/clinic_runs/dev.jsonl.gz

- time: `Classifier.judge_encoded` (the network, and its spans as steps) and `score_table` (all of it), on synthetic
  curves of 200 points. Both networks take turns in one process on one thread; it is the thread's processor time, and
  the least of the turns: other programs only add to a time. The load average before is a row, too.
- agreement on fresh synthetic runs of all families: label sets of the networks alone, their probabilities, and the
  labels that a scan finds with each.
- agreement on yardsticks, and macro-F1 of what a scan finds with each network.

What it does not show: other processors. Those without integer units for neural networks (VNNI, or dot products on ARM)
save less; the answers are meant to be the same.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from scan import piece, shapes
from scores import f1, macro, resamples
from tables import Row, print_table, write_scores
from yardstick import RESULTS, load_records, truth_of

from curveclinic.deciding.classifier import Classifier, load_classifier
from curveclinic.deciding.judging import judged
from curveclinic.deciding.kinds import Kinds
from curveclinic.intake.door import runs_from
from curveclinic.model.encoder import encode
from curveclinic.ragged import Batch, BoolArray
from curveclinic.run import Run
from curveclinic.scoring import score_table
from curveclinic.synth.generate import BLOCK, generate

FLOAT32, INT8, BOTH = "float32", "int8", "both"

TIMED = 128
"""Runs of a timed call: few, so that some calls are undisturbed on a machine that does other work, too."""

TURNS = 400
"""Times each network is timed."""

FRESH = 8_192
"""Synthetic runs compared."""

_SEED = 12
"""First number of every seed: no other script draws with it."""


def time_rows(networks: dict[str, Classifier], seed: int) -> Iterator[Row]:
    """Microseconds a run with each network."""
    curves = piece(shapes(seed), 0, TIMED)
    encoded = encode(Batch.from_runs([run for run in runs_from(curves)[0] if isinstance(run, Run)]))
    calls = {
        "network, us/run": lambda name: networks[name].judge_encoded(encoded),
        "score_table, us/run": lambda name: score_table(curves, fast=name == INT8),
    }
    for what, call in calls.items():
        for name, taken in _fastest(call, list(networks)).items():
            yield _row("curves of 200 points", name, what, TIMED, taken / TIMED * 1e6)


def _fastest(call: Callable[[str], object], names: Sequence[str]) -> dict[str, float]:
    """Seconds of a call for each name, the least of some turns."""
    taken: dict[str, list[float]] = {name: [] for name in names}
    for _ in range(TURNS):
        for name in names:
            began = time.thread_time()
            call(name)
            taken[name].append(time.thread_time() - began)
    return {name: min(times) for name, times in taken.items()}


def synthetic_rows(networks: dict[str, Classifier], seed: int) -> Iterator[Row]:
    """How the answers differ on synthetic runs."""
    parts = [_on_block(networks, (_SEED, seed, k)) for k in range(FRESH // BLOCK)]
    same, difference, whole = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    values = {
        "equal label sets, network alone": same.mean(),
        "mean difference of probability": difference.mean(),
        "largest difference of probability": difference.max(),
        "equal labels of a scan": whole.mean(),
    }
    for what, value in values.items():
        yield _row("synthetic", BOTH, what, len(same), float(value))


def _on_block(networks: dict[str, Classifier], seed: tuple[int, ...]) -> tuple[np.ndarray, ...]:
    """(n,) equal label sets, (n, 20) differences of probability and (n,) equal labels of a scan of one block."""
    batch = generate(seed, BLOCK).batch
    one, other = (networks[name].judge(batch) for name in (FLOAT32, INT8))
    same = (one.found == other.found).all(axis=1)
    found = [_found(batch, networks[name]) for name in (FLOAT32, INT8)]
    return same, np.abs(one.probability - other.probability), (found[0] == found[1]).all(axis=1)


def yardstick_rows(networks: dict[str, Classifier], path: Path) -> Iterator[Row]:
    """How the labels found differ on a yardstick, and what they are worth."""
    records = load_records(path)
    where, truth, once = path.resolve().parent.name, truth_of(records), resamples(len(records), 0, 0)
    batch = Batch.from_runs([record.run for record in records])
    found = {name: _found(batch, network) for name, network in networks.items()}
    same = (found[FLOAT32] == found[INT8]).all(axis=1)
    yield _row(where, BOTH, "equal labels of a scan", len(records), float(same.mean()))
    for name, present in found.items():
        yield _row(where, name, "macro_f1", len(records), float(macro(f1(present, truth, once), truth)[0]))


def _found(batch: Batch, network: Classifier) -> BoolArray:
    """(n, 20) labels that a scan with this network finds."""
    whole = judged(batch, network, Kinds.of(["ordinary"] * batch.size))
    return whole.verdicts.present & ~whole.undetermined[:, None]


def _row(where: str, network: str, measure: str, runs: int, value: float) -> Row:
    return {"where": where, "network": network, "measure": measure, "runs": runs, "value": value}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("records", type=Path, nargs="*", help="labelled yardsticks, JSON lines")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=RESULTS / "quantized.csv")
    options = parser.parse_args()
    float32, int8 = load_classifier(), load_classifier(fast=True)
    if float32 is None or int8 is None:
        raise SystemExit("no weights are installed: run train.py first")
    networks = {FLOAT32: float32, INT8: int8}
    rows = [_row("", BOTH, "load average before", 0, os.getloadavg()[0])]
    rows += [*time_rows(networks, options.seed), *synthetic_rows(networks, options.seed)]
    for path in options.records:
        rows += yardstick_rows(networks, path)
    print_table(rows)
    write_scores(rows, options.out)


if __name__ == "__main__":
    main()
