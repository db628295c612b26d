"""Sick runs whose train curve tells: idle, slow, blown up, swinging, as (rng, n) -> plan overrides."""

from __future__ import annotations

import numpy as np

from curveclinic.synth.descent import DECAY_INDEX as DECAY
from curveclinic.synth.descent import SCHEDULE_INDEX as SCHEDULE
from curveclinic.synth.draws import Draw, Rng, chance, full, ints, log_uniform, pick
from curveclinic.synth.ordinary import draw_points
from curveclinic.synth.plan import LOGGING
from curveclinic.synth.swings import SWINGS


def underfit(rng: Rng, n: int) -> Draw:
    """A small improvement, then a plateau for train and val alike."""
    faint = rng.random(n) < 0.25
    return {
        "floor": np.where(faint, 1.0 - log_uniform(rng, 0.02, 0.15, n), rng.uniform(0.67, 0.96, n)),
        "rate": log_uniform(rng, 8, 400, n),
        "decay": pick(rng, {DECAY["exponential"]: 4, DECAY["power"]: 1, DECAY["late"]: 1, DECAY["stretched"]: 1}, n),
        "val_floor": np.abs(rng.normal(0, 0.05, n)),
        "noise": log_uniform(rng, 1e-4, 0.12, n),
        "val_noise": log_uniform(rng, 1e-4, 0.03, n),
        "metric_kind": pick(rng, {0: 3, 1: 1}, n),
    }


def no_learning(rng: Rng, n: int) -> Draw:
    """Train stays at its initial level; the noise may be large, a trace of drift may show."""
    move = np.where(rng.random(n) < 0.5, log_uniform(rng, 1e-4, 0.03, n), 0.0)
    return {
        "train_mode": ints(n, 1),
        "train_drift": move * np.where(rng.random(n) < 0.75, -1, 1),
        "noise": np.where(rng.random(n) < 0.5, log_uniform(rng, 1e-4, 0.03, n), log_uniform(rng, 0.03, 0.8, n)),
        "val_mode": ints(n, 1),
        "val_drift": rng.normal(0, 1, n) * log_uniform(rng, 1e-4, 0.02, n),
        "val_noise": log_uniform(rng, 1e-5, 0.01, n),
        "val_start": 1 + rng.normal(0, 0.03, n),
        "metric_kind": pick(rng, {1: 3, 2: 2}, n),
        "catapult": np.where(rng.random(n) < 0.2, log_uniform(rng, 0.01, 20, n), 0.0),
        "grad_kind": pick(rng, {0: 3, 1: 2}, n),
        "digits": pick(rng, {99: 5, 4: 3, 3: 1}, n),
    }


def settles_at_chance(rng: Rng, n: int) -> Draw:
    """Falls from a bad first guess, or from what a first step threw away, to the cost of chance, then noise."""
    # in a few points nobody tells wide noise from learning
    wide = rng.random(n) < 0.25
    dead = ~wide & (rng.random(n) < 0.5)  # one class for every input
    return {
        "points": np.where(wide, np.clip(log_uniform(rng, 40, 3000, n), 5, 30_000).astype(int), draw_points(rng, n)),
        "train_mode": ints(n, 1),
        "train_drift": -log_uniform(rng, 1e-4, 0.02, n),
        "stick": np.where(rng.random(n) < 0.4, log_uniform(rng, 0.01, 0.3, n), log_uniform(rng, 0.3, 20.0, n)),
        "stick_rate": log_uniform(rng, 50, 4000, n),
        "val_mode": ints(n, 1),
        "val_drift": rng.normal(0, 0.005, n),
        "noise": np.where(wide, log_uniform(rng, 0.05, 0.5, n), log_uniform(rng, 1e-4, 0.1, n)),
        "val_noise": log_uniform(rng, 2e-5, 0.02, n),
        "metric_kind": np.where(dead, 1, pick(rng, {1: 3, 2: 2}, n)),
        "metric_noise": np.where(dead, 1e-7, log_uniform(rng, 1e-3, 0.05, n)),
        "has_val_metric": chance(rng, 0.75, n),
    }


