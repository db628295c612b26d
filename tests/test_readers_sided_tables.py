import json
from pathlib import Path

import numpy as np
import pytest

from curveclinic.readers import ReadOptions, read_runs
from curveclinic.readers.sided_tables import run_of
from curveclinic.run import Run

FIXTURE = Path(__file__).parent / "fixtures" / "layout_only_sided_tables"
"""Columns and names as several repositories of PyTorch have them, with other numbers."""
TRAIN = np.linspace(2.0, 0.5, 12)
VAL = TRAIN + 0.25


def table(losses, *, header="epoch,loss", every=1):
    return "\n".join([header, *(f"{k * every},{loss}" for k, loss in enumerate(losses))]) + "\n"


def lines(losses, every):
    return "".join(json.dumps({"step": k * every, "loss": loss}) + "\n" for k, loss in enumerate(losses))


def curves(run):
    return {name: (series.steps.tolist(), series.values.tolist()) for name, series in run.channels.items()}


def test_every_column_of_either_side_is_read():
    (run,) = read_runs([FIXTURE])
    rows = {name: np.loadtxt(FIXTURE / f"{name}.log", skiprows=1) for name in ("train", "val")}
    expected = {"train_loss": ("train", 1), "train_metric": ("train", 2), "lr": ("train", 3)}
    expected |= {"val_loss": ("val", 1), "val_metric": ("val", 2)}
    assert sorted(run.channels) == sorted(expected)
    for channel, (side, column) in expected.items():
        assert np.column_stack([run.channels[channel].steps, run.channels[channel].values]) == pytest.approx(
            rows[side][:, [0, column]], rel=1e-15
        )


@pytest.mark.parametrize(
    ("train", "val", "header"),
    [
        ("train_log.csv", "val_log.csv", "epoch,loss"),
        ("train.log", "val.log", "epoch,loss"),
        ("train.csv", "test.csv", "epoch,loss"),
        ("learn_error.tsv", "test_error.tsv", "iter,Logloss"),
        ("train_loss.csv", "val_loss.csv", "epoch,loss"),
    ],
)
def test_tables_of_the_sides_of_one_run_are_read_together(tmp_path, train, val, header):
    (tmp_path / train).write_text(table(TRAIN, header=header))
    (tmp_path / val).write_text(table(VAL, header=header))
    (run,) = read_runs([tmp_path])
    steps = [float(k) for k in range(12)]
    assert curves(run) == {"train_loss": (steps, TRAIN.tolist()), "val_loss": (steps, VAL.tolist())}
    assert (run.run_id, run.format) == (train, "sided_tables")
    assert f"read together: {train}, {val}" in run.notes


def test_json_lines_are_tables_too_and_a_side_may_be_logged_seldom(tmp_path):
    (tmp_path / "eval_metrics.jsonl").write_text(lines(VAL[:6], 20))
    (tmp_path / "train_metrics.jsonl").write_text(lines(TRAIN, 10))
    (run,) = read_runs([tmp_path])
    assert curves(run)["val_loss"] == ([0.0, 20.0, 40.0, 60.0, 80.0, 100.0], VAL[:6].tolist())
    assert curves(run)["train_loss"][0] == [10.0 * k for k in range(12)]


def test_of_an_evaluation_only_what_it_measured_is_taken_and_validation_before_test(tmp_path):
    for name, losses in (("train", TRAIN), ("val", VAL), ("test", VAL + 1)):
        text = "".join(f"{k},{loss},0.1,{k / 20}\n" for k, loss in enumerate(losses))
        (tmp_path / f"{name}.csv").write_text("epoch,loss,lr,acc\n" + text)
    (run,) = read_runs([tmp_path])
    assert sorted(run.channels) == ["lr", "train_loss", "train_metric", "val_loss", "val_metric"]
    assert run.channels["val_loss"].values.tolist() == VAL.tolist()


def test_files_that_hold_several_runs_are_read_run_by_run_or_each_by_itself(tmp_path):
    (tmp_path / "train.csv").write_text(table(TRAIN) * 2)
    (tmp_path / "val.csv").write_text(table(VAL) * 2)
    assert [(run.run_id, sorted(run.channels)) for run in read_runs([tmp_path])] == [
        ("train.csv#1", ["train_loss", "val_loss"]),
        ("train.csv#2", ["train_loss", "val_loss"]),
    ]
    (tmp_path / "val.csv").write_text(table(VAL))
    assert [sorted(run.channels) for run in read_runs([tmp_path])] == [["train_loss"]] * 2 + [["val_loss"]]


