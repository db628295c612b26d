"""From latent curves to log files: when points are written, what they average, noise, units, gaps, rounding."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from curveclinic.ragged import Batch, Ragged
from curveclinic.synth import texture
from curveclinic.synth.descent import GRID, FloatArray, IntArray
from curveclinic.synth.physics import Latent
from curveclinic.synth.plan import Plan

_GAUSS = ((0.1127, 0.2778), (0.5, 0.4444), (0.8873, 0.2778))
"""Nodes and weights of 3-point Gauss-Legendre quadrature on [0, 1]: a mean over an interval."""

_LAGUERRE = ((0.4158, 0.7111), (2.2943, 0.2785), (6.2899, 0.0104))
"""Nodes and weights of 3-point Gauss-Laguerre quadrature: an exponential average."""

_MIN_VAL = 3


@dataclass(frozen=True, eq=False)
class Axis:
    """Where one channel's points lie: run (total,), index in the run, share of the window and planned time."""

    offsets: IntArray
    run: IntArray
    index: IntArray
    share: FloatArray
    time: FloatArray

    @property
    def counts(self) -> IntArray:
        """(n,) points of each run."""
        return np.diff(self.offsets)


@dataclass(frozen=True, eq=False)
class Logged:
    """n logged runs and what is known about them.

    Attributes:
        batch: the runs as a logger wrote them.
        clean: the same points without noise, swings, spikes and patterns; only points that are finite in `batch`.
        textured: both losses without noise but with swings, spikes and patterns; the same points as `clean`.
        parts: texture truth by name, (n,) each; see `_parts`.
    """

    batch: Batch
    clean: Batch
    textured: dict[str, Ragged]
    parts: dict[str, FloatArray]


def _axis(plan: Plan, counts: IntArray, from_start: FloatArray, lag: FloatArray) -> Axis:
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    run = np.repeat(np.arange(len(counts)), counts)
    index = np.arange(offsets[-1]) - offsets[run]
    at_end = (index + 1.0 - lag[run]) / counts[run]
    share = np.where(from_start[run] > 0, index / np.maximum(counts[run] - 1, 1), at_end)
    share = np.clip(share, 0.0, 1.0)
    time = plan.window_start[run] + (plan.window_end - plan.window_start)[run] * share
    return Axis(offsets, run, index, share, time)


def _at(curve: FloatArray, run: IntArray, time: FloatArray) -> FloatArray:
    """Values of (n, G) curves at planned times: GRID is a square, so the cell is a square root away."""
    place = np.sqrt(np.clip(time, 0.0, 1.0)) * (len(GRID) - 1)
    left = np.minimum(place.astype(np.int64), len(GRID) - 2)
    weight = (np.clip(time, 0.0, 1.0) - GRID[left]) / (GRID[left + 1] - GRID[left])
    flat = curve.ravel()
    base = run * curve.shape[1] + left
    return flat[base] * (1 - weight) + flat[base + 1] * weight


def _averaged(curve: FloatArray, axis: Axis, low: FloatArray) -> FloatArray:
    """Mean over the planned time from low (total,) to each point."""
    width = axis.time - low
    return sum((w * _at(curve, axis.run, low + x * width) for x, w in _GAUSS), np.zeros(len(low)))


