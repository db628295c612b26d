"""What each part of the input, of the data and of the network is worth, and whether it only imitates the rules.

    python benchmarks/ablation.py ../shared/clinic_runs/dev.jsonl.gz ../shared/real_runs/dev.jsonl --simulated CACHE
    python benchmarks/ablation.py ... --only "both" "curves only"

Every variant learns from as many runs, makes the same number of steps with `train.py`'s optimiser, is calibrated on the
same held-out drawn runs, and is scored alone (as the network is in accuracy.py) on the yardsticks. `VARIANTS` lists
them: what the network sees (curves, features, single views of the curves), what it learns from (drawn runs, logs of
simulated trainings, both as in `train.py`; without twins, without prefixes; the RULES' labels instead of the truth),
its size, and gradient boosting on the features. `both - VARIANT` compares on the same bootstrap resamples.

Runs are drawn once and kept in `runs/ablation/` (about 0.5 GB a source, ignored by git) under a fingerprint of what the
generator and the encoder make of a few of them, so that a change of either draws anew. About 3 minutes a variant on one
core.

What it does not show: how the shipped network does, which sees many times as many runs (accuracy.py says that);
differences smaller than those between two seeds.
"""

from __future__ import annotations

import argparse
import hashlib
import multiprocessing
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
import torch
from sklearn.ensemble import HistGradientBoostingClassifier

sys.path.insert(0, str(Path(__file__).parent.parent))  # train.py is a script of the repository, not of the package

import scores
from accuracy import overall_measures
from judges import Opinion, network_alone
from robustness import PERTURBATIONS
from tables import Row, print_table, write_csv
from yardstick import RESULTS, Record, load_records, shortest_loss

import train
from curveclinic.deciding.classifier import NetworkOpinion
from curveclinic.deciding.rules import RuleOpinion, judge, opinion_on
from curveclinic.labels import LABELS
from curveclinic.model.calibrate import calibrate, probabilities
from curveclinic.model.encoder import TENSOR_CHANNELS, encode
from curveclinic.model.evaluation import logits_of
from curveclinic.model.features import FEATURE_NAMES
from curveclinic.model.network import Shape
from curveclinic.ragged import Batch, FloatArray, IntArray
from curveclinic.records import joined
from curveclinic.run import Run
from curveclinic.synth.families import TRENDS
from curveclinic.synth.generate import BLOCK, generate
from curveclinic.synth.simulate.stream import Simulations
from curveclinic.synth.truth import judge as judge_drawn

CACHE = Path("runs/ablation")
MEASURES = ("macro_f1", "macro_best_f1", "macro_average_precision", "calibration_error", "false_alarm", "any_label")
CHANGED = "every_4th_point"
"""The perturbation of robustness.py whose share of changed label sets is measured, too."""

BATCH = 512
LR = 3e-3


@dataclass(frozen=True)
class Variant:
    """One thing left out or changed.

    Attributes:
        shape: of the network; None is gradient boosting on the features.
        source: "drawn", "simulated", or "mixed" in the shares of `train.py`.
        without: parts of names of rows of the curves that are blanked out.
        twins, prefixes: whether the network learns from them.
        rules_labels: the rules' labels instead of the truth.
    """

    shape: Shape | None
    source: str = "drawn"
    without: tuple[str, ...] = ()
    twins: bool = True
    prefixes: bool = True
    rules_labels: bool = False


CURVES, FEATURES = len(TENSOR_CHANNELS), len(FEATURE_NAMES)
BOTH = Shape(CURVES, FEATURES)
REFERENCE = "both"
"""The variant the others are compared with."""

VARIANTS: dict[str, Variant] = {
    REFERENCE: Variant(BOTH),
    "curves only": Variant(Shape(CURVES, 0)),
    "features only": Variant(Shape(0, FEATURES)),
    "boosting on features": Variant(None),
    "no linear view": Variant(BOTH, without=("__own", "__joint")),
    "no log view": Variant(BOTH, without=("_log",)),
    "no low and high": Variant(BOTH, without=("_low", "_high")),
    "losses only": Variant(Shape(CURVES, 0), without=("metric", "lr__", "grad_norm")),
    "no twins": Variant(BOTH, twins=False),
    "no prefixes": Variant(BOTH, prefixes=False),
    "one reader": Variant(Shape(CURVES, FEATURES, readers=1)),
    "half as wide": Variant(Shape(CURVES, FEATURES, patches=24, width=32, scalars=40, hidden=46)),
    "twice as wide": Variant(Shape(CURVES, FEATURES, patches=96, width=128, scalars=160, hidden=184)),
    "simulated runs only": Variant(BOTH, source="simulated"),
    "drawn and simulated runs": Variant(BOTH, source="mixed"),
    "rules' labels": Variant(BOTH, rules_labels=True),
}

