"""A batch of runs judged: both opinions, who decides, and which runs get no verdict at all. Arrays only.

In this order:

1. `low_starts`: first points that are no values of the loss are left out.
2. `opinions`: rules and network judge what is left; what they say of too few points and against plain facts is held
   back (`few_points`, `few_evaluations`, `vouching`), and what may be no learning curve is doubted (`doubt`).
3. `merge`: of each label the network decides, or the rules where it must not or cannot.
4. Labels that cannot be judged of this run alone are withheld (`kinds`, `vouching`, `directions`).
5. `second_looks`: both are asked again without points that hide what came before or after them.
6. Runs of which nothing can be said get no verdict; of the others the best checkpoint is told (`stopping`).

`predict` makes diagnoses of it, `verdict_rows` rows of a table.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from curveclinic.deciding.directions import UNCLEAR_REASON, direction_notes
from curveclinic.deciding.few_evaluations import open_questions
from curveclinic.deciding.few_points import loss_points
from curveclinic.deciding.kinds import REINFORCEMENT_REASON, Kinds, balancing
from curveclinic.deciding.low_starts import FirstPoints, low_start_notes, low_starts, without_first_points
from curveclinic.deciding.merge import Verdicts
from curveclinic.deciding.opinions import Opinions, opinions_on
from curveclinic.deciding.rules import RuleOpinion, why_unchecked, without
from curveclinic.deciding.second_looks import before_divergence, lone_rises, look_past
from curveclinic.deciding.spans import PEAKS
from curveclinic.deciding.starts_below import LookedPast, looked_past_notes
from curveclinic.deciding.stopping import stops
from curveclinic.deciding.vouching import frozen_validation
from curveclinic.labels import CHANNELS, COLUMN, LABELS, LOSSES, TRAITS
from curveclinic.measuring.peaks import peak_steps
from curveclinic.phrases import counted
from curveclinic.ragged import Batch, BoolArray, FloatArray, IntArray
from curveclinic.symptoms import SYMPTOMS

if TYPE_CHECKING:
    from curveclinic.deciding.classifier import Classifier
    from curveclinic.model.encoder import Encoded

FEWEST: Final = 5
"""Finite points the train loss must have for a run to be called healthy."""

_ITS_SHAPE: Final = "slow_start"
"""Label that needs nothing but a train loss of `FEWEST` points."""

_OF_TRAIN: Final = np.flatnonzero([("train_loss",) in traits.needs for traits in TRAITS.values()])
"""Columns of the labels that need a train loss; a run of which none is checked is not called healthy."""

_RANKS: Final = np.array([SYMPTOMS[label].rank for label in LABELS])
"""(20,) places of the labels among findings of one severity, no two alike."""

_TRAIN: Final = CHANNELS.index("train_loss")


@dataclass(eq=False)
class Judged:
    """What is decided about n runs.

    Attributes:
        verdicts: the final word.
        rules: the rules' opinion on what can be judged.
        counts: (n, 6) finite points of every channel, as in `Batch.finite_counts`.
        points: (n,) finite points of the longer loss, -1 where both are absent.
        doubtful: row -> why a run is not judged at all.
        undetermined: (n,) runs that get no verdict: the doubtful ones, and without a finding those of too few points,
            and those of which too few labels can be checked.
        encoded: what the network was shown, features without curves; None without weights.
        withheld: row -> label -> why it is not judged of this run alone.
        stop_at: (n,) step whose checkpoint to keep of runs that overfit, NaN for the others.
        onset, end: (n, 20) the verdicts' spans, of spikes as logged; overfitting begins at `stop_at`.
        smaller_is_better: (n,) True where nobody says which way the metric gets better, and its curve says that a
            smaller one is.
        notes: row -> what was taken for granted of it, and what stays open where nothing above a notice was found.
        left_out: first points that were not looked at.
        past: labels that were found looking past the first points.
    """

    verdicts: Verdicts
    rules: RuleOpinion
    counts: IntArray
    points: IntArray
    doubtful: dict[int, str]
    undetermined: BoolArray
    encoded: Encoded | None
    withheld: dict[int, dict[str, str]]
    stop_at: FloatArray
    onset: FloatArray
    end: FloatArray
    smaller_is_better: BoolArray
    notes: dict[int, tuple[str, ...]]
    left_out: FirstPoints
    past: LookedPast

    def reason(self, i: int, channels: Sequence[str]) -> str:
        """Why an undetermined run, which logged some channels, got no verdict."""
        if i in self.doubtful:
            return self.doubtful[i]
        losses = [name for name in LOSSES if name in channels]
        if not losses:
            return f"found {', '.join(channels) or 'no channel'}, expected train_loss or val_loss; name the loss"
        return (
            f"found {counted(int(self.points[i]), 'finite point')} of {' and '.join(losses)}, expected {FEWEST} or "
            "more; log more often or wait"
        )

    def message(self, i: int, channels: Sequence[str], notes: Sequence[str]) -> str:
        """The reason, and beside a doubt what was noted while reading the run."""
        return "; ".join((self.reason(i, channels), *(notes if i in self.doubtful else ())))


def by_importance(present: BoolArray, severity: npt.NDArray[np.int8]) -> tuple[IntArray, IntArray]:
    """(m,) rows and columns of what (n, 20) is present: run by run, the most serious and important of each first."""
    rows, columns = present.nonzero()
    order = np.lexsort((_RANKS[columns], -severity[rows, columns], rows))
    return rows, columns[order]


def judged(batch: Batch, classifier: Classifier | None, kinds: Kinds) -> Judged:
    """Judges every run of a batch.

    Args:
        batch: n runs.
        classifier: the network; None lets the rules decide alone.
        kinds: what they are.
    """
    whole, left_out = batch, low_starts(batch)
    batch = without_first_points(whole, left_out)
    opinions = opinions_on(batch, classifier)
    if np.count_nonzero(kinds.opposed | kinds.unlike):
        opinions = replace(opinions, rules=without(opinions.rules, kinds.silent))
    verdicts = opinions.merged()
    lone, earlier = lone_rises(batch, verdicts.present[:, COLUMN["overfitting"]], classifier)
    odd = frozen_validation(batch, ~kinds.unlike) | lone
    unclear = opinions.directions.unclear & verdicts.present[:, COLUMN["metric_mismatch"]]
    reasons = {
        "overfitting": odd,  # what never changes has not turned or settled either
        "divergence": balancing(batch, kinds.opposed & verdicts.present[:, COLUMN["divergence"]]),
        "metric_mismatch": dict.fromkeys(unclear.nonzero()[0].tolist(), UNCLEAR_REASON),
    }
    withheld = _by_row(reasons)
    if withheld:
        opinions = replace(opinions, rules=without(opinions.rules, _cells(withheld, batch.size)))
        verdicts = opinions.merged()
    rules = opinions.rules
    for one in (earlier, before_divergence(batch, verdicts, rules, classifier)):
        if one is not None:
            one.put_into(verdicts, rules)
    past = look_past(batch, verdicts, rules, classifier)
    ill = np.logical_or.reduce(verdicts.present & (verdicts.severity > 0), axis=1)
    odd = {row: reason for row, reason in odd.items() if not ill[row]}
    found = np.logical_or.reduce(verdicts.present, axis=1)
    doubtful, undetermined = _without_verdict(opinions, found, kinds, odd)
    turn, overfits = rules.onset[:, COLUMN["overfitting"]], verdicts.present[:, COLUMN["overfitting"]]
    stop_at = stops(batch.channels["val_loss"], rules.quantities, turn, overfits)
    onset, end = _logged_spans(batch, verdicts, stop_at)
    return Judged(
        verdicts=verdicts,
        rules=rules,
        counts=opinions.counts,
        points=loss_points(opinions.counts),
        doubtful=doubtful,
        undetermined=undetermined,
        encoded=opinions.encoded,
        withheld=withheld,
        stop_at=stop_at,
        onset=onset,
        end=end,
        smaller_is_better=opinions.directions.inferred,
        notes=_gathered(
            low_start_notes(whole, left_out),
            looked_past_notes(batch, past),
            direction_notes(opinions.directions.inferred, unclear),
            open_questions(rules.checked, opinions.counts, ~(undetermined | ill | kinds.unlike)),
        ),
        left_out=left_out,
        past=past,
    )


def _by_row(reasons: Mapping[str, Mapping[int, str]]) -> dict[int, dict[str, str]]:
    """Row -> label -> reason, of label -> row -> reason."""
    out: dict[int, dict[str, str]] = {}
    for label, rows in reasons.items():
        for row, reason in rows.items():
            out.setdefault(row, {})[label] = reason
    return out


def _without_verdict(
    opinions: Opinions, found: BoolArray, kinds: Kinds, odd: Mapping[int, str]
) -> tuple[dict[int, str], BoolArray]:
    """Returns row -> why it is not judged at all, and (n,) all runs that get no verdict; see `Judged`.

    Args:
        opinions: both opinions.
        found: (n,) runs of which something is found.
        kinds: what they are.
        odd: row -> what is odd about the val loss of a run that is not ill.
    """
    counts = opinions.counts
    short = loss_points(counts) < FEWEST
    judgeable = np.logical_or.reduce(opinions.rules.checked[:, _OF_TRAIN], axis=1) & (counts[:, _TRAIN] >= FEWEST)
    doubtful = _not_judged(~(judgeable | short | found), counts, kinds) | dict(odd)
    doubtful |= {row: reason for row, reason in opinions.doubtful.items() if not kinds.unlike[row]}
    undetermined: BoolArray = short & ~found
    if doubtful:
        undetermined[list(doubtful)] = True
    return doubtful, undetermined


def _gathered(*parts: Mapping[int, tuple[str, ...]]) -> dict[int, tuple[str, ...]]:
    """Row -> all notes on it."""
    return {row: tuple(note for part in parts for note in part.get(row, ())) for row in {k for p in parts for k in p}}


def _logged_spans(batch: Batch, verdicts: Verdicts, stop_at: FloatArray) -> tuple[FloatArray, FloatArray]:
    """(n, 20) onsets and ends, of spikes the logged steps of the first and the last one, of overfitting `stop_at`."""
    onset, end = verdicts.onset.copy(), verdicts.end.copy()
    for label, name in PEAKS:
        present, channel = verdicts.present[:, label], batch.channels[name]
        if np.count_nonzero(present):
            for steps in (onset, end):
                steps[:, label] = peak_steps(channel, present, steps[:, label])
            end[:, label] = np.maximum(onset[:, label], end[:, label])
    overfitting = onset[:, COLUMN["overfitting"]]
    overfitting[:] = np.where(np.isnan(stop_at), overfitting, stop_at)
    end[end < onset] = np.nan
    return onset, end


def _not_judged(among: BoolArray, counts: IntArray, kinds: Kinds) -> dict[int, str]:
    """Returns row -> why it gets no verdict, for some (n,) runs of which too little of the train loss is checked."""
    rows = (among & ~kinds.adversarial).nonzero()[0].tolist()
    return {row: REINFORCEMENT_REASON if kinds.reinforced[row] else _too_few_checked(counts[row]) for row in rows}


def _too_few_checked(counts: IntArray) -> str:
    if counts[_TRAIN] < 0:
        return "no train_loss was logged, so too few labels could be checked; log it, too"
    return f"too few labels could be checked: {why_unchecked(counts[None])[0][_ITS_SHAPE]}"


def _cells(withheld: Mapping[int, Mapping[str, str]], n: int) -> BoolArray:
    """(n, 20) True at what is withheld of n runs."""
    out = np.zeros((n, len(LABELS)), dtype=bool)
    for row, labels in withheld.items():
        out[row, [COLUMN[label] for label in labels]] = True
    return out


def shipped_classifier(*, fast: bool = False) -> Classifier | None:
    """The shipped network, with `fast` the int8 one; None, with a warning, where the weights are not installed."""
    from curveclinic.deciding.classifier import load_classifier

    classifier = load_classifier(fast=fast)
    if classifier is None:
        _warn_without_weights()
    return classifier


@cache
def _warn_without_weights() -> None:
    warnings.warn(
        "curveclinic's weights are not installed, the rules decide alone; reinstall curveclinic to get them",
        UserWarning,
        stacklevel=4,
    )
