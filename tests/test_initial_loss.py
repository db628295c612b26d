import json
import math

import numpy as np
import pytest

from curveclinic.checks.initial_loss import LOSS_NAMES, check_initial_loss
from curveclinic.errors import InputError

LN10 = math.log(10)


@pytest.mark.parametrize(
    ("value", "context", "expected"),
    [
        (2.31, {"num_classes": 10}, LN10),
        (10.9, {"num_classes": 50_257}, math.log(50_257)),
        (0.70, {"loss": "binary"}, math.log(2)),
        (1.2, {"loss": "mse", "target_variance": 1.0}, 1.0),
        (81.0, {"loss": "mse", "target_variance": 84.4}, 84.4),
        (0.9, {"loss": "mae", "target_variance": 1.0}, math.sqrt(2 / math.pi)),
        (9.0, {"loss": "hinge", "num_classes": 10}, 9.0),
    ],
)
def test_a_guess_is_consistent(value, context, expected):
    found = check_initial_loss(value, **context)
    assert (found.verdict, found.causes, found.passed) == ("consistent", (), True)
    assert found.expected == pytest.approx(expected)


def test_chance_costs_what_a_guess_costs():
    """Every formula against targets drawn and predicted without a look at them."""
    rng = np.random.default_rng(0)
    targets = 3.0 * rng.standard_normal(200_000)
    for loss, cost in (("mse", np.mean(targets**2)), ("mae", np.mean(np.abs(targets)))):
        assert check_initial_loss(cost, loss=loss, target_variance=9.0).expected == pytest.approx(cost, rel=0.02)
    logits = np.zeros((5, 7))
    cross_entropy = np.log(np.exp(logits).sum(axis=1)).mean()
    assert check_initial_loss(cross_entropy, num_classes=7).expected == pytest.approx(cross_entropy)


@pytest.mark.parametrize(
    ("value", "context", "verdict", "first"),
    [
        (64 * LN10, {"num_classes": 10}, "too_high", "64 times the chance value: summed over a batch of 64"),
        (50 * LN10, {"num_classes": 10, "batch_size": 50}, "too_high", "summed over a batch of 50"),
        (LN10 / 32, {"num_classes": 10}, "too_low", "1/32 of the chance value: divided by the batch size of 32 twice"),
        (math.log2(10), {"num_classes": 10}, "too_high", "base 2"),
        (1.0, {"num_classes": 10}, "too_low", "base 10"),
        (-0.1, {"num_classes": 10}, "too_low", "apply log_softmax"),
        (10.0, {"num_classes": 10}, "too_high", "perplexity"),
        (0.693, {"num_classes": 10}, "too_low", "binary cross-entropy, averaged"),
        (6.93, {"num_classes": 10}, "too_high", "binary cross-entropy, summed"),
        (1.1, {"num_classes": 10}, "too_low", "a guess among 3 classes"),
        (4.605, {"num_classes": 10}, "too_high", "a guess among 100 classes"),
        (1e-4, {"num_classes": 10}, "too_low", "next to nothing is paid"),
        (2.9, {"num_classes": 10}, "too_high", "too large weights"),
        (1.79, {"num_classes": 10}, "too_low", "a guess among 6 classes"),
        (6.9078, {"num_classes": 10}, "too_high", "a guess among 1000 classes"),
        (10.826, {"num_classes": 1000}, "too_high", "a guess among 50257 classes"),
        (6.0, {"num_classes": 10}, "too_high", "too large weights"),
        (-0.5, {"loss": "hinge", "num_classes": 10}, "too_low", "which this loss cannot be: a sign"),
        (1.386, {"loss": "binary"}, "too_high", "2 ln 2"),
        (0.5, {"loss": "mse", "target_variance": 1.0}, "too_low", "half of the squared error"),
        (10.0, {"loss": "mse", "target_variance": 100.0}, "too_low", "the root of the mean squared error"),
        (25.0, {"loss": "mse", "target_variance": 1.0}, "too_high", "the mean of the targets is far from 0"),
        (100.0, {"loss": "mae", "target_variance": 100.0}, "too_high", "the mean squared error"),
        (90.0, {"loss": "hinge", "num_classes": 10}, "too_high", "too large weights"),
    ],
)
def test_a_fault_is_named_by_the_value_it_makes(value, context, verdict, first):
    found = check_initial_loss(value, **context)
    assert (found.verdict, found.passed) == (verdict, False)
    assert first in found.causes[0]
    assert len(found.causes) >= 3


