import json
import os

import numpy as np
import pyarrow.parquet as pq
import pytest
from archive_cases import rows, scan, stored, write_archive, write_log

from curveclinic.archive.tables import curves_table
from curveclinic.cli import main
from curveclinic.intake.arrow_series import is_index
from curveclinic.readers import ReadFailure, read_file
from curveclinic.readers.curve_table import layers_of, runs_from_table, schema, table_from_runs
from curveclinic.run import Run

pytestmark = pytest.mark.usefixtures("own_folder")


def index(*arguments):
    return main(["index", *map(str, arguments)])


def same(one, other):
    """Whether two runs are equal in everything, the order of their channels included."""
    assert list(one.channels) == list(other.channels)
    for name, series in one.channels.items():
        np.testing.assert_array_equal(series.steps, other.channels[name].steps)
        np.testing.assert_array_equal(series.values, other.channels[name].values)
    for name in ("run_id", "num_classes", "metric_goal", "path", "format", "notes", "kind"):
        assert getattr(one, name) == getattr(other, name)
    return True


RUNS = [
    Run.from_arrays(
        {"val_loss": ([10, 30], [2.0, float("nan")]), "train_loss": [3.0, float("inf"), 1.0]},
        run_id="a", num_classes=10, metric_goal="max", path="a.csv", format="csv", notes=["one", "two"],
        kind="opponents",
    ),
    Run.from_arrays(
        {"train_loss": [1.0], "grad_norm/out": [5.0, 4.0], "grad_norm": [1.0], "grad_norm/in_steps": [3.0]}, run_id="b"
    ),
    Run.from_arrays({"grad_norm/in_steps": [1.0], "train_loss": [0.5, 0.25], "grad_norm/out": [2.0]}),
]  # fmt: skip


def test_runs_come_back_as_they_were():
    table = table_from_runs(RUNS)
    assert layers_of(table) == ["grad_norm/out", "grad_norm/in_steps"]
    assert table.schema == schema(layers_of(table))
    assert is_index(table.schema)
    assert not is_index(schema().remove_metadata())
    assert all(map(same, runs_from_table(table), RUNS))
    assert all(map(same, runs_from_table(table.slice(1)), RUNS[1:]))
    assert runs_from_table(table.slice(3)) == []


def test_failures_come_back_as_they_were():
    (run,) = runs_from_table(curves_table([ReadFailure("a.csv", "csv", "a.csv: broken")]))
    assert (dict(run.channels), run.run_id, run.path, run.format, run.notes) == (
        {}, "", "a.csv", "csv", ("a.csv: broken",),
    )  # fmt: skip


