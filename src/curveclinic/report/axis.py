"""Plot geometry shared by the terminal, the SVG and matplotlib: scales, ticks and thinning. No drawing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from curveclinic.labels import LOSSES
from curveclinic.points import FloatArray, IntArray, Series
from curveclinic.run import Run

_LOG_RATIO = 30.0
"""A loss whose largest value exceeds its smallest this many times is drawn on a log scale (DESIGN, section 1)."""

_FLAT = 1e-9
"""A range below this share of the level is drawn as a flat line, not as magnified rounding."""


@dataclass(frozen=True)
class Axis:
    """One scale from data to [0, 1].

    Attributes:
        low: value at 0; above zero on a log scale.
        high: value at 1, above `low`.
        log: whether the scale is logarithmic.
    """

    low: float
    high: float
    log: bool = False

    @classmethod
    def over(cls, parts: Sequence[FloatArray], *, allow_log: bool = False) -> Axis:
        """Returns the scale that holds every finite value; log where allowed and the values span decades."""
        values = np.concatenate([np.empty(0), *parts])
        values = values[np.isfinite(values)]
        if not len(values):
            return cls(0.0, 1.0)
        low, high = float(values.min()), float(values.max())
        positive = values[values > 0]
        if allow_log and low >= 0 and len(positive) and high / _LOG_RATIO > positive.min():
            return cls(float(positive.min()), high, log=True)
        if high / 2 - low / 2 <= _FLAT * max(abs(low), abs(high)):
            pad = abs(low) / 10 or 1.0
            return cls(low - pad, high + pad)
        return cls(low, high)

    def fraction(self, values: FloatArray) -> FloatArray:
        """Returns where the values lie, 0 at `low` and 1 at `high`; values outside are clipped."""
        values = np.clip(values, self.low, self.high)
        place: FloatArray
        if self.log:
            place = (np.log(values) - np.log(self.low)) / (np.log(self.high) - np.log(self.low))
        else:  # halves, because the range of two doubles can overflow
            place = (values / 2 - self.low / 2) / (self.high / 2 - self.low / 2)
        return place

    def ticks(self, at_most: int) -> list[tuple[float, str]]:
        """Returns at most `at_most` round values as (fraction, text), lowest first."""
        values = self._decades(at_most) if self.log else []
        if len(values) < 2:
            values = _round_values(self.low, self.high, at_most)
        gap = values[1] - values[0] if len(values) > 1 and not self.log else 0.0
        return [(float(self.fraction(np.array([v]))[0]), _tick_text(v, gap)) for v in values]

    def _decades(self, at_most: int) -> list[float]:
        first, last = int(np.ceil(np.log10(self.low) - 1e-9)), int(np.floor(np.log10(self.high) + 1e-9))
        stride = max(1, -(-(last - first + 1) // at_most))
        return [float(f"1e{power}") for power in range(first, last + 1, stride)]


def _round_values(low: float, high: float, at_most: int) -> list[float]:
    """Multiples of 1, 2 or 5 times a power of ten inside [low, high]."""
    rough = (high / 2 - low / 2) / at_most * 2
    power = 10.0 ** np.floor(np.log10(rough))
    for factor in (1.0, 2.0, 5.0, 10.0, 20.0):
        step = float(factor * power)
        first, last = np.ceil(low / step), np.floor(high / step)
        if last - first < at_most:
            break
    return [float(first + i) * step for i in range(int(last - first) + 1)]


def _tick_text(value: float, gap: float) -> str:
    if value == 0:
        return "0"
    digits = 3 if gap == 0 else int(np.clip(np.ceil(np.log10(abs(value) / gap)) + 1, 1, 12))
    if 1 <= abs(value) < 1e6 and float(value).is_integer():
        return f"{value:,.0f}"
    return f"{value:.{digits}g}"


def number(value: float) -> str:
    """Returns a step as text: 1,200 or 2.5."""
    return f"{value:,.0f}" if float(value).is_integer() and abs(value) < 1e15 else f"{value:.6g}"


def losses(run: Run) -> dict[str, Series]:
    """Returns the run's loss channels that hold a point."""
    return {name: run.channels[name] for name in LOSSES if name in run.channels and len(run.channels[name])}


def axes(series: Sequence[Series], *, from_zero: bool = False) -> tuple[Axis, Axis]:
    """Returns the step axis and the value axis that hold all series, on request a linear value axis from zero on."""
    x, y = Axis.over([s.steps for s in series]), Axis.over([s.values for s in series], allow_log=True)
    return x, replace(y, low=min(y.low, 0.0)) if from_zero and not y.log else y


def strokes(series: Series, x: Axis, bins: int) -> list[IntArray]:
    """Returns the points to draw as index arrays, one for each unbroken line.

    At most two points for each of `bins` columns are kept, the lowest and the highest, so that no spike is lost.
    The line breaks where a value is NaN or Inf.
    """
    finite = np.isfinite(series.values)
    index = np.flatnonzero(finite)
    if not len(index):
        return []
    kept = index[_thin(x.fraction(series.steps[index]), series.values[index], bins)]
    gaps = np.cumsum(~finite)[kept]
    return np.split(kept, np.flatnonzero(np.diff(gaps)) + 1)


def _thin(place: FloatArray, values: FloatArray, bins: int) -> IntArray:
    """Indices of the first, the last, and every bin's lowest and highest value; places never go back."""
    if len(values) <= 2 * bins:
        return np.arange(len(values))
    cell = np.minimum((place * bins).astype(np.int64), bins - 1)
    edges = [0, *(np.flatnonzero(np.diff(cell)) + 1).tolist(), len(values)]
    lowest = [start + int(values[start:stop].argmin()) for start, stop in pairwise(edges)]
    highest = [stop - 1 - int(values[start:stop][::-1].argmax()) for start, stop in pairwise(edges)]
    return np.unique([0, *lowest, *highest, len(values) - 1])


def non_finite_places(series: Sequence[Series], x: Axis, bins: int) -> list[float]:
    """Returns where along the step axis a value is NaN or Inf, at most one place for each of `bins` columns."""
    steps = np.concatenate([np.empty(0), *(s.steps[~np.isfinite(s.values)] for s in series)])
    return [column / bins for column in sorted(set(np.round(x.fraction(steps) * bins).tolist()))]


def span(onset: float | None, end: float | None, x: Axis) -> tuple[float, float] | None:
    """Returns a finding's span as fractions of the step axis; None when it has no onset."""
    if onset is None:
        return None
    first, last = x.fraction(np.array([onset, x.high if end is None else end]))
    return float(first), float(max(first, last))
