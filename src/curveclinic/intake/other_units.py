"""Channels that count something else than the train loss does (epochs beside steps), brought onto its axis."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np

from curveclinic.points import FloatArray, IntArray, Points

AXIS: Final = "train_loss"
"""The channel onto whose axis all others are brought."""

OTHER_UNITS: Final = 3.0
"""Last steps that differ by more than this factor are counted in different units (steps, epochs)."""

_NEARLY_ALL: Final = 0.9
"""Share of the points of a channel that ended early whose steps are those of the other one."""

_FAR: Final = 5.0
"""Last steps further apart than this are counted in different units wherever they lie: epochs are rarely so short."""

_FEWEST: Final = 3
"""Points on one step from which on it was not counted; of two the second one replaces the first."""

_LATE: Final = 1
"""Train losses after the last point of a channel, before they are no numbers: a norm may be none an update earlier."""

Curve = tuple[FloatArray, FloatArray]
"""Steps and values."""


def share_axis(channels: Mapping[str, Points]) -> tuple[dict[str, Points], tuple[str, ...]]:
    """Brings channels counted in other units onto the axis of the train loss.

    A train loss without steps counts its values, but beside steps that reach further: `Run` puts it on those.
    """
    out, notes = dict(channels), []
    logged, losses = channels.get(AXIS, (None, None))
    if losses is None or len(losses) < 2:
        return out, ()
    at = np.arange(1.0, len(losses) + 1.0) if logged is None else logged
    for name, (steps, values) in channels.items():
        if steps is None or steps is logged or len(steps) < 2 or (logged is None and steps.max() > len(losses)):
            continue
        shared = _on_axis(steps, (at, losses))
        if shared is not None:
            out[name] = (shared, values)
            notes.append(spread_note(name, AXIS))
    return out, tuple(notes)


def spread_note(name: str, beside: str) -> str:
    """Returns the note on a channel whose points were spread over the steps of another one."""
    return f"{name} is counted in other units than {beside} and is spread over its steps"


def beside_train(own: FloatArray, at: IntArray, train: Curve, rows: IntArray) -> tuple[FloatArray, bool] | None:
    """Returns steps on the axis of train for rows counted in other units, and whether they are spread; None for others.

    Such a row (mmengine: epochs) belongs to the train row written before it. Rows most of which share that one were
    written as a block, in front of train or behind it: where they stand tells nothing, and they are spread.

    Args:
        own: steps of the rows.
        at: these rows.
        train: steps and values of the rows that hold a train loss, two or more.
        rows: these rows.
    """
    steps, _ = train
    last, train_last = own.max(), steps.max()
    if own.min() < last and max(last, train_last) <= OTHER_UNITS * min(last, train_last):
        return None
    behind = np.clip(rows.searchsorted(at, side="right") - 1, 0, None)
    if 2 * (1 + np.count_nonzero(np.diff(behind))) > len(own):
        before = steps[behind]
        return (before, False) if last * OTHER_UNITS < before.max() else None
    if own.min() > train_last or (rows[behind] == at).any():
        return None
    spread = _on_axis(own, train)
    return None if spread is None else (spread, True)


def _on_axis(steps: FloatArray, train: Curve) -> FloatArray | None:
    """Steps such that the last point falls on train's last and the first a gap after its start; None if they may stay.

    Where all points have one step, it was not counted, and their places are.
    """
    low, high = steps.min(), steps.max()
    if low == high and len(steps) >= _FEWEST:
        low, high, steps = 1.0, float(len(steps)), np.arange(1.0, len(steps) + 1.0)
    if low == high or not _in_other_units(steps, train):
        return None
    gap = (high - low) / (len(np.unique(steps)) - 1)
    spread: FloatArray = (steps - low + gap) / (high - low + gap) * train[0].max()
    return spread


def _in_other_units(own: FloatArray, train: Curve) -> bool:
    """Whether steps count something else than those of train: the last ones are far apart, and none ended early."""
    at, _ = train
    early, late = (own, at) if own.max() < at.max() else (at, own)
    if not 0 < OTHER_UNITS * early.max() < late.max() or at.min() == at.max():
        return False
    return not (_ended_early(np.unique(early), late) or _ended_with(own, train))


def _ended_early(early: FloatArray, late: FloatArray) -> bool:
    """Whether steps, each once, are some of those of a channel that goes on.

    Epochs lie on steps that count by ones, too: the wider the gaps, the further a channel of epochs must fall behind.
    """
    since = early[early >= late.min()]
    is_near = late.max() <= min(OTHER_UNITS * np.median(np.diff(early)), _FAR) * early[-1]
    return bool(is_near and len(since) and np.isin(since, late).mean() >= _NEARLY_ALL)


def _ended_with(steps: FloatArray, train: Curve) -> bool:
    """Whether a channel ends where the train loss is no number any more: what it was then could not be logged."""
    at, losses = train
    broken = at[~np.isfinite(losses)]
    if not len(broken) or steps.max() > broken.min():
        return False
    return bool(np.count_nonzero((at > steps.max()) & (at < broken.min())) <= _LATE)
