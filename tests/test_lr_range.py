import json
from types import SimpleNamespace

import numpy as np
import pytest

from curveclinic.checks.lr_range import range_test_of, suggest_lr
from curveclinic.errors import InputError
from curveclinic.run import Run

NAN, INF = np.nan, np.inf
RATES = np.geomspace(1e-7, 10.0, 100)


def sweep(rates=RATES, *, middle=1e-3, drop=0.5, blow=1.0, noise=0.0, seed=0):
    """A loss of 2.3 that falls around `middle` and blows up two decades later."""
    decades = np.log10(rates / middle)
    loss = 2.3 * (1 - drop / (1 + np.exp(-3 * decades))) + blow * 10 ** (1.5 * (decades - 2))
    return loss * (1 + noise * np.random.default_rng(seed).standard_normal(len(rates)))


def test_a_clean_test_gives_the_steepest_fall_and_its_neighbours():
    found = suggest_lr(RATES, sweep())
    assert found.usable
    assert found.suggestion == pytest.approx(1e-3, rel=0.3)
    assert found.descent_begin == pytest.approx(1e-3 * 10 ** (-np.log(9) / 3), rel=0.4)  # a tenth of the logistic fall
    assert found.suggestion <= found.descent_end < found.lowest < found.blow_up
    true_loss = sweep()
    assert found.lowest == pytest.approx(RATES[true_loss.argmin()], rel=0.5)
    lost_half = RATES[(found.lowest < RATES) & (true_loss > 2.3 - (2.3 - true_loss.min()) / 2)][0]
    assert found.blow_up == pytest.approx(lost_half, rel=0.5)
    assert "falls fastest" in found.reason


@pytest.mark.parametrize("middle", [1e-5, 1e-3, 1e-1])
@pytest.mark.parametrize(("points", "noise"), [(30, 0.01), (30, 0.05), (100, 0.1), (1000, 0.1)])
def test_noise_and_length_move_the_suggestion_by_less_than_a_decade(middle, noise, points):
    rates = np.geomspace(1e-7, 10.0, points)
    for seed in range(5):
        found = suggest_lr(rates, sweep(rates, middle=middle, noise=noise, seed=seed))
        assert abs(np.log10(found.suggestion / middle)) < 0.75


@pytest.mark.parametrize("unit", [1e-6, 1e6])
def test_units_of_the_loss_change_nothing(unit):
    plain, scaled = (suggest_lr(RATES, sweep(noise=0.02) * u) for u in (1.0, unit))
    assert scaled.suggestion == plain.suggestion
    assert scaled.blow_up == pytest.approx(plain.blow_up)


@pytest.mark.parametrize("peak", [1e3, 1e30, 1.7e308])
def test_the_height_of_the_blow_up_changes_nothing(peak):
    plain = sweep(noise=0.05)
    blown = np.where(RATES > 0.5, peak, plain)
    assert suggest_lr(RATES, blown).suggestion == suggest_lr(RATES, plain).suggestion


def test_a_fall_right_before_the_blow_up_is_followed_to_where_it_is_steepest():
    loss = np.where(RATES < 0.1, 2.3 - 1.5 * np.clip(np.log10(RATES / 0.02), 0, None), 50.0)
    found = suggest_lr(RATES, loss)
    assert found.suggestion == float(f"{found.steepest:.1e}")
    assert 0.02 < found.suggestion < found.lowest < 0.1


def test_the_end_of_finite_losses_is_the_blow_up():
    loss = sweep(blow=0.0)
    loss[80:] = NAN
    found = suggest_lr(RATES, loss)
    assert found.blow_up == RATES[80]
    assert found.suggestion == pytest.approx(1e-3, rel=0.3)
    assert found.reason.endswith("of its initial level; the loss is not finite from 0.29 on")


def with_(values, **holes):
    """A copy with other values at places: `with_(losses, _20=NAN)`."""
    out = np.array(values)
    for place, value in holes.items():
        out[int(place[1:])] = value
    return out


@pytest.mark.parametrize("hole", [NAN, INF, -INF])
@pytest.mark.parametrize("place", [0, 20, 50, 63])
def test_a_lone_loss_that_is_not_finite_is_a_gap_where_the_loss_goes_on_as_low(place, hole):
    loss = sweep()
    loss[place] = hole
    found, whole = suggest_lr(RATES, loss), suggest_lr(RATES, sweep())
    assert found.suggestion == pytest.approx(whole.suggestion, rel=0.1)
    assert found.blow_up == pytest.approx(whole.blow_up, rel=0.1)
    said = f"; one loss that is not finite, at {RATES[place]:.2g}, is passed over as a gap in the log"
    assert found.reason.endswith(said)


