"""The words loggers use: splits, losses, metrics, and what is never a loss. Data and `tokens` only."""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import IntEnum
from functools import lru_cache
from typing import Final, Literal

from curveclinic.intake.languages import ELIDED, FOREIGN, plain, spaced
from curveclinic.labels import MetricGoal


class Rank(IntEnum):
    """How surely a name is that of a loss."""

    LOSS = 0
    LOSS_LIKE = 1
    """A quantity that is minimised as a loss is: nll, cross entropy."""
    ERROR = 2
    PERPLEXITY = 3
    """The exponential of a loss; like an error it stands in where there is no loss."""
    NO_LOSS = 9


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


SPLITS: Final = {
    **dict.fromkeys(("train", "training", "tr", "trn", "fit", "learn", "insample"), "train"),
    **dict.fromkeys(
        (
            *("val", "valid", "validation", "validate", "validating", "vali", "vld", "eval", "evaluation"),
            *("evaluate", "evaluating", "dev", "holdout", "heldout"),
        ),
        "val",
    ),
    **dict.fromkeys(("test", "testing", "tst", "te", "outofsample", "outsample", "oos"), "test"),
}
"""Word -> part of the data."""

SIDE_PAIRS: Final[tuple[dict[str, Literal["train", "val"]], ...]] = (
    {"t": "train", "v": "val"},
    {"seen": "train", "unseen": "val"},
)
"""Word -> part of the data, where a log has losses of both words and no others: `t_loss`, `v_loss`."""

SIDE_LIKE: Final = _words("seen unseen source target src tgt internal external in out id ood")
"""Words that may tell one part of the data from another: losses that differ in them alone are no parts of one."""

SHORT_VALS: Final = ("va", "vl")
"""Validation where train is named beside it (`tr_loss`, `va_loss`); by themselves also valence and vision-language."""

SMOOTHED: Final = _words("smooth smoothed ema filtered")
"""Words of a series that is a copy of the one without them."""

UNSMOOTHED: Final = _words("raw original unsmoothed")
"""Words of the series that such a copy is of."""

CROSS_VAL: Final = "cv"
"""Validation in Kaldi and WeNet (`cv_loss`), unless other parts of a loss are beside it: also computer vision."""

REPETITIONS: Final = ("fold", "seed", "trial", "model", "experiment", "exp", "config", "optimizer")
"""Columns of a table that tell trainings apart where they differ."""

NUMBERED: Final = ("run", "trial", "rep", "repeat", "replicate", "exp", "experiment", "fold", "seed")
"""Words that, with a number, name a run in the names of its series."""

CADENCE: Final = {"step": "step", "batch": "step", "iter": "step", "epoch": "epoch"}
"""Word -> how often the series was written."""

LOSS_WORDS: Final = {
    **dict.fromkeys(("loss", "losses"), Rank.LOSS),
    **dict.fromkeys(
        (
            *("nll", "ce", "xent", "crossentropy", "bce", "logloss", "bpb", "bpc", "cost", "objective", "criterion"),
            *("infonce", "nce", "ntxent", "huber", "mlogloss", "nloglik", "nlpd"),
        ),
        Rank.LOSS_LIKE,
    ),
    **dict.fromkeys(("mse", "rmse", "mae", "l1", "error", "err", "deviance", "merror", "crps"), Rank.ERROR),
    **dict.fromkeys(("msle", "rmsle", "mape", "smape", "wape", "mase", "rmspe", "nrmse", "mphe"), Rank.ERROR),
}
"""Word -> rank as a loss."""

LOST: Final = _words("packet path hair job weight heat power hearing blood profit")
"""Words right before `loss` in names of files of what is no training, where they say no side."""

LIKELIHOODS: Final = tuple(map(_words, ("neg log likelihood", "negative log likelihood")))
"""Words that, all of them in one name, make it loss-like."""

BOOSTED: Final = _words("quantile poisson tweedie expectile multiclass") | {"multi class", "kullback leibler"}
"""Whole names, the side aside, of losses of gradient boosting; without a side they are settings."""

SQUARED: Final = (_words("l2"), _words("rel l2"), _words("relative l2"))
"""Whole names, the side aside, of a squared or relative error; `l2` beside other words is a penalty or a norm."""

PENALTIES: Final = _words("norm norms reg regularization regularisation regularizer penalty decay sparsity")
"""Words beside which `l1` is no error."""

FALSE_LOSSES: Final = tuple(map(_words, ("hamming loss", "zero one loss")))
"""Words, all of them in one name, of a share of errors that is called a loss."""

