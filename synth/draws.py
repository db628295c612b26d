"""Draws for n runs at once: the words the families' tables are written in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from curveclinic.synth.descent import FloatArray, IntArray

Draw = dict[str, FloatArray | IntArray]
"""Plan fields by name, (n,) each."""

Rng = np.random.Generator


def full(n: int, value: float) -> FloatArray:
    """(n,) the same float."""
    return np.full(n, value)


def ints(n: int, value: int) -> IntArray:
    """(n,) the same integer."""
    return np.full(n, value, dtype=np.int64)


def log_uniform(rng: Rng, low: float, high: float, n: int) -> FloatArray:
    """(n,) log-uniform draws."""
    return np.exp(rng.uniform(np.log(low), np.log(high), n))


def chance(rng: Rng, share: float, n: int) -> FloatArray:
    """(n,) 1.0 with the given probability, else 0.0."""
    return (rng.random(n) < share).astype(np.float64)


def pick(rng: Rng, weights: Mapping[int, float] | Sequence[float], n: int) -> IntArray:
    """(n,) indices drawn with the given weights."""
    table = weights if isinstance(weights, Mapping) else dict(enumerate(weights))
    p = np.array(list(table.values()))
    return rng.choice(np.array(list(table)), size=n, p=p / p.sum())
