"""Draws for n runs at once: the words the families' tables are written in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache

import numpy as np

from curveclinic.ragged import FloatArray, IntArray

Draw = dict[str, FloatArray | IntArray]
"""Plan fields by name, (n,) each."""

Rng = np.random.Generator


class Overridden:
    """Base of records of (n,) arrays: drawn for ordinary runs, then overridden for some of them."""

    def override(self, rows: IntArray, values: Draw) -> None:
        """Writes the draws of a family or a fault into its rows."""
        for name, value in values.items():
            getattr(self, name)[rows] = value


def full(n: int, value: float) -> FloatArray:
    """(n,) the same float."""
    return np.full(n, value)


def ints(n: int, value: int) -> IntArray:
    """(n,) the same integer."""
    return np.full(n, value, dtype=np.int64)


def log_uniform(rng: Rng, low: float, high: float, n: int) -> FloatArray:
    """(n,) log-uniform draws."""
    return np.exp(rng.uniform(_log(low), _log(high), n))


@cache
def _log(bound: float) -> float:
    return float(np.log(bound))


def chance(rng: Rng, share: float, n: int) -> FloatArray:
    """(n,) 1.0 with the given probability, else 0.0."""
    return (rng.random(n) < share).astype(np.float64)


def pick(rng: Rng, weights: Mapping[int, float] | Sequence[float], n: int) -> IntArray:
    """(n,) indices drawn with the given weights."""
    table = weights.items() if isinstance(weights, Mapping) else enumerate(weights)
    values, until = _shares(*table)
    return values[np.searchsorted(until, rng.random(n), side="right")]


@cache
def _shares(*table: tuple[int, float]) -> tuple[IntArray, FloatArray]:
    """The values of a table of weights, and the share of the draws that goes to each or to one before it."""
    # `rng.choice` draws the same, but checks its weights each time
    share = np.cumsum([weight for _, weight in table])
    return np.array([value for value, _ in table]), share / share[-1]
