import json

import numpy as np
import pandas as pd
import pytest
from door_cases import steps, values

from curveclinic.errors import LogError
from curveclinic.readers import ReadFailure, ReadOptions, keras_history, read_file, read_runs


@pytest.fixture
def read(tmp_path):
    def write_and_read(content, name="log.json", **options):
        path = tmp_path / name
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return read_file(path, ReadOptions(**options))

    return write_and_read


def state(*rows):
    return {"best_metric": None, "best_model_checkpoint": None, "global_step": 30, "log_history": list(rows)}


def test_trainer_state(read):
    (run,) = read(
        state(
            {"epoch": 0.5, "step": 10, "loss": 2.0, "learning_rate": 1e-3, "grad_norm": float("nan")},
            {"epoch": 0.5, "step": 10, "eval_loss": 1.9, "eval_accuracy": 0.5, "eval_runtime": 1.0},
            {"epoch": 1.0, "step": 20, "loss": 1.0, "learning_rate": 5e-4, "grad_norm": 2.0},
            {"epoch": 1.0, "step": 20, "eval_loss": 1.8, "eval_accuracy": 0.6, "eval_runtime": 1.0},
            {"epoch": 1.0, "step": 20, "train_loss": 1.5, "train_runtime": 60.0, "total_flos": 1e18},
        ),
        "trainer_state.json",
    )
    assert (run.format, steps(run), values(run)) == ("trainer_state", [10, 20], [2, 1])
    assert (values(run, "val_loss"), values(run, "val_metric")) == ([1.9, 1.8], [0.5, 0.6])
    assert values(run, "lr") == [1e-3, 5e-4]
    assert np.isnan(values(run, "grad_norm")[0])


def test_a_resumed_trainer_keeps_the_last_values(read):
    rows = [{"step": s, "loss": v} for s, v in ((10, 3.0), (20, 2.0), (30, 1.5), (20, 2.1), (30, 1.6))]
    (run,) = read(state(*rows))
    assert (steps(run), values(run)) == ([10, 20, 30], [3, 2.1, 1.6])


def test_an_empty_log_history_says_so(read):
    with pytest.raises(LogError, match=r"log.json: the log_history is empty"):
        read(state())


@pytest.mark.parametrize("orient", ["columns", "index", "records", "split", "table"])
def test_json_of_pandas_is_read_in_any_orientation(tmp_path, orient):
    frame = pd.DataFrame({"train_loss": [3.0, 2.0, 1.0], "val_loss": [3.5, 2.5, 1.5]})
    frame.to_json(tmp_path / "log.json", orient=orient)
    (run,) = read_file(tmp_path / "log.json")
    assert (values(run), values(run, "val_loss")) == ([3, 2, 1], [3.5, 2.5, 1.5])


@pytest.mark.parametrize(
    "document",
    [
        {"columns": ["a"], "data": 1},
        {"columns": ["a", "b"], "data": [[1]]},
        {"0": {"name": "cat"}, "1": {"name": "dog"}},
        {"schema": {}, "data": []},
        {"log_history": 3, "x": 1},
        {"0": "cat", "1": "dog"},
    ],
)
def test_json_that_only_looks_like_a_table_is_refused(read, document):
    with pytest.raises(LogError, match=r"log.json: (no loss column|found|no numbers|the log_history)"):
        read(document)


def test_keras_history(read):
    (run,) = read(
        '{"loss": [2.0, NaN, Infinity], "val_loss": [2.0, 1.5, null], "mae": [3, 2, 1], "val_mae": [3, 2, 2]}'
    )
    assert np.array_equal(values(run), [2, np.nan, np.inf], equal_nan=True)
    assert (values(run, "val_loss"), run.metric_goal, run.format) == ([2, 1.5], "min", "keras_history")


def test_nested_history(read):
    (run,) = read({"history": {"loss": [2, 1]}, "epoch": [5, 6], "params": {"epochs": 2}})
    assert (steps(run), values(run)) == ([5, 6], [2, 1])
    (run,) = read({"train": {"loss": [2, 1], "acc": [0, 1]}, "val": {"loss": [3, 2]}})
    assert (values(run), values(run, "val_loss"), values(run, "train_metric")) == ([2, 1], [3, 2], [0, 1])


def test_histories_by_name_are_runs(read):
    runs = read({"lstm": {"loss": [2, 1], "val_loss": [2, 2]}, "gru": {"loss": [4, 3], "val_loss": [4, 4]}})
    assert [(r.run_id, values(r)) for r in runs] == [("log.json#lstm", [2, 1]), ("log.json#gru", [4, 3])]


