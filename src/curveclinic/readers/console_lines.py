"""Lines of console output -> rows of named numbers: `Epoch 3/10 - loss: 0.12 - val_loss: 0.2` and its many cousins.

What a line says about its place (epoch, step, bar) is read first, then the pairs of a name and a number; a name
without a side takes it from a heading before it (`Test set: Average loss: 0.1`), or from what it sums up.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice

from curveclinic.intake.orientations import SUMMARY
from curveclinic.readers.commas import Comma, has_points, settled
from curveclinic.readers.console_bars import Line, without_drawings
from curveclinic.readers.console_layouts import Layout, laid_out
from curveclinic.readers.console_pairs import Row, is_evaluated
from curveclinic.readers.console_places import AXIS_COLUMN, ROUNDS, SAVED
from curveclinic.readers.console_tables import header_of, table_row

_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b\n]*(?:\x07|\x1b\\)|[@-Z\\-_])")
_ENDS = re.compile(r"[\r\n\x08]+")

_GLUED_BAR = re.compile(
    r"(?P<number>\.\d{1,20}(?:e[+\-]\d{1,12})?)(?: (?P<done>\d{1,9}))?/(?P<total>\d{1,9}) \[(?=[=>.])"
)
"""A bar of Keras right behind the state before it, where what moved the cursor back was lost."""

_SUMS_UP = re.compile(r"(?<!\S)\* +(?:Acc|Prec)@|Averaged stats:")
"""`* Acc@1 80.0 loss 0.9` of torchvision's ImageNet script and its heirs: the mean over what was printed before it."""


_CURRENT = "cur metric, "
"""How PaddleOCR begins what an evaluation has found."""

_BEST_PLACE = re.compile(r"best[ _\-](?:epoch|step|iter)", re.IGNORECASE)
"""`Best epoch: 12, val_loss: 0.31`: the place itself is what is recalled."""

_OWN_NAME = re.compile(r"best[^:=,|]{0,40}[:=]\s*$", re.IGNORECASE)
"""`Best acc: `: what is recalled is one number, which its name tells, and not the line."""


@dataclass(frozen=True)
class _Heading:
    """A line that may announce a side or a step for the next line, and for those after it that are indented below it.

    Attributes:
        side: the side; "" for none.
        place: the step; empty for none.
        depth: its indentation.
        is_next: whether the line to come is the next one.
        said: what the lines below it have said so far; a name that comes again is one of a log.
    """

    side: str = ""
    place: Row = field(default_factory=dict)
    depth: int = 0
    is_next: bool = True
    said: Row = field(default_factory=dict)

    def side_of(self, layout: Layout, place: Row) -> str:
        """Returns the side it gives a line: beyond the next one only to lines without a place of their own."""
        return self.side if self.is_next or (not place and layout.depth > self.depth) else ""

    def place_for(self, line: str, layout: Layout) -> Row:
        """Returns the step it gives a line without a place of its own: one below it, or a dict right behind it."""
        return self.place if layout.depth > self.depth or (self.is_next and "{'" in line) else {}

    def after(self, place: Row, row: Row) -> _Heading:
        """Returns what is left of it after a line with numbers: nothing, once a line has a place of its own."""
        if place or not (self.side or self.place):
            return _NO_HEADING
        return replace(self, is_next=False, said={**self.said, **row})

    def passed(self, layout: Layout) -> _Heading:
        """Returns what follows a line that says nothing: what it announces itself, or what is left of this one."""
        if layout.announces:
            return _Heading(layout.announces, depth=layout.depth)
        is_on = (self.side or self.place) and layout.depth > self.depth
        return replace(self, is_next=False) if is_on else _NO_HEADING


_NO_HEADING = _Heading()


def without_escapes(text: str) -> str:
    """Returns a text without the sequences that colour it, move the cursor or name the window of a terminal."""
    return _ESCAPES.sub("", text) if "\x1b" in text else text