@pytest.mark.parametrize(
    ("train", "other"),
    [
        (table(TRAIN, header="epoch,loss"), "id,x,y\n1,0.5,2\n2,0.1,3\n"),
        (table(TRAIN, header="epoch,loss"), table(VAL, header="epoch,accuracy")),
    ],
)
def test_another_table_beside_that_of_the_training_is_none_of_its_sides(tmp_path, train, other):
    (tmp_path / "train.csv").write_text(train)
    (tmp_path / "test.csv").write_text(other)
    found = [item for item in read_runs([tmp_path]) if isinstance(item, Run)]
    assert [(run.run_id, run.format) for run in found] == [("train.csv", "csv")]


@pytest.mark.parametrize("header", ["loss", "index,loss", "id,loss", "step,loss"])
def test_the_losses_of_single_examples_or_batches_are_no_validation(tmp_path, header):
    (tmp_path / "train.csv").write_text(table(TRAIN))
    rows = (f"{k},{0.1 + k % 7}\n" if "," in header else f"{0.1 + k % 7}\n" for k in range(400))
    (tmp_path / "test.csv").write_text(header + "\n" + "".join(rows))
    by_id = {run.run_id: run for run in read_runs([tmp_path])}
    assert curves(by_id["train.csv"]) == {"train_loss": ([float(k) for k in range(12)], TRAIN.tolist())}


def test_a_validation_without_steps_of_no_more_rows_is_one(tmp_path):
    (tmp_path / "train.csv").write_text(table(TRAIN))
    (tmp_path / "val.csv").write_text("loss\n" + "".join(f"{loss}\n" for loss in VAL))
    (run,) = read_runs([tmp_path])
    assert run.channels["val_loss"].values.tolist() == VAL.tolist()


@pytest.mark.parametrize("kind", ["rows", "curves", "torn head"])
def test_json_documents_of_the_sides_are_read_together(tmp_path, kind):
    n_rows = 4000 if kind == "torn head" else 12
    values = {"train": np.linspace(2.0, 0.5, n_rows).tolist(), "val": np.linspace(2.5, 0.8, n_rows).tolist()}
    for side, losses in values.items():
        steps = list(range(n_rows))
        rows = [{"epoch": k, "loss": loss} for k, loss in zip(steps, losses, strict=True)]
        text = json.dumps({"epoch": steps, "loss": losses} if kind == "curves" else rows)
        (tmp_path / f"{side}.json").write_text(text)
    (run,) = read_runs([tmp_path])
    steps = [float(k) for k in range(n_rows)]
    assert curves(run) == {"train_loss": (steps, values["train"]), "val_loss": (steps, values["val"])}


def test_json_documents_of_several_runs_are_read_each_by_itself(tmp_path):
    for side, losses in (("train", TRAIN), ("val", VAL)):
        (tmp_path / f"{side}.json").write_text(json.dumps({f"fold{k}": {"loss": losses.tolist()} for k in (1, 2)}))
    assert [run.run_id for run in read_runs([tmp_path])] == [
        f"{s}.json#fold{k}" for s in ("train", "val") for k in (1, 2)
    ]


@pytest.mark.parametrize(("name", "header"), [("log.csv", "epoch,loss"), ("loss.csv", "step,value"), ("loss.txt", "")])
@pytest.mark.parametrize("folder", ["val", "Validation"])
def test_tables_in_folders_of_the_sides_are_read_together(tmp_path, name, header, folder):
    for side, losses in (("train", TRAIN), (folder, VAL)):
        (tmp_path / "run" / side).mkdir(parents=True)
        bare = "".join(f"{k},{loss}\n" for k, loss in enumerate(losses))
        (tmp_path / "run" / side / name).write_text(table(losses, header=header) if header else bare)
        (tmp_path / "run" / side / "settings.csv").write_text("lr\n0.1\n")
    (run,) = read_runs([tmp_path])
    steps = [float(k) for k in range(12)]
    assert curves(run) == {"train_loss": (steps, TRAIN.tolist()), "val_loss": (steps, VAL.tolist())}
    assert run.run_id == f"run/train/{name}"
    assert f"read together: train/{name}, {folder}/{name}" in run.notes


def test_data_in_folders_of_the_sides_are_no_tables_of_one_run(tmp_path):
    for side in ("train", "test"):
        (tmp_path / side).mkdir()
        (tmp_path / side / "labels.csv").write_text("id,label\n1,0\n2,1\n")
    (tmp_path / "train" / "log.csv").write_text(table(TRAIN))
    assert [(run.run_id, run.format) for run in read_runs([tmp_path])] == [("train/log.csv", "csv")]


def test_a_column_of_values_is_the_loss_that_the_file_is_named_after(tmp_path):
    (tmp_path / "train_loss.csv").write_text(table(TRAIN, header="step,value"))
    (run,) = read_runs([tmp_path])
    assert curves(run) == {"train_loss": ([float(k) for k in range(12)], TRAIN.tolist())}
    (tmp_path / "val_loss.csv").write_text(table(VAL, header="step,value"))
    (run,) = read_runs([tmp_path])
    assert curves(run)["val_loss"][1] == VAL.tolist()


