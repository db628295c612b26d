import numpy as np
import pytest
from hand_curves import BENIGN, HOSTILE, SHOWS, decay, healthy, noise

from curveclinic.deciding.rules import OVERRULED, judge, overrule, why_unchecked, without
from curveclinic.diagnosis import SEVERITIES
from curveclinic.labels import LABELS
from curveclinic.ragged import Batch
from curveclinic.run import Run


def opinion(*curves):
    return judge(Batch.from_runs([Run.from_arrays(c) for c in curves]))


def found(curves):
    row = opinion(curves).present[0]
    return {label for label, there in zip(LABELS, row, strict=True) if there}


COMPANIONS = {
    "metric_mismatch": {"overfitting"},
    "vanishing_gradients": {"not_learning"},
    "train_stalled_val_falls": {"val_below_train"},
}
"""What else the clear case of a label truly shows."""


@pytest.mark.parametrize("label", LABELS)
def test_clear_cases(label):
    assert found(SHOWS[label]) == {label} | COMPANIONS.get(label, set())


def test_a_run_that_is_gone_after_one_point_diverged():
    gone = [np.nan] * 6
    assert found({"train_loss": [1.3, 2e27, *gone]}) == {"non_finite", "divergence"}
    assert found({"train_loss": [1.3, 2.0, *gone]}) == {"non_finite"}
    assert found({"train_loss": [1.3, 2e27]}) == set()


@pytest.mark.parametrize("name", sorted(BENIGN))
def test_harmless_look_alikes(name):
    assert found(BENIGN[name]) == set()


@pytest.mark.parametrize("seed", range(12))
def test_plain_runs_are_healthy(seed):
    assert found(healthy(20 + 17 * seed, seed)) == set()


@pytest.mark.parametrize(
    ("name", "labels"),
    [
        ("all_nan", {"non_finite"}),
        ("all_zero", {"not_learning"}),
        ("constant", {"not_learning"}),
        ("one_point", set()),
        ("two_points", set()),
        ("three_points", set()),
        ("to_1e31", {"divergence"}),
        ("negative", set()),
        ("inf_inside", {"non_finite"}),
        ("only_val", set()),
        ("only_metric", set()),
        ("disjoint_steps", set()),
        ("zero_gradient", set()),
    ],
)
def test_hostile_input(name, labels):
    assert found(HOSTILE[name]) == labels


@pytest.mark.parametrize("name", sorted(HOSTILE))
def test_hostile_input_gives_finite_degrees(name):
    result = opinion(HOSTILE[name])
    assert np.isfinite(result.degree).all()


@pytest.mark.parametrize("factor", [1e-6, 1e-3, 1e3, 1e6])
@pytest.mark.parametrize("label", LABELS)
def test_units_do_not_matter(label, factor):
    scaled = {k: factor * np.asarray(v) if k.endswith("loss") else v for k, v in SHOWS[label].items()}
    assert found(scaled) == found(SHOWS[label])


