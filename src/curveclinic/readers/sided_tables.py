"""Logs of the training and of the validation of one run, a file each: `train_log.csv` and, beside it, `val_log.csv`.

Their columns are called alike, `epoch,loss,acc`: whose they are only the names of the files tell, and only where files
of both sides lie in one folder. By itself a `test.csv` is as likely a trial of that name.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import replace

from curveclinic.errors import InputError, LogError
from curveclinic.intake.assemble import ReadOptions, run_from_table, runs_of_each
from curveclinic.intake.file_names import stem_of
from curveclinic.intake.grid import Grid, grid_from_rows, tables
from curveclinic.intake.naming import Name, parse
from curveclinic.intake.vocabulary import SPLITS, tokens
from curveclinic.points import Points
from curveclinic.readers import console, delimited, json_lines, wandb_export
from curveclinic.readers.source import Source
from curveclinic.run import Run

_ENDINGS = (".csv", ".tsv", ".txt", ".log", ".jsonl", ".json")
_TRAIN = "train"


def run_of(name: str) -> str:
    """Returns what the names of the tables of one run have in common; "" for a file whose name tells no side."""
    ending = os.path.splitext(name)[1]
    if ending not in _ENDINGS or not side_of(name):
        return ""
    return " ".join(word for word in tokens(stem_of(name)) if word not in SPLITS) + ending


def side_of(path: str) -> str:
    """Returns the word in the name of a file that says of which part of the data it tells; "" unless there is one."""
    words = [word for word in tokens(stem_of(path)) if word in SPLITS]
    return words[0] if len(words) == 1 else ""


def together(paths: Iterable[str]) -> list[str]:
    """Returns those of some files that are the tables of one run, that of the training first; none if they are not."""
    losses = {path: found for path in paths if (found := _losses(path))}
    train = [path for path in losses if SPLITS[side_of(path)] == _TRAIN]
    if len(train) != 1:
        return []
    others = [path for path in losses if path not in train and losses[path] & losses[train[0]]]
    return [*train, *others] if others else []


def read(source: Source, options: ReadOptions) -> list[Run]:
    """Returns the runs of several tables; where one of them holds more runs than another, each side by itself.

    Raises:
        LogError: none of the tables can be read, or there is no loss in them.
    """
    sides: dict[str, list[tuple[str, dict[str, Points]]]] = {}
    notes: list[str] = []
    for _, path in source.parts:
        try:
            grid, said = _grid(Source(path, ""), options)
            found = tables(grid, step=options.step)
        except InputError as error:
            notes.append(str(error))
            continue
        side = side_of(path)
        sides[side] = [(name, _named(table, side)) for name, table, _ in found]
        notes += (
            f"{os.path.basename(path)}: {note}" for note in (*said, *grid.notes, *(n for *_, own in found for n in own))
        )
    if not sides:
        raise LogError("; ".join(notes))
    files = ", ".join(os.path.basename(path) for _, path in source.parts)
    runs = _joined(list(sides.values()))
    ids = [name or (str(k) if len(runs) > 1 else "") for k, (name, _) in enumerate(runs, 1)]
    origins = [source.origin(title=title, notes=(f"read together: {files}", *notes)) for title in ids]
    stepped = replace(options, step=None)  # what the user calls steps is the axis of each table already
    return runs_of_each(run_from_table, [table for _, table in runs], stepped, origins)


def _joined(sides: Sequence[Sequence[tuple[str, dict[str, Points]]]]) -> list[tuple[str, dict[str, Points]]]:
    """Returns (name, series) of the runs of all sides: those of one name are one run, without names the first ones.

    All are runs by themselves where names do not tell them apart and a side has more than another.
    """
    is_named = all(name for side in sides for name, _ in side) and all(len(dict(side)) == len(side) for side in sides)
    if not is_named and len(set(map(len, sides))) > 1:
        return [run for side in sides for run in side]
    runs: dict[str | int, tuple[str, dict[str, Points]]] = {}
    for side in sides:
        for place, (name, table) in enumerate(side):
            runs.setdefault(name if is_named else place, (name if is_named else "", {}))[1].update(table)
    return list(runs.values())


def _named(table: dict[str, Points], side: str) -> dict[str, Points]:
    """Returns the series of a table under names that tell their side; of an evaluation nothing but what it measured."""
    out = {}
    for name, points in table.items():
        known = parse(name)
        if known.quantity in ("loss", "metric"):
            out[name if known.split else f"{side}/{name}"] = points
        elif SPLITS[side] == _TRAIN:
            out[name] = points
    return out


def _losses(path: str) -> set[tuple[object, ...]]:
    """Returns the losses in the first rows of a table, but for their side; none where one is not of the file's side."""
    side = SPLITS.get(side_of(path), "")
    try:
        grid, _ = _grid(Source(path, "", data=Source(path, "").head()), ReadOptions())
    except (OSError, InputError):
        return set()
    losses = [known for known in map(parse, grid.columns) if known.may_be_loss]
    return {(k.rank, k.component) for k in losses} if all(_is_of(known, side) for known in losses) else set()


def _is_of(loss: Name, side: str) -> bool:
    return not loss.split or (loss.split == _TRAIN) == (side == _TRAIN)


def _grid(source: Source, options: ReadOptions) -> tuple[Grid, tuple[str, ...]]:
    """Returns the rows of a table or of a text log, and notes on what is left out.

    Raises:
        LogError: it is neither.
    """
    head = source.head()
    if json_lines.sniff(head):
        rows, notes = json_lines.rows_in(source)
        return grid_from_rows(rows), notes
    if console.sniff(head) or console.holds(head, options.patterns):
        said, notes = console.rows_in(source, options)
        return grid_from_rows(said), notes
    if wandb_export.sniff(head) or not delimited.sniff(head):
        raise LogError(f"{source.path}: no table")
    return delimited.whole(source)
