"""A Diagnosis for a notebook or a report: one HTML snippet with an inline SVG, readable on light and dark pages.

Text takes the colour of the page (currentColor), nothing has a background, an id or a style sheet, so that snippets
can be put next to each other on any page. Every text from outside is escaped.
"""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import TypeVar

import numpy as np

from curveclinic.diagnosis import Diagnosis, Finding
from curveclinic.phrases import printable
from curveclinic.points import FloatArray, Series
from curveclinic.report.axis import Axis, axes, losses, non_finite_places, span, strokes
from curveclinic.report.text import finding_title, headline, likely_texts, span_text, stop_text
from curveclinic.run import Run

COLOURS = {
    "train_loss": "#4a90d9",
    "val_loss": "#e8852a",
    "severe": "#d9485f",
    "mild": "#c99a1d",
    "notice": "#7f8c9b",
    "healthy": "#3fa34d",
    "undetermined": "#9a6fb0",
}
"""Channel, severity and verdict colours: contrast of 2.5 or more on white and on near-black."""

Place = TypeVar("Place", float, FloatArray)
"""A position or many of them, 0 to 1."""

_WIDTH = 640
_LEFT, _RIGHT, _TOP, _PLOT = 62, 26, 24, 190
"""Margins and height of the plotting area, in pixels."""
_LANE = 16
"""Height of one finding's bar below the plot, in pixels."""
_LABEL_FITS = 0.7
"""A bar that starts beyond this share of the step axis has its name on its left."""
_MOST_LANES = 6
"""Findings drawn as bars; they come most important first, the rest is in the list."""


def render_svg(run: Run, findings: Sequence[Finding], *, from_zero: bool = False) -> str:
    """Returns the loss curves as one SVG element, each finding's span as a bar below, the first one shaded.

    With `from_zero` the value axis begins at zero, unless it is logarithmic.
    """
    series = losses(run)
    if not any(np.isfinite(s.values).any() for s in series.values()):
        return _document(40, [_text(_LEFT, 24, "no finite loss to draw")])
    x, y = axes(list(series.values()), from_zero=from_zero)
    dated = [f for f in findings if f.onset is not None][:_MOST_LANES]
    parts = [*_shade(findings, x), *_frame(x, y), *_legend(series)]
    parts += [_curve(name, s, x, y) for name, s in series.items()]
    parts += _non_finite_marks(series, x)
    for lane, finding in enumerate(dated):
        parts += _bar(finding, x, _TOP + _PLOT + 26 + lane * _LANE)
    return _document(_TOP + _PLOT + 30 + len(dated) * _LANE, parts)


def render_html(diagnosis: Diagnosis) -> str:
    """Returns the diagnosis as one self-contained HTML snippet."""
    line = headline(diagnosis)
    parts = [f'<div style="font-weight:600;border-left:4px solid {COLOURS[line.role]};padding-left:8px">'
             f"{_escaped(line.text)}</div>"]  # fmt: skip
    for note in filter(None, (diagnosis.message, stop_text(diagnosis))):
        parts.append(f'<div style="margin:4px 0">{_escaped(note)}</div>')
    if diagnosis.run is not None:
        parts.append(render_svg(diagnosis.run, diagnosis.findings))
    parts += [_details(finding, first=i == 0) for i, finding in enumerate(diagnosis.findings)]
    parts.append(_list("Likely causes in this run", likely_texts(diagnosis.likely_causes)))
    if diagnosis.unchecked and diagnosis.verdict != "undetermined":
        rows = (f"<li>{_escaped(label)}: {_escaped(reason)}</li>" for label, reason in diagnosis.unchecked.items())
        parts.append(f'<details style="opacity:.75"><summary>Not checked</summary><ul>{"".join(rows)}</ul></details>')
    return f'<div style="font-family:system-ui,sans-serif;font-size:13px;max-width:{_WIDTH}px">{"".join(parts)}</div>'


def _details(finding: Finding, *, first: bool) -> str:
    """One finding; the most important one is unfolded."""
    colour = COLOURS[finding.severity]
    lists = _list("Causes by experience", finding.causes) + _list("What to try", finding.remedies)
    return (
        f'<details style="margin:4px 0"{" open" if first else ""}>'
        f'<summary style="color:{colour};cursor:pointer">{_escaped(finding_title(finding))}</summary>'
        f'<div style="margin-left:14px">{_escaped(finding.evidence)}{lists}</div></details>'
    )


