"""`check_initial_loss`: is the first loss what a prediction by chance costs?

Before the first step a classifier should give every class the same probability and pay ln(classes); a value far from it
shows a fault that no curve shows later. Each candidate fault predicts a value; those near the one found are named.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from numbers import Integral
from typing import Any, Literal, SupportsFloat, get_args

from curveclinic.errors import InputError
from curveclinic.phrases import printable
from curveclinic.phrases import value as shown
from curveclinic.run import check_num_classes

LossName = Literal["cross_entropy", "binary", "mse", "mae", "hinge"]
InitialVerdict = Literal["consistent", "too_low", "too_high", "not_finite"]

LOSS_NAMES: tuple[LossName, ...] = get_args(LossName)
"""Losses whose value at chance is known."""

_NEAR = 0.05
"""Relative distance at which a candidate's value counts as the one found."""

_BAND: dict[LossName, tuple[float, float]] = {
    "cross_entropy": (0.9, 1.25),
    "binary": (0.9, 1.25),
    "mse": (0.6, 1.7),
    "mae": (0.75, 1.5),
    "hinge": (0.8, 1.3),
}
"""Loss -> smallest and largest multiple of the chance value that is still ordinary.

The outputs of fresh weights scatter, which only adds: logits of variance v cost about v / 2 more, outputs of a
regression v. Errors of a regression scatter from batch to batch besides.
"""

_BATCHES = tuple(2**k for k in range(2, 15))
"""Usual batch sizes, tried where none was given."""

_SAME = 0.006
"""Distance from ln(n) at which n classes explain a value: half of the last digit that logs usually show."""

_ANY_COUNT = 83
"""Classes up to which any other number of them is guessed: beyond, every value is near some logarithm."""

_USUAL_COUNTS = (100, 101, 200, 365, 400, 1000, 21_841, 30_522, 32_000, 32_128, 50_257, 128_256, 151_936, 256_000)
"""Larger numbers of classes worth a guess: those of common image and video sets, and vocabularies of language models
(BERT, Llama 2, T5, GPT-2, Llama 3, Qwen, Gemma)."""

_SUMMED = "summed"
"""Word that marks causes of one kind; a named one replaces the general one."""

_VARIANCE = "the variance of the targets, above 0"
"""What `target_variance` is."""

_SHOWN = 60
"""Characters that a complaint quotes of what is no number."""

_MOST = 10**15
"""Classes, or samples of a batch, beyond which a number of them is a mistake, and soon no float."""

_NONE = 0.02
"""Share of the chance value below which next to nothing is paid."""