def _train_points(plan: Plan, latent: Latent, axis: Axis) -> tuple[FloatArray, FloatArray]:
    """Clean train values as the logger averages them, and the factor that averaging leaves of the noise."""
    run, kind = axis.run, plan.logging[axis.run]
    span = (plan.window_end - plan.window_start)[run]
    gap = span / axis.counts[run]
    values = _at(latent.train, run, axis.time)
    thin = np.ones(len(run))
    mean = np.flatnonzero((kind == 0) | (kind == 3))
    sub = _part(axis, mean)
    values[mean] = _averaged(latent.train, sub, np.maximum(sub.time - gap[mean], 0.0))
    lagged = np.flatnonzero(kind == 4)
    if len(lagged):
        lag = (plan.ema[run] * gap)[lagged]
        values[lagged] = sum((w * _at(latent.train, run[lagged], axis.time[lagged] - x * lag) for x, w in _LAGUERRE), np.zeros(len(lagged)))
    running = np.flatnonzero(kind == 5)
    if len(running):
        epoch = span[running] / plan.epochs[run[running]]
        since = axis.time[running] - plan.window_start[run[running]]
        begin = np.floor(np.maximum(since / epoch - 1e-9, 0.0)) * epoch + plan.window_start[run[running]]
        values[running] = _averaged(latent.train, _part(axis, running), np.minimum(begin, axis.time[running]))
        thin[running] = 1 / np.sqrt(np.maximum((axis.time[running] - begin) / gap[running], 1.0))
    return values, thin


def _part(axis: Axis, where: IntArray) -> Axis:
    return Axis(axis.offsets, axis.run[where], axis.index[where], axis.share[where], axis.time[where])


def _noisy(level: FloatArray, reference: FloatArray, size: FloatArray, power: FloatArray, noise: FloatArray) -> FloatArray:
    """Level with noise of relative size * (level / reference) ** (power - 1), kept positive."""
    with np.errstate(all="ignore"):
        relative = np.clip(size * np.clip(level / np.maximum(reference, 1e-300), 1e-9, 1e9) ** (power - 1.0), 0.0, 0.9)
    linear = level * (1.0 + relative * noise)
    wide = relative > 0.12
    return np.where(wide | (linear <= 0), level * np.exp(np.clip(relative * noise - 0.5 * relative**2, -8, 6)), linear)


