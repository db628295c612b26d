import numpy as np
import pytest
from hand_curves import BENIGN, SHOWS, healthy

from curveclinic.deciding import rules
from curveclinic.deciding.definitions import DEFINITIONS, label_degrees
from curveclinic.deciding.degrees import above, between
from curveclinic.labels import LABELS
from curveclinic.measuring.quantities import measure
from curveclinic.ragged import Batch
from curveclinic.run import Run


def degrees_of(*curves, goal="max"):
    q = measure(Batch.from_runs([Run.from_arrays(c, metric_goal=goal) for c in curves])).quantities
    return label_degrees(q)


def test_every_label_has_a_definition_in_order():
    assert tuple(DEFINITIONS) == LABELS


def test_clauses_are_linear_between_their_cuts_and_nan_is_absent():
    x = np.array([0.0, 1.0, 1.5, 2.0, 3.0, np.nan, np.inf])
    np.testing.assert_allclose(above(x, 1.0, 2.0), [0, 0, 0.5, 1, 1, 0, 1])
    np.testing.assert_allclose(between(x, 2.0, 1.0), [1, 1, 0.5, 0, 0, 0, 0])


@pytest.mark.parametrize("label", LABELS)
def test_a_clear_case_is_clearly_present(label):
    assert degrees_of(SHOWS[label])[0, LABELS.index(label)] >= 0.8


@pytest.mark.parametrize("name", sorted(BENIGN))
def test_harmless_curves_show_nothing(name):
    found = degrees_of(BENIGN[name])[0]
    assert {label: round(float(d), 2) for label, d in zip(LABELS, found, strict=True) if d > 0.4} == {}


def settling(drop, metric):
    """A bad first guess, then noise about the cost of chance."""
    values = np.full(80, 0.693) + np.random.default_rng(0).normal(0, 5e-4, 80)
    values[:2] += drop * np.array([0.74, 0.2])
    return {"train_loss": values, "val_loss": values + 1e-3} | ({} if metric is None else {"val_metric": metric})


def test_settling_at_chance_at_once_is_idleness_where_the_metric_stays_put():
    flickers = np.where(np.random.default_rng(1).random(80) < 0.5, 0.496, 0.504)
    label = LABELS.index("not_learning")
    cases = [(0.07, flickers), (0.07, None), (0.07, np.linspace(0.5, 0.69, 80)), (0.7, flickers), (30.0, flickers)]
    still, alone, moved, thrown, fell = degrees_of(*(settling(*case) for case in cases))[:, label]
    assert still == thrown == 1.0  # the first step may have thrown much away
    assert alone < 0.5
    assert moved == alone
    assert fell == 0.0


def test_a_loss_that_has_lost_most_of_what_it_learnt_diverges_before_it_is_back_at_its_start():
    falls, label = 0.3 + 2.0 * np.exp(-np.arange(60) / 8), LABELS.index("divergence")
    wobbles, lost = (
        degrees_of({"train_loss": np.concatenate([falls, np.linspace(0.3, end, 40)])})[0, label] for end in (0.5, 1.75)
    )
    assert wobbles == 0.0
    assert lost == 1.0


def test_scatter_of_six_points_is_no_blow_up():
    assert degrees_of({"train_loss": [0.302, 0.361, 0.243, 0.377, 0.403, 0.303]})[0, LABELS.index("divergence")] < 0.5
    assert degrees_of({"train_loss": [0.3, 0.31, 0.34, 0.4, 0.5, 0.7]})[0, LABELS.index("divergence")] == 1.0


@pytest.mark.parametrize(
    ("climbs_from", "takes_back", "degree"),
    [(0.5, 0.4, 1.0), (0.5, 0.1, 0.0), (0.8, 0.4, 0.0)],
    ids=["half of the run", "hardly", "the last fifth"],
)
def test_a_loss_that_climbs_for_half_of_the_run_diverges(climbs_from, takes_back, degree):
    x = np.arange(100) / 99
    loss = 2.0 + 6.0 * np.exp(-x * 30) + 6.0 * takes_back * np.maximum(x - climbs_from, 0) / (1 - climbs_from)
    assert degrees_of({"train_loss": loss})[0, LABELS.index("divergence")] == degree


