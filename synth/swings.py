"""Swings of the whole model: one wave for train and val. A new kind is a small function and an entry of the table.

Flat arrays over ragged runs; a wave has an amplitude of about 1.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

from curveclinic.ragged import FloatArray, IntArray
from curveclinic.synth.draws import Rng

_MOST: Final = 64
"""Kicks of a thrown swing and values of a chaotic one; beyond the last it goes on from the first."""


@dataclass(frozen=True, eq=False)
class _Points:
    """The points that swing in one way.

    Attributes:
        n: number of all runs, whatever their kind.
        run, index: (m,) run of each point and its place in it.
        phase: (m,) cycles since some start.
        wander: (m,) what the phase strays by.
        sine: (m,) the wave of the strayed phase.
    """

    n: int
    run: IntArray
    index: IntArray
    phase: FloatArray
    wander: FloatArray
    sine: FloatArray

    @property
    def side(self) -> FloatArray:
        """(m,) +1 and -1 in turn."""
        return np.where(self.index % 2 == 0, 1.0, -1.0)

    def shift(self, rng: Rng) -> FloatArray:
        """(m,) a phase drawn for each run."""
        return np.asarray(rng.random(self.n)[self.run])


def _sine(rng: Rng, at: _Points) -> FloatArray:
    """A jittered sine."""
    return at.sine


def _smooth(rng: Rng, at: _Points) -> FloatArray:
    """Correlated noise."""
    second = np.sin(2 * np.pi * (1.618 * at.phase + at.shift(rng)))
    third = np.sin(2 * np.pi * (2.41 * at.phase + at.shift(rng) + at.wander))
    return np.asarray(0.8 * at.sine + 0.6 * second + 0.5 * third)


def _alternating(rng: Rng, at: _Points) -> FloatArray:
    """Up and down from point to point."""
    return np.asarray(at.side * (0.6 + 0.8 * rng.random(len(at.run))))


def _relaxation(rng: Rng, at: _Points) -> FloatArray:
    """Kick and decay."""
    return np.asarray(2.2 * np.exp(-4.0 * np.mod(at.phase + at.wander, 1.0)) - 0.54)


def _bursts(rng: Rng, at: _Points) -> FloatArray:
    """A sine that comes and goes."""
    return np.asarray(at.sine * (1.4 * np.clip(1.5 * np.sin(2 * np.pi * (0.21 * at.phase + at.shift(rng))), 0, 1)))


def _wild(rng: Rng, at: _Points) -> FloatArray:
    """A different value at every point: the weights jump about, and val does the same."""
    return np.clip(rng.standard_normal(len(at.run)), -2.2, 2.8)


def _thrown(rng: Rng, at: _Points) -> FloatArray:
    """Thrown up about once a cycle, by another amount each time; rings while it falls: beyond the edge of stability."""
    rows, row = np.unique(at.run, return_inverse=True)
    shape = (len(rows), _MOST)
    times = np.cumsum(rng.gamma(1.5, 1 / 1.5, shape), axis=1)
    height, fall = 0.4 + rng.gamma(2.0, 0.5, shape), np.exp(rng.normal(0.3, 0.7, shape))
    slope, ring = rng.uniform(0.0, 1.2, len(rows))[row], rng.uniform(0.0, 0.9, len(rows))[row]
    clock = np.mod(at.phase, times[row, -1])
    long = times[:, -1].max(initial=0.0) + 1.0  # longer than any run's clock: one axis for all
    last = np.searchsorted((times + long * np.arange(len(rows))[:, None]).ravel(), clock + long * row, side="right")
    last -= row * _MOST
    since = clock - np.where(last > 0, times[row, last - 1], 0.0)
    rest = height[row, last] * np.exp(-2.0 * fall[row, last] * since)
    loud = at.side * rng.uniform(0.2, 1.8, len(row))
    return np.asarray(np.clip(rest * (1.0 + ring * loud) - slope * (since - 0.5) - 0.45, -2.0, 2.8))


def _chaotic(rng: Rng, at: _Points) -> FloatArray:
    """A logistic map in its chaotic range, one to six of its steps a cycle, straight lines between."""
    rows, row = np.unique(at.run, return_inverse=True)
    growth, pace = rng.uniform(3.57, 4.0, len(rows)), rng.uniform(1.0, 6.0, len(rows))
    steps = np.empty((len(rows), _MOST))
    x = rng.uniform(0.1, 0.9, len(rows))
    for k in range(_MOST):
        x = growth * x * (1.0 - x)
        steps[:, k] = x
    clock = np.mod(at.phase * pace[row], _MOST)
    left = clock.astype(np.int64)
    part = clock - left
    value = steps[row, left] * (1.0 - part) + steps[row, (left + 1) % _MOST] * part
    sign = np.where(rng.random(len(rows)) < 0.3, -1.0, 1.0)
    return np.asarray(sign[row] * (value - 0.6) / 0.3)


_KINDS: Final[dict[str, Callable[[Rng, _Points], FloatArray]]] = {
    "sine": _sine,
    "smooth": _smooth,
    "alternating": _alternating,
    "relaxation": _relaxation,
    "bursts": _bursts,
    "wild": _wild,
    "thrown": _thrown,
    "chaotic": _chaotic,
}

SWINGS: Final = tuple(_KINDS)
"""Kinds of swing; a plan holds a place in this tuple."""


def swings(
    rng: Rng, time: FloatArray, run: IntArray, index: IntArray, kind: IntArray, cycles: FloatArray
) -> FloatArray:
    """(total,) swing of amplitude about 1.

    Args:
        rng: source of all draws.
        time: (total,) each point's share of the logged window.
        run, index: (total,) run of each point and its place in it.
        kind: (n,) place in `SWINGS`.
        cycles: (n,) about how often a run goes up and down.
    """
    n = len(kind)
    phase = rng.random(n)[run] + cycles[run] * time
    wander = 0.35 * np.sin(2 * np.pi * (rng.random(n)[run] + 0.37 * phase))
    wander += 0.2 * np.sin(2 * np.pi * (rng.random(n)[run] + 0.713 * phase))
    out, kinds = np.sin(2 * np.pi * (phase + wander)), kind[run]
    for k, wave in enumerate(_KINDS.values()):
        at = np.flatnonzero(kinds == k)
        out[at] = wave(rng, _Points(n, run[at], index[at], phase[at], wander[at], out[at]))
    return out
