"""`Trace`: one logged channel of one run, asked for the plain numbers a sentence quotes."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from curveclinic.ragged import FloatArray
from curveclinic.run import Run

_EDGE = 0.05
"""Share of the points that "at the start" and "at the end" are the median of (at least one point)."""

_FEW = 32
"""Values up to which Python sorts faster than NumPy is called."""

_CANDIDATES = 32
"""Points looked at more closely in search of the largest jump."""


@dataclass(frozen=True, eq=False)
class Trace:
    """The finite points of a channel.

    Attributes:
        name: as a reader would call it: "train loss".
        steps, values: (n,) finite points only, n >= 1.
    """

    name: str
    steps: FloatArray
    values: FloatArray

    @property
    def start(self) -> float:
        """Median of the first points."""
        return median(self.values[: self._edge])

    @property
    def end(self) -> float:
        """Median of the last points."""
        return median(self.values[-self._edge :])

    @property
    def _edge(self) -> int:
        return max(1, int(len(self.values) * _EDGE))

    @property
    def lowest(self) -> tuple[float, float]:
        """Smallest value and its step."""
        at = int(self.values.argmin())
        return float(self.values[at]), float(self.steps[at])

    @property
    def highest(self) -> tuple[float, float]:
        """Largest value and its step."""
        at = int(self.values.argmax())
        return float(self.values[at]), float(self.steps[at])

    def near(self, step: float) -> float:
        """Median of the points around a step: the nearest, and as many on both sides as an edge has."""
        at = int(np.abs(self.steps - step).argmin())
        half = self._edge // 2
        return median(self.values[max(at - half, 0) : at + half + 1])

    def since(self, step: float) -> Trace:
        """The points from a step on; the last one where there is none."""
        keep = self.steps >= step
        if not keep.any():
            keep[-1] = True
        return Trace(self.name, self.steps[keep], self.values[keep])

    def until(self, step: float) -> Trace:
        """The points up to a step; the first one where there is none."""
        keep = self.steps <= step
        if not keep.any():
            keep[0] = True
        return Trace(self.name, self.steps[keep], self.values[keep])

    def step_at(self, share: float) -> float:
        """First logged step at or after a share of the range of steps."""
        wanted = self.steps[0] + share * (self.steps[-1] - self.steps[0])
        return float(self.steps[min(int(self.steps.searchsorted(wanted)), len(self.steps) - 1)])

    def jitter(self) -> float:
        """Median distance of a point from the middle of its neighbours."""
        half = self.values / 2  # the range of two doubles can overflow
        return 2 * median(np.abs(half[1:-1] - (half[:-2] / 2 + half[2:] / 2))) if len(half) > 2 else 0.0

    def largest_jump(self) -> tuple[int, float, float]:
        """Index of the point that stands out most, and the medians of up to five points before and after it."""
        best, height = len(self.values) - 1, -math.inf
        before, after = self.start, self.end
        values: list[float] = self.values.tolist()
        for i in self._candidates():
            sides = _middle(values[max(i - 5, 0) : i]), _middle(values[i + 1 : i + 6])
            above = values[i] / 2 - max(sides) / 2
            if above > height:
                best, height, (before, after) = i, above, sides
        return best, before, after

    def _candidates(self) -> list[int]:
        """Inner points that lie highest over the mean of the ten points around them."""
        if len(self.values) < 3:
            return []
        scaled = self.values / max(float(np.abs(self.values).max()), 1e-300)
        padded = scaled[np.clip(np.arange(-5, len(scaled) + 5), 0, len(scaled) - 1)]
        around = np.convolve(padded, np.full(11, 1 / 11), mode="valid")
        height = (scaled - around)[1:-1]
        return sorted((np.argsort(-height, kind="stable")[:_CANDIDATES] + 1).tolist())


def trace_of(run: Run, channel: str) -> Trace | None:
    """The finite points of a channel, None where there are none."""
    series = run.channels.get(channel)
    if series is None:
        return None
    steps, values = series.steps, series.values
    finite = np.isfinite(values)
    if not finite.all():
        steps, values = steps[finite], values[finite]
    return Trace(channel.replace("_", " "), steps, values) if len(values) else None


def median(values: FloatArray) -> float:
    """Lower median: always a logged value, and safe at 1e308."""
    if len(values) <= _FEW:
        return _middle(values.tolist())
    middle = (len(values) - 1) // 2
    return float(np.partition(values, middle)[middle])


def _middle(values: list[float]) -> float:
    """Lower median of a few values."""
    return sorted(values)[(len(values) - 1) // 2]


def share(part: float, whole: float) -> float | None:
    """part / whole as a ratio; None where that means nothing."""
    if whole == 0 or not (math.isfinite(part) and math.isfinite(whole)):
        return None
    ratio = part / whole
    return ratio if math.isfinite(ratio) else None
