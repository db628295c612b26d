"""Faults of the log rather than of the training: what is recorded is not what happened."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np

from curveclinic.ragged import FloatArray, IntArray
from curveclinic.synth.draws import Rng
from curveclinic.synth.simulate.recipe import BOOKS, Recipe

if TYPE_CHECKING:
    from curveclinic.synth.simulate.trainer import Records

Rows = IntArray
Book = Callable[[Rng, "Records", Rows, FloatArray], None]
"""(generator, copied records, rows, a number in 0..1 a row): changes those rows in place."""


def misrecorded(rng: Rng, records: Records, recipe: Recipe) -> Records:
    """Returns the records as a log with the recipe's mistakes would hold them."""
    arrays = {name: value.copy() for name, value in vars(records).items()}
    out = replace(records, **arrays)
    for code, name in enumerate(BOOKS):
        rows = np.flatnonzero(recipe.book == code)
        if name in _MISTAKES and len(rows):
            _MISTAKES[name](rng, out, rows, recipe.book_a[rows])
    return out


def _at_dense(records: Records, values: FloatArray) -> FloatArray:
    """(n, D) evaluations on the recorded steps."""
    return np.stack([np.interp(records.step, records.eval_step, row) for row in values])


def _train_stale(rng: Rng, r: Records, rows: Rows, a: FloatArray) -> None:
    """The loss of an early model is logged over and over, with the noise of its batches."""
    at = np.floor(a * 0.04 * (r.full_loss.shape[1] - 1)).astype(int)
    level, metric = r.full_loss[rows, at][:, None], r.full_metric[rows, at][:, None]
    noise = r.batch_noise[rows, at][:, None]
    r.loss[rows] = np.abs(level + noise * rng.standard_normal(r.loss[rows].shape))
    r.metric[rows] = metric + (r.metric[rows] - _at_dense(r, r.full_metric[rows]))
    r.full_loss[rows], r.full_metric[rows] = level, metric
    r.batch_noise[rows] = noise


def _swapped(rng: Rng, r: Records, rows: Rows, a: FloatArray) -> None:
    train, val = r.full_loss[rows], r.val_loss[rows]
    r.loss[rows], r.full_loss[rows] = _at_dense(r, val), val
    r.val_loss[rows], r.pool_loss[rows] = train, train
    r.batch_noise[rows] = 0.0


def _metric_stale(rng: Rng, r: Records, rows: Rows, a: FloatArray) -> None:
    """Both metrics are those of the untrained model; some on new batches every time."""
    jitter = np.where(a > 0.5, 0.02, 0.0)[:, None]
    for values in (r.metric, r.full_metric, r.val_metric, r.pool_metric):
        shown = values[rows][:, :1] + jitter * rng.standard_normal(values[rows].shape)
        values[rows] = np.where(np.isfinite(values[rows]), shown, values[rows])


def _metric_of_another(rng: Rng, r: Records, rows: Rows, a: FloatArray) -> None:
    other = (rows + 1) % len(r.loss)
    for values in (r.metric, r.full_metric, r.val_metric, r.pool_metric):
        values[rows] = values[other].copy()


def _metric_upside_down(rng: Rng, r: Records, rows: Rows, a: FloatArray) -> None:
    for values in (r.metric, r.full_metric, r.val_metric, r.pool_metric):
        values[rows] = 1.0 - values[rows]


def _val_summed(rng: Rng, r: Records, rows: Rows, a: FloatArray) -> None:
    factor = np.exp(np.log(2.0) + 3.0 * a)[:, None]
    factor = np.where(a[:, None] * 10 % 1 < 0.6, factor, 1 / factor)
    r.val_loss[rows] *= factor
    r.pool_loss[rows] *= factor


def _train_summed(rng: Rng, r: Records, rows: Rows, a: FloatArray) -> None:
    factor = np.exp(np.log(2.0) + 3.0 * a)[:, None]
    for values in (r.loss, r.full_loss, r.batch_noise):
        values[rows] *= factor


def _val_of_another(rng: Rng, r: Records, rows: Rows, a: FloatArray) -> None:
    other = (rows + 1) % len(r.loss)
    for values in (r.val_loss, r.val_metric, r.pool_loss, r.pool_metric):
        values[rows] = values[other].copy()


def _val_repaired(rng: Rng, r: Records, rows: Rows, a: FloatArray) -> None:
    """Until it was repaired, the untrained weights were evaluated."""
    share = r.eval_step[None] / r.eval_step[-1]
    broken = share < 0.1 + 0.75 * a[:, None]
    for values in (r.val_loss, r.val_metric, r.pool_loss, r.pool_metric):
        values[rows] = np.where(broken, values[rows][:, :1], values[rows])


def _evaluation_glitches(rng: Rng, r: Records, rows: Rows, a: FloatArray) -> None:
    """One to four evaluations went wrong."""
    width = r.val_loss.shape[1]
    hit = rng.random((len(rows), width)) < ((1 + np.floor(4 * rng.random(len(rows)))) / width)[:, None]
    size = np.exp(np.log(0.1) + (0.5 + a[:, None]) * 3.2 * rng.random((len(rows), width)))
    r.val_loss[rows] *= np.where(hit, 1 + size, 1.0)
    r.val_metric[rows] = np.where(hit, r.val_metric[rows] * np.exp(-0.2 * size), r.val_metric[rows])


_MISTAKES: Final[dict[str, Book]] = {
    "train_stale": _train_stale,
    "swapped": _swapped,
    "metric_stale": _metric_stale,
    "metric_of_another": _metric_of_another,
    "metric_upside_down": _metric_upside_down,
    "val_summed": _val_summed,
    "train_summed": _train_summed,
    "val_of_another": _val_of_another,
    "val_repaired": _val_repaired,
    "evaluation_glitches": _evaluation_glitches,
}
