"""How often the answer changes when the run does not: coarser logging, a little noise, other units.

    python benchmarks/robustness.py ../shared/clinic_runs/dev.jsonl.gz

Per perturbation: the share of runs whose set of labels changes (90 % bootstrap interval), for the whole and for the
rules; per label, how many runs gained and lost it. Thinning keeps every 4th (20th) point `v[::4]` of each channel,
from its first; runs need 24 (120) points in the shorter logged loss. Noise multiplies every logged value but the
learning rate by 1 + 0.01 N(0, 1), seeded. Units multiply both losses.

What it does not show: whether the answer was right, before or after; a judge that always says the same scores 0. Some
changes are right, too: thinning hides isolated spikes, and of a pattern with a period of four it leaves nothing.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import scores
from judges import Opinion, rules_alone, whole
from tables import Row, print_table, write_scores
from yardstick import default_out, load_records, shortest_loss

from curveclinic.deciding.rules import judge
from curveclinic.labels import LABELS, LOSSES
from curveclinic.points import Series
from curveclinic.ragged import Batch, BoolArray, FloatArray, IntArray
from curveclinic.run import Run

NOISE = 0.01
"""Relative standard deviation of the added noise."""

FEWEST_KEPT = 6
"""Points the shorter loss must keep when a run is thinned."""

Perturbation = Callable[[Run, np.random.Generator], Run]


def thinned(run: Run, step: int) -> Run:
    """Every `step`-th point of each channel, from the first."""
    kept = {name: Series(s.steps[::step], s.values[::step]) for name, s in run.channels.items()}
    return replace(run, channels=kept)


def noisy(run: Run, rng: np.random.Generator) -> Run:
    """All logged values but the learning rate, times 1 + `NOISE` * N(0, 1)."""
    factors = {name: 1.0 + NOISE * rng.standard_normal(len(s)) for name, s in run.channels.items() if name != "lr"}
    return _times(run, factors)


def rescaled(run: Run, unit: float) -> Run:
    """Both losses in another unit."""
    return _times(run, dict.fromkeys(LOSSES, unit))


def _times(run: Run, factors: Mapping[str, FloatArray | float]) -> Run:
    channels = {name: Series(s.steps, s.values * factors.get(name, 1.0)) for name, s in run.channels.items()}
    return replace(run, channels=channels)


PERTURBATIONS: dict[str, tuple[int, Perturbation]] = {
    "every_4th_point": (4 * FEWEST_KEPT, lambda run, rng: thinned(run, 4)),
    "every_20th_point": (20 * FEWEST_KEPT, lambda run, rng: thinned(run, 20)),
    "noise_1_percent": (4 * FEWEST_KEPT, noisy),
    "losses_times_1e-6": (1, lambda run, rng: rescaled(run, 1e-6)),
    "losses_times_1e6": (1, lambda run, rng: rescaled(run, 1e6)),
}
"""Name -> points needed in the shorter loss, and what is done to the run."""

JUDGES: dict[str, Callable[[Sequence[Run]], Opinion]] = {
    "whole": whole,
    "rules": lambda runs: rules_alone(batch := Batch.from_runs(runs), judge(batch)),
}


def rows_of(runs: Sequence[Run], draws: int, seed: int) -> Iterator[Row]:
    """Shares of changed label sets, then the labels gained and lost."""
    for name, (points, perturb) in PERTURBATIONS.items():
        before = [run for run in runs if shortest_loss(run) >= points]
        rng = np.random.default_rng(seed)
        after = [perturb(run, rng) for run in before]
        weight = scores.resamples(len(before), draws, seed)
        for who, opinion in JUDGES.items():
            yield from _compared(name, who, opinion(before).present, opinion(after).present, weight)


def _compared(name: str, who: str, before: BoolArray, after: BoolArray, weight: IntArray) -> Iterator[Row]:
    """One row for any label, then one for each."""
    yield _row(name, who, "", before, after, weight)
    for j, label in enumerate(LABELS):
        yield _row(name, who, label, before[:, [j]], after[:, [j]], weight)


def _row(name: str, who: str, label: str, before: BoolArray, after: BoolArray, weight: IntArray) -> Row:
    everyone = np.ones(len(before), dtype=bool)
    changed = scores.estimate(scores.share((before != after).any(axis=1), everyone, weight))
    return {
        "perturbation": name,
        "judge": who,
        "label": label,
        "share_changed": changed.value,
        "low": changed.low,
        "high": changed.high,
        "gained": int((after & ~before).any(axis=1).sum()),
        "lost": int((before & ~after).any(axis=1).sum()),
        "found_before": int(before.any(axis=1).sum()),
        "runs": len(before),
    }


def print_summary(rows: Sequence[Row]) -> None:
    """Prints the shares, and which labels come and go."""
    print_table([row for row in rows if not row["label"]])
    for name in PERTURBATIONS:
        moved = [r for r in rows if r["perturbation"] == name and r["label"] and r["gained"] + r["lost"]]
        moved.sort(key=lambda r: (r["judge"] != "whole", -r["share_changed"]))
        if moved:
            print_table(moved)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("records", type=Path, help="runs, JSON lines; labels are not read")
    parser.add_argument("--out", type=Path, help="CSV (default: results/robustness_<folder>.csv)")
    parser.add_argument("--draws", type=int, default=1000, help="bootstrap resamples")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    runs = [record.run for record in load_records(options.records)]
    rows = list(rows_of(runs, options.draws, options.seed))
    print_summary(rows)
    write_scores(rows, options.out or default_out(__file__, options.records))


if __name__ == "__main__":
    main()
