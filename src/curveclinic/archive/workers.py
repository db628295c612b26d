"""Units of work done in this process or by several. A worker that dies or hangs costs one source, not the scan.

A worker says over its pipe what is done and keeps the place of the task it is at in shared memory. When it is killed,
what is left of its unit is tried again in smaller pieces, down to the single source that kills.
"""

from __future__ import annotations

import multiprocessing.connection
import signal
import time
import warnings
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from curveclinic.archive.process import start
from curveclinic.archive.units import Finished, Job, Message, Split, Task, Work, failed

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from multiprocessing.context import SpawnProcess

Unit: TypeAlias = tuple[Task, ...]

_SLOWEST: Final = 1_000_000
"""Bytes a second: what a large source may take beyond the limit."""

_TRIES: Final = 2
"""Deaths of a worker at the same single source before it is given up: one may be an accident, as memory others took."""

_BIRTHS: Final = 3
"""Workers that may die before they say a word: more, and none will ever start."""

_START_LIMIT: Final = 120.0
"""Seconds a worker may take to start, on a machine with much else to do."""

_POLL: Final = 0.5
"""Seconds between two looks at the clock."""


class Queue:
    """Units that wait: those put back first, then new ones as they are asked for."""

    def __init__(self, units: Iterable[Unit]) -> None:
        self._units = iter(units)
        self._again: deque[Unit] = deque()

    def put(self, unit: Unit) -> None:
        """Adds a unit to be done before all new ones."""
        self._again.append(unit)

    def take(self) -> Unit | None:
        """Returns the next unit; None if there is none, for now."""
        return self._again.popleft() if self._again else next(self._units, None)


def done_here(queue: Queue, work: Work, job: Job) -> Iterator[Message]:
    """Does all units in this process, and yields what comes of them."""
    while (unit := queue.take()) is not None:
        yield from work(unit, job, lambda place: None)


def done_by_workers(queue: Queue, work: Work, job: Job, *, workers: int, time_limit: float) -> Iterator[Message]:
    """Does all units in other processes, and yields what comes of them, in no order.

    Args:
        queue: what is to be done; the receiver of a message may add to it.
        work: function of a module, called in the workers.
        job: what is done with every run.
        workers: number of processes.
        time_limit: seconds a source may take, and more where it is large.

    Raises:
        CurveclinicError: raised by the work itself, as for damaged weights.
    """
    pool = _Pool(queue, work, job, time_limit)
    try:
        while pool.hand_out(workers):
            yield from pool.listen()
    finally:
        pool.stop()


@dataclass(eq=False)
class _Worker:
    """A process, the unit it does, and since when nothing was heard of it."""

    process: SpawnProcess
    pipe: Connection
    place: Any  # shared integer: task it is at
    unit: list[Task] = field(default_factory=list)
    left: dict[int, Task] = field(default_factory=dict)  # place in the unit -> task not done
    ready: bool = False
    at: int = -1
    since: float = 0.0

    def send(self, unit: Unit) -> None:
        """Hands a unit over; a worker that died meanwhile is noticed by the next look."""
        self.unit, self.left = list(unit), dict(enumerate(unit))
        self.place.value, self.at, self.since = -1, -1, time.monotonic()
        with suppress(OSError):
            self.pipe.send(unit)

    def current(self) -> int:
        """Returns the place of the task it is at, or was when it died."""
        place = int(self.place.value)
        return place if place in self.left else next(iter(self.left))

    def is_late(self, time_limit: float) -> bool:
        """Tells whether it has been at one task for too long."""
        now = time.monotonic()
        if not self.ready:
            return now - self.since > _START_LIMIT
        if self.place.value != self.at:
            self.at, self.since = int(self.place.value), now
        size = self.left[self.current()].found.size if self.left else 0
        return now - self.since > time_limit + max(size, 0) / _SLOWEST


