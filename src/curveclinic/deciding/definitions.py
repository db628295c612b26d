"""What each label means, in numbers: every clause has two cuts, clearly absent and clearly present.

A clause turns a quantity into a degree: 0 at or beyond `absent`, 1 at or beyond `present`, linear between. `all_of`
takes the smallest degree, `any_of` the largest. A label is present at degree 1, absent at 0 and arguable between.
The same table judges the generator's latent curves (truth) and logged ones (rules).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np

from curveclinic.deciding.clauses import Names, Program, Statement, above, all_of, any_of, below, holds, where_logged
from curveclinic.measuring.trends import Quantities
from curveclinic.ragged import FloatArray

_ONE_POINT = 1e-12
"""Less than one point's share of any run."""


def _learns(q: Names) -> Statement:
    """Train falls clearly: by 3-8 % of its level, and by more than its error."""
    relative = any_of(above(q["t_drop_rel"], 0.03, 0.08), 1.0 - holds(q["t_positive"]))
    return all_of(relative, above(q["t_drop_snr"], 3.0, 6.0))


def _no_schedule(q: Names) -> Statement:
    """No cyclic learning rate that would explain bumps."""
    return 1.0 - above(q["lr_cycles"], 0.1, 0.3)


def _overfitting(q: Names) -> Statement:
    falls = any_of(above(q["t_after_low"], 0.005, 0.03), below(q["t_floor"], 0.08, 0.25))
    turns = any_of(_val_rises(q), _val_rises_from_far_below(q), _gap_widens(q))
    return all_of(turns, falls, _learns(q), 1.0 - _delayed_generalization(q))


def _improved_before(q: Names) -> Statement:
    """The first logged val is better than what train began with: it came down before anyone looked."""
    return below(q["val_over_train_start"], 0.88, 0.97)


def _val_rises(q: Names) -> Statement:
    """Val comes down, then takes back a tenth of its drop, visibly."""
    return all_of(
        above(q["v_rise_drop"], 0.07, 0.15),
        above(q["v_rise_snr"], 3.0, 5.0),
        any_of(above(q["v_rise_noise"], 0.6, 1.5), _many_rise(q)),
        above(q["v_rise_rel"], 0.015, 0.04),
        # in a thinned log the minimum is the first point; then val starts below what train began with
        any_of(all_of(above(q["v_drop_rel"], 0.002, 0.01), above(q["v_drop_snr"], 0.3, 1.5)), _improved_before(q)),
        # train does not rise with it, as after a warm restart
        above(q["gap_growth_v"], 0.02, 0.06),
    )


def _many_rise(q: Names) -> Statement:
    """Val jumps about more than it rises, but so many points leave no doubt about their mean, and it rises far."""
    return all_of(
        above(q["v_rise_noise"], 0.35, 0.8), above(q["v_rise_snr"], 7.0, 12.0), above(q["v_rise_rel"], 0.2, 0.5)
    )


def _val_rises_from_far_below(q: Names) -> Statement:
    """After a long descent a tenth of the drop is a multiple of the lowest loss: a rise by a seventh of that is one."""
    return all_of(
        above(q["v_rise_rel"], 0.07, 0.14),
        above(q["v_rise_drop"], 0.02, 0.045),
        above(q["v_rise_snr"], 4.0, 8.0),
        above(q["v_rise_noise"], 1.5, 4.0),
        above(q["gap_growth_level"], 0.12, 0.22),
        below(q["v_low_at"], 0.6, 0.75),
        above(q["v_drop_rel"], 0.3, 0.6),
    )


def _gap_widens(q: Names) -> Statement:
    """Val has settled for the last half while train goes on falling: the gap grows well beyond what it was then."""
    return all_of(
        below(q["v_settled_at"], 0.35, 0.47),
        below(q["v_flat_late"], 0.12, 0.25),
        above(q["gap_since_level"], 0.15, 0.3),
        above(q["gap_since_share"], 0.35, 0.5),
        above(q["gap_since_snr"], 4.0, 6.0),
        above(q["t_late_log_fall"], 0.12, 0.3),
        above(q["v_drop_rel"], 0.03, 0.08),
    )


