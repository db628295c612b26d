import numpy as np
import pytest
from hand_curves import BENIGN, HOSTILE, SHOWS, Curves, decay, healthy, noise

from curveclinic.measuring import quantities
from curveclinic.measuring.levels import level_of, make_level, raw_pair
from curveclinic.measuring.measures import cells_of
from curveclinic.measuring.quantities import measure, measured, places_of, trend_quantities
from curveclinic.ragged import Batch, Ragged
from curveclinic.records import joined
from curveclinic.run import Run


def numbers_of(*curves: Curves, **options):
    return measure(Batch.from_runs([Run.from_arrays(c, **options) for c in curves])).quantities


def line(*values):
    return Ragged.from_list([(np.arange(1.0, len(values) + 1), np.array(values, dtype=float))])


def test_drop_and_rise_of_a_valley():
    q = numbers_of({"train_loss": decay(50), "val_loss": np.r_[np.linspace(2, 1, 30), np.linspace(1, 1.5, 20)]})
    assert q["v_drop_rel"][0] == pytest.approx(0.5, abs=0.01)
    assert q["v_rise_drop"][0] == pytest.approx(0.5, abs=0.02)
    assert q["v_rise_rel"][0] == pytest.approx(0.5, abs=0.02)
    assert q["v_low_step"][0] == pytest.approx(30, abs=1)
    assert q["v_low_at"][0] == pytest.approx(30 / 50, abs=0.02)


def test_end_fall_is_the_share_of_the_drop_in_the_last_fifth():
    assert numbers_of({"train_loss": np.linspace(2, 1, 101)})["t_end_fall"][0] == pytest.approx(0.2, abs=0.01)
    assert numbers_of({"train_loss": decay(101)})["t_end_fall"][0] == pytest.approx(
        np.exp(-4.8) - np.exp(-6), abs=0.005
    )


def test_plateaus():
    q = numbers_of({"train_loss": np.r_[np.full(30, 2.0), np.linspace(2, 1, 30), np.full(40, 1.0)]})
    assert q["t_fallen_at"][0] == pytest.approx(0.31, abs=0.02)
    assert q["t_plateau"][0] == pytest.approx(0.42, abs=0.02)
    assert q["t_plateau_step"][0] == pytest.approx(59, abs=2)


def test_both_losses_share_one_view():
    q = numbers_of(
        {
            "train_loss": 10.0 ** -np.linspace(0, 4, 60),
            "val_loss": np.r_[np.linspace(2, 1, 20), np.linspace(1, 1.2, 40)],
        }
    )
    assert q["t_log"][0] == q["v_log"][0] == 1.0
    assert q["v_drop"][0] == pytest.approx(np.log(2), abs=0.01)
    assert q["v_rise_drop"][0] == pytest.approx(np.log(1.2) / np.log(2), abs=0.01)


def test_below_is_in_units_of_the_visible_margin():
    train = decay(60)
    q = numbers_of({"train_loss": train, "val_loss": 0.94 * train}, {"train_loss": train, "val_loss": 1.05 * train})
    assert q["below"][0] == pytest.approx(2.0, abs=0.05)
    assert q["below"][1] < 0


def test_steps_may_differ_between_channels():
    steps = np.arange(100, 1001, 100.0)
    q = numbers_of({"train_loss": (np.arange(1, 1001.0), decay(1000)), "val_loss": (steps, decay(1000)[99::100] + 0.1)})
    assert q["gap_end"][0] * 2.0 == pytest.approx(0.1, abs=0.01)
    assert q["v_first_step"][0] == 100.0


def test_absent_channels_are_nan():
    q = numbers_of({"train_loss": decay(30)})
    for name in ("v_drop_rel", "gap_end", "metric_trend", "grad_burst", "lr_cycles", "v_bad"):
        assert np.isnan(q[name][0]), name


def test_metric_direction_comes_from_its_goal():
    curves = {"train_loss": decay(40), "val_metric": np.linspace(1.0, 0.2, 40)}
    assert numbers_of(curves, metric_goal="min")["metric_gain"][0] > 0.5
    assert numbers_of(curves, metric_goal="max")["metric_gain"][0] < -0.5


def test_a_metric_in_percent_is_as_large_as_its_share():
    share = np.linspace(0.85, 0.97, 40)
    told = [numbers_of({"train_loss": decay(40), "val_metric": metric}) for metric in (share, 100 * share)]
    assert [q["metric_typical"][0] for q in told] == pytest.approx([share.mean()] * 2, rel=0.02)
    errors = numbers_of({"train_loss": decay(40), "val_metric": 100 * share}, metric_goal="min")
    assert errors["metric_typical"][0] == pytest.approx(100 * share.mean(), rel=0.02)