def write_log(rng: np.random.Generator, plan: Plan, latent: Latent) -> Logged:
    """Logs n runs: the whole of DESIGN's "logger is half of realism"."""
    n = plan.size
    start_point = np.where((plan.logging == 1) | (plan.logging == 2), rng.random(n) < 0.3, False).astype(float)
    t_axis = _axis(plan, plan.points, start_point, np.zeros(n))
    v_counts = np.clip(np.rint(plan.points / plan.ratio), np.minimum(plan.points, _MIN_VAL), 7000).astype(np.int64)
    v_from_start = np.where(plan.ratio > 1.5, rng.random(n) < 0.2, start_point * (plan.logging == 1))
    v_axis = _axis(plan, v_counts, v_from_start.astype(float), plan.val_offset * 0.999 * (v_counts > 4))
    t_clean, thin = _train_points(plan, latent, t_axis)
    v_clean = _at(latent.val, v_axis.run, v_axis.time)
    t_extra, v_extra, parts = _textures(rng, plan, t_axis, v_axis)
    t_ref, v_ref = latent.train[:, 0], latent.val[:, 0]
    eps = texture.correlated(rng, t_axis.run, plan.noise_rho + (plan.logging == 4) * np.minimum(3 - plan.noise_rho, 2), plan.skew)
    t_size = (plan.noise[t_axis.run] * thin) * np.where(plan.logging == 4, 1 / np.sqrt(2 * np.maximum(plan.ema, 1.0)), 1.0)[t_axis.run]
    t_level, v_level = t_clean * np.exp(t_extra), v_clean * np.exp(v_extra)
    t_values = _noisy(t_level, t_ref[t_axis.run], t_size, plan.noise_power[t_axis.run], eps)
    v_eps = texture.correlated(rng, v_axis.run, plan.val_rho, plan.skew * 0.3)
    v_values = _noisy(v_level, v_ref[v_axis.run], plan.val_noise[v_axis.run], plan.val_noise_power[v_axis.run], v_eps)
    shared = plan.shared_noise
    t_values = t_values * np.exp(shared[t_axis.run] * texture.correlated(rng, t_axis.run, plan.val_rho, np.zeros(n)))
    t_values, t_clean = _frozen(rng, plan, t_axis, t_values, t_clean)
    v_values = _restored(plan, v_axis, v_values)
    t_values, t_clean, t_level = (_in_units(plan, t_axis.run, x) for x in (t_values, t_clean, t_level))
    v_values, v_clean, v_level = (_in_units(plan, v_axis.run, x) for x in (v_values, v_clean, v_level))
    t_steps = _steps_of(plan, t_axis, plan.points)
    v_steps = _steps_of(plan, v_axis, plan.points)
    logged, clean, textured = {}, {}, {}
    for name, axis, steps, values, exact, level, has, loss in (
        ("train_loss", t_axis, t_steps, t_values, t_clean, t_level, np.ones(n), 1),
        ("val_loss", v_axis, v_steps, v_values, v_clean, v_level, plan.has_val, 2),
    ):
        written = _rounded(plan, axis.run, values)
        logged[name], clean[name], textured[name] = _channel(rng, plan, axis, steps, written, (exact, level), has, loss)
    for name, axis, steps, curve, has in (
        ("train_metric", t_axis, t_steps, latent.train_metric, plan.has_train_metric),
        ("val_metric", v_axis, v_steps, latent.val_metric, plan.has_val_metric * plan.has_val),
    ):
        value, exact = _metric_points(rng, plan, axis, curve)
        logged[name], clean[name] = _channel(rng, plan, axis, steps, value, (exact,), has, 0)
    lr = _at(latent.lr, t_axis.run, t_axis.time)
    logged["lr"], clean["lr"] = _channel(rng, plan, t_axis, t_steps, lr, (lr,), plan.has_lr, 0)
    grad, exact = _gradient_points(rng, plan, latent, t_axis, parts["spike_rise"])
    logged["grad_norm"], clean["grad_norm"] = _channel(rng, plan, t_axis, t_steps, grad, (exact,), plan.has_grad, 0)
    goal = np.where(plan.metric_kind == 4, -1.0, 1.0)
    known = np.where(rng.random(n) < 0.85, goal, 1.0)  # the goal is inferred from a name that says nothing at times
    blank = np.full(n, np.nan)
    parts = {k: v for k, v in parts.items() if k != "spike_rise"}
    for prefix, axis in (("spike", t_axis), ("val_spike", v_axis)):
        for end in ("first", "last"):
            at = parts[f"{prefix}_{end}"]
            steps = t_steps if prefix == "spike" else v_steps
            parts[f"{prefix}_{end}"] = np.where(np.isnan(at), np.nan, steps[np.minimum(axis.offsets[:-1] + np.nan_to_num(at).astype(int), len(steps) - 1)])
    return Logged(Batch(logged, blank, known, blank), Batch(clean, blank, goal, blank), textured, parts)


