"""Scores of label predictions, each computed for the sample and for all its resamples at once.

Every function takes `weight`, (draws + 1, n): how often each run counts. Row 0 is the sample itself, the others are
bootstrap resamples, so two judges scored with the same weights can be compared pair by pair.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from curveclinic.ragged import BoolArray, FloatArray, IntArray

FEWEST_POSITIVES = 5
"""Positives a label needs to count in a macro average: below that one run moves its F1 by a fifth and more."""

COVERAGE = 0.90
"""Share of resamples inside a reported interval."""


@dataclass(frozen=True)
class Estimate:
    """A value with its bootstrap interval; NaN where there is nothing to measure."""

    value: float
    low: float
    high: float


def resamples(n: int, draws: int, seed: int) -> IntArray:
    """(draws + 1, n) how often each of n runs is drawn; row 0 is all ones."""
    rng = np.random.default_rng(seed)
    drawn = rng.multinomial(n, np.full(n, 1.0 / n), size=draws)
    return np.concatenate([np.ones((1, n), dtype=np.int64), drawn])


def estimate(values: FloatArray) -> Estimate:
    """The value of row 0 and the central `COVERAGE` of the resamples."""
    known = values[1:][~np.isnan(values[1:])]
    tail = (1.0 - COVERAGE) / 2.0
    low, high = np.quantile(known, [tail, 1.0 - tail]) if len(known) else (np.nan, np.nan)
    return Estimate(float(values[0]), float(low), float(high))


def precision(present: BoolArray, truth: FloatArray, weight: IntArray) -> FloatArray:
    """(draws + 1, 20) share of the found labels that are there, over scored cells."""
    hits, false, _ = _counts(present, truth, weight)
    return _ratio(hits, hits + false)


def recall(present: BoolArray, truth: FloatArray, weight: IntArray) -> FloatArray:
    """(draws + 1, 20) share of the labels there that are found."""
    hits, _, missed = _counts(present, truth, weight)
    return _ratio(hits, hits + missed)


def f1(present: BoolArray, truth: FloatArray, weight: IntArray) -> FloatArray:
    """(draws + 1, 20) harmonic mean of precision and recall; NaN for labels without a positive."""
    hits, false, missed = _counts(present, truth, weight)
    return np.where(hits + missed > 0, _ratio(2 * hits, 2 * hits + false + missed), np.nan)


def average_precision(score: FloatArray, truth: FloatArray, weight: IntArray) -> FloatArray:
    """(draws + 1, 20) mean precision at the positives, averaged over all orders of equal scores.

    Args:
        score: (n, 20); NaN (a label the judge could not check) ranks last.
        truth: (n, 20) 1, 0 or NaN.
        weight: (draws + 1, n).
    """
    return np.stack([_mean_precision(*_ranked(*label, weight)) for label in zip(score.T, truth.T, strict=True)], axis=1)


def best_f1(score: FloatArray, truth: FloatArray, weight: IntArray) -> FloatArray:
    """(draws + 1, 20) F1 at each label's best threshold in hindsight; arguments as in `average_precision`."""
    return np.stack([_best(*_ranked(*label, weight)) for label in zip(score.T, truth.T, strict=True)], axis=1)


def macro(values: FloatArray, truth: FloatArray) -> FloatArray:
    """(draws + 1,) mean over the labels with at least `FEWEST_POSITIVES` positives in the sample."""
    counted = values[:, (truth == 1.0).sum(axis=0) >= FEWEST_POSITIVES]
    known = ~np.isnan(counted)
    return _ratio(np.where(known, counted, 0.0).sum(axis=1), known.sum(axis=1))


def share(flag: BoolArray, among: BoolArray, weight: IntArray) -> FloatArray:
    """(draws + 1,) share of the flagged among some of the runs."""
    return _ratio(weight @ (flag & among), weight @ among)


def _counts(present: BoolArray, truth: FloatArray, weight: IntArray) -> tuple[IntArray, IntArray, IntArray]:
    """Hits, false findings and misses, each (draws + 1, 20)."""
    there, absent = truth == 1.0, truth == 0.0
    return weight @ (present & there), weight @ (present & absent), weight @ (~present & there)


def _ratio(part: npt.ArrayLike, whole: npt.ArrayLike) -> FloatArray:
    whole = np.asarray(whole, dtype=np.float64)
    return np.asarray(part, dtype=np.float64) / np.where(whole > 0, whole, np.nan)


def _ranked(score: FloatArray, truth: FloatArray, weight: IntArray) -> tuple[IntArray, IntArray]:
    """Scored runs and positives down to the end of each group of equal scores, both (draws + 1, groups), from 0."""
    scored = ~np.isnan(truth)
    values, there, weight = np.nan_to_num(score, nan=-1.0)[scored], truth[scored] > 0.5, weight[:, scored]
    order = np.argsort(-values, kind="stable")
    last = np.append(np.diff(values[order]) != 0, True)[: len(values)]  # of its group
    counts = (np.cumsum(cells[:, order], axis=1)[:, last] for cells in (weight, weight * there))
    seen, hits = (np.pad(count, ((0, 0), (1, 0))) for count in counts)
    return seen, hits


def _best(seen: IntArray, hits: IntArray) -> FloatArray:
    """(draws + 1,) largest F1 over the thresholds of one ranking."""
    there = hits[:, -1:]
    return np.where(there > 0, 2 * hits / np.maximum(seen + there, 1), np.nan).max(axis=1)


def _mean_precision(seen: IntArray, hits: IntArray) -> FloatArray:
    """(draws + 1,) average precision of one ranking.

    In a group of n equal scores with t positives, after N others with T positives, the i-th place holds a positive
    with probability t / n, whose precision is on average (T + 1 + (i - 1)c) / (N + i) with c = (t - 1) / (n - 1).
    """
    n, t = np.diff(seen, axis=1), np.diff(hits, axis=1)
    c = np.where(n > 1, (t - 1) / np.maximum(n - 1, 1), 0.0)
    harmonic = np.concatenate([[0.0], np.cumsum(1.0 / np.arange(1, seen.max() + 1))])
    per_place = hits[:, :-1] + 1 - c * (1 + seen[:, :-1])
    over_places = c * n + per_place * (harmonic[seen[:, 1:]] - harmonic[seen[:, :-1]])
    return _ratio((over_places * t / np.maximum(n, 1)).sum(axis=1), hits[:, -1])
