"""How a training loss falls: latent curves on a shared time grid, learning-rate schedules and their effect.

Every function works on n runs at once. Time u runs from 0 to 1 over the planned training; the grid is denser
at the start, where losses fall fastest.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np

from curveclinic.ragged import FloatArray, IntArray

GRID: Final = np.linspace(0.0, 1.0, 384) ** 2
"""(G,) planned time of the latent grid; the first step is 7e-6 of the run."""


def _constant(u: FloatArray, a: FloatArray, b: FloatArray) -> FloatArray:
    return np.ones_like(u) + 0.0 * a


def _cosine(u: FloatArray, a: FloatArray, b: FloatArray) -> FloatArray:
    return 0.5 * (1.0 + np.cos(np.pi * u)) * (1 - 0.1 * b) + 0.1 * b * a


def _linear(u: FloatArray, a: FloatArray, b: FloatArray) -> FloatArray:
    return 1.0 - u * (1.0 - 0.1 * a * b)


def _exponential(u: FloatArray, a: FloatArray, b: FloatArray) -> FloatArray:
    return np.exp(-u * (0.5 + 5.0 * a))


def _steps(u: FloatArray, a: FloatArray, b: FloatArray) -> FloatArray:
    factor = np.where(b < 0.5, 0.1, 0.2 + 0.3 * a)
    first = 0.25 + 0.45 * a
    drops = (u > first).astype(float) + (u > first + (1 - first) * (0.35 + 0.5 * b)) * (b > 0.25)
    return np.asarray(factor**drops)


def _many_steps(u: FloatArray, a: FloatArray, b: FloatArray) -> FloatArray:
    """Reduce-on-plateau: halvings at a growing rate."""
    return np.asarray(0.5 ** np.floor(np.maximum(u - 0.1 - 0.3 * a, 0.0) * (3.0 + 8.0 * b)))


def _restarts(u: FloatArray, a: FloatArray, b: FloatArray) -> FloatArray:
    phase = np.mod(u * np.floor(2.0 + 4.0 * a), 1.0)
    return 0.5 * (1.0 + np.cos(np.pi * phase)) * (1.0 - 0.3 * b * u) + 0.01


def _triangles(u: FloatArray, a: FloatArray, b: FloatArray) -> FloatArray:
    phase = np.mod(u * np.floor(2.0 + 5.0 * a) + 0.5 * (b > 0.5), 1.0)
    return 0.05 + 0.95 * (1.0 - np.abs(2.0 * phase - 1.0))


def _one_cycle(u: FloatArray, a: FloatArray, b: FloatArray) -> FloatArray:
    top = 0.2 + 0.2 * a
    rise = 0.04 + 0.96 * 0.5 * (1 - np.cos(np.pi * np.minimum(u / top, 1.0)))
    fall = 0.5 * (1 + np.cos(np.pi * np.clip((u - top) / (1 - top), 0, 1)))
    return np.where(u < top, rise, fall + 1e-4)


def _inverse_root(u: FloatArray, a: FloatArray, b: FloatArray) -> FloatArray:
    return np.asarray((1.0 + u * (5.0 + 50.0 * a)) ** -0.5)


SCHEDULES: Final[dict[str, Callable[[FloatArray, FloatArray, FloatArray], FloatArray]]] = {
    "constant": _constant,
    "cosine": _cosine,
    "linear": _linear,
    "exponential": _exponential,
    "steps": _steps,
    "many_steps": _many_steps,
    "restarts": _restarts,
    "triangles": _triangles,
    "one_cycle": _one_cycle,
    "inverse_root": _inverse_root,
}
"""Schedule -> learning rate in (0, 1] from time (n, G) and two shape numbers (n, 1) in [0, 1]."""

SCHEDULE_INDEX: Final = {name: i for i, name in enumerate(SCHEDULES)}


def learning_rate(kind: IntArray, warmup: FloatArray, a: FloatArray, b: FloatArray) -> FloatArray:
    """(n, G) learning rate relative to its peak; warmup (n,) is its share of the run."""
    out, warm = np.empty((len(kind), len(GRID))), warmup > 0
    for index, shape in enumerate(SCHEDULES.values()):
        of_kind = kind == index
        for rows in (np.flatnonzero(of_kind & warm), np.flatnonzero(of_kind & ~warm)):
            if len(rows):
                out[rows] = shape(_since_warmup(warmup[rows]), a[rows, None], b[rows, None])
    rows = np.flatnonzero(warm)
    out[rows] *= np.minimum(GRID / np.maximum(warmup[rows, None], 1e-9), 1.0)
    return np.maximum(out, 1e-6, out=out)


def _since_warmup(warmup: FloatArray) -> FloatArray:
    """(n, G) share of the schedule that has passed; (1, G) where no run has a warm-up."""
    if not np.any(warmup):
        return GRID[None, :]
    start = warmup[:, None]
    return np.clip((GRID - start) / np.maximum(1.0 - start, 1e-6), 0.0, 1.0)


def progress(rate: FloatArray, weight: FloatArray) -> FloatArray:
    """(n, G) share of the whole progress made: the integral of lr ** weight; weight 0 is a schedule without effect."""
    area = np.tile(GRID, (len(rate), 1))
    rows = np.flatnonzero(weight > 0)
    speed = rate[rows] ** weight[rows, None]
    gain = speed[:, 1:] + speed[:, :-1]
    gain *= np.diff(GRID)
    total = np.cumsum(gain, axis=1)
    total /= total[:, -1:]
    area[rows, 1:] = total
    return area


def _decay_exponential(x: FloatArray, a: FloatArray) -> FloatArray:
    return np.exp(-x)


def _decay_power(x: FloatArray, a: FloatArray) -> FloatArray:
    return np.asarray((1.0 + x) ** -(0.25 + 1.2 * a))


def _decay_stretched(x: FloatArray, a: FloatArray) -> FloatArray:
    return np.exp(-(x ** (0.3 + 0.5 * a)))


def _decay_two_phase(x: FloatArray, a: FloatArray) -> FloatArray:
    share = 0.15 + 0.6 * a
    return (1 - share) * np.exp(-x) + share * np.exp(-x * 0.06)


def _decay_late(x: FloatArray, a: FloatArray) -> FloatArray:
    """Logistic: slow, fast, slow."""
    middle = 2.0 + 4.0 * a
    return np.asarray((1 + np.exp(-middle)) / (1.0 + np.exp(np.clip(x - middle, -50, 50))))


def _decay_stairs(x: FloatArray, a: FloatArray) -> FloatArray:
    """Plateau, fall, plateau, fall: features learned one after the other."""
    first, second = 0.3 + 0.4 * a, 3.0 + 8.0 * a
    share = 0.3 + 0.4 * (1 - a)
    late = 1.0 / (1.0 + np.exp(np.clip(3.0 * (x - second), -50, 50)))
    return (1 - share) * np.exp(-x / first) + share * late


def _decay_linear(x: FloatArray, a: FloatArray) -> FloatArray:
    return np.maximum(1.0 - x * (0.2 + 0.8 * a) / 3.0, 0.02)


def _decay_log(x: FloatArray, a: FloatArray) -> FloatArray:
    """Falls by equal amounts per decade of time, like a small language model."""
    return np.clip(1.0 - np.log1p(x * 3.0) / (4.0 + 5.0 * a), 0.0, 1.0)


DECAYS: Final[dict[str, Callable[[FloatArray, FloatArray], FloatArray]]] = {
    "exponential": _decay_exponential,
    "power": _decay_power,
    "stretched": _decay_stretched,
    "two_phase": _decay_two_phase,
    "late": _decay_late,
    "stairs": _decay_stairs,
    "linear": _decay_linear,
    "log": _decay_log,
}
"""Decay -> remaining share in [0, 1] from rate times progress (n, G) and a shape number (n, 1) in [0, 1]."""

DECAY_INDEX: Final = {name: i for i, name in enumerate(DECAYS)}


def decay(kind: IntArray, done: FloatArray, rate: FloatArray, shape: FloatArray, plateau: FloatArray) -> FloatArray:
    """(n, G) remaining share of the distance to the floor; plateau (n,) is the idle share of progress at the start."""
    x = rate[:, None] * done
    rows = np.flatnonzero(plateau > 0)
    idle = plateau[rows, None]
    soft = 0.15 * idle + 1e-6
    held = soft * np.logaddexp(0.0, np.clip((done[rows] - idle) / soft, -60, 60))
    x[rows] = rate[rows, None] * held / np.maximum(1.0 - idle, 0.05)
    out = np.empty_like(x)
    for index, shape_of in enumerate(DECAYS.values()):
        rows = np.flatnonzero(kind == index)
        if len(rows):
            out[rows] = shape_of(x[rows], shape[rows, None])
    return out