def lines_of(text: str) -> list[str]:
    """Returns the lines of a text, and what is drawn over one another in a line, but for blank ones."""
    return [line for line in _ENDS.split(_GLUED_BAR.sub(_apart, text)) if line.strip()]


def _apart(bar: re.Match[str]) -> str:
    """A bar on a line of its own; where it is done in as many digits as in all, no blank is before it."""
    number, done, width = bar["number"], bar["done"], len(bar["total"])
    if not done:
        number, done = number[:-width], number[-width:]
    return f"{number}\n{done}/{bar['total']} ["


def rows_of(lines: Iterable[str]) -> tuple[list[Row], tuple[str, ...]]:
    """Returns the rows of named numbers in lines of console output, of a bar the last state, and notes on guesses."""
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
    last: Row = {}
    heading, before = _NO_HEADING, ("", "")
    header: Sequence[str] = ()
    for line, layout in laid_out(lines):
        if SUMMARY in line:
            yield Line({SUMMARY: ""}, None, None)
            continue
        if layout.names_columns:
            header, heading = header_of(line), _NO_HEADING
            continue
        if not layout.has_number:
            heading = heading.passed(layout)
            continue
        place, side = layout.place(line), layout.side
        here = {axis: at for axis, at in place.items() if axis != "rank"}
        if layout.recalled and _is_past(layout.recalled, place, last):
            last = last or here  # `[resumed] step 7`: what stands on each line tells nothing
            continue
        goes_on = bool(last) and here.keys() == last.keys() and here != last
        epoch = place.get("epoch", epoch)
        said = heading.said and layout.row(line, side or heading.side)
        if said and said.items() <= heading.said.items():
            continue  # printed by two loggers
        if said and not heading.said.keys().isdisjoint(said):
            heading = _NO_HEADING
        # an evaluation that said nothing has no part in the line after it, which is of the next place
        side = side or ("" if goes_on else heading.side_of(layout, place)) or _summed_up(line, *before)
        row = table_row(line, header) or layout.row(line, side)
        epoch = row.get("epoch", epoch)
        if not row:
            steps = {axis: at for axis, at in place.items() if axis != "epoch"}
            if steps:
                heading = _Heading(place=steps, depth=layout.depth)
            elif not layout.bar:
                heading = heading.passed(layout)
            tested = place["step"] if "step" in place and is_evaluated(layout.first_heading) else tested
            continue
        held = {} if place else heading.place_for(line, layout)
        heading = heading.after(place, row)
        tested = "" if place else tested
        if tested and is_evaluated(side or layout.first_heading):
            held = {"step": tested}
        before = side, layout.first_heading
        last = here or last
        yield Line({**({"epoch": epoch} if epoch else {}), **held, **place, **row}, *layout.bar_state(line))


def _is_past(recalled: str, place: Row, last: Row) -> bool:
    """Whether a line that begins with words such as "best" tells of an earlier epoch: it is at no later place.

    Args:
        recalled: what it says up to its first number.
        place: where it is.
        last: where the line before was that had a place.
    """
    if _BEST_PLACE.search(recalled):
        return True
    if "epoch" in place or "step" in place:
        return not _is_after(place, last) if last else not recalled.lower().startswith("best")
    return not _OWN_NAME.search(recalled)


def _is_after(place: Row, last: Row) -> bool:
    """Whether a place lies after another one, by what both count, the epoch first."""
    for axis in ("epoch", "step"):
        if axis in place and axis in last and place[axis] != last[axis]:
            return float(place[axis]) > float(last[axis])
    return False


def _summed_up(line: str, side: str, heading: str) -> str:
    """Returns the side of what a line sums up: the one of the last line with numbers; "" for any other line."""
    if SAVED in line or _CURRENT in line:
        return "eval"
    sums_up = ("* " in line or "Averaged" in line) and _SUMS_UP.search(line)
    return side or heading.lower() if sums_up else ""
