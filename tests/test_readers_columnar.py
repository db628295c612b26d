import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curveclinic.errors import LogError
from curveclinic.readers import ReadOptions, read_file


@pytest.fixture
def read(tmp_path):
    def write_and_read(columns):
        path = tmp_path / "curves.parquet"
        pq.write_table(pa.table(columns), path)
        return read_file(path)

    return write_and_read


def values(run, channel="train_loss"):
    return run.channels[channel].values.tolist()


def steps(run, channel="train_loss"):
    return run.channels[channel].steps.tolist()


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
    assert bad.notes == ("no loss column; found 'acc'; name it with --train-loss",)


def test_lists_of_texts_are_left_out_and_named_columns_found(read, tmp_path):
    (run,) = read({"train_loss": [[2.0, 1.0]], "words": [["a", "b"]]})
    assert values(run) == [2, 1]
    with pytest.raises(LogError, match=r"curves.parquet: no loss column; found nothing"):
        read({"train_loss": [["a", "b"]]})
    with pytest.raises(LogError, match=r"no loss column; found 'wiggle'"):
        read({"wiggle": [[2.0, 1.0]]})
    (run,) = read_file(tmp_path / "curves.parquet", ReadOptions(train_loss="wiggle"))
    assert (run.run_id, values(run)) == ("curves.parquet", [2, 1])


def test_no_loss(read):
    with pytest.raises(LogError, match=r"curves.parquet: no loss column; found 'acc'"):
        read({"step": [1, 2], "acc": [1.0, 2.0]})


def test_damaged(tmp_path):
    path = tmp_path / "curves.parquet"
    path.write_bytes(b"PAR1" + b"junk" * 20)
    with pytest.raises(LogError, match=r"curves.parquet: damaged Parquet file"):
        read_file(path)
