"""A Diagnosis for the terminal: the words of `text`, the plot of `canvas`, and colour where there is some."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO

from rich.console import Console
from rich.text import Text

from curveclinic.diagnosis import Diagnosis
from curveclinic.report.canvas import ASCII, BRAILLE, BRAILLE_PLAIN, Glyphs, draw
from curveclinic.report.text import TEXT_WIDTH, Line, body, headline

STYLES = {
    "severe": "bold red",
    "mild": "yellow",
    "notice": "cyan",
    "healthy": "green",
    "undetermined": "magenta",
    "title": "bold",
    "train": "blue",
    "val": "bright_yellow",
    "faint": "dim",
    "body": "",
}
"""Role -> rich style. Roles come from `text.Line` and `canvas.Piece`."""

_UNKNOWN_WIDTH = 80
"""Columns of a terminal that tells none."""


def open_console(stream: IO[str]) -> Console:
    """Returns a console that adds no markup, emoji or highlighting to what it prints; untrusted text stays text."""
    console = Console(file=stream, markup=False, emoji=False, highlight=False, soft_wrap=True)
    if console.width < 1:  # COLUMNS=0, or a terminal that does not know: rich would print nothing
        console.width = _UNKNOWN_WIDTH
    return console


def to_ansi(console: Console, diagnosis: Diagnosis) -> str:
    """Returns one diagnosis as the characters and colour codes to write to the console's stream.

    The caller writes them: rich answers a closed pipe with exit code 1, which here means a `--fail-on` finding.
    """
    colour = console.color_system is not None and not console.no_color
    glyphs = choose_glyphs(console.encoding, colour=colour)
    with console.capture() as capture:
        console.print(render_terminal(diagnosis, width=report_width(console), glyphs=glyphs))
    return capture.get()


def report_width(console: Console) -> int:
    """Returns the columns that a report fills."""
    return min(console.width, TEXT_WIDTH)


@contextmanager
def counter(stream: IO[str]) -> Iterator[Callable[[int], None]]:
    """Gives a function to call with a number of runs that are done; shows the sum on the stream while it lasts."""
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    console = Console(file=stream)
    columns = (SpinnerColumn(), TextColumn("{task.completed:,.0f} runs"), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, redirect_stdout=False) as progress:
        task = progress.add_task("", total=None)
        yield lambda count: progress.advance(task, count)


def choose_glyphs(encoding: str, *, colour: bool) -> Glyphs:
    """Returns the richest characters the stream can write."""
    try:
        f"{chr(0x28FF)}{BRAILLE}".encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return ASCII
    return BRAILLE if colour else BRAILLE_PLAIN


def render_terminal(diagnosis: Diagnosis, *, width: int, glyphs: Glyphs) -> Text:
    """Returns headline, plot and findings as styled text."""
    text = Text().append_text(_styled(headline(diagnosis)))
    if diagnosis.run is not None:
        for row in draw(diagnosis.run, diagnosis.findings, width=width, glyphs=glyphs):
            text.append("\n")
            for characters, role in row:
                text.append(characters, STYLES[role])
    for line in body(diagnosis, width):
        text.append("\n").append_text(_styled(line))
    return text


def _styled(line: Line) -> Text:
    return Text(line.text, STYLES[line.role])
