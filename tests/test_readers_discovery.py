import gzip
import json
import os
from pathlib import Path

import numpy as np
import pytest
from output_cases import diagnosis, overfit_run
from reference_rows import row, write_rows
from tensorboardX import SummaryWriter

from curveclinic.errors import LogError
from curveclinic.readers import (
    FORMATS,
    ReadFailure,
    ReadOptions,
    copies,
    exists,
    find_sources,
    read_file,
    read_runs,
    read_source,
    read_sources,
    read_stdin,
)
from curveclinic.writers import error_row

CSV = "epoch,loss\n0,2\n1,1\n"


@pytest.fixture
def tree(tmp_path, monkeypatch):
    """Makes files from {relative path: text} and stands in their folder."""
    monkeypatch.chdir(tmp_path)

    def make(files):
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text if isinstance(text, bytes) else text.encode())

    return make


def ids(paths, options=None):
    return [r.run_id if not isinstance(r, ReadFailure) else f"!{r.reason}" for r in read_runs(paths, options)]


def test_ids_are_paths_relative_to_the_root(tree, tmp_path):
    tree({"logs/run_2/metrics.csv": CSV, "logs/run_10/metrics.csv": CSV, "logs/a.csv": CSV})
    assert ids(["logs"]) == ["a.csv", "run_2/metrics.csv", "run_10/metrics.csv"]
    assert ids([tmp_path / "logs"]) == ["a.csv", "run_2/metrics.csv", "run_10/metrics.csv"]
    assert ids(["logs/a.csv"]) == ["logs/a.csv"]
    assert ids([tmp_path / "logs" / "a.csv"]) == ["a.csv"]
    (run,) = read_file("logs/a.csv")
    assert (run.path, run.format) == ("logs/a.csv", "csv")


def test_what_is_no_log_is_passed_over_in_a_folder_but_not_when_named(tree):
    tree(
        {
            "logs/run.csv": CSV,
            "logs/data.csv": "name,age\nbob,3\n",
            "logs/junk.csv": b"\x00\xff" * 99,
            "logs/empty.csv": b"",
            "logs/config.json": json.dumps({"lr": 0.1, "layers": [1, 2]}),
            "logs/readme.md": "# hello\n\nworld, and more\n",
            "logs/.git/x.csv": CSV,
        }
    )
    assert ids(["logs"]) == ["!logs/empty.csv: the file is empty", "run.csv"]
    failures = list(
        read_runs([f"logs/{name}" for name in ("data.csv", "junk.csv", "empty.csv", "config.json", "readme.md")])
    )
    assert [f.path for f in failures if isinstance(f, ReadFailure)] == [
        "logs/data.csv", "logs/junk.csv", "logs/empty.csv", "logs/config.json", "logs/readme.md",
    ]  # fmt: skip
    assert failures[0].reason == "logs/data.csv: no loss column; found 'age'; name it with --train-loss"


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_the_output_of_an_earlier_scan_is_no_log(tree, tmp_path, suffix):
    tree({"logs/run.csv": CSV})
    rows = [row(diagnosis(overfit_run())), row(diagnosis(overfit_run())), error_row("a.csv", "csv", "broken")]
    write_rows(rows, tmp_path / f"logs/out{suffix}")
    assert ids(["logs"]) == ["run.csv"]


def test_a_log_without_a_loss_is_reported_even_in_a_folder(tree):
    tree({"logs/run.csv": "step,acc\n1,2\n2,3\n", "logs/good.csv": CSV})
    reason = "no loss column; found only metrics or rewards, 'acc'; log a loss, too"
    assert ids(["logs"]) == ["good.csv", f"!logs/run.csv: {reason}"]
    assert ids(["logs"], ReadOptions(train_loss="acc|loss")) == ["good.csv", "run.csv"]


def test_a_bad_run_in_a_file_is_one_failure(tree):
    tree({"runs.jsonl": '{"id": "a", "train_loss": [2, 1]}\n{"id": "b", "acc": [1, 2]}\n'})
    good, bad = list(read_runs(["runs.jsonl"]))
    assert good.run_id == "runs.jsonl#a"
    assert bad == ReadFailure(
        "runs.jsonl", "jsonl", "runs.jsonl#b: no loss column; found only metrics or rewards, 'acc'; log a loss, too"
    )


