import io
import json
import os
import subprocess
import sys
import warnings
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from archive_cases import write_log
from output_cases import HOSTILE, diagnosis, finding, overfit_run
from reference_rows import row

from curveclinic import __version__, chunks
from curveclinic.archive import tables, units
from curveclinic.causes import CAUSES
from curveclinic.cli import main
from curveclinic.commands import archives, inputs, runs
from curveclinic.errors import LogError
from curveclinic.labels import LABELS
from curveclinic.readers import ReadFailure, ReadOptions
from curveclinic.run import Run
from curveclinic.scoring import SEVERITIES_COLUMN, scored_schema
from curveclinic.symptoms import SYMPTOMS


def ill(path, run_id="ill"):
    return overfit_run(run_id=run_id, path=str(path))


def well(path, run_id="well"):
    return Run.from_arrays({"train_loss": [3.0, 2.0, 1.0]}, run_id=run_id, path=str(path), format="csv")


def broken(path):
    return ReadFailure(str(path), "csv", "found no header")


@pytest.fixture
def logs(tmp_path, monkeypatch):
    """A folder of empty files, and a reader and a judge that know what is in them."""
    for name in ("ill.csv", "well.csv", "broken.csv"):
        (tmp_path / name).touch()
    (tmp_path / "empty").mkdir()
    content = {"ill.csv": ill, "well.csv": well, "broken.csv": broken}

    def read(paths, options):
        assert isinstance(options, ReadOptions)
        for path in map(Path, paths):
            files = sorted(path.iterdir()) if path.is_dir() else [path]
            yield from [content[file.name](file) for file in files if file.name in content] or [
                ReadFailure(str(path), "", f"{path}: no run in this folder", empty=True)
            ]

    def read_one(source, options):
        path = Path(source.path)
        return [content[path.name](path)]

    monkeypatch.setattr(runs, "read_runs", read)
    monkeypatch.setattr(runs, "predict_runs", judge)
    monkeypatch.setattr(units, "runs_or_failure", read_one)
    monkeypatch.setattr(tables, "score_runs", judge_rows)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def judge(runs):
    return [diagnosis(r, finding()) if r.run_id.startswith("ill") else diagnosis(r) for r in runs]


def judge_rows(runs, *, severities=True, fast=False):
    rows = [row(d) | {SEVERITIES_COLUMN: [f.severity for f in d.findings]} for d in judge(runs)]
    return pa.Table.from_pylist(rows, schema=scored_schema())


def test_version(capsys):
    with pytest.raises(SystemExit, match="0"):
        main(["--version"])
    assert capsys.readouterr().out == f"curveclinic {__version__}\n"


