"""Logs that know the epoch of a batch: counters that start anew in each epoch, and rows that share their epoch.

Rows of one epoch that all hold a train loss are points of their own. They lie between their epoch and the next one; so
validation, logged once an epoch, keeps its place.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import numpy as np

from curveclinic.intake.naming import parse
from curveclinic.intake.vocabulary import tokens
from curveclinic.points import BoolArray, FloatArray, IntArray

_MOSTLY: Final = 0.5
"""Share of the rows above which rows that share their epoch with the row before are batches; of a row for the training
and one for validation, and of an epoch begun twice after a crash, it is half of them at most."""

_FEWEST: Final = 3
"""Rows from which on it is no chance that they share a rounded epoch: one may have lost its own."""

_FEWEST_MEANS: Final = 3
"""Values from which on a train loss is no average of the whole run."""

_ABREAST: Final = frozenset(
    (
        *("rank", "worker", "client", "cid", "node", "gpu", "device", "process", "replica", "shard", "agent", "site"),
        *("task", "class", "layer", "head", "member", "dataset", "domain", "language", "lang"),
        *("fold", "seed", "trial", "model", "optimizer", "config"),
    )
)
"""Words of columns that tell apart what is trained side by side."""

_NUMBERING: Final = frozenset(("id", "idx", "index", "no", "num", "name", "local", "global"))
"""Words beside them."""


def tells_abreast(name: str) -> bool:
    """Says whether a column is named like one that tells apart what is trained side by side: `rank`, `client_id`."""
    words = set(tokens(name)) - _NUMBERING
    return bool(words) and words <= _ABREAST and not parse(name).quantity


def logs_means(name: str, sizes: Mapping[str, int]) -> bool:
    """Says whether the mean of each epoch is logged beside a bare loss of batches: it is the train loss, then.

    Args:
        name: the loss of batches.
        sizes: name -> number of values, for all series.
    """
    own = parse(name)
    if own.split:
        return False
    likewise = (parse(other) for other, size in sizes.items() if size >= _FEWEST_MEANS)
    return any(n.split == "train" and (n.rank, n.component) == (own.rank, own.component) for n in likewise)


def run_on(steps: FloatArray, epochs: FloatArray, rows: IntArray) -> FloatArray:
    """Makes a counter that starts anew in each epoch run on through the epochs."""
    back = np.diff(steps[rows]) <= 0
    if not back.any():
        return steps
    forward = np.diff(epochs[rows]) > 0
    if not (back & forward).any() or (back & forward).sum() < 0.5 * forward.sum():
        return steps
    own = steps[rows]
    from_zero = float(np.median(np.diff(own)[~back])) if own.min() == 0 and not back.all() else 0.0
    unnested: FloatArray = steps + (epochs - epochs[rows[0]]) * (own.max() + from_zero)
    return unnested


def between_epochs(
    epochs: FloatArray, rows: IntArray, losses: FloatArray, *, begins: Sequence[int], abreast: Iterable[FloatArray]
) -> FloatArray:
    """Returns the step of each row: the k-th of m batches of an epoch lies at k / m of the way to the next one.

    A row without a train loss stays with the batch before it. Epochs are left as they are where rows that share one are
    no batches.

    Args:
        epochs: the epoch of each row.
        rows: rows that hold a train loss.
        losses: these losses.
        begins: rows before which the writer started over.
        abreast: cells, for each row, of columns that may tell apart what is trained side by side.
    """
    own = epochs[rows]
    shares = own[1:] == own[:-1]
    if not shares.any():
        return epochs
    shares[[i - 1 for i in np.searchsorted(rows, begins) if 0 < i < len(rows)]] = False
    if not _are_batches(own, shares, losses) or any(_once_an_epoch(own, cells[rows]) for cells in abreast):
        return epochs
    starts = np.append(0, np.flatnonzero(~shares) + 1)
    sizes = np.diff(np.append(starts, len(own)))
    ahead = np.diff(own[starts])
    gap = float(np.median(ahead[ahead > 0])) if (ahead > 0).any() else 1.0
    ahead = np.append(np.where(ahead > 0, ahead, gap), gap)
    may_be_torn = np.append(np.diff(own[starts]) <= 0, True)
    whole = np.where(may_be_torn, np.maximum(sizes, np.median(sizes)), sizes)
    place = np.arange(len(own)) - np.repeat(starts, sizes)
    batches = own + place * np.repeat(np.minimum(ahead, 1.0) / whole, sizes)
    return _with_rows_between(epochs, rows, batches)


def _are_batches(own: FloatArray, shares: BoolArray, losses: FloatArray) -> bool:
    """Whether rows that share their epoch are batches: most do, or epochs are rounded, and no loss is written twice."""
    logged = np.flatnonzero(np.isfinite(losses))
    if len(logged) < len(losses):
        own, losses = own[logged], losses[logged]
        shares = own[1:] == own[:-1]
    n_shared = np.count_nonzero(shares)
    is_rounded = bool((own % 1 != 0).any())
    if not (n_shared >= _FEWEST if is_rounded else n_shared > _MOSTLY * len(own)):
        return False
    moves = np.diff(losses) != 0
    return bool(moves[shares].any() or not moves[~shares].any())


def _once_an_epoch(own: FloatArray, cells: FloatArray) -> bool:
    """Whether a column has several values, and hardly one of them twice in an epoch; those that go back are new."""
    if (cells == cells[0]).all():
        return False
    anew = np.append(0, np.cumsum(np.diff(own) < 0))
    once = np.unique(np.stack((anew, own, cells)), axis=1)
    return bool(once.shape[1] > _MOSTLY * len(own))


def _with_rows_between(epochs: FloatArray, rows: IntArray, batches: FloatArray) -> FloatArray:
    """Steps of all rows: of those between batches that of the batch before, in the same epoch."""
    if len(rows) == len(epochs):
        return batches
    before = np.searchsorted(rows, np.arange(len(epochs)), side="right") - 1
    is_within = (before >= 0) & (epochs[rows[before]] == epochs)
    steps: FloatArray = np.where(is_within, batches[before], epochs)
    return steps
