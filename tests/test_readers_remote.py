"""Object stores: the same runs as from a local folder, errors that pass, and errors that stay."""

import json
import os
import shutil
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tracker_logs import FIXTURES

from curveclinic.archive.signatures import signature
from curveclinic.cli import main
from curveclinic.engines.shards import Piece, Shard, score_shard
from curveclinic.errors import InputError, LogError
from curveclinic.readers import ReadFailure, ReadOptions, exists, find_sources, folders, read_file, read_runs, remote
from curveclinic.run import Run


def facts(root: str, items):
    """What is told of each item, its path under the root; values as text, so that NaN equals NaN."""
    return [
        (
            item.run_id,
            item.path.removeprefix(root),
            item.format,
            {name: (s.steps.tolist(), repr(s.values.tolist())) for name, s in item.channels.items()},
            item.notes,
        )
        if isinstance(item, Run)
        else (item.path.removeprefix(root), item.format, item.reason.replace(root, ""))
        for item in items
    ]


def csv_log(path: Path, n: int = 20) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = "".join(f"{k},{1 / k},{1.1 / k}\n" for k in range(1, n + 1))
    path.write_text("step,train_loss,val_loss\n" + rows)


def checkpoint(folder: Path, last: int) -> None:
    folder.mkdir(parents=True)
    history = [{"step": k, "loss": 1 / k} for k in range(1, last + 1)]
    (folder / "trainer_state.json").write_text(json.dumps({"log_history": history, "global_step": last}))


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """A CSV log, a damaged one, a TensorBoard run in two split folders, checkpoints, no logs, hidden files."""
    from tensorboardX import SummaryWriter

    root = tmp_path / "an archive"
    csv_log(root / "sweep" / "run_10" / "a b%20c.csv")
    csv_log(root / "sweep" / "run_2" / "log.csv", 30)
    csv_log(root / ".hidden" / "log.csv")
    (root / "bad.parquet").write_bytes(b"PAR1 and then nothing of the kind")
    (root / "notes.md").write_text("# Notes\n\nnothing to see\n")
    for side in ("train", "validation"):
        with SummaryWriter(str(root / "keras" / side)) as writer:
            for k in range(1, 25):
                writer.add_scalar("epoch_loss", 1 / k, k)
    checkpoint(root / "hf" / "checkpoint-5", 5)
    checkpoint(root / "hf" / "checkpoint-9", 9)
    return root


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """URI of an empty bucket on a local server."""
    server = pytest.importorskip("moto.server").ThreadedMotoServer(port=0, verbose=False)
    server.start()
    _, port = server.get_host_and_port()
    endpoint = f"http://127.0.0.1:{port}"
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    urllib.request.urlopen(urllib.request.Request(f"{endpoint}/bucket", method="PUT")).close()
    remote.open_store.cache_clear()
    yield "s3://bucket"
    remote.open_store.cache_clear()
    server.stop()


def upload(folder: Path, uri: str) -> None:
    store, prefix = remote.open_uri(uri)
    for file in sorted(folder.rglob("*")):
        if file.is_file():
            if not uri.startswith("s3:"):
                store.create_dir(f"{prefix}/{file.parent.relative_to(folder).as_posix()}", recursive=True)
            with store.open_output_stream(f"{prefix}/{file.relative_to(folder).as_posix()}") as out:
                out.write(file.read_bytes())


def test_a_uri_is_known_from_a_path():
    assert [remote.is_remote(p) for p in ("s3://b/x", "file:///x", "C:\\logs", "/x://y", "a/b", "")] == [
        True, True, False, False, False, False,
    ]  # fmt: skip


def test_a_remote_archive_reads_like_a_local_one(archive: Path):
    local, uri = str(archive), archive.as_uri().replace("%20", " ")
    found = facts(uri, read_runs([uri]))
    assert found == facts(local, read_runs([local]))
    assert [fact[0] for fact in found] == ["/bad.parquet", "hf/checkpoint-9/trainer_state.json", "keras",
                                           "sweep/run_2/log.csv", "sweep/run_10/a b%20c.csv"]  # fmt: skip


