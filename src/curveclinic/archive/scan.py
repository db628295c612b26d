"""One scan of an archive: what is new is found, read by workers and stored; then all rows are handed out in order."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Final

from curveclinic.archive import units
from curveclinic.archive.pace import TIME_LIMIT, Pace
from curveclinic.archive.signatures import UNREADABLE, Signature, digest, signature
from curveclinic.archive.state import Known, State, state_path
from curveclinic.archive.units import Finished, Job, Message, Split, Task
from curveclinic.archive.workers import Queue, Unit, done_by_workers, done_here
from curveclinic.readers.once import Once
from curveclinic.readers.source import STDIN, Source

_SMALL_BYTES: Final = 1024 * 1024
"""A single unit below this size is done at once: starting workers takes longer."""


def update(
    state: State, found: Iterable[tuple[str, Source]], job: Job, pace: Pace, advance: Callable[[int], None]
) -> bool:
    """Brings a state up to date with the sources found, and says whether they hold any run.

    If none does, the rows of an earlier scan stay: most likely the archive is not mounted.

    Args:
        state: the open state.
        found: the path that was searched and what was found there.
        job: what is done with every run.
        pace: how it is done.
        advance: told how many rows have become done, or were before.
    """
    queue = Queue(_units(_new(state, found, advance)))
    slices: dict[int, int] = {}
    for message in _done(queue, job, pace):
        if isinstance(message, Split):
            _split(state, message, queue, slices)
        else:
            _store(state, message, slices)
            advance(message.table.num_rows)
    if not state.has_met():
        return False
    state.drop_gone()
    return True


def sources(paths: Sequence[str], once: Once, *, stdin: Callable[[], bytes], out: Path) -> Iterator[tuple[str, Source]]:
    """Yields what is found under each path, but for the output itself and its state."""
    state = state_path(out)
    given = (out, state, Path(f"{state}-wal"))
    own = {Path(os.path.realpath(file)) for file in given}
    names = tuple({file.name for file in (*given, *own)})
    for path in paths:
        if path == STDIN:
            yield path, Source(STDIN, STDIN, data=stdin())
            continue
        for source in once.under(path):
            if source.named or not (source.path.endswith(names) and Path(source.path).resolve() in own):
                yield path, source


def judge_of(job: Job) -> str:
    """Returns all that rows depend on beside the logs: with another one they are done anew."""
    from curveclinic import __version__
    from curveclinic.deciding.classifier import weights_folder

    weights = hashlib.sha256()
    for file in sorted(weights_folder().glob("*.[oj]*")):  # the networks and their numbers
        weights.update(file.name.encode() + b"\0" + file.read_bytes())
    told = {"version": __version__, "weights": weights.hexdigest() if job.kind == "scan" else "", "fast": job.fast}
    return json.dumps({"kind": job.kind, **asdict(job.options), **told}, sort_keys=True)


def _new(state: State, found: Iterable[tuple[str, Source]], advance: Callable[[int], None]) -> Iterator[Task]:
    """Yields a task for each source that is new, changed or unfinished; the rows that stay are told to `advance`."""
    for root, source in found:
        now, before, known = time.time_ns(), signature(source), state.find(root, source)
        if known is not None and known.met:
            continue  # named twice
        same = known is not None and before != UNREADABLE and known.found == before
        if known is not None and known.done and source.named and not state.stored(known.key):
            known = None  # passed over before the user named it: now it is to be told what it is
        if known is not None and (same or (known.done and _is_same(known, before, source))):
            state.keep(known.key, before, now=now)
            advance(state.count_of(known.key))
            if not known.done:
                yield Task(known.key, source, before, have=state.stored(known.key))
        else:
            yield Task(state.add(root, source, before, now=now), source, before)


def _is_same(known: Known, found: Signature, source: Source) -> bool:
    """Tells whether a source of another time, but the same size, still has the same content."""
    if known.content and known.found.size == found.size:
        with suppress(OSError):
            return digest(source) == known.content
    return False


def _units(tasks: Iterable[Task]) -> Iterator[Unit]:
    """Yields tasks in units of bounded size."""
    unit: list[Task] = []
    size = 0
    for task in tasks:
        if unit and (size + task.found.size > units.UNIT_BYTES or len(unit) >= units.UNIT_SOURCES):
            yield tuple(unit)
            unit, size = [], 0
        unit.append(task)
        size += max(task.found.size, 0)
    if unit:
        yield tuple(unit)


def _done(queue: Queue, job: Job, pace: Pace) -> Iterator[Message]:
    """Yields what comes of all units, done by as many processes as are worth it."""
    first, second = queue.take(), queue.take()
    for unit in (first, second):
        if unit is not None:
            queue.put(unit)
    small = second is None and sum(task.found.size for task in first or ()) < _SMALL_BYTES
    if first is None or pace.workers == 1 or (small and pace.time_limit is None):
        return done_here(queue, units.work, job)
    return done_by_workers(queue, units.work, job, workers=pace.workers, time_limit=pace.time_limit or TIME_LIMIT)


def _split(state: State, message: Split, queue: Queue, slices: dict[int, int]) -> None:
    """Puts the slices of a source that are not stored yet into the queue."""
    task = message.task
    left = []
    for piece in message.slices:
        have = state.stored(task.key, piece.first)
        if have < piece.rows:
            left.append(Task(task.key, task.source, task.found, piece, have))
    slices[task.key] = len(left)
    for one in left:
        queue.put((one,))
    if not left:
        state.finish(task.key)
    state.describe(task.key, message.content)


def _store(state: State, message: Finished, slices: dict[int, int]) -> None:
    """Stores rows, and notes the sources that have all of theirs."""
    for part in message.parts:
        if part.done:
            slices[part.key] = slices.get(part.key, 1) - 1
            if not slices[part.key]:
                del slices[part.key]
                state.finish(part.key)
    state.store(message)