def test_list_of_epochs_with_nested_metrics(read):
    rows = [{"loss": 9.0, "loss_train": 2.0 - k, "loss_dev": 3.0 - k, "acc_dev": {"a": 0.1 * k}} for k in (0, 1)]
    (run,) = read(rows)
    assert (steps(run), values(run), values(run, "val_loss")) == ([1, 2], [2, 1], [3, 2])
    assert values(run, "val_metric") == [0, 0.1]


def test_list_of_runs(read):
    runs = read([{"id": "a", "train_loss": [2, 1]}, {"id": "b", "train_loss": [4, 3]}])
    assert [(r.run_id, values(r)) for r in runs] == [("log.json#a", [2, 1]), ("log.json#b", [4, 3])]


def lines(*rows):
    return "".join(json.dumps(row) + "\n" for row in rows)


def test_mae_style_lines_of_several_runs(read):
    rows = [
        {
            "train_lr": 0.1,
            "train_loss": first - 0.1 * k,
            "test_loss": first,
            "test_acc1": 30.0,
            "epoch": k,
            "n_parameters": 9,
        }
        for first in (3.0, 2.9)
        for k in range(4)
    ]
    first, second = read(lines(*rows), "log.txt")
    assert (first.run_id, second.run_id, first.format) == ("log.txt#1", "log.txt#2", "jsonl")
    assert (steps(second), np.round(values(second), 6).tolist()) == ([0, 1, 2, 3], [2.9, 2.8, 2.7, 2.6])
    assert (values(first, "val_loss"), values(first, "val_metric")) == ([3.0] * 4, [30.0] * 4)
    assert any("the test loss is taken for it" in note for note in first.notes)


def test_strings_for_numbers(read):
    (run,) = read(lines({"step": "1", "loss": "4.5"}, {"step": "2", "loss": "NaN"}))
    assert np.array_equal(values(run), [4.5, np.nan], equal_nan=True)


def test_mmcv_modes_and_counters_within_the_epoch(read):
    rows = [{"env_info": "text", "seed": 0}]
    for epoch in (1, 2):
        rows += [{"mode": "train", "epoch": epoch, "iter": i, "loss": 3.0 / epoch / i} for i in (50, 100)]
        rows += [{"mode": "val", "epoch": epoch, "iter": 100, "loss": 2.0 / epoch, "bbox_mAP": 0.1 * epoch}]
    (run,) = read(lines(*rows))
    assert (steps(run), steps(run, "val_loss")) == ([50, 100, 150, 200], [100, 200])
    assert (values(run, "val_loss"), values(run, "val_metric")) == ([2, 1], [0.1, 0.2])


def test_a_run_per_line(read):
    runs = read(
        lines(
            {"id": "a", "train_loss": [2, 1]},
            {"id": "b", "curves": {"train_loss": {"step": [5, 6], "value": [4, "nan"]}}},
        )
    )
    assert [r.run_id for r in runs] == ["log.json#a", "log.json#b"]
    assert steps(runs[1]) == [5, 6]


def test_a_long_first_line_is_a_run(read):
    (run,) = read({"train_loss": list(range(40_000)), "val_loss": [1, 2]})
    assert (run.run_id, run.n_points) == ("log.json", 40_000)
    runs = read(lines(*[{"train_loss": list(range(40_000))}] * 2))
    assert [r.run_id for r in runs] == ["log.json#1", "log.json#2"]


def test_a_line_being_written_is_left_out_and_said(read):
    (run,) = read(lines({"step": 1, "loss": 2.0}, {"step": 2, "loss": 1.0}) + '{"step": 3, "lo')
    assert values(run) == [2, 1]
    assert "left out 1 line without JSON" in run.notes


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"loss": [1, 2}', "log.json: broken JSON at line 1"),
        ('{"acc": [1, 2', "log.json: no loss column; found only metrics .*; the JSON is cut short at line 1"),
        ('{"lo', "log.json: broken JSON at line 1"),
        ("[" * 100_000, "log.json: no readable JSON|broken JSON"),
        ('{"acc": [1, 2]}', "log.json: no loss column; found only metrics or rewards, 'acc'; log a loss, too"),
        ("[1, 2, 3]", "log.json: found a JSON list, expected"),
        ("[]", "log.json: found a JSON list, expected"),
        ("{}", "log.json: "),
        ('{"loss": ["a", "b"]}', "log.json: loss: found 'a' among the values"),
        ('{"loss": [[1, 2], [3, 4]]}', "log.json: loss: found an array of shape"),
        (
            lines({"step": 1, "acc": 1.0}, {"step": 2, "acc": 1.0}),
            "log.json: no loss column; found only metrics or rewards, 'acc'",
        ),
    ],
)
def test_bad_documents_say_what_is_wrong(read, content, message):
    with pytest.raises(LogError, match=message):
        read(content)


