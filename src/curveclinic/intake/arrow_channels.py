"""Which raw series are the channels of many runs, and the batch they make.

What the alias table makes of a row depends on which series hold points in it, and rarely on more. So names are chosen
once for every set of such series. Rows of which that is not so are left open.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from curveclinic.intake.arrow_series import NumberLists, RawSeries, rows_of
from curveclinic.intake.choosing import choose
from curveclinic.intake.naming import Name, parse
from curveclinic.intake.other_units import AXIS, OTHER_UNITS
from curveclinic.intake.own_steps import axes_among
from curveclinic.intake.vocabulary import Rank
from curveclinic.labels import CHANNELS, MetricGoal, RunKind
from curveclinic.points import BoolArray, FloatArray, IntArray, Points
from curveclinic.ragged import Batch, Ragged
from curveclinic.run import implied_note, implied_share, is_step

_UNIT_MARGIN: Final = 1e-9
"""Nearer than that to where axes count as being in other units, the slow way decides."""


@dataclass(frozen=True, eq=False)
class Found:
    """Raw series by name, and for each row which of them hold no point, one, or more: (n, series)."""

    series: dict[str, RawSeries]
    sizes: npt.NDArray[np.int8]

    @classmethod
    def of(cls, lists: Mapping[str, NumberLists], n: int) -> Found:
        """Returns the series of list columns; those that are the axis of another are none."""
        axes = axes_among(tuple(sorted(lists)))
        names = [name for name in lists if name not in axes.names]
        series = {name: RawSeries.of(lists[name], [lists[axis] for axis in axes.of(name)]) for name in names}
        sizes = [np.minimum(one.points.lengths, 2).astype(np.int8) for one in series.values()]
        return cls(series, np.stack(sizes, axis=1) if sizes else np.zeros((n, 0), dtype=np.int8))


@dataclass(frozen=True, eq=False)
class Choices:
    """Which raw series are the channels of n runs.

    Attributes:
        source: channel -> raw name.
        used: channel -> (n,) runs that have it.
        notes: (n,) what was chosen.
        kinds: (n,) what the losses are.
        goal: (n,) goal of the metric by its name, "" for none.
        open: (n,) rows whose choice needs a closer look.
    """

    source: dict[str, str]
    used: dict[str, BoolArray]
    notes: list[tuple[str, ...]]
    kinds: list[RunKind]
    goal: npt.NDArray[np.str_]
    open: BoolArray

    @property
    def any_notes(self) -> bool:
        """Whether something was noted at all."""
        return any(self.notes)

    @classmethod
    def of(cls, found: Found, goal: MetricGoal | None) -> Choices:
        """Chooses once for every set of series that rows hold, the most frequent set first."""
        kinds, kind, count = np.unique(found.sizes, axis=0, return_inverse=True, return_counts=True)
        kind = kind.reshape(-1)
        names, source = list(found.series), dict[str, str]()
        picks: list[_Pick | None] = [None] * len(kinds)
        for k in np.argsort(-count, kind="stable").tolist():
            pick = _pick({name: int(size) for name, size in zip(names, kinds[k], strict=True) if size}, goal)
            if pick is not None and all(source.get(c, raw) == raw for c, raw in pick.source.items()):
                picks[k] = pick
                source |= pick.source
        used = {c: np.array([p is not None and c in p.source for p in picks], dtype=bool)[kind] for c in source}
        said = [() if p is None else p.notes for p in picks]
        what: list[RunKind] = ["ordinary" if p is None else p.kind for p in picks]
        goals = np.array([(p and p.goal) or "" for p in picks], dtype="<U3")
        notes, kinds_of = [said[k] for k in kind.tolist()], [what[k] for k in kind.tolist()]
        return cls(source, used, notes, kinds_of, goals[kind], np.array([p is None for p in picks])[kind])


@dataclass(frozen=True)
class _Pick:
    """What `choose` makes of one set of series: channel -> raw name, notes, goal of the metric, what the losses are."""

    source: dict[str, str]
    notes: tuple[str, ...]
    goal: MetricGoal | None
    kind: RunKind


def _pick(sizes: Mapping[str, int], goal: MetricGoal | None) -> _Pick | None:
    """Returns the choice among series of one or more points; None where it depends on more than that."""
    if not _is_plain([parse(name) for name in sizes]):
        return None
    table: dict[str, Points] = {name: (np.arange(1.0, size + 1), np.zeros(size)) for name, size in sizes.items()}
    choice = choose(table, metric_goal=goal)
    if not {"train_loss", "val_loss", "grad_norm"} & set(choice.channels) or not set(choice.channels) <= set(CHANNELS):
        return None
    raw = {id(values): name for name, (_, values) in table.items()}
    if not all(id(values) in raw for _, values in choice.channels.values()):
        return None
    source = {c: raw[id(values)] for c, (_, values) in choice.channels.items()}
    return _Pick(source, choice.notes, choice.metric_goal, choice.kind)


def _is_plain(names: Sequence[Name]) -> bool:
    """Whether no two names compete, so that lengths, steps and values decide nothing."""
    losses = [n for n in names if n.is_loss]
    if any(n.rank == Rank.PERPLEXITY for n in names) and len({n.split == "val" for n in losses}) < 2:
        return False
    bare, named = ([n for n in names if n.may_be_loss and n.split == split] for split in ("", "train"))
    if not losses or (bare and named):
        return False
    for one_side in (("", "train"), ("val",), ("test",)):
        if sum(n.split in one_side for n in losses) > 1:
            return False
    metrics = {(n.component, n.split) for n in names if n.quantity == "metric"}
    may_be_val = any(not split and (component, "val") not in metrics for component, split in metrics)
    if bare and may_be_val and any(n.split == "val" for n in losses):  # where it stands decides
        return False
    return len(metrics) == sum(n.quantity == "metric" for n in names)


def empty_batch(n: int) -> Batch:
    """Returns n runs without a channel."""
    absent = Ragged(np.empty(0), np.empty(0), np.zeros(n + 1, dtype=np.int64))
    return Batch(dict.fromkeys(CHANNELS, absent), np.full(n, np.nan), np.ones(n), np.full(n, np.nan))


def batch_of(
    found: Found, choices: Choices, *, num_classes: FloatArray, goal: npt.NDArray[np.str_], one_axis: bool
) -> tuple[Batch, BoolArray, dict[int, tuple[str, ...]]]:
    """Returns the chosen channels as a batch, (n,) the rows that need a closer look, and notes of rows on their steps.

    Args:
        found, choices: the raw series, and which of them are channels.
        num_classes: (n,) NaN where unknown.
        goal: (n,) "max" or "min" of the metric, "" where its name decides.
        one_axis: all channels are on one axis already.
    """
    odd, blank = choices.open.copy(), empty_batch(len(num_classes))
    series = {c: _only(found.series[raw], choices.used[c]) for c, raw in choices.source.items()}
    if not one_axis:
        odd |= _in_other_units(series, len(odd)) | _may_hide_nan(series, len(odd)) | _may_be_padded(series, len(odd))
    odd |= _partly_counted(series, len(odd))
    odd |= np.logical_or.reduce([one.unfit for one in series.values()]) if series else False
    longest = np.zeros(len(odd), dtype=np.int64)
    for one in series.values():
        np.maximum(longest, np.where(one.given, 0, one.points.lengths), out=longest)
        if np.count_nonzero(one.given):  # places in a list are fine
            odd |= _goes_back(one.points) | _is_nowhere(one.points)
    channels = dict(blank.channels) | {c: _on_axis(one, longest) for c, one in series.items()}
    goal = np.where(goal == "", choices.goal, goal)
    sign = (goal == "max") * 1.0 - (goal == "min")
    return Batch(channels, num_classes, sign, blank.layer_ratio), odd, _implied_notes(series, longest)


def _only(series: RawSeries, used: BoolArray) -> RawSeries:
    """The series without the rows in which it is not chosen."""
    points = series.points
    if not ((points.lengths > 0) & ~used).any():
        return series
    return RawSeries(points.where(np.repeat(used, points.lengths)), series.given, series.unfit & used)


def _implied_notes(series: Mapping[str, RawSeries], longest: IntArray) -> dict[int, tuple[str, ...]]:
    """Row -> notes on its channels that came without steps, and with fewer values than another."""
    out: dict[int, tuple[str, ...]] = {}
    for name in (channel for channel in CHANNELS if channel in series):
        counts, given = series[name].points.lengths, series[name].given
        for row in np.flatnonzero(~given & (counts > 0) & (counts < longest)).tolist():
            note = implied_note(int(counts[row]), int(longest[row]))
            out[row] = (*out.get(row, ()), f"{name}: {note}")
    return out


def _on_axis(series: RawSeries, longest: IntArray) -> Ragged:
    """The channel; steps that were not logged are on the axis of the longest such channel of their run."""
    points = series.points
    share = np.where(series.given, 1.0, implied_share(points.lengths, longest))
    if (share == 1.0).all():
        return points
    shares = np.repeat(share, points.lengths)
    steps = np.where(shares == 1.0, points.steps, np.rint(points.steps * shares))
    return Ragged(steps, points.values, points.offsets)


def _partly_counted(series: Mapping[str, RawSeries], n: int) -> BoolArray:
    """(n,) runs of which some channels came with steps, and others without."""
    given, counted = np.zeros(n, dtype=bool), np.zeros(n, dtype=bool)
    for one in series.values():
        some = one.points.lengths > 0
        given |= some & one.given
        counted |= some & ~one.given
    return given & counted


def _goes_back(points: Ragged) -> BoolArray:
    """(n,) runs whose steps do not increase."""
    out = np.zeros(points.size, dtype=bool)
    back = np.flatnonzero(points.steps[1:] <= points.steps[:-1])
    if len(back):
        row, after = rows_of(points.offsets, back), rows_of(points.offsets, back + 1)
        out[row[row == after]] = True
    return out


def _is_nowhere(points: Ragged) -> BoolArray:
    """(n,) runs with a point at no possible step."""
    out = np.zeros(points.size, dtype=bool)
    out[rows_of(points.offsets, np.flatnonzero(~is_step(points.steps)))] = True
    return out


def _in_other_units(series: Mapping[str, RawSeries], n: int) -> BoolArray:
    """(n,) runs of which a channel may be counted in other units than train, see `other_units.share_axis`."""
    out = np.zeros(n, dtype=bool)
    if AXIS not in series:
        return out
    train = _last_steps(series[AXIS])
    for name, channel in series.items():
        if name != AXIS:
            own = _last_steps(channel)
            low, high = np.minimum(train, own), np.maximum(train, own)
            with np.errstate(invalid="ignore"):
                out |= (low > 0) & (high > OTHER_UNITS * (1 - _UNIT_MARGIN) * low)
    return out


def _may_hide_nan(series: Mapping[str, RawSeries], n: int) -> BoolArray:
    """(n,) runs with a train loss of exactly 0 and a gradient norm that is not finite, see `hidden_nan.revealed`."""
    out = np.zeros(n, dtype=bool)
    if "train_loss" in series and "grad_norm" in series:
        losses, norms = series["train_loss"].points, series["grad_norm"].points
        unknown = np.zeros(n, dtype=bool)
        out[rows_of(losses.offsets, np.flatnonzero(losses.values == 0))] = True
        unknown[rows_of(norms.offsets, np.flatnonzero(~np.isfinite(norms.values)))] = True
        out &= unknown
    return out


def _may_be_padded(series: Mapping[str, RawSeries], n: int) -> BoolArray:
    """(n,) runs of which a channel goes on after a NaN, or twice after a 0, see `padding.settled`."""
    out = np.zeros(n, dtype=bool)
    for one in series.values():
        values = one.points.values
        lowest = np.minimum.reduce(values) if len(values) else 1.0
        if np.isnan(lowest):
            out |= _goes_on_after(np.isnan(values), one.points.offsets) >= 1
        if not lowest > 0.0:
            out |= _goes_on_after(values == 0.0, one.points.offsets) >= 2
    return out


def _goes_on_after(blank: BoolArray, offsets: IntArray) -> IntArray:
    """(n,) points of every run that follow one of some."""
    before = np.flatnonzero(blank[:-1] & ~blank[1:])
    row, after = rows_of(offsets, before), rows_of(offsets, before + 1)
    return np.bincount(row[row == after], minlength=len(offsets) - 1)


def _last_steps(series: RawSeries) -> FloatArray:
    """(n,) largest logged step, NaN where none or only one was logged."""
    points = series.points
    out = np.full(points.size, np.nan)
    rows = np.flatnonzero((points.lengths >= 2) & series.given)
    if len(rows):
        # runs between two of these lie in their segments and are none of them, or are empty
        every = np.flatnonzero(points.lengths > 0)
        largest = np.maximum.reduceat(points.steps, points.offsets[every])
        out[rows] = largest[np.searchsorted(every, rows)]
    return out