def _textures(rng: np.random.Generator, plan: Plan, t: Axis, v: Axis) -> tuple[FloatArray, FloatArray, dict[str, FloatArray]]:
    """Log-level additions to train and val, and what is known about them."""
    run, share = np.concatenate([t.run, v.run]), np.concatenate([t.share, v.share])
    wave = texture.swings(rng, share, run, np.concatenate([t.index, v.index]), plan.swing_kind, plan.swing_cycles)
    envelope = np.where(plan.swing_from[run] < 0, np.exp(-share * 25), share >= np.maximum(plan.swing_from, 0)[run])
    wave = plan.swing[run] * wave * envelope
    t_wave, v_wave = wave[: len(t.run)], wave[len(t.run) :] * plan.swing_val[v.run]
    spike_rise, first, last = texture.spike_train(rng, t.offsets, plan.spikes, plan.spike_size, plan.spike_tail, plan.spike_early)
    seen = _nearest(t, v)
    v_rise, v_first, v_last = texture.spike_train(rng, v.offsets, plan.val_spikes, plan.val_spike_size, np.zeros(plan.size), np.zeros(plan.size))
    pattern = texture.patterns(rng, t.index, t.run, plan.period) * plan.period_size[t.run]
    parts = {
        "spike_rise": spike_rise, "spike_first": first, "spike_last": last, "val_spike_first": v_first, "val_spike_last": v_last,
        "swinging": np.where(plan.swing_from < 0, 0.0, plan.swing), "swing_val": plan.swing_val, "swing_kind": plan.swing_kind.astype(float),
        "swing_cycles": plan.swing_cycles, "swing_from": plan.swing_from, "period": plan.period, "period_size": plan.period_size,
        "spike_height": np.where(plan.spikes > 0, _peak(spike_rise, t.offsets), 0.0), "val_spike_height": np.where(plan.val_spikes > 0, _peak(v_rise, v.offsets), 0.0),
        "cost": plan.start * plan.unit, "idle": (plan.train_mode == 1).astype(float),
        "spike_count": plan.spikes.astype(float), "val_spike_count": plan.val_spikes.astype(float),
    }  # fmt: skip
    return t_wave + spike_rise + pattern, v_wave + v_rise + plan.spike_shared[v.run] * spike_rise[seen], parts


def _nearest(t: Axis, v: Axis) -> IntArray:
    """Flat train index at each val point."""
    return t.offsets[v.run] + np.minimum(np.rint(v.share * (t.counts[v.run] - 1)), t.counts[v.run] - 1).astype(np.int64)


def _peak(values: FloatArray, offsets: IntArray) -> FloatArray:
    return np.maximum.reduceat(values, offsets[:-1])


def _frozen(rng: np.random.Generator, plan: Plan, axis: Axis, values: FloatArray, clean: FloatArray) -> tuple[FloatArray, FloatArray]:
    """After some blow-ups the loss is one constant with little noise."""
    stuck = (plan.freeze[axis.run] > 0) & (plan.blow_kind[axis.run] == 2) & (axis.share > plan.blow_at[axis.run] + 0.04)
    if not stuck.any():
        return values, clean
    level = _peak(np.where(stuck, clean, 0.0), axis.offsets)[axis.run]
    quiet = level * (1 + 0.01 * plan.shape[axis.run] * rng.standard_normal(len(values)))
    return np.where(stuck, quiet, values), np.where(stuck, level, clean)


def _restored(plan: Plan, axis: Axis, values: FloatArray) -> FloatArray:
    """Best weights restored: the last row repeats the best value."""
    rows = np.flatnonzero((plan.restored > 0) & (axis.counts > 3))
    out = values.copy()
    if len(rows):
        out[axis.offsets[rows + 1] - 1] = np.minimum.reduceat(values, axis.offsets[:-1])[rows]
    return out


def _in_units(plan: Plan, run: IntArray, values: FloatArray) -> FloatArray:
    return (values - plan.shift[run]) * plan.unit[run]


def _rounded(plan: Plan, run: IntArray, values: FloatArray) -> FloatArray:
    """Fixed decimals of ordinary units; extreme units are written in scientific notation."""
    digits = plan.digits[run]
    plain = (digits < 99) & (plan.unit[run] > 0.1) & (np.abs(values) < 1e12)
    factor = 10.0 ** np.where(plain, digits, 0)
    with np.errstate(over="ignore"):
        return np.where(plain, np.rint(values * factor) / factor, values)


def _steps_of(plan: Plan, axis: Axis, points: IntArray) -> FloatArray:
    """Steps on one axis for all channels: train point i lies at first + i * size."""
    place = np.where(axis.counts[axis.run] == points[axis.run], axis.index, axis.share * points[axis.run] - 1)
    return plan.first_step[axis.run] + np.rint(np.maximum(place, 0) * plan.step_size[axis.run] * 16) / 16