def _underfitting(q: Names) -> Statement:
    val_flat = all_of(above(q["v_plateau"], 0.25, 0.4), below(q["v_drop_rel"], 0.3, 0.5))
    return all_of(
        # a small improvement, but one
        below(q["t_drop_rel"], 0.25, 0.35),
        above(q["t_drop_rel"], 0.025, 0.05),
        above(q["t_drop_snr"], 3.0, 6.0),
        # then a plateau
        above(q["t_plateau"], 0.3, 0.45),
        below(q["t_end_fall"], 0.02, 0.06),
        below(q["t_noise_drop"], 0.6, 1.5),
        below(q["t_rise_drop"], 0.15, 0.4),
        # of both, together
        where_logged(q["v_plateau"], val_flat),
        where_logged(q["gap_level"], below(q["gap_level"], 0.12, 0.3)),
        1.0 - _divergence(q),
    )


def _not_learning(q: Names) -> Statement:
    positive = holds(q["t_positive"])
    settled = any_of(below(q["t_end_fall"], 0.06, 0.12), below(q["t_end_fall_snr"], 2.5, 4.5))
    little = any_of(below(q["t_drop_rel"], 0.012, 0.03), _settles_at_once(q))
    faint = any_of(below(q["t_drop_rel"], 0.008, 0.018), all_of(little, settled))
    still = all_of(faint, positive)
    # the noise of a few points is hardly known: there a clear step down is one
    known = any_of(above(q["t_count"], 6.0, 9.0), all_of(below(q["t_drop_rel"], 0.05, 0.15), positive))
    lost = all_of(below(q["t_drop_snr"], 1.5, 4.0), known)
    hidden = all_of(below(q["t_drop_noise"], 1.0, 2.0), below(q["t_drop_snr"], 4.0, 8.0), known)
    return all_of(any_of(still, lost, hidden), below(q["t_above_start_rel"], 0.03, 0.08), above(q["t_count"], 3.0, 5.0))


def _settles_at_once(q: Names) -> Statement:
    """A bad first guess becomes that of a chance prediction, and that is all; a metric that stays put confirms it."""
    little = below(q["t_drop_rel"], 0.01, 0.045)
    # even if the first step threw much away; what fell to a third has learnt something
    thrown = all_of(below(q["near_over_last"], 1.03, 1.06), below(q["first_over_last"], 1.8, 2.8))
    stuck = all_of(any_of(below(q["t_drop_rel"], 0.06, 0.12), thrown), _metric_stays(q))
    return all_of(any_of(little, stuck), above(q["t_plateau"], 0.85, 0.93))


def _metric_stays(q: Names) -> Statement:
    """The metric goes nowhere, below its ceiling."""
    ceiling = all_of(above(q["metric_typical"], 0.7, 0.8), below(q["metric_typical"], 1.0, 1.001))
    return all_of(below(q["metric_trend"], 0.6, 1.5), above(q["metric_count"], 5.0, 7.0), 1.0 - ceiling)


def _still_falls(q: Names, prefix: str) -> Statement:
    """One loss gives 5 % of its drop at the end; in logarithms any power law does, so more is asked for there."""
    fall = q[prefix + "end_fall"]
    log = holds(q[prefix + "log"])
    enough = any_of(all_of(log, above(fall, 0.12, 0.24)), all_of(1.0 - log, above(fall, 0.03, 0.05)))
    return all_of(enough, above(q[prefix + "end_fall_snr"], 1.0, 3.0), below(q[prefix + "rise_drop"], 0.05, 0.14))


