"""The one encoder: finite and bounded whatever comes, free of units, the same for a run in any batch, pinned by arrays.

`python tests/test_encoder.py` rewrites the stored reference.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hand_curves import SHOWS, healthy

from curveclinic.model.bins import BINS
from curveclinic.model.encoder import (
    ENCODER_VERSION,
    TENSOR_CHANNELS,
    Encoded,
    encode,
    to_shares,
    to_steps,
)
from curveclinic.model.features import COUNTS, FEATURE_NAMES, MEASURES, RATIOS, SHARES
from curveclinic.ragged import Batch, FloatArray
from curveclinic.run import Run

REFERENCE = Path(__file__).parent / "reference" / "encoder.npz"

HOW_TO_FIX = (
    "the encoding of the reference runs changed. Unless that is a mistake: raise ENCODER_VERSION in model/encoder.py, "
    "retrain with `python train.py`, and rewrite the reference with `python tests/test_encoder.py`"
)

LIMIT_TENSOR, LIMIT_FEATURES = 6.0, 14.0

X = np.linspace(0.0, 1.0, 50)

HOSTILE = {
    "huge": {"train_loss": np.geomspace(1, 1e31, 50), "val_loss": np.geomspace(1e31, 1, 50)},
    "largest": {"train_loss": [1e308, -1e308] * 10, "val_loss": [-1e308, 1e308] * 10},
    "decades": {"train_loss": [1e308, 1e-308] * 10, "grad_norm": [1e308, 1e-308] * 10},
    "denormals": {"train_loss": np.full(30, 5e-324) * np.arange(30), "val_loss": [5e-324] * 30},
    "constant": {"train_loss": [0.7] * 40, "val_loss": [0.7] * 40, "lr": [0.1] * 40, "train_metric": [0.5] * 40},
    "zeros": {"train_loss": [0.0] * 40, "val_loss": [0.0] * 40, "lr": [0.0] * 40, "grad_norm": [0.0] * 40},
    "all_nan": {"train_loss": [np.nan] * 20, "val_loss": [np.nan] * 20, "train_metric": [np.nan] * 20},
    "inf": {"train_loss": [1.0, np.inf, -np.inf, 2.0, np.nan] * 5, "val_loss": [np.inf] * 9},
    "one_point": {"train_loss": [1.0], "val_loss": [2.0], "val_metric": [0.1], "lr": [0.1], "grad_norm": [1.0]},
    "two_points": {"train_loss": [1.0, 0.5]},
    "empty": {},
    "only_metric": {"val_metric": X},
    "only_val": {"val_loss": 1 - X},
    "negative": {"train_loss": -1 - X, "val_loss": -1 - X / 2, "grad_norm": -X},
    "far_steps": {"train_loss": (1e15 + np.arange(50.0), 1 - X / 2), "val_loss": ([1e15 + 1e9], [3.0])},
    "close_steps": {"train_loss": (1e15 + np.arange(50.0) / 8, 1 - X / 2)},
    "negative_steps": {"train_loss": (np.arange(-50.0, 0.0), 1 - X / 2)},
}


def batch_of(*curves: dict) -> Batch:
    return Batch.from_runs([Run.from_arrays(c) for c in curves])


def row(encoded: Encoded, name: str, run: int = 0) -> FloatArray:
    return encoded.tensor[run, TENSOR_CHANNELS.index(name)]


def feature(encoded: Encoded, name: str, run: int = 0) -> float:
    return float(encoded.features[run, FEATURE_NAMES.index(name)])


def assert_sound(encoded: Encoded, size: int) -> None:
    assert encoded.tensor.shape == (size, len(TENSOR_CHANNELS), BINS)
    assert encoded.features.shape == (size, len(FEATURE_NAMES))
    assert encoded.tensor.dtype == encoded.features.dtype == np.float32
    assert np.abs(encoded.tensor).max() <= LIMIT_TENSOR  # fails on NaN and Inf too
    assert np.abs(encoded.features).max() <= LIMIT_FEATURES
    assert np.isfinite(encoded.start).all()
    assert np.isfinite(encoded.stop).all()


# ---- any input --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_input_is_finite_and_bounded(name: str) -> None:
    assert_sound(encode(batch_of(HOSTILE[name])), 1)


def test_hostile_runs_together() -> None:
    assert_sound(encode(batch_of(*HOSTILE.values())), len(HOSTILE))


def test_random_bits_as_floats() -> None:
    bits = np.random.default_rng(0).integers(0, 2**64, (60, 4, 17), dtype=np.uint64).view(np.float64)
    names = ("train_loss", "val_loss", "val_metric", "grad_norm")
    assert_sound(encode(batch_of(*(dict(zip(names, run, strict=True)) for run in bits))), 60)


def test_no_runs() -> None:
    empty = batch_of(healthy()).take(np.array([], dtype=np.int64))
    assert encode(empty).tensor.shape == (0, len(TENSOR_CHANNELS), BINS)


# ---- what a value means -----------------------------------------------------------------------------------------


def test_presence() -> None:
    """1 where a point lies, 0 between points, -1 outside a channel and where there is none."""
    steps = np.arange(64.0)
    encoded = encode(batch_of({"train_loss": (steps, 1 - steps / 99), "val_loss": ([0.0, 31.0], [1.0, 0.5])}))
    train, val = row(encoded, "train_loss__presence"), row(encoded, "val_loss__presence")
    assert (np.unique(train).tolist(), train.sum()) == ([0.0, 1.0], 64)
    assert np.flatnonzero(val == 1).tolist() == [0, 62]
    assert set(val[1:62]) == {0.0}
    assert set(val[63:]) == {-1.0}
    for name in ("train_metric", "val_metric", "lr", "grad_norm"):
        assert set(row(encoded, f"{name}__presence")) == {-1.0}


def test_an_absent_channel_is_all_zero_but_its_presence() -> None:
    encoded = encode(batch_of({"train_loss": 1 - X / 2}))
    silent = [name for name in TENSOR_CHANNELS if not name.startswith(("time", "train_loss"))]
    for name in silent:
        assert set(row(encoded, name)) == ({-1.0} if name.endswith("presence") else {0.0}), name


def test_views_of_a_straight_line() -> None:
    encoded = encode(batch_of({"train_loss": np.linspace(2, 1, 1000), "val_loss": np.linspace(3, 2, 1000)}))
    np.testing.assert_allclose(row(encoded, "time")[[0, -1]], [-1, 1])
    train, val = row(encoded, "train_loss__own_mean"), row(encoded, "val_loss__own_mean")
    np.testing.assert_allclose(train, val, atol=1e-5)
    np.testing.assert_allclose(train, np.linspace(1, -1, BINS) * 1.035, atol=0.04)
    joint = row(encoded, "train_loss__joint_mean"), row(encoded, "val_loss__joint_mean")
    assert joint[1][-1] == pytest.approx(joint[0][0], abs=0.05)
    logs = row(encoded, "train_loss__log_mean"), row(encoded, "val_loss__log_mean")
    assert logs[0][-1] == pytest.approx(0.5 * np.log(1 / 2), abs=0.01)
    assert logs[1][0] == pytest.approx(0.5 * np.log(3 / 2), abs=0.01)
    np.testing.assert_allclose(row(encoded, "gap_log"), 4 * (logs[1] - logs[0]), atol=1e-5)


def test_a_spike_survives_in_a_long_log() -> None:
    values = np.linspace(2, 1, 20_000)
    values[12_345] = 5.0
    encoded = encode(batch_of({"train_loss": values}))
    high, mean = row(encoded, "train_loss__own_high"), row(encoded, "train_loss__own_mean")
    assert high.argmax() == int(12_345 / 20_000 * BINS)
    assert high.max() > 2
    assert mean.max() <= 1.1


def test_the_metric_follows_its_goal() -> None:
    curves = {"train_loss": 1 - X / 2, "val_metric": X}
    up, down = (encode(Batch.from_runs([Run.from_arrays(curves, metric_goal=goal)])) for goal in ("max", "min"))
    np.testing.assert_allclose(row(up, "val_metric__mean"), -row(down, "val_metric__mean"), atol=1e-5)
    assert row(up, "val_metric__mean")[-1] > 0.9


def test_learning_rate_and_gradient_norm() -> None:
    curves = {"train_loss": 1 - X / 2, "lr": np.geomspace(0.1, 0.001, 50), "grad_norm": np.geomspace(1e-2, 1e2, 50)}
    encoded = encode(batch_of(curves))
    np.testing.assert_allclose(row(encoded, "lr__relative")[[0, -1]], [1.0, 0.01], atol=1e-3)
    np.testing.assert_allclose(row(encoded, "lr__log")[[0, -1]], [0.0, -2 / 3], atol=1e-3)
    np.testing.assert_allclose(row(encoded, "grad_norm__log_mean")[[0, -1]], [-2.0, 2.0], atol=0.05)


def test_spans_are_shares_of_the_finite_losses() -> None:
    curves = {
        "train_loss": (np.arange(100.0, 200.0), [np.nan, *np.linspace(2, 1, 98), np.inf]),
        "lr": (np.arange(500.0), [0.1] * 500),
    }
    encoded = encode(batch_of(curves))
    assert (encoded.start.tolist(), encoded.stop.tolist()) == ([101.0], [198.0])
    steps = to_steps(np.array([[0.0, 0.5, 1.0]]), encoded)
    np.testing.assert_allclose(steps, [[101.0, 149.5, 198.0]])
    np.testing.assert_allclose(to_shares(steps, encoded.start, encoded.stop), [[0.0, 0.5, 1.0]])
    np.testing.assert_array_equal(to_shares(np.array([[0.0, 1e9]]), encoded.start, encoded.stop), [[0.0, 1.0]])


def test_names() -> None:
    assert len(set(FEATURE_NAMES)) == len(FEATURE_NAMES)
    assert len(set(TENSOR_CHANNELS)) == len(TENSOR_CHANNELS)
    assert FEATURE_NAMES[: len(MEASURES)] == MEASURES == (*RATIOS, *SHARES, *COUNTS)
    assert all("__" in name for name in FEATURE_NAMES[len(MEASURES) :])


def test_features_say_what_happens() -> None:
    encoded = encode(batch_of(SHOWS["overfitting"], healthy(), SHOWS["periodic_loss"]))
    assert feature(encoded, "v_rise_drop", 0) > feature(encoded, "v_rise_drop", 1) + 1
    assert feature(encoded, "period_strength", 2) > feature(encoded, "period_strength", 1)
    assert feature(encoded, "t_count", 1) == pytest.approx(np.log1p(60), abs=1e-6)


# ---- invariances ------------------------------------------------------------------------------------------------


def varied_runs() -> list[dict]:
    """Hand-drawn curves with a little noise: without it, rounding decides where a flat floor is lowest."""
    rng = np.random.default_rng(0)
    curves = [
        {name: np.asarray(values) * (1 + 1e-3 * rng.standard_normal(len(values))) for name, values in c.items()}
        for c in SHOWS.values()
        if not any(isinstance(values, tuple) for values in c.values())
    ]
    assert len(curves) > 15
    return [*curves, {name: values - 1.0 for name, values in healthy().items()}]


@pytest.mark.parametrize("factor", [1e-6, 1e-3, 7.0, 1e3, 1e6])
def test_units_of_the_loss_do_not_matter(factor: float) -> None:
    curves = varied_runs()
    scaled = [{name: v * factor if name.endswith("loss") else v for name, v in c.items()} for c in curves]
    plain, other = encode(batch_of(*curves)), encode(batch_of(*scaled))
    np.testing.assert_allclose(other.tensor, plain.tensor, atol=1e-4)
    apart = np.abs(other.features - plain.features).max(axis=0)
    assert {name: float(d) for name, d in zip(FEATURE_NAMES, apart, strict=True) if d > 1e-4} == {}


def test_units_do_not_matter_on_short_curves() -> None:
    short = {"train_loss": np.array([3.0, 2.0, 1.5, 1.2]), "val_loss": np.array([1.8626, 0.9326, 0.6216])}
    plain, other = encode(batch_of(short)), encode(batch_of({name: v * 7.0 for name, v in short.items()}))
    np.testing.assert_allclose(other.features, plain.features, atol=1e-4)


@pytest.mark.parametrize(("first", "size"), [(0.0, 1.0), (345_000.0, 1.0), (1.0, 0.25), (0.0, 500.0)])
def test_units_of_the_steps_do_not_matter(first: float, size: float) -> None:
    curves = list(SHOWS["overfitting"].items())
    plain = encode(batch_of({name: (np.arange(1.0, len(v) + 1), v) for name, v in curves}))
    moved = encode(batch_of({name: (first + size * np.arange(1.0, len(v) + 1), v) for name, v in curves}))
    np.testing.assert_allclose(moved.tensor, plain.tensor, atol=1e-4)
    np.testing.assert_allclose(moved.features, plain.features, atol=1e-4)


def test_a_run_is_the_same_in_any_batch() -> None:
    curves = [*SHOWS.values(), *HOSTILE.values(), healthy(7), healthy(3000)]
    together = encode(batch_of(*curves))
    backwards = encode(batch_of(*curves[::-1]))
    np.testing.assert_array_equal(backwards.tensor[::-1], together.tensor)
    np.testing.assert_array_equal(backwards.features[::-1], together.features)
    for i, one in enumerate(curves):
        alone = encode(batch_of(one))
        np.testing.assert_array_equal(alone.tensor[0], together.tensor[i])
        np.testing.assert_array_equal(alone.features[0], together.features[i])
        assert (alone.start[0], alone.stop[0]) == (together.start[i], together.stop[i])


# ---- the reference ----------------------------------------------------------------------------------------------


def reference_runs() -> Batch:
    """Four fixed runs: a plain one with every channel, an overfit long one with few val points, a short broken one, one
    of a flat val loss and gradient norms of 0."""
    x, fine = np.arange(1.0, 81.0), np.arange(0.0, 6000.0, 5.0)
    wobble = np.sin(12.9898 * x) * 0.02
    full = {
        "train_loss": 0.4 + 1.9 * np.exp(-x / 12) + wobble,
        "val_loss": 0.6 + 1.7 * np.exp(-x / 12) - wobble[::-1],
        "train_metric": 1 - 0.9 * np.exp(-x / 15),
        "val_metric": 0.9 - 0.8 * np.exp(-x / 15) + wobble,
        "lr": 0.05 * (1 + np.cos(np.pi * x / 81)),
        "grad_norm": np.exp(-x / 40 + 8 * wobble),
    }
    overfit = {
        "train_loss": (fine, np.exp(-fine / 900) * (1 + 0.2 * np.sin(78.233 * fine))),
        "val_loss": (fine[99::100], 0.5 + np.exp(-fine[99::100] / 500) + (fine[99::100] / 4000) ** 2),
    }
    broken = {"train_loss": [3.0, 2.0, 1.5, 2.5, 40.0, 1e5, np.inf, np.nan], "val_loss": [-1.0, -1.5, np.nan, -1.2]}
    still = {
        "train_loss": 0.02 * np.exp(-x / 30) + 0.001 * wobble,
        "val_loss": np.full(80, 0.0004),
        "grad_norm": np.where((x < 6) | (x % 9 == 0), 0.0, np.where(x < 50, 1.0, 1e-4)),
    }
    return batch_of(full, overfit, broken, still)


def test_the_reference_is_met() -> None:
    stored = np.load(REFERENCE)
    found = encode(reference_runs())
    assert str(stored["encoder_version"]) == ENCODER_VERSION, HOW_TO_FIX
    assert tuple(stored["tensor_channels"]) == TENSOR_CHANNELS, HOW_TO_FIX
    assert tuple(stored["feature_names"]) == FEATURE_NAMES, HOW_TO_FIX
    for name, atol in (("tensor", 2e-4), ("features", 2e-4), ("start", 0.0), ("stop", 0.0)):
        np.testing.assert_allclose(getattr(found, name), stored[name], rtol=0, atol=atol, err_msg=HOW_TO_FIX)


def write_reference() -> None:
    """Stores today's encoding of the reference runs."""
    REFERENCE.parent.mkdir(exist_ok=True)
    np.savez_compressed(
        REFERENCE, encoder_version=ENCODER_VERSION, tensor_channels=TENSOR_CHANNELS, feature_names=FEATURE_NAMES,
        **vars(encode(reference_runs())),
    )  # fmt: skip


if __name__ == "__main__":
    write_reference()
    print(f"wrote {REFERENCE}")
