import copy
import json
import pickle
from dataclasses import replace

import numpy as np
import pytest
from output_cases import diagnosis, finding

from curveclinic.cli import main
from curveclinic.cohort import Cohort, judge_cohort, spoken_label
from curveclinic.errors import InputError
from curveclinic.labels import HEALTHY, LABELS
from curveclinic.outliers import odd_levels
from curveclinic.predict import undetermined
from curveclinic.run import Run

STEPS = np.arange(1.0, 101.0)


def run(level, seed=0, *, points=100, name=None, last=None):
    """A run that falls from 2 above its level; both losses, little noise."""
    rng = np.random.default_rng(seed)
    val, train = (level + 2.0 * np.exp(-STEPS[:points] / 12) + 0.002 * rng.standard_normal(points) for _ in range(2))
    if last is not None:
        val[-5:] = last
    channels = {"train_loss": (STEPS[:points], train - 0.05), "val_loss": (STEPS[:points], val)}
    return Run.from_arrays(channels, run_id=f"seed {seed}" if name is None else name)


def said(level=0.3, seed=0, *labels, probability=0.97, severity="mild", **kwargs):
    """A diagnosis with these findings; what is not found has a probability of 0.02 less the seed's thousandth."""
    found = [replace(finding(label, severity=severity), probability=probability) for label in labels]
    one = diagnosis(run(level, seed, **kwargs), *found)
    low = dict.fromkeys(LABELS, 0.02 - seed / 1000)
    return replace(one, probabilities=low | dict.fromkeys(labels, probability))


LEVELS = [0.30, 0.31, 0.29, 0.305, 0.295]


def test_what_all_runs_share_is_said_first():
    found = judge_cohort(
        [said(level, i, "not_learning", *["loss_spikes"] * (i == 2)) for i, level in enumerate(LEVELS)]
    )
    assert list(found.counts.items()) == [("not_learning", 5), ("loss_spikes", 1)]
    assert found.shared == ("not_learning",)
    assert (found.judged, found.remarks) == (5, ())
    lines = str(found).splitlines()
    assert lines[:3] == [
        "cohort of 5 runs",
        "  5 of 5 never leave the initial plateau (not_learning)",
        "  1 of 5 shows spikes of the training loss (loss_spikes)",
    ]


def test_the_spread_is_robust_and_of_the_validation_loss():
    found = judge_cohort([said(level, i) for i, level in enumerate([*LEVELS, 0.9])])
    for spread in (found.final, found.best):
        assert (spread.channel, spread.count) == ("val_loss", 6)
        assert spread.median == pytest.approx(0.3025, abs=0.005)
        assert spread.deviation == pytest.approx(1.4826 * 0.0075, abs=0.005)
        assert (spread.low, spread.high) == pytest.approx((0.29, 0.9), abs=0.01)
    assert "final val loss: median 0.30" in str(found)


def test_a_run_at_another_level_is_odd():
    found = judge_cohort([said(level, i) for i, level in enumerate([*LEVELS, 0.9])])
    assert [(odd.index, odd.name) for odd in found.odd] == [(5, "seed 5")]
    first, second = found.odd[0].reasons
    assert first.startswith(f"final val loss {found.final.high:.4g}, median {found.final.median:.4g} (robust z ")
    assert second.startswith(f"best val loss {found.best.high:.4g}")
    away = abs(0.9 - found.final.median) / found.final.deviation
    assert float(first.rsplit(" ", 1)[1].rstrip(")")) == pytest.approx(away, rel=0.05)


@pytest.mark.parametrize("size", [4, 5, 6, 8, 12, 20, 40])
def test_ordinary_cohorts_seldom_have_an_odd_level(size):
    rng = np.random.default_rng(size)
    odd = 0
    for _ in range(400):
        levels = 1.0 + 0.2 * rng.standard_normal(size)  # wide enough for the descent not to excuse them
        odd += any(True for _ in odd_levels("final val loss", levels, levels + 1e-9))
    assert odd / 400 < 0.1


def test_a_difference_without_weight_is_none():
    levels = [0.3, 0.3001, 0.2999, 0.3, 0.32]
    assert judge_cohort([said(level, i) for i, level in enumerate(levels)]).odd == ()


def test_levels_that_span_decades_are_compared_by_ratio():
    levels = np.array([1e-4, 1.1e-4, 0.9e-4, 1.05e-4, 1e-4, 3e-2])
    found = list(odd_levels("final val loss", levels, np.full(6, 2.3)))
    assert [index for index, _ in found] == [5]


