"""`Plan`: every number that shapes n runs, drawn for a plain healthy run and overridden by a family."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from curveclinic.ragged import BoolArray, FloatArray, IntArray
from curveclinic.synth.draws import Draw, Overridden

LOGGING = ("epoch", "eval", "step", "window", "ema", "running")
"""How a train loss is written: mean over the epoch, evaluated at its end, one batch, mean of a window,
exponential average, mean since the start of the epoch."""


@dataclass(eq=False)
class Plan(Overridden):
    """Parameters of n runs, one (n,) array each. Shares and times are of the planned training, 0..1."""

    # the descent
    start: FloatArray  # untrained loss, before units
    floor: FloatArray  # lowest train loss over the untrained one
    decay: IntArray  # index into DECAYS
    rate: FloatArray  # time constants in the whole training
    shape: FloatArray
    plateau: FloatArray  # idle share of progress at the start
    stick: FloatArray  # extra initial loss over the untrained one (hockey stick); below 0: better than what follows
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
    val_floor: FloatArray  # share of the drop that val does not follow; below 0: val falls further than train
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
    blow_val: FloatArray  # share of it that val goes along with, in logarithms
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
    val_skew: FloatArray
    shared_noise: FloatArray
    spikes: IntArray
    spike_size: FloatArray  # log ratio to the level
    spike_tail: FloatArray  # recovery in points
    spike_shared: FloatArray  # how much of it val sees
    spike_early: FloatArray  # 1: all in the first fifth
    val_spikes: IntArray
    val_spike_size: FloatArray
    val_spike_tail: FloatArray  # recovery in val points
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
    # 0 follows the descent, 1 stuck, 2 jitter, 3 falls with overfitting, 4 an error, 5 improves whatever the loss does,
    # 6 gets worse as the loss falls
    metric_kind: IntArray
    metric_noise: FloatArray
    metric_gain: FloatArray
    metric_start: FloatArray  # share of the gain that a pretrained model begins with
    grad_kind: IntArray  # 0 plain, 1 vanishes, 2 explodes (burst), 3 grows, 4 falls with a fitted loss
    grad_oddity: IntArray  # 0 none, 1 drops at once, 2 zeros or dips here and there, 3 zeros first, 4 few decimals
    grad_level: FloatArray
    grad_noise: FloatArray
    grad_size: FloatArray

    @classmethod
    def of(cls, values: Draw) -> Plan:
        """Returns the plan of what was drawn for a plain healthy run; what comes with a family only is 0."""
        zero = {"FloatArray": np.zeros_like(values["start"]), "IntArray": np.zeros_like(values["points"])}
        # Any: a field is an array of floats or of integers, which only its name tells
        drawn: dict[str, Any] = {field.name: zero[str(field.type)].copy() for field in fields(cls)}
        return cls(**drawn | values)

    @property
    def size(self) -> int:
        """Number of runs."""
        return len(self.start)

    def where(self, chosen: BoolArray) -> tuple[IntArray, Plan]:
        """Returns the rows of the chosen runs (n,) and their plan: what few runs have is computed for those alone."""
        rows = np.flatnonzero(chosen)
        return rows, _Chosen(self, rows)


class _Chosen(Plan):
    """The plan of some runs; of its many parameters only those that are asked for are taken."""

    def __init__(self, plan: Plan, rows: IntArray) -> None:
        self._plan, self._rows = plan, rows

    def __getattr__(self, name: str) -> Any:
        values = getattr(self._plan, name).take(self._rows)
        setattr(self, name, values)
        return values
