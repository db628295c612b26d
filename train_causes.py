"""Fits the likely causes of findings on simulated trainings and writes `weights/causes.json`.

    python -m curveclinic.synth.simulate --runs 5000 --out cache.parquet --workers 2
    python train_causes.py cache.parquet        # about 2 minutes; again after every training and choice of thresholds

Logs of simulated trainings, whose fault is known, are judged by the shipped classifier; a multinomial logistic
regression then learns which fault is behind which findings. Families that `synth.simulate.stream.held_out` keeps back
are not used: `benchmarks/causes.py` measures on them. Nothing here ever reads a real log.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from curveclinic.causes import NO_FAULT, OF_SIMULATED, SOUND_BUT
from curveclinic.deciding.classifier import Classifier, load_classifier, weights_folder
from curveclinic.deciding.merge import merge
from curveclinic.deciding.opinions import opinions_on
from curveclinic.deciding.ranking import cause_inputs
from curveclinic.errors import WeightsError
from curveclinic.labels import LABELS
from curveclinic.model.causes import fit_causes, write_causes
from curveclinic.ragged import Batch, BoolArray, FloatArray
from curveclinic.synth.generate import BLOCK, Sample
from curveclinic.synth.simulate.faults import FAULTS
from curveclinic.synth.simulate.stream import Simulations

_SEED = 10
"""First number of every seed: no other script draws with it."""


def main() -> None:
    """Draws, judges, fits, writes."""
    args = _arguments()
    began = time.monotonic()
    classifier = shipped()
    simulations = Simulations.read(args.cache)
    inputs, causes = drawn(simulations, simulations.seen, classifier, runs=args.runs, seed=args.seed)
    recipe = {"seed": args.seed, "logs": args.runs, "with_findings": len(causes), "trainings": simulations.cache.size}
    digest = classifier.sidecar.onnx_sha256
    model = fit_causes(inputs, causes, onnx_sha256=digest, recipe=recipe)
    path = write_causes(model, args.out)
    print(f"{path}: {len(model.causes)} causes from {len(causes)} logs, {time.monotonic() - began:.0f} s")


def shipped() -> Classifier:
    """The classifier whose findings are explained."""
    classifier = load_classifier()
    if classifier is None:
        raise WeightsError("causes are fitted on what the network finds, but there are no weights; run train.py first")
    return classifier


def drawn(
    simulations: Simulations, families: Sequence[str], classifier: Classifier, *, runs: int, seed: int
) -> tuple[FloatArray, npt.NDArray[np.str_]]:
    """Draws logs and returns inputs and causes of those with findings."""
    parts = list(_blocks(simulations, families, classifier, runs=runs, seed=seed))
    return np.concatenate([inputs for inputs, _ in parts]), np.concatenate([causes for _, causes in parts])


def _blocks(
    simulations: Simulations, families: Sequence[str], classifier: Classifier, *, runs: int, seed: int
) -> Iterator[tuple[FloatArray, npt.NDArray[np.str_]]]:
    for k in range(-(-runs // BLOCK)):
        sample = simulations.draw((_SEED, seed, k), min(BLOCK, runs - k * BLOCK), families=families)
        present, inputs = judged(sample.batch, classifier)
        found = present.any(axis=1)
        yield inputs[found], causes_of(sample, simulations)[found]


def judged(batch: Batch, classifier: Classifier) -> tuple[BoolArray, FloatArray]:
    """(n, 20) labels found and (n, d) what the causes' model reads, as users' runs are judged."""
    opinions, counts = opinions_on(batch, classifier), batch.finite_counts
    verdicts = merge(opinions.rules, opinions.network, counts=counts, decided_by_rule=classifier.decided_by_rule)
    assert opinions.encoded is not None  # there is a network
    return verdicts.present, cause_inputs(verdicts, opinions.rules.checked, counts, opinions.encoded)


def causes_of(sample: Sample, simulations: Simulations) -> npt.NDArray[np.str_]:
    """(n,) id of every log's cause; a sound training may still be too long or too short for its data."""
    faults = np.array([name.rsplit(" x ", 1)[-1] for name in simulations.families])[sample.family]
    sound = np.full(len(faults), NO_FAULT, dtype=object)
    for label, cause in reversed(SOUND_BUT.items()):
        sound[sample.target[:, LABELS.index(label)] == 1.0] = cause
    known = {name: OF_SIMULATED[fault.cause] for name, fault in FAULTS.items()}
    return np.array([known.get(fault, own) for fault, own in zip(faults, sound, strict=True)], dtype=np.str_)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("cache", type=Path, help="file written by python -m curveclinic.synth.simulate")
    parser.add_argument("--runs", type=int, default=20_000, help="logs to draw")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=weights_folder(), help="folder of causes.json")
    return parser.parse_args()


if __name__ == "__main__":
    main()