def _undertrained(q: Names) -> Statement:
    # the noise of a batch may hide what a calm val shows
    val_tells = above(q["v_end_fall_snr"], 4.0, 7.0)
    return all_of(
        _still_falls(q, "t_"),
        where_logged(q["v_end_fall"], _still_falls(q, "v_")),
        any_of(above(q["t_end_fall_snr"], 2.0, 4.0), val_tells),
        above(q["t_drop_rel"], 0.005, 0.012),
        above(q["t_end_fall_rel"], 0.001, 0.003),
        # the slow noisy decline of fine-tuning is its nature
        any_of(below(q["t_noise_drop"], 0.15, 0.35), all_of(below(q["t_noise_drop"], 0.3, 0.6), val_tells)),
        # what ends in NaN was not stopped too early
        1.0 - holds(q["dies"]),
    )


def _slow_start(q: Names) -> Statement:
    return all_of(
        above(q["t_fallen_at"], 0.07, 0.12),
        above(q["t_fallen_points"], 2.0, 3.0),
        above(q["t_quickening"], 2.5, 4.0),
        above(q["t_drop_rel"], 0.1, 0.25),
        above(q["t_drop_snr"], 8.0, 16.0),
        below(q["t_noise_drop"], 0.12, 0.3),
        1.0 - _divergence(q),
    )


def _divergence(q: Names) -> Statement:
    back_at_start = all_of(above(q["t_rise_drop"], 0.6, 1.0), above(q["t_above_start_rel"], -0.25, 0.0))
    # on its way there: most of what was learnt is lost, and the loss is a multiple of its lowest
    mostly_lost = all_of(
        above(q["t_rise_drop"], 0.5, 0.7), above(q["t_rise_rel"], 1.0, 2.0), above(q["t_above_start_rel"], -0.5, -0.3)
    )
    # for half of the run and more the only way is up
    climbs = all_of(
        above(q["t_rise_drop"], 0.2, 0.32),
        above(q["t_rise_rel"], 0.4, 0.8),
        below(q["t_low_at"], 0.52, 0.65),
        _no_schedule(q),
    )
    far_past = above(q["t_above_start_rel"], 0.1, 0.3)
    rises = all_of(
        any_of(back_at_start, mostly_lost, climbs),
        above(q["t_rise_rel"], 0.04, 0.1),
        above(q["t_rise_snr"], 4.0, 8.0),
        above(q["t_rise_noise"], 1.0, 2.5),
        any_of(above(q["t_count"], 2.0, 3.0), _blows_up(q)),
        # two or three points up are a wobble, unless they go far, or far past where they began
        any_of(above(q["t_count"], 5.0, 9.0), above(q["t_rise_rel"], 0.3, 1.0), far_past),
    )
    return any_of(rises, _leaps(q))


THROWN: Final = {
    "first_over_near": (0.45, 0.65),
    "first_over_last": (0.5, 0.7),
    # at once, where an average that begins at 0 rises for a while, and for good
    "first_leap": (0.15, 0.35),
    "near_over_last": (1.6, 2.6),
    "first_over_low": (0.75, 0.95),
}
"""Quantity -> up to where the first step clearly threw a loss away, and from where it clearly did not."""


def _leaps(q: Names) -> Statement:
    """The first step throws the loss to a multiple of its first value, and it never comes back."""
    return all_of(
        # not a sum of a few batches over what many would come to
        above(q["first_over_near"], 0.01, 0.02),
        where_logged(q["first_over_chance"], above(q["first_over_chance"], 0.3, 0.5)),
        *(below(q[name], present, absent) for name, (present, absent) in THROWN.items()),
        below(q["t_noise_rel"], 0.15, 0.35),
        # a first batch that was easy comes again
        below(q["period_strength"], 0.3, 0.5),
        above(q["t_count"], 6.0, 10.0),
    )


def _blows_up(q: Names) -> Statement:
    """Two points are enough where the second is many times the first and nothing finite comes after."""
    return all_of(above(q["t_count"], 1.0, 2.0), above(q["t_rise_rel"], 3.0, 10.0), above(q["t_bad"], 0.0, _ONE_POINT))