def killed_early(rng: Rng, n: int) -> Draw:
    """A few turbulent points, the first perhaps better than what follows; then a dead model at the cost of chance."""
    better = rng.random(n) < 0.6
    return {
        "train_mode": ints(n, 1),
        "train_drift": rng.normal(0, 1, n) * log_uniform(rng, 1e-5, 0.005, n),
        "stick": np.where(better, -log_uniform(rng, 0.005, 0.25, n), log_uniform(rng, 0.005, 0.1, n)),
        "stick_rate": log_uniform(rng, 60, 2000, n),
        "swing": log_uniform(rng, 0.005, 0.5, n),
        "swing_kind": pick(rng, {SWINGS.index("wild"): 3, SWINGS.index("chaotic"): 2, SWINGS.index("thrown"): 1}, n),
        "swing_cycles": log_uniform(rng, 20, 60, n),
        "swing_from": full(n, -1.0),
        "swing_val": rng.uniform(0.3, 1.2, n),
        "noise": log_uniform(rng, 1e-4, 0.04, n),
        "val_mode": ints(n, 1),
        "val_drift": rng.normal(0, 0.002, n),
        "val_start": 1 + rng.normal(0, 0.01, n),
        "val_noise": log_uniform(rng, 1e-4, 0.015, n),
        "metric_kind": pick(rng, {1: 2, 2: 3}, n),
        "window_start": full(n, 0.0),
        "grad_kind": pick(rng, {0: 1, 1: 1}, n),
    }


def too_slow(rng: Rng, n: int) -> Draw:
    """Learning rate too low or too few epochs: both still fall at the end."""
    return {
        "rate": log_uniform(rng, 0.08, 4.0, n),
        "decay": pick(
            rng,
            {
                DECAY["exponential"]: 3,
                DECAY["linear"]: 2,
                DECAY["log"]: 2,
                DECAY["power"]: 1,
                DECAY["late"]: 3,
                DECAY["stairs"]: 1,
            },
            n,
        ),
        "window_end": full(n, 1.0),
        "floor": rng.uniform(0, 0.7, n),
        "schedule_weight": np.where(rng.random(n) < 0.7, 0.0, 0.5),
        "val_floor": np.abs(rng.normal(0, 0.04, n)),
        # the loss of small batches beside a calm val
        "noise": np.where(rng.random(n) < 0.7, log_uniform(rng, 3e-4, 0.1, n), log_uniform(rng, 0.05, 0.35, n)),
        "val_noise": log_uniform(rng, 1e-4, 0.03, n),
    }


def crawls(rng: Rng, n: int) -> Draw:
    """A learning rate far too low: a trace of the level is learnt, steadily; val goes along, stays or drifts away."""
    drop = log_uniform(rng, 4e-4, 0.05, n)
    follows = rng.random(n) < 0.65
    return {
        "train_mode": ints(n, 1),
        "train_drift": -drop,
        "val_mode": ints(n, 1),
        "val_drift": np.where(follows, -drop * log_uniform(rng, 0.4, 1.6, n), drop * rng.normal(0.3, 0.7, n)),
        "val_start": 1.0 + rng.normal(0, 0.01, n),
        "points": np.where(rng.random(n) < 0.7, rng.integers(6, 60, n), rng.integers(60, 800, n)),
        "noise": drop * log_uniform(rng, 3e-4, 0.4, n),
        "val_noise": drop * log_uniform(rng, 3e-4, 0.3, n),
        "metric_kind": pick(rng, {1: 2, 2: 1, 0: 2}, n),
        "digits": pick(rng, {99: 6, 5: 1, 4: 1}, n),
    }


def cut_short(rng: Rng, n: int) -> Draw:
    """An ordinary run that was stopped early."""
    return {
        "window_end": log_uniform(rng, 0.005, 0.3, n),
        "rate": log_uniform(rng, 10, 300, n),
        "schedule": pick(rng, {SCHEDULE["constant"]: 3, SCHEDULE["cosine"]: 1, SCHEDULE["triangles"]: 0.5}, n),
    }


def slow_start(rng: Rng, n: int) -> Draw:
    """Idle at the initial level, then the ordinary descent."""
    return {
        "plateau": rng.uniform(0.04, 0.75, n),
        "schedule_weight": rng.uniform(0, 0.5, n),
        "rate": log_uniform(rng, 3, 80, n),
        "window_end": full(n, 1.0),
        "noise": log_uniform(rng, 1e-4, 0.06, n),
        "floor": rng.uniform(0.0, 0.6, n),
        "decay": pick(rng, {DECAY["exponential"]: 3, DECAY["late"]: 2, DECAY["power"]: 1}, n),
    }


def warmup_start(rng: Rng, n: int) -> Draw:
    """A long warm-up holds the loss at its level for the first quarter of a short run."""
    return {
        "points": rng.integers(8, 60, n),
        "warmup": rng.uniform(0.2, 0.5, n),
        "schedule": pick(rng, {SCHEDULE["cosine"]: 3, SCHEDULE["linear"]: 1}, n),
        "schedule_weight": rng.uniform(1, 2, n),
        "rate": log_uniform(rng, 2, 10, n),
        "decay": pick(rng, {DECAY["late"]: 3, DECAY["exponential"]: 1}, n),
        "window_end": full(n, 1.0),
        "has_lr": chance(rng, 0.7, n),
        "floor": rng.uniform(0, 0.7, n),
    }


