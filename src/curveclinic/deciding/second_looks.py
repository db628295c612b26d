"""Runs that are judged once more without some of their points, and what of that stands.

What a last point of val, a divergence or first values below the rest show would hide what came before or after.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from curveclinic.deciding.logged import logged_steps
from curveclinic.deciding.merge import Verdicts
from curveclinic.deciding.opinions import opinions_on
from curveclinic.deciding.rules import RuleOpinion
from curveclinic.deciding.starts_below import LookedPast, starts_below
from curveclinic.deciding.stopping import READ
from curveclinic.deciding.vouching import lone_rise, without_last_val
from curveclinic.labels import COLUMN
from curveclinic.ragged import Batch, BoolArray, FloatArray, IntArray
from curveclinic.records import taken

if TYPE_CHECKING:
    from curveclinic.deciding.classifier import Classifier

_DECIDED: Final = ("probability", "present", "model_probability", "by_rule", "onset", "end", "severity")
_FEWEST: Final = 4
"""Val points before a divergence from which it may be told that only the last one has risen."""

_BY_RULES: Final = ("degree", "present", "onset")
"""What of verdicts and of the rules' opinion is that of the earlier points where these are judged."""


@dataclass(eq=False)
class Earlier:
    """What is thought of the overfitting of m runs without the last points of their losses.

    Attributes:
        rows: (m,) where they are in the batch.
        verdicts, rules: of these runs alone.
    """

    rows: IntArray
    verdicts: Verdicts
    rules: RuleOpinion

    def put_into(self, verdicts: Verdicts, rules: RuleOpinion) -> None:
        """Puts it into the verdicts and the rules' opinion on the whole batch."""
        j = COLUMN["overfitting"]
        for whole, own, names in ((verdicts, self.verdicts, _DECIDED), (rules, self.rules, _BY_RULES)):
            for name in names:
                getattr(whole, name)[self.rows, j] = getattr(own, name)[:, j]
        for name in READ:
            rules.quantities[name][self.rows] = self.rules.quantities[name]


def lone_rises(
    batch: Batch, overfit: BoolArray, classifier: Classifier | None
) -> tuple[dict[int, str], Earlier | None]:
    """Looks for the runs among some (n,) that overfit by the last point of val loss alone.

    Returns:
        row -> what is odd, and what was thought of those before, that overfit without that point, too.
    """
    lone = lone_rise(batch, overfit)
    if not lone:
        return lone, None
    rows = np.array(list(lone))
    before = opinions_on(without_last_val(batch.take(rows)), classifier)
    verdicts = before.merged()
    stands = verdicts.present[:, COLUMN["overfitting"]]
    reasons = {row: reason for (row, reason), there in zip(lone.items(), stands.tolist(), strict=True) if not there}
    still = stands.nonzero()[0]
    return reasons, Earlier(rows[still], taken(verdicts, still), taken(before.rules, still))


def before_divergence(
    batch: Batch, verdicts: Verdicts, rules: RuleOpinion, classifier: Classifier | None
) -> Earlier | None:
    """What was thought, before they diverged, of the runs that overfitted up to there.

    Not where val has risen at its last point alone, nor where it is lower later.
    """
    j, diverged = COLUMN["overfitting"], COLUMN["divergence"]
    since = verdicts.onset[:, diverged]
    late = verdicts.present[:, diverged] & np.isfinite(since) & rules.checked[:, j]
    rows = (late & ~verdicts.present[:, j]).nonzero()[0]
    if not len(rows):
        return None
    some, since = batch.take(rows), logged_steps(batch, {}, rows, since[rows])
    channels = {
        name: channel.where(channel.steps < since.repeat(channel.lengths)) for name, channel in some.channels.items()
    }
    earlier = replace(some, channels=channels)
    before = opinions_on(earlier, classifier)
    then = before.merged()
    then.end[:, j] = since
    lone = lone_rise(earlier, then.present[:, j], fewest=_FEWEST)  # as likely it has blown up already
    then.present[list(lone), j] = False
    found = then.present[:, j].nonzero()[0]
    found = found[_lowest(earlier, found) <= _lowest(some, found)]
    return Earlier(rows[found], taken(then, found), taken(before.rules, found))


def _lowest(batch: Batch, rows: IntArray) -> FloatArray:
    """(m,) smallest finite val loss of some runs, which all have one."""
    val = batch.channels["val_loss"].take(rows).finite()
    lowest: FloatArray = np.minimum.reduceat(val.values, val.offsets[:-1]) if len(rows) else np.zeros(0)
    return lowest


def look_past(batch: Batch, verdicts: Verdicts, rules: RuleOpinion, classifier: Classifier | None) -> LookedPast:
    """Asks again about the runs that begin below what follows, and puts what is thought of the rest in place."""
    starts = starts_below(batch)
    if not len(starts.rows):
        return {}
    rest = opinions_on(starts.looked_past(batch), classifier)
    return starts.put_into(verdicts, rules, rest.merged(), rest.rules)
