"""`Simulations.draw`: seed and count in, labelled logs of real trainings out, as `generate` returns drawn ones."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np

from curveclinic.deciding.definitions import label_degrees, swing_degree
from curveclinic.deciding.rules import PRESENT, overrule
from curveclinic.labels import COLUMN, FACTS, LOSSES, PRICED, TEXTURES
from curveclinic.measuring.quantities import Measured, measure
from curveclinic.measuring.trends import Quantities
from curveclinic.ragged import Batch, BoolArray, FloatArray, IntArray, Ragged
from curveclinic.synth.draws import Rng
from curveclinic.synth.generate import Sample
from curveclinic.synth.logger import Logged
from curveclinic.synth.noiseless import scatter_about
from curveclinic.synth.simulate.parts import known_noise, measured_parts, textured_train, trend_of
from curveclinic.synth.simulate.record import Cache, load, rows_where
from curveclinic.synth.simulate.views import Views, views_of
from curveclinic.synth.simulate.writing import Book, Written, draw_book, write
from curveclinic.synth.truth import ARGUABLE_TARGET, Truth, judge

_APART: Final = 0.7
"""Degrees that differ by more, between the view without noise and the log itself, are arguable."""

_APART_WEIGHT: Final = 0.2
"""Training weight of such a cell: one of the two may be right."""

_TEXTURES: Final = [COLUMN[name] for name in TEXTURES]
"""Labels that the log itself must show: how much of a texture a logger leaves is measured there alone."""

_KNOWN: Final = [COLUMN[name] for name in (*FACTS, *PRICED, "train_stalled_val_falls")]
"""Labels that are facts of the log, or that the training settles better than the log: the cost of an untrained model,
a train loss that is flat under its noise."""

_CHANGED: Final = ("weights_lost_on_the_way", "data_changed_on_the_way")
"""Causes after which a loss that stays higher need not be a divergence."""

_NO_SWING: Final = 0.25
"""Share of what a log shows as swings that the loss on the whole train set must reach to be more than noise."""

_SPIKY: Final = 3.0
"""Size, in units of the limit, from which a few jumps could be all that swings."""

_FEW_SPIKES: Final = 8
"""Jumps that can be lone spikes."""

_HELD_OUT: Final = 8
"""One family in this many is kept from training."""


def held_out(family: str) -> bool:
    """Whether a family, net x task x fault, is kept from training: by its name alone, whatever cache it is in."""
    return zlib.crc32(family.encode()) % _HELD_OUT == 0


class Simulations:
    """A cache with its views, read once and drawn from often.

    Attributes:
        cache: the trainings.
        families: names of all families, sorted; a sample's `family` is an index into them.
    """

    def __init__(self, cache: Cache) -> None:
        self.cache = cache
        self.views: Views = views_of(cache)
        self.families, self._family = np.unique(cache.family.astype(str), return_inverse=True)

    @classmethod
    def read(cls, path: Path) -> Simulations:
        """Reads a cache from its file."""
        return cls(load(path))

    @property
    def seen(self) -> tuple[str, ...]:
        """Families that training may draw from."""
        return tuple(str(name) for name in self.families if not held_out(name))

    @property
    def unseen(self) -> tuple[str, ...]:
        """Families that training never sees."""
        return tuple(str(name) for name in self.families if held_out(name))

    def rows(self, families: Sequence[str]) -> IntArray:
        """Trainings of the given families."""
        return rows_where(self.cache, np.isin(self.cache.family.astype(str), list(families)))

    def draw(self, seed: int | Sequence[int], count: int, *, families: Sequence[str] | None = None) -> Sample:
        """Returns `count` labelled logs; the same seed and cache give the same bytes.

        Args:
            seed: seed of `numpy.random.default_rng`.
            count: number of logs; a training is logged differently every time.
            families: draw from these only; None draws from all.
        """
        rng = np.random.default_rng(seed)
        rows = np.arange(self.cache.size) if families is None else self.rows(families)
        book = draw_book(rng, self.cache, rows, count)
        written = write(rng, self.cache, self.views, book)
        seen = measure(written.batch)
        logged = _logged(rng, self.cache, book, written, seen)
        return Sample(logged, seen, judge_simulated(logged, seen), self._family[book.row])


def _logged(rng: Rng, cache: Cache, book: Book, written: Written, seen: Measured) -> Logged:
    """The logs with their views and what is measured of their textures."""
    finite = {name: written.batch.channels[name].finite() for name in LOSSES}
    trend = {name: trend_of(written.level[name]) for name in finite}
    cells = seen.cells
    scatter = scatter_about(finite["train_loss"], trend["train_loss"], cells["train_loss"])
    fixed = cache.numbers["fixed_order"][book.row]
    known = {
        "train_loss": known_noise(seen, finite["train_loss"], written.noise, scatter, fixed),
        "val_loss": scatter_about(finite["val_loss"], written.level["val_loss"], cells["val_loss"]),
    }
    textured = {
        "train_loss": textured_train(rng, seen, finite["train_loss"], known["train_loss"]),
        "val_loss": written.level["val_loss"],
    }
    cost = cache.numbers["cost"][book.row] * book.unit
    quiet = measure(_like(written.batch, dict(written.batch.channels) | written.level)).quantities
    jumped = np.isin(cache.cause[book.row].astype(str), _CHANGED).astype(np.float64)
    parts = measured_parts(
        seen, trend["train_loss"], known, quiet, scatter=scatter, fixed=fixed, cost=cost, jumped=jumped
    )
    clean = dict(written.batch.channels) | trend | written.metric
    clean |= {name: written.batch.channels[name].finite() for name in ("lr", "grad_norm")}
    known_sign = replace(_like(written.batch, clean), metric_sign=cache.numbers["metric_sign"][book.row])
    return Logged(written.batch, known_sign, textured, parts)


def _like(batch: Batch, channels: dict[str, Ragged]) -> Batch:
    return replace(batch, channels=channels)


def judge_simulated(logged: Logged, seen: Measured) -> Truth:
    """Labels logs of trainings.

    Where the view without noise and the log itself say opposite things, neither is taken at its word.
    """
    truth = judge(logged, seen)
    by_log: FloatArray = overrule(label_degrees(seen.quantities))
    apart = np.abs(truth.degree - by_log) >= _APART
    apart[:, _TEXTURES] |= (truth.target[:, _TEXTURES] == 1.0) & (by_log[:, _TEXTURES] < PRESENT)
    apart &= truth.checked
    apart[:, [*_KNOWN, COLUMN["oscillation"]]] = False
    target = np.where(apart, ARGUABLE_TARGET, truth.target)
    weight = np.where(apart, _APART_WEIGHT, truth.weight)
    weight[_unclear_swings(truth, logged.parts["swinging"], seen.quantities), COLUMN["oscillation"]] = 0.0
    return replace(truth, target=target, weight=weight)


def _unclear_swings(truth: Truth, swinging: FloatArray, q: Quantities) -> BoolArray:
    """(n,) True where log and view disagree about swings, or where lone spikes could be meant.

    Args:
        truth: what the view without noise says.
        swinging: (n,) size of the swings of that view, relative to its level.
        q: what is measured on the logs.
    """
    shown, j = swing_degree(q), COLUMN["oscillation"]
    there = truth.target[:, j] == 1.0
    spiky = (q["t_jump_size"] > _SPIKY) & (q["t_jumps"] <= _FEW_SPIKES)
    noise_alone = swinging < _NO_SWING * q["t_swing_level"]
    clear_yes = there & (shown >= PRESENT) & ~spiky
    clear_no = (truth.degree[:, j] <= 0.0) & ((shown <= 0.0) | noise_alone)
    return np.asarray(~(clear_yes | clear_no))
