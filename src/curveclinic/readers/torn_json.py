"""What is whole in a JSON document that ends too early: its text up to the last whole value, brackets closed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

_TOKEN: Final = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*(?:"|\\?\Z)|[][{},]', re.DOTALL)
_CLOSING: Final = {b"[": b"]", b"{": b"}"}


def whole_part(data: bytes) -> tuple[bytes, int] | None:
    """Returns the document that a torn one begins with, and how many brackets had to be closed; None if none was open.

    Of an object in a list, a row, all or nothing is kept; of anything else what stands whole before the cut.
    """
    opened: list[bytes] = []
    ends: list[int] = []  # of each open bracket, where its last whole value ends
    for match in _TOKEN.finditer(data):
        token = match[0]
        if token in _CLOSING:
            opened.append(token)
            ends.append(match.end())
        elif token == b"," and opened:
            ends[-1] = match.start()
        elif token in (b"]", b"}"):
            if not opened or _CLOSING[opened.pop()] != token:
                return None
            ends[-2:] = [match.end()] if opened else []
    if not opened:
        return None
    while opened[-1] == b"{" and b"[" in opened:
        opened.pop()
        ends.pop()
    return data[: ends[-1]] + b"".join(_CLOSING[token] for token in reversed(opened)), len(opened)


def settle_last(document: Any, depth: int) -> None:
    """Brings a list cut short to the length of the lists beside it, or takes it out where they differ.

    Without that its values would be spread over the steps of the whole run.

    Args:
        document: what was read of a torn document.
        depth: how many brackets were open where it ends.
    """
    parent, name, last = None, "", document
    for _ in range(depth - 1):
        if isinstance(last, list):
            parent, last = None, last[-1]
        elif not isinstance(last, dict):  # a key that stands twice
            return
        else:
            parent, name = last, next(reversed(last))
            last = last[name]
    if not isinstance(last, list) or not isinstance(parent, dict) or any(isinstance(value, Mapping) for value in last):
        return
    lengths = {len(other) for key, other in parent.items() if key != name and isinstance(other, list)}
    if len(lengths) == 1 and last and max(lengths) >= len(last):
        last.extend([None] * (max(lengths) - len(last)))
    elif lengths:
        del parent[name]
