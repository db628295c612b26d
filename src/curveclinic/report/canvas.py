"""A small character plot of the loss curves: braille, or plain ASCII where the stream has no other characters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from curveclinic.diagnosis import Finding
from curveclinic.points import BoolArray, Series
from curveclinic.report.axis import Axis, axes, losses, non_finite_places, number, span, strokes
from curveclinic.report.text import span_text
from curveclinic.run import Run

PLOT_ROWS = 10
"""Rows of the plotting area: enough to tell a rise from a wobble, small enough for several runs a screen."""

_NARROWEST, _WIDEST = 20, 100
"""Columns of the plotting area."""

_DOTS = np.array([[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]])
"""Bits of the 4 x 2 dots of a braille character, Unicode block U+2800."""

_ROLES = {"train_loss": "train", "val_loss": "val"}


@dataclass(frozen=True)
class Glyphs:
    """Characters of one look of the plot; None for a curve drawn in braille."""

    train: str | None
    val: str | None
    non_finite: str
    corner: str
    wall: str
    floor: str
    span: str


BRAILLE = Glyphs(None, None, "x", "└", "┤", "─", "━")
"""Both curves in braille: needs colour to tell them apart."""
BRAILLE_PLAIN = Glyphs(None, "o", "x", "└", "┤", "─", "━")
"""Without colour, validation is drawn with letters."""
ASCII = Glyphs("*", "o", "x", "+", "|", "-", "=")

Piece = tuple[str, str]
"""Text and its role: "train", "val", a severity, "body" or "faint"."""


def draw(run: Run, findings: Sequence[Finding], *, width: int, glyphs: Glyphs) -> list[list[Piece]]:
    """Returns the rows of a plot with the span of the first finding marked; [] when there is no finite loss."""
    series = losses(run)
    if not any(np.isfinite(s.values).any() for s in series.values()):
        return []
    x, y = axes(list(series.values()))
    ticks = {round((1 - place) * (PLOT_ROWS - 1)): text for place, text in y.ticks(4)}
    gutter = max(map(len, ticks.values()), default=0) + 2
    columns = int(np.clip(width - gutter, _NARROWEST, _WIDEST))
    grid = _grid(series, x, y, columns, glyphs)
    for place in non_finite_places(list(series.values()), x, columns - 1):
        grid[0][round(place * (columns - 1))] = (glyphs.non_finite, "severe")
    rows = [
        [(f"{ticks.get(i, ''):>{gutter - 2}} {glyphs.wall}", "faint"), *_joined(cells)] for i, cells in enumerate(grid)
    ]
    margin: Piece = (" " * gutter, "faint")
    corner: Piece = (" " * (gutter - 1) + glyphs.corner, "faint")
    rows.append([corner, *_floor(findings, x, columns, glyphs)])
    return [*rows, [margin, _steps(series, columns)], [margin, *_legend(series, findings, glyphs)]]


def _grid(series: dict[str, Series], x: Axis, y: Axis, columns: int, glyphs: Glyphs) -> list[list[Piece]]:
    """The plotting area, cell by cell; validation is drawn over training."""
    dots = {name: _raster(s, x, y, PLOT_ROWS * 4, columns * 2) for name, s in series.items()}
    grid: list[list[Piece]] = [[(" ", "body")] * columns for _ in range(PLOT_ROWS)]
    braille = np.zeros((PLOT_ROWS, columns), dtype=np.int64)
    for name, mask in dots.items():
        role = _ROLES[name]
        letter = glyphs.val if role == "val" and len(series) > 1 else glyphs.train
        cells = mask.reshape(PLOT_ROWS, 4, columns, 2).transpose(0, 2, 1, 3)
        bits = (cells * _DOTS).sum(axis=(2, 3))
        braille |= bits
        for row, column in np.argwhere(bits > 0):
            grid[row][column] = (letter or chr(0x2800 + int(braille[row, column])), role)
    return grid


def _raster(series: Series, x: Axis, y: Axis, rows: int, columns: int) -> BoolArray:
    """The curve as dots, (rows, columns), row 0 on top."""
    mask = np.zeros((rows, columns), dtype=np.bool_)
    for stroke in strokes(series, x, columns):
        column = np.rint(x.fraction(series.steps[stroke]) * (columns - 1)).astype(int)
        row = np.rint((1 - y.fraction(series.values[stroke])) * (rows - 1)).astype(int)
        mask[row[0], column[0]] = True
        for r0, r1, c0, c1 in zip(row[:-1], row[1:], column[:-1], column[1:], strict=True):
            count = max(abs(r1 - r0), abs(c1 - c0)) + 1
            line = np.rint(np.linspace((r0, c0), (r1, c1), count)).astype(int)  # (count, 2)
            mask[line[:, 0], line[:, 1]] = True
    return mask


def _joined(row: Sequence[Piece]) -> list[Piece]:
    """Neighbours of one role merged."""
    merged: list[Piece] = []
    for character, role in row:
        if merged and merged[-1][1] == role:
            merged[-1] = (merged[-1][0] + character, role)
        else:
            merged.append((character, role))
    return merged


def _floor(findings: Sequence[Finding], x: Axis, columns: int, glyphs: Glyphs) -> list[Piece]:
    """The step axis; the span of the first finding is drawn heavy."""
    marked = span(findings[0].onset, findings[0].end, x) if findings else None
    if marked is None:
        return [(glyphs.floor * columns, "faint")]
    first, last = (round(place * (columns - 1)) for place in marked)
    before, inside, after = first, last - first + 1, columns - last - 1
    heavy: Piece = (glyphs.span * inside, findings[0].severity)
    return [(glyphs.floor * before, "faint"), heavy, (glyphs.floor * after, "faint")]


def _steps(series: dict[str, Series], columns: int) -> Piece:
    """The first step on the left and the last on the right; a lone step in the middle."""
    first, last = (number(extreme(s.steps[end] for s in series.values())) for extreme, end in ((min, 0), (max, -1)))
    if first == last:
        return f"{first:^{columns}}", "faint"
    return f"{first}{last:>{max(columns - len(first), len(last) + 1)}}", "faint"


def _legend(series: dict[str, Series], findings: Sequence[Finding], glyphs: Glyphs) -> list[Piece]:
    entries: list[Piece] = []
    for name in series:
        role = _ROLES[name]
        letter = glyphs.val if role == "val" and len(series) > 1 else glyphs.train
        entries.append((f"{letter or '⠒⠒'} {name}", role))
    if findings and findings[0].onset is not None:
        entries.append((f"{glyphs.span * 2} {findings[0].label}, {span_text(findings[0])}", findings[0].severity))
    return [piece for entry in entries for piece in (("   ", "body"), entry)][1:]
