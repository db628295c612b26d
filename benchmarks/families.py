"""How the shipped network does on families of runs that no training run came from.

    python benchmarks/families.py [--simulated runs/simulated.parquet]

Drawn runs are of the trends in `train.HELD_OUT`; simulated ones of the families (net x task x fault) that
`synth.simulate.stream.held_out` keeps back, read from a cache made by `python -m curveclinic.synth.simulate`. Per
label, over cells that are clearly there or clearly absent: precision, recall and F1 at the shipped thresholds, average
precision, expected calibration error (ten equal bins), and how far the onset lies from the truth as a share of the run,
by the network and as users see it (`merge`).

What it does not show: how it does on real logs, where the mix of runs is another one; thresholds are chosen for real
logs, not for these. Calibration was fitted on other drawn runs of the same held-out trends, never on simulated ones.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import scores
from tables import Row, print_table, write_scores
from yardstick import RESULTS

sys.path.insert(0, str(Path(__file__).parent.parent))  # train.py is a script of the repository, not of the package

import train
from curveclinic.deciding.classifier import Classifier, load_classifier
from curveclinic.deciding.merge import merge
from curveclinic.deciding.opinions import opinions_on
from curveclinic.labels import LABELS
from curveclinic.model.calibrate import calibration_error
from curveclinic.ragged import BoolArray, FloatArray
from curveclinic.synth.generate import BLOCK, Sample, generate

SEED = 6
"""Another one than any that `train.py` draws with."""


def drawn(count: int) -> Iterator[Sample]:
    """Runs of the held-out trends."""
    for k in range(-(-count // BLOCK)):
        yield generate((SEED, 0, k), BLOCK, trends=train.HELD_OUT, max_points=train.MAX_POINTS)


def simulated(cache: Path, count: int) -> Iterator[Sample]:
    """Logs of simulated trainings of the held-out families."""
    from curveclinic.synth.simulate.stream import Simulations

    simulations = Simulations.read(cache)
    for k in range(-(-count // BLOCK)):
        yield simulations.draw((SEED, 1, k), BLOCK, families=simulations.unseen)


def rows_of(source: str, samples: Iterator[Sample], classifier: Classifier) -> Iterator[Row]:
    """One row a label, after one for all of them."""
    parts = [judged(sample, classifier) for sample in samples]
    probability, present, network, whole, truth = (np.concatenate(column) for column in zip(*parts, strict=True))
    one = np.ones((1, len(truth)), dtype=np.int64)
    by_label = {
        "precision": scores.precision(present, truth, one)[0],
        "recall": scores.recall(present, truth, one)[0],
        "f1": scores.f1(present, truth, one)[0],
        "average_precision": scores.average_precision(probability, truth, one)[0],
        "calibration_error": np.array(
            [calibration_error(probability[:, [j]], truth[:, [j]], one)[0] for j in range(len(LABELS))]
        ),
    }
    enough = (truth == 1.0).sum(axis=0) >= scores.FEWEST_POSITIVES
    means = {name: float(np.nanmean(values[enough])) for name, values in by_label.items()}
    yield {"source": source, "label": "", "positives": int((truth == 1.0).sum()), **means, **_onsets(network, whole)}
    for j, label in enumerate(LABELS):
        values = {name: float(column[j]) for name, column in by_label.items()}
        positives = int((truth[:, j] == 1.0).sum())
        yield {
            "source": source,
            "label": label,
            "positives": positives,
            **values,
            **_onsets(network[:, j], whole[:, j]),
        }


def judged(sample: Sample, classifier: Classifier) -> tuple[FloatArray, BoolArray, FloatArray, FloatArray, FloatArray]:
    """Probabilities, findings, errors of the onset by the network and as shown, and truth; (n, 20) each."""
    said = opinions_on(sample.batch, classifier)
    network = said.network
    assert network is not None  # there is a classifier
    shown = merge(said.rules, network, counts=sample.batch.finite_counts, decided_by_rule=classifier.decided_by_rule)
    clear = (sample.weight > 0.4) & np.isin(sample.target, (0.0, 1.0))
    truth = np.where(clear, sample.target, np.nan)
    loss = sample.seen.cells["train_loss"].steps
    other = sample.seen.cells["val_loss"].steps
    first, last = np.fmin(loss[:, 0], other[:, 0]), np.fmax(loss[:, -1], other[:, -1])
    length = np.where(last > first, last - first, np.nan)[:, None]
    wanted = (truth == 1.0) & np.isfinite(sample.truth.onset)
    errors = (np.where(wanted, np.abs(o - sample.truth.onset) / length, np.nan) for o in (network.onset, shown.onset))
    return network.probability, shown.present, *errors, truth


def _onsets(network: FloatArray, whole: FloatArray) -> dict[str, float]:
    """Median and ninth decile of the errors that are known."""
    out = {}
    for who, errors in (("network", network), ("whole", whole)):
        known = errors[np.isfinite(errors)]
        for name, place in (("median", 0.5), ("p90", 0.9)):
            out[f"onset_{name}_{who}"] = float(np.quantile(known, place)) if len(known) else float("nan")
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--simulated", type=Path, help="cache of simulated trainings")
    parser.add_argument("--count", type=int, default=8192, help="runs of each source")
    parser.add_argument("--out", type=Path, default=RESULTS / "families.csv")
    options = parser.parse_args()
    classifier = load_classifier()
    if classifier is None:
        raise SystemExit("no weights are installed: run train.py first")
    rows = list(rows_of("drawn", drawn(options.count), classifier))
    if options.simulated:
        rows += rows_of("simulated", simulated(options.simulated, options.count), classifier)
    print_table(rows)
    write_scores(rows, options.out)


if __name__ == "__main__":
    main()
