"""What is no learning curve gets no verdict, with the reason; ill trainings keep theirs."""

from __future__ import annotations

import numpy as np
import pytest
from hand_curves import BENIGN, SHOWS, decay
from nonsense import NONSENSE, nonsense_runs

from curveclinic import predict_pathology
from curveclinic.deciding.doubt import doubts
from curveclinic.deciding.vouching import lone_rise
from curveclinic.deciding.wandering import count_legs
from curveclinic.labels import LABELS
from curveclinic.measuring.quantities import measure
from curveclinic.predict import predict_runs
from curveclinic.ragged import Batch
from curveclinic.run import Run

X = np.linspace(0, 1, 200)
WAVE = 1.5 + np.sin(2 * np.pi * 5 * X)


def reason(curves):
    """Why a run is not judged, "" if it is."""
    return doubts(measure(Batch.from_runs([Run.from_arrays(curves)]))).reasons().get(0, "")


def noise(level, scatter, n=200, seed=0):
    return level * (1 + scatter * np.random.default_rng(seed).standard_normal(n))


def test_a_wave_is_not_judged_and_says_how_often_it_turns():
    d = predict_pathology({"train_loss": WAVE})
    assert (d.verdict, d.labels, d.findings) == ("undetermined", (), ())
    assert not d.is_healthy
    assert d.message.startswith("train loss goes up and down, 11 times by a fifth of its range or more")
    assert set(d.unchecked) == set(LABELS)
    assert set(d.unchecked.values()) == {d.message}
    assert d.run is not None


def test_the_same_number_for_ever_is_not_judged():
    assert reason({"train_loss": np.full(50, 1.2345)}).startswith("train loss is 1.234 at every one of its 50 points")


@pytest.mark.parametrize("value", [0.6931, 0.0, 1.0])
def test_a_val_loss_that_never_changes_is_not_called_healthy(value):
    d = predict_pathology({"train_loss": decay(40), "val_loss": np.full(40, value)})
    assert (d.verdict, d.labels) == ("undetermined", ())
    assert d.message == f"val loss is {value:.4g} at every one of its 40 points: is it logged right?"


def outlying_last(n, to):
    val = decay(n, end=0.3) + 0.002 * np.random.default_rng(0).standard_normal(n)
    return {"train_loss": decay(n, end=0.1), "val_loss": np.append(val[:-1], to)}


@pytest.mark.parametrize("n", [10, 20, 30])
def test_one_last_point_is_no_overfitting(n):
    d = predict_pathology(outlying_last(n, 5.0))
    assert "overfitting" not in d.labels
    assert d.stop_at is None


def test_what_rests_on_one_last_point_is_not_judged():
    lone = outlying_last(20, 5.0)
    two = lone | {"val_loss": np.append(lone["val_loss"][:-2], [3.0, 5.0])}
    batch = Batch.from_runs([Run.from_arrays(curves) for curves in (lone, two, lone)])
    told = lone_rise(batch, np.array([True, True, False]))
    assert list(told) == [0]
    assert told[0].startswith("only the last point of val loss has risen, from 0.3")
    assert "one point is no trend" in told[0]


def test_two_last_points_may_be_overfitting():
    curves = outlying_last(20, 5.0)
    curves["val_loss"][-2] = 3.0
    assert predict_pathology(curves).labels == ("overfitting",)


def test_what_is_found_beside_a_val_loss_that_never_changes_is_still_said():
    d = predict_pathology({"train_loss": decay(40), "val_loss": np.full(40, decay(40)[0])})
    assert d.labels == ("no_generalization",)


@pytest.mark.parametrize("classes", [2, 10, 100])
def test_the_cost_of_a_guess_for_ever_is_not_learning(classes):
    d = predict_pathology({"train_loss": np.full(50, np.round(np.log(classes), 4))})
    assert d.labels == ("not_learning",)


@pytest.mark.parametrize("scatter", [0.002, 0.02, 0.06])
def test_noise_of_a_few_percent_about_a_level_is_not_learning(scatter):
    d = predict_pathology(
        {"train_loss": noise(np.log(10), scatter), "val_loss": noise(np.log(10), scatter / 4, seed=1)}
    )
    assert "not_learning" in d.labels


