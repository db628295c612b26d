"""The generator's table: families of runs, healthy and sick, as small functions from (rng, n) to plan overrides.

A family shapes the cause; which labels a run gets is measured afterwards on what can be seen (`truth`). `TRENDS` are
exclusive, a run has one; `EXTRAS` ride on any trend.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

from curveclinic.synth.descent import FloatArray, IntArray
from curveclinic.synth.plan import DECAY_INDEX as DECAY
from curveclinic.synth.plan import SCHEDULE_INDEX as SCHEDULE
from curveclinic.synth.plan import chance, log_uniform, pick

Draw = dict[str, FloatArray | IntArray]
Rng = np.random.Generator


@dataclass(frozen=True)
class Family:
    """One way a run can go.

    Attributes:
        weight: share of the stream, relative to its table (trends) or absolute (extras).
        draw: (rng, n) -> overrides of the plan.
    """

    weight: float
    draw: Callable[[Rng, int], Draw]


def _full(n: int, value: float) -> FloatArray:
    return np.full(n, value)


def _ints(n: int, value: int) -> IntArray:
    return np.full(n, value, dtype=np.int64)


# ---- healthy ------------------------------------------------------------------------------------------------------


def _plain(rng: Rng, n: int) -> Draw:
    return {}


def _clean_decay(rng: Rng, n: int) -> Draw:
    """Textbook descent, converged, hardly any noise: the small models of tutorials."""
    return {"noise": log_uniform(rng, 1e-4, 0.01, n), "rate": log_uniform(rng, 20, 500, n), "val_noise": log_uniform(rng, 1e-4, 0.01, n)}


def _memorised_flat(rng: Rng, n: int) -> Draw:
    """Train goes to zero, val settles high and stays there: a large gap, no rise."""
    return {"floor": log_uniform(rng, 1e-6, 0.02, n), "val_floor": rng.uniform(0.1, 0.9, n), "val_power": rng.uniform(1.0, 2.5, n),
            "decay": pick(rng, {DECAY["exponential"]: 3, DECAY["power"]: 3, DECAY["late"]: 1, DECAY["two_phase"]: 1}, n),
            "rise": np.where(rng.random(n) < 0.5, rng.uniform(-0.02, 0.08, n), 0.0), "rate": log_uniform(rng, 8, 200, n)}  # fmt: skip


def _fine_tuning(rng: Rng, n: int) -> Draw:
    """Starts low, declines slowly and noisily; sometimes hardly moves at all."""
    return {"floor": rng.uniform(0.5, 0.97, n), "decay": pick(rng, {DECAY["log"]: 2, DECAY["power"]: 3, DECAY["two_phase"]: 2, DECAY["linear"]: 0.4}, n),
            "rate": log_uniform(rng, 2, 60, n), "start": log_uniform(rng, 0.05, 3, n), "noise": log_uniform(rng, 0.003, 0.2, n)}  # fmt: skip


def _small_moves(rng: Rng, n: int) -> Draw:
    """Short fine-tunings at a fixed level: both only jitter, or drift by a percent."""
    return {"floor": 1.0 - log_uniform(rng, 5e-4, 0.08, n), "points": rng.integers(5, 40, n), "rate": log_uniform(rng, 1, 20, n),
            "noise": log_uniform(rng, 1e-4, 0.05, n), "val_noise": log_uniform(rng, 1e-4, 0.04, n), "val_start": 1 + rng.normal(0, 0.03, n),
            "val_mode": pick(rng, [3, 1], n), "val_drift": rng.normal(0, 0.03, n)}  # fmt: skip


def _five_epochs(rng: Rng, n: int) -> Draw:
    """Very short logs: a handful of epochs, falling or levelling off."""
    points = rng.integers(5, 14, n)
    return {"points": points, "logging": pick(rng, {0: 5, 1: 2, 3: 1}, n), "ratio": _full(n, 1.0), "rate": log_uniform(rng, 2, 40, n),
            "noise": log_uniform(rng, 5e-4, 0.04, n), "val_noise": log_uniform(rng, 5e-4, 0.04, n), "epochs": points * 1.0}  # fmt: skip


def _language_model(rng: Rng, n: int) -> Draw:
    """Log-like decline from ln(vocabulary), dense noisy train log, sparse val close to it."""
    return {"start": np.log(log_uniform(rng, 60, 60_000, n)), "floor": rng.uniform(0.2, 0.6, n), "decay": pick(rng, {DECAY["log"]: 3, DECAY["power"]: 4, DECAY["stretched"]: 2}, n),
            "rate": log_uniform(rng, 30, 3000, n), "noise": log_uniform(rng, 0.004, 0.08, n), "noise_power": _full(n, 0.5), "val_floor": np.abs(rng.normal(0, 0.015, n)),
            "points": np.clip(log_uniform(rng, 40, 6000, n), 5, 30_000).astype(int), "logging": pick(rng, {2: 4, 3: 2, 4: 1}, n), "ratio": log_uniform(rng, 1, 80, n),
            "warmup": log_uniform(rng, 0.002, 0.08, n), "schedule": pick(rng, {SCHEDULE["cosine"]: 3, SCHEDULE["linear"]: 2, SCHEDULE["constant"]: 2}, n),
            "has_val_metric": chance(rng, 0.1, n)}  # fmt: skip


def _scheduled(rng: Rng, n: int) -> Draw:
    """Step or plateau schedules whose drops show in the loss."""
    return {"schedule": pick(rng, {SCHEDULE["steps"]: 3, SCHEDULE["many_steps"]: 1, SCHEDULE["one_cycle"]: 1, SCHEDULE["cosine"]: 1}, n),
            "lr_floor": log_uniform(rng, 0.05, 0.7, n), "schedule_weight": rng.uniform(0.2, 0.7, n), "has_lr": chance(rng, 0.6, n), "val_noise": log_uniform(rng, 2e-3, 0.08, n)}  # fmt: skip


def _cyclic(rng: Rng, n: int) -> Draw:
    """Warm restarts and triangles: bumps that follow the schedule."""
    return {"schedule": pick(rng, {SCHEDULE["restarts"]: 2, SCHEDULE["triangles"]: 1}, n), "lr_floor": log_uniform(rng, 0.01, 0.4, n),
            "schedule_weight": rng.uniform(0.3, 1, n), "has_lr": chance(rng, 0.85, n)}  # fmt: skip


def _level_jump(rng: Rng, n: int) -> Draw:
    """Train jumps when resolution, batch size or augmentation changes; it stays there or decays."""
    return {"jump_at": rng.uniform(0.1, 0.92, n), "jump_by": rng.normal(0, 0.5, n), "jump_val": np.where(rng.random(n) < 0.4, rng.normal(0, 0.2, n), 0.0),
            "has_lr": chance(rng, 0.6, n), "schedule": pick(rng, {SCHEDULE["steps"]: 3, SCHEDULE["constant"]: 2, SCHEDULE["cosine"]: 1}, n)}  # fmt: skip


def _regression_tail(rng: Rng, n: int) -> Draw:
    """Falls over many decades with heavy relative noise at the bottom."""
    return {"floor": log_uniform(rng, 1e-7, 1e-2, n), "decay": pick(rng, {DECAY["power"]: 4, DECAY["exponential"]: 3, DECAY["two_phase"]: 2, DECAY["stairs"]: 1}, n),
            "rate": log_uniform(rng, 10, 2000, n), "noise": log_uniform(rng, 0.02, 0.6, n), "noise_power": rng.uniform(0.7, 1, n), "val_noise": log_uniform(rng, 0.003, 0.12, n),
            "val_floor": np.where(rng.random(n) < 0.5, 0.0, log_uniform(rng, 1e-5, 0.3, n)), "unit": 10.0 ** rng.uniform(-2, 2, n)}  # fmt: skip


def _huge_batch_noise(rng: Rng, n: int) -> Draw:
    """One small batch a point: the scatter dwarfs the descent, val shows it."""
    return {"noise": log_uniform(rng, 0.15, 0.9, n), "noise_power": rng.uniform(0.3, 1, n), "logging": _ints(n, 2), "ratio": log_uniform(rng, 1, 40, n), "skew": rng.uniform(0, 0.9, n)}


def _val_wobble(rng: Rng, n: int) -> Draw:
    """Val jitters as much as train does, or wobbles once."""
    return {"val_noise": log_uniform(rng, 0.01, 0.08, n), "val_rho": pick(rng, [1, 2, 2, 1], n), "shared_noise": log_uniform(rng, 0.003, 0.06, n)}


def _slight_offset(rng: Rng, n: int) -> Draw:
    """Val a little below train, or by an epoch: benign and not worth a word."""
    return {"train_extra": log_uniform(rng, 0.002, 0.03, n), "val_floor": np.abs(rng.normal(0, 0.01, n)), "val_start": rng.uniform(0.8, 1.02, n), "logging": pick(rng, {0: 4, 5: 2, 4: 1}, n)}


def _resumed(rng: Rng, n: int) -> Draw:
    """The log starts in the middle of the training: slow noisy decline at a low level."""
    return {"window_start": rng.uniform(0.1, 0.85, n), "first_step": np.rint(log_uniform(rng, 50, 4e5, n)), "window_end": _full(n, 1.0), "rate": log_uniform(rng, 5, 400, n)}


def _fast_learner(rng: Rng, n: int) -> Draw:
    """Converges in the first percents of a long log, then flat: not a hockey stick, not underfitting."""
    return {"rate": log_uniform(rng, 200, 6000, n), "floor": log_uniform(rng, 0.005, 0.5, n), "decay": pick(rng, {DECAY["exponential"]: 2, DECAY["power"]: 1, DECAY["two_phase"]: 2}, n)}


def _negative(rng: Rng, n: int) -> Draw:
    """Dice and likelihood losses below zero."""
    return {"shift": rng.uniform(0.4, 1.3, n) * 1.0, "start": rng.uniform(0.3, 1.2, n), "floor": rng.uniform(0.05, 0.6, n)}


# ---- sick ---------------------------------------------------------------------------------------------------------


def _overfit(rng: Rng, n: int) -> Draw:
    """Val turns up while train keeps falling: early or late, fast or slow."""
    return {"rise": log_uniform(rng, 0.06, 4.0, n), "rise_at": np.where(rng.random(n) < 0.6, rng.uniform(0.02, 0.35, n), rng.uniform(0.2, 0.85, n)),
            "floor": np.where(rng.random(n) < 0.6, log_uniform(rng, 1e-4, 0.1, n), rng.uniform(0.1, 0.7, n)), "val_floor": rng.uniform(0.0, 0.6, n), "val_power": rng.uniform(0.9, 2.0, n),
            "val_noise": log_uniform(rng, 1e-3, 0.06, n), "metric_kind": pick(rng, {0: 5, 3: 3}, n), "rate": log_uniform(rng, 3, 200, n)}  # fmt: skip


def _overfit_memorise(rng: Rng, n: int) -> Draw:
    """Tiny training set: train to zero within a few epochs, val falls a little, then climbs past its start."""
    return {"rise": log_uniform(rng, 0.3, 20.0, n), "rise_at": rng.uniform(0.01, 0.2, n), "rise_kind": pick(rng, [2, 3, 3, 2, 0.5], n), "floor": log_uniform(rng, 1e-5, 0.05, n),
            "val_floor": rng.uniform(0.4, 0.95, n), "val_power": rng.uniform(1.2, 3.0, n), "rate": log_uniform(rng, 10, 200, n), "metric_kind": pick(rng, {0: 3, 3: 2}, n)}  # fmt: skip


def _overfit_after_drop(rng: Rng, n: int) -> Draw:
    """Val falls at an lr drop and climbs afterwards."""
    return _overfit(rng, n) | {"schedule": _ints(n, SCHEDULE["steps"]), "lr_floor": log_uniform(rng, 0.1, 0.6, n), "rise_at": rng.uniform(0.4, 0.8, n)}


def _underfit(rng: Rng, n: int) -> Draw:
    """A small improvement, then a plateau for train and val alike."""
    return {"floor": rng.uniform(0.68, 0.99, n), "rate": log_uniform(rng, 8, 400, n), "decay": pick(rng, {DECAY["exponential"]: 4, DECAY["power"]: 1, DECAY["late"]: 1, DECAY["stretched"]: 1}, n),
            "val_floor": np.abs(rng.normal(0, 0.05, n)), "noise": log_uniform(rng, 1e-4, 0.12, n), "val_noise": log_uniform(rng, 1e-4, 0.03, n), "metric_kind": pick(rng, {0: 3, 1: 1}, n)}  # fmt: skip


def _no_learning(rng: Rng, n: int) -> Draw:
    """Train stays at its initial level; the noise may be large, a trace of drift may show."""
    move = np.where(rng.random(n) < 0.5, log_uniform(rng, 1e-4, 0.03, n), 0.0)
    return {"train_mode": _ints(n, 1), "train_drift": move * np.where(rng.random(n) < 0.75, -1, 1), "noise": np.where(rng.random(n) < 0.5, log_uniform(rng, 1e-4, 0.03, n), log_uniform(rng, 0.03, 0.8, n)),
            "val_mode": _ints(n, 1), "val_drift": rng.normal(0, 1, n) * log_uniform(rng, 1e-4, 0.02, n), "val_noise": log_uniform(rng, 1e-5, 0.01, n), "val_start": 1 + rng.normal(0, 0.03, n),
            "metric_kind": pick(rng, {1: 3, 2: 2}, n), "catapult": np.where(rng.random(n) < 0.15, log_uniform(rng, 0.01, 1, n), 0.0), "grad_kind": pick(rng, {0: 3, 1: 2}, n),
            "digits": pick(rng, {99: 5, 4: 3, 3: 1}, n)}  # fmt: skip


def _settles_at_chance(rng: Rng, n: int) -> Draw:
    """Falls from a bad first guess to the cost of a chance prediction within a few points, then noise."""
    return {"train_mode": _ints(n, 1), "train_drift": -log_uniform(rng, 1e-4, 0.02, n), "stick": log_uniform(rng, 0.01, 0.3, n), "stick_rate": log_uniform(rng, 50, 2000, n), "val_mode": _ints(n, 1),
            "val_drift": rng.normal(0, 0.005, n), "noise": log_uniform(rng, 1e-3, 0.1, n), "metric_kind": pick(rng, {1: 3, 2: 2}, n), "val_noise": log_uniform(rng, 1e-4, 0.02, n)}  # fmt: skip


def _too_slow(rng: Rng, n: int) -> Draw:
    """Learning rate too low or too few epochs: both still fall at the end."""
    return {"rate": log_uniform(rng, 0.08, 4.0, n), "decay": pick(rng, {DECAY["exponential"]: 3, DECAY["linear"]: 2, DECAY["log"]: 2, DECAY["power"]: 1, DECAY["late"]: 3, DECAY["stairs"]: 1}, n),
            "window_end": _full(n, 1.0), "floor": rng.uniform(0, 0.7, n), "schedule_weight": np.where(rng.random(n) < 0.7, 0.0, 0.5), "val_floor": np.abs(rng.normal(0, 0.04, n)),
            "noise": log_uniform(rng, 3e-4, 0.1, n), "val_noise": log_uniform(rng, 1e-4, 0.03, n)}  # fmt: skip


def _cut_short(rng: Rng, n: int) -> Draw:
    """An ordinary run that was stopped early."""
    return {"window_end": log_uniform(rng, 0.005, 0.3, n), "rate": log_uniform(rng, 10, 300, n), "schedule": pick(rng, {SCHEDULE["constant"]: 3, SCHEDULE["cosine"]: 1, SCHEDULE["triangles"]: 0.5}, n)}


def _slow_start(rng: Rng, n: int) -> Draw:
    """Idle at the initial level, then the ordinary descent."""
    return {"plateau": rng.uniform(0.04, 0.75, n), "schedule_weight": rng.uniform(0, 0.5, n), "rate": log_uniform(rng, 3, 80, n), "window_end": _full(n, 1.0),
            "noise": log_uniform(rng, 1e-4, 0.06, n), "floor": rng.uniform(0.0, 0.6, n), "decay": pick(rng, {DECAY["exponential"]: 3, DECAY["late"]: 2, DECAY["power"]: 1}, n)}  # fmt: skip


def _warmup_start(rng: Rng, n: int) -> Draw:
    """A long warm-up holds the loss at its level for the first quarter of a short run."""
    return {"points": rng.integers(8, 60, n), "warmup": rng.uniform(0.2, 0.5, n), "schedule": pick(rng, {SCHEDULE["cosine"]: 3, SCHEDULE["linear"]: 1}, n), "schedule_weight": rng.uniform(1, 2, n),
            "rate": log_uniform(rng, 2, 10, n), "decay": pick(rng, {DECAY["late"]: 3, DECAY["exponential"]: 1}, n), "window_end": _full(n, 1.0), "has_lr": chance(rng, 0.7, n), "floor": rng.uniform(0, 0.7, n)}  # fmt: skip


def _drift_up(rng: Rng, n: int) -> Draw:
    """Loss rises from near the start: wrong sign, lr too high."""
    return {"blow_kind": _ints(n, 1), "blow_at": rng.uniform(0, 0.15, n), "blow_by": log_uniform(rng, 0.02, 8, n), "rate": log_uniform(rng, 1, 30, n), "floor": rng.uniform(0.8, 1, n),
            "metric_kind": pick(rng, {1: 3, 2: 1, 0: 1, 5: 2.5}, n), "noise": log_uniform(rng, 5e-4, 0.1, n)}  # fmt: skip


def _blow_up(rng: Rng, n: int) -> Draw:
    """Trains, jumps and never comes back; often frozen at a constant."""
    return {"blow_kind": _ints(n, 2), "blow_at": rng.uniform(0.01, 0.9, n), "blow_by": np.where(rng.random(n) < 0.5, rng.uniform(0.1, 2, n), log_uniform(rng, 1, 12, n)), "freeze": chance(rng, 0.5, n),
            "metric_kind": pick(rng, {0: 1, 1: 1}, n), "grad_kind": pick(rng, {0: 2, 3: 2, 1: 1}, n), "grad_size": log_uniform(rng, 1, 6, n)}  # fmt: skip


def _exponential_blow_up(rng: Rng, n: int) -> Draw:
    """Grows without bound, up to overflow."""
    return {"blow_kind": _ints(n, 3), "blow_at": rng.uniform(0, 0.6, n), "blow_by": log_uniform(rng, 1, 70, n), "grad_kind": pick(rng, {3: 3, 0: 1}, n), "grad_size": log_uniform(rng, 1, 12, n),
            "nan_at": np.where(rng.random(n) < 0.35, rng.uniform(0.3, 1, n), 2.0), "points": np.clip(log_uniform(rng, 5, 300, n), 5, 300).astype(int), "floor": rng.uniform(0.3, 1, n)}  # fmt: skip


def _slow_turn(rng: Rng, n: int) -> Draw:
    """Train falls, then turns and rises past its start."""
    return {"blow_kind": _ints(n, 4), "blow_at": rng.uniform(0.1, 0.7, n), "blow_by": log_uniform(rng, 0.1, 3, n), "noise": log_uniform(rng, 1e-3, 0.1, n)}


def _oscillating(rng: Rng, n: int) -> Draw:
    """Learning rate too high: train swings widely for most of the run, val with it."""
    shallow = rng.random(n) < 0.65
    return {"swing": log_uniform(rng, 0.08, 1.3, n), "swing_kind": pick(rng, [3, 3, 1.5, 2, 1, 4], n), "swing_cycles": log_uniform(rng, 3, 25, n),
            "swing_val": np.where(rng.random(n) < 0.8, rng.uniform(0.6, 1.6, n), rng.uniform(0, 0.3, n)), "swing_from": np.where(rng.random(n) < 0.7, 0.0, rng.uniform(0, 0.3, n)),
            "rate": log_uniform(rng, 5, 1000, n), "floor": np.where(shallow, rng.uniform(0.3, 0.95, n), log_uniform(rng, 0.02, 0.4, n)), "noise": log_uniform(rng, 1e-3, 0.15, n),
            "points": np.clip(log_uniform(rng, 14, 1500, n), 5, 30_000).astype(int), "schedule": pick(rng, {SCHEDULE["constant"]: 5, SCHEDULE["cosine"]: 1}, n), "schedule_weight": _full(n, 0.0)}  # fmt: skip


def _damped_start(rng: Rng, n: int) -> Draw:
    """Swings that die out within the first tenth: saturated nets settling at chance; not an oscillation."""
    return {"swing": log_uniform(rng, 0.02, 0.6, n), "swing_kind": pick(rng, [3, 1], n), "swing_cycles": log_uniform(rng, 20, 60, n), "swing_from": _full(n, -1.0),
            "floor": rng.uniform(0.85, 1.0, n), "rate": log_uniform(rng, 20, 200, n), "noise": log_uniform(rng, 1e-5, 1e-3, n), "val_noise": log_uniform(rng, 1e-5, 1e-3, n),
            "grad_kind": pick(rng, {1: 3, 0: 1}, n), "has_grad": chance(rng, 0.6, n), "metric_kind": pick(rng, {1: 2, 2: 1, 0: 1}, n)}  # fmt: skip


def _never_generalises(rng: Rng, n: int) -> Draw:
    """Train falls, val stays at its initial level or rises from the first evaluation."""
    return {"val_mode": _ints(n, 1), "val_drift": np.where(rng.random(n) < 0.35, rng.normal(0, 0.02, n), log_uniform(rng, 0.03, 6.0, n)), "val_noise": log_uniform(rng, 1e-3, 0.08, n),
            "metric_kind": pick(rng, {1: 2, 2: 1, 3: 1, 0: 0.4}, n), "floor": np.where(rng.random(n) < 0.7, log_uniform(rng, 1e-3, 0.3, n), rng.uniform(0.3, 0.9, n)), "rate": log_uniform(rng, 2, 100, n),
            "val_start": 1 + np.abs(rng.normal(0, 0.15, n))}  # fmt: skip


def _val_below(rng: Rng, n: int) -> Draw:
    """Dropout, augmentation, label smoothing or a penalty in the train loss only; an easier val set."""
    extra = rng.random(n) < 0.6
    return {"train_extra": np.where(extra, log_uniform(rng, 0.02, 0.5, n), 0.0), "val_unit": np.where(extra, 1.0, rng.uniform(0.15, 0.97, n)), "val_floor": np.abs(rng.normal(0, 0.01, n)),
            "val_start": np.where(rng.random(n) < 0.5, rng.uniform(0.55, 1.0, n), 1.0), "val_power": rng.uniform(0.9, 1.5, n), "noise": log_uniform(rng, 1e-3, 0.25, n)}  # fmt: skip


def _stalled_train(rng: Rng, n: int) -> Draw:
    """Bookkeeping broken: the logged train loss does not move while val falls."""
    return {"train_mode": _ints(n, 1), "train_drift": rng.normal(0, 1, n) * log_uniform(rng, 1e-4, 0.15, n), "noise": np.where(rng.random(n) < 0.5, log_uniform(rng, 1e-4, 0.05, n), log_uniform(rng, 0.05, 0.6, n)),
            "val_start": np.where(rng.random(n) < 0.5, rng.uniform(0.3, 1.0, n), 1.0), "floor": rng.uniform(0, 0.75, n), "noise_power": _full(n, 1.0)}  # fmt: skip


def _stuck_metric(rng: Rng, n: int) -> Draw:
    """The loss falls, the metric stays at chance or jumps about: a bug, or one class predicted for all."""
    return {"metric_kind": pick(rng, {1: 1, 2: 1.3}, n), "has_val_metric": _full(n, 1.0), "floor": rng.uniform(0, 0.7, n), "metric_noise": log_uniform(rng, 1e-4, 0.3, n), "rate": log_uniform(rng, 0.3, 200, n)}


def _overconfident(rng: Rng, n: int) -> Draw:
    """Val loss climbs while val accuracy still improves."""
    return _overfit(rng, n) | {"metric_kind": _ints(n, 0), "has_val_metric": _full(n, 1.0), "rise": log_uniform(rng, 0.2, 6.0, n), "metric_gain": rng.uniform(0.4, 1, n), "rise_at": rng.uniform(0.03, 0.5, n)}


def _hockey_stick(rng: Rng, n: int) -> Draw:
    """The first values cost far more than chance and collapse at once; then the ordinary descent."""
    deep = rng.random(n) < 0.45
    return {"stick": log_uniform(rng, 0.8, 300.0, n), "stick_rate": log_uniform(rng, 8, 2000, n), "floor": np.where(deep, log_uniform(rng, 1e-3, 0.3, n), rng.uniform(0.1, 0.9, n)),
            "rate": log_uniform(rng, 1.0, 150, n), "window_start": _full(n, 0.0), "points": np.clip(log_uniform(rng, 9, 2500, n), 5, 30_000).astype(int),
            "noise": np.where(rng.random(n) < 0.5, log_uniform(rng, 0.02, 0.35, n), log_uniform(rng, 3e-4, 0.05, n))}  # fmt: skip


def _vanishing(rng: Rng, n: int) -> Draw:
    """Saturated or dead units: the gradient norm sinks to nothing, the loss stays high."""
    return {"train_mode": np.where(rng.random(n) < 0.6, 1, 0), "train_drift": -log_uniform(rng, 1e-4, 0.03, n), "floor": rng.uniform(0.7, 0.98, n), "grad_kind": _ints(n, 1), "has_grad": _full(n, 1.0),
            "grad_size": rng.uniform(0.5, 8, n), "val_mode": pick(rng, [1, 1], n), "noise": log_uniform(rng, 1e-5, 0.05, n), "metric_kind": pick(rng, {1: 3, 2: 1}, n)}  # fmt: skip


def _double_descent(rng: Rng, n: int) -> Draw:
    """Val falls, climbs a hump while train is already low, and comes down again."""
    return {"hump": log_uniform(rng, 0.1, 8.0, n), "late_at": rng.uniform(0.04, 0.45, n), "late_width": rng.uniform(0.05, 0.5, n), "floor": log_uniform(rng, 1e-3, 0.3, n), "rate": log_uniform(rng, 30, 400, n),
            "val_floor": rng.uniform(0, 0.5, n), "noise": log_uniform(rng, 1e-4, 0.15, n), "val_noise": log_uniform(rng, 1e-4, 0.04, n), "window_end": _full(n, 1.0), "decay": pick(rng, {DECAY["power"]: 3, DECAY["two_phase"]: 2, DECAY["exponential"]: 2}, n)}  # fmt: skip


def _grokking(rng: Rng, n: int) -> Draw:
    """Train is fitted early, val stays bad for long, then falls."""
    return {"late_drop": rng.uniform(0.4, 1.0, n), "late_at": rng.uniform(0.1, 0.85, n), "late_width": log_uniform(rng, 0.02, 0.5, n), "floor": log_uniform(rng, 1e-8, 0.2, n), "rate": log_uniform(rng, 20, 500, n),
            "val_power": rng.uniform(0.8, 1.2, n), "rise": np.where(rng.random(n) < 0.5, log_uniform(rng, 0.05, 2, n), 0), "rise_at": rng.uniform(0.0, 0.1, n), "val_floor": np.where(rng.random(n) < 0.5, log_uniform(rng, 1e-4, 0.3, n), rng.uniform(0, 0.5, n)),
            "noise": log_uniform(rng, 1e-4, 0.1, n), "val_noise": log_uniform(rng, 1e-4, 0.04, n), "window_end": _full(n, 1.0)}  # fmt: skip


# ---- riders -------------------------------------------------------------------------------------------------------


def _spikes(rng: Rng, n: int) -> Draw:
    """Corrupted batches, instabilities: jumps of the train loss that recover."""
    return {"spikes": 1 + rng.poisson(1.6, n), "spike_size": log_uniform(rng, 0.1, 6.0, n), "spike_tail": np.where(rng.random(n) < 0.5, 0.0, log_uniform(rng, 0.6, 9, n)),
            "spike_shared": np.where(rng.random(n) < 0.45, rng.uniform(0.1, 1.2, n), 0.0), "spike_early": chance(rng, 0.2, n), "grad_kind": pick(rng, {0: 1, 2: 2}, n), "grad_size": log_uniform(rng, 0.8, 5, n), "has_grad": chance(rng, 0.5, n)}  # fmt: skip


def _val_jumps(rng: Rng, n: int) -> Draw:
    """Single bad evaluations."""
    return {"val_spikes": 1 + rng.poisson(1.3, n), "val_spike_size": log_uniform(rng, 0.08, 4.0, n), "val_noise": log_uniform(rng, 1e-3, 0.03, n), "has_val": _full(n, 1.0)}


def _shaky_val(rng: Rng, n: int) -> Draw:
    """A small validation set or unstable batch statistics: val jitters all along."""
    return {"val_noise": log_uniform(rng, 0.04, 0.9, n), "val_rho": pick(rng, [6, 2, 0.5], n), "val_noise_power": rng.uniform(0.2, 1.0, n), "noise": log_uniform(rng, 3e-4, 0.08, n), "has_val": _full(n, 1.0)}


def _unshuffled(rng: Rng, n: int) -> Draw:
    """Data in a fixed order: the train loss repeats its pattern every epoch."""
    points = np.clip(log_uniform(rng, 30, 3000, n), 5, 30_000).astype(int)
    return {"period": np.rint(log_uniform(rng, 4, 80, n)), "period_size": log_uniform(rng, 0.03, 0.9, n), "noise": log_uniform(rng, 2e-3, 0.2, n), "logging": pick(rng, {2: 3, 3: 2}, n), "points": points,
            "ratio": log_uniform(rng, 2, 50, n)}  # fmt: skip


def _goes_nan(rng: Rng, n: int) -> Draw:
    """NaN or Inf: from the first row, after a few points, in the middle, in one evaluation."""
    at = np.where(rng.random(n) < 0.3, 0.0, np.where(rng.random(n) < 0.4, log_uniform(rng, 0.01, 0.15, n), rng.uniform(0.1, 1.0, n)))
    return {"nan_at": at, "has_val": chance(rng, 0.8, n)}


def _gradient_burst(rng: Rng, n: int) -> Draw:
    """Gradient bursts the loss hardly shows."""
    return {"grad_kind": pick(rng, {2: 2, 3: 1}, n), "grad_size": log_uniform(rng, 0.6, 5, n), "has_grad": _full(n, 1.0)}


def _gradients_fade(rng: Rng, n: int) -> Draw:
    """The gradient norm falls with a loss that is fitted: nothing wrong."""
    return {"grad_kind": _ints(n, 4), "has_grad": _full(n, 1.0), "grad_size": rng.uniform(0.3, 4, n)}


def _mild_swings(rng: Rng, n: int) -> Draw:
    """Slow waves too small to matter."""
    return {"swing": log_uniform(rng, 0.002, 0.08, n), "swing_kind": rng.integers(0, 5, n), "swing_cycles": log_uniform(rng, 3, 40, n), "swing_val": rng.uniform(0, 1.2, n)}


TRENDS: Final[dict[str, Family]] = {
    "plain": Family(10.0, _plain),
    "clean_decay": Family(3.0, _clean_decay),
    "memorised_flat": Family(4.5, _memorised_flat),
    "fine_tuning": Family(3.5, _fine_tuning),
    "small_moves": Family(2.0, _small_moves),
    "five_epochs": Family(4.0, _five_epochs),
    "language_model": Family(3.0, _language_model),
    "scheduled": Family(4.0, _scheduled),
    "cyclic": Family(2.0, _cyclic),
    "level_jump": Family(2.5, _level_jump),
    "regression_tail": Family(3.5, _regression_tail),
    "huge_batch_noise": Family(3.0, _huge_batch_noise),
    "val_wobble": Family(3.0, _val_wobble),
    "slight_offset": Family(3.0, _slight_offset),
    "resumed": Family(1.5, _resumed),
    "fast_learner": Family(3.0, _fast_learner),
    "negative": Family(1.0, _negative),
    "overfit": Family(6.0, _overfit),
    "overfit_memorise": Family(3.0, _overfit_memorise),
    "overfit_after_drop": Family(1.0, _overfit_after_drop),
    "underfit": Family(4.0, _underfit),
    "no_learning": Family(3.2, _no_learning),
    "settles_at_chance": Family(1.2, _settles_at_chance),
    "too_slow": Family(4.0, _too_slow),
    "cut_short": Family(2.0, _cut_short),
    "slow_start": Family(3.0, _slow_start),
    "warmup_start": Family(1.0, _warmup_start),
    "drift_up": Family(1.8, _drift_up),
    "blow_up": Family(1.8, _blow_up),
    "exponential_blow_up": Family(1.2, _exponential_blow_up),
    "slow_turn": Family(0.8, _slow_turn),
    "oscillating": Family(4.5, _oscillating),
    "damped_start": Family(1.2, _damped_start),
    "never_generalises": Family(3.0, _never_generalises),
    "val_below": Family(2.5, _val_below),
    "stalled_train": Family(3.0, _stalled_train),
    "stuck_metric": Family(3.0, _stuck_metric),
    "overconfident": Family(3.0, _overconfident),
    "hockey_stick": Family(4.5, _hockey_stick),
    "vanishing": Family(3.2, _vanishing),
    "double_descent": Family(2.5, _double_descent),
    "grokking": Family(2.5, _grokking),
}
"""Family -> weight and draws; a run follows one of them."""

EXTRAS: Final[dict[str, Family]] = {
    "spikes": Family(0.09, _spikes),
    "val_jumps": Family(0.06, _val_jumps),
    "shaky_val": Family(0.07, _shaky_val),
    "unshuffled": Family(0.055, _unshuffled),
    "goes_nan": Family(0.025, _goes_nan),
    "gradient_burst": Family(0.04, _gradient_burst),
    "gradients_fade": Family(0.03, _gradients_fade),
    "mild_swings": Family(0.08, _mild_swings),
}
"""Rider -> probability and draws; a run may carry several."""
