"""Sick runs that show against validation: val, its metric or the distance to train, as (rng, n) -> plan overrides."""

from __future__ import annotations

import numpy as np

from curveclinic.ragged import FloatArray
from curveclinic.synth.descent import DECAY_INDEX as DECAY
from curveclinic.synth.descent import SCHEDULE_INDEX as SCHEDULE
from curveclinic.synth.draws import Draw, Rng, full, ints, log_uniform, pick


def overfit(rng: Rng, n: int) -> Draw:
    """Val turns up while train keeps falling: early or late, fast or slow."""
    return {
        "rise": log_uniform(rng, 0.06, 4.0, n),
        "rise_at": np.where(rng.random(n) < 0.6, rng.uniform(0.02, 0.35, n), rng.uniform(0.2, 0.85, n)),
        "floor": np.where(rng.random(n) < 0.6, log_uniform(rng, 1e-4, 0.1, n), rng.uniform(0.1, 0.7, n)),
        "val_floor": rng.uniform(0.0, 0.6, n),
        "val_power": rng.uniform(0.9, 2.0, n),
        "val_noise": log_uniform(rng, 1e-3, 0.06, n),
        "metric_kind": pick(rng, {0: 5, 3: 3}, n),
        "rate": log_uniform(rng, 3, 200, n),
    }


def overfit_memorise(rng: Rng, n: int) -> Draw:
    """Tiny training set: train to zero within a few epochs; val falls little, or hardly, then climbs past its start."""
    return {
        "rise": log_uniform(rng, 0.3, 20.0, n),
        "rise_at": rng.uniform(0.01, 0.2, n),
        "rise_kind": pick(rng, [2, 3, 3, 2, 0.5], n),
        "floor": log_uniform(rng, 1e-5, 0.05, n),
        "val_floor": np.where(rng.random(n) < 0.6, rng.uniform(0.4, 0.95, n), 1.0 - log_uniform(rng, 2e-3, 0.06, n)),
        "val_power": rng.uniform(1.2, 3.0, n),
        "rate": log_uniform(rng, 10, 200, n),
        "metric_kind": pick(rng, {0: 3, 3: 2}, n),
    }


def overfit_likelihood(rng: Rng, n: int) -> Draw:
    """A likelihood grows too sure of itself: val climbs in ever taller bursts, far above where it began."""
    return overfit(rng, n) | {
        "rise": log_uniform(rng, 0.3, 20.0, n),
        "shift": np.where(rng.random(n) < 0.6, rng.uniform(0.4, 1.3, n), 0.0),
        "val_noise": log_uniform(rng, 0.1, 0.9, n),
        "val_rho": pick(rng, [1, 1, 3, 2], n),
        "val_skew": rng.uniform(0.4, 1.0, n),
        "val_noise_power": rng.uniform(1.0, 1.8, n),
        "noise": log_uniform(rng, 3e-4, 0.08, n),
        "has_val": full(n, 1.0),
        "metric_kind": ints(n, 0),
    }


def overfit_far_below(rng: Rng, n: int) -> Draw:
    """A long descent, often from an untrained value, then val turns: little beside its drop, much beside its low."""
    low = log_uniform(rng, 0.02, 0.5, n)
    floor = low * rng.uniform(0.02, 0.8, n)
    return overfit(rng, n) | {
        "floor": floor,
        "val_floor": (low - floor) / (1 - floor),
        "rise": log_uniform(rng, 0.08, 1.2, n) * low / (1 - low),
        "rise_at": rng.uniform(0.08, 0.7, n),
        "val_power": rng.uniform(0.9, 1.4, n),
        "val_noise": log_uniform(rng, 1e-3, 0.05, n),
        "val_noise_power": full(n, 1.0),
        "rate": log_uniform(rng, 20, 800, n),
        "stick": np.where(rng.random(n) < 0.3, log_uniform(rng, 0.5, 30.0, n), 0.0),
        "stick_rate": log_uniform(rng, 50, 2000, n),
        "window_start": np.where(rng.random(n) < 0.7, 0.0, rng.uniform(0.0, 0.02, n)),
        "has_val": full(n, 1.0),
    }


