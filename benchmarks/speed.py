"""What a diagnosis costs, stage by stage, and beside two peers on the same machine in the same minute.

    python benchmarks/speed.py                # about 2 minutes
    python benchmarks/speed.py --runs 2000    # a quick look

- warm: `predict_pathology` of one run (two channels, 200 points), median of many calls.
- cold: `curveclinic diagnose FILE` as a process of its own, median.
- batch: many such runs in one `predict_pathology` call, and where the time of a run goes.
- columns: the same runs through `score_table`, from Parquet to Parquet.
- generator: labelled synthetic runs and their points; and the same at a mean of 300 points. The stream's own mean is
  shorter, and no cap on the longest run lengthens it, so these are the blocks of the stream whose mean is nearest to
  that: the same families, more of the long runs.
- peers: tsfresh's EfficientFCParameters (features only), and runmedic's rules when it is installed (`pip install
  runmedic` has no dependencies); both on the same curves, held in memory.

Curves are synthetic runs resampled to 200 points, so they hold the findings whose texts must be written. Stages are
timed alone on one batch; "findings" is what remains of the whole without its input. The ratios travel between machines,
the times do not: compare times of one CSV only, on an otherwise idle machine. What it does not show: reading files,
long runs, memory.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from tables import Row, print_table, write_csv
from yardstick import RESULTS

from curveclinic import predict_pathology
from curveclinic.deciding.classifier import load_classifier
from curveclinic.deciding.rules import opinion_on
from curveclinic.intake.door import runs_from
from curveclinic.labels import LOSSES
from curveclinic.measuring.quantities import measured
from curveclinic.model.encoder import encode, encode_measured
from curveclinic.model.features import features_of
from curveclinic.predict import predict_runs
from curveclinic.ragged import Batch, FloatArray, Ragged
from curveclinic.scoring import score_table
from curveclinic.synth.generate import BLOCK, draw_plan, generate

POINTS = 200
SINGLE = 100
"""Runs that are judged one by one."""

SOURCES = 400
"""Synthetic runs the curves are made of."""

LONG = 300
"""Mean train points of the blocks that the generator is timed on besides its own."""

SEARCHED = 2048
"""Blocks of the stream among which these are looked for."""

EXAMPLE = Path(__file__).parent.parent / "examples" / "digits-overfit" / "training_log.csv"

Curves = dict[str, FloatArray]


def seconds(call: Callable[[], object], *, times: int) -> float:
    """Median duration of a call."""
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        call()
        taken.append(time.perf_counter() - began)
    return float(np.median(taken))


def curves_of(count: int, seed: int, *, sources: int = SOURCES) -> list[Curves]:
    """`count` runs of two channels with `POINTS` points: synthetic ones, each in a unit of its own."""
    channels = generate(seed, sources, max_points=10 * POINTS).batch.channels
    losses = {name: channels[name] for name in LOSSES}
    usable = np.flatnonzero((losses["train_loss"].lengths >= 20) & (losses["val_loss"].lengths >= 10))
    units = np.random.default_rng(seed).lognormal(0.0, 2.0, count)
    rows = np.resize(usable, count).tolist()
    return [{name: u * _resampled(c, i) for name, c in losses.items()} for u, i in zip(units, rows, strict=True)]


def _resampled(channel: Ragged, row: int) -> FloatArray:
    values = channel.values[channel.offsets[row] : channel.offsets[row + 1]]
    return np.interp(np.linspace(0, len(values) - 1, POINTS), np.arange(len(values)), values)


def single_rows(curves: list[Curves]) -> Iterator[Row]:
    """One run, warm and cold."""
    predict_pathology(curves[0])
    each = [seconds(lambda one=one: predict_pathology(one), times=3) for one in curves]
    yield _row("one run, warm", float(np.median(each)) * 1e3, "ms")
    command = [sys.executable, "-m", "curveclinic", "diagnose", str(EXAMPLE)]
    cold = seconds(lambda: subprocess.run(command, check=True, capture_output=True), times=5)
    yield _row(f"curveclinic diagnose {EXAMPLE.parent.name}/{EXAMPLE.name}, cold", cold, "s")


def batch_rows(curves: list[Curves]) -> Iterator[Row]:
    """Many runs in one call."""
    taken = seconds(lambda: predict_pathology(curves), times=1)
    yield _row(f"{len(curves)} runs in one call", len(curves) / taken, "runs/s")
    yield _row("batch, whole", taken / len(curves) * 1e6, "us/run")


def table_rows(curves: list[Curves]) -> Iterator[Row]:
    """Many runs from Parquet to Parquet, as a scan of an index does it."""
    columns = {name: pa.array([one[name] for one in curves]) for name in LOSSES}
    steps = pa.array([np.arange(1.0, POINTS + 1)] * len(curves))
    table = pa.table({"run_id": [f"run {k}" for k in range(len(curves))], **columns, "step": steps})
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "curves.parquet", Path(folder) / "rows.parquet"
        pq.write_table(table, source)
        rows = score_table(table)
        cost = {
            "Parquet to table": _microseconds(lambda: pq.read_table(source, use_threads=False), len(curves)),
            "score_table": _microseconds(lambda: score_table(table), len(curves)),
            "table to Parquet": _microseconds(lambda: pq.write_table(rows, target), len(curves)),
        }
    yield from (_row(f"columns: {name}", value, "us/run") for name, value in cost.items())
    yield _row("columns: Parquet to Parquet, one process", 1e6 / sum(cost.values()), "runs/s")


def stage_rows(curves: list[Curves]) -> Iterator[Row]:
    """Where the time of a run in a batch goes."""
    runs = [run for run in runs_from(curves)[0] if not isinstance(run, Exception)]
    batch, classifier = Batch.from_runs(runs), load_classifier()
    pieces, encoded = list(measured(batch)), encode(batch)
    stages: dict[str, Callable[[], object]] = {
        "input to Run": lambda: runs_from(curves),
        "batch building": lambda: Batch.from_runs(runs),
        "measures": lambda: list(measured(batch)),
        "rules": lambda: [opinion_on(piece) for piece in pieces],
        "encoder": lambda: [encode_measured(piece) for piece in pieces],
        "features in encoder": lambda: [features_of(piece) for piece in pieces],
    }
    if classifier is not None:
        stages["network"] = lambda: classifier.judge_encoded(encoded)
    cost = {name: _microseconds(call, len(runs)) for name, call in stages.items()}
    used = ("batch building", "measures", "rules") + (("encoder", "network") if classifier else ())
    cost["findings"] = _microseconds(lambda: predict_runs(runs), len(runs)) - sum(cost[name] for name in used)
    yield from (_row(f"stage: {name}", value, "us/run") for name, value in cost.items())


def _microseconds(call: Callable[[], object], runs: int) -> float:
    return seconds(call, times=3) / runs * 1e6


def generator_rows(seed: int, count: int, max_points: int) -> Iterator[Row]:
    """Labelled synthetic runs, drawn in blocks as `train.py` draws them; points are those of the train loss."""
    generate(seed, BLOCK, max_points=max_points)
    blocks = -(-count // BLOCK)
    apart = [abs(_planned(seed, k, max_points) - LONG) for k in range(SEARCHED)]
    for what, numbers in (
        ("generator", range(blocks)),
        (f"generator, blocks near {LONG} points", np.argsort(apart)[:blocks].tolist()),
    ):
        points, began = 0.0, time.perf_counter()
        for k in numbers:
            sample = generate((seed, k), BLOCK, max_points=max_points)
            points += float(sample.batch.channels["train_loss"].lengths.sum())
        taken, runs = time.perf_counter() - began, blocks * BLOCK
        yield _row(what, runs / taken, "runs/s")
        yield _row(f"{what}, mean train points", points / runs, "points")
        yield _row(f"{what}, train points", points / taken, "points/s")


def _planned(seed: int, block: int, max_points: int) -> float:
    """Mean points that a block's runs are to have, less those that will not be written."""
    plan, _ = draw_plan(np.random.default_rng((seed, block)), BLOCK)
    return float((np.minimum(plan.points, max_points) * (1 - plan.missing)).mean())


