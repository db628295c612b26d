"""The generator's table: families of runs, healthy and sick, as small functions from (rng, n) to plan overrides.

A family shapes the cause; which labels a run gets is measured afterwards on what can be seen (`truth`). `TRENDS` are
exclusive, a run has one; `EXTRAS` ride on any trend.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from curveclinic.synth import healthy, riders, train_faults, val_faults
from curveclinic.synth.draws import Draw, Rng


@dataclass(frozen=True)
class Family:
    """One way a run can go.

    Attributes:
        weight: share of the stream, relative to its table (trends) or absolute (extras).
        draw: (rng, n) -> overrides of the plan.
    """

    weight: float
    draw: Callable[[Rng, int], Draw]


TRENDS: Final[dict[str, Family]] = {
    "plain": Family(14.0, healthy.plain),
    "clean_decay": Family(3.0, healthy.clean_decay),
    "memorised_flat": Family(4.5, healthy.memorised_flat),
    "fine_tuning": Family(3.5, healthy.fine_tuning),
    "small_moves": Family(2.0, healthy.small_moves),
    "five_epochs": Family(4.0, healthy.five_epochs),
    "language_model": Family(3.0, healthy.language_model),
    "scheduled": Family(5.0, healthy.scheduled),
    "cyclic": Family(2.0, healthy.cyclic),
    "level_jump": Family(3.5, healthy.level_jump),
    "regression_tail": Family(3.5, healthy.regression_tail),
    "huge_batch_noise": Family(2.2, healthy.huge_batch_noise),
    "val_wobble": Family(3.0, healthy.val_wobble),
    "slight_offset": Family(3.0, healthy.slight_offset),
    "resumed": Family(1.5, healthy.resumed),
    "fast_learner": Family(3.0, healthy.fast_learner),
    "first_epochs": Family(6.0, healthy.first_epochs),
    "negative": Family(1.0, healthy.negative),
    "overfit": Family(6.0, val_faults.overfit),
    "overfit_memorise": Family(3.0, val_faults.overfit_memorise),
    "overfit_likelihood": Family(1.5, val_faults.overfit_likelihood),
    "overfit_far_below": Family(4.0, val_faults.overfit_far_below),
    "overfit_settled": Family(4.0, val_faults.overfit_settled),
    "val_lags": Family(1.5, val_faults.val_lags),
    "overfit_after_drop": Family(1.0, val_faults.overfit_after_drop),
    "overfit_after_plateau": Family(2.0, val_faults.overfit_after_plateau),
    "underfit": Family(6.0, train_faults.underfit),
    "no_learning": Family(4.0, train_faults.no_learning),
    "settles_at_chance": Family(3.2, train_faults.settles_at_chance),
    "killed_early": Family(1.5, train_faults.killed_early),
    "too_slow": Family(4.0, train_faults.too_slow),
    "crawls": Family(2.5, train_faults.crawls),
    "cut_short": Family(2.0, train_faults.cut_short),
    "slow_start": Family(3.5, train_faults.slow_start),
    "warmup_start": Family(1.0, train_faults.warmup_start),
    "drift_up": Family(3.4, train_faults.drift_up),
    "climbs_back": Family(1.5, train_faults.climbs_back),
    "blow_up": Family(1.8, train_faults.blow_up),
    "thrown": Family(1.2, train_faults.thrown),
    "exponential_blow_up": Family(1.2, train_faults.exponential_blow_up),
    "slow_turn": Family(0.8, train_faults.slow_turn),
    "oscillating": Family(6.0, train_faults.oscillating),
    "damped_start": Family(1.2, train_faults.damped_start),
    "never_generalises": Family(3.0, val_faults.never_generalises),
    "val_below": Family(2.5, val_faults.val_below),
    "stalled_train": Family(3.0, val_faults.stalled_train),
    "stuck_metric": Family(3.0, val_faults.stuck_metric),
    "overconfident": Family(3.0, val_faults.overconfident),
    "hockey_stick": Family(4.5, train_faults.hockey_stick),
    "vanishing": Family(3.2, train_faults.vanishing),
    "double_descent": Family(2.5, val_faults.double_descent),
    "grokking": Family(2.5, val_faults.grokking),
}
"""Family -> weight and draws; a run follows one of them."""

EXTRAS: Final[dict[str, Family]] = {
    "spikes": Family(0.09, riders.spikes),
    "setbacks": Family(0.025, riders.setbacks),
    "val_jumps": Family(0.06, riders.val_jumps),
    "shaky_val": Family(0.07, riders.shaky_val),
    "unshuffled": Family(0.055, riders.unshuffled),
    "goes_nan": Family(0.025, riders.goes_nan),
    "gradient_burst": Family(0.04, riders.gradient_burst),
    "gradients_fade": Family(0.03, riders.gradients_fade),
    "odd_norms": Family(0.04, riders.odd_norms),
    "mild_swings": Family(0.08, riders.mild_swings),
    "idle_start": Family(0.02, riders.idle_start),
    "collapsing_start": Family(0.02, riders.collapsing_start),
    "turning_val": Family(0.03, riders.turning_val),
    "easier_val": Family(0.02, riders.easier_val),
    "late_blow_up": Family(0.012, riders.late_blow_up),
    "high_swings": Family(0.02, riders.high_swings),
    "dead_metric": Family(0.012, riders.dead_metric),
}
"""Rider -> probability and draws; a run may carry several."""
