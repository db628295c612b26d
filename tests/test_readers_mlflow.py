import json
import os
import shutil
import sqlite3
import stat

import numpy as np
import pytest
from tracker_logs import FIXTURES, assert_holds, logged, same, unpacked

from curveclinic.errors import LogError
from curveclinic.readers import (
    ReadFailure,
    ReadOptions,
    find_sources,
    iterate_source,
    mlflow_db,
    read_file,
    read_runs,
    read_stdin,
)
from curveclinic.readers.mlflow_files import meta
from curveclinic.readers.source import Source

TREE = FIXTURES / "mlflow" / "mlruns"


@pytest.fixture
def database(tmp_path):
    return unpacked("mlflow_db", "mlflow.db", tmp_path)


def by_title(runs, place):
    return {run.run_id.partition("#")[2].split("/")[place]: run for run in runs}


def check(runs):
    """What both stores must give: five runs that are not deleted, all values as logged."""
    expected = logged("mlflow")
    assert sorted(runs) == ["blows_up", "falls", "model_metrics", "no_steps", "restarted"]
    for name in ("falls", "blows_up", "restarted"):
        assert_holds(runs[name], expected[name])
    assert same(runs["falls"].channels["lr"], expected["falls"]["lr"])
    assert same(runs["falls"].channels["val_metric"], expected["falls"]["val/accuracy"])
    assert runs["model_metrics"].channels["train_loss"].values[-1] == 0.25
    assert (
        "train_loss: resumed at step 30, the last value of a step is kept: 10 of 70 points are left out"
        in runs["restarted"].notes
    )
    blind = runs["no_steps"]
    assert blind.channels["train_loss"].steps.tolist() == list(range(1, 61))
    assert blind.channels["train_loss"].values.tolist() == [v for _, v in expected["no_steps"]["train/loss"]]
    assert blind.channels["val_loss"].steps.tolist() == list(range(5, 61, 5))
    assert blind.channels["val_loss"].values.tolist() == [v for _, v in expected["no_steps"]["val/loss"]]
    assert "val/loss: every point has the same step, so they are placed by time" in blind.notes


def test_file_store():
    runs = list(read_runs([TREE]))
    assert {run.format for run in runs} == {"mlflow"}
    check(by_title(runs, -1))


def test_database(database):
    runs = list(read_runs([database]))
    assert {run.format for run in runs} == {"mlflow_db"}
    check(by_title(runs, -2))
    assert all(len(run.run_id.rpartition("/")[2]) == 32 for run in runs)
    assert [r.run_id for r in read_file(database)] == [r.run_id for r in runs]


def test_experiment_and_run_name_are_in_the_id(database):
    assert {r.run_id.partition("#")[2].split("/")[0] for r in read_runs([TREE])} == {"sweep: lr", 'second "sweep": #2'}
    assert {r.run_id.split("#", 1)[1].split("/")[0] for r in read_runs([database])} == {
        "sweep: lr", 'second "sweep": #2'
    }  # fmt: skip


def test_a_deleted_run_is_passed_over_but_read_when_named():
    deleted = next(p for p in TREE.glob("*/*") if meta(p).get("run_name") == "deleted")
    (run,) = read_file(deleted)
    assert_holds(run, logged("mlflow")["falls"])
    assert "the run is deleted in MLflow" in run.notes


def test_artifacts_in_a_run_folder_are_no_runs_of_their_own(tmp_path):
    run = next(p for p in TREE.glob("*/*") if meta(p).get("run_name") == "falls")
    shutil.copytree(run, tmp_path / "logs" / "abc")
    (tmp_path / "logs" / "abc" / "artifacts").mkdir(exist_ok=True)
    (tmp_path / "logs" / "abc" / "artifacts" / "history.csv").write_text("epoch,loss\n0,2\n1,1\n")
    assert [r.run_id for r in read_runs([tmp_path / "logs"])] == ["abc#falls"]
    shutil.rmtree(tmp_path / "logs" / "abc" / "metrics")
    (tmp_path / "logs" / "abc" / "metrics").mkdir()
    assert [r.run_id for r in read_runs([tmp_path / "logs"])] == ["abc/artifacts/history.csv"]


