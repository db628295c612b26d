"""What is said of a metric nobody gave a direction: which one was taken, and how to say it."""

from __future__ import annotations

from typing import Final

import numpy as np

from curveclinic.ragged import BoolArray

UNCLEAR_REASON: Final = "the metric falls beside its loss, and nobody says which way it gets better"
"""Why a mismatch of loss and metric is not judged."""

_UNCLEAR_NOTE: Final = (
    "metric_mismatch is judged where metric_goal (--metric-goal) says which way the metric gets better"
)
_INFERRED_NOTE: Final = (
    "the metric falls in step with its loss, so smaller is taken for better: metric_goal (--metric-goal) decides"
)


def direction_notes(inferred: BoolArray, withheld: BoolArray) -> dict[int, tuple[str, ...]]:
    """Returns run -> the note on its metric.

    Args:
        inferred: (n,) runs whose metric is taken for an error by its curve.
        withheld: (n,) runs of which a mismatch is not judged, as nobody can say which way the metric gets better.
    """
    notes = dict.fromkeys(np.flatnonzero(inferred).tolist(), (_INFERRED_NOTE,))
    return notes | dict.fromkeys(np.flatnonzero(withheld).tolist(), (_UNCLEAR_NOTE,))
