import os
import shutil
import sqlite3
from pathlib import Path

import numpy as np
import pytest
from archive_cases import OLD, rows, scan, stored, write_archive, write_log

from curveclinic.archive import scan as scanning
from curveclinic.archive import units
from curveclinic.archive.database import connect, explained, remove
from curveclinic.archive.signatures import Signature
from curveclinic.archive.state import State, open_state, state_path
from curveclinic.archive.units import Finished, Part
from curveclinic.errors import InputError
from curveclinic.readers.source import Source

NOW = (OLD + 1000) * 10**9
FOUND = Signature(10, OLD * 10**9)


@pytest.fixture
def opened(tmp_path):
    with open_state(tmp_path / "out.csv.state.sqlite", "judge") as state:
        yield state


def table(*names):
    from curveclinic.archive.tables import rows_table
    from curveclinic.readers import ReadFailure

    return rows_table([ReadFailure(name, "csv", "broken") for name in names])


def paths(state):
    return [path for part in state.tables() for path in part["path"].to_pylist()]


def add(state, name):
    return state.add("logs", Source(name, name), FOUND, now=NOW)


def test_rows_come_in_the_order_of_their_paths(opened):
    keys = {name: add(opened, name) for name in ("b", "a\udcff", "c", "a")}
    first, second = ("c", "a"), ("b", "b", "a\udcff")
    opened.store(Finished(table(*first), tuple(Part(keys[n], 0, 1, done=True) for n in first)))
    parts = (Part(keys["b"], 0, 2, done=True), Part(keys["a\udcff"], 0, 1, done=True))
    opened.store(Finished(table(*second), parts))
    assert paths(opened) == ["a", "a\\udcff", "b", "b", "c"]
    assert (opened.count(), opened.count("logs"), opened.count("other")) == (5, 5, 0)


def test_rows_of_one_source_come_in_their_own_order(opened):
    key = add(opened, "a")
    opened.store(Finished(table("2", "3"), (Part(key, 2, 2, done=True),)))
    assert opened.stored(key) == 0
    opened.store(Finished(table("0", "1"), (Part(key, 0, 2, done=True),)))
    assert paths(opened) == ["0", "1", "2", "3"]
    assert [opened.stored(key), opened.stored(key, 2), opened.stored(key, 4)] == [4, 2, 0]


def test_many_small_tables_are_put_together(opened, monkeypatch):
    monkeypatch.setattr("curveclinic.archive.state.CHUNK_ROWS", 7)
    monkeypatch.setattr("curveclinic.archive.state._CACHE_BYTES", 1)
    names = [f"{i:03}" for i in range(40)]
    for name in np.random.default_rng(0).permutation(names).tolist():
        opened.store(Finished(table(name), (Part(add(opened, name), 0, 1, done=True),)))
    assert paths(opened) == names


def test_a_changed_source_loses_its_rows_and_a_gone_one_itself(tmp_path):
    path = tmp_path / "s"
    with open_state(path, "judge") as state:
        for name in "abc":
            key = add(state, name)
            state.finish(key)
            state.store(Finished(table(name), (Part(key, 0, 1, done=True),)))
    with open_state(path, "judge") as state:
        known = state.find("logs", Source("a", "a"))
        assert (known.found, known.done, known.met) == (FOUND, True, False)
        state.keep(known.key, FOUND, now=NOW)
        add(state, "b")
        assert paths(state) == ["a", "c"]
        state.drop_gone()
        assert paths(state) == ["a"]
        assert state.find("logs", Source("c", "c")) is None


@pytest.mark.parametrize(("judge", "fresh", "kept"), [("judge", False, 1), ("other", False, 0), ("judge", True, 0)])
def test_rows_of_another_judge_are_dropped(tmp_path, judge, fresh, kept):
    with open_state(tmp_path / "s", "judge") as state:
        state.store(Finished(table("a"), (Part(add(state, "a"), 0, 1, done=True),)))
    with open_state(tmp_path / "s", judge, fresh=fresh) as state:
        assert state.count() == kept


def test_a_source_that_changed_just_now_is_compared_by_content(opened):
    opened.add("logs", Source("a", "a"), FOUND, now=FOUND.time + 10**9)
    assert opened.find("logs", Source("a", "a")).found == Signature(10, -1)


def test_one_scan_at_a_time(opened):
    with (
        pytest.raises(InputError, match="another scan is writing here; wait for it or choose another output"),
        open_state(opened.path, "judge"),
    ):
        pass
    with pytest.raises(InputError, match="another scan is writing here"), open_state(opened.path, "j", fresh=True):
        pass


def test_what_is_no_state_is_left_alone(tmp_path):
    text, foreign = tmp_path / "text", tmp_path / "foreign"
    text.write_text("my notes, which are longer than the header of a database would be\n" * 9)
    database = sqlite3.connect(foreign)
    database.execute("CREATE TABLE mine (x)")
    database.commit()
    database.close()
    reasons = {text: "no state of a scan .*; run with --fresh", foreign: "of another program; move it away"}
    for path, reason in reasons.items():
        before = path.read_bytes()
        with pytest.raises(InputError, match=reason), open_state(path, "judge"):
            pass
        assert path.read_bytes() == before
    with pytest.raises(InputError, match="of another program"), open_state(foreign, "judge", fresh=True):
        pass
    with open_state(text, "judge", fresh=True) as state:
        add(state, "a")
        assert state.count() == 0


def test_a_state_of_somebody_else_is_no_fault_of_the_disk(opened, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != opened.path)
    with pytest.raises(InputError, match="may not be written by you; choose another output"):
        connect(opened.path, fresh=True)


