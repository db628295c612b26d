"""What goes wrong in trainings: one entry per cause, with what to try and where it is described.

Causes that no curve can tell apart are one entry. `symptoms` refers to entries by id; `ranking` gives them
probabilities; `explain`, every Finding and every LikelyCause are rendered from here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Cause:
    """One cause explained.

    Attributes:
        id: stable name, as in `LikelyCause.cause`.
        name: a few words.
        remedies: what to try, first things first.
        source: where the cause or its remedy is described.
        simulated: causes of simulated trainings that are this one; () when no simulation has it, and none of its
            probabilities can be learnt.
    """

    id: str
    name: str
    remedies: tuple[str, ...]
    source: str
    simulated: tuple[str, ...] = ()


@dataclass(frozen=True)
class LikelyCause:
    """One cause that may be behind the findings of a run.

    Attributes:
        cause: id, a key of `CAUSES`.
        name: a few words.
        probability: probability in [0, 1] that it is the cause; None when the causes are listed by experience.
        remedies: what to try, first things first.
    """

    cause: str
    name: str
    probability: float | None
    remedies: tuple[str, ...]


_TABLE: Final = (
    Cause(
        "learning_rate_too_high", "learning rate, momentum or Adam's beta2 too high",
        ("lower the learning rate 3 to 10 times", "find the largest stable rate with `curveclinic check lr-range`",
         "add warm-up, and let the rate decay", "clip the gradient norm", "lower momentum to 0.9, Adam's beta2 to 0.95",
         "check that gradients are set to zero between steps"),
        "Smith 2017, arXiv:1506.01186 (range test); Goyal et al. 2017, arXiv:1706.02677 (warm-up); "
        "Cohen et al. 2021, arXiv:2103.00065 (edge of stability); Molybog et al. 2023, arXiv:2304.09871 (Adam)",
        ("learning_rate_too_high", "momentum_too_high"),
    ),
    Cause(
        "learning_rate_too_low", "learning rate too low, warm-up too long, or parameters that are not trained",
        ("print the learning rate of a few steps", "find a rate with `curveclinic check lr-range`",
         "raise the learning rate 3 to 10 times", "shorten the warm-up, decay later",
         "check that the optimiser holds the parameters, that none is frozen, and that the graph is not cut",
         "try Adam where plain SGD crawls"),
        "Smith 2017, arXiv:1506.01186; Karpathy 2019, A Recipe for Training Neural Networks",
        ("learning_rate_too_low", "warm_up_too_long"),
    ),
    Cause(
        "batch_too_small", "batch too small for the learning rate",
        ("enlarge the batch or accumulate gradients", "lower the learning rate with the batch size",
         "average the weights (EMA)"),
        "McCandlish et al. 2018, arXiv:1812.06162 (gradient noise scale); Smith et al. 2018, arXiv:1711.00489",
    ),
    Cause(
        "sign_error", "wrong sign in the loss or the update",
        ("check the sign of the loss: minus log-likelihood is minimised", "check custom gradients and their reversal",
         "try to overfit one batch with plain SGD"),
        "Karpathy 2019, A Recipe for Training Neural Networks (overfit one batch)",
        ("gradient_sign_error",),
    ),
    Cause(
        "gradients_explode", "gradients that grow through time or depth, without clipping",
        ("clip the gradient norm, near its usual value", "use an orthogonal or smaller recurrent initialisation",
         "use gated units, skip connections and normalisation layers", "shorten the sequences, or lengthen warm-up"),
        "Pascanu et al. 2013, arXiv:1211.5063",
        ("recurrent_gradients_explode",),
    ),
    Cause(
        "number_overflow", "overflow or underflow of half precision, or log of zero",
        ("run a few hundred steps in float32", "use a loss scaler, or bfloat16",
         "put an epsilon into log, sqrt and division, or use log_softmax", "turn on anomaly detection for one run"),
        "Micikevicius et al. 2018, arXiv:1710.03740 (loss scaling)",
        ("half_precision_overflow", "log_of_zero"),
    ),
    Cause(
        "initialisation_too_small", "weights initialised too small, or all alike",
        ("use an initialisation made for the activation (He, Glorot)", "never start all weights of a layer equal",
         "add normalisation layers or skip connections"),
        "Glorot & Bengio 2010, PMLR 9:249; He et al. 2015, arXiv:1502.01852; Saxe et al. 2014, arXiv:1312.6120",
        ("initialisation_too_small",),
    ),
    Cause(
        "initialisation_too_large", "weights or output bias initialised too large",
        ("compare the first loss with a guess: `curveclinic check initial-loss`",
         "scale the last layer down and set its bias to the prior",
         "use an initialisation made for the activation (He, Glorot)", "add a short warm-up"),
        "Karpathy 2019, A Recipe for Training Neural Networks (verify loss at init); He et al. 2015, arXiv:1502.01852",
        ("initialisation_too_large", "output_initialisation"),
    ),
    Cause(
        "dead_or_saturated_units", "dead ReLUs, or saturated sigmoid or tanh units",
        ("log the gradient norm per layer: 0 in a layer is a dead one", "use leaky ReLU or GELU, not sigmoid",
         "use an initialisation made for the activation, biases at 0", "normalise inputs, add normalisation layers",
         "lower the learning rate if the units died after large steps"),
        "Lu et al. 2020, arXiv:1903.06733 (dying ReLU); Glorot & Bengio 2010, PMLR 9:249 (saturation)",
        ("saturated_units", "dead_relu"),
    ),
    Cause(
        "wrong_output_or_loss", "wrong output activation or loss, such as ReLU or a second softmax before the loss",
        ("hand raw logits to a cross-entropy that applies softmax itself", "take any ReLU off the output layer",
         "match loss and task: cross-entropy for classes, squared or absolute error for numbers",
         "print outputs and targets of one batch side by side"),
        "PyTorch documentation, torch.nn.CrossEntropyLoss (expects unnormalised logits)",
        ("relu_before_softmax", "relu_before_loss"),
    ),
    Cause(
        "inputs_not_scaled", "inputs or targets not normalised",
        ("scale inputs to mean 0 and variance 1, with the numbers of the training set",
         "normalise regression targets, or take their logarithm", "add a normalisation layer at the input",
         "look for outliers and units in the features"),
        "LeCun et al. 1998, Efficient BackProp (section 4.3); Ioffe & Szegedy 2015, arXiv:1502.03167",
        ("inputs_not_normalised", "targets_not_normalised"),
    ),
    Cause(
        "weak_inputs", "inputs that carry little about the target",
        ("compare with a trivial and with a linear baseline", "add or derive features, drop those that are noise",
         "check that inputs and targets are aligned", "estimate the error that noise in the target leaves"),
        "Guyon & Elisseeff 2003, JMLR 3:1157 (feature selection)",
    ),
    Cause(
        "model_too_small", "model too small",
        ("check that the model can learn a few batches by heart: `curveclinic check small-batch`",
         "take a wider or deeper model", "take a model whose structure fits the data, or better features"),
        "Goodfellow et al. 2016, Deep Learning, chapter 11",
        ("model_too_small",),
    ),
    Cause(
        "model_too_large", "model too large or trained too long for the data, or too little regularisation",
        ("keep the checkpoint of the validation minimum and stop there next time",
         "get more data, or augment what there is", "raise weight decay or dropout",
         "take a smaller model, or freeze more of a pretrained one"),
        "Prechelt 1998, Early stopping - but when?; Srivastava et al. 2014, JMLR 15:1929 (dropout)",
        ("train_set_too_small",),
    ),
    Cause(
        "too_much_regularisation", "too much regularisation: weight decay, dropout or augmentation",
        ("weaken weight decay and dropout, one at a time", "train without regularisation until the model can overfit",
         "weaken augmentation and label smoothing"),
        "Karpathy 2019, A Recipe for Training Neural Networks (overfit first, then regularise)",
        ("too_much_regularisation",),
    ),
    Cause(
        "training_too_short", "stopped before it was done",
        ("train longer, resuming from the last checkpoint", "fit the decay schedule to the length of the run",
         "give early stopping more patience"),
        "Hoffmann et al. 2022, arXiv:2203.15556 (schedule and length of the run)",
    ),
    Cause(
        "overconfidence", "over-confidence: few samples with huge losses while the metric still improves",
        ("choose checkpoints by the metric you report", "smooth the labels, or scale the temperature afterwards",
         "look at the samples with the largest loss", "raise weight decay, stop earlier"),
        "Guo et al. 2017, arXiv:1706.04599",
        ("overconfidence",),
    ),
    Cause(
        "memorised_first", "memorised first, generalised later (grokking, double descent)",
        ("do not stop at the first validation plateau", "raise weight decay to bring the change forward",
         "get more data, or clean the labels", "compare several seeds before relying on the late drop"),
        "Power et al. 2022, arXiv:2201.02177; Nakkiran et al. 2020, arXiv:1912.02292",
        ("memorised_first", "label_noise_interpolated"),
    ),
    Cause(
        "batch_norm_lag", "running statistics of batch norm that lag behind",
        ("raise the share of new batches in the running statistics", "use group or layer norm",
         "lower the learning rate", "evaluate averaged weights, with statistics computed anew"),
        "Ioffe & Szegedy 2015, arXiv:1502.03167 (running statistics); Wu & He 2018, arXiv:1803.08494 (group norm)",
        ("batch_norm_statistics_lag",),
    ),
    Cause(
        "average_lags", "an average of the weights (EMA) that lags behind in validation",
        ("evaluate the weights themselves beside their average", "shorten the average, or train longer",
         "let its decay grow with the steps, or correct its bias at the start"),
        "Tarvainen & Valpola 2017, arXiv:1703.01780 (mean teacher); Izmailov et al. 2018, arXiv:1803.05407",
        ("averaged_weights_lag",),
    ),
    Cause(
        "data_not_shuffled", "data not shuffled, or in the same order every epoch",
        ("shuffle anew every epoch", "enlarge the shuffle buffer beyond one file or class",
         "compare the period with the steps of an epoch, a file and a log interval"),
        "Bottou 2012, Stochastic Gradient Descent Tricks (shuffle the examples)",
        ("data_not_shuffled",),
    ),
    Cause(
        "corrupted_batches", "corrupted or extreme batches",
        ("look at the batches of the spikes: NaN, outliers, wrong labels", "clip the gradient norm",
         "clean or skip these samples", "restart before the spike and skip its batches"),
        "Chowdhery et al. 2022, arXiv:2204.02311 (restart and skip batches)",
        ("corrupted_batches",),
    ),
    Cause(
        "label_noise", "noisy labels, or labels shuffled against their inputs",
        ("look at a few inputs with their labels as the network gets them",
         "look at the samples with the largest loss: their labels may be wrong",
         "check the join of inputs and labels", "use label smoothing or a robust loss, stop early"),
        "Northcutt et al. 2021, arXiv:1911.00068 (finding label errors); Zhang et al. 2017, arXiv:1611.03530",
        ("label_noise", "random_labels"),
    ),
    Cause(
        "validation_mismatch", "validation data that differ: another domain, preprocessing or label order",
        ("evaluate on training samples through the validation code: it must give the training loss",
         "compare preprocessing and label mapping of both sets", "check how the split was made: by time, by source",
         "train a classifier to tell both sets apart", "train on data of the domain that counts"),
        "Rabanser et al. 2019, arXiv:1810.11953 (detecting dataset shift)",
        ("val_from_another_distribution", "val_labels_permuted"),
    ),
    Cause(
        "noisy_evaluation", "validation set too small, drawn anew each time, or evaluated in training mode",
        ("enlarge the validation set, or use cross-validation", "evaluate on the same fixed samples each time",
         "switch the model to evaluation mode: no dropout, no augmentation", "choose checkpoints by a smoothed curve"),
        "Bouthillier et al. 2021, arXiv:2103.03098 (variance of benchmarks); PyTorch documentation, Module.eval",
        ("val_set_too_small", "evaluation_on_subsets", "train_mode_in_evaluation"),
    ),
    Cause(
        "leak", "validation samples in the training set",
        ("check for duplicates across the split, by group and by time", "split before augmenting or oversampling",
         "fit preprocessing on the training set alone"),
        "Kaufman et al. 2012, doi:10.1145/2382577.2382579 (leakage in data mining)",
        ("val_leaks_from_train",),
    ),
    Cause(
        "harder_training_loss", "dropout, augmentation, a penalty or label noise in the training loss only",
        ("none needed: this gap is usually harmless", "evaluate the training set in evaluation mode and compare again",
         "log the loss without penalty, augmentation and label smoothing"),
        "Keras FAQ, Why is my training loss much higher than my testing loss?",
        ("label_noise_in_train_only", "dropout_in_train_loss", "augmentation_in_train_loss", "penalty_in_train_loss"),
    ),
    Cause(
        "class_imbalance", "class imbalance, or a metric that a constant guess satisfies",
        ("look at the metric per class, and at a constant guess", "report balanced accuracy, F1 or average precision",
         "weight or resample the classes", "set the output bias to the class prior"),
        "He & Garcia 2009, doi:10.1109/TKDE.2008.239; Lin et al. 2017, arXiv:1708.02002 (prior bias)",
    ),
    Cause(
        "metric_at_fault", "metric stale, upside down, or computed on something else",
        ("check the metric's code by hand on ten samples", "check that its state is reset before each evaluation",
         "pass --metric-goal when its direction was guessed wrong", "choose the threshold on validation data"),
        "scikit-learn documentation, Metrics and scoring",
        ("metric_logged_stale", "metric_of_another_run", "metric_upside_down"),
    ),
    Cause(
        "losses_in_other_units", "losses in other units: a sum against a mean, other weights",
        ("compare how both losses are reduced and weighted", "divide by samples, not by batches",
         "evaluate training samples through the validation code"),
        "PyTorch documentation, torch.nn.CrossEntropyLoss (reduction)",
        ("losses_in_other_units",),
    ),
    Cause(
        "curves_mixed_up", "bookkeeping: curves swapped, stale, or of another run",
        ("check which tag is which", "check that the logged training loss is of this step and is reset",
         "look for two runs in one folder or under one name", "evaluate the training set through the validation code"),
        "Karpathy 2019, A Recipe for Training Neural Networks (visualise what you compute)",
        ("train_loss_logged_stale", "train_and_val_swapped", "val_of_another_run"),
    ),
    Cause(
        "evaluation_glitches", "evaluation that fails at times, or was repaired during the run",
        ("repeat the evaluation of that checkpoint", "look at the samples with the largest loss at that step",
         "look for a change of code, data or machine at that step"),
        "Sculley et al. 2015, Hidden Technical Debt in Machine Learning Systems",
        ("evaluation_glitches", "val_broken_then_repaired"),
    ),
    Cause(
        "changed_midway", "something changed during the run: data, task, or weights that were pruned or badly restored",
        ("look for a change of code, data, stage or machine at that step",
         "check that a resumed run restores optimiser, schedule and average of the weights, and no layer starts anew",
         "prune less at a time, or train on at a higher rate after it"),
        "Sculley et al. 2015, Hidden Technical Debt in Machine Learning Systems; "
        "Zhu & Gupta 2017, arXiv:1710.01878 (gradual pruning)",
        ("weights_lost_on_the_way", "data_changed_on_the_way"),
    ),
)  # fmt: skip

CAUSES: Final[dict[str, Cause]] = {cause.id: cause for cause in _TABLE}
"""Id -> its entry."""

NO_FAULT: Final = "none"
"""Class of runs that show a symptom without a fault; never reported, it only takes its share of the probability."""

OF_SIMULATED: Final[dict[str, str]] = {name: cause.id for cause in _TABLE for name in cause.simulated}
"""Cause of a simulated training -> id of ours."""

SOUND_BUT: Final[dict[str, str]] = {"overfitting": "model_too_large", "undertrained": "training_too_short"}
"""Label -> its cause in a training without a fault: what nothing was done to can still run too long or too short."""
