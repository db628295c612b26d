"""What is no learning curve gets no verdict: constants, waves, walks and bare scatter, each with its reason.

The network must answer something; a sine wave is nearer to one of its labels than to the others. These measures ask
first whether the train loss has the shape of a training at all. They are few and strict: what a real training can do,
however ill, is judged. Noise of a few percent about a level is "not learning", and a level change or a val loss from
elsewhere may be a real log: those are not doubted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from curveclinic.deciding.suspects import Loss, Suspects, suspects_in
from curveclinic.deciding.wandering import count_legs, is_still, is_walk
from curveclinic.measuring.periods import QUARTERS
from curveclinic.measuring.quantities import Measured
from curveclinic.measuring.smoothing import (
    EPS,
    masked_sort,
    quantile_of,
    row_count,
    row_max,
    row_mean,
    row_median,
    row_spread,
)
from curveclinic.measuring.trends import Quantities
from curveclinic.phrases import value
from curveclinic.ragged import BoolArray, FloatArray, IntArray
from curveclinic.records import joined

_FEWEST: Final = {"constant": 4, "scatter": 8, "wave": 10}
"""Finite train points from which a doubt can be told from chance."""

_LEG: Final = 0.2
"""Share of its range that the level must move to change direction."""

_LEGS: Final = 3
"""Such moves from which a level goes to and fro: a descent has one, a descent and a rise two."""

_RETURN: Final = 0.9
"""Share of its first height that the level comes back to, after a quarter of the run, before it falls again."""

_BROAD: Final = 0.5
"""Share of the range between the level's tenth and ninetieth percentile: a few high peaks are spikes, no wave."""

_HIGH: Final = 0.25
"""Share of the time after the first quarter that a wave spends in the upper half of its range; spikes spend less."""

_OVER_NOISE: Final = 5.0
"""Standard deviations of single points that a wave's range must exceed: a noisy log can swing of itself."""

_CLEAR: Final = (8.0, 6.0)
"""Standard errors of the level that its range must exceed, for a wave and for a walk."""

_LATE: Final = 0.4
"""Share of the range that is still covered in the second half; a training has done most by then."""

_QUARTER: Final = 0.1
"""Share of the range that a walk covers in its first and in its last quarter, too; a plateau does not."""

_WIDE: Final = 0.1
"""Scatter of single points about a level without a trend, over the level, from which a val loss must back it."""

_BACKED: Final = (0.5, 0.5)
"""A val loss backs a level: its scatter is at most that share of train's, its log level at most that far away."""

_FALL: Final = (8.0, 3.0, 0.25)
"""A val loss that falls: its drop in standard errors and in deviations of single points at least, its rise over its
drop at most."""

_SHARED: Final = 0.4
"""Correlation with the moves of val from which train's scatter or wave is the model's."""

_TOP: Final = 0.1
"""Share of its range within which the first level is the highest."""

_FOLLOWED: Final = 0.8
"""Correlation with a metric from which a loss that goes to and fro is the model's: both fare alike."""

_QUARTILES: Final = (0.25, 0.75)
_QUARTILE_RANGE: Final = 1.349
"""Standard deviations of normal noise between its quartiles, which isolated jumps leave alone."""

_CYCLES: Final = 0.1
"""Cycles of a logged learning rate from which a loss goes up and down with it."""

_DEAD: Final = (2.0, 2.0)
"""Powers of ten that a gradient norm falls by at least, and that it ends below 1 by, where a network died: its loss may
be one value, or scatter slightly without a course."""

_SLIGHT: Final = 0.01
"""Scatter over the level up to which it is slight."""

_CHANCE_COSTS: Final = np.log([*range(2, 21), 50, 100, 1000])
"""Losses of a uniform guess among so many classes: a network that died there logs them for ever."""

_AT_CHANCE: Final = (0.1, 0.2)
"""Shares of the cost of a uniform guess, where the number of classes is given, that the level of a network that guesses
is away from it at most, and that its single points scatter by at most."""

