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

from curveclinic.measures import Cells
from curveclinic.model.features import features_of
from curveclinic.quantities import Measured, measured
from curveclinic.ragged import Batch, BoolArray, FloatArray
from curveclinic.smoothing import middle_of_three, resample, row_median

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
    """One channel in bins, view units: mean, low, high (n, BINS) and presence (1 point, 0 interpolated, -1 outside)."""

    mean: FloatArray
    low: FloatArray
    high: FloatArray
    presence: FloatArray


def _bins(cells: Cells, start: FloatArray, stop: FloatArray) -> _Bins:
    """Bins of one channel; runs without it are zeros, and marked as outside."""
    rows = np.flatnonzero(cells.size > 0)
    if len(rows) == len(start):
        return _filled_bins(cells, start, stop)
    out = [np.zeros((len(start), BINS)) for _ in range(3)] + [np.full((len(start), BINS), -1.0)]
    if len(rows):
        filled = _filled_bins(cells.take(rows), start[rows], stop[rows])
        for whole, part in zip(out, (filled.mean, filled.low, filled.high, filled.presence), strict=True):
            whole[rows] = part
    return _Bins(*out)


def _filled_bins(cells: Cells, start: FloatArray, stop: FloatArray) -> _Bins:
    span = np.maximum(stop - start, 1e-300)[:, None]
    centre = start[:, None] + (stop - start)[:, None] * ((np.arange(BINS) + 0.5) / BINS)
    mean = resample(cells.steps, cells.mean, cells.size, centre)
    low, high = mean.copy(), mean.copy()
    inside = (centre >= cells.steps[:, :1]) & (centre <= cells.steps[:, -1:]) & (cells.size[:, None] > 0)
    presence = np.where(inside, 0.0, -1.0)
    place = np.clip((cells.steps - start[:, None]) / span * BINS, 0, BINS - 1).astype(np.int64)
    flat = (np.arange(len(start))[:, None] * BINS + place)[cells.real]
    if len(flat):
        first = np.flatnonzero(np.append(True, flat[1:] != flat[:-1]))
        at = flat[first]
        width = np.diff(np.append(first, len(flat)))
        mean.ravel()[at] = np.add.reduceat(cells.mean[cells.real], first) / width
        low.ravel()[at] = np.minimum.reduceat(cells.low[cells.real], first)
        high.ravel()[at] = np.maximum.reduceat(cells.high[cells.real], first)
        presence.ravel()[at] = 1.0
    return _Bins(mean, low, high, presence)


def encode_measured(piece: Measured) -> Encoded:
    """Encodes runs whose measures are known already."""
    batch, cells = piece.batch, piece.cells
    start, stop = _axis(cells)
    rows = [np.broadcast_to(np.linspace(-1, 1, BINS), (batch.size, BINS))]
    with np.errstate(all="ignore"):
        train, val = _bins(cells["train_loss"], start, stop), _bins(cells["val_loss"], start, stop)
        rows += _loss_rows(train, val, cells["train_loss"], cells["val_loss"])
        rows += _companion_rows(batch, cells, start, stop)
        tensor = _bounded(rows)
    return Encoded(tensor, features_of(batch, piece.quantities), start, stop)


def _bounded(rows: Sequence[FloatArray]) -> npt.NDArray[np.float32]:
    """(n, len(rows), BINS) within the limits; what could not be calculated is 0."""
    tensor = np.empty((len(rows[0]), len(rows), BINS), dtype=np.float32)
    np.stack(rows, axis=1, out=tensor, casting="same_kind")
    np.minimum(np.maximum(tensor, -_LIMIT, out=tensor), _LIMIT, out=tensor)
    unknown = np.isnan(tensor)
    if unknown.any():
        tensor[unknown] = 0.0
    return tensor


def _axis(cells: dict[str, Cells]) -> tuple[FloatArray, FloatArray]:
    """First and last finite loss step of each run; of the metric where there is no loss."""
    start, stop = np.full(len(cells["lr"].size), np.inf), np.full(len(cells["lr"].size), -np.inf)
    for name in ("train_loss", "val_loss"):
        has = cells[name].size > 0
        start = np.where(has, np.minimum(start, cells[name].steps[:, 0]), start)
        stop = np.where(has, np.maximum(stop, cells[name].steps[:, -1]), stop)
    return np.where(np.isfinite(start), start, 0.0), np.where(np.isfinite(stop), stop, 1.0)


def _raw(bins: FloatArray, cells: Cells, unit: FloatArray) -> FloatArray:
    """Bins back from their view, divided by unit (n,)."""
    raw: FloatArray = bins * (cells.scale / unit)[:, None]
    log = np.flatnonzero(cells.log)
    if len(log):
        log_unit = np.log(np.maximum(unit[log], 1e-300))[:, None]
        raw[log] = np.exp(np.clip(bins[log] - log_unit, -700, 700))
    return raw


