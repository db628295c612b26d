import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from door_cases import steps, values
from tensorboardX import SummaryWriter

from curveclinic.errors import LogError
from curveclinic.readers import ReadOptions, columnar, read_file
from curveclinic.readers.list_columns import batches, slices
from curveclinic.readers.source import Source


@pytest.fixture
def read(tmp_path):
    def write_and_read(columns):
        path = tmp_path / "curves.parquet"
        pq.write_table(pa.table(columns), path)
        return read_file(path)

    return write_and_read


def test_wide(read):
    (run,) = read({"step": [1, 2, 3], "loss": [1.0, None, float("nan")], "val_loss": [1, 2, 3]})
    assert (run.format, run.run_id, steps(run)) == ("parquet", "curves.parquet", [1, 3])
    assert np.isnan(values(run)[1])
    assert values(run, "val_loss") == [1, 2, 3]


def test_long(read):
    runs = read(
        {"run_id": pa.array(["b", "a", "b", "a"]).dictionary_encode(), "step": [1, 1, 2, 2], "loss": [9.0, 5, 8, 4]}
    )
    assert [(r.run_id, values(r)) for r in runs] == [("curves.parquet#b", [9, 8]), ("curves.parquet#a", [5, 4])]


def test_long_of_metrics(read):
    (run,) = read({"step": [1, 1, 2, 2], "tag": ["train/loss", "val/loss"] * 2, "value": [3.0, 4.0, 2.0, 3.0]})
    assert (values(run), values(run, "val_loss")) == ([3, 2], [4, 3])


def test_list_columns(read):
    runs = read(
        {
            "run_id": ["x", "y"],
            "step": [[10, 20, 30], [1, 2]],
            "train_loss": [[3.0, None, float("nan")], [5.0, 4.0]],
            "val_loss": [[2.0], [1.0, 1.0]],
            "val_loss_step": [[30], [1, 2]],
            "note": ["a", "b"],
        }
    )
    assert [r.run_id for r in runs] == ["curves.parquet#x", "curves.parquet#y"]
    assert steps(runs[0]) == [10, 30]
    assert np.isnan(values(runs[0])[1])
    assert (steps(runs[0], "val_loss"), values(runs[1], "val_loss")) == ([30], [1, 1])


def test_a_bad_run_beside_good_ones_has_no_channels_and_says_why(read):
    good, bad = read({"run_id": ["a", "b"], "train_loss": [[2.0, 1.0], None], "acc": [[1.0], [1.0]]})
    assert values(good) == [2, 1]
    assert (bad.run_id, dict(bad.channels)) == ("curves.parquet#b", {})
    assert bad.notes == ("no loss column; found only metrics or rewards, 'acc'; log a loss, too",)


def test_lists_of_texts_are_left_out_and_named_columns_found(read, tmp_path):
    (run,) = read({"train_loss": [[2.0, 1.0]], "words": [["a", "b"]]})
    assert values(run) == [2, 1]
    with pytest.raises(LogError, match=r"curves.parquet: no loss column; no column but the steps holds a number"):
        read({"train_loss": [["a", "b"]]})
    with pytest.raises(LogError, match=r"no loss column; found 'wiggle'"):
        read({"wiggle": [[2.0, 1.0]]})
    (run,) = read_file(tmp_path / "curves.parquet", ReadOptions(train_loss="wiggle"))
    assert (run.run_id, values(run)) == ("curves.parquet", [2, 1])


def test_no_loss(read):
    with pytest.raises(LogError, match=r"curves.parquet: no loss column; found only metrics or rewards, 'acc'"):
        read({"step": [1, 2], "acc": [1.0, 2.0]})


def test_damaged(tmp_path):
    path = tmp_path / "curves.parquet"
    path.write_bytes(b"PAR1" + b"junk" * 20)
    with pytest.raises(LogError, match=r"curves.parquet: damaged Parquet file"):
        read_file(path)


def test_text_that_is_no_utf8_is_damage(tmp_path):
    path = tmp_path / "curves.parquet"
    broken = pa.Array.from_buffers(
        pa.string(), 2, [None, pa.py_buffer(np.array([0, 2, 4], np.int32)), pa.py_buffer(b"ab\xe5b")]
    )
    pq.write_table(pa.table({"train_loss": [1.0, 0.5], "note": broken}), path)
    with pytest.raises(LogError, match="damaged Parquet file"):
        read_file(path)


@pytest.mark.parametrize("loss", [[1.0, 0.5], [[1.0, 0.5], [1.0, 0.25]]])
def test_a_column_name_that_is_no_utf8_is_damage(tmp_path, loss):
    path = tmp_path / "curves.parquet"
    pq.write_table(pa.table({"train_loss": loss, "remark": [1, 2]}), path, store_schema=False)
    path.write_bytes(path.read_bytes().replace(b"remark", b"r\xe5mark"))
    with pytest.raises(LogError, match="damaged Parquet file"):
        read_file(path)
    with pytest.raises(LogError, match="damaged Parquet file"):
        slices(Source(str(path), "curves"), ReadOptions())


