"""What reading costs: our readers beside those people use, on one core, on files of real sizes.

    python benchmarks/readers.py                 # about 5 minutes
    python benchmarks/readers.py --share 0.1     # a quick look: a tenth of the files and of the long ones' points

- TensorBoard: `EventAccumulator(size_guidance={"scalars": 0})`, all its scalars asked for, and tbparse's data frame.
- CSV: `pyarrow.csv` (one thread, columns as numpy arrays) and pandas.
- JSON: the parsers alone (`json`, orjson), which is less than a reader does, and our readers with and without orjson.
- mlflow.db: `readers_trackers.py`, where it is there and mlflow is installed.
- Many small files: where the time of a file goes.

Ours is the whole way: open, tell the format, parse, choose the channels, build the `Run`. The others stop at tables or
objects. Files are written here by the loggers themselves (tensorboardX, torch) or as they write (`csv`, `json`), a few
distinct ones copied to a folder; they are read from the page cache, so disks do not count. Times are CPU times, each
the best of several rounds in which the readers take turns. A peer that is not installed is left out:
`pip install tbparse orjson`.
What it does not show: cold disks, network drives, folders of a million files (`scan.py`).
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from tables import Row, print_table, write_csv
from yardstick import RESULTS

from curveclinic.intake.assemble import Origin, ReadOptions, run_from_table, runs_from_grid
from curveclinic.readers import FORMATS, json_text, read_file, tensorboard
from curveclinic.readers.delimited import _delimiter, whole
from curveclinic.readers.discovery import tensorboard_source
from curveclinic.readers.event_file import decode
from curveclinic.readers.folders import Folder
from curveclinic.readers.number_table import number_grid
from curveclinic.readers.source import Source

DISTINCT = 3
"""Different files written; the rest of a folder are copies."""

ROUNDS = 7
ENOUGH = 1.0
"""How often a call is timed, unless it has taken this many CPU seconds."""

Reader = Callable[[Path], object]
Write = Callable[[Path, int, np.random.Generator], None]


def curve(n: int, rng: np.random.Generator) -> list[float]:
    """A loss that falls, with noise."""
    level = 3 * np.exp(-4 * np.arange(n) / n) + 0.1
    return [float(v) for v in level + rng.normal(size=n) * 0.05]


def tensorboard_run(path: Path, n: int, rng: np.random.Generator) -> None:
    """Two scalars a step."""
    _write_events(path, n, rng, every=1)


def tensorboard_mixed(path: Path, n: int, rng: np.random.Generator) -> None:
    """Two scalars a step, and two more every 50 steps."""
    _write_events(path, n, rng, every=50)


def _write_events(path: Path, n: int, rng: np.random.Generator, *, every: int) -> None:
    from tensorboardX import SummaryWriter

    writer = SummaryWriter(str(path.parent / "written"))
    for step, value in enumerate(curve(n, rng)):
        writer.add_scalar("train/loss", value, step)
        writer.add_scalar("train/lr" if every > 1 else "val/loss", 1.1 * value, step)
        if every > 1 and step % every == 0:
            writer.add_scalar("val/loss", 1.1 * value, step)
            writer.add_scalar("val/accuracy", 1 - value / 4, step)
    _settle(writer, path)


def tensorboard_tensors(path: Path, n: int, rng: np.random.Generator) -> None:
    """Two scalars a step in the style of TensorFlow 2: tensors of one number."""
    from torch.utils.tensorboard import SummaryWriter

    writer = SummaryWriter(str(path.parent / "written"))
    for step, value in enumerate(curve(n, rng)):
        writer.add_scalar("train/loss", value, step, new_style=True)
        writer.add_scalar("val/loss", 1.1 * value, step, new_style=True)
    _settle(writer, path)


def _settle(writer: Any, path: Path) -> None:
    writer.close()
    folder = path.parent / "written"
    next(folder.iterdir()).rename(path)
    folder.rmdir()


def csv_run(path: Path, n: int, rng: np.random.Generator) -> None:
    """Keras' CSVLogger: epoch and two losses."""
    rows = (f"{k},{v!r},{1.1 * v!r}\n" for k, v in enumerate(curve(n, rng)))
    path.write_text("epoch,loss,val_loss\n" + "".join(rows))


def csv_gaps(path: Path, n: int, rng: np.random.Generator) -> None:
    """Lightning's metrics.csv: train and validation in different rows."""
    rows = (
        f"{k // 50},{k},{v!r},\n" if k % 50 else f"{k // 50},{k},,{1.1 * v!r}\n" for k, v in enumerate(curve(n, rng))
    )
    path.write_text("epoch,step,train_loss,val_loss\n" + "".join(rows))


