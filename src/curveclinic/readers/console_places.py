"""What a line of console output says of its place: epoch, step, batch, and the process it is of."""

from __future__ import annotations

import re
from bisect import bisect
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from curveclinic.readers.console_pairs import first_heading, is_evaluated

_AXIS = re.compile(
    r"(?<![\w./\-])(?P<not>(?:max|total|num(?![ _]updates)|warmup|over|per|every|best|last|from|until)[ _])?"
    r"(?P<axis>(?a:epoch|ep|iteration|iter|global[ _]step|step|batch|num[ _]updates|updates?|up(?=\.)"
    r"|s(?=:\d)|it(?=:\d)))\.?(?:\((?P<side>train|val|test)\))?['\"]?\s*(?:[:=#]\s*)?(?:['\"]\s*)?(?:\[\s*)?(?P<at>\d+(?:,\d+)*(?:\.\d+)?)(?:\s*/\s*\d+(?:,\d+)*)?\s*\]?"
    r"(?![\w%]|\.\d|:\d|,\d)",
    re.IGNORECASE,
)
AXIS_COLUMN: Final = {
    **dict.fromkeys(("epoch", "ep"), "epoch"),
    **dict.fromkeys(("iteration", "iter", "step", "batch", "update", "updates", "up", "s", "it"), "step"),
    **dict.fromkeys(("global step", "global_step"), "global_step"),
    **dict.fromkeys(("num updates", "num_updates"), "num_updates"),
}

_GLUED_EPOCH = re.compile(r"(?<![\w.])(\d+)epoch(?=[: ])")
"""`7epoch results: [train] loss=0.5` of ESPnet."""

_WITHIN = re.compile(
    r"(?<=[\w)\]])(?:,?\s+(?:(?:at|after|for|in|of|on)\s+)?(?:the\s+)?(?:end\s+of\s+)?|\s*\(\s*)$", re.IGNORECASE
)
_GOES_ON = re.compile(
    r"\s{0,9}\)?\s{0,9}(?=(?:[:=]|is\b|was\b)\s*(?:tensor\()?(?:[+\-.]?\d|nan\b|[+\-]?inf))", re.IGNORECASE
)
"""What stands before and after a place between a name and its number: `Loss after epoch 3: 0.5`."""

_LONGEST_WITHIN = 24
"""Characters of `after the end of ` and some blanks."""

_COUNT = re.compile(r"\[\s*(\d+(?:,\d{3})*)\s*/\s*\d+(?:,\d{3})*\s*(?:\(\s*\d+%\s*\)\s*)?\]")
"""`[640/60000 (1%)]`: how far the epoch is."""

_SHARE = re.compile(r"^\s*(\d+)/\d+[,:]\s")
"""The same at the beginning of a line: `3/16, train_loss: 0.5`."""

_PLACE = re.compile(r"^\s*\[\s*(\d+)\s*(?:,|/\s*\d+\s*\]\s*\[)\s*(\d+)\s*(?:/\s*\d+\s*)?\]")
"""`[12, 2000] loss: 1.2` and `[12/25][2000/5000] Loss: 1.2`: epoch and batch."""

_LATER_PLACE = re.compile(r"\[\s*(\d+)\s*/\s*\d+\s*\]\s*\[\s*(\d+)\s*/\s*\d+\s*\]")
"""The same behind a time or a heading: `[10:31:07] [12/25] [2000/5000] Loss: 1.2`."""

_ROUND = re.compile(r"^\s*\[ *(\d+)\]\s")
"""`[7]  train-logloss:0.5`: the round of gradient boosting; `[ 7] train loss: 0.5`."""

ROUNDS: Final = re.compile(r"^\s*\[\d+\](?:\s+|#011)[^\s:][^:\n]*:\s*[+\-.\dni]", re.MULTILINE)
"""The beginning of such a line; SageMaker writes `#011` for a tab."""

_OWNER = re.compile(r"cv_agg's |(?<=\w)('s )(?=\w)|#011")
_SPREAD = re.compile(r"(?<=\d) ?\+ ?\d[\d.e\-]*")
"""In lines of LightGBM `valid_0's l2`, in those of cross-validation the deviation beside a mean, `0.5+0.01`."""

_ABREAST = ("rank", "gpu", "default", "worker", "node", "client", "replica", "device", "fold", "layer")
_RANK = re.compile(rf"\b(?:{'|'.join(_ABREAST)})[ _:#='\"]*[a-z]{{0,6}}(\d+)(?![\w.%])", re.IGNORECASE)
"""`[rank3] Epoch 7 loss: 0.5`, `[default3]:` of torchrun, `Layer 3 | Epoch 7`: which of those
trained side by side a line is of."""