def test_lines_without_steps_and_with_data_sets(tmp_path):
    (tmp_path / "metrics" / "val").mkdir(parents=True)
    (tmp_path / "meta.yaml").write_text("run_uuid: x\nrun_name: 'it''s'\n")
    (tmp_path / "metrics" / "loss").write_text("30 1.0\n10 3.0\n20 2.0\n")
    (tmp_path / "metrics" / "val" / "loss").write_text("20 5.0 3 data 0af\n30 NaN 7 data 0af\n")
    (run,) = read_file(tmp_path)
    assert run.run_id.endswith("#it's")
    assert run.channels["train_loss"].values.tolist() == [3, 2, 1]
    assert run.channels["val_loss"].steps.tolist() == [3, 7]
    assert np.isnan(run.channels["val_loss"].values[1])


def test_damaged_lines_are_left_out_and_said(tmp_path):
    run = next(p for p in TREE.glob("*/*") if meta(p).get("run_name") == "falls")
    shutil.copytree(run, tmp_path / "run")
    path = tmp_path / "run" / "metrics" / "train" / "loss"
    path.write_bytes(path.read_bytes() + b"17180\x00 x 60\n1718000")
    (found,) = read_file(tmp_path / "run")
    assert_holds(found, logged("mlflow")["falls"])
    note = "train/loss: the file is damaged; left out 2 lines that are cut short or no 'time value step'"
    assert note in found.notes


def test_a_deleted_run_is_found_where_its_folder_is_asked_for():
    deleted = next(p for p in TREE.glob("*/*") if meta(p).get("run_name") == "deleted")
    assert [(source.path, source.named) for source in find_sources(str(deleted))] == [(str(deleted), True)]
    assert (str(deleted), False) in [(source.path, source.named) for source in find_sources(str(TREE))]


def test_a_database_of_deleted_runs(database):
    connection = sqlite3.connect(database)
    connection.execute("UPDATE runs SET lifecycle_stage = 'deleted'")
    connection.commit()
    connection.close()
    with pytest.raises(LogError, match=r"mlflow.db: no run with curves that is not deleted"):
        read_file(database)
    assert [type(r) for r in read_runs([database.parent])] == [ReadFailure]  # no run in this folder


def test_a_name_is_no_damage(database):
    connection = sqlite3.connect(database)
    for table in ("metrics", "latest_metrics"):
        connection.execute(f"UPDATE OR IGNORE {table} SET key = 'damaged_acc'")
        connection.execute(f"DELETE FROM {table} WHERE key != 'damaged_acc'")
    connection.execute("UPDATE latest_metrics SET step = 0")
    connection.commit()
    connection.close()
    (nothing,) = read_runs([database.parent])
    assert nothing.empty
    with pytest.raises(LogError, match="found only metrics or rewards, 'damaged_acc'"):
        read_file(database)


def test_a_run_without_a_loss_is_one_failure_beside_good_ones(database):
    connection = sqlite3.connect(database)
    connection.execute(
        "UPDATE metrics SET key = 'acc' WHERE run_uuid IN (SELECT run_uuid FROM runs WHERE name='falls')"
    )
    connection.execute(
        "UPDATE latest_metrics SET key = 'acc' || key WHERE run_uuid IN (SELECT run_uuid FROM runs WHERE name='falls')"
    )
    connection.execute("DROP TABLE latest_metrics")
    connection.commit()
    connection.close()
    runs = list(read_runs([database]))
    (failure,) = (r for r in runs if isinstance(r, ReadFailure))
    assert failure.format == "mlflow_db"
    assert "falls" in failure.reason
    assert "no loss column; found only metrics or rewards, 'acc'" in failure.reason
    assert len(runs) == 5


def test_a_named_metric_is_found_whatever_it_is_called(database):
    connection = sqlite3.connect(database)
    for table in ("metrics", "latest_metrics"):
        connection.execute(f"UPDATE {table} SET key = 'wiggle' WHERE key = 'train/loss'")
    connection.commit()
    connection.close()
    runs = by_title(read_file(database, ReadOptions(train_loss="wig+le", val_loss="val/loss")), -2)
    assert_holds(runs["blows_up"], logged("mlflow")["blows_up"])


