"""Fine-tuning logs: a train loss of many points beside three or four evaluations of val."""

from pathlib import Path

import numpy as np
import pytest
from yardstick import load_records

from curveclinic import predict_pathology
from curveclinic.curves import Curves
from curveclinic.deciding.few_evaluations import few_evaluations, overfitting_degree
from curveclinic.deciding.judging import judged, shipped_classifier
from curveclinic.deciding.kinds import Kinds
from curveclinic.labels import CHANNELS
from curveclinic.measuring.quantities import measure
from curveclinic.predict import predict_runs
from curveclinic.ragged import Batch
from curveclinic.run import Run
from curveclinic.verdict_rows import verdict_rows

RUNS = Path(__file__).parent.parent / "benchmarks" / "own_runs" / "runs.jsonl.gz"

STEPS = np.linspace(10, 1000, 100)
FALLS = 0.15 + 0.6 * np.exp(-STEPS / 300)
"""A train loss that falls all along."""
SETTLES = 0.15 + 0.6 * np.exp(-STEPS / 100)

OPEN = "overfitting and no_generalization could not be judged: val_loss has only {}, at least 5 are needed"


def noisy(train, scatter=0.1):
    return train * (1 + scatter * np.random.default_rng(0).standard_normal(len(train)))


def curves(val, train=FALLS):
    at = np.linspace(0, 1000, len(val) + 1)[1:]
    return {"train_loss": (STEPS, noisy(train)), "val_loss": (at, np.array(val))}


def degree(val, train=FALLS):
    """What is said of overfitting: NaN where it stays open."""
    return overfitting_degree(measure(Batch.from_runs([Run.from_arrays(curves(val, train))])))[0]


@pytest.mark.parametrize(
    ("val", "stop"), [([0.40, 0.345, 0.44, 0.55], 500), ([0.35, 0.42, 0.55], 1000 / 3), ([0.5, 0.35, 0.7], 2000 / 3)]
)
def test_a_rise_that_no_wobble_explains_is_overfitting(val, stop):
    d = predict_pathology(curves(val))
    assert (d.labels, d.message) == (("overfitting",), "")
    assert d.stop_at == pytest.approx(stop)
    finding = d.findings[0]
    assert (finding.source, finding.model_probability, finding.rule_agrees) == ("rule", None, True)
    assert d.probabilities["overfitting"] == finding.probability >= 0.5
    assert "overfitting" not in d.unchecked
    assert "only" in d.unchecked["no_generalization"]


@pytest.mark.parametrize(
    "val",
    [
        [0.40, 0.345, 0.35, 0.348],  # settled
        [0.40, 0.35, 0.36, 0.375],  # a rise by 7 %
        [0.40, 0.35, 0.352, 0.44],  # the last point alone
        [0.40, 0.35, 0.44],
        [0.39, 0.31, 0.69, 0.37],  # a spike
        [0.40, 0.345, 0.40, 0.34],
        [2.00, 0.345, 0.37, 0.40],  # little of its drop
        [0.40, 0.0, 0.44, 0.55],  # a rise from nothing is no share of it
    ],
)
def test_what_may_be_a_wobble_stays_open_and_is_said(val):
    assert np.isnan(degree(val))
    d = predict_pathology(curves(val))
    assert (d.verdict, d.labels) == ("healthy", ("healthy",))
    assert "overfitting" not in d.probabilities
    assert d.message.startswith(OPEN.format(f"{len(val)} finite points"))


def test_val_that_falls_to_its_last_evaluation_has_not_turned():
    d = predict_pathology(curves([0.40, 0.35, 0.33, 0.32]))
    assert (d.labels, d.message) == (("healthy",), "")
    assert d.probabilities["overfitting"] < 0.1
    assert np.isnan(degree([0.40, 0.35, 0.33, 0.329]))


RISES = [0.40, 0.345, 0.44, 0.55]


