"""`generate`: seed and count in, labelled runs out. Same seed, same bytes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from curveclinic.measuring.quantities import Measured, measure
from curveclinic.ragged import Batch, FloatArray, IntArray
from curveclinic.synth.families import EXTRAS, TRENDS
from curveclinic.synth.logger import Logged, write_log
from curveclinic.synth.ordinary import draw_healthy
from curveclinic.synth.physics import latent
from curveclinic.synth.plan import Plan
from curveclinic.synth.truth import Truth, judge

BLOCK = 512
"""Runs drawn at once: large enough for vector work, small enough for the cache."""


@dataclass(frozen=True, eq=False)
class Sample:
    """Labelled synthetic runs.

    Attributes:
        batch: the runs as logged.
        logged: the runs with their clean twins and parts.
        seen: what was measured on the logged runs, ready for the encoder.
        truth: labels by visible effect.
        family: (n,) index into `TREND_NAMES`.
    """

    logged: Logged
    seen: Measured
    truth: Truth
    family: IntArray

    @property
    def batch(self) -> Batch:
        """The runs as logged."""
        return self.logged.batch

    @property
    def target(self) -> FloatArray:
        """(n, 20) 1 present, 0 absent, between arguable."""
        return self.truth.target

    @property
    def weight(self) -> FloatArray:
        """(n, 20) training weight, 0 where a channel is missing."""
        return self.truth.weight


TREND_NAMES = tuple(TRENDS)


def draw_plan(rng: np.random.Generator, count: int, trends: Sequence[str] = TREND_NAMES) -> tuple[Plan, IntArray]:
    """Draws families and their parameters for `count` runs; returns the plan and each run's trend."""
    weights = np.array([TRENDS[name].weight for name in trends])
    index = np.array([TREND_NAMES.index(name) for name in trends])
    family = index[rng.choice(len(trends), size=count, p=weights / weights.sum())]
    plan = draw_healthy(rng, count)
    for position, name in enumerate(TREND_NAMES):
        rows = np.flatnonzero(family == position)
        if len(rows):
            plan.override(rows, TRENDS[name].draw(rng, len(rows)))
    for extra in EXTRAS.values():
        rows = np.flatnonzero(rng.random(count) < extra.weight)
        if len(rows):
            plan.override(rows, extra.draw(rng, len(rows)))
    return plan, family


def generate(
    seed: int | Sequence[int], count: int, *, trends: Sequence[str] = TREND_NAMES, max_points: int = 30_000
) -> Sample:
    """Returns `count` labelled runs of the given trends.

    Args:
        seed: seed of `numpy.random.default_rng`; the same seed gives the same bytes.
        count: number of runs.
        trends: names from `families.TRENDS` to draw from, by their weights.
        max_points: longest run.
    """
    rng = np.random.default_rng(seed)
    plan, family = draw_plan(rng, count, trends)
    plan.points = np.minimum(plan.points, max_points)
    logged = write_log(rng, plan, latent(plan))
    seen = measure(logged.batch)
    return Sample(logged, seen, judge(logged, seen), family)
