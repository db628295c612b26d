"""From a plan to latent curves: what the network would score without noise, on the planned time grid."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from curveclinic.synth.descent import GRID, FloatArray, IntArray, decay, learning_rate, progress
from curveclinic.synth.plan import Plan

_U = GRID[None, :]


@dataclass(frozen=True, eq=False)
class Latent:
    """Noise-free curves of n runs on `descent.GRID`; losses before units.

    Attributes:
        train, val, lr, train_metric, val_metric: (n, G).
        log_grad: (n, G) log10 of the gradient norm.
        blown: (n, G) share of the blow-up that has happened, in 0..1.
    """

    train: FloatArray
    val: FloatArray
    lr: FloatArray
    train_metric: FloatArray
    val_metric: FloatArray
    log_grad: FloatArray
    blown: FloatArray


def _column(values: FloatArray | IntArray) -> FloatArray:
    return np.asarray(values, dtype=np.float64)[:, None]


def latent(plan: Plan) -> Latent:
    """Evaluates the plan's curves."""
    rate = learning_rate(plan.schedule, plan.warmup, plan.schedule_a, plan.schedule_b)
    done = progress(rate, plan.schedule_weight)
    left = decay(plan.decay, done, plan.rate, plan.shape, plan.plateau)
    train = _train(plan, left, rate)
    val = _val(plan, left, rate)
    blow, blown = _blow_up(plan, train)
    train, val = train * np.exp(np.clip(blow, -60, 75)), val * np.exp(np.clip(blow * 0.97, -60, 75))
    train_metric, val_metric = _metrics(plan, left, val, blown)
    log_grad = _log_grad(plan, train, left, blown)
    return Latent(train, val, rate * _column(plan.lr_peak), train_metric, val_metric, log_grad, blown)


def _train(plan: Plan, left: FloatArray, rate: FloatArray) -> FloatArray:
    start, floor = _column(plan.start), _column(plan.floor)
    learning = start * (floor + (1 - floor) * left)
    learning += start * (1 - floor) * _column(plan.lr_floor) * rate * (1 - left)
    idle = start * (1 + _column(plan.train_drift) * _U ** (0.4 + 1.2 * _column(plan.shape)))
    curve = np.where(_column(plan.train_mode) == 1, idle, learning)
    curve = curve * np.exp(_column(plan.jump_by) * _after(plan.jump_at, plan.schedule_a))
    curve = curve + start * _column(plan.stick) * _stick(plan)
    early = _early(plan)
    return curve + start * (_column(plan.catapult) * early * np.exp(1 - early) + _column(plan.train_extra))


def _stick(plan: Plan) -> FloatArray:
    """What is left of a hockey stick: it falls at its own rate in the logged window."""
    return np.exp(-_column(plan.stick_rate) * _U / np.maximum(_column(plan.window_end), 1e-3))


def _early(plan: Plan) -> FloatArray:
    """Time in units of the first fiftieth of the logged window."""
    return np.asarray(50.0 * _U / np.maximum(_column(plan.window_end), 1e-3))


def _after(at: FloatArray, fading: FloatArray) -> FloatArray:
    """1 after a jump; for half of the runs the jump fades away again."""
    since = (_U - at[:, None]) / 0.15
    return np.where(since >= 0, np.where(fading[:, None] < 0.5, 1.0, np.exp(-np.clip(since, 0, 50))), 0.0)


def _since(at: FloatArray, soft: FloatArray) -> FloatArray:
    """Time since `at` over what is left of the run, with a soft turn: val does not break, it bends."""
    left = np.maximum(1 - at[:, None], 0.05)
    width = (0.02 + 0.25 * soft * at)[:, None]
    return np.asarray(width * np.logaddexp(0.0, np.clip((_U - at[:, None]) / width, -60, 60)) / left)


def _rise_shape(s: FloatArray, kind: IntArray) -> FloatArray:
    s = np.maximum(s, 0.0)
    k = kind[:, None]
    out = np.where(k == 1, s**1.7, s)
    out = np.where(k == 2, np.sqrt(s), out)
    out = np.where(k == 3, np.log1p(20 * s) / np.log(21), out)
    return np.where(k == 4, -np.expm1(-6 * s), out)


def _val(plan: Plan, left: FloatArray, rate: FloatArray) -> FloatArray:
    begin = _column(plan.start) * _column(plan.val_start)
    drop = begin * (1 - _column(plan.floor)) * (1 - _column(plan.val_floor))
    follows = begin - drop * (1 - left ** _column(plan.val_power))
    follows += 0.8 * drop * _column(plan.lr_floor) * rate * (1 - left)
    follows += _column(plan.rise) * drop * _rise_shape(_since(plan.rise_at, plan.shape), plan.rise_kind)
    follows += _column(plan.hump) * drop * _hump(plan)
    follows += _column(plan.late_drop) * (begin - follows) * (1 / _learned_late(plan))
    drift = _column(plan.val_drift) * _rise_shape(np.broadcast_to(_U, left.shape), plan.rise_kind)
    curve = np.where(_column(plan.val_mode) == 1, begin * np.maximum(1 + drift, 0.05), follows)
    curve = curve + 0.6 * begin * _column(plan.stick) * _stick(plan)
    early = _early(plan)
    curve = curve + begin * _column(plan.catapult) * early * np.exp(1 - early)
    jump = np.exp(_column(plan.jump_val) * _after(plan.jump_at, plan.schedule_a))
    return np.asarray(curve * jump * _column(plan.val_unit))


