"""The onset benchmark: its marks, and errors as shares of the run."""

from __future__ import annotations

import csv
import json

import numpy as np
import onsets
import pytest

from curveclinic.labels import LABELS
from curveclinic.run import Run
from curveclinic.synth.generate import generate


def marks():
    with onsets.MARKED.open(newline="") as file:
        return list(csv.DictReader(file))


def test_the_marks_are_thirty_steps_without_curves():
    rows = marks()
    assert len(rows) == len({row["id"] for row in rows}) == 30
    assert set(rows[0]) == {"id", "label", "onset", "end"}
    assert {row["label"] for row in rows} <= set(LABELS)
    assert all(float(row["onset"]) <= float(row["end"] or "inf") for row in rows)


def overfitted(path, step):
    """A yardstick of one marked run whose val loss turns at a step of 1..101."""
    steps = np.arange(1.0, 102.0)
    val = 1.0 + 0.0004 * (steps - step) ** 2
    train = 3 * np.exp(-steps / 15)
    mark = next(row for row in marks() if row["label"] == "overfitting")
    curves = {"train_loss": train, "val_loss": val}
    points = {name: {"step": list(steps), "value": list(values)} for name, values in curves.items()}
    body = {"id": mark["id"], "family": "x", "curves": points}
    path.write_text(json.dumps(body) + "\n")
    return float(mark["onset"])


def test_errors_are_shares_of_the_run(tmp_path):
    path = tmp_path / "dev.jsonl"
    onset = overfitted(path, 41)
    rows = {(r["who"], r["measure"]): r["value"] for r in onsets.marked_rows([path]) if r["runs"] == "marked"}
    assert rows["overfitting", "onset_median"] == pytest.approx(abs(41 - onset) / 100, abs=0.011)
    assert rows["all", "onset_not_found"] == 0.0


def test_without_marked_runs_there_is_nothing_to_say():
    assert list(onsets.marked_rows([])) == []


def test_length():
    assert onsets.length(Run.from_arrays({"train_loss": ([5, 6, 9], [3.0, 2.0, 1.0])})) == 4.0
    assert onsets.length(Run.from_arrays({"train_loss": ([5], [3.0])})) == 1.0


def test_synthetic_onsets_of_most_labels_are_met():
    rows = list(onsets.synthetic_rows("all", generate(12, 600, max_points=500)))
    values = {(r["who"], r["measure"]): r["value"] for r in rows}
    assert values["all", "onset_median"] <= 0.02
    assert values["overfitting", "onset_median"] <= 0.05
    assert values["all", "onset_near"] >= 0.8
