"""Checkpoints of a Hugging Face trainer, which hold the same history and more: which of them is to be read."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from curveclinic.readers import trainer_state
from curveclinic.readers.folders import entries, is_file

_CHECKPOINT = re.compile(r"checkpoint-(\d+)")


def number_of(folder: str) -> int | None:
    """Returns the step of a checkpoint's folder, None of any other."""
    found = _CHECKPOINT.fullmatch(os.path.basename(folder))
    return int(found.group(1)) if found else None


def instead_of(newer: Sequence[str]) -> str:
    """Returns what a checkpoint is to say of newer ones that are damaged."""
    names = ", ".join(os.path.join(*Path(path).parts[-2:]) for path in newer)
    return f"read because what is newer is cut off or damaged: {names}" if newer else ""


class Checkpoints:
    """The checkpoints met in one search; where there are many in a folder, it is listed once, not once for each."""

    def __init__(self) -> None:
        self._states = lru_cache(maxsize=16)(_states)

    def newer_than(self, folder: str) -> list[str]:
        """Returns the trainer states of newer checkpoints of the same run, the newest first; none for other folders."""
        number, parent = number_of(folder), os.path.dirname(folder)
        if number is None:
            return []
        last = os.path.join(parent, trainer_state.NAME)
        newer = [path for n, path in reversed(self._states(parent)) if n > number]
        return ([last] if is_file(last) else []) + newer

    def is_torn_beside_whole(self, folder: str, root: str) -> bool:
        """Says whether a trainer state is damaged and an older one of the same run, which is read, is not."""
        number = number_of(folder)
        if number is None:
            older = [path for _, path in self._states(folder)]
        else:
            older = [path for n, path in self._states(os.path.dirname(folder)) if n < number and folder != root]
        if not older or trainer_state.is_whole(os.path.join(folder, trainer_state.NAME)):
            return False
        return any(map(trainer_state.is_whole, older))


def _states(folder: str) -> list[tuple[int, str]]:
    """Returns the number of each checkpoint in a folder, and its trainer state, the oldest first."""
    found = [(number_of(name), os.path.join(folder, name, trainer_state.NAME)) for name in entries(folder, files=False)]
    return sorted((number, path) for number, path in found if number is not None and is_file(path))
