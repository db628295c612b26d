"""Scans of whole folders: killed from outside, several processes, and what goes wrong on disks."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from archive_cases import log_text, rows, scan, stored, write_archive, write_log

from curveclinic.archive import tables, units
from curveclinic.archive.pace import Pace
from curveclinic.archive.scan import update
from curveclinic.archive.state import open_state, state_path
from curveclinic.archive.units import UNIT_SOURCES, Job, work
from curveclinic.archive.workers import done_here
from curveclinic.cli import main
from curveclinic.readers import discovery
from curveclinic.readers.discovery import find_sources

CODE = (
    "import sys; from curveclinic.archive import units; units.UNIT_SOURCES = 3; "
    "from curveclinic.cli import main; sys.exit(main(sys.argv[1:]))"
)
"""A scan in units of three sources, so that a small archive has many moments to be killed at."""


pytestmark = pytest.mark.usefixtures("own_folder")


def start(out, workers):
    return subprocess.Popen(
        [sys.executable, "-c", CODE, "scan", "logs", "-o", out, "--workers", str(workers)],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip


def journal(out):
    """Bytes in the journal of a state: they grow with every stored table."""
    file = Path(f"{state_path(Path(out))}-wal")
    return file.stat().st_size if file.exists() else 0


def children(process):
    return [int(pid) for pid in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()]


def is_alive(pid):
    """Whether a process runs; one that has ended and waits for its parent does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc").exists(), reason="looks at processes in /proc")
@pytest.mark.parametrize("workers", [1, 2])
def test_a_scan_killed_at_random_moments_loses_and_repeats_nothing(tmp_path, workers):
    write_archive(tmp_path / "logs", 150)
    assert scan("logs", "-o", "whole.parquet", "--workers", 1) == 0
    rng = np.random.default_rng(workers)
    out, kills, before = tmp_path / "out.parquet", 0, {}
    for _ in range(100):
        process = start("out.parquet", workers)
        grown = journal(out) + int(rng.integers(0, 300_000))
        while process.poll() is None and journal(out) < grown:
            time.sleep(0.005)
        time.sleep(float(rng.uniform(0, 0.05)))
        if process.poll() is not None:
            break
        started = children(process)
        process.kill()
        process.wait()
        kills += 1
        # there at once or not at all: the blow may fall between the last row and the end of the process
        assert not out.exists() or rows(out) == rows(tmp_path / "whole.parquet")
        done = stored(out) if state_path(out).exists() else {}
        assert before.items() <= done.items()
        before = done
        deadline = time.monotonic() + 60
        while any(map(is_alive, started)):
            assert time.monotonic() < deadline, "workers outlive the scan that started them"
            time.sleep(0.05)
    assert process.returncode == 0
    assert kills >= 2
    assert before.items() <= stored(out).items()
    assert rows(out) == rows(tmp_path / "whole.parquet")
    assert [p.name for p in tmp_path.glob(".*")] == []


def test_an_interrupted_scan_says_where_it_goes_on(tmp_path, monkeypatch, capsys):
    write_archive(tmp_path / "logs", 6)
    monkeypatch.setattr(units, "UNIT_SOURCES", 2)
    judged, seen = tables.score_runs, []

    def interrupted(runs, **options):
        seen.append(len(runs))
        if len(seen) == 3:
            raise KeyboardInterrupt
        return judged(runs, **options)

    monkeypatch.setattr(tables, "score_runs", interrupted)
    assert scan("logs", "-o", "out.csv", "--workers", 1) == 130
    assert capsys.readouterr().err.splitlines() == [
        "curveclinic: 4 rows are kept in out.csv.state.sqlite; the same command goes on from there",
        "curveclinic: interrupted",
    ]
    assert not Path("out.csv").exists()
    assert scan("logs", "-o", "out.csv", "--workers", 1) == 0
    assert seen == [2, 2, 2, 2]


