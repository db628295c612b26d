from types import SimpleNamespace

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from door_cases import FALLING, one, steps, values

from curveclinic.errors import InputError
from curveclinic.intake.door import runs_from
from curveclinic.predict import predict_pathology
from curveclinic.readers import read_file
from curveclinic.run import Run


def test_a_mapping_is_one_run_and_names_pass_the_alias_table():
    run = one({"loss": [3, 2, 1], "val_loss": [3, 3, 3], "accuracy": [0, 1, 1], "name": "x", "lr": 0.1})
    assert values(run) == [3, 2, 1]
    assert set(run.channels) == {"train_loss", "val_loss", "train_metric"}
    assert run.metric_goal == "max"


def test_steps_come_with_a_pair_a_dict_or_a_shared_axis():
    assert steps(one({"train_loss": ([10, 20], [2, 1])})) == [10, 20]
    assert steps(one({"train_loss": {"step": [10, 20], "value": [2, "nan"]}})) == [10, 20]
    assert steps(one({"epoch": [0, 5], "train_loss": [2, 1]})) == [0, 5]
    assert steps(one({"epoch": [0, 5, 10], "train_loss": [2, None, 1]})) == [0, 10]


@pytest.mark.parametrize(
    "names",
    [
        ("train_steps", "val_steps"),
        ("steps", "eval_steps"),
        ("iters", "val_iters"),
        ("train/step", "val/step"),
        ("train_loss_steps", "val_loss_steps"),
    ],
)
def test_each_side_has_the_steps_that_are_named_after_it(names):
    lists = {"train_loss": FALLING[:18], "val_loss": FALLING[:4], names[0]: range(5, 95, 5), names[1]: [7, 31, 55, 82]}
    run = one({name: list(values) for name, values in lists.items()})
    assert steps(run) == list(range(5, 95, 5))
    assert steps(run, "val_loss") == [7, 31, 55, 82]


def test_steps_of_one_side_are_left_out_beside_a_loss_without_steps():
    run = one({"train_loss": FALLING, "val_loss": FALLING[:3], "val_epochs": [1, 2, 3]})
    assert steps(run, "val_loss") == [20, 40, 60]


def test_other_units_of_steps_are_brought_together():
    run = one({"train_loss": (np.arange(1, 1001), np.ones(1000)), "val_loss": (np.arange(10), np.ones(10))})
    assert steps(run, "val_loss") == [100 * k for k in range(1, 11)]
    assert any("other units" in note for note in run.notes)


def test_validation_that_stopped_early_stays_where_it_is():
    rows = [{"step": k, "train_loss": 1.0, **({"val_loss": 1.0} if k < 20 else {})} for k in range(100)]
    assert steps(one(rows), "val_loss")[-1] == 19


def test_a_run_passes_through_and_is_completed():
    given = Run.from_arrays({"train_loss": [2, 1]}, run_id="a")
    run = one(given, num_classes=10)
    assert (run.run_id, run.num_classes) == ("a", 10)


def test_many_runs_keep_their_places_and_bad_ones_become_errors():
    runs, single = runs_from([{"train_loss": [1]}, {"acc": [1]}, {"train_loss": ["x", "y"]}, 7, {}])
    assert not single
    assert values(runs[0]) == [1]
    assert [type(r) for r in runs[1:]] == [InputError] * 4
    assert str(runs[1]) == "no loss column; found only metrics or rewards, 'acc'; log a loss, too"
    assert "expected a number" in str(runs[2])
    assert "found int" in str(runs[3])
    assert "empty mapping" in str(runs[4])


def test_nothing_gives_nothing():
    assert runs_from([]) == ([], False)
    assert runs_from(()) == ([], False)


