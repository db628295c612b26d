import json
import shutil
import sqlite3
from contextlib import closing

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tracker_logs import FIXTURES, assert_holds, logged, same, unpacked

from curveclinic.errors import LogError
from curveclinic.readers import ReadFailure, columnar, read_file, read_runs, read_stdin
from curveclinic.readers.source import HEAD_BYTES
from curveclinic.readers.timed import Timed, on_steps


def name_of(run):
    return run.run_id.rpartition("/")[2].rpartition("#")[2]


def test_trackio(tmp_path):
    runs = read_file(unpacked("trackio", "fixture.db", tmp_path))
    expected = logged("trackio")
    assert [r.run_id for r in runs] == ["fixture.db#falls", "fixture.db#blows_up", "fixture.db#restarted"]
    for run in runs:
        assert run.format == "trackio"
        assert_holds(run, expected[name_of(run)])
    assert same(runs[0].channels["lr"], expected["falls"]["lr"])
    assert np.isneginf(runs[1].channels["train_loss"].values).sum() == 1


def test_trackio_rows_that_are_no_json_are_left_out_and_said(tmp_path):
    path = unpacked("trackio", "fixture.db", tmp_path)
    connection = sqlite3.connect(path)
    connection.execute("UPDATE metrics SET metrics = '{\"train/loss' WHERE id = 60")
    connection.execute("UPDATE metrics SET run_name = 'same'")
    connection.commit()
    connection.close()
    first, second, _ = read_file(path)
    points = [p for p in logged("trackio")["falls"]["train/loss"] if p[0] != 59]
    assert same(first.channels["train_loss"], points)
    assert "the database is damaged; left out 1 row without JSON" in first.notes
    assert first.run_id.startswith("fixture.db#same/")
    assert first.run_id != second.run_id


def test_dvclive():
    runs = {r.run_id: r for r in read_runs([FIXTURES / "dvclive"]) if r.format == "dvclive"}
    expected = logged("dvclive")
    assert sorted(runs) == sorted(expected)
    for name, run in runs.items():
        assert_holds(run, expected[name])
    assert same(runs["falls"].channels["lr"], expected["falls"]["lr"])
    assert (
        "train_loss: resumed at step 30, the last value of a step is kept: 10 of 70 points are left out"
        in runs["restarted"].notes
    )


def test_dvclive_damaged_lines_and_other_files_beside(tmp_path):
    shutil.copytree(FIXTURES / "dvclive" / "falls", tmp_path / "logs" / "dvclive")
    path = tmp_path / "logs" / "dvclive" / "plots" / "metrics" / "train" / "loss.tsv"
    path.write_bytes(path.read_bytes() + b"60\t1.2.3\n61")
    (tmp_path / "logs" / "dvclive" / "other.csv").write_text("epoch,loss\n0,2\n1,1\n")
    live, other = read_runs([tmp_path / "logs"])
    assert (live.run_id, other.run_id) == ("dvclive", "dvclive/other.csv")
    assert_holds(live, logged("dvclive")["falls"])
    assert "train/loss: the file is damaged; left out 2 lines that are cut short or no numbers" in live.notes


def test_timm_and_fastai():
    for tool, val in (("timm", "eval_loss"), ("fastai", "valid_loss")):
        for name, metrics in logged(tool).items():
            runs = list(read_runs([FIXTURES / tool / name]))
            if name == "appended":  # two fits in one file, each a run with epochs from 0
                first, second = runs
                assert_holds(first, {k: v[:12] for k, v in metrics.items()}, "train_loss", val)
                assert_holds(second, {k: v[12:] for k, v in metrics.items()}, "train_loss", val)
            else:
                (run,) = runs
                assert_holds(run, metrics, "train_loss", val)


def test_ludwig():
    (run,) = read_file(FIXTURES / "ludwig" / "training_statistics.json")
    assert (run.format, run.run_id) == ("ludwig", "training_statistics.json")
    assert_holds(run, logged("ludwig")["run"], "training_loss", "validation_loss")