def test_a_second_scan_of_one_output_is_refused(tmp_path, monkeypatch, capsys):
    write_archive(tmp_path / "logs", 2)
    codes = []
    judged = tables.score_runs

    def another(runs, **options):
        if not codes:
            codes.append(None)
            codes[0] = scan("logs", "-o", "out.csv", "--workers", 1)
        return judged(runs, **options)

    monkeypatch.setattr(tables, "score_runs", another)
    assert scan("logs", "-o", "out.csv", "--workers", 1) == 0
    assert codes == [2]
    assert "out.csv.state.sqlite: another scan is writing here; wait for it" in capsys.readouterr().err


def test_workers_write_what_one_process_writes(tmp_path, capsys):
    write_archive(tmp_path / "logs", 40)
    (tmp_path / "logs" / "bad.csv").write_text("step,acc\n1,2\n2,3\n")
    (tmp_path / "logs" / "notes.txt").write_text("nothing to see")
    assert scan("logs", "-o", "one.parquet", "--workers", 1) == 3
    told = capsys.readouterr()
    code = [sys.executable, "-c", CODE, "scan", "logs", "-o", "two.parquet", "--workers", "2"]
    done = subprocess.run(code, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (3, told.err)
    assert done.stdout.splitlines()[:-1] == told.out.splitlines()[:-1]
    assert rows(tmp_path / "two.parquet") == rows(tmp_path / "one.parquet")
    assert [row["path"] for row in rows(tmp_path / "one.parquet")] == sorted(
        row["path"] for row in rows(tmp_path / "one.parquet")
    )


@pytest.mark.parametrize(
    ("options", "limits"),
    [
        ([], []),  # this process is faster
        (["--time-limit", 7], [7.0]),
        (["--time-limit", 7, "--workers", 1], []),
    ],
)
def test_a_time_limit_holds_in_a_small_archive(tmp_path, monkeypatch, capsys, options, limits):
    write_archive(tmp_path / "logs", 2)
    seen = []

    def by_workers(queue, work, job, *, workers, time_limit):
        seen.append(time_limit)
        return done_here(queue, work, job)

    monkeypatch.setattr("curveclinic.archive.scan.done_by_workers", by_workers)
    assert scan("logs", "-o", "out.csv", *(options if "--workers" in options else [*options, "--workers", 2])) == 0
    assert seen == limits
    told = capsys.readouterr().err
    assert told.startswith("curveclinic: --time-limit needs two workers or more") == (1 in options)
    assert scan("logs", "-o", "out.csv", "--workers", 2, "--time-limit", 7) == 0  # nothing is new: nobody is started
    assert seen == limits


def test_a_pattern_that_never_ends_is_an_error_row(tmp_path):
    write_archive(tmp_path / "logs", 1)
    (tmp_path / "logs" / "endless.log").write_text("a" * 60 + "b\n")
    pattern = ["--pattern", "(?P<train_loss>(a+)+$)"]
    assert scan("logs", "-o", "out.parquet", "--workers", 2, "--time-limit", 5, *pattern) == 3
    assert [(r["status"], r["message"]) for r in rows(tmp_path / "out.parquet")][:1] == [
        ("error", "logs/endless.log: not read within 5 s; see --time-limit")
    ]


def test_files_without_curves_are_counted(tmp_path, capsys):
    write_archive(tmp_path / "logs", 2)
    for name in ("notes.txt", "config.yaml"):
        (tmp_path / "logs" / name).write_text("what was tried: a smaller model\n")
    for _ in range(2):  # a second scan reads none of them, and says the same
        assert scan("logs", "-o", "out.csv") == 0
        assert capsys.readouterr().err == "curveclinic: 2 other files without curves passed over\n"


def test_what_is_no_file_is_passed_over(tmp_path, capsys):
    write_archive(tmp_path / "logs", 2)
    os.mkfifo("logs/pipe.csv")
    os.symlink("loop.csv", "logs/loop.csv")
    os.symlink("..", "logs/sweep_0/up")
    with socket.socket(socket.AF_UNIX) as connection:
        connection.bind("logs/socket.csv")
        assert scan("logs", "-o", "out.parquet") == 0
        assert [row["run_id"] for row in rows(tmp_path / "out.parquet")] == ["sweep_0/run_0.csv", "sweep_1/run_1.csv"]
        assert scan("logs", "logs/pipe.csv", "-o", "out.parquet") == 3
    assert "logs/pipe.csv: found a pipe, socket or device, expected a file" in capsys.readouterr().err


def test_an_unreadable_folder_is_reported_and_the_rest_read(tmp_path, monkeypatch, capsys):
    write_archive(tmp_path / "logs", 3)
    listed = os.scandir

    def refusing(folder):
        if str(folder).endswith("sweep_1"):
            raise PermissionError(13, "Permission denied", str(folder))
        return listed(folder)

    monkeypatch.setattr(discovery.os, "scandir", refusing)
    for _ in range(2):  # and again when nothing has changed
        assert scan("logs", "-o", "out.parquet") == 3
        assert capsys.readouterr().err == (
            "curveclinic: logs/sweep_1: Permission denied; this folder is not searched\n"
        )
        assert [(r["path"], r["status"]) for r in rows(tmp_path / "out.parquet")] == [
            ("logs/sweep_0/run_0.csv", "ok"), ("logs/sweep_1", "error"), ("logs/sweep_2/run_2.csv", "ok"),
        ]  # fmt: skip
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)
    assert scan("logs", "-o", "out.parquet") == 0
    assert len(rows(tmp_path / "out.parquet")) == 3


