"""What TensorBoard's "Download CSV" writes: `Wall time,Step,Value`, and in the file's name the folder and the tag."""

from __future__ import annotations

import os
import re
from dataclasses import replace

from curveclinic.errors import InputError, LogError
from curveclinic.intake.assemble import ReadOptions, runs_from_grid
from curveclinic.intake.grid import Grid
from curveclinic.intake.naming import parse
from curveclinic.intake.sides import part_of
from curveclinic.readers.delimited import whole
from curveclinic.readers.source import NoCurvesError, Source, without_bom
from curveclinic.run import Run

_HEADER = b"wall time,step,value"
_VALUE = "Value"
_NAME = re.compile(r"(?:run[-_])?(?P<folder>.*?)-tag-(?P<tag>.+)")
_COPY = re.compile(r"\s*\(\d+\)$")
"""What a browser puts behind the name of a file that is there already."""


def sniff(head: bytes) -> bool:
    """Says whether the columns are those of a download."""
    return without_bom(head)[: len(_HEADER)].lower() == _HEADER


def read(source: Source, options: ReadOptions) -> list[Run]:
    """Returns the run of a download.

    Raises:
        LogError: it holds no numbers.
        NoCurvesError: the name of the file tells of no loss, and no option says that it is one.
    """
    grid, notes = whole(source)
    called = tag_of(source.path)
    columns = {called if name == _VALUE and called else name: column for name, column in grid.columns.items()}
    try:
        return runs_from_grid(replace(grid, columns=columns), options, source.origin(notes=notes))
    except InputError as error:
        raise _kind(grid, called)(f"{source.path}: {error}") from None


def tag_of(path: str) -> str:
    """Returns the tag that the name of a file tells, with the side that its folder was named by; "" where none is."""
    stem = _COPY.sub("", os.path.basename(path).partition(".csv")[0])
    match = _NAME.fullmatch(stem)
    if match is None:
        return stem if parse(stem).quantity else ""
    side = part_of(match["folder"])
    return f"{side}/{match['tag']}" if side and not parse(match["tag"]).split else match["tag"]


def _kind(grid: Grid, called: str) -> type[LogError]:
    return NoCurvesError if called and grid.n_rows else LogError
