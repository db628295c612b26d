"""What the labels mean that train, beside val or alone, and gradients show; see `definitions`.

Among them are statements that several labels are made of.
"""

from __future__ import annotations

from typing import Final

from curveclinic.deciding.clauses import Names, Statement, above, all_of, any_of, below, holds, where_logged

_ONE_POINT: Final = 1e-12
"""Less than one point's share of any run."""


def learns(q: Names) -> Statement:
    """Train falls clearly: by 3-8 % of its level, and by more than its error."""
    relative = any_of(above(q["t_drop_rel"], 0.03, 0.08), 1.0 - holds(q["t_positive"]))
    return all_of(relative, above(q["t_drop_snr"], 3.0, 6.0))


def no_schedule(q: Names) -> Statement:
    """No cyclic learning rate that would explain bumps."""
    return 1.0 - above(q["lr_cycles"], 0.1, 0.3)


def underfitting(q: Names) -> Statement:
    """A small improvement, then a plateau of train and val together."""
    val_flat = all_of(above(q["v_plateau"], 0.25, 0.4), below(q["v_drop_rel"], 0.3, 0.5))
    return all_of(
        # a small improvement, but one; below 0 no level says what is small
        holds(q["t_positive"]),
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
        1.0 - divergence(q),
    )


def not_learning(q: Names) -> Statement:
    """Train stays at its level: it falls by a trace, by less than its error, or from a bad first guess to chance."""
    positive = holds(q["t_positive"])
    settled = any_of(below(q["t_end_fall"], 0.06, 0.12), below(q["t_end_fall_snr"], 2.5, 4.5))
    little = any_of(below(q["t_drop_rel"], 0.012, 0.03), _settles_at_once(q))
    faint = any_of(below(q["t_drop_rel"], 0.008, 0.018), all_of(little, settled))
    still = all_of(faint, positive)
    # the noise of a few points is hardly known: there a clear step down is one
    known = any_of(above(q["t_count"], 6.0, 9.0), all_of(below(q["t_drop_rel"], 0.05, 0.15), positive))
    lost = all_of(below(q["t_drop_snr"], 1.5, 4.0), known)
    hidden = all_of(below(q["t_drop_noise"], 1.0, 2.0), below(q["t_drop_snr"], 4.0, 8.0), known)
    return all_of(
        any_of(still, lost, hidden),
        1.0 - _crawls(q),
        below(q["t_above_start_rel"], 0.03, 0.08),
        above(q["t_count"], 3.0, 5.0),
    )


def _crawls(q: Names) -> Statement:
    """However little it is, train falls without a doubt, to the end, and val with it: far too slow, but learning."""
    return all_of(
        where_logged(q["v_end_fall"], _still_falls(q, "v_")),
        above(q["t_drop_rel"], 0.0002, 0.0008),
        above(q["t_drop_snr"], 8.0, 20.0),
        above(q["t_end_fall"], 0.08, 0.15),
        above(q["t_end_fall_snr"], 3.0, 7.0),
        below(q["t_rise_drop"], 0.03, 0.08),
    )


def _settles_at_once(q: Names) -> Statement:
    """A bad first guess becomes that of a chance prediction, and that is all; a metric that stays put confirms it."""
    return any_of(all_of(below(q["t_drop_rel"], 0.01, 0.045), _flat_at_once(q)), stuck_at_chance(q))


def stuck_at_chance(q: Names) -> Statement:
    """The first step may have thrown much away; then nothing happens, and a metric that stays put shows it, too."""
    thrown = all_of(below(q["near_over_last"], 1.03, 1.06), below(q["first_over_last"], 6.0, 20.0))
    return all_of(any_of(below(q["t_drop_rel"], 0.06, 0.12), thrown), metric_stays(q), _flat_at_once(q))


def _flat_at_once(q: Names) -> Statement:
    return above(q["t_plateau"], 0.85, 0.93)


def metric_stays(q: Names) -> Statement:
    """The metric goes nowhere, and is not as good as it gets."""
    larger = above(q["metric_sign"], -1.0, 1.0)
    ceiling = all_of(larger, above(q["metric_typical"], 0.7, 0.8), below(q["metric_typical"], 1.0, 1.001))
    floor = all_of(1.0 - larger, below(q["metric_typical"], 0.3, 0.5))
    return all_of(below(q["metric_trend"], 0.6, 1.5), above(q["metric_count"], 5.0, 7.0), 1.0 - any_of(ceiling, floor))


