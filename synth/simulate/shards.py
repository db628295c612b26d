"""Groups simulated by several processes, one file each, so that an interrupted call can be taken up again."""

from __future__ import annotations

import multiprocessing as mp
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from rich.progress import Progress

from curveclinic.synth.simulate.bookkeeping import misrecorded
from curveclinic.synth.simulate.groups import draw_group
from curveclinic.synth.simulate.record import table_of
from curveclinic.synth.simulate.trainer import simulate


@dataclass(frozen=True)
class Plan:
    """What to simulate.

    Attributes:
        seed: of everything.
        runs: trainings wanted; a group more rather than less.
        replicas: networks trained at once.
        device: torch device.
        workers: processes.
        until: `time.monotonic()` after which no group is begun.
    """

    seed: int
    runs: int
    replicas: int
    device: str
    workers: int
    until: float


def write_shards(plan: Plan, out: Path) -> list[Path]:
    """Simulates what is missing; returns the files of all groups in order."""
    folder = out.with_name(f"{out.stem}-{plan.seed}-{plan.replicas}.shards")
    folder.mkdir(parents=True, exist_ok=True)
    count = -(-plan.runs // plan.replicas)
    paths = [folder / f"{number:06d}.parquet" for number in range(count)]
    todo = [(number, path) for number, path in enumerate(paths) if not path.exists()]
    with Progress() as bar:
        task = bar.add_task("simulating", total=count, completed=count - len(todo))
        for _ in _done(plan, todo):
            bar.advance(task)
    return [path for path in paths if path.exists()]


def _done(plan: Plan, todo: Sequence[tuple[int, Path]]) -> Iterator[None]:
    """Works through the groups in order until the time is over."""
    in_time = (job for job in todo if time.monotonic() < plan.until)
    if plan.workers <= 1:
        for number, path in in_time:
            write_group(plan, number, path)
            yield
        return
    context = mp.get_context("spawn")
    with ProcessPoolExecutor(plan.workers, context, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        running: set[Future[None]] = set()
        for number, path in in_time:
            running.add(pool.submit(write_group, plan, number, path))
            if len(running) > plan.workers:
                done, running = wait(running, return_when=FIRST_COMPLETED)
                for one in done:
                    one.result()
                    yield
        for one in running:
            one.result()
            yield


def write_group(plan: Plan, number: int, path: Path) -> None:
    """Simulates one group and writes its file, whole or not at all."""
    import pyarrow.parquet as pq

    rng = np.random.default_rng((plan.seed, number))
    group = draw_group(rng, plan.replicas)
    records = simulate(group.setting, group.recipe, seed=int(rng.integers(2**31)), device=plan.device)
    partial = path.with_suffix(".partial")
    pq.write_table(table_of(group, misrecorded(rng, records, group.recipe), number), partial, compression="zstd")
    partial.rename(path)
