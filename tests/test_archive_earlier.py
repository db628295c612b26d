"""What a scan or an index may write over: its own result, nothing else."""

import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from archive_cases import log_text, rows, scan, write_archive, write_log
from reference_rows import write_rows

from curveclinic.archive.earlier import check_free
from curveclinic.cli import main
from curveclinic.errors import InputError
from curveclinic.readers.curve_table import schema
from curveclinic.writers import ROW, WRITERS, error_row

INPUT = "is one of the inputs, and would be replaced; name another file to write"
FOREIGN = "is there, but was not written by curveclinic scan, and would be replaced; name another file"


pytestmark = pytest.mark.usefixtures("own_folder")


@pytest.mark.parametrize(
    ("inputs", "out", "told"),
    [
        (["a.csv", "b.csv"], "b.csv", f"b.csv: {INPUT}"),
        (["a.csv"], "./a.csv", f"a.csv: {INPUT}"),
        (["a.csv"], "link.csv", f"link.csv: {INPUT}"),
        (["link.csv"], "a.csv", f"a.csv: {INPUT}"),
        (["logs"], "logs/metrics.csv", f"logs/metrics.csv: {FOREIGN}"),
        (["a.csv"], "b.csv", f"b.csv: {FOREIGN}"),
        (["logs"], "link.csv", f"link.csv: {FOREIGN}"),
    ],
)
@pytest.mark.parametrize("options", [[], ["--engine", "ray"]])
def test_no_scan_replaces_a_log(capsys, inputs, out, told, options):
    for name in ("a.csv", "b.csv", "logs/metrics.csv"):
        write_log(Path(name), 1)
    os.symlink("a.csv", "link.csv")
    before = sorted(map(str, Path().rglob("*")))
    assert scan(*inputs, "-o", out, *options) == 2
    assert capsys.readouterr().err.startswith(f"curveclinic: {told}")
    assert [Path(name).read_text() for name in ("a.csv", "b.csv", "logs/metrics.csv")] == [log_text(1)] * 3
    assert sorted(map(str, Path().rglob("*"))) == before


def test_an_index_is_not_replaced_by_its_scan_nor_rows_by_an_index(capsys):
    write_archive(Path("logs"), 2)
    assert main(["index", "logs", "-o", "c.parquet"]) == 0
    assert main(["index", "logs", "-o", "c.parquet"]) == 0
    assert scan("c.parquet", "-o", "c.parquet") == 2
    assert f"c.parquet: {INPUT}" in capsys.readouterr().err
    assert scan("logs", "-o", "c.parquet") == 2
    assert f"c.parquet: {FOREIGN}" in capsys.readouterr().err
    assert scan("c.parquet", "-o", "rows.parquet") == 0
    assert main(["index", "logs", "-o", "rows.parquet"]) == 2
    assert "rows.parquet: is there, but was not written by curveclinic index" in capsys.readouterr().err
    assert len(rows(Path("rows.parquet"))) == pq.read_table("c.parquet").num_rows == 2


@pytest.mark.parametrize("suffix", WRITERS)
def test_a_result_is_replaced(suffix):
    """One whose state is gone, or that was made elsewhere, too; and what a shell makes of `> out.csv`."""
    out = Path(f"out{suffix}")
    write_log(Path("a.csv"), 1)
    write_rows([error_row("x", "csv", "broken " * 1000)], out)
    assert scan("a.csv", "-o", out) == 0
    assert scan("a.csv", "-o", out) == 0
    write_rows([], out)
    check_free(out, "scan", [])
    out.write_bytes(b"")
    check_free(out, "scan", [])
    check_free(Path("new.csv"), "scan", ["new.csv"])


def test_one_entry_is_all_that_a_format_needs(monkeypatch, capsys):
    monkeypatch.setitem(WRITERS, ".jsn", WRITERS[".jsonl"])
    write_log(Path("a.csv"), 1)
    for _ in range(2):
        assert scan("a.csv", "-o", "out.jsn") == 0
        assert len(Path("out.jsn").read_text().splitlines()) == 1
    Path("other.jsn").write_text("step,loss\n1,2\n")
    assert scan("a.csv", "-o", "other.jsn") == 2
    with pytest.raises(SystemExit):
        main(["scan", "--help"])
    assert "file to write: .parquet, .csv, .jsonl or .jsn;" in " ".join(capsys.readouterr().out.split())


def test_the_result_of_another_version_is_replaced():
    """It may have had other labels, and a spreadsheet may have put a mark before it."""
    names = [name for name, _ in ROW if name != "probability_overfitting"] + ["probability_boredom"]
    Path("out.csv").write_text(",".join(names) + "\n", encoding="utf-8-sig")
    pq.write_table(pa.table({name: [None] for name in names}), "out.parquet")
    for name in ("out.csv", "out.parquet"):
        check_free(Path(name), "scan", [])
    pq.write_table(schema().empty_table().replace_schema_metadata({b"curveclinic.index": b"99"}), "index.parquet")
    check_free(Path("index.parquet"), "index", [])


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("out.csv", b"\xff\xfe\x00"),
        ("out.csv", b"\n\nepoch,loss\n"),
        ("out.csv", (",".join(name for name, _ in ROW) + ",my_remark\n").encode()),
        ("out.jsonl", b"[1, 2]\n"),
        ("out.jsonl", b"{\n"),
        ("out.jsonl", b'{"step": 1, "loss": 2}\n'),
        ("out.parquet", b"PAR1 and nothing more"),
        ("out.parquet", b"step,loss\n1,2\n"),
    ],
)
def test_anything_else_is_kept(name, content):
    Path(name).write_bytes(content)
    with pytest.raises(InputError, match=FOREIGN):
        check_free(Path(name), "scan", [])
    assert Path(name).read_bytes() == content


def test_a_link_stays_and_what_it_leads_to_is_replaced():
    write_archive(Path("logs"), 2)
    Path("disk").mkdir()
    os.symlink("disk/real.csv", "out.csv")
    for _ in range(2):
        assert scan("logs", "-o", "out.csv") == 0
        assert os.readlink("out.csv") == "disk/real.csv"
        assert len(Path("disk/real.csv").read_text().splitlines()) == 3
    assert os.listdir("disk") == ["real.csv"]
    assert sorted(p.name for p in Path().iterdir()) == ["disk", "logs", "out.csv", "out.csv.state.sqlite"]


def test_an_index_behind_a_link_in_its_own_archive_is_no_log():
    write_archive(Path("logs"), 2)
    os.symlink("../real.parquet", "logs/out.parquet")
    for _ in range(2):
        assert main(["index", "logs", "-o", "logs/out.parquet"]) == 0
        assert pq.read_table("real.parquet").num_rows == 2


def test_a_file_that_may_not_be_read_is_kept_and_called_so(monkeypatch):
    Path("out.csv").write_text("epoch,loss\n")
    monkeypatch.setattr("os.access", lambda path, mode: False)
    with pytest.raises(InputError, match="is there, may not be read by you"):
        check_free(Path("out.csv"), "scan", [])
