"""Is the answer still right when a log is thinned: synthetic runs, labelled anew after thinning.

    python benchmarks/coarser.py

Fresh synthetic runs, and ones of the families that training never saw, keep every 4th or every 20th point of each
channel; runs need 24 (120) points in the shorter logged loss. changed: the share of runs whose set of labels changes;
wrong: the share in which a label is gained that the thinned log clearly lacks, or lost that it clearly shows, by the
truth measured anew on the points that are left.

What it does not show: real logs (robustness.py has those, without a truth of the thinned log).
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from early import HELD_OUT
from robustness import FEWEST_KEPT
from streams import ABSENT, PRESENT, found_in, runs_of, truth_of
from tables import Row, print_table, write_scores
from yardstick import RESULTS

from curveclinic.labels import LABELS, LOSSES
from curveclinic.synth.families import TRENDS
from curveclinic.synth.generate import BLOCK, Sample, generate
from curveclinic.synth.retold import thinned_log

STRIDES = (4, 20)
MAX_POINTS = 4000
"""Longest synthetic run."""


def rows_of(name: str, samples: Sequence[Sample]) -> Iterator[Row]:
    """Changes of all labels, then of those that change, at every stride."""
    for stride in STRIDES:
        parts = [changes(sample, stride) for sample in samples]
        changed, wrong = (np.concatenate([part[k] for part in parts]) for k in (0, 1))
        yield _row(name, stride, "", changed.any(axis=1), wrong.any(axis=1))
        for j in np.flatnonzero(changed.any(axis=0)):
            yield _row(name, stride, LABELS[j], changed[:, j], wrong[:, j])


def changes(sample: Sample, stride: int) -> tuple[np.ndarray, np.ndarray]:
    """(m, 20) labels that come or go with thinning, and those of them that should not, of the runs long enough."""
    counts = [sample.batch.channels[name].finite().lengths for name in LOSSES]
    shortest = np.where(np.minimum(*counts) > 0, np.minimum(*counts), np.maximum(*counts))
    long = np.flatnonzero(shortest >= stride * FEWEST_KEPT)
    coarse = thinned_log(sample.logged, stride)
    before, after = (found_in(runs_of(batch.take(long))) for batch in (sample.batch, coarse.batch))
    degree = truth_of(coarse).degree[long]
    wrong = (after & ~before & (degree <= ABSENT)) | (before & ~after & (degree >= PRESENT))
    return before != after, wrong


def _row(name: str, stride: int, label: str, changed: np.ndarray, wrong: np.ndarray) -> Row:
    values = {"changed": float(changed.mean()), "wrong": float(wrong.mean()), "n": len(changed)}
    return {"runs": name, "stride": stride, "label": label, **values}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--runs", type=int, default=4096, help="synthetic runs of each set, before short ones are left out"
    )
    parser.add_argument("--out", type=Path, default=RESULTS / "coarser.csv")
    parser.add_argument("--seed", type=int, default=21)
    options = parser.parse_args()
    rows: list[Row] = []
    for name, trends in (("held-out families", HELD_OUT), ("all families", tuple(TRENDS))):
        blocks = range(-(-options.runs // BLOCK))
        samples = [generate((options.seed, k), BLOCK, trends=trends, max_points=MAX_POINTS) for k in blocks]
        rows += rows_of(name, samples)
    print_table([row for row in rows if not row["label"]])
    write_scores(rows, options.out)


if __name__ == "__main__":
    main()