def test_huge_integers_do_not_break(read):
    with pytest.raises(LogError, match=r"log\.json: "):
        read('{"loss": [1' + "0" * 5000 + "]}")
    with pytest.raises(LogError, match=r"log\.json: "):
        read('{"loss": [1' + "0" * 400 + "]}")


@pytest.mark.parametrize(
    "text",
    [
        *("[tool.x]\na = 1\n", '{\n  // a comment\n  "strict": true\n}\n', "[section]\nkey=1\n"),
        *("[0]\ttrain-auc:0.5\n", "[18:02:01] WARNING: slow\n"),
    ],
)
def test_settings_and_lines_of_a_log_are_no_json(text):
    assert not keras_history.sniff(text.encode())


@pytest.mark.parametrize(
    "text", ['{"loss": [1]}', '\ufeff [ {"a": 1}]', "{", "[", "[1, 2]", "[1]\n", "[[1]]", "[NaN]", "[]", "{}", '[ "a"]']
)
def test_documents_are_json(text):
    assert keras_history.sniff(text.encode())


HISTORY = {"loss": [5.0, 4.0, 3.0, 2.0], "acc": [0.1, 0.2, 0.3, 0.4], "val_loss": [6.0, 5.5, 5.25, 5.125]}
EPOCHS = [{"epoch": k, "loss": 5.0 - k, "note": 'a "[{,"', "val": {"loss": 6.0 - k}} for k in range(4)]


def cut_before(document, end, **layout):
    text = json.dumps(document, **layout)
    return text[: text.index(end)]


@pytest.mark.parametrize("indent", [None, 1])
def test_of_a_torn_history_the_values_before_the_cut_are_read(read, indent):
    (run,) = read(cut_before(HISTORY, "5.125", indent=indent))
    assert (values(run), values(run, "train_metric")) == ([5, 4, 3, 2], [0.1, 0.2, 0.3, 0.4])
    assert (steps(run, "val_loss"), values(run, "val_loss")) == ([1, 2, 3], [6, 5.5, 5.25])
    line = 1 if indent is None else 17
    assert f"the JSON is cut short at line {line}: what is whole before it is read" in run.notes


@pytest.mark.parametrize("end", ["25,", "25", "5.25"])
def test_a_number_that_may_be_cut_is_left_out(read, end):
    (run,) = read(cut_before(HISTORY, end, separators=(",", ":")))
    assert values(run, "val_loss") == [6, 5.5]
    assert steps(run, "val_loss") == [1, 2]


@pytest.mark.parametrize("end", ['"val_loss"', "al_loss", ": [6.0", "[6.0", "6.0", "0, 5.5, 5.25"])
def test_of_a_torn_history_nothing_but_what_is_whole_is_read(read, end):
    (run,) = read(cut_before(HISTORY, end))
    assert set(run.channels) == {"train_loss", "train_metric"}


@pytest.mark.parametrize("document", [HISTORY, EPOCHS], ids=["columns", "rows"])
def test_only_the_last_bracket_is_missing(read, document):
    (whole,), (run,) = read(document), read(json.dumps(document)[:-1])
    assert (values(run), values(run, "val_loss")) == (values(whole), values(whole, "val_loss"))


def test_a_torn_list_beside_lists_of_other_lengths_is_left_out(read):
    (run,) = read(cut_before({"loss": [3.0, 2.0, 1.0], "grad_norm": [1.0] * 6, "val_loss": [4.0, 3.5, 9.0]}, "9.0"))
    assert set(run.channels) == {"train_loss", "grad_norm"}


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("end", ['"epoch"', ': 3, "loss"', '"[{,', '"val"', '{"loss": 3.0', "3.0", "}}"])
def test_of_torn_rows_the_whole_ones_are_read(read, indent, end):
    text = json.dumps(EPOCHS, indent=indent)
    (run,) = read(text[: text.rindex(end) if end in text else -9])
    assert (steps(run), values(run), values(run, "val_loss")) == ([0, 1, 2], [5, 4, 3], [6, 5, 4])
    assert any("cut short" in note for note in run.notes)


def test_a_torn_trainer_state_is_read(read):
    rows = [{"step": 10 * k, "loss": 5.0 - k} for k in range(1, 5)]
    (run,) = read(cut_before(state(*rows), '"loss": 1.0', indent=2), "trainer_state.json")
    assert (run.format, steps(run), values(run)) == ("trainer_state", [10, 20, 30], [4, 3, 2])
    assert any("cut short" in note for note in run.notes)