def _metric_points(rng: np.random.Generator, plan: Plan, axis: Axis, curve: FloatArray) -> tuple[FloatArray, FloatArray]:
    run = axis.run
    clean = _at(curve, run, axis.time)
    error = plan.metric_kind[run] == 4
    jitter = np.where(plan.metric_kind[run] == 2, 0.03 + 3 * plan.metric_noise[run], plan.metric_noise[run])
    jitter = np.where((plan.metric_kind[run] == 1) & (plan.shape[run] < 0.6), 0.0, jitter)
    noise = rng.standard_normal(len(run))
    bounded = np.clip(clean + jitter * np.sqrt(np.clip(clean * (1 - clean), 0.01, 0.25)) * 2 * noise, 0, 1)
    grain = np.where(plan.schedule_b[run] < 0.5, 0.0, 1.0 / (30.0 + 2000.0 * plan.schedule_a[run]))
    bounded = np.where(grain > 0, np.rint(bounded / np.maximum(grain, 1e-9)) * grain, bounded)
    factor = np.where(plan.shape[run] > 0.85, 100.0, 1.0)
    value = np.where(error, clean * np.exp(np.minimum(plan.metric_noise[run], 0.1) * noise), bounded * factor)
    return value, np.where(error, clean, clean * factor)


def _gradient_points(
    rng: np.random.Generator, plan: Plan, latent: Latent, axis: Axis, spike: FloatArray
) -> tuple[FloatArray, FloatArray]:
    run = axis.run
    base = _at(latent.log_grad, run, axis.time)
    burst, _, _ = texture.spike_train(rng, axis.offsets, np.where((plan.grad_kind == 2) & (plan.spikes == 0), 1 + (plan.shape < 0.4), 0), plan.grad_size, plan.spike_tail, plan.spike_early)
    with_loss = np.where(plan.grad_kind[run] == 2, spike / np.maximum(_peak(spike, axis.offsets)[run], 1e-9) * plan.grad_size[run], 0.25 * spike)
    base = base + burst + with_loss
    noise = plan.grad_noise[run] * rng.standard_normal(len(run)) / np.log(10) * 1.5
    averaged = np.where((plan.logging[run] == 0) | (plan.logging[run] == 3), 0.35, 1.0)
    return 10.0 ** np.clip(base + noise * averaged, -30, 37), 10.0 ** np.clip(base, -30, 37)


def _channel(
    rng: np.random.Generator, plan: Plan, axis: Axis, steps: FloatArray, values: FloatArray, twins: tuple[FloatArray, ...], has: FloatArray, loss: int
) -> tuple[Ragged, ...]:
    """Drops what was not written, puts NaN where the run broke; noise-free twins keep the finite points only."""
    run = axis.run
    keep = (has[run] > 0) & (rng.random(len(run)) >= plan.missing[run])
    written = values.copy()
    broken = axis.share * 1.0 >= plan.nan_at[run]
    gap = plan.nan_kind[run] == 2
    broken &= ~gap | (axis.index == np.floor(plan.nan_at[run] * (axis.counts[run] - 1)))
    if loss:
        hit = broken & ((plan.nan_where[run] == 0) | (plan.nan_where[run] == loss))
        written[hit] = np.where(plan.nan_kind[run][hit] == 1, np.inf, np.nan)
    written[~(np.abs(written) < 1e37)] = np.where(np.isnan(written[~(np.abs(written) < 1e37)]), np.nan, np.inf)
    increasing = np.append(True, (steps[1:] > steps[:-1]) | (run[1:] != run[:-1]))
    keep &= increasing
    return _kept(axis, steps, written, keep), *(_kept(axis, steps, twin, keep & np.isfinite(written)) for twin in twins)


def _kept(axis: Axis, steps: FloatArray, values: FloatArray, keep: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> Ragged:
    counts = np.concatenate([[0], np.cumsum(keep)])
    return Ragged(steps[keep], values[keep], counts[axis.offsets].astype(np.int64))