def test_a_bucket_reads_like_a_folder(archive: Path, s3: str):
    upload(archive, f"{s3}/team/runs")
    found = facts(f"{s3}/team/runs", read_runs([f"{s3}/team/runs/"]))
    assert found == facts(str(archive), read_runs([str(archive)]))
    (run,) = read_file(f"{s3}/team/runs/sweep/run_2/log.csv")
    assert (run.run_id, run.path, len(run.channels["train_loss"])) == (f"{s3}/team/runs/sweep/run_2/log.csv",) * 2 + (
        30,
    )
    (run,) = read_file(f"{s3}/team/runs/keras")
    assert (run.run_id, run.path, len(run.channels["val_loss"])) == ("keras", f"{s3}/team/runs/keras", 24)


def test_what_is_not_in_a_bucket_is_named(s3: str):
    with pytest.raises(LogError, match=rf"^{s3}/none.csv: .*[Nn]o such file"):
        read_file(f"{s3}/none.csv")
    (failure,) = read_runs([f"{s3}/none"])
    assert isinstance(failure, ReadFailure)
    assert (failure.path, failure.format) == (f"{s3}/none", "")


def test_a_scheme_nobody_knows_is_refused():
    with pytest.raises(InputError, match=r"^nosuch://place: .*"):
        list(find_sources("nosuch://place/logs"))


def test_fsspec_serves_other_schemes(archive: Path):
    fsspec = pytest.importorskip("fsspec")
    memory = fsspec.filesystem("memory")
    for file in archive.rglob("*"):
        if file.is_file():
            memory.pipe_file(f"/runs/{file.relative_to(archive).as_posix()}", file.read_bytes())
    try:
        assert facts("memory://runs", read_runs(["memory://runs"])) == facts(str(archive), read_runs([str(archive)]))
    finally:
        memory.rm("/runs", recursive=True)


@pytest.fixture
def memory() -> Iterator[str]:
    """URI of an empty folder of a store that pyarrow reaches by fsspec."""
    store = pytest.importorskip("fsspec").filesystem("memory")
    yield "memory://tracked"
    if store.exists("/tracked"):
        store.rm("/tracked", recursive=True)


@pytest.fixture
def tracked(tmp_path: Path) -> Path:
    """Runs that are folders: MLflow, DVCLive and W&B, with what else lies in such folders."""
    root = tmp_path / "tracked"
    for tool in ("mlflow", "dvclive", "wandb"):
        shutil.copytree(FIXTURES / tool, root / tool)
    (run,) = (root / "wandb").rglob("run-run00000.wandb")
    csv_log(run.parent / "files" / "media.csv")
    csv_log(next((root / "mlflow").rglob("tags")).parent / "artifacts" / "log.csv")
    return root


@pytest.mark.parametrize("store", ["s3", "memory"])
def test_runs_that_are_folders_read_like_local_ones(tracked: Path, request: pytest.FixtureRequest, store: str):
    uri = f"{request.getfixturevalue(store)}/a team"
    upload(tracked, uri)
    found = facts(uri, read_runs([uri]))
    assert found == facts(str(tracked), read_runs([str(tracked)]))
    assert {len(fact) for fact in found} == {5}  # runs, no failures
    assert {fact[2] for fact in found} >= {"mlflow", "dvclive", "wandb"}
    for folder in (p.parent for p in (*tracked.rglob("metrics/lr"), *tracked.rglob("*.wandb"))):
        place = (folder.parent if folder.name == "metrics" else folder).relative_to(tracked)
        assert facts(uri, read_file(f"{uri}/{place}")) == facts(str(tracked), read_file(tracked / place))


def test_a_remote_run_folder_has_the_size_of_what_is_read(tracked: Path):
    source, *_ = find_sources(f"file://{tracked}/dvclive/falls")
    files = [p for p in (tracked / "dvclive" / "falls" / "plots" / "metrics").rglob("*") if p.suffix == ".tsv"]
    assert (source.format, len(source.parts)) == ("dvclive", len(files))
    found = signature(source)
    assert found.size == sum(p.stat().st_size for p in files) > 0
    assert found.time == max(p.stat().st_mtime_ns for p in files)


def test_a_search_asks_once_whatever_it_finds(tracked: Path, monkeypatch: pytest.MonkeyPatch):
    """One request tells that it is a folder, one lists all of it."""
    (tracked / "train.log").write_text("no log of mmengine beside it\n")
    store = flaky(monkeypatch, [])
    assert len(list(find_sources(f"file://{tracked}"))) > 10
    assert store.asked == 2