def test_files_that_vanish_or_grow_while_they_are_read(tmp_path, monkeypatch, capsys):
    write_archive(tmp_path / "logs", 3)
    opened = units._opened

    def meanwhile(source):
        path = Path(source.path)
        if path.name == "run_0.csv":
            path.unlink(missing_ok=True)
        if path.name == "run_1.csv" and path.stat().st_size < 2000:
            path.write_text(log_text(1, points=60))
            os.utime(path, (1.7e9, 1.7e9))
        return opened(source)

    monkeypatch.setattr(units, "_opened", meanwhile)
    assert scan("logs", "-o", "out.parquet") == 0
    assert [r["path"] for r in rows(tmp_path / "out.parquet")] == ["logs/sweep_1/run_1.csv", "logs/sweep_2/run_2.csv"]
    monkeypatch.setattr(units, "_opened", opened)
    write_log(tmp_path / "logs" / "sweep_1" / "run_1.csv", 1, changed=1.7e9)
    assert scan("logs", "-o", "out.parquet") == 0
    assert [r["n_points"] for r in rows(tmp_path / "out.parquet")] == [30, 30]


def test_a_fault_of_a_reader_or_of_the_judge_is_one_error_row(tmp_path, monkeypatch, capsys):
    write_archive(tmp_path / "logs", 8)
    reading, judged = units.runs_or_failure, tables.score_runs

    def failing(source, options):
        return reading(source, options) if "run_3" not in source.path else 1 / 0

    def refusing(runs, **options):
        if any("run_5" in run.run_id for run in runs):
            raise IndexError("off by one")
        return judged(runs, **options)

    monkeypatch.setattr(units, "runs_or_failure", failing)
    monkeypatch.setattr(tables, "score_runs", refusing)
    assert scan("logs", "-o", "out.parquet") == 3
    assert [r["status"] for r in rows(tmp_path / "out.parquet")].count("ok") == 6
    assert capsys.readouterr().err.splitlines() == [
        "curveclinic: logs/sweep_0/run_3.csv: the reader failed (ZeroDivisionError: division by zero); "
        "please report this",
        "curveclinic: logs/sweep_2/run_5.csv: sweep_2/run_5.csv: judging it failed (IndexError: off by one); "
        "please report this",
    ]


def test_a_full_disk_leaves_the_old_output_and_all_rows(tmp_path, monkeypatch, capsys):
    write_archive(tmp_path / "logs", 3)
    assert scan("logs", "-o", "out.parquet") == 0
    before = Path("out.parquet").read_bytes()
    write_log(tmp_path / "logs" / "new.csv", 7)
    with monkeypatch.context() as patch:

        def full(self, table):
            raise OSError(28, "No space left on device")

        patch.setattr(pq.ParquetWriter, "write_table", full)
        assert scan("logs", "-o", "out.parquet") == 2
    assert "No space left on device" in capsys.readouterr().err
    assert Path("out.parquet").read_bytes() == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["logs", "out.parquet", "out.parquet.state.sqlite"]
    assert len(stored(tmp_path / "out.parquet")) == 4
    assert scan("logs", "-o", "out.parquet") == 0
    assert len(rows(tmp_path / "out.parquet")) == 4


