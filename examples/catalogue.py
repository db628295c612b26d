"""The table of example runs: how each is trained and logged, what was done to it, and what its curves show."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import log_writers
import recipes
from fitting import History
from log_writers import Written

from curveclinic.labels import LABELS, TRAITS


@dataclass(frozen=True)
class Example:
    """One run.

    Attributes:
        name: folder, or folder/run where one file holds several runs.
        layout: log format, for the table.
        train: returns all that was measured.
        write: writes it into a folder; None for members of the Parquet file.
        done: what was done to the run.
        seen: what a careful engineer sees in the curves.
        present: labels clearly there.
        unsure: labels that could be argued over; all others are clearly absent.
    """

    name: str
    layout: str
    train: Callable[[], History]
    write: Callable[[Path, History], Written] | None
    done: str
    seen: str
    present: tuple[str, ...] = ()
    unsure: tuple[str, ...] = ()

    @property
    def folder(self) -> str:
        """Folder of the log, below examples/."""
        return self.name.split("/")[0]

    def absent(self, channels: Mapping[str, Sequence[float]]) -> tuple[str, ...]:
        """Labels clearly absent: judged from the logged channels, neither present nor arguable."""
        judged = [x for x, its in TRAITS.items() if all(any(c in channels for c in choice) for choice in its.needs)]
        return tuple(label for label in judged if label not in (*self.present, *self.unsure))


EXAMPLES: tuple[Example, ...] = (
    Example(
        "digits-cnn",
        "TensorBoard (torch)",
        recipes.digits_cnn,
        log_writers.torch_tensorboard,
        "small CNN on 8 x 8 digits, SGD, learning rate cut twice",
        "both losses fall and settle; a small constant gap",
    ),
    Example(
        "wine-mlp",
        "Keras CSVLogger",
        recipes.wine_mlp,
        log_writers.keras_csv,
        "16 hidden units on 120 wines, cosine decay",
        "both fall and settle, train a little lower",
    ),
    Example(
        "cancer-mlp",
        "Keras History JSON",
        recipes.cancer_mlp,
        log_writers.keras_history,
        "small network, strong weight decay",
        "both fall and settle",
    ),
    Example(
        "digits-transformer",
        "Hugging Face trainer_state.json",
        recipes.digits_transformer,
        partial(log_writers.trainer_state, every=10),
        "rows of pixels as tokens, warm-up and linear decay, clipping",
        "flat during warm-up only, then a noisy fall that settles; the gradient norm is calm",
        unsure=("slow_start", "val_below_train"),
    ),
    Example(
        "text-gru",
        "Lightning metrics.csv",
        recipes.text_gru,
        partial(log_writers.lightning, every=5),
        "character model with cosine decay, stopped in time",
        "both fall and settle, a small gap opens",
    ),
    Example(
        "friedman-noisy-sgd",
        "JSONL, every step",
        recipes.friedman_noisy_sgd,
        partial(log_writers.jsonl_steps, every=1),
        "raw losses of batches of eight",
        "batch noise all along around a falling, settling mean",
    ),
    Example(
        "shapes-detector",
        "Ultralytics results.csv (padded)",
        recipes.shapes_detector,
        log_writers.ultralytics,
        "one-box detector (box, cls, dfl); augmentation off for the last ten epochs",
        "train drops once when the augmentation ends; before, it stands above val",
        unsure=("val_below_train", "undertrained"),
    ),
    Example(
        "linear-sweep/sgd-0.003",
        "long Parquet, four runs",
        partial(recipes.linear_sweep, 0.003),
        None,
        "learning rate sweep: good",
        "both fall to the noise of the data and stay there",
    ),
    Example(
        "linear-sweep/sgd-0.01",
        "long Parquet, four runs",
        partial(recipes.linear_sweep, 0.01),
        None,
        "learning rate sweep: good, too",
        "both fall to the noise of the data and stay there",
    ),
    Example(
        "linear-sweep/sgd-0.0002",
        "long Parquet, four runs",
        partial(recipes.linear_sweep, 0.0002),
        None,
        "learning rate sweep: far too low",
        "both losses still fall when the run ends",
        present=("undertrained",),
        unsure=("slow_start",),
    ),
    Example(
        "linear-sweep/sgd-0.75",
        "long Parquet, four runs",
        partial(recipes.linear_sweep, 0.75),
        None,
        "learning rate sweep: far too high",
        "grows by orders of magnitude from the first epochs on, then NaN",
        present=("divergence", "non_finite"),
        unsure=tuple(label for label in LABELS if label not in ("divergence", "non_finite")),
    ),
    Example(
        "digits-overfit",
        "Keras CSVLogger",
        recipes.digits_overfit,
        partial(log_writers.keras_csv, separator=";"),
        "150 images, a fifth of them with random labels, 256-256 network, no regularisation",
        "val bottoms out early and climbs while train goes to zero",
        present=("overfitting",),
        unsure=("metric_mismatch",),
    ),
    Example(
        "cancer-dropout",
        "TensorBoard (Keras layout)",
        recipes.cancer_dropout,
        log_writers.keras_tensorboard,
        "dropout of 60 % in both hidden layers",
        "val below train all along, since dropout is off when it is measured",
        present=("val_below_train",),
        unsure=("undertrained",),
    ),
    Example(
        "digits-high-lr",
        "JSONL, every epoch",
        recipes.digits_high_lr,
        log_writers.jsonl_epochs,
        "full-batch descent beyond the edge of stability",
        "large swings from the first step to the last, hardly any progress",
        present=("oscillation",),
        unsure=(
            "not_learning",
            "loss_spikes",
            "val_spikes",
            "divergence",
            "periodic_loss",
            "metric_mismatch",
            "underfitting",
        ),
    ),
    Example(
        "digits-lr-ramp",
        "TensorBoard (tensorboardX)",
        recipes.digits_lr_ramp,
        partial(log_writers.tensorboardx, every=5, extras=("lr", "grad_norm")),
        "learning rate ramped up to 0.5 with momentum",
        "falls well, swings, is thrown back to chance (2.3) and stays there",
        present=("divergence",),
        unsure=(
            "oscillation",
            "loss_spikes",
            "not_learning",
            "vanishing_gradients",
            "exploding_gradients",
            "underfitting",
            "slow_start",
        ),
    ),
    Example(
        "cancer-log-zero",
        "Keras History JSON",
        recipes.cancer_log_zero,
        log_writers.keras_history,
        "hand-written cross-entropy without a guard for log(0)",
        "a good start, then NaN from the tenth epoch to the end",
        present=("non_finite",),
        unsure=("undertrained", "divergence", "metric_mismatch"),
    ),
    Example(
        "digits-dead-relu",
        "Lightning metrics.csv",
        recipes.digits_dead_relu,
        partial(log_writers.lightning, every=5),
        "hidden biases so low that no unit ever fires",
        "flat at ln(10) = 2.303 but for batch noise",
        present=("not_learning",),
        unsure=("underfitting", "no_generalization", "metric_mismatch", "overfitting", "noisy_validation"),
    ),
    Example(
        "rings-linear",
        "Keras CSVLogger",
        recipes.rings_linear,
        log_writers.keras_csv,
        "a linear model on two rings",
        "a sixth off the first value within ten epochs, then flat, train and val together",
        present=("underfitting",),
        unsure=("val_below_train", "not_learning", "metric_mismatch"),
    ),
    Example(
        "digits-unshuffled",
        "TensorBoard (tensorboardX)",
        recipes.digits_unshuffled,
        partial(log_writers.tensorboardx, every=1),
        "batches in the order of the classes, every epoch anew",
        "the same saw tooth every 60 steps on top of the fall",
        present=("periodic_loss",),
        unsure=("oscillation", "undertrained", "loss_spikes", "slow_start"),
    ),
    Example(
        "cancer-tiny-val",
        "Lightning metrics.csv",
        recipes.cancer_tiny_val,
        partial(log_writers.lightning, every=10),
        "12 patients drawn anew for every validation",
        "val jumps by a factor of ten from epoch to epoch, train is smooth",
        present=("noisy_validation",),
        unsure=("val_spikes", "overfitting", "val_below_train", "metric_mismatch"),
    ),
    Example(
        "digits-deep-sigmoid",
        "TensorBoard (torch)",
        recipes.digits_deep_sigmoid,
        log_writers.torch_tensorboard,
        "three sigmoid layers",
        "nothing happens for an eighth of the run, then a clean descent",
        present=("slow_start",),
        unsure=("undertrained",),
    ),
    Example(
        "adding-rnn",
        "JSONL, every step",
        recipes.adding_rnn,
        partial(log_writers.jsonl_steps, every=1, extras=("grad_norm",)),
        "ReLU recurrence over 50 steps, no clipping",
        "two bursts of the gradient norm, once 100,000-fold, throw the loss up; it recovers but never learns",
        present=("exploding_gradients", "loss_spikes"),
        unsure=("not_learning", "underfitting", "high_initial_loss", "divergence", "no_generalization", "val_spikes"),
    ),
    Example(
        "modular-grokking",
        "TensorBoard (tensorboardX)",
        recipes.modular_grokking,
        partial(log_writers.tensorboardx, every=10),
        "modular addition from a large initialisation with weight decay",
        "val climbs above its first value while train is learned by heart, then falls for the rest of the run",
        present=("delayed_generalization",),
        unsure=("overfitting", "undertrained"),
    ),
    Example(
        "text-transformer-low-lr",
        "Hugging Face trainer_state.json",
        recipes.text_transformer_low_lr,
        partial(log_writers.trainer_state, every=5),
        "learning rate far too low for 300 steps",
        "both losses fall in a straight line to the last step",
        present=("undertrained",),
    ),
    Example(
        "digits-random-labels",
        "Keras History JSON",
        recipes.digits_random_labels,
        log_writers.keras_history,
        "training labels drawn at random",
        "train falls, val only ever rises, accuracy stays at chance",
        present=("no_generalization",),
        unsure=("overfitting", "metric_mismatch", "undertrained"),
    ),
    Example(
        "digits-loud-output",
        "Hugging Face trainer_state.json",
        recipes.digits_loud_output,
        partial(log_writers.trainer_state, every=8),
        "output weights 100 times too large",
        "starts far above ln(10) = 2.3 and collapses in a few steps, then the ordinary descent",
        present=("high_initial_loss",),
        unsure=("overfitting",),
    ),
)