def _still_falls(q: Names, prefix: str) -> Statement:
    """One loss gives 5 % of its drop at the end; in logarithms any power law does, so more is asked for there."""
    fall = q[prefix + "end_fall"]
    log = holds(q[prefix + "log"])
    enough = any_of(all_of(log, above(fall, 0.12, 0.24)), all_of(1.0 - log, above(fall, 0.03, 0.05)))
    return all_of(enough, above(q[prefix + "end_fall_snr"], 1.0, 3.0), below(q[prefix + "rise_drop"], 0.05, 0.14))


def undertrained(q: Names) -> Statement:
    """Train, and val where logged, still give a share of their drop at the end."""
    # the noise of a batch may hide what a calm val shows
    val_tells = above(q["v_end_fall_snr"], 4.0, 7.0)
    enough = all_of(above(q["t_drop_rel"], 0.005, 0.012), above(q["t_end_fall_rel"], 0.001, 0.003))
    return all_of(
        _still_falls(q, "t_"),
        # what a late drop of the learning rate gave has settled since; noise hides whether it has
        any_of(
            above(q["t_end_goes_on"], 0.06, 0.18),
            below(q["t_end_fall_snr"], 5.0, 10.0),
            all_of(val_tells, above(q["v_end_goes_on"], 0.3, 0.5)),
        ),
        where_logged(q["v_end_fall"], _still_falls(q, "v_")),
        any_of(above(q["t_end_fall_snr"], 2.0, 4.0), val_tells),
        any_of(enough, _crawls(q)),
        # where the level repeats a pattern, its last turn is no trend
        any_of(1.0 - periodic_loss(q), val_tells),
        # the slow noisy decline of fine-tuning is its nature
        any_of(below(q["t_noise_drop"], 0.15, 0.35), all_of(below(q["t_noise_drop"], 0.3, 0.6), val_tells)),
        # what ends in NaN was not stopped too early
        1.0 - holds(q["dies"]),
    )


def slow_start(q: Names) -> Statement:
    """A plateau first, then a clear and much faster fall."""
    return all_of(
        above(q["t_fallen_at"], 0.07, 0.12),
        above(q["t_fallen_points"], 2.0, 3.0),
        above(q["t_quickening"], 2.5, 4.0),
        above(q["t_drop_rel"], 0.1, 0.25),
        above(q["t_drop_snr"], 8.0, 16.0),
        below(q["t_noise_drop"], 0.12, 0.3),
        1.0 - divergence(q),
    )


def divergence(q: Names) -> Statement:
    """Train rises back to its start or far towards it, or its first step throws it up, and it stays there."""
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
        no_schedule(q),
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


def non_finite(q: Names) -> Statement:
    """NaN or Inf in a loss."""
    return any_of(above(q["t_bad"], 0.0, _ONE_POINT), above(q["v_bad"], 0.0, _ONE_POINT))


def swings(q: Names) -> Statement:
    """Train moves up and down, whatever the reason, by much of what it still has to fall."""
    return all_of(
        above(q["t_swing"], 0.16, 0.32),
        above(q["t_swing_level"], 0.05, 0.12),
        above(q["t_swing_turns"], 0.05, 0.1),
        above(q["t_count"], 10.0, 14.0),
    )


def oscillation(q: Names) -> Statement:
    """Train swings widely for most of the run, with a memory or together with val: not batch noise, not a schedule."""
    # batch noise has no memory and leaves val alone
    moving = any_of(above(q["t_swing_persistence"], 0.1, 0.35), above(q["swing_shared"], 0.3, 0.6))
    return all_of(
        swings(q),
        moving,
        below(q["period_strength"], 0.55, 0.75),
        no_schedule(q),
        1.0 - not_learning(q),
        1.0 - divergence(q),
    )