def test_a_loss_that_the_first_step_throws_away_for_good_diverges():
    scatter = 1 + 0.05 * np.random.default_rng(0).standard_normal(200)
    thrown, back, rising = 55.0 * scatter, 55.0 * scatter, 55.0 * scatter
    thrown[0] = back[0] = 10.0
    back[1:] *= np.exp(-np.arange(199) / 30)  # comes back
    rising *= 1 - 0.98 ** np.arange(1, 201)  # an average that begins at 0
    found = degrees_of(*({"train_loss": loss} for loss in (thrown, back)))[:, LABELS.index("divergence")]
    assert found.tolist() == [1.0, 0.0]
    q = measure(Batch.from_runs([Run.from_arrays({"train_loss": loss}) for loss in (thrown, rising)])).quantities
    assert q["first_over_last"] == pytest.approx([0.18, 0.02], abs=0.03)
    assert q["first_leap"][0] < 0.15 < 0.35 < q["first_leap"][1]


def test_a_metric_that_worsens_while_the_loss_falls_disagrees_however_high_it_is():
    falls, label = np.linspace(2.0, 0.5, 60), LABELS.index("metric_mismatch")
    for low, high in ((0.2, 0.5), (0.6, 0.98)):
        told = {"train_loss": falls, "val_loss": falls + 0.1, "val_metric": np.linspace(high, low, 60)}
        assert degrees_of(told)[0, label] == 1.0
    assert degrees_of(told | {"val_metric": np.full(60, 0.98)})[0, label] == 0.0


@pytest.mark.parametrize(("count", "expected"), [(1, 1.0), (6, 1.0), (8, 0.5), (10, 0.0), (12, 0.0)])
def test_many_isolated_jumps_of_val_are_no_spikes(count, expected):
    curves = healthy(160)
    curves["val_loss"][np.linspace(30, 150, count).astype(int)] += 2.0
    assert degrees_of(curves)[0, LABELS.index("val_spikes")] == pytest.approx(expected)


@pytest.mark.parametrize(("times", "low", "high"), [(10, 0, 0), (30, 0, 0), (80, 0.4, 0.8), (150, 1, 1), (800, 1, 1)])
def test_a_gradient_explodes_where_it_bursts_to_about_a_hundred_times_its_size(times, low, high):
    grad = np.ones(100)
    grad[60] = times
    assert low <= degrees_of(healthy(100) | {"grad_norm": grad})[0, LABELS.index("exploding_gradients")] <= high


def test_quantities_of_any_size_have_degrees():
    q = measure(Batch.from_runs([Run.from_arrays(healthy())])).quantities
    for size in (1e-308, 1e300, 1.7e308, np.inf):
        found = label_degrees({name: values * 0 + size for name, values in q.items()})
        assert ((found >= 0) & (found <= 1)).all()


def test_degrees_lie_between_0_and_1():
    found = degrees_of(*SHOWS.values(), *BENIGN.values())
    assert found.shape == (len(SHOWS) + len(BENIGN), len(LABELS))
    assert found.min() >= 0.0
    assert found.max() <= 1.0


X = np.linspace(0, 1, 100)


def overfits(train, val):
    return degrees_of({"train_loss": train, "val_loss": val})[0, LABELS.index("overfitting")]


def test_val_that_settles_overfits_where_the_gap_grows_well_beyond_what_it_was():
    val = 0.62 + 0.2 * np.exp(-25 * X)
    assert overfits(0.3 + 0.3 * np.exp(-25 * X) + 0.3 * (1 - X), val) == 1.0
    assert overfits(0.3 + 0.3 * np.exp(-25 * X) + 0.05 * (1 - X), val) == 0.0  # train has settled, too
    late = 0.62 + 1.5 * np.exp(-4 * X)
    assert overfits(0.05 + 1.5 * np.exp(-4 * X) + 0.3 * (1 - X), late) < 0.5  # val is not yet flat half way


