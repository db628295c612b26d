"""`suggest_lr`: reads a learning-rate range test (Smith 2015, arXiv:1506.01186) and says which rate to take, and why.

A range test trains for some hundred steps while the rate rises from far too small to far too large. The loss is flat,
falls, bottoms out and blows up; a good rate lies on the fall.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from curveclinic.errors import InputError
from curveclinic.measuring.levels import Level, level_of
from curveclinic.measuring.measures import CELLS, cells_of
from curveclinic.measuring.smoothing import moving_mean
from curveclinic.phrases import percent, value
from curveclinic.points import as_points, without_index
from curveclinic.ragged import BoolArray, FloatArray, Ragged
from curveclinic.run import Run

_FEWEST = 12
"""Learning rates with a finite loss: fewer do not show where a fall begins and ends."""

_SPAN = 10.0
"""Largest over smallest rate: a fall and the blow-up after it lie about a decade apart."""

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

_SMALL = 0.02
"""Share of the initial level: a change below it is none."""

_REACH = 3
"""Grid points on either side over which a slope is taken: about 5 % of the test."""

_SMOOTH = np.array([3])
"""Half width of the mean that is taken of the level, in grid points: 5 % of the test in all."""

_GRID = np.array([CELLS])

_START = 6
"""Grid points that make the initial level: the first 5 % of the test."""

_HEADROOM = 2.0
"""Drops above the initial level at which the blow-up is cut off."""

_WINDOW = 5
"""Losses whose median tells the blow-up from a jump."""


_HALVED = 6
"""Losses at the beginning by which a running mean that starts at half its value is known."""

_BETA = 0.98
"""Share of the running mean that Lightning's `lr_find` keeps; it divides by one step's correction too many."""


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
            "fall": f"{_rate(self.descent_begin)} to {_rate(self.descent_end)}",
            "lowest loss": _rate(self.lowest),
            "blow-up": _rate(self.blow_up),
        }
        lines = [f"  {name + ':':<13}{text}" for name, text in rates.items()]
        return "\n".join([f"learning-rate range test: take {_rate(self.suggestion)}", f"  {self.reason}", *lines])


def suggest_lr(lrs: npt.ArrayLike, losses: npt.ArrayLike) -> LrRangeTest:
    """Suggests a learning rate from a range test, or says why the test is of no use.

    Args:
        lrs: (n,) learning rate of each step, rising from far too small to far too large.
        losses: (n,) training loss of each step; NaN and Inf mark the end of the test.

    Returns:
        The suggestion, the rates it rests on, and the reason.

    Raises:
        InputError: the arguments are not two sequences of numbers of one length.
    """
    rates, raw = _numbers("lrs", lrs), _numbers("losses", losses)
    if len(rates) != len(raw):
        raise InputError(f"found {len(rates)} learning rates and {len(raw)} losses; give one loss for every rate")
    rates, raw = rates[_first_positive(rates) :], raw[_first_positive(rates) :]
    finite = np.isfinite(raw)
    end = len(raw) if finite.all() else int(finite.argmin())
    broken = None if end == len(raw) else float(rates[end])
    fault = _axis_fault(rates) or _length_fault(rates[:end], broken)
    if fault:
        return _unusable(fault)
    return _read(*_one_loss_a_rate(rates[:end], _from_its_full_value(raw[:end])), broken)


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


def _numbers(name: str, data: Any) -> FloatArray:
    steps, values = as_points(name, without_index(data))
    if steps is not None:
        raise InputError(f"{name}: found missing values; leave the step out of both sequences")
    return values


def _first_positive(rates: FloatArray) -> int:
    """How many rates of 0 come first, as of a warm-up that starts from nothing."""
    return int((rates != 0).argmax()) if len(rates) and (rates != 0).any() else 0


def _axis_fault(rates: FloatArray) -> str:
    """Why the learning rates are no range test, "" if they are one."""
    if not np.isfinite(rates).all() or (rates <= 0).any():
        return "a learning rate is not a positive number, so the axis of the test is broken"
    down = np.flatnonzero(rates[1:] < rates[:-1])
    if len(down):
        before, after = (value(float(rates[down[0] + k])) for k in (0, 1))
        return f"the learning rate goes down, from {before} to {after}; a range test raises it at every step"
    if len(rates) and rates[-1] < _SPAN * rates[0]:
        spread = f"{_rate(float(rates[0]))} to {_rate(float(rates[-1]))}"
        return f"the learning rate only goes from {spread}; raise it over several decades, such as 1e-7 to 10"
    return ""


def _length_fault(rates: FloatArray, broken: float | None) -> str:
    """Why there are too few finite losses, "" if there are enough."""
    count = len(np.unique(rates))
    if count >= _FEWEST:
        return ""
    if broken is None:
        return f"{count} learning rates are too few, {_FEWEST} or more are needed; 100 are usual"
    return (
        f"the loss is not finite from {_rate(broken)} on, which leaves {count} learning rates, where {_FEWEST} or more "
        "are needed; begin far lower, or look for the NaN first"
    )


def _from_its_full_value(losses: FloatArray) -> FloatArray:
    """Undoes what Lightning's `lr_find` does to its losses: they begin at 1/2, 2/3, 3/4, ... of what they should be."""
    count = np.arange(1, len(losses) + 1)
    whole: FloatArray = losses * (1 - _BETA ** (count + 1)) / (1 - _BETA**count)
    before, after = losses[:_HALVED], whole[:_HALVED]
    rises = len(before) > 1 and 0 < 1.2 * before[0] < before[1] and 1.4 * before[0] < before[-1]
    return whole if rises and 2 * np.ptp(after) < np.ptp(before) else losses


