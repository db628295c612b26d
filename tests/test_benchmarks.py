import csv
import gzip
import hashlib
import itertools
import json
import os
import re
import sys
from pathlib import Path

import accuracy
import causes
import numpy as np
import pytest
import realism
import robustness
import scores
import tables
from judges import Opinion, network_alone, rules_alone
from tables import measured_with, print_table, shipped, write_csv, write_scores
from yardstick import RESULTS, Record, load_records, shortest_loss, truth_of, without_positive

from curveclinic.causes import CAUSES, LikelyCause
from curveclinic.deciding.classifier import NetworkOpinion
from curveclinic.deciding.definitions import label_degrees
from curveclinic.deciding.rules import judge
from curveclinic.deciding.severity import severities
from curveclinic.deciding.sidecar import ONNX_NAME, SIDECAR_NAME
from curveclinic.labels import LABELS, TRAITS
from curveclinic.model.calibrate import calibration_error
from curveclinic.ragged import Batch
from curveclinic.run import Run

NAN = np.nan


def column(values):
    """One label's cells as the only column."""
    return np.array(values, dtype=float)[:, None]


def once(n):
    return np.ones((1, n), dtype=np.int64)


def average_precision(score, truth):
    return scores.average_precision(column(score), column(truth), once(len(score)))[0, 0]


@pytest.mark.parametrize(
    ("score", "truth", "expected"),
    [
        ([3, 2, 1], [1, 0, 1], (1 + 2 / 3) / 2),
        ([1, 1], [1, 0], (1 + 1 / 2) / 2),
        ([1, 1, 1], [0, 1, 0], (1 + 1 / 2 + 1 / 3) / 3),
        ([2, 1, 1], [1, 1, 0], (1 + (2 / 2 + 2 / 3) / 2) / 2),
        ([5, 5, 5], [1, 1, 1], 1.0),
        ([3, 2, 1], [0, NAN, 1], 1 / 2),
        ([NAN, 0.0], [1, 0], 1 / 2),
    ],
    ids=["no tie", "a tied pair", "all tied", "tied below", "nothing absent", "unscored left out", "unchecked last"],
)
def test_average_precision(score, truth, expected):
    assert average_precision(score, truth) == pytest.approx(expected, abs=1e-15)


def test_average_precision_is_the_mean_over_every_order_of_the_tied():
    score, truth = [2, 2, 2, 1, 1, 1, 0], [1, 0, 1, 0, 1, 0, 1]
    every = [
        average_precision([2.9 - 0.1 * k for k in a] + [1.9 - 0.1 * k for k in b] + [0], truth)
        for a in itertools.permutations(range(3))
        for b in itertools.permutations(range(3))
    ]
    assert average_precision(score, truth) == pytest.approx(np.mean(every), abs=1e-15)


@pytest.mark.parametrize(
    ("score", "truth", "expected"),
    [
        ([3, 2, 1], [1, 0, 1], 4 / 5),
        ([3, 2, 2], [1, 1, 0], 4 / 5),
        ([0, 1, 1], [1, 0, 0], 1 / 2),
        ([1, 2], [0, 0], NAN),
    ],
    ids=["all found", "the tied stay together", "the worst order", "no positive"],
)
def test_best_f1(score, truth, expected):
    found = scores.best_f1(column(score), column(truth), once(len(score)))[0, 0]
    assert found == pytest.approx(expected, nan_ok=True)


def test_average_precision_without_a_positive_is_unknown():
    assert np.isnan(average_precision([1, 2], [0, 0]))


def test_precision_recall_and_f1_read_scored_cells_only():
    present = column([1, 1, 1, 0, 1]).astype(bool)
    truth = column([1, 1, 0, 1, NAN])
    measures = (scores.precision, scores.recall, scores.f1)
    assert [measure(present, truth, once(5))[0, 0] for measure in measures] == pytest.approx([2 / 3] * 3)


