"""`Recipe`: every number of a training, one array entry a replica; drawn for healthy runs, overridden by a fault."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Final

import numpy as np

from curveclinic.ragged import FloatArray, IntArray
from curveclinic.synth.draws import Draw, Overridden, Rng, full, ints, log_uniform, pick

OPTIMISERS: Final = ("sgd", "momentum", "adam", "adamw", "rmsprop")
SCHEDULES: Final = ("constant", "step", "cosine", "warm_up", "cyclic", "one_cycle", "exponential", "growing")
ORDERS: Final = ("shuffled", "fixed", "by_class", "by_target_blocks")
BOOKS: Final = (
    "right", "train_stale", "swapped", "metric_stale", "metric_of_another", "val_summed", "val_of_another",
    "val_repaired", "evaluation_glitches", "train_summed", "metric_upside_down",
)  # fmt: skip
"""What the log makes of the numbers; "right" is right, the others are faults of bookkeeping."""

_RATES: Final = {"sgd": (0.03, 0.3), "momentum": (4e-3, 0.05), "adam": (8e-4, 8e-3), "adamw": (8e-4, 8e-3),
                 "rmsprop": (4e-4, 4e-3)}  # fmt: skip
"""Peak learning rates that suit small networks on normalised data."""


@dataclass(eq=False)
class Recipe(Overridden):
    """Hyperparameters of n replicas, one (n,) array each."""

    # optimiser
    optimiser: IntArray
    lr: FloatArray  # peak
    momentum: FloatArray
    beta2: FloatArray
    weight_decay: FloatArray
    clip: FloatArray  # largest gradient norm, inf for none
    sign: FloatArray  # -1: gradient ascent
    schedule: IntArray
    warmup: FloatArray  # share of the training
    shape_a: FloatArray
    shape_b: FloatArray
    # initialisation, scales over the usual ones
    init: FloatArray
    out_init: FloatArray
    recurrent_init: FloatArray
    bias: FloatArray  # constant added to hidden biases
    out_bias: FloatArray
    # regularisation
    dropout: FloatArray
    eval_dropout: FloatArray
    smoothing: FloatArray  # label smoothing
    penalty: FloatArray  # L2 in the logged train loss
    augment: FloatArray  # noise added to train inputs
    # data
    n_train: IntArray
    n_val: IntArray
    val_redraw: FloatArray  # 1: another subset at every evaluation
    label_noise: FloatArray
    val_label_noise: FloatArray
    val_shift: FloatArray  # of the inputs, in standard deviations
    val_size: FloatArray  # scale of the val inputs
    val_permuted: FloatArray  # 1: other label order
    val_leak: FloatArray  # 1: val is made of training samples
    input_scale: FloatArray
    input_shift: FloatArray
    target_scale: FloatArray
    target_shift: FloatArray
    order: IntArray
    # what is evaluated
    averaged: FloatArray  # decay of the average of the weights that validation sees, 0 for the weights themselves
    # changes on the way
    set_back_at: FloatArray  # share of the training at which weights are lost, 2 for never
    set_back: FloatArray  # share of the weights that are set to zero then; 1: the output layer starts anew
    drift_at: FloatArray  # share of the training from which the targets are others, 2 for never
    drift: FloatArray  # how much so
    retask: FloatArray  # the same between what was learnt before the log and what it shows, 0 for no change
    # accidents
    corrupt: FloatArray  # bad batches to be expected in the training
    corrupt_size: FloatArray  # its inputs' factor; below 0: wrong labels
    corrupt_until: FloatArray  # share of the training after which no more happen
    clipped_out: FloatArray  # 1: ReLU before the softmax or the squared error
    log_of_zero: FloatArray  # 1: log of an underflowing probability
    half: FloatArray  # 1: activations overflow as in half precision
    book: IntArray
    book_a: FloatArray

    @property
    def size(self) -> int:
        """Number of replicas."""
        return len(self.lr)

    def as_dict(self) -> dict[str, Any]:
        """Name -> array."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