def test_times_in_nanoseconds_as_steps(database):
    connection = sqlite3.connect(database)
    for table in ("metrics", "latest_metrics"):
        connection.execute(f"UPDATE {table} SET step = 1718000000000000000 + 1000000 * step")
    connection.commit()
    connection.close()
    run = by_title(read_file(database), -2)["blows_up"]
    values = dict(logged("mlflow")["blows_up"]["train/loss"])
    assert run.channels["train_loss"].values[:50].tolist() == [values[k] for k in range(50)]
    assert run.channels["train_loss"].steps[10] == 1718000000010000000


def test_an_old_database_without_the_index(database):
    connection = sqlite3.connect(database)
    connection.executescript("DROP INDEX index_metrics_run_uuid; DROP INDEX index_metrics_run_uuid_key_step")
    connection.close()
    check(by_title(read_file(database), -2))


def renamed_index(database, definition):
    """Puts an index in place of those MLflow makes."""
    connection = sqlite3.connect(database)
    connection.executescript("DROP INDEX index_metrics_run_uuid; DROP INDEX index_metrics_run_uuid_key_step")
    connection.execute(definition)
    connection.close()


@pytest.mark.parametrize("name", ['a"b', '"', 'x" WHERE 0 --', "it's", "[x]", "été"])
def test_an_index_may_have_any_name(database, name):
    quoted = name.replace('"', '""')
    renamed_index(database, f'CREATE INDEX "{quoted}" ON metrics (run_uuid)')
    runs = read_file(database)
    assert not any("damaged" in note for run in runs for note in run.notes)
    check(by_title(runs, -2))


def test_an_index_of_some_rows_only_is_not_used(database):
    renamed_index(database, "CREATE INDEX some ON metrics (run_uuid) WHERE step > 5")
    check(by_title(read_file(database), -2))


def test_nothing_is_written_beside_a_database(database):
    for mode in ("DELETE", "WAL"):
        connection = sqlite3.connect(database)
        connection.execute(f"PRAGMA journal_mode = {mode}")
        connection.execute("UPDATE runs SET user_id = ?", (mode,))
        connection.commit()
        connection.close()
        before = database.read_bytes()
        os.chmod(database, stat.S_IREAD)
        os.chmod(database.parent, stat.S_IREAD | stat.S_IEXEC)
        try:
            check(by_title(read_file(database), -2))
        finally:
            os.chmod(database.parent, stat.S_IRWXU)
            os.chmod(database, stat.S_IRWXU)
        assert database.read_bytes() == before
        assert [p.name for p in database.parent.iterdir()] == ["mlflow.db"]


def test_a_live_write_ahead_log_is_read(database):
    connection = sqlite3.connect(database)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("UPDATE runs SET name = 'renamed' WHERE name = 'falls'")
    connection.commit()
    try:
        assert "renamed" in by_title(read_file(database), -2)
    finally:
        connection.close()


def test_through_a_pipe(database):
    runs = read_stdin(database.read_bytes())
    check(by_title(runs, -2))
    assert runs[0].run_id.startswith("-#")


def test_runs_come_one_by_one(database):
    runs = iterate_source(Source(str(database), "db"))
    first = next(runs)
    assert len(first.channels["train_loss"]) == 60
    runs.close()


def test_a_torn_database_gives_what_is_whole(database):
    """Cut anywhere: the rows before the damage, a note, or an error; never other values than those logged."""
    data = database.read_bytes()
    expected = logged("mlflow")
    n_noted = 0
    for share in (0.02, 0.3, 0.5, 0.8, 0.97):
        database.write_bytes(data[: int(len(data) * share)])
        for run in read_runs([database]):
            if isinstance(run, ReadFailure):
                n_noted += "damaged" in run.reason
                continue
            name = run.run_id.split("/")[-2]
            known = {json.dumps(v) for _, v in expected.get(name, expected["falls"])["train/loss"]} | {"0.25"}
            assert {json.dumps(v) for v in run.channels["train_loss"].values.tolist()} <= known
    assert n_noted >= 4


