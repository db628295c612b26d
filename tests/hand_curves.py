"""Curves drawn by hand: for every label one that clearly shows it, and harmless ones that look alike."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Curves = dict[str, Any]


def noise(n: int, size: float, seed: int = 0) -> npt.NDArray[np.float64]:
    return np.random.default_rng(seed).normal(0.0, size, n)


def decay(n: int, start: float = 2.0, end: float = 0.5, rate: float = 6.0) -> npt.NDArray[np.float64]:
    """An exponential from start to end that is flat in the last third."""
    x = np.linspace(0.0, 1.0, n)
    return end + (start - end) * np.exp(-rate * x)


def healthy(n: int = 60, seed: int = 0) -> Curves:
    """A plain run: both losses fall and settle, a small constant gap, a little noise."""
    return {
        "train_loss": decay(n) + noise(n, 0.01, seed),
        "val_loss": decay(n, 2.05, 0.6) + noise(n, 0.012, seed + 1),
    }


def _overfitting() -> Curves:
    n = 60
    x = np.linspace(0, 1, n)
    return {"train_loss": decay(n, 2.0, 0.05), "val_loss": decay(n, 2.05, 0.8) + 0.8 * np.clip(x - 0.4, 0, None)}


def _underfitting() -> Curves:
    n = 60
    return {
        "train_loss": decay(n, 2.3, 1.95, 20.0) + noise(n, 0.004),
        "val_loss": decay(n, 2.31, 1.97, 20.0) + noise(n, 0.004, 1),
    }


def _not_learning() -> Curves:
    return {"train_loss": 2.303 + noise(60, 0.01), "val_loss": 2.304 + noise(60, 0.01, 1)}


def _undertrained() -> Curves:
    n = 40
    return {
        "train_loss": np.linspace(2.0, 1.2, n) + noise(n, 0.005),
        "val_loss": np.linspace(2.05, 1.3, n) + noise(n, 0.005, 1),
    }


def _slow_start() -> Curves:
    x = np.linspace(0, 1, 80)
    fall = 2.3 - 1.8 / (1 + np.exp(-(x - 0.5) / 0.03))
    return {"train_loss": fall + noise(80, 0.005), "val_loss": fall + 0.05 + noise(80, 0.005, 1)}


def _divergence() -> Curves:
    n = 60
    rise = np.where(np.arange(n) < 20, 0.0, np.expm1(0.12 * (np.arange(n) - 20)))
    return {"train_loss": decay(n, 2.0, 1.0, 8.0) + rise, "val_loss": decay(n, 2.0, 1.1, 8.0) + rise}


def _non_finite() -> Curves:
    curves = healthy()
    curves["train_loss"][40:] = np.nan
    return curves


def _oscillation() -> Curves:
    n = 120
    # swings of much the same height without a fixed period, shared by val
    swing = 0.3 * np.sin(np.cumsum(np.random.default_rng(5).uniform(0.2, 1.2, n)))
    return {"train_loss": decay(n, 2.0, 1.2) + swing, "val_loss": decay(n, 2.05, 1.25) + swing}


def _loss_spikes() -> Curves:
    curves = healthy(120)
    for i in (50, 51, 90):
        curves["train_loss"][i] += 1.5
        curves["val_loss"][i] += 1.0
    return curves


def _val_spikes() -> Curves:
    curves = healthy(80)
    for i in (30, 60):
        curves["val_loss"][i] += 2.0
    return curves


def _noisy_validation() -> Curves:
    n = 60
    return {"train_loss": decay(n) + noise(n, 0.004), "val_loss": decay(n, 2.1, 0.7) + noise(n, 0.25, 1)}


def _periodic_loss() -> Curves:
    n = 240
    wave = 0.15 * np.sin(2 * np.pi * np.arange(n) / 12)
    return {"train_loss": decay(n) + wave + noise(n, 0.01)}


def _no_generalization() -> Curves:
    n = 60
    return {"train_loss": decay(n, 2.3, 0.05), "val_loss": 2.3 + np.linspace(0, 0.8, n) + noise(n, 0.01)}


def _val_below_train() -> Curves:
    n = 60
    train = decay(n) + noise(n, 0.005)
    return {"train_loss": train, "val_loss": 0.8 * decay(n) + noise(n, 0.005, 1)}


def _train_stalled_val_falls() -> Curves:
    n = 60
    return {"train_loss": 2.0 + noise(n, 0.004), "val_loss": decay(n, 2.0, 0.4) + noise(n, 0.01, 1)}


def _metric_mismatch() -> Curves:
    curves = _overfitting()
    return curves | {"val_metric": np.linspace(0.3, 0.8, 60) + noise(60, 0.005)}


def _high_initial_loss() -> Curves:
    curves = healthy(100)
    curves["train_loss"][:2] = [60.0, 9.0]
    return curves


def _vanishing_gradients() -> Curves:
    n = 60
    return {
        "train_loss": 2.30 + noise(n, 0.003),
        "grad_norm": 10.0 ** np.linspace(-0.5, -6, n),
    }


def _exploding_gradients() -> Curves:
    curves = healthy(100)
    grad = 1.0 + np.abs(noise(100, 0.2))
    grad[[60, 75]] = [800.0, 500.0]
    return curves | {"grad_norm": grad}


def _delayed_generalization() -> Curves:
    n = 120
    x = np.linspace(0, 1, n)
    return {
        "train_loss": 0.01 + 2.3 * np.exp(-60 * x),
        "val_loss": 2.3 + 0.6 * (1 - np.exp(-40 * x)) - 2.5 / (1 + np.exp(-(x - 0.6) / 0.04)),
    }


SHOWS: dict[str, Curves] = {
    "overfitting": _overfitting(),
    "underfitting": _underfitting(),
    "not_learning": _not_learning(),
    "undertrained": _undertrained(),
    "slow_start": _slow_start(),
    "divergence": _divergence(),
    "non_finite": _non_finite(),
    "oscillation": _oscillation(),
    "loss_spikes": _loss_spikes(),
    "val_spikes": _val_spikes(),
    "noisy_validation": _noisy_validation(),
    "periodic_loss": _periodic_loss(),
    "no_generalization": _no_generalization(),
    "val_below_train": _val_below_train(),
    "train_stalled_val_falls": _train_stalled_val_falls(),
    "metric_mismatch": _metric_mismatch(),
    "high_initial_loss": _high_initial_loss(),
    "vanishing_gradients": _vanishing_gradients(),
    "exploding_gradients": _exploding_gradients(),
    "delayed_generalization": _delayed_generalization(),
}
"""Label -> curves that clearly show it."""


def _lr_decay() -> Curves:
    n = 90
    steps = np.where(np.arange(n) < 30, 0.0, np.where(np.arange(n) < 60, 0.4, 0.55))
    train = decay(n, 2.0, 0.9, 20.0) - steps + noise(n, 0.01)
    lr = np.where(np.arange(n) < 30, 0.1, np.where(np.arange(n) < 60, 0.01, 0.001))
    return {"train_loss": train, "val_loss": train + 0.08 + noise(n, 0.01, 2), "lr": lr}


def _cyclic() -> Curves:
    n = 160
    lr = 0.05 * (1 + np.cos(2 * np.pi * np.arange(n) / 40))
    bump = 2.0 * lr
    return {"train_loss": decay(n) + bump + noise(n, 0.01), "val_loss": decay(n, 2.0, 0.6) + bump, "lr": lr}


def _wobble() -> Curves:
    curves = healthy(60)
    curves["val_loss"][35:37] += 0.06
    return curves


def _epoch_offset() -> Curves:
    # train is averaged over the epoch: val starts below it for one or two epochs
    train = decay(40, 2.0, 0.5)
    return {"train_loss": train + noise(40, 0.004), "val_loss": np.append(train[1:], train[-1]) + 0.01}


def _small_gap() -> Curves:
    return {"train_loss": decay(60), "val_loss": decay(60) + 0.05}


def _batch_noise() -> Curves:
    n = 1000
    return {"train_loss": decay(n) + noise(n, 0.12), "val_loss": decay(n, 2.0, 0.55) + noise(n, 0.01, 1)}


def _finetune() -> Curves:
    n = 200
    return {"train_loss": np.linspace(0.42, 0.36, n) + noise(n, 0.02)}


def _converged_gradients() -> Curves:
    return healthy(80) | {"grad_norm": 10.0 ** np.linspace(0.5, -1.5, 80)}


BENIGN: dict[str, Curves] = {
    "healthy": healthy(),
    "lr_decay": _lr_decay(),
    "cyclic": _cyclic(),
    "wobble": _wobble(),
    "epoch_offset": _epoch_offset(),
    "small_gap": _small_gap(),
    "batch_noise": _batch_noise(),
    "finetune": _finetune(),
    "converged_gradients": _converged_gradients(),
}
"""Name -> harmless curves (DESIGN, "Benign and NOT to be flagged")."""

HOSTILE: dict[str, Curves] = {
    "all_nan": {"train_loss": [np.nan] * 20, "val_loss": [np.nan] * 20},
    "all_zero": {"train_loss": [0.0] * 20, "val_loss": [0.0] * 20},
    "constant": {"train_loss": [0.7] * 20, "val_loss": [0.7] * 20},
    "one_point": {"train_loss": [1.0]},
    "two_points": {"train_loss": [1.0, 0.5], "val_loss": [1.0, 0.7]},
    "three_points": {"train_loss": [1.0, 0.5, 0.4]},
    "huge": {"train_loss": [1e308, 9e307, -1e308] * 10, "val_loss": [1e308] * 30},
    "to_1e31": {"train_loss": np.logspace(0, 31, 40), "val_loss": np.logspace(0, 30, 40)},
    "denormal": {"train_loss": np.linspace(5e-324, 1e-310, 30), "val_loss": [5e-324] * 30},
    "negative": {"train_loss": -decay(40, 0.1, 3.0), "val_loss": -decay(40, 0.1, 2.8)},
    "inf_inside": {"train_loss": [2.0, 1.5, np.inf, 1.2, 1.1, 1.0, 0.9, -np.inf, 0.8, 0.8]},
    "only_val": {"val_loss": decay(30)},
    "only_metric": {"val_metric": np.linspace(0, 1, 30)},
    "disjoint_steps": {"train_loss": (np.arange(1, 21), decay(20)), "val_loss": (np.arange(100, 110), decay(10))},
    "zero_gradient": {"train_loss": decay(30), "grad_norm": [0.0] * 30, "lr": [0.0] * 30, "val_metric": [0.5] * 30},
}
"""Name -> input that must be answered without a warning."""
