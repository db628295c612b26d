"""Numbers of things in sentences: "1 point is", "12 points are"."""

from __future__ import annotations


def counted(n: int, one: str, many: str = "") -> str:
    """Returns a number and what is counted, `one` of it or `many`; without a word for many, `one` takes an s."""
    return f"{n:,} {one if n == 1 else many or one + 's'}"