def test_after_a_long_descent_a_rise_counts_beside_the_lowest_loss():
    fall, rise = np.exp(-15 * X), np.clip(X - 0.3, 0, None)
    train = 0.05 + 6 * fall + 0.03 * (1 - X)
    assert overfits(train, 0.3 + 6 * fall + 0.5 * rise) == 1.0  # 5 % of its drop, but more than its lowest
    assert overfits(train, 0.3 + 6 * fall + 0.04 * rise) == 0.0
    assert overfits(train + 0.2 * rise, 0.3 + 6 * fall + 0.15 * rise) < 0.5  # train rises with it


def test_many_jumpy_points_that_rise_far_on_average_rise():
    jumps = np.exp(0.6 * np.random.default_rng(0).standard_normal(1500))
    x = np.linspace(0, 1, 1500)
    train, fall = 0.1 + 0.9 * np.exp(-15 * x), 0.4 + 0.6 * np.exp(-15 * x)
    assert overfits(train, (fall + 0.5 * np.clip(x - 0.2, 0, None)) * jumps) >= 0.8
    assert overfits(train, fall * jumps) < 0.5


@pytest.mark.parametrize("width", [8, 20, 300])
@pytest.mark.parametrize("noise", [0.3, 0.6])
def test_a_gap_that_grows_by_the_noise_of_train_alone_does_not_widen(width, noise):
    x, runs = np.linspace(0, 1, width), []
    for seed in range(100):
        scatter = np.random.default_rng(seed).standard_normal((2, width))
        train, val = ((low + 1.6 * np.exp(-20 * x)) for low in (0.3, 0.4))
        runs.append({"train_loss": train * np.exp(noise * scatter[0]), "val_loss": val * np.exp(0.01 * scatter[1])})
    assert (degrees_of(*runs)[:, LABELS.index("overfitting")] >= 0.5).mean() <= 0.03


@pytest.mark.parametrize(("fit", "pace"), [(6, 20), (6, 35), (6, 60), (1, 35), (0.5, 60)])
def test_val_that_is_merely_slower_is_not_delayed(fit, pace):
    x, label = np.arange(120), LABELS.index("delayed_generalization")
    train = 0.05 + 2.25 * np.exp(-x / fit)
    slower = 0.8 + 1.5 * np.exp(-x / pace)
    waits = 0.8 + 1.5 / (1 + np.exp((x - 70) / 6))
    climbs = 0.8 + 1.5 * np.exp(-x / 6) + 2.0 * np.exp(-(((x - 40) / 20) ** 2))
    found = degrees_of(*({"train_loss": train, "val_loss": val} for val in (slower, waits, climbs)))[:, label]
    assert found[0] < 0.2
    assert (found[1:] == 1.0).all()


def test_four_percent_and_no_more_is_an_early_plateau():
    loss = 0.2 + 0.012 * np.exp(-20 * X) + np.random.default_rng(0).normal(0, 2e-4, 100)
    found = degrees_of({"train_loss": loss, "val_loss": loss + 1e-3})[0]
    assert found[LABELS.index("underfitting")] > 0.9
    assert found[LABELS.index("not_learning")] < 0.5


def said(curves):
    """What the rules find, of labels that exclude each other the winner."""
    found = rules.judge(Batch.from_runs([Run.from_arrays(curves, metric_goal="max")])).present[0]
    return {label for label, there in zip(LABELS, found, strict=True) if there}


def named(curves, *names):
    found = degrees_of(curves)[0]
    return [round(float(found[LABELS.index(name)]), 2) for name in names]


def rising(low_at, *, noise=0.0):
    """Train to a tenth; val within its noise until `low_at` of 50 points, then to three times its level."""
    x = np.arange(50)
    val = 0.56 + 0.03 * np.maximum(x - low_at, 0) - 0.003 * (x == low_at)
    return {"train_loss": 0.55 * np.exp(-x / 15), "val_loss": val + noise * np.random.default_rng(3).normal(size=50)}