@pytest.fixture
def tiny_disk(tmp_path):
    place = tmp_path / "tiny"
    place.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=120k", "tmpfs", place], capture_output=True).returncode:
        pytest.skip("cannot mount a file system here")
    yield place
    subprocess.run(["umount", "-l", place], check=True)


def test_a_disk_that_fills_up_keeps_what_was_finished(tmp_path, tiny_disk, monkeypatch, capsys):
    write_archive(tmp_path / "logs", 60)
    monkeypatch.setattr(units, "UNIT_SOURCES", 2)
    assert scan("logs", "-o", "tiny/out.parquet", "--workers", 1) == 2
    assert "what was finished before is kept, run the same command again" in capsys.readouterr().err
    subprocess.run(["mount", "-o", "remount,size=10m", tiny_disk], check=True)
    before = stored(tiny_disk / "out.parquet")
    assert len(before) >= 2
    assert scan("logs", "-o", "tiny/out.parquet", "--workers", 1) == 0
    assert before.items() <= stored(tiny_disk / "out.parquet").items()
    assert scan("logs", "-o", "whole.parquet", "--workers", 1) == 0
    assert rows(tiny_disk / "out.parquet") == rows(tmp_path / "whole.parquet")


def test_leftovers_of_a_killed_writer_are_removed(tmp_path):
    write_archive(tmp_path / "logs", 1)
    Path(".out.csv.123.tmp").write_text("half a file")
    Path(".other.csv.123.tmp").write_text("of another output")
    assert scan("logs", "-o", "out.csv") == 0
    assert sorted(p.name for p in tmp_path.glob(".*")) == [".other.csv.123.tmp"]


def test_an_output_in_its_own_archive_is_no_log(tmp_path):
    write_archive(tmp_path / "logs", 3)
    for _ in range(2):
        assert scan("logs", "-o", "logs/out.parquet") == 0
        assert len(rows(tmp_path / "logs" / "out.parquet")) == 3
    assert not any("out.parquet" in path for path in stored(tmp_path / "logs" / "out.parquet"))


@pytest.mark.parametrize(
    "paths",
    [
        ["logs", "logs"],
        ["logs", "logs/sweep_0/run_0.csv"],
        ["logs", "./logs", "logs/sweep_1", "link"],
        ["logs", "other.csv"],
    ],
)
def test_paths_that_overlap_give_each_log_once(tmp_path, paths, capsys):
    write_archive(tmp_path / "logs", 2)
    os.symlink("logs", "link")
    os.symlink("logs/sweep_0/run_0.csv", "other.csv")
    for _ in range(2):
        assert scan(*paths, "-o", "out.parquet") == 0
        assert [r["run_id"] for r in rows(tmp_path / "out.parquet")] == ["sweep_0/run_0.csv", "sweep_1/run_1.csv"]
    assert capsys.readouterr().err == ""


def test_of_overlapping_paths_the_first_gives_the_id_and_none_is_empty(tmp_path):
    write_archive(tmp_path / "logs", 1)
    assert scan("logs/sweep_0/run_0.csv", "logs", "-o", "out.parquet") == 0
    assert [r["run_id"] for r in rows(tmp_path / "out.parquet")] == ["logs/sweep_0/run_0.csv"]


def test_what_is_named_and_no_log_is_told_though_a_folder_passes_it_over(tmp_path, capsys):
    write_archive(tmp_path / "logs", 1)
    (tmp_path / "logs" / "notes.txt").write_text("a smaller model\n")
    assert scan("logs", "-o", "out.parquet") == 0
    for _ in range(2):
        assert scan("logs", "logs/notes.txt", "-o", "out.parquet") == 3
        assert [r["status"] for r in rows(tmp_path / "out.parquet")] == ["error", "ok"]
    capsys.readouterr()
    assert main(["diagnose", "logs", "logs/notes.txt", "--json"]) == 3
    assert capsys.readouterr().out.count('"status"') == 2


