"""Points a second of our readers of experiment trackers, against the trackers' own clients, in one process.

    pip install mlflow && python benchmarks/readers_trackers.py

The MLflow database has the schema a real server made (the test fixture) and is filled with drawn runs.
"""

from __future__ import annotations

import argparse
import gzip
import sqlite3
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from curveclinic.readers import read_runs

FIXTURES = Path(__file__).parent.parent / "tests" / "fixtures"
KEYS = ("train/loss", "val/loss")
REPEATS = 3
CLIENT_RUNS = 20


@dataclass(frozen=True)
class Speed:
    """How fast one reader read one archive: best of its repeats, seconds of process time."""

    reader: str
    n_points: int
    seconds: float

    @property
    def points_per_second(self) -> float:
        """Points read a second."""
        return self.n_points / self.seconds


def best_of(reader: str, read: Callable[[], int], repeats: int = REPEATS) -> Speed:
    """Returns the speed of `read`, which returns how many points it has read."""
    times, n_points = [], 0
    for _ in range(repeats):
        start = time.process_time()
        n_points = read()
        times.append(time.process_time() - start)
    return Speed(reader, n_points, min(times))


def fill_mlflow_db(path: Path, n_runs: int, n_points: int) -> list[str]:
    """Makes an `mlflow.db` of drawn runs, two metrics of `n_points` each, and returns their ids."""
    rng = np.random.default_rng(0)
    path.write_bytes(gzip.decompress((FIXTURES / "mlflow_db" / "mlflow.db.gz").read_bytes()))
    ids = [rng.bytes(16).hex() for _ in range(n_runs)]
    with sqlite3.connect(path) as connection:
        for table in ("metrics", "latest_metrics", "runs"):
            connection.execute(f"DELETE FROM {table}")
        for number, run in enumerate(ids):
            _fill_run(connection, number, run, rng.random((n_points, len(KEYS))))
    connection.close()
    return ids


def _fill_run(connection: sqlite3.Connection, number: int, run: str, values: np.ndarray) -> None:
    connection.execute(
        "INSERT INTO runs (run_uuid, name, status, lifecycle_stage, experiment_id, start_time, artifact_uri, user_id,"
        " source_type, source_name, entry_point_name, source_version)"
        " VALUES (?, ?, 'FINISHED', 'active', 1, 0, '', '', 'LOCAL', '', '', '')",
        (run, f"run {number}"),
    )
    rows = ((key, float(v), 10 * i, run, i) for i, row in enumerate(values) for key, v in zip(KEYS, row, strict=True))
    connection.executemany(
        "INSERT INTO metrics (key, value, timestamp, run_uuid, step, is_nan) VALUES (?, ?, ?, ?, ?, 0)", rows
    )
    last = [(key, float(v), run, len(values) - 1) for key, v in zip(KEYS, values[-1], strict=True)]
    connection.executemany(
        "INSERT INTO latest_metrics (key, value, timestamp, run_uuid, step, is_nan) VALUES (?, ?, 0, ?, ?, 0)", last
    )


def ours(path: Path) -> int:
    """Reads a log with the package and returns how many points of losses it holds."""
    return sum(len(series) for run in read_runs([path]) for series in run.channels.values())  # type: ignore[union-attr]


def mlflow_client(path: Path, ids: list[str]) -> int:
    """Reads every metric of some runs with MLflow's client and returns how many points they hold."""
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=f"sqlite:///{path}")
    return sum(len(client.get_metric_history(run, key)) for run in ids for key in KEYS)


def mlflow_db_speeds(n_runs: int = 200, n_points: int = 2000) -> list[Speed]:
    """Returns the speeds of our reader on a whole database, and of MLflow's client on some of its runs."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "mlflow.db")
        ids = fill_mlflow_db(path, n_runs, n_points)
        mlflow_client(path, ids[:1])  # the first call checks the schema and imports the store
        speeds = [best_of("curveclinic", lambda: ours(path))]
        return [*speeds, best_of("MlflowClient", lambda: mlflow_client(path, ids[:CLIENT_RUNS]))]


def wandb_speed() -> Speed:
    """Returns the speed of our reader on the `.wandb` fixtures; W&B's package has no reader to compare with."""
    return best_of("curveclinic", lambda: ours(FIXTURES / "wandb"), repeats=20)


def main() -> None:
    """Prints the speeds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--points", type=int, default=2000)
    arguments = parser.parse_args()
    speeds = mlflow_db_speeds(arguments.runs, arguments.points)
    for name, speed in [*(("mlflow.db", s) for s in speeds), (".wandb", wandb_speed())]:
        print(f"{name:10} {speed.reader:14} {speed.n_points:8} points {speed.points_per_second / 1e3:9.1f} kpoints/s")
    print(f"mlflow.db: {speeds[0].points_per_second / speeds[1].points_per_second:.1f} times the client")


if __name__ == "__main__":
    main()
