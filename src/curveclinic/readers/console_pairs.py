"""Pairs of a name and a number in a line of console output: `loss: 0.5`, `val_loss 0.4 (0.41)`, `'acc': 0.9`.

A name without a side takes it from a heading before it (`Test set: Average loss: 0.1`); a side alone behind a loss
takes its name (`loss train: 0.5, val: 0.6`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from curveclinic.intake.naming import parse
from curveclinic.intake.vocabulary import LOSS_WORDS, NEVER, NOISE, SPLITS, tokens
from curveclinic.readers.commas import is_grouped, is_with_comma

Row = dict[str, str]
"""Column -> number as text."""

NUMBER: Final = r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?|[+-]?(?:nan|inf(?:inity)?)"
_COMMAS = r"(?:(?:,\d+)+(?:\.\d+)?(?:[eE][+-]?\d+)?)?"
"""What a comma within a number leads to; whether it is within one, the numbers of the log tell together."""
WRITTEN: Final = rf"(?:{NUMBER}){_COMMAS}"
_END = r"(?!\w|:\S|\.\w|\+\d|%\s*(?:\|(?!\s+(?!\d+/\d)\w|[^\W\d])|\d+/\d))"
"""No number ends within a word or a time, nor is it how far a bar is: `mAP50: 100%|███| 4/4`, but `acc: 9% | lr 1`."""

_PAIR = re.compile(
    r"(?<![\w@./\-])(?P<name>[A-Za-z_][\w@./\-]{0,60}(?: [A-Za-z_][\w@./\-]{0,60}){0,3})['\"]?"
    r"(?: ?[(\[](?P<about>%|[A-Za-z][\w %,/@\-]{0,30})[)\]])?"
    r"(?:\s*(?:[:=]|=>|->)\s*|\s+(?:- (?=\d))?)['\"]?(?:tensor\(|np\.float\d+\()?"
    rf"(?P<value>{WRITTEN}){_END}(?P<of>/\d+(?:,\d{{3}})*)?(?:\s*\(\s*(?P<mean>{WRITTEN})\s*\))?",
    re.IGNORECASE,
)
"""A name of one to four words, what is said about it (`Loss (val)`, `F1 (macro)`), and its number; `0.52 (0.61)` is a
value and its running mean, `9800/10000` a share."""

_GAP = re.compile(r"[\s,;|/]+")
"""What stands between the numbers of both sides: `loss train: 0.5, val: 0.6`."""

_UNIT = re.compile(r"\s*(?:%|[(\[]\s*[a-z%]|(?P<word>[a-z][\w./\-]*)(?![\w./\-]|['\"]?\s*[:=]))", re.IGNORECASE)
"""What may tell that the number before it is no loss: `val: 0.31 (acc)`, `eval: 12 samples/s`."""

HEADING = re.compile(
    r"([dDeEtTvV](?<![\w./\-].)(?i:(?<=d)ev|(?<=e)val(?:uation|uating)?|(?<=t)(?:rain|est)(?:ing)?"
    r"|(?<=v)al(?:id(?:ation|ate|ating)?)?))"
    r"(?i:(?=\s*(?:[:|\])\[>]|-\s|set\b|net\b|epoch|step|iter|phase|error|result|metric|stat|on\b|loss at"
    r"|(?:[,;]|(?<=\t))\s*loss\b|$)|['\"]\s*[,}]))"
)
"""A word for a side and what tells that it is one; a set of letters at its start makes the search fast."""

_SHORT = {"trl": "train_loss", "tel": "test_loss", "norm": "grad_norm"}
"""Names of llm.c."""

_OF_LOSSES = re.compile(r"((?:[A-Za-z]{1,40}[ _])?loss(?:es)?)['\"]?(?: ?[:=])? ?(\{[^{}]{1,2000}\})", re.IGNORECASE)
_OPENS = re.compile(r"[sS]['\"]?(?: ?[:=])? ?\{")
"""The end of `Losses {`, for a quick look at each line."""
_KEY = re.compile(r"(['\"])(?!\w*loss)(\w[\w ./\-]{0,60})(?=\1 ?:)", re.IGNORECASE)
"""`Losses {'ner': 12.5}`: a dict of losses, whose keys need not say that they are."""

_NOT_A_CURVE = frozenset(
    (
        "best",
        "min",
        "max",
        "lowest",
        "minimum",
        "previous",
        "last",
        "old",
        "target",
        "threshold",
        "from",
        "than",
        "final",
    )
)
_KNOWN = {*SPLITS, *LOSS_WORDS, *NOISE, *NEVER, "lr", "learning", "rate", "grad", "gradient", "norm", "epoch", "step"}
"""Words that belong to a name of several words; of the others only the last one does (`box loss`)."""

_FILLERS = frozenset(
    ("the", "a", "an", "and", "is", "at", "of", "has", "this", "current", "with", "info", "then", "now", "set")
)

_BETWEEN = frozenset(("de", "di", "da", "du", "des", "on", "en", "su", "auf", "na", "no"))
"""Words between those that belong to a name: `perte de validation`, `loss on val`."""

_SAYS_LITTLE = frozenset(
    ("for", "one", "per", "batch", "epoch", "step", "curr", "cur", "so", "far", "over", "is", "was", "set")
)
"""Words behind a name that make it no other: `Training loss (for one batch)`, `accuracy over epoch`."""


def telling(rows: Iterable[Row]) -> Callable[[Row], bool]:
    """Returns what says of a row whether it holds a loss, or, where no row does, what stands in for one."""

    def names_loss(row: Row) -> bool:
        return any(parse(name).quantity == "loss" for name in row)

    def names_other(row: Row) -> bool:
        return any(parse(name).may_be_loss for name in row)

    return names_loss if any(map(names_loss, rows)) else names_other


def first_heading(line: str) -> str:
    """Returns the first word for a side that stands as a heading in a line; "" where there is none."""
    found = HEADING.search(line)
    return found[1] if found else ""


def is_evaluated(side: str) -> bool:
    """Says whether a word means validation or test."""
    return SPLITS.get(side.lower(), "train") != "train"


@dataclass(frozen=True)
class Pair:
    """A named number.

    Attributes:
        match: where its name, its number and what is beside the number are.
        is_evaluated: whether it is of an evaluation, whose mean counts.
    """

    match: re.Match[str]
    is_evaluated: bool


def pairs(line: str, side: str) -> dict[str, Pair]:
    """Returns the named numbers of a line that mean something, each with its side in its name."""
    row: dict[str, Pair] = {}
    said = [(m.start(), m[1].lower()) for m in HEADING.finditer(line)]
    beside = quantity = ""
    end = 0
    for match in _PAIR.finditer(line):
        name = _named(match)
        carried = quantity and name.lower() in SPLITS and _GAP.fullmatch(line, end, match.start())
        if carried and _is_carried(line, match, f"{quantity} {name}"):
            name = f"{quantity} {name}"
        known = parse(name)
        if not known.is_told or (known.hint and not known.quantity and not row):
            continue
        quantity, end = _before_side(name) if known.quantity in ("loss", "metric") and not carried else "", match.end()
        heading = next((word for at, word in reversed(said) if at < match.start("value")), side)
        if known.quantity == "loss" and " " in name:
            beside = known.split
        if known.quantity in ("loss", "metric") and not known.split:
            own = beside if known.quantity == "metric" and beside else heading
            name = f"{own}/{name}" if own else name
        row.setdefault(name, Pair(match, is_evaluated(known.split or heading)))
    return row


def _is_carried(line: str, match: re.Match[str], name: str) -> bool:
    """Says whether a side alone is of what was named before it, by that name: no unit, nor said elsewhere."""
    unit = _UNIT.match(line, match.end())
    if unit:
        after = _PAIR.match(line, unit.start("word")) if unit["word"] else None
        first, _, others = after["name"].lower().partition(" ") if after else ("", "", "")
        is_name = first in _KNOWN or parse(first).is_told
        if not is_name or (others and first not in SPLITS and not _before_side(f"{first} {others}")):
            return False
    known = parse(name)
    own = (parse(_named(m)) for m in _PAIR.finditer(line))
    said = known.quantity, known.split, known.component
    return all((o.quantity, o.split, o.component) != said for o in own)


def _before_side(name: str) -> str:
    """What a name says before the side at its end: `loss` of `loss train`; "" for a name that ends in no side."""
    quantity, _, last = name.rpartition(" ")
    return quantity if last.lower() in SPLITS else ""


def cell(value: str, of: str, mean: str, *, evaluated: bool) -> str:
    """Returns the number of a pair: of an evaluation the mean beside the last batch, of a share the quotient."""
    whole = float(of[1:].replace(",", "")) if of else 0.0
    if whole and ("," not in value or is_grouped(value)):
        return str(float(value.replace(",", "")) / whole)
    is_change = mean and (mean.startswith("+") or (mean.startswith("-") and not value.startswith("-")))
    return _first(mean if mean and not is_change and evaluated else value)


def _first(written: str) -> str:
    """A number, with its commas if they may be within it: `0.5,0.9` are two."""
    first, comma, rest = written.partition(",")
    apart = comma and not is_with_comma(written) and ("." in rest or not first.lstrip("+-").isdigit())
    return first if apart else written


def with_named_losses(line: str) -> str:
    """Returns a line in which the keys of a dict of losses say that they are losses."""
    if not _OPENS.search(line):
        return line
    return _OF_LOSSES.sub(lambda m: _KEY.sub(lambda key: f"{key[1]}{m[1]}/{key[2]}", m[2]), line)


def _named(match: re.Match[str]) -> str:
    """The name of a pair, with what is said about it."""
    name = _trimmed(match["name"])
    if not name or not match["about"]:
        return name
    about = [w for w in match["about"].replace(",", " ").split() if w != "%" and w.lower() not in _SAYS_LITTLE]
    return "" if _NOT_A_CURVE.intersection(w.lower() for w in about) else " ".join((name, *about))


def _trimmed(raw: str) -> str:
    """Returns the last words of a name that belong together; "" for a best value so far."""
    words = raw.split(" ")
    if any(word.lower() in _NOT_A_CURVE for word in words):
        return ""
    while len(words) > 1 and words[-1].lower() in _SAYS_LITTLE:
        words.pop()
    kept = [_SHORT.get(raw, words[-1])]
    for word in reversed(words[:-1]):
        if word.lower() in _BETWEEN:
            continue
        if word.lower() in _FILLERS:
            break
        kept.insert(0, word)
        if not _KNOWN.issuperset(tokens(word)) and parse(word).quantity != "metric":
            break
    return " ".join(kept)