@pytest.mark.parametrize("name", ["..", ".", ""])
def test_no_key_leads_out_of_the_folder_of_copies(monkeypatch: pytest.MonkeyPatch, name: str):
    """A key may be `metrics/../../../x`; no listing of pyarrow's shows that, so it is put in here."""
    tree = {"s3://b/metrics": ({"loss"}, {name, "val"}), "s3://b/metrics/val": ({name, "loss"}, set())}
    monkeypatch.setattr(remote, "names", lambda folder, *, files: tree[folder][0 if files else 1])
    assert list(folders.files_below("s3://b/metrics")) == ["loss", "val/loss"]


def table_of(count: int) -> pa.Table:
    rng = np.random.default_rng(0)
    train = [(np.exp(-np.arange(40) / 9) + rng.normal(0, 0.01, 40)).tolist() for _ in range(count)]
    return pa.table({"run_id": [f"r{k}" for k in range(count)], "train_loss": train, "val_loss": train[::-1]})


def test_a_table_in_a_bucket_is_read_in_place(tmp_path: Path, s3: str, monkeypatch: pytest.MonkeyPatch):
    """The same rows as of a local file, in slices, and nothing is copied."""
    monkeypatch.setattr("curveclinic.readers.list_columns.SLICE_ROWS", 20)
    (tmp_path / "t").mkdir()
    pq.write_table(table_of(50), tmp_path / "t" / "curves.parquet", row_group_size=20)
    upload(tmp_path / "t", f"{s3}/t")
    copies = []
    monkeypatch.setattr(remote, "_copy_file", lambda uri, *_: copies.append(uri))
    scored = [
        score_shard(Shard("", tuple(map(Piece, find_sources(root)))), ReadOptions()).to_pylist()
        for root in (f"{s3}/t", str(tmp_path / "t"))
    ]
    assert [row | {"path": row["path"].replace(f"{s3}/", f"{tmp_path}/")} for row in scored[0]] == scored[1]
    assert [row["run_id"] for row in scored[0]] == [f"curves.parquet#r{k}" for k in range(50)]
    assert {row["status"] for row in scored[0]} == {"ok"}
    assert copies == []


def test_a_bucket_is_scanned_by_worker_processes(archive: Path, tracked: Path, s3: str, tmp_path: Path):
    shutil.copytree(tracked, archive / "tracked")
    pq.write_table(table_of(30), archive / "curves.parquet")
    upload(archive, f"{s3}/runs")
    rows = []
    for root, out in ((f"{s3}/runs", tmp_path / "far.parquet"), (str(archive), tmp_path / "near.parquet")):
        assert main(["scan", root, "-o", str(out), "--workers", "2"]) == 3
        found = pq.read_table(out).to_pylist()
        rows.append([row | {n: row[n].replace(root, "") for n in ("path", "message")} for row in found])
    assert rows[0] == rows[1]
    assert len(rows[0]) > 45
    assert sum(row["status"] == "error" for row in rows[0]) == 1


class Flaky:
    """A file system whose next requests fail."""

    def __init__(self, real, errors):
        self.real, self.errors, self.asked = real, list(errors), 0

    def _maybe_fail(self):
        self.asked += 1
        if self.errors and (error := self.errors.pop(0)):
            raise error

    def get_file_info(self, what):
        self._maybe_fail()
        return self.real.get_file_info(what)

    def open_input_file(self, path):
        self._maybe_fail()
        return self.real.open_input_file(path)


def flaky(monkeypatch: pytest.MonkeyPatch, errors) -> Flaky:
    store = Flaky(remote.open_store("file", "")[0], errors)
    monkeypatch.setattr(remote, "open_store", lambda scheme, place: (store, ""))
    monkeypatch.setattr(remote, "FIRST_PAUSE", 0.0)
    return store


SLOW_DOWN = OSError("When reading key: AWS Error SLOW_DOWN during GetObject operation: reduce your request rate")
DENIED = OSError("When reading key: AWS Error ACCESS_DENIED during HeadObject operation: No response body.")


