"""`suggest_lr`: reads a learning-rate range test (Smith 2015, arXiv:1506.01186) and says which rate to take, and why.

A range test trains for some hundred steps while the rate rises from far too small to far too large. The loss is flat,
falls, bottoms out and blows up; a good rate lies on the fall.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from curveclinic.checks.range_points import (
    FEWEST,
    SMALL,
    SPAN,
    WINDOW,
    NotFinite,
    axis_fault,
    jump_of,
    length_fault,
    not_finite,
    one_loss_a_rate,
    points_of,
    rate_text,
    rough_of,
)
from curveclinic.errors import InputError
from curveclinic.measuring.levels import Level, level_of
from curveclinic.measuring.measures import CELLS, cells_of
from curveclinic.measuring.smoothing import EPS, moving_mean
from curveclinic.phrases import percent, value
from curveclinic.ragged import BoolArray, FloatArray, Ragged
from curveclinic.run import Run

_EDGE = 0.1
"""The fall runs from the first to the last tenth of the drop left out, as a rise time runs from 10 % to 90 %."""

_BEGUN = 0.25
"""Share of the drop after which the steepest fall is looked for: before, a wiggle of the noise may be steeper."""

_LOST = 0.5
"""Share of the drop that is lost again where the loss counts as blown up."""

_SURE = 4.0
"""Standard errors of the smoothed loss that a drop must exceed."""

_LOUD = 2.0
"""Standard deviations of single points that a drop must exceed: of flat tests in noise, 1 % pass."""

_REACH = 3
"""Grid points on either side over which a slope is taken: about 5 % of the test."""

_SMOOTH = np.array([3])
"""Half width of the mean that is taken of the level, in grid points: 5 % of the test in all."""

_GRID = np.array([CELLS])

_START = 6
"""Grid points that make the initial level: the first 5 % of the test."""

_HEADROOM = 2.0
"""Drops above the initial level at which the blow-up is cut off."""


@dataclass(frozen=True)
class LrRangeTest:
    """What a learning-rate range test says.

    Attributes:
        usable: whether a rate can be suggested.
        suggestion: learning rate to start from, `steepest` in two digits; None when the test is unusable.
        descent_begin: rate at which the loss has fallen by a tenth of its drop.
        descent_end: rate at which nine tenths of the drop are done.
        steepest: rate at which the smoothed loss falls fastest, per decade of the rate.
        lowest: rate at the lowest smoothed loss, the valley.
        blow_up: rate at which half of the drop is lost again, or the loss stops being finite; None if neither came.
        reason: one sentence: why this rate, or why none.
    """

    usable: bool
    suggestion: float | None
    descent_begin: float | None
    descent_end: float | None
    steepest: float | None
    lowest: float | None
    blow_up: float | None
    reason: str

    @property
    def passed(self) -> bool:
        """The same as `usable`."""
        return self.usable

    def to_dict(self) -> dict[str, Any]:
        """Returns plain JSON-safe data."""
        return asdict(self)

    def __str__(self) -> str:
        if self.suggestion is None:
            return f"learning-rate range test: unusable\n  {self.reason}"
        rates = {
            "fall": f"{rate_text(self.descent_begin)} to {rate_text(self.descent_end)}",
            "lowest loss": rate_text(self.lowest),
            "blow-up": rate_text(self.blow_up),
        }
        lines = [f"  {name + ':':<13}{text}" for name, text in rates.items()]
        return "\n".join([f"learning-rate range test: take {rate_text(self.suggestion)}", f"  {self.reason}", *lines])


def suggest_lr(lrs: npt.ArrayLike, losses: npt.ArrayLike) -> LrRangeTest:
    """Suggests a learning rate from a range test, or says why the test is of no use.

    Args:
        lrs: (n,) learning rate of each step, rising from far too small to far too large.
        losses: (n,) training loss of each step. NaN and Inf mark the end of the test; one to three in a row, after
            which the loss is as low as before, are a gap in the log.

    Returns:
        The suggestion, the rates it rests on, and the reason.

    Raises:
        InputError: the arguments are not two sequences of numbers of one length.
    """
    rates, raw = points_of(lrs, losses)
    found = not_finite(rates, raw)
    here = slice(found.end)
    count = len(np.unique(rates[here][np.isfinite(raw[here])]))
    if fault := axis_fault(rates):
        return _unusable(fault)
    if fault := length_fault(count, found.broken):
        return _unusable(fault, found.gaps)
    return _read(*one_loss_a_rate(rates[here], raw[here]), found)


def range_test_of(run: Run) -> LrRangeTest:
    """Reads a run whose log holds the learning rate and the training loss.

    Raises:
        InputError: one of them is missing.
    """
    missing = [name for name in ("lr", "train_loss") if name not in run.channels]
    if missing:
        found = ", ".join(run.channels) or "no channel"
        raise InputError(f"found {found}, expected lr and train_loss; log {' and '.join(missing)} of every step")
    lr, loss = run.channels["lr"], run.channels["train_loss"]
    kept = (loss.steps >= lr.steps[0]) & (loss.steps <= lr.steps[-1])
    at = np.interp(loss.steps[kept], lr.steps, lr.values)
    return suggest_lr(at.tolist(), loss.values[kept].tolist())


def _read(decades: FloatArray, raw: FloatArray, missing: NotFinite) -> LrRangeTest:
    """Reads the fall from finite losses over log10 of the rate."""
    kept = _cut(raw)
    broken = missing.rate if len(kept) == len(raw) else float(10.0 ** decades[len(kept)])
    level = level_of(cells_of(Ragged.from_list([(decades[: len(kept)], kept)])))
    curve, grid = moving_mean(level.view, _SMOOTH, _GRID)[0], 10.0 ** level.steps[0]
    start, lowest = float(curve[:_START].mean()), int(curve.argmin())
    drop = start - float(curve[lowest]) if lowest >= _START else 0.0
    if fault := _fall_fault(level, curve, start, drop, ends_finite=missing.rate is None):
        return _unusable(fault, *missing.said)
    done = (start - curve) / drop
    begin, sure = (int(np.flatnonzero(done[: lowest + 1] < part).max(initial=-1)) + 1 for part in (_EDGE, _BEGUN))
    end = begin + int((done[begin:] >= 1.0 - _EDGE).argmax())
    steepest = sure + int(_slopes(curve)[sure : max(end, sure) + 1].argmin())
    lost = done[lowest:] <= 1.0 - _LOST
    blow_up = float(grid[lowest + int(lost.argmax())]) if lost.any() else broken
    return LrRangeTest(
        usable=True,
        suggestion=float(f"{grid[steepest]:.1e}"),  # a range test knows no more digits
        descent_begin=float(grid[begin]),
        descent_end=float(grid[end]),
        steepest=float(grid[steepest]),
        lowest=float(grid[lowest]),
        blow_up=blow_up,
        reason="; ".join((_why(level, drop, start, open_end=blow_up is None), *missing.said)),
    )


def _cut(raw: FloatArray) -> FloatArray:
    """Losses up to the blow-up and a little into it: its height would drown the scale of the fall and of its noise."""
    rough = rough_of(raw)
    start, lowest = float(rough[0]), float(rough.min())
    ceiling = start + _HEADROOM * max(start - lowest, jump_of(raw), SMALL * abs(start))
    high = rough > ceiling
    high[: int(rough.argmin())] = False
    end = int(high.argmax()) + WINDOW if high.any() else len(raw)
    return np.minimum(raw[: max(end, FEWEST)], ceiling)


def _fall_fault(level: Level, curve: FloatArray, start: float, drop: float, *, ends_finite: bool) -> str:
    """Why there is no fall to read, "" if there is one; all in units of the level's view."""
    error, noise = float(level.error[0]), float(level.noise[0])
    rise = float(curve.max()) - start
    small = SMALL * (1.0 if level.log[0] else abs(start))
    clear = max(_SURE * error, _LOUD * noise, small, float(EPS))  # all of them are 0 where every loss is
    if drop >= clear:
        return ""
    hidden = noise > small and drop >= _LOUD / 2 * noise  # something may fall, but the noise hides it
    if rise >= clear and not hidden:
        return _only_rises(level.steps[0], curve - start >= clear)
    if noise >= max(small / 2, float(EPS)):
        return (
            f"the noise, {_raw(level, noise, start)} from point to point, is as large as any fall of the loss; use "
            "larger batches, or more steps for each rate"
        )
    if not ends_finite:
        return "the loss stays flat until it breaks; look for the NaN first, or use more steps for each rate"
    return "the loss stays flat at every learning rate; go higher, or check that the optimizer steps at all"


