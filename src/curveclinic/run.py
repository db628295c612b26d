"""`Run`: the one type every input becomes, and the axis rules that make its channels usable."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from numbers import Integral
from typing import Any

import numpy as np

from curveclinic.errors import InputError
from curveclinic.labels import CHANNELS, LAYER_PREFIX, LOSSES, RUN_KINDS, MetricGoal, RunKind
from curveclinic.padding import settled
from curveclinic.phrases import counted
from curveclinic.points import BoolArray, FloatArray, IntArray, Series, as_points
from curveclinic.read_only import ReadOnlyDict

_SPREAD_RATIO = 1.5
"""Channels without steps whose lengths differ by more than this were logged at different
intervals and share one span; a smaller difference is a channel that stopped early."""

_FARTHEST_STEP = 1e150
"""A step beyond is none: distances between steps, and their squares, stay finite."""

_RESUMED = (3, 0.125)
"""Times, and share of the points, that a resumed run goes back at most; oftener the points are out of order."""

_ANEW = "starts over"
_SEVERAL = "; tell several runs apart by a column 'run_id'"


@dataclass(frozen=True, eq=False)
class Run:
    """One training run, validated: channels on one step axis.

    Attributes:
        channels: channel name -> Series. Names are those of `labels.CHANNELS` and `grad_norm/<layer>`.
        run_id: name to report; untrusted text, escape it where it is shown.
        num_classes: number of classes where known; lets the rules know the cost of a chance prediction.
        metric_goal: "max" when a larger metric is better, "min" when a smaller one is, None when unknown.
        path: file or folder the run came from, "" for in-memory runs.
        format: name of the log format, "" for in-memory runs.
        notes: what was chosen or repaired while reading, one sentence each.
        kind: what its losses are, which decides what can be said of them.
    """

    channels: Mapping[str, Series]
    run_id: str = ""
    num_classes: int | None = None
    metric_goal: MetricGoal | None = None
    path: str = ""
    format: str = ""
    notes: tuple[str, ...] = field(default=())
    kind: RunKind = field(default="ordinary", kw_only=True)

    def __post_init__(self) -> None:
        for name, series in self.channels.items():
            if not isinstance(series, Series):
                raise InputError(f"{name}: found {type(series).__name__}, expected a Series; see Run.from_arrays")
            if name not in CHANNELS and not name.startswith(LAYER_PREFIX):
                raise InputError(
                    f"unknown channel {name!r}; expected one of {', '.join(CHANNELS)} or {LAYER_PREFIX}<layer>"
                )
        check_num_classes(self.num_classes)
        check_metric_goal(self.metric_goal)
        if self.kind not in RUN_KINDS:
            raise InputError(f"kind: found {self.kind!r}, expected one of {', '.join(RUN_KINDS)}")
        object.__setattr__(self, "channels", ReadOnlyDict(self.channels))
        object.__setattr__(self, "run_id", "" if self.run_id is None else str(self.run_id))

    @classmethod
    def from_arrays(
        cls,
        channels: Mapping[str, Any],
        *,
        run_id: str = "",
        num_classes: int | None = None,
        metric_goal: MetricGoal | None = None,
        path: str = "",
        format: str = "",
        notes: Sequence[str] = (),
        kind: RunKind = "ordinary",
    ) -> Run:
        """Builds a run from canonical channel names and raw values.

        Args:
            channels: channel -> values, or channel -> 2-tuple (steps, values). Values may hold None
                (missing), NaN, Inf and their usual spellings as text, and numbers as text ("23.3%").
                NaN that pads rows is left out, see `padding.settled`. Steps may repeat or go back:
                the last value written for a step wins, except that a NaN never replaces nothing silently.
            run_id, num_classes, metric_goal, path, format, notes, kind: see the class.

        Raises:
            InputError: a channel is not a sequence of numbers, or steps and values differ in length.
        """
        if not isinstance(channels, Mapping):
            raise InputError(f"found {type(channels).__name__}, expected a mapping such as {{'train_loss': [...]}}")
        raw, gaps = settled({name: as_points(name, data) for name, data in channels.items()})
        longest = max((len(values) for steps, values in raw.values() if steps is None), default=0)
        extra = list(gaps)
        series = {}
        sound = None  # the last axis found sound: channels of one table share theirs
        raw = _owned(raw)
        beside = _axis_beside(raw, longest) if longest else None
        for name, (steps, values) in raw.items():
            if steps is None:
                one, note = Series(_implied_steps(len(values), longest), values), implied_note(len(values), longest)
                if beside is not None and len(values):
                    one, note = _placed(values, beside)
            elif steps is sound or is_sound_axis(steps):
                sound, one, note = steps, Series(steps, values), ""
            else:
                steps, values, dropped = on_steps(steps, values)
                extra += [f"{name}: {dropped}"] if dropped else []
                one, note = _normalise_axis(steps, values)
            if note:
                extra.append(f"{name}: {note}")
            if len(one):
                series[name] = one
        return cls(
            series,
            run_id=run_id,
            num_classes=num_classes,
            metric_goal=metric_goal,
            path=path,
            format=format,
            notes=(*notes, *extra),
            kind=kind,
        )

    @property
    def n_points(self) -> int:
        """Number of points of the longest loss channel."""
        return max((len(self.channels[c]) for c in LOSSES if c in self.channels), default=0)


def check_num_classes(found: Any) -> None:
    """Raises an InputError for what is no number of classes; None is an unknown one."""
    if found is not None and not (isinstance(found, Integral) and int(found) >= 2):
        raise InputError(f"num_classes: found {found!r}, expected a whole number of 2 or more, or None")


def check_metric_goal(found: Any) -> None:
    """Raises an InputError for what is no direction of a metric; None is an unknown one."""
    if found not in (None, "max", "min"):
        raise InputError(f"metric_goal: found {found!r}, expected 'max', 'min' or None")


def is_sound_axis(steps: FloatArray) -> bool:
    """Says whether steps ascend and each can be one: nothing is to be left out, sorted or merged."""
    if not len(steps):
        return True
    is_within = steps[0] > -_FARTHEST_STEP and steps[-1] < _FARTHEST_STEP
    return bool(is_within and (steps[1:] > steps[:-1]).all())


def on_steps(steps: FloatArray, values: FloatArray) -> tuple[FloatArray, FloatArray, str]:
    """Returns the points whose step can be one, and the note on those left out, "" for none."""
    keep = is_step(steps)
    if keep.all():
        return steps, values, ""
    first = steps[~keep][0]
    return steps[keep], values[keep], f"left out {counted(int((~keep).sum()), 'point')} at no possible step ({first:g})"


def is_step(steps: FloatArray) -> BoolArray:
    """(n,) True where a logged number can be a step: finite, and not out of all proportion."""
    out: BoolArray = np.abs(steps) < _FARTHEST_STEP
    return out


def _owned(raw: Mapping[str, tuple[FloatArray | None, FloatArray]]) -> dict[str, tuple[FloatArray | None, FloatArray]]:
    """Copies what a caller may go on writing to; channels that share their steps go on sharing them."""
    axes = {id(steps): steps.copy() for steps, _ in raw.values() if steps is not None}
    return {name: (None if steps is None else axes[id(steps)], values.copy()) for name, (steps, values) in raw.items()}


def _axis_beside(raw: Mapping[str, tuple[FloatArray | None, FloatArray]], longest: int) -> FloatArray | None:
    """Steps of a loss that counts further than the values of channels that came without; None for none.

    Where it does not, its steps may be places in a list that had gaps.
    """
    given = [raw[name][0] for name in LOSSES if name in raw]
    sound = (steps for steps in given if steps is not None and len(steps) and is_sound_axis(steps))
    return next((steps for steps in sound if steps[-1] > longest), None)


def _placed(values: FloatArray, beside: FloatArray) -> tuple[Series, str]:
    """A channel that came without steps, on those of a loss that has some, and the note on a guess."""
    count, n = len(values), len(beside)
    note = implied_note(count, n, "logged")
    if count <= n <= _SPREAD_RATIO * count:
        return Series(beside[:count], values), note
    knots = np.append(beside[0] - (beside[-1] - beside[0]) / max(n - 1, 1), beside)  # a gap before the first, too
    places = _implied_steps(count, n) if count < n else np.arange(1, count + 1) * (n / count)
    return Series(np.interp(places, np.arange(n + 1), knots), values), note


def _implied_steps(count: int, longest: int) -> FloatArray:
    """Steps of a channel that came without any, on the axis of the longest such channel."""
    steps = np.arange(1, count + 1, dtype=np.float64)
    return steps if count == longest else np.rint(steps * implied_share(count, longest))


def implied_share(count: IntArray | int, longest: IntArray | int) -> FloatArray:
    """(n,) distance between the steps that `_implied_steps` gives channels of n runs, before they are whole.

    A whole one where the channel may have been logged every so many steps: 33 of 100 are one in three.
    """
    ratio = longest / np.maximum(count, 1)
    whole = np.maximum(np.floor(ratio), 1.0)
    return np.where(ratio > _SPREAD_RATIO, np.where(longest // whole == count, whole, ratio), 1.0)


@lru_cache(maxsize=4096)
def implied_note(count: int, steps: int, are: str = "counted") -> str:
    """Returns the note on which steps the values of a channel without steps were put; "" if there is one for each."""
    if count in (0, steps):
        return ""
    share = float(implied_share(count, steps))
    if count > steps or not share.is_integer():
        where = "spread over"
    else:
        where = "on the first of" if share == 1.0 else f"taken as one every {share:g} of"
    return f"{counted(count, 'value')} without steps, {where} the {steps} steps {are}"


def _normalise_axis(steps: FloatArray, values: FloatArray) -> tuple[Series, str]:
    """Makes steps strictly increasing: later writes win over earlier ones (restarts, duplicates)."""
    if len(steps) < 2 or (steps[1:] > steps[:-1]).all():
        return Series(steps, values), ""
    if len(steps) > 2 and bool(np.all(steps == steps[0])):
        written = np.arange(1, len(steps) + 1, dtype=np.float64)
        step = f"{steps[0]:.12g}"
        return Series(written, values), f"every point has step {step}, so they are counted in the order written"
    back = np.flatnonzero(steps[1:] < steps[:-1])
    order = np.argsort(steps, kind="stable")
    sorted_steps, sorted_values = steps[order], values[order]
    last = np.append(sorted_steps[1:] != sorted_steps[:-1], True)
    kept = Series(sorted_steps[last], sorted_values[last])
    lost_nan = bool(np.isnan(values).any() and not np.isnan(kept.values).any())
    what = f"resumed at step {steps[back[-1] + 1]:.12g}" if len(back) else "repeated steps"
    if len(back) and (steps[back + 1] == steps[0]).all():
        what = f"{_ANEW} {counted(len(back), 'time')} at step {steps[0]:.12g}"
    if last.all() or len(back) > max(_RESUMED[0], _RESUMED[1] * len(steps)):
        what = "out of order, sorted by step"
    overwritten = " (a NaN was overwritten)" if lost_nan else ""
    if last.all():
        return kept, what
    lost = f"{len(steps) - len(kept)} of {len(steps)} points are left out"
    advice = _SEVERAL if what.startswith(_ANEW) else ""
    return kept, f"{what}, the last value of a step is kept: {lost}{overwritten}{advice}"