def test_f1_of_a_label_without_a_positive_is_unknown_and_its_precision_is_not():
    present, truth = column([1, 0]).astype(bool), column([0, 0])
    assert np.isnan(scores.f1(present, truth, once(2))[0, 0])
    assert scores.precision(present, truth, once(2))[0, 0] == 0.0


def test_macro_counts_labels_with_five_positives():
    truth = np.zeros((6, 2))
    truth[:5, 0], truth[:4, 1] = 1.0, 1.0
    assert scores.macro(np.array([[0.25, 1.0]]), truth)[0] == 0.25
    truth[4, 1] = 1.0
    assert scores.macro(np.array([[0.25, 1.0]]), truth)[0] == 0.625


@pytest.mark.parametrize(
    ("probability", "truth", "expected"),
    [
        ([0.95, 0.95, 0.05, 0.05], [1, 0, 0, 0], (0.9 + 0.1) / 4),
        ([0.41, 0.49], [1, 0], abs(0.90 - 1) / 2),
        ([1.0, 0.0], [1, 0], 0.0),
        ([0.7, NAN, 0.3], [1, 1, NAN], 0.3),
    ],
    ids=["two bins", "errors in a bin cancel", "the last bin holds 1", "unchecked and unscored left out"],
)
def test_calibration_error(probability, truth, expected):
    found = calibration_error(column(probability), column(truth), once(len(truth)))
    assert found[0] == pytest.approx(expected, abs=1e-15)


def test_resamples_begin_with_the_sample_and_follow_the_seed():
    weight = scores.resamples(7, 5, seed=3)
    assert weight[0].tolist() == [1] * 7
    assert weight.sum(axis=1).tolist() == [7] * 6
    assert np.array_equal(weight, scores.resamples(7, 5, seed=3))
    assert not np.array_equal(weight, scores.resamples(7, 5, seed=4))


def test_a_resample_scores_as_the_runs_it_repeats():
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 2, (30, 3)).astype(float)
    truth[rng.random((30, 3)) < 0.2] = NAN
    probability = rng.integers(0, 6, (30, 3)) / 5
    weight = scores.resamples(30, 1, seed=1)
    rows = np.repeat(np.arange(30), weight[1])
    for measure, values in (
        (scores.f1, probability > 0.5),
        (scores.average_precision, probability),
        (scores.best_f1, probability),
        (calibration_error, probability),
    ):
        assert measure(values, truth, weight)[1] == pytest.approx(measure(values[rows], truth[rows], once(30))[0])


def test_an_interval_holds_the_central_nine_tenths():
    found = scores.estimate(np.array([0.5, *np.linspace(0, 1, 101), NAN]))
    assert (found.value, found.low, found.high) == pytest.approx((0.5, 0.05, 0.95))


def record(run_id="r", *, positive=(), negative=(), family="f", **channels):
    return Record(Run.from_arrays(channels, run_id=run_id), family, frozenset(positive), frozenset(negative))


def opinion_of(found, *, healthy):
    present = np.array([[label in labels for label in LABELS] for labels in found])
    n = len(found)
    verdict = np.where(present.any(axis=1), "findings", "healthy")
    return Opinion(present, present * 0.8 + 0.1, np.array(healthy), verdict, np.ones(n, dtype=bool))


def test_alarms_are_counted_on_runs_without_a_positive():
    records = [
        record(negative=["divergence"]),
        record(negative=["divergence"]),
        record(),
        record(positive=["overfitting"], negative=["divergence"]),
    ]
    said = opinion_of(
        [["divergence"], ["val_below_train"], [], ["divergence"]], healthy=[False, True, True, False]
    )  # fmt: skip
    found = accuracy.overall_measures(said, records, once(4))
    shares = {name: found[name][0][0] for name in ("false_alarm", "any_label", "not_healthy", "verdict_findings")}
    assert shares == pytest.approx(
        {"false_alarm": 1 / 3, "any_label": 2 / 3, "not_healthy": 1 / 3, "verdict_findings": 3 / 4}
    )
    assert found["any_label"][1] == 3