def test_a_generator_of_runs_is_many():
    runs, single = runs_from({"train_loss": [k]} for k in range(3))
    assert (not single, [values(r) for r in runs]) == (True, [[0], [1], [2]])


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("run.csv", "read a log file with"),
        (b"x", "found bytes"),
        (None, "found NoneType"),
        (3, "found int"),
        ([1.0, 2.0], "found a list of numbers; say what they are"),
        (np.ones(3), "found ndarray"),
        ({}, "found an empty mapping"),
        ({"train_loss": 3.0}, "train_loss: found float, expected a sequence"),
        ({"acc": [1, 2]}, "no loss column; found only metrics or rewards, 'acc'"),
        ({"loss": [None, None], "acc": [1, 2]}, "no point in 'loss'; expected numbers"),
        ({"a": {"loss": [2, 1]}, "b": {"loss": np.ones(2)}}, r"found runs by name, 'a', 'b'; hand over their list"),
        (
            {"a": pd.DataFrame({"loss": [2, 1]}), "b": pd.DataFrame({"loss": [2]})},
            r"found runs by name, 'a', 'b'; hand",
        ),
        ({"lr 1": pd.DataFrame({"loss": [2], "lr": [1]})}, r"found runs by name, 'lr 1'; hand over their list, list"),
        (
            {"a": [{"loss": 2.0, "step": 1}], "b": [{"loss": 2.0}]},
            r"found runs by name, 'a', 'b'; hand over their list",
        ),
        ({"train_loss": [[1, 2]]}, "expected one dimension"),
        (pl.LazyFrame({"loss": [1]}), r"call .collect\(\)"),
    ],
)
def test_a_single_bad_input_raises(data, message):
    with pytest.raises(InputError, match=message):
        runs_from(data)


def test_a_bad_goal_is_refused():
    with pytest.raises(InputError, match="expected 'max', 'min' or None"):
        runs_from({"train_loss": [1]}, metric_goal="up")


def test_a_bad_number_of_classes_is_refused_for_all_runs():
    with pytest.raises(InputError, match="num_classes: found '10'"):
        runs_from([{"train_loss": [1]}], num_classes="10")


@pytest.mark.parametrize("name", ["val_f1", "reward", "rewards/chosen", "episode_return"])
def test_metrics_or_rewards_alone_are_not_told_to_be_a_loss(name):
    with pytest.raises(InputError, match=f"found only metrics or rewards, '{name}'; log a loss, too"):
        one({name: [1, 2, 3]})
    with pytest.raises(InputError, match="found 'wiggle', 'reward'; call it 'train_loss'"):
        one({"wiggle": [1, 2], "reward": [1, 2]})


def test_a_text_among_the_curves_is_no_curve():
    run = one({"train_loss": [3, 2, 1], "config": {"loss": "mse", "lr": "cosine"}, "val_loss": "none"})
    assert set(run.channels) == {"train_loss"}
    with pytest.raises(InputError, match="config/loss: found str, expected a sequence of numbers"):
        one({"config": {"loss": "mse"}})


def test_percentages_are_numbers_in_mappings_and_rows():
    texts = ["23.3%", "24 %", "nan", "-"]
    run = one({"train_loss": [3, 2, 1, 1], "val_acc": texts})
    np.testing.assert_array_equal(values(run, "val_metric"), [23.3, 24, np.nan])
    rows = [{"train_loss": 1.0, "val_acc": text} for text in texts]
    np.testing.assert_array_equal(values(one(rows), "val_metric"), [23.3, 24, np.nan])
    run = one({"train_loss": [1, 2], "val_acc": ["much%", "more"]})
    assert run.notes == ("left out val_acc: found 'much%' among the values, expected a number",)


@pytest.mark.parametrize("kind", ["pandas", "arrow"])
def test_of_columns_with_one_name_the_first_is_read_and_said(kind):
    names, cells = ["loss", "val_loss", "val_loss"], [[3.0, 2.0], [5.0, 4.0], [9.0, 8.0]]
    frame = pa.Table.from_arrays([pa.array(c) for c in cells], names=names)
    if kind == "pandas":
        frame = pd.DataFrame(np.array(cells).T, columns=names)
    run = one(frame)
    assert values(run, "val_loss") == [5, 4]
    assert "2 columns are named 'val_loss': the first is read" in run.notes


def test_overrides():
    run = one({"a": [3, 2], "b": [1, 1]}, train_loss="a", val_loss="b", num_classes=4, metric_goal="min")
    assert (values(run), values(run, "val_loss"), run.num_classes) == ([3, 2], [1, 1], 4)


class History:
    """What `keras.Model.fit` returns, as far as anyone looks."""

    def __init__(self):
        self.history = {"loss": [2.0, 1.0], "val_loss": [2.0, 1.5], "accuracy": [0.1, 0.2]}
        self.epoch = [0, 1]


def test_keras_history_and_its_dict():
    run = one(History())
    assert (values(run), steps(run)) == ([2, 1], [0, 1])
    assert values(one({"history": History().history, "epoch": [0, 1]}), "val_loss") == [2, 1.5]
    runs, single = runs_from([History(), History()])
    assert (single, len(runs)) == (False, 2)


