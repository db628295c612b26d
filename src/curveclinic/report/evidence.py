"""One sentence for every finding, with the run's own numbers.

A sentence states only what can be read off the logged points, so that it is true whoever decided: levels are medians
of the first or last twentieth of the points (`Trace.start`, `Trace.end`), extremes and spikes are single logged values.
A sentence with an extreme gives the first value itself, too: the lowest of all points may be among the first.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

from curveclinic.labels import LOSSES
from curveclinic.measuring.periods import autocorrelation_peak
from curveclinic.phrases import change, counted, is_flat, move, percent, share_of, value
from curveclinic.ragged import Ragged
from curveclinic.report.axis import number
from curveclinic.report.trace import Trace, median, share, trace_of
from curveclinic.run import Run

_RISEN: Final = 0.1
"""Share of its drop that a val loss takes back to have risen."""

_STRAYS: Final = 3.0
"""Jitters that two levels of a metric may lie apart by chance: nearly two standard deviations of single points."""

_MUCH: Final = 1.5
"""Times the jitter of train from which that of val is said to be more."""

_CALM: Final = 5
"""Gradient norms before the first burst at least, for their median to be the usual size."""


@dataclass(frozen=True, eq=False)
class _Case:
    """What a sentence may speak of."""

    run: Run
    onset: float | None
    end: float | None
    smaller_is_better: bool

    def __getitem__(self, channel: str) -> Trace | None:
        return trace_of(self.run, channel)

    def so_far(self, channel: str) -> Trace | None:
        """The channel before the end of the finding."""
        trace = self[channel]
        return trace if trace is None or self.end is None else trace.until(self.end)

    @property
    def metric(self) -> Trace | None:
        return self["val_metric"] or self["train_metric"]


def evidence(
    label: str,
    run: Run,
    *,
    onset: float | None = None,
    end: float | None = None,
    smaller_is_better: bool = False,
) -> str:
    """Returns one sentence on why the label is there.

    Args:
        label: a name from `labels.LABELS`.
        run: the run it was found in.
        onset: step at which the finding starts, where known.
        end: step at which it ends.
        smaller_is_better: what a metric is taken for of which the run does not say it.
    """
    smaller = run.metric_goal == "min" or (run.metric_goal is None and smaller_is_better)
    return _SENTENCES[label](_Case(run, onset, end, smaller)) or "the logged channels hold no finite point to quote"


def _overfitting(case: _Case) -> str:
    val, train = case.so_far("val_loss"), case.so_far("train_loss")
    if val is None:
        return ""
    low, step = val.lowest
    valley = step if case.onset is None else case.onset
    back = share(val.end - low, val.start - low)
    text = f"val loss was lowest at {value(low)} (step {number(step)})"
    if valley < step and (back or 0) < _RISEN:
        text = (
            f"val loss was at {value(val.near(valley))} by step {number(valley)}, got no lower than {value(low)} "
            f"(at step {number(step)})"
        )
    elif valley != step:
        text = (
            f"noise aside, val loss was lowest around step {number(valley)} (its lowest single value is {value(low)}, "
            f"at step {number(step)})"
        )
    text += (
        f" and {_ends(val)}" if case.end is None else f" and was at {value(val.end)} by step {number(val.steps[-1])}"
    )
    if low > 0 and 0 < (back or 0) < _RISEN:
        text += f", {percent((val.end - low) / low)} above that"
    if val.start > low and back is not None:
        above = f", above its start of {value(val.start)}"
        text += above if back > 1 else f", which takes back {percent(back)} of its drop from {value(val.start)}"
        high, top = val.since(valley).highest
        if back < _RISEN <= (share(high - low, val.start - low) or 0.0):
            text += f", with a highest value since of {value(high)} at step {number(top)}"
    if train is not None and train.end > train.near(valley):
        text += f", while train loss {_ends(train)} after a lowest of {value(train.lowest[0])}"
    elif train is not None:
        text += f", while train loss {change(train.near(valley), train.end)}"
    return text


def _underfitting(case: _Case) -> str:
    train, val = case["train_loss"], case["val_loss"]
    if train is None:
        return ""
    late = train.since(train.step_at(0.6) if case.onset is None else case.onset)
    drop = share(train.start - train.end, train.start) if train.positive else None
    text = f"{_course(train)}{share_of(drop, 'its first level')}"
    text += f" and moved only from {value(late.start)} to {value(late.end)} since step {number(late.steps[0])}"
    return text if val is None else f"{text}; val loss {_ends(val)}"


def _not_learning(case: _Case) -> str:
    train = case["train_loss"]
    if train is None:
        return ""
    metric = case.metric
    beside = "" if metric is None else f"; {metric.name} {change(metric.early, metric.end)}"
    return (
        f"train loss {change(train.early, train.end)} over {counted(len(train.values), 'point')}; a point differs from "
        f"its neighbours by {value(train.jitter())}{beside}"
    )


def _undertrained(case: _Case) -> str:
    parts = []
    for trace in (case["train_loss"], case["val_loss"]):
        if trace is not None:
            step = trace.step_before(0.8)  # of a short run the first step after it may be the last of all
            level = trace.near(step)
            gain = share(level - trace.end, trace.start - min(trace.end, trace.start))
            text = f"{trace.name} {move(level, trace.end)} since step {number(step)}"
            parts.append(text + share_of(gain, "its whole drop"))
    return " and ".join(parts)


def _slow_start(case: _Case) -> str:
    train = case["train_loss"]
    if train is None:
        return ""
    stop = train.step_at(0.1) if case.end is None else case.end
    level, last = train.before(stop)  # at the end of the span it has fallen
    lasted = share(last - train.steps[0], train.steps[-1] - train.steps[0])
    text = f"train loss {change(train.start, level)} up to step {number(last)}"
    return f"{text}{share_of(lasted, 'the run')}, then {change(level, train.end)}"


def _divergence(case: _Case) -> str:
    train = case["train_loss"]
    if train is None:
        return ""
    low, step = train.lowest
    high, top = train.highest
    is_first = step == train.steps[0]
    what = "lowest at its first value of" if is_first else "lowest at"
    text = f"train loss was {what} {value(low)} (step {number(step)}) and {_ends(train)}"
    if high > max(train.end, train.values[0]):
        text += f", with a highest value of {value(high)} at step {number(top)}"
    return text if is_first else f"{text}; it started at {value(train.values[0])}"


def _non_finite(case: _Case) -> str:
    parts = []
    for name in LOSSES:
        series = case.run.channels.get(name)
        if series is None:
            continue
        bad = np.flatnonzero(~np.isfinite(series.values))
        if len(bad):
            first, points = series.values[bad[0]], counted(len(series), "point")
            what = "NaN" if math.isnan(first) else "Inf" if first > 0 else "-Inf"
            parts.append(
                f"{name.replace('_', ' ')} is {what} at step {number(series.steps[bad[0]])}, "
                f"{counted(len(bad), f'of its {points} is', f'of its {points} are')} not finite"
            )
    return "; ".join(parts)


def _oscillation(case: _Case) -> str:
    train = case["train_loss"]
    if train is None:
        return ""
    late = train.since(train.step_at(0.1)).values
    ordered = np.sort(late)
    low, high = (float(ordered[int((len(late) - 1) * q)]) for q in (0.1, 0.9))
    signs = np.sign(late / 2 - median(late) / 2)
    turns = int((np.diff(signs[signs != 0]) != 0).sum())
    return (
        f"after the first tenth of the run train loss still moves between {value(low)} and {value(high)} "
        f"(10 % to 90 % of its points) and crosses its median {counted(turns, 'time')}"
    )


def _spikes(case: _Case, channel: str) -> str:
    trace = case[channel]
    if trace is None:
        return ""
    at, before, down = trace.largest_jump(case.onset, case.end)
    if trace.values[at] <= before:  # an estimated span may miss the spikes
        at, before, down = trace.largest_jump()
    if trace.values[at] <= before:  # on a steep fall most of the points before a spike lie higher
        before = float(trace.values[max(at - 1, 0)])
    if trace.values[at] <= before:
        high, top = trace.highest
        return f"{_course(trace)}, with a highest value of {value(high)} at step {number(top)}"
    text = f"{trace.name} jumps from about {value(before)} to {value(trace.values[at])} at step "
    text += f"{number(trace.steps[at])} and is at {value(trace.values[down])} at step {number(trace.steps[down])}"
    other = case["train_loss"] if channel == "val_loss" else None
    return text if other is None else f"{text}; train loss is at {value(other.near(trace.steps[at]))} there"


def _noisy_validation(case: _Case) -> str:
    train, val = case["train_loss"], case["val_loss"]
    if val is None:
        return ""
    text = f"a point of val loss differs from its neighbours by {value(val.jitter())}"
    if train is None:
        return text
    ratio = share(val.jitter(), train.jitter())
    beside = f"one of train loss by {value(train.jitter())}"
    if ratio is not None and ratio < _MUCH:  # train may be logged per batch, or move far more than val
        return f"{text} while {_course(val)}; {beside} while {_course(train)}"
    return f"{text}, {beside}" + ("" if ratio is None else f": {ratio:.3g} to 1")


def _periodic_loss(case: _Case) -> str:
    train = case["train_loss"]
    if train is None:
        return ""
    strength, period = autocorrelation_peak(Ragged.from_list([(train.steps, train.values)]))
    if period[0] == 0:
        return f"train loss repeats a pattern over its trend in {len(train.values):,} points"
    return f"train loss repeats a pattern every {period[0]:.0f} points (autocorrelation {strength[0]:.2f})"


def _no_generalization(case: _Case) -> str:
    train, val = case["train_loss"], case["val_loss"]
    if train is None or val is None:
        return ""
    low, step = val.lowest
    text = f"{_course(train)} while val loss"
    if step == val.steps[0]:
        text += f" never got below its first value of {value(low)}"
    else:
        text += f" started at {value(val.values[0])}, never got below {value(low)} (step {number(step)})"
    return f"{text} and {_ends(val)}"


def _val_below_train(case: _Case) -> str:
    train, val = case["train_loss"], case["val_loss"]
    if train is None or val is None:
        return ""
    inside = (val.steps >= train.steps[0]) & (val.steps <= train.steps[-1])
    if not inside.any():
        return f"val loss is typically {value(median(val.values))}, train loss {value(median(train.values))}"
    at = np.interp(val.steps[inside], train.steps, train.values)
    below = float((val.values[inside] < at).mean())
    points = "its points" if inside.all() else f"its {counted(int(inside.sum()), 'point')} among those of train loss"
    return (
        f"val loss lies below train loss at {percent(below)} of {points}; "
        f"typically {value(median(val.values[inside]))} against {value(median(at))}"
    )


def _train_stalled(case: _Case) -> str:
    train, val = case["train_loss"], case["val_loss"]
    return "" if train is None or val is None else f"{_course(train)} while {_course(val)}"


def _metric_mismatch(case: _Case) -> str:
    """The loss gets worse while the metric gets better, or it falls while the metric stays or gets worse."""
    loss, metric = case["val_loss"] or case["train_loss"], case.metric
    if loss is None or metric is None:
        return ""
    first = loss.steps[0] if case.onset is None else case.onset
    apart = [step for step in (first, loss.lowest[1]) if _gain(case, metric, step) > 0 and loss.end >= loss.near(step)]
    step = apart[0] if apart else first
    text = f"since step {number(step)} {loss.name} {change(loss.near(step), loss.end)} while {metric.name}"
    goal = (
        f"{'smaller' if case.smaller_is_better else 'larger'} is {'' if case.run.metric_goal else 'taken for '}better"
    )
    level, gain = metric.near(step), _gain(case, metric, step)
    if apart:
        text += f" {change(level, metric.end)}"
    elif gain < 0:
        text += f" got worse, from {value(level)} to {value(metric.end)}"
    else:
        low, high = (value(extreme) for extreme, _ in (metric.since(step).lowest, metric.since(step).highest))
        text += f" stays at {low}" if low == high else f" stays between {low} and {high}"
    return f"{text} ({goal})"


def _gain(case: _Case, metric: Trace, step: float) -> float:
    """How much better the metric has become since a step; 0 for what may be its noise."""
    gain = metric.end / 2 - metric.near(step) / 2  # the range of two doubles can overflow
    gain = gain if abs(gain) > _STRAYS / 2 * metric.jitter() and not is_flat(metric.near(step), metric.end) else 0.0
    return -gain if case.smaller_is_better else gain


def _high_initial_loss(case: _Case) -> str:
    train = case["train_loss"]
    if train is None:
        return ""
    first = float(train.values[0])
    at = min(max(2, math.ceil(0.02 * len(train.values))), len(train.values) - 1)
    level = median(train.values[at : at + 3])
    low, high = (number(train.steps[min(at + k, len(train.steps) - 1)]) for k in (0, 2))
    text = f"the first train loss is {value(first)}, the level of steps {low} to {high} is {value(level)}"
    text += _above(first, level, train)
    classes = case.run.num_classes
    return f"{text}; guessing among {classes} classes costs {value(math.log(classes))}" if classes else text


def _above(first: float, level: float, trace: Trace) -> str:
    """How far the first value lies above a later level: a ratio, or a share of the drop where not all are positive."""
    if trace.positive:
        ratio = share(first, level)
        return "" if ratio is None else f" (ratio {ratio:.3g})"
    drop = share(first - level, first - trace.lowest[0])
    return "" if drop is None or drop <= 0 else f", after {percent(drop)} of its whole drop"


def _vanishing_gradients(case: _Case) -> str:
    grad, train = case["grad_norm"], case["train_loss"]
    if grad is None:
        return ""
    text = _course(grad)
    return text if train is None else f"{text} while {_course(train)}"


def _exploding_gradients(case: _Case) -> str:
    grad = case["grad_norm"]
    if grad is None:
        return ""
    later = grad.since(grad.steps[min(2, len(grad.values) - 1)])
    high, step = later.highest
    begin = step if case.onset is None else case.onset
    calm = grad.values[grad.steps < begin]  # the bursts themselves lift the median of the whole run
    is_told = len(calm) >= _CALM
    typical = median(calm if is_told else grad.values)
    ratio = share(high, typical) if typical > 0 else None
    text = f"grad norm reaches {value(high)} at step {number(step)}, its median "
    text += f"before step {number(begin)} is {value(typical)}" if is_told else f"is {value(typical)}"
    return text if ratio is None else f"{text} (ratio {ratio:.3g})"


def _delayed_generalization(case: _Case) -> str:
    train, val = case["train_loss"], case["val_loss"]
    if train is None or val is None:
        return ""
    fit = train.step_at(0.2) if case.onset is None else case.onset
    high, worst = val.since(fit).highest
    low, best = val.since(worst).lowest
    return (
        f"train loss is down to {value(train.near(fit))} by step {number(fit)}; val loss is still {value(high)} "
        f"at step {number(worst)} and falls to {value(low)} only at step {number(best)}"
    )


def _ends(trace: Trace) -> str:
    """Where a channel ends: its last value where that is typical of the last ones, else what is."""
    return f"ends {'at' if trace.end == trace.values[-1] else 'near'} {value(trace.end)}"


def _course(trace: Trace) -> str:
    """How a channel moved from its start to its end."""
    return f"{trace.name} {change(trace.start, trace.end)}"


_SENTENCES: Final[dict[str, Callable[[_Case], str]]] = {
    "overfitting": _overfitting,
    "underfitting": _underfitting,
    "not_learning": _not_learning,
    "undertrained": _undertrained,
    "slow_start": _slow_start,
    "divergence": _divergence,
    "non_finite": _non_finite,
    "oscillation": _oscillation,
    "loss_spikes": lambda case: _spikes(case, "train_loss"),
    "val_spikes": lambda case: _spikes(case, "val_loss"),
    "noisy_validation": _noisy_validation,
    "periodic_loss": _periodic_loss,
    "no_generalization": _no_generalization,
    "val_below_train": _val_below_train,
    "train_stalled_val_falls": _train_stalled,
    "metric_mismatch": _metric_mismatch,
    "high_initial_loss": _high_initial_loss,
    "vanishing_gradients": _vanishing_gradients,
    "exploding_gradients": _exploding_gradients,
    "delayed_generalization": _delayed_generalization,
}
"""Label -> its sentence; "" where nothing can be said."""