def test_an_empty_state_is_removed(tmp_path):
    with open_state(tmp_path / "s", "judge"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_says_what_to_do(opened, monkeypatch):
    opened._database.execute("PRAGMA max_page_count = 1")
    finished = Finished(table(*(f"{i}" * 50 for i in range(3000))), (Part(add(opened, "a"), 0, 3000, done=True),))

    with (
        pytest.raises(OSError, match=r"database or disk is full; what was finished before is kept, run the same"),
        explained(opened.path),
    ):
        opened.store(finished)


def snapshots(folder, monkeypatch):
    """Copies the state as a killed scan would leave it, at every step of storing."""
    taken = []

    def copy(state):
        place = folder / f"{len(taken)}"
        place.mkdir(parents=True)
        for file in state.path.parent.glob(f"{state.path.name}*"):
            shutil.copy(file, place / file.name)
        taken.append(place)

    def watched(function):
        def call(state, *args):
            copy(state)
            function(state, *args)
            copy(state)

        return call

    for name in ("store", "_note", "finish"):
        monkeypatch.setattr(State, name, watched(getattr(State, name)))
    return taken


def test_a_scan_killed_at_any_step_goes_on(tmp_path, monkeypatch):
    """What the disk holds at each step of a scan is what a kill would leave; from each the scan comes to its end."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(units, "UNIT_SOURCES", 4)
    write_archive(tmp_path / "logs", 11)
    out = tmp_path / "out.parquet"
    with monkeypatch.context() as patch:
        taken = snapshots(tmp_path / "killed", patch)
        assert scan("logs", "-o", out, "--workers", 1) == 0
    whole = rows(out)
    assert len(whole) == 11
    assert len(taken) > 40
    seen = set()
    for place in taken:
        out.unlink()
        remove(state_path(out))
        for file in place.iterdir():
            shutil.copy(file, tmp_path / file.name)
        before = stored(out)
        assert scan("logs", "-o", out, "--workers", 1) == 0
        assert rows(out) == whole
        assert before.items() <= stored(out).items()  # no row was done twice
        seen.add(len(before))
    assert seen == {0, 4, 8, 11}


def test_only_new_and_changed_sources_are_read(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_archive(tmp_path / "logs", 9)
    read = []
    monkeypatch.setattr(units, "slices", lambda source, options: read.append(source.run_id) or ())

    def newly_read(*arguments):
        read.clear()
        assert scan("logs", "-o", "out.parquet", "--workers", 1, *arguments) == 0
        return sorted(read)

    everything = newly_read()
    assert len(everything) == 9
    first = rows(tmp_path / "out.parquet")
    assert newly_read() == []
    assert rows(tmp_path / "out.parquet") == first

    logs = tmp_path / "logs"
    write_log(logs / "sweep_0" / "run_99.csv", 99)  # new
    write_log(logs / "sweep_1" / "run_1.csv", 1, changed=OLD + 5)  # touched, the same inside
    write_log(logs / "sweep_2" / "run_2.csv", 3, changed=OLD + 5)  # changed; may have the same size
    (logs / "sweep_0" / "run_0.csv").unlink()
    assert newly_read() == ["sweep_0/run_99.csv", "sweep_2/run_2.csv"]
    again = rows(tmp_path / "out.parquet")
    assert newly_read("--fresh") == sorted({*everything, "sweep_0/run_99.csv"} - {"sweep_0/run_0.csv"})
    assert rows(tmp_path / "out.parquet") == again
    assert len(newly_read("--num-classes", "10")) == 9
    assert len(newly_read("--num-classes", "10", "--fast")) == 9
    assert newly_read("--num-classes", "10", "--fast") == []
    assert len(newly_read("--num-classes", "10")) == 9
    monkeypatch.setattr(scanning, "judge_of", scanning.judge_of)
    monkeypatch.setattr("curveclinic.__version__", "99")
    assert len(newly_read("--num-classes", "10")) == 9
    assert newly_read("--num-classes", "10") == []


def test_neither_a_slash_nor_an_archive_that_is_away_for_once_costs_the_rows(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    write_archive(tmp_path / "logs", 3)
    assert scan("logs", "-o", "out.csv") == 0
    before, written = stored(tmp_path / "out.csv"), (tmp_path / "out.csv").read_bytes()
    assert scan("logs/", "-o", "out.csv") == 0
    assert stored(tmp_path / "out.csv") == before
    (tmp_path / "logs").rename("mounted")
    (tmp_path / "logs").mkdir()
    for _ in range(2):
        assert scan("logs", "-o", "out.csv") == 2
        assert stored(tmp_path / "out.csv") == before
    assert "logs: no run found" in capsys.readouterr().err
    assert (tmp_path / "out.csv").read_bytes() == written
    (tmp_path / "logs").rmdir()
    (tmp_path / "mounted").rename("logs")
    assert scan("logs/", "-o", "out.csv") == 0
    assert stored(tmp_path / "out.csv") == before
    (tmp_path / "empty").mkdir()
    assert scan("logs", "empty/", "-o", "out.csv") == 2
    assert "empty/: no run found" in capsys.readouterr().err


def test_a_log_written_just_now_is_looked_at_but_not_read_again(tmp_path, monkeypatch):
    import time

    monkeypatch.chdir(tmp_path)
    write_log(tmp_path / "logs" / "a.csv", 1, changed=time.time() + 100)  # and stays just written
    assert scan("logs", "-o", "out.csv") == 0
    before = stored(tmp_path / "out.csv")
    assert scan("logs", "-o", "out.csv") == 0
    assert stored(tmp_path / "out.csv") == before
    write_log(tmp_path / "logs" / "a.csv", 4, changed=time.time() + 100)
    assert scan("logs", "-o", "out.csv") == 0
    assert stored(tmp_path / "out.csv") != before