def drift_up(rng: Rng, n: int) -> Draw:
    """Loss rises from near the start: wrong sign, lr too high."""
    return {
        "blow_kind": ints(n, 1),
        "blow_at": rng.uniform(0, 0.15, n),
        "blow_by": np.where(rng.random(n) < 0.5, log_uniform(rng, 0.05, 0.6, n), log_uniform(rng, 0.02, 8, n)),
        # fine-tuning with added noise: train rises gently, val hardly or later
        "blow_val": np.where(rng.random(n) < 0.6, 0.97, rng.uniform(0, 1, n)),
        "rate": log_uniform(rng, 1, 30, n),
        "floor": np.where(rng.random(n) < 0.5, rng.uniform(0.8, 1, n), rng.uniform(0.97, 1, n)),
        # or val only jitters
        "val_mode": pick(rng, [3, 1], n),
        "val_drift": rng.normal(0, 0.03, n),
        "val_start": np.where(rng.random(n) < 0.7, 1.0, rng.uniform(0.8, 1.3, n)),
        "metric_kind": pick(rng, {1: 3, 2: 1, 0: 1, 5: 2.5}, n),
        "noise": log_uniform(rng, 5e-4, 0.1, n),
        "val_noise": log_uniform(rng, 3e-4, 0.06, n),
    }


def climbs_back(rng: Rng, n: int) -> Draw:
    """Learns for a while, then loses it again little by little: lr that grows, regularisation that grows, drift."""
    return {
        "blow_kind": ints(n, 1),
        "blow_at": rng.uniform(0.05, 0.6, n),
        "blow_by": log_uniform(rng, 0.2, 3.5, n),
        "blow_val": np.where(rng.random(n) < 0.6, rng.uniform(0.8, 1.05, n), np.maximum(rng.uniform(-0.6, 1, n), 0.0)),
        "rate": log_uniform(rng, 10, 200, n),
        "floor": log_uniform(rng, 0.02, 0.6, n),
        "metric_kind": pick(rng, {0: 2, 1: 1}, n),
        "noise": log_uniform(rng, 3e-4, 0.15, n),
        "val_noise": log_uniform(rng, 3e-4, 0.06, n),
    }


def blow_up(rng: Rng, n: int) -> Draw:
    """Trains, jumps and never comes back; often frozen at a constant."""
    return {
        "blow_kind": ints(n, 2),
        "blow_at": rng.uniform(0.01, 0.9, n),
        "blow_by": np.where(rng.random(n) < 0.5, rng.uniform(0.1, 2, n), log_uniform(rng, 1, 12, n)),
        "freeze": chance(rng, 0.5, n),
        "metric_kind": pick(rng, {0: 1, 1: 1}, n),
        "grad_kind": pick(rng, {0: 2, 3: 2, 1: 1}, n),
        "grad_size": log_uniform(rng, 1, 6, n),
    }


def exponential_blow_up(rng: Rng, n: int) -> Draw:
    """Grows without bound, up to overflow."""
    return {
        "blow_kind": ints(n, 3),
        "blow_at": rng.uniform(0, 0.6, n),
        "blow_by": log_uniform(rng, 1, 70, n),
        "grad_kind": pick(rng, {3: 3, 0: 1}, n),
        "grad_size": log_uniform(rng, 1, 12, n),
        "nan_at": np.where(rng.random(n) < 0.35, rng.uniform(0.3, 1, n), 2.0),
        "points": np.clip(log_uniform(rng, 5, 300, n), 5, 300).astype(int),
        "floor": rng.uniform(0.3, 1, n),
    }


def thrown(rng: Rng, n: int) -> Draw:
    """The first steps throw the loss to a multiple of its first value; there it stays, or comes down a little."""
    return {
        "stick": 1 / log_uniform(rng, 1.4, 60, n) - 1,
        "stick_rate": log_uniform(rng, 150, 8000, n),
        "rate": log_uniform(rng, 0.5, 100, n),
        "floor": np.where(rng.random(n) < 0.6, rng.uniform(0.75, 1.0, n), rng.uniform(0.2, 0.9, n)),
        "window_start": full(n, 0.0),
        "logging": pick(rng, {LOGGING.index("step"): 4, LOGGING.index("window"): 1, LOGGING.index("eval"): 1}, n),
        "points": np.clip(log_uniform(rng, 12, 2000, n), 5, 30_000).astype(int),
        "noise": log_uniform(rng, 3e-3, 0.4, n),
        "metric_kind": pick(rng, {1: 2, 2: 2, 0: 1}, n),
        "grad_kind": pick(rng, {0: 3, 2: 1}, n),
        "schedule": pick(rng, {SCHEDULE["constant"]: 3, SCHEDULE["cosine"]: 1}, n),
    }


