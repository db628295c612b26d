"""Losses that a logger wrote as 0 because they were NaN.

Hugging Face's Trainer replaces a NaN loss before it is logged (`logging_nan_inf_filter`, on by default): what is
written is 0, and only the gradient norm beside it tells.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from curveclinic.points import FloatArray, Points


def revealed(channels: Mapping[str, Points]) -> tuple[dict[str, Points], tuple[str, ...]]:
    """Returns the channels with NaN for each train loss of exactly 0 whose gradient norm is not finite, and a note."""
    out = dict(channels)
    if "train_loss" not in out or "grad_norm" not in out:
        return out, ()
    (steps, losses), (norm_steps, norms) = _points(out["train_loss"]), _points(out["grad_norm"])
    hidden = (losses == 0) & np.isin(steps, norm_steps[~np.isfinite(norms)])
    if not hidden.any():
        return out, ()
    out["train_loss"] = (out["train_loss"][0], np.where(hidden, np.nan, losses))
    first = f"{float(steps[hidden][0]):.12g}"
    return out, (f"train_loss is 0 where grad_norm is not finite, first at step {first}: taken as NaN that was hidden",)


def _points(points: Points) -> tuple[FloatArray, FloatArray]:
    """Steps, places where there are none, and values."""
    steps, values = points[0], np.asarray(points[1], dtype=np.float64)
    return np.arange(1.0, len(values) + 1) if steps is None else np.asarray(steps, dtype=np.float64), values
