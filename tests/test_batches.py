import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from curveclinic import predict_pathology, score_table
from curveclinic.intake.door import runs_from
from curveclinic.intake.grid import grid_from_rows, tables
from curveclinic.readers import read_file

N_BATCHES = 20
EPOCHS = np.repeat(np.arange(30), N_BATCHES)
LOSS = 2 * np.exp(-0.01 * np.arange(600)) + 0.1 + np.random.default_rng(0).normal(0, 0.02, 600)
LOSS[[300, 420]] = 30, 25


def steps_of(rows):
    """Steps of the loss of the one run in some rows."""
    ((_, table, _),) = tables(grid_from_rows(rows))
    return table["loss"][0].tolist()


def as_rows(epochs, **beside):
    return [
        {"epoch": epoch, "loss": 1 / k, **{name: cells[k - 1] for name, cells in beside.items()}}
        for k, epoch in enumerate(epochs, 1)
    ]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("run.csv", "epoch,loss\n" + "".join(f"{e},{v}\n" for e, v in zip(EPOCHS, LOSS, strict=True))),
        (
            "run.jsonl",
            "".join(json.dumps({"epoch": int(e), "loss": v}) + "\n" for e, v in zip(EPOCHS, LOSS, strict=True)),
        ),
        ("run.log", "".join(f"Epoch {e + 1}/30 loss: {v:.4f}\n" for e, v in zip(EPOCHS, LOSS, strict=True))),
    ],
)
def test_a_log_of_batches_shows_their_spikes(tmp_path, name, text):
    (tmp_path / name).write_text(text)
    (run,) = read_file(tmp_path / name)
    assert len(run.channels["train_loss"]) == len(LOSS)
    assert predict_pathology(run).labels == ("loss_spikes",)


@pytest.mark.parametrize("made", [dict, pd.DataFrame])
@pytest.mark.parametrize("counter", ["", "step", "batch", "i", "minibatch"])
def test_batches_in_memory_are_points_of_their_own(made, counter):
    within = {counter: np.arange(600) % N_BATCHES} if counter else {}
    (run,), _ = runs_from(made({"epoch": EPOCHS, **within, "train_loss": LOSS}))
    steps = run.channels["train_loss"].steps
    assert steps.tolist() == pytest.approx(np.arange(600) if counter else np.arange(600) / N_BATCHES)


def test_batches_in_the_lists_of_a_table_are_points_of_their_own():
    steps = np.arange(600)
    table = {"run_id": ["a", "b"], "epoch": [EPOCHS.tolist(), steps.tolist()], "train_loss": [LOSS.tolist()] * 2}
    assert score_table(pa.table(table))["n_points"].to_pylist() == [600, 600]
    table["step"] = [(steps % N_BATCHES).tolist(), steps.tolist()]
    assert score_table(pa.table(table))["steps_max"].to_pylist() == [599, 599]


def test_batches_lie_between_their_epoch_and_the_next():
    assert steps_of(as_rows([1, 1, 1, 1, 2, 2, 2, 2])) == [1, 1.25, 1.5, 1.75, 2, 2.25, 2.5, 2.75]


def test_an_epoch_that_is_not_over_is_as_long_as_the_others():
    assert steps_of(as_rows([0, 0, 0, 0, 1, 1, 1, 1, 2, 2])) == [0, 0.25, 0.5, 0.75, 1, 1.25, 1.5, 1.75, 2, 2.25]


def test_means_of_epochs_that_are_logged_beside_their_batches_stay_at_whole_epochs():
    rows = [
        row
        for epoch in (1, 2, 3)
        for row in [*as_rows([epoch] * 4), {"epoch": epoch, "train_loss": 2.0}, {"epoch": epoch, "val_loss": 1.0}]
    ]
    ((_, table, _),) = tables(grid_from_rows(rows))
    assert table["train_loss"][0].tolist() == table["val_loss"][0].tolist() == [1, 2, 3]


