"""The one encoder of training and serving: a ragged batch in, bounded float32 arrays out.

Bins (`bins.py`) lie on one step axis for all channels of a run, from the first to the last finite loss point. Losses
are seen in a linear view (own range, and the range train and val share) and in a logarithmic view relative to the train
loss, so no absolute unit reaches the network. Differences are taken in float64; what they are shown as is float32.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from curveclinic.labels import CHANNELS, LOSSES
from curveclinic.measuring.measures import Cells
from curveclinic.measuring.quantities import Measured, measured, places_of
from curveclinic.measuring.smoothing import (
    middle_of_three,
    repeat_for_both,
    row_median,
    row_min,
    split_losses,
    swap_losses,
)
from curveclinic.model.bins import BINS, Bins, bins_of
from curveclinic.model.features import features_of
from curveclinic.ragged import Batch, BoolArray, FloatArray, IntArray
from curveclinic.records import joined

ENCODER_VERSION: Final = "8"
"""Raised whenever an encoded value changes; the sidecar must carry the same."""

TENSOR_CHANNELS: Final = (
    "time",
    *(f"{name}__{view}" for name in LOSSES
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

_SMALLEST: Final = 1e-37
"""Smallest loss, and smallest range of losses, in units of the largest: near the smallest float32."""

Tensor = npt.NDArray[np.float32]


@dataclass(eq=False)
class Encoded:
    """n runs as the network takes them.

    Attributes:
        tensor: (n, len(TENSOR_CHANNELS), BINS) float32.
        features: (n, len(features.FEATURE_NAMES)) float32.
        start, stop: (n,) steps of the first and last bin edge; spans are shares between them.
    """

    tensor: Tensor
    features: npt.NDArray[np.float32]
    start: FloatArray
    stop: FloatArray

    def without_curves(self) -> Encoded:
        """Returns the same but for the curves, which take much room."""
        return Encoded(self.tensor[:, :0], self.features, self.start, self.stop)


def encode(batch: Batch) -> Encoded:
    """Encodes n runs; finite and bounded for any input."""
    parts = [(encode_measured(piece), piece.rows) for piece in measured(batch)]
    return joined([part for part, _ in parts], places_of(rows for _, rows in parts))


def encode_measured(piece: Measured) -> Encoded:
    """Encodes runs whose measures are known already."""
    batch, losses = piece.batch, piece.losses
    n, (starts, stops) = batch.size, _axis(losses)
    start, stop = starts[:n], stops[:n]
    tensor = np.empty((n, *_BLANK.shape), dtype=np.float32)
    tensor[:, : _LOSS_ROWS.start], tensor[:, _LOSS_ROWS.stop :] = _BLANK[: _LOSS_ROWS.start], _BLANK[_LOSS_ROWS.stop :]
    with np.errstate(all="ignore"):
        _fill_losses(tensor, losses, bins_of(losses, starts, stops))
        for name in _COMPANIONS:
            if len(batch.channels[name].values):
                _fill_companion(tensor[:, _ROWS[name]], name, piece, bins_of(piece.companions[name], start, stop))
    return Encoded(tensor, features_of(piece), start, stop)


def _axis(losses: Cells) -> tuple[FloatArray, FloatArray]:
    """(2 n,) first and last finite loss step of the run that each loss belongs to, 0 and 1 where there is none."""
    first = _filled(losses.steps[:, 0], losses.absent, np.inf)
    last = _filled(losses.steps[:, -1], losses.absent, -np.inf)
    start, stop = np.minimum(first, swap_losses(first)), np.maximum(last, swap_losses(last))
    if len(losses.absent):
        none = np.isinf(start)
        start[none], stop[none] = 0.0, 1.0
    return start, stop


def _filled(values: FloatArray, absent: IntArray, filler: float) -> FloatArray:
    """Values (n,) with a filler at the rows (k,) of absent channels."""
    if not len(absent):
        return values
    out: FloatArray = values.copy()
    out[absent] = filler
    return out


def _to_raw(bins: FloatArray, cells: Cells, unit: FloatArray) -> None:
    """Takes bins (3, n, BINS) back from their view, divided by unit (n,), in place: a copy would not fit the cache."""
    log, factor = cells.log.nonzero()[0], cells.scale / unit
    factor[log] = 1.0
    bins *= factor[:, None]
    if len(log):
        bins[:, log] = _exp(bins[:, log] - np.log(np.maximum(unit[log], 1e-300))[:, None])


def _exp(values: FloatArray) -> FloatArray:
    """Exponentials, none of them 0 or infinite."""
    out: FloatArray = np.exp(np.minimum(np.maximum(values, -700), 700))
    return out


def _fill_losses(tensor: Tensor, losses: Cells, bins: Bins) -> None:
    """Writes the rows of both losses and of the gap between them, from train's n runs and then val's."""
    rows, gap = _loss_rows(losses, bins.curves)
    n, absent = len(gap), losses.absent
    if len(absent):
        rows[:, absent] = 0.0
        gap[absent % n] = 0.0
    places = tensor[:, _LOSS_ROWS].reshape(n, 2, 8, BINS).transpose(2, 1, 0, 3)  # (8, 2, n, BINS), a view
    places[:7], places[7] = rows.reshape(7, 2, n, BINS), bins.presence.reshape(2, n, BINS)
    tensor[:, _LOSS_ROWS.stop] = gap


def _loss_rows(losses: Cells, curves: FloatArray) -> tuple[Tensor, Tensor]:
    """Rows (7, 2 n, BINS) of both losses but for the presence, and the gap between them (n, BINS).

    The curves (3, 2 n, BINS) are overwritten.
    """
    absent, largest = losses.absent, losses.scale
    if np.count_nonzero(losses.log):
        largest = np.where(losses.log, np.exp(np.minimum(losses.highest, 700.0)), largest)
    largest = _filled(largest, absent, 0.0)
    raw = curves
    _to_raw(raw, losses, np.maximum(np.maximum(largest, swap_losses(largest)), 1e-300))
    low, high = _range(raw[0])
    own_low, own_high = _filled(low, absent, np.inf), _filled(high, absent, -np.inf)
    joint_low, joint_high = np.minimum(own_low, swap_losses(own_low)), np.maximum(own_high, swap_losses(own_high))
    positive = _filled(row_min(raw[1]), absent, np.inf) > 0
    n = len(largest) // 2
    # logarithms relative to train's initial level (val's where there is no train)
    first, of_val = split_losses(middle_of_three(*raw[0, :, :3].T))
    if len(absent):
        first = np.where(losses.size[:n] > 0, first, of_val)
    first = repeat_for_both(first)
    use_log = positive & swap_losses(positive) & (first > 0)
    both = np.empty((15, n, BINS), dtype=np.float32)
    rows, gap = both[:14].reshape(7, 2 * n, BINS), both[14]
    _scale(raw, low, high, out=rows[:3])
    _scale(raw[0], joint_low, joint_high, out=rows[3])
    _compress(rows[:4])
    _log_ratio(raw, first, use_log, joint_high - joint_low, out=rows[4:])
    np.subtract(rows[4, n:], rows[4, :n], out=gap)
    gap *= 4.0
    _bound(both)
    return rows, gap


def _range(values: FloatArray) -> tuple[FloatArray, FloatArray]:
    """(n,) third lowest and third highest bin: a range that a spike of two bins leaves alone."""
    ordered = values.copy()
    ordered.sort(axis=1)  # faster than a partition in rows of this length
    return ordered[:, 2], ordered[:, -3]


def _scale(values: FloatArray, low: FloatArray, high: FloatArray, *, out: Tensor) -> None:
    """Writes values (..., n, BINS) with -1 at low (n,) and 1 at high."""
    np.subtract(values, low[:, None], out=out, casting="same_kind")
    out *= (2.0 / np.maximum(high - low, _SMALLEST)).astype(np.float32)[:, None]
    out -= 1.0


def _compress(values: Tensor) -> None:
    """Compresses what lies outside -1 to 1 logarithmically, in place; values are contiguous."""
    flat = values.reshape(-1)  # a view
    places = (np.abs(flat) > 1.0).nonzero()[0]
    outside = flat[places]
    flat[places] = np.copysign(1.0 + np.log(np.abs(outside)), outside)


def _log_ratio(values: FloatArray, first: FloatArray, use: BoolArray, span: FloatArray, *, out: Tensor) -> None:
    """Writes log(value / first) / 2 for positive losses (k, n, BINS); (value - first) / span for the others."""
    np.maximum(values, _SMALLEST, out=out, casting="same_kind")
    out /= np.maximum(first, _SMALLEST).astype(np.float32)[:, None]
    np.log(out, out=out)
    out *= 0.5
    others = (~use).nonzero()[0]
    if len(others):
        apart = values[:, others] - first[others, None]
        out[:, others] = apart / np.maximum(span[others], 1e-300)[:, None]


def _bound(values: Tensor) -> None:
    """Keeps values within the limits; what could not be calculated is 0."""
    values.clip(-_LIMIT, _LIMIT, out=values)
    if np.isnan(np.maximum.reduce(values, axis=None, initial=0.0)):
        values[np.isnan(values)] = 0.0


def _fill_companion(rows: Tensor, name: str, piece: Measured, bins: Bins) -> None:
    """Writes the rows (n, k, BINS) of a channel beside the losses; presence is the last."""
    cells = piece.companions[name]
    for k, values in enumerate(_COMPANIONS[name](cells, bins, piece.batch.metric_sign)):
        rows[:, k] = values
    _bound(rows[:, :-1])
    rows[cells.size == 0] = 0.0
    rows[:, -1] = bins.presence


def _metric_rows(cells: Cells, bins: Bins, sign: FloatArray) -> tuple[Tensor]:
    """A metric over its own range; larger is better after the sign."""
    mean = bins.curves[0]
    relative = _exp(mean - mean.max(axis=1, keepdims=True))
    value = np.where(cells.log[:, None], relative, mean) * sign[:, None]
    shown = np.empty(value.shape, dtype=np.float32)
    _scale(value, *_range(value), out=shown)
    _compress(shown)
    return (shown,)


def _rate_rows(cells: Cells, bins: Bins, _: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The learning rate over its peak, and its logarithm."""
    mean = bins.curves[0]
    raw = np.where(cells.log[:, None], _exp(mean), mean * cells.scale[:, None])
    relative = raw / np.maximum(raw.max(axis=1, keepdims=True), 1e-300)
    return relative, np.log10(np.maximum(relative, 1e-6)) / 3.0