def test_two_equal_judges_differ_by_nothing_and_a_mistake_is_listed():
    records = [record("a", positive=["overfitting"]), record("b", negative=["overfitting"])] * 5
    said = opinion_of([["overfitting"], ["overfitting"]] * 5, healthy=[False] * 10)
    rows = list(accuracy.rows_of({"whole": said, "rules": said}, records, scores.resamples(10, 20, seed=0)))
    paired = {r["measure"]: (r["value"], r["low"], r["high"]) for r in rows if r["judge"] == "whole - rules"}
    assert paired["macro_f1"] == (0.0, 0.0, 0.0)
    wrong = list(accuracy.mistakes({"whole": said}, records))
    assert {(r["kind"], r["label"], r["run"]) for r in wrong} == {("false", "overfitting", "b")}
    assert len(wrong) == 5


FALLING = np.geomspace(4.0, 0.5, 40)


def test_the_network_alone_leaves_short_runs_out_and_non_finite_to_the_rules():
    runs = [Run.from_arrays({"train_loss": FALLING[:5]}), Run.from_arrays({"train_loss": [*FALLING, NAN]})]
    batch = Batch.from_runs(runs)
    shape = (2, len(LABELS))
    there = np.tile(np.isin(LABELS, ["slow_start", "overfitting"]), (2, 1))
    network = NetworkOpinion(np.where(there, 0.9, 0.0), there, np.ones(shape), np.ones(shape), np.zeros(shape, bool))
    rules = judge(batch)
    found = network_alone(batch, rules, network)
    assert found.judged.tolist() == [False, True]
    assert found.present[1, LABELS.index("non_finite")]
    assert found.present[1, LABELS.index("slow_start")]
    assert not found.present[1, LABELS.index("overfitting")]  # no val_loss
    assert np.isnan(found.probability[1, LABELS.index("overfitting")])
    assert rules_alone(batch, rules).present[:, LABELS.index("non_finite")].tolist() == [False, True]


def curve(steps, values):
    return {"step": steps, "value": values}


@pytest.mark.parametrize("name", ["runs.jsonl", "runs.jsonl.gz"])
def test_records_are_read_with_their_non_finite_values_and_without_their_context(tmp_path, name):
    body = {
        "id": "x", "family": "f", "positive": ["non_finite"], "negative": ["overfitting"],
        "context": {"num_classes": 7},
        "curves": {"train_loss": curve([1, 2, 4], [1.5, "nan", "-inf"]), "val_loss": curve([2], [1.0])},
    }  # fmt: skip
    path = tmp_path / name
    with gzip.open(path, "wt") if name.endswith("gz") else path.open("w") as file:
        file.write(json.dumps(body) + "\n")
    [found] = load_records(path)
    train = found.run.channels["train_loss"]
    assert train.steps.tolist() == [1, 2, 4]
    assert np.array_equal(train.values, [1.5, NAN, -np.inf], equal_nan=True)
    assert found.run.num_classes is None
    assert load_records(path, num_classes=True)[0].run.num_classes == 7
    assert shortest_loss(found.run) == 1
    truth = truth_of([found])[0]
    assert (truth[LABELS.index("non_finite")], truth[LABELS.index("overfitting")]) == (1, 0)
    assert np.isnan(truth).sum() == len(LABELS) - 2
    assert without_positive([found]).tolist() == [False]


def test_curves_that_lie_elsewhere_are_found_by_their_id(tmp_path):
    labels, curves = tmp_path / "labels.jsonl", tmp_path / "curves.jsonl"
    labels.write_text(json.dumps({"id": "b", "family": "f", "positive": ["overfitting"], "negative": []}) + "\n")
    bodies = [{"id": name, "curves": {"train_loss": curve([1, 2], [k, k])}} for k, name in enumerate("abc")]
    curves.write_text("".join(json.dumps(body) + "\n" for body in bodies))
    [found] = load_records(labels, curves=curves)
    assert found.run.channels["train_loss"].values.tolist() == [1, 1]
    assert (found.family, found.positive) == ("f", {"overfitting"})


