"""What scoring an archive costs, stage by stage and as it grows, from Parquet to Parquet.

    python benchmarks/scan.py               # 1,000, 10,000 and 100,000 runs
    python benchmarks/scan.py --million     # and 1,000,000 (3.2 GB on disk)

Every archive is one Parquet file of list columns: two channels of 200 points a run, synthetic curves of 4,096 sources,
each run in a unit of its own and with 0.1% of noise on every point, so that no two are equal. `curveclinic scan` reads
it and writes one row a run, as a process of its own with the workers given. Stages are timed alone in this process, on
one core: "to batch, rules, findings and rows" is what remains of `score_table` after the stages before it. Peak memory
is that of the largest process of the scan. It also times reading CSV logs of the same curves. The load average before
the first measurement is a row: above 0.5 or so the times hold other programs' work.

What it does not show: a busy disk, long runs, object stores. Compare times of one CSV only.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from speed import POINTS, curves_of, seconds
from tables import Row, print_table, write_csv
from yardstick import RESULTS

from curveclinic.deciding.classifier import load_classifier
from curveclinic.intake.door import runs_from
from curveclinic.labels import LOSSES
from curveclinic.measuring.quantities import measured, places_of
from curveclinic.model.encoder import encode_measured
from curveclinic.ragged import Batch, FloatArray
from curveclinic.readers import read_file
from curveclinic.records import joined
from curveclinic.run import Run
from curveclinic.scoring import score_table

SIZES = (1_000, 10_000, 100_000)
MILLION = 1_000_000
GROUP_ROWS = 10_000
"""Runs of one row group."""

SOURCES = 4_096
"""Synthetic runs drawn; an archive repeats them with other noise in other units."""

JITTER = 1e-3
"""Relative noise of a point: rows of equal curves would compress better than those of any real archive."""

LAUNCHER = """
import resource, subprocess, sys, time
began = time.perf_counter()
subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)
print(time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024)
"""
"""A small process between this one and a scan: on Linux a peak is at least that of the process it was forked from."""

LOGS = 300
"""CSV logs read."""

PROFILED = 4_096
"""Runs whose stages are timed."""


def shapes(seed: int) -> dict[str, FloatArray]:
    """(SOURCES, POINTS) values of both losses."""
    drawn = curves_of(SOURCES, seed, sources=SOURCES)
    return {name: np.array([one[name] for one in drawn]) for name in LOSSES}


def piece(known: dict[str, FloatArray], first: int, count: int) -> pa.Table:
    """Runs `first` to `first + count` of an archive: a shape each, with noise and a unit of its own."""
    rng = np.random.default_rng(first)
    unit = rng.lognormal(0.0, 2.0, (count, 1))
    rows = np.arange(first, first + count) % SOURCES
    offsets = pa.array(np.arange(count + 1, dtype=np.int32) * POINTS)
    values = {n: unit * v[rows] * (1 + JITTER * rng.standard_normal((count, POINTS))) for n, v in known.items()}
    columns = {n: pa.ListArray.from_arrays(offsets, pa.array(v.ravel())) for n, v in values.items()}
    return pa.table({"run_id": [f"run_{k:08d}" for k in range(first, first + count)], **columns})


def write_archive(path: Path, known: dict[str, FloatArray], count: int) -> None:
    """Writes an archive of `count` runs, a row group at a time."""
    with pq.ParquetWriter(path, piece(known, 0, 1).schema) as writer:
        for first in range(0, count, GROUP_ROWS):
            writer.write_table(piece(known, first, min(GROUP_ROWS, count - first)))


def cost_of(command: list[str]) -> tuple[float, float]:
    """Seconds of a command, and MiB of the largest of its processes."""
    done = subprocess.run([sys.executable, "-c", LAUNCHER, *command], check=True, stdout=subprocess.PIPE, text=True)
    taken, peak = map(float, done.stdout.split())
    return taken, peak


def scan_rows(path: Path, count: int, workers: int) -> Iterator[Row]:
    """`curveclinic scan` as a process of its own."""
    out = path.with_name("rows.parquet")
    command = [sys.executable, "-m", "curveclinic", "scan", str(path), "-o", str(out), "--fresh"]
    taken, peak = cost_of([*command, "--workers", str(workers)])
    written = pq.read_metadata(out).num_rows
    if written != count:
        raise RuntimeError(f"{written} rows of {count} runs")
    yield _row(f"scan, {workers} workers", count, count / taken, "runs/s")
    yield _row(f"scan, {workers} workers, whole", count, taken, "s")
    yield _row("scan, largest process", count, peak, "MiB")
    yield _row("archive on disk", count, path.stat().st_size / count, "bytes/run")
    yield _row("rows on disk", count, out.stat().st_size / count, "bytes/run")


def stage_rows(path: Path, known: dict[str, FloatArray]) -> Iterator[Row]:
    """Where the time of a run goes, on one core."""
    curves = piece(known, 0, PROFILED)
    write_archive(path, known, PROFILED)
    runs = [run for run in runs_from(curves)[0] if isinstance(run, Run)]
    batch, classifier = Batch.from_runs(runs), load_classifier()
    pieces, rows = list(measured(batch)), score_table(curves)
    encoded = joined([encode_measured(one) for one in pieces], places_of(one.rows for one in pieces))
    stages: dict[str, Callable[[], object]] = {
        "read": lambda: [pa.Table.from_batches([b]) for b in pq.ParquetFile(path).iter_batches(use_threads=False)],
        "measures": lambda: list(measured(batch)),
        "encoder": lambda: [encode_measured(one) for one in pieces],
    }
    if classifier is not None:
        stages["network"] = lambda: classifier.judge_encoded(encoded)
    cost = {name: seconds(call, times=3) / PROFILED for name, call in stages.items()}
    inner = sum(cost[name] for name in stages if name != "read")
    cost["to batch, rules, findings and rows"] = seconds(lambda: score_table(curves), times=3) / PROFILED - inner
    target = path.with_name("written.parquet")
    cost["write"] = seconds(lambda: pq.write_table(rows, target, compression="zstd"), times=3) / PROFILED
    cost["whole"] = sum(cost.values())
    for name, value in cost.items():
        yield _row(f"stage: {name}", PROFILED, value * 1e6, "us/run")


def log_rows(folder: Path, known: dict[str, FloatArray]) -> Iterator[Row]:
    """The cost of reading a run from a CSV log of its own instead of a table."""
    for k in range(LOGS):
        values = np.column_stack([np.arange(1, POINTS + 1), *(known[name][k] for name in LOSSES)])
        np.savetxt(folder / f"{k}.csv", values, delimiter=",", header=f"step,{','.join(LOSSES)}", comments="")
    paths = sorted(folder.glob("*.csv"))
    taken = seconds(lambda: [read_file(path) for path in paths], times=3)
    yield _row("CSV log: read", LOGS, taken / LOGS * 1e6, "us/run")
    yield _row("CSV log on disk", LOGS, sum(path.stat().st_size for path in paths) / LOGS, "bytes/run")


def _row(what: str, runs: int, value: float, unit: str) -> Row:
    return {"what": what, "runs": runs, "value": value, "unit": unit}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--million", action="store_true", help="also an archive of 1,000,000 runs")
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="numbers of runs, in increasing order")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--out", type=Path, default=RESULTS / "scan.csv")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    load = os.getloadavg()[0]
    known = shapes(options.seed)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rows = [_row("load average before", 0, load, "1 min")]
        rows += [*stage_rows(folder / "stages.parquet", known), *log_rows(folder, known)]
        for count in (*options.sizes, *((MILLION,) if options.million else ())):
            write_archive(folder / "curves.parquet", known, count)
            rows += scan_rows(folder / "curves.parquet", count, options.workers)
    print_table(rows)
    write_csv(rows, options.out)


if __name__ == "__main__":
    main()
