"""Logs of the training and of the validation of one run, a file each: `train_log.csv` and, beside it, `val_log.csv`.

Their columns are called alike, `epoch,loss,acc`: whose they are only the names of the files tell, and only where files
of both sides lie in one folder. By itself a `test.csv` is as likely a trial of that name.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

from curveclinic.errors import InputError, LogError
from curveclinic.intake.assemble import ReadOptions, run_from_table, runs_of_each
from curveclinic.intake.file_names import named_by_file, stem_of
from curveclinic.intake.grid import Grid, grid_from_rows, tables
from curveclinic.intake.naming import Name, parse
from curveclinic.intake.step_names import ROW_NUMBERS, axis_key, is_counter
from curveclinic.intake.vocabulary import SPLITS, tokens
from curveclinic.points import Points
from curveclinic.readers import console, curve_files, delimited, json_lines, keras_history, wandb_export
from curveclinic.readers.json_text import load_json
from curveclinic.readers.source import Source
from curveclinic.run import Run

_ENDINGS = (".csv", ".tsv", ".txt", ".log", ".jsonl", ".json")
_TRAIN = "train"

_Named: TypeAlias = tuple[str, dict[str, Points]]
"""A run, "" where it has no name, and its series."""

_Notes: TypeAlias = tuple[str, ...]


def may_be_table(name: str) -> bool:
    """Says whether a file is called like a table or a log."""
    return os.path.splitext(name)[1] in _ENDINGS


def run_of(name: str) -> str:
    """Returns what the names of the tables of one run have in common; "" for a file whose name tells no side."""
    if not may_be_table(name) or not side_of(name):
        return ""
    return " ".join(word for word in tokens(stem_of(name)) if word not in SPLITS) + os.path.splitext(name)[1]


def side_of(path: str) -> str:
    """Returns the word in the name of a file, else of its folder, that says of which part of the data it tells.

    "" where neither has one word that does.
    """
    for name in (stem_of(path), os.path.basename(os.path.dirname(path))):
        words = [word for word in tokens(name) if word in SPLITS]
        if len(words) == 1:
            return words[0]
    return ""


def together(paths: Iterable[str]) -> list[str]:
    """Returns those of some files that are the tables of one run, that of the training first; none if they are not.

    An evaluation of more rows than the training that does not count as that does has results, such as the loss of each
    batch of a test.
    """
    found = {path: look for path in paths if (look := _look(path)) and look.losses}
    train = [path for path in found if SPLITS[side_of(path)] == _TRAIN]
    if len(train) != 1:
        return []
    first = found[train[0]]
    others = [
        path
        for path, look in found.items()
        if path not in train and look.losses & first.losses and (look.axes & first.axes or look.n_rows <= first.n_rows)
    ]
    return [*train, *others] if others else []


def read(source: Source, options: ReadOptions) -> list[Run]:
    """Returns the runs of several tables; where one of them holds more runs than another, each side by itself.

    Raises:
        LogError: none of the tables can be read, or there is no loss in them.
    """
    sides: dict[str, list[_Named]] = {}
    notes: list[str] = []
    paths = [path for _, path in source.parts]
    common = os.path.commonpath(map(os.path.dirname, map(os.path.abspath, paths)))
    files = {path: Path(os.path.relpath(path, common)).as_posix() for path in paths}
    for path, name in files.items():
        try:
            found, said = _tables(Source(path, ""), options)
        except InputError as error:
            notes.append(str(error))
            continue
        side = side_of(path)
        sides[side] = [(run, _by_side(table, side)) for run, table, _ in found]
        notes += (f"{name}: {note}" for note in (*said, *(n for *_, own in found for n in own)))
    if not sides:
        raise LogError("; ".join(notes))
    runs = _joined(list(sides.values()))
    ids = [name or (str(k) if len(runs) > 1 else "") for k, (name, _) in enumerate(runs, 1)]
    origins = [
        source.origin(title=title, notes=(f"read together: {', '.join(files.values())}", *notes)) for title in ids
    ]
    stepped = replace(options, step=None)  # what the user calls steps is the axis of each table already
    return runs_of_each(run_from_table, [table for _, table in runs], stepped, origins)


def _joined(sides: Sequence[Sequence[_Named]]) -> list[_Named]:
    """Returns (name, series) of the runs of all sides: those of one name are one run, without names the first ones.

    All are runs by themselves where names do not tell them apart and a side has more than another.
    """
    is_named = all(name for side in sides for name, _ in side) and all(len(dict(side)) == len(side) for side in sides)
    if not is_named and len(set(map(len, sides))) > 1:
        return [run for side in sides for run in side]
    runs: dict[str | int, _Named] = {}
    for side in sides:
        for place, (name, table) in enumerate(side):
            runs.setdefault(name if is_named else place, (name if is_named else "", {}))[1].update(table)
    return list(runs.values())


def _by_side(table: dict[str, Points], side: str) -> dict[str, Points]:
    """Returns the series of a table under names that tell their side; of an evaluation nothing but what it measured."""
    out = {}
    for name, points in table.items():
        known = parse(name)
        if known.quantity in ("loss", "metric"):
            out[name if known.split else f"{side}/{name}"] = points
        elif SPLITS[side] == _TRAIN:
            out[name] = points
    return out


@dataclass(frozen=True)
class _Look:
    """What the beginning of a table tells.

    Attributes:
        losses: its losses, but for their side; none where one is not of the file's side.
        axes: what its steps count; the numbers of its rows are none.
        n_rows: how many rows it has, about.
    """

    losses: frozenset[tuple[object, ...]]
    axes: frozenset[str]
    n_rows: float


def _look(path: str) -> _Look | None:
    """Returns what the beginning of a table tells; None for anything else."""
    side, source = SPLITS.get(side_of(path), ""), Source(path, "")
    try:
        head = source.head()
        content, _ = _content(replace(source, data=head), ReadOptions())
        share = len(head) / source.size()
    except (OSError, InputError):
        return None
    names: list[str]
    if isinstance(content, Grid):
        names, n_rows = list(content.columns), content.n_rows
        axes = {axis_key(name) for name in names if is_counter(name)}.difference(ROW_NUMBERS)
    else:
        names, n_rows = list(content), max((len(values) for _, values in content.values()), default=0)
        axes = {"" for steps, _ in content.values() if steps is not None}
    named, _ = named_by_file(dict.fromkeys(names), path)
    losses = [known for known in map(parse, named) if known.may_be_loss]
    if not all(_is_of(known, side) for known in losses):
        return None
    return _Look(frozenset((k.rank, k.component) for k in losses), frozenset(axes), n_rows / share)


def _is_of(loss: Name, side: str) -> bool:
    return not loss.split or (loss.split == _TRAIN) == (side == _TRAIN)


def _tables(source: Source, options: ReadOptions) -> tuple[list[tuple[str, dict[str, Points], _Notes]], _Notes]:
    """Returns (name, series, notes) of each run in a file, and notes on what is left out of all.

    Raises:
        InputError: there is none.
    """
    content, notes = _content(source, options)
    if isinstance(content, Grid):
        found, notes = tables(content, step=options.step), (*notes, *content.notes)
    else:
        found = [("", content, ())]
    named = [(run, named_by_file(table, source.path), said) for run, table, said in found]
    return [(run, dict(table), (*said, *why)) for run, (table, why), said in named], notes


def _content(source: Source, options: ReadOptions) -> tuple[Grid | dict[str, Points], _Notes]:
    """Returns the rows of a table, a text log or a JSON document, or its curves, and notes on what is left out.

    Raises:
        InputError: it is none of these.
    """
    head = source.head()
    if json_lines.sniff(head):
        rows, notes = json_lines.rows_in(source)
        return grid_from_rows(rows), notes
    if keras_history.sniff(head) and not curve_files.sniff(head):
        document, notes = load_json(source)
        return keras_history.rows_or_curves(document), notes
    if console.sniff(head) or console.holds(head, options.patterns):
        said, notes = console.rows_in(source, options)
        return grid_from_rows(said), notes
    if curve_files.sniff(head) and curve_files.holds(source):
        name, points, notes = curve_files.curve(source)
        return {name: points}, notes
    if wandb_export.sniff(head) or not delimited.sniff(head):
        raise LogError(f"{source.path}: no table")
    return delimited.whole(source)
