"""`python -m curveclinic.synth.simulate --runs 5000 --out cache.parquet`: trains tiny networks and records them."""

from __future__ import annotations

import argparse
import multiprocessing as mp
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from rich.progress import Progress

from curveclinic.errors import CurveclinicError
from curveclinic.synth.simulate.bookkeeping import misrecorded
from curveclinic.synth.simulate.groups import draw_group
from curveclinic.synth.simulate.record import table_of, write_tables
from curveclinic.synth.simulate.trainer import simulate

_EXIT_USAGE = 2


def main(argv: Sequence[str] | None = None) -> int:
    """Simulates until there are enough runs or no time is left; returns the exit code."""
    args = _parser().parse_args(argv)
    began = time.monotonic()
    try:
        shards = _shards(args, began + 60 * args.minutes)
        rows = write_tables(shards, args.out)
    except (CurveclinicError, OSError) as error:
        print(f"curveclinic.synth.simulate: {error}", file=sys.stderr)
        return _EXIT_USAGE
    print(f"wrote {args.out}: {rows} runs in {(time.monotonic() - began) / 60:.1f} minutes")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m curveclinic.synth.simulate", description=__doc__)
    parser.add_argument("--runs", type=int, default=5000)
    parser.add_argument("--out", type=Path, required=True, help="Parquet file; shards are kept beside it to resume from")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--minutes", type=float, default=20.0, help="no new group is begun after that")
    parser.add_argument("--workers", type=int, default=1, help="processes")
    parser.add_argument("--replicas", type=int, default=32, help="networks trained at once; some hundreds suit a GPU")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    return parser


def _shards(args: argparse.Namespace, until: float) -> list[Path]:
    """Files of all groups in order, those of an earlier, interrupted call among them."""
    folder = args.out.with_name(f"{args.out.stem}-{args.seed}-{args.replicas}.shards")
    folder.mkdir(parents=True, exist_ok=True)
    count = -(-args.runs // args.replicas)
    paths = [folder / f"{number:06d}.parquet" for number in range(count)]
    todo = [(args.seed, k, args.replicas, args.device, path) for k, path in enumerate(paths) if not path.exists()]
    with Progress() as bar:
        task = bar.add_task("simulating", total=count, completed=count - len(todo))
        for _ in _done(todo, args.workers, until):
            bar.advance(task)
    return [path for path in paths if path.exists()]


Job = tuple[int, int, int, str, Path]
"""Seed, number of the group, replicas, device, file."""


def _done(todo: Sequence[Job], workers: int, until: float) -> Iterator[None]:
    """Works through the jobs in order until the time is over."""
    in_time = (job for job in todo if time.monotonic() < until)
    if workers <= 1:
        for job in in_time:
            yield write_group(job)
        return
    with mp.get_context("spawn").Pool(workers, torch.set_num_threads, (1,)) as pool:
        waiting = []
        for job in in_time:
            waiting.append(pool.apply_async(write_group, (job,)))
            while len([one for one in waiting if not one.ready()]) > workers:
                time.sleep(0.05)
            yield None
        for one in waiting:
            one.get()


def write_group(job: Job) -> None:
    """Simulates one group and writes its shard, whole or not at all."""
    import pyarrow.parquet as pq

    seed, number, replicas, device, path = job
    rng = np.random.default_rng((seed, number))
    group = draw_group(rng, replicas)
    records = simulate(group.setting, group.recipe, seed=int(rng.integers(2**31)), device=device)
    partial = path.with_suffix(".partial")
    pq.write_table(table_of(group, misrecorded(rng, records, group.recipe), number), partial, compression="zstd")
    partial.rename(path)


if __name__ == "__main__":
    sys.exit(main())
