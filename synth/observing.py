"""From clean values to the numbers in a log: noise, units, frozen and restored values, rounding."""

from __future__ import annotations

import numpy as np

from curveclinic.synth import texture
from curveclinic.synth.descent import FloatArray, IntArray
from curveclinic.synth.overlay import Overlay, peak
from curveclinic.synth.physics import Latent
from curveclinic.synth.plan import Plan
from curveclinic.synth.sampling import EMA, Axis, train_points, values_at

Points = tuple[FloatArray, ...]
"""(total,) values of a channel as logged, without noise, and for losses without noise but with their textures."""


def loss_points(rng: np.random.Generator, plan: Plan, latent: Latent, t: Axis, v: Axis, over: Overlay) -> list[Points]:
    """Train and val losses as logged, clean and textured."""
    t_clean, thin = train_points(plan, latent.train, t)
    v_clean = values_at(latent.val, v.run, v.time)
    t_level, v_level = t_clean * np.exp(over.train), v_clean * np.exp(over.val)
    t_values = _noisy_train(rng, plan, t, t_level, latent.train[:, 0], thin)
    v_eps = texture.correlated(rng, v.run, plan.val_rho, plan.skew * 0.3)
    v_noise = plan.val_noise[v.run], plan.val_noise_power[v.run]
    v_values = _noisy(v_level, latent.val[:, 0][v.run], *v_noise, v_eps)
    shared = texture.correlated(rng, t.run, plan.val_rho, np.zeros(plan.size))
    t_values = t_values * np.exp(plan.shared_noise[t.run] * shared)
    t_values, t_clean = _frozen(rng, plan, t, t_values, t_clean)
    v_values = _restored(plan, v, v_values)
    return [_in_print(plan, t.run, t_values, t_clean, t_level), _in_print(plan, v.run, v_values, v_clean, v_level)]


def _noisy_train(
    rng: np.random.Generator, plan: Plan, t: Axis, level: FloatArray, start: FloatArray, thin: FloatArray
) -> FloatArray:
    """An exponential average is smooth: its noise is small and correlated."""
    averaged = plan.logging == EMA
    rho = plan.noise_rho + averaged * np.minimum(3 - plan.noise_rho, 2)
    eps = texture.correlated(rng, t.run, rho, plan.skew)
    left = np.where(averaged, 1 / np.sqrt(2 * np.maximum(plan.ema, 1.0)), 1.0)
    size = (plan.noise[t.run] * thin) * left[t.run]
    return _noisy(level, start[t.run], size, plan.noise_power[t.run], eps)


def _noisy(
    level: FloatArray, reference: FloatArray, size: FloatArray, power: FloatArray, noise: FloatArray
) -> FloatArray:
    """Level with noise of relative size * (level / reference) ** (power - 1), kept positive."""
    with np.errstate(all="ignore"):
        share = np.clip(level / np.maximum(reference, 1e-300), 1e-9, 1e9)
        relative = np.clip(size * share ** (power - 1.0), 0.0, 0.9)
    linear = level * (1.0 + relative * noise)
    wide = relative > 0.12
    return np.where(wide | (linear <= 0), level * np.exp(np.clip(relative * noise - 0.5 * relative**2, -8, 6)), linear)


