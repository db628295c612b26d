"""Hugging Face `trainer_state.json`: the `log_history`, train and evaluation in rows of their own."""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path
from typing import Final

from curveclinic.errors import LogError
from curveclinic.intake.assemble import ReadOptions
from curveclinic.intake.orientations import rows_held
from curveclinic.readers import remote
from curveclinic.readers.json_text import load_json
from curveclinic.readers.keras_history import runs_from_document
from curveclinic.readers.source import Source
from curveclinic.readers.torn_json import whole_part
from curveclinic.run import Run

NAME: Final = "trainer_state.json"


def sniff(head: bytes) -> bool:
    """Says whether bytes are the head of a trainer state."""
    return head.lstrip()[:1] == b"{" and (b'"log_history"' in head or b'"best_model_checkpoint"' in head)


def is_whole(path: str) -> bool:
    """Says whether a trainer state goes to its end, which takes no parsing.

    In an object store a file is there only when it is whole.
    """
    if remote.is_remote(path):
        return True
    try:
        return _is_closed(path, os.stat(path).st_mtime_ns)
    except OSError:
        return False


@lru_cache(maxsize=64)
def _is_closed(path: str, _: int) -> bool:
    """Whether all brackets of a file are closed; asked by each older checkpoint of the same newest one."""
    text = Path(path).read_bytes().strip()
    return text.endswith(b"}") and whole_part(text) is None


def read(source: Source, options: ReadOptions) -> list[Run]:
    """Returns the run of a trainer state.

    Raises:
        LogError: the text is no JSON or its `log_history` holds no loss.
    """
    state, notes = load_json(source)
    if rows_held(state) is None:
        raise LogError(f"{source.path}: the log_history is empty; the trainer has logged nothing yet")
    return runs_from_document(state, options, source.origin(notes=notes))