def test_validation_stays_with_the_last_batch_of_its_epoch():
    rows = as_rows([0, 0, 0, 0, 1, 1, 1, 1])
    for at in (8, 4):
        rows.insert(at, {"epoch": at // 4 - 1, "val_loss": 1.0})
    ((_, table, _),) = tables(grid_from_rows(rows))
    assert table["val_loss"][0].tolist() == [0.75, 1.75]


def test_rounded_epochs_are_told_apart():
    rounded = [0.01, 0.01, 0.02, 0.02, 0.03, 0.03, 0.04]
    assert steps_of(as_rows(rounded)) == pytest.approx([0.01, 0.015, 0.02, 0.025, 0.03, 0.035, 0.04])
    assert steps_of(as_rows([0.01, 0.02, 0.03, 0.03])) == [0.01, 0.02, 0.03, 0.03]


def test_a_training_of_batches_that_was_resumed_is_merged():
    steps = steps_of(as_rows([0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 1, 1, 1, 1, 2, 2, 2, 2]))
    assert steps[8:14] == [2, 2.25, 1, 1.25, 1.5, 1.75]


def test_trainings_of_batches_in_one_file_are_told_apart():
    epochs = [0, 0, 0, 1, 1, 1, 2, 2, 2]
    rows = [{"epoch": e, "loss": 1 / k} for _ in range(2) for k, e in enumerate(epochs, 1)]
    assert [len(table["loss"][1]) for _, table, _ in tables(grid_from_rows(rows))] == [9, 9]


@pytest.mark.parametrize(
    "rows",
    [
        as_rows([0, 0, 1, 1, 2, 2]),
        as_rows([0, 1, 2, 2, 2, 3, 4, 5]),
        as_rows([0, 0, 0, 1, 1, 1], rank=[0, 1, 2, 0, 1, 2]),
        as_rows([0, 0, 0, 1, 1, 1], client_id=["a", "b", "c", "b", "a", "c"]),
        [{"epoch": k // 4, "loss": 1 / (1 + k // 4)} for k in range(16)],
    ],
    ids=["two rows an epoch", "crashed", "ranks", "clients", "one value an epoch"],
)
def test_rows_of_one_epoch_that_are_no_batches_stay_at_it(rows):
    assert steps_of(rows) == [row["epoch"] for row in rows]


@pytest.mark.parametrize("prefix", ["[rank{}]: ", "[default{}]:", "GPU {} | ", "(rank {}) ", "{}: ", "client: c{} "])
def test_lines_of_several_processes_are_no_batches(tmp_path, prefix):
    path = tmp_path / "run.log"
    path.write_text("".join(f"{prefix.format(k % 4)}Epoch {k // 4} loss: {2 / (k + 1):.4f}\n" for k in range(40)))
    (run,) = read_file(path)
    assert run.channels["train_loss"].steps.tolist() == list(range(10))


def test_ranks_of_two_trainings_in_one_table_are_no_batches(tmp_path):
    path = tmp_path / "run.csv"
    path.write_text(2 * ("epoch,rank,loss\n" + "".join(f"{k // 4},{k % 4},{2 / (k + 1):.4f}\n" for k in range(40))))
    for run in read_file(path):
        assert run.channels["train_loss"].steps.tolist() == list(range(10))


@pytest.mark.parametrize(("name", "words"), [("client", "abcd"), ("split", ("train", "val", "test", "test_b"))])
def test_texts_in_lists_tell_rows_of_an_epoch_apart(name, words):
    columns = {"epoch": np.repeat(np.arange(10), 4), name: [*words] * 10, "loss": np.linspace(2, 1, 40)}
    (run,), _ = runs_from(columns)
    assert run.channels["train_loss"].steps.tolist() == list(range(10))
    row = {"run_id": ["a"], **{key: [list(cells)] for key, cells in columns.items()}}
    assert score_table(pa.table(row))["n_points"].to_pylist() == [10]


def test_a_step_that_is_the_epoch_is_no_axis():
    ((_, table, _),) = tables(grid_from_rows(as_rows([0, 0, 0, 0, 1, 1, 1, 1], step=[0, 0, 0, 0, 1, 1, 1, 1])))
    assert table["loss"][0].tolist() == [0, 0.25, 0.5, 0.75, 1, 1.25, 1.5, 1.75]


def test_batches_of_several_ranks_are_batches():
    assert steps_of(as_rows([0] * 4 + [1] * 4, rank=[0, 1] * 4)) == [0, 0.25, 0.5, 0.75, 1, 1.25, 1.5, 1.75]