LOG_HISTORY = [
    {"loss": 2.0, "grad_norm": 1.0, "learning_rate": 1e-3, "epoch": 0.5, "step": 10},
    {"eval_loss": 1.9, "eval_runtime": 3.0, "epoch": 0.5, "step": 10},
    {"loss": 1.0, "grad_norm": 2.0, "learning_rate": 1e-4, "epoch": 1.0, "step": 20},
    {"eval_loss": 1.8, "eval_runtime": 3.0, "epoch": 1.0, "step": 20},
    {"train_runtime": 9.0, "train_loss": 1.5, "epoch": 1.0, "step": 20},
]


def test_a_log_history_is_one_run():
    run = one(LOG_HISTORY)
    assert (steps(run), values(run), values(run, "val_loss")) == ([10, 20], [2, 1], [1.9, 1.8])
    assert values(run, "grad_norm") == [1, 2]
    runs, single = runs_from([LOG_HISTORY, {"train_loss": [1, 2]}])
    assert (single, [values(r) for r in runs]) == (False, [[2, 1], [1, 2]])


WIDE = {"step": [1, 2, 3], "train_loss": [3.0, 2.0, 1.0], "val_loss": [3.0, None, 2.0]}


@pytest.mark.parametrize("frame", [pd.DataFrame(WIDE), pl.DataFrame(WIDE), pa.table(WIDE)], ids=["pd", "pl", "pa"])
def test_a_wide_table_is_one_run(frame):
    run = one(frame)
    assert (steps(run), values(run)) == ([1, 2, 3], [3, 2, 1])
    assert (steps(run, "val_loss"), values(run, "val_loss")) == ([1, 3], [3, 2])


LONG = {"run_id": ["b", "b", "a", "a", "a"], "step": [1, 2, 5, 6, 7], "loss": [2.0, 1.0, 7.0, 8.0, 9.0]}


@pytest.mark.parametrize("frame", [pd.DataFrame(LONG), pl.DataFrame(LONG), pa.table(LONG)], ids=["pd", "pl", "pa"])
def test_a_long_table_is_one_run_per_id(frame):
    runs, single = runs_from(frame)
    assert not single
    assert [(r.run_id, steps(r), values(r)) for r in runs] == [("b", [1, 2], [2, 1]), ("a", [5, 6, 7], [7, 8, 9])]


LISTS = {"run_id": ["x", "y"], "train_loss": [[3.0, 2.0], [5.0]], "train_loss_steps": [[10, 20], [7]]}


@pytest.mark.parametrize("frame", [pd.DataFrame(LISTS), pl.DataFrame(LISTS), pa.table(LISTS)], ids=["pd", "pl", "pa"])
def test_list_columns_are_one_run_per_row(frame):
    runs, single = runs_from(frame)
    assert not single
    assert [(r.run_id, steps(r), values(r)) for r in runs] == [("x", [10, 20], [3, 2]), ("y", [7], [5])]


def test_a_bad_run_of_a_table_is_an_error_in_its_place():
    runs, _ = runs_from(pa.table({"run_id": ["a", "b"], "loss": [[2.0, 1.0], None], "acc": [[1.0], [1.0]]}))
    assert values(runs[0]) == [2, 1]
    assert str(runs[1]) == "no loss column; found only metrics or rewards, 'acc'; log a loss, too"
    runs, _ = runs_from(pa.table({"run_id": ["a", "a", "b"], "loss": [2.0, 1.0, None], "acc": [1.0, 1.0, 1.0]}))
    assert values(runs[0]) == [2, 1]
    assert str(runs[1]) == "b: no loss column; found only metrics or rewards, 'acc'; log a loss, too"


def test_a_list_of_nothing_is_a_list_of_runs():
    for nothing in ([None], [None, None]):
        runs, single = runs_from(nothing)
        assert ([str(run)[:14] for run in runs], single) == (["found NoneType"] * len(nothing), False)


def test_rows_in_memory_are_one_run_even_if_their_steps_start_over():
    frame = pd.DataFrame({"epoch": [0, 1, 2, 0, 1], "loss": [4.0, 2.0, 1.0, 4.1, 2.1]})
    run = one(frame)
    assert (steps(run), values(run)) == ([0, 1, 2], [4.1, 2.1, 1.0])
    kept = "the last value of a step is kept: 2 of 5 points are left out; tell several runs apart by a column 'run_id'"
    assert run.notes[-1] == f"train_loss: starts over 1 time at step 0, {kept}"