def loss_spikes(q: Names) -> Statement:
    """A few isolated jumps of train, higher than its noise."""
    return all_of(
        above(q["t_jump_size"], 1.0, 1.9),
        above(q["t_jumps"], 0.0, 1.0),
        below(q["t_jumps"], 8.0, 14.0),
        above(q["t_count"], 5.0, 8.0),
        # the crest of a swing is no spike, unless it towers over the others
        any_of(1.0 - oscillation(q), above(q["t_jump_size"], 3.0, 5.0)),
        below(q["period_strength"], 0.5, 0.7),
        no_schedule(q),
        1.0 - divergence(q),
    )


def periodic_loss(q: Names) -> Statement:
    """Train repeats a pattern: a peak of its autocorrelation beyond what chance gives so few points."""
    return all_of(
        above(q["period_excess"], 0.4, 0.6),
        above(q["t_count"], 20.0, 30.0),
        any_of(above(q["t_noise_rel"], 0.002, 0.005), above(q["t_swing_level"], 0.005, 0.015)),
        no_schedule(q),
    )


TIMES: Final = (2.4, 3.4)
"""Times the level soon after it that the first loss is clearly not high up to, and clearly high from."""

KINK: Final = (0.16, 0.28)
"""How smoothly the fall goes on up to where it clearly ends in a kink, and from where it clearly does not."""


def high_initial_loss(q: Names) -> Statement:
    """The first value is a multiple of the third, or of the price of chance, and no part of the ordinary descent."""
    # the fall ends in a kink: an exponential, however fast, goes on at the same rate
    kink = any_of(below(q["first_kink"], *KINK), all_of(starts_high(q), below(q["first_kink"], 0.36, 0.5)))
    # and the ordinary descent is still to come: a fast learner has reached its floor by then, if not from so high
    to_come = any_of(
        above(q["near_over_last"], 0.9, 1.3),
        all_of(starts_high(q), below(q["first_kink"], 0.06, 0.16), above(q["near_over_last"], 0.7, 0.9)),
    )
    stick = all_of(
        above(q["first_over_near"], *TIMES),
        kink,
        to_come,
        # where the third of a few points is meant, much of it
        any_of(above(q["t_count"], 7.0, 10.0), above(q["near_over_last"], 1.5, 2.5), starts_high(q)),
        below(q["t_noise_drop"], 0.15, 0.35),
        above(q["t_count"], 4.0, 6.0),
    )
    costly = all_of(above(q["first_over_chance"], 2.2, 3.2), above(q["first_over_near"], 1.3, 2.0))
    # where the price of chance is known, a first value near it is an ordinary one
    ordinary = below(q["first_over_chance"], 1.5, 2.2)
    return any_of(all_of(stick, 1.0 - ordinary), costly)


def starts_high(q: Names) -> Statement:
    """The first value is a multiple of the third, and the second is down already: it was logged untrained.

    A fast learner takes a few points, however fast, and much is left to fall for it.
    """
    return all_of(
        above(q["first_over_near"], 4.0, 5.5),
        above(q["first_at_once"], 0.72, 0.84),
        below(q["near_over_last"], 4.0, 6.5),
    )


def vanishing_gradients(q: Names) -> Statement:
    """Norms fall by orders of magnitude, or starve in the first layer, beside a loss that stays high."""
    fallen = all_of(above(q["grad_fall"], 1.3, 2.2), below(q["grad_end_log10"], -2.5, -1.5))
    # the first layer's norm a thousandth of the last one's
    starved = below(q["layer_ratio"], 0.0003, 0.003)
    return all_of(
        any_of(below(q["t_drop_rel"], 0.25, 0.5), not_learning(q)),
        any_of(fallen, below(q["grad_end_log10"], -5.0, -4.0), starved),
    )


def exploding_gradients(q: Names) -> Statement:
    """Norms burst or grow by orders of magnitude, and not because a plateau is left."""
    # a loss that leaves its plateau and learns has gradients again: they have come back, not exploded
    learns_late = all_of(
        above(q["t_fallen_at"], 0.05, 0.1), above(q["t_drop_snr"], 8.0, 16.0), below(q["t_rise_drop"], 0.1, 0.3)
    )
    return any_of(above(q["grad_burst"], 1.6, 2.0), all_of(above(q["grad_growth"], 1.8, 2.3), 1.0 - learns_late))
