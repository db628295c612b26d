"""The plan every family starts from: a plain healthy run, its log and its companions.

The pieces share one generator and draw in the order they are called in: another order gives other bytes.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from curveclinic.ragged import BoolArray, FloatArray, IntArray
from curveclinic.synth.draws import Draw, Rng, chance, full, log_uniform, pick
from curveclinic.synth.plan import LOGGING, Plan

_NEVER: Final = 2.0
"""A share of the run that is never reached."""

_LONG: Final = 250
"""Points from which a log is rather one of steps than of epochs."""


def draw_healthy(rng: Rng, n: int) -> Plan:
    """Draws n plain healthy runs: joint descent, ordinary noise, an ordinary logger."""
    points = draw_points(rng, n)
    classes, regression, start = _task(rng, n)
    values: Draw = {"points": points, "classes": classes, "start": start, **_descent(rng, n)}
    logging = _logging(rng, points)
    values |= {"logging": logging, "noise": _noise(rng, logging)}
    values |= {"ratio": _ratio(rng, logging <= LOGGING.index("eval"))}
    whole = rng.random(n) < 0.75
    values |= {"val_floor": _gap(rng, n), **_shape(rng, n), **_schedule(rng, n), **_validation(rng, n)}
    values |= _blow_ups(rng, n) | _noise_details(rng, n) | _textures(n)
    values |= _window(rng, points, logging, whole) | _axis(rng, logging) | _writing(rng, n)
    values |= _companions(rng, regression)
    return Plan.of(values)


def draw_points(rng: Rng, n: int) -> IntArray:
    """(n,) logged train points: median about 60, 5 to 30,000; a third are the epochs of a small training."""
    base = np.exp(rng.normal(np.log(88.0), 1.35, n))
    short = rng.random(n) < 0.35
    base[short] = log_uniform(rng, 5, 80, int(short.sum()))
    return np.clip(base, 5, 30_000).astype(np.int64)


def _task(rng: Rng, n: int) -> tuple[FloatArray, BoolArray, FloatArray]:
    """Number of classes, whether it is a regression, and the untrained loss."""
    classes = np.rint(log_uniform(rng, 2, 300, n))
    regression = rng.random(n) < 0.3
    language = rng.random(n) < 0.12
    classes[language] = np.rint(log_uniform(rng, 50, 60_000, int(language.sum())))
    start = np.where(regression, log_uniform(rng, 0.02, 8.0, n), np.log(classes) * rng.uniform(0.85, 1.2, n))
    return classes, regression, start


def _descent(rng: Rng, n: int) -> Draw:
    deep = rng.random(n) < 0.45
    return {
        "floor": np.where(deep, log_uniform(rng, 3e-4, 0.1, n), rng.uniform(0.08, 0.8, n)),
        "decay": pick(rng, [5, 5, 3, 5, 1.2, 0.8, 0.3, 2.0], n),
        "rate": log_uniform(rng, 5.0, 1500.0, n),
        "schedule": pick(rng, [9, 3, 2, 1, 2, 1.2, 0.0, 0.0, 0.5, 0.6], n),
    }


def _logging(rng: Rng, points: IntArray) -> IntArray:
    """Long logs are rather written by step than by epoch."""
    by_step = pick(rng, [0.7, 0.6, 4, 3, 1.5, 1.2], len(points))
    by_epoch = pick(rng, [9, 1.5, 1.2, 1.2, 0.5, 0.4], len(points))
    return np.where(points > _LONG, by_step, by_epoch)


def _noise(rng: Rng, logging: IntArray) -> FloatArray:
    """Relative noise of a point: most for a single batch."""
    n = len(logging)
    single = np.isin(logging, [LOGGING.index(kind) for kind in ("step", "ema", "running")])
    noise = np.where(single, log_uniform(rng, 0.004, 0.35, n), log_uniform(rng, 2e-4, 0.035, n))
    return np.where(logging == LOGGING.index("window"), log_uniform(rng, 1e-3, 0.07, n), noise)


def _ratio(rng: Rng, per_epoch: BoolArray) -> FloatArray:
    """Train points per val point."""
    n = len(per_epoch)
    by_epoch = np.where(rng.random(n) < 0.93, 1.0, rng.uniform(1, 5, n))
    by_step = np.where(rng.random(n) < 0.3, 1.0, log_uniform(rng, 1.0, 40.0, n))
    return np.where(per_epoch, by_epoch, by_step)


def _gap(rng: Rng, n: int) -> FloatArray:
    """Share of the drop that val does not follow: mostly next to nothing, sometimes large and still healthy."""
    none, small = rng.random(n) < 0.4, np.abs(rng.normal(0, 0.02, n))
    return np.where(none, small, np.where(rng.random(n) < 0.6, rng.uniform(0, 0.12, n), rng.uniform(0.05, 0.7, n)))


def _shape(rng: Rng, n: int) -> Draw:
    return {
        "shape": rng.random(n),
        "stick_rate": log_uniform(rng, 100, 3000, n),
    }


def _schedule(rng: Rng, n: int) -> Draw:
    u = rng.random
    return {
        "warmup": np.where(u(n) < 0.3, log_uniform(rng, 0.003, 0.1, n), 0.0),
        "schedule_a": u(n),
        "schedule_b": u(n),
        "schedule_weight": np.where(u(n) < 0.7, rng.uniform(0.3, 1.0, n), 0.0),
        "lr_floor": np.where(u(n) < 0.6, log_uniform(rng, 1e-3, 0.25, n), 0.0),
        "lr_peak": log_uniform(rng, 1e-6, 0.5, n),
        "jump_at": full(n, _NEVER),
    }


def _validation(rng: Rng, n: int) -> Draw:
    return {
        "val_power": rng.uniform(0.75, 1.15, n),
        "val_start": 1.0 + rng.normal(0, 0.02, n),
        "val_unit": full(n, 1.0),
        "train_extra": np.where(rng.random(n) < 0.3, log_uniform(rng, 1e-3, 0.015, n), 0.0),
        "rise_at": rng.random(n),
        "rise_kind": rng.integers(0, 5, n),
        "late_at": full(n, 1.0),
        "late_width": full(n, 1.0),
    }


def _blow_ups(rng: Rng, n: int) -> Draw:
    return {
        "blow_at": full(n, _NEVER),
        "blow_val": full(n, 0.97),
        "nan_at": full(n, _NEVER),
        "nan_kind": pick(rng, [8, 1, 1], n),
        "nan_where": pick(rng, [6, 2, 1], n),
    }


def _noise_details(rng: Rng, n: int) -> Draw:
    u = rng.random
    power, rho = np.where(u(n) < 0.45, 1.0, rng.uniform(0.2, 1.0, n)), pick(rng, [8, 2, 1, 0.5], n)
    skew = np.where(u(n) < 0.4, rng.uniform(0.1, 0.8, n), 0.0)
    return {
        "noise_power": power,
        "noise_rho": rho,
        "skew": skew,
        "val_skew": 0.3 * skew,
        "val_noise": log_uniform(rng, 2e-4, 0.03, n),
        "val_noise_power": np.where(u(n) < 0.6, 1.0, 0.3),
        "val_rho": pick(rng, [2, 3, 4, 3], n),
        "shared_noise": np.where(u(n) < 0.4, log_uniform(rng, 3e-4, 0.02, n), 0.0),
    }


def _textures(n: int) -> Draw:
    """None: spikes, swings and patterns come with a family."""
    return {
        "swing_cycles": full(n, 1.0),
        "swing_val": full(n, 1.0),
    }


def _window(rng: Rng, points: IntArray, logging: IntArray, whole: BoolArray) -> Draw:
    n = len(points)
    averaged, per_epoch = logging == LOGGING.index("ema"), logging <= LOGGING.index("eval")
    return {
        "ema": np.where(averaged, log_uniform(rng, 2, 30, n), 0.0),
        "epochs": np.where(per_epoch, points, log_uniform(rng, 1, 60, n)),
        "window_start": np.where(rng.random(n) < 0.03, rng.uniform(0.1, 0.9, n), 0.0),
        "window_end": np.where(whole, 1.0, rng.uniform(0.15, 1.0, n)),
    }


def _axis(rng: Rng, logging: IntArray) -> Draw:
    n = len(logging)
    resumed, far = rng.random(n) < 0.04, np.rint(log_uniform(rng, 10, 4e5, n))
    first = np.where(resumed, far, pick(rng, [4, 6], n))
    stride = pick(rng, {1: 3, 2: 1, 4: 1, 10: 3, 50: 2, 100: 2, 500: 1}, n)
    return {
        "first_step": first,
        "step_size": np.where(logging <= LOGGING.index("eval"), 1.0, stride),
        "val_offset": pick(rng, {0: 8, 1: 1}, n).astype(np.float64),
    }


def _writing(rng: Rng, n: int) -> Draw:
    u = rng.random
    return {
        "digits": pick(rng, {99: 6, 6: 1, 4: 3, 3: 0.7, 2: 0.15}, n),
        "unit": np.where(u(n) < 0.93, 1.0, 10.0 ** rng.uniform(-7, 8, n)),
        "missing": np.where(u(n) < 0.04, rng.uniform(0.005, 0.15, n), 0.0),
        "restored": chance(rng, 0.02, n),
        "has_val": chance(rng, 0.82, n),
        "has_train_metric": chance(rng, 0.4, n),
        "has_val_metric": chance(rng, 0.62, n),
        "has_lr": chance(rng, 0.42, n),
        "has_grad": chance(rng, 0.3, n),
    }


def _companions(rng: Rng, regression: BoolArray) -> Draw:
    n = len(regression)
    return {
        "metric_kind": np.where(regression & (rng.random(n) < 0.6), 4, 0),
        "metric_noise": log_uniform(rng, 1e-3, 0.05, n),
        "metric_gain": rng.uniform(0.2, 1.0, n),
        "grad_kind": pick(rng, {0: 5, 4: 1.5}, n),
        "grad_level": log_uniform(rng, 0.02, 30, n),
        "grad_noise": log_uniform(rng, 0.07, 0.9, n),
    }