def test_missing_paths_and_empty_folders_are_failures(tree):
    tree({"empty/readme.md": "nothing"})
    assert list(read_runs(["nowhere", "empty"])) == [
        ReadFailure("nowhere", "", "nowhere: no such file or folder"),
        ReadFailure("empty", "", "empty: no run in this folder", empty=True),
    ]
    with pytest.raises(LogError, match="nowhere: no such file or folder"):
        read_file("nowhere")


def test_a_file_nobody_may_read_is_reported_even_in_a_folder(tree, monkeypatch):
    tree({"logs/good.csv": CSV, "logs/locked.csv": CSV, "logs/readme.md": "# hello\n"})

    def refusing(path, *arguments, **options):
        if str(path).endswith("locked.csv"):
            raise PermissionError(13, "Permission denied", path)
        return open(path, *arguments, **options)

    monkeypatch.setattr("curveclinic.readers.source.open", refusing, raising=False)
    assert ids(["logs"]) == ["good.csv", "!logs/locked.csv: Permission denied"]


def test_a_path_nobody_may_look_at_is_unreadable_not_missing(tree, monkeypatch):
    tree({"logs/a.csv": CSV})
    looked = os.stat

    def refusing(path, *arguments, **options):
        if str(path).startswith("locked"):
            raise PermissionError(13, "Permission denied", path)
        return looked(path, *arguments, **options)

    monkeypatch.setattr("curveclinic.readers.discovery.os.stat", refusing)
    assert [exists(path) for path in ("logs", "logs/a.csv", "locked/a.csv", "missing", "a\0b")] == [
        True, True, True, False, False,
    ]  # fmt: skip


def test_a_file_that_has_gone_is_passed_over(tree):
    tree({"logs/a.csv": CSV, "logs/b.csv": CSV})
    _, source = find_sources("logs")
    os.remove("logs/b.csv")
    assert list(read_sources([source])) == []


def trainer_state(last):
    rows = [{"step": s, "loss": 1.0 / s} for s in range(10, last + 1, 10)]
    return json.dumps({"best_model_checkpoint": None, "log_history": rows})


def test_only_the_newest_checkpoint_is_read(tree):
    tree({f"out/checkpoint-{n}/trainer_state.json": trainer_state(n) for n in (90, 200, 1000)})
    (run,) = list(read_runs(["out"]))
    assert (run.run_id, run.n_points) == ("checkpoint-1000/trainer_state.json", 100)
    tree({"out/trainer_state.json": trainer_state(1100)})
    assert ids(["out"]) == ["trainer_state.json"]


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("left", [0, 0.5, -1, "row", "zeros"])
def test_a_newest_checkpoint_that_is_torn_hides_no_sound_one(tree, indent, left):
    states = {n: json.dumps(json.loads(trainer_state(n)), indent=indent) + "\n" for n in (90, 100, 200)}
    whole = states[200].rstrip()
    torn = {"row": whole[: whole.rindex("}", 0, -1) + 1], "zeros": whole[:50] + "\0" * 300}
    states[200] = torn.get(left) or whole[: left if left == -1 else int(left * len(whole))]
    tree({f"out/checkpoint-{n}/trainer_state.json": text for n, text in states.items()})
    (run,) = read_runs(["out"])
    assert (run.run_id, run.n_points) == ("checkpoint-100/trainer_state.json", 10)
    reason = "read because what is newer is cut off or damaged: checkpoint-200/trainer_state.json"
    assert run.notes[-1] == reason
    tree({"out/trainer_state.json": trainer_state(1100)})
    assert ids(["out"]) == ["trainer_state.json"]
    tree({"out/trainer_state.json": trainer_state(1100)[:-9]})
    (run,) = read_runs(["out"])
    assert run.run_id == "checkpoint-100/trainer_state.json"
    assert "trainer_state.json, checkpoint-200/trainer_state.json" in run.notes[-1]


def test_a_torn_trainer_state_without_a_sound_one_gives_what_is_whole(tree):
    tree({"out/checkpoint-90/trainer_state.json": trainer_state(90)[:-9]})
    (run,) = read_runs(["out"])
    assert "cut short" in run.notes[0]


def test_an_outdated_checkpoint_named_by_the_user_is_read(tree):
    tree({f"out/checkpoint-{n}/trainer_state.json": trainer_state(n) for n in (90, 200)})
    assert ids(["out/checkpoint-90"]) == ["trainer_state.json"]
    assert ids(["out/checkpoint-90/trainer_state.json"]) == ["out/checkpoint-90/trainer_state.json"]


LOGGED = {"train/loss": [0.1 * k for k in (9, 7, 5, 4)], "val/loss": [0.1 * k for k in (10, 8, 7, 9)]}