def _hump(plan: Plan) -> FloatArray:
    """Double descent: a bell in log time."""
    distance = np.log(np.maximum(_U, 1e-6) / np.maximum(plan.late_at[:, None], 1e-3))
    return np.exp(-0.5 * (distance / (0.3 + 2 * _column(plan.late_width))) ** 2)


def _learned_late(plan: Plan) -> FloatArray:
    """Delayed generalisation: grows from one without bound; its inverse is what still waits."""
    since = (_U - np.maximum(plan.late_at[:, None], 1e-3)) / (0.2 * _column(plan.late_width) + 1e-3)
    return np.asarray(1 + np.exp(np.clip(since, -50, 50)))


def _blow_up(plan: Plan, train: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Log factor and share done of the blow-up; times are shares of the logged window."""
    at = plan.window_start + plan.blow_at * (plan.window_end - plan.window_start)
    span = np.maximum(plan.window_end - at, 1e-3)[:, None]
    s = np.clip((_U - at[:, None]) / span, 0.0, 1.5)
    by, kind = _column(plan.blow_by), plan.blow_kind[:, None]
    back_to_start = np.log(np.maximum(_column(plan.start) / np.maximum(train, 1e-300), 1e-300))
    shape = np.where(_column(plan.shape) < 0.4, -np.expm1(-4 * s), s ** (0.5 + _column(plan.shape)))
    share = np.where(kind == 2, -np.expm1(-60 * s), np.where(kind == 4, s**1.5, shape))
    share = np.where(kind == 3, s, share)
    target = np.where((kind == 2) | (kind == 4), np.maximum(back_to_start, 0.0) + by - 0.3 * (kind == 2), by)
    active = kind > 0
    return np.where(active, share * target, 0.0), np.where(active, np.minimum(share, 1.0), 0.0)


def _metrics(plan: Plan, left: FloatArray, val: FloatArray, blown: FloatArray) -> tuple[FloatArray, FloatArray]:
    chance = 1.0 / np.maximum(_column(plan.classes), 2.0)
    top = chance + (1 - chance) * _column(plan.metric_gain)
    kind = plan.metric_kind[:, None]
    learned = np.where(_column(plan.train_mode) == 1, 0.0, 1 - left**0.8) * (1 - blown)
    learned = np.where(kind == 5, np.broadcast_to(_U, left.shape) ** (0.3 + plan.shape[:, None]), learned)
    rise = _rise_shape(_since(plan.rise_at, plan.shape), plan.rise_kind)
    lost = np.where(kind == 3, 0.3 * np.tanh(_column(plan.rise)) * rise, 0.0)
    stuck = chance + (0.1 * _column(plan.shape) * (1 - chance)) * np.ones_like(left)
    train = np.where((kind == 1) | (kind == 2), stuck, chance + (top - chance) * learned)
    idle = np.where((kind == 0) | (kind == 5), _column(plan.shape), 0.1)
    held_back = np.where(_column(plan.val_mode) == 1, idle, 1 - 0.4 * _column(plan.val_floor))
    # waits with the validation loss (grokking) when that one waits
    waits = _column(plan.late_drop) / _learned_late(plan)
    val_learned = learned * held_back * (1 - waits)
    v = np.where((kind == 1) | (kind == 2), stuck, chance + (top - chance) * val_learned - lost * (top - chance))
    error = np.sqrt(np.maximum(val, 1e-300))
    return np.where(kind == 4, error * (0.9 + 0.05 * left), train), np.where(kind == 4, error, v)


def _log_grad(plan: Plan, train: FloatArray, left: FloatArray, blown: FloatArray) -> FloatArray:
    follow = np.where(plan.grad_kind[:, None] == 4, 1.0, 0.3 * (plan.shape[:, None] - 0.3))
    with np.errstate(all="ignore"):
        fall = np.log10(np.maximum(train, 1e-300) / _column(plan.start))
    base = np.log10(_column(plan.grad_level)) + follow * np.clip(fall, -8, 2)
    base += 0.5 * np.exp(-80.0 * _U) * (plan.schedule_b[:, None] < 0.5)
    size, kind = _column(plan.grad_size), plan.grad_kind[:, None]
    fades = -size * -np.expm1(-_U * (4 + 60 * plan.schedule_b[:, None]))
    grows = size * np.where(plan.blow_kind[:, None] > 0, blown, np.maximum(_U - 0.5 * plan.shape[:, None], 0.0) * 1.6)
    return np.asarray(base + np.where(kind == 1, fades, 0.0) + np.where(kind == 3, grows, 0.0))
