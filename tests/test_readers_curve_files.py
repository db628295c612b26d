import json
from pathlib import Path

import numpy as np
import pytest

from curveclinic.errors import LogError
from curveclinic.readers import ReadFailure, read_file, read_runs
from curveclinic.readers.curve_files import run_of
from curveclinic.readers.source import HEAD_BYTES

FIXTURE = Path(__file__).parent / "fixtures" / "curve_files"
LOSS = np.linspace(2.0, 0.5, 12)
LINES = "".join(f"{v}\n" for v in LOSS)


def test_curves_of_one_run_are_read_together():
    (run,) = [item for item in read_runs([FIXTURE]) if not isinstance(item, ReadFailure)]
    expected = json.loads((FIXTURE / "expected.json").read_text())["train_loss.txt"]
    assert run.format == "curve_files"
    assert sorted(run.channels) == sorted(expected)
    for name, series in run.channels.items():
        assert np.column_stack([series.steps, series.values]) == pytest.approx(np.array(expected[name]), rel=1e-15)


@pytest.mark.parametrize(
    "text",
    [
        LINES,
        LINES.replace("\n", "\r\n"),
        "\ufeff" + LINES,
        str(LOSS.tolist()),
        json.dumps(LOSS.tolist(), indent=2) + "\n",
        str(LOSS),
        "".join(f"{k},{v}\n" for k, v in enumerate(LOSS, 1)),
        "".join(f"{k}\t{v}\n" for k, v in enumerate(LOSS, 1)),
    ],
)
@pytest.mark.parametrize("name", ["val_loss.txt", "resnet_val_losses (1).json", "val_loss.csv"])
def test_the_name_of_a_file_of_numbers_tells_what_they_are(tmp_path, text, name):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8", newline="")
    (run,) = read_file(path)
    assert run.channels["val_loss"].values == pytest.approx(LOSS, rel=1e-8)
    assert run.channels["val_loss"].steps.tolist() == list(range(1, 13))


@pytest.mark.parametrize("name", ["train_packet_loss.txt", "hair_segmentation_loss.txt", "loss_lr0.1", "loss.v2.txt"])
def test_a_training_may_be_of_things_lost_and_have_a_point_in_its_name(tmp_path, name):
    path = tmp_path / name
    path.write_text(LINES)
    (run,) = read_file(path)
    assert run.channels["train_loss"].values.tolist() == LOSS.tolist()


def test_points_part_the_words_of_names(tmp_path):
    for name in ("train.loss.txt", "val.loss.txt", "train_loss_lr0.1.txt", "val_loss_lr0.1.txt", "loss_lr0.01.txt"):
        (tmp_path / name).write_text(LINES)
    runs = {run.run_id: list(run.channels) for run in read_runs([tmp_path])}
    both = ["train_loss", "val_loss"]
    assert runs == {"loss_lr0.01.txt": both[:1], "train.loss.txt": both, "train_loss_lr0.1.txt": both}
    (run,) = read_file(tmp_path / "train_loss_lr0.1.txt")
    assert run.notes == ("train_loss <- train_loss_lr0.1",)


def test_nan_and_inf_of_python_stay(tmp_path):
    path = tmp_path / "loss.txt"
    path.write_text("[2.0, 1.5, nan, inf, 1.0]")
    (run,) = read_file(path)
    assert np.array_equal(run.channels["train_loss"].values, [2.0, 1.5, np.nan, np.inf, 1.0], equal_nan=True)


@pytest.mark.parametrize(
    "name",
    ["data.txt", "val_acc.txt", "loss_weights.json", "results.csv", "packet_loss.csv", "path.loss.txt", "HairLoss.csv"],
)
def test_numbers_that_no_name_calls_losses_are_no_log(tmp_path, name):
    path = tmp_path / name
    path.write_text(LINES)
    with pytest.raises(LogError, match="write the names of its columns into a first line"):
        read_file(path)
    assert list(read_runs([tmp_path])) == [ReadFailure(str(tmp_path), "", f"{tmp_path}: no run in this folder", True)]


@pytest.mark.parametrize(
    "text",
    [
        "0, 5.54, 256.1\n1000, 1.84, 6.3\n2000, 1.64, 5.1\n",
        "1,1.2\n1,1.3\n1,1.1\n",
        "0,5\n0,4\n0,3\n",
        "1\t3.7\t145.8\t3.4\n",
        "[[0, 1.5], [1, 1.4], [2, 1.3]]",
        "0.5",
    ],
)
def test_tables_without_a_header_are_no_curves(tmp_path, text):
    path = tmp_path / "loss.csv"
    path.write_text(text)
    with pytest.raises(LogError):
        read_file(path)