def test_runs_that_all_agree_but_one():
    levels = np.array([0.3, 0.3, 0.3, 0.3, 0.9])
    [(index, reason)] = odd_levels("best train loss", levels, np.full(5, 2.0))
    assert (index, reason) == (4, "best train loss 0.9, median 0.3 (all others are alike)")


def test_a_finding_of_one_run_sets_it_apart_and_so_does_its_absence():
    alone = judge_cohort([said(level, i, *["divergence"] * (i == 1)) for i, level in enumerate(LEVELS)])
    assert [(odd.index, odd.reasons) for odd in alone.odd] == [(1, ("has divergence, unlike 4 of 5",))]
    without = judge_cohort([said(level, i, *["overfitting"] * (i != 3)) for i, level in enumerate(LEVELS)])
    assert [(odd.index, odd.reasons) for odd in without.odd] == [(3, ("lacks overfitting, unlike 4 of 5",))]


@pytest.mark.parametrize(
    ("change", "count"),
    [
        ({"probability": 0.45}, 1),  # a threshold's width away from the others
        ({"severity": "notice"}, 1),
        ({}, 2),  # two of five are no exception
    ],
)
def test_what_is_unclear_harmless_or_common_sets_no_run_apart(change, count):
    runs = [said(level, i, *["undertrained"] * (i < count), **change) for i, level in enumerate(LEVELS)]
    found = judge_cohort(runs)
    assert found.counts["undertrained"] == count
    assert found.odd == ()


def test_few_runs_get_a_spread_and_no_odd_one():
    found = judge_cohort([said(level, i) for i, level in enumerate([0.3, 0.31, 5.0])])
    assert found.odd == ()
    assert found.final.count == 3
    assert found.remarks == ("3 judged runs are too few to tell an odd one out; 4 or more are needed",)
    assert "note: 3 judged runs are too few" in str(found)


def test_a_run_that_breaks_has_no_final_level():
    found = judge_cohort([*(said(level, i) for i, level in enumerate(LEVELS)), said(0.3, 9, last=np.nan)])
    assert (found.final.count, found.best.count) == (5, 6)


def test_a_run_that_broke_long_ago_does_not_make_the_final_levels_differ_in_age():
    broken = said(0.3, 9)
    broken.run.channels["val_loss"].values[40:] = np.nan
    found = judge_cohort([*(said(level, i) for i, level in enumerate(LEVELS)), broken])
    assert found.final.count == 5
    assert found.remarks == ()


def test_one_judged_run_is_too_few():
    found = judge_cohort([said(0.3, 0), undetermined("no loss")])
    assert "1 judged run is too few to tell an odd one out; 4 or more are needed" in found.remarks


def test_runs_of_different_length_and_unusable_ones_are_remarked_on():
    runs = [said(0.3, 0), said(0.31, 1, points=50), said(0.3, 2), said(0.3, 3), undetermined("no loss")]
    found = judge_cohort(runs)
    assert (found.judged, found.counts[HEALTHY]) == (4, 4)
    assert found.remarks == (
        "1 of 5 could not be judged",
        "the runs end between step 50 and 100: their final levels are of different ages",
        "1 of 5 has no finite val loss",
    )
    assert [one["name"] for one in found.to_dict()["runs"]] == ["seed 0", "seed 1", "seed 2", "seed 3", "run 5"]


def test_steps_of_remarks_can_be_found_in_the_log():
    runs = [{"train_loss": (STEPS * 12_345.0 * k, np.exp(-STEPS / 20))} for k in (1, 2)]
    assert "between step 1,234,500 and 2,469,000:" in judge_cohort(runs).remarks[-1]


def test_runs_without_validation_are_compared_by_training_loss():
    runs = [Run.from_arrays({"train_loss": 0.3 + i / 100 + np.exp(-STEPS / 10)}) for i in range(3)]
    found = judge_cohort(runs)
    assert found.final.channel == "train_loss"
    assert found.final.median == pytest.approx(0.31, abs=0.001)


def test_raw_runs_are_diagnosed_as_ever():
    runs = [run(level, i) for i, level in enumerate(LEVELS)]
    found = judge_cohort(runs)
    assert found.shared == (HEALTHY,)
    assert judge_cohort(found.diagnoses) == found
    flat = [{"train_loss": 2.3 + 0.01 * np.random.default_rng(i).standard_normal(100)} for i in range(4)]
    assert judge_cohort(flat).shared == ("not_learning",)