NEVER: Final = _words(
    "scale scaler weight weights runtime z balancing balance aux auxiliary best std var variance time seconds "
    "throughput delta patience ratio count probability stdv stddev"
)
"""Words that make a name with `loss` in it something else; `probability_loss_spikes` is a column of our own scans."""

SCORED: Final = _words("log mean root median max brier")
"""Words beside `neg` in scikit-learn's names of losses turned round; `neg_bce` is the loss of the negatives."""

REWARDS: Final = _words("reward rewards return returns episode")
"""Words of reinforcement learning: a falling reward is no falling loss."""

REINFORCED: Final = (
    *map(_words, ("reward", "rewards", "ep rew", "eprewmean", "ep ret", "ep return", "episode return")),
    *map(_words, ("episode returns", "episodic return", "episodic returns")),
    *map(_words, ("avg return", "average return", "mean return")),
    *map(_words, ("policy loss", "policy gradient", "pg loss", "actor loss", "vf loss", "td loss", "qf1 loss")),
    *map(_words, ("approx kl", "approxkl", "clip fraction", "clipfrac")),
)
"""Words that, all of them in one name, only reinforcement learning logs; few-shot learning has episodes, too."""

ACTING: Final = (
    *map(_words, ("epsilon", "eps", "exploration rate", "exploration epsilon")),
    *map(_words, ("ep len", "ep length", "episode len", "episode length")),
)
"""Whole names, the side aside, of how a policy acts; private training has an epsilon, too."""

SCORES_OF_ACTS: Final = tuple(map(_words, ("return", "returns", "score", "scores", "win rate", "winrate")))
"""Whole names of what comes of it; beside one of `ACTING` only reinforcement learning logs them."""

PREFERRED: Final = _words("chosen rejected margin margins accuracies")
"""Words beside `rewards` in names of tuning on pairs of answers (DPO and its kin): the pairs are fixed, and so is what
its loss means."""

BETWEEN_TWO: Final = _words("rejected margin margins")
"""Those of them that only a pair has."""

RANKED_REWARDS: Final = tuple(map(_words, ("min reward", "mean reward", "max reward")))
"""Whole names, the side aside, of the scores that a reward model gives such pairs while it learns to rank them."""

RANKED_BESIDE: Final = ("margin", "acc")
"""Whole names, the side aside, that such a log has, too; no log of deeds and their rewards has a share ranked right."""

RANKED_RIGHT: Final = _words("rewards accuracies")
"""Words of the share of such pairs that are ranked right, `rewards/accuracies`: a metric."""

REINFORCED_PARTS: Final = (("value",), ("value", "function"))
"""Parts of a loss that only it has, as whole names: `value_loss`, not `boundary_value_loss`."""

OF_LOSS: Final = "value"
"""What may stand behind the word for a loss without meaning a part of it: `loss_value`."""

NOISE: Final = _words(
    "total avg average mean global reduced running combined overall lm all sum main metrics metric scalars scalar "
    "logs log history stats statistics losses binary categorical sparse data dataloader idx"
)
"""Words that do not tell one loss from another: `loss/total`, `reduced_train_loss`, `metrics/train/loss`."""

ADVERSARIAL: Final = _words("g d gen disc generator discriminator critic gan")
"""Words of losses that play against each other."""

ADVERSARIAL_ERRORS: Final = tuple(map(_words, ("err g", "err d")))
"""Words, both of them in one name, by which GANs call a loss an error: `errG`, `errD_real`."""

METRICS: Final[tuple[tuple[re.Pattern[str], MetricGoal], ...]] = tuple(
    (re.compile(pattern), goal)  # type: ignore[misc]  # the goals below are MetricGoal
    for pattern, goal in (
        (r"err|error|errors", "min"),
        (r"b?acc\d*|accuracy|accuracies|top\d", "max"),
        (r"f1|fscore|f1score", "max"),
        (r"m?auc|auroc|auprc|aucpr|roc", "max"),
        (r"m?ap\d*", "max"),
        (r"m?iou|m?dice|jaccard", "max"),
        (r"mcc|kappa", "max"),
        (r"s?bleu\d*|sacrebleu|rouge\w*|meteor|exact|em|chrf", "max"),
        (r"pearsonr?|spearmanr?|r2|r2score|corr|correlation|corrcoef", "max"),
        (r"psnr|ssim|ndcg|mrr|hits|(si)?s[dn]ri?|pesq|e?stoi", "max"),
        (r"brier|eer|lpips|hd\d+|hausdorff|levenshtein|chamfer", "min"),
        (r"recall|precision|sensitivity|specificity", "max"),
        (r"mae|r?mse|mape|smape|wer|cer|fid|l1|deviance|merror|crps|r?msle|wape|mase|rmspe|nrmse|mphe", "min"),
        (r"scores?", "max"),
    )
)
"""Metric words and their goals; the first match names the family, earlier families are preferred
(errors stand first only so that `top1_err` is read as an error)."""

