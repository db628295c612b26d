import io
import json
import sys

import numpy as np
import pytest

from curveclinic.checks.initial_loss import check_initial_loss
from curveclinic.checks.lr_range import suggest_lr
from curveclinic.checks.small_batch import check_overfit_small_batch
from curveclinic.cli import main

RATES = np.geomspace(1e-7, 10.0, 100)
SWEPT = 2.3 * (1 - 0.5 / (1 + np.exp(-3 * np.log10(RATES / 1e-3)))) + 10 ** (1.5 * np.log10(RATES / 1e-1))
LEARNT = 2.3 * np.exp(-np.arange(100) / 10)


def csv(names, *columns):
    rows = (",".join(repr(float(value)) for value in row) for row in zip(*columns, strict=True))
    return "\n".join([names, *rows]) + "\n"


@pytest.fixture
def logs(tmp_path, monkeypatch):
    (tmp_path / "sweep.csv").write_text(csv("lr,loss", RATES, SWEPT))
    (tmp_path / "flat.csv").write_text(csv("lr,loss", RATES, np.full(100, 2.3)))
    (tmp_path / "learnt.csv").write_text(csv("step,loss,other", np.arange(100), LEARNT, LEARNT + 1))
    (tmp_path / "reversed.csv").write_text(csv("step,loss", np.arange(100)[::-1], LEARNT[::-1]))
    (tmp_path / "falling.csv").write_text(csv("step,loss", np.arange(60), 2.3 * np.exp(-np.arange(60) / 40)))
    (tmp_path / "two.json").write_text(json.dumps([{"loss": [3.0, 2.0, 1.0]}, {"loss": [3.0, 2.0, 1.0]}]))
    (tmp_path / "broken.csv").write_text("nothing that could be a log\n")
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["lr-range", "sweep.csv"], 0),
        (["lr-range", "flat.csv"], 1),
        (["lr-range", "learnt.csv"], 2),
        (["lr-range", "missing.csv"], 2),
        (["lr-range", "empty"], 2),
        (["lr-range", "."], 2),
        (["lr-range", "two.json"], 2),
        (["lr-range", "broken.csv"], 3),
        (["initial-loss", "2.31", "--num-classes", "10"], 0),
        (["initial-loss", "0.7", "--loss", "binary"], 0),
        (["initial-loss", "-0.1", "--num-classes", "10"], 1),
        (["initial-loss", "nan", "--num-classes", "10"], 1),
        (["initial-loss", "2.31"], 2),
        (["initial-loss", "2.31", "--loss", "mse", "--target-variance", "-1"], 2),
        (["initial-loss", "-1e-3", "--num-classes", "10"], 1),
        (["initial-loss", "--num-classes", "10", "-1E-3"], 1),
        (["initial-loss", "-1.", "--num-classes", "10"], 1),
        (["initial-loss", "-inf", "--num-classes", "10"], 1),
        (["initial-loss", "-nan", "--num-classes", "10"], 1),
        (["initial-loss", "1", "--loss", "mse", "--target-variance", "-1e-3"], 2),
        (["small-batch", "learnt.csv"], 0),
        (["small-batch", "reversed.csv"], 0),
        (["small-batch", "learnt.csv", "--floor", "-1e-3"], 0),
        (["small-batch", "learnt.csv", "--floor", "-inf"], 2),
        (["small-batch", "falling.csv"], 1),
        (["small-batch", "learnt.csv", "--train-loss", "other"], 1),
        (["small-batch", "learnt.csv", "--train-loss", "other", "--floor", "1"], 0),
        (["small-batch", "learnt.csv", "--floor", "1"], 2),
        (["small-batch", "broken.csv"], 3),
    ],
)
@pytest.mark.parametrize("style", [[], ["--json"]])
def test_exit_codes(logs, capsys, arguments, code, style):
    assert main(["check", *arguments, *style]) == code
    out, err = capsys.readouterr()
    assert bool(out) == (code in (0, 1))
    assert bool(err) == (code in (2, 3))


@pytest.mark.parametrize(
    "arguments",
    [[], ["spelling"], ["lr-range"], ["initial-loss", "much"], ["initial-loss", "2", "--loss", "focal"],
     ["initial-loss", "2", "--num-classes", "1"], ["small-batch", "learnt.csv", "--floor", "low"]],
)  # fmt: skip
def test_usage_errors(logs, capsys, arguments):
    with pytest.raises(SystemExit) as error:
        main(["check", *arguments])
    assert error.value.code == 2
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("spelling", ["-1e-3", "-.1E-2", "-0.001"])
def test_a_negative_number_may_be_spelt_in_any_way(logs, capsys, spelling):
    main(["check", "initial-loss", spelling, "--num-classes", "10"])
    assert capsys.readouterr().out == f"{check_initial_loss(-0.001, num_classes=10)}\n"
    main(["check", "initial-loss", "--num-classes", "10", "--", spelling])
    assert capsys.readouterr().out == f"{check_initial_loss(-0.001, num_classes=10)}\n"
    main(["check", "small-batch", "learnt.csv", "--floor", spelling])
    assert capsys.readouterr().out == f"{check_overfit_small_batch(LEARNT, floor=-0.001)}\n"