@pytest.fixture
def archive(tmp_path):
    """Logs of several formats, with damage, layers, a metric and runs that are not fit to be judged."""
    write_archive(tmp_path / "logs", 12)
    keras = {"loss": [2.0, 1.0, 0.5, 0.4], "val_loss": [2.1, 1.2, 0.9, 1.4], "val_accuracy": [0.1, 0.5, 0.6, 0.6]}
    (tmp_path / "logs" / "history.json").write_text(json.dumps(keras))
    norms = {"train_loss": [3, 2, 1], "grad_norm/in": [1.0, 0.1, 1e-9], "grad_norm/out": [1, 2, 3]}
    lines = [{"id": "a", **norms}, {"id": "b", "acc": [1, 2]}, {"id": "c", "train_loss": [1, "nan", 2]}]
    (tmp_path / "logs" / "runs.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (tmp_path / "logs" / "other.jsonl").write_text('{"train_loss": [9, 8, 7], "grad_norm/top": [1, 2, 3]}\n')
    (tmp_path / "logs" / "no_loss.csv").write_text("step,acc\n1,2\n2,3\n")
    (tmp_path / "logs" / "gan.csv").write_text("step,loss_G,loss_D\n" + "".join(f"{i},{i},{9 - i}\n" for i in range(9)))
    (tmp_path / "logs" / os.fsdecode(b"odd\xff.csv")).write_text("epoch,loss\n1,2\n2,1\n")
    return tmp_path / "logs"


@pytest.mark.parametrize("options", [[], ["--num-classes", "10", "--metric-goal", "min"]])
def test_a_scan_of_the_index_gives_the_rows_of_the_archive(tmp_path, archive, capsys, options):
    assert scan("logs", "-o", "logs.parquet", *options) == 3
    told = capsys.readouterr()
    assert index("logs", "-o", "curves.parquet", *options) == 3
    assert capsys.readouterr().err == told.err
    assert scan("curves.parquet", "-o", "curves.out.parquet") == 3
    again = capsys.readouterr()
    assert again.err == told.err
    assert again.out.splitlines()[:-1] == told.out.splitlines()[:-1]
    assert rows(tmp_path / "curves.out.parquet") == rows(tmp_path / "logs.parquet")
    assert len(rows(tmp_path / "logs.parquet")) == 20


def test_options_given_to_the_scan_of_an_index_hold(tmp_path, archive):
    assert scan("logs", "-o", "logs.parquet", "--metric-goal", "min", "--num-classes", "7") == 3
    assert index("logs", "-o", "curves.parquet") == 3
    assert scan("curves.parquet", "-o", "out.parquet", "--metric-goal", "min", "--num-classes", "7") == 3
    assert rows(tmp_path / "out.parquet") == rows(tmp_path / "logs.parquet")


def test_the_losses_of_an_index_are_chosen_already(archive, capsys):
    assert index("logs/sweep_0", "-o", "curves.parquet") == 0
    assert scan("curves.parquet", "-o", "out.csv", "--train-loss", "loss") == 3
    assert capsys.readouterr().err == (
        "curveclinic: curves.parquet: the columns of an index are chosen already; name them to curveclinic index\n"
    )


def test_an_index_is_read_in_pieces(tmp_path, archive, monkeypatch):
    from curveclinic.readers import list_columns

    assert scan("logs", "-o", "logs.parquet") == 3
    monkeypatch.setattr("curveclinic.archive.state.CHUNK_ROWS", 5)
    monkeypatch.setattr("curveclinic.archive.units.UNIT_SOURCES", 2)
    assert index("logs", "-o", "curves.parquet", "--workers", 1) == 3
    assert pq.ParquetFile("curves.parquet").num_row_groups >= 4
    monkeypatch.setattr(list_columns, "SLICE_ROWS", 5)
    monkeypatch.setattr(list_columns, "BATCH_ROWS", 2)
    assert scan("curves.parquet", "-o", "out.parquet") == 3
    assert rows(tmp_path / "out.parquet") == rows(tmp_path / "logs.parquet")


def test_an_index_is_a_table_of_curves_for_everybody(archive):
    """Columns by name, one run a row; the other commands read it too."""
    assert index("logs", "-o", "curves.parquet") == 3
    table = pq.read_table("curves.parquet").to_pylist()
    row = next(r for r in table if r["run_id"] == "runs.jsonl#a")
    assert (row["train_loss"], row["train_loss_steps"]) == ([3, 2, 1], [1, 2, 3])
    assert (row["grad_norm/out"], row["grad_norm/top"], row["channels"][0]) == ([1, 2, 3], None, "train_loss")
    errors = [r["error"] for r in table if r["error"]]
    assert "runs.jsonl#b: no loss column; found only metrics or rewards, 'acc'; log a loss, too" in errors
    runs = {run.run_id: run for run in read_file("curves.parquet")}
    assert same(runs["history.json"], read_run("logs/history.json", "history.json"))


def read_run(path, run_id):
    from dataclasses import replace

    (run,) = read_file(path)
    return replace(run, run_id=run_id)


def test_an_index_reads_only_what_is_new(tmp_path, capsys):
    write_archive(tmp_path / "logs", 4)
    assert index("logs", "-o", "curves.parquet") == 0
    assert capsys.readouterr().out == "4 runs written to curves.parquet; 0 unreadable\n"
    before = stored(tmp_path / "curves.parquet")
    write_log(tmp_path / "logs" / "new.csv", 5)
    assert index("logs", "-o", "curves.parquet") == 0
    after = stored(tmp_path / "curves.parquet")
    assert before.items() <= after.items()
    assert next(run.run_id for run in read_file("curves.parquet")) == "new.csv"
    assert len(after) == 5


def test_an_index_is_parquet(archive, capsys):
    assert index("logs", "-o", "curves.csv") == 2
    assert capsys.readouterr().err == "curveclinic: curves.csv: unknown suffix '.csv'; expected .parquet\n"