def test_thinning_keeps_every_fourth_point_of_each_channel_from_the_first():
    run = Run.from_arrays({"train_loss": ([2, 4, 6, 8, 10], [5, 4, 3, 2, 1]), "lr": [9, 8, 7]})
    kept = robustness.thinned(run, 4).channels
    assert (kept["train_loss"].steps.tolist(), kept["train_loss"].values.tolist()) == ([2, 10], [5, 1])
    assert kept["lr"].values.tolist() == [9]


def test_noise_spares_the_learning_rate_and_units_change_the_losses_only():
    run = Run.from_arrays({"train_loss": np.ones(2000), "lr": np.ones(2000), "val_metric": np.ones(2000)})
    noisy = robustness.noisy(run, np.random.default_rng(0)).channels
    assert noisy["train_loss"].values.std() == pytest.approx(0.01, rel=0.1)
    assert noisy["lr"].values.tolist() == [1.0] * 2000
    scaled = robustness.rescaled(run, 1e6).channels
    assert {name: s.values[0] for name, s in scaled.items()} == {"train_loss": 1e6, "lr": 1.0, "val_metric": 1.0}


def test_reliability_bins():
    pytest.importorskip("torch")
    import reliability

    probability, truth = np.full((4, len(LABELS)), NAN), np.full((4, len(LABELS)), NAN)
    probability[:, 2], truth[:, 2] = [0.12, 0.18, 0.95, 1.0], [0.0, 1.0, 1.0, NAN]
    rows = list(reliability.rows_of("here", (probability, truth)))
    assert [(r["label"], r["bin"], r["cells"], r["share"]) for r in rows] == [
        (LABELS[2], 0.1, 2, 0.5),
        (LABELS[2], 0.9, 1, 1.0),
    ]
    assert rows[0]["probability"] == pytest.approx(0.15)


def test_families_weigh_the_same_and_so_do_the_groups():
    task = realism.task_of(
        [record(train_loss=FALLING, family=f) for f in "aab"], [record(train_loss=FALLING, family=f) for f in "bcdd"]
    )
    assert task.family.tolist() == ["a", "a", "b", "c", "d", "d"]  # b of the second group is in the first
    assert task.second.tolist() == [False, False, False, True, True, True]
    assert task.weight.tolist() == [0.125, 0.125, 0.25, 0.25, 0.125, 0.125]


def test_tables_show_four_digits_and_leave_the_unknown_empty(tmp_path, capsys):
    rows = [{"label": "a", "value": 0.123456}, {"label": "long name", "value": NAN}]
    print_table(rows)
    assert capsys.readouterr().out.splitlines() == ["label       value", "a          0.1235", "long name       -", ""]
    write_csv(rows, tmp_path / "deep" / "out.csv")
    assert (tmp_path / "deep" / "out.csv").read_text() == "label,value\na,0.1235\nlong name,\n"


def test_scores_are_kept_with_what_they_were_measured_with(tmp_path):
    for name in ("b.csv", "a.csv", "b.csv"):
        write_scores([{"value": 1.0}], tmp_path / name)
    assert (tmp_path / "a.csv").read_text() == "value\n1\n"
    assert list(measured_with(tmp_path).items()) == [("a.csv", shipped()), ("b.csv", shipped())]
    assert len({len(digest) for digest in shipped().values()}) == 1
    assert shipped()["weights"] != shipped()["answers"]


