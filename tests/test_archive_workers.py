import re
import subprocess
import sys
from pathlib import Path

import pytest
from archive_cases import dying_once_work, faulty_work, killing_work, refusing_work, sleeping_work, write_log

from curveclinic.archive.pace import default_workers
from curveclinic.archive.signatures import signature
from curveclinic.archive.units import Finished, Job, Task, work
from curveclinic.archive.workers import Queue, done_by_workers, done_here
from curveclinic.errors import WeightsError
from curveclinic.readers.source import Source

JOB = Job("scan")


def unit(folder, names):
    tasks = []
    for key, name in enumerate(names):
        path = folder / f"{name}.csv"
        write_log(path, key + 1)
        source = Source(str(path), path.name)
        tasks.append(Task(key, source, signature(source)))
    return tuple(tasks)


def outcome(messages):
    """Key of a source -> (status, message) of each of its rows; every source is done exactly once."""
    found, done = {}, []
    for message in messages:
        assert isinstance(message, Finished)
        rows = iter(message.table.to_pylist())
        for part in message.parts:
            some = [next(rows) for _ in range(part.count)]
            found.setdefault(part.key, []).extend((row["status"], row["message"]) for row in some)
            done += [part.key] if part.done else []
        assert next(rows, None) is None
    assert sorted(done) == sorted(found)
    return found


def by_workers(units, task_work, **kwargs):
    return outcome(done_by_workers(Queue(units), task_work, JOB, **{"workers": 2, "time_limit": 60.0, **kwargs}))


def test_workers_do_what_this_process_does(tmp_path):
    units = [unit(tmp_path, [f"u{k}_{i}" for i in range(5)]) for k in range(3)]
    tasks = [task for one in units for task in one]
    renamed = [Task(key, task.source, task.found) for key, task in enumerate(tasks)]
    units = [tuple(renamed[i : i + 5]) for i in range(0, 15, 5)]
    here = outcome(done_here(Queue(units), work, JOB))
    assert here == by_workers(units, work)
    assert {key: [status for status, _ in rows] for key, rows in here.items()} == {key: ["ok"] for key in range(15)}


def test_the_source_that_kills_its_worker_is_an_error_row(tmp_path):
    names = ["a", "b", "c", "killer", "d", "e"]
    found = by_workers([unit(tmp_path, names)], killing_work)
    assert [found[key][0][0] for key in range(6)] == ["ok", "ok", "ok", "error", "ok", "ok"]
    assert re.fullmatch(r".*killer\.csv: reading it killed the process \(signal SIGKILL\)", found[3][0][1])


def test_two_that_kill_and_nothing_else_are_two_error_rows(tmp_path):
    found = by_workers([unit(tmp_path, ["killer_1", "killer_2"])], killing_work)
    assert [found[key][0][0] for key in range(2)] == ["error", "error"]


def test_a_death_by_accident_costs_nothing(tmp_path):
    found = by_workers([unit(tmp_path, ["a", "moody", "b"])], dying_once_work)
    assert [found[key][0][0] for key in range(3)] == ["ok", "ok", "ok"]


def test_a_source_that_hangs_is_an_error_row(tmp_path):
    found = by_workers([unit(tmp_path, ["a", "sleeper", "b"])], sleeping_work, time_limit=5.0)
    assert [found[key][0][1].rpartition(": ")[2] for key in range(3)] == [
        "read", "not read within 5 s; see --time-limit", "read",
    ]  # fmt: skip


def test_an_error_of_ours_reaches_the_caller(tmp_path):
    with pytest.raises(WeightsError, match="the weights are damaged"):
        by_workers([unit(tmp_path, ["a"])], refusing_work)
    with pytest.raises(RuntimeError, match=r"(?s)a worker failed:.*KeyError: 'nothing'"):
        by_workers([unit(tmp_path, ["a"])], faulty_work)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="looks at processes in /proc")
def test_no_worker_hears_ctrl_c_before_it_can_ignore_it(tmp_path):
    """In a process of its own: only the first worker of a process was not spared."""
    code = """
import re
from pathlib import Path
from curveclinic.archive.process import start
from curveclinic.archive.units import Job, work

if __name__ == "__main__":
    for _ in range(2):
        process, pipe, _place = start(work, Job("scan"))
        status = Path(f"/proc/{process.pid}/status").read_text()
        print(int(re.search(r"SigBlk:\\s*(\\w+)", status).group(1), 16) >> 1 & 1)
        process.kill()
    status = Path("/proc/self/status").read_text()
    print(int(re.search(r"SigBlk:\\s*(\\w+)", status).group(1), 16) >> 1 & 1)
"""
    (tmp_path / "starting.py").write_text(code)
    done = subprocess.run([sys.executable, tmp_path / "starting.py"], capture_output=True, text=True)
    assert done.stdout.split() == ["1", "1", "0"], done.stderr


def test_workers_that_cannot_start_are_an_error(tmp_path, monkeypatch):
    import multiprocessing.spawn

    monkeypatch.setattr(multiprocessing.spawn, "_python_exe", b"/bin/false")
    with pytest.raises(RuntimeError, match=r"workers cannot start \(exit code 1\); scan with --workers 1"):
        by_workers([unit(tmp_path, ["a", "b"])], work)


def test_units_put_back_come_first(tmp_path):
    one, two, three = (unit(tmp_path, [name]) for name in "abc")
    queue = Queue([one, two])
    assert queue.take() == one
    queue.put(three)
    assert [queue.take() for _ in range(3)] == [three, two, None]


def test_there_is_at_least_one_worker():
    assert 1 <= default_workers() <= 16
