"""`check_overfit_small_batch`: can the model drive the loss on a handful of samples to nothing?

The cheapest test of a training loop (Karpathy 2019, A recipe for training neural networks): a model that cannot learn
two batches by heart has a bug, not a lack of data.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from numbers import Real
from typing import Any, Literal

import numpy as np

from curveclinic.errors import InputError
from curveclinic.phrases import counted, percent, value
from curveclinic.points import as_points
from curveclinic.ragged import FloatArray
from curveclinic.run import Run, check_num_classes

SmallBatchVerdict = Literal["pass", "not_yet", "fail"]

_FEWEST = 5
"""Finite losses: fewer show neither a floor nor a fall."""

_LEARNT = 0.02
"""Share of the scale at which the samples count as known by heart: of ln 10 it is 0.046, a probability of 95 %."""

_TAIL = 0.1
"""Share of the points, the last ones, whose median is the final level."""

_WINDOW = 0.25
"""Share of the points, the last ones, over which the loss must still fall to be given more time."""

_FALLING = 0.1
"""Share of its level above the floor that the loss must lose over that window; noise must not make it."""

_MOVED = 0.1
"""Share of the scale that the loss must have fallen to count as learning at all."""

_ENDLESS = 1e307
"""Size from which a loss counts as Inf: sums of two that are smaller are finite."""

_SHAKY = 0.5
"""Swing of the last points over their level above the floor that counts as unstable."""


@dataclass(frozen=True)
class SmallBatchTest:
    """What the loss on a few samples says.

    Attributes:
        verdict: "pass", "not_yet" (still falling) or "fail".
        scale: what no learning costs, above the floor: ln(num_classes) if given, else the first loss; None when NaN
            or Inf is among the last tenth, as the next two.
        final: median of the last tenth of the losses.
        share: `final` above the floor, over `scale`.
        reason: one sentence with the numbers.
        causes: likely causes of a failure, most likely first; empty unless it failed.
    """

    verdict: SmallBatchVerdict
    scale: float | None
    final: float | None
    share: float | None
    reason: str
    causes: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether the samples were learnt by heart."""
        return self.verdict == "pass"

    def to_dict(self) -> dict[str, Any]:
        """Returns plain JSON-safe data."""
        return {**asdict(self), "causes": list(self.causes)}

    def __str__(self) -> str:
        head = f"overfitting a small batch: {self.verdict.replace('_', ' ')}"
        return "\n".join([head, f"  {self.reason}", *(f"  - {cause}" for cause in self.causes)])


def check_overfit_small_batch(curve: Any, *, num_classes: int | None = None, floor: float = 0.0) -> SmallBatchTest:
    """Tells whether a model learnt a few samples by heart, needs more steps, or fails to.

    Args:
        curve: training loss over the steps: (n,) values or a 2-tuple (steps, values), sorted and mended as by
            `Run.from_arrays`; the same few samples all along, without augmentation, dropout or other noise.
        num_classes: number of classes of a classifier trained with cross-entropy: the scale is then ln(num_classes).
            Without it, the first loss is.
        floor: lowest value the loss can reach: above 0 with smoothed labels, below with some likelihoods.

    Raises:
        InputError: `curve` is not a sequence of numbers, has too few of them, or falls below the floor.
    """
    check_num_classes(num_classes)
    if not _is_level(floor):
        raise InputError(f"floor: found {floor!r}, expected the lowest value that the loss can reach")
    losses = _losses(curve)
    finite = np.abs(losses) < _ENDLESS
    if len(losses) and not finite[-_size(_TAIL, len(losses)) :].all():
        return _broken(losses, int((~finite).argmax()), ends=not finite[-1])
    above = losses[finite] - float(floor)
    if len(above) < _FEWEST:
        found = counted(len(above), "finite loss", "finite losses")
        raise InputError(f"curve: found {found}, expected {_FEWEST} or more; train for some more steps")
    scale = float(above[0]) if num_classes is None else math.log(num_classes)
    if above.min() < -_LEARNT * abs(scale):
        lowest = value(float(above.min()) + floor)
        raise InputError(
            f"curve: found {lowest}, expected losses above {value(floor)}; give the lowest possible as floor"
        )
    if scale <= 0:
        raise InputError(
            f"curve: found {value(floor)} first, which is the floor and sets no scale; give the number of classes, or "
            "begin where the loss is above it"
        )
    return _judged(above, scale, float(floor))


def small_batch_test_of(run: Run, *, floor: float = 0.0) -> SmallBatchTest:
    """Judges the training loss of a run; the run's `num_classes` sets the scale.

    Raises:
        InputError: it has no training loss, or one that cannot be judged.
    """
    if "train_loss" not in run.channels:
        found = ", ".join(run.channels) or "no channel"
        raise InputError(f"found {found}, expected train_loss; name it with --train-loss")
    return check_overfit_small_batch(run.channels["train_loss"].values, num_classes=run.num_classes, floor=floor)


