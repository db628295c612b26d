"""Troubles and traits that ride on any trend, as (rng, n) -> plan overrides."""

from __future__ import annotations

import numpy as np

from curveclinic.synth.draws import Draw, Rng, chance, full, ints, log_uniform, pick


def spikes(rng: Rng, n: int) -> Draw:
    """Corrupted batches, instabilities: jumps of the train loss that recover."""
    return {
        "spikes": 1 + rng.poisson(1.6, n),
        "spike_size": log_uniform(rng, 0.1, 6.0, n),
        "spike_tail": np.where(rng.random(n) < 0.5, 0.0, log_uniform(rng, 0.6, 9, n)),
        "spike_shared": np.where(rng.random(n) < 0.45, rng.uniform(0.1, 1.2, n), 0.0),
        "spike_early": chance(rng, 0.2, n),
        "grad_kind": pick(rng, {0: 1, 2: 2}, n),
        "grad_size": log_uniform(rng, 0.8, 5, n),
        "has_grad": chance(rng, 0.5, n),
    }


def setbacks(rng: Rng, n: int) -> Draw:
    """Much of what was learnt is lost at once and learnt again: pruning, a reset head, other data, a bad restart."""
    points = np.clip(log_uniform(rng, 25, 2500, n), 5, 30_000).astype(int)
    return {
        "points": points,
        "spikes": 1 + (rng.random(n) < 0.3),
        "spike_size": log_uniform(rng, 0.4, 5.0, n),
        "spike_tail": points * log_uniform(rng, 0.015, 0.12, n),
        "spike_shared": np.where(rng.random(n) < 0.8, rng.uniform(0.5, 1.1, n), 0.0),
        "noise": log_uniform(rng, 3e-4, 0.15, n),
    }


def val_jumps(rng: Rng, n: int) -> Draw:
    """Single bad evaluations, now and then the next one is bad too; some tower over a val that jitters all along."""
    jitters, size = rng.random(n) < 0.35, log_uniform(rng, 0.08, 4.0, n)
    noise = np.where(jitters, log_uniform(rng, 0.03, 0.4, n), log_uniform(rng, 1e-3, 0.03, n))
    return {
        "val_spikes": 1 + rng.poisson(1.3, n),
        "val_spike_size": np.where(jitters, np.minimum(noise * log_uniform(rng, 5, 40, n), 5.0), size),
        "val_spike_tail": np.where(rng.random(n) < 0.7, 0.0, log_uniform(rng, 0.4, 1.5, n)),
        "val_noise": noise,
        "has_val": full(n, 1.0),
    }


def shaky_val(rng: Rng, n: int) -> Draw:
    """A small validation set or unstable batch statistics: val jitters all along."""
    return {
        "val_noise": log_uniform(rng, 0.04, 0.9, n),
        "val_rho": pick(rng, [6, 2, 0.5], n),
        # now and then an evaluation goes badly wrong, never badly right
        "val_skew": np.where(rng.random(n) < 0.45, rng.uniform(0.3, 1.0, n), 0.0),
        "val_noise_power": rng.uniform(0.2, 1.0, n),
        "noise": log_uniform(rng, 3e-4, 0.08, n),
        "has_val": full(n, 1.0),
    }


def unshuffled(rng: Rng, n: int) -> Draw:
    """Data in a fixed order: the train loss repeats its pattern every epoch."""
    points = np.clip(log_uniform(rng, 30, 3000, n), 5, 30_000).astype(int)
    return {
        "period": np.rint(log_uniform(rng, 4, 80, n)),
        "period_size": log_uniform(rng, 0.03, 0.9, n),
        "noise": log_uniform(rng, 2e-3, 0.2, n),
        "logging": pick(rng, {2: 3, 3: 2}, n),
        "points": points,
        "ratio": log_uniform(rng, 2, 50, n),
    }


def goes_nan(rng: Rng, n: int) -> Draw:
    """NaN or Inf: from the first row, after a few points, in the middle, in one evaluation."""
    at = np.where(
        rng.random(n) < 0.3,
        0.0,
        np.where(rng.random(n) < 0.4, log_uniform(rng, 0.01, 0.15, n), rng.uniform(0.1, 1.0, n)),
    )
    return {"nan_at": at, "has_val": chance(rng, 0.8, n)}


