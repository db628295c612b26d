"""Healthy runs and the look-alikes of sick ones, as (rng, n) -> plan overrides."""

from __future__ import annotations

from typing import Final

import numpy as np

from curveclinic.ragged import FloatArray
from curveclinic.synth.descent import DECAY_INDEX as DECAY
from curveclinic.synth.descent import SCHEDULE_INDEX as SCHEDULE
from curveclinic.synth.draws import Draw, Rng, chance, full, ints, log_uniform, pick
from curveclinic.synth.plan import LOGGING

_BENT: Final = {"exponential": 2, "power": 3, "two_phase": 3, "stretched": 2}
"""Decays that bend early."""


def plain(rng: Rng, n: int) -> Draw:
    """Nothing out of the ordinary."""
    return {}


def clean_decay(rng: Rng, n: int) -> Draw:
    """Textbook descent, converged, hardly any noise: the small models of tutorials."""
    return {
        "noise": log_uniform(rng, 1e-4, 0.01, n),
        "rate": log_uniform(rng, 20, 500, n),
        "val_noise": log_uniform(rng, 1e-4, 0.01, n),
    }


def memorised_flat(rng: Rng, n: int) -> Draw:
    """Train goes to zero, val settles high and stays there: a large gap, no rise."""
    return {
        "floor": log_uniform(rng, 1e-6, 0.02, n),
        "val_floor": rng.uniform(0.1, 0.9, n),
        "val_power": rng.uniform(1.0, 2.5, n),
        "decay": pick(rng, {DECAY["exponential"]: 3, DECAY["power"]: 3, DECAY["late"]: 1, DECAY["two_phase"]: 1}, n),
        "rise": np.where(rng.random(n) < 0.5, rng.uniform(-0.02, 0.08, n), 0.0),
        "rate": log_uniform(rng, 8, 200, n),
    }


def fine_tuning(rng: Rng, n: int) -> Draw:
    """Starts low, declines slowly and noisily; sometimes hardly moves at all."""
    return {
        "floor": rng.uniform(0.5, 0.97, n),
        "decay": pick(rng, {DECAY["log"]: 2, DECAY["power"]: 3, DECAY["two_phase"]: 2, DECAY["linear"]: 0.4}, n),
        "rate": log_uniform(rng, 2, 60, n),
        "start": log_uniform(rng, 0.05, 3, n),
        "noise": log_uniform(rng, 0.003, 0.2, n),
        "metric_start": _pretrained(rng, n),
    }


def _pretrained(rng: Rng, n: int) -> FloatArray:
    """(n,) share of the metric's gain that is there from the start; a third of the runs begin at chance."""
    return np.where(rng.random(n) < 0.65, rng.uniform(0.3, 1.0, n), 0.0)


def small_moves(rng: Rng, n: int) -> Draw:
    """Short fine-tunings at a fixed level: both only jitter, or drift by a percent."""
    return {
        "floor": 1.0 - log_uniform(rng, 5e-4, 0.08, n),
        "points": rng.integers(5, 40, n),
        "rate": log_uniform(rng, 1, 20, n),
        "noise": log_uniform(rng, 1e-4, 0.05, n),
        "val_noise": log_uniform(rng, 1e-4, 0.04, n),
        "val_start": 1 + rng.normal(0, 0.03, n),
        "val_mode": pick(rng, [3, 1], n),
        "val_drift": rng.normal(0, 0.03, n),
        "metric_start": _pretrained(rng, n),
    }


def five_epochs(rng: Rng, n: int) -> Draw:
    """Very short logs: a handful of epochs, falling or levelling off."""
    points = rng.integers(5, 14, n)
    return {
        "points": points,
        "logging": pick(rng, {0: 5, 1: 2, 3: 1}, n),
        "ratio": full(n, 1.0),
        "rate": log_uniform(rng, 2, 40, n),
        "noise": log_uniform(rng, 5e-4, 0.04, n),
        "val_noise": log_uniform(rng, 5e-4, 0.04, n),
        "epochs": points.astype(np.float64),
    }


def language_model(rng: Rng, n: int) -> Draw:
    """Log-like decline from ln(vocabulary), dense noisy train log, sparse val close to it."""
    return {
        "start": np.log(log_uniform(rng, 60, 60_000, n)),
        "floor": rng.uniform(0.2, 0.6, n),
        "decay": pick(rng, {DECAY["log"]: 3, DECAY["power"]: 4, DECAY["stretched"]: 2}, n),
        "rate": log_uniform(rng, 30, 3000, n),
        "noise": log_uniform(rng, 0.004, 0.08, n),
        "noise_power": full(n, 0.5),
        "val_floor": np.abs(rng.normal(0, 0.015, n)),
        "points": np.clip(log_uniform(rng, 40, 6000, n), 5, 30_000).astype(int),
        "logging": pick(rng, {2: 4, 3: 2, 4: 1}, n),
        "ratio": log_uniform(rng, 1, 80, n),
        "warmup": log_uniform(rng, 0.002, 0.08, n),
        "schedule": pick(rng, {SCHEDULE["cosine"]: 3, SCHEDULE["linear"]: 2, SCHEDULE["constant"]: 2}, n),
        "has_val_metric": chance(rng, 0.1, n),
    }


def scheduled(rng: Rng, n: int) -> Draw:
    """Step or plateau schedules whose drops show in the loss."""
    return {
        "schedule": pick(
            rng, {SCHEDULE["steps"]: 3, SCHEDULE["many_steps"]: 1, SCHEDULE["one_cycle"]: 1, SCHEDULE["cosine"]: 1}, n
        ),
        "lr_floor": log_uniform(rng, 0.05, 0.7, n),
        "schedule_weight": rng.uniform(0.2, 0.7, n),
        "has_lr": chance(rng, 0.6, n),
        "val_noise": log_uniform(rng, 2e-3, 0.08, n),
    }