def test_several_gaps_are_counted():
    found = suggest_lr(RATES, with_(sweep(), _20=NAN, _21=NAN, _22=INF, _40=NAN))
    assert found.usable
    said = f"4 losses that are not finite, the first at {RATES[20]:.2g}, are passed over as gaps in the log"
    assert found.reason.endswith(said)
    flat = suggest_lr(RATES, with_(np.full(100, 2.3), _20=NAN))
    assert flat.reason.startswith("the loss stays flat at every learning rate; go higher")
    assert flat.reason.endswith("at 4.1e-06, is passed over as a gap in the log")


@pytest.mark.parametrize(
    ("losses", "end", "said"),
    [
        (with_(sweep(), _70=NAN), 70, "the loss is not finite at 0.045, so the test ends there, though 29 finite"),
        (with_(sweep(), _66=NAN, _67=NAN, _68=NAN, _69=NAN), 66, "at 0.022, so the test ends there, though 30 finite"),
        (with_(sweep(), _20=NAN, _70=NAN), 70, "a gap in the log; the loss is not finite at 0.045, so the test ends"),
        (with_(sweep(blow=0.0), _96=NAN), 96, "so the test ends there, though 3 finite losses follow"),
        (with_(sweep(blow=0.0), _98=NAN), 98, "so the test ends there, though 1 finite loss follows"),
        (with_(sweep(blow=0.0), _99=INF), 99, "the loss is not finite from 10 on"),
    ],
)
def test_what_is_not_finite_before_the_loss_rises_ends_the_test(losses, end, said):
    found = suggest_lr(RATES, losses)
    assert found.blow_up == RATES[end]
    assert found.suggestion == pytest.approx(1e-3, rel=0.3)
    assert said in found.reason


def test_nan_in_rows_without_a_loss_is_left_out():
    rates = np.geomspace(1e-7, 10.0, 991)
    sparse = np.full(991, NAN)
    sparse[::10] = sweep()
    assert suggest_lr(rates, sparse) == suggest_lr(rates[::10], sweep())


def test_losses_near_the_largest_float_are_numbers():
    loss = sweep(blow=0.0)
    assert suggest_lr(RATES, loss * 7e307).suggestion == suggest_lr(RATES, loss).suggestion
    assert "stays flat" in suggest_lr(np.repeat(RATES, 4), np.full(400, 1.7e308)).reason


def test_a_test_that_stops_too_early_is_usable_and_says_so():
    found = suggest_lr(RATES[:70], sweep(RATES[:70], blow=0.0))
    assert found.blow_up is None
    assert "blow-up was not reached" in found.reason
    assert "blow-up:     not reached" in str(found)


def test_a_loss_that_falls_from_0_is_read():
    found = suggest_lr(RATES, sweep(blow=0.0) - 2.3)
    assert found.suggestion == pytest.approx(1e-3, rel=0.3)


def test_steps_of_equal_rate_are_averaged_and_a_rate_of_zero_is_skipped():
    rates = np.concatenate([[0.0], np.repeat(RATES, 5)])
    loss = np.concatenate([[9.0], np.repeat(sweep(), 5) + np.tile([-0.3, 0.1, 0.0, 0.3, -0.1], 100)])
    assert suggest_lr(rates, loss).suggestion == suggest_lr(RATES, sweep()).suggestion


def noisy(values, scale, seed=0):
    return values + scale * np.random.default_rng(seed).standard_normal(len(values))


