"""From clean values to the numbers in a log: noise, units, frozen and restored values, rounding."""

from __future__ import annotations

import numpy as np

from curveclinic.measuring.measures import segment_min
from curveclinic.ragged import FloatArray, offsets_of
from curveclinic.synth import texture
from curveclinic.synth.overlay import Overlay, peak
from curveclinic.synth.physics import Latent
from curveclinic.synth.plan import Plan
from curveclinic.synth.sampling import EMA, Axis, LossAxis, train_points, values_at

_DECIMALS = 4
"""Of norms in logs that print few: smaller ones are 0."""

Points = tuple[FloatArray, ...]
"""(total,) values of a channel as logged, without noise, and for losses without noise but with their textures."""


def loss_points(
    rng: np.random.Generator, plan: Plan, latent: Latent, t: LossAxis, v: LossAxis, over: Overlay
) -> list[Points]:
    """Train and val losses as logged, clean and textured."""
    t_clean, thin = train_points(plan, latent.train, t)
    v_clean = values_at(latent.val, v.run, v.time)
    t_level, v_level = np.exp(over.train), np.exp(over.val)
    t_level *= t_clean
    v_level *= v_clean
    t_values = _noisy_train(rng, plan, t, t_level, latent.train[:, 0], thin)
    v_eps = texture.correlated(rng, v.counts, plan.val_rho, plan.val_skew)
    v_values = _noisy(v, v_level, latent.val[:, 0], v.spread(plan.val_noise), plan.val_noise_power, v_eps)
    moved = plan.shared_noise > 0
    shared = texture.correlated(rng, np.where(moved, t.counts, 0), plan.val_rho, np.zeros(plan.size))
    shared *= t.spread_over(moved, plan.shared_noise)
    t_values[t.mask(moved)] *= np.exp(shared)
    _freeze(rng, plan, t, t_values, t_clean, t_level)
    _restore(plan, v, v_values)
    losses: list[Points] = [(t_values, t_clean, t_level), (v_values, v_clean, v_level)]
    for axis, points in zip((t, v), losses, strict=True):
        _convert(plan, axis, points)
        _round(plan, axis, points[0])  # only what is written is rounded
    return losses


def _noisy_train(
    rng: np.random.Generator, plan: Plan, t: Axis, level: FloatArray, start: FloatArray, thin: FloatArray
) -> FloatArray:
    """An exponential average is smooth: its noise is small and correlated."""
    averaged = plan.logging == EMA
    rho = plan.noise_rho + averaged * np.minimum(3 - plan.noise_rho, 2)
    eps = texture.correlated(rng, t.counts, rho, plan.skew)
    left = np.where(averaged, 1 / np.sqrt(2 * np.maximum(plan.ema, 1.0)), 1.0)
    relative = t.spread(plan.noise * left)
    relative *= thin
    return _noisy(t, level, start, relative, plan.noise_power, eps)


def _noisy(
    axis: Axis, level: FloatArray, start: FloatArray, relative: FloatArray, power: FloatArray, noise: FloatArray
) -> FloatArray:
    """Level with noise of size relative * (level / start) ** (power - 1) times the level, kept positive.

    Args:
        axis: of the points.
        level: (total,).
        start, power: (n,).
        relative, noise: (total,), overwritten.
    """
    varying = power != 1
    varies = axis.mask(varying)
    share = level[varies]
    share /= axis.spread_over(varying, np.maximum(start, 1e-300))
    np.clip(share, 1e-9, 1e9, out=share)
    share **= axis.spread_over(varying, power - 1.0)
    relative[varies] *= share
    np.clip(relative, 0.0, 0.9, out=relative)
    noise *= relative
    out = noise + 1.0
    out *= level
    wide = np.flatnonzero((relative > 0.12) | (out <= 0))
    out[wide] = level[wide] * np.exp(np.clip(noise[wide] - 0.5 * relative[wide] ** 2, -8, 6))
    return out