def written(folder, series=LOGGED):
    writer = SummaryWriter(folder)
    for tag, values in series.items():
        for step, value in enumerate(values):
            writer.add_scalar(tag, value, step)
    writer.close()


def rows_of(series):
    return [dict(zip(("step", *series), row, strict=True)) for row in zip(range(4), *series.values(), strict=True)]


def table(series=LOGGED):
    rows = [("step", *series), *(row.values() for row in rows_of(series))]
    return "".join(",".join(map(str, row)) + "\n" for row in rows)


def test_a_run_logged_by_several_writers_counts_once(tree):
    written("logs/ray")
    written("logs/version_0")
    written("logs/version_3")
    written("logs/hf/runs/Nov29_vm")
    state = {"best_model_checkpoint": None, "log_history": rows_of(LOGGED)}
    tree(
        {
            "logs/ray/result.json": "".join(json.dumps(row) + "\n" for row in rows_of(LOGGED)),
            "logs/ray/progress.csv": table(),
            "logs/version_1/metrics.csv": table(),
            "logs/version_2/metrics.csv": table(),
            "logs/hf/checkpoint-9/trainer_state.json": json.dumps(state),
        }
    )
    assert ids(["logs"]) == ["hf/checkpoint-9/trainer_state.json", "ray", "version_0", "version_2/metrics.csv"]
    assert ids(["logs/hf/runs", "logs/version_1"]) == ["Nov29_vm", "metrics.csv"]
    assert ids(["logs/ray/progress.csv", "logs/ray"])[0] == "logs/ray/progress.csv"


def test_what_another_writer_did_not_log_is_no_copy(tree):
    other = {**LOGGED, "val/loss": [1.0, 0.8, 0.7, 0.8]}
    longer = {name: [*values, 0.3] for name, values in LOGGED.items()}
    for name, series in (("other", other), ("metric", {**LOGGED, "val/acc": [0.1, 0.2, 0.3, 0.4]}), ("long", longer)):
        written(f"logs/{name}", series)
        tree({f"logs/{name}/metrics.csv": table()})
    assert ids(["logs"]) == ["long", "metric", "other", "other/metrics.csv"]
    tree({"logs/long/metrics.csv": table({**LOGGED, "lr": [0.1] * 4})})
    assert ids(["logs/long"]) == ["long", "metrics.csv"]


def seeds(*epochs):
    losses = [0.9, 0.8, 0.7, 0.6, 0.5, 0.5, 0.5, 0.5]
    rows = [f"{seed},{k},{losses[k]}\n" for seed, n in enumerate(epochs) for k in range(n)]
    return "seed,epoch,train_loss\n" + "".join(rows)


def test_equal_runs_of_one_file_are_no_copies(tree):
    tree({"logs/a/metrics.csv": seeds(8, 8), "logs/a/result.json": '{"best_acc": 0.9}'})
    tree({"logs/b/progress.csv": seeds(8, 5), "logs/b/metrics.csv": table()})
    assert ids(["logs"]) == [
        "a/metrics.csv#0", "a/metrics.csv#1", "b/progress.csv#0", "b/progress.csv#1", "b/metrics.csv",
    ]  # fmt: skip


def test_a_run_that_stopped_early_is_no_copy_of_a_stranger_that_went_on(tree):
    longer = {name: [*values, 0.3] for name, values in LOGGED.items()}
    flat = {"train/loss": [0.5] * 4}
    written("logs/v/version_0", longer)
    written("logs/flat", flat)
    tree({"logs/v/version_1/metrics.csv": table(), "logs/flat/metrics.csv": table(flat)})
    tree({"logs/x/progress.csv": table(), "logs/x/metrics.csv": table().rpartition("3,")[0]})
    assert ids(["logs"]) == [
        "flat", "flat/metrics.csv", "v/version_0", "v/version_1/metrics.csv", "x/progress.csv", "x/metrics.csv",
    ]  # fmt: skip


def test_many_runs_in_two_files_are_not_compared_in_pairs(tree, monkeypatch):
    monkeypatch.setattr(copies, "_is_within", None)
    rows = [f"r{k},{step},{1 / (k + step + 1)}\n" for k in range(300) for step in range(4)]
    text = "run_id,epoch,train_loss\n" + "".join(rows)
    tree({"logs/progress.csv": text, "logs/metrics.csv": text.replace("0.", "1.")})
    assert len(ids(["logs"])) == 600