@pytest.mark.parametrize(
    ("runs", "message"),
    [
        ([], "found 0 runs, expected two or more"),
        ([run(0.3)], "found 1 run, expected two or more runs of one configuration"),
        (run(0.3), "found 1 run,"),
        (3, "found int"),
    ],
)
def test_a_cohort_has_two_runs_or_more(runs, message):
    with pytest.raises(InputError, match=message):
        judge_cohort(runs)


def test_the_answer_is_plain_data_and_travels():
    found = judge_cohort([said(level, i, "overfitting") for i, level in enumerate([*LEVELS, 0.9])])
    data = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert (data["judged"], data["counts"], data["shared"]) == (6, {"overfitting": 6}, ["overfitting"])
    assert data["runs"][0] == {"name": "seed 0", "verdict": "findings", "labels": ["overfitting"]}
    assert data["odd"][0]["index"] == 5
    assert data["final"]["median"] == found.final.median
    assert pickle.loads(pickle.dumps(found)) == copy.deepcopy(found) == found
    assert isinstance(found, Cohort)


def test_extreme_losses_stay_plain_data():
    runs = [Run.from_arrays({"train_loss": np.full(20, v)}) for v in (1.7e308, -1.7e308, 1.0, 2.0, 3.0)]
    json.dumps(judge_cohort(runs).to_dict(), allow_nan=False)


def test_one_run_does_what_many_do():
    assert spoken_label("slow_start", 1) == "sits on a first plateau before it falls"
    assert spoken_label("slow_start", 2) == "sit on a first plateau before they fall"
    assert not any("{" in spoken_label(label, count) for label in (*LABELS, HEALTHY) for count in (1, 2))


def test_runs_of_one_name_are_told_apart_by_their_paths():
    runs = [run(0.3, i, name="log.csv") for i in range(2)]
    diagnoses = [diagnosis(Run(one.channels, run_id="log.csv", path=f"{i}/log.csv")) for i, one in enumerate(runs)]
    assert [one["name"] for one in judge_cohort(diagnoses).to_dict()["runs"]] == [
        "log.csv (0/log.csv)", "log.csv (1/log.csv)",
    ]  # fmt: skip


def test_runs_of_one_name_without_a_path_are_told_apart_by_their_places():
    found = judge_cohort([diagnosis(run(0.3, i, name=name)) for i, name in enumerate(["a", "a", ""])])
    assert [one["name"] for one in found.to_dict()["runs"]] == ["a (run 1)", "a (run 2)", "run 3"]


@pytest.fixture
def seeds(tmp_path, monkeypatch):
    for i, level in enumerate(LEVELS):
        one = run(level, i).channels
        rows = [f"{s},{t},{v}" for s, t, v in zip(STEPS, one["train_loss"].values, one["val_loss"].values, strict=True)]
        (tmp_path / f"seed{i}.csv").write_text("\n".join(["step,loss,val_loss", *rows]) + "\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_command(seeds, capsys):
    assert main(["cohort", "."]) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[:2] == ["cohort of 5 runs", "  5 of 5 show nothing wrong (healthy)"]
    assert main(["cohort", "seed0.csv", "seed1.csv", "--json"]) == 0
    assert [one["name"] for one in json.loads(capsys.readouterr().out)["runs"]] == ["seed0.csv", "seed1.csv"]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["seed0.csv"], 2),
        (["missing.csv", "seed0.csv"], 2),
        (["seed0.csv", "seed1.csv", "broken.csv"], 3),
        (["flat.csv", "seed1.csv", "--fail-on", "not_learning"], 1),
        (["flat.csv", "seed1.csv", "--fail-on", "divergence"], 0),
    ],
)
def test_command_exit_codes(seeds, capsys, arguments, code):
    (seeds / "broken.csv").write_text("nothing that could be a log\n")
    noise = np.random.default_rng(0).standard_normal(100)
    (seeds / "flat.csv").write_text("\n".join(["loss", *(f"{2.3 + 0.01 * x}" for x in noise)]) + "\n")
    assert main(["cohort", *arguments]) == code


def test_where_every_run_fares_differently_none_is_odd():
    alone = ["overfitting", "not_learning", "divergence", "non_finite"]
    assert judge_cohort([said(), *(said(0.3, k, label) for k, label in enumerate(alone, 1))]).odd == ()
    two = judge_cohort([*(said(0.3, k) for k in range(3)), said(0.3, 3, alone[0]), said(0.3, 4, alone[1])])
    assert [odd.index for odd in two.odd] == [3, 4]