SHARE = 0.3
"""Share of simulated runs in the mixed source; see weights/MODEL_CARD.md."""

Judge = Callable[[train.Blocks], FloatArray]
"""Encoded runs in, (n, 20) logits out."""


@dataclass(frozen=True, eq=False)
class Told:
    """Real runs as they were logged, or thinned, encoded once."""

    batch: Batch
    rules: RuleOpinion
    blocks: train.Blocks

    @classmethod
    def of(cls, runs: Sequence[Run]) -> Told:
        """Judges by the rules and encodes runs."""
        batch = Batch.from_runs(runs)
        coded = encode(batch)
        none = np.zeros((batch.size, len(LABELS)), np.float32)
        alone = np.zeros(batch.size, np.int32)
        blocks = train.Blocks(coded.tensor, coded.features, none, none, none, np.stack([none, none], axis=2), alone)
        return cls(batch, judge(batch), blocks)


@dataclass(frozen=True, eq=False)
class Yardstick:
    """One labelled set of real runs: all of them, and the rows of those long enough to be told again, thinned."""

    name: str
    records: Sequence[Record]
    full: Told
    long: IntArray
    thin: Told


def runs_for(variant: Variant, options: argparse.Namespace) -> train.Blocks:
    """The runs a variant is trained on, from the cache where they were drawn before."""
    kind = variant.source + "_rules" * variant.rules_labels
    place = options.cache / f"{_fingerprint(options.seed)}_{options.count}_{kind}"
    names = list(train.Blocks.__dataclass_fields__)
    if not place.exists():
        jobs = [
            ((options.seed, 1, k), train.SEEN, options.simulated if simulated else None, variant.rules_labels)
            for k, simulated in enumerate(_simulated(variant.source, -(-options.count // BLOCK)))
        ]
        with multiprocessing.get_context("spawn").Pool(2) as pool:
            parts = pool.starmap(one_block, jobs)
        place.mkdir(parents=True)
        for name, array in vars(joined(parts)).items():
            np.save(place / f"{name}.npy", array)
    return train.Blocks(**{name: np.load(place / f"{name}.npy", mmap_mode="r") for name in names})


def _simulated(source: str, blocks: int) -> list[bool]:
    """Which blocks come from simulated trainings: all, none, or an even share of them."""
    share = {"drawn": 0.0, "simulated": 1.0, "mixed": SHARE}[source]
    return [int((k + 1) * share) > int(k * share) for k in range(blocks)]


def one_block(
    seed: tuple[int, ...], trends: tuple[str, ...], simulated: Path | None, rules_labels: bool
) -> train.Blocks:
    """A block of encoded runs, their twins and their prefixes, labelled by the truth or by the rules."""
    if simulated:
        return train.draw_simulated(seed, BLOCK, _simulations(simulated))
    parts, sample = [], generate(seed, BLOCK, trends=trends, max_points=train.MAX_POINTS)
    for seen, truth, partner in (train.as_drawn(sample), *train.told_again(seed, sample, judge_drawn)):
        blocks = train.blocks_of(seen, truth, partner)
        if rules_labels:
            opinion = opinion_on(seen)
            blocks.target, blocks.weight = opinion.present.astype(np.float32), opinion.checked.astype(np.float32)
        parts.append(blocks)
    return joined(parts)


@cache
def _simulations(path: Path) -> Simulations:
    return Simulations.read(path)


def _fingerprint(seed: int) -> str:
    """Changes when the generator or the encoder makes something else of a seed."""
    probe = train.draw((seed, 0), 64, train.SEEN, retold=True)
    return hashlib.sha256(b"".join(array.tobytes() for array in vars(probe).values())).hexdigest()[:12]


def usable(variant: Variant, data: train.Blocks) -> IntArray:
    """Rows a variant learns from; in every block follow the runs, their twins and their prefixes."""
    size = BLOCK + int(train.TWINS * BLOCK) + int(train.EARLY * BLOCK)
    place = np.arange(len(data.target)) % size
    keep = np.full(len(place), True)
    if not variant.twins:
        keep &= data.partner == 0
    if not variant.prefixes:
        keep &= place < BLOCK + int(train.TWINS * BLOCK)
    return np.flatnonzero(keep)


def network(variant: Variant, data: train.Blocks, steps: int, seed: int) -> Judge:
    """Trains a network on fixed runs with the steps of `train.py`."""
    assert variant.shape is not None
    torch.manual_seed(seed)
    training, rows_used = train.Training(variant.shape, lr=LR, device="cpu"), usable(variant, data)
    rng = np.random.default_rng((seed, 3))
    for k in range(steps):
        rows, pairs = train.paired(data, np.sort(rng.choice(rows_used, BATCH)))
        tensor, *others = train.tensors(data, rows, "cpu")
        training.step((blanked(variant, tensor), *others), torch.from_numpy(pairs), k / steps)
    return lambda blocks: logits_of(training.result, _blanked_blocks(variant, blocks), "cpu")[0]


def blanked(variant: Variant, tensor: torch.Tensor) -> torch.Tensor:
    """Curves (n, channels, bins) without what a variant does not see."""
    seen = [not any(part in name for part in variant.without) for name in TENSOR_CHANNELS]
    return tensor * torch.tensor(seen, dtype=tensor.dtype)[:, None]


def _blanked_blocks(variant: Variant, blocks: train.Blocks) -> train.Blocks:
    tensor = blanked(variant, torch.from_numpy(np.asarray(blocks.tensor, dtype=np.float32)))
    return replace(blocks, tensor=tensor.numpy())


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
    threshold = np.array([thresholds[label] for label in LABELS])

    def says_of(told: Told) -> Opinion:
        probability = probabilities(judged(told.blocks), calibration)
        nowhere = np.full(probability.shape, np.nan)
        says = NetworkOpinion(
            probability, probability >= threshold, nowhere, nowhere, np.zeros(probability.shape, bool)
        )
        return network_alone(told.batch, told.rules, says)

    opinion = says_of(yard.full)
    found = overall_measures(opinion, yard.records, scores.resamples(len(yard.records), draws, seed=0))
    changed = (opinion.present[yard.long] != says_of(yard.thin).present).any(axis=1)
    everyone, weight = np.ones(len(changed), dtype=bool), scores.resamples(len(changed), draws, seed=0)
    return {name: found[name][0] for name in MEASURES} | {
        f"changed_by_{CHANGED}": scores.share(changed, everyone, weight)
    }


def yardstick_of(path: Path) -> Yardstick:
    """Reads and encodes a yardstick."""
    records = load_records(path)
    points, coarse = PERTURBATIONS[CHANGED]
    long = np.flatnonzero([shortest_loss(record.run) >= points for record in records])
    thin = [coarse(records[row].run, np.random.default_rng(0)) for row in long]
    return Yardstick(path.resolve().parent.name, records, Told.of([r.run for r in records]), long, Told.of(thin))


def variants(options: argparse.Namespace) -> Iterator[tuple[str, Judge, train.Blocks]]:
    """Trains the variants asked for, with the runs that calibrate them."""
    for name, variant in VARIANTS.items():
        if (options.only and name not in options.only) or (variant.source != "drawn" and not options.simulated):
            continue
        data, held = runs_for(variant, options), held_out_runs(variant, options)
        judged = network(variant, data, options.steps, options.seed) if variant.shape else boosting(data, options.seed)
        yield name, judged, held


def held_out_runs(variant: Variant, options: argparse.Namespace) -> train.Blocks:
    """Drawn runs to calibrate on, twins and prefixes among them; half are of families held out by `train.py`."""
    trends = (train.HELD_OUT, tuple(TRENDS))
    count = max(options.held_out // BLOCK, 2)
    parts = [one_block((options.seed, 4, k), trends[k % 2], None, variant.rules_labels) for k in range(count)]
    return joined(parts)


def rows_of(options: argparse.Namespace) -> Iterator[Row]:
    """Every variant's measures, then what `both` is ahead."""
    yards = [yardstick_of(path) for path in options.records]
    reference: dict[str, dict[str, FloatArray]] = {}
    for name, judged, held in variants(options):
        for yard in yards:
            found = measured(judged, held, yard, options.draws)
            yield from _rows(name, yard.name, found)
            ahead = reference.setdefault(yard.name, found) if name == REFERENCE else reference.get(yard.name)
            if ahead is not None and name != REFERENCE:
                yield from _rows(f"{REFERENCE} - {name}", yard.name, {key: ahead[key] - found[key] for key in found})


def _rows(variant: str, yard: str, found: dict[str, FloatArray]) -> Iterator[Row]:
    for measure, values in found.items():
        yield {"variant": variant, "yardstick": yard, "measure": measure, **asdict(scores.estimate(values))}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("records", type=Path, nargs="+", help="yardsticks, JSON lines")
    parser.add_argument("--only", nargs="+", choices=list(VARIANTS), help="train these variants only")
    parser.add_argument("--simulated", type=Path, help="cache of simulated trainings, for the variants that need it")
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