SWEEP = [{"run": f"r{k}", "lr": 0.1, "train_loss": 0.3, "val_loss": 0.4} for k in range(4)]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("config.json", '{"lr": 0.1, "batch_size": 32}'),
        ("metrics.json", '{"loss": 0.3, "accuracy": 0.9}'),
        ("metrics.jsonl", '{"loss": 0.3, "accuracy": 0.9}\n'),
        ("wandb-summary.json", '{"_step": 29, "train/loss": 0.1, "_runtime": 3.2}'),
        ("feature_importance_weight.json", '{"f0": 1.0, "f1": 2.0}'),
        ("cv_results.csv", "fold,train_loss,val_loss\n0,0.3,0.4\n1,0.3,0.4\n2,0.3,0.4\n"),
        ("sweep.jsonl", "".join(json.dumps(row) + "\n" for row in SWEEP)),
        ("sweep.json", json.dumps(SWEEP)),
    ],
)
def test_settings_and_results_are_no_logs(tree, name, text):
    tree({f"logs/{name}": text, "logs/good.csv": CSV})
    assert ids(["logs"]) == ["good.csv"]
    assert [type(item) for item in read_runs([f"logs/{name}"])] == [ReadFailure]


def test_a_log_of_one_line_so_far_is_a_run(tree):
    tree({"logs/log.jsonl": '{"epoch": 0, "train_loss": 2.3}\n'})
    assert ids(["logs"]) == ["log.jsonl"]


CATBOOST = {
    "meta": {"learn_sets": ["learn"], "learn_metrics": [{"name": "Logloss", "best_value": "Min"}],
             "test_sets": ["test", "test1"], "test_metrics": [{"name": "Logloss", "best_value": "Min"}]},
    "iterations": [
        {"learn": [0.6 / k], "iteration": k - 1, "passed_time": k, "test1": [0.9], "test": [0.7 / k]} for k in (1, 2, 3)
    ],
}  # fmt: skip


def test_a_training_of_catboost_counts_once(tree):
    tables = {
        "learn_error.tsv": "iter\tLogloss\n0\t0.6\n1\t0.3\n2\t0.2\n",
        "test_error.tsv": "iter\tLogloss\n0\t0.7\n1\t0.35\n2\t0.2\n",
        "time_left.tsv": "iter\tPassed\tRemaining\n0\t49\t73\n1\t50\t72\n",
        "mine/a.csv": CSV,
    }
    for name in ("learn", "test", "test1"):
        written(f"catboost_info/{name}", {"Logloss": [0.6, 0.3, 0.2]})
    tree({"catboost_info/catboost_training.json": json.dumps(CATBOOST)})
    tree({f"catboost_info/{name}": text for name, text in tables.items()})
    run, other = read_runs(["catboost_info"])
    assert (run.run_id, other.run_id) == ("catboost_training.json", "mine/a.csv")
    assert run.channels["train_loss"].values.tolist() == [0.6, 0.3, 0.6 / 3]
    assert run.channels["val_loss"].values.tolist() == [0.7, 0.35, 0.7 / 3]
    assert run.channels["train_loss"].steps.tolist() == [0, 1, 2]
    tree({"catboost_info/test/mine.csv": CSV})
    assert "test/mine.csv" in ids(["catboost_info"])
    tree({"catboost_info/catboost_training.json": ""})
    assert "learn_error.tsv" in ids(["catboost_info"])


@pytest.mark.parametrize("rows", ["", "]}", '{"learn": [0.6', '{"learn": [0.6], "iter'])
def test_of_a_training_of_catboost_without_a_row_yet_the_rest_is_read(tree, rows):
    for name in ("learn", "test"):
        written(f"catboost_info/{name}", {"Logloss": [0.6, 0.3, 0.2]})
    head = json.dumps({"meta": CATBOOST["meta"], "iterations": []})[:-2]
    tree({"catboost_info/catboost_training.json": head + rows})
    tree({"catboost_info/learn_error.tsv": "iter\tLogloss\n0\t0.6\n1\t0.3\n"})
    assert ids(["catboost_info"]) == ["catboost_info", "learn_error.tsv"]
    (run,) = read_file("catboost_info")
    assert run.channels["train_loss"].steps.tolist() == [0, 1, 2]


