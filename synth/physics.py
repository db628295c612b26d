"""From a plan to latent curves: what the network would score without noise, on the planned time grid."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from curveclinic.ragged import FloatArray, IntArray
from curveclinic.synth.descent import GRID, decay, learning_rate, progress
from curveclinic.synth.plan import Plan

_U = GRID[None, :]


@dataclass(frozen=True, eq=False)
class Latent:
    """Noise-free curves of n runs on `descent.GRID`; losses before units.

    Attributes:
        train, val: (n, G).
        rate: (n, G) learning rate over its peak.
        train_metric, val_metric: (n, G), 0 in runs that log neither.
        log_grad: (n, G) log10 of the gradient norm, 0 in runs that do not log it.
    """

    train: FloatArray
    val: FloatArray
    rate: FloatArray
    train_metric: FloatArray
    val_metric: FloatArray
    log_grad: FloatArray


def _column(values: FloatArray | IntArray) -> FloatArray:
    return np.asarray(values, dtype=np.float64)[:, None]


def latent(plan: Plan) -> Latent:
    """Evaluates the plan's curves."""
    rate = learning_rate(plan.schedule, plan.warmup, plan.schedule_a, plan.schedule_b)
    done = progress(rate, plan.schedule_weight)
    left = decay(plan.decay, done, plan.rate, plan.shape, plan.plateau)
    held = 1 - left
    held *= rate
    train, val = _train(plan, left, held), _val(plan, left, held)
    blown, train_metric, val_metric, log_grad = (np.zeros(left.shape) for _ in range(4))
    rows, some = plan.where(plan.blow_kind > 0)
    blow, blown[rows] = _blow_up(some, train[rows])
    train[rows] *= np.exp(np.clip(blow, -60, 75))
    val[rows] *= np.exp(np.clip(blow * _column(some.blow_val), -60, 75))
    rows, some = plan.where((plan.has_train_metric > 0) | (plan.has_val_metric > 0))
    train_metric[rows], val_metric[rows] = _metrics(some, rows, left, val, blown)
    rows, some = plan.where(plan.has_grad > 0)
    log_grad[rows] = _log_grad(some, train[rows], blown[rows])
    return Latent(train, val, rate, train_metric, val_metric, log_grad)


def _train(plan: Plan, left: FloatArray, held: FloatArray) -> FloatArray:
    """Train loss but for blow-ups; held (n, G) is the progress a high learning rate holds back."""
    curve = _column(plan.lr_floor) * held
    curve += left
    curve *= _column(plan.start * (1 - plan.floor))
    curve += _column(plan.start * plan.floor)
    rows, idle = plan.where(plan.train_mode == 1)
    drift = _column(idle.train_drift) * _U ** (0.4 + 1.2 * _column(idle.shape))
    curve[rows] = _column(idle.start) * (1 + drift)
    _jump(curve, plan, plan.jump_by)
    _begin_high(curve, plan, plan.start * plan.stick, plan.start * plan.catapult)
    curve += _column(plan.start * plan.train_extra)
    return curve


def _jump(curve: FloatArray, plan: Plan, by: FloatArray) -> None:
    """Multiplies a loss by exp(by) from the jump on; by (n,) is 0 without one."""
    rows, some = plan.where(by != 0)
    curve[rows] *= np.exp(_column(by[rows]) * _after(some.jump_at, some.schedule_a))


def _begin_high(curve: FloatArray, plan: Plan, stick: FloatArray, catapult: FloatArray) -> None:
    """Adds what only a run's beginning shows: a hockey stick and a transient rise of the given heights (n,).

    A stick below 0 is what was learnt before the model broke.
    """
    rows, some = plan.where(stick != 0)
    curve[rows] += _column(stick[rows]) * _stick(some)
    rows, some = plan.where(catapult > 0)
    early = _early(some)
    curve[rows] += _column(catapult[rows]) * early * np.exp(1 - early)


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


def _val(plan: Plan, left: FloatArray, held: FloatArray) -> FloatArray:
    """Val loss but for blow-ups; held (n, G) is the progress a high learning rate holds back."""
    begin = plan.start * plan.val_start
    drop = begin * (1 - plan.floor) * (1 - plan.val_floor)
    curve = left ** _column(plan.val_power)
    curve *= _column(drop)
    curve += _column(begin - drop)
    curve += _column(0.8 * drop * plan.lr_floor) * held
    rows, some = plan.where(plan.rise != 0)
    shape = _rise_shape(_since(some.rise_at, some.shape), some.rise_kind)
    curve[rows] += _column(some.rise * drop[rows]) * shape
    rows, some = plan.where(plan.hump > 0)
    curve[rows] += _column(some.hump * drop[rows]) * _hump(some)
    rows, some = plan.where(plan.late_drop > 0)
    curve[rows] += _column(some.late_drop) * (_column(begin[rows]) - curve[rows]) / _learned_late(some)
    rows, some = plan.where(plan.val_mode == 1)
    drift = _column(some.val_drift) * _rise_shape(np.broadcast_to(_U, (len(rows), len(GRID))), some.rise_kind)
    curve[rows] = _column(begin[rows]) * np.maximum(1 + drift, 0.05)
    _begin_high(curve, plan, 0.6 * begin * plan.stick, begin * plan.catapult)
    _jump(curve, plan, plan.jump_val)
    curve *= _column(plan.val_unit)
    return curve