def test_lost_points_are_known_by_the_table_of_latest_values(database):
    connection = sqlite3.connect(database)
    mine = "run_uuid IN (SELECT run_uuid FROM runs WHERE name = ?)"
    connection.execute(f"DELETE FROM metrics WHERE step > 50 AND {mine}", ("blows_up",))
    connection.execute(f"DELETE FROM metrics WHERE {mine}", ("falls",))
    connection.execute(f"DELETE FROM metrics WHERE {mine}", ("restarted",))
    connection.execute(f"DELETE FROM latest_metrics WHERE {mine}", ("restarted",))
    connection.commit()
    connection.close()
    found = list(read_runs([database]))
    runs = by_title([r for r in found if not isinstance(r, ReadFailure)], -2)
    assert "the database is damaged; points of 'train/loss', 'val/loss' are lost" in runs["blows_up"].notes
    (failure,) = (r for r in found if isinstance(r, ReadFailure))
    assert "/falls/" in failure.reason
    assert "the database is damaged" in failure.reason
    assert sorted(runs) == ["blows_up", "model_metrics", "no_steps"]  # a run that logged nothing is no failure


def test_other_databases(tmp_path):
    path = tmp_path / "logs" / "app.db"
    path.parent.mkdir()
    connection = sqlite3.connect(path)
    connection.executescript("CREATE TABLE users (id, name); CREATE VIEW metrics AS SELECT * FROM users")
    connection.close()
    reason = r"app.db: a SQLite database with tables 'users'; expected one of mlflow_db, trackio"
    with pytest.raises(LogError, match=reason):
        read_file(path)
    (tmp_path / "logs" / "run.csv").write_text("epoch,loss\n0,2\n1,1\n")
    assert [r.run_id for r in read_runs([path.parent])] == ["run.csv"]


def test_a_cut_last_line_of_a_metric_is_left_out(tmp_path):
    source = next(p for p in TREE.glob("*/*") if meta(p).get("run_name") == "falls")
    shutil.copytree(source, tmp_path / "run")
    path = tmp_path / "run" / "metrics" / "val" / "loss"
    path.write_bytes(path.read_bytes()[:-2])  # the last step lacks a digit
    steps = [step for step, _ in logged("mlflow")["falls"]["val/loss"]]
    (run,) = read_file(tmp_path / "run")
    assert "val/loss: the file is damaged; left out 1 line that is cut short or no 'time value step'" in run.notes
    assert run.channels["val_loss"].steps.tolist() == steps[:-1]


def test_a_view_in_place_of_experiments_is_not_run(database):
    connection = sqlite3.connect(database)
    connection.executescript(
        "DROP TABLE experiments; CREATE VIEW experiments AS WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL "
        "SELECT x + 1 FROM c) SELECT x AS experiment_id, 'e' AS name, 'active' AS lifecycle_stage FROM c"
    )
    connection.close()
    with pytest.raises(LogError, match="a SQLite database with tables"):
        read_file(database)


@pytest.mark.parametrize("all_wanted", [False, True])
def test_many_metrics_are_looked_up_in_a_table(database, monkeypatch, all_wanted):
    options = ReadOptions(train_loss=".") if all_wanted else ReadOptions()
    expected = read_file(database, options)
    monkeypatch.setattr(mlflow_db, "_MANY_KEYS", 0)
    found = read_file(database, options)
    assert [r.run_id for r in found] == [r.run_id for r in expected]
    for mine, other in zip(found, expected, strict=True):
        assert mine.notes == other.notes
        assert mine.channels.keys() == other.channels.keys()
        for name, series in mine.channels.items():
            assert np.array_equal(series.steps, other.channels[name].steps)
            assert np.array_equal(series.values, other.channels[name].values, equal_nan=True)


def test_an_emptied_metric_is_damage(tmp_path):
    source = next(p for p in TREE.glob("*/*") if meta(p).get("run_name") == "falls")
    shutil.copytree(source, tmp_path / "run")
    (tmp_path / "run" / "metrics" / "train" / "loss").write_bytes(b"")
    (run,) = read_file(tmp_path / "run")
    assert any(note.startswith("train/loss: the file is damaged; left out 1 line") for note in run.notes)
