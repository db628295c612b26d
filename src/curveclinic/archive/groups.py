"""`--group-by`: runs by sweep or experiment, as a part of their id or path names it, and what is wrong in each."""

from __future__ import annotations

import re
from array import array
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np

from curveclinic.errors import InputError
from curveclinic.labels import FATAL, HEALTHY
from curveclinic.phrases import printable

if TYPE_CHECKING:
    import pyarrow as pa

NO_GROUP: Final = "(no match)"

SHOWN_GROUPS: Final = 100
_SHOWN_LABELS: Final = 3
_NAME_WIDTH: Final = 40


@dataclass
class Group:
    """What was seen of one group.

    Attributes:
        runs: number of runs judged, undetermined ones included.
        diverged: number of runs with a label that is fatal.
        labels: label -> number of runs.
        onsets: where the first finding of a run starts, as a share of the run.
        unreadable: number of inputs that could not be read.
    """

    runs: int = 0
    diverged: int = 0
    labels: Counter[str] = field(default_factory=Counter)
    onsets: array[float] = field(default_factory=lambda: array("f"))
    unreadable: int = 0

    @property
    def onset(self) -> float | None:
        """Median onset as a share of the run; None where no finding has one."""
        return float(np.median(self.onsets)) if self.onsets else None


class Groups:
    """Groups by what a regular expression finds in the id of a run, or else in its path."""

    def __init__(self, pattern: re.Pattern[str]) -> None:
        self._pattern = pattern
        self.groups: dict[str, Group] = {}

    def add_rows(self, rows: pa.Table) -> None:
        """Counts the rows of a scan."""
        names = ("run_id", "path", "status", "labels", "onset", "steps_min", "steps_max")
        for run_id, path, status, labels, onset, low, high in zip(*(rows[n].to_pylist() for n in names), strict=True):
            group = self.groups.setdefault(self.name(run_id, path), Group())
            if status == "error":
                group.unreadable += 1
                continue
            group.runs += 1
            group.diverged += not set(FATAL).isdisjoint(labels)
            group.labels.update(label for label in labels if label != HEALTHY)
            if onset is not None and low is not None and high > low:
                group.onsets.append(min(max((onset - low) / (high - low), 0.0), 1.0))

    def name(self, run_id: str, path: str) -> str:
        """Returns the group of a run: what the groups of the expression match, or all it matches without groups."""
        found = self._pattern.search(run_id) or self._pattern.search(path)
        if found is None:
            return NO_GROUP
        parts = found.groups() or (found.group(),)
        return "/".join(part for part in parts if part) or NO_GROUP

    def render(self) -> str:
        """Returns a table, the largest groups first."""
        ordered = sorted(self.groups.items(), key=lambda item: (-item[1].runs, item[0]))
        shown = [(_shortened(printable(name)), group) for name, group in ordered[:SHOWN_GROUPS]]
        width = max([len("group"), *(len(name) for name, _ in shown)])
        lines = [f"{'group':<{width}}{'runs':>10}{'diverged':>10}{'share':>8}{'onset':>8}  labels"]
        lines += [f"{name:<{width}}{_figures(group)}  {_labels(group)}".rstrip() for name, group in shown]
        more = len(ordered) - len(shown)
        return "\n".join([*lines, f"and {more:,} smaller groups"] if more else lines)


def parse_pattern(text: str) -> re.Pattern[str]:
    """Returns the compiled expression of `--group-by`.

    Raises:
        InputError: it is no regular expression.
    """
    try:
        return re.compile(text)
    except re.error as error:
        raise InputError(f"found {text!r}, expected a regular expression such as '^[^/]+' ({error})") from None


def _figures(group: Group) -> str:
    share = f"{group.diverged / group.runs:.1%}" if group.runs else "-"
    onset = "-" if group.onset is None else f"{group.onset:.0%}"
    return f"{group.runs:>10,}{group.diverged:>10,}{share:>8}{onset:>8}"


def _labels(group: Group) -> str:
    """The most frequent labels, what they leave out, and what could not be read."""
    common = sorted(group.labels.items(), key=lambda item: (-item[1], item[0]))
    told = [f"{label} {count:,}" for label, count in common[:_SHOWN_LABELS]]
    told += [f"{len(common) - _SHOWN_LABELS} more"] if len(common) > _SHOWN_LABELS else []
    told += [f"{group.unreadable:,} unreadable"] if group.unreadable else []
    return ", ".join(told)


def _shortened(name: str) -> str:
    return name if len(name) <= _NAME_WIDTH else f"{name[: _NAME_WIDTH - 3]}..."