def test_ludwig_of_old_triples(tmp_path):
    path = tmp_path / "training_statistics.json"
    parts = {s: {"combined": {"loss": [[0, 10, 3.0], [1, 20, 2.0]]}} for s in ("training", "validation")}
    path.write_text(json.dumps({**parts, "test": {}}))
    (run,) = read_file(path)
    assert (run.channels["val_loss"].steps.tolist(), run.channels["val_loss"].values.tolist()) == ([10, 20], [3, 2])


def test_neptune_parts_by_layout_only():
    (run,) = read_runs([FIXTURES / "layout_only" / "neptune"])
    assert (run.format, run.run_id) == ("neptune", "RUN-1_part_0.parquet#RUN-1")
    assert_holds(run, logged("layout_only")["blows_up"])
    (part,) = read_file(FIXTURES / "layout_only" / "neptune" / "RUN-1_part_0.parquet")
    assert len(part.channels["train_loss"]) == 49


def test_neptune_with_a_torn_part(tmp_path):
    shutil.copytree(FIXTURES / "layout_only" / "neptune", tmp_path / "n")
    path = tmp_path / "n" / "RUN-1_part_1.parquet"
    path.write_bytes(path.read_bytes()[:-100])
    (run,) = read_runs([tmp_path / "n"])
    assert len(run.channels["train_loss"]) == 49
    assert run.notes[0].startswith("RUN-1_part_1.parquet is damaged (")


def test_wandb_chart_by_layout_only():
    falls, blows_up = read_file(FIXTURES / "layout_only" / "wandb_chart.csv")
    expected = logged("layout_only")
    assert (falls.format, falls.run_id) == ("wandb_export", "wandb_chart.csv#falls")
    assert_holds(falls, expected["falls"])
    assert blows_up.run_id == "wandb_chart.csv#blows_up"
    assert_holds(blows_up, expected["blows_up"])


def test_wandb_chart_of_a_metric_without_loss():
    with pytest.raises(LogError, match=r"no loss column; found only metrics or rewards, 'acc'"):
        read_stdin(b'"Step","run a - acc","run a - acc__MIN"\n0,1,1\n1,2,2\n')
    good, bad = read_stdin(b'"epoch","a - loss","b - x - lr"\n0,3,1\n\xff,4\n1,2,2\n')
    assert "left out 1 line that does not fit the header" in good.notes
    assert (good.run_id, good.channels["train_loss"].values.tolist()) == ("-#a", [3, 2])
    assert (bad.run_id, dict(bad.channels)) == ("-#b - x", {})


def test_runs_of_one_name_in_a_wandb_chart():
    first, second = read_stdin(b'"","a - loss","a - loss"\n0,3,5\n1,2,\n2,1,4\n')
    assert (first.run_id, second.run_id) == ("-#run 1 - a", "-#run 2 - a")
    assert second.channels["train_loss"].steps.tolist() == [0, 2]
    assert second.channels["train_loss"].values.tolist() == [5, 4]


def test_a_name_is_no_damage(tmp_path):
    with closing(sqlite3.connect(tmp_path / "project.db")) as connection, connection:
        connection.execute("CREATE TABLE metrics (run_name TEXT, step INTEGER, metrics TEXT)")
        rows = [("a", step, json.dumps({"damaged_pixels": step})) for step in range(9)]
        connection.executemany("INSERT INTO metrics VALUES (?, ?, ?)", rows)
    (nothing,) = read_runs([tmp_path])
    assert nothing.empty
    with closing(sqlite3.connect(tmp_path / "project.db")) as connection, connection:
        connection.execute("INSERT INTO metrics VALUES ('a', 9, '{')")
    (failure,) = read_runs([tmp_path])
    assert "the database is damaged; left out 1 row without JSON; no loss column" in failure.reason
    assert (failure.format, failure.empty) == ("trackio", False)


