"""Swings as the generator draws them: each kind of the table."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("scipy")

from curveclinic.ragged import FloatArray
from curveclinic.synth.swings import SWINGS, swings

POINTS = 400


def drawn(kind: str, runs: int = 60, cycles: float = 12.0, seed: int = 3) -> FloatArray:
    """(runs, POINTS) swings of one kind over the whole of each run."""
    index = np.tile(np.arange(POINTS), runs)
    wave = swings(
        np.random.default_rng(seed),
        index / (POINTS - 1),
        np.repeat(np.arange(runs), POINTS),
        index,
        np.full(runs, SWINGS.index(kind)),
        np.full(runs, cycles),
    )
    return wave.reshape(runs, POINTS)


@pytest.mark.parametrize("kind", SWINGS)
def test_swings_are_about_one_and_bounded(kind: str) -> None:
    waves = drawn(kind)
    assert np.isfinite(waves).all()
    assert np.abs(waves).max() < 3.5
    assert 0.35 < np.median(waves.std(axis=1)) < 1.4
    assert abs(np.median(waves.mean(axis=1))) < 0.45


def test_the_same_seed_gives_the_same_swings() -> None:
    for kind in SWINGS:
        np.testing.assert_array_equal(drawn(kind), drawn(kind))


def test_a_thrown_run_jumps_up_and_comes_down_slowly() -> None:
    steps = np.diff(drawn("thrown", cycles=8.0), axis=1)
    assert (np.quantile(steps, 0.995, axis=1) > -np.quantile(steps, 0.005, axis=1)).mean() > 0.5
    assert (np.median(steps, axis=1) < 0).mean() > 0.7


def test_a_chaotic_run_goes_on_swinging_between_turns_of_unlike_height() -> None:
    waves = drawn("chaotic", cycles=6.0)
    assert all((part.std(axis=1) > 0.2).mean() > 0.9 for part in np.split(waves, 2, axis=1))
    inner = waves[:, 1:-1]
    tops = (inner > waves[:, :-2]) & (inner >= waves[:, 2:])
    heights = [wave[top] for wave, top in zip(inner, tops, strict=True)]
    assert np.median([h.std() for h in heights]) > 0.1