def peer_rows(curves: list[Curves], ours: float, encoder: float) -> Iterator[Row]:
    """The peers' cost a run, and how many times ours (us/run, the whole; measures and encoder) it is."""
    tsfresh = _tsfresh(curves[:20]) * 1e6
    yield _row("tsfresh EfficientFCParameters, 20 runs", tsfresh, "us/run")
    yield _row("tsfresh EfficientFCParameters / our measures and encoder", tsfresh / encoder, "ratio")
    if find_spec("runmedic"):
        runmedic = _runmedic(curves[:200]) * 1e6
        yield _row("runmedic's rules, 200 runs", runmedic, "us/run")
        yield _row("runmedic's rules / our whole", runmedic / ours, "ratio")


def _tsfresh(curves: list[Curves]) -> float:
    from tsfresh import extract_features
    from tsfresh.feature_extraction import EfficientFCParameters

    frames = [pd.DataFrame({"id": i, "time": range(POINTS), **one}) for i, one in enumerate(curves)]
    table = pd.concat(frames, ignore_index=True).replace([np.inf, -np.inf], np.nan).ffill().bfill()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # tsfresh and pandas warn about each other
        settings: dict[str, Any] = {"column_id": "id", "column_sort": "time", "n_jobs": 0, "disable_progressbar": True}
        return seconds(lambda: extract_features(table, EfficientFCParameters(), **settings), times=1) / len(curves)


def _runmedic(curves: list[Curves]) -> float:
    from runmedic.checks import run_checks
    from runmedic.model import Run, Series
    from runmedic.roles import detect

    steps = [float(k) for k in range(1, POINTS + 1)]

    def diagnose_all() -> None:
        for one in curves:
            run = Run("run", "memory", "", {name: Series(name, steps, values.tolist()) for name, values in one.items()})
            run_checks(run, detect(run))

    return seconds(diagnose_all, times=3) / len(curves)


def _row(what: str, value: float, unit: str) -> Row:
    return {"what": what, "value": value, "unit": unit}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=20_000, help="runs in the one call")
    parser.add_argument("--profiled", type=int, default=4096, help="runs whose stages are timed")
    parser.add_argument("--synthetic", type=int, default=8192, help="runs the generator draws")
    parser.add_argument("--max-points", type=int, default=30_000, help="longest run the generator draws")
    parser.add_argument("--out", type=Path, default=RESULTS / "speed.csv")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    rows = list(single_rows(curves_of(SINGLE, options.seed)))  # before there are objects for the garbage collector
    curves = curves_of(options.runs, options.seed)
    rows += [*batch_rows(curves), *table_rows(curves), *stage_rows(curves[: options.profiled])]
    rows += generator_rows(options.seed, options.synthetic, options.max_points)
    cost = {row["what"]: row["value"] for row in rows}
    rows += peer_rows(curves, cost["batch, whole"], cost["stage: measures"] + cost["stage: encoder"])
    print_table(rows)
    write_csv(rows, options.out)


if __name__ == "__main__":
    main()