def _frozen(
    rng: np.random.Generator, plan: Plan, axis: Axis, values: FloatArray, clean: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """After some blow-ups the loss is one constant with little noise."""
    stuck = (plan.freeze[axis.run] > 0) & (plan.blow_kind[axis.run] == 2) & (axis.share > plan.blow_at[axis.run] + 0.04)
    if not stuck.any():
        return values, clean
    level = peak(np.where(stuck, clean, 0.0), axis.offsets)[axis.run]
    quiet = level * (1 + 0.01 * plan.shape[axis.run] * rng.standard_normal(len(values)))
    return np.where(stuck, quiet, values), np.where(stuck, level, clean)


def _restored(plan: Plan, axis: Axis, values: FloatArray) -> FloatArray:
    """Best weights restored: the last row repeats the best value."""
    rows = np.flatnonzero((plan.restored > 0) & (axis.counts > 3))
    out: FloatArray = values.copy()
    if len(rows):
        out[axis.offsets[rows + 1] - 1] = np.minimum.reduceat(values, axis.offsets[:-1])[rows]
    return out


def _in_print(plan: Plan, run: IntArray, values: FloatArray, clean: FloatArray, level: FloatArray) -> Points:
    """Values in the loss's units; only what is written is rounded."""
    values, clean, level = ((x - plan.shift[run]) * plan.unit[run] for x in (values, clean, level))
    return _rounded(plan, run, values), clean, level


def _rounded(plan: Plan, run: IntArray, values: FloatArray) -> FloatArray:
    """Fixed decimals of ordinary units; extreme units are written in scientific notation."""
    digits = plan.digits[run]
    plain = (digits < 99) & (plan.unit[run] > 0.1) & (np.abs(values) < 1e12)
    factor = 10.0 ** np.where(plain, digits, 0)
    with np.errstate(over="ignore"):
        return np.asarray(np.where(plain, np.rint(values * factor) / factor, values))


def metric_points(rng: np.random.Generator, plan: Plan, axis: Axis, curve: FloatArray, loss: Points) -> Points:
    """A metric as logged and clean: a score in 0..1 or in percent, with a test set's grain, or an error.

    An evaluation whose loss (as logged, clean and textured) came out high has a worse metric too.
    """
    run = axis.run
    clean = values_at(curve, run, axis.time)
    error = plan.metric_kind[run] == 4
    luck = _luck(axis, loss)
    noise = 0.8 * rng.standard_normal(len(run)) + np.where(error, 0.6, -0.6) * luck
    score = _score(plan, run, clean, noise)
    factor = np.where(plan.shape[run] > 0.85, 100.0, 1.0)
    value = np.where(error, clean * np.exp(np.minimum(plan.metric_noise[run], 0.1) * noise), score * factor)
    return value, np.where(error, clean, clean * factor)


def _luck(axis: Axis, loss: Points) -> FloatArray:
    """(total,) how far each loss point lies above its level, in units of the run's typical distance."""
    values, _, level = loss
    with np.errstate(all="ignore"):
        rest = np.nan_to_num((values - level) / np.abs(level), posinf=0.0, neginf=0.0)
    total = np.add.reduceat(rest * rest, axis.offsets[:-1]) / np.maximum(axis.counts, 1)
    return np.clip(rest / np.maximum(np.sqrt(total), 1e-12)[axis.run], -3.0, 3.0)


def _score(plan: Plan, run: IntArray, clean: FloatArray, noise: FloatArray) -> FloatArray:
    kind = plan.metric_kind[run]
    jitter = np.where(kind == 2, 0.03 + 3 * plan.metric_noise[run], plan.metric_noise[run])
    jitter = np.where((kind == 1) & (plan.shape[run] < 0.6), 0.0, jitter)
    score = np.clip(clean + jitter * np.sqrt(np.clip(clean * (1 - clean), 0.01, 0.25)) * 2 * noise, 0, 1)
    grain = np.where(plan.schedule_b[run] < 0.5, 0.0, 1.0 / (30.0 + 2000.0 * plan.schedule_a[run]))
    return np.where(grain > 0, np.rint(score / np.maximum(grain, 1e-9)) * grain, score)


def gradient_points(rng: np.random.Generator, plan: Plan, latent: Latent, axis: Axis, spikes: FloatArray) -> Points:
    """Gradient norms as logged and clean; spikes (total,) of the loss show in them."""
    run, kind = axis.run, plan.grad_kind[axis.run]
    base = values_at(latent.log_grad, run, axis.time)
    alone = np.where((plan.grad_kind == 2) & (plan.spikes == 0), 1 + (plan.shape < 0.4), 0)
    burst, _, _ = texture.spike_train(rng, axis.offsets, alone, plan.grad_size, plan.spike_tail, plan.spike_early)
    bursting = spikes / np.maximum(peak(spikes, axis.offsets)[run], 1e-9) * plan.grad_size[run]
    base = base + burst + np.where(kind == 2, bursting, 0.25 * spikes)
    noise = plan.grad_noise[run] * rng.standard_normal(len(run)) / np.log(10) * 1.5
    averaged = np.where((plan.logging[run] == 0) | (plan.logging[run] == 3), 0.35, 1.0)
    return 10.0 ** np.clip(base + noise * averaged, -30, 37), 10.0 ** np.clip(base, -30, 37)


def rate_points(plan: Plan, latent: Latent, axis: Axis) -> Points:
    """Learning rates, which are logged as they are."""
    rate = values_at(latent.rate, axis.run, axis.time) * plan.lr_peak[axis.run]
    return rate, rate
