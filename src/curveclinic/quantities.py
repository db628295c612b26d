"""The numbers the definitions speak of, for logged runs; the generator fills the same names from what it drew.

Trends come from smooth levels (`trends.py`), texture from the points about them (`texture.py`), the rest from the
optional channels (`extras.py`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from curveclinic.extras import channel_quantities
from curveclinic.levels import Level, level_of, make_level, raw_pair
from curveclinic.measures import Cells, cells_of
from curveclinic.ragged import Batch
from curveclinic.texture import texture_quantities
from curveclinic.trends import Quantities, trend_quantities

__all__ = [
    "Level",
    "Measured",
    "Quantities",
    "channel_quantities",
    "level_of",
    "make_level",
    "measure",
    "measured",
    "raw_pair",
    "texture_quantities",
    "trend_quantities",
]

_CHUNK = 256
"""Runs measured together: a few hundred keep every (runs, cells) array in the processor's cache."""


@dataclass(frozen=True, eq=False)
class Measured:
    """Runs with everything measured on them: what the rules judge and the encoder encodes.

    Attributes:
        batch: the runs.
        quantities: name -> (n,).
        levels: smooth levels of both losses.
        cells: every channel reduced to cells.
    """

    batch: Batch
    quantities: Quantities
    levels: dict[str, Level]
    cells: dict[str, Cells]


def measure(batch: Batch) -> Measured:
    """Measures logged runs as one piece; `measured` cuts a large batch into pieces that stay in the cache."""
    cells = {name: cells_of(channel) for name, channel in batch.channels.items()}
    levels = {name: level_of(cells[name]) for name in ("train_loss", "val_loss")}
    q = trend_quantities(levels["train_loss"], levels["val_loss"])
    q |= texture_quantities(batch, cells) | channel_quantities(batch, levels, cells)
    return Measured(batch, q, levels, cells)


def measured(batch: Batch) -> Iterator[Measured]:
    """Yields the batch in measured pieces, in order; one empty piece for an empty batch."""
    if batch.size <= _CHUNK:
        yield measure(batch)
        return
    for start in range(0, batch.size, _CHUNK):
        yield measure(batch.part(start, min(start + _CHUNK, batch.size)))