def test_another_answer_is_another_hash_and_a_trace_of_rounding_is_none(monkeypatch):
    def nearly(q):
        degree = label_degrees(q)
        is_exact = np.abs(np.rint(degree * 1e5) - degree * 1e5) < 1e-9  # it comes of counts, and may end in a half
        return np.where(is_exact, degree, degree * (1 - 1e-12))

    before = shipped()["answers"]
    monkeypatch.setattr("curveclinic.deciding.rules.label_degrees", nearly)
    assert shipped()["answers"] == before
    monkeypatch.setattr("curveclinic.deciding.rules.severities", lambda q: np.minimum(severities(q), 1))
    assert shipped()["answers"] != before


def test_what_is_said_of_the_int8_network_is_no_other_weights(tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "weights_folder", lambda: tmp_path)
    (tmp_path / ONNX_NAME).write_bytes(b"network")
    digests = []
    for body in ({"bins": 128}, {"bins": 128, "int8": {"runs": 5}}, {"bins": 64}):
        (tmp_path / SIDECAR_NAME).write_text(json.dumps(body, indent=1) + "\n")
        digests.append(shipped()["weights"])
    assert digests[0] == digests[1] != digests[2]
    assert digests[0] == hashlib.sha256(b'network{\n "bins": 128\n}\n').hexdigest()


@pytest.mark.parametrize("name", measured_with(RESULTS))
def test_scores_in_the_results_are_those_of_what_is_shipped(name):
    assert measured_with(RESULTS)[name] == shipped(), "run the script that wrote it, see benchmarks/README.md"


def test_scores_that_depend_on_the_answers_are_recorded():
    writers = {
        path.stem for path in Path(tables.__file__).parent.glob("*.py") if "    write_scores(rows, " in path.read_text()
    }
    assert writers == {re.sub(r"(_[a-z]+_runs)?\.csv", "", name) for name in measured_with(RESULTS)}


@pytest.mark.parametrize(
    ("folder", "runs", "quiet"),
    [("own_runs", 382, 185), ("later_runs", 280, 142), ("public_runs", 328, 165), ("fresh_runs", 158, 68)],
)
def test_labelled_runs_with_curves_are_whole(folder, runs, quiet):
    records = load_records(Path(tables.__file__).parent / folder / "runs.jsonl.gz")
    assert len(records) == len({record.run.run_id for record in records}) == runs
    assert without_positive(records).sum() == quiet
    for record in records:
        assert not record.positive & record.negative
        assert record.positive | record.negative <= set(LABELS)
        if "non_finite" in record.positive:
            losses = [record.run.channels[name] for name in ("train_loss", "val_loss") if name in record.run.channels]
            assert not all(np.isfinite(loss.values).all() for loss in losses)


@pytest.mark.parametrize(("folder", "runs", "quiet"), [("read_runs", 316, 186), ("kept_runs", 173, 100)])
def test_labels_of_real_logs_are_whole(folder, runs, quiet):
    lines = (Path(tables.__file__).parent / folder / "labels.jsonl").read_text().splitlines()
    read = [json.loads(line) for line in lines]
    assert len(read) == len({body["id"] for body in read}) == runs
    assert sum(not body["positive"] for body in read) == quiet
    for body in read:
        assert set(body) == {"id", "family", "positive", "negative"}  # no curves of others
        assert not set(body["positive"]) & set(body["negative"])
        assert set(body["positive"] + body["negative"]) <= set(LABELS)


YARDSTICKS = os.environ.get("CURVECLINIC_YARDSTICKS")
needs_yardsticks = pytest.mark.skipif(YARDSTICKS is None, reason="CURVECLINIC_YARDSTICKS names no folder")
FILES = (("clinic_runs", "dev.jsonl.gz"), ("real_runs", "dev.jsonl"))


@needs_yardsticks
@pytest.mark.parametrize(
    ("place", "runs", "clear", "overfitting"), [(FILES[0], 404, 201, (27, 292)), (FILES[1], 111, 56, (13, 44))]
)
def test_yardsticks_hold_what_their_readme_counts(place, runs, clear, overfitting):
    records = load_records(Path(YARDSTICKS, *place))
    truth = truth_of(records)[:, LABELS.index("overfitting")]
    assert (len(records), int(without_positive(records).sum())) == (runs, clear)
    assert ((truth == 1).sum(), (truth == 0).sum()) == overfitting


