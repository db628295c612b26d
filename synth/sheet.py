"""Contact sheets: many small plots of runs as logged, synthetic or recorded, to be looked at side by side."""

from __future__ import annotations

import gzip
import json
import textwrap
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from curveclinic.errors import InputError, MissingExtraError
from curveclinic.labels import HEALTHY, LABELS
from curveclinic.points import Series
from curveclinic.ragged import BoolArray, FloatArray
from curveclinic.report.axis import axes, losses
from curveclinic.report.svg import COLOURS
from curveclinic.run import Run
from curveclinic.synth.families import TRENDS
from curveclinic.synth.generate import BLOCK, TREND_NAMES, Sample, generate

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MAX_POINTS: Final = 4000
"""Longest synthetic run drawn: a stamp-sized plot shows no more."""

_MAX_BLOCKS: Final = 40
"""Blocks searched for runs of a rare label before the sheet is drawn with what there is."""

_COLUMNS: Final = 9
_PANEL: Final = (2.1, 1.6)
"""Width and height of a panel in inches."""

_TITLE_WIDTH: Final = 56
"""Characters of labels that fit above a panel."""

_DOTTED: Final = 60
"""Points up to which every one gets a dot."""

_DRAWABLE: Final = 1e100
"""matplotlib overflows on the margins around much larger values."""

_THIN: Final = {"train_metric": "#e9a3ad", "val_metric": COLOURS["severe"], "lr": COLOURS["healthy"]}
"""Companions drawn thin on an axis of their own, and their colours."""


@dataclass(frozen=True, eq=False)
class Panel:
    """One small plot.

    Attributes:
        run: what is drawn.
        family: where the run comes from.
        present: labels clearly there.
        arguable: labels neither clearly there nor clearly absent.
    """

    run: Run
    family: str
    present: tuple[str, ...]
    arguable: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """Family, then the labels; the arguable ones with a question mark."""
        labels = " ".join([*self.present, *(f"{label}?" for label in self.arguable)])
        return f"{self.family}\n" + textwrap.shorten(labels, _TITLE_WIDTH, placeholder=" ...")

    def shows(self, label: str | None) -> bool:
        """Whether the label is there; "healthy" stands for no label, None for anything."""
        return label is None or (label in self.present if label != HEALTHY else not self.present)


def synthetic_panels(
    seed: int, count: int, *, label: str | None = None, family: str | None = None, max_points: int = _MAX_POINTS
) -> list[Panel]:
    """Returns up to `count` generated runs, fewer where the label is too rare.

    Args:
        seed: of the runs.
        count: most panels.
        label: only runs that clearly show it; "healthy": only runs that show none.
        family: only this one of `families.TRENDS`.
        max_points: longest run.

    Raises:
        InputError: there is no such label or family.
    """
    _known("label", label, (*LABELS, HEALTHY))
    _known("family", family, TRENDS)
    trends = TREND_NAMES if family is None else (family,)
    panels: list[Panel] = []
    for block in range(_MAX_BLOCKS):
        sample = generate((seed, block), BLOCK, trends=trends, max_points=max_points)
        panels += [panel for panel in _panels(sample) if panel.shows(label)][: count - len(panels)]
        if len(panels) >= count:
            break
    return panels


def _known(what: str, name: str | None, names: Collection[str]) -> None:
    if name is not None and name not in names:
        raise InputError(f"unknown {what} {name!r}; expected one of {', '.join(names)}")


def simulated_panels(
    path: Path, seed: int, count: int, *, label: str | None = None, family: str | None = None
) -> list[Panel]:
    """Returns up to `count` logs of simulated trainings; family is one of theirs, or a cause.

    Raises:
        InputError: the cache cannot be read, or there is no such label, family or cause.
    """
    from curveclinic.synth.simulate.stream import Simulations

    _known("label", label, (*LABELS, HEALTHY))
    simulations = Simulations.read(path)
    of_cause = np.unique(simulations.cache.family[simulations.cache.cause == family].astype(str))
    _known("family or cause", family, (*simulations.families, *np.unique(simulations.cache.cause.astype(str))))
    names = [str(name) for name in simulations.families]
    families = None if family is None else [*of_cause, *([family] if family in simulations.families else [])]
    panels: list[Panel] = []
    for block in range(_MAX_BLOCKS):
        sample = simulations.draw((seed, block), BLOCK, families=families)
        panels += [p for p in _panels(sample, names) if p.shows(label)][: count - len(panels)]
        if len(panels) >= count:
            break
    return panels


