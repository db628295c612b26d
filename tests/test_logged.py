"""Estimated steps are brought to the nearest logged one, whether for one run or for many at once."""

from __future__ import annotations

import numpy as np
import pytest

from curveclinic.deciding import logged
from curveclinic.layers import layers_of
from curveclinic.ragged import Batch
from curveclinic.run import Run


def runs() -> list[Run]:
    rng = np.random.default_rng(0)
    out = []
    for k in range(60):
        names = ["train_loss", "val_loss"][: 1 + k % 2] + ["grad_norm/in", "grad_norm/out"] * (k % 3 == 0)
        steps = {name: np.unique(rng.integers(0, 50, rng.integers(1, 20))).astype(float) for name in names}
        out.append(Run.from_arrays({name: (own, np.ones(len(own))) for name, own in steps.items()}))
    return out


@pytest.mark.parametrize("few", [0, 10_000])
def test_the_nearest_logged_step_the_smaller_of_two(few: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logged, "_FEW", few)
    everyone, rng = runs(), np.random.default_rng(1)
    layers = {i: own for i, run in enumerate(everyone) if (own := layers_of(run.channels))}
    rows = np.sort(rng.integers(0, len(everyone), 200))
    steps = rng.integers(-10, 120, 200) / 2.0
    steps[::9] = np.nan
    found = logged.logged_steps(Batch.from_runs(everyone), layers, rows, steps)
    for row, step, nearest in zip(rows, steps, found, strict=True):
        own = np.concatenate([series.steps for series in everyone[row].channels.values()])
        wanted = min(own, key=lambda one: (abs(one - step), one)) if np.isfinite(step) else np.nan
        np.testing.assert_equal(nearest, wanted)