_SINKS: Final = (4.0, 0.03, 3.0)
"""Fall of the level of what repeats a pattern, from the first quarter to the last, from which it is a training's: in
errors of the difference, as a share of the level, and in times what a wave of such a period could move it by."""

_STEADILY: Final = 0.25
"""Share of that fall which its levels rise by in between at most."""

_DIGITS: Final = 1e-3
"""Relative precision of a logged loss of four digits."""


@dataclass(eq=False)
class Doubts:
    """Why some of n runs are not judged; all arrays are (m,), one cell for each run that was looked at.

    Attributes:
        rows: its row among the n.
        constant, wave, walk, scatter: what its train loss is instead of a learning curve.
        legs: moves to and fro of a wave, 0 where not counted.
        late: share of the range covered in the second half.
        lowest, highest: train loss.
        level: typical train loss where it is constant, else 0.
        count: finite train points.
    """

    rows: IntArray
    constant: BoolArray
    wave: BoolArray
    walk: BoolArray
    scatter: BoolArray
    legs: IntArray
    late: FloatArray
    lowest: FloatArray
    highest: FloatArray
    level: FloatArray
    count: IntArray

    @classmethod
    def none(cls) -> Doubts:
        """No run was looked at."""
        no, zero, empty = np.zeros(0, dtype=bool), np.zeros(0, dtype=np.int64), np.zeros(0)
        return cls(zero, no, no, no, no, zero, empty, empty, empty, empty, zero)

    def reasons(self) -> dict[int, str]:
        """Row -> why it is not judged, for every doubted run."""
        if not len(self.rows):
            return {}
        doubted = (self.constant | self.wave | self.walk | self.scatter).nonzero()[0]
        return {int(self.rows[i]): f"{self._reason(int(i))}; this does not look like a training" for i in doubted}

    def _reason(self, i: int) -> str:
        if self.constant[i]:
            return f"train loss is {self.level[i]:.4g} at every one of its {self.count[i]:,} points"
        if self.wave[i]:
            return (
                f"train loss goes up and down, {self.legs[i]} times by a fifth of its range or more, "
                "and comes back to its first level"
            )
        if self.walk[i]:
            return (
                "train loss wanders like a random walk: its steps follow no trend, are as large late as early, and "
                f"cover {100 * self.late[i]:.0f} % of its range in the second half"
            )
        return (
            f"train loss scatters between {value(self.lowest[i])} and {value(self.highest[i])} without a trend, "
            "and no val loss shows the same level"
        )


def doubts(piece: Measured) -> Doubts:
    """Says of measured runs whether their train loss is a learning curve; a logged non-finite loss is a fact."""
    return doubts_among([suspects_in(piece)])


def doubts_among(suspects: Sequence[Suspects | None]) -> Doubts:
    """Says of the suspects of several pieces, looked at together, whether their train loss is a learning curve."""
    some = [part for part in suspects if part is not None]
    return _look(joined(some)) if some else Doubts.none()


def _look(piece: Suspects) -> Doubts:
    """Doubts about suspects."""
    q, train = piece.quantities, piece.train
    spread, late = train.spread, piece.late
    clear = spread / np.maximum(train.error, EPS)
    constant, level = _constant(train, piece.val)
    dying = (q["grad_fall"] >= _DEAD[0]) & (q["grad_end_log10"] <= -_DEAD[1])
    constant &= ~dying
    wave, legs = _wave(train, spread, clear)
    lively = _is_lively(train, spread, (late >= _LATE) & (clear >= _CLEAR[1]))
    walk = _among(is_walk, train, lively)
    scatter = _scatter(piece)
    followed = piece.followed >= _FOLLOWED
    moves = ~constant & ~(dying & _is_slight(train)) & ~followed & ~_falls(piece, wave | walk | scatter)
    unscheduled = moves & ~(q["lr_cycles"] > _CYCLES)
    # a wave that val makes too, step for step, is the model's; so is a walk that comes down from its highest level
    shared = q["swing_shared"] >= _SHARED
    descends = train.view[:, 0] >= train.top - _TOP * spread
    return Doubts(
        piece.rows, constant, wave & unscheduled & ~shared, walk & unscheduled & ~(shared & descends), scatter & moves,
        legs, late, *train.raw_ends(), level, train.count,
    )  # fmt: skip