def cyclic(rng: Rng, n: int) -> Draw:
    """Warm restarts and triangles: bumps that follow the schedule."""
    return {
        "schedule": pick(rng, {SCHEDULE["restarts"]: 2, SCHEDULE["triangles"]: 1}, n),
        "lr_floor": log_uniform(rng, 0.01, 0.4, n),
        "schedule_weight": rng.uniform(0.3, 1, n),
        "has_lr": chance(rng, 0.85, n),
    }


def level_jump(rng: Rng, n: int) -> Draw:
    """Train jumps when resolution, batch size or augmentation changes; it stays there or decays."""
    return {
        "jump_at": rng.uniform(0.1, 0.92, n),
        "jump_by": rng.normal(0, 0.5, n),
        "jump_val": np.where(rng.random(n) < 0.4, rng.normal(0, 0.2, n), 0.0),
        "has_lr": chance(rng, 0.6, n),
        "schedule": pick(rng, {SCHEDULE["steps"]: 3, SCHEDULE["constant"]: 2, SCHEDULE["cosine"]: 1}, n),
    }


def regression_tail(rng: Rng, n: int) -> Draw:
    """Falls over many decades with heavy relative noise at the bottom."""
    return {
        "floor": log_uniform(rng, 1e-7, 1e-2, n),
        "decay": pick(rng, {DECAY["power"]: 4, DECAY["exponential"]: 3, DECAY["two_phase"]: 2, DECAY["stairs"]: 1}, n),
        "rate": log_uniform(rng, 10, 2000, n),
        "noise": log_uniform(rng, 0.02, 0.6, n),
        "noise_power": rng.uniform(0.7, 1, n),
        "val_noise": log_uniform(rng, 0.003, 0.12, n),
        "val_floor": np.where(rng.random(n) < 0.5, 0.0, log_uniform(rng, 1e-5, 0.3, n)),
        "unit": 10.0 ** rng.uniform(-2, 2, n),
    }


def huge_batch_noise(rng: Rng, n: int) -> Draw:
    """One small batch a point: the scatter dwarfs the descent, val shows it."""
    return {
        "noise": log_uniform(rng, 0.15, 0.9, n),
        "noise_power": rng.uniform(0.3, 1, n),
        "logging": ints(n, 2),
        "ratio": log_uniform(rng, 1, 40, n),
        "skew": rng.uniform(0, 0.9, n),
    }


def val_wobble(rng: Rng, n: int) -> Draw:
    """Val jitters as much as train does, or wobbles once."""
    return {
        "val_noise": log_uniform(rng, 0.01, 0.08, n),
        "val_rho": pick(rng, [1, 2, 2, 1], n),
        "shared_noise": log_uniform(rng, 0.003, 0.06, n),
    }


def slight_offset(rng: Rng, n: int) -> Draw:
    """Val a little below train, or by an epoch: benign and not worth a word."""
    return {
        "train_extra": log_uniform(rng, 0.002, 0.03, n),
        "val_floor": np.abs(rng.normal(0, 0.01, n)),
        "val_start": rng.uniform(0.8, 1.02, n),
        "logging": pick(rng, {0: 4, 5: 2, 4: 1}, n),
    }


def resumed(rng: Rng, n: int) -> Draw:
    """The log starts in the middle of the training: slow noisy decline at a low level."""
    return {
        "window_start": rng.uniform(0.1, 0.85, n),
        "first_step": np.rint(log_uniform(rng, 50, 4e5, n)),
        "window_end": full(n, 1.0),
        "rate": log_uniform(rng, 5, 400, n),
    }


def fast_learner(rng: Rng, n: int) -> Draw:
    """Converges in the first percents of a long log, then flat: not a hockey stick, not underfitting."""
    return {
        "rate": log_uniform(rng, 200, 6000, n),
        "floor": log_uniform(rng, 0.005, 0.5, n),
        "decay": pick(rng, {DECAY["exponential"]: 2, DECAY["power"]: 1, DECAY["two_phase"]: 2}, n),
    }


def first_epochs(rng: Rng, n: int) -> Draw:
    """Most is learnt in the first epochs: their mean lies far above val, which is evaluated at their end."""
    points = np.exp(rng.uniform(np.log(7), np.log(160), n)).astype(np.int64)
    return {
        "points": points,
        "epochs": points.astype(np.float64),
        "logging": pick(rng, {LOGGING.index("epoch"): 6, LOGGING.index("eval"): 1.5, LOGGING.index("window"): 1}, n),
        "ratio": np.where(rng.random(n) < 0.85, 1.0, rng.uniform(1, 4, n)),
        "rate": points * log_uniform(rng, 0.4, 8, n),
        "decay": pick(rng, {DECAY[k]: w for k, w in _BENT.items()}, n),
        "floor": log_uniform(rng, 2e-3, 0.6, n),
        "val_floor": np.where(rng.random(n) < 0.6, np.abs(rng.normal(0, 0.02, n)), rng.uniform(0, 0.3, n)),
        "val_power": rng.uniform(0.85, 1.15, n),
        "noise": log_uniform(rng, 2e-4, 0.05, n),
        "val_noise": log_uniform(rng, 2e-4, 0.05, n),
        "window_start": full(n, 0.0),
        "has_val": full(n, 1.0),
    }


def negative(rng: Rng, n: int) -> Draw:
    """Dice and likelihood losses below zero."""
    return {"shift": rng.uniform(0.4, 1.3, n), "start": rng.uniform(0.3, 1.2, n), "floor": rng.uniform(0.05, 0.6, n)}