def _list(title: str, items: Sequence[str]) -> str:
    rows = "".join(f"<li>{_escaped(item)}</li>" for item in items)
    return f'<div style="margin-top:4px">{title}</div><ul style="margin:0">{rows}</ul>' if rows else ""


def _escaped(text: str) -> str:
    return html.escape(printable(text))


def _document(height: int, parts: Sequence[str]) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" height="{height}" '
        'style="max-width:100%;height:auto" role="img" font-family="system-ui,sans-serif" font-size="11" '
        f'fill="currentColor">{"".join(parts)}</svg>'
    )


def _text(x: float, y: float, content: str, *, anchor: str = "start", colour: str = "currentColor") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}">{_escaped(content)}</text>'


def _x(place: Place) -> Place:
    return _LEFT + place * (_WIDTH - _LEFT - _RIGHT)


def _y(place: Place) -> Place:
    return _TOP + (1 - place) * _PLOT


def _frame(x: Axis, y: Axis) -> list[str]:
    """Grid lines with their values, and the first and last step."""
    parts = []
    for place, label in y.ticks(5):
        parts.append(f'<path d="M{_LEFT} {_y(place):.1f}H{_WIDTH - _RIGHT}" stroke="currentColor" opacity=".15"/>')
        parts.append(_text(_LEFT - 6, _y(place) + 4, label, anchor="end"))
    for place, label in x.ticks(7):
        parts.append(_text(_x(place), _TOP + _PLOT + 15, label, anchor="middle"))
    return parts


def _legend(series: dict[str, Series]) -> list[str]:
    return [_text(_LEFT + i * 110, 14, f"● {name}", colour=COLOURS[name]) for i, name in enumerate(series)]


def _curve(name: str, series: Series, x: Axis, y: Axis) -> str:
    """The curve as one path, thinned to the width of the plot; a lone point is a dash."""
    pieces = []
    for stroke in strokes(series, x, _WIDTH - _LEFT - _RIGHT):
        left, top = _x(x.fraction(series.steps[stroke])), _y(y.fraction(series.values[stroke]))
        points = [f"{a:.1f} {b:.1f}" for a, b in zip(left, top, strict=True)]
        pieces.append(f"M{'L'.join(points)}" if len(points) > 1 else f"M{left[0] - 2:.1f} {top[0]:.1f}h4")
    return (
        f'<path d="{"".join(pieces)}" fill="none" stroke="{COLOURS[name]}" stroke-width="1.6" '
        'stroke-linejoin="round" stroke-linecap="round"/>'
    )


def _non_finite_marks(series: dict[str, Series], x: Axis) -> list[str]:
    """A cross on the upper edge wherever a loss is NaN or Inf."""
    places = non_finite_places(list(series.values()), x, (_WIDTH - _LEFT - _RIGHT) // 6)
    path = "".join(f"M{_x(p) - 3:.1f} {_TOP - 3}l6 6m0 -6l-6 6" for p in places)
    return [f'<path d="{path}" stroke="{COLOURS["severe"]}"><title>NaN or Inf</title></path>'] if path else []


def _shade(findings: Sequence[Finding], x: Axis) -> list[str]:
    """The span of the first finding behind the curves."""
    marked = span(findings[0].onset, findings[0].end, x) if findings else None
    if marked is None:
        return []
    left, width = _x(marked[0]), max(2.0, _x(marked[1]) - _x(marked[0]))
    return [
        f'<rect x="{left:.1f}" y="{_TOP}" width="{width:.1f}" height="{_PLOT}" '
        f'fill="{COLOURS[findings[0].severity]}" opacity=".14"/>'
    ]


def _bar(finding: Finding, x: Axis, top: int) -> list[str]:
    """One finding as a bar under the step axis with its name."""
    marked = span(finding.onset, finding.end, x)
    if marked is None:
        return []
    left, width = _x(marked[0]), max(2.0, _x(marked[1]) - _x(marked[0]))
    late = marked[0] > _LABEL_FITS
    label = _text(left - 5 if late else left + 5, top + 9, finding.label, anchor="end" if late else "start")
    return [
        f'<rect x="{left:.1f}" y="{top}" width="{width:.1f}" height="11" rx="3" '
        f'fill="{COLOURS[finding.severity]}" opacity=".5">'
        f"<title>{_escaped(finding.label)}, {_escaped(span_text(finding))}</title></rect>{label}"
    ]