def test_torn_runs_by_name_are_read(read):
    first, second = read(cut_before({"lstm": HISTORY, "gru": {"loss": [4.0, 3.0, 9.0]}}, "9.0"))
    assert (values(first), values(second)) == ([5, 4, 3, 2], [4, 3])


def test_a_long_torn_line_is_read(read):
    (run,) = read(json.dumps({"train_loss": list(range(40_000)), "val_loss": [1, 2]})[:150_000])
    assert values(run)[:3] == [0, 1, 2]
    assert run.n_points > 20_000


def test_a_torn_text_takes_time_in_proportion_to_its_length(read):
    (run,) = read('{"loss": [2, 1], "text": "' + '\\"[' * 300_000)
    assert values(run) == [2, 1]


COUNTED = [{"epoch": k, "train_loss": 3.0 - k} for k in range(3)]
SACRED = {"training.loss": {"steps": [0, 1, 2], "timestamps": ["2026-11-29T00:32:05.996825"] * 3, "values": [3, 2, 1]}}


@pytest.mark.parametrize("document", [{"epochs": COUNTED}, {"lr": 0.1, "log": COUNTED}, SACRED])
def test_rows_within_a_document_and_series_with_times_are_read(tmp_path, document):
    path = tmp_path / "metrics.json"
    path.write_text(json.dumps(document))
    (run,) = read_file(path)
    assert run.channels["train_loss"].steps.tolist() == [0, 1, 2]
    assert run.channels["train_loss"].values.tolist() == [3, 2, 1]


def test_rows_without_steps_within_a_document_are_no_run(tmp_path):
    (tmp_path / "sweep.json").write_text(json.dumps({"trials": [{"loss": 0.3, "lr": 0.1}, {"loss": 0.2, "lr": 0.01}]}))
    assert [type(item) for item in read_runs([tmp_path / "sweep.json"])] == [ReadFailure]
    assert [item.reason for item in read_runs([tmp_path])] == [f"{tmp_path}: no run in this folder"]


FALLING = {"loss": [4, 3, 2, 1], "val_loss": [5, 4, 3, 2]}


@pytest.mark.parametrize(
    "beside",
    [
        {"checkpoints": [{"epoch": 5 * k, "loss": 0.1, "path": "a"} for k in range(3)]},
        {"layers": [{"epoch": 1, "units": 3}]},
        {"layers": [{"step": 3 - k, "loss": 0.1} for k in range(3)]},
        {"events": [{"step": 1, "msg": "x"}]},
    ],
)
def test_a_list_of_rows_hides_no_history_and_by_itself_is_a_run_only_if_it_counts_on(read, beside):
    assert [(values(run), values(run, "val_loss")) for run in read({"history": FALLING, **beside})] == [
        ([4, 3, 2, 1], [5, 4, 3, 2])
    ]
    assert [values(run) for run in read({**beside, "a": {"loss": [2, 1]}, "b": {"loss": [3, 1]}})] == [[2, 1], [3, 1]]
    if "checkpoints" not in beside:
        with pytest.raises(LogError):
            read({**beside, "lr": 0.1})


def test_lists_a_line_each_are_read(tmp_path):
    """ClearML writes its offline logs so."""
    events = [
        {"type": "training_stats_scalar", "iter": k, "metric": "loss", "variant": side, "value": level - k}
        for k in range(3)
        for side, level in (("train", 3.0), ("val", 4.0))
    ]
    (tmp_path / "metrics.jsonl").write_text(json.dumps(events[:2]) + "\n" + json.dumps(events[2:]) + "\n")
    (tmp_path / "log.jsonl").write_text(json.dumps([{"timestamp": 1, "type": "log", "msg": "loss"}]) + "\n[]\n")
    (run,) = read_runs([tmp_path])
    assert run.channels["train_loss"].values.tolist() == [3, 2, 1]
    assert run.channels["val_loss"].values.tolist() == [4, 3, 2]
    assert run.channels["val_loss"].steps.tolist() == [0, 1, 2]


def test_a_text_beside_the_mode_does_not_hide_it(read):
    rows = []
    for epoch in range(1, 6):
        rows += [{"dataset": "coco", "mode": "train", "epoch": epoch, "iter": 50 * k, "loss": 2.0} for k in range(1, 5)]
        rows += [{"dataset": "coco", "mode": "val", "epoch": epoch, "iter": 5000, "loss": 1.0}]
    (run,) = read("".join(json.dumps(row) + "\n" for row in rows))
    assert run.channels["val_loss"].steps.tolist() == [200, 400, 600, 800, 1000]
    assert len(run.channels["train_loss"].values) == 20