FOLDS = {"fold": [1, 1, 1, 2, 2], "epoch": [0, 1, 2, 0, 1], "loss": [4.0, 2.0, 1.0, 4.1, 2.1]}


@pytest.mark.parametrize("kind", [pd.DataFrame, pl.DataFrame, pa.table, lambda c: pd.DataFrame(c).to_dict("records")])
@pytest.mark.parametrize("name", ["fold", "seed", "trial", "model", "run_id"])
def test_a_column_of_folds_or_seeds_tells_runs_apart(kind, name):
    columns = {name if key == "fold" else key: cells for key, cells in FOLDS.items()}
    runs, single = runs_from(kind(columns))
    assert not single
    assert [(run.run_id, values(run)) for run in runs] == [("1", [4, 2, 1]), ("2", [4.1, 2.1])]


@pytest.mark.parametrize("seed", [[7] * 5, [7, None, None, None, None], [1, 2, None, 4, 5]])
def test_a_seed_that_is_a_setting_tells_no_runs_apart(seed):
    columns = {"seed": seed, "epoch": [1, 2, 3, 4, 5], "loss": [5.0, 4.0, 3.0, 2.0, 1.0]}
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    for data in (pd.DataFrame(columns), pl.DataFrame(columns), rows):
        assert values(one(data)) == [5, 4, 3, 2, 1]


class State:
    """Stands for a Trainer's state."""

    log_history = (
        [{"step": k, "loss": 3.0 - k, "learning_rate": 0.1} for k in range(3)] + [{"step": 2, "train_loss": 2.0}]
    )  # fmt: skip


def test_the_state_of_a_trainer_is_its_log_history():
    for data in (State(), {"epoch": 1.0, "log_history": State.log_history}):
        run = one(data)
        assert (values(run), set(run.channels)) == ([3, 2, 1], {"train_loss", "lr"})
    assert len(runs_from([State(), State()])[0]) == 2


def test_tables_as_nested_mappings_are_read_in_any_orientation():
    frame = pd.DataFrame({"loss": [3.0, 2.0, 1.0], "val_loss": [3.5, None, 1.5]}, index=[10, 20, 30])
    for data in (frame.to_dict(), frame.to_dict("index"), {"1": {"loss": 3.0}, "2": {"loss": 2.0}, "3": {"loss": 1}}):
        assert values(one(data)) == [3, 2, 1]
    assert steps(one(frame.to_dict())) == [10, 20, 30]
    assert values(one(frame.to_dict("split"))) == [3, 2, 1]


def test_layers_by_number_are_no_steps():
    norms = {"0": [1.0, 2.0], "1": [3.0, 4.0]}
    run = one({"loss": [2.0, 1.0], "grad_norm": {**norms, "total": [5.0, 6.0]}})
    assert {name for name in run.channels if name.startswith("grad_norm")} == {
        "grad_norm", "grad_norm/0", "grad_norm/1",
    }  # fmt: skip
    with pytest.raises(InputError, match="no loss column"):
        runs_from({"grad_norms": norms})


def test_ragged_lists_are_refused():
    with pytest.raises(InputError, match="train_loss: found"):
        runs_from({"train_loss": [[1], [1, 2]]})
    runs, _ = runs_from([{"train_loss": [[1], [1, 2]]}])
    assert type(runs[0]) is InputError


def test_polars_and_arrow_tell_nan_from_missing():
    for frame in (pl.DataFrame({"loss": [1.0, float("nan"), None]}), pa.table({"loss": [1.0, float("nan"), None]})):
        run = one(frame)
        assert steps(run) == [1, 2]
        assert np.isnan(values(run)[1])


