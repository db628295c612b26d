"""Scans on Ray and Spark against a scan of this machine: shards, restarts, lost workers, tables of curves."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curveclinic import scoring
from curveclinic.cli import main
from curveclinic.engines import storage
from curveclinic.engines.archive import scan_on
from curveclinic.engines.known import load_engine
from curveclinic.engines.shards import Done, Piece, Shard, Work, from_text, plan, score_shard, to_text
from curveclinic.readers import ReadOptions, find_sources
from curveclinic.readers.source import Source
from curveclinic.scoring import score_table
from curveclinic.writers import ROW

COLUMNS = [name for name, _ in ROW]
OPTIONS = ReadOptions()


def write_csv(path: Path, scale: float = 1.0, n: int = 40) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(len(str(path))).normal(0, 0.01, n)
    train = scale * (np.exp(-np.arange(n) / 8) + 0.1 + noise * 0.2)
    val = train + scale * 0.02 * np.maximum(np.arange(n) - n // 3, 0)
    rows = "".join(f"{k},{t!r},{v!r}\n" for k, (t, v) in enumerate(zip(train.tolist(), val.tolist(), strict=True), 1))
    path.write_text("step,train_loss,val_loss\n" + rows)


def curves(count: int) -> pa.Table:
    rng = np.random.default_rng(0)
    train = [(np.exp(-np.arange(50) / 9) + rng.normal(0, 0.01, 50)).tolist() for _ in range(count)]
    val = [(np.asarray(t) + 0.03 * np.maximum(np.arange(50) - 15 - k, 0)).tolist() for k, t in enumerate(train)]
    return pa.table({"run_id": [f"r{k}" for k in range(count)], "train_loss": train, "val_loss": val})


@pytest.fixture
def archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Twelve CSV logs, a table of seven runs, a damaged file and one that is no log."""
    root = tmp_path / "archive"
    for k in range(12):
        write_csv(root / f"sweep_{k % 3}" / f"run_{k}.csv", 10.0 ** (k - 6))
    pq.write_table(curves(7), root / "curves.parquet")
    (root / "bad.parquet").write_bytes(b"PAR1 and then nothing of the kind")
    (root / "notes.md").write_text("# Notes\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("curveclinic.engines.shards.SHARD_SOURCES", 4)
    return root


def rows_of(path: str) -> list[dict]:
    """Rows of a Parquet file or folder, in an order that no engine decides."""
    table = pq.read_table(path, columns=COLUMNS, partitioning=None)
    return sorted(table.to_pylist(), key=lambda row: (row["path"], row["run_id"]))


def here(texts, work: Work, address: str | None = None):
    """An engine without workers; shards come back in reverse."""
    for text in reversed(texts):
        yield work(text)


def run_on(engine, out: str = "out") -> list[str]:
    return scan_on(engine, find_sources("archive"), out, options=OPTIONS)


def test_shards_hold_the_rows_of_a_local_scan(archive: Path):
    assert main(["scan", "archive", "-o", "local.parquet", "--workers", "1"]) == 3
    names = run_on(here)
    assert len(names) == 4
    assert rows_of("out") == rows_of("local.parquet")
    assert sum(row["status"] == "error" for row in rows_of("out")) == 1


def test_a_shard_survives_as_text(archive: Path):
    for shard in plan(find_sources("archive"), OPTIONS):
        assert from_text(to_text(shard)) == shard


def test_what_is_read_together_survives_as_text():
    source = Source("a", "a", parts=(("train/", "a/x"),), beside=(Source("b.csv", "b", parts=(("", "b.csv"),)),))
    shard = Shard("one", (Piece(source),))
    assert from_text(to_text(shard)) == shard


def test_a_restart_does_what_is_left(archive: Path):
    names = run_on(here)
    expected = rows_of("out")
    (Path("out") / names[1]).unlink()
    times = {name: os.stat(f"out/{name}").st_mtime_ns for name in names if name != names[1]}
    done = []

    def watched(texts, work, address=None):
        done.extend(from_text(text).name for text in texts)
        yield from here(texts, work)

    assert run_on(watched) == names
    assert done == [names[1]]
    assert {name: os.stat(f"out/{name}").st_mtime_ns for name in times} == times
    assert rows_of("out") == expected


def test_a_changed_log_is_scored_again_and_its_old_rows_go(archive: Path):
    before = run_on(here)
    write_csv(archive / "sweep_0" / "run_0.csv", n=77)
    (Path("out") / "mine.txt").write_text("not a shard")
    after = run_on(here)
    assert len(set(before) & set(after)) == len(before) - 1
    assert sorted(os.listdir("out")) == sorted([*after, "mine.txt"])
    (Path("out") / "mine.txt").unlink()
    assert [row["n_points"] for row in rows_of("out") if row["path"].endswith("run_0.csv")] == [77]


def test_other_options_are_other_shards(archive: Path):
    names = [{shard.name for shard in plan(find_sources("archive"), ReadOptions(num_classes=n))} for n in (None, 10)]
    assert not names[0] & names[1]


def test_the_int8_network_makes_other_shards_with_its_own_rows(archive: Path, monkeypatch: pytest.MonkeyPatch):
    asked = []
    loaded = scoring.shipped_classifier
    monkeypatch.setattr(scoring, "shipped_classifier", lambda *, fast: asked.append(fast) or loaded(fast=fast))
    names = [scan_on(here, find_sources("archive"), "out", options=OPTIONS, fast=fast) for fast in (False, True)]
    assert not set(names[0]) & set(names[1])
    assert sorted(os.listdir("out")) == sorted(names[1])
    assert asked == sorted(asked)
    assert set(asked) == {False, True}
    assert main(["scan", "archive", "-o", "local.parquet", "--workers", "1", "--fast"]) == 3
    assert rows_of("out") == rows_of("local.parquet")


def test_a_lost_shard_is_rows_with_the_reason_and_is_tried_again(archive: Path):
    def broken(texts, work, address=None):
        for k, text in enumerate(texts):
            yield Done(from_text(text).name, 0, "killed by the system") if k == 0 else work(text)

    names = run_on(broken)
    assert names[0].endswith("-lost.parquet")
    lost = pq.read_table(f"out/{names[0]}").to_pylist()
    assert [row["status"] for row in lost] == ["error"] * 4
    assert all("killed by the system" in row["message"] for row in lost)
    names = run_on(here)
    assert sorted(os.listdir("out")) == sorted(names)
    assert sum(row["status"] == "error" for row in rows_of("out")) == 1


def test_a_large_table_is_cut_into_shards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("curveclinic.readers.list_columns.SLICE_ROWS", 20)
    monkeypatch.setattr("curveclinic.engines.shards.SHARD_BYTES", 1000)
    pq.write_table(curves(60), "curves.parquet", row_group_size=20)
    write_csv(Path("one.csv"), n=8)
    sources = [source for path in ("curves.parquet", "one.csv") for source in find_sources(path)]
    shards = list(plan(sources, OPTIONS))
    assert [[piece.rows and piece.rows.first for piece in shard.pieces] for shard in shards] == [
        [0],
        [20],
        [40],
        [None],
    ]
    tables = [score_shard(from_text(to_text(shard)), OPTIONS) for shard in shards]
    assert [table.num_rows for table in tables] == [20, 20, 20, 1]
    ids = pa.concat_tables(tables)["run_id"].to_pylist()
    assert ids == [*(f"curves.parquet#r{k}" for k in range(60)), "one.csv"]


def test_nothing_unfinished_is_left(tmp_path: Path):
    out = str(tmp_path)
    (tmp_path / ".shard-00000000-0123456789abcdef.parquet.77.tmp").write_bytes(b"half")
    with pytest.raises(AttributeError):
        storage.write_shard(None, out, "shard-00000000-0123456789abcdef.parquet")
    storage.clear(out, keep=())
    assert os.listdir(out) == []


def test_an_object_store_takes_the_rows(archive: Path, tmp_path: Path):
    """Both the logs and the rows behind a URI."""
    root = f"file://{tmp_path}"
    names = scan_on(here, find_sources(f"{root}/archive"), f"{root}/far", options=OPTIONS)
    run_on(here)
    far = [row | {name: row[name].replace(f"{root}/", "") for name in ("path", "message")} for row in rows_of("far")]
    assert len(names) == 4
    assert far == rows_of("out")


@pytest.mark.parametrize(("engine", "package"), [("ray", "ray"), ("spark", "pyspark")])
def test_without_the_extra_the_install_line_is_told(archive: Path, engine: str, package: str):
    code = (
        f"import sys; sys.modules['{package}'] = None; sys.modules['{package}.sql'] = None\n"
        f"from curveclinic.cli import main; sys.exit(main(['scan', 'archive', '-o', 'out', '--engine', '{engine}']))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, f"pip install 'curveclinic[{engine}]'" in done.stderr) == (2, True)


def test_an_engine_cannot_read_a_pipe(archive: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["scan", "-", "-o", "out", "--engine", "ray"]) == 2
    assert main(["scan", "archive", "-o", "s3://bucket/out"]) == 2
    told = capsys.readouterr().err
    assert "standard input cannot be read by the workers" in told
    assert "need --engine ray or --engine spark" in told


@pytest.mark.parametrize("out", ["archive/verdicts", "archive/out.parquet"])
def test_an_output_in_its_own_archive_is_no_log(archive: Path, monkeypatch: pytest.MonkeyPatch, out: str):
    done = []

    def watched(texts, work, address=None):
        done.append(len(texts))
        yield from here(texts, work)

    monkeypatch.setattr("curveclinic.commands.engines.load_engine", lambda name: watched)
    for _ in range(3):
        assert main(["scan", "archive", "-o", out, "--engine", "ray"]) == 3
    assert done == [4]
    assert len(rows_of(out)) == 20


@pytest.fixture
def spark(monkeypatch: pytest.MonkeyPatch):
    sql = pytest.importorskip("pyspark.sql")
    monkeypatch.setenv("PYSPARK_PYTHON", sys.executable)
    session = sql.SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false").getOrCreate()
    yield session
    session.stop()


@pytest.fixture
def ray():
    ray = pytest.importorskip("ray")
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    yield ray
    ray.shutdown()


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("engine", ["ray", "spark"])
def test_an_engine_writes_the_rows_of_a_local_scan(archive: Path, request: pytest.FixtureRequest, engine: str):
    request.getfixturevalue(engine)
    assert main(["scan", "archive", "-o", "local.parquet", "--workers", "1"]) == 3
    assert main(["scan", "archive", "-o", "far.parquet", "--engine", engine]) == 3
    assert rows_of("far.parquet") == rows_of("local.parquet")
    assert rows_of("far.parquet.shards") == rows_of("local.parquet")


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("engine", ["ray", "spark"])
def test_a_killed_worker_costs_its_shard_only(request: pytest.FixtureRequest, engine: str):
    request.getfixturevalue(engine)

    class Deadly:  # made here, so that engines carry it to their workers whole
        def __call__(self, text):
            name = json.loads(text)["name"]
            if name == "deadly":
                os._exit(9)
            if name == "faulty":
                raise ValueError("not this one")
            return Done(name, 7)

    texts = [json.dumps({"name": name}) for name in ("a", "b", "deadly", "c", "faulty")]
    found = {done.name: done for done in load_engine(engine)(texts, Deadly(), None)}
    given_up = found.pop("deadly")
    assert (given_up.rows, given_up.lost.partition(":")[0]) == (0, f"given up by {engine.capitalize()}")
    lost = "ValueError: not this one"
    assert found == {n: Done(n, 0, lost) if n == "faulty" else Done(n, 7) for n in ("a", "b", "c", "faulty")}


@pytest.mark.filterwarnings("default")
def test_a_ray_dataset_of_curves(ray):
    from curveclinic.engines.ray_engine import score_dataset

    scored = score_dataset(ray.data.from_arrow(curves(30)), num_classes=10)
    expected = score_table(curves(30), num_classes=10).to_pylist()
    assert sorted(scored.take_all(), key=lambda r: r["run_id"]) == sorted(expected, key=lambda r: r["run_id"])


@pytest.mark.filterwarnings("default")
def test_a_spark_data_frame_of_curves(spark):
    from curveclinic.engines.spark_engine import score_dataframe

    scored = score_dataframe(spark.createDataFrame(curves(30)), num_classes=10)
    expected = score_table(curves(30), num_classes=10).to_pylist()
    found = [row.asDict() for row in scored.collect()]
    assert sorted(found, key=lambda r: r["run_id"]) == sorted(expected, key=lambda r: r["run_id"])