@pytest.mark.parametrize(
    ("train", "is_found"),
    [
        (0.02 + 0.7 * np.exp(-STEPS / 80), True),  # at its floor, far below val
        (0.7 - 0.0005 * STEPS, True),
        (np.full(100, 0.3), False),  # learnt nothing meanwhile
        (0.35 + 0.4 * np.exp(-STEPS / 80), False),  # at a floor near val
        (0.3 + 0.4 * np.abs(STEPS / 500 - 1), False),  # rises with val
        (0.6 + 1.4 * np.exp(-STEPS / 300), False),  # above val: an easier set
    ],
)
def test_train_must_fall_meanwhile_or_lie_at_a_low_floor(train, is_found):
    assert bool(degree(RISES, train) >= 0.5) == is_found


def test_val_that_rises_from_a_first_value_no_better_than_trains_never_improved():
    assert degree([0.35, 0.42, 0.55]) >= 0.5
    assert np.isnan(degree([0.75, 0.9, 1.2]))


@pytest.mark.parametrize("unit", [1e-6, 1e6])
def test_the_answer_does_not_depend_on_units(unit):
    for val in (RISES, [0.40, 0.345, 0.35, 0.348], [0.40, 0.35, 0.33, 0.32]):
        scaled = degree(unit * np.array(val), unit * FALLS)
        np.testing.assert_allclose(scaled, degree(val), atol=1e-9)


def test_only_three_or_four_val_points_beside_enough_of_train():
    rows = np.full((5, len(CHANNELS)), -1)
    rows[:, CHANNELS.index("train_loss")] = [100, 8, 7, 100, 100]
    rows[:, CHANNELS.index("val_loss")] = [3, 4, 4, 2, 5]
    assert few_evaluations(rows).tolist() == [True, True, False, False, False]
    whole = measure(Batch.from_runs([Run.from_arrays(curves([0.4, 0.35, 0.4, 0.5, 0.6]))]))
    assert np.isnan(overfitting_degree(whole)[0])


@pytest.mark.parametrize(("n", "found"), [(1, "1 finite point"), (2, "2 finite points")])
def test_one_or_two_evaluations_leave_it_open(n, found):
    assert predict_pathology(curves([0.4, 0.3][:n], SETTLES)).message.startswith(OPEN.format(found))


def test_nothing_is_left_open_without_a_val_loss_or_beside_a_finding():
    assert predict_pathology({"train_loss": noisy(FALLS)}).message == ""
    stays = predict_pathology(curves([2.3, 2.29, 2.3]) | {"train_loss": (STEPS, noisy(np.full(100, 2.3), 0.005))})
    assert stays.labels == ("not_learning",)
    assert stays.message == ""


def test_rows_of_a_scan_say_the_same():
    kinds = ((RISES, FALLS), (RISES[:2], SETTLES))
    runs = [Run.from_arrays(curves(*kind), notes=notes) for kind in kinds for notes in ((), ("a note",))]
    answers, batch = predict_runs(runs), Batch.from_runs(runs)
    decided = judged(batch, shipped_classifier(), Kinds.of([run.kind for run in runs]))
    rows = verdict_rows(Curves.of(runs), decided).to_pylist()
    assert [row["message"] for row in rows] == [d.message for d in answers]
    assert [row["unchecked"] for row in rows] == [[*d.unchecked] for d in answers]
    assert answers[3].message.startswith(f"a note; {OPEN.format('2 finite points')}")


@pytest.mark.parametrize("kept", [3, 4])
def test_real_runs_of_which_few_evaluations_are_kept(kept):
    """None is wrongly said to overfit, and many that do are found."""
    runs, truth = [], []
    for record in load_records(RUNS):
        train, val = (record.run.channels.get(name, ()) for name in ("train_loss", "val_loss"))
        if len(train) >= 8 and len(val) >= 6 and np.isfinite(val.values).all():
            at = np.rint(np.linspace(0, len(val) - 1, kept + 1)[1:]).astype(int)
            runs.append(Run.from_arrays({"train_loss": train, "val_loss": (val.steps[at], val.values[at])}))
            truth.append(("overfitting" in record.positive) - ("overfitting" in record.negative))
    found = np.array(["overfitting" in d.labels for d in predict_runs(runs)])
    assert not found[np.array(truth) == -1].any()
    assert found[np.array(truth) == 1].mean() >= 0.3
