"""The numbers the definitions speak of, for logged runs; the generator fills the same names from what it drew.

Trends come from smooth levels (`trends.py`), texture from the points about them (`texture.py`), the rest from the
optional channels (`extras.py`).
"""

from __future__ import annotations

from curveclinic.extras import channel_quantities
from curveclinic.levels import Level, level_of, make_level, raw_pair
from curveclinic.measures import Cells, cells_of
from curveclinic.ragged import Batch
from curveclinic.texture import texture_quantities
from curveclinic.trends import Quantities, trend_quantities

__all__ = [
    "Level",
    "Quantities",
    "channel_quantities",
    "level_of",
    "logged_quantities",
    "make_level",
    "raw_pair",
    "texture_quantities",
    "trend_quantities",
]


def logged_quantities(batch: Batch) -> tuple[Quantities, dict[str, Level], dict[str, Cells]]:
    """All quantities of logged runs, with the levels and cells they were read from."""
    cells = {name: cells_of(channel) for name, channel in batch.channels.items()}
    levels = {name: level_of(cells[name]) for name in ("train_loss", "val_loss")}
    q = trend_quantities(levels["train_loss"], levels["val_loss"])
    q |= texture_quantities(batch, cells) | channel_quantities(batch, levels, cells)
    return q, levels, cells
