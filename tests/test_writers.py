import csv
import json
import os

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from output_cases import diagnosis, finding, overfit_run, undetermined
from reference_rows import row, write_rows

from curveclinic.errors import InputError
from curveclinic.labels import LABELS
from curveclinic.phrases import printable
from curveclinic.run import Run
from curveclinic.writers import ROW, WRITERS, check_target, error_row, remove_leftovers

NAMES = [name for name, _ in ROW]


def found_row(**kwargs):
    return row(diagnosis(overfit_run(**kwargs), finding(), finding("undertrained", severity="mild", onset=None)))


def read_csv(path):
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def test_columns_are_those_of_the_agreement():
    expected = [
        "run_id", "path", "format", "status", "verdict", "labels", "primary", "severity", "onset", "end",
        *(f"probability_{label}" for label in LABELS),
        "unchecked", "n_points", "steps_min", "steps_max", "message",
    ]  # fmt: skip
    assert expected == NAMES


def test_row_of_a_finding():
    r = found_row()
    assert list(r) == NAMES
    assert {name: value for name, value in r.items() if value is not None} == {
        "run_id": "exp7",
        "path": "runs/log.csv",
        "format": "csv",
        "status": "ok",
        "verdict": "findings",
        "labels": ["overfitting", "undertrained"],
        "primary": "overfitting",
        "severity": "severe",
        "onset": 30.0,
        "probability_overfitting": 0.97,
        "probability_undertrained": 0.97,
        "probability_divergence": 0.01,
        "unchecked": ["metric_mismatch", "exploding_gradients"],
        "n_points": 60,
        "steps_min": 1.0,
        "steps_max": 60.0,
        "message": "",
    }


def test_row_of_a_healthy_and_of_an_undetermined_run():
    healthy = row(diagnosis(overfit_run()))
    assert (healthy["verdict"], healthy["labels"], healthy["primary"]) == ("healthy", ["healthy"], "healthy")
    unknown = row(undetermined(Run({}), "no loss"))
    assert (unknown["verdict"], unknown["labels"], unknown["primary"]) == ("undetermined", [], None)
    assert (unknown["n_points"], unknown["steps_min"], unknown["message"]) == (0, None, "no loss")


def test_row_of_an_unreadable_input():
    r = error_row("a.csv", "csv", "found no header")
    assert list(r) == NAMES
    assert {k: v for k, v in r.items() if v is not None} == {
        "run_id": "", "path": "a.csv", "format": "csv", "status": "error", "labels": [], "unchecked": [],
        "message": "found no header",
    }  # fmt: skip


def test_infinite_onset_is_null():
    assert row(diagnosis(overfit_run(), finding(onset=float("nan"), end=float("inf"))))["onset"] is None


def test_parquet(tmp_path):
    out = tmp_path / "out.parquet"
    assert write_rows([found_row(), error_row("b", "", "broken")], out) == 2
    table = pq.read_table(out)
    assert table.column_names == NAMES
    assert table.to_pylist() == [found_row(), error_row("b", "", "broken")]
    assert table.schema.field("labels").type == pa.list_(pa.string())
    assert table.schema.field("n_points").type == pa.int64()


def test_jsonl(tmp_path):
    out = tmp_path / "out.jsonl"
    write_rows([found_row(run_id="été")], out)
    assert [json.loads(line) for line in out.read_text("utf-8").splitlines()] == [found_row(run_id="été")]


def test_csv(tmp_path):
    out = tmp_path / "out.CSV"
    write_rows([found_row(run_id='a,"b"\nc')], out)
    (r,) = read_csv(out)
    assert list(r) == NAMES
    assert r["run_id"] == 'a,"b" c'  # one run, one line
    assert r["labels"] == "overfitting;undertrained"
    assert r["unchecked"] == "metric_mismatch;exploding_gradients"
    assert (r["onset"], r["end"], r["probability_non_finite"]) == ("30.0", "", "")