def draw_healthy(rng: Rng, n: int, *, n_train: int, n_val: int, slow: bool) -> Recipe:
    """Draws n ordinary trainings.

    Args:
        rng: of the draws.
        n: replicas.
        n_train, n_val: samples of most replicas.
        slow: recurrent nets and attention, which want smaller steps.
    """
    optimiser = pick(rng, [2, 3, 4, 2.5, 1.2], n)
    low, high = (np.log([_RATES[name][k] for name in OPTIMISERS])[optimiser] for k in (0, 1))
    rate = np.exp(rng.uniform(low, high)) * (0.6 if slow else 1.0)
    values: dict[str, Any] = {"optimiser": optimiser, "lr": rate, **_optimiser(rng, n, optimiser), **_plain(n)}
    values |= {
        "schedule": pick(rng, [5, 1.5, 3, 2, 0.7, 0.8, 0.8, 0], n),
        "warmup": np.where(rng.random(n) < 0.25, log_uniform(rng, 0.005, 0.1, n), 0.0),
        "shape_a": rng.random(n),
        "shape_b": rng.random(n),
        "dropout": np.where(rng.random(n) < 0.15, rng.uniform(0.05, 0.3, n), 0.0),
        "augment": np.where(rng.random(n) < 0.1, rng.uniform(0.05, 0.3, n), 0.0),
        "n_train": np.maximum(np.rint(n_train * rng.choice([1.0, 1.0, 0.7], n)), 4).astype(np.int64),
        "n_val": np.maximum(np.rint(n_val * rng.choice([1.0, 1.0, 0.5], n)), 4).astype(np.int64),
        "label_noise": np.where(rng.random(n) < 0.15, rng.uniform(0.01, 0.1, n), 0.0),
    }
    values["averaged"] = np.where(rng.random(n) < 0.1, 1 - log_uniform(rng, 0.003, 0.2, n), 0.0)
    values["retask"] = np.where(rng.random(n) < 0.7, rng.uniform(0.0, 1.0, n), 0.0)
    values["val_label_noise"] = values["label_noise"].copy()
    return Recipe(**values)


def _optimiser(rng: Rng, n: int, optimiser: IntArray) -> Draw:
    adam = optimiser >= OPTIMISERS.index("adam")
    decayed = np.where(optimiser == OPTIMISERS.index("adamw"), log_uniform(rng, 1e-3, 0.3, n), 0.0)
    return {
        "momentum": np.select(
            [optimiser == 0, optimiser == 1, optimiser == 4],
            [np.zeros(n), rng.choice([0.9, 0.9, 0.95, 0.8], n), np.zeros(n)],
            rng.choice([0.9, 0.9, 0.95], n),
        ),
        "beta2": np.where(optimiser == 4, 0.99, rng.choice([0.999, 0.999, 0.99, 0.95], n)),
        "weight_decay": np.where(adam, decayed, np.where(rng.random(n) < 0.4, log_uniform(rng, 1e-5, 3e-3, n), 0.0)),
        "clip": np.where(rng.random(n) < 0.2, log_uniform(rng, 0.5, 5.0, n), np.inf),
    }


def _plain(n: int) -> Draw:
    """What is ordinary unless a fault says otherwise."""
    ones = ("sign", "init", "out_init", "recurrent_init", "val_size", "input_scale", "target_scale", "corrupt_until")
    zeros = (
        "bias", "out_bias", "eval_dropout", "smoothing", "penalty", "val_redraw", "val_shift", "val_permuted",
        "val_leak", "input_shift", "target_shift", "corrupt", "corrupt_size", "clipped_out", "log_of_zero", "half",
        "book_a", "set_back", "drift",
    )  # fmt: skip
    return {
        **{name: full(n, 2.0) for name in ("set_back_at", "drift_at")},
        **{name: full(n, 1.0) for name in ones},
        **{name: full(n, 0.0) for name in zeros},
        **{name: ints(n, 0) for name in ("order", "book")},
    }


def rates(recipe: Recipe, steps: int) -> FloatArray:
    """(n, steps) learning rate of every step."""
    u = (np.arange(steps) + 0.5)[None, :] / steps
    a, b = recipe.shape_a[:, None], recipe.shape_b[:, None]
    cycles = np.floor(3 + 6 * a)
    triangle = 1 - np.abs(2 * np.mod(u * cycles, 1.0) - 1)
    peak = 0.15 + 0.3 * a
    curves = {
        "constant": np.ones_like(u + a),
        "step": (0.1 + 0.4 * a) ** (np.floor(u * (2 + np.floor(2 * b)) + 0.15)),
        "cosine": 0.01 * a + (1 - 0.01 * a) * 0.5 * (1 + np.cos(np.pi * u)),
        "warm_up": np.minimum(u / (0.02 + 0.1 * a), (1 - u) / (1 - (0.02 + 0.1 * a))),
        "cyclic": 0.1 + 0.9 * triangle,
        "one_cycle": np.where(u < peak, 0.04 + 0.96 * u / peak, 0.5 * (1 + np.cos(np.pi * (u - peak) / (1 - peak)))),
        "exponential": np.exp(-u * (1 + 5 * a)),
        "growing": 10.0 ** ((1 + 2 * a) * (u - 1)),
    }
    out = np.choose(
        recipe.schedule[:, None], [np.broadcast_to(curves[name], (recipe.size, steps)) for name in SCHEDULES]
    )
    warm = np.minimum(u / np.maximum(recipe.warmup[:, None], 1e-9), 1.0)
    return np.asarray(recipe.lr[:, None] * np.maximum(out, 1e-4) * warm)
