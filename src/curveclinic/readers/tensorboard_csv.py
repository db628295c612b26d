"""What TensorBoard's "Download CSV" writes: `Wall time,Step,Value`, and in the file's name the folder and the tag.

The files of one run, the training's and the validation's, are read together where they lie in one folder.
"""

from __future__ import annotations

import os
import re
from dataclasses import replace

import numpy as np

from curveclinic.errors import InputError, LogError
from curveclinic.intake.assemble import ReadOptions, run_from_table, runs_from_grid
from curveclinic.intake.cells import select
from curveclinic.intake.file_names import without_copy_number
from curveclinic.intake.grid import Grid
from curveclinic.intake.naming import parse
from curveclinic.intake.sides import part_of
from curveclinic.intake.vocabulary import SPLITS, tokens
from curveclinic.points import Points
from curveclinic.readers.delimited import whole
from curveclinic.readers.source import Source, no_loss, without_bom
from curveclinic.run import Run

_HEADER = b"wall time,step,value"
_STEP, _VALUE = "Step", "Value"
_NAME = re.compile(r"(?:run[-_])?(?P<folder>.*?)-tag-(?P<tag>.+)")


def sniff(head: bytes) -> bool:
    """Says whether the columns are those of a download."""
    return without_bom(head)[: len(_HEADER)].lower() == _HEADER


def read(source: Source, options: ReadOptions) -> list[Run]:
    """Returns the run of a download, or of several.

    Raises:
        LogError: they hold no numbers, or the name of none tells of a loss and no option says that it is one.
    """
    return [_together(source, options)] if source.parts else _alone(source, options)


def _alone(source: Source, options: ReadOptions) -> list[Run]:
    grid, notes = whole(source)
    called = tag_of(source.path)
    columns = {called if name == _VALUE and called else name: column for name, column in grid.columns.items()}
    try:
        return runs_from_grid(replace(grid, columns=columns), options, source.origin(notes=notes))
    except InputError as error:
        raise no_loss(source, error, is_log=not (called and grid.n_rows)) from None


def _together(source: Source, options: ReadOptions) -> Run:
    table: dict[str, Points] = {}
    notes: list[str] = []
    for _, path in source.parts:
        try:
            grid, own = whole(Source(path, ""))
        except LogError as error:
            grid, own = Grid({}, 0), (f"{os.path.basename(path)}: {error}",)
        notes += own
        if {_STEP, _VALUE} <= grid.columns.keys():
            step, value = (grid.columns[name] for name in (_STEP, _VALUE))
            rows = np.intersect1d(step.rows, value.rows)
            table[tag_of(path)] = (select(step, rows).values, select(value, rows).values)
    try:
        return run_from_table(table, options, source.origin(notes=notes))
    except InputError as error:
        raise no_loss(source, error, is_log=False) from None


def run_of(name: str) -> str:
    """Returns what the names of all downloads of one run have in common, "" for a file of another name."""
    match = _NAME.fullmatch(name) if "-tag-" in name and name.endswith(".csv") else None
    if match is None:
        return ""
    return " ".join(word for word in tokens(match["folder"]) if word not in SPLITS) or "run"


def tag_of(path: str) -> str:
    """Returns the tag that the name of a file tells, with the side that its folder was named by; "" where none is."""
    stem = without_copy_number(os.path.basename(path).partition(".csv")[0])
    match = _NAME.fullmatch(stem)
    if match is None:
        return stem if parse(stem).quantity else ""
    side = part_of(match["folder"])
    return f"{side}/{match['tag']}" if side and not parse(match["tag"]).split else match["tag"]
