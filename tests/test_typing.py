"""What a type checker makes of a user's script."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import curveclinic

SCRIPT = """
import numpy as np

from curveclinic import Run, check_initial_loss, predict_pathology, suggest_lr
from curveclinic.readers import read_file

losses: list[float] = [3.0, 2.0]
rows: list[dict[str, float]] = [{"loss": 1.0}]
reveal_type(predict_pathology({"train_loss": losses, "val_loss": np.ones(3), "lr": ([1, 2], losses)}))
reveal_type(predict_pathology(Run.from_arrays({"train_loss": losses}), num_classes=10))
reveal_type(predict_pathology(read_file("log.csv")))
reveal_type(predict_pathology([{"train_loss": losses}, {"train_loss": losses}]))
reveal_type(predict_pathology([{"train_loss": np.ones(3)}]))
reveal_type(predict_pathology([{"train_loss": ([1, 2], losses), "val_loss": losses}, Run({})]))
reveal_type(predict_pathology(run for run in read_file("log.csv")))
reveal_type(predict_pathology(rows))
reveal_type(predict_pathology([{"loss": 1, "step": 1}]))
logged: list[dict[str, float | None]] = [{"loss": 1.0, "val_loss": None}]
reveal_type(predict_pathology(logged))
something: object = losses
reveal_type(predict_pathology(something))
reveal_type(suggest_lr(np.ones(3), losses))
reveal_type(suggest_lr(losses, np.ones(3, dtype=np.float32)))
reveal_type(check_initial_loss(np.float32(2.3), loss="mse", target_variance=np.float32(1.0)))
reveal_type(check_initial_loss(np.ones(())[()], num_classes=10))
"""
ONE, MANY = "curveclinic.diagnosis.Diagnosis", "list[curveclinic.diagnosis.Diagnosis]"
CHECKS = [*["curveclinic.checks.lr_range.LrRangeTest"] * 2, *["curveclinic.checks.initial_loss.InitialLoss"] * 2]
REVEALED = [ONE, ONE, *[MANY] * 5, *[ONE] * 3, f"{ONE} | {MANY}", *CHECKS]


def test_one_run_gives_one_diagnosis_and_a_list_a_list(tmp_path):
    pytest.importorskip("mypy")
    (tmp_path / "script.py").write_text(SCRIPT)
    command = [
        sys.executable,
        "-m",
        "mypy",
        "--strict",
        "--follow-imports=silent",
        "--ignore-missing-imports",
        "script.py",
    ]
    said = subprocess.run(
        command,
        cwd=tmp_path,
        env={**os.environ, "MYPYPATH": str(Path(curveclinic.__file__).parents[1])},
        capture_output=True,
        text=True,
        check=False,
    ).stdout.splitlines()
    assert [line.partition("Revealed type is ")[2].strip('"') for line in said[:-1]] == REVEALED, said
    assert said[-1] == "Success: no issues found in 1 source file"
