"""Scans of tables that hold many runs: read in pieces, never whole in memory, stopped inside, damaged."""

import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from archive_cases import rows, scan

from curveclinic.archive import units
from curveclinic.cli import main
from curveclinic.readers import ReadOptions, list_columns

pytestmark = pytest.mark.usefixtures("own_folder")


def curves(n, *, ids=True):
    """A table of n runs, one a row, of 10 to 40 points."""
    rng = np.random.default_rng(n)
    runs = [2 * np.exp(-np.arange(10 + i % 31) / 8) + rng.normal(0, 0.01, 10 + i % 31) for i in range(n)]
    columns = {"train_loss": runs, "val_loss": [run + 0.1 for run in runs], "comment": ["x"] * n}
    return pa.table({"run_id": [f"r{i}" for i in range(n)], **columns} if ids else columns)


@pytest.mark.parametrize(("ids", "options"), [(True, []), (False, []), (True, ["--train-loss", "train_loss"])])
def test_a_table_of_runs_is_read_in_pieces_like_a_whole(tmp_path, monkeypatch, ids, options):
    pq.write_table(curves(100, ids=ids), "curves.parquet", row_group_size=9)
    monkeypatch.setattr(list_columns, "BATCH_ROWS", 4)
    monkeypatch.setattr(list_columns, "SLICE_ROWS", 20)
    assert scan("curves.parquet", "-o", "pieces.parquet", "--workers", 1, *options) == 0
    assert main(["diagnose", "curves.parquet", "--json", *options]) == 0
    monkeypatch.setattr(units, "slices", lambda source, options: ())
    assert scan("curves.parquet", "-o", "whole.parquet", "--workers", 1, *options) == 0
    pieces, whole = rows(tmp_path / "pieces.parquet"), rows(tmp_path / "whole.parquet")
    assert [r["run_id"] for r in pieces] == [f"curves.parquet#{f'r{i}' if ids else i + 1}" for i in range(100)]
    assert [{k: v for k, v in r.items() if k != "message"} for r in pieces] == [
        {k: v for k, v in r.items() if k != "message"} for r in whole
    ]


def test_a_large_table_is_never_whole_in_memory(tmp_path, monkeypatch):
    """No batch is larger than its bound, however large the row group; a batch holds fewer rows where rows are long."""
    pq.write_table(curves(3000), "curves.parquet")
    monkeypatch.setattr(list_columns, "BATCH_BYTES", 40_000)
    sizes = []
    judged = units.score_rows

    def watched(table, *rest, **options):
        sizes.append(table.num_rows)
        return judged(table, *rest, **options)

    monkeypatch.setattr(units, "score_rows", watched)
    assert scan("curves.parquet", "-o", "out.parquet", "--workers", 1) == 0
    assert sum(sizes) == 3000
    assert max(sizes) <= 3000 * 40_000 / pq.ParquetFile("curves.parquet").metadata.row_group(0).total_byte_size


def test_a_row_group_is_not_whole_in_memory(tmp_path):
    """Pages are read as they are needed: a row group may be the whole file."""
    from curveclinic.readers.source import Source

    rng = np.random.default_rng(0)
    runs = pa.ListArray.from_arrays(np.arange(0, 2_000_001, 100, dtype=np.int32), rng.random(2_000_000))
    pq.write_table(pa.table({"train_loss": runs}), "curves.parquet", use_dictionary=False)
    size = Path("curves.parquet").stat().st_size
    del runs
    before, held = pa.total_allocated_bytes(), []
    source = Source("curves.parquet", "curves.parquet")
    (piece,) = list_columns.slices(source, ReadOptions())
    for batch in list_columns.batches(source, piece):
        held.append(pa.total_allocated_bytes() - before)
        del batch
    assert len(held) == 10
    assert max(held) < size / 2


def test_a_scan_stopped_inside_a_table_goes_on_there(tmp_path, monkeypatch):
    pq.write_table(curves(60), "curves.parquet", row_group_size=30)
    os.utime("curves.parquet", (1.6e9, 1.6e9))
    monkeypatch.setattr(list_columns, "BATCH_ROWS", 7)
    monkeypatch.setattr(list_columns, "SLICE_ROWS", 20)
    assert scan("curves.parquet", "-o", "whole.parquet", "--workers", 1) == 0
    judged, seen = units.score_rows, []

    def stopping(table, *rest, **options):
        if len(seen) == 7:
            seen.append(0)
            raise KeyboardInterrupt
        seen.append(table.num_rows)
        return judged(table, *rest, **options)

    monkeypatch.setattr(units, "score_rows", stopping)
    assert scan("curves.parquet", "-o", "out.parquet", "--workers", 1) == 130
    assert scan("curves.parquet", "-o", "out.parquet", "--workers", 1) == 0
    assert sum(seen) == 60
    assert rows(tmp_path / "out.parquet") == rows(tmp_path / "whole.parquet")


@pytest.mark.parametrize("size", [100, 2000, 6000])
def test_a_cut_or_flipped_table_is_an_error_and_what_was_read_stays(tmp_path, monkeypatch, size):
    """Flipped numbers are numbers too: they are found where the writer has left checksums, as `index` does."""
    pq.write_table(curves(100), "curves.parquet", row_group_size=10, write_page_checksum=True)
    monkeypatch.setattr(list_columns, "SLICE_ROWS", 20)
    data = bytearray(Path("curves.parquet").read_bytes())
    Path("cut.parquet").write_bytes(data[:size])
    data[size : size + 50] = bytes(50)
    Path("flipped.parquet").write_bytes(data)
    assert scan("cut.parquet", "flipped.parquet", "-o", "out.parquet", "--workers", 1) == 3
    found = rows(tmp_path / "out.parquet")
    assert [r["message"].partition(" (")[0] for r in found if r["path"] == "cut.parquet"] == [
        "cut.parquet: damaged Parquet file"
    ]
    flipped = [r for r in found if r["path"] == "flipped.parquet"]
    assert 80 <= sum(r["status"] == "ok" for r in flipped) < 100
    assert {r["message"].partition(" (")[0] for r in flipped if r["status"] == "error"} == {
        "flipped.parquet: damaged Parquet file"
    }


def test_a_table_that_cannot_hold_a_loss_is_one_error(tmp_path, capsys):
    pq.write_table(pa.table({"wiggle": [[2.0, 1.0]] * 50}), "odd.parquet")
    assert scan("odd.parquet", "-o", "out.parquet") == 3
    assert capsys.readouterr().err == (
        "curveclinic: odd.parquet: no loss column; found 'wiggle'; name it with --train-loss\n"
    )


def test_a_run_of_a_table_that_cannot_be_judged_is_named(tmp_path, capsys):
    pq.write_table(pa.table({"run_id": ["a", "b"], "train_loss": [[1.0] * 9, []]}), "curves.parquet")
    assert scan("curves.parquet", "-o", "out.csv") == 3
    assert "curveclinic: curves.parquet#b: no point in 'train_loss'" in capsys.readouterr().err