def _non_finite(q: Names) -> Statement:
    return any_of(above(q["t_bad"], 0.0, _ONE_POINT), above(q["v_bad"], 0.0, _ONE_POINT))


def _swings(q: Names) -> Statement:
    """Train moves up and down, whatever the reason, by much of what it still has to fall."""
    return all_of(
        above(q["t_swing"], 0.16, 0.32),
        above(q["t_swing_level"], 0.05, 0.12),
        above(q["t_swing_turns"], 0.05, 0.1),
        above(q["t_count"], 10.0, 14.0),
    )


def _oscillation(q: Names) -> Statement:
    # batch noise has no memory and leaves val alone
    moving = any_of(above(q["t_swing_persistence"], 0.1, 0.35), above(q["swing_shared"], 0.3, 0.6))
    return all_of(
        _swings(q),
        moving,
        below(q["period_strength"], 0.55, 0.75),
        _no_schedule(q),
        1.0 - _not_learning(q),
        1.0 - _divergence(q),
    )


def _loss_spikes(q: Names) -> Statement:
    return all_of(
        above(q["t_jump_size"], 1.0, 1.9),
        above(q["t_jumps"], 0.0, 1.0),
        below(q["t_jumps"], 8.0, 14.0),
        above(q["t_count"], 5.0, 8.0),
        # the crest of a swing is no spike, unless it towers over the others
        any_of(1.0 - _oscillation(q), above(q["t_jump_size"], 3.0, 5.0)),
        below(q["period_strength"], 0.5, 0.7),
        _no_schedule(q),
        1.0 - _divergence(q),
    )


def _val_spikes(q: Names) -> Statement:
    return all_of(
        above(q["v_jump_size"], 1.2, 2.4),
        above(q["v_jumps"], 0.0, 1.0),
        below(q["v_jumps"], 6.0, 10.0),
        above(q["v_count"], 5.0, 8.0),
        any_of(below(q["jump_shared"], 0.5, 1.0), below(q["jump_beside"], 0.15, 0.35)),
        1.0 - _noisy_validation(q),
    )


def _noisy_validation(q: Names) -> Statement:
    # a trace of its level is enough where neither loss goes anywhere and they lie side by side
    still = all_of(
        below(q["t_drop_rel"], 0.015, 0.04),
        below(q["v_rise_rel"], 0.015, 0.04),
        below(q["gap_level"], 0.03, 0.08),
        above(q["v_noise_drop"], 0.5, 1.0),
        above(q["v_noise_rel"], 0.0005, 0.002),
    )
    return all_of(
        above(q["v_noise_over_t"], 2.0, 4.0),
        any_of(above(q["v_noise_drop"], 0.06, 0.14), above(q["v_noise_rel"], 0.07, 0.14)),
        any_of(above(q["v_noise_rel"], 0.01, 0.03), still),
        above(q["v_count"], 5.0, 8.0),
    )


def _periodic_loss(q: Names) -> Statement:
    return all_of(
        above(q["period_excess"], 0.4, 0.6),
        above(q["t_count"], 20.0, 30.0),
        any_of(above(q["t_noise_rel"], 0.002, 0.005), above(q["t_swing_level"], 0.005, 0.015)),
        _no_schedule(q),
    )


def _no_generalization(q: Names) -> Statement:
    hidden = all_of(below(q["v_drop_snr"], 1.0, 3.0), below(q["v_drop_rel"], 0.1, 0.25))
    return all_of(
        above(q["t_drop_rel"], 0.08, 0.2),
        above(q["t_drop_snr"], 5.0, 10.0),
        above(q["t_fall_beside"], 0.05, 0.15),
        any_of(below(q["v_drop_rel"], 0.02, 0.06), hidden),
        above(q["v_count"], 3.0, 4.0),
        below(q["t_above_start_rel"], -0.05, 0.0),
        1.0 - _improved_before(q),
    )


