"""What each half of the input is worth, and whether the network only imitates the rules.

    python benchmarks/ablation.py ../shared/clinic_runs/dev.jsonl.gz ../shared/real_runs/dev.jsonl
    python benchmarks/ablation.py ... --only "curves only" --rules-labels

Every variant learns from the same synthetic runs, is calibrated on the same held-out ones, and is scored alone (as the
network is in accuracy.py) on the yardsticks: the network with curves and features, with either, without twins
(`synth/retold.py`), scikit-learn's gradient boosting on the features, and with `--rules-labels` the network trained on
what the RULES say of the synthetic runs instead of the truth. Networks make the same number of steps with `train.py`'s
optimiser. `both - VARIANT` compares on the same bootstrap resamples.

Runs are drawn once and kept in `runs/ablation/` (about 0.5 GB, ignored by git) under a fingerprint of what the
generator and the encoder make of a few of them, so that a change of either draws anew. About 2 minutes a variant on two
cores.

What it does not show: how the shipped network does, which sees many times as many runs (accuracy.py says that);
differences smaller than those between two seeds.
"""

from __future__ import annotations

import argparse
import hashlib
import multiprocessing
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from sklearn.ensemble import HistGradientBoostingClassifier

sys.path.insert(0, str(Path(__file__).parent.parent))  # train.py is a script of the repository, not of the package

import scores
from accuracy import overall_measures
from judges import network_alone
from tables import Row, print_table, write_csv
from yardstick import RESULTS, Record, load_records

import train
from curveclinic.classifier import NetworkOpinion
from curveclinic.labels import LABELS
from curveclinic.model.calibrate import calibrate, probabilities
from curveclinic.model.encoder import TENSOR_CHANNELS, encode
from curveclinic.model.features import FEATURE_NAMES
from curveclinic.model.network import Shape
from curveclinic.ragged import Batch, FloatArray
from curveclinic.rules import RuleOpinion, judge, opinion_on
from curveclinic.synth.families import TRENDS
from curveclinic.synth.generate import BLOCK, generate

CACHE = Path("runs/ablation")
MEASURES = ("macro_f1", "macro_best_f1", "macro_average_precision", "calibration_error", "false_alarm", "any_label")
BATCH = 512
LR = 3e-3

SHAPES = {
    "both": Shape(len(TENSOR_CHANNELS), len(FEATURE_NAMES)),
    "curves only": Shape(len(TENSOR_CHANNELS), 0),
    "features only": Shape(0, len(FEATURE_NAMES)),
}
"""The networks: variant -> what they see."""

BOOSTING = "boosting on features"
NO_TWINS = "both, no twins"
RULES_LABELS = "both, rules' labels"

Judge = Callable[[train.Blocks], FloatArray]
"""Encoded runs in, (n, 20) logits out."""


@dataclass(frozen=True, eq=False)
class Yardstick:
    """One labelled set of real runs, encoded once."""

    name: str
    records: Sequence[Record]
    batch: Batch
    rules: RuleOpinion
    blocks: train.Blocks


