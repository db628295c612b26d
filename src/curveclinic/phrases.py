"""The small words of sentences: numbers of things, values, shares, how a level moved, and text that others wrote."""

from __future__ import annotations

import math
from collections.abc import Iterable

_FLAT = 0.005
"""Levels that differ by less than this share of the larger are called the same."""

_MOST_DIGITS = 12
"""Digits that any level is told in at most."""


def counted(n: int, one: str, many: str = "") -> str:
    """Returns a number and what is counted, `one` of it or `many`; without a word for many, `one` takes an s."""
    return f"{n:,} {one if n == 1 else many or one + 's'}"


def either(names: Iterable[str]) -> str:
    """Returns names joined by commas, the last one by "or"."""
    *others, last = names
    return f"{', '.join(others)} or {last}" if others else last


def value(x: float) -> str:
    """A level in four digits."""
    return f"{x:.4g}"


def percent(ratio: float) -> str:
    """A ratio in percent; small ones keep two digits."""
    return f"{100 * ratio:.0f} %" if 0.095 <= abs(ratio) < 1e4 else f"{100 * ratio:.2g} %"


def share_of(ratio: float | None, whole: str) -> str:
    """A share in parentheses, nothing where there is none."""
    return "" if ratio is None else f" ({percent(ratio)} of {whole})"


def is_flat(before: float, after: float) -> bool:
    """Tells whether two levels are called the same."""
    return abs(after / 2 - before / 2) <= _FLAT / 2 * max(abs(before), abs(after))


def change(before: float, after: float) -> str:
    """Says how a level moved, in words and numbers."""
    if is_flat(before, after):
        return f"stayed at about {value(after)}"
    return f"{'fell' if after < before else 'rose'} from {value(before)} to {value(after)}"


def move(before: float, after: float) -> str:
    """Says how a level moved, however little, in as many digits as show it."""
    size = max(abs(before), abs(after))
    if not is_flat(before, after) or before == after or not math.isfinite(after - before):
        return change(before, after)
    digits = min(2 - math.floor(math.log10(abs(after - before) / size)), _MOST_DIGITS)
    return f"{'fell' if after < before else 'rose'} from {before:.{digits}g} to {after:.{digits}g}"


def printable(text: str, limit: int | None = None) -> str:
    """Returns one line that cannot steer a terminal or break a file.

    Run names, paths and tags are untrusted: control characters, text-direction marks and lone surrogates become
    visible escapes, white space becomes a blank, text beyond `limit` characters is cut.
    """
    if not text.isprintable():
        text = "".join(c if c.isprintable() else " " if c.isspace() else _escape(c) for c in text)
    return text if limit is None or len(text) <= limit else text[: limit - 3] + "..."


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
