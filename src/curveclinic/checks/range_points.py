"""What a range test logged -> one finite loss a rate: where the log has gaps, where the test ends, what is no test."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from curveclinic.errors import InputError
from curveclinic.padding import settled
from curveclinic.phrases import counted, value
from curveclinic.points import as_points, without_index
from curveclinic.ragged import FloatArray

FEWEST = 12
"""Learning rates with a finite loss: fewer do not show where a fall begins and ends."""

SPAN = 10.0
"""Largest over smallest rate: a fall and the blow-up after it lie about a decade apart."""

SMALL = 0.02
"""Share of the initial level: a change below it is none."""

WINDOW = 5
"""Losses whose median tells the blow-up from a jump."""

_GAP = 3
"""Losses in a row that may be missing from the log of a loss that is well; where more are, it broke."""

_HALVED = 6
"""Losses at the beginning by which a running mean that starts at half its value is known."""

_BETA = 0.98
"""Share of the running mean that Lightning's `lr_find` keeps; it divides by one step's correction too many."""


@dataclass(frozen=True)
class NotFinite:
    """Losses of a range test that are not finite.

    Attributes:
        end: losses, gaps among them, before the test ends.
        rate: where it ends on a loss that is not finite, else None.
        gaps: what is said of gaps in the log, "" if there is none.
        broken: what is said of the end, "" if the loss is finite there.
    """

    end: int
    rate: float | None
    gaps: str
    broken: str

    @property
    def said(self) -> tuple[str, ...]:
        """All that is said of them."""
        return tuple(text for text in (self.gaps, self.broken) if text)


def points_of(lrs: npt.ArrayLike, losses: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Returns (n,) rates and (n,) losses of the steps that logged a loss, without those of rate 0 that come first.

    Raises:
        InputError: the arguments are not two sequences of numbers of one length.
    """
    rates, raw = _numbers("lrs", lrs), _numbers("losses", losses)
    if len(rates) != len(raw):
        raise InputError(f"found {len(rates)} learning rates and {len(raw)} losses; give one loss for every rate")
    places, raw = settled({"lr": (None, rates), "train_loss": (None, raw)})[0]["train_loss"]
    rates = rates if places is None else rates[places.astype(np.int64) - 1]
    first = _first_positive(rates)
    return rates[first:], raw[first:]


def _numbers(name: str, data: Any) -> FloatArray:
    steps, values = as_points(name, without_index(data))
    if steps is not None:
        raise InputError(
            f"{name}: found steps or missing values; give values only, and leave a step without one out of both"
        )
    return values


def _first_positive(rates: FloatArray) -> int:
    """How many rates of 0 come first, as of a warm-up that starts from nothing."""
    return int((rates != 0).argmax()) if len(rates) and (rates != 0).any() else 0


def not_finite(rates: FloatArray, raw: FloatArray) -> NotFinite:
    """Tells gaps in the log from the end of the test."""
    end, finite = _end_of(raw), np.isfinite(raw)
    rate = float(rates[end]) if end < len(raw) else None
    gaps = broken = ""
    if missing := int((~finite[:end]).sum()):
        first = rate_text(float(rates[finite.argmin()]))
        gaps = f"{missing:,} losses that are not finite, the first at {first}, are passed over as gaps in the log"
        if missing == 1:
            gaps = f"one loss that is not finite, at {first}, is passed over as a gap in the log"
    if rate is not None:
        broken = f"the loss is not finite from {rate_text(rate)} on"
        if after := int(finite[end:].sum()):
            lost = counted(after, "finite loss follows", "finite losses follow")
            broken = f"the loss is not finite at {rate_text(rate)}, so the test ends there, though {lost}"
    return NotFinite(end, rate, gaps, broken)


