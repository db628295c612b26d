"""`Trace`: one logged channel of one run, asked for the plain numbers a sentence quotes."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from curveclinic.measuring.measures import CELLS
from curveclinic.ragged import FloatArray
from curveclinic.run import Run

_EDGE = 0.05
"""Share of the points that "at the start" and "at the end" are the median of (at least one point)."""

_FAR = 3.0
"""Distances of neighbours, see `Trace.jitter`, that a point of the same level is seldom away."""

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
        """Median of the first points; the first one where it lies too far from them for noise, as on a steep fall."""
        first, middle = float(self.values[0]), self.early
        return middle if abs(first / 2 - middle / 2) <= _FAR * self.jitter() / 2 else first

    @property
    def early(self) -> float:
        """Median of the first points, however the first one lies."""
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

    @property
    def positive(self) -> bool:
        """All values are above 0: only then a share of a level, or a ratio of two, means something."""
        return bool(self.values.min() > 0)

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
        """The points before a step; the first one where there is none."""
        keep = self.steps < step
        keep[0] = True
        return Trace(self.name, self.steps[keep], self.values[keep])

    def before(self, step: float) -> tuple[float, float]:
        """Median of the last points before a step, as many as an edge has, and their last step; else of the first."""
        stop = max(int(self.steps.searchsorted(step)), 1)
        return median(self.values[max(stop - self._edge, 0) : stop]), float(self.steps[stop - 1])

    def step_at(self, share: float) -> float:
        """First logged step at or after a share of the range of steps."""
        at = int(self.steps.searchsorted(self._at(share)))
        return float(self.steps[min(at, len(self.steps) - 1)])

    def step_before(self, share: float) -> float:
        """Last logged step at or before a share of the range of steps."""
        after = int(self.steps.searchsorted(self._at(share), side="right"))
        return float(self.steps[max(after - 1, 0)])

    def _at(self, share: float) -> float:
        return float(self.steps[0] + share * (self.steps[-1] - self.steps[0]))

    def jitter(self) -> float:
        """Median distance of a point from the middle of its neighbours."""
        half = self.values / 2  # the range of two doubles can overflow
        return 2 * median(np.abs(half[1:-1] - (half[:-2] / 2 + half[2:] / 2))) if len(half) > 2 else 0.0

    def largest_jump(self, onset: float | None = None, end: float | None = None) -> tuple[int, float, int]:
        """The spike that stands out most.

        Returns its top's index, the median of up to five points before it, and the index of the first point that is
        down again by three quarters of its height, or of the last point of all where none is.

        Args:
            onset, end: steps between which, give or take a cell, it is looked for; None for no bound.
        """
        cell, values = self._cell, self.values
        best, height, base = len(values) - 1, -math.inf, 0.0
        for i in self._candidates(onset, end):
            sides = values[max(i - cell - 4, 0) : max(i - cell + 1, 1)], values[i + cell : i + cell + 5]
            level = max(median(side) for side in sides if len(side))
            if values[i] / 2 - level / 2 > height:
                best, height, base = i, float(values[i] / 2 - level / 2), level
        if height == -math.inf:
            return best, self.start, len(values) - 1
        high = values / 2 > base / 2 + height / 4
        high[best] = True
        low, top = max(best - cell, 0), min(best + cell, len(values) - 1)
        first = best - int((~high[low : best + 1])[::-1].argmax() or best - low + 1) + 1
        last = best + int((~high[best : top + 1]).argmax() or top - best + 1) - 1
        best = first + int(values[first : last + 1].argmax())
        before, later = values[max(first - 5, 0) : first], np.flatnonzero(~high[best:])
        down = best + int(later[0]) if len(later) else len(values) - 1
        return best, median(before) if len(before) else float(values[best]), down

    @property
    def _cell(self) -> int:
        """Points of a cell, within which a spike stays."""
        return -(-len(self.values) // CELLS)

    def _candidates(self, onset: float | None, end: float | None) -> list[int]:
        """Inner points that lie highest over the mean of what is around their cell."""
        n, cell = len(self.values), self._cell
        if n < 3:
            return []
        low = 0 if onset is None else int(self.steps.searchsorted(onset)) - cell
        high = n if end is None else int(self.steps.searchsorted(end, side="right")) + cell
        low, high = max(low, 1), min(high, n - 1)
        if low >= high:
            low, high = 1, n - 1
        scaled = self.values / max(float(np.abs(self.values).max()), 1e-300)
        reach = cell + 4
        total = np.cumsum(np.append(0.0, scaled[np.clip(np.arange(-reach, n + reach), 0, n - 1)]))
        around = (total[2 * reach + 1 :] - total[: -2 * reach - 1]) / (2 * reach + 1)
        order = np.argsort((around - scaled)[low:high], kind="stable")[:_CANDIDATES]
        return sorted((order + low).tolist())


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
