"""The table of faults: what each one does to a recipe, and the cause that is known of it.

A fault shapes the cause; which labels a run gets is measured afterwards on what can be seen. Every entry is a small
function (rng, n) -> overrides of the `Recipe`; strengths reach from hardly visible to gross.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

from curveclinic.ragged import FloatArray
from curveclinic.synth.draws import Draw, Rng, full, ints, log_uniform, pick
from curveclinic.synth.simulate.recipe import BOOKS, OPTIMISERS, ORDERS, SCHEDULES

HEALTHY: Final = "none"
"""The cause of a run without a fault."""

Factors = dict[str, FloatArray]
"""Recipe fields to multiply, (n,) each."""


@dataclass(frozen=True)
class Fault:
    """One thing that goes wrong.

    Attributes:
        weight: share among the faults.
        cause: short name of the reason, one of `CAUSES`.
        draw: (rng, n) -> values that replace the recipe's.
        factor: (rng, n) -> factors on the recipe's values.
        nets: only these nets, None for all.
        tasks: only these tasks, None for all.
        kind: only "classification" or only "regression"; None for both.
    """

    weight: float
    cause: str
    draw: Callable[[Rng, int], Draw] = lambda rng, n: {}
    factor: Callable[[Rng, int], Factors] = lambda rng, n: {}
    nets: tuple[str, ...] | None = None
    tasks: tuple[str, ...] | None = None
    kind: str | None = None

    def fits(self, net: str, task: str, *, regression: bool) -> bool:
        """Whether it makes sense for this net and task."""
        wanted = self.kind is None or (self.kind == "regression") == regression
        return wanted and (self.nets is None or net in self.nets) and (self.tasks is None or task in self.tasks)


def _book(name: str) -> Callable[[Rng, int], Draw]:
    return lambda rng, n: {"book": ints(n, BOOKS.index(name)), "book_a": rng.random(n)}


def _times(name: str, low: float, high: float) -> Callable[[Rng, int], Factors]:
    return lambda rng, n: {name: log_uniform(rng, low, high, n)}


def _draws(name: str, low: float, high: float) -> Callable[[Rng, int], Draw]:
    return lambda rng, n: {name: log_uniform(rng, low, high, n)}


def _small_train(rng: Rng, n: int) -> Draw:
    return {"n_train": np.rint(log_uniform(rng, 6, 64, n)).astype(np.int64), **_no_regularisation(n)}


def _no_regularisation(n: int) -> Draw:
    return {"dropout": full(n, 0.0), "weight_decay": full(n, 0.0), "augment": full(n, 0.0)}


def _random_labels(rng: Rng, n: int) -> Draw:
    both = np.where(rng.random(n) < 0.5, 1.0, rng.uniform(0.7, 1.0, n))
    return {"label_noise": both, "val_label_noise": both, **_no_regularisation(n)}


def _noisy_labels(rng: Rng, n: int) -> Draw:
    share = rng.uniform(0.1, 0.6, n)
    return {"label_noise": share, "val_label_noise": np.where(rng.random(n) < 0.6, share, 0.0), **_no_regularisation(n)}


def _ascent(rng: Rng, n: int) -> Draw:
    return {"sign": full(n, -1.0), "weight_decay": full(n, 0.0)}


def _unshuffled(rng: Rng, n: int) -> Draw:
    return {"order": pick(rng, {ORDERS.index(order): 1 for order in ("fixed", "by_class", "by_target_blocks")}, n)}


def _spiky(rng: Rng, n: int) -> Draw:
    wrong = rng.random(n) < 0.25
    return {
        "corrupt": log_uniform(rng, 1.0, 9.0, n),
        "corrupt_size": np.where(wrong, -1.0, log_uniform(rng, 4.0, 300.0, n)),
        "corrupt_until": np.where(rng.random(n) < 0.2, 0.3, 1.0),
    }


def _edge_of_stability(rng: Rng, n: int) -> Draw:
    kind = pick(rng, {OPTIMISERS.index("adam"): 2, OPTIMISERS.index("rmsprop"): 1}, n)
    return {
        "optimiser": kind,
        "lr": log_uniform(rng, 0.01, 0.15, n),
        "beta2": rng.choice([0.9, 0.99, 0.999], n),
        "momentum": np.where(kind == OPTIMISERS.index("adam"), 0.9, 0.0),
        "schedule": ints(n, SCHEDULES.index("constant")),
        "clip": full(n, np.inf),
    }


def _heavy_momentum(rng: Rng, n: int) -> Draw:
    return {
        "optimiser": ints(n, OPTIMISERS.index("momentum")),
        "momentum": 1 - log_uniform(rng, 1e-3, 0.02, n),
        "lr": log_uniform(rng, 3e-3, 0.1, n),
        "schedule": ints(n, SCHEDULES.index("constant")),
        "clip": full(n, np.inf),
    }


def _few_val(rng: Rng, n: int) -> Draw:
    return {"n_val": np.rint(log_uniform(rng, 3, 16, n)).astype(np.int64)}


def _subset_val(rng: Rng, n: int) -> Draw:
    return {"n_val": np.rint(log_uniform(rng, 2, 24, n)).astype(np.int64), "val_redraw": full(n, 1.0)}


def _shifted_val(rng: Rng, n: int) -> Draw:
    return {"val_shift": rng.uniform(0.3, 3.0, n), "val_size": log_uniform(rng, 0.4, 4.0, n)}


def _grokking(rng: Rng, n: int) -> Draw:
    return {
        "optimiser": ints(n, OPTIMISERS.index("adamw")),
        "lr": log_uniform(rng, 1.5e-3, 1e-2, n),
        "weight_decay": log_uniform(rng, 0.1, 2.0, n),
        "momentum": full(n, 0.9),
        "beta2": rng.choice([0.98, 0.99, 0.999], n),
        "schedule": ints(n, SCHEDULES.index("constant")),
        "init": np.where(rng.random(n) < 0.5, 1.0, rng.uniform(1.0, 4.0, n)),
        "dropout": full(n, 0.0),
        "augment": full(n, 0.0),
        "label_noise": full(n, 0.0),
        "val_label_noise": full(n, 0.0),
    }


def _large_and_decayed(rng: Rng, n: int) -> Draw:
    """Grokking beyond arithmetic: a large start fits by memory, weight decay leads to the simple solution."""
    return {**_grokking(rng, n), "init": rng.uniform(2.0, 6.0, n), "weight_decay": log_uniform(rng, 0.3, 5.0, n)}


def _interpolated_noise(rng: Rng, n: int) -> Draw:
    share = rng.uniform(0.1, 0.3, n)
    return {
        **_no_regularisation(n),
        "optimiser": ints(n, OPTIMISERS.index("adamw")),
        "weight_decay": log_uniform(rng, 0.02, 1.0, n),
        "lr": log_uniform(rng, 3e-3, 2e-2, n),
        "label_noise": share,
        "val_label_noise": full(n, 0.0),
        "n_train": np.rint(log_uniform(rng, 60, 500, n)).astype(np.int64),
    }


def _double_descent(rng: Rng, n: int) -> Draw:
    """Plain gradient descent, which keeps the speeds of its directions apart as Adam would not."""
    return {
        **_no_regularisation(n),
        "optimiser": ints(n, OPTIMISERS.index("sgd")),
        "momentum": full(n, 0.0),
        "lr": log_uniform(rng, 0.005, 0.15, n),
        "schedule": ints(n, SCHEDULES.index("constant")),
        "out_init": log_uniform(rng, 0.1, 1.0, n),
        "clip": full(n, np.inf),
    }


def _growing(rng: Rng, n: int) -> Draw:
    """A schedule that goes up instead of down, or a range test that nobody stopped."""
    return {"schedule": ints(n, SCHEDULES.index("growing")), "clip": full(n, np.inf)}


def _set_back(rng: Rng, n: int) -> Draw:
    """Weights are lost on the way: pruned, badly restored, or an output layer that starts anew."""
    return {
        "set_back_at": rng.uniform(0.05, 0.95, n),
        "set_back": np.where(rng.random(n) < 0.3, 1.0, rng.uniform(0.05, 0.9, n)),
    }


def _drift(rng: Rng, n: int) -> Draw:
    return {"drift_at": rng.uniform(0.1, 0.95, n), "drift": log_uniform(rng, 0.1, 1.0, n)}


def _slow_average(rng: Rng, n: int) -> Draw:
    return {"averaged": 1 - log_uniform(rng, 3e-4, 4e-3, n)}


def _dead_units(rng: Rng, n: int) -> Draw:
    return {"bias": -log_uniform(rng, 1.0, 30.0, n)}


def _relu_output(rng: Rng, n: int) -> Draw:
    return {"clipped_out": full(n, 1.0), "out_bias": -rng.uniform(0.0, 4.0, n)}


def _huge_init(rng: Rng, n: int) -> Draw:
    return {"init": log_uniform(rng, 2.0, 12.0, n), "out_init": log_uniform(rng, 1.0, 30.0, n)}


def _loud_output(rng: Rng, n: int) -> Draw:
    return {"out_init": log_uniform(rng, 4.0, 80.0, n), "out_bias": np.where(rng.random(n) < 0.4, 8.0, 0.0)}


def _raw_inputs(rng: Rng, n: int) -> Draw:
    return {"input_scale": log_uniform(rng, 5.0, 250.0, n), "input_shift": rng.uniform(0.0, 3.0, n)}


def _raw_targets(rng: Rng, n: int) -> Draw:
    return {"target_scale": log_uniform(rng, 2.0, 300.0, n), "target_shift": np.where(rng.random(n) < 0.7, 3.0, 0.0)}


def _dropout(rng: Rng, n: int) -> Draw:
    return {"dropout": rng.uniform(0.3, 0.75, n)}


def _too_much_dropout(rng: Rng, n: int) -> Draw:
    return {"dropout": rng.uniform(0.8, 0.97, n)}


def _too_much_decay(rng: Rng, n: int) -> Draw:
    # an SGD's decay is multiplied by the learning rate of sgd, AdamW's by its own
    return {"weight_decay": log_uniform(rng, 3.0, 100.0, n), "optimiser": ints(n, OPTIMISERS.index("adamw"))}


def _plain_penalty(rng: Rng, n: int) -> Draw:
    return {"penalty": log_uniform(rng, 1e-4, 3e-2, n)}


def _easier_val(rng: Rng, n: int) -> Draw:
    return {"label_noise": rng.uniform(0.05, 0.4, n), "val_label_noise": full(n, 0.0)}


def _augmented(rng: Rng, n: int) -> Draw:
    return {"augment": log_uniform(rng, 0.3, 1.5, n), "smoothing": np.where(rng.random(n) < 0.4, 0.15, 0.0)}


def _leak(rng: Rng, n: int) -> Draw:
    return {"val_leak": full(n, 1.0), "dropout": np.where(rng.random(n) < 0.5, rng.uniform(0.1, 0.5, n), 0.0)}


def _long_warmup(rng: Rng, n: int) -> Draw:
    return {"warmup": rng.uniform(0.15, 0.7, n), "schedule": ints(n, SCHEDULES.index("constant"))}


def _log_zero(rng: Rng, n: int) -> Draw:
    return {"log_of_zero": full(n, 1.0), "init": log_uniform(rng, 1.0, 6.0, n)}


def _half(rng: Rng, n: int) -> Draw:
    return {"half": full(n, 1.0), "input_scale": log_uniform(rng, 10.0, 3e3, n)}


def _overconfident(rng: Rng, n: int) -> Draw:
    return {
        "optimiser": ints(n, OPTIMISERS.index("adam")),
        "lr": log_uniform(rng, 4e-3, 3e-2, n),
        "n_train": np.rint(log_uniform(rng, 64, 300, n)).astype(np.int64),
        "label_noise": np.where(rng.random(n) < 0.5, rng.uniform(0.02, 0.15, n), 0.0),
        **_no_regularisation(n),
    }


_MEMORY_NETS: Final = (
    "mlp", "mlp_wide", "mlp_tanh", "mlp_gelu", "mlp_deep", "mlp_norm", "conv", "conv_norm", "gru", "attention",
)  # fmt: skip
_BOUNDED_NETS: Final = ("mlp_sigmoid", "mlp_tanh", "rnn", "gru")
_RELU_NETS: Final = ("mlp", "mlp_wide", "mlp_deep")
_NORM_NETS: Final = ("mlp_norm", "conv_norm")

FAULTS: Final[dict[str, Fault]] = {
    "hot": Fault(4.0, "learning_rate_too_high", factor=_times("lr", 4.0, 40.0)),
    "far_too_hot": Fault(3.0, "learning_rate_too_high", factor=_times("lr", 30.0, 3e3)),
    "edge_of_stability": Fault(5.0, "learning_rate_too_high", _edge_of_stability),
    "heavy_momentum": Fault(5.0, "momentum_too_high", _heavy_momentum),
    "cold": Fault(4.0, "learning_rate_too_low", factor=_times("lr", 3e-3, 0.1)),
    "frozen": Fault(2.0, "learning_rate_too_low", factor=_times("lr", 1e-7, 3e-4)),
    "long_warmup": Fault(1.0, "warm_up_too_long", _long_warmup),
    "growing_rate": Fault(2.0, "learning_rate_too_high", _growing, _times("lr", 4.0, 400.0)),
    "set_back": Fault(2.5, "weights_lost_on_the_way", _set_back),
    "drift": Fault(2.0, "data_changed_on_the_way", _drift),
    "slow_average": Fault(1.0, "averaged_weights_lag", _slow_average),
    "ascent": Fault(1.5, "gradient_sign_error", _ascent),
    "tiny_init": Fault(3.0, "initialisation_too_small", _draws("init", 0.01, 0.4)),
    "zero_init": Fault(1.0, "initialisation_too_small", lambda rng, n: {"init": full(n, 1e-6)}),
    "huge_init": Fault(2.5, "initialisation_too_large", _huge_init),
    "loud_output": Fault(3.0, "output_initialisation", _loud_output),
    "saturated": Fault(2.0, "saturated_units", _draws("init", 3.0, 30.0), nets=_BOUNDED_NETS),
    "deep_sigmoid": Fault(2.0, "saturated_units", nets=("mlp_sigmoid",)),
    "dead_relu": Fault(2.0, "dead_relu", _dead_units, nets=_RELU_NETS),
    "relu_before_softmax": Fault(2.0, "relu_before_softmax", lambda rng, n: {"clipped_out": full(n, 1.0)},
                                 _times("lr", 1.0, 100.0), kind="classification"),
    "relu_output": Fault(2.0, "relu_before_loss", _relu_output, kind="regression"),
    "raw_inputs": Fault(2.5, "inputs_not_normalised", _raw_inputs),
    "raw_targets": Fault(3.0, "targets_not_normalised", _raw_targets, kind="regression"),
    "unshuffled": Fault(6.0, "data_not_shuffled", _unshuffled),
    "small_train": Fault(7.0, "train_set_too_small", _small_train),
    "noisy_labels": Fault(4.0, "label_noise", _noisy_labels),
    "random_labels": Fault(2.5, "random_labels", _random_labels),
    "small_val": Fault(2.0, "val_set_too_small", _few_val),
    "val_subsets": Fault(5.0, "evaluation_on_subsets", _subset_val),
    "dropout_in_evaluation": Fault(2.0, "train_mode_in_evaluation", lambda rng, n: {
        "dropout": (p := rng.uniform(0.2, 0.8, n)), "eval_dropout": p, **_few_val(rng, n)}),
    "shifted_val": Fault(3.0, "val_from_another_distribution", _shifted_val),
    "permuted_val": Fault(2.0, "val_labels_permuted", lambda rng, n: {"val_permuted": full(n, 1.0)}),
    "leak": Fault(1.0, "val_leaks_from_train", _leak),
    "easier_val": Fault(2.0, "label_noise_in_train_only", _easier_val),
    "dropout_gap": Fault(2.5, "dropout_in_train_loss", _dropout),
    "augmented": Fault(2.0, "augmentation_in_train_loss", _augmented),
    "penalty": Fault(1.0, "penalty_in_train_loss", _plain_penalty),
    "too_much_dropout": Fault(2.0, "too_much_regularisation", _too_much_dropout, nets=(*_MEMORY_NETS, "mlp_sigmoid")),
    "too_much_decay": Fault(2.0, "too_much_regularisation", _too_much_decay),
    "too_small": Fault(4.0, "model_too_small", nets=("linear", "mlp_narrow"),
                       tasks=("rings", "spirals", "parity", "sines", "polynomial", "teacher_classes", "many_blobs",
                              "bars", "shapes", "teacher_values")),
    "bad_batches": Fault(6.0, "corrupted_batches", _spiky),
    "exploding_recurrence": Fault(3.0, "recurrent_gradients_explode", lambda rng, n: {
        "recurrent_init": log_uniform(rng, 1.5, 8.0, n), "clip": full(n, np.inf)}, nets=("rnn", "gru")),
    "log_zero": Fault(1.5, "log_of_zero", _log_zero, kind="classification"),
    "overflow": Fault(1.5, "half_precision_overflow", _half),
    "overconfident": Fault(5.0, "overconfidence", _overconfident, nets=_MEMORY_NETS, kind="classification"),
    "grokking": Fault(3.0, "memorised_first", _grokking, tasks=("modular_addition", "parity")),
    "large_and_decayed": Fault(3.0, "memorised_first", _large_and_decayed, nets=("mlp", "mlp_wide", "mlp_gelu"),
                               tasks=("teacher_classes", "rings", "parity", "polynomial", "teacher_values", "blobs")),
    "interpolated_noise": Fault(3.0, "label_noise_interpolated", _interpolated_noise,
                                nets=("mlp_wide", "mlp_gelu", "mlp", "conv")),
    "double_descent": Fault(3.0, "memorised_first", _double_descent, nets=("linear",), tasks=("two_speeds",)),
    "stale_statistics": Fault(3.0, "batch_norm_statistics_lag", lambda rng, n: {"lr": log_uniform(rng, 0.01, 0.2, n)},
                              nets=_NORM_NETS),
    "train_stale": Fault(4.0, "train_loss_logged_stale", _book("train_stale")),
    "swapped": Fault(1.0, "train_and_val_swapped", _book("swapped")),
    "metric_stale": Fault(2.0, "metric_logged_stale", _book("metric_stale")),
    "metric_of_another": Fault(1.5, "metric_of_another_run", _book("metric_of_another")),
    "metric_upside_down": Fault(0.7, "metric_upside_down", _book("metric_upside_down")),
    "val_summed": Fault(1.0, "losses_in_other_units", _book("val_summed")),
    "train_summed": Fault(1.0, "losses_in_other_units", _book("train_summed")),
    "val_of_another": Fault(1.5, "val_of_another_run", _book("val_of_another")),
    "val_repaired": Fault(2.0, "val_broken_then_repaired", _book("val_repaired")),
    "evaluation_glitches": Fault(4.0, "evaluation_glitches", _book("evaluation_glitches")),
}  # fmt: skip
"""Name -> fault. A new one is one more entry (and, where it changes what a recipe can say, one field there)."""

CAUSES: Final = (HEALTHY, *dict.fromkeys(fault.cause for fault in FAULTS.values()))
"""Every cause a simulated run can have."""