def test_diagnose(logs, capsys):
    assert main(["diagnose", "ill.csv", "well.csv"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    lines = out.splitlines()
    assert lines[0] == "ill (ill.csv): overfitting"
    assert "  overfitting, severe, p=0.97, from step 30 on (network; rule agrees)" in lines
    assert lines.count("well (well.csv): healthy") == 1
    assert "\x1b" not in out


def test_verbose_names_channels_and_notes(logs, capsys, monkeypatch):
    run = Run.from_arrays({"train_loss": ([1, 1, 2], [3.0, 2.0, 1.0])}, notes=["'loss' read as train_loss"])
    monkeypatch.setattr(runs, "read_runs", lambda paths, options: iter([run]))
    assert main(["diagnose", "ill.csv", "-v"]) == 0
    out = capsys.readouterr().out
    assert "  channels: train_loss (2 points)\n" in out
    assert "  note: 'loss' read as train_loss\n" in out
    said = "note: train_loss: repeated steps, the last value of a step is kept: 1 of 3 points are left out"
    assert said in " ".join(out.split())


def test_what_verbose_tells_is_wrapped(logs, capsys, monkeypatch):
    names = [f"grad_norm/layer_{k}" for k in range(20)]
    run = Run.from_arrays({name: [3.0, 2.0, 1.0] for name in ("train_loss", *names)})
    monkeypatch.setattr(runs, "read_runs", lambda paths, options: iter([run]))
    monkeypatch.setenv("COLUMNS", "80")
    assert main(["diagnose", "ill.csv", "-v"]) == 0
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= 80
    assert all(f"{name} (3 points)" in " ".join(out.split()) for name in names)


def test_json_of_one_run_is_an_object(logs, capsys):
    assert main(["diagnose", "--json", "ill.csv"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["labels"] == ["overfitting"]
    assert (data["schema_version"], data["status"], data["path"], data["run_id"]) == (1, "ok", "ill.csv", "ill")


def test_json_of_several_runs_is_an_array_that_names_failures(logs, capsys):
    assert main(["diagnose", "--json", "."]) == 3
    out, err = capsys.readouterr()
    data = json.loads(out)
    assert [(d["status"], os.path.basename(d["path"])) for d in data] == [
        ("error", "broken.csv"), ("ok", "ill.csv"), ("ok", "well.csv"),
    ]  # fmt: skip
    assert data[0]["message"] == "found no header"
    assert err == "curveclinic: broken.csv: found no header\n"


def test_json_holds_no_nan(logs, capsys, monkeypatch):
    bad = finding(onset=float("nan"), end=float("inf"))
    monkeypatch.setattr(runs, "predict_runs", lambda runs: [diagnosis(r, bad) for r in runs])
    assert main(["diagnose", "--json", "ill.csv"]) == 0
    out = capsys.readouterr().out
    assert "NaN" not in out
    assert "Infinity" not in out
    assert json.loads(out)["findings"][0]["onset"] is None


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["ill.csv"], 0),
        (["ill.csv", "--fail-on", "divergence"], 0),
        (["ill.csv", "--fail-on", "divergence,overfitting"], 1),
        (["ill.csv", "--fail-on", "overfitting:severe"], 1),
        (["ill.csv", "--fail-on", "overfitting", "--fail-on", "divergence"], 1),
        (["ill.csv", "--fail-on", "divergence", "--fail-on", "overfitting"], 1),
        (["well.csv", "--fail-on", "overfitting"], 0),
        (["broken.csv"], 3),
        (["well.csv", "broken.csv"], 3),
        (["ill.csv", "broken.csv", "--fail-on", "overfitting"], 1),
        (["missing.csv"], 2),
        (["well.csv", "missing.csv"], 2),
        (["empty"], 2),
        (["well.csv", "empty"], 2),
        (["broken.csv", "empty"], 2),
        (["ill.csv", "empty", "--fail-on", "overfitting"], 1),
        (["."], 3),
    ],
)
@pytest.mark.parametrize("command", [["diagnose"], ["diagnose", "--json"], ["scan", "-o", "out.csv"]])
def test_exit_codes(logs, command, arguments, code):
    assert main([command[0], *arguments, *command[1:]]) == code


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["diagnose"],
        ["scan", "ill.csv"],
        ["diagnose", "ill.csv", "--fail-on", "overfiting"],
        ["diagnose", "ill.csv", "--num-classes", "1"],
        ["diagnose", "ill.csv", "--num-classes", "x"],
        ["diagnose", "ill.csv", "--metric-goal", "up"],
    ],
)
def test_usage_errors(logs, arguments, capsys):
    with pytest.raises(SystemExit) as error:
        main(arguments)
    assert error.value.code == 2
    assert capsys.readouterr().out == ""


def test_error_messages_say_what_to_do(logs, capsys):
    main(["diagnose", "missing.csv"])
    main(["diagnose", "empty"])
    main(["scan", "ill.csv", "-o", "out.xlsx"])
    assert capsys.readouterr().err.splitlines() == [
        "curveclinic: missing.csv: no such file or folder",
        "curveclinic: empty: no run found; expected logs of training runs",
        "curveclinic: out.xlsx: unknown suffix '.xlsx'; expected .parquet, .csv or .jsonl",
    ]
    with pytest.raises(SystemExit):
        main(["diagnose", "ill.csv", "--fail-on", "overfiting"])
    assert "unknown label 'overfiting'; did you mean overfitting?" in capsys.readouterr().err


