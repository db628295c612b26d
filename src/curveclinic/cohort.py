"""`judge_cohort`: runs of one configuration, such as several seeds, judged together.

One run tells what happened once. A cohort tells what happens: the symptoms that all runs share belong to the
configuration, those of one run to its luck; the spread of the last loss is what a comparison has to beat.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from curveclinic.deciding.low_starts import as_judged
from curveclinic.diagnosis import Diagnosis
from curveclinic.errors import InputError
from curveclinic.labels import HEALTHY, LABELS, MetricGoal
from curveclinic.measuring.measures import MAD_TO_STD
from curveclinic.outliers import FEWEST, odd_findings, odd_levels
from curveclinic.phrases import counted, printable, value
from curveclinic.predict import predict_pathology
from curveclinic.ragged import BoolArray, FloatArray
from curveclinic.read_only import ReadOnlyDict
from curveclinic.report.axis import number
from curveclinic.report.text import name as name_of
from curveclinic.report.trace import Trace, trace_of
from curveclinic.symptoms import SYMPTOMS

_SAME_LENGTH = 0.9
"""Shortest over longest run, in last steps, below which levels at the end are of different ages."""


@dataclass(frozen=True)
class Spread:
    """A level across the runs of a cohort.

    Attributes:
        channel: "val_loss", or "train_loss" where no run has one.
        count: runs with a finite value of it.
        median: over these runs.
        deviation: robust standard deviation, 1.4826 times the median absolute deviation.
        low, high: smallest and largest.
    """

    channel: str
    count: int
    median: float
    deviation: float
    low: float
    high: float

    def __str__(self) -> str:
        ends = f"{value(self.low)} to {value(self.high)}"
        return f"median {value(self.median)}, spread {value(self.deviation)}, {ends} in {counted(self.count, 'run')}"


@dataclass(frozen=True)
class OddRun:
    """A run that is clearly unlike the others.

    Attributes:
        index: its place in the cohort, from 0.
        name: how it is called.
        reasons: what sets it apart, with numbers.
    """

    index: int
    name: str
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class Cohort:
    """Runs of one configuration, judged together.

    Attributes:
        diagnoses: one a run, in order.
        judged: runs that could be judged.
        counts: label -> number of judged runs with it, most frequent first; "healthy" counts runs without any.
        shared: labels that every judged run has; ("healthy",) when none has any.
        final: level at the end: median of the last twentieth of the points; None when no run has a finite loss.
        best: lowest value.
        odd: runs that are clearly unlike the others.
        remarks: what limits the answer, such as too few runs.
    """

    diagnoses: tuple[Diagnosis, ...] = field(repr=False)
    judged: int
    counts: Mapping[str, int]
    shared: tuple[str, ...]
    final: Spread | None
    best: Spread | None
    odd: tuple[OddRun, ...]
    remarks: tuple[str, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "counts", ReadOnlyDict(self.counts))

    def to_dict(self) -> dict[str, Any]:
        """Returns plain JSON-safe data; of each run its name, verdict and labels."""
        names = _names(self.diagnoses)
        runs = [
            {"name": n, "verdict": d.verdict, "labels": list(d.labels)}
            for n, d in zip(names, self.diagnoses, strict=True)
        ]
        return {
            "runs": runs,
            "judged": self.judged,
            "counts": dict(self.counts),
            "shared": list(self.shared),
            "final": asdict(self.final) if self.final else None,
            "best": asdict(self.best) if self.best else None,
            "odd": [{**asdict(odd), "reasons": list(odd.reasons)} for odd in self.odd],
            "remarks": list(self.remarks),
        }

    def __str__(self) -> str:
        lines = [f"cohort of {len(self.diagnoses)} runs"]
        lines += [
            f"  {count} of {self.judged} {spoken_label(label, count)} ({label})" for label, count in self.counts.items()
        ]
        for when, spread in (("final", self.final), ("best", self.best)):
            lines += [f"  {when} {_spoken(spread.channel)}: {spread}"] if spread else []
        lines += [f"  odd one out: {odd.name}: {'; '.join(odd.reasons)}" for odd in self.odd]
        return "\n".join([*lines, *(f"  note: {remark}" for remark in self.remarks)])


def judge_cohort(runs: Any, *, num_classes: int | None = None, metric_goal: MetricGoal | None = None) -> Cohort:
    """Diagnoses runs of one configuration in one batch and says what they share and which of them is odd.

    Args:
        runs: two or more runs, in any form that `predict_pathology` takes for many, or their diagnoses.
        num_classes: number of classes, where known.
        metric_goal: "max" or "min"; None infers it.

    Raises:
        InputError: fewer than two runs, or something that is no list of runs.
    """
    if isinstance(runs, Sequence) and runs and all(isinstance(run, Diagnosis) for run in runs):
        found: Any = list(runs)
    else:
        found = predict_pathology(runs, num_classes=num_classes, metric_goal=metric_goal)
    if not isinstance(found, list) or len(found) < 2:
        count = len(found) if isinstance(found, list) else 1
        raise InputError(f"found {counted(count, 'run')}, expected two or more runs of one configuration")
    return _cohort(tuple(found))


def _cohort(diagnoses: tuple[Diagnosis, ...]) -> Cohort:
    counts = Counter(label for d in diagnoses for label in d.labels)
    ordered = sorted(counts.items(), key=lambda item: (-item[1], (*LABELS, HEALTHY).index(item[0])))
    judged = sum(d.verdict != "undetermined" for d in diagnoses)
    channel, traces = _traces(diagnoses)
    ends = np.where(_broken(diagnoses, channel), np.nan, _levels(traces, lambda trace: trace.end))
    lows = _levels(traces, lambda trace: trace.lowest[0])
    starts = _levels(traces, lambda trace: trace.start)
    return Cohort(
        diagnoses=diagnoses,
        judged=judged,
        counts=dict(ordered),
        shared=tuple(label for label, count in ordered if count == judged),
        final=_spread(channel, ends),
        best=_spread(channel, lows),
        odd=tuple(_odd(diagnoses, channel, {"final": ends, "best": lows}, starts)),
        remarks=tuple(_remarks(judged, channel, traces, ends)),
    )


def _traces(diagnoses: Sequence[Diagnosis]) -> tuple[str, list[Trace | None]]:
    """The loss that runs are compared by, and each run's finite points of it."""
    runs = [as_judged(d.run) if d.run else None for d in diagnoses]
    by_channel = {
        channel: [trace_of(run, channel) if run else None for run in runs] for channel in ("val_loss", "train_loss")
    }
    channel = "val_loss" if any(by_channel["val_loss"]) else "train_loss"
    return channel, by_channel[channel]