@pytest.mark.parametrize("name", ["=cmd()", "+1+1", "-2", "@SUM(A1)", "\t=1", "\r=1", "\n =1", "＝1"])  # noqa: RUF001
def test_csv_cell_is_no_formula(tmp_path, name):
    out = tmp_path / "out.csv"
    write_rows([found_row(run_id=name, path=name), error_row(name, "csv", name)], out)
    first, second = read_csv(out)
    assert [first["run_id"], first["path"], second["message"]] == [f"'{printable(name)}"] * 3


def test_negative_numbers_stay_numbers_in_csv(tmp_path):
    out = tmp_path / "out.csv"
    write_rows([row(diagnosis(Run.from_arrays({"train_loss": ([-5, 1], [1.0, 2.0])}), finding(onset=-5.0)))], out)
    (r,) = read_csv(out)
    assert (r["onset"], r["steps_min"]) == ("-5.0", "-5.0")


@pytest.mark.parametrize("suffix", WRITERS)
def test_name_that_is_not_utf_8(tmp_path, suffix):
    out = tmp_path / f"out{suffix}"
    assert write_rows([found_row(run_id="odd\udcff\x00name")], out) == 1
    assert b"odd\\udcff" in out.read_bytes() or suffix == ".jsonl"
    assert "udcff" in out.read_bytes().decode("utf-8", "replace")


def test_zero_rows_keep_columns_and_types(tmp_path):
    for suffix in WRITERS:
        assert write_rows([], tmp_path / f"out{suffix}") == 0
    full = tmp_path / "full.parquet"
    write_rows([found_row()], full)
    assert pq.read_schema(tmp_path / "out.parquet").equals(pq.read_schema(full))
    assert (tmp_path / "out.csv").read_text() == ",".join(NAMES) + "\n"
    assert (tmp_path / "out.jsonl").read_text() == ""


@pytest.mark.parametrize("suffix", WRITERS)
def test_many_rows_are_taken_in_chunks(tmp_path, suffix):
    taken = []

    def rows():
        for i in range(11):
            taken.append(i)
            yield error_row(str(i), "", "x")

    assert write_rows(rows(), tmp_path / f"out{suffix}", at_once=4) == 11
    assert taken == list(range(11))
    if suffix == ".parquet":
        assert pq.ParquetFile(tmp_path / "out.parquet").num_row_groups == 3


@pytest.mark.parametrize("suffix", WRITERS)
@pytest.mark.parametrize("fault", [RuntimeError, KeyboardInterrupt])
def test_a_fault_leaves_the_old_file_and_nothing_else(tmp_path, suffix, fault):
    out = tmp_path / f"out{suffix}"
    out.write_text("old")

    def rows():
        yield error_row("a", "", "x")
        raise fault

    with pytest.raises(fault):
        write_rows(rows(), out)
    assert out.read_text() == "old"
    assert os.listdir(tmp_path) == [out.name]


def test_unusable_targets(tmp_path):
    with pytest.raises(InputError, match=r"unknown suffix '.xlsx'; expected .parquet, .csv or .jsonl"):
        check_target(tmp_path / "out.xlsx")
    with pytest.raises(InputError, match="does not exist"):
        check_target(tmp_path / "no" / "out.csv")
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(InputError, match="is a folder"):
        check_target(tmp_path / "folder.csv")
    (tmp_path / "null.csv").symlink_to(os.devnull)
    with pytest.raises(InputError, match="is a pipe, socket or device; name a file"):
        check_target(tmp_path / "null.csv")
    (tmp_path / "lost.csv").symlink_to("no/out.csv")
    with pytest.raises(InputError, match=r"lost\.csv: its folder does not exist"):
        check_target(tmp_path / "lost.csv")


def test_a_link_is_written_through(tmp_path):
    (tmp_path / "disk").mkdir()
    link, real = tmp_path / "out.csv", tmp_path / "disk" / "real.csv"
    link.symlink_to(real)
    (real.parent / ".real.csv.123.tmp").write_text("of a writer that was killed")
    remove_leftovers(link)
    assert write_rows([error_row("b", "", "broken")], link) == 1
    assert link.is_symlink()
    assert len(real.read_text().splitlines()) == 2
    assert os.listdir(real.parent) == ["real.csv"]