def test_val_that_hardly_came_down_before_it_rises_far_is_both_overfitting_and_no_generalization():
    assert said(rising(5, noise=0.002)) == {"overfitting", "no_generalization"}
    # from the very first evaluation on it never came down
    overfits, never = named(rising(0), "overfitting", "no_generalization")
    assert 0.0 < overfits < 0.5
    assert never == 1.0


def test_a_small_rise_without_noise_counts_where_the_drop_is_small_too():
    x = np.arange(12)
    val = np.where(x < 6, 1.1 - 0.003 * x, 1.085 + 0.001 * (x - 5))
    calm = {"train_loss": 1.1 - 0.01 * x, "val_loss": val}
    assert named(calm, "overfitting") == [1.0]
    scatter = 0.004 * np.random.default_rng(0).normal(size=(20, 12))
    assert np.mean([named(calm | {"val_loss": val + one}, "overfitting")[0] for one in scatter]) < 0.1


def test_a_val_that_drifts_by_a_trace_is_no_overfitting():
    rng, x, found = np.random.default_rng(0), np.linspace(0, 1, 100), []
    for _ in range(20):
        drift = np.zeros(100)
        for k, step in enumerate(rng.normal(0, 0.0013, 99)):
            drift[k + 1] = 0.9 * drift[k] + step
        val = np.round(1.2 * (1 + 0.01 * np.exp(-5 * x) + drift), 4)
        found += named({"train_loss": 1.15 + 0.12 * np.exp(-3 * x), "val_loss": val}, "overfitting")
    assert np.mean(found) < 0.1


@pytest.mark.parametrize(("noise", "found"), [(0.0, [0.0, 1.0]), (0.003, [1.0, 0.0])], ids=["calm", "noisy"])
def test_a_loss_that_falls_calmly_by_a_trace_is_learning_far_too_slowly(noise, found):
    falls = 1.0986 - 0.00016 * np.arange(10)
    scatter = noise * np.random.default_rng(1).normal(size=(2, 10))
    curves = {"train_loss": falls + scatter[0], "val_loss": falls - 0.0001 + scatter[1]}
    assert named(curves, "not_learning", "undertrained") == found


def test_a_trace_that_val_does_not_follow_is_no_learning():
    train = 1.0986 - 0.00016 * np.arange(20)
    for val in (np.full(20, 1.0987), 1.0987 + 0.0001 * np.arange(20)):
        assert said({"train_loss": train, "val_loss": val}) == {"not_learning"}


def test_a_fall_of_val_shows_through_a_pattern_of_train():
    x = np.arange(600)
    sorted_data = {"train_loss": 2.3 - 0.002 * x + 0.3 * np.sign(np.sin(x / 6.5)), "val_loss": 2.3 - 0.002 * x}
    assert said(sorted_data) == {"undertrained", "periodic_loss"}
    shaky = sorted_data | {"val_loss": 2.0 + 0.3 * np.random.default_rng(0).normal(size=600)}
    assert named(shaky, "undertrained") == [0.0]


@pytest.mark.parametrize(("times", "degree"), [(2.0, 0.0), (8.0, 1.0)])
def test_a_first_value_logged_untrained_is_high_if_it_is_a_multiple_of_all_that_follow(times, degree):
    flat = 0.2 + 0.001 * np.random.default_rng(0).normal(size=60)
    flat[0] *= times
    assert named({"train_loss": flat}, "high_initial_loss") == [degree]


@pytest.mark.parametrize("rate", [1 / 10, 1 / 3, 1.0])
def test_a_fast_learner_in_a_long_log_did_not_start_high(rate):
    falls = 0.1 + 2.2 * np.exp(-np.arange(400) * rate)
    falls *= 1 + 0.03 * np.random.default_rng(0).normal(size=400)
    assert named({"train_loss": falls}, "high_initial_loss")[0] < 0.5