def _one_loss_a_rate(rates: FloatArray, raw: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Logarithms of the distinct rates, and the mean loss at each."""
    distinct, place = np.unique(rates, return_inverse=True)
    means: FloatArray = np.bincount(place, weights=raw) / np.bincount(place)
    return np.log10(distinct), means


def _read(decades: FloatArray, raw: FloatArray, broken: float | None) -> LrRangeTest:
    """Reads the fall from finite losses over log10 of the rate."""
    kept = _cut(raw)
    if len(kept) < len(raw):
        broken = float(10.0 ** decades[len(kept)])
    level = level_of(cells_of(Ragged.from_list([(decades[: len(kept)], kept)])))
    curve, grid = moving_mean(level.view, _SMOOTH, _GRID)[0], 10.0 ** level.steps[0]
    start, lowest = float(curve[:_START].mean()), int(curve.argmin())
    drop = start - float(curve[lowest]) if lowest >= _START else 0.0
    fault = _fall_fault(level, curve, start, drop)
    if fault:
        return _unusable(fault)
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
        reason=_why(level, drop, start, open_end=blow_up is None),
    )


def _cut(raw: FloatArray) -> FloatArray:
    """Losses up to the blow-up and a little into it: its height would drown the scale of the fall and of its noise."""
    rough = np.median(np.lib.stride_tricks.sliding_window_view(raw, _WINDOW), axis=1)
    start, lowest = float(rough[0]), float(rough.min())
    with np.errstate(over="ignore"):
        jump = float(np.median(np.abs(np.diff(raw))))
        ceiling = start + _HEADROOM * max(start - lowest, jump, _SMALL * abs(start))
    high = rough > ceiling
    high[: int(rough.argmin())] = False
    end = int(high.argmax()) + _WINDOW if high.any() else len(raw)
    return np.minimum(raw[: max(end, _FEWEST)], ceiling)


def _fall_fault(level: Level, curve: FloatArray, start: float, drop: float) -> str:
    """Why there is no fall to read, "" if there is one; all in units of the level's view."""
    error, noise = float(level.error[0]), float(level.noise[0])
    rise = float(curve.max()) - start
    small = _SMALL * (1.0 if level.log[0] else abs(start))
    clear = max(_SURE * error, _LOUD * noise, small)
    if drop >= clear:
        return ""
    hidden = noise > small and drop >= _LOUD / 2 * noise  # something may fall, but the noise hides it
    if rise >= clear and not hidden:
        return _only_rises(level.steps[0], curve - start >= clear)
    if noise >= small / 2:
        return (
            f"the noise, {_raw(level, noise, start)} from point to point, is as large as any fall of the loss; use "
            "larger batches, or more steps for each rate"
        )
    return "the loss stays flat at every learning rate; go higher, or check that the optimizer steps at all"


def _only_rises(decades: FloatArray, high: BoolArray) -> str:
    """What a loss says that never falls; `high` marks where it has clearly risen."""
    flat = int(high.argmax())
    first, last = _rate(10.0 ** float(decades[0])), _rate(10.0 ** float(decades[flat]))
    if decades[flat] - decades[0] < np.log10(_SPAN):
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


def _unusable(reason: str) -> LrRangeTest:
    return LrRangeTest(False, None, None, None, None, None, None, reason)


def _rate(rate: float | None) -> str:
    return "not reached" if rate is None else f"{rate:.2g}"
