"""Checkpoints of a Hugging Face trainer, which hold the same history and more: which of them is to be read."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from curveclinic.readers import trainer_state
from curveclinic.readers.folders import Folder

_CHECKPOINT = re.compile(r"checkpoint-(\d+)")


def number_of(folder: Folder) -> int | None:
    """Returns the step of a checkpoint's folder, None of any other."""
    found = _CHECKPOINT.fullmatch(folder.name)
    return int(found.group(1)) if found else None


def instead_of(newer: Sequence[str]) -> str:
    """Returns what a checkpoint is to say of newer ones that are damaged."""
    names = ", ".join(os.path.join(*Path(path).parts[-2:]) for path in newer)
    return f"read because what is newer is cut off or damaged: {names}" if newer else ""


class Checkpoints:
    """The checkpoints met in one search; where there are many in a folder, it is listed once, not once for each."""

    def __init__(self) -> None:
        self._states = lru_cache(maxsize=16)(_states)

    def newer_than(self, folder: Folder) -> list[str]:
        """Returns the trainer states of newer checkpoints of the same run, the newest first; none for other folders."""
        number, parent = number_of(folder), folder.parent
        if number is None or parent is None:
            return []
        newer = [path for n, path in reversed(self._states(parent)) if n > number]
        return ([parent.place_of(trainer_state.NAME)] if parent.has_file(trainer_state.NAME) else []) + newer

    def is_torn_beside_whole(self, folder: Folder) -> bool:
        """Says whether a trainer state is damaged and an older one of the same run, which is read, is not."""
        number = number_of(folder)
        if number is None:
            older = [path for _, path in self._states(folder)]
        else:
            older = [path for n, path in self._states(folder.parent) if n < number] if folder.parent else []
        if not older or trainer_state.is_whole(folder.place_of(trainer_state.NAME)):
            return False
        return any(map(trainer_state.is_whole, older))


def _states(folder: Folder) -> list[tuple[int, str]]:
    """Returns the number of each checkpoint in a folder, and its trainer state, the oldest first."""
    inner = map(folder.inner, folder.folders)
    found = [
        (n, place) for place in inner if (n := number_of(place)) is not None and place.has_file(trainer_state.NAME)
    ]
    return sorted((number, place.place_of(trainer_state.NAME)) for number, place in found)