def gradient_burst(rng: Rng, n: int) -> Draw:
    """Gradient bursts the loss hardly shows."""
    return {"grad_kind": pick(rng, {2: 2, 3: 1}, n), "grad_size": log_uniform(rng, 0.6, 5, n), "has_grad": full(n, 1.0)}


def gradients_fade(rng: Rng, n: int) -> Draw:
    """The gradient norm falls with a loss that is fitted: nothing wrong."""
    return {"grad_kind": ints(n, 4), "has_grad": full(n, 1.0), "grad_size": rng.uniform(0.3, 4, n)}


def odd_norms(rng: Rng, n: int) -> Draw:
    """Norms of exactly 0 where a step was skipped, not yet made or underflowed, and norms that drop at once."""
    return {
        "grad_kind": pick(rng, {0: 3, 4: 1, 1: 1}, n),
        "grad_size": log_uniform(rng, 0.8, 5, n),
        "grad_oddity": pick(rng, {1: 3, 2: 3, 3: 1, 4: 2}, n),
        "has_grad": full(n, 1.0),
    }


def idle_start(rng: Rng, n: int) -> Draw:
    """Nothing is learnt at first, whatever comes later."""
    return {"plateau": rng.uniform(0.05, 0.5, n), "window_start": full(n, 0.0)}


def collapsing_start(rng: Rng, n: int) -> Draw:
    """The first values cost far more than an untrained model should."""
    return {
        "stick": log_uniform(rng, 0.8, 300.0, n),
        "stick_rate": log_uniform(rng, 20, 2000, n),
        "window_start": full(n, 0.0),
    }


def turning_val(rng: Rng, n: int) -> Draw:
    """Val turns up late, often shortly before the run ends."""
    return {
        "rise": log_uniform(rng, 0.06, 3.0, n),
        "rise_at": rng.uniform(0.25, 0.92, n),
        "rise_kind": pick(rng, [3, 2, 2, 1, 1], n),
        "has_val": full(n, 1.0),
    }


def easier_val(rng: Rng, n: int) -> Draw:
    """Dropout, augmentation or a penalty in the train loss only."""
    return {"train_extra": log_uniform(rng, 0.02, 0.5, n), "has_val": full(n, 1.0)}


def late_blow_up(rng: Rng, n: int) -> Draw:
    """Whatever was learnt is lost at once."""
    return {
        "blow_kind": pick(rng, {2: 2, 3: 1, 4: 1}, n),
        "blow_at": rng.uniform(0.3, 0.95, n),
        "blow_by": log_uniform(rng, 0.1, 8, n),
        "freeze": chance(rng, 0.3, n),
    }


def high_swings(rng: Rng, n: int) -> Draw:
    """Learning rate too high for any trend: train swings widely and val with it."""
    return {
        "swing": log_uniform(rng, 0.1, 1.0, n),
        "swing_kind": pick(rng, [3, 3, 1.5, 1.5, 1, 4, 4, 2.5], n),
        "swing_cycles": log_uniform(rng, 4, 30, n),
        "swing_val": rng.uniform(0.5, 1.5, n),
    }


def dead_metric(rng: Rng, n: int) -> Draw:
    """The metric does not follow the loss: a bug in it, or one class predicted for all."""
    return {
        "metric_kind": pick(rng, {1: 1, 2: 1, 6: 0.5}, n),
        "has_val_metric": full(n, 1.0),
        "metric_noise": log_uniform(rng, 1e-4, 0.1, n),
    }


def mild_swings(rng: Rng, n: int) -> Draw:
    """Slow waves too small to matter."""
    return {
        "swing": log_uniform(rng, 0.002, 0.08, n),
        "swing_kind": pick(rng, [1, 1, 1, 1, 1, 0, 0.7, 0.7], n),
        "swing_cycles": log_uniform(rng, 3, 40, n),
        "swing_val": rng.uniform(0, 1.2, n),
    }