def _loss_rows(train: _Bins, val: _Bins, tc: Cells, vc: Cells) -> list[FloatArray]:
    size = [np.where(c.log, np.exp(np.minimum(c.high.max(axis=1), 700.0)), c.scale) * (c.size > 0) for c in (tc, vc)]
    unit = np.maximum(np.maximum(size[0], size[1]), 1e-300)
    parts = []
    for bins, cells in ((train, tc), (val, vc)):
        parts.append([_raw(x, cells, unit) for x in (bins.mean, bins.low, bins.high)])
    has = [c.size > 0 for c in (tc, vc)]
    ranges = [_range(p[0]) for p in parts]
    lows = [np.where(h, low, np.inf) for (low, _), h in zip(ranges, has, strict=True)]
    highs = [np.where(h, high, -np.inf) for (_, high), h in zip(ranges, has, strict=True)]
    joint_low, joint_high = np.minimum(*lows), np.maximum(*highs)
    # logarithms relative to train's initial level (val's where there is no train)
    first = np.where(has[0], *(middle_of_three(*p[0][:, :3].T) for p in parts))
    positive = [np.where(h, p[1].min(axis=1) > 0, True) for p, h in zip(parts, has, strict=True)]
    use_log = positive[0] & positive[1] & (first > 0)
    rows: list[FloatArray] = []
    logs = []
    for (mean, low, high), bins, present, lo, hi in zip(parts, (train, val), has, lows, highs, strict=True):
        own = [_between(x, lo, hi) for x in (mean, low, high)]
        joint = _between(mean, joint_low, joint_high)
        relative = [_log_ratio(x, first, use_log, joint_low, joint_high) for x in (mean, low, high)]
        logs.append(relative[0])
        rows += [np.where(present[:, None], x, 0.0) for x in (*own, joint, *relative)] + [bins.presence]
    both = (has[0] & has[1])[:, None]
    rows.append(np.where(both, np.clip(4.0 * (logs[1] - logs[0]), -_LIMIT, _LIMIT), 0.0))
    return rows


def _range(values: FloatArray) -> tuple[FloatArray, FloatArray]:
    """(n,) third lowest and third highest bin: a range that a spike of two bins leaves alone."""
    ordered = np.partition(values, (2, BINS - 3), axis=1)
    return ordered[:, 2], ordered[:, BINS - 3]


def _between(values: FloatArray, low: FloatArray, high: FloatArray) -> FloatArray:
    """-1 at low, 1 at high, compressed logarithmically outside."""
    unit: FloatArray = (values - low[:, None]) / np.maximum(high - low, 1e-300)[:, None] * 2.0 - 1.0
    far = np.abs(unit) > 1
    if far.any():
        outside = unit[far]
        unit[far] = np.copysign(1.0 + np.log(np.abs(outside)), outside)
    return unit


def _log_ratio(values: FloatArray, first: FloatArray, use: BoolArray, low: FloatArray, high: FloatArray) -> FloatArray:
    """log(value / first) / 2 for positive losses; (value - first) / range for the others."""
    ratio: FloatArray = 0.5 * np.log(np.maximum(values, 1e-300) / np.maximum(first, 1e-300)[:, None])
    if use.all():
        return ratio
    linear = (values - first[:, None]) / np.maximum(high - low, 1e-300)[:, None]
    return np.where(use[:, None], ratio, linear)


def _companion_rows(batch: Batch, cells: dict[str, Cells], start: FloatArray, stop: FloatArray) -> list[FloatArray]:
    rows: list[FloatArray] = []
    for name, rows_of_channel in _COMPANIONS.items():
        if cells[name].size.any():
            rows += rows_of_channel(cells[name], _bins(cells[name], start, stop), batch.metric_sign)
        else:
            nothing, outside = (np.broadcast_to(value, (batch.size, BINS)) for value in (0.0, -1.0))
            rows += [nothing] * (sum(row.startswith(f"{name}__") for row in TENSOR_CHANNELS) - 1) + [outside]
    return rows


def _metric_rows(cells: Cells, bins: _Bins, sign: FloatArray) -> list[FloatArray]:
    """A metric over its own range; larger is better after the sign."""
    value = np.where(cells.log[:, None], np.exp(np.clip(bins.mean, -700, 700)), bins.mean) * sign[:, None]
    low, high = _range(value)
    return [np.where((cells.size > 0)[:, None], _between(value, low, high), 0.0), bins.presence]


def _rate_rows(cells: Cells, bins: _Bins, _: FloatArray) -> list[FloatArray]:
    """The learning rate over its peak, and its logarithm."""
    raw = np.where(cells.log[:, None], np.exp(np.clip(bins.mean, -700, 700)), bins.mean * cells.scale[:, None])
    relative = raw / np.maximum(raw.max(axis=1, keepdims=True), 1e-300)
    has = (cells.size > 0)[:, None]
    logarithm = np.log10(np.maximum(relative, 1e-6)) / 3.0
    return [np.where(has, relative, 0.0), np.where(has, logarithm, 0.0), bins.presence]


def _gradient_rows(cells: Cells, bins: _Bins, _: FloatArray) -> list[FloatArray]:
    """Powers of ten of the gradient norm about its median."""
    mean, high = (_log10(x, cells) for x in (bins.mean, bins.high))
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


def to_steps(share: FloatArray, encoded: Encoded) -> FloatArray:
    """Steps (n, k) of shares (n, k) of the run."""
    return encoded.start[:, None] + share * (encoded.stop - encoded.start)[:, None]


def to_shares(steps: FloatArray, start: FloatArray, stop: FloatArray) -> FloatArray:
    """Shares (n, k) of the run of steps (n, k)."""
    return np.clip((steps - start[:, None]) / np.maximum(stop - start, 1e-300)[:, None], 0.0, 1.0)