def test_a_metric_that_fares_like_the_loss_follows_it():
    loss = decay(60)
    follows = numbers_of({"train_loss": loss, "val_metric": 1 / loss})["metric_follows"][0]
    against = numbers_of({"train_loss": loss, "val_metric": loss})["metric_follows"][0]
    assert follows > 0.9
    assert against < -0.99


def test_first_values_against_chance_and_against_the_descent():
    curves = healthy(100)
    curves["train_loss"] = np.r_[20.0, 4.0, decay(98, 2.0, 0.5)]
    q = numbers_of(curves, num_classes=10)
    assert q["first_over_chance"][0] == pytest.approx(20 / np.log(10))
    assert q["first_over_near"][0] == pytest.approx(20 / 2.0, rel=0.05)
    assert q["first_kink"][0] < 0.1
    assert q["collapsed_step"][0] == 3.0


def test_gradient_bursts_are_powers_of_ten_over_the_running_median():
    grad = np.full(80, 2.0)
    grad[50] = 2000.0
    q = numbers_of({"train_loss": decay(80), "grad_norm": grad})
    assert q["grad_burst"][0] == pytest.approx(3.0, abs=0.01)
    assert q["grad_burst_step"][0] == q["grad_burst_end"][0] == 51.0


@pytest.mark.parametrize("at", [150, 251, 349, 450])
def test_a_gradient_norm_that_drops_at_once_does_not_burst(at):
    grad = np.where(np.arange(500) < at, 1.0, 1e-5)
    q = numbers_of({"train_loss": decay(500), "grad_norm": grad})
    assert max(q["grad_burst"][0], q["grad_growth"][0]) == pytest.approx(0.0, abs=0.01)


def test_the_first_gradient_norms_are_aside():
    grad = np.full(80, 2.0)
    grad[0] = 2000.0
    assert numbers_of({"train_loss": decay(80), "grad_norm": grad})["grad_burst"][0] == pytest.approx(0.0, abs=0.01)


def test_gradient_norms_that_start_at_exactly_zero_grow_from_the_first_above_it():
    grad = np.r_[np.zeros(10), np.linspace(1.0, 2.0, 70)]
    q = numbers_of({"train_loss": decay(80), "grad_norm": grad})
    assert 0 <= q["grad_growth"][0] <= q["grad_burst"][0] + np.log10(2.0) < 0.7


def test_non_finite_steps():
    curves = healthy(20)
    curves["val_loss"][[4, 7]] = [np.inf, np.nan]
    q = numbers_of(curves)
    assert (q["bad_first_step"][0], q["bad_last_step"][0]) == (5.0, 8.0)
    curves["train_loss"][15:] = np.nan
    assert np.isnan(numbers_of(curves)["bad_last_step"][0])


def test_raw_pair_has_one_unit():
    train, val = level_of(cells_of(line(4.0, 2.0, 1.0))), level_of(cells_of(line(8.0, 4.0, 2.0)))
    _, (t, v) = raw_pair(joined([train, val]))
    np.testing.assert_allclose(v / t, 2.0)


def test_a_latent_level_gives_what_the_logged_one_gives():
    steps = np.linspace(1, 60, 128)[None, :]
    view = np.interp(steps[0], np.arange(1, 61), decay(60))[None, :] / 2.0
    zero = np.zeros(1)
    latent = make_level(
        steps, view, np.array([False]), np.array([2.0]), zero, zero, np.array([60]), np.array([True])
    )  # fmt: skip
    logged = level_of(cells_of(Ragged.from_list([(np.arange(1.0, 61), decay(60))])))
    a, b = (trend_quantities(joined([one, one])) for one in (latent, logged))
    for name in ("t_drop_rel", "t_end_fall", "t_plateau", "t_fallen_at", "below", "fit_at"):
        assert a[name][0] == pytest.approx(b[name][0], abs=0.01), name


UNITLESS_STEPS = ("step", "_first", "_last")
WITH_UNIT = ("grad_end_log10", "first", "near", "grad_typical", "first_over_chance", "t_start", "v_start")