EVAL_FAMILIES: Final = frozenset((4, 5, 7))
"""Families (index into METRICS) that are computed at evaluation only: mAP, IoU, BLEU."""

TRADED: Final = re.compile(r"ece|calibration|[ft][pn]r\d*|fdr")
"""Words of what does not get better as the loss falls: a net that knows nothing errs on one side only, and knows so."""

FALLING: Final = tuple(map(_words, ("edit distance", "hamming distance", "frechet distance", "davies bouldin")))
"""Words that, all of them in one name, make it a metric of which smaller is better."""

PARTS: Final = _words(
    "box cls dfl obj seg mask pose kobj rle bbox reg rpn centerness kl kld recon reconstruction rec perceptual style "
    "content tv mlm nsp itc itm commit commitment vq codebook policy value actor critic entropy head heads aux task "
    "encoder decoder student teacher pixel depth flow smooth contrastive distill distillation matching feature "
    "semantic instance panoptic keypoint layer stage level scale block branch ctc attention att pde bc ic data "
    "physics boundary residual initial"
)
"""Words that tell one part of a loss from another."""

WHOSE: Final = _words(
    "student teacher head heads aux task encoder decoder layer stage level block branch policy value actor critic data"
)
"""Parts of which each may be the loss of another model, head or task: they are not added up to one of validation."""

TASKS: Final = _words(
    "image text audio video speech energy force forces stress mel gate duration pitch coarse fine local clean adv "
    "sup unsup supervised unsupervised labeled unlabeled labelled unlabelled kd ssl cycle cyc identity idt seg det "
    "age gender sex race natural nat robust rob weighted unweighted min max x y z"
)
"""Words of what one net learns at the same time: its losses are parts, too, where there is no total."""

NOT_RUNS: Final = PARTS | ADVERSARIAL | NOISE | SPLITS.keys() | CADENCE.keys() | LOSS_WORDS.keys()
"""Words of which alone no name of a run consists."""

_GLUED = re.compile(
    r"(train(?:ings?)?|val|valid(?:ation)?|validierungs?|test|eval|tr|va|vl|te|t|v)"
    r"(loss|acc|accuracy|verlust|genauigkeit)"
)
_CAMEL = re.compile(r"[A-Z]+(?![a-z])\d*|[A-Z]?[a-z]+\d*|\d+")

_JOINED: Final = {"entropy": (["cross"],), "sample": (["in"], ["out", "of"], ["out"])}
"""Word -> what makes one word with it where it stands before it: `cross entropy`, `out of sample`."""


@lru_cache(maxsize=8192)
def tokens(raw: str) -> tuple[str, ...]:
    """Returns the lower-case words of a column name, those of other languages in English where they are known.

    `LanguageCrossEntropy` gives language, crossentropy, and `pérdida_validación` loss, val.
    """
    words: list[str] = []
    for part in re.split(r"[\W_]+", ELIDED.sub("", raw if raw.isascii() else spaced(raw))):
        for word in _words_of(part):
            words.append(FOREIGN.get(plain(word), word))
            if word in _JOINED:
                words = _joined(words)
    return tuple(words)


def _joined(words: list[str]) -> list[str]:
    """Returns words with the last ones as one where they are."""
    for before in _JOINED[words[-1]]:
        rest = words[: -1 - len(before)]
        if words[len(rest) : -1] == before:
            return [*rest, "".join((*before, words[-1]))]
    return words


def _words_of(part: str) -> list[str]:
    low, bare = part.lower(), plain(part.lower())
    if not part or bare in LOSS_WORDS or bare in SPLITS or any(p.fullmatch(bare) for p, _ in METRICS):
        return [bare] if part else []
    glued = _GLUED.fullmatch(low)
    if glued:
        return [glued.group(1), glued.group(2)]
    if part in (low, part.upper()):
        return [low]
    words = [w.lower() for w in _CAMEL.findall(plain(part))]
    return words if len(words) > 1 else [low]


def is_part(component: Sequence[str]) -> bool:
    """Whether it is a part of one loss by all of its words, no other model's loss and no evaluation set."""
    return PARTS.issuperset(component) and WHOSE.isdisjoint(component)