def slow_turn(rng: Rng, n: int) -> Draw:
    """Train falls, then turns and rises past its start."""
    return {
        "blow_kind": ints(n, 4),
        "blow_at": rng.uniform(0.1, 0.7, n),
        "blow_by": log_uniform(rng, 0.1, 3, n),
        "noise": log_uniform(rng, 1e-3, 0.1, n),
    }


def oscillating(rng: Rng, n: int) -> Draw:
    """Learning rate too high: train swings widely for most of the run, val with it."""
    shallow = rng.random(n) < 0.65
    return {
        "swing": log_uniform(rng, 0.08, 1.3, n),
        "swing_kind": pick(rng, [3, 3, 1.5, 1.5, 1, 4, 4, 2.5], n),
        "swing_cycles": log_uniform(rng, 3, 25, n),
        "swing_val": np.where(rng.random(n) < 0.8, rng.uniform(0.6, 1.6, n), rng.uniform(0, 0.3, n)),
        "swing_from": np.where(rng.random(n) < 0.7, 0.0, rng.uniform(0, 0.3, n)),
        "rate": log_uniform(rng, 5, 1000, n),
        "floor": np.where(shallow, rng.uniform(0.3, 0.95, n), log_uniform(rng, 0.02, 0.4, n)),
        "noise": log_uniform(rng, 1e-3, 0.15, n),
        "points": np.clip(log_uniform(rng, 14, 1500, n), 5, 30_000).astype(int),
        "schedule": pick(rng, {SCHEDULE["constant"]: 5, SCHEDULE["cosine"]: 1}, n),
        "schedule_weight": full(n, 0.0),
    }


def damped_start(rng: Rng, n: int) -> Draw:
    """Swings that die out within the first tenth: saturated nets settling at chance; not an oscillation."""
    return {
        "train_mode": pick(rng, [1, 1], n),
        "train_drift": -log_uniform(rng, 1e-5, 0.01, n),
        "stick": np.where(rng.random(n) < 0.5, log_uniform(rng, 0.003, 0.08, n), 0.0),
        "stick_rate": log_uniform(rng, 50, 2000, n),
        "swing": log_uniform(rng, 0.02, 0.6, n),
        "swing_kind": pick(rng, [3, 1], n),
        "swing_cycles": log_uniform(rng, 20, 60, n),
        "swing_from": full(n, -1.0),
        "floor": rng.uniform(0.85, 1.0, n),
        "rate": log_uniform(rng, 20, 200, n),
        "noise": log_uniform(rng, 1e-5, 1e-3, n),
        "val_noise": log_uniform(rng, 1e-5, 1e-3, n),
        "grad_kind": pick(rng, {1: 3, 0: 1}, n),
        "has_grad": chance(rng, 0.6, n),
        "metric_kind": pick(rng, {1: 2, 2: 1, 0: 1}, n),
    }


def hockey_stick(rng: Rng, n: int) -> Draw:
    """The first values cost far more than chance and collapse at once; then the ordinary descent."""
    deep = rng.random(n) < 0.45
    return {
        "stick": log_uniform(rng, 0.8, 300.0, n),
        "stick_rate": log_uniform(rng, 8, 2000, n),
        "floor": np.where(deep, log_uniform(rng, 1e-3, 0.3, n), rng.uniform(0.1, 0.9, n)),
        "rate": log_uniform(rng, 1.0, 150, n),
        "window_start": full(n, 0.0),
        "has_val": chance(rng, 0.68, n),  # long pretrainings often log none
        "points": np.clip(log_uniform(rng, 9, 2500, n), 5, 30_000).astype(int),
        "noise": np.where(rng.random(n) < 0.5, log_uniform(rng, 0.02, 0.35, n), log_uniform(rng, 3e-4, 0.05, n)),
    }


def vanishing(rng: Rng, n: int) -> Draw:
    """Saturated or dead units: the gradient norm sinks to nothing, the loss stays high."""
    return {
        "train_mode": np.where(rng.random(n) < 0.6, 1, 0),
        "train_drift": -log_uniform(rng, 1e-4, 0.03, n),
        "floor": rng.uniform(0.7, 0.98, n),
        "grad_kind": ints(n, 1),
        "has_grad": full(n, 1.0),
        "grad_size": rng.uniform(0.5, 8, n),
        "val_mode": pick(rng, [1, 1], n),
        "noise": log_uniform(rng, 1e-5, 0.05, n),
        "metric_kind": pick(rng, {1: 3, 2: 1}, n),
    }
