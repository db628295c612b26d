"""When to stop and which checkpoint to keep: patience, and the first finding of overfitting. Part of `early.py`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from streams import PRESENT, runs_of, until_step
from tables import Row

from curveclinic.labels import LABELS
from curveclinic.predict import predict_runs
from curveclinic.ragged import FloatArray, IntArray, Ragged
from curveclinic.run import Run
from curveclinic.synth.generate import Sample

PATIENCES = (3, 10, 20)

FEWEST_VAL = 10
"""Val points of a run that is compared: with fewer there is nothing to save."""

CHECKS = 50
"""Most times a run is looked at while it grows; with fewer val points, after each."""

FIRST_CHECK = 8
"""Val points at the first look."""

NEAR_BEST = 0.01
"""Share of the true val loss's drop within which a checkpoint counts as the best one."""

_OVERFITTING = LABELS.index("overfitting")


@dataclass(frozen=True, eq=False)
class Stop:
    """What a policy does with n runs.

    Attributes:
        kept: (n,) index of the val point whose checkpoint is kept.
        ended: (n,) index of the last val point that was trained for.
    """

    kept: IntArray
    ended: IntArray


def early_stopping(val: Sequence[FloatArray], patience: int) -> Stop:
    """Keras' and Lightning's EarlyStopping on finite losses, min_delta 0, with the best weights kept.

    Both compare strictly (`current < best`), count the checks since, and stop when the count reaches the patience.
    (They differ for a loss of NaN only: Lightning stops at once, Keras counts on.)
    """
    kept, ended = np.zeros(len(val), dtype=np.int64), np.zeros(len(val), dtype=np.int64)
    for i, values in enumerate(val):
        lowest = np.minimum.accumulate(values)
        improves = np.append(True, values[1:] < lowest[:-1])
        place = np.arange(len(values))
        best = np.maximum.accumulate(np.where(improves, place, 0))
        out_of_patience = place - best >= patience
        ended[i] = int(out_of_patience.argmax()) if out_of_patience.any() else len(values) - 1
        kept[i] = best[ended[i]]
    return Stop(kept, ended)


def to_the_end(val: Sequence[FloatArray], keep: Callable[[FloatArray], int]) -> Stop:
    """Trains on to the last point and keeps one checkpoint."""
    return Stop(np.array([keep(v) for v in val]), np.array([len(v) - 1 for v in val]))


def first_finding(runs: Sequence[Run]) -> Stop:
    """Stops where overfitting is found for the first time and keeps `stop_at`; else the last checkpoint."""
    looks = [(i, at) for i, run in enumerate(runs) for at in _looks(len(run.channels["val_loss"]))]
    prefixes = [until_step(runs[i], float(runs[i].channels["val_loss"].steps[at])) for i, at in looks]
    ended = np.array([len(run.channels["val_loss"]) - 1 for run in runs])
    kept = ended.copy()
    open_still = np.ones(len(runs), dtype=bool)
    for (i, at), diagnosis in zip(looks, predict_runs(prefixes), strict=True):
        if open_still[i] and diagnosis.stop_at is not None:
            open_still[i], ended[i] = False, at
            kept[i] = int(np.searchsorted(runs[i].channels["val_loss"].steps, diagnosis.stop_at))
    return Stop(kept, ended)


def _looks(points: int) -> IntArray:
    """Indices of the val points after which a run is looked at."""
    return np.unique(np.linspace(FIRST_CHECK - 1, points - 1, CHECKS).round().astype(np.int64))


def comparison(sample: Sample, name: str) -> Iterator[Row]:
    """Every policy's row, for runs that overfit and for the others."""
    rows = np.flatnonzero(_comparable(sample))
    overfits = sample.truth.degree[rows, _OVERFITTING] >= PRESENT
    clear = sample.truth.degree[rows, _OVERFITTING] <= 0
    runs = runs_of(sample.batch.take(rows))
    val = [run.channels["val_loss"].values for run in runs]
    clean = _split(sample.logged.clean.channels["val_loss"].take(rows))
    policies = {f"patience {p}": early_stopping(val, p) for p in PATIENCES}
    policies["to the end, lowest val kept"] = to_the_end(val, lambda v: int(v.argmin()))
    policies["to the end, last kept"] = to_the_end(val, lambda v: len(v) - 1)
    policies["first finding, stop_at kept"] = first_finding(runs)
    for group, flag in (("overfit", overfits), ("not overfit", clear)):
        for policy, stop in policies.items():
            yield from _rows(f"{name}, {group}", policy, stop, clean, np.flatnonzero(flag))


def _comparable(sample: Sample) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """(n,) both losses logged, all val points finite and enough of them."""
    val, train = sample.batch.channels["val_loss"], sample.batch.channels["train_loss"]
    finite = val.finite().lengths == val.lengths
    return finite & (val.lengths >= FEWEST_VAL) & (train.finite().lengths == train.lengths)


def _split(channel: Ragged) -> list[FloatArray]:
    return [channel.values[channel.offsets[i] : channel.offsets[i + 1]] for i in range(channel.size)]


def _rows(runs: str, policy: str, stop: Stop, clean: Sequence[FloatArray], rows: IntArray) -> Iterator[Row]:
    regret = np.array([regret_of(clean[i], stop.kept[i]) for i in rows])
    saved = np.array([1.0 - (stop.ended[i] + 1) / len(clean[i]) for i in rows])
    measures = {
        "best_kept": (regret <= NEAR_BEST).mean(),
        "regret_median": np.median(regret),
        "regret_p90": np.quantile(regret, 0.9),
        "saved_mean": saved.mean(),
        "stopped": (saved > 0).mean(),
    }
    for measure, value in measures.items():
        yield {"part": "stopping", "runs": runs, "who": policy, "measure": measure, "value": value, "n": len(rows)}


def regret_of(clean: FloatArray, kept: int) -> float:
    """By how much the kept checkpoint's true val loss exceeds the lowest of the whole run, over the drop."""
    low = clean.min()
    drop = clean[0] - low if clean[0] > low else clean.max() - low
    return float((clean[kept] - low) / max(drop, 1e-300))