def _val_below_train(q: Names) -> Statement:
    # both begin at the cost of chance, or val settles later: then far below for most of the run, and to its end
    mostly = all_of(above(q["below_mostly"], 1.5, 3.0), above(q["below_late"], 0.7, 1.15))
    seen = above(q["below_snr"], 1.0, 2.0)
    return all_of(any_of(above(q["below"], 0.7, 1.15), mostly), seen, above(q["v_count"], 2.0, 4.0))


def _train_stalled_val_falls(q: Names) -> Statement:
    flat = any_of(below(q["t_drop_rel"], 0.02, 0.06), below(q["t_drop_noise"], 0.3, 0.7))
    return all_of(
        flat,
        above(q["v_drop_rel"], 0.1, 0.25),
        above(q["v_drop_snr"], 4.0, 8.0),
        above(q["v_drop_noise"], 3.0, 6.0),
    )


def _metric_mismatch(q: Names) -> Statement:
    return any_of(_both_rise(q), _metric_stuck(q))


def _both_rise(q: Names) -> Statement:
    """The loss gets worse while the metric gets better."""
    turns = all_of(
        above(q["v_rise_drop"], 0.2, 0.5), above(q["v_rise_snr"], 5.0, 10.0), above(q["v_rise_rel"], 0.05, 0.15)
    )
    return all_of(
        any_of(_overfitting(q), _divergence(q), turns),
        above(q["metric_gain_after_low"], 0.05, 0.15),
        above(q["metric_reversal"], 2.2, 4.2),
        above(q["metric_trend"], 0.5, 1.5),
    )


def _metric_worsens(q: Names) -> Statement:
    """The metric gets clearly worse, however high it is."""
    return all_of(
        below(q["metric_gain"], -0.3, -0.1), below(q["metric_trend"], -4.0, -2.0), above(q["metric_count"], 5.0, 7.0)
    )


def _metric_stuck(q: Names) -> Statement:
    """The loss falls and the metric stays where it is, below its ceiling, or gets worse."""
    return all_of(
        above(q["v_drop_rel"], 0.05, 0.15),
        above(q["t_drop_rel"], 0.05, 0.12),
        below(q["v_rise_drop"], 0.3, 0.6),
        below(q["metric_gain"], 0.05, 0.2),
        any_of(_metric_stays(q), _metric_worsens(q)),
    )


def _high_initial_loss(q: Names) -> Statement:
    # the fall ends in a kink: an exponential, however fast, goes on at the same rate
    stick = all_of(
        above(q["first_over_near"], 2.4, 3.4),
        below(q["first_kink"], 0.16, 0.28),
        # and the ordinary descent is still to come: a fast learner has reached its floor by then
        above(q["near_over_last"], 0.9, 1.3),
        # where the third of a few points is meant, much of it
        any_of(above(q["t_count"], 7.0, 10.0), above(q["near_over_last"], 1.5, 2.5)),
        below(q["t_noise_drop"], 0.15, 0.35),
        above(q["t_count"], 4.0, 6.0),
    )
    costly = all_of(above(q["first_over_chance"], 2.2, 3.2), above(q["first_over_near"], 1.3, 2.0))
    # where the price of chance is known, a first value near it is an ordinary one
    ordinary = below(q["first_over_chance"], 1.5, 2.2)
    return any_of(all_of(stick, 1.0 - ordinary), costly)


def _vanishing_gradients(q: Names) -> Statement:
    fallen = all_of(above(q["grad_fall"], 1.3, 2.2), below(q["grad_end_log10"], -2.5, -1.5))
    # the first layer's norm a thousandth of the last one's
    starved = below(q["layer_ratio"], 0.0003, 0.003)
    return all_of(
        any_of(below(q["t_drop_rel"], 0.25, 0.5), _not_learning(q)),
        any_of(fallen, below(q["grad_end_log10"], -5.0, -4.0), starved),
    )