def _is_slight(train: Loss) -> BoolArray:
    """(n,) all of the loss lies within a small share of its level."""
    with np.errstate(all="ignore"):
        out: BoolArray = (train.highest - train.lowest) <= _SLIGHT * np.where(train.log, 1.0, np.abs(train.lowest))
    return out


def _is_lively(train: Loss, spread: FloatArray, among: BoolArray) -> BoolArray:
    """Some of the runs: those that cover much of their range in their first quarter and in their last one."""
    if not among.any():
        return among
    quarter = train.view.shape[1] // 4
    outer = np.minimum(row_spread(train.view[:, :quarter]), row_spread(train.view[:, -quarter:]))
    out: BoolArray = among & (outer >= _QUARTER * spread)
    return out


def _falls(piece: Suspects, among: BoolArray) -> BoolArray:
    """Some of the runs: those whose val loss comes down, far beyond its error, and stays down, as in a training."""
    q, val = piece.quantities, piece.val
    down = (q["v_drop_snr"] >= _FALL[0]) & (q["v_drop_noise"] >= _FALL[1]) & (q["v_rise_drop"] <= _FALL[2])
    rows = np.flatnonzero(down & among)
    if not len(rows):
        return np.zeros(len(down), dtype=bool)
    view = val.view[rows]
    straight = count_legs(view, _LEG * np.maximum(row_spread(view), EPS)) < _LEGS
    out = np.zeros(len(down), dtype=bool)
    out[rows] = straight & ~is_walk(piece.val.take(rows))
    return out


def _among(holds: Callable[[Loss], BoolArray], loss: Loss, some: BoolArray) -> BoolArray:
    """(n,) runs among some of which it holds; it is asked of these alone."""
    out, rows = np.zeros(len(some), dtype=bool), some.nonzero()[0]
    if len(rows):
        out[rows] = holds(loss.take(rows))
    return out


def _constant(train: Loss, val: Loss) -> tuple[BoolArray, FloatArray]:
    """One value throughout, val too where it is logged, and that value, 0 for the others.

    The cost of a uniform guess is what a dead network logs.
    """
    still, level = _is_one_value(train) & (train.count >= _FEWEST["constant"]), np.zeros(len(train.count))
    if not still.any():
        return still, level
    still &= (val.count == 0) | _is_one_value(val)
    level[still] = train.take(still.nonzero()[0]).raw_level()
    guess = np.abs(level[:, None] - _CHANCE_COSTS).min(axis=1) <= _DIGITS * np.abs(level)
    return still & ~guess, level


def _is_one_value(loss: Loss) -> BoolArray:
    """(n,) all finite values are the same."""
    out: BoolArray = loss.highest == loss.lowest
    return out


