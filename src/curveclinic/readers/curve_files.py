"""Files of numbers and nothing else, a curve a file: `train_loss.txt`, and `val_loss.txt` beside it.

A number a line, a list as Python and JSON write it, or a step and a number a line. What they are only the name of the
file tells; where it tells of no loss the file is of no known format. Curves of one run in one folder are read together.
"""

from __future__ import annotations

import os
import re

import numpy as np

from curveclinic.errors import InputError, LogError
from curveclinic.intake.assemble import ReadOptions, run_from_table
from curveclinic.intake.file_names import loss_named_by, stem_of, without_endings
from curveclinic.intake.naming import parse
from curveclinic.intake.vocabulary import CADENCE, LOSS_WORDS, METRICS, NOISE, SPLITS, tokens
from curveclinic.points import FloatArray, Points
from curveclinic.readers.source import HEAD_BYTES, NoCurvesError, Source, without_bom
from curveclinic.run import Run, is_sound_axis

_CHARACTERS = b"0123456789.eE+-naNifIty,;\t\r\n []"
"""Of numbers, of nan, inf and Infinity, and of what parts them."""
_FEWEST = 3
"""Numbers below which a file is a result, not a curve."""
_BETWEEN = re.compile(r"[,;\s]+")
_ENDINGS = ("", ".txt", ".csv", ".tsv", ".dat", ".log", ".json", ".out")
_CUT = "the last number has no line end and may be cut short; it is left out"


def sniff(head: bytes) -> bool:
    """Says whether bytes are the head of numbers and nothing else."""
    data = without_bom(head)
    if data.translate(None, _CHARACTERS):
        return False
    text = data.decode()
    points = _points(_without_last(text) if len(head) == HEAD_BYTES else text)
    return points is not None and len(points[1]) >= _FEWEST


def holds(source: Source) -> bool:
    """Says whether the name of a file of numbers tells that they are losses."""
    return bool(loss_named_by(source.path))


def read(source: Source, options: ReadOptions) -> list[Run]:
    """Returns the run of a file of numbers, or of several.

    Raises:
        LogError: there is something else among the numbers.
    """
    parts = [Source(path, "") for _, path in source.parts] or [source]
    table: dict[str, Points] = {}
    notes: list[str] = []
    for part in parts:
        try:
            name, points, said = curve(part)
            table[name] = points
            notes += said
        except LogError as error:
            if len(parts) == 1:
                raise
            notes.append(str(error))
    try:
        return [run_from_table(table, options, source.origin(notes=notes))]
    except InputError as error:
        raise NoCurvesError(f"{source.path}: {error}") from None


def curve(source: Source) -> tuple[str, Points, tuple[str, ...]]:
    """Returns the name of the one curve in a file, the curve, and notes on it.

    Raises:
        LogError: there is something else among the numbers.
    """
    name = stem_of(source.path)
    points, is_cut = _curve(source)
    return name, points, (f"{name}: {_CUT}",) if is_cut else ()


def run_of(name: str) -> str:
    """Returns what the names of the files of one run's curves have in common; "" for a file of another name."""
    stem = without_endings(name)
    if os.path.splitext(name)[1] not in _ENDINGS or parse(stem).quantity not in ("loss", "metric", "lr"):
        return ""
    rest = [word for word in tokens(stem) if not _says_what(word)]
    return " ".join(rest) or "run"


def together(paths: list[str]) -> list[str]:
    """Returns those of some files that are curves of one run, one a quantity; none if no loss is among them."""
    found = [path for path in paths if _is_curve(path)]
    stems = list(map(stem_of, found))
    is_run = len(set(stems)) == len(stems) and any(map(loss_named_by, found))
    return found if len(found) > 1 and is_run else []


def _says_what(word: str) -> bool:
    """Whether a word says what is measured on which part of the data, not in which run."""
    known = (SPLITS, LOSS_WORDS, NOISE, CADENCE, ("lr", "learning", "rate"))
    return any(word in words for words in known) or any(pattern.fullmatch(word) for pattern, _ in METRICS)


def _is_curve(path: str) -> bool:
    try:
        return sniff(Source(path, "").head())
    except OSError:
        return False


def _curve(source: Source) -> tuple[Points, bool]:
    """Returns a curve, and whether its last number may be cut short and is left out."""
    text = without_bom(source.content()).decode("utf-8", "replace")
    is_cut = not text.endswith("\n") and not text.rstrip().endswith("]")
    points = _points(_without_last(text) if is_cut else text)
    if points is None:
        raise LogError(f"{source.path}: no list of numbers; expected a number a line, or a step and a number")
    return points, is_cut


def _without_last(text: str) -> str:
    """Returns a text of numbers without what may be cut in half at its end: a number of a list, else a line."""
    between = "\n, \t" if text.lstrip().startswith("[") else "\n"
    return text[: max(map(text.rfind, between)) + 1]


def _points(text: str) -> Points | None:
    """Returns the curve that a text of numbers is; None if it is none."""
    lines = [line for line in text.splitlines() if line.strip()]
    inner = text.strip()
    if inner.startswith("["):
        values = _numbers(_BETWEEN.split(inner.removeprefix("[").removesuffix("]").strip(" \t\r\n,;")))
        return None if values is None else (None, values)
    rows = [_BETWEEN.split(line.strip(" \t,;")) for line in lines]
    width = len(rows[0]) if rows else 0
    if width not in (1, 2) or any(len(row) != width for row in rows):
        return None
    cells = _numbers([cell for row in rows for cell in row])
    if cells is None or width == 1:
        return None if cells is None else (None, cells)
    steps, values = cells[::2], cells[1::2]
    is_counted = bool((steps == np.floor(steps)).all()) and is_sound_axis(steps)
    return (steps, values) if is_counted else None


def _numbers(cells: list[str]) -> FloatArray | None:
    """Returns cells as numbers; None if one is something else."""
    try:
        return np.array(list(map(float, cells)))
    except ValueError:
        return None