@pytest.mark.parametrize("factor", [1e-6, 1e6])
@pytest.mark.parametrize("name", ["overfitting", "loss_spikes", "noisy_validation", "divergence"])
def test_quantities_do_not_depend_on_the_unit_of_the_loss(name, factor):
    curves = SHOWS[name]
    scaled = {k: factor * np.asarray(v) if k.endswith("loss") else v for k, v in curves.items()}
    a, b = numbers_of(curves), numbers_of(scaled)
    for key in a:
        if key in WITH_UNIT or (a["t_log"][0] and key in ("t_end", "t_low", "v_end", "v_low")):
            continue
        np.testing.assert_allclose(b[key], a[key], rtol=1e-5, atol=1e-7, err_msg=key)


def test_a_run_is_measured_the_same_in_any_company():
    everyone = [*SHOWS.values(), *BENIGN.values(), *HOSTILE.values(), {"train_loss": decay(3000) + noise(3000, 0.1)}]
    together = numbers_of(*everyone)
    for i, curves in enumerate(everyone):
        alone = numbers_of(curves)
        for key in together:
            np.testing.assert_allclose(together[key][i], alone[key][0], rtol=1e-6, atol=1e-9, err_msg=f"{key} of {i}")


def test_an_empty_batch():
    assert all(len(value) == 0 for value in numbers_of().values())


def test_runs_of_one_shape_are_measured_together_and_keep_their_rows():
    short = {k for k in range(600) if k % 3 == 0}
    curves = [decay(40 if k in short else 60) * (1 + k) for k in range(600)]
    batch = Batch.from_runs([Run.from_arrays({"train_loss": curve}) for curve in curves])
    pieces = list(measured(batch))
    assert set(pieces[0].rows[:200].tolist()) == short
    assert [set(piece.batch.channels["train_loss"].lengths.tolist()) for piece in pieces] == [{40, 60}, {60}, {60}]
    for piece in pieces:
        firsts = piece.batch.channels["train_loss"].values[piece.batch.channels["train_loss"].offsets[:-1]]
        np.testing.assert_array_equal(firsts, [curves[row][0] for row in piece.rows])
    found = np.concatenate([piece.quantities["first"] for piece in pieces])[places_of(piece.rows for piece in pieces)]
    np.testing.assert_array_equal(found, [curve[0] for curve in curves])


def test_few_long_runs_are_measured_together(monkeypatch):
    monkeypatch.setattr(quantities, "_CHUNK", 20)
    monkeypatch.setattr(quantities, "_POINTS", 1000)
    lengths = np.random.default_rng(0).integers(5, 900, 50).tolist()
    batch = Batch.from_runs([Run.from_arrays({"train_loss": decay(length)}) for length in lengths])
    pieces = list(measured(batch))
    assert sorted(np.concatenate([piece.rows for piece in pieces]).tolist()) == list(range(50))
    sizes = [piece.batch.channels["train_loss"].lengths for piece in pieces]
    assert all(len(own) <= 20 and own[1:].sum() <= 1000 for own in sizes)
    assert len(sizes[0]) > len(sizes[-1]) >= 1


@pytest.mark.parametrize("rows", [[0, 1, 2, 3, 4, 6, 7, 8, 9, 10], [4, 5, 6, 7], [3, 3, 5], [9, 3, 3, 0], [2], []])
def test_runs_are_taken_from_a_channel(rows):
    parts = [(np.arange(k + 1.0), np.arange(k + 1.0) * k) for k in range(12)]
    taken, wanted = Ragged.from_list(parts).take(np.array(rows, dtype=np.int64)), [parts[k] for k in rows]
    np.testing.assert_array_equal(taken.lengths, [len(steps) for steps, _ in wanted])
    np.testing.assert_array_equal(taken.steps, np.concatenate([[], *(steps for steps, _ in wanted)]))
    np.testing.assert_array_equal(taken.values, np.concatenate([[], *(values for _, values in wanted)]))


def test_swings_of_a_logarithm_do_not_know_the_unit():
    """A loss whose first value is far off is looked at in logarithms, whose level is that of its unit."""
    loss = 1.2 + 0.1 * np.sin(np.arange(600) * 1.7)
    loss[0] = 60.0
    found = [measure(Batch.from_runs([Run.from_arrays({"train_loss": loss * unit})])) for unit in (1.0, 1e6, 1e-6)]
    assert all(float(one.quantities["t_log"][0]) == 1.0 for one in found)
    swing = [float(one.quantities["t_swing"][0]) for one in found]
    assert swing[1:] == pytest.approx(swing[:1] * 2, rel=1e-6)