def _hump(plan: Plan) -> FloatArray:
    """Double descent: a bell in log time."""
    distance = np.log(np.maximum(_U, 1e-6) / np.maximum(plan.late_at[:, None], 1e-3))
    return np.exp(-0.5 * (distance / (0.3 + 2 * _column(plan.late_width))) ** 2)


def _learned_late(plan: Plan) -> FloatArray:
    """Delayed generalisation: grows from one without bound; its inverse is what still waits."""
    since = (_U - np.maximum(plan.late_at[:, None], 1e-3)) / (0.2 * _column(plan.late_width) + 1e-3)
    return np.asarray(1 + np.exp(np.clip(since, -50, 50)))


def _blow_up(plan: Plan, train: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Log factor and share done of runs that blow up; times are shares of the logged window."""
    at = plan.window_start + plan.blow_at * (plan.window_end - plan.window_start)
    span = np.maximum(plan.window_end - at, 1e-3)[:, None]
    s = np.clip((_U - at[:, None]) / span, 0.0, 1.5)
    by, kind = _column(plan.blow_by), plan.blow_kind[:, None]
    back_to_start = np.log(np.maximum(_column(plan.start) / np.maximum(train, 1e-300), 1e-300))
    shape = np.where(_column(plan.shape) < 0.4, -np.expm1(-4 * s), s ** (0.5 + _column(plan.shape)))
    share = np.where(kind == 2, -np.expm1(-60 * s), np.where(kind == 4, s**1.5, shape))
    share = np.where(kind == 3, s, share)
    target = np.where((kind == 2) | (kind == 4), np.maximum(back_to_start, 0.0) + by - 0.3 * (kind == 2), by)
    return share * target, np.minimum(share, 1.0)


def _metrics(
    plan: Plan, chosen: IntArray, left: FloatArray, val: FloatArray, blown: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Train and val metric of the chosen runs, which log one; the plan is theirs, the curves are those of all runs."""
    chance = 1.0 / np.maximum(plan.classes, 2.0)
    above = (1 - chance) * plan.metric_gain
    learned = _learned(plan, chosen, left, blown)
    train = _column(above) * learned
    # where val never improves its metric does not either, in half of the runs; else a little
    idle = np.where(plan.metric_kind == 5, plan.shape, np.where(plan.metric_kind == 0, _upper_half(plan.shape), 0.1))
    held_back = np.where(plan.val_mode == 1, idle, 1 - 0.4 * plan.val_floor)
    v = _column(above * held_back) * learned
    rows, some = plan.where(plan.late_drop > 0)
    # waits with the validation loss (grokking) when that one waits
    v[rows] *= 1 - _column(some.late_drop) / _learned_late(some)
    rows, some = plan.where(plan.metric_kind == 3)
    rise = _rise_shape(_since(some.rise_at, some.shape), some.rise_kind)
    v[rows] -= _column(0.3 * np.tanh(some.rise) * above[rows]) * rise
    rows, some = plan.where((plan.metric_kind == 1) | (plan.metric_kind == 2))
    train[rows] = v[rows] = _column(0.1 * some.shape * (1 - chance[rows]))
    rows, some = plan.where(plan.metric_kind == 6)
    left_over = 1 - _column(0.2 + 0.75 * some.shape) * learned[rows]
    train[rows] = v[rows] = _column(above[rows]) * left_over
    train += _column(chance)
    v += _column(chance)
    rows = np.flatnonzero(plan.metric_kind == 4)
    v[rows] = np.sqrt(np.maximum(val[chosen[rows]], 1e-300))
    train[rows] = v[rows] * (0.9 + 0.05 * left[chosen[rows]])
    return train, v


def _learned(plan: Plan, chosen: IntArray, left: FloatArray, blown: FloatArray) -> FloatArray:
    """Share of the metric's gain that train has made."""
    learned = left[chosen]
    learned **= 0.8
    np.subtract(1, learned, out=learned)
    rows = np.flatnonzero(plan.blow_kind > 0)
    learned[rows] *= 1 - blown[chosen[rows]]
    learned[plan.train_mode == 1] = 0.0
    rows, some = plan.where(plan.metric_kind == 5)
    learned[rows] = _U ** (0.3 + _column(some.shape))
    rows, some = plan.where(plan.metric_start > 0)
    learned[rows] += _column(some.metric_start) * (1 - learned[rows])
    return learned


def _upper_half(share: FloatArray) -> FloatArray:
    """0 for the lower half of [0, 1], up to 1 in the upper one."""
    return np.maximum(2 * share - 1, 0.0)


def _log_grad(plan: Plan, train: FloatArray, blown: FloatArray) -> FloatArray:
    """Gradient norms of runs that log them, log10."""
    follow = np.where(plan.grad_kind == 4, 1.0, 0.3 * (plan.shape - 0.3))
    early = np.where(plan.schedule_b < 0.5, 0.5, 0.0)
    with np.errstate(all="ignore"):
        fall = np.log10(np.maximum(train, 1e-300) / _column(plan.start))
    base: FloatArray = _column(np.log10(plan.grad_level)) + _column(follow) * np.clip(fall, -8, 2)
    base += _column(early) * np.exp(-80.0 * _U)
    rows, some = plan.where(plan.grad_kind == 1)
    base[rows] += _column(some.grad_size) * np.expm1(-_U * (4 + 60 * _column(some.schedule_b)))
    rows, some = plan.where(plan.grad_kind == 3)
    late = np.maximum(_U - 0.5 * _column(some.shape), 0.0) * 1.6
    base[rows] += _column(some.grad_size) * np.where(_column(some.blow_kind) > 0, blown[rows], late)
    return base