@pytest.mark.parametrize("value", [0.0, 1e-320, 1.0, 1e308, -1e308])
@pytest.mark.parametrize("variance", [5e-324, 1e-300, 1e306, 1.7e308])
@pytest.mark.parametrize("loss", ["mse", "mae"])
def test_the_largest_and_the_smallest_variance_leave_the_answer_plain(loss, variance, value):
    found = check_initial_loss(value, loss=loss, target_variance=variance)
    json.dumps(found.to_dict(), allow_nan=False)
    assert found.expected == pytest.approx(variance if loss == "mse" else math.sqrt(2 / math.pi) * math.sqrt(variance))


def test_a_fault_that_predicts_0_or_inf_is_not_named():
    nothing = check_initial_loss(0.0, loss="mse", target_variance=5e-324)
    assert nothing.causes[0].startswith("next to nothing is paid")
    assert not any("half of the squared error" in cause for cause in nothing.causes)
    assert not any("times the chance value" in cause for cause in huge_variance().causes)


def huge_variance():
    return check_initial_loss(1.0, loss="mse", target_variance=1e306)


def test_a_named_sum_stands_for_the_general_one():
    assert sum("summed" in cause for cause in check_initial_loss(64 * LN10, num_classes=10).causes) == 1
    assert sum("summed" in cause for cause in check_initial_loss(2.9, num_classes=10).causes) == 1


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_is_said_to_be_so_and_plain_in_json(value):
    found = check_initial_loss(value, num_classes=10)
    assert (found.verdict, found.passed) == ("not_finite", False)
    assert str(found).startswith(f"initial loss: not finite\n  found {value}, no finite loss, where chance costs")
    assert json.loads(json.dumps(found.to_dict(), allow_nan=False))["value"] is None


def test_the_answer_reads_as_text():
    lines = str(check_initial_loss(147.4, num_classes=10)).splitlines()
    assert lines[0] == "initial loss: too high"
    assert lines[1] == "  found 147.4, where chance costs ln 10 = 2.303 (64.02 times)"
    assert lines[2].startswith("  - 64 times the chance value")


@pytest.mark.parametrize(
    ("value", "context", "message"),
    [
        (2.3, {}, "num_classes: found none"),
        (2.3, {"loss": "hinge"}, "num_classes: found none"),
        (2.3, {"num_classes": 1}, "num_classes: found 1"),
        (2.3, {"loss": "mse"}, "target_variance: found none"),
        (2.3, {"loss": "mae", "target_variance": 0.0}, "target_variance: found 0.0"),
        (2.3, {"loss": "focal"}, "expected one of cross_entropy, binary"),
        (2.3, {"loss": "mse", "target_variance": "1"}, "target_variance: found '1'"),
        (2.3, {"num_classes": 10, "batch_size": 0}, "batch_size: found 0"),
        (2.3, {"num_classes": 10, "batch_size": 2.5}, "batch_size: found 2.5"),
        (2.3, {"num_classes": 10, "batch_size": "64"}, "batch_size: found '64'"),
        ("2.3", {"num_classes": 10}, "value: found '2.3'"),
        ([2.3, 2.2], {"num_classes": 10}, "expected one number"),
        (True, {"num_classes": 10}, "expected one number"),
        (10**400, {"num_classes": 10}, "expected one number"),
        (np.array([2.3, 2.2]), {"num_classes": 10}, "expected one number"),
        (list(range(1000)), {"num_classes": 10}, r"found \[0, 1, 2, .*\.\.\., expected one number"),
        (np.True_, {"num_classes": 10}, "expected one number"),
        (2.3, {"loss": "hinge", "num_classes": 10**400}, "num_classes: found more than 1e\\+15"),
        (9.9, {"num_classes": 10, "batch_size": 10**400}, "batch_size: found more than 1e\\+15"),
    ],
)
def test_missing_context_is_asked_for(value, context, message):
    with pytest.raises(InputError, match=message):
        check_initial_loss(value, **context)


def test_numbers_of_numpy_are_numbers():
    assert check_initial_loss(np.float32(2.3), num_classes=np.int64(10)).passed
    assert check_initial_loss(np.array(2.3), num_classes=10, batch_size=np.int64(8)).passed
    assert check_initial_loss(np.array([2.3]), num_classes=10).value == 2.3
    found = check_initial_loss(np.float32(1.0), loss="mse", target_variance=np.float32(1.0))
    assert found.passed
    assert json.loads(json.dumps(found.to_dict()))["expected"] == 1.0


def test_a_tensor_of_a_graph_is_a_number():
    torch = pytest.importorskip("torch")
    loss = torch.tensor(2.3, requires_grad=True)
    assert check_initial_loss(loss * 1.0, num_classes=10).value == pytest.approx(2.3)
    variance = torch.tensor([1.0], requires_grad=True)
    assert check_initial_loss(loss, loss="mse", target_variance=variance).expected == 1.0


def test_every_loss_can_be_asked_for():
    for loss in LOSS_NAMES:
        assert check_initial_loss(1e9, loss=loss, num_classes=10, target_variance=1.0).verdict == "too_high"
