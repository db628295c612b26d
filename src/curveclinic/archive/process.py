"""One worker process: how it is started, and what it runs."""

from __future__ import annotations

import multiprocessing
import multiprocessing.connection
import os
import signal
import threading
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final

from curveclinic.archive.units import Job, Work
from curveclinic.errors import CurveclinicError

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from multiprocessing.context import SpawnProcess

_THREADS: Final = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
"""Set to 1 for workers: they are as many as there are cores."""


def start(work: Work, job: Job) -> tuple[SpawnProcess, Connection, Any]:
    """Starts a worker; returns its process, our end of its pipe, and the shared place of the task it is at.

    It says ("ready", None), takes units, and says for each ("message", what is done) as often as it is, ("end", None)
    when it waits for another, ("warning", text), ("error", of ours) and ("fault", traceback).
    """
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    place = context.Value("q", -1, lock=False)
    process = context.Process(target=_serve, args=(theirs, place, work, job), daemon=True)
    with _alone():
        process.start()
    theirs.close()
    return process, ours, place


@contextmanager
def _alone() -> Iterator[None]:
    """Gives what is started within one thread, and no Ctrl-C before it can ignore it."""
    before = {name: os.environ.get(name) for name in _THREADS}
    os.environ.update(dict.fromkeys(_THREADS, "1"))
    masks = hasattr(signal, "pthread_sigmask")
    if masks:
        from multiprocessing import resource_tracker

        resource_tracker.ensure_running()  # the first start would, and take the mask away
    old = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT}) if masks else set()
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
        if masks:
            signal.pthread_sigmask(signal.SIG_SETMASK, old)


def _serve(pipe: Connection, place: Any, work: Work, job: Job) -> None:
    """Does units until the pipe closes. What a worker runs."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent hears Ctrl-C too, and ends the workers
    threading.Thread(target=_end_with_parent, daemon=True).start()
    warnings.showwarning = lambda message, *_, **__: pipe.send(("warning", str(message)))

    def begin(at: int) -> None:
        place.value = at

    with suppress(EOFError, OSError):
        pipe.send(("ready", None))
        while True:
            unit = pipe.recv()
            try:
                for message in work(unit, job, begin):
                    pipe.send(("message", message))
            except CurveclinicError as error:
                pipe.send(("error", error))
            except Exception:
                pipe.send(("fault", traceback.format_exc()))
            pipe.send(("end", None))


def _end_with_parent() -> None:
    """Ends this process when its parent is gone, even amid a file."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        multiprocessing.connection.wait([parent.sentinel])
        os._exit(1)