def test_steps_told_by_time():
    ones = np.ones(4)
    series = {
        "loss": Timed(0 * ones, np.array([4.0, 3, 2, 1]), np.array([10.0, 20, 30, 40])),
        "val_loss": Timed(np.zeros(2), np.array([8.0, 9]), np.array([41.0, 25])),
        "test_loss": Timed(np.zeros(1), np.array([5.0]), np.array([50.0])),
    }
    table, notes = on_steps(series)
    assert table["loss"][0].tolist() == [1, 2, 3, 4]
    assert (table["val_loss"][0].tolist(), table["val_loss"][1].tolist()) == ([2, 4], [9, 8])
    assert table["test_loss"][0].tolist() == [0]
    assert len(notes) == 2
    stepped = {**series, "loss": Timed(np.array([5.0, 10, 15, 20]), ones, series["loss"].times)}
    assert on_steps(stepped)[0]["val_loss"][0].tolist() == [10, 20]


def test_points_logged_within_one_tick_of_the_clock_are_all_kept():
    times = np.array([1.0, 1, 2, 3, 3, 3])
    series = {"loss": Timed(np.zeros(6), np.arange(6.0), times), "val_loss": Timed(np.zeros(6), np.arange(6.0), times)}
    assert on_steps(series)[0]["val_loss"][0].tolist() == [1, 2, 3, 4, 5, 6]
    often = {**series, "val_loss": Timed(np.zeros(5), np.arange(5.0), np.array([0.0, 1, 1, 1, 3]))}
    assert on_steps(often)[0]["val_loss"][0].tolist() == pytest.approx([1, 4 / 3, 5 / 3, 2, 6])


def _originals(folder):
    """One file of every tracker."""
    return [
        unpacked("trackio", "fixture.db", folder).read_bytes(),
        unpacked("mlflow_db", "mlflow.db", folder).read_bytes(),
        next((FIXTURES / "wandb").rglob("*.wandb")).read_bytes(),
        (FIXTURES / "ludwig" / "training_statistics.json").read_bytes(),
        (FIXTURES / "layout_only" / "wandb_chart.csv").read_bytes(),
        (FIXTURES / "layout_only" / "neptune" / "RUN-1_part_1.parquet").read_bytes(),
    ]


@pytest.mark.parametrize("n_cases", [3, pytest.param(300, marks=pytest.mark.slow)])
def test_damage_never_breaks_a_reader(tmp_path, n_cases):
    """Torn, bit-flipped and doubled files of every tracker are runs with sound axes, or failures with a reason."""
    rng = np.random.default_rng(n_cases)
    path = tmp_path / "log"
    for data in _originals(tmp_path):
        for case in range(n_cases):
            flipped = bytearray(data)
            for at in rng.integers(0, len(data), 1 + case % 20):
                flipped[at] ^= 1 << int(rng.integers(8))
            torn = data[: int(rng.integers(len(data)))]
            for damaged in (bytes(flipped), torn, torn + data, data + data):
                path.write_bytes(damaged)
                for run in read_runs([path]):
                    if isinstance(run, ReadFailure):
                        assert run.path == str(path)
                        assert run.reason
                    else:
                        assert all(np.all(np.diff(s.steps) > 0) for s in run.channels.values())


def test_a_cut_last_line_of_dvclive_is_no_number(tmp_path):
    """`0.5` may be the start of `0.5e-3`."""
    shutil.copytree(FIXTURES / "dvclive" / "falls", tmp_path / "falls")
    path = tmp_path / "falls" / "plots" / "metrics" / "val" / "loss.tsv"
    data = path.read_bytes()
    n_lines = data.count(b"\n")
    path.write_bytes(data[:-4])
    (run,) = read_runs([tmp_path / "falls"])
    assert "val/loss: the file is damaged; left out 1 line that is cut short or no numbers" in run.notes
    assert len(run.channels["val_loss"]) == n_lines - 2


