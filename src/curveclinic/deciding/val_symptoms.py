"""What the labels mean that val, its metric and the distance to train show; see `definitions`."""

from __future__ import annotations

from curveclinic.deciding.clauses import Names, Statement, above, all_of, any_of, below, where_logged
from curveclinic.deciding.train_symptoms import TIMES, divergence, learns, metric_stays


def overfitting(q: Names) -> Statement:
    """Val turns, or settles, while train falls on or lies at its floor."""
    falls = any_of(above(q["t_after_low"], 0.005, 0.03), below(q["t_floor"], 0.08, 0.25))
    turns = any_of(_val_rises(q), _val_hardly_falls_and_rises(q), _val_rises_from_far_below(q), _gap_widens(q))
    return all_of(turns, falls, learns(q), 1.0 - delayed_generalization(q))


def came_down_unseen(q: Names) -> Statement:
    """Val was first evaluated when train had fallen far, is better than what train began with, and got no better.

    Train began with what an untrained model costs, not with what its first step throws away: from there even chance is
    a fall.
    """
    return all_of(
        below(q["v_drop_rel"], 0.06, 0.12),
        above(q["t_fall_unseen"], 0.05, 0.12),
        below(q["val_over_first_train"], 0.88, 0.97),
        below(q["first_over_near"], *TIMES),
    )


def _improved_before(q: Names) -> Statement:
    """The first logged val is better than what train began with: it came down before anyone looked."""
    return any_of(below(q["val_over_train_start"], 0.88, 0.97), came_down_unseen(q))


def _val_rises(q: Names) -> Statement:
    """Val comes down, then takes back a tenth of its drop, visibly."""
    # without noise less is enough, in a few points: what drifts has no noise either, in many
    calmly = all_of(
        above(q["v_rise_rel"], 0.001, 0.003), above(q["v_rise_snr"], 6.0, 10.0), above(q["v_rise_noise"], 3.0, 8.0),
        above(q["v_rise_drop"], 0.12, 0.19), below(q["v_count"], 15.0, 30.0),
    )  # fmt: skip
    return all_of(
        above(q["v_rise_drop"], 0.07, 0.15),
        above(q["v_rise_snr"], 3.0, 5.0),
        any_of(above(q["v_rise_noise"], 0.6, 1.5), _many_rise(q)),
        any_of(above(q["v_rise_rel"], 0.015, 0.04), calmly),
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


def _val_hardly_falls_and_rises(q: Names) -> Statement:
    """Val comes down by less than its noise, then rises far: its lowest level is not its first, and that is all.

    From the very first evaluation on it is open: then it never came down.
    """
    return all_of(
        above(q["v_low_at"], -0.01, 0.035),
        above(q["v_rise_rel"], 0.1, 0.25),
        above(q["v_rise_snr"], 8.0, 15.0),
        above(q["v_rise_noise"], 2.0, 5.0),
        above(q["gap_growth_v"], 0.3, 0.6),
        above(q["v_count"], 5.0, 8.0),
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


def val_spikes(q: Names) -> Statement:
    """A few isolated jumps of val that train does not share."""
    return all_of(
        above(q["v_jump_size"], 1.2, 2.4),
        above(q["v_jumps"], 0.0, 1.0),
        below(q["v_jumps"], 6.0, 10.0),
        above(q["v_count"], 5.0, 8.0),
        any_of(below(q["jump_shared"], 0.5, 1.0), below(q["jump_beside"], 0.15, 0.35)),
        # where val jitters all along, what towers over that is still a spike
        any_of(1.0 - noisy_validation(q), above(q["v_jump_size"], 2.5, 4.0)),
    )


def noisy_validation(q: Names) -> Statement:
    """Val jitters much more than train all along."""
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
        # ups and downs of about ten evaluations are what any val does, unless they are a good part of the loss
        any_of(above(q["v_count"], 9.0, 14.0), above(q["v_noise_rel"], 0.15, 0.35)),
    )


def no_generalization(q: Names) -> Statement:
    """Train falls clearly, val never improves on its first level."""
    hidden = all_of(below(q["v_drop_snr"], 1.0, 3.0), below(q["v_drop_rel"], 0.1, 0.25))
    return all_of(
        above(q["t_drop_rel"], 0.08, 0.2),
        above(q["t_drop_snr"], 5.0, 10.0),
        above(q["t_fall_beside"], 0.05, 0.15),
        any_of(below(q["v_drop_rel"], 0.02, 0.06), hidden),
        above(q["v_count"], 3.0, 4.0),
        below(q["t_above_start_rel"], -0.05, 0.0),
        any_of(1.0 - _improved_before(q), _only_rises(q)),
    )


def _only_rises(q: Names) -> Statement:
    """Val rises far from its first evaluation on, which lies a little below the mean of train's first epoch.

    It was evaluated at that epoch's end: it need not have learnt anything of use. A metric that gets better has.
    """
    return all_of(
        above(q["val_over_first_train"], 0.8, 0.87),
        above(q["v_per_t"], 0.4, 0.7),
        below(q["v_low_at"], 0.01, 0.035),
        above(q["v_rise_rel"], 0.1, 0.25),
        above(q["v_rise_snr"], 8.0, 15.0),
        where_logged(q["metric_gain"], below(q["metric_gain"], 0.05, 0.15)),
    )


def val_below_train(q: Names) -> Statement:
    """Val lies visibly below train at most points, or far below it from early on to the end."""
    # both begin at the cost of chance, or val settles later: then far below for most of the run, and to its end
    mostly = all_of(above(q["below_mostly"], 1.5, 3.0), above(q["below_late"], 0.7, 1.15))
    # twice the visible margin is seen, however steep and few the points
    seen = any_of(above(q["below_snr"], 1.0, 2.0), above(q["below"], 1.8, 2.4))
    # the mean of an epoch is half an epoch old: a gap that this explains goes as the fall does
    stays = above(q["below_then"], 0.6, 0.9)
    return all_of(any_of(above(q["below"], 0.7, 1.15), mostly), seen, stays, above(q["v_count"], 2.0, 4.0))


def train_stalled_val_falls(q: Names) -> Statement:
    """Train is flat while val falls clearly."""
    flat = any_of(below(q["t_drop_rel"], 0.02, 0.06), below(q["t_drop_noise"], 0.3, 0.7))
    return all_of(
        flat,
        above(q["v_drop_rel"], 0.1, 0.25),
        above(q["v_drop_snr"], 4.0, 8.0),
        above(q["v_drop_noise"], 3.0, 6.0),
    )


def metric_mismatch(q: Names) -> Statement:
    """Loss and metric go opposite ways, or the loss falls and the metric stays."""
    return any_of(_both_rise(q), _metric_stuck(q))


def _both_rise(q: Names) -> Statement:
    """The loss gets worse while the metric gets better."""
    turns = all_of(
        above(q["v_rise_drop"], 0.2, 0.5), above(q["v_rise_snr"], 5.0, 10.0), above(q["v_rise_rel"], 0.05, 0.15)
    )
    return all_of(
        any_of(overfitting(q), divergence(q), turns),
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
        any_of(metric_stays(q), _metric_worsens(q)),
    )


def delayed_generalization(q: Names) -> Statement:
    """Train is low early, val bad for long, and then falls."""
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
        learns(q),
    )
