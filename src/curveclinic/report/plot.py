"""`plot_diagnosis`: the curves of a run with its findings, drawn by matplotlib (extra `plot`)."""

from __future__ import annotations

import io
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from curveclinic.diagnosis import Diagnosis, Finding
from curveclinic.errors import InputError, MissingExtraError
from curveclinic.points import FloatArray, Series
from curveclinic.report.axis import Axis, axes, losses, non_finite_places, span
from curveclinic.report.svg import COLOURS
from curveclinic.report.text import headline, span_text
from curveclinic.run import Run

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_PANELS = (("train_metric", "val_metric"), ("lr",), ("grad_norm",))
"""Channels of the small panels, one panel a group."""

_BAR = 0.03
"""Height of the bar of a further finding, as a share of the panel."""

_DRAWABLE = 1e150
"""matplotlib overflows on the margins around larger values, and on a log scale around smaller ones than 1 / this."""

_PANEL_COLOURS = {"train_metric": COLOURS["train_loss"], "val_metric": COLOURS["val_loss"]}


def plot_diagnosis(diagnosis: Diagnosis) -> Figure:
    """Returns a figure with the losses, every finding's span shaded, and small panels for metric, lr and grad_norm.

    Raises:
        MissingExtraError: matplotlib is not installed.
        InputError: the diagnosis holds no run.
    """
    run = diagnosis.run
    if run is None:
        raise InputError("nothing to plot: the input could not become a run; see Diagnosis.message")
    groups = [[c for c in group if c in run.channels] for group in _PANELS]
    panels = [group for group in groups if group]
    figure = _new_figure(6.4, 3.6 + 1.2 * len(panels))
    ratios = [3.0, *([1.0] * len(panels))]
    axis = figure.subplots(len(ratios), 1, sharex=True, squeeze=False, gridspec_kw={"height_ratios": ratios})[:, 0]
    _draw_losses(axis[0], run, diagnosis)
    handles, labels = axis[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2, fontsize=8)
    for panel, group in zip(axis[1:], panels, strict=True):
        _draw_panel(panel, run, group)
    axis[-1].set_xlabel("step")
    return figure


def _new_figure(width: float, height: float) -> Figure:
    """An empty figure, outside pyplot: no global state, nothing to close.

    It brings its own picture for notebooks: they know how to show a figure only where pyplot has drawn one before.
    """
    try:
        from matplotlib.figure import Figure as NewFigure
    except ImportError as error:
        raise MissingExtraError("matplotlib", "plot", "Diagnosis.plot()") from error
    figure = NewFigure(figsize=(width, height), layout="constrained")
    vars(figure)["_repr_png_"] = partial(_png, figure)
    return figure


def _png(figure: Figure) -> bytes:
    picture = io.BytesIO()
    figure.savefig(picture, format="png")
    return picture.getvalue()


def _draw_losses(axis: Any, run: Run, diagnosis: Diagnosis) -> None:
    series = losses(run)
    axis.set_title(_literal(headline(diagnosis).text), fontsize=10, loc="left", wrap=True)
    axis.set_ylabel("loss")
    if not series:
        return
    x, y = axes(list(series.values()))
    for name, one in series.items():
        _draw_curve(axis, name, one, COLOURS[name])
    axis.set_yscale("log" if y.log else "linear")
    places = [x.low + p * (x.high - x.low) for p in non_finite_places(list(series.values()), x, 200)]
    if places:
        top = axis.get_xaxis_transform()
        axis.plot(places, [0.98] * len(places), "x", color=COLOURS["severe"], transform=top, label="NaN or Inf")
    for position, finding in enumerate(diagnosis.findings):
        _mark_span(axis, finding, x, position)


def _mark_span(axis: Any, finding: Finding, x: Axis, position: int) -> None:
    """The first finding is shaded over the whole height; the others are bars along the lower edge."""
    place = span(finding.onset, finding.end, x)
    if place is None:
        return
    first, last = (x.low + p * (x.high - x.low) for p in place)
    top = (position + 1) * _BAR
    look = {"color": COLOURS[finding.severity], "label": f"{finding.label}, {span_text(finding)}"}
    if position == 0:
        axis.axvspan(first, last, alpha=0.15, **look)
        axis.axvline(first, color=look["color"], linewidth=1)
    else:
        axis.axvspan(first, last, ymin=top - _BAR, ymax=top - _BAR / 4, alpha=0.7, **look)


def _draw_panel(axis: Any, run: Run, names: list[str]) -> None:
    for name in names:
        _draw_curve(axis, name, run.channels[name], _PANEL_COLOURS.get(name, COLOURS["notice"]))
    _, y = axes([run.channels[name] for name in names])
    axis.set_yscale("log" if y.log and names != ["lr"] else "linear")
    axis.set_ylabel(names[0].removeprefix("train_").removeprefix("val_"), fontsize=8)
    axis.tick_params(labelsize=7)


def _draw_curve(axis: Any, name: str, series: Series, colour: str) -> None:
    """The curve with gaps at NaN and Inf; a lone point gets a marker."""
    values = np.where(np.isfinite(series.values), _drawable(series.values), np.nan)
    marker = "o" if np.isfinite(values).sum() == 1 else ""
    axis.plot(series.steps, values, color=colour, linewidth=1.3, marker=marker, label=name)


def _drawable(values: FloatArray) -> FloatArray:
    size: FloatArray = np.clip(np.abs(values), 1 / _DRAWABLE, _DRAWABLE)
    return np.sign(values) * size


def _literal(text: str) -> str:
    """Text that matplotlib does not read as mathematics."""
    return text.replace("$", r"\$")
