"""How an archive is gone through: by how many processes, and how long one may take for a log."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Final

MAX_WORKERS: Final = 16
"""By default; from here on the disk, and the one process that stores the rows, set the pace."""

TIME_LIMIT: Final = 300.0
"""Seconds a source may take by default."""


@dataclass(frozen=True)
class Pace:
    """How a scan is done; nothing of it changes a row.

    Attributes:
        workers: processes that read and judge; 1: this one.
        time_limit: seconds a source may take, and more where it is large, whatever the size of the archive; None:
            `TIME_LIMIT`, but a small archive is done by this process, which nobody ends.
    """

    workers: int
    time_limit: float | None


def default_workers() -> int:
    """Returns the number of cores this process may use, within reason."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(cores, MAX_WORKERS)