def test_nothing_heavy_is_imported_for_plain_data():
    import subprocess
    import sys

    code = (
        "import sys; from curveclinic.intake.door import runs_from; runs_from({'loss': [1, 2]});"
        "print([m for m in ('pandas', 'polars', 'pyarrow', 'torch', 'keras') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


def test_nan_in_the_first_cell_of_a_column_of_lists_is_one_missing_run():
    frame = pd.DataFrame({"run_id": ["a", "b"], "train_loss": [np.nan, FALLING.tolist()]})
    (first, second), _ = runs_from(frame)
    assert isinstance(first, InputError)
    assert len(second.channels["train_loss"]) == 60


def test_rows_with_a_list_a_histogram_or_nothing_are_rows_of_one_run():
    rows = [{"loss": float(v), "step": k} for k, v in enumerate(FALLING)]
    odd = [{"loss": 1.0, "f1_per_class": [0.1, 0.2], "step": 60}, {}, {"w": {"_type": "histogram", "values": [1, 2]}}]
    run = one(rows + odd)
    assert len(run.channels["train_loss"]) == 61
    histories = [{"loss": FALLING, "lr": 0.1}, {"loss": FALLING, "lr": 0.2}]
    assert len(runs_from(histories)[0]) == 2


def test_a_record_batch_is_a_table():
    assert list(one(pa.RecordBatch.from_pydict({"loss": FALLING.tolist()})).channels) == ["train_loss"]


@pytest.mark.parametrize("name", ["_step", "Epoch", "iterations", "round", "   epoch"])
def test_a_mapping_and_a_table_know_the_same_step_columns(name):
    columns = {name: 100.0 * np.arange(60), "loss": FALLING}
    for data in (columns, pd.DataFrame(columns)):
        assert one(data).channels["train_loss"].steps[-1] == 5900


def test_an_index_named_like_steps_holds_them():
    frame = pd.DataFrame({"step": 100 * np.arange(60), "loss": FALLING}).set_index("step")
    assert one(frame).channels["train_loss"].steps[-1] == 5900


def test_steps_of_another_length_than_any_series_are_said_to_be_left_out():
    run = one({"step": [1, 2, 3], "train_loss": FALLING})
    assert run.notes == ("step: its length, 3, is that of no series: steps are counted",)


def test_a_nan_of_pandas_read_as_a_gap_is_said():
    frame = pd.DataFrame({"train_loss": FALLING, "val_loss": FALLING})
    frame.loc[30, "train_loss"] = np.nan
    (note,) = one(frame).notes
    assert note.startswith("train_loss: NaN in 1 row is read as not logged")


def test_histories_by_name_are_several_runs():
    history = SimpleNamespace(history={"loss": FALLING.tolist()})
    with pytest.raises(InputError, match="found runs by name, 'a', 'b'"):
        one({"a": history, "b": history})


@pytest.mark.parametrize("measure", ["rmse", "mae", "error"])
def test_errors_of_train_and_test_show_overfitting_as_losses_do(measure, tmp_path):
    rounds = np.arange(100)
    train, test = 0.05 + np.exp(-rounds / 15), 0.6 + np.exp(-rounds / 8) + 0.01 * np.maximum(rounds - 30, 0)
    history = {"train": {measure: train.tolist()}, "test": {measure: test.tolist()}}
    path = tmp_path / "log.csv"
    pd.DataFrame({f"train-{measure}-mean": train, f"test-{measure}-mean": test}).to_csv(path, index=False)
    for data in (history, read_file(path)[0]):
        assert predict_pathology(data).labels == ("overfitting",)


def test_steps_that_are_used_are_not_said_to_be_left_out():
    run = one({"step": [10, 20, 30, 40], "loss": [3, None, 1, 0], "val_loss": [None, 2, None, 1]})
    assert run.channels["train_loss"].steps.tolist() == [10, 30, 40]
    assert not any("steps are counted" in note for note in run.notes)


def test_the_summary_of_a_trainer_is_no_train_loss():
    rows = [{"eval_loss": 2.0 - k / 10, "step": k} for k in range(9)]
    state = {"log_history": [*rows, {"train_runtime": 9.0, "train_loss": 1.5, "step": 9}]}
    (run,), single = runs_from(state)
    assert single
    assert list(run.channels) == ["val_loss"]


@pytest.mark.parametrize("values", [FALLING, np.array(FALLING), pd.Series(FALLING), pl.Series(FALLING)])
def test_numbers_without_a_name_are_told_how_to_get_one(values):
    with pytest.raises(InputError, match="of numbers; say what they are"):
        runs_from(list(values) if values is FALLING else values)


def test_the_scores_of_an_early_stopped_network_are_its_metric():
    (run,), _ = runs_from({"loss_curve_": FALLING, "validation_scores_": 1 - np.array(FALLING) / 9})
    assert list(run.channels) == ["train_loss", "val_metric"]
    assert run.metric_goal == "max"


def test_a_list_of_numbers_or_of_names_of_files_in_the_place_of_a_run_is_told_so():
    (numbers, path), single = runs_from([FALLING.tolist(), "log.csv"])
    assert not single
    assert str(numbers) == "found a list of numbers; say what they are: {'train_loss': [...]}"
    assert str(path).endswith("read a log file with curveclinic.readers.read_file(path)")
    (path,), _ = runs_from(["log.csv"])
    assert "read_file" in str(path)
