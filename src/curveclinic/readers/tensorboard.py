"""TensorBoard event files: a run is a folder, its files are merged in the order they were written."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from curveclinic.errors import InputError, LogError
from curveclinic.intake.assemble import ReadOptions, is_logged, run_from_table, unusable
from curveclinic.intake.naming import parse
from curveclinic.intake.restarts import ANEW_NOTE, goes_on, usual_gap
from curveclinic.phrases import counted
from curveclinic.points import BoolArray, FloatArray, Points
from curveclinic.readers.event_file import EventFile, decode
from curveclinic.readers.event_frames import is_event_head
from curveclinic.readers.source import NoCurvesError, Source, no_loss
from curveclinic.run import Run

_ZIGZAG = 100
"""More steps back than this are several writers at once, not restarts: nothing is purged."""


_RESULT = "hparam/"
"""How the tags of the last values begin that `add_hparams` writes to a folder of its own; alone they may be curves."""


@dataclass(frozen=True, eq=False)
class Part:
    """One decoded file: the prefix its tags get, and the time of its first scalar."""

    prefix: str
    began: float
    events: EventFile


def sniff(head: bytes) -> bool:
    """Says whether bytes are the head of an event file."""
    return is_event_head(head)


def read(source: Source, options: ReadOptions) -> list[Run]:
    """Returns the run in a folder of event files; several if a whole run was written over another.

    Raises:
        LogError: no file holds a scalar, or none of the tags is a loss.
    """
    parts = source.parts or (("", source.path),)
    decoded = [_part(prefix, path, source, options) for prefix, path in parts]
    files = sorted((f for f in decoded if f.events.tags), key=lambda f: f.began)
    if not files:
        raise _no_scalars(source, decoded)
    runs: list[Run] = []
    failures = []
    for name, own in _apart(files).items():
        sessions = _sessions(own)
        for k, session in enumerate(sessions, 1):
            table, notes = _merge(session)
            titles = [name, str(k) if len(sessions) > 1 else ""]
            origin = source.origin(title="#".join(filter(None, titles)), notes=notes)
            try:
                runs.append(run_from_table(table, options, origin))
            except InputError as error:
                failures.append(no_loss(source, error, is_log=is_logged(table)))
                runs += [unusable(origin, str(error))] if is_logged(table) else []
    if not any(run.channels for run in runs):
        raise failures[0]
    return runs


def _apart(files: Sequence[Part]) -> dict[str, list[Part]]:
    """Returns name -> files of one run; folders named like sides are runs of their own where the tags name both sides.

    Where they name none, the folder says the side.
    """
    folders: dict[str, list[Part]] = {}
    for file in files:
        folders.setdefault(file.prefix, []).append(file)
    sides = {prefix: _sides(own) for prefix, own in folders.items()}
    named = [own for prefix, own in sides.items() if prefix]
    both = [own for own in named if "train" in own and (len(folders) == 1 or _is_evaluated(own))]
    if not both and not (named and all("" in own and _is_evaluated(own) for own in named)):
        return {"": list(files)}
    titles = {prefix: prefix.rstrip("/") if len(folders) > 1 else "" for prefix in folders}
    kept = {prefix: prefix if own == {""} else "" for prefix, own in sides.items()}
    return {titles[prefix]: [replace(file, prefix=kept[prefix]) for file in own] for prefix, own in folders.items()}


def _sides(files: Sequence[Part]) -> set[str]:
    """Returns the sides that the names of losses say, "" for none."""
    return {known.split for file in files for known in map(parse, file.events.tags) if known.quantity == "loss"}


def _is_evaluated(sides: set[str]) -> bool:
    return not sides.isdisjoint(("val", "test"))


def _no_scalars(source: Source, decoded: Sequence[Part]) -> LogError:
    """The error for a run without a scalar: damage is always reported, a file of texts or graphs is no log."""
    damaged = next((f.events.notes[0] for f in decoded if f.events.notes), None)
    if damaged:
        return LogError(f"{source.path}: no scalar could be read; {damaged}")
    return NoCurvesError(f"{source.path}: no scalars in {counted(len(decoded), 'event file')}")


def _part(prefix: str, path: str, source: Source, options: ReadOptions) -> Part:
    held = source.held
    events = _decode_file(path, options) if held is None else decode(held, verify_crc=options.verify_crc)
    results = [tag for tag in events.tags if tag.startswith(_RESULT)]
    if len(results) < len(events.tags) or all(len(events.tags[tag][1]) < 2 for tag in results):
        for tag in results:
            del events.tags[tag]
    walls = [float(wall[0]) for wall, _, _ in events.tags.values()]
    return Part(prefix, min(walls, default=0.0), events)


def _decode_file(path: str, options: ReadOptions) -> EventFile:
    """Decodes a file window by window; an unbuffered file, so that skipped images are never read."""
    with open(path, "rb", buffering=0) as file:
        if not os.fstat(file.fileno()).st_size:
            return EventFile({}, [], ["the event file is empty"], 0)
        return decode(file, verify_crc=options.verify_crc)


def _sessions(files: Sequence[Part]) -> list[list[Part]]:
    """Splits files into runs: a loss that starts again at its first step and level starts a new run."""
    sessions: list[list[Part]] = [[]]
    for file in files:
        if any(_starts_over(earlier, file) for earlier in sessions[-1]):
            sessions.append([])
        sessions[-1].append(file)
    return sessions


def _starts_over(earlier: Part, later: Part) -> bool:
    for tag in _shared_losses(earlier, later):
        _, steps, values = later.events.tags[tag]
        before = earlier.events.tags[tag]
        return bool(steps[0] <= before[1][0]) and not goes_on(before[2][0], before[2][-1], values[0])
    return False


def _counts_anew(earlier: Part, later: Part) -> bool:
    """Whether a file of the same run counts from the first step again, though its loss goes on."""
    first = next(iter(_shared_losses(earlier, later)), None)
    return first is not None and bool(later.events.tags[first][1][0] <= earlier.events.tags[first][1][0])


def _shared_losses(earlier: Part, later: Part) -> list[str]:
    """Losses of two points or more in both files of one prefix, in the order of the later one."""
    if earlier.prefix != later.prefix:
        return []
    before, after = earlier.events.tags, later.events.tags
    shared = (tag for tag in after if tag in before and parse(tag).quantity == "loss")
    return [tag for tag in shared if min(len(before[tag][1]), len(after[tag][1])) > 1]


def _merge(files: Sequence[Part]) -> tuple[dict[str, Points], tuple[str, ...]]:
    """Returns one table of all files; a restart voids what was written at or after its first step."""
    series: dict[str, list[tuple[FloatArray, FloatArray]]] = {}
    notes = _strangers_note(files)
    for place, file in enumerate(files):
        notes.extend(n for n in file.events.notes if n not in notes)
        for _, step in file.events.starts:
            if step > 0:
                _void(series, step, notes)
        anew = any(_counts_anew(earlier, file) for earlier in files[:place])
        if anew and ANEW_NOTE not in notes:
            notes.append(ANEW_NOTE)
        for tag, (_, steps, values) in file.events.tags.items():
            pieces = series.setdefault(file.prefix + tag, [])
            pieces.append((_behind(pieces, steps) if anew else steps, values))
    table: dict[str, Points] = {}
    for tag, pieces in series.items():
        steps, values = map(np.concatenate, zip(*pieces, strict=True)) if len(pieces) > 1 else pieces[0]
        keep = _unpurged(steps)
        if keep is None:
            table[tag] = (steps, values)
            continue
        if not keep.all() and parse(tag).quantity:
            void = counted(int((~keep).sum()), "point")
            notes.append(f"{tag}: restarted; left out {void} after the step it went back to")
        table[tag] = (steps[keep], values[keep])
    return table, tuple(notes)


def _strangers_note(files: Sequence[Part]) -> list[str]:
    """The note on files of one folder that share no curve: two writers of one run, or runs that are strangers."""
    for place, later in enumerate(files[1:], 1):
        own = _curves(later)
        others = [_curves(earlier) for earlier in files[:place] if earlier.prefix == later.prefix]
        if own and any(others) and own.isdisjoint(set().union(*others)):
            count = sum(file.prefix == later.prefix for file in files)
            return [f"{count} event files are read as one run, though not all log the same curves"]
    return []


def _curves(file: Part) -> set[str]:
    """Tags of known quantities with two points or more."""
    return {tag for tag, (_, steps, _) in file.events.tags.items() if len(steps) > 1 and parse(tag).quantity}


def _behind(pieces: Sequence[tuple[FloatArray, FloatArray]], steps: FloatArray) -> FloatArray:
    """Steps moved behind those of earlier files, one usual gap away."""
    before = next((own for own, _ in reversed(pieces) if len(own)), None)
    if before is None:
        return steps
    moved: FloatArray = steps + (before[-1] - steps[0] + usual_gap(before))
    return moved


def _void(series: Mapping[str, list[tuple[FloatArray, FloatArray]]], step: int, notes: list[str]) -> None:
    """Drops what earlier files wrote from the step a session started at, as TensorBoard does."""
    for pieces in series.values():
        pieces[:] = [(s[s < step], v[s < step]) for s, v in pieces]
    notes.append(f"resumed at step {step}")


def _unpurged(steps: FloatArray) -> BoolArray | None:
    """Says which points survive restarts, None for all: a series that goes back and on voids later steps before it."""
    back = (steps[1:] < steps[:-1]).nonzero()[0] + 1
    if not len(back) or len(back) > _ZIGZAG:
        return None
    keep = np.ones(len(steps), dtype=bool)
    for start, stop in pairwise([*back.tolist(), len(steps)]):
        if stop - start > 1:  # a lone point (a final test at step 0) restarts nothing
            keep[:start] &= steps[:start] < steps[start]
    return keep