def _panels(sample: Sample, names: Sequence[str] = TREND_NAMES) -> Iterator[Panel]:
    present = (sample.target == 1.0) & (sample.weight > 0)
    arguable = (sample.target > 0.0) & (sample.target < 1.0) & (sample.weight > 0)
    for i in range(sample.batch.size):
        series = {}
        for name, channel in sample.batch.channels.items():
            piece = slice(channel.offsets[i], channel.offsets[i + 1])
            if channel.lengths[i]:
                series[name] = Series(channel.steps[piece], channel.values[piece])
        yield Panel(Run(series), names[sample.family[i]], _names(present[i]), _names(arguable[i]))


def _names(there: BoolArray) -> tuple[str, ...]:
    return tuple(label for label, yes in zip(LABELS, there, strict=True) if yes)


def recorded_panels(
    path: Path, seed: int, count: int, *, label: str | None = None, family: str | None = None
) -> list[Panel]:
    """Returns up to `count` labelled records of a JSON-lines file, gzipped or not, drawn at random, in file order.

    A record holds `id`, `positive` (labels, may be absent) and `curves`: channel -> {"step": [...], "value": [...]}.

    Raises:
        InputError: the file cannot be read or holds something else.
    """
    _known("label", label, (*LABELS, HEALTHY))
    found = [p for p in _recorded(path) if p.shows(label) and family in (None, p.family)]
    rows = np.sort(np.random.default_rng(seed).permutation(len(found))[:count])
    return [found[i] for i in rows]


def _recorded(path: Path) -> Iterator[Panel]:
    try:
        with gzip.open(path, "rt") if path.suffix == ".gz" else path.open() as lines:
            yield from (_record(path, number, line) for number, line in enumerate(lines, start=1))
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: {error}; expected a readable JSON-lines file, gzipped or not") from error


def _record(path: Path, number: int, line: str) -> Panel:
    try:
        body = json.loads(line)
        curves = {name: (curve["step"], curve["value"]) for name, curve in body["curves"].items()}
        run = Run.from_arrays(curves, run_id=str(body["id"]))
        return Panel(run, str(body.get("family", body["id"])), tuple(body.get("positive", ())))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"{path}, line {number}: {error!r}; expected a record with id, positive and curves of step and value"
        ) from error


def draw_sheet(panels: Sequence[Panel]) -> Figure:
    """Returns the figure with one small plot a panel, row by row.

    Raises:
        MissingExtraError: matplotlib is not installed.
        InputError: there is nothing to draw.
    """
    try:
        from matplotlib.figure import Figure as NewFigure
    except ImportError as error:
        raise MissingExtraError("matplotlib", "plot", "A contact sheet") from error
    if not panels:
        raise InputError("no run fits; try another label or family")
    columns = min(_COLUMNS, len(panels))
    rows = -(-len(panels) // columns)
    figure = NewFigure(figsize=(columns * _PANEL[0], rows * _PANEL[1]))
    grid = figure.subplots(rows, columns, squeeze=False)
    left, right, above = 0.1 / columns, 0.02 / columns, 0.16 / rows
    figure.subplots_adjust(left, above / 2, 1 - right, 1 - above, wspace=0.2, hspace=0.32)
    for axis in grid.flat:
        axis.set_axis_off()
    for axis, panel in zip(grid.flat, panels, strict=False):
        _draw(axis, panel)
    return figure


def _draw(axis: Axes, panel: Panel) -> None:
    axis.set_axis_on()
    axis.tick_params(which="both", labelsize=4, pad=1, length=1)
    axis.set_title(panel.title.replace("$", r"\$"), fontsize=4.5, y=1.0, pad=2)
    _draw_companions(axis, panel.run)
    series = losses(panel.run)
    if not any(np.isfinite(one.values).any() for one in series.values()):
        axis.text(0.5, 0.5, "no finite loss", fontsize=5, ha="center", transform=axis.transAxes)
        return
    for name, one in series.items():
        few = len(one) <= _DOTTED
        axis.plot(one.steps, _drawable(one.values), color=COLOURS[name], lw=0.8, marker="." if few else "", ms=2)
    axis.set_yscale("log" if axes(list(series.values()))[1].log else "linear")
    axis.minorticks_off()
    for side in (axis.xaxis, axis.yaxis):
        side.get_offset_text().set_fontsize(4)


def _draw_companions(axis: Axes, run: Run) -> None:
    """Metric and learning rate behind the losses: the twins lie below, the panel's background is see-through."""
    axis.set_zorder(1)
    axis.patch.set_visible(False)
    for names in (("lr",), ("train_metric", "val_metric")):
        there = [name for name in names if name in run.channels]
        if there:
            twin = axis.twinx()
            twin.set_axis_off()
            for name in there:
                one = run.channels[name]
                twin.plot(one.steps, _drawable(one.values), color=_THIN[name], lw=0.4)


def _drawable(values: FloatArray) -> FloatArray:
    """NaN and Inf leave gaps; what overflows is clipped."""
    return np.where(np.isfinite(values), np.clip(values, -_DRAWABLE, _DRAWABLE), np.nan)