def _broken(diagnoses: Sequence[Diagnosis], channel: str) -> BoolArray:
    """(n,) runs whose loss ends in NaN or Inf: they have no final level."""
    last = [d.run.channels[channel].values[-1:] if d.run and channel in d.run.channels else () for d in diagnoses]
    return np.array([not np.isfinite(values).all() for values in last], dtype=bool)


def _levels(traces: Sequence[Trace | None], read: Callable[[Trace], float]) -> FloatArray:
    """(n,) a number of each run's trace, NaN where it has none."""
    return np.array([np.nan if trace is None else read(trace) for trace in traces])


def _spread(channel: str, levels: FloatArray) -> Spread | None:
    known = levels[np.isfinite(levels)]
    if not len(known):
        return None
    middle = float(np.median(known))
    with np.errstate(over="ignore"):
        deviation = min(MAD_TO_STD * float(np.median(np.abs(known - middle))), float(np.finfo(float).max))
    return Spread(channel, len(known), middle, deviation, float(known.min()), float(known.max()))


def _odd(
    diagnoses: Sequence[Diagnosis], channel: str, levels: Mapping[str, FloatArray], starts: FloatArray
) -> Iterator[OddRun]:
    """The runs that are set apart by a finding or by a level, in order."""
    reasons: dict[int, list[str]] = {}
    by_level = (odd for when, at in levels.items() for odd in odd_levels(f"{when} {_spoken(channel)}", at, starts))
    for index, reason in (*odd_findings(diagnoses), *by_level):
        reasons.setdefault(index, []).append(reason)
    names = _names(diagnoses)
    for index in sorted(reasons):
        yield OddRun(index, names[index], tuple(reasons[index]))


def _remarks(judged: int, channel: str, traces: Sequence[Trace | None], ends: FloatArray) -> Iterator[str]:
    """What limits the answer; `ends` are the final levels, NaN for none."""
    runs = len(traces)
    if judged < runs:
        yield f"{runs - judged} of {runs} could not be judged"
    if judged < FEWEST:
        few = counted(judged, "judged run is", "judged runs are")
        yield f"{few} too few to tell an odd one out; {FEWEST} or more are needed"
    last = [trace.steps[-1] for trace, end in zip(traces, ends, strict=True) if trace and np.isfinite(end)]
    if last and min(last) < _SAME_LENGTH * max(last):
        shortest, longest = number(min(last)), number(max(last))
        yield f"the runs end between step {shortest} and {longest}: their final levels are of different ages"
    missing = sum(trace is None for trace in traces)
    if missing:
        yield f"{missing} of {runs} {'has' if missing == 1 else 'have'} no finite {_spoken(channel)}"


def _spoken(channel: str) -> str:
    return channel.replace("_", " ")


def _names(diagnoses: Sequence[Diagnosis]) -> list[str]:
    """What every run is called: its id if no other has it, else with its path, or with its place without one."""
    ids = [d.run.run_id if d.run else "" for d in diagnoses]
    shared = Counter(ids)
    return [_name(one, d, i, alone=shared[one] == 1) for i, (one, d) in enumerate(zip(ids, diagnoses, strict=True))]


def _name(run_id: str, diagnosis: Diagnosis, index: int, *, alone: bool) -> str:
    if run_id and alone:
        return printable(run_id)
    if diagnosis.run and diagnosis.run.path:
        return name_of(diagnosis)
    return f"{printable(run_id)} (run {index + 1})" if run_id else f"run {index + 1}"


_HEALTHY = "show{s} nothing wrong"
_ONE = {"s": "s", "have": "has", "they": "it", "their": "its"}
_MANY = {"s": "", "have": "have", "they": "they", "their": "their"}


def spoken_label(label: str, count: int) -> str:
    """Returns what one run or many runs with a label do."""
    phrase = _HEALTHY if label == HEALTHY else SYMPTOMS[label].said
    return phrase.format(**(_ONE if count == 1 else _MANY))