def test_options_reach_the_reader(logs, monkeypatch):
    seen = []
    monkeypatch.setattr(runs, "read_runs", lambda paths, options: seen.append((paths, options)) or iter(()))
    arguments = ["--train-loss", "a", "--val-loss", "b", "--step", "c", "--num-classes", "10", "--metric-goal", "min"]
    main(["diagnose", "ill.csv", *arguments])
    told = ReadOptions(train_loss="a", val_loss="b", step="c", num_classes=10, metric_goal="min")
    assert seen == [(["ill.csv"], told)]


def test_scan_writes_rows_and_a_summary(logs, capsys):
    assert main(["scan", ".", "-o", "out.parquet"]) == 3
    rows = pq.read_table("out.parquet").to_pylist()
    assert [(r["run_id"], r["status"], r["verdict"], r["primary"]) for r in rows] == [
        ("", "error", None, None),
        ("ill", "ok", "findings", "overfitting"),
        ("well", "ok", "healthy", "healthy"),
    ]
    out, err = capsys.readouterr()
    assert out.splitlines() == [
        "2 runs: 1 healthy, 1 with findings, 0 undetermined; 1 unreadable",
        "",
        "label                         runs     share    severe      mild    notice",
        "overfitting                      1     50.0%         1         0         0",
        "",
        "3 rows written to out.parquet",
    ]
    assert err == "curveclinic: broken.csv: found no header\n"


def test_scan_of_nothing_writes_nothing(logs):
    assert main(["scan", "empty", "-o", "out.csv"]) == 2
    assert not Path("out.csv").exists()


def test_scan_judges_in_bounded_chunks(logs, monkeypatch):
    sizes = []
    monkeypatch.setattr(chunks, "CHUNK_RUNS", 3)
    monkeypatch.setattr(units, "runs_or_failure", lambda source, options: [well("ill.csv") for _ in range(8)])
    monkeypatch.setattr(tables, "score_runs", lambda runs, **_: sizes.append(len(runs)) or judge_rows(runs))
    assert main(["scan", "ill.csv", "-o", "out.csv"]) == 0
    monkeypatch.setattr(chunks, "CHUNK_POINTS", 6)  # two runs of three points
    assert main(["scan", "ill.csv", "-o", "out.csv", "--fresh"]) == 0
    assert sizes == [3, 3, 2, 2, 2, 2, 2]


class Stdin:
    def __init__(self, data):
        self.buffer = io.BytesIO(data)


