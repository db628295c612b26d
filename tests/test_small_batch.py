import json
import math

import numpy as np
import pytest

from curveclinic.checks.small_batch import check_overfit_small_batch, small_batch_test_of
from curveclinic.errors import InputError
from curveclinic.run import Run

STEPS = np.arange(200.0)
RNG = np.random.default_rng(0)
JITTER = RNG.standard_normal(200)

LEARNT = 2.3 * np.exp(-STEPS / 20)
CURVES = {
    "learnt": (LEARNT, "pass", ""),
    "learnt with jumps": (np.where(STEPS % 37 == 0, 2.0, LEARNT), "pass", ""),
    "slow": (2.3 * np.exp(-STEPS / 100), "not_yet", ""),
    "slow and noisy": (2.3 * np.exp(-STEPS / 100) * (1 + 0.03 * JITTER), "not_yet", ""),
    "late": (2.3 / (1 + np.exp((STEPS - 180) / 10)), "not_yet", ""),
    "flat": (2.3 + 0.02 * JITTER, "fail", "the optimizer does not hold"),
    "floor": (0.5 + 1.8 * np.exp(-STEPS / 15) + 0.005 * JITTER, "fail", "regularisation is on"),
    "swinging": (0.6 + 0.5 * np.sin(2 * STEPS) + 1.2 * np.exp(-STEPS / 20), "fail", "learning rate too high"),
    "rising": (2.3 * np.exp(STEPS / 60), "fail", "learning rate too high"),
}


@pytest.mark.parametrize("name", CURVES)
def test_verdicts(name):
    curve, verdict, cause = CURVES[name]
    found = check_overfit_small_batch(curve)
    assert found.verdict == verdict
    assert found.passed == (verdict == "pass")
    assert found.causes[0].startswith(cause) if cause else found.causes == ()


@pytest.mark.parametrize("unit", [1e-6, 1e6])
@pytest.mark.parametrize("name", CURVES)
def test_without_classes_the_unit_changes_nothing(name, unit):
    curve, verdict, _ = CURVES[name]
    assert check_overfit_small_batch(curve * unit).verdict == verdict


def test_classes_set_the_scale():
    low_start = 0.1 * np.exp(-STEPS / 50)  # ends at 0.002: much beside 0.1, nothing beside ln 10
    assert check_overfit_small_batch(low_start).share == pytest.approx(0.02, abs=0.003)
    found = check_overfit_small_batch(low_start, num_classes=10)
    assert found.scale == math.log(10)
    assert found.share == pytest.approx(0.1 * np.exp(-189.5 / 50) / math.log(10), rel=0.01)
    assert found.passed


def test_a_floor_is_no_failure():
    smoothed = 0.5 + LEARNT
    assert check_overfit_small_batch(smoothed).verdict == "fail"
    found = check_overfit_small_batch(smoothed, floor=0.5)
    assert (found.verdict, found.scale) == ("pass", pytest.approx(2.3))
    assert found.final == pytest.approx(0.5, abs=0.001)
    assert found.reason.endswith(" % of 2.3 above the floor of 0.5: learnt by heart")
    assert check_overfit_small_batch(LEARNT - 3.0, floor=-3.0).passed
    json.dumps(check_overfit_small_batch(smoothed, floor=np.float32(0.5)).to_dict())


@pytest.mark.parametrize("tail", [math.nan, math.inf])
def test_a_run_that_ends_in_nan_fails(tail):
    found = check_overfit_small_batch([*LEARNT[:100], *[tail] * 100])
    assert (found.verdict, found.scale, found.final, found.share) == ("fail", None, None, None)
    assert f"the loss is {tail} at point 101 of 200" in found.reason
    assert check_overfit_small_batch([tail] * 5).verdict == "fail"


def test_a_nan_shortly_before_the_end_is_not_said_to_be_the_end():
    holed = LEARNT.copy()
    holed[190] = math.nan
    found = check_overfit_small_batch(holed)
    assert found.verdict == "fail"
    assert found.reason == "the loss is nan at point 191 of 200, and its last tenth is not all finite"


