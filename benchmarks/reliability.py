"""Do probabilities mean what they say: reliability of every label on runs the training never saw, as CSV and picture.

    python benchmarks/reliability.py ../shared/clinic_runs/dev.jsonl.gz ../shared/real_runs/dev.jsonl \\
        --simulated runs/simulated.parquet

Per label and source, ten equal bins of the probability: how many scored cells fall in, their mean probability, and the
share that truly shows the label. Sources: fresh drawn runs, half of them of the trends that `train.py` holds out, logs
of simulated trainings of held-out families, and the yardsticks, all of them together. The picture,
`docs/reliability.svg`, has one panel a label; a point on the diagonal says what is so, one above it is too modest, one
below it too sure; bins of fewer than ten cells are left out.

What it does not show: cells that nobody could decide; how probabilities shift where a symptom is rarer or more common
than in the training stream (see "Prior" in weights/MODEL_CARD.md); yardsticks have few positives a label.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from families import SEED, judged, simulated
from judges import opinions
from tables import Row, print_table, write_scores
from yardstick import RESULTS, load_records, truth_of

import train
from curveclinic.deciding.classifier import Classifier, load_classifier
from curveclinic.labels import LABELS
from curveclinic.model.calibrate import BINS
from curveclinic.ragged import FloatArray
from curveclinic.synth.families import TRENDS
from curveclinic.synth.generate import BLOCK, Sample, generate

FEWEST = 10
"""Cells a drawn point stands for at least."""

DRAWN, SIMULATED, YARDSTICKS = "drawn, half held-out families", "simulated, held-out families", "yardsticks"
PICTURE = Path(__file__).parent.parent / "docs" / "reliability.svg"

Cells = tuple[FloatArray, FloatArray]
"""(n, 20) probabilities and truth, NaN where unknown."""


def rows_of(source: str, cells: Cells) -> Iterator[Row]:
    """Every filled bin of every label."""
    probability, truth = cells
    for j, label in enumerate(LABELS):
        known = ~np.isnan(truth[:, j]) & ~np.isnan(probability[:, j])
        p, t = probability[known, j], truth[known, j]
        place = np.minimum((p * BINS).astype(int), BINS - 1)
        for k in np.unique(place).tolist():
            here = place == k
            yield {
                "source": source,
                "label": label,
                "bin": k / BINS,
                "cells": int(here.sum()),
                "probability": float(p[here].mean()),
                "share": float(t[here].mean()),
            }


def drawn(count: int) -> Iterator[Sample]:
    """Fresh runs, every other block of the held-out trends."""
    for k in range(-(-count // BLOCK)):
        trends = (tuple(TRENDS), train.HELD_OUT)[k % 2]
        yield generate((SEED, 2, k), BLOCK, trends=trends, max_points=train.MAX_POINTS)


def unseen(classifier: Classifier, cache: Path | None, count: int) -> Iterator[tuple[str, Cells]]:
    """Cells of runs whose truth the generator knows."""
    sources = {DRAWN: drawn(count)} | ({SIMULATED: simulated(cache, count)} if cache else {})
    for source, samples in sources.items():
        parts = [judged(sample, classifier) for sample in samples]
        yield source, (np.concatenate([p[0] for p in parts]), np.concatenate([p[4] for p in parts]))


def yardsticks(paths: Sequence[Path]) -> Cells:
    """Cells that readers of real logs decided."""
    records = [record for path in paths for record in load_records(path)]
    network = opinions([record.run for record in records])["network"]
    return np.where(network.judged[:, None], network.probability, np.nan), truth_of(records)


def draw_picture(rows: Sequence[Row], path: Path) -> None:
    """One panel a label, one line a source."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams |= {"svg.hashsalt": "reliability", "font.size": 7, "svg.fonttype": "none"}
    from matplotlib import pyplot as plt

    colours: Mapping[str, str] = {DRAWN: "tab:blue", SIMULATED: "tab:green", YARDSTICKS: "tab:orange"}
    figure, panels = plt.subplots(4, 5, figsize=(10, 8.4), sharex=True, sharey=True, layout="constrained")
    for panel, label in zip(panels.ravel(), LABELS, strict=True):
        panel.plot([0, 1], [0, 1], color="grey", linewidth=0.6)
        for source, colour in colours.items():
            seen = [r for r in rows if (r["source"], r["label"]) == (source, label) and r["cells"] >= FEWEST]
            place, height = [r["probability"] for r in seen], [r["share"] for r in seen]
            panel.plot(place, height, "o-", color=colour, markersize=2.5, linewidth=0.9, label=source)
        panel.set_title(label)
    figure.supxlabel("mean probability of the bin")
    figure.supylabel("share that truly shows it")
    figure.legend(*panels[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=3, frameon=False)
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("records", type=Path, nargs="*", help="labelled runs, JSON lines")
    parser.add_argument("--simulated", type=Path, help="cache of simulated trainings")
    parser.add_argument("--count", type=int, default=8192, help="runs of each unseen source")
    parser.add_argument("--out", type=Path, default=RESULTS / "reliability.csv")
    parser.add_argument("--picture", type=Path, default=PICTURE)
    options = parser.parse_args()
    classifier = load_classifier()
    if classifier is None:
        raise SystemExit("no weights are installed: run train.py first")
    found = list(unseen(classifier, options.simulated, options.count))
    if options.records:
        found.append((YARDSTICKS, yardsticks(options.records)))
    rows = [row for source, cells in found for row in rows_of(source, cells)]
    print_table(rows)
    write_scores(rows, options.out)
    draw_picture(rows, options.picture)


if __name__ == "__main__":
    main()