def jsonl_run(path: Path, n: int, rng: np.random.Generator) -> None:
    """MAE's log.txt: one dict an epoch."""
    rows = ({"train_lr": 0.1, "train_loss": v, "test_loss": 1.1 * v, "epoch": k} for k, v in enumerate(curve(n, rng)))
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def trainer_state(path: Path, n: int, rng: np.random.Generator) -> None:
    """Hugging Face: a train row a step, an evaluation every 10."""
    history: list[dict[str, float]] = []
    for k, v in enumerate(curve(n, rng), 1):
        history.append({"epoch": k / 100, "grad_norm": v, "learning_rate": 1e-4, "loss": v, "step": k})
        if k % 10 == 0:
            history.append({"epoch": k / 100, "eval_loss": 1.1 * v, "eval_runtime": 1.5, "step": k})
    path.write_text(json.dumps({"best_model_checkpoint": None, "global_step": n, "log_history": history}, indent=2))


def keras_history(path: Path, n: int, rng: np.random.Generator) -> None:
    """A Keras history as one dict of lists."""
    values = curve(n, rng)
    path.write_text(json.dumps({"loss": values, "val_loss": [1.1 * v for v in values]}))


LAYOUTS: Sequence[tuple[str, str, Write, int, int]] = (
    ("tensorboard", "events.out.tfevents.1.host", tensorboard_run, 100, 100),
    ("tensorboard", "events.out.tfevents.1.host", tensorboard_run, 20, 2000),
    ("tensorboard", "events.out.tfevents.1.host", tensorboard_run, 1, 100_000),
    ("tensorboard, mixed cadence", "events.out.tfevents.1.host", tensorboard_mixed, 10, 5000),
    ("tensorboard, TF2 tensors", "events.out.tfevents.1.host", tensorboard_tensors, 10, 2000),
    ("csv", "log.csv", csv_run, 300, 100),
    ("csv", "log.csv", csv_run, 100, 2000),
    ("csv", "log.csv", csv_run, 2, 500_000),
    ("csv, gaps", "metrics.csv", csv_gaps, 50, 4000),
    ("jsonl", "log.txt", jsonl_run, 50, 300),
    ("jsonl", "log.txt", jsonl_run, 2, 50_000),
    ("trainer_state", "trainer_state.json", trainer_state, 20, 2000),
    ("keras_history", "history.json", keras_history, 100, 200),
    ("keras_history", "history.json", keras_history, 10, 20_000),
)
"""Format, name of a file, its writer, how many files, steps of each."""


def ours(path: Path) -> object:
    return read_file(path)


def ours_without_orjson(path: Path) -> object:
    parser = json_text._fast
    json_text._fast = lambda: None  # type: ignore[assignment]  # as if it were not installed
    try:
        return read_file(path)
    finally:
        json_text._fast = parser


def event_accumulator(path: Path) -> object:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    reader = EventAccumulator(str(path), size_guidance={"scalars": 0, "tensors": 0})
    reader.Reload()
    tags = reader.Tags()
    return [reader.Scalars(tag) for tag in tags["scalars"]], [reader.Tensors(tag) for tag in tags["tensors"]]


def tbparse(path: Path) -> object:
    from tbparse import SummaryReader

    return SummaryReader(str(path)).scalars


def pyarrow_csv(path: Path) -> object:
    from pyarrow import csv

    table = csv.read_csv(path, read_options=csv.ReadOptions(use_threads=False))
    return [column.to_numpy() for column in table.columns]


def pandas_csv(path: Path) -> object:
    import pandas as pd

    return pd.read_csv(path)


def stdlib_json(path: Path) -> object:
    return _parsed(path, json.loads)


def orjson_alone(path: Path) -> object:
    import orjson

    return _parsed(path, orjson.loads)


def _parsed(path: Path, parse: Callable[[bytes], object]) -> object:
    data = path.read_bytes()
    return [parse(line) for line in data.splitlines()] if path.suffix == ".txt" else parse(data)


PEERS: dict[str, tuple[tuple[str, Reader, str], ...]] = {
    "tensorboard": (("EventAccumulator", event_accumulator, "tensorboard"), ("tbparse", tbparse, "tbparse")),
    "csv": (("pyarrow.csv", pyarrow_csv, "pyarrow"), ("pandas", pandas_csv, "pandas")),
    "json": (
        ("ours without orjson", ours_without_orjson, "orjson"),
        ("json, parsed only", stdlib_json, "json"),
        ("orjson, parsed only", orjson_alone, "orjson"),
    ),
}
"""Family of formats -> (name, reader, package it needs)."""


def layout_rows(folder: Path, layout: tuple[str, str, Write, int, int], share: float, seed: int) -> Iterator[Row]:
    """One kind of file, read by all."""
    format_name, name, write, n_files, n_steps = layout
    n_files, n_steps = max(1, round(n_files * share)), round(n_steps * (share if n_steps > 10_000 else 1))
    paths = files_of(folder, name, write, n_files, n_steps, seed)
    n_points = sum(len(c) for run in read_file(paths[0]) for c in run.channels.values())
    family = format_name.partition(",")[0]
    readers = {"ours": ours}
    peers = PEERS.get(family, PEERS["json"])
    readers |= {peer: read for peer, read, package in peers if find_spec(package)}
    taken = best_times({key: _all_of(read, paths) for key, read in readers.items()})
    for reader, seconds in taken.items():
        yield {
            "format": format_name,
            "files": len(paths),
            "points of a file": n_points,
            "reader": reader,
            "us a file": seconds / len(paths) * 1e6,
            "points/s": n_points * len(paths) / seconds,
            "times ours": seconds / taken["ours"],
        }