def test_units_are_bounded(tmp_path):
    """In number and in bytes, also where one source is larger than a unit."""
    from curveclinic.archive.scan import _units
    from curveclinic.archive.signatures import Signature
    from curveclinic.archive.units import UNIT_BYTES, Task
    from curveclinic.readers.source import Source

    sizes = [10] * (UNIT_SOURCES + 1) + [UNIT_BYTES * 3, -1, UNIT_BYTES // 2, UNIT_BYTES // 2, 1]
    made = list(_units(Task(k, Source("", ""), Signature(size, 0)) for k, size in enumerate(sizes)))
    assert [len(unit) for unit in made] == [UNIT_SOURCES, 1, 1, 3, 1]
    assert [task.key for unit in made for task in unit] == list(range(len(sizes)))


def test_finding_the_sources_of_a_large_folder_costs_the_same_for_each(tmp_path, monkeypatch):
    """Counted, not timed: the folder is listed as often for many files as for few."""
    listed = os.scandir
    counts = []

    def counting(folder):
        counts[-1] += 1
        return listed(folder)

    monkeypatch.setattr(discovery.os, "scandir", counting)
    for n in (10, 1000):
        folder = tmp_path / f"many_{n}"
        folder.mkdir()
        for i in range(n):
            (folder / f"{i}.csv").touch()
        counts.append(0)
        assert sum(1 for _ in find_sources(folder)) == n
    assert counts[0] == counts[1]


def test_a_run_that_is_read_again_from_its_place(tmp_path):
    """A source that was stored in part gives the rest of its rows, and says where they belong."""
    from curveclinic.archive.signatures import signature
    from curveclinic.archive.units import Task
    from curveclinic.readers.source import Source

    lines = "".join(f'{{"id": "{k}", "train_loss": [3, 2, 1]}}\n' for k in range(5))
    Path("runs.jsonl").write_text(lines)
    source = Source("runs.jsonl", "runs.jsonl")
    (message,) = work([Task(7, source, signature(source), have=3)], Job("scan"), lambda place: None)
    assert message.table["run_id"].to_pylist() == ["runs.jsonl#3", "runs.jsonl#4"]
    assert [(p.key, p.first, p.count, p.done) for p in message.parts] == [(7, 3, 2, True)]


def test_workers_end_when_the_scan_is_interrupted(tmp_path):
    if not Path("/proc").exists():
        pytest.skip("looks at processes in /proc")
    write_archive(tmp_path / "logs", 150)
    process = subprocess.Popen(
        [sys.executable, "-c", CODE, "scan", "logs", "-o", "out.parquet", "--workers", "2"], stderr=subprocess.PIPE
    )
    while journal(tmp_path / "out.parquet") < 50_000:
        time.sleep(0.01)
    started = children(process)
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=60)
    assert process.returncode == 130
    assert told.splitlines()[-1] == b"curveclinic: interrupted"
    deadline = time.monotonic() + 30  # a process needs a moment to go
    while any(map(is_alive, started)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(map(is_alive, started))


@pytest.mark.parametrize(("command", "column"), [("scan", "message"), ("index", "error")])
def test_stderr_tells_of_the_first_inputs_that_cannot_be_read_and_how_many_more_there_are(capsys, command, column):
    write_log(Path("logs/good.csv"), 1)
    for k in range(25):
        Path(f"logs/bad_{k}.csv").touch()
    for _ in range(2):  # the second time they are known
        assert main([command, "logs", "-o", "out.parquet"]) == 3
        told = capsys.readouterr().err.splitlines()
        assert len(told) == 21
        assert told[0] == "curveclinic: logs/bad_0.csv: the file is empty"
        assert told[-1] == f"curveclinic: 5 more inputs could not be read; what is written says why, as '{column}'"
    assert sum("the file is empty" in (row[column] or "") for row in rows(Path("out.parquet"))) == 25


def test_what_an_earlier_scan_has_done_counts_as_done(tmp_path):
    write_archive(tmp_path / "logs", 6)
    for _ in range(2):
        done = []
        with open_state(tmp_path / "state", "judge") as state:
            found = (("logs", source) for source in find_sources("logs"))
            assert update(state, found, Job("scan"), Pace(1, None), done.append)
        assert sum(done) == 6