def test_an_error_that_passes_costs_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    csv_log(tmp_path / "log.csv")
    store = flaky(monkeypatch, [SLOW_DOWN, SLOW_DOWN, None, SLOW_DOWN])
    (run,) = read_runs([f"file://{tmp_path}/log.csv"])
    assert isinstance(run, Run)
    assert (len(run.channels["train_loss"]), store.asked, store.errors) == (20, 5, [])


@pytest.mark.parametrize(
    ("error", "asked"), [(SLOW_DOWN, remote.TRIES), (DENIED, 1), (FileNotFoundError(2, "gone"), 1)]
)
def test_an_error_that_stays_is_one_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: OSError, asked: int):
    """The first of three logs cannot be had; one that vanished or is forbidden is not asked for again."""
    for k in range(3):
        csv_log(tmp_path / f"{k}.csv")
    monkeypatch.setattr(remote, "COPIES", 1)
    store = flaky(monkeypatch, [None, None, *[error] * asked])
    first, *others = read_runs([f"file://{tmp_path}"])
    reason = error.strerror or str(error)
    assert first == ReadFailure(f"file://{tmp_path}/0.csv", "", f"file://{tmp_path}/0.csv: {reason}")
    assert [item.run_id for item in others] == ["1.csv", "2.csv"]
    assert store.asked == 2 + asked + 2


def test_a_large_file_comes_in_pieces_and_goes_on_after_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    csv_log(tmp_path / "log.csv", 2000)
    monkeypatch.setattr(remote, "PIECE_BYTES", 10_000)
    size = (tmp_path / "log.csv").stat().st_size
    expected = facts(str(tmp_path), read_runs([str(tmp_path / "log.csv")]))
    store = flaky(monkeypatch, [None, None, None, SLOW_DOWN])
    found = facts(f"file://{tmp_path}", read_runs([f"file://{tmp_path}/log.csv"]))
    assert [fact[3] for fact in found] == [fact[3] for fact in expected]
    assert store.asked == 1 + -(-size // 10_000) + 1


def test_a_large_file_that_is_no_log_is_not_fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "model.bin").write_bytes(b"\x80\x02" + os.urandom(300_000))
    monkeypatch.setattr(remote, "PIECE_BYTES", 100_000)
    sizes = []
    original = remote._piece
    monkeypatch.setattr(remote, "_piece", lambda *a, **k: sizes.append(len((out := original(*a, **k))[0])) or out)
    (failure,) = read_runs([f"file://{tmp_path}"])
    assert failure.reason == f"file://{tmp_path}: no run in this folder"
    assert sizes == [65536]


def test_few_copies_lie_on_disk_and_none_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for k in range(30):
        csv_log(tmp_path / "archive" / f"{k}.csv")
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    items = read_runs([f"file://{tmp_path}/archive"])
    counts = []
    for _ in items:
        counts.append(sum(1 for _ in (tmp_path / "temporary").rglob("*.csv")))
    assert len(counts) == 30
    assert max(counts) <= remote.COPIES + 1
    assert list((tmp_path / "temporary").iterdir()) == []


def test_a_search_given_up_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for k in range(30):
        csv_log(tmp_path / "archive" / f"{k}.csv")
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    items = read_runs([f"file://{tmp_path}/archive"])
    next(items)
    items.close()
    assert list((tmp_path / "temporary").iterdir()) == []
    assert remote._SEARCHED == {}
    assert not any("ThreadPool" in thread.name for thread in threading.enumerate())


def test_paths_are_looked_for_before_a_scan(tmp_path: Path):
    csv_log(tmp_path / "log.csv")
    places = [str(tmp_path), f"file://{tmp_path}", f"file://{tmp_path}/", f"file://{tmp_path}/log.csv"]
    assert [exists(p) for p in (*places, f"file://{tmp_path}/none", str(tmp_path / "none"))] == [True] * 4 + [False] * 2


def test_stat_tells_size_and_time(tmp_path: Path):
    csv_log(tmp_path / "log.csv")
    real = (tmp_path / "log.csv").stat()
    assert remote.stat(f"file://{tmp_path}/log.csv") == remote.Entry(real.st_size, real.st_mtime_ns)
    with pytest.raises(FileNotFoundError):
        remote.stat(f"file://{tmp_path}/none.csv")