_LABEL = re.compile(r"\s*(\d+):\s+(?=epoch)", re.IGNORECASE)
"""The same as `srun --label` writes it: `3: Epoch 7`."""

_TIMM = re.compile(r"^\s*Train: (\d+) \[")
SAVED = "Saving dict for global step"
"""How an Estimator of TensorFlow begins what an evaluation has found."""

_SUMMED = re.compile("average_loss")
"""Its mean over the examples; the loss of its training sums over a batch, as the one beside it does."""


def without_owners(line: str) -> str:
    """Returns a line; a round of gradient boosting without what stands between a side and the name of its loss."""
    return _SPREAD.sub("", _OWNER.sub(lambda m: "-" if m[1] else " ", line)) if ROUNDS.match(line) else line


@dataclass(frozen=True)
class Rest:
    """A line without its places.

    Attributes:
        text: what is left of it.
        starts: where its pieces begin in the text.
        shifts: how much farther back in the line each of them is.
    """

    text: str
    starts: Sequence[int]
    shifts: Sequence[int]

    def span(self, match: re.Match[str], group: str | int) -> slice:
        """Returns where in the line a group of a match in the text is; an empty slice where it took no part."""
        start, end = match.span(group)
        shift = self.shifts[bisect(self.starts, start) - 1]
        return slice(start + shift, end + shift) if end > start else slice(0, 0)


@dataclass(frozen=True)
class Place:
    """What a line says of its place.

    Attributes:
        at: epoch, step, process -> where in the line its number is.
        side: the side named with them; "" for none.
        rest: the line without epoch and step.
        grouped: the one whose number may have marks of thousands, and never a decimal comma; "" for none.
    """

    at: Mapping[str, slice]
    side: str
    rest: Rest
    grouped: str = ""


def place_of(line: str) -> Place:
    """Returns epoch, step and process of a line.

    How far an evaluation is, is no step of the training.
    """
    at: dict[str, slice] = {}
    side = ""
    cuts: list[tuple[int, int, str]] = []
    for match in _AXIS.finditer(line):
        if match["not"]:
            continue
        start, end = match.span()
        goes_on = _GOES_ON.match(line, end)
        before = line[cuts[-1][1] if cuts else 0 : start][-_LONGEST_WITHIN:]
        within = _WITHIN.search(before) if goes_on else None
        cuts.append((start - len(within[0]), goes_on.end(), " ") if goes_on and within else (start, end, " | "))
        column = AXIS_COLUMN[match["axis"].lower()]
        if column not in at:
            at[column] = slice(*match.span("at"))
            side = side or (match["side"] or "")
    if "global_step" in at and SAVED in line:
        at["step"] = at.pop("global_step")  # as the lines of its training say
        cuts += [(*m.span(), "") for m in _SUMMED.finditer(line)]
    rest = _without(line, cuts)
    pair, timm = _PLACE.match(line), _TIMM.match(line)
    if not pair and not at:
        pair = _LATER_PLACE.search(line)
    glued = _GLUED_EPOCH.search(line) if "epoch" not in at and "epoch" in line else None
    if glued:
        at["epoch"] = slice(*glued.span(1))
    within_rest = _COUNT.search(rest.text)
    count = within_rest or _ROUND.match(line) or _SHARE.match(line)
    if pair:
        at.setdefault("epoch", slice(*pair.span(1)))
        at.setdefault("step", slice(*pair.span(2)))
    if timm:
        at.setdefault("epoch", slice(*timm.span(1)))
    rank = _rank(line) if "epoch" in at else None
    if rank:
        at["rank"] = slice(*rank.span(1))
    if is_evaluated(side or first_heading(line)) and (side or count):
        at.pop("step", None)
    elif count and "global_step" not in at and "step" not in at:
        at["step"] = rest.span(count, 1) if within_rest else slice(*count.span(1))
        return Place(at, side.lower(), rest, grouped="step")
    return Place(at, side.lower(), rest)


def _without(line: str, cuts: Iterable[tuple[int, int, str]]) -> Rest:
    """Returns a line in which other texts stand for some parts of it."""
    text, end = "", 0
    starts, shifts = [0], [0]
    for start, after, joint in sorted(cuts):
        text += line[end:start] + joint
        starts.append(len(text))
        shifts.append(after - len(text))
        end = after
    return Rest(text + line[end:], starts, shifts)


def _rank(line: str) -> re.Match[str] | None:
    small = line.lower()
    return _LABEL.match(line) or (_RANK.search(line) if any(word in small for word in _ABREAST) else None)