@dataclass(frozen=True)
class InitialLoss:
    """What a first loss says.

    Attributes:
        value: the loss before the first step.
        expected: what a prediction by chance costs.
        formula: how `expected` comes about, such as "ln 10".
        verdict: "consistent", "too_low", "too_high", or "not_finite" for NaN and Inf.
        reason: one sentence with the numbers.
        causes: likely causes, the ones that predict this value first; empty when consistent.
    """

    value: float
    expected: float
    formula: str
    verdict: InitialVerdict
    reason: str
    causes: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether the value is that of a prediction by chance."""
        return self.verdict == "consistent"

    def to_dict(self) -> dict[str, Any]:
        """Returns plain JSON-safe data; a value that is not finite is None."""
        return {**asdict(self), "value": self.value if math.isfinite(self.value) else None, "causes": list(self.causes)}

    def __str__(self) -> str:
        head = f"initial loss: {self.verdict.replace('_', ' ')}"
        return "\n".join([head, f"  {self.reason}", *(f"  - {cause}" for cause in self.causes)])


def check_initial_loss(
    value: SupportsFloat,
    *,
    loss: LossName = "cross_entropy",
    num_classes: int | None = None,
    target_variance: SupportsFloat | None = None,
    batch_size: int | None = None,
) -> InitialLoss:
    """Compares the loss before the first step with what a prediction by chance costs.

    Args:
        value: the mean loss of untrained weights, without regularisation terms.
        loss: "cross_entropy" (natural logarithms; needs `num_classes`), "binary" (cross-entropy of a sigmoid), "mse" or
            "mae" (need `target_variance`), or "hinge" (multi-class with margin 1, summed over wrong classes; needs
            `num_classes`).
        num_classes: number of classes.
        target_variance: variance of the targets, in the unit the loss sees.
        batch_size: samples of a batch, where known: tells a sum from a mean.

    Raises:
        InputError: unknown loss, or what it needs is missing or impossible.
    """
    value = _number("value", value, "one number: the loss before the first step")
    _check(loss, num_classes, batch_size)
    expected, formula = _CHANCE[loss](num_classes or 0, _variance(loss, target_variance))
    low, high = _BAND[loss]
    chance = f"chance costs {formula} = {shown(expected)}"
    if not math.isfinite(value):
        causes = (
            "inputs or targets hold NaN or Inf",
            "a logarithm or a division of zero in the loss",
            "half precision",
        )
        found = f"found {value}, no finite loss, where {chance}"
        return InitialLoss(value, expected, formula, "not_finite", found, causes)
    ratio = value / expected
    reason = f"found {shown(value)}, where {chance} ({shown(ratio)} times)"
    if low <= ratio <= high:
        return InitialLoss(value, expected, formula, "consistent", reason, ())
    named = _named(value, expected, loss, num_classes, batch_size)
    general = (_LOW if ratio < low else _HIGH)[loss in ("mse", "mae")]
    if any(_SUMMED in cause for cause in named):
        general = tuple(cause for cause in general if _SUMMED not in cause)
    verdict: InitialVerdict = "too_low" if ratio < low else "too_high"
    return InitialLoss(value, expected, formula, verdict, reason, (*named, *general))


def _number(name: str, value: Any, expected: str) -> float:
    """One number, also from an array or a tensor of one element."""
    try:
        # without `item` a tensor that is part of a graph warns where it becomes a number, and so does an array
        plain = value.item() if hasattr(value, "item") else value
        if isinstance(plain, (str, bytes, bool)):
            raise TypeError
        return float(plain)
    except (TypeError, ValueError, RuntimeError, OverflowError):
        raise InputError(f"{name}: found {printable(repr(value), _SHOWN)}, expected {expected}") from None


def _variance(loss: LossName, found: Any) -> float:
    """The variance of the targets for a loss that needs it, else 0."""
    if loss not in ("mse", "mae"):
        return 0.0
    variance = 0.0 if found is None else _number("target_variance", found, _VARIANCE)
    if not 0 < variance < math.inf:
        shown_as = "none" if found is None else found
        raise InputError(f"target_variance: found {shown_as}, expected {_VARIANCE}")
    return variance


def _check(loss: str, num_classes: int | None, batch_size: int | None) -> None:
    if loss not in LOSS_NAMES:
        raise InputError(f"loss: found {loss!r}, expected one of {', '.join(LOSS_NAMES)}")
    check_num_classes(num_classes)
    if loss in ("cross_entropy", "hinge") and num_classes is None:
        raise InputError(f"num_classes: found none, expected the number of classes that {loss} chooses from")
    if batch_size is not None and not (isinstance(batch_size, Integral) and batch_size >= 1):
        raise InputError(f"batch_size: found {batch_size!r}, expected a whole number of 1 or more, or None")
    for name, count in (("num_classes", num_classes), ("batch_size", batch_size)):
        if count is not None and count > _MOST:
            raise InputError(f"{name}: found more than {_MOST:.0e}, expected no more")


_CHANCE: dict[LossName, Callable[[int, float], tuple[float, str]]] = {
    "cross_entropy": lambda classes, _: (math.log(classes), f"ln {classes}"),
    "binary": lambda _, __: (math.log(2), "ln 2"),
    "mse": lambda _, variance: (variance, "the variance of the targets"),
    "mae": lambda _, variance: (
        math.sqrt(2 / math.pi) * math.sqrt(variance),
        "the mean deviation of normally distributed targets",
    ),
    "hinge": lambda classes, _: (classes - 1.0, f"{classes} - 1"),
}
"""Loss -> value of the best prediction that knows nothing of the input, and its formula."""

_LOW: dict[bool, tuple[str, ...]] = {
    False: (
        "trained weights were loaded, or the value comes from after some steps",
        "the label leaks into the input",
        "labels are nearly all of one class, or most positions are masked and count as zero",
        "the loss is scaled: averaged twice, or weighted",
    ),
    True: (
        "trained weights were loaded, or the value comes from after some steps",
        "the target leaks into the input",
        "the loss sees targets in another unit than the variance is given in",
        "the loss is halved or averaged twice",
    ),
}
_HIGH: dict[bool, tuple[str, ...]] = {
    False: (
        "the output layer starts with too large weights, or inputs are not normalised: confident and wrong",
        "the loss is summed, not averaged, over samples, tokens or outputs",
        "regularisation or auxiliary terms are included",
        "labels do not match the outputs: shifted, or of another set of classes",
    ),
    True: (
        "the mean of the targets is far from 0, where fresh weights predict: normalise targets or set the output bias",
        "inputs are not normalised, so outputs scatter widely",
        "the loss is summed, not averaged, over samples or outputs",
        "the loss sees targets in another unit than the variance is given in",
    ),
}
"""What is likely whatever the number: of a classifier (False) and of a regression (True)."""


def _named(value: float, expected: float, loss: LossName, classes: int | None, batch_size: int | None) -> list[str]:
    """Faults that predict this very value."""
    near = [(wanted, text) for wanted, text in _candidates(expected, loss, classes) if _is_near(value, wanted)]
    near += _batched(value, expected, (batch_size,) if batch_size else _BATCHES)
    if loss == "cross_entropy":
        near += _other_count(value)
    found = [text for wanted, text in sorted(near, key=lambda fault: abs(value / fault[0] - 1))]
    if 0 <= value / expected < _NONE:
        found.append("next to nothing is paid: the answer is known, or no sample counts")
    if value < 0:
        missing = ", or logarithms missing from its input" if loss in ("cross_entropy", "binary") else ""
        found.append(f"the loss is negative, which this loss cannot be: a sign{missing}")
    return found


def _batched(value: float, expected: float, sizes: tuple[int, ...]) -> list[tuple[float, str]]:
    """(value, fault) of losses summed over a batch, or averaged twice."""
    out = []
    for size in sizes:
        out += [(size * expected, f"{size} times the chance value: summed over a batch of {size} instead of averaged")]
        out += [(expected / size, f"1/{size} of the chance value: divided by the batch size of {size} twice")]
    return [(wanted, text) for wanted, text in out if wanted != expected and _is_near(value, wanted)]


def _other_count(value: float) -> list[tuple[float, str]]:
    """(value, fault) of another number of classes that the value would fit."""
    counts = [*range(3, _ANY_COUNT + 1), *_USUAL_COUNTS]
    count = min(counts, key=lambda count: abs(math.log(count) - value))
    if abs(math.log(count) - value) > _SAME:
        return []
    text = f"as much as a guess among {count} classes costs: is the number of classes right, are all of them there?"
    return [(math.log(count), text)]


def _candidates(expected: float, loss: LossName, classes: int | None) -> list[tuple[float, str]]:
    """(value, fault) of the faults that have a value of their own."""
    bits = expected / math.log(2)
    out = []
    if loss in ("cross_entropy", "binary"):
        out += [(bits, "the logarithm is to base 2: the loss is in bits")]
        out += [(expected / math.log(10), "the logarithm is to base 10")]
    if loss == "cross_entropy" and classes is not None:
        out += [(-1 / classes, "the loss takes log-probabilities and was given probabilities: apply log_softmax")]
        out += [(float(classes), "the perplexity, not its logarithm")]
        if classes > 2:
            out += [(math.log(2), "ln 2: a binary cross-entropy, averaged over the outputs")]
            out += [(classes * math.log(2), f"{classes} ln 2: a binary cross-entropy, summed over the outputs")]
    if loss == "binary":
        out += [(2 * expected, "2 ln 2: the mean over samples, summed over two outputs")]
    if loss == "mse":
        out += [
            (math.sqrt(expected), "the root of the mean squared error"),
            (expected / 2, "half of the squared error"),
        ]
        out += [(2 * expected, "outputs scatter as much as the targets: start the last layer with smaller weights")]
    if loss == "mae":
        out += [(expected * expected * math.pi / 2, "the mean squared error, not the absolute one")]
    return out


def _is_near(found: float, wanted: float) -> bool:
    """Whether a fault predicts the value found; one that predicts 0 or Inf is beyond what floats can tell."""
    return math.isfinite(wanted) and wanted != 0 and abs(found - wanted) <= _NEAR * abs(wanted)
