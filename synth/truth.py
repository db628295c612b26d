"""Labels by visible effect: the shared definitions applied to the latent curve within the logged window.

Noise is known here, not estimated: it is what the logger added. Textures (spikes, swings, patterns) are known from
their parts. What lies between "clearly absent" and "clearly present" is arguable: its target is silence, its weight
small.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Final

import numpy as np

from curveclinic import texture
from curveclinic.definitions import degrees
from curveclinic.degrees import above
from curveclinic.diagnosis import SEVERITIES
from curveclinic.jumps import visible_height
from curveclinic.labels import CHANNELS, LABELS, REQUIRED
from curveclinic.levels import Level, make_level
from curveclinic.measures import CELLS, MAD_TO_STD, Cells, cell_means, cells_of, segment_min
from curveclinic.quantities import Measured, channel_quantities, trend_quantities
from curveclinic.ragged import BoolArray, FloatArray, IntArray, Ragged
from curveclinic.rules import overrule
from curveclinic.severity import severities
from curveclinic.smoothing import even_grid, masked_median, resample, row_median
from curveclinic.spans import spans
from curveclinic.synth.logger import Logged
from curveclinic.synth.texture import SWINGS
from curveclinic.trends import Quantities

ARGUABLE_WEIGHT: Final = 0.2
"""Training weight of an arguable cell."""

ARGUABLE_TARGET: Final = 0.15
"""Training target of an arguable cell: silence, not denial."""

LOOKALIKE_WEIGHT: Final = 0.5
"""Training weight of a cell whose cause says no while the curve may well look like it."""

_DOUBT: Final = 0.3
"""Degree of what is neither clearly there nor clearly absent."""

_WINDOW: Final = 0.12
"""Share of the points an eye averages over when it judges a level."""

_ALSO_TRUE: Final = (
    ("train_stalled_val_falls", "not_learning"),
    ("train_stalled_val_falls", "underfitting"),
    ("no_generalization", "overfitting"),
    ("delayed_generalization", "overfitting"),
    ("noisy_validation", "val_spikes"),
    ("periodic_loss", "oscillation"),
)
"""(winner, loser) where a careful reader would not call the loser wrong."""

_HIGH: Final = LABELS.index("high_initial_loss")

_TINY: Final = 1e-12


@dataclass(frozen=True, eq=False)
class Truth:
    """What n runs truly show.

    Attributes:
        degree: (n, 20) in [0, 1]; 1 present, 0 absent, between arguable.
        checked: (n, 20) True where the label's channels are there.
        target, weight: (n, 20) for training.
        onset, end: (n, 20) steps, NaN where none; an end of NaN means to the last point.
        severe: (n, 20) 1.0 severe, 0.0 mild or notice.
    """

    degree: FloatArray
    checked: BoolArray
    target: FloatArray
    weight: FloatArray
    onset: FloatArray
    end: FloatArray
    severe: FloatArray

    def take(self, rows: IntArray) -> Truth:
        """Returns the given runs, in that order."""
        return Truth(**{f.name: getattr(self, f.name)[rows] for f in fields(self)})


def judge(logged: Logged, seen: Measured) -> Truth:
    """Labels n logged runs; seen is what can be measured on them."""
    q = seen.quantities | _latent_quantities(logged, seen.cells)
    degree = _doubt_textures(_doubt_causes(degrees(q), q, logged.parts), degrees(seen.quantities))
    degree = _settled(degree)
    checked = checked_labels(logged.clean.channels)  # what is NaN throughout shows nothing but that
    fact = LABELS.index("non_finite")
    checked[:, fact] = checked_labels(logged.batch.channels)[:, fact]
    degree = np.where(checked, np.nan_to_num(degree), 0.0)
    present, absent = degree >= 0.999, degree <= 1e-6
    target = np.where(present, 1.0, np.where(absent, 0.0, ARGUABLE_TARGET))
    weight = np.where(present | absent, 1.0, ARGUABLE_WEIGHT) * checked
    fast = _fast_learner(q, logged.parts) & ~absent[:, _HIGH]
    target[fast, _HIGH], weight[fast, _HIGH] = 0.0, LOOKALIKE_WEIGHT
    onset, end = spans(q)
    severe = (severities(q) >= SEVERITIES.index("severe")).astype(np.float64)
    return Truth(degree, checked, target, weight, onset, end, severe)


def checked_labels(channels: Mapping[str, Ragged]) -> BoolArray:
    """(n, 20) True where every channel a label needs has a point."""
    has = {name: channels[name].lengths > 0 for name in CHANNELS}
    either = [[np.logical_or.reduce([has[c] for c in group]) for group in REQUIRED[label]] for label in LABELS]
    return np.stack([np.logical_and.reduce(groups) for groups in either], axis=1)


def _doubt_causes(degree: FloatArray, q: Quantities, parts: Mapping[str, FloatArray]) -> FloatArray:
    """What only the cause can settle is arguable where the cause says otherwise."""
    out: FloatArray = degree.copy()
    excess = _excess(q, parts)
    falls_at_once = above(q["first_over_near"], 1.3, 2.0)
    out[:, _HIGH] = np.where(
        excess > 0,
        np.maximum(np.minimum(excess, falls_at_once), np.minimum(excess, _DOUBT)),
        np.minimum(out[:, _HIGH], _DOUBT),
    )
    j = LABELS.index("not_learning")
    # noise hides the descent, or a trained model is tuned at its level: silence is better than denial
    out[:, j] = np.where(parts["idle"] == 0, np.minimum(out[:, j], _DOUBT), out[:, j])
    # swings of the whole model about a flat level are swings, not idleness
    swings = np.minimum(above(q["t_swing"], 0.16, 0.32), above(q["t_swing_level"], 0.08, 0.16)) * (q["t_count"] >= 14)
    whole = (parts["swing_val"] > 0.5) | (q["t_swing_persistence"] > 0)
    swings *= (parts["swinging"] > 0) & whole & (out[:, LABELS.index("divergence")] < 0.5)
    out[:, j] = np.where(swings > 0, np.minimum(out[:, j], np.minimum(_DOUBT, 1 - swings)), out[:, j])
    j = LABELS.index("oscillation")
    out[:, j] = np.maximum(out[:, j], swings)
    j = LABELS.index("divergence")
    # another resolution or augmentation costs more; that nothing comes back need not be a fault
    out[:, j] = np.where(parts["jumped"] > 0, np.minimum(out[:, j], _DOUBT), out[:, j])
    j = LABELS.index("no_generalization")
    # val improves, but its own noise hides it
    out[:, j] = np.where(q["v_drop_rel"] > 0.05, np.minimum(out[:, j], _DOUBT), out[:, j])
    return out


def _excess(q: Quantities, parts: Mapping[str, FloatArray]) -> FloatArray:
    """(n,) degree to which the first loss lies above the cost of an untrained model, which is known here."""
    return above(q["first"] / parts["cost"], 2.0, 3.0) * (q["t_count"] >= 5)


def _fast_learner(q: Quantities, parts: Mapping[str, FloatArray]) -> BoolArray:
    """(n,) True where the run started no higher than an untrained model: a fast fall in a long log is no fault."""
    return np.nan_to_num(_excess(q, parts)) <= 0


def _settled(degree: FloatArray) -> FloatArray:
    """Labels that exclude each other: the loser is absent, or arguable where both describe the same thing."""
    out = overrule(degree)
    for winner, loser in _ALSO_TRUE:
        w, j = LABELS.index(winner), LABELS.index(loser)
        overruled = (degree[:, w] > 0) & (degree[:, j] > 0) & (out[:, j] < degree[:, j])
        out[:, j] = np.where(overruled, np.minimum(_DOUBT, degree[:, j]), out[:, j])
    return out


def _doubt_textures(degree: FloatArray, rule: FloatArray) -> FloatArray:
    """A texture nobody injected that noise happens to imitate is arguable, not absent."""
    out: FloatArray = degree.copy()
    for label in ("loss_spikes", "val_spikes", "noisy_validation", "periodic_loss", "oscillation"):
        j = LABELS.index(label)
        out[:, j] = np.where((degree[:, j] <= 0) & (rule[:, j] >= 0.9), _DOUBT, degree[:, j])
    return out


def _latent_quantities(logged: Logged, written: Mapping[str, Cells]) -> Quantities:
    """The quantities the definitions ask for, from the latent curve and the known parts."""
    losses = {name: _latent_loss(logged, name, written[name]) for name in logged.textured}
    cells = {name: cells for name, (cells, _, _) in losses.items()}
    levels = {name: level for name, (_, level, _) in losses.items()}
    for name in ("train_metric", "val_metric"):
        finite, clean = logged.batch.channels[name].finite(), logged.clean.channels[name]
        cells[name] = _without_noise(written[name], *cell_means(finite, _viewed(clean, written[name])))
    cells |= {"lr": written["lr"], "grad_norm": cells_of(logged.clean.channels["grad_norm"])}
    train, val = levels["train_loss"], levels["val_loss"]
    both = Level.stacked([train, val])
    q = trend_quantities(both)
    q |= channel_quantities(logged.clean, both, cells)
    for name in ("t_bad", "v_bad", "bad_first_step", "bad_last_step"):
        q.pop(name)  # a fact of the logged points
    train, val = (replace(level, noise=bare) for _, level, bare in losses.values())
    return q | _texture_truth(logged.parts, train, val, cells, written)


def _latent_loss(logged: Logged, name: str, written: Cells) -> tuple[Cells, Level, FloatArray]:
    """A loss without noise, in the view of the logged one: cells, level, and the bare noise (n,) of single points.

    The level's own noise is all that the logger and the textures added: either can hide a trend.
    """
    finite = logged.batch.channels[name].finite()
    curves = (finite, logged.clean.channels[name], logged.textured[name])
    values, clean, textured = (_viewed(curve, written) for curve in curves)
    mean, *added = cell_means(finite, clean, np.abs(values - clean), np.abs(values - textured))
    noise, bare = (_typical(distance, written) for distance in added)
    cells = _without_noise(written, mean)
    return cells, _level(finite, cells, noise), bare


def scatter_about(logged: Ragged, curve: Ragged, written: Cells) -> FloatArray:
    """(n,) robust standard deviation of logged points about a curve at the same points, in the logged curve's view."""
    distance = np.abs(_viewed(logged, written) - _viewed(curve, written))
    return _typical(cell_means(logged, distance)[0], written)