def files_of(folder: Path, name: str, write: Write, n_files: int, n_steps: int, seed: int) -> list[Path]:
    """Writes a few files and copies them, each into a folder of its own."""
    paths = [folder / f"run_{k}" / name for k in range(n_files)]
    for k, path in enumerate(paths):
        path.parent.mkdir(parents=True)
        if k < DISTINCT:
            write(path, n_steps, np.random.default_rng((seed, k)))
        else:
            shutil.copy(paths[k % DISTINCT], path)
    return paths


def _all_of(read: Reader, paths: Sequence[Path]) -> Callable[[], object]:
    def call() -> None:
        for path in paths:
            read(path)

    return call


def best_times(calls: dict[str, Callable[[], object]]) -> dict[str, float]:
    """CPU seconds of each call: the best of up to `ROUNDS`, fewer (two at least) for those that last long."""
    best = dict.fromkeys(calls, np.inf)
    spent = dict.fromkeys(calls, 0.0)
    for k in range(ROUNDS):
        for name, call in calls.items():
            if k > 1 and spent[name] > ENOUGH:
                continue
            began = time.process_time()
            call()
            taken = time.process_time() - began
            best[name] = min(best[name], taken)
            spent[name] += taken
    return best


def stage_rows(folder: Path, share: float, seed: int) -> Iterator[Row]:
    """Where the time of a small file goes, at 100 steps of two losses."""
    n_files = max(10, round(1000 * share))
    tables = files_of(folder / "csv", "log.csv", csv_run, n_files, 100, seed)
    events = files_of(folder / "events", "events.out.tfevents.1.host", tensorboard_run, n_files, 100, seed)
    for format_name, paths, stages in (
        ("csv", tables, _csv_stages(tables)),
        ("tensorboard", events, _event_stages(events)),
    ):
        whole = {"whole": _all_of(ours, paths)}
        for stage, seconds in best_times(whole | stages).items():
            yield {"format": format_name, "files": n_files, "stage": stage, "us a file": seconds / n_files * 1e6}


def _csv_stages(paths: Sequence[Path]) -> dict[str, Callable[[], object]]:
    sources = [Source(str(p), p.name) for p in paths]
    heads = [s.head() for s in sources]
    grids = [whole(s)[0] for s in sources]
    return {
        "open and read": lambda: [s.head() for s in sources],
        "tell the format": lambda: [next(f for f in FORMATS if f.sniff(h)) for h in heads],
        "open, read and parse": lambda: [number_grid(s, _delimiter) for s in sources],
        "choose channels, build the Run": lambda: [runs_from_grid(g, ReadOptions(), Origin()) for g in grids],
    }


def _event_stages(paths: Sequence[Path]) -> dict[str, Callable[[], object]]:
    contents = [p.read_bytes() for p in paths]
    parts = [tensorboard.Part("", 0.0, decode(data)) for data in contents]
    merged = [tensorboard._merge([part])[0] for part in parts]
    return {
        "list the folder": lambda: [tensorboard_source(Folder(str(p.parent))) for p in paths],
        "open and read": lambda: [p.read_bytes() for p in paths],
        "parse": lambda: [decode(data) for data in contents],
        "merge files and restarts": lambda: [tensorboard._merge([part]) for part in parts],
        "choose channels, build the Run": lambda: [run_from_table(t, ReadOptions(), Origin()) for t in merged],
    }


def tracker_rows() -> Iterator[Row]:
    """The speeds of `readers_trackers.py`: mlflow.db beside MLflow's client, one database; none without mlflow."""
    if not (find_spec("readers_trackers") and find_spec("mlflow")):
        return
    speeds = import_module("readers_trackers").mlflow_db_speeds()
    for speed in speeds:
        yield {
            "format": "mlflow.db",
            "files": 1,
            "points of a file": speed.n_points,
            "reader": "ours" if speed is speeds[0] else speed.reader,
            "us a file": speed.seconds * 1e6,
            "points/s": speed.points_per_second,
            "times ours": speeds[0].points_per_second / speed.points_per_second,
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--share", type=float, default=1.0, help="share of the files, and of the points of long ones")
    parser.add_argument("--formats", default="", help="only formats that begin so")
    parser.add_argument("--out", type=Path, default=RESULTS / "readers.csv")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as temporary:
        for k, layout in enumerate(LAYOUTS):
            if layout[0].startswith(options.formats):
                rows += layout_rows(Path(temporary) / str(k), layout, options.share, options.seed)
                print(f"{k + 1} of {len(LAYOUTS)}", file=sys.stderr)
        rows += tracker_rows()
        stages = list(stage_rows(Path(temporary) / "small", options.share, options.seed))
    print_table(rows)
    print_table(stages)
    write_csv(rows, options.out)
    write_csv(stages, options.out.with_name(f"{options.out.stem}_small_files.csv"))


if __name__ == "__main__":
    main()
