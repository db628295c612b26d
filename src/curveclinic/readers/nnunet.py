"""nnU-Net's text logs, v1 and v2: an epoch is a handful of time-stamped lines. Its losses are negative (minus Dice)."""

from __future__ import annotations

import re

from curveclinic.intake.assemble import ReadOptions, runs_from_grid
from curveclinic.intake.grid import grid_from_rows
from curveclinic.readers.source import NoCurvesError, Source
from curveclinic.run import Run

_NUMBER = r"([+-]?(?:\d+(?:\.\d*)?(?:e[+-]?\d+)?|nan|inf))"
_STAMP = r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d+)?: *"
_SIGN = re.compile(
    (_STAMP + r"(?:do_dummy_2d_data_aug:|train_loss [-\d]|train loss :|Current learning rate:|lr: |$)").encode(),
    re.MULTILINE,
)
_NAMED = re.compile(rb"nn-?U-?Net|Pseudo dice|validation loss: |Average global foreground Dice", re.IGNORECASE)

_EPOCH = re.compile(r"^(?:\d{4}-\S+ \S+: *)?[Ee]poch:? +(\d+) *$")
_LINES = tuple(
    (name, re.compile(_STAMP + pattern + r" *$"))
    for name, pattern in (
        ("train_loss", rf"train(?:_loss| loss :) *(?:np\.float\d+\()?{_NUMBER}\)?"),
        ("val_loss", rf"(?:val_loss|validation loss:) *(?:np\.float\d+\()?{_NUMBER}\)?"),
        ("lr", rf"(?:Current learning rate:|lr:) *{_NUMBER}"),
        ("val_dice", r"(?:Pseudo dice|Average global foreground Dice:) *\[(.*)\]"),
    )
)
"""Column -> its line in v2 and in v1."""


def sniff(head: bytes) -> bool:
    """Says whether bytes are the head of an nnU-Net log."""
    if b"poch" not in head or b":" not in head:  # the patterns are slow, and a table has no stamps
        return False
    return _SIGN.search(head) is not None and _NAMED.search(head) is not None and b"\0" not in head


def read(source: Source, options: ReadOptions) -> list[Run]:
    """Returns the run in an nnU-Net log; a resumed training has written another one.

    Raises:
        LogError: no epoch was finished.
    """
    text = source.content().decode("utf-8", "replace")
    rows: list[dict[str, str]] = []
    for line in text.splitlines()[: None if text.endswith("\n") else -1]:
        epoch = _EPOCH.match(line)
        if epoch:
            rows.append({"epoch": epoch[1]})
        elif rows:
            rows[-1].update({name: _cell(m[1]) for name, pattern in _LINES if (m := pattern.match(line))})
    rows = [row for row in rows if len(row) > 1]
    notes = () if text.endswith("\n") else ("the last line has no end: it may be cut short and is left out",)
    if not rows:
        raise NoCurvesError(f"{source.path}: an nnU-Net log without a finished epoch")
    return runs_from_grid(grid_from_rows(rows), options, source.origin(notes=notes))


def _cell(text: str) -> str:
    """A number, or the mean of a list of them, one for each class."""
    if re.fullmatch(_NUMBER, text):
        return text
    numbers = [float(n) for n in re.findall(rf"(?:^|[\s(,]){_NUMBER}", text)]
    numbers = [n for n in numbers if n == n]  # a class that is not in the data has no score
    return str(sum(numbers) / len(numbers)) if numbers else ""
