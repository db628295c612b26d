"""The one encoder of training and serving: a ragged batch in, bounded float32 arrays out.

Bins lie on one step axis for all channels of a run, from the first to the last finite loss point. A bin holds the
mean, the lowest and the highest of its points; a bin without a point is interpolated and marked. Losses are seen
in a linear view (own range, and the range train and val share) and in a logarithmic view relative to the train loss,
so no absolute unit reaches the network.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Final

import numpy as np
import numpy.typing as npt

from curveclinic.labels import CHANNELS
from curveclinic.measures import Cells
from curveclinic.model.features import features_of
from curveclinic.quantities import Measured, measured
from curveclinic.ragged import Batch, BoolArray, FloatArray
from curveclinic.smoothing import halves, middle_of_three, row_median, twice

ENCODER_VERSION: Final = "5"
"""Raised whenever an encoded value changes; the sidecar must carry the same."""

BINS: Final = 128

TENSOR_CHANNELS: Final = (
    "time",
    *(f"{name}__{view}" for name in ("train_loss", "val_loss")
      for view in ("own_mean", "own_low", "own_high", "joint_mean", "log_mean", "log_low", "log_high", "presence")),
    "gap_log",
    "train_metric__mean", "train_metric__presence",
    "val_metric__mean", "val_metric__presence",
    "lr__relative", "lr__log", "lr__presence",
    "grad_norm__log_mean", "grad_norm__log_high", "grad_norm__presence",
)  # fmt: skip
"""Rows of the encoded tensor, in order."""

_TIME: Final = np.linspace(-1, 1, BINS)
"""(BINS,) the row that says where in the run a bin is."""

_CENTRES: Final = (np.arange(BINS) + 0.5) / BINS
"""(BINS,) middle of each bin as a share of the run."""

_LIMIT: Final = 6.0
"""Bound of every encoded value."""


@dataclass(frozen=True, eq=False)
class Encoded:
    """n runs as the network takes them.

    Attributes:
        tensor: (n, len(TENSOR_CHANNELS), BINS) float32.
        features: (n, len(features.FEATURE_NAMES)) float32.
        start, stop: (n,) steps of the first and last bin edge; spans are shares between them.
    """

    tensor: npt.NDArray[np.float32]
    features: npt.NDArray[np.float32]
    start: FloatArray
    stop: FloatArray


def encode(batch: Batch) -> Encoded:
    """Encodes n runs; finite and bounded for any input."""
    return joined([encode_measured(piece) for piece in measured(batch)])


def joined(parts: Sequence[Encoded]) -> Encoded:
    """Returns consecutive pieces of a batch as one."""
    if len(parts) == 1:
        return parts[0]
    return Encoded(**{f.name: np.concatenate([getattr(part, f.name) for part in parts]) for f in fields(Encoded)})


@dataclass(frozen=True, eq=False)
class _Bins:
    """One channel in bins.

    Attributes:
        curves: (3, n, BINS) mean, low and high in view units.
        presence: (n, BINS) 1 point, 0 interpolated, -1 outside.
    """

    curves: FloatArray
    presence: FloatArray


def _bins(cells: Cells, start: FloatArray, stop: FloatArray) -> _Bins:
    """Bins of one channel; runs without it are zeros, and marked as outside."""
    rows = np.flatnonzero(cells.size > 0)
    if 0 < len(rows) == len(start):
        return _filled_bins(cells, start, stop)
    curves, presence = np.zeros((3, len(start), BINS)), np.full((len(start), BINS), -1.0)
    if len(rows):
        filled = _filled_bins(cells.take(rows), start[rows], stop[rows])
        curves[:, rows], presence[rows] = filled.curves, filled.presence
    return _Bins(curves, presence)


def _filled_bins(cells: Cells, start: FloatArray, stop: FloatArray) -> _Bins:
    start, span = start[:, None], np.maximum(stop - start, 1e-300)[:, None]
    centre = start + (stop[:, None] - start) * _CENTRES
    curves = np.empty((3, len(start), BINS))
    curves[:] = cells.at(centre)
    inside = (centre >= cells.steps[:, :1]) & (centre <= cells.steps[:, -1:])
    presence = np.where(inside, 0.0, -1.0)
    place = np.minimum(np.maximum((cells.steps - start) / span * BINS, 0), BINS - 1).astype(np.int64)
    bin_of = (np.arange(0, len(start) * BINS, BINS)[:, None] + place)[cells.real]
    edges = np.concatenate(([0], (bin_of[1:] != bin_of[:-1]).nonzero()[0] + 1, [len(bin_of)]))
    first = edges[:-1]
    at = bin_of[first]
    mean, low, high = curves.reshape(3, -1)
    mean[at] = np.add.reduceat(cells.mean[cells.real], first) / (edges[1:] - first)
    low[at] = np.minimum.reduceat(cells.low[cells.real], first)
    high[at] = np.maximum.reduceat(cells.high[cells.real], first)
    presence.reshape(-1)[at] = 1.0
    return _Bins(curves, presence)


def encode_measured(piece: Measured) -> Encoded:
    """Encodes runs whose measures are known already."""
    batch, losses = piece.batch, piece.losses
    start, stop = _axis(losses)
    tensor = np.zeros((batch.size, len(TENSOR_CHANNELS), BINS), dtype=np.float32)
    tensor[:, 0] = _TIME
    with np.errstate(all="ignore"):
        _fill_losses(tensor, losses, _bins(losses, twice(start), twice(stop)))
        for name, rows_of_channel in _COMPANIONS.items():
            cells, rows = piece.cells[name], _ROWS[name]
            if cells.size.any():
                tensor[:, rows] = np.stack(rows_of_channel(cells, _bins(cells, start, stop), batch.metric_sign), axis=1)
            else:
                tensor[:, rows.stop - 1] = -1.0
        _bound(tensor)
    return Encoded(tensor, features_of(piece), start, stop)


def _bound(tensor: npt.NDArray[np.float32]) -> None:
    """Keeps a tensor within the limits; what could not be calculated is 0."""
    np.minimum(np.maximum(tensor, -_LIMIT, out=tensor), _LIMIT, out=tensor)
    unknown = np.isnan(tensor)
    if unknown.any():
        tensor[unknown] = 0.0


def _axis(losses: Cells) -> tuple[FloatArray, FloatArray]:
    """First and last finite loss step of each run, 0 and 1 where there is none."""
    has = losses.size > 0
    start = np.minimum(*halves(np.where(has, losses.steps[:, 0], np.inf)))
    stop = np.maximum(*halves(np.where(has, losses.steps[:, -1], -np.inf)))
    some = np.logical_or(*halves(has))
    return np.where(some, start, 0.0), np.where(some, stop, 1.0)


def _raw(bins: FloatArray, cells: Cells, unit: FloatArray) -> FloatArray:
    """Bins (3, n, BINS) back from their view, divided by unit (n,)."""
    raw: FloatArray = bins * (cells.scale / unit)[:, None]
    log = cells.log.nonzero()[0]
    if len(log):
        log_unit = np.log(np.maximum(unit[log], 1e-300))[:, None]
        raw[:, log] = _exp(bins[:, log] - log_unit)
    return raw


def _exp(values: FloatArray) -> FloatArray:
    """Exponentials, none of them 0 or infinite."""
    out: FloatArray = np.exp(np.minimum(np.maximum(values, -700), 700))
    return out


def _fill_losses(tensor: npt.NDArray[np.float32], losses: Cells, bins: _Bins) -> None:
    """Writes the rows of both losses and of the gap between them, from train's n runs and then val's."""
    has = losses.size > 0
    size = np.where(losses.log, np.exp(np.minimum(losses.high.max(axis=1), 700.0)), losses.scale) * has
    unit = np.maximum(np.maximum(*halves(size)), 1e-300)
    raw = _raw(bins.curves, losses, twice(unit))
    low, high = _range(raw[0])
    joint_low = np.minimum(*halves(np.where(has, low, np.inf)))
    joint_high = np.maximum(*halves(np.where(has, high, -np.inf)))
    # logarithms relative to train's initial level (val's where there is no train)
    first = np.where(halves(has)[0], *halves(middle_of_three(*raw[0, :, :3].T)))
    use_log = np.logical_and(*halves(~has | (raw[1].min(axis=1) > 0))) & (first > 0)
    logs = _log_ratio(raw, twice(first), twice(use_log), twice(joint_low), twice(joint_high))
    lows, highs = np.array([low, low, low, twice(joint_low)]), np.array([high, high, high, twice(joint_high)])
    linear = _between(raw.take(_MEAN_LOW_HIGH_MEAN, axis=0), lows, highs)
    gap = np.subtract(*halves(logs[0])[::-1]) * 4.0
    if not has.all():
        linear[:, ~has] = logs[:, ~has] = 0.0
        gap[~np.logical_and(*halves(has))] = 0.0
    n = len(gap)
    rows = tensor[:, _LOSS_ROWS].reshape(n, 2, 8, BINS).transpose(2, 1, 0, 3)  # (8, 2, n, BINS), a view
    rows[:4], rows[4:7] = linear.reshape(4, 2, n, BINS), logs.reshape(3, 2, n, BINS)
    rows[7] = bins.presence.reshape(2, n, BINS)
    tensor[:, _LOSS_ROWS.stop] = gap


def _range(values: FloatArray) -> tuple[FloatArray, FloatArray]:
    """(n,) third lowest and third highest bin: a range that a spike of two bins leaves alone."""
    ordered = np.partition(values, (2, BINS - 3), axis=1)
    return ordered[:, 2], ordered[:, BINS - 3]


def _between(values: FloatArray, low: FloatArray, high: FloatArray) -> FloatArray:
    """Values (..., BINS) with -1 at low (...), 1 at high, compressed logarithmically outside."""
    unit: FloatArray = values - low[..., None]
    unit /= np.maximum(high - low, 1e-300)[..., None]
    unit *= 2.0
    unit -= 1.0
    far = np.abs(unit) > 1
    if far.any():
        outside = unit[far]
        unit[far] = np.copysign(1.0 + np.log(np.abs(outside)), outside)
    return unit


def _log_ratio(values: FloatArray, first: FloatArray, use: BoolArray, low: FloatArray, high: FloatArray) -> FloatArray:
    """log(value / first) / 2 for positive losses; (value - first) / range for the others."""
    ratio: FloatArray = np.maximum(values, 1e-300)
    ratio /= np.maximum(first, 1e-300)[:, None]
    np.log(ratio, out=ratio)
    ratio *= 0.5
    if use.all():
        return ratio
    linear = (values - first[:, None]) / np.maximum(high - low, 1e-300)[:, None]
    return np.where(use[:, None], ratio, linear)


def _metric_rows(cells: Cells, bins: _Bins, sign: FloatArray) -> list[FloatArray]:
    """A metric over its own range; larger is better after the sign."""
    mean = bins.curves[0]
    value = np.where(cells.log[:, None], _exp(mean), mean) * sign[:, None]
    low, high = _range(value)
    return [np.where((cells.size > 0)[:, None], _between(value, low, high), 0.0), bins.presence]


def _rate_rows(cells: Cells, bins: _Bins, _: FloatArray) -> list[FloatArray]:
    """The learning rate over its peak, and its logarithm."""
    mean = bins.curves[0]
    raw = np.where(cells.log[:, None], _exp(mean), mean * cells.scale[:, None])
    relative = raw / np.maximum(raw.max(axis=1, keepdims=True), 1e-300)
    has = (cells.size > 0)[:, None]
    logarithm = np.log10(np.maximum(relative, 1e-6)) / 3.0
    return [np.where(has, relative, 0.0), np.where(has, logarithm, 0.0), bins.presence]


def _gradient_rows(cells: Cells, bins: _Bins, _: FloatArray) -> list[FloatArray]:
    """Powers of ten of the gradient norm about its median."""
    mean, high = (_log10(x, cells) for x in bins.curves[::2])
    middle = row_median(mean)[:, None]
    has = (cells.size > 0)[:, None]
    return [np.where(has, mean - middle, 0.0), np.where(has, high - middle, 0.0), bins.presence]


def _log10(bins: FloatArray, cells: Cells) -> FloatArray:
    natural = np.where(cells.log[:, None], bins, np.log(np.maximum(bins * cells.scale[:, None], 1e-300)))
    return np.asarray(natural / np.log(10.0))


_COMPANIONS: Final[dict[str, Callable[[Cells, _Bins, FloatArray], list[FloatArray]]]] = {
    "train_metric": _metric_rows,
    "val_metric": _metric_rows,
    "lr": _rate_rows,
    "grad_norm": _gradient_rows,
}
"""Channel beside the losses -> its rows from its cells, its bins and the sign of the metric; presence is the last."""

_ROWS: Final[dict[str, slice]] = {
    name: slice(
        TENSOR_CHANNELS.index(next(row for row in TENSOR_CHANNELS if row.startswith(f"{name}__"))),
        TENSOR_CHANNELS.index(f"{name}__presence") + 1,
    )
    for name in CHANNELS
}
"""Channel -> its rows in the tensor."""

_MEAN_LOW_HIGH_MEAN: Final = np.array([0, 1, 2, 0])
"""What is shown of a loss's bins: all over its own range, the mean again over the range train and val share."""

_LOSS_ROWS: Final = slice(_ROWS["train_loss"].start, _ROWS["val_loss"].stop)
"""Rows of both losses; the gap between them follows."""


def to_steps(share: FloatArray, encoded: Encoded) -> FloatArray:
    """Steps (n, k) of shares (n, k) of the run."""
    return encoded.start[:, None] + share * (encoded.stop - encoded.start)[:, None]


def to_shares(steps: FloatArray, start: FloatArray, stop: FloatArray) -> FloatArray:
    """Shares (n, k) of the run of steps (n, k)."""
    return np.clip((steps - start[:, None]) / np.maximum(stop - start, 1e-300)[:, None], 0.0, 1.0)