def _only_rises(decades: FloatArray, high: BoolArray) -> str:
    """What a loss says that never falls; `high` marks where it has clearly risen."""
    flat = int(high.argmax())
    first, last = rate_text(10.0 ** float(decades[0])), rate_text(10.0 ** float(decades[flat]))
    if decades[flat] - decades[0] < np.log10(SPAN):
        return f"the loss only rises: {first}, the first learning rate, is already too large; begin far lower"
    return (
        f"the loss stays flat up to {last} and then only rises: no learning rate lowers it within the test; use more "
        "steps for each rate, or look at inputs and initialisation"
    )


def _raw(level: Level, size: float, start: float) -> str:
    """A size in the level's view as text, relative to the initial level."""
    return percent(size if level.log[0] else size / abs(start)) if start else value(size * float(level.unit[0]))


def _slopes(curve: FloatArray) -> FloatArray:
    """(G,) change over `_REACH` grid points to either side, fewer at the ends, for each point."""
    at = np.arange(len(curve))
    low, high = np.maximum(at - _REACH, 0), np.minimum(at + _REACH, len(curve) - 1)
    slopes: FloatArray = (curve[high] - curve[low]) / (high - low)
    return slopes


def _why(level: Level, drop: float, start: float, *, open_end: bool) -> str:
    """The reason of a suggestion."""
    text = "the loss falls fastest there"
    if not level.log[0] and start > 0:
        text += f"; in all it falls by {percent(drop / start)} of its initial level"
    return f"{text}; the blow-up was not reached, so larger rates may do as well" if open_end else text


def _unusable(*reasons: str) -> LrRangeTest:
    return LrRangeTest(False, None, None, None, None, None, None, "; ".join(filter(None, reasons)))