class _Pool:
    def __init__(self, queue: Queue, work: Work, job: Job, time_limit: float) -> None:
        self._queue, self._work, self._job, self._time_limit = queue, work, job, time_limit
        self._busy: list[_Worker] = []
        self._idle: list[_Worker] = []
        self._deaths: dict[Task, int] = {}
        self._told: set[str] = set()
        self._born_dead = 0

    def hand_out(self, workers: int) -> bool:
        """Gives every free worker a unit; False when all is done."""
        while len(self._busy) < workers and (unit := self._queue.take()) is not None:
            worker = self._idle.pop() if self._idle else _Worker(*start(self._work, self._job), since=time.monotonic())
            worker.send(unit)
            self._busy.append(worker)
        return bool(self._busy)

    def listen(self) -> Iterator[Message]:
        """Yields what the workers say, and deals with those that say nothing any more."""
        heard = multiprocessing.connection.wait([w.pipe for w in self._busy], timeout=_POLL)
        for worker in [w for w in self._busy if w.pipe in heard]:
            try:
                yield from self._hear(worker, worker.pipe.recv())
            except (EOFError, OSError):
                yield from self._bury(worker)
        for worker in [w for w in self._busy if w.pipe not in heard and w.is_late(self._time_limit)]:
            yield from self._give_up(worker)

    def stop(self) -> None:
        """Ends all workers at once."""
        for worker in (*self._busy, *self._idle):
            worker.process.kill()
            worker.process.join()
            worker.pipe.close()

    def _hear(self, worker: _Worker, said: tuple[str, Any]) -> Iterator[Message]:
        kind, content = said
        worker.ready, worker.since = True, time.monotonic()
        if kind == "message":
            yield self._noted(worker, content)
        elif kind == "end":
            self._busy.remove(worker)
            self._idle.append(worker)
        elif kind == "warning" and content not in self._told:
            self._told.add(content)
            warnings.warn(content, UserWarning, stacklevel=2)
        elif kind == "error":
            raise content
        elif kind == "fault":
            raise RuntimeError(f"a worker failed:\n{content}")

    def _noted(self, worker: _Worker, message: Message) -> Message:
        """Strikes what is done off the worker's list, and notes how much of the rest is stored."""
        parts = message.parts if isinstance(message, Finished) else ()
        done = {part.key for part in parts if part.done}
        if isinstance(message, Split):
            done.add(message.task.key)
        for place, task in list(worker.left.items()):
            if task.key in done:
                del worker.left[place]
            elif stored := sum(part.count for part in parts if part.key == task.key):
                worker.left[place] = replace(task, have=task.have + stored)
        return message

    def _bury(self, worker: _Worker) -> Iterator[Finished]:
        """Puts what a dead worker has left back in pieces; a source that killed before is given up."""
        code = self._remove(worker)
        if not worker.ready:
            self._born_dead += 1
            if self._born_dead >= _BIRTHS:
                raise RuntimeError(f"workers cannot start (exit code {code}); scan with --workers 1")
        if len(worker.left) != 1:
            for unit in _smaller(worker) if worker.left else ():
                self._queue.put(unit)
            return
        (task,) = worker.left.values()
        self._deaths[task] = self._deaths.get(task, 0) + 1
        if self._deaths[task] < _TRIES:
            self._queue.put((task,))
        else:
            yield failed(task, f"{task.source.path}: reading it killed the process ({_ended(code)})", self._job)

    def _give_up(self, worker: _Worker) -> Iterator[Finished]:
        """Ends a worker that is too long at one source; the others of its unit are done by another."""
        worker.process.kill()
        if not worker.ready or not worker.left:
            yield from self._bury(worker)
            return
        self._remove(worker)
        task = worker.left.pop(worker.current())
        limit = self._time_limit + max(task.found.size, 0) / _SLOWEST
        yield failed(task, f"{task.source.path}: not read within {limit:,.0f} s; see --time-limit", self._job)
        if worker.left:
            self._queue.put(tuple(worker.left.values()))

    def _remove(self, worker: _Worker) -> int | None:
        self._busy.remove(worker)
        worker.process.join()
        worker.pipe.close()
        return worker.process.exitcode


def _smaller(worker: _Worker) -> list[Unit]:
    """Returns what is left of a unit in pieces: what was before the task it died at, in halves, this task, the rest."""
    at = worker.current()
    before = [task for place, task in worker.left.items() if place < at]
    after = [task for place, task in worker.left.items() if place > at]
    middle = len(before) // 2
    pieces = (before[:middle], before[middle:], [worker.left[at]], after)
    return [tuple(piece) for piece in pieces if piece]


def _ended(code: int | None) -> str:
    if code is not None and code < 0:
        with suppress(ValueError):
            return f"signal {signal.Signals(-code).name}"
    return f"exit code {code}"