def drawn(seed: int, count: int, folder: Path, *, rules_labels: bool) -> train.Blocks:
    """`count` synthetic runs for training, from the cache where they were drawn before."""
    place = folder / f"{_fingerprint(seed)}_{count}{'_rules' * rules_labels}"
    names = list(train.Blocks.__dataclass_fields__)
    if not place.exists():
        parts = _in_processes([(seed, 1, k) for k in range(-(-count // BLOCK))], rules_labels=rules_labels)
        place.mkdir(parents=True)
        for name, array in vars(train.joined(parts)).items():
            np.save(place / f"{name}.npy", array)
    return train.Blocks(**{name: np.load(place / f"{name}.npy", mmap_mode="r") for name in names})


def _in_processes(seeds: list[tuple[int, ...]], *, rules_labels: bool) -> list[train.Blocks]:
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        return pool.starmap(one_block, [(seed, train.SEEN, rules_labels) for seed in seeds])


def one_block(seed: tuple[int, ...], trends: tuple[str, ...], rules_labels: bool) -> train.Blocks:
    """A block of encoded runs and their twins, labelled by the truth or by the rules."""
    parts, sample = [], generate(seed, BLOCK, trends=trends, max_points=train.MAX_POINTS)
    for seen, truth, partner in train.told(seed, sample, train.TWINS):
        blocks = train.blocks_of(seen, truth, partner)
        if rules_labels:
            opinion = opinion_on(seen)
            blocks.target, blocks.weight = opinion.present.astype(np.float32), opinion.checked.astype(np.float32)
        parts.append(blocks)
    return train.joined(parts)


def _fingerprint(seed: int) -> str:
    """Changes when the generator or the encoder makes something else of a seed."""
    probe = train.draw((seed, 0), 64, train.SEEN, train.TWINS)
    return hashlib.sha256(b"".join(array.tobytes() for array in vars(probe).values())).hexdigest()[:12]


def network(shape: Shape, data: train.Blocks, steps: int, seed: int, *, twins: bool = True) -> Judge:
    """Trains a network on fixed runs with the steps of `train.py`."""
    usable = np.arange(len(data.target)) if twins else np.flatnonzero(data.partner == 0)
    torch.manual_seed(seed)
    training = train.Training(shape, lr=LR, device="cpu")
    rng = np.random.default_rng((seed, 3))
    for k in range(steps):
        rows, pairs = train.paired(data, np.sort(rng.choice(usable, BATCH)))
        training.step(train.tensors(data, rows, "cpu"), torch.from_numpy(pairs), k / steps)
    return lambda blocks: train.logits_of(training.averaged.module, blocks, "cpu")[0]


def boosting(data: train.Blocks, seed: int) -> Judge:
    """Trains one gradient boosting a label on the features."""
    features = np.asarray(data.features)
    models = []
    for j in range(len(LABELS)):
        model = HistGradientBoostingClassifier(max_iter=200, random_state=seed)
        models.append(model.fit(features, data.target[:, j] > 0.5, sample_weight=data.weight[:, j]))
    return lambda blocks: np.stack([model.decision_function(blocks.features) for model in models], axis=1)


def measured(judged: Judge, held: train.Blocks, yard: Yardstick, draws: int) -> dict[str, FloatArray]:
    """Measure -> (draws + 1,) values of a variant, alone, on a yardstick."""
    calibration, thresholds = calibrate(judged(held), held.target, held.weight)
    probability = probabilities(judged(yard.blocks), calibration)
    threshold = np.array([thresholds[label] for label in LABELS])
    nowhere = np.full(probability.shape, np.nan)
    says = NetworkOpinion(probability, threshold, nowhere, nowhere, np.zeros(probability.shape, dtype=np.int8))
    opinion = network_alone(yard.batch, yard.rules, says)
    found = overall_measures(opinion, yard.records, scores.resamples(len(yard.records), draws, seed=0))
    return {name: found[name][0] for name in MEASURES}


def yardstick_of(path: Path) -> Yardstick:
    """Reads and encodes a yardstick."""
    records = load_records(path)
    batch = Batch.from_runs([record.run for record in records])
    coded = encode(batch)
    none = np.zeros((batch.size, len(LABELS)), np.float32)
    alone = np.zeros(batch.size, np.int32)
    blocks = train.Blocks(coded.tensor, coded.features, none, none, none, np.stack([none, none], axis=2), alone)
    return Yardstick(path.resolve().parent.name, records, batch, judge(batch), blocks)


def variants(options: argparse.Namespace) -> Iterator[tuple[str, Judge, train.Blocks]]:
    """Trains the variants asked for, with the runs that calibrate them."""
    data, held = _runs(options, rules_labels=False)
    for name in options.only or [*SHAPES, NO_TWINS, BOOSTING]:
        if name == BOOSTING:
            yield name, boosting(data, options.seed), held
        else:
            shape = SHAPES.get(name, SHAPES["both"])
            yield name, network(shape, data, options.steps, options.seed, twins=name != NO_TWINS), held
    if options.rules_labels:
        data, held = _runs(options, rules_labels=True)
        yield RULES_LABELS, network(SHAPES["both"], data, options.steps, options.seed), held


def _runs(options: argparse.Namespace, *, rules_labels: bool) -> tuple[train.Blocks, train.Blocks]:
    """Runs to train on and runs to calibrate on; half of the latter are of families held out by `train.py`."""
    trends = (train.HELD_OUT, tuple(TRENDS))
    count = max(options.held_out // BLOCK, 2)
    held = [one_block((options.seed, 4, k), trends[k % 2], rules_labels) for k in range(count)]
    return drawn(options.seed, options.count, options.cache, rules_labels=rules_labels), train.joined(held)


def rows_of(options: argparse.Namespace) -> Iterator[Row]:
    """Every variant's measures, then what `both` is ahead."""
    yards = [yardstick_of(path) for path in options.records]
    reference: dict[str, dict[str, FloatArray]] = {}
    for name, judged, held in variants(options):
        for yard in yards:
            found = measured(judged, held, yard, options.draws)
            yield from _rows(name, yard.name, found)
            ahead = reference.setdefault(yard.name, found) if name == "both" else reference.get(yard.name)
            if ahead is not None and name != "both":
                yield from _rows(f"both - {name}", yard.name, {key: ahead[key] - found[key] for key in found})


def _rows(variant: str, yard: str, found: dict[str, FloatArray]) -> Iterator[Row]:
    for measure, values in found.items():
        yield {"variant": variant, "yardstick": yard, "measure": measure, **asdict(scores.estimate(values))}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("records", type=Path, nargs="+", help="yardsticks, JSON lines")
    parser.add_argument("--only", nargs="+", choices=[*SHAPES, NO_TWINS, BOOSTING], help="train these variants only")
    parser.add_argument("--rules-labels", action="store_true", help="also train the network on the rules' labels")
    parser.add_argument("--count", type=int, default=20_480, help="synthetic runs to train on")
    parser.add_argument("--held-out", type=int, default=4096, help="synthetic runs to calibrate on")
    parser.add_argument("--steps", type=int, default=900, help=f"steps of {BATCH} runs")
    parser.add_argument("--cache", type=Path, default=CACHE, help="folder for the drawn runs")
    parser.add_argument("--out", type=Path, default=RESULTS / "ablation.csv")
    parser.add_argument("--draws", type=int, default=1000, help="bootstrap resamples")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    rows = list(rows_of(options))
    print_table(rows)
    write_csv(rows, options.out)


if __name__ == "__main__":
    main()