def _viewed(curve: Ragged, like: Cells) -> FloatArray:
    """(total,) values in the view of the logged curve; both have the same points."""
    out: FloatArray = curve.values / np.repeat(like.scale, curve.lengths)
    log = np.flatnonzero(np.repeat(like.log, curve.lengths))
    out[log] = np.log(np.maximum(curve.values[log], 1e-300))
    return out


def _without_noise(written: Cells, mean: FloatArray) -> Cells:
    """The logged cells with noise-free means; points scatter about them as they did."""
    return replace(written, mean=mean, low=mean, high=mean, cell_noise=np.zeros_like(written.cell_noise))


def _typical(distance: FloatArray, like: Cells) -> FloatArray:
    """(n,) robust standard deviation of points from their distances, (n, CELLS) means of cells."""
    # several points a cell: the mean absolute deviation; one point: the median absolute deviation
    return np.asarray(masked_median(distance, like.real) * np.where(like.count > 2 * CELLS, 1.2533, MAD_TO_STD))


def _level(logged: Ragged, clean: Cells, noise: FloatArray) -> Level:
    """The latent level with the noise the logger really added."""
    steps = even_grid(clean.steps[:, 0], clean.steps[:, -1], CELLS)
    error = noise / np.sqrt(1.0 + _WINDOW * clean.count)
    positive = np.nan_to_num(segment_min(logged.values, logged.offsets), nan=0.0) > 0
    view = resample(clean.steps, clean.mean, clean.size, steps)
    return make_level(steps, view, clean.log, clean.scale, error, noise, clean.count, positive)


