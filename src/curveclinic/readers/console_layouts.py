"""Layouts of lines of console output: lines that are alike but for the digits of their numbers are understood once.

A log of a million lines has a dozen layouts. A layout holds where in the line the numbers are; what a line says is cut
out there.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cached_property

from curveclinic.readers.console_bars import bar_in
from curveclinic.readers.console_headings import announced
from curveclinic.readers.console_pairs import Row, cell, first_heading, pairs, with_named_losses
from curveclinic.readers.console_places import Place, place_of, without_owners
from curveclinic.readers.console_tables import header_of

MAX_LINE = 20_000
"""Characters of the longest line looked at; a longer one is a dump of something else."""

_MOST_LAYOUTS = 1000
"""So many are remembered at a time; prose has one a line."""

_ALL_ZERO = str.maketrans("123456789", "0" * 9)

_NAMES = re.compile(r"(?<=[(\[])[A-Z][\w %,/@\-]{0,30}(?=[)\]])|(?<![\w@./\-])[A-Z_][\w@./\-]*", re.IGNORECASE)
"""Where a digit may belong to a name: `top5`, `Acc@1`, `hit rate (top 5)`."""

_NUMBER = re.compile(r"\d|\bnan\b|\binf", re.IGNORECASE)

_RECALLS = re.compile(r"\b(?:best|restor(?:ed|ing)|resum(?:ed|ing)|loaded)\b(?!\.\w)[^\d.!]{0,80}(?=\d)", re.IGNORECASE)
"""`Best epoch: 12, val_loss: 0.31`: what was, not what is; `New best! Epoch 12, val_loss: 0.31` is."""


class Layout:
    """What a line says, but for its numbers; all lines of the layout say the same.

    Attributes:
        names_columns: whether it is the header of a table.
        has_number: whether there is any number in it.
        depth: its indentation.
    """

    def __init__(self, line: str) -> None:
        self._line = line
        self.names_columns = bool(header_of(line))
        self.has_number = _NUMBER.search(line) is not None
        self.depth = len(line) - len(line.lstrip())
        self._cells: dict[str, tuple[tuple[str, tuple[slice, ...], bool], ...]] = {}

    @cached_property
    def recalled(self) -> str:
        """Its words up to the first number, if they may tell of an earlier epoch; "" if they do not."""
        found = _RECALLS.search(self._line)
        before = self._line[: found.start()] if found else ""
        return found[0] if found and not place_of(before).at and not pairs(before, "") else ""

    @cached_property
    def _place(self) -> Place:
        return place_of(self._line)

    @property
    def side(self) -> str:
        """The side named with its place; "" for none."""
        return self._place.side

    @cached_property
    def first_heading(self) -> str:
        """The first word for a side that stands as a heading in it; "" where there is none."""
        return first_heading(self._line)

    @cached_property
    def announces(self) -> str:
        """The side it announces if it holds no loss or metric; "" for none."""
        return announced(self._line)

    @cached_property
    def bar(self) -> tuple[slice, slice] | None:
        """Where it says how far a progress bar is, and the bar's length; None where there is none."""
        return bar_in(self._line)

    def bar_state(self, line: str) -> tuple[int | None, int | None]:
        """Returns how far the progress bar of a line is, and its length; None and None where there is none."""
        return (int(line[self.bar[0]]), int(line[self.bar[1]])) if self.bar else (None, None)

    def place(self, line: str) -> Row:
        """Returns epoch, step and process of a line."""
        grouped = self._place.grouped
        return {axis: line[at].replace(",", "") if axis == grouped else line[at] for axis, at in self._place.at.items()}

    def row(self, line: str, side: str) -> Row:
        """Returns the named numbers of a line that mean something; those without a side are of this one."""
        found = self._cells.get(side)
        if found is None:
            rest = self._place.rest
            found = self._cells[side] = tuple(
                (name, tuple(rest.span(pair.match, group) for group in ("value", "of", "mean")), pair.is_evaluated)
                for name, pair in pairs(rest.text, side).items()
            )
        return {
            name: cell(line[value], line[of], line[mean], evaluated=evaluated)
            for name, (value, of, mean), evaluated in found
        }


def laid_out(lines: Iterable[str]) -> Iterator[tuple[str, Layout]]:
    """Yields lines that are not too long, the names in them made plain, each with its layout."""
    known: dict[str, tuple[tuple[slice, ...], dict[tuple[str, ...], Layout]]] = {}
    for raw in lines:
        if len(raw) > MAX_LINE:
            continue
        line = with_named_losses(without_owners(raw))
        shape = line.translate(_ALL_ZERO)
        if shape not in known:
            if len(known) == _MOST_LAYOUTS:
                known.clear()
            digits = "0" in shape and _NAMES.finditer(shape)
            known[shape] = tuple(slice(*m.span()) for m in digits or () if "0" in m[0]), {}
        names, layouts = known[shape]
        spelt = tuple([line[name] for name in names])
        if spelt not in layouts:
            layouts[spelt] = Layout(line)
        yield line, layouts[spelt]
