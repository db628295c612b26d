"""Lines of console output -> rows of named numbers: `Epoch 3/10 - loss: 0.12 - val_loss: 0.2` and its many cousins.

What a line says about its place (epoch, step, bar) is read first, then the pairs of a name and a number; a name
without a side takes it from a heading before it (`Test set: Average loss: 0.1`), or from what it sums up.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from curveclinic.intake.orientations import SUMMARY
from curveclinic.readers.commas import Comma, has_points, settled
from curveclinic.readers.console_bars import Line, bar_of, without_drawings
from curveclinic.readers.console_pairs import HEADING, Row, first_heading, is_evaluated, pairs
from curveclinic.readers.console_places import AXIS_COLUMN, ROUNDS, SAVED, place_of, without_owners
from curveclinic.readers.console_tables import header_of, table_row

MAX_LINE = 20_000
"""Characters of the longest line looked at; a longer one is a dump of something else."""

_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b\n]*(?:\x07|\x1b\\)|[@-Z\\-_])")
_DIGIT = re.compile(r"\d|\bnan\b|\binf", re.IGNORECASE)
_ENDS = re.compile(r"[\r\n\x08]+")

_SUMS_UP = re.compile(r"(?<!\S)\* +(?:Acc|Prec)@|Averaged stats:")
"""`* Acc@1 80.0 loss 0.9` of torchvision's ImageNet script and its heirs: the mean over what was printed before it."""


@dataclass(frozen=True)
class _Heading:
    """A line that may announce a side for the next line, and for those after it that are indented below it.

    Attributes:
        side: the side; "" for none.
        depth: its indentation.
        is_next: whether the line to come is the next one.
        named: what the lines below it have named so far; a name that comes again is one of a log.
    """

    side: str = ""
    depth: int = 0
    is_next: bool = True
    named: frozenset[str] = frozenset()

    def side_of(self, line: str, place: Row) -> str:
        """Returns the side it gives a line: beyond the next one only to lines without a place of their own."""
        return self.side if self.is_next or (not place and _depth(line) > self.depth) else ""

    def after(self, place: Row, row: Row) -> _Heading:
        """Returns what is left of it after a line with numbers: nothing, once a line has a place of its own."""
        if place or not self.side:
            return _NO_HEADING
        return replace(self, is_next=False, named=self.named.union(row))


_NO_HEADING = _Heading()


def without_escapes(text: str) -> str:
    """Returns a text without the sequences that colour it, move the cursor or name the window of a terminal."""
    return _ESCAPES.sub("", text) if "\x1b" in text else text


def lines_of(text: str) -> list[str]:
    """Returns the lines of a text, and what is drawn over one another in a line, but for blank ones."""
    return [line for line in _ENDS.split(text) if line.strip()]


def rows_of(lines: Iterable[str]) -> list[Row]:
    """Returns the rows of named numbers in lines of console output; of a progress bar the last state."""
    return without_drawings(list(_read(lines)))


def without_commas(rows: list[Row]) -> tuple[list[Row], tuple[str, ...]]:
    """Returns rows with numbers spelt as in Python, as far as it is told what commas mean, and notes on guesses."""
    names = {name for row in rows for name, cell in row.items() if "," in cell}
    if not names:
        return rows, ()
    points = has_points([cell for row in rows for name, cell in row.items() if name not in names])
    columns = {name: [row.get(name) for row in rows] for name in sorted(names)}
    found, notes = settled(columns, Comma.GROUPS, points=points, counters=AXIS_COLUMN.values(), apart=True)
    return [
        {name: found[name][k] or cell if name in found else cell for name, cell in row.items()}
        for k, row in enumerate(rows)
    ], notes


def are_rounds(lines: Iterable[str], fewest: int) -> bool:
    """Says whether so many lines are rounds of gradient boosting."""
    return any(True for _ in islice(filter(ROUNDS.match, lines), fewest - 1, None))


def _read(lines: Iterable[str]) -> Iterator[Line]:
    """Yields what the lines with numbers say; what a line without a loss or metric tells of its place holds on.

    That is an epoch; a heading, for the next line and for those that are indented below it, up to one with a place
    of its own or with a name that was there; the step of a test.
    """
    epoch = tested = ""
    heading, before = _NO_HEADING, ("", "")
    header: Sequence[str] = ()
    for line in lines:
        if len(line) > MAX_LINE:
            continue
        if SUMMARY in line:
            yield Line({SUMMARY: ""}, None, None)
            continue
        if not _DIGIT.search(line):
            header, heading = header_of(line) or header, _heading(line)
            continue
        line = without_owners(line)
        place, rest, side = place_of(line)
        epoch = place.get("epoch", epoch)
        if heading.named and not heading.named.isdisjoint(pairs(rest, side or heading.side)):
            heading = _NO_HEADING
        side = side or heading.side_of(line, place) or _summed_up(line, *before)
        row = table_row(line, header) or pairs(rest, side)
        if not row:
            heading = _heading(line)
            tested = place["step"] if "step" in place and is_evaluated(first_heading(line)) else tested
            continue
        heading = heading.after(place, row)
        tested = "" if place else tested
        if tested and is_evaluated(side or first_heading(line)):
            place = {"step": tested}
        before = side, line
        yield Line({**({"epoch": epoch} if epoch else {}), **place, **row}, *bar_of(line))


def _summed_up(line: str, side: str, before: str) -> str:
    """Returns the side of what a line sums up: the one of the last line with numbers; "" for any other line."""
    if SAVED in line:
        return "eval"
    sums_up = ("* " in line or "Averaged" in line) and _SUMS_UP.search(line)
    return side or first_heading(before).lower() if sums_up else ""


def _depth(line: str) -> int:
    return len(line) - len(line.lstrip())


def _heading(line: str) -> _Heading:
    """What a line without a loss or metric announces: `Test Error:`."""
    found = HEADING.findall(line) if line.rstrip().endswith(":") and len(line) < 80 else []
    return _Heading(found[-1].lower(), _depth(line)) if found else _NO_HEADING