def test_a_train_loss_that_is_stalled_is_not_undertrained():
    x = np.arange(60) / 59
    assert said({"train_loss": 0.69 * (1 - 0.005 * x), "val_loss": 0.9 - 0.4 * x}) == {"train_stalled_val_falls"}


def test_what_towers_over_a_jittering_val_is_a_spike_beside_it():
    curves = healthy(100)
    curves["val_loss"] = curves["val_loss"] + 0.25 * np.random.default_rng(0).normal(size=100)
    assert said(curves) == {"noisy_validation"}
    curves["val_loss"][[40, 70]] += 40.0
    assert said(curves) == {"noisy_validation", "val_spikes"}


@pytest.mark.parametrize(("count", "size", "degree"), [(9, 0.05, 0.0), (20, 0.05, 1.0), (9, 0.5, 1.0)])
def test_about_ten_evaluations_are_noisy_only_where_they_jump_by_a_good_part_of_the_loss(count, size, degree):
    x = np.arange(count)
    jumps = 1 + size * (-1.0) ** x
    curves = {"train_loss": 0.1 + np.exp(-3 * x / count), "val_loss": (0.6 + 0.4 * np.exp(-3 * x / count)) * jumps}
    assert named(curves, "noisy_validation") == [degree]


@pytest.mark.parametrize(("first", "degree"), [(0.95, 1.0), (0.88, 1.0), (0.75, 0.0)])
def test_val_that_only_rises_never_improved_though_the_mean_of_a_first_epoch_lies_above_it(first, degree):
    x = np.arange(10)
    train = 0.2 + 1.8 * np.exp(-x / 3)
    rises = 2.0 * first * (1 + 0.1 * x)
    assert named({"train_loss": train, "val_loss": rises}, "no_generalization") == [degree]
    dips = rises - 0.4 * first * (x == 1)
    assert named({"train_loss": train, "val_loss": dips}, "no_generalization") == [0.0]


def test_few_points_show_val_below_train_where_the_gap_is_wide():
    falls = np.array([7.0, 6.0, 5.2, 3.1, 0.9, 0.4])
    assert named({"train_loss": falls, "val_loss": falls * [0.8, 0.75, 0.7, 0.5, 0.3, 0.3]}, "val_below_train") == [1.0]
    assert named({"train_loss": falls, "val_loss": falls * 0.99}, "val_below_train") == [0.0]


@pytest.mark.parametrize(("at", "degree"), [(0.75, 0.0), (0.85, 0.0), (0.99, 1.0)])
def test_what_a_late_drop_of_the_rate_gave_has_settled(at, degree):
    x = np.linspace(0, 1, 200)
    falls = 0.5 + 1.3 * np.exp(-12 * x) - 0.2 * (x > at)
    assert named({"train_loss": falls, "val_loss": falls + 0.1}, "undertrained") == [degree]


@pytest.mark.parametrize(("times", "found"), [(1.5, 1.0), (4.0, 1.0), (30.0, 0.0)])
def test_a_model_stuck_at_chance_does_not_learn_however_badly_it_began(times, found):
    rng, flat = np.random.default_rng(0), np.full(40, 2.303)
    stuck = flat + 0.001 * rng.normal(size=40)
    stuck[0] *= times
    curves = {"train_loss": stuck, "val_loss": flat, "val_metric": np.full(40, 0.1)}
    assert named(curves, "not_learning") == [found]
    learnt = curves | {"val_metric": np.linspace(0.1, 0.9, 40)}
    assert named(learnt, "not_learning")[0] < 0.5


def test_an_error_that_stays_at_one_says_as_much_as_an_accuracy_that_stays_at_chance():
    loss = np.full(40, 2.9)
    loss[0] = 6.0
    curves = {"train_loss": loss, "val_metric": np.full(40, 1.0)}
    label = LABELS.index("not_learning")
    assert [degrees_of(curves, goal=goal)[0, label] for goal in ("min", "max")] == [1.0, 0.0]
