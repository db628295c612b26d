"""Small archives, ways to scan them, and work that breaks its worker. Spawned workers import this module too."""

from __future__ import annotations

import os
import signal
import sqlite3
import time
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from curveclinic.archive.state import state_path
from curveclinic.archive.units import work
from curveclinic.cli import main

OLD = 1_600_000_000
"""A time of change long gone, in seconds."""


def log_text(seed: int, points: int = 30) -> str:
    """Text of a CSV log; every third run diverges."""
    rng = np.random.default_rng(seed)
    step = np.arange(points)
    train = 2 * np.exp(-step / 8) + 0.1 + rng.normal(0, 0.01, points)
    if seed % 3 == 0:
        train[points // 2 :] *= np.exp(np.arange(points - points // 2) / 3)
    rows = zip(step.tolist(), train.tolist(), (train + 0.05).tolist(), strict=True)
    return "epoch,loss,val_loss\n" + "".join(f"{s},{t:.6f},{v:.6f}\n" for s, t, v in rows)


def write_log(path: Path, seed: int, *, changed: float = OLD) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(log_text(seed))
    os.utime(path, (changed, changed))


def write_archive(folder: Path, n: int) -> None:
    for i in range(n):
        write_log(folder / f"sweep_{i % 3}" / f"run_{i}.csv", i)


def scan(*arguments: str | Path) -> int:
    return main(["scan", *map(str, arguments)])


def rows(out: Path) -> list[dict[str, object]]:
    return pq.read_table(out).to_pylist()


def stored(out: Path) -> dict[str, tuple[int, bytes]]:
    """Path -> the table that holds its rows, and that table's bytes, of the sources a state calls done."""
    database = sqlite3.connect(state_path(out))
    query = (
        "SELECT path, rows_of, tables.content FROM sources JOIN parts ON parts.source = sources.id"
        " JOIN tables ON tables.id = rows_of WHERE done"
    )
    found = {os.fsdecode(path): (table, content) for path, table, content in database.execute(query)}
    database.close()
    return found


def killing_work(tasks, job, begin):
    """Work whose process is killed by a source named `killer`, and hangs at one named `sleeper`."""

    def watched(place):
        begin(place)
        name = os.path.basename(tasks[place].source.path)
        if name.startswith("killer"):
            os.kill(os.getpid(), signal.SIGKILL)
        if name.startswith("sleeper"):
            time.sleep(600)

    yield from work(tasks, job, watched)


def dying_once_work(tasks, job, begin):
    """Work whose process is killed the first time it meets a source named `moody`."""

    def watched(place):
        begin(place)
        mark = tasks[place].source.path + ".met"
        if "moody" in mark and not os.path.exists(mark):
            Path(mark).touch()
            os.kill(os.getpid(), signal.SIGKILL)

    yield from work(tasks, job, watched)


def refusing_work(tasks, job, begin):
    """Work that cannot be done at all."""
    from curveclinic.errors import WeightsError

    raise WeightsError("the weights are damaged")
    yield


def faulty_work(tasks, job, begin):
    """Work with a bug."""
    yield from {}["nothing"]