@needs_yardsticks
@pytest.mark.parametrize("folder", ["read_runs", "kept_runs"])
def test_labels_that_stand_alone_find_their_curves(folder):
    labels = Path(tables.__file__).parent / folder / "labels.jsonl"
    records = load_records(labels, curves=Path(YARDSTICKS, "real_runs", "unlabelled.jsonl.gz"))
    for record in records:
        checked = record.positive | record.negative
        assert all(
            any(name in record.run.channels for name in group) for label in checked for group in TRAITS[label].needs
        )


@needs_yardsticks
@pytest.mark.filterwarnings("ignore:curveclinic's weights are not installed")
def test_accuracy_writes_every_judge_and_measure(tmp_path, monkeypatch, capsys):
    out = tmp_path / "accuracy.csv"
    monkeypatch.setattr(
        sys, "argv", ["accuracy.py", str(Path(YARDSTICKS, *FILES[1])), "--out", str(out), "--draws", "20"]
    )
    accuracy.main()
    with out.open() as file:
        rows = {(r["judge"], r["label"], r["measure"]): r for r in csv.DictReader(file)}
    whole = float(rows["whole", "", "macro_f1"]["value"])
    rules = float(rows["rules", "", "macro_f1"]["value"])
    difference = float(rows["whole - rules", "", "macro_f1"]["value"])
    assert whole - rules == pytest.approx(difference, abs=2e-4)
    assert {m for j, label, m in rows if (j, label) == ("rules", "overfitting")} == set(accuracy.PER_LABEL)
    assert "macro_f1" in capsys.readouterr().out


@needs_yardsticks
@pytest.mark.filterwarnings("ignore:curveclinic's weights are not installed")
@pytest.mark.parametrize("place", FILES, ids=[folder for folder, _ in FILES])
def test_units_change_no_label_on_the_yardsticks(place):
    runs = [record.run for record in load_records(Path(YARDSTICKS, *place))]
    for name, say in robustness.JUDGES.items():
        before = say(runs).present
        for unit in (1e-6, 1e6):
            after = say([robustness.rescaled(run, unit) for run in runs]).present
            changed = [run.run_id for run, moved in zip(runs, (before != after).any(axis=1), strict=True) if moved]
            assert changed == [], f"{name} depends on the unit {unit:g}"


# ---- causes -----------------------------------------------------------------------------------------------------


def test_every_cause_of_the_small_trainings_is_one_of_ours():
    assert set(causes.MEANS.values()) <= set(CAUSES)


@pytest.mark.parametrize(
    ("cause", "positive", "known"),
    [
        ("lr_high", {"overfitting"}, "learning_rate_too_high"), ("warm_restart", {"overfitting"}, "none"),
        ("", {"overfitting"}, "model_too_large"), ("", {"val_below_train"}, "none"),
    ],
)  # fmt: skip
def test_known_cause(cause, positive, known):
    record = Record(Run.from_arrays({"train_loss": [1.0]}), "a/b", frozenset(positive), cause=cause)
    assert causes.known_cause(record) == known


def test_scores_of_causes():
    high, leak = (LikelyCause(cause, "", 0.5, ()) for cause in ("learning_rate_too_high", "leak"))
    rows = list(causes.rows_of("x", ["leak", "leak", "none"], [(high, leak), (leak,), (leak,)], [(), (high,), ()]))
    found = {(row["judge"], row["cause"]): (row["runs"], row["top_1"], row["top_3"]) for row in rows}
    assert found["likely_causes", ""] == found["likely_causes", "leak"] == (2, 0.5, 1.0)
    assert found["symptoms' table", ""] == (2, 0.0, 0.0)
    assert found["commonest", ""] == (2, 1.0, 1.0)
    assert found["stated for the first", ""][:2] == (2, 0.5)
