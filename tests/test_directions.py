"""Whether a smaller metric is better, where nobody says."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hand_curves import SHOWS, decay, noise

from curveclinic import Run, predict_pathology, score_table
from curveclinic.cli import main
from curveclinic.labels import LABELS
from curveclinic.measuring.quantities import measure, measured, places_of
from curveclinic.ragged import Batch
from curveclinic.report.evidence import evidence

TIME = np.linspace(0.0, 1.0, 50)
LOSSES = {
    "train_loss": decay(50, 0.8, 0.1, 4.0) * (1 + noise(50, 0.01)),
    "val_loss": decay(50, 0.8, 0.14, 4.0) * (1 + noise(50, 0.02, 1)),
}
NOISE = 1 + noise(50, 0.01, 2)
SETTLED = {"train_loss": decay(50, 0.8, 0.1, 20.0), "val_loss": decay(50, 0.8, 0.14, 20.0) * (1 + noise(50, 0.02, 1))}

ERRORS = {
    "mae": LOSSES | {"val_metric": decay(50, 0.71, 0.30, 4.0) * NOISE},
    "error rate": LOSSES | {"val_metric": decay(50, 0.9, 0.1, 5.0) * NOISE},
    "in percent": LOSSES | {"val_metric": decay(50, 90.0, 10.0, 5.0) * NOISE},
    "in tiny units": LOSSES | {"val_metric": decay(50, 7e-9, 3e-9, 5.0) * NOISE},
    "rmse": LOSSES | {"val_metric": np.sqrt(LOSSES["val_loss"])},
    "perplexity": LOSSES | {"val_loss": LOSSES["val_loss"] + 4.9, "val_metric": 134 * np.exp(LOSSES["val_loss"])},
    "perplexity over decades": {
        "train_loss": decay(50, 9.0, 3.0),
        "val_loss": decay(50, 9.0, 3.3),
        "val_metric": np.exp(decay(50, 9.0, 3.3)),
    },
    "of train": LOSSES | {"train_metric": decay(50, 0.71, 0.30, 4.0) * NOISE},
    "both": LOSSES | {"val_metric": decay(50, 0.71, 0.3, 4.0) * NOISE, "train_metric": decay(50, 0.7, 0.2, 4.0)},
    "rises again as the loss does": {
        "train_loss": LOSSES["train_loss"],
        "val_loss": decay(50, 0.8, 0.2) + 0.3 * TIME**2,
        "val_metric": (decay(50, 0.7, 0.3) + 0.15 * TIME**2) * NOISE,
    },
}
"""Metrics that are errors by their course."""

UNCLEAR = {
    "drifts down": LOSSES | {"val_metric": np.linspace(0.6, 0.3, 50) * NOISE},
    "a val metric beside a train loss": {"train_loss": LOSSES["train_loss"], "val_metric": decay(50, 0.7, 0.3, 4.0)},
    "few points": {"train_loss": decay(6, 0.8, 0.1), "val_loss": decay(6, 0.8, 0.1), "val_metric": decay(6, 0.7, 0.3)},
}
"""Those of which nobody can say it."""

_UP_AND_DOWN = noise(50, 0.02, 3)

WORSE = {
    "falls after the loss has settled": SETTLED | {"val_metric": np.linspace(0.6, 0.3, 50) * NOISE},
    "rises where the loss falls, point by point": {
        "train_loss": LOSSES["train_loss"],
        "val_loss": decay(50, 0.8, 0.14, 4.0) * (1 + _UP_AND_DOWN),
        "val_metric": np.linspace(0.6, 0.3, 50) * (1 - _UP_AND_DOWN),
    },
    "falls while that of train rises": LOSSES
    | {"val_metric": decay(50, 0.6, 0.3, 4.0) * NOISE, "train_metric": 1 - LOSSES["train_loss"]},
    "drops at once, then never moves": LOSSES | {"val_metric": np.r_[0.05, np.zeros(49)]},
}
"""Accuracies that get worse beside a falling loss."""

BETTER = {
    "accuracy": LOSSES | {"val_metric": 1 - LOSSES["val_loss"]},
    "accuracy beside a loss that rises": SHOWS["metric_mismatch"],
}


def directions(*curves, **options):
    return measure(Batch.from_runs([Run.from_arrays(c, **options) for c in curves])).directions


@pytest.mark.parametrize("name", ERRORS)
def test_a_metric_in_step_with_its_loss_is_taken_for_an_error(name):
    found = directions(ERRORS[name])
    assert (found.sign[0], found.inferred[0], found.unclear[0]) == (-1.0, True, False)


@pytest.mark.parametrize("name", UNCLEAR)
def test_one_that_falls_beside_its_loss_in_another_way_is_unclear(name):
    found = directions(UNCLEAR[name])
    assert (found.sign[0], found.inferred[0], found.unclear[0]) == (1.0, False, True)


@pytest.mark.parametrize("curves", [*WORSE.values(), *BETTER.values()], ids=[*WORSE, *BETTER])
def test_all_others_are_better_when_larger(curves):
    found = directions(curves)
    assert (found.sign[0], found.inferred[0], found.unclear[0]) == (1.0, False, False)


@pytest.mark.parametrize(("goal", "sign"), [("max", 1.0), ("min", -1.0)])
def test_who_says_it_is_believed(goal, sign):
    found = directions(*ERRORS.values(), *UNCLEAR.values(), *WORSE.values(), metric_goal=goal)
    assert set(found.sign) == {sign}
    assert not (found.inferred | found.unclear).any()


def test_the_direction_of_a_run_does_not_depend_on_the_runs_beside_it():
    curves = [*ERRORS.values(), *UNCLEAR.values(), *WORSE.values(), *BETTER.values(), {"train_loss": [2.0, 1.0]}]
    alone = [directions(c) for c in curves]
    batch = Batch.from_runs([Run.from_arrays(c) for c in curves * 20])
    pieces = list(measured(batch))
    assert len(pieces) > 1
    places = places_of(piece.rows for piece in pieces)
    for name in ("sign", "inferred", "unclear"):
        together = np.concatenate([getattr(piece.directions, name) for piece in pieces])[places]
        assert together.tolist() == [getattr(one, name)[0] for one in alone] * 20, name


@pytest.mark.parametrize("name", ERRORS)
def test_an_error_that_falls_is_no_mismatch_and_said_to_be_taken_for_one(name):
    diagnosis = predict_pathology(ERRORS[name])
    assert "metric_mismatch" not in diagnosis.labels
    assert diagnosis.probabilities["metric_mismatch"] < 0.5
    assert "smaller is taken for better: metric_goal (--metric-goal) decides" in diagnosis.message


@pytest.mark.parametrize("name", ["drifts down", "few points"])
def test_a_mismatch_that_hangs_on_the_direction_is_not_judged(name):
    told = predict_pathology(UNCLEAR[name], metric_goal="max")
    assert "metric_mismatch" in told.labels
    assert told.message == ""
    diagnosis = predict_pathology(UNCLEAR[name])
    assert "metric_mismatch" not in diagnosis.labels
    assert "nobody says which way it gets better" in diagnosis.unchecked["metric_mismatch"]
    assert diagnosis.message == (
        "metric_mismatch is judged where metric_goal (--metric-goal) says which way the metric gets better"
    )


@pytest.mark.parametrize("name", WORSE)
def test_an_accuracy_that_gets_worse_beside_a_falling_loss_is_a_mismatch(name):
    diagnosis = predict_pathology(WORSE[name])
    assert "metric_mismatch" in diagnosis.labels
    assert diagnosis.message == ""


def test_a_name_that_says_it_is_believed():
    named = {"train_loss": LOSSES["train_loss"], "val_loss": LOSSES["val_loss"], "val_acc": ERRORS["mae"]["val_metric"]}
    diagnosis = predict_pathology(named)
    assert "metric_mismatch" in diagnosis.labels
    assert "larger is better" in diagnosis.findings[0].evidence


@pytest.mark.parametrize("curves", [ERRORS["mae"], UNCLEAR["drifts down"]], ids=["error", "unclear"])
def test_all_doors_say_the_same(curves, tmp_path, capsys):
    expected = predict_pathology(curves)
    assert "metric_goal" in expected.message
    wide = pd.DataFrame(curves)
    ways = [Run.from_arrays(curves), [curves], [Run.from_arrays(curves)], wide, pa.Table.from_pandas(wide)]
    for way in ways:
        found = predict_pathology(way)
        found = found[0] if isinstance(found, list) else found
        assert (found.labels, found.message, dict(found.unchecked)) == (
            expected.labels,
            expected.message,
            dict(expected.unchecked),
        )
    lists = pa.table({name: [values.tolist()] * 2 for name, values in curves.items()})
    out = tmp_path / "rows.jsonl"
    wide.to_csv(tmp_path / "run.csv", index_label="step")
    assert main(["scan", str(tmp_path / "run.csv"), "-o", str(out)]) == 0
    capsys.readouterr()
    rows = [*score_table(lists).to_pylist(), *pd.read_json(out, lines=True).to_dict("records")]
    assert len(rows) == 3
    for row in rows:
        assert tuple(row["labels"]) == expected.labels
        assert row["message"].endswith(expected.message)
        assert row["unchecked"] == [label for label in LABELS if label in expected.unchecked]


def test_the_evidence_reads_the_metric_as_it_was_taken():
    losses = {"train_loss": decay(60, 2.0, 0.1), "val_loss": decay(60, 2.0, 0.3)}
    run = Run.from_arrays(losses | {"val_metric": np.linspace(2, 5, 60)})
    sentence = evidence("metric_mismatch", run, onset=1.0, smaller_is_better=True)
    assert "val metric got worse, from 2" in sentence
    assert sentence.endswith("(smaller is taken for better)")
    told = Run.from_arrays(losses | {"val_metric": np.linspace(2, 5, 60)}, metric_goal="max")
    assert evidence("metric_mismatch", told, onset=1.0, smaller_is_better=True).endswith("(larger is better)")
