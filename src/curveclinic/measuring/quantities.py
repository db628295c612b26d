"""The numbers the definitions speak of, for logged runs; the generator fills the same names from what it drew.

Trends come from smooth levels (`trends.py`, `pairs.py`), texture from the points about them (`texture.py`), the rest
from the optional channels (`courses.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from curveclinic.kept import kept
from curveclinic.labels import CHANNELS, LOSSES
from curveclinic.measuring.courses import channel_quantities
from curveclinic.measuring.directions import Directions, directions_of
from curveclinic.measuring.levels import Level, in_log, level_of
from curveclinic.measuring.measures import Cells, View, cells_in, no_cells
from curveclinic.measuring.pairs import pair_quantities
from curveclinic.measuring.smoothing import row_numbers, swap_losses
from curveclinic.measuring.texture import texture_quantities
from curveclinic.measuring.trends import Quantities, loss_quantities
from curveclinic.ragged import Batch, IntArray, Ragged

_BESIDE = tuple(name for name in CHANNELS if name not in LOSSES)

_CHUNK = 256
"""Runs measured together: fewer spend more of the time on calls; far more of them leave the processor's cache."""

_POINTS = 1 << 19
"""Finite points measured together beyond those of one run: bounds memory."""


@dataclass(eq=False)
class Measured:
    """Runs with everything measured on them: what the rules judge and the encoder encodes.

    Attributes:
        batch: the runs, the direction of every metric decided.
        rows: (n,) which runs these are of the batch that was cut into pieces.
        quantities: name -> (n,).
        companions: the channels beside the losses reduced to cells.
        losses: both losses reduced to cells as one channel: train's n runs, then val's.
        level: smooth levels of both losses, in the same order.
        view: the points of both losses in their view, in the same order.
        directions: which way the metrics get better, and how that was told.
    """

    batch: Batch
    rows: IntArray
    quantities: Quantities
    companions: dict[str, Cells]
    losses: Cells
    level: Level
    view: View
    directions: Directions

    @kept
    def cells(self) -> dict[str, Cells]:
        """Every channel reduced to cells."""
        n = self.batch.size
        return {"train_loss": self.losses.part(0, n), "val_loss": self.losses.part(n, 2 * n)} | self.companions


def measure(batch: Batch, rows: IntArray | None = None) -> Measured:
    """Measures logged runs as one piece; `measured` cuts a large batch into pieces that stay in the cache.

    Args:
        batch: n runs.
        rows: (n,) which runs these are of another batch.
    """
    n, channels = batch.size, batch.channels
    # all channels at once: for a single run the number of calls is what takes the time
    beside = [name for name in _BESIDE if len(channels[name].values)]
    view = View.of_finite(Ragged.stacked([channels[name].finite() for name in (*LOSSES, *beside)]))
    together = cells_in(view)
    companions = dict.fromkeys(_BESIDE, no_cells(n))
    for k, name in enumerate(beside, len(LOSSES)):
        companions[name] = together.part(k * n, (k + 1) * n)
    losses = together.part(0, 2 * n)
    level = level_of(losses)
    directions = directions_of(batch.metric_sign, level, losses, companions)
    batch = replace(batch, metric_sign=directions.sign)
    of_channels = channel_quantities(batch, losses, level, companions)
    q = trend_quantities(level) | texture_quantities(view.points.part(0, n), losses) | of_channels
    rows = row_numbers(n) if rows is None else rows
    return Measured(batch, rows, q, companions, losses, level, view.part(0, 2 * n), directions)


def trend_quantities(losses: Level) -> Quantities:
    """Everything that depends on smooth levels alone; names carry t_ for train, v_ for val.

    One run has one view: where either loss spans decades, both are looked at in logarithms.

    Args:
        losses: train's n runs, then val's.
    """
    own = losses.log & (losses.count > 0)
    log = own | swap_losses(own)
    one_view = in_log(losses, log) if np.count_nonzero(log) else losses
    return loss_quantities(one_view) | pair_quantities(losses, log[: len(log) // 2])


def measured(batch: Batch) -> Iterator[Measured]:
    """Yields the batch in measured pieces; one empty piece for an empty batch.

    Runs of one shape come together, as little then depends on the run; `Measured.rows` says where they belong.
    """
    if batch.size <= _CHUNK:
        yield measure(batch)
        return
    order, start = batch.by_shape(), 0
    points = np.add.accumulate(np.add.reduce(np.maximum(batch.finite_counts, 0), axis=1)[order])  # up to each run
    while start < batch.size:
        most = points[start] + _POINTS
        stop = min(start + _CHUNK, int(points.searchsorted(most, side="right")))
        rows = order[start:stop]
        yield measure(batch.take(rows), rows)
        start = stop


def places_of(pieces: Iterable[IntArray]) -> IntArray:
    """(n,) place of every run of a batch among the runs of its pieces, by their `Measured.rows`."""
    parts = list(pieces)
    return parts[0] if len(parts) == 1 else np.argsort(np.concatenate(parts))