def test_what_is_no_whole_number_is_quoted_as_typed(capsys):
    for option in ("--num-classes", "--batch-size"):
        with pytest.raises(SystemExit, match="2"):
            main(["check", "initial-loss", "2.3", option, "-1e3"])
        assert f"argument {option}: found '-1e3', expected a whole number" in capsys.readouterr().err


def test_text_is_the_answer_as_text(logs, capsys):
    main(["check", "lr-range", "sweep.csv"])
    assert capsys.readouterr().out == f"{suggest_lr(RATES, SWEPT)}\n"
    main(["check", "initial-loss", "147.4", "--num-classes", "10", "--batch-size", "64"])
    assert capsys.readouterr().out == f"{check_initial_loss(147.4, num_classes=10, batch_size=64)}\n"
    main(["check", "small-batch", "learnt.csv", "--num-classes", "10"])
    assert capsys.readouterr().out == f"{check_overfit_small_batch(LEARNT, num_classes=10)}\n"


@pytest.mark.parametrize(
    ("arguments", "name", "passed", "key", "value"),
    [
        (["lr-range", "sweep.csv"], "lr-range", True, "suggestion", suggest_lr(RATES, SWEPT).suggestion),
        (["initial-loss", "nan", "--num-classes", "10"], "initial-loss", False, "value", None),
        (["small-batch", "falling.csv"], "small-batch", False, "verdict", "not_yet"),
    ],
)
def test_json_is_one_object(logs, capsys, arguments, name, passed, key, value):
    main(["check", *arguments, "--json"])
    found = json.loads(capsys.readouterr().out)
    assert (found["check"], found["passed"], found[key]) == (name, passed, value)


def test_messages_say_what_to_do(logs, capsys):
    for path in ("missing.csv", "empty", "two.json", "learnt.csv"):
        main(["check", "lr-range", path])
    lines = capsys.readouterr().err.splitlines()
    assert lines[:2] == [
        "curveclinic: missing.csv: no such file or folder",
        "curveclinic: empty: no run found; expected the log of a test",
    ]
    assert lines[2].startswith("curveclinic: two.json: found 2 runs (")
    assert lines[2].endswith("), expected one; give the log of a single test")
    assert lines[3].startswith("curveclinic: learnt.csv: found train_loss, ")
    assert lines[3].endswith("expected lr and train_loss; log lr of every step")
    main(["check", "small-batch", "learnt.csv", "--floor", "1"])
    assert capsys.readouterr().err.startswith("curveclinic: learnt.csv: curve: found ")
    main(["check", "small-batch", "learnt.csv", "--floor", "-inf"])
    assert capsys.readouterr().err.startswith("curveclinic: --floor: found -inf, expected ")


@pytest.mark.parametrize("test", ["lr-range", "small-batch"])
def test_a_log_may_lie_in_an_object_store(logs, capsys, test):
    """Paths of an object store work as those of a disk do; `file://` goes the same way."""
    local = main(["check", test, "sweep.csv"]), capsys.readouterr()
    assert (main(["check", test, (logs / "sweep.csv").as_uri()]), capsys.readouterr()) == local
    assert main(["check", test, (logs / "missing.csv").as_uri()]) == 2
    assert capsys.readouterr().err == f"curveclinic: {(logs / 'missing.csv').as_uri()}: no such file or folder\n"
    assert main(["check", test, (logs / "broken.csv").as_uri()]) == 3
    assert capsys.readouterr().err.startswith(f"curveclinic: {(logs / 'broken.csv').as_uri()}: ")


class Stdin:
    def __init__(self, text):
        self.buffer = io.BytesIO(text.encode())


def test_a_log_may_come_through_a_pipe(logs, capsys, monkeypatch):
    monkeypatch.setattr(sys, "stdin", Stdin(csv("lr,loss", RATES, SWEPT)))
    assert main(["check", "lr-range", "-"]) == 0
    assert capsys.readouterr().out == f"{suggest_lr(RATES, SWEPT)}\n"
    monkeypatch.setattr(sys, "stdin", Stdin("nothing that could be a log\n"))
    assert main(["check", "small-batch", "-"]) == 3
    assert capsys.readouterr().err.startswith("curveclinic: -")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "--num-classes: found none, expected the number of classes that cross_entropy chooses from"),
        (["--loss", "mse"], "--target-variance: found none, expected the variance of the targets, above 0"),
    ],
)
def test_a_missing_option_is_named(arguments, said, capsys):
    assert main(["check", "initial-loss", "2.3", *arguments]) == 2
    assert capsys.readouterr().err == f"curveclinic: {said}\n"