def test_a_neptune_part_whose_text_is_broken_is_damaged(tmp_path):
    shutil.copytree(FIXTURES / "layout_only" / "neptune", tmp_path / "n")
    path = tmp_path / "n" / "RUN-1_part_1.parquet"
    broken = pa.Array.from_buffers(
        pa.string(), 2, [None, pa.py_buffer(np.array([0, 4, 8], np.int32)), pa.py_buffer(b"loss\xffoss")]
    )
    numbers = {"step": pa.array([1, 2]), "float_value": pa.array([1.0, 0.5])}
    pq.write_table(pa.table({"run_id": ["RUN-1"] * 2, "attribute_path": broken, **numbers}), path)
    (run,) = read_runs([tmp_path / "n"])
    assert len(run.channels["train_loss"]) == 49
    assert run.notes[0].startswith("RUN-1_part_1.parquet is damaged (")


def test_a_quotation_mark_that_is_not_closed_in_a_chart(tmp_path):
    path = tmp_path / "chart.csv"
    path.write_text('"Step","a - loss"\n0,2.0\n1,1.5\n2,"1.2\n3,1.1\n4,1.0\n')
    (run,) = read_file(path)
    assert run.channels["train_loss"].values.tolist() == [2.0, 1.5]
    assert "left out 2 lines within quotation marks; is a mark damaged or not closed?" in run.notes


def test_a_chart_whose_header_is_longer_than_the_head(tmp_path):
    path = tmp_path / "chart.csv"
    names = [f'"run number {k} - train/loss"' for k in range(3000)]
    rows = [",".join(map(str, [step, *(k + 1 / (step + 1) for k in range(3000))])) for step in range(3)]
    path.write_text("\n".join([",".join(['"Step"', *names]), *rows]) + "\n")
    assert len(",".join(names)) > HEAD_BYTES
    runs = read_file(path)
    assert [r.run_id for r in runs] == [f"chart.csv#run number {k}" for k in range(3000)]
    assert runs[2].channels["train_loss"].values.tolist() == [3.0, 2.5, 2 + 1 / 3]


def test_neptune_rows_without_a_run_or_a_name_are_passed_over(tmp_path):
    path = tmp_path / "run_part_0.parquet"
    columns = {"run_id": ["R", None, "R", "R"], "attribute_path": ["train/loss", "train/loss", None, "train/loss"]}
    pq.write_table(pa.table({**columns, "step": [0, 1, 2, 3], "float_value": [2.0, 9.0, 9.0, 1.0]}), path)
    (run,) = read_file(path)
    assert run.channels["train_loss"].steps.tolist() == [0, 3]
    assert run.channels["train_loss"].values.tolist() == [2.0, 1.0]


def _export(path, n_rows, name):
    """An export of equal rows, a few kilobytes."""
    same = np.zeros(n_rows, dtype=np.int32)
    texts = {"run_id": "R", "attribute_path": name, "attribute_type": "float_series"}
    columns = {key: pa.DictionaryArray.from_arrays(same, [text]) for key, text in texts.items()}
    numbers = {"step": same.astype(np.float64), "float_value": np.ones(n_rows)}
    pq.write_table(pa.table({**columns, **numbers}), path)
    assert path.stat().st_size < 20_000


def test_an_export_that_unpacks_to_more_than_memory_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "run_part_0.parquet"
    _export(path, 200_000, "train/loss")
    monkeypatch.setattr(columnar, "MAX_TABLE_BYTES", 1 << 20)
    with pytest.raises(LogError, match=r"run_part_0\.parquet: a table of 2 MB, expected at most 1 MB; export fewer"):
        read_file(path)


def test_the_long_name_of_an_attribute_is_held_once(tmp_path, arrow_peak):
    path = tmp_path / "run_part_0.parquet"
    _export(path, 60_000, "x" * 2_000 + "/train/loss")
    (run,) = read_file(path)
    assert len(run.channels["train_loss"]) == 60_000
    assert arrow_peak() < 20_000_000  # 120 MB if it stood in every row