def test_of_a_torn_training_of_catboost_the_whole_rows_are_read(tree):
    text = json.dumps(CATBOOST)
    tree({"catboost_info/catboost_training.json": text[: text.index('"iteration": 2')]})
    tree({"catboost_info/learn_error.tsv": "iter\tLogloss\n0\t0.6\n1\t0.3\n"})
    for run in (*read_runs(["catboost_info"]), *read_file("catboost_info")):
        assert run.path == "catboost_info/catboost_training.json"
        assert run.channels["train_loss"].values.tolist() == [0.6, 0.3]


def test_symbolic_link_loops_end(tree):
    tree({"logs/a/run.csv": CSV})
    os.symlink("..", "logs/a/up")
    os.symlink("missing", "logs/a/dangling.csv")
    assert ids(["logs"]) == ["a/run.csv"]


def test_paths_that_overlap_give_each_run_once(tree, tmp_path):
    tree({"logs/a.csv": CSV, "logs/b/c.csv": CSV, "empty/readme.md": "nothing"})
    os.symlink("logs", "link")
    assert ids(["logs", "logs/a.csv", tmp_path / "logs" / "b", "link", "./logs"]) == ["a.csv", "b/c.csv"]
    assert ids(["logs/b/c.csv", "link/b", "empty"]) == ["logs/b/c.csv", "!empty: no run in this folder"]
    assert ids(["missing", "./missing"]) == ["!missing: no such file or folder"]


def test_a_folder_of_event_files_and_its_only_file_are_one_run(tree):
    (file,) = (Path(__file__).parents[1] / "examples" / "digits-unshuffled").glob("*tfevents*")
    tree({f"logs/{file.name}": file.read_bytes()})
    assert len(ids(["logs", f"logs/{file.name}"])) == 1


def test_a_pipe_is_read_by_content():
    (run,) = read_stdin(CSV.encode())
    assert (run.run_id, run.path, run.channels["train_loss"].values.tolist()) == ("-", "-", [2, 1])
    (run,) = read_stdin(b'{"loss": [3, 2]}')
    assert run.format == "keras_history"
    with pytest.raises(LogError, match="-: the file is empty"):
        read_stdin(b"")


def test_sources_can_be_read_elsewhere(tree):
    import pickle

    tree({"logs/a.csv": CSV})
    (source,) = find_sources("logs")
    assert read_source(pickle.loads(pickle.dumps(source)))[0].run_id == "a.csv"


def test_a_file_too_large_says_so(tree, monkeypatch):
    tree({"a.csv": CSV})
    monkeypatch.setattr("curveclinic.readers.source.MAX_BYTES", 5)
    with pytest.raises(LogError, match=r"a\.csv: 0 MB, expected at most 0 MB in this format"):
        read_file("a.csv")


@pytest.mark.parametrize(("pack", "end"), [(bytes, ""), (gzip.compress, ".gz")])
def test_of_files_too_large_only_those_that_begin_as_a_log_are_told_in_a_folder(tree, tmp_path, monkeypatch, pack, end):
    values = [f"{k},{v:.5f}" for k, v in enumerate(np.random.default_rng(0).random(3000))]
    rows = "".join(f"{value}\n" for value in values)
    logs = {"a.csv": f"step,loss\n{rows}", "no_numbers.csv": f"step,loss\n{rows}".replace("0.", "x")}
    data = {"b.csv": f"id,age\n{rows}", "boxes.json": '{"images": [' + "".join(f"[{v}], " for v in values) + "[]]}"}
    tree({f"{name}{end}": pack(text.encode()) for name, text in (logs | data).items()})
    for place in ("source.MAX_BYTES", "compressed.MAX_BYTES"):
        monkeypatch.setattr(f"curveclinic.readers.{place}", 30_000)
    monkeypatch.setattr("curveclinic.readers._BEGINNING_BYTES", 4000)
    told = [item for item in read_runs([tmp_path]) if isinstance(item, ReadFailure)]
    assert {Path(item.path).name for item in told} == {f"{name}{end}" for name in logs}
    assert all("0 MB" in item.reason for item in told)
    with pytest.raises(LogError, match="0 MB"):
        read_file(f"b.csv{end}")


def test_formats_have_names_of_their_own():
    names = [f.name for f in FORMATS]
    assert len(set(names)) == len(names)
    assert {"parquet", "tensorboard", "jsonl", "trainer_state", "keras_history", "csv"} <= set(names)
    assert {
        "neptune",
        "mlflow",
        "mlflow_db",
        "trackio",
        "dvclive",
        "wandb",
        "wandb_export",
        "tensorboard_csv",
        "ludwig",
    } <= set(names)