def _freeze(
    rng: np.random.Generator, plan: Plan, axis: LossAxis, values: FloatArray, clean: FloatArray, textured: FloatArray
) -> None:
    """Makes the loss after some blow-ups one constant with little noise and no texture."""
    stuck = axis.where((plan.freeze > 0) & (plan.blow_kind == 2))
    stuck = stuck[axis.share[stuck] > plan.blow_at[axis.run[stuck]] + 0.04]
    run = axis.run[stuck]
    level = np.zeros(plan.size)
    np.maximum.at(level, run, clean[stuck])
    values[stuck] = level[run] * (1 + 0.01 * plan.shape[run] * rng.standard_normal(len(run)))
    clean[stuck] = textured[stuck] = level[run]


def _restore(plan: Plan, axis: Axis, values: FloatArray) -> None:
    """Repeats the best value in the last row of the runs whose best weights are restored."""
    chosen = (plan.restored > 0) & (axis.counts > 3)
    best = segment_min(values[axis.where(chosen)], offsets_of(axis.counts[chosen]))
    values[axis.offsets[1:][chosen] - 1] = best


def _convert(plan: Plan, axis: Axis, points: Points) -> None:
    """Puts values into the loss's units."""
    converted = (plan.shift != 0) | (plan.unit != 1)
    at = axis.mask(converted)
    shift, unit = (axis.spread_over(converted, x) for x in (plan.shift, plan.unit))
    for values in points:
        values[at] = (values[at] - shift) * unit


def _round(plan: Plan, axis: Axis, values: FloatArray) -> None:
    """Keeps fixed decimals of ordinary units; extreme units are written in scientific notation."""
    plain = (plan.digits < 99) & (plan.unit > 0.1)
    at, factor = axis.mask(plain), axis.spread_over(plain, np.asarray(10.0**plan.digits, dtype=np.float64))
    old = values[at]
    values[at] = np.where(np.abs(old) < 1e12, np.rint(old * factor) / factor, old)


def metric_points(
    rng: np.random.Generator, plan: Plan, axis: Axis, curve: FloatArray, loss: FloatArray, level: FloatArray
) -> Points:
    """A metric as logged and clean: a score in 0..1 or in percent, with a test set's grain, or an error.

    An evaluation whose loss came out high above its level, which is without noise, has a worse metric too.
    """
    clean, error = values_at(curve, axis.run, axis.time), plan.metric_kind == 4
    noise = _luck(axis, loss, level)
    noise *= axis.spread(np.where(error, 0.6, -0.6))
    noise += 0.8 * rng.standard_normal(len(clean))
    out = _score(plan, axis, clean, noise)
    at = axis.where(error)
    out[at] = clean[at] * np.exp(axis.spread_over(error, np.minimum(plan.metric_noise, 0.1)) * noise[at])
    percent = axis.where(~error & (plan.shape > 0.85))
    out[percent] *= 100.0
    clean[percent] *= 100.0
    return out, clean


def _luck(axis: Axis, loss: FloatArray, level: FloatArray) -> FloatArray:
    """(total,) how far each loss point lies above its level, in units of the run's typical distance."""
    with np.errstate(all="ignore"):
        rest = loss - level
        rest /= np.abs(level)
        rest[~np.isfinite(rest)] = 0.0
    total = np.bincount(axis.run, rest * rest, minlength=len(axis.counts)) / np.maximum(axis.counts, 1)
    rest /= axis.spread(np.maximum(np.sqrt(total), 1e-12))
    return np.clip(rest, -3.0, 3.0, out=rest)


def _score(plan: Plan, axis: Axis, clean: FloatArray, noise: FloatArray) -> FloatArray:
    kind = plan.metric_kind
    jitter = np.where(kind == 2, 0.03 + 3 * plan.metric_noise, plan.metric_noise)
    jitter = np.where((kind == 1) & (plan.shape < 0.6), 0.0, jitter)
    score: FloatArray = 1 - clean
    score *= clean
    np.clip(score, 0.01, 0.25, out=score)
    np.sqrt(score, out=score)
    score *= axis.spread(2 * jitter)
    score *= noise
    score += clean
    np.clip(score, 0, 1, out=score)
    grained = plan.schedule_b >= 0.5
    coarse, cases = axis.mask(grained), axis.spread_over(grained, 30.0 + 2000.0 * plan.schedule_a)
    score[coarse] = np.rint(score[coarse] * cases) / cases
    return score