@pytest.mark.parametrize(("text", "n_kept"), [(LINES[:-3], 11), (str(LOSS.tolist())[:-2], 11)])
def test_a_number_that_may_be_cut_short_is_left_out(tmp_path, text, n_kept):
    path = tmp_path / "loss.txt"
    path.write_text(text)
    (run,) = read_file(path)
    assert run.channels["train_loss"].values.tolist() == LOSS[:n_kept].tolist()
    assert any("cut short" in note for note in run.notes)


@pytest.mark.parametrize("between", [" ", ",", "\t", ", "])
def test_a_row_of_two_columns_that_may_be_cut_short_is_left_out(tmp_path, between):
    text = "\n".join(f"{k}{between}{v}" for k, v in enumerate(LOSS))
    for name in ("train_loss.txt", "val_loss.txt"):
        (tmp_path / name).write_text(text)
    (run,) = read_runs([tmp_path])
    for channel in ("train_loss", "val_loss"):
        assert run.channels[channel].values.tolist() == LOSS[:-1].tolist()
        assert run.channels[channel].steps.tolist() == list(range(11))


@pytest.mark.parametrize("between", [" ", ","])
def test_two_columns_are_known_by_a_head_that_ends_within_a_row(tmp_path, between):
    rows = [f"{k}{between}{1 / (k + 1):.9f}\n" for k in range(5000)]
    for n in range(len(rows[-1])):  # the head ends at every place in a row
        path = tmp_path / "loss.txt"
        path.write_text(" " * n + "".join(rows))
        assert path.stat().st_size > HEAD_BYTES
        (run,) = read_file(path)
        assert len(run.channels["train_loss"]) == len(rows)


def test_runs_in_one_folder_are_told_by_the_rest_of_their_names(tmp_path):
    for name in ("cnn_train_loss.txt", "cnn_val_loss.txt", "mlp_train_loss.txt", "mlp_val_loss.txt"):
        (tmp_path / name).write_text(LINES)
    (tmp_path / "loss.csv").write_text("epoch,train_loss\n" + "".join(f"{k},{v}\n" for k, v in enumerate(LOSS)))
    runs = {run.run_id: sorted(run.channels) for run in read_runs([tmp_path])}
    both = ["train_loss", "val_loss"]
    assert runs == {"cnn_train_loss.txt": both, "mlp_train_loss.txt": both, "loss.csv": ["train_loss"]}


@pytest.mark.parametrize(
    ("name", "run"),
    [
        ("train_loss.txt", "run"),
        ("val_acc.json", "run"),
        ("lr.txt", "run"),
        ("fold1_val_losses.csv", "fold1"),
        ("metrics.csv", ""),
        ("results.txt", ""),
        ("loss.png", ""),
    ],
)
def test_names_of_one_run(name, run):
    assert run_of(name) == run


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("loss_history.json", json.dumps({"train": LOSS.tolist(), "val": LOSS.tolist()})),
        ("loss.csv", "epoch,Train,Validation\n" + "".join(f"{k},{v},{v}\n" for k, v in enumerate(LOSS, 1))),
    ],
)
def test_sides_are_losses_in_a_file_that_is_named_so(tmp_path, name, text):
    path = tmp_path / name
    path.write_text(text)
    (run,) = read_file(path)
    assert run.channels["train_loss"].values.tolist() == run.channels["val_loss"].values.tolist() == LOSS.tolist()
    assert any("losses, by the name of the file" in note for note in run.notes)
    other = path.rename(tmp_path / f"accuracy{path.suffix}")
    with pytest.raises(LogError, match=r"no loss column; found '[tT]rain'"):
        read_file(other)


def test_the_lone_column_of_pandas_is_a_loss_in_a_file_that_is_named_so(tmp_path):
    path = tmp_path / "val_losses.csv"
    path.write_text(",0\n" + "".join(f"{k},{v}\n" for k, v in enumerate(LOSS)))
    (run,) = read_file(path)
    assert run.channels["val_loss"].values.tolist() == LOSS.tolist()
    with pytest.raises(LogError, match="no loss column; found '0'"):
        read_file(path.rename(tmp_path / "results.csv"))
