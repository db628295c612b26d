"""Headings in console output: a line that says nothing but which side, train or validation, the next ones are of."""

from __future__ import annotations

import re

from curveclinic.intake.vocabulary import SPLITS
from curveclinic.readers.console_pairs import HEADING, is_evaluated

_LONGEST_HEADING = 80
"""Characters of a line that may be a heading; and of the end of one that is looked at."""

_DECORATION = " \t*=-_.,#>~\u2026"

_SEGMENT = re.compile(r"\s-\s|:\s|\]|\|")
_EPOCH = re.compile(r"\bepoch\W*\d+(?:/\d+)?", re.IGNORECASE)
_WORDS = re.compile(r"[A-Za-z]+(?: [A-Za-z]+){0,3}")
_ANNOUNCING = frozenset(
    (
        *("epoch", "step", "phase", "stage", "loop", "set", "data", "dataset", "net", "network", "model", "the", "on"),
        *("result", "results", "metric", "metrics", "performance", "error", "errors", "stats", "statistics", "scores"),
        "perplexity",
        *("running", "run", "start", "starting", "begin", "beginning"),
    )
)
"""Words that, beside one for a side, make up a line that is a heading and no sentence: `Running validation ...`."""


def announced(line: str) -> str:
    """Returns the side a line without a loss or metric announces, as `INFO - Validating ...` does; "" for none."""
    found = HEADING.findall(line) if line.rstrip().endswith(":") and len(line) < _LONGEST_HEADING else []
    return (found[-1] if found else _at_the_end(line)).lower()


def _at_the_end(line: str) -> str:
    """Returns the side of an evaluation that the last part of a line names, and says nothing else; "" for none."""
    parts = [part for part in _SEGMENT.split(_EPOCH.sub("", line[-_LONGEST_HEADING:])) if any(map(str.isalpha, part))]
    words = _WORDS.fullmatch(parts[-1].strip(_DECORATION)) if parts else None
    small = words[0].lower().split() if words else []
    sides = [word for word in small if word in SPLITS]
    is_heading = sides and is_evaluated(sides[-1]) and _ANNOUNCING.issuperset(set(small) - set(sides))
    return sides[-1] if is_heading else ""