SHUFFLED = np.random.default_rng(1).permutation(200)


@pytest.mark.parametrize("order", [np.arange(200)[::-1], SHUFFLED], ids=["reversed", "shuffled"])
@pytest.mark.parametrize("name", CURVES)
def test_points_are_read_in_the_order_of_their_steps(name, order):
    curve = CURVES[name][0]
    assert check_overfit_small_batch((STEPS[order], curve[order])) == check_overfit_small_batch((STEPS, curve))


def test_the_last_value_written_for_a_step_wins():
    begun_again = np.concatenate([STEPS, STEPS]), np.concatenate([CURVES["flat"][0], LEARNT])
    assert check_overfit_small_batch(begun_again) == check_overfit_small_batch(LEARNT)
    assert check_overfit_small_batch((np.zeros(200), LEARNT)) == check_overfit_small_batch(LEARNT)
    assert check_overfit_small_batch([None, *LEARNT, None]) == check_overfit_small_batch(LEARNT)


def test_losses_near_the_largest_float_are_judged():
    soaring = check_overfit_small_batch(10.0 ** np.linspace(0, 306, 200))
    assert (soaring.verdict, soaring.causes[0]) == ("fail", "learning rate too high")
    endless = check_overfit_small_batch(np.linspace(1.0, 1.7e308, 200))
    assert endless.reason == "the loss is 1.025e+307 at point 13 of 200, and not finite at the end"


def test_a_nan_on_the_way_is_passed_over():
    holed = LEARNT.copy()
    holed[50] = math.nan
    assert check_overfit_small_batch(holed).passed


@pytest.mark.parametrize(
    ("curve", "context", "message"),
    [
        ([1, 2, 3, 4], {}, "found 4 finite losses, expected 5 or more"),
        ([], {}, "found 0 finite losses"),
        ([2.0, 1.0, 0.0, -1.0, -2.0], {}, "found -2, expected losses above 0; give the lowest possible as floor"),
        ([0.0] * 9, {}, "found 0 first, which is the floor and sets no scale; give the number of classes"),
        ([0.5, *LEARNT + 0.5], {"floor": 0.5}, "found 0.5 first, which is the floor"),
        ([1.0], {}, "found 1 finite loss, expected 5 or more"),
        ((np.full(200, math.nan), LEARNT), {}, "found 200 steps, none of them possible"),
        ((STEPS, LEARNT[:-1]), {}, "curve: 200 steps but 199 values"),
        (LEARNT, {"floor": 1.0}, "expected losses above 1"),
        (LEARNT, {"floor": math.nan}, "floor: found nan"),
        (LEARNT, {"floor": -math.inf}, "floor: found -inf"),
        (LEARNT, {"floor": 10**400}, "floor: found 1000"),
        (LEARNT, {"floor": "0"}, "floor: found '0'"),
        (LEARNT, {"floor": None}, "floor: found None"),
        (LEARNT, {"num_classes": 1}, "num_classes: found 1"),
        ("abc", {}, "curve: found str"),
    ],
)
def test_what_cannot_be_judged_is_an_error(curve, context, message):
    with pytest.raises(InputError, match=message):
        check_overfit_small_batch(curve, **context)


def test_the_answer_is_plain_data_and_text():
    found = check_overfit_small_batch((STEPS, CURVES["floor"][0]), num_classes=10)
    data = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert (data["verdict"], len(data["causes"])) == ("fail", 4)
    lines = str(found).splitlines()
    assert lines[0] == "overfitting a small batch: fail"
    assert lines[1].startswith("  in 200 points the loss went from 2.3")
    assert lines[1].endswith("22 % of 2.303, and stays there")


def test_a_run_brings_its_classes():
    run = Run.from_arrays({"train_loss": LEARNT, "val_loss": LEARNT + 1}, num_classes=10)
    assert small_batch_test_of(run) == check_overfit_small_batch(LEARNT, num_classes=10)
    with pytest.raises(InputError, match="found val_loss, expected train_loss"):
        small_batch_test_of(Run.from_arrays({"val_loss": LEARNT}))
