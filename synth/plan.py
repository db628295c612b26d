"""`Plan`: every number that shapes n runs, drawn for a plain healthy run and overridden by a family."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from curveclinic.synth.descent import DECAYS, SCHEDULES, FloatArray, IntArray

SCHEDULE_INDEX = {name: i for i, name in enumerate(SCHEDULES)}
DECAY_INDEX = {name: i for i, name in enumerate(DECAYS)}

LOGGING = ("epoch", "eval", "step", "window", "ema", "running")
"""How a train loss is written: mean over the epoch, evaluated at its end, one batch, mean of a window,
exponential average, mean since the start of the epoch."""


@dataclass(eq=False)
class Plan:
    """Parameters of n runs, one (n,) array each. Shares and times are of the planned training, 0..1."""

    # the descent
    start: FloatArray  # untrained loss, before units
    floor: FloatArray  # lowest train loss over the untrained one
    decay: IntArray  # index into DECAYS
    rate: FloatArray  # time constants in the whole training
    shape: FloatArray
    plateau: FloatArray  # idle share of progress at the start
    stick: FloatArray  # extra initial loss over the untrained one (hockey stick)
    stick_rate: FloatArray
    catapult: FloatArray  # transient rise near the start, over the untrained loss
    # schedule
    schedule: IntArray
    warmup: FloatArray
    schedule_a: FloatArray
    schedule_b: FloatArray
    schedule_weight: FloatArray  # how much the schedule slows the descent
    lr_floor: FloatArray  # loss added by a high learning rate, over the drop
    lr_peak: FloatArray
    jump_at: FloatArray  # a change of augmentation, resolution or batch size
    jump_by: FloatArray  # log ratio of the train level after it
    jump_val: FloatArray  # the same for val
    # validation
    val_floor: FloatArray  # share of the drop that val does not follow
    val_power: FloatArray  # val falls as decay ** power
    val_start: FloatArray  # val's initial level over train's
    val_unit: FloatArray  # val in other units
    train_extra: FloatArray  # penalty or dropout in the train loss only, over the start level
    rise: FloatArray  # overfitting: rise of val at the end, over val's drop
    rise_at: FloatArray
    rise_kind: IntArray
    late_drop: FloatArray  # delayed generalisation: how much of val's level waits, 0 none
    late_at: FloatArray
    late_width: FloatArray
    hump: FloatArray  # double descent: height of the bump over val's drop
    val_mode: IntArray  # 0 follows train, 1 never improves
    val_drift: FloatArray  # for mode 1: relative change by the end
    train_mode: IntArray  # 0 learns, 1 stays where it is
    train_drift: FloatArray
    # blow-ups
    blow_kind: IntArray  # 0 none, 1 drifts up, 2 jumps and stays, 3 grows exponentially, 4 slow turn
    blow_at: FloatArray
    blow_by: FloatArray  # log of the level reached over the level before
    nan_at: FloatArray  # share of the points after which values are NaN; 2 never
    nan_kind: IntArray  # 0 NaN, 1 Inf, 2 a single gap
    nan_where: IntArray  # 0 both, 1 train, 2 val
    # texture
    noise: FloatArray  # relative noise of a logged train point at the start level
    noise_power: FloatArray  # 1 constant relative, 0 additive
    noise_rho: IntArray  # index into texture.RHO
    skew: FloatArray
    val_noise: FloatArray
    val_noise_power: FloatArray
    val_rho: IntArray
    shared_noise: FloatArray
    spikes: IntArray
    spike_size: FloatArray  # log ratio to the level
    spike_tail: FloatArray  # recovery in points
    spike_shared: FloatArray  # how much of it val sees
    spike_early: FloatArray  # 1: all in the first fifth
    val_spikes: IntArray
    val_spike_size: FloatArray
    swing: FloatArray  # amplitude in log level
    swing_kind: IntArray
    swing_cycles: FloatArray
    swing_val: FloatArray
    swing_from: FloatArray
    period: FloatArray  # points of the repeated pattern, 0 none
    period_size: FloatArray
    # the log
    points: IntArray
    ratio: FloatArray  # train points per val point
    logging: IntArray
    ema: FloatArray  # points of lag
    epochs: FloatArray  # epochs in the whole training, for running means
    window_start: FloatArray
    window_end: FloatArray
    first_step: FloatArray
    step_size: FloatArray
    val_offset: FloatArray  # in val points
    digits: IntArray  # decimals kept, 99 all
    unit: FloatArray  # of the loss
    shift: FloatArray  # subtracted after units: negative losses
    missing: FloatArray  # share of points that were not written
    restored: FloatArray  # 1: the last val row repeats the best one
    freeze: FloatArray  # 1: the train loss is constant after a blow-up
    has_val: FloatArray
    has_train_metric: FloatArray
    has_val_metric: FloatArray
    has_lr: FloatArray
    has_grad: FloatArray
    # companions
    classes: FloatArray
    metric_kind: IntArray  # 0 follows the descent, 1 stuck, 2 jitter, 3 falls with overfitting, 4 an error, 5 improves whatever the loss does
    metric_noise: FloatArray
    metric_gain: FloatArray
    grad_kind: IntArray  # 0 plain, 1 vanishes, 2 explodes (burst), 3 grows, 4 falls with a fitted loss
    grad_level: FloatArray
    grad_noise: FloatArray
    grad_size: FloatArray

    @property
    def size(self) -> int:
        """Number of runs."""
        return len(self.start)

    def override(self, rows: IntArray, values: dict[str, FloatArray | IntArray]) -> None:
        """Writes a family's draws into its rows."""
        for name, value in values.items():
            getattr(self, name)[rows] = value

    def take(self, rows: IntArray) -> Plan:
        """Returns the given runs."""
        return Plan(**{f.name: getattr(self, f.name)[rows] for f in fields(self)})


