"""Which run of a cohort is unlike the others: by a finding, or by a level. Few runs know their own spread badly."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from curveclinic.diagnosis import Diagnosis
from curveclinic.labels import LABELS
from curveclinic.measuring.measures import LOG_SPAN, MAD_TO_STD
from curveclinic.phrases import value
from curveclinic.ragged import BoolArray, FloatArray

_LIMITS = {4: 6.9, 5: 7.8, 6: 5.5, 7: 5.8, 8: 4.9, 9: 5.1, 10: 4.6, 12: 4.4, 15: 4.3, 20: 4.0, 30: 3.8}
"""Runs -> distance from the median, in robust standard deviations, beyond which a level is odd.

In one of 20 cohorts of normally distributed levels the farthest run is beyond it (100,000 drawn for each size): few
runs know their spread badly. Sizes between take the next smaller entry.
"""

FEWEST = min(_LIMITS)
"""Runs needed to call one of them odd."""

_CLEAR = 0.05
"""Share of the cohort's own descent by which an odd level must differ: below it nobody would care."""

_SURE = 0.5
"""Difference in probability from the others' median at which a finding, or its absence, sets a run apart."""

_RARE = 8
"""One run in so many, at least one, may stand apart in a label; more are no odd ones but a part of the cohort."""


def odd_findings(diagnoses: Sequence[Diagnosis]) -> list[tuple[int, str]]:
    """Runs that are nearly alone in having, or in lacking, a finding above a notice, and clearly so.

    None where these are half of the runs: what each does alone, the others do not do together.
    """
    found = list(_alone(diagnoses))
    return found if 2 * len({run for run, _ in found}) < len(diagnoses) else []


def _alone(diagnoses: Sequence[Diagnosis]) -> Iterator[tuple[int, str]]:
    serious = [{f.label for f in d.findings if f.severity != "notice"} for d in diagnoses]
    for label in LABELS:
        checked = [i for i, d in enumerate(diagnoses) if label in d.probabilities]
        holds = [i for i in checked if label in serious[i]]
        lacks = [i for i in checked if label not in diagnoses[i].labels]
        few = max(1, len(checked) // _RARE)
        if len(checked) < FEWEST or not holds or not lacks:
            continue
        for group, others, word in ((holds, lacks, "has"), (lacks, holds, "lacks")):
            apart = float(np.median([diagnoses[i].probabilities[label] for i in others]))
            sure = [i for i in group if abs(diagnoses[i].probabilities[label] - apart) >= _SURE]
            if len(group) <= few and len(others) > len(checked) / 2:
                yield from ((i, f"{word} {label}, unlike {len(others)} of {len(checked)}") for i in sure)


def odd_levels(what: str, levels: FloatArray, starts: FloatArray) -> Iterator[tuple[int, str]]:
    """Runs whose level is too far from the others' for their spread, and far on the scale of the descent."""
    known = np.isfinite(levels)
    if known.sum() < FEWEST:
        return
    limit = next(_LIMITS[size] for size in sorted(_LIMITS, reverse=True) if size <= known.sum())
    middle = float(np.median(levels[known]))
    seen, first = _view(levels, starts, known)
    with np.errstate(over="ignore"):
        away = np.abs(seen - np.median(seen[known]))
        deviation = MAD_TO_STD * float(np.median(away[known]))
        descent = abs(float(np.median(first[known])) - float(np.median(seen[known])))
    for i in np.flatnonzero(known & (away > limit * deviation) & (away > _CLEAR * descent)):
        text = f"{what} {value(float(levels[i]))}, median {value(middle)}"
        yield int(i), f"{text} ({_times(away[i], deviation)})"


def _view(levels: FloatArray, starts: FloatArray, known: BoolArray) -> tuple[FloatArray, FloatArray]:
    """Levels and starts, as logarithms where positive values span decades."""
    both = np.concatenate([levels[known], starts[known]])
    if both.min() > 0 and both.max() / LOG_SPAN > both.min():
        return np.log(levels), np.log(starts)
    return levels, starts


def _times(away: float, deviation: float) -> str:
    return f"robust z {away / deviation:.1f}" if deviation > 0 else "all others are alike"
