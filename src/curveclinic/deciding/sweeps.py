"""Runs whose learning rate is swept through decades from the first step to the last: range tests, not trainings."""

from __future__ import annotations

from typing import Final

import numpy as np

from curveclinic.ragged import FloatArray, Ragged

_FEWEST: Final = 12
"""Logged rates from which a sweep can be told."""

_SPAN: Final = 1e3
"""Last over first rate: a warm-up from 1/25 of its peak, or from 1/100, is none."""

_MIDDLE: Final = 0.1
"""Median over last rate at most: by then a sweep by factors has come halfway in decades, a linear warm-up in rates."""


def sweep_notes(rates: FloatArray) -> tuple[str, ...]:
    """Returns the note on a run with such learning rates, () where they are not those of a range test."""
    if not _is_sweep(rates):
        return ()
    span = f"{rates[0]:.2g} to {rates[-1]:.2g}"
    return (f"lr rises from {span} all along, as in a range test; `curveclinic check lr-range` reads one",)


@np.errstate(over="ignore")
def notes_of_sweeps(rates: Ragged) -> dict[int, tuple[str, ...]]:
    """Returns run -> its note, for those of n runs that are range tests."""
    if not len(rates.values):
        return {}
    begin, end = np.minimum(rates.offsets[:-1], len(rates.values) - 1), rates.offsets[1:]
    first, last = rates.values[begin], rates.values[np.maximum(end - 1, 0)]
    likely = np.flatnonzero((rates.lengths >= _FEWEST) & (first > 0) & (last >= _SPAN * first)).tolist()
    own = {i: sweep_notes(rates.values_of(i)) for i in likely}
    return {i: notes for i, notes in own.items() if notes}


@np.errstate(over="ignore", invalid="ignore")
def _is_sweep(rates: FloatArray) -> bool:
    if len(rates) < _FEWEST or not 0 < rates[0] * _SPAN <= rates[-1]:
        return False
    return bool((np.diff(rates) >= 0).all() and np.median(rates) <= _MIDDLE * rates[-1])
