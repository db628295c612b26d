"""What every label means: one entry per symptom. CLI, HTML, README and every Finding are rendered from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from curveclinic.causes import CAUSES
from curveclinic.kept import kept


@dataclass(frozen=True)
class Symptom:
    """One label explained.

    Attributes:
        code: stable id, never reused: "CC101".
        label: name, one of `labels.LABELS`.
        title: a few words for headings.
        rank: 1 is reported first; orders the findings of a run.
        said: what runs do that have it, with `{s}` and other words that follow their number; `cohort` fills them.
        looks: what can be seen in the curve.
        means: what it says about the training.
        mimics: harmless curves that look alike.
        cause_ids: likely causes, most likely first; keys of `causes.CAUSES`.
        remedies: what to try, first things first.
        source: where a threshold or practice comes from.
    """

    code: str
    label: str
    title: str
    rank: int
    said: str
    looks: str
    means: str
    mimics: tuple[str, ...]
    cause_ids: tuple[str, ...]
    remedies: tuple[str, ...]
    source: str

    @kept
    def causes(self) -> tuple[str, ...]:
        """Names of the likely causes, most likely first."""
        return tuple(CAUSES[cause].name for cause in self.cause_ids)


_TABLE: Final = (
    Symptom(
        "CC101", "overfitting", "Overfitting", 7,
        "overfit{s}",
        "Validation loss bottoms out and then rises by 10 % of its own drop or more, or stays flat for the last half "
        "while training loss keeps falling and the gap widens. Severe: the rise takes back more than half the drop.",
        "The network goes on fitting what is peculiar to the training set; later weights generalise worse.",
        ("one wobble of a small validation set", "a small constant gap",
         "a bump after a learning-rate restart that is taken back"),
        ("model_too_large", "overconfidence", "label_noise", "validation_mismatch"),
        ("keep the checkpoint of the validation minimum and stop there next time",
         "get more data, or augment what there is", "raise weight decay or dropout",
         "take a smaller model, or freeze more of a pretrained one",
         "look at the validation metric before acting: confidence can overfit while accuracy still improves"),
        "Prechelt 1998, Early stopping - but when?; Guo et al. 2017 (loss overfits before accuracy does)",
    ),
    Symptom(
        "CC102", "underfitting", "Underfitting", 8,
        "settle{s} early at a high level",
        "Training and validation loss settle early, close together, after a drop of less than about 30 % of the "
        "initial level, and are flat for the last 40 % or more.",
        "The model has taken what it can from these inputs at this learning rate; more epochs will not help.",
        ("the irreducible floor of a noisy target", "fine-tuning that starts from a good model",
         "a run cut before a late drop"),
        ("model_too_small", "too_much_regularisation", "learning_rate_too_low", "weak_inputs"),
        ("check that the model can overfit a handful of batches", "raise the learning rate or delay its decay",
         "weaken weight decay, dropout or augmentation", "take a larger model or better features",
         "compare with the loss of a trivial baseline"),
        "Karpathy 2019, A Recipe for Training Neural Networks (overfit one batch first)",
    ),
    Symptom(
        "CC103", "not_learning", "Not learning", 3,
        "never leave{s} the initial plateau",
        "Training loss never leaves its initial level: no trend that noise could not make.",
        "The updates do not reach the loss. A bug is more likely than a hard problem.",
        ("the first steps of a long warm-up", "fine-tuning of a model that already fits"),
        ("learning_rate_too_low", "dead_or_saturated_units", "label_noise", "wrong_output_or_loss"),
        ("print the learning rate and the gradient norm of a few steps", "try to overfit one batch",
         "check that the optimiser holds the parameters that are trained",
         "look at a few inputs with their labels as the network gets them", "try a 10 times larger learning rate"),
        "Karpathy 2019, A Recipe for Training Neural Networks",
    ),
    Symptom(
        "CC104", "undertrained", "Stopped too early", 13,
        "still fall{s} at the end",
        "Training loss, and validation loss where logged, still clearly fall at the end: each gains 5 % or more of "
        "its whole drop in the last fifth of the run.",
        "The run ended before the model did; the comparison with finished runs is unfair.",
        ("a last drop made by the final learning-rate decay", "a run that is still going"),
        ("training_too_short", "learning_rate_too_low", "inputs_not_scaled"),
        ("train longer, resuming from the last checkpoint", "raise the learning rate",
         "fit the decay schedule to the length of the run", "give early stopping more patience"),
        "Hoffmann et al. 2022 (a schedule longer than the run leaves loss on the table)",
    ),
    Symptom(
        "CC105", "slow_start", "Slow start", 15,
        "sit{s} on a first plateau before {they} fall{s}",
        "The loss sits on its initial plateau for 10 % of the run or more and only then falls clearly.",
        "Learning works, but the beginning was wasted: the signal was weak until the weights left a flat region.",
        ("learning-rate warm-up", "frozen layers that are released on schedule"),
        ("initialisation_too_small", "dead_or_saturated_units", "learning_rate_too_low", "class_imbalance"),
        ("use an initialisation made for the activation (He, Glorot)", "normalise inputs and add normalisation layers",
         "shorten the warm-up or raise its first learning rate", "set the output bias to the class prior"),
        "Glorot & Bengio 2010; Saxe et al. 2014 (plateaus of deep linear networks); Lin et al. 2017 (prior bias)",
    ),
    Symptom(
        "CC106", "divergence", "Divergence", 2,
        "diverge{s}",
        "Training loss climbs from near the start, or blows up later and never comes back to its best level.",
        "Steps are too large for the curvature, or the numbers overflow; what follows the best point is lost.",
        ("a short rise in the first steps at a large learning rate that is taken back",
         "adversarial or reinforcement losses, which have no level to fall to", "a spike with recovery"),
        ("learning_rate_too_high", "gradients_explode", "number_overflow", "sign_error"),
        ("go back to the checkpoint of the best step", "lower the learning rate 3 to 10 times",
         "add warm-up", "clip the gradient norm", "run a few hundred steps in float32 to rule overflow out"),
        "Goyal et al. 2017 (warm-up); Pascanu et al. 2013 (clipping); Lewkowycz et al. 2020 (early rise that is fine)",
    ),
    Symptom(
        "CC107", "non_finite", "NaN or Inf", 1,
        "hit{s} NaN or Inf",
        "A loss is NaN or infinite.",
        "Once weights are NaN nothing is learnt any more; finite values logged later may come from skipped steps.",
        ("single steps skipped by a mixed-precision loss scaler", "an average over an empty validation set",
         "a logger that writes NaN for steps without a value"),
        ("learning_rate_too_high", "number_overflow", "corrupted_batches", "gradients_explode"),
        ("look for NaN in the batch of that step", "lower the learning rate and clip the gradient norm",
         "use bfloat16 or a loss scaler", "put an epsilon into log, sqrt and division",
         "turn on anomaly detection for one run"),
        "Micikevicius et al. 2018, Mixed Precision Training (loss scaling skips non-finite steps)",
    ),
    Symptom(
        "CC108", "oscillation", "Oscillation", 11,
        "oscillate{s}",
        "Training loss swings widely for most of the run, by about as much as it still has to fall.",
        "The optimiser jumps across the valley instead of walking down it.",
        ("plain batch noise on a falling loss", "a cyclic learning rate that is logged",
         "a loss logged per batch without averaging"),
        ("learning_rate_too_high", "batch_too_small", "data_not_shuffled"),
        ("lower the learning rate 2 to 5 times", "enlarge the batch or accumulate gradients",
         "let the learning rate decay", "clip the gradient norm", "shuffle the data"),
        "Smith 2017, Cyclical Learning Rates (range test to find the largest stable rate)",
    ),
    Symptom(
        "CC109", "loss_spikes", "Loss spikes", 12,
        "show{s} spikes of the training loss",
        "A few isolated jumps of the training loss, each followed by recovery.",
        "Single updates threw the weights off. Recovery costs steps; a later spike may not recover.",
        ("the jump at a learning-rate restart", "the first values after resuming from a checkpoint",
         "one long or odd batch without lasting effect"),
        ("corrupted_batches", "learning_rate_too_high", "gradients_explode"),
        ("clip the gradient norm", "look at the batches of the spikes", "lower the learning rate or lengthen warm-up",
         "lower Adam's beta2 to 0.95", "restart before the spike and skip its batches"),
        "Chowdhery et al. 2022, PaLM (restart and skip batches); Molybog et al. 2023 (Adam instability)",
    ),
    Symptom(
        "CC110", "val_spikes", "Validation spikes", 19,
        "show{s} spikes of the validation loss",
        "Isolated jumps of the validation loss alone, each followed by recovery; training loss does not move.",
        "Evaluation was off for a moment. Usually harmless when it recovers, but do not pick that checkpoint.",
        ("an epoch after a learning-rate restart", "one wobble of a small validation set"),
        ("batch_norm_lag", "noisy_evaluation", "evaluation_glitches"),
        ("look at the samples with the largest loss at that step",
         "let batch-norm statistics adapt faster, or use group norm", "evaluate averaged weights (EMA)",
         "lower the learning rate"),
        "Ioffe & Szegedy 2015 (running statistics replace batch statistics at evaluation)",
    ),
    Symptom(
        "CC111", "noisy_validation", "Noisy validation", 18,
        "{have} a noisy validation loss",
        "Validation loss jitters all along, much more than training loss.",
        "The validation estimate is too rough to choose a checkpoint or to stop by.",
        ("training loss that is smoothed by the logger", "large steps early in training"),
        ("noisy_evaluation", "batch_norm_lag", "learning_rate_too_high"),
        ("enlarge the validation set, or use cross-validation", "evaluate on the same fixed samples each time",
         "switch the model to evaluation mode", "choose checkpoints by a smoothed curve"),
        "standard error of a mean falls with the square root of the number of validation samples",
    ),
    Symptom(
        "CC112", "periodic_loss", "Periodic loss", 17,
        "repeat{s} a pattern",
        "Training loss repeats a pattern of fixed length on top of its trend.",
        "The order of the data shows in the loss: the same parts come round at the same place.",
        ("a cyclic or restarting learning rate", "a running mean that is reset every epoch"),
        ("data_not_shuffled", "corrupted_batches", "curves_mixed_up"),
        ("shuffle anew every epoch", "enlarge the shuffle buffer beyond one file",
         "compare the period with the steps of an epoch, a file and a log interval"),
        "Bottou 2012, Stochastic Gradient Descent Tricks (shuffle the examples)",
    ),
    Symptom(
        "CC113", "no_generalization", "No generalisation", 4,
        "never improve{s} on validation",
        "Training loss falls clearly, validation loss and metric never improve on where they began.",
        "What is learnt on the training set is worth nothing on the validation set.",
        ("grokking that has not happened yet", "fine-tuning of a model that already fits validation"),
        ("validation_mismatch", "label_noise", "model_too_large", "curves_mixed_up"),
        ("evaluate on training samples through the validation code: it must give the training loss",
         "compare preprocessing and label mapping of both sets", "check how the split was made",
         "shrink the model or get more data"),
        "Zhang et al. 2017 (networks fit random labels without generalising)",
    ),
    Symptom(
        "CC114", "val_below_train", "Validation below training", 20,
        "{have} validation below training loss",
        "Validation loss lies visibly below training loss nearly all along, or far below it for most of the run.",
        "Usually benign: the two losses are not measured alike. An implausible gap points to a leak or other units.",
        ("a training loss that is the mean over an epoch in which it falls: that gap goes as the fall does",),
        ("harder_training_loss", "leak", "losses_in_other_units", "validation_mismatch"),
        ("evaluate the training set in evaluation mode and compare again",
         "check for duplicates across the split, by group and by time",
         "compare how both losses are reduced and weighted"),
        "Rosebrock 2019 and keras#472 (the usual three reasons)",
    ),
    Symptom(
        "CC115", "train_stalled_val_falls", "Training flat, validation falls", 9,
        "stall{s} in training while validation falls",
        "Training loss is flat while validation loss goes on falling.",
        "A model cannot improve on unseen data without learning: one of the two curves is not what it claims to be.",
        ("strong regularisation that is turned down late", "weight averaging used for validation only"),
        ("curves_mixed_up", "leak", "harder_training_loss"),
        ("check which tag is which", "evaluate the training set through the validation code",
         "check the split for leaks", "log the loss without augmentation"),
        "",
    ),
    Symptom(
        "CC116", "metric_mismatch", "Loss and metric disagree", 10,
        "disagree{s} between loss and metric",
        "Loss and metric move in opposite directions for long, or the loss falls while the metric stays at chance.",
        "The loss is not a stand-in for what you care about; a checkpoint chosen by the wrong one is not the best.",
        ("a metric that moves in coarse steps", "a metric where smaller is better read the wrong way round"),
        ("overconfidence", "class_imbalance", "metric_at_fault"),
        ("choose checkpoints by the metric you report", "calibrate or smooth labels", "check the metric's code by hand "
         "on ten samples", "look at the metric per class", "pass --metric-goal when its direction was guessed wrong"),
        "Guo et al. 2017, On Calibration of Modern Neural Networks",
    ),
    Symptom(
        "CC117", "high_initial_loss", "Hockey stick", 16,
        "start{s} far too high",
        "The first loss is 3 times or more what an untrained model should cost, and collapses before the ordinary "
        "descent begins.",
        "The first steps only undo a bad start: wasted, and harmful to pretrained weights or Adam's statistics.",
        ("a fast learner in a log with few points", "a loss summed over many terms"),
        ("initialisation_too_large", "inputs_not_scaled", "wrong_output_or_loss"),
        ("compare the first loss with ln(number of classes) or the variance of the targets",
         "scale the last layer down and set its bias to the prior", "normalise targets and inputs",
         "add a short warm-up"),
        "Karpathy 2019, A Recipe for Training Neural Networks (verify loss at init; hockey sticks)",
    ),
    Symptom(
        "CC118", "vanishing_gradients", "Vanishing gradients", 6,
        "lose{s} {their} gradients",
        "The gradient norm falls by orders of magnitude toward zero while the loss is still high or flat.",
        "The signal dies on its way to the weights: learning stops although there is much left to learn.",
        ("a converged model: a small gradient at a low loss is the aim", "gradients logged after clipping or scaling"),
        ("dead_or_saturated_units", "initialisation_too_small", "number_overflow"),
        ("log the norm per layer to see where it dies", "use ReLU-like activations, skip connections, normalisation",
         "use an initialisation made for the activation", "use a loss scaler or bfloat16",
         "lower the learning rate if the units died after large steps"),
        "Glorot & Bengio 2010; He et al. 2016; Micikevicius et al. 2018 (underflow)",
    ),
    Symptom(
        "CC119", "exploding_gradients", "Exploding gradients", 5,
        "{have} exploding gradients",
        "The gradient norm grows or bursts to about 100 times its running median, the first logged norms aside.",
        "Single updates can wreck the weights; divergence or NaN often follows.",
        ("large norms of the first steps", "a norm logged before a loss scaler is taken out"),
        ("learning_rate_too_high", "gradients_explode", "corrupted_batches", "inputs_not_scaled"),
        ("clip the gradient norm, near its usual value", "lower the learning rate or lengthen warm-up",
         "look at the batches of the bursts", "check initialisation and normalisation"),
        "Pascanu et al. 2013, On the difficulty of training recurrent neural networks",
    ),
    Symptom(
        "CC120", "delayed_generalization", "Delayed generalisation", 14,
        "generalise{s} late",
        "Validation stays bad for long after training loss is low, then improves clearly.",
        "Memorisation came first, the general solution later (grokking, or double descent over epochs).",
        ("a learning-rate decay that helps validation more than training", "a broken validation set that was fixed"),
        ("memorised_first", "label_noise", "model_too_large"),
        ("do not stop at the first validation plateau", "raise weight decay to bring the change forward",
         "get more data", "compare several seeds before relying on the late drop"),
        "Power et al. 2022, Grokking; Nakkiran et al. 2020, Deep Double Descent",
    ),
)  # fmt: skip

SYMPTOMS: Final[dict[str, Symptom]] = {symptom.label: symptom for symptom in _TABLE}
"""Label -> its entry, in label order."""