def test_stdin(logs, monkeypatch, capsys):
    monkeypatch.setattr(sys, "stdin", Stdin(b"step,loss"))
    monkeypatch.setattr(inputs, "read_stdin", lambda data, options: [ill("-")] if data == b"step,loss" else [])
    monkeypatch.setattr(runs, "read_runs", lambda paths, options: iter([ill(path) for path in paths]))
    assert main(["diagnose", "-", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["labels"] == ["overfitting"]
    assert main(["diagnose", "-"]) == 2  # nothing left to read
    assert "-: no run found" in capsys.readouterr().err


def test_unreadable_stdin(logs, monkeypatch, capsys):
    def fail(data, options):
        raise LogError("stdin: found no loss column")

    monkeypatch.setattr(sys, "stdin", Stdin(b""))
    monkeypatch.setattr(inputs, "read_stdin", fail)
    assert main(["diagnose", "-"]) == 3
    assert "stdin: found no loss column" in capsys.readouterr().err


def test_hostile_names_stay_text(logs, monkeypatch, capsys):
    items = [overfit_run(run_id=f"ill {HOSTILE}", path="ill.csv"), ReadFailure("\x1b[2J", "", "bad\x1b[31m\ntag")]
    monkeypatch.setattr(runs, "read_runs", lambda paths, options: iter(items))
    monkeypatch.setattr(units, "runs_or_failure", lambda source, options: items)
    assert main(["diagnose", "ill.csv", "-v"]) == 3
    assert main(["diagnose", "ill.csv", "--json"]) == 3
    assert main(["scan", "ill.csv", "-o", "out.csv"]) == 3
    for text in capsys.readouterr():
        assert all(line.isprintable() for line in text.splitlines())
        assert text.isascii() or "⠒" in text


def test_explain(capsys):
    assert main(["explain"]) == 0
    assert [line.split()[1] for line in capsys.readouterr().out.splitlines()] == list(LABELS)
    assert main(["explain", "divergence"]) == 0
    by_name = capsys.readouterr().out
    assert by_name.startswith("CC106 divergence: Divergence\n")
    assert main(["explain", "cc106"]) == 0
    assert capsys.readouterr().out == by_name
    assert main(["explain", "leak"]) == 0
    assert capsys.readouterr().out.startswith("leak: validation samples in the training set\n")
    assert main(["explain", "causes"]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == list(CAUSES)


@pytest.mark.parametrize(
    ("text", "name"),
    [("Overfitting", "overfitting"), ("loss-spikes", "loss_spikes"), ("cC101", "overfitting"),
     ("Model-Too-Large", "model_too_large"), ("label noise", "label_noise"), ("LEAK", "leak"), ("Causes", "causes")],
)  # fmt: skip
def test_explain_takes_a_name_however_it_is_written(capsys, text, name):
    assert main(["explain", name]) == 0
    exact = capsys.readouterr().out
    assert main(["explain", text]) == 0
    assert capsys.readouterr().out == exact


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("divergense", "unknown label or cause 'divergense'; did you mean divergence?"),
        ("model_too_larg", "unknown label or cause 'model_too_larg'; did you mean model_too_large?"),
        ("MODEL-TOO-LARG", "unknown label or cause 'MODEL-TOO-LARG'; did you mean model_too_large?"),
        ("qqqq", "unknown label or cause 'qqqq'; 'curveclinic explain' lists all labels, "
         "'curveclinic explain causes' all causes"),
    ],
)  # fmt: skip
def test_explain_suggests_labels_and_causes(capsys, text, told):
    assert main(["explain", text]) == 2
    assert capsys.readouterr().err == f"curveclinic: {told}\n"


@pytest.mark.parametrize("columns", [80, 100])
def test_an_explanation_fits_the_terminal(monkeypatch, capsys, columns):
    monkeypatch.setenv("COLUMNS", str(columns))
    for name in ("overfitting", "learning_rate_too_high"):
        assert main(["explain", name]) == 0
        assert columns - 20 < max(map(len, capsys.readouterr().out.splitlines())) <= columns


def test_no_two_things_to_explain_are_written_alike():
    names = [*SYMPTOMS, *(s.code for s in SYMPTOMS.values()), *CAUSES, "causes"]
    assert len({name.casefold().replace("-", "_") for name in names}) == len(names)


def test_interrupt(logs, monkeypatch, capsys):
    def interrupted(runs, **_):
        raise KeyboardInterrupt

    monkeypatch.setattr(tables, "score_runs", interrupted)
    assert main(["scan", "ill.csv", "-o", "out.csv"]) == 130
    assert capsys.readouterr().err == "curveclinic: interrupted\n"
    assert sorted(p.name for p in logs.iterdir()) == ["broken.csv", "empty", "ill.csv", "well.csv"]


def test_bug_is_no_finding(logs, monkeypatch, capsys):
    monkeypatch.setattr(runs, "predict_runs", lambda runs: 1 / 0)
    assert main(["diagnose", "ill.csv", "--fail-on", "overfitting"]) == 70
    assert "ZeroDivisionError" in capsys.readouterr().err


@pytest.mark.filterwarnings("default")
def test_warning_is_one_line(logs, monkeypatch, capsys):
    def warn(runs):
        warnings.warn("no weights", stacklevel=2)
        return judge(runs)

    monkeypatch.setattr(runs, "predict_runs", warn)
    assert main(["diagnose", "ill.csv"]) == 0
    assert capsys.readouterr().err == "curveclinic: warning: no weights\n"


def test_full_disk_is_one_line(logs, monkeypatch, capsys):
    def full(tables, out):
        raise OSError(28, "No space left on device", str(out))

    monkeypatch.setattr(archives, "write_tables", full)
    assert main(["scan", "ill.csv", "-o", "out.csv"]) == 2
    assert capsys.readouterr().err == "curveclinic: [Errno 28] No space left on device: 'out.csv'\n"


def run_cli(*arguments, **kwargs):
    return subprocess.run([sys.executable, "-m", "curveclinic", *arguments], capture_output=True, check=False, **kwargs)


@pytest.fixture
def locked(tmp_path, monkeypatch):
    """A folder that holds a log and cannot be listed."""
    listed = os.scandir

    def refusing(folder):
        if str(folder).endswith("locked"):
            raise PermissionError(13, "Permission denied", str(folder))
        return listed(folder)

    (tmp_path / "locked").mkdir()
    write_log(tmp_path / "log.csv", 1)
    monkeypatch.setattr(os, "scandir", refusing)
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("command", [["diagnose"], ["cohort"], ["scan", "-o", "out.csv"], ["check", "lr-range"]])
def test_a_folder_that_cannot_be_listed_is_unreadable_not_empty(locked, capsys, command):
    assert main([*command, "locked"]) == 3
    assert "curveclinic: locked: Permission denied; this folder is not searched\n" in capsys.readouterr().err
    if command[0] != "check":
        assert main([*command, "log.csv", "locked"]) == 3


def test_closed_pipe_is_quiet():
    # A reader that leaves at once, as `head -0` does.
    code = "import time; time.sleep(.3); from curveclinic.cli import main; raise SystemExit(main(['explain']))"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.close()
        error = process.stderr.read()
    assert (process.returncode, error) == (141, b"")


@pytest.mark.parametrize(
    ("closed", "code"), [("<&-", 0), (">&-", 0), ("2>&-", 0), ("<&- >&- 2>&-", 0), ("<&- -", 3), ("2>&- missing", 2)]
)
@pytest.mark.parametrize("command", ["diagnose", "scan -o out.csv"])
def test_closed_streams_change_no_exit_code(logs, command, closed, code):
    if os.name == "nt":
        pytest.skip("closes streams as a POSIX shell does")
    Path("log.csv").write_text("step,train_loss\n" + "".join(f"{k},{9 / (k + 1)}\n" for k in range(30)))
    line = f'"$0" -X dev -m curveclinic {command} log.csv {closed}'
    done = subprocess.run(["sh", "-c", line, sys.executable], capture_output=True, text=True)
    assert done.returncode == code
    assert "Traceback" not in done.stderr
    assert "Warning" not in done.stderr
    if "2>&-" in closed:  # a complaint never lands among the data
        assert "curveclinic:" not in done.stdout


def test_ascii_stream_gets_ascii():
    done = run_cli("explain", "overfitting", env={**os.environ, "PYTHONIOENCODING": "ascii"})
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.isascii()


def test_explain_loads_no_heavy_library():
    code = (
        "import sys; from curveclinic.cli import main; main(['explain']); "
        "print([m for m in ('rich', 'pyarrow', 'onnxruntime', 'matplotlib', 'torch') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize(("flags", "expected"), [([], False), (["--verify-crc"], True)])
def test_checksums_are_verified_on_request(logs, monkeypatch, flags, expected):
    seen = []

    def read(paths, options):
        seen.append(options.verify_crc)
        return [well(path) for path in paths]

    monkeypatch.setattr(runs, "read_runs", read)
    assert main(["diagnose", "well.csv", *flags]) == 0
    assert seen == [expected]