def test_wide_scatter_without_a_trend_is_not_judged():
    assert reason({"train_loss": [1.0, 2.0] * 50}).startswith("train loss scatters between 1 and 2 without a trend")
    for loss in (np.abs(noise(2.0, 0.35)), np.random.default_rng(1).standard_normal(300), np.exp(noise(2.0, 0.6))):
        said = f"train loss scatters between {loss.min():.4g} and {loss.max():.4g} without a trend"
        assert reason({"train_loss": loss}).startswith(said)


def teeth(epochs=80, period=20, last_peak=2.4, seed=0, scatter=0.1):
    """A loss that falls from its peak to 0.2 in every epoch; the first peak is 3, and those after it are lower."""
    place = np.arange(epochs * period)
    peak = 3.0 + (last_peak - 3.0) * place / len(place)
    curve = peak * (0.2 / 3.0) ** ((place % period) / (period - 1))
    return curve * np.abs(noise(1.0, scatter, len(place), seed))


@pytest.mark.parametrize("last_peak", [2.4, 2.7])
@pytest.mark.parametrize("period", [20, 37, 100])
def test_a_pattern_that_sinks_as_it_repeats_is_a_training(period, last_peak):
    runs = [{"train_loss": teeth(80, period, last_peak, seed)} for seed in range(6)]
    assert {d.labels for d in predict_pathology(runs)} == {("periodic_loss",)}


@pytest.mark.parametrize("unit", [1e-6, 1e6])
def test_whether_it_sinks_does_not_depend_on_units(unit):
    assert reason({"train_loss": unit * teeth()}) == ""
    logarithmic = teeth(last_peak=2.2, scatter=0.2)
    assert logarithmic.max() > 30 * logarithmic.min()
    assert reason({"train_loss": unit * logarithmic}) == ""
    assert reason({"train_loss": -unit * teeth()}) != ""  # rises


def test_a_pattern_that_stays_as_it_is_is_none():
    place = np.arange(1600)
    waves = [2.0 + np.sin(2 * np.pi * place / 19.63), 2.0 + np.sign(np.sin(2 * np.pi * place / 17.0))]
    for curve in (*waves, teeth(last_peak=3.0), teeth(last_peak=3.6)):
        for own in (0.0, 0.1):
            assert "without a trend" in reason({"train_loss": curve + own * noise(1.0, 1.0, 1600) - own})


def test_a_told_number_of_classes_explains_a_scatter_about_what_guessing_costs():
    wide = {"train_loss": noise(np.log(4), 0.15)}
    assert predict_pathology(wide).verdict == "undetermined"
    assert predict_pathology(wide, num_classes=40).verdict == "undetermined"
    assert predict_pathology(wide, num_classes=4).labels == ("not_learning",)


@pytest.mark.parametrize(("height", "is_wave"), [(0.15, False), (0.18, False), (0.22, True), (0.3, True)])
def test_what_rises_and_falls_in_the_middle_of_its_range_but_for_one_peak_and_one_dip_is_no_wave(height, is_wave):
    middle, place = height * np.sin(12 * np.pi * X + 1.5), np.arange(200)
    peak, dip = (np.cos(np.clip((place - at) / 6, -1, 1) * np.pi / 2) for at in (128, 75))
    curve = 3.5 + middle + (0.5 - height) * (peak - dip)
    assert ("goes up and down" in reason({"train_loss": curve})) == is_wave


@pytest.mark.parametrize("seed", [1, 5, 6, 11])
def test_a_walk_of_which_one_step_stands_out_is_no_walk(seed):
    steps = np.random.default_rng(seed).standard_normal(120)
    for tall, walks in ((steps[60], True), (5.0, False)):
        steps[60] = tall
        assert ("random walk" in reason({"train_loss": 40 + np.cumsum(steps)})) == walks