def _is_level(found: Any) -> bool:
    """Whether it is a number that a loss can have."""
    try:
        return isinstance(found, Real) and abs(float(found)) < _ENDLESS
    except OverflowError:
        return False


def _losses(curve: Any) -> FloatArray:
    """(n,) losses in the order of their steps."""
    steps, values = as_points("curve", curve)
    run = Run.from_arrays({"train_loss": values if steps is None else (steps, values)})
    series = run.channels.get("train_loss")
    if series is None and len(values):
        raise InputError(f"curve: found {len(values)} steps, none of them possible; expected finite numbers")
    return values if series is None else series.values


def _size(share: float, count: int) -> int:
    return max(1, round(share * count))


def _broken(losses: FloatArray, first: int, *, ends: bool) -> SmallBatchTest:
    """The verdict on losses that are not finite from a point on, or in places; `ends`: at the end, too."""
    end = "not finite at the end" if ends else "its last tenth is not all finite"
    reason = f"the loss is {value(float(losses[first]))} at point {first + 1} of {len(losses)}, and {end}"
    return SmallBatchTest("fail", None, None, None, reason, _CAUSES["broken"])


def _judged(above: FloatArray, scale: float, floor: float) -> SmallBatchTest:
    """The verdict on finite losses, measured from the floor."""
    level = float(np.median(above[-_size(_TAIL, len(above)) :]))
    share = level / scale
    first, last = value(float(above[0]) + floor), value(level + floor)
    course = f"in {counted(len(above), 'point')} the loss went from {first} to {last}"
    course += f", {percent(max(share, 0.0))} of {value(scale)}"
    course += f" above the floor of {value(floor)}" if floor else ""
    if share <= _LEARNT:
        return SmallBatchTest("pass", scale, level + floor, share, f"{course}: learnt by heart")
    if _still_falls(above):
        wanted = f"still falling; train on until it is below {value(_LEARNT * scale + floor)}"
        return SmallBatchTest("not_yet", scale, level + floor, share, f"{course}, and is {wanted}")
    kind = _kind(above, level, scale)
    return SmallBatchTest("fail", scale, level + floor, share, f"{course}, {_SAID[kind]}", _CAUSES[kind])


def _still_falls(above: FloatArray) -> bool:
    """Whether the loss loses a visible share of its level over the last window, more than its noise."""
    window = above[-max(_size(_WINDOW, len(above)), 4) :]
    window = window / window.max()  # squares of large losses are no floats
    half = len(window) // 2
    before, after = window[:half], window[-half:]
    error = math.hypot(before.std(), after.std()) / math.sqrt(half)
    lost = float(np.median(before) - np.median(after))
    return lost > _FALLING / 2 * float(np.median(before)) and lost > error


def _kind(above: FloatArray, level: float, scale: float) -> str:
    """Which failure it is: a key of `_CAUSES`."""
    tail = above[-max(_size(_WINDOW, len(above)), 4) :]
    if level > (1.0 + _MOVED) * max(scale, float(above[0])):
        return "rising"
    if float(above.min()) > (1.0 - _MOVED) * float(above[0]):
        return "flat"
    swing = float(np.quantile(tail, 0.9) - np.quantile(tail, 0.1))
    return "unstable" if swing > _SHAKY * level else "floor"


_SAID = {
    "rising": "higher than it began",
    "flat": "which is as good as nothing learnt",
    "unstable": "and swings instead of settling",
    "floor": "and stays there",
}
"""Kind of failure -> how the sentence ends."""

_CAUSES = {
    "broken": (
        "learning rate too high",
        "a logarithm or a division of zero in the loss; half precision without loss scaling",
        "NaN in inputs or targets",
    ),
    "rising": (
        "learning rate too high",
        "the sign of the loss or of the update is wrong",
        "gradients are not set to zero between steps",
    ),
    "flat": (
        "the optimizer does not hold the model's parameters, or they are frozen",
        "the graph is cut: detach, no_grad, or an argmax between model and loss",
        "learning rate far too low, or 0",
        "dead units or saturated outputs from the start: look at initialisation and input scale",
        "the input does not reach the model, or labels are drawn anew at every step",
    ),
    "unstable": (
        "learning rate too high",
        "the samples change from step to step: augmentation, shuffling of labels, or not the same batch",
        "dropout or batch statistics make the loss noisy: switch them off for this test",
        "gradients are not set to zero between steps",
    ),
    "floor": (
        "regularisation is on: weight decay, dropout, augmentation, smoothed labels (give their least loss as floor)",
        "equal inputs with different labels, or labels that do not belong to their inputs",
        "part of the model does not train: frozen layers, a cut graph, saturated units",
        "the model is too small, or the learning rate was decayed too early",
    ),
}
"""Kind of failure -> likely causes, most likely first."""