def log_uniform(rng: np.random.Generator, low: float, high: float, n: int) -> FloatArray:
    """(n,) log-uniform draws."""
    return np.exp(rng.uniform(np.log(low), np.log(high), n))


def chance(rng: np.random.Generator, share: float, n: int) -> FloatArray:
    """(n,) 1.0 with the given probability, else 0.0."""
    return (rng.random(n) < share).astype(np.float64)


def pick(rng: np.random.Generator, weights: dict[int, float] | list[float], n: int) -> IntArray:
    """(n,) indices drawn with the given weights."""
    table = weights if isinstance(weights, dict) else dict(enumerate(weights))
    p = np.array(list(table.values()))
    return rng.choice(np.array(list(table)), size=n, p=p / p.sum())


def draw_points(rng: np.random.Generator, n: int) -> IntArray:
    """(n,) logged train points: median about 75, 5 to 30,000."""
    base = np.exp(rng.normal(np.log(70.0), 1.25, n))
    short = rng.random(n) < 0.1
    base[short] = rng.uniform(5, 16, int(short.sum()))
    return np.clip(base, 5, 30_000).astype(np.int64)


def draw_healthy(rng: np.random.Generator, n: int) -> Plan:
    """Draws n plain healthy runs: joint descent, ordinary noise, an ordinary logger."""
    u = rng.random
    points = draw_points(rng, n)
    classes = np.rint(log_uniform(rng, 2, 300, n))
    regression = u(n) < 0.3
    lm = u(n) < 0.12
    classes[lm] = np.rint(log_uniform(rng, 50, 60_000, int(lm.sum())))
    start = np.where(regression, log_uniform(rng, 0.02, 8.0, n), np.log(classes) * rng.uniform(0.85, 1.2, n))
    deep = u(n) < 0.42
    floor = np.where(deep, log_uniform(rng, 3e-4, 0.1, n), rng.uniform(0.1, 0.85, n))
    decay = pick(rng, [5, 5, 3, 5, 1.2, 0.8, 0.3, 2.0], n)
    rate = log_uniform(rng, 3.0, 400.0, n)
    schedule = pick(rng, [9, 3, 2, 1, 2, 1.2, 0.0, 0.0, 0.5, 0.6], n)
    logging = np.where(points > 250, pick(rng, [0.7, 0.6, 4, 3, 1.5, 1.2], n), pick(rng, [6, 1.2, 1.5, 1.5, 0.6, 0.5], n))
    single = (logging == 2) | (logging == 5)
    noise = np.where(single, log_uniform(rng, 0.006, 0.45, n), log_uniform(rng, 2e-4, 0.05, n))
    noise = np.where(logging >= 3, log_uniform(rng, 2e-3, 0.1, n), noise)
    per_epoch = logging <= 1
    ratio = np.where(per_epoch, np.where(u(n) < 0.93, 1.0, rng.uniform(1, 5, n)), log_uniform(rng, 1.0, 50.0, n))
    zeros, ones = np.zeros(n), np.ones(n)
    whole = u(n) < 0.75
    gap = np.where(u(n) < 0.4, np.abs(rng.normal(0, 0.02, n)), np.where(u(n) < 0.6, rng.uniform(0, 0.12, n), rng.uniform(0.05, 0.7, n)))
    return Plan(
        start=start, floor=floor, decay=decay, rate=rate, shape=u(n), plateau=zeros.copy(), stick=zeros.copy(),
        stick_rate=log_uniform(rng, 100, 3000, n), catapult=zeros.copy(),
        schedule=schedule, warmup=np.where(u(n) < 0.3, log_uniform(rng, 0.003, 0.1, n), 0.0), schedule_a=u(n), schedule_b=u(n),
        schedule_weight=np.where(u(n) < 0.7, rng.uniform(0.3, 1.0, n), 0.0), lr_floor=np.where(u(n) < 0.6, log_uniform(rng, 1e-3, 0.25, n), 0.0),
        lr_peak=log_uniform(rng, 1e-6, 0.5, n), jump_at=np.full(n, 2.0), jump_by=zeros.copy(), jump_val=zeros.copy(),
        val_floor=gap, val_power=rng.uniform(0.75, 1.15, n), val_start=1.0 + rng.normal(0, 0.02, n), val_unit=ones.copy(),
        train_extra=np.where(u(n) < 0.3, log_uniform(rng, 1e-3, 0.015, n), 0.0), rise=zeros.copy(), rise_at=u(n), rise_kind=rng.integers(0, 5, n),
        late_drop=zeros.copy(), late_at=ones.copy(), late_width=ones.copy(), hump=zeros.copy(), val_mode=np.zeros(n, int), val_drift=zeros.copy(),
        train_mode=np.zeros(n, int), train_drift=zeros.copy(), blow_kind=np.zeros(n, int), blow_at=np.full(n, 2.0), blow_by=zeros.copy(),
        nan_at=np.full(n, 2.0), nan_kind=pick(rng, [8, 1, 1], n), nan_where=pick(rng, [6, 2, 1], n),
        noise=noise, noise_power=np.where(u(n) < 0.45, 1.0, rng.uniform(0.2, 1.0, n)), noise_rho=pick(rng, [8, 2, 1, 0.5], n),
        skew=np.where(u(n) < 0.4, rng.uniform(0.1, 0.8, n), 0.0), val_noise=log_uniform(rng, 3e-4, 0.035, n), val_noise_power=np.where(u(n) < 0.6, 1.0, 0.3),
        val_rho=pick(rng, [5, 3, 2, 1], n), shared_noise=np.where(u(n) < 0.4, log_uniform(rng, 3e-4, 0.02, n), 0.0),
        spikes=np.zeros(n, int), spike_size=zeros.copy(), spike_tail=zeros.copy(), spike_shared=zeros.copy(), spike_early=zeros.copy(),
        val_spikes=np.zeros(n, int), val_spike_size=zeros.copy(), swing=zeros.copy(), swing_kind=np.zeros(n, int), swing_cycles=ones.copy(),
        swing_val=ones.copy(), swing_from=zeros.copy(), period=zeros.copy(), period_size=zeros.copy(),
        points=points, ratio=ratio, logging=logging, ema=np.where(logging == 4, log_uniform(rng, 2, 30, n), 0.0),
        epochs=np.where(per_epoch, points, log_uniform(rng, 1, 60, n)), window_start=np.where(u(n) < 0.03, rng.uniform(0.1, 0.9, n), 0.0),
        window_end=np.where(whole, 1.0, rng.uniform(0.15, 1.0, n)), first_step=np.where(u(n) < 0.04, np.rint(log_uniform(rng, 10, 4e5, n)), pick(rng, [4, 6], n)),
        step_size=np.where(per_epoch, 1.0, pick(rng, {1: 3, 2: 1, 4: 1, 10: 3, 50: 2, 100: 2, 500: 1}, n)), val_offset=pick(rng, {0: 8, 1: 1}, n) * 1.0,
        digits=pick(rng, {99: 6, 6: 1, 4: 3, 3: 0.7, 2: 0.15}, n), unit=np.where(u(n) < 0.93, 1.0, 10.0 ** rng.uniform(-7, 8, n)), shift=zeros.copy(),
        missing=np.where(u(n) < 0.04, rng.uniform(0.005, 0.15, n), 0.0), restored=chance(rng, 0.02, n), freeze=zeros.copy(),
        has_val=chance(rng, 0.84, n), has_train_metric=chance(rng, 0.4, n), has_val_metric=chance(rng, 0.62, n), has_lr=chance(rng, 0.42, n), has_grad=chance(rng, 0.35, n),
        classes=classes, metric_kind=np.where(regression & (u(n) < 0.6), 4, 0), metric_noise=log_uniform(rng, 1e-3, 0.05, n), metric_gain=rng.uniform(0.2, 1.0, n),
        grad_kind=pick(rng, {0: 5, 4: 1.5}, n), grad_level=log_uniform(rng, 1e-3, 30, n), grad_noise=log_uniform(rng, 0.05, 0.6, n), grad_size=zeros.copy(),
    )  # fmt: skip