def test_random_bytes_are_refused_or_read_but_never_break(tmp_path):
    import numpy as np

    rng = np.random.default_rng(0)
    path = tmp_path / "x"
    starts = (
        *(b"", b"{", b"[", b"epoch,loss\n", b"PAR1", b'{"log_history": [', b'{"a": 1}\n{', b"\xff\xfe"),
        *(b":W&B\xe1\xbe\x00", b"SQLite format 3\0", b"Step,a - loss\n", b'{"training": {"combined": {"loss": ['),
    )
    for _ in range(30):
        for start in starts:
            path.write_bytes(start + bytes(rng.integers(0, 256, 200, dtype=np.uint8)))
            assert all(isinstance(r, ReadFailure) or r.n_points for r in read_runs([path]))


def test_what_a_training_left_empty_or_damaged_is_a_failure(tree):
    tree(
        {
            "logs/a/metrics.csv": b"",
            "logs/b/log.csv": "epoch,loss,val_loss\n",
            "logs/c/run-x.wandb": b"\x00\xff" * 99,
            "logs/run-2024-y/run-y.wandb": b"",
            "logs/d/begun.txt": "step\tloss\n",
            "logs/data/people.csv": "name,age\n",
            "logs/config.yaml": "lr: 0.1\n",
            "logs/notes.txt": "the loss is bad, but the lr is good\n",
            "logs/requirements.txt": "rouge-score\n",
            "logs/err.log": b"",
        }
    )
    assert ids(["logs"]) == [
        "!logs/a/metrics.csv: the file is empty",
        "!logs/b/log.csv: no numbers in 0 rows; expected columns such as 'step', 'train_loss', 'val_loss'",
        "!logs/c/run-x.wandb: found no log of W&B, which its name promises; the file is damaged",
        "!logs/d/begun.txt: no numbers in 0 rows; expected columns such as 'step', 'train_loss', 'val_loss'",
        "!logs/run-2024-y/run-y.wandb: the file is empty",
    ]


def test_a_single_path_is_no_list_of_its_letters(tree, tmp_path):
    tree({"runs/a.csv": CSV, "runs/b.csv": CSV, "r": "", "u": "", "n": "", "s": ""})
    for path in ("runs", tmp_path / "runs", ["runs"]):
        assert [item.run_id for item in read_runs(path)] == ["a.csv", "b.csv"]


def test_a_search_lists_each_folder_once(tree, monkeypatch):
    event = b"no records"
    for run in ("a/version_0", "a/version_1", "b/train", "b/validation", "hf/checkpoint-5", "hf/runs/now", "w/run-1-x"):
        tree({f"{run}/metrics.csv": CSV, f"{run}/events.out.tfevents.1": event, f"{run}/trainer_state.json": "{}"})
    listed, scandir = [], os.scandir
    monkeypatch.setattr(os, "scandir", lambda path: listed.append(os.path.normpath(path)) or scandir(path))
    assert len(list(find_sources("."))) > 7
    assert len(listed) == len(set(listed)) == 13


def test_a_search_lists_each_of_many_checkpoints_once(tree, monkeypatch):
    state = json.dumps({"log_history": [{"step": k, "loss": 1 / k} for k in range(1, 9)]})
    n_checkpoints = 100
    tree({f"run/checkpoint-{k}/trainer_state.json": state for k in range(n_checkpoints)})
    listed, scandir = [], os.scandir
    monkeypatch.setattr(os, "scandir", lambda path: listed.append(path) or scandir(path))
    assert ids(["run"]) == ["checkpoint-99/trainer_state.json"]
    assert len(listed) == n_checkpoints + 1


@pytest.mark.parametrize("suffix", [".json", ".jsonl", ".csv"])
@pytest.mark.parametrize("row", [{"id": 1, "score": 0.5}, {"image": 7, "precision": 0.9, "lr": 0.1}])
def test_rows_of_data_with_a_score_are_passed_over_in_a_folder(tree, suffix, row):
    lines = [json.dumps(row)] * 9
    texts = {
        ".json": f"[{','.join(lines)}]",
        ".jsonl": "\n".join(lines) + "\n",
        ".csv": ",".join(row) + "\n" + (",".join(map(str, row.values())) + "\n") * 9,
    }
    tree({"logs/run.csv": CSV, f"logs/data{suffix}": texts[suffix]})
    assert ids(["logs"]) == ["run.csv"]
    (failure,) = read_runs([f"logs/data{suffix}"])
    assert isinstance(failure, ReadFailure)
    assert "no loss column" in failure.reason