def _wave(train: Loss, spread: FloatArray, clear: FloatArray) -> tuple[BoolArray, IntArray]:
    """Goes to and fro over much of its range, and late comes back to where it began."""
    view, later = train.view, train.view[:, train.view.shape[1] // 4 :]
    legs = np.zeros(len(view), dtype=np.int64)
    seen = (clear >= _CLEAR[0]) & (spread >= _OVER_NOISE * train.noise) & (train.count >= _FEWEST["wave"])
    if not seen.any():
        return seen, legs
    low = train.bottom
    start, back = row_mean(view[:, :3]) - low, row_max(later) - low
    high = row_count(later > (low + 0.5 * spread)[:, None]) >= _HIGH * later.shape[1]
    rows = (seen & (back >= _RETURN * start) & high).nonzero()[0]
    if len(rows):
        rows = rows[_is_broad(view[rows], spread[rows])]
        legs[rows] = count_legs(view[rows], _LEG * spread[rows])
    return legs >= _LEGS, legs


def _is_broad(view: FloatArray, spread: FloatArray) -> BoolArray:
    """(n,) levels (n, G) that spend their time all over their range (n,)."""
    ordered, width = np.sort(view, axis=1), view.shape[1]
    out: BoolArray = ordered[:, int(0.9 * width)] - ordered[:, int(0.1 * width)] >= _BROAD * spread
    return out


def _scatter(piece: Suspects) -> BoolArray:
    """(n,) scatter about the level is wide, without a trend in either loss, and neither val nor chance explains it."""
    train = piece.train
    wide = is_still(train) & (train.count >= _FEWEST["scatter"])
    noise, rows = np.zeros(len(wide)), wide.nonzero()[0]
    if len(rows):
        noise[rows] = _relative_noise(train.take(rows))
        wide &= (noise > _WIDE) & ~_sinks(piece)
        rows = wide.nonzero()[0]
    if len(rows):
        shared = piece.quantities["swing_shared"][rows]
        some = train.take(rows)
        explained = _is_backed(some, piece.val.take(rows), noise[rows], shared)
        wide[rows] = ~(explained | _guesses(piece.quantities, some, rows))
    return wide


def _sinks(piece: Suspects) -> BoolArray:
    """(n,) train repeats a pattern whose level falls, as where every epoch brings the data in the same order.

    A wave does not, whatever its shape: over whole periods its level stays. Only where its edges are sharp and it is
    free of noise may a few points a period make a slow drift of them: of such saws and squares one in a hundred sinks.
    """
    train, levels = piece.train, piece.quarters
    fall, change = levels[:, 0] - levels[:, -1], levels[:, 1:] - levels[:, :-1]
    half = np.where(train.log, -np.expm1(train.lowest - train.highest), train.highest - train.lowest) / 2.0
    in_quarter = train.count / (QUARTERS * np.maximum(piece.quantities["period"], 1.0))
    leak = half / (np.pi * np.maximum(in_quarter, 1.0) ** 3)
    errors, share, leaks = _SINKS
    least = np.maximum(errors * np.sqrt(2.0) * piece.quarter_error, share * np.abs(levels.mean(axis=1)))
    steady = np.maximum(change, 0.0).sum(axis=1) <= _STEADILY * fall
    out: BoolArray = (fall >= np.maximum(least, leaks * leak)) & steady
    return out


def _guesses(q: Quantities, train: Loss, rows: IntArray) -> BoolArray:
    """(m,) some runs: the number of classes is given, and the level is what a uniform guess among them costs."""
    with np.errstate(all="ignore"):
        cost = q["first"][rows] / q["first_over_chance"][rows]
        out: BoolArray = np.abs(train.raw_level() / cost - 1.0) <= _AT_CHANCE[0]
    return out & (_relative_noise(train) <= _AT_CHANCE[1])


def _is_backed(train: Loss, val: Loss, noise: FloatArray, shared: FloatArray) -> BoolArray:
    """(n,) val shows train's level, or what train does without a trend, or has a trend itself.

    Args:
        train, val: both losses.
        noise: (n,) train's scatter over its level.
        shared: (n,) correlation of the moves of both.
    """
    with np.errstate(all="ignore"):
        apart = np.abs(np.log(val.raw_level() / train.raw_level()))
    backed = (_relative_noise(val) <= _BACKED[0] * noise) & (apart <= _BACKED[1])
    backed |= shared >= _SHARED
    logged = val.count > 0
    return logged & ~_among(is_still, val, logged & ~backed)


def _relative_noise(loss: Loss) -> FloatArray:
    """(n,) scatter of single points over the level; in logarithms it is relative already."""
    ordered = masked_sort(loss.mean, loss.real)
    low, high = (quantile_of(*ordered, place) for place in _QUARTILES)
    noise = np.maximum(loss.noise, (high - low) / _QUARTILE_RANGE)
    return np.where(loss.log, noise, noise / np.maximum(np.abs(row_median(loss.view)), EPS))