def test_a_table_of_few_bytes_that_unpacks_to_many_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "curves.parquet"
    pq.write_table(pa.table({"train_loss": np.zeros(200_000)}), path)
    metadata = pq.read_metadata(path)
    assert metadata.row_group(0).total_byte_size < 10_000
    assert columnar.unpacked_bytes(metadata) == [1_600_000]
    monkeypatch.setattr(columnar, "MAX_TABLE_BYTES", 1_000_000)
    with pytest.raises(LogError, match="a table of 2 MB, expected at most 1 MB"):
        read_file(path)


def _one_value(path, n_rows, n_values):
    """A file of a kilobyte: rows of lists of one value."""
    lists = pa.ListArray.from_arrays(np.linspace(0, n_values, n_rows + 1).astype(np.int32), np.zeros(n_values))
    pq.write_table(pa.table({"run_id": [str(k) for k in range(n_rows)], "train_loss": lists}), path)
    assert path.stat().st_size < 3_000


@pytest.mark.parametrize("n_rows", [1, 4])
def test_lists_that_claim_more_values_than_memory_are_refused_before_they_are_read(n_rows, tmp_path, monkeypatch):
    path = tmp_path / "curves.parquet"
    _one_value(path, n_rows, 400_000)
    monkeypatch.setattr(columnar, "MAX_TABLE_BYTES", 1 << 20)
    with pytest.raises(LogError, match=r"curves\.parquet: a table of 3 MB, expected at most 1 MB; keep one run a row"):
        read_file(path)
    with pytest.raises(LogError, match="a table of 3 MB, expected at most 1 MB; keep fewer points a run"):
        slices(Source(str(path), "curves"), ReadOptions())


def test_a_small_file_may_repeat_a_value_but_not_without_end(tmp_path):
    path = tmp_path / "curves.parquet"
    _one_value(path, 1, 1_000_000)
    assert len(read_file(path)[0].channels["train_loss"]) == 1_000_000
    _one_value(path, 1, 10_000_000)
    expected = r"a table of 76 MB in a file of [\d,]+ bytes, expected at most 64 MB where values only repeat; keep "
    with pytest.raises(LogError, match=expected):
        read_file(path)
    with pytest.raises(LogError, match=expected):
        slices(Source(str(path), "curves"), ReadOptions())


def test_a_large_table_is_read_piece_by_piece_if_its_file_is_large_too(tmp_path, monkeypatch):
    path = tmp_path / "curves.parquet"
    noise = np.random.default_rng(0).normal(size=400_000)
    lists = pa.ListArray.from_arrays(np.linspace(0, len(noise), 41).astype(np.int32), noise)
    pq.write_table(pa.table({"train_loss": lists}), path)
    monkeypatch.setattr(columnar, "MAX_TABLE_BYTES", 1 << 20)
    source = Source(str(path), "curves")
    assert (
        sum(batch.table.num_rows for piece in slices(source, ReadOptions()) for batch in batches(source, piece)) == 40
    )


def test_a_long_text_repeated_is_held_once(tmp_path, arrow_peak):
    path = tmp_path / "curves.parquet"
    texts = pa.DictionaryArray.from_arrays(np.zeros(60_000, dtype=np.int32), ["x" * 2_000])
    pq.write_table(pa.table({"loss": np.linspace(2, 1, 60_000), "note": texts}), path)
    (run,) = read_file(path)
    assert len(run.channels["train_loss"]) == 60_000
    assert arrow_peak() < 20_000_000  # 120 MB if it stood in every row


def test_times_that_python_cannot_hold_are_no_numbers(read):
    (run,) = read({"train_loss": [1.0, 0.5], "time": pa.array([2**62, 1], pa.timestamp("ms"))})
    assert values(run) == [1.0, 0.5]


def test_the_user_names_the_steps_of_series(tmp_path):
    kimg, loss = [10, 20, 40], [3.0, 2.0, 1.0]
    pq.write_table(pa.table({"step": [[1, 2, 3]], "kimg": [kimg], "loss": [loss]}), tmp_path / "lists.parquet")
    (tmp_path / "history.json").write_text(json.dumps({"epoch": [1, 2, 3], "kimg": kimg, "loss": loss}))
    for name in ("lists.parquet", "history.json"):
        (run,) = read_file(tmp_path / name, ReadOptions(step="kimg"))
        assert run.channels["train_loss"].steps.tolist() == kimg
        with pytest.raises(LogError, match="no column matches step 'x'"):
            read_file(tmp_path / name, ReadOptions(step="x"))


def test_the_user_names_the_steps_of_series_that_have_others(tmp_path):
    with SummaryWriter(str(tmp_path)) as writer:
        for step in (1, 2, 3):
            writer.add_scalar("kimg", 10 * step, step)
            writer.add_scalar("loss", 1 / step, step)
    (run,) = read_file(tmp_path, ReadOptions(step="kimg"))
    assert run.channels["train_loss"].steps.tolist() == [10, 20, 30]