def _gradient_rows(cells: Cells, bins: Bins, _: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Powers of ten of the gradient norm about its median."""
    mean, high = (_log10(x, cells) for x in bins.curves[::2])
    middle = row_median(mean)[:, None]
    return mean - middle, high - middle


def _log10(bins: FloatArray, cells: Cells) -> FloatArray:
    natural = np.where(cells.log[:, None], bins, np.log(np.maximum(bins * cells.scale[:, None], 1e-300)))
    return np.asarray(natural / np.log(10.0))


_COMPANIONS: Final[dict[str, Callable[[Cells, Bins, FloatArray], tuple[npt.NDArray[np.floating], ...]]]] = {
    "train_metric": _metric_rows,
    "val_metric": _metric_rows,
    "lr": _rate_rows,
    "grad_norm": _gradient_rows,
}
"""Channel beside the losses -> its rows but for the presence, from its cells, its bins and the sign of the metric."""

_ROWS: Final[dict[str, slice]] = {
    name: slice(
        TENSOR_CHANNELS.index(next(row for row in TENSOR_CHANNELS if row.startswith(f"{name}__"))),
        TENSOR_CHANNELS.index(f"{name}__presence") + 1,
    )
    for name in CHANNELS
}
"""Channel -> its rows in the tensor."""

_LOSS_ROWS: Final = slice(_ROWS["train_loss"].start, _ROWS["val_loss"].stop)
"""Rows of both losses; the gap between them follows."""


def _blank() -> Tensor:
    """(len(TENSOR_CHANNELS), BINS) a run without a channel: the time from -1 to 1, and that all bins are outside."""
    tensor = np.zeros((len(TENSOR_CHANNELS), BINS), dtype=np.float32)
    tensor[0] = np.linspace(-1, 1, BINS)
    tensor[[rows.stop - 1 for rows in _ROWS.values()]] = -1.0
    return tensor


_BLANK: Final = _blank()


def to_steps(share: FloatArray, encoded: Encoded) -> FloatArray:
    """Steps (n, k) of shares (n, k) of the run."""
    return encoded.start[:, None] + share * (encoded.stop - encoded.start)[:, None]


def to_shares(steps: FloatArray, start: FloatArray, stop: FloatArray) -> FloatArray:
    """Shares (n, k) of the run of steps (n, k)."""
    return np.clip((steps - start[:, None]) / np.maximum(stop - start, 1e-300)[:, None], 0.0, 1.0)
