"""Names of step columns: which are known, and in which order they are looked for."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Final

import numpy as np

from curveclinic.points import FloatArray

COUNTERS: Final = (
    *("global_step", "global_steps", "step", "steps", "iteration", "iterations", "iter"),
    *("num_updates", "train_num_updates", "current_steps"),
)
"""Steps of an optimiser."""

AMOUNTS: Final = (
    *("iters", "n_iter", "num_iter", "train_step", "train_steps", "training_step", "training_steps", "trainer_step"),
    *("training_iteration", "train_iter", "train_iteration", "opt_step", "optimizer_step", "update_step"),
    *("gradient_step", "num_steps", "update", "updates", "n_updates"),
    *("timestep", "timesteps", "total_timesteps", "num_timesteps", "env_step", "env_steps"),
)
"""The same, or those of an environment; where they do not go up in most rows, they are how many one row stands for."""

TALLIES: Final = (
    *("token", "tokens", "tokens_seen", "n_tokens", "num_tokens", "total_tokens", "train_tokens", "consumed_tokens"),
    *("sample", "samples", "samples_seen", "n_samples", "num_samples", "total_samples", "consumed_samples"),
    *("train_samples", "consumed_train_samples", "examples_seen", "images_seen", "seen_samples", "seen_tokens"),
    *("batch", "batches", "batch_idx", "batch_id", "batch_index", "batch_num", "batch_no", "it"),
    *("minibatch", "mini_batch", "i"),
)
"""What a training has used up; where it does not go up from row to row, it is what one batch holds."""

COARSE: Final = ("epoch", "epochs", "round")

LOG_CALLS: Final = "_step"
"""W&B's count of log calls."""

ROW_NUMBERS: Final = ("index", "idx")

AXIS_NAMES: Final = (*COUNTERS, *AMOUNTS, *TALLIES, *COARSE, "episode", "episodes", LOG_CALLS, *ROW_NUMBERS)
"""The finest first."""

_PLACES: Final = {name: place for place, name in enumerate(AXIS_NAMES)}
_UNSURE: Final = frozenset((*TALLIES, "update", "updates", "episode", "episodes"))
"""Names that tables of data have, too; as steps they go up from row to row."""
_FOLDERS: Final = frozenset(("train", "training", "trainer", "time", "progress"))
"""What may stand before a name, as in `trainer/global_step`."""

_OFTEN: Final = 0.75
"""Share of the rows from which to the next amounts go up; of numbers by chance it is half."""

_MOSTLY: Final = 0.9
"""Share of the rows from which to the next unsure steps go up."""

_MOST_BACK: Final = 3
"""Steps that go back oftener, and are no counter by their name, start over with something that is not in the table."""


@lru_cache(maxsize=8192)
def axis_key(name: object) -> str:
    """Returns under which of `AXIS_NAMES` a column is a step column, "" for any other; `Global step` is one."""
    if not isinstance(name, str):
        return ""
    folder, _, own = name.strip().lower().rpartition("/")
    key = re.sub(r"[ .-]", "_", own)
    return key if key in _PLACES and (not folder or folder in _FOLDERS) else ""


def is_log_axis(name: object) -> bool:
    """Says whether a column is a step column that only a log has."""
    key = axis_key(name)
    return bool(key) and key not in _UNSURE


def is_counter(name: object) -> bool:
    """Says whether a column cannot but hold steps."""
    return is_log_axis(name) and axis_key(name) not in AMOUNTS


def in_order(names: Iterable[str]) -> list[str]:
    """Returns those of some columns that are named like steps, the finest first."""
    return sorted(filter(axis_key, names), key=lambda name: _PLACES[axis_key(name)])


def goes_up(steps: FloatArray, often: float = _OFTEN) -> bool:
    """Says whether steps go up in so many rows, and hardly ever back."""
    change = np.diff(steps)
    return bool((change > 0).sum() >= often * len(change) and (change < 0).sum() <= _MOST_BACK)


def counts_on(name: str, steps: FloatArray) -> bool:
    """Says whether numbers under a step's name can be steps."""
    return is_counter(name) or goes_up(steps, _MOSTLY if axis_key(name) in _UNSURE else _OFTEN)