def test_a_metric_that_fares_like_the_loss_shows_that_a_walk_is_the_models():
    walk = 2.0 + np.cumsum(np.random.default_rng(3).standard_normal(200)) / 30
    assert walk.min() > 0
    assert "random walk" in reason({"train_loss": walk})
    accuracy = np.exp(-walk) * (1 + 0.05 * np.random.default_rng(5).standard_normal(200))
    assert reason({"train_loss": walk, "train_metric": accuracy}) == ""
    assert reason({"train_loss": walk, "val_metric": accuracy}) == ""
    assert "random walk" in reason({"train_loss": walk, "train_metric": np.exp(-walk)})  # made of the loss
    other = 0.5 + np.cumsum(np.random.default_rng(4).standard_normal(200)) / 100
    assert "random walk" in reason({"train_loss": walk, "train_metric": other})


def test_a_steady_val_loss_at_the_same_level_backs_wide_scatter():
    train = np.abs(noise(2.0, 0.35))
    assert reason({"train_loss": train, "val_loss": noise(2.0, 0.02, seed=1)}) == ""
    assert reason({"train_loss": train, "val_loss": noise(9.0, 0.02, seed=1)}) != ""


def test_a_fast_descent_at_the_first_point_is_a_training():
    train = np.abs(noise(2.0, 0.3))
    train[0] = 6.0
    assert reason({"train_loss": train}) == ""


def test_a_falling_val_loss_shows_a_training():
    assert reason({"train_loss": WAVE, "val_loss": decay(200)}) == ""
    assert reason({"train_loss": WAVE, "val_loss": 1.5 + np.cos(2 * np.pi * 5 * X)}) != ""


def test_a_cyclic_learning_rate_explains_a_wave():
    assert reason({"train_loss": WAVE, "lr": 1.0 + 0.9 * np.sin(2 * np.pi * 5 * X)}) == ""


def test_a_logged_nan_is_a_fact_whatever_the_shape():
    curves = WAVE.copy()
    curves[150:] = np.nan
    assert "non_finite" in predict_pathology({"train_loss": curves}).labels


def test_most_long_walks_are_not_judged():
    rng = np.random.default_rng(3)
    walks = 20 + np.cumsum(rng.standard_normal((40, 300)), axis=1)
    answers = predict_runs([Run.from_arrays({"train_loss": walk}) for walk in walks])
    doubted = [d for d in answers if d.verdict == "undetermined"]
    assert len(doubted) >= 24
    assert any("like a random walk" in d.message for d in doubted)


@pytest.mark.parametrize("slope", [3.0, -3.0])
@pytest.mark.parametrize("n", [30, 100, 400])
def test_a_straight_line_in_noise_is_no_walk(n, slope):
    size = 3.0 / (0.7 * min(n, 128)) * max(1.0, n / 128) ** 0.5  # of a cell the slope is 0.7 of the noise
    line = 4.0 + slope * np.linspace(-0.5, 0.5, n)
    runs = [Run.from_arrays({"train_loss": line + noise(size, 1.0, n, seed) - size}) for seed in range(100)]
    assert len(doubts(measure(Batch.from_runs(runs))).reasons()) <= 8


def test_a_line_that_rises_in_noise_diverges():
    line = 2.3 + np.linspace(0, 3, 100)
    runs = [{"train_loss": line + noise(0.05, 1.0, 100, k), "val_loss": line} for k in range(10)]
    assert {d.labels for d in predict_pathology(runs)} == {("divergence",)}


def test_a_training_that_wanders_in_logarithms_once_it_has_learnt_is_judged():
    rng = np.random.default_rng(5)
    wander = np.exp(np.cumsum(rng.normal(0.0, 0.45, (20, 200)), axis=1))
    learnt = 11 * np.exp(-np.minimum(np.arange(200), 20) / 2.5) * np.minimum(wander, 30)
    untaught = 11 * wander
    doubted = [
        [d.verdict == "undetermined" for d in predict_runs([Run.from_arrays({"train_loss": v}) for v in curves])]
        for curves in (learnt, untaught)
    ]
    assert (sum(doubted[0]), sum(doubted[1]) >= 5) == (0, True)


LONG = ("sine", "sawtooth", "square_wave", "triangle", "chirp", "uniform_noise", "heavy_noise")