def _texture_truth(
    parts: Mapping[str, FloatArray], train: Level, val: Level, clean: Mapping[str, Cells], written: Mapping[str, Cells]
) -> Quantities:
    """The texture quantities' names, filled from the parts instead of being estimated; levels carry bare noise."""
    out: Quantities = {}
    for prefix, level, name in (("t_", train, "spike"), ("v_", val, "val_spike")):
        out |= _jump_truth(parts[f"{name}_height"], parts[f"{name}_count"], level, prefix)
        there = parts[f"{name}_height"] > 0
        first, last = level.steps[:, 0], level.steps[:, -1]
        out[prefix + "jump_first"] = np.where(there, parts[f"{name}_first"], first)
        out[prefix + "jump_last"] = np.where(there, parts[f"{name}_last"], last)
    out["jump_shared"] = np.where(parts["val_spike_count"] > 0, 0.0, 1.0)
    out |= _swing_truth(parts, train, "t_", 1.0) | _swing_truth(parts, val, "v_", parts["swing_val"])
    out["swing_shared"] = np.where(parts["swing_val"] > 0.5, 0.9, 0.0) * (val.count > 0)
    return out | _period_truth(parts, train) | _jitter_truth(parts, val, clean, written)


def _jump_truth(height: FloatArray, count: FloatArray, level: Level, prefix: str) -> Quantities:
    """Jumps and their size in units of what can be seen; a linear view shows a log jump at the level's middle."""
    typical = row_median(np.abs(level.view))
    seen = np.where(level.log, height, np.expm1(np.minimum(height, 50.0)) * typical)
    size = np.where(level.log, 1.0, np.abs(level.view).mean(axis=1))
    limit = visible_height(level.noise, np.ptp(level.view, axis=1), size)
    return {prefix + "jumps": np.where(height > 0, count, 0.0), prefix + "jump_size": seen / limit}


