"""The runs of a batch that get a closer look: whether these are learning curves at all is asked in `doubt.py`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from curveclinic.levels import EPS, Level
from curveclinic.measures import Cells
from curveclinic.quantities import Measured, Quantities
from curveclinic.ragged import FloatArray, IntArray
from curveclinic.smoothing import row_spread

_LOOK: Final = 0.25
"""Share of the range that is still covered in the second half, from which a run gets a closer look."""

_LOSSES: Final = ("train_loss", "val_loss")

_READ: Final = ("lr_cycles", "swing_shared", "v_drop_snr", "v_drop_noise", "v_rise_drop")
"""Quantities that are read."""


@dataclass(eq=False)
class Suspects:
    """What was measured on the runs that get a closer look, by name of the quantity and of the loss.

    Attributes:
        rows: (m,) their rows among all runs.
        late: (m,) share of train's range that is still covered in the second half.
        quantities: those that are read.
        levels, cells: of both losses.
    """

    rows: IntArray
    late: FloatArray
    quantities: Quantities
    levels: dict[str, Level]
    cells: dict[str, Cells]

    @classmethod
    def joined(cls, parts: Sequence[Suspects]) -> Suspects:
        """Returns the suspects of several pieces as those of one."""
        if len(parts) == 1:
            return parts[0]
        return cls(
            np.concatenate([part.rows for part in parts]),
            np.concatenate([part.late for part in parts]),
            {name: np.concatenate([part.quantities[name] for part in parts]) for name in _READ},
            {name: Level.stacked([part.levels[name] for part in parts]) for name in _LOSSES},
            {name: Cells.stacked([part.cells[name] for part in parts]) for name in _LOSSES},
        )


def suspects_in(piece: Measured) -> Suspects | None:
    """Returns the runs of a piece that get a closer look, None for none."""
    n, q = piece.batch.size, piece.quantities
    level = piece.level
    whole, half = (level.top - level.bottom)[:n], row_spread(level.view[:n, level.view.shape[1] // 2 :])
    not_finite = (q["t_bad"] > 0) | (q["v_bad"] > 0)
    # most trainings have done nearly everything by half of their time: they need no closer look
    rows = (~not_finite & ((half >= _LOOK * whole) | (whole == 0))).nonzero()[0]
    if not len(rows):
        return None
    levels = {name: level.take(rows + k * n) for k, name in enumerate(_LOSSES)}
    cells = {name: piece.losses.take(rows + k * n) for k, name in enumerate(_LOSSES)}
    late = half[rows] / np.maximum(whole[rows], EPS)
    return Suspects(piece.rows[rows], late, {name: q[name][rows] for name in _READ}, levels, cells)