@pytest.mark.parametrize("kind", LONG)
def test_long_nonsense_is_not_judged(kind):
    runs = [run for run in nonsense_runs(kind, 7, 4) if run.n_points >= 400]
    answers = predict_runs(runs)
    assert np.mean([d.verdict == "undetermined" for d in answers]) >= 0.85


@pytest.mark.parametrize("name", [*SHOWS, *BENIGN])
def test_hand_curves_are_judged(name):
    assert reason(SHOWS.get(name) or BENIGN[name]) == ""


@pytest.mark.parametrize("unit", [1e-6, 1e6])
@pytest.mark.parametrize("kind", ["sine", "random_walk", "uniform_noise", "steps"])
def test_doubts_do_not_depend_on_units(kind, unit):
    runs = nonsense_runs(kind, 2, 2)
    scaled = [Run.from_arrays({name: (s.steps, unit * s.values) for name, s in run.channels.items()}) for run in runs]
    rows, other = (set(doubts(measure(Batch.from_runs(rs))).reasons()) for rs in (runs, scaled))
    assert rows == other


def test_every_kind_of_nonsense_draws_finite_runs_of_the_wanted_length():
    for kind in NONSENSE:
        runs = nonsense_runs(kind, 0, 2)
        assert [run.n_points for run in runs[::6]] == [12, 30, 100, 400, 1500]
        assert all(np.isfinite(s.values).all() for run in runs for s in run.channels.values())


@pytest.mark.parametrize(
    ("curve", "legs"),
    [([3, 2, 1], 1), ([3, 1, 3], 2), ([1, 3, 1, 3], 3), ([1, 1.1, 1, 1.1], 0), ([2, 3, 1, 3, 1, 3], 5)],
)
def test_legs(curve, legs):
    assert count_legs(np.array([curve], dtype=float), np.array([1.0])).tolist() == [legs]


def test_doubts_keep_their_rows_in_a_batch_of_many_pieces():
    healthy = {"train_loss": decay(60), "val_loss": decay(60, 2.1, 0.6)}
    runs = [Run.from_arrays({"train_loss": WAVE} if k in (3, 300, 555) else healthy) for k in range(600)]
    answers = predict_runs(runs)
    assert [k for k, d in enumerate(answers) if d.verdict == "undetermined"] == [3, 300, 555]


def test_a_gradient_that_vanishes_explains_a_loss_of_one_value_or_of_slight_scatter():
    dying = {"grad_norm": 10.0 ** np.linspace(0, -6, 50)}
    scatter = 1.0 + 0.001 * np.random.default_rng(3).standard_normal(50)
    for loss in (np.full(50, 1.2345), scatter, 1.0 + 0.001 * np.sin(np.arange(50.0))):
        d = predict_pathology({"train_loss": loss} | dying)
        assert "vanishing_gradients" in d.labels, d.message
    alive = {"grad_norm": np.linspace(1.0, 0.8, 50)}
    assert predict_pathology({"train_loss": np.full(50, 1.2345)} | alive).verdict == "undetermined"


@pytest.mark.parametrize(("height", "judged"), [(0.004, True), (0.02, False), (0.1, False)])
def test_a_gradient_that_vanishes_explains_no_wave_of_some_percent(height, judged):
    dying = {"grad_norm": 10.0 ** np.linspace(0, -6, 200)}
    assert (reason({"train_loss": 1.0 + height * (WAVE - 1.5) / 2} | dying) == "") == judged


def test_a_gradient_that_falls_as_in_any_training_explains_no_walk_and_no_wave():
    falling = {"grad_norm": 10.0 ** np.linspace(0, -1.5, 200)}
    walks = 10.0 + np.random.default_rng(0).standard_normal((10, 200)).cumsum(axis=1)
    waves = [2.0 + 0.6 * np.sin(np.arange(200) / k) for k in (8.0, 12.0)]
    found = predict_pathology([{"train_loss": loss} | falling for loss in (*walks, *waves)])
    alone = predict_pathology([{"train_loss": loss} for loss in (*walks, *waves)])
    doubted = [d.verdict == "undetermined" for d in alone]
    assert sum(doubted) >= 10
    assert [d.verdict == "undetermined" for d in found] == doubted
