"""Swings, spikes and patterns of n runs as additions to the log level, and what is known about them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from curveclinic.measuring.measures import segment_max
from curveclinic.ragged import BoolArray, FloatArray, IntArray, offsets_of
from curveclinic.synth import texture
from curveclinic.synth.plan import Plan
from curveclinic.synth.sampling import Axis, LossAxis, nearest
from curveclinic.synth.swings import swings


@dataclass(frozen=True, eq=False)
class Overlay:
    """What rides on the losses.

    Attributes:
        train, val: (total,) additions to the log level.
        spikes: (total,) the part of `train` that is spikes; gradients see it.
        parts: what was added, by name, (n,) each: heights in log level, first and last place in steps, counts, and the
            plan's numbers for swings and patterns.
    """

    train: FloatArray
    val: FloatArray
    spikes: FloatArray
    parts: dict[str, FloatArray]


def overlay(rng: np.random.Generator, plan: Plan, t: LossAxis, v: LossAxis) -> Overlay:
    """Draws the textures of n runs; t and v are the axes of train and val."""
    t_wave, v_wave = _waves(rng, plan, t, v)
    none = np.zeros(plan.size)
    spikes = texture.spike_train(rng, t.offsets, plan.spikes, plan.spike_size, plan.spike_tail, plan.spike_early)
    val_spikes = texture.spike_train(rng, v.offsets, plan.val_spikes, plan.val_spike_size, plan.val_spike_tail, none)
    train, val = t_wave + spikes[0], v_wave + val_spikes[0]
    at = t.where(plan.period > 0)
    train[at] += texture.patterns(rng, t.index[at], t.run[at], plan.period) * plan.period_size[t.run[at]]
    parts = _known(plan)
    parts |= _spikes_known("spike", t, plan.spikes, *spikes)
    parts |= _spikes_known("val_spike", v, plan.val_spikes, *val_spikes)
    at = v.where((plan.spikes > 0) & (plan.spike_shared > 0))
    val[at] += plan.spike_shared[v.run[at]] * spikes[0][nearest(t, v.run[at], v.share[at])]
    return Overlay(train, val, spikes[0], parts)


def _waves(rng: np.random.Generator, plan: Plan, t: LossAxis, v: LossAxis) -> tuple[FloatArray, FloatArray]:
    """Swings of train and val: one wave, for what swings is the model."""
    where = [axis.where(plan.swing > 0) for axis in (t, v)]
    run, share, index = (
        np.concatenate([getattr(axis, name)[at] for axis, at in zip((t, v), where, strict=True)])
        for name in ("run", "share", "index")
    )
    wave = swings(rng, share, run, index, plan.swing_kind, plan.swing_cycles)
    dies_out, later = np.exp(-share * 25), share >= np.maximum(plan.swing_from, 0)[run]
    wave = plan.swing[run] * wave * np.where(plan.swing_from[run] < 0, dies_out, later)
    train, val = np.zeros(len(t.run)), np.zeros(len(v.run))
    train[where[0]], val[where[1]] = np.split(wave, [len(where[0])])
    return train, val * v.spread(plan.swing_val)


def _known(plan: Plan) -> dict[str, FloatArray]:
    return {
        "swinging": np.where(plan.swing_from < 0, 0.0, plan.swing),
        "swing_val": plan.swing_val,
        "swing_kind": plan.swing_kind.astype(float),
        "swing_cycles": plan.swing_cycles,
        "swing_from": plan.swing_from,
        "period": plan.period,
        "period_size": plan.period_size,
        "cost": plan.start * plan.unit,
        "idle": (plan.train_mode == 1).astype(float),
        "jumped": ((plan.jump_by != 0) & (plan.blow_kind == 0)).astype(float),
    }


def _spikes_known(
    name: str, axis: Axis, count: IntArray, rise: FloatArray, first: FloatArray, last: FloatArray
) -> dict[str, FloatArray]:
    return {
        f"{name}_count": count.astype(float),
        f"{name}_height": peak(rise, axis, count > 0),
        f"{name}_first": _step_at(axis, first),
        f"{name}_last": _step_at(axis, last),
    }


def _step_at(axis: Axis, index: FloatArray) -> FloatArray:
    """(n,) step of each run's point of that index; NaN stays."""
    there = np.flatnonzero(~np.isnan(index))
    out = np.full(len(index), np.nan)
    out[there] = axis.steps[axis.offsets[there] + index[there].astype(np.int64)]
    return out


def peak(values: FloatArray, axis: Axis, chosen: BoolArray) -> FloatArray:
    """(n,) largest value of each of the chosen runs (n,), 0 without points and for the others."""
    offsets = offsets_of(np.where(chosen, axis.counts, 0))
    return np.nan_to_num(segment_max(values[axis.where(chosen)], offsets))
