"""Text logs with runs of NUL bytes: what a crash leaves at the end, and a log rotation (copytruncate) at the start."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Final

from curveclinic.phrases import counted
from curveclinic.readers.compressed import archive_in
from curveclinic.readers.source import MAX_BYTES, Source

_NUL: Final = b"\0"
_RUN: Final = re.compile(rb"\0+")
_MOST_RUNS: Final = 16
"""Runs in a damaged text; binary data and UTF-16 have more."""
_CONTROLS: Final = bytes({*range(32), 127} - set(b"\0\t\n\r\x08\x0c\x1b"))
_UTF_16: Final = (b"\xff\xfe", b"\xfe\xff")


def without_nul(data: bytes) -> bytes | None:
    """Returns what is whole in a text with runs of NUL; None for binary data, and where there is none.

    Of the lines around a run in the middle nobody knows how long they were: they are left out.
    """
    if _NUL not in data or data.startswith(_UTF_16) or archive_in(data):
        return None
    parts = _RUN.split(data.strip(_NUL), maxsplit=_MOST_RUNS)
    if len(parts) > _MOST_RUNS or not _is_text(parts):
        return None
    first, *rest = parts
    for part in rest:
        first = first[: first.rfind(b"\n") + 1] + part[part.find(b"\n") + 1 or len(part) :]
    return first if first.strip() else None


def _is_text(parts: list[bytes]) -> bool:
    """Whether there is something, and hardly a control character in it."""
    n_bytes = sum(map(len, parts))
    n_controls = sum(len(part) - len(part.translate(None, _CONTROLS)) for part in parts)
    return n_bytes > 0 and 1000 * n_controls <= n_bytes


def mended(source: Source) -> Source:
    """Returns a text log with runs of NUL with what is whole in memory; anything else as it is."""
    starts = source.head()
    if source.size() > MAX_BYTES or (starts.strip(_NUL) and without_nul(starts + _NUL) is None):
        return source  # no text as far as the head goes
    data = source.content()
    whole = without_nul(data)
    if whole is None:
        return source
    note = f"left out {counted(data.count(_NUL), 'NUL byte')}: a crash or a log rotation has torn holes into the file"
    return replace(source, data=whole, known=None, note="; ".join(filter(None, (source.note, note))))