def test_a_run_is_judged_the_same_in_any_company():
    everyone = [*SHOWS.values(), *BENIGN.values(), *HOSTILE.values()] * 8  # more than one chunk
    together = opinion(*everyone)
    for i, curves in enumerate(everyone[: len(everyone) // 8]):
        alone = opinion(curves)
        np.testing.assert_allclose(together.degree[i], alone.degree[0], atol=1e-6)
        np.testing.assert_array_equal(together.severity[i], alone.severity[0])


def test_an_empty_batch():
    result = opinion()
    assert result.degree.shape == (0, len(LABELS))
    assert why_unchecked(Batch.from_runs([]).finite_counts) == []


def span(label, curves=None):
    result, j = opinion(SHOWS[label] if curves is None else curves), LABELS.index(label)
    return result.onset[0, j], result.end[0, j]


@pytest.mark.parametrize(
    ("label", "onset", "end"),
    [
        ("overfitting", 26, np.nan),
        ("not_learning", 1, np.nan),
        ("undertrained", np.nan, np.nan),
        ("slow_start", 1, 35),
        ("divergence", 21, np.nan),
        ("non_finite", 41, np.nan),
        ("loss_spikes", 51, 91),
        ("val_spikes", 31, 61),
        ("noisy_validation", 1, np.nan),
        ("no_generalization", 1, np.nan),
        ("val_below_train", 1, np.nan),
        ("high_initial_loss", 1, 3),
        ("exploding_gradients", 61, 76),
        ("delayed_generalization", 5, 77),
    ],
)
def test_onset_and_end(label, onset, end):
    assert span(label) == (pytest.approx(onset, abs=3, nan_ok=True), pytest.approx(end, abs=3, nan_ok=True))


def test_underfitting_starts_with_its_plateau():
    onset, end = span("underfitting")
    assert 5 < onset < 20
    assert np.isnan(end)


def severity(label, curves):
    return SEVERITIES[opinion(curves).severity[0, LABELS.index(label)]]


def test_severity_of_overfitting_follows_the_rise():
    x = np.linspace(0, 1, 60)
    for slope, expected in ((0.5, "mild"), (3.0, "severe")):
        val = decay(60, 2.0, 0.8) + slope * np.clip(x - 0.4, 0, None)
        assert severity("overfitting", {"train_loss": decay(60, 2.0, 0.05), "val_loss": val}) == expected


@pytest.mark.parametrize("at", [150, 240])
@pytest.mark.parametrize("seed", range(3))
def test_divergence_begins_where_the_level_leaves_its_low(at, seed):
    """Not at the lowest point of a long flat stretch, wherever noise has put that."""
    loss = 2.2 + 6.0 * np.exp(-np.arange(300) / 10) + np.random.default_rng(seed).normal(0, 0.05, 300)
    loss[at:] += 5.0
    assert opinion({"train_loss": loss}).onset[0, LABELS.index("divergence")] == pytest.approx(at, abs=8)


def test_a_low_first_value_moves_no_onset_of_a_loss_that_came_down_before_it_blew_up():
    loss = np.r_[0.5 + 2.0 * np.exp(-np.arange(140) / 25), 0.5 + 0.15 * np.arange(60)]
    loss[0] *= 0.35
    assert opinion({"train_loss": loss}).onset[0, LABELS.index("divergence")] == pytest.approx(140, abs=4)


def test_a_loss_thrown_away_by_the_first_step_diverges_from_there():
    loss = np.r_[10.0, 55.0 + np.random.default_rng(0).normal(0, 2, 150)]
    assert opinion({"train_loss": loss}).onset[0, LABELS.index("divergence")] == 1.0


def test_usual_severities():
    assert severity("divergence", SHOWS["divergence"]) == "severe"
    assert severity("non_finite", SHOWS["non_finite"]) == "severe"
    assert severity("val_below_train", SHOWS["val_below_train"]) == "notice"


@pytest.mark.parametrize(("learnt", "expected"), [(0.25, "notice"), (0.12, "mild"), (0.07, "severe")])
def test_a_plateau_after_a_fair_improvement_may_be_all_there_is(learnt, expected):
    loss = 1 - learnt + learnt * np.exp(-np.arange(60) / 4)
    assert severity("underfitting", {"train_loss": loss, "val_loss": loss + 0.01}) == expected


def test_an_implausible_gap_is_no_notice():
    train = decay(60)
    assert severity("val_below_train", {"train_loss": train, "val_loss": 0.2 * train}) == "mild"


def test_a_label_that_is_present_keeps_those_out_that_it_excludes():
    for winner, losers in OVERRULED:
        degree = np.zeros((1, len(LABELS)))
        degree[0, [LABELS.index(x) for x in (winner, *losers)]] = 0.5
        after = overrule(degree)[0]
        assert after[LABELS.index(winner)] == 0.5
        assert all(after[LABELS.index(loser)] < 0.5 for loser in losers)


def test_unchecked_labels_say_what_is_missing():
    batch = Batch.from_runs([Run.from_arrays({"train_loss": [1.0, 0.5, 0.3, np.nan]}), Run.from_arrays(healthy())])
    few, plain = why_unchecked(batch.finite_counts)
    assert few["overfitting"] == "no val_loss was logged"
    assert few["undertrained"] == "train_loss has only 3 finite points, at least 5 are needed"
    assert few["metric_mismatch"] == "no train_metric or val_metric was logged"
    assert "non_finite" not in few
    assert "divergence" not in few
    assert set(plain) == {"metric_mismatch", "vanishing_gradients", "exploding_gradients"}


def test_unchecked_labels_are_never_present():
    result = opinion(*SHOWS.values(), *HOSTILE.values())
    assert not (result.present & ~result.checked).any()
    assert not result.degree[~result.checked].any()


def test_without_unchecks_cells():
    result = opinion(SHOWS["divergence"])
    gone = without(result, np.ones_like(result.checked))
    assert not gone.checked.any()
    assert not gone.present.any()


@pytest.mark.parametrize("stride", [2, 4])
def test_thinned_logs_keep_the_verdict(stride):
    for label in ("overfitting", "slow_start", "no_generalization", "undertrained"):
        curves = {k: np.asarray(v)[::stride] for k, v in SHOWS[label].items()}
        assert label in found(curves), label


def test_one_percent_of_noise_keeps_the_verdict():
    for label in ("overfitting", "divergence", "slow_start", "no_generalization", "loss_spikes"):
        curves = {k: v * (1 + noise(len(v), 0.01, 5)) for k, v in SHOWS[label].items()}
        assert label in found(curves), label