def gradient_points(rng: np.random.Generator, plan: Plan, latent: Latent, axis: Axis, spikes: FloatArray) -> Points:
    """Gradient norms as logged and clean; spikes (total,) of the loss show in them."""
    base = values_at(latent.log_grad, axis.run, axis.time)
    bursts = plan.grad_kind == 2
    alone = np.where(bursts & (plan.spikes == 0), 1 + (plan.shape < 0.4), 0)
    burst, _, _ = texture.spike_train(rng, axis.offsets, alone, plan.grad_size, plan.spike_tail, plan.spike_early)
    follows = np.where(bursts, plan.grad_size / np.maximum(peak(spikes, axis, bursts), 1e-9), 0.25)
    base += burst
    base += axis.spread(follows) * spikes
    base -= _drops(rng, plan, axis)
    np.clip(base, -30, 37, out=base)
    averaged = np.where((plan.logging == 0) | (plan.logging == 3), 0.35, 1.0)
    noisy = axis.spread(plan.grad_noise * 1.5 / np.log(10) * averaged)
    noisy *= rng.standard_normal(len(noisy))
    noisy += base
    written, clean = _power_of_ten(np.clip(noisy, -30, 37, out=noisy)), _power_of_ten(base)
    few = axis.mask(plan.grad_oddity == 4)
    for norms in (written, clean):
        norms[few] = np.round(norms[few], _DECIMALS)
    return written * _skipped(rng, plan, axis), clean


def _drops(rng: np.random.Generator, plan: Plan, axis: Axis) -> FloatArray:
    """(total,) powers of ten by which norms are lower from some place on: layers frozen, units dead, another unit."""
    at, size, drops = rng.uniform(0.1, 0.95, plan.size), rng.uniform(0.5, 8, plan.size), plan.grad_oddity == 1
    return np.where(_place(axis) >= axis.spread(at), axis.spread(np.where(drops, size, 0.0)), 0.0)


def _skipped(rng: np.random.Generator, plan: Plan, axis: Axis) -> FloatArray:
    """(total,) 1, or what a norm is multiplied by where a step was skipped, or none was made yet: mostly 0."""
    n, place, out = plan.size, _place(axis), np.ones(len(axis.run))
    share, until = 10 ** rng.uniform(-2.5, -0.7, n), 10 ** rng.uniform(-2, -0.7, n)
    left = np.where(rng.random(n) < 0.6, 0.0, 10 ** -rng.uniform(1.5, 8, n))
    here = (rng.random(len(out)) < axis.spread(share)) & axis.mask(plan.grad_oddity == 2)
    out[here] = axis.spread(left)[here]
    out[(place <= axis.spread(until)) & axis.mask(plan.grad_oddity == 3)] = 0.0
    return out


def _place(axis: Axis) -> FloatArray:
    """(total,) place of each point in its run, from 0 to 1."""
    index = np.arange(len(axis.run)) - axis.offsets[axis.run]
    return np.asarray(index / np.maximum(axis.spread(axis.counts.astype(np.float64)) - 1, 1))


def _power_of_ten(exponent: FloatArray) -> FloatArray:
    """10 ** exponent; numpy's exp is several times as fast as its power."""
    return np.asarray(np.exp(exponent * np.log(10.0)))


def rate_points(plan: Plan, latent: Latent, axis: Axis) -> Points:
    """Learning rates, which are logged as they are."""
    rate = values_at(latent.rate, axis.run, axis.time)
    rate *= axis.spread(plan.lr_peak)
    return rate, rate