def overfit_settled(rng: Rng, n: int) -> Draw:
    """Val is done early and stays where it is, or nearly, while train falls on and on."""
    return overfit(rng, n) | {
        "rise": np.where(rng.random(n) < 0.5, 0.0, log_uniform(rng, 0.003, 0.12, n)),
        "rise_at": rng.uniform(0.05, 0.6, n),
        "val_floor": rng.uniform(0.2, 0.8, n),
        "val_power": log_uniform(rng, 1.2, 4.0, n),
        "floor": log_uniform(rng, 1e-4, 0.3, n),
        "decay": pick(rng, {DECAY["exponential"]: 4, DECAY["power"]: 2, DECAY["two_phase"]: 2, DECAY["log"]: 1}, n),
        "rate": log_uniform(rng, 3, 40, n),
        "val_noise": log_uniform(rng, 1e-4, 0.04, n),
        "has_val": full(n, 1.0),
    }


def val_lags(rng: Rng, n: int) -> Draw:
    """Train is learnt within a few points, val follows at its own pace: an average of weights, a harder task."""
    return {
        "rate": log_uniform(rng, 10, 400, n),
        "floor": log_uniform(rng, 1e-3, 0.4, n),
        "val_power": log_uniform(rng, 0.08, 0.6, n),
        "val_floor": rng.uniform(0.0, 0.5, n),
        "val_start": 1 + rng.normal(0, 0.03, n),
        "val_noise": log_uniform(rng, 1e-4, 0.03, n),
        "noise": log_uniform(rng, 3e-4, 0.1, n),
        "has_val": full(n, 1.0),
    }


def overfit_after_drop(rng: Rng, n: int) -> Draw:
    """Val falls at an lr drop and climbs afterwards."""
    return overfit(rng, n) | {
        "schedule": ints(n, SCHEDULE["steps"]),
        "lr_floor": log_uniform(rng, 0.1, 0.6, n),
        "rise_at": rng.uniform(0.4, 0.8, n),
    }


def overfit_after_plateau(rng: Rng, n: int) -> Draw:
    """Idle for long, then learnt, and soon learnt by heart."""
    plateau = rng.uniform(0.05, 0.6, n)
    return overfit(rng, n) | {
        "plateau": plateau,
        "window_start": full(n, 0.0),
        "window_end": full(n, 1.0),
        "schedule_weight": rng.uniform(0, 0.5, n),
        "rise_at": plateau + (1 - plateau) * rng.uniform(0.1, 0.85, n),
        "rate": log_uniform(rng, 5, 80, n),
    }


def never_generalises(rng: Rng, n: int) -> Draw:
    """Train falls, val stays at its initial level or rises from the first evaluation."""
    return {
        "val_mode": ints(n, 1),
        "val_drift": np.where(rng.random(n) < 0.35, rng.normal(0, 0.02, n), log_uniform(rng, 0.03, 6.0, n)),
        "val_noise": log_uniform(rng, 1e-3, 0.08, n),
        "metric_kind": pick(rng, {1: 2, 2: 1, 3: 1, 0: 0.4}, n),
        "floor": np.where(rng.random(n) < 0.7, log_uniform(rng, 1e-3, 0.3, n), rng.uniform(0.3, 0.9, n)),
        "rate": log_uniform(rng, 2, 100, n),
        # the mean of a first epoch is above what follows it
        "val_start": np.where(rng.random(n) < 0.75, 1 + np.abs(rng.normal(0, 0.15, n)), rng.uniform(0.75, 1.0, n)),
    }


def val_below(rng: Rng, n: int) -> Draw:
    """Dropout, augmentation, label smoothing or a penalty in the train loss only; an easier val set.

    Or both begin at the cost of chance, and what hampers training costs the more the more is learnt.
    """
    kind = rng.random(n)
    extra, growing = kind < 0.4, kind > 0.65
    floor = np.where(growing, rng.uniform(0.1, 0.95, n), rng.uniform(0.02, 0.8, n))
    idle = growing & (rng.random(n) < 0.6)
    return {
        "train_extra": np.where(extra, log_uniform(rng, 0.02, 0.5, n), 0.0),
        "val_unit": np.where(extra | growing, 1.0, rng.uniform(0.15, 0.97, n)),
        "floor": floor,
        "val_floor": np.where(growing, _below_by(rng, floor), np.abs(rng.normal(0, 0.01, n))),
        "val_start": np.where(growing, 1 + rng.normal(0, 0.004, n), np.where(kind > 0.5, 1.0, rng.uniform(0.55, 1, n))),
        "val_power": rng.uniform(0.9, 1.5, n),
        "plateau": np.where(idle, rng.uniform(0.1, 0.5, n), 0.0),
        "noise": log_uniform(rng, 1e-3, 0.25, n),
    }