def test_trials_called_train_and_test_that_log_both_sides_are_two_runs(tmp_path):
    for name in ("train.csv", "test.csv"):
        rows = "".join(f"{k},{a},{b}\n" for k, (a, b) in enumerate(zip(TRAIN, VAL, strict=True)))
        (tmp_path / name).write_text("epoch,train_loss,val_loss\n" + rows)
    assert [run.run_id for run in read_runs([tmp_path])] == ["test.csv", "train.csv"]


def test_a_lone_file_is_read_as_any_other(tmp_path):
    (tmp_path / "test.csv").write_text(table(TRAIN))
    (run,) = read_runs([tmp_path])
    assert (run.format, sorted(run.channels)) == ("csv", ["train_loss"])


def test_the_user_names_the_steps_of_all_tables(tmp_path):
    for name, losses in (("train.csv", TRAIN), ("val.csv", VAL)):
        rows = "".join(f"{k},{k * 7},{loss}\n" for k, loss in enumerate(losses))
        (tmp_path / name).write_text("epoch,seen,loss\n" + rows)
    (run,) = read_runs([tmp_path], ReadOptions(step="seen"))
    assert run.channels["val_loss"].steps.tolist() == [7.0 * k for k in range(12)]


@pytest.mark.parametrize(
    ("name", "rest"),
    [
        ("train_log.csv", "log.csv"),
        ("val.log", ".log"),
        ("cnn_test_log.csv", "cnn log.csv"),
        ("log.csv", ""),
        ("train_test_log.csv", ""),
        ("train.png", ""),
    ],
)
def test_what_names_of_one_run_have_in_common(name, rest):
    assert run_of(name) == rest


def test_runs_of_both_files_are_told_by_their_names(tmp_path):
    for file, losses, seeds in (("train.csv", TRAIN, (0, 1, 2)), ("val.csv", VAL, (2, 0))):
        rows = "".join(f"{seed},{k},{seed + loss}\n" for seed in seeds for k, loss in enumerate(losses))
        (tmp_path / file).write_text("seed,epoch,loss\n" + rows)
    runs = {run.run_id.rpartition("#")[2]: run for run in read_runs([tmp_path])}
    assert {name: sorted(run.channels) for name, run in runs.items()} == {
        "0": ["train_loss", "val_loss"],
        "1": ["train_loss"],
        "2": ["train_loss", "val_loss"],
    }
    assert runs["2"].channels["val_loss"].values[0] == 2 + VAL[0]


@pytest.mark.parametrize(
    ("train", "val"), [("train.log", "val.log"), ("exp1_train.txt", "exp1_valid.txt"), ("train.log", "eval.log")]
)
def test_consoles_of_the_sides_of_one_run_are_read_together(tmp_path, train, val):
    for name, losses in ((train, TRAIN), (val, VAL)):
        (tmp_path / name).write_text("".join(f"Epoch {k}/12 - loss: {loss:.6f}\n" for k, loss in enumerate(losses)))
    (run,) = read_runs([tmp_path])
    assert curves(run) == {
        side: ([float(k) for k in range(12)], pytest.approx(losses.tolist(), abs=1e-6))
        for side, losses in (("train_loss", TRAIN), ("val_loss", VAL))
    }


def test_the_console_of_a_test_batch_by_batch_is_no_validation(tmp_path):
    (tmp_path / "train.log").write_text("".join(f"Epoch {k} loss {loss}\n" for k, loss in enumerate(TRAIN)))
    (tmp_path / "test.log").write_text("".join(f"batch {k} loss {0.5 + k % 7 / 10}\n" for k in range(60)))
    assert {item.run_id for item in read_runs([tmp_path])} == {"train.log", "test.log"}


def test_a_console_of_both_sides_is_a_run_by_itself(tmp_path):
    both = "".join(f"Epoch {k} train loss {loss} val loss {loss}\n" for k, loss in enumerate(TRAIN))
    (tmp_path / "train.log").write_text(both)
    (tmp_path / "val.log").write_text("".join(f"Epoch {k} loss {loss}\n" for k, loss in enumerate(VAL)))
    assert {item.run_id for item in read_runs([tmp_path])} == {"train.log", "val.log"}


def test_consoles_of_both_sides_are_read_with_patterns(tmp_path):
    for name, losses in (("train.log", TRAIN), ("val.log", VAL)):
        text = "".join(f"e={k} loss {loss:.6f} other {k}.5\n" for k, loss in enumerate(losses))
        (tmp_path / name).write_text(text)
    (run,) = read_runs([tmp_path], ReadOptions(patterns=(r"e=(?P<epoch>\d+) .* other (?P<loss>\S+)",)))
    assert run.channels["val_loss"].values.tolist() == [k + 0.5 for k in range(12)]