def _end_of(raw: FloatArray) -> int:
    """How many losses there are before they stop being finite for good.

    A loss that is not finite is a gap in the log where the loss comes back as low as it was before: weights that had
    turned NaN would stay NaN.
    """
    finite = np.isfinite(raw)
    whole = raw[finite]
    if finite.all() or len(whole) < WINDOW:
        return len(raw) if finite.all() else int(finite.argmin())
    edges = np.flatnonzero(np.diff(np.concatenate([[True], finite, [True]])))
    starts, lengths = edges[::2], edges[1::2] - edges[::2]
    rough, unknown = rough_of(whole), np.full(WINDOW, np.inf)
    # lowest of the windows among the first k finite losses, and among all but these
    before = np.concatenate([unknown, np.minimum.accumulate(rough)])
    after = np.concatenate([np.minimum.accumulate(rough[::-1])[::-1], unknown])
    k = np.cumsum(finite)[starts]
    with np.errstate(over="ignore"):
        as_low = after[k] <= before[k] + max(jump_of(whole), SMALL * abs(float(rough[0])))
    ends = starts[(lengths > _GAP) | ~as_low | np.isinf(after[k])]
    return int(ends[0]) if len(ends) else len(raw)


def rough_of(losses: FloatArray) -> FloatArray:
    """(n - WINDOW + 1,) medians of windows, which single jumps do not move."""
    rough: FloatArray = np.median(np.lib.stride_tricks.sliding_window_view(losses, WINDOW), axis=1)
    return rough


def jump_of(losses: FloatArray) -> float:
    """How far the loss usually goes from one point to the next."""
    with np.errstate(over="ignore"):
        return float(np.median(np.abs(np.diff(losses))))


def axis_fault(rates: FloatArray) -> str:
    """Why the learning rates are no range test, "" if they are one."""
    if not np.isfinite(rates).all() or (rates <= 0).any():
        return "a learning rate is not a positive number, so the axis of the test is broken"
    down = np.flatnonzero(rates[1:] < rates[:-1])
    if len(down):
        before, after = (value(float(rates[down[0] + k])) for k in (0, 1))
        return f"the learning rate goes down, from {before} to {after}; a range test raises it at every step"
    if len(rates) and rates[-1] < SPAN * rates[0]:
        spread = f"{rate_text(float(rates[0]))} to {rate_text(float(rates[-1]))}"
        return f"the learning rate only goes from {spread}; raise it over several decades, such as 1e-7 to 10"
    return ""


def length_fault(count: int, broken: str) -> str:
    """Why there are too few learning rates with a finite loss, "" if there are enough."""
    if count >= FEWEST:
        return ""
    if not broken:
        found = f"{counted(count, 'learning rate')} {'is' if count == 1 else 'are'}"
        return f"{found} too few, {FEWEST} or more are needed; 100 are usual"
    found = f"{broken}, which leaves {counted(count, 'learning rate')}, where {FEWEST} or more are needed"
    return f"{found}; begin far lower, or look for the NaN first"


def one_loss_a_rate(rates: FloatArray, raw: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Logarithms of the distinct rates with a finite loss, and the mean loss at each."""
    full = _from_its_full_value(raw)
    finite = np.isfinite(full)
    distinct, place = np.unique(rates[finite], return_inverse=True)
    shares = full[finite] / np.bincount(place)[place]  # the sum of large losses may be no float
    return np.log10(distinct), np.bincount(place, weights=shares).astype(np.float64)


@np.errstate(over="ignore")
def _from_its_full_value(losses: FloatArray) -> FloatArray:
    """Undoes what Lightning's `lr_find` does to its losses: they begin at 1/2, 2/3, 3/4, ... of what they should be."""
    count = np.arange(1, len(losses) + 1)
    whole: FloatArray = losses * (1 - _BETA ** (count + 1)) / (1 - _BETA**count)
    before, after = losses[:_HALVED], whole[:_HALVED]
    rises = len(before) > 1 and 0 < 1.2 * before[0] < before[1] and 1.4 * before[0] < before[-1]
    return whole if rises and 2 * np.ptp(after) < np.ptp(before) else losses


def rate_text(rate: float | None) -> str:
    """A learning rate in two digits."""
    return "not reached" if rate is None else f"{rate:.2g}"