def _exploding_gradients(q: Names) -> Statement:
    # a loss that leaves its plateau and learns has gradients again: they have come back, not exploded
    learns_late = all_of(
        above(q["t_fallen_at"], 0.05, 0.1), above(q["t_drop_snr"], 8.0, 16.0), below(q["t_rise_drop"], 0.1, 0.3)
    )
    return any_of(above(q["grad_burst"], 1.6, 2.0), all_of(above(q["grad_growth"], 1.8, 2.3), 1.0 - learns_late))


def _delayed_generalization(q: Names) -> Statement:
    return all_of(
        # train is low early and stays so
        below(q["fit_at"], 0.25, 0.45),
        below(q["refit"], 0.4, 0.8),
        # val is bad beside it, for long
        above(q["bad_gap"], 0.25, 0.5),
        above(q["bad_share"], 0.06, 0.16),
        # not that it merely falls more slowly than train: it stays up there first, or has climbed
        any_of(
            above(q["late_wait"], 0.4, 0.55), above(q["late_of_all"], 0.98, 1.02), above(q["late_climb"], 0.05, 0.15)
        ),
        # and then falls
        above(q["late_fall"], 0.35, 0.6),
        above(q["late_fall_rel"], 0.15, 0.35),
        above(q["late_fall_error"], 4.0, 8.0),
        above(q["v_count"], 8.0, 12.0),
        _learns(q),
    )


DEFINITIONS: Final[dict[str, Callable[[Names], Statement]]] = {
    "overfitting": _overfitting,
    "underfitting": _underfitting,
    "not_learning": _not_learning,
    "undertrained": _undertrained,
    "slow_start": _slow_start,
    "divergence": _divergence,
    "non_finite": _non_finite,
    "oscillation": _oscillation,
    "loss_spikes": _loss_spikes,
    "val_spikes": _val_spikes,
    "noisy_validation": _noisy_validation,
    "periodic_loss": _periodic_loss,
    "no_generalization": _no_generalization,
    "val_below_train": _val_below_train,
    "train_stalled_val_falls": _train_stalled_val_falls,
    "metric_mismatch": _metric_mismatch,
    "high_initial_loss": _high_initial_loss,
    "vanishing_gradients": _vanishing_gradients,
    "exploding_gradients": _exploding_gradients,
    "delayed_generalization": _delayed_generalization,
}
"""Label -> what it means, in the order of `labels.LABELS`."""


_PROGRAM: Final = Program([define(Names()) for define in DEFINITIONS.values()])

_SWINGS: Final = Program([_swings(Names())])


def label_degrees(q: Quantities) -> FloatArray:
    """(n, 20) degree of every label."""
    with np.errstate(over="ignore", invalid="ignore"):
        degree: FloatArray = _PROGRAM.degrees(q | derived(q)).T
    return degree


def swing_degree(q: Quantities) -> FloatArray:
    """(n,) degree to which the train loss moves up and down, be it the weights, the noise of batches or a schedule."""
    with np.errstate(over="ignore", invalid="ignore"):
        return np.asarray(np.nan_to_num(_SWINGS.degrees(q)[0]))


def derived(q: Quantities) -> Quantities:
    """What clauses ask of several quantities at once."""
    before = 0.05 / np.maximum(q["t_fallen_at"], 1e-3)
    after = 0.45 / np.maximum(q["t_half_at"] - q["t_fallen_at"], 1e-3)
    return {
        "t_fallen_points": q["t_fallen_at"] * q["t_count"],
        # speed of the fall after the plateau over the speed on it
        "t_quickening": after / before,
        "dies": (np.isfinite(q["bad_first_step"]) & np.isnan(q["bad_last_step"])).astype(np.float64),
        "jump_beside": q["jump_shared"] / np.maximum(q["v_jump_size"], 1e-9),
        # the best of many lags of pure noise reaches the more the fewer points there are
        "period_excess": q["period_strength"] - 0.8 / np.sqrt(np.maximum(q["t_count"], 1.0)),
    }