def _swing_truth(parts: Mapping[str, FloatArray], level: Level, prefix: str, factor: FloatArray | float) -> Quantities:
    typical = np.abs(level.view).mean(axis=1)
    size = parts["swinging"] * factor * np.where(level.log, 1.0, typical)
    ordered = np.sort(level.view, axis=1)
    trend = ordered[:, int(0.98 * (CELLS - 1))] - ordered[:, int(0.02 * (CELLS - 1))]
    restless = np.isin(
        parts["swing_kind"], [SWINGS.index(kind) for kind in ("alternating", "wild")]
    )  # another value at every point
    turns = 2 * parts["swing_cycles"] / np.clip(level.count, 1, CELLS) + 0.05
    begin = level.steps[:, 0] + np.maximum(parts["swing_from"], 0.0) * (level.steps[:, -1] - level.steps[:, 0])
    return {
        prefix + "swing": 0.9 * size / np.maximum(trend, 0.02 * typical + _TINY) * (size > 1.2 * level.noise),
        prefix + "swing_level": 0.9 * parts["swinging"] * factor,
        prefix + "swing_persistence": np.where(restless, -0.5, 0.6),
        prefix + "swing_turns": np.where(restless, 0.5, turns),
        prefix + "swing_first": begin,
        prefix + "swing_last": level.steps[:, -1],
    }


def _period_truth(parts: Mapping[str, FloatArray], train: Level) -> Quantities:
    """A pattern's share of the variance about the trend, where it repeats often enough to be seen."""
    size = parts["period_size"] * np.where(train.log, 1.0, np.abs(train.view).mean(axis=1))
    ordered = np.sort(train.view, axis=1)
    spread = ordered[:, int(0.95 * (CELLS - 1))] - ordered[:, int(0.05 * (CELLS - 1))]
    visible = (parts["period"] >= 3) & (train.count >= 4.5 * parts["period"]) & (size > 0.015 * spread)
    strength = size**2 / np.maximum(size**2 + train.noise**2, 1e-300)
    return {"period_strength": np.where(visible, strength, 0.0), "period": parts["period"]}


def _jitter_truth(
    parts: Mapping[str, FloatArray], val: Level, clean: Mapping[str, Cells], written: Mapping[str, Cells]
) -> Quantities:
    """The shared jitter measure on what the logger added alone; swings that train makes too are no val noise."""
    seen = [written[name] for name in ("train_loss", "val_loss")]
    still = [clean[name] for name in ("train_loss", "val_loss")]
    added = [replace(cells, mean=cells.mean - level.mean) for cells, level in zip(seen, still, strict=True)]
    ratio, jitter = texture.jitter_ratio(Cells.stacked(added), Cells.stacked(seen))
    swung = parts["swinging"] * parts["swing_val"] > 0.5 * val.noise
    return {"v_noise_over_t": np.where(swung, 1.0, ratio), "v_jitter": np.where(swung, 0.0, jitter)}