@pytest.mark.parametrize(
    ("rates", "losses", "reason"),
    [
        (RATES[::12], sweep()[::12], "9 learning rates are too few, 12 or more"),
        ([], [], "0 learning rates are too few"),
        (np.full(50, 1e-3), np.linspace(2, 1, 50), "only goes from 0.001 to 0.001"),
        (np.linspace(1e-3, 5e-3, 50), np.linspace(2, 1, 50), "raise it over several decades"),
        (RATES[::-1], sweep(), "goes down, from 10 to 8.302"),
        (np.concatenate([RATES[:50], RATES[:50]]), sweep(), "the learning rate goes down"),
        (np.where(RATES > 1, NAN, RATES), sweep(), "not a positive number"),
        (-RATES, sweep(), "not a positive number"),
        (RATES, np.full(100, 2.3), "stays flat at every learning rate"),
        (RATES, np.zeros(100), "stays flat at every learning rate"),
        (RATES, np.full(100, 1e-320), "stays flat at every learning rate"),
        (RATES, np.where(RATES > 0.1, NAN, 2.3), "flat until it breaks; look for the NaN first"),
        (RATES, np.where(RATES > 0.1, NAN, 2.3), "the loss is not finite from 0.11 on"),
        (RATES, with_(sweep(), _3=NAN, _4=NAN, _5=NAN, _6=NAN), "is not finite at 1.7e-07, so the test ends there"),
        (RATES, with_(2.3 + np.linspace(0, 40, 100), _20=NAN), "the loss is not finite at 4.1e-06, so the test ends"),
        (RATES[::9], with_(sweep()[::9], _3=NAN), "11 learning rates are too few"),
        (RATES, noisy(np.full(100, 2.3), 0.001), "stays flat at every learning rate"),
        (RATES, noisy(np.full(100, 2.3), 0.3), "the noise, "),
        (RATES, noisy(sweep(drop=0.1, blow=0.0), 0.3), "as large as any fall"),
        (RATES, sweep(drop=0.0), "stays flat up to 0.013 and then only rises"),
        (RATES, 2.3 + np.linspace(0, 40, 100), "1e-07, the first learning rate, is already too large"),
        (RATES, 2.0 + RATES / 1e-7, "1e-07, the first learning rate, is already too large"),
        (RATES, np.full(100, NAN), "not finite from 1e-07 on, which leaves 0 learning rates"),
        (RATES, np.where(np.arange(100) > 6, INF, 2.3), "which leaves 7 learning rates"),
    ],
)
def test_a_useless_test_is_refused_with_the_reason(rates, losses, reason):
    found = suggest_lr(rates, losses)
    assert not found.usable
    assert found.suggestion is None
    assert reason in found.reason
    assert str(found) == f"learning-rate range test: unusable\n  {found.reason}"


def test_flat_losses_in_noise_are_hardly_ever_taken_for_a_fall():
    taken = [suggest_lr(RATES, noisy(np.full(100, 2.3), 0.2, seed)).usable for seed in range(200)]
    assert sum(taken) <= 6


@pytest.mark.parametrize(
    ("rates", "losses", "message"),
    [
        ([1, 2], [1], "2 learning rates and 1 losses"),
        ("abc", [1], "lrs: found str"),
        ([1], [[1, 2]], "losses: found an array of shape"),
        ([1, None], [1, 2], "lrs: found steps or missing values"),
        ([1, 2], ([1, 2], [3, 4]), "losses: found steps or missing values; give values only"),
    ],
)
def test_what_is_no_pair_of_sequences_is_an_error(rates, losses, message):
    with pytest.raises(InputError, match=message):
        suggest_lr(rates, losses)


def test_the_answer_is_plain_data():
    found = suggest_lr(RATES, sweep())
    assert json.loads(json.dumps(found.to_dict(), allow_nan=False)) == {
        "usable": True, "suggestion": found.suggestion, "descent_begin": found.descent_begin,
        "descent_end": found.descent_end, "steepest": found.steepest, "lowest": found.lowest,
        "blow_up": found.blow_up, "reason": found.reason,
    }  # fmt: skip
    assert str(found).splitlines()[0] == f"learning-rate range test: take {found.suggestion:.2g}"
    assert found.passed


def test_a_run_is_read_at_the_steps_of_its_loss():
    steps = np.arange(1.0, 101.0)
    run = Run.from_arrays({"lr": (steps, RATES), "train_loss": (steps[::2], sweep()[::2])})
    assert range_test_of(run) == suggest_lr(RATES[::2], sweep()[::2])
    with pytest.raises(InputError, match=r"found train_loss, expected lr and train_loss; log lr"):
        range_test_of(Run.from_arrays({"train_loss": [1, 2, 3]}))
    empty = SimpleNamespace(channels={})
    with pytest.raises(InputError, match="found no channel"):
        range_test_of(empty)


def test_a_running_mean_that_begins_at_half_its_value_is_made_whole():
    k = np.arange(1, len(RATES) + 1)
    halved = sweep(noise=0.002) * (1 - 0.98**k) / (1 - 0.98 ** (k + 1))  # as Lightning's `lr_find` writes it
    mended = suggest_lr(RATES, halved)
    assert mended.usable
    assert mended.suggestion == suggest_lr(RATES, sweep(noise=0.002)).suggestion
    rising = sweep() * (1 + 0.1 * k)  # no such mean: this one rises from its first rate on
    assert "only rises" in suggest_lr(RATES, rising).reason
