import json
from pathlib import Path

import numpy as np
import pytest

from curveclinic.errors import LogError
from curveclinic.readers import ReadOptions, read_file, read_runs
from curveclinic.readers.source import NoCurvesError
from curveclinic.readers.tensorboard_csv import tag_of

FIXTURES = Path(__file__).parent / "fixtures" / "layout_only"
LOSS = np.linspace(2.0, 0.5, 20)
TEXT = "Wall time,Step,Value\r\n" + "".join(f"{1.7e9 + 3 * k},{100 * k},{v}\r\n" for k, v in enumerate(LOSS))


@pytest.mark.parametrize(
    ("name", "tag"),
    [
        ("run-train-tag-loss.csv", "train/loss"),
        ("logs/run-exp1_validation-tag-epoch_loss (2).csv", "val/epoch_loss"),
        ("run_.-tag-train_loss.csv.gz", "train_loss"),
        ("run-train-tag-val_loss.csv", "val_loss"),
        ("exp7-tag-Loss_train.csv", "Loss_train"),
        ("val_loss.csv", "val_loss"),
        ("data.csv", ""),
        ("-", ""),
    ],
)
def test_the_name_of_the_file_tells_the_tag(name, tag):
    assert tag_of(name) == tag


def test_a_download_is_a_run(tmp_path):
    path = tmp_path / "run-validation-tag-loss.csv"
    path.write_bytes(TEXT.encode())
    (run,) = read_file(path)
    assert run.format == "tensorboard_csv"
    assert run.channels["val_loss"].steps.tolist() == [100 * k for k in range(20)]
    assert run.channels["val_loss"].values.tolist() == LOSS.tolist()


def test_a_download_by_layout_only():
    (run,) = read_file(FIXTURES / "run-falls_train-tag-loss.csv")
    expected = json.loads((FIXTURES / "expected.json").read_text())["falls"]["train/loss"]
    series = run.channels["train_loss"]
    assert [[step, value] for step, value in zip(series.steps, series.values, strict=True)] == expected


def test_downloads_of_one_run_are_read_together(tmp_path):
    for name in ("run-a_train-tag-loss", "run-a_validation-tag-loss", "run-b-tag-train_loss", "run-b-tag-val_loss"):
        (tmp_path / f"{name}.csv").write_bytes(TEXT.encode())
    (tmp_path / "run-c-tag-loss.csv").write_bytes(TEXT.encode())
    (tmp_path / "run-c-tag-loss (1).csv").write_bytes(TEXT.encode())
    runs = {run.run_id: sorted(run.channels) for run in read_runs([tmp_path])}
    assert runs == {
        "run-a_train-tag-loss.csv": ["train_loss", "val_loss"],
        "run-b-tag-train_loss.csv": ["train_loss", "val_loss"],
        "run-c-tag-loss.csv": ["train_loss"],
        "run-c-tag-loss (1).csv": ["train_loss"],
    }


def test_a_damaged_download_beside_another_is_noted(tmp_path):
    (tmp_path / "run-train-tag-loss.csv").write_bytes(TEXT.encode())
    (tmp_path / "run-validation-tag-loss.csv").write_bytes(TEXT.encode()[:-6])
    (run,) = read_runs([tmp_path])
    assert [len(series) for series in run.channels.values()] == [20, 19]
    assert "the last line has no end: its last cell may be cut short and is left out" in run.notes


def test_a_renamed_download_can_be_named(tmp_path):
    path = tmp_path / "data.csv"
    path.write_bytes(TEXT.encode())
    with pytest.raises(LogError, match="no loss column; found 'Wall time', 'Value'; name it with --train-loss"):
        read_file(path)
    (run,) = read_file(path, ReadOptions(train_loss="Value"))
    assert run.channels["train_loss"].values.tolist() == LOSS.tolist()


def test_the_download_of_a_metric_is_no_log(tmp_path):
    path = tmp_path / "run-train-tag-accuracy.csv"
    path.write_bytes(TEXT.encode())
    with pytest.raises(NoCurvesError, match="no loss column"):
        read_file(path)