def _below_by(rng: Rng, floor: FloatArray) -> FloatArray:
    """(n,) `val_floor` below 0: val ends at a share of train's floor (n,)."""
    return -log_uniform(rng, 0.02, 0.7, len(floor)) * floor / (1 - floor)


def stalled_train(rng: Rng, n: int) -> Draw:
    """Bookkeeping broken: the logged train loss does not move while val falls."""
    return {
        "train_mode": ints(n, 1),
        "train_drift": rng.normal(0, 1, n) * log_uniform(rng, 1e-4, 0.15, n),
        "noise": np.where(rng.random(n) < 0.5, log_uniform(rng, 1e-4, 0.05, n), log_uniform(rng, 0.05, 0.6, n)),
        "val_start": np.where(rng.random(n) < 0.5, rng.uniform(0.3, 1.0, n), 1.0),
        "floor": rng.uniform(0, 0.75, n),
        "noise_power": full(n, 1.0),
    }


def stuck_metric(rng: Rng, n: int) -> Draw:
    """The loss falls, the metric stays at chance, jumps about or gets worse: a bug, or one class predicted for all."""
    return {
        "metric_kind": pick(rng, {1: 1, 2: 1.3, 6: 0.7}, n),
        "has_val_metric": full(n, 1.0),
        "floor": rng.uniform(0, 0.7, n),
        "metric_noise": log_uniform(rng, 1e-4, 0.3, n),
        "rate": log_uniform(rng, 0.3, 200, n),
    }


def overconfident(rng: Rng, n: int) -> Draw:
    """Val loss climbs while val accuracy still improves."""
    return overfit(rng, n) | {
        "metric_kind": ints(n, 0),
        "has_val_metric": full(n, 1.0),
        "rise": log_uniform(rng, 0.2, 6.0, n),
        "metric_gain": rng.uniform(0.4, 1, n),
        "rise_at": rng.uniform(0.03, 0.5, n),
    }


def double_descent(rng: Rng, n: int) -> Draw:
    """Val falls, climbs a hump while train is already low, and comes down again."""
    return {
        "hump": log_uniform(rng, 0.1, 8.0, n),
        "late_at": rng.uniform(0.04, 0.45, n),
        "late_width": rng.uniform(0.05, 0.5, n),
        "floor": log_uniform(rng, 1e-3, 0.3, n),
        "rate": log_uniform(rng, 30, 400, n),
        "val_floor": rng.uniform(0, 0.5, n),
        "noise": log_uniform(rng, 1e-4, 0.15, n),
        "val_noise": log_uniform(rng, 1e-4, 0.04, n),
        "window_end": full(n, 1.0),
        "decay": pick(rng, {DECAY["power"]: 3, DECAY["two_phase"]: 2, DECAY["exponential"]: 2}, n),
    }


def grokking(rng: Rng, n: int) -> Draw:
    """Train is fitted early, val stays bad for long, then falls."""
    return {
        "late_drop": rng.uniform(0.4, 1.0, n),
        "late_at": rng.uniform(0.1, 0.85, n),
        "late_width": log_uniform(rng, 0.02, 0.5, n),
        "floor": log_uniform(rng, 1e-8, 0.2, n),
        "rate": log_uniform(rng, 20, 500, n),
        "val_power": rng.uniform(0.8, 1.2, n),
        "rise": np.where(rng.random(n) < 0.5, log_uniform(rng, 0.05, 2, n), 0),
        "rise_at": rng.uniform(0.0, 0.1, n),
        "val_floor": np.where(rng.random(n) < 0.5, log_uniform(rng, 1e-4, 0.3, n), rng.uniform(0, 0.5, n)),
        "noise": log_uniform(rng, 1e-4, 0.1, n),
        "val_noise": log_uniform(rng, 1e-4, 0.04, n),
        "window_end": full(n, 1.0),
    }
