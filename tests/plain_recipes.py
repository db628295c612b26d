"""Trainings without anything odd, for tests of the trainer to change one thing in."""

from __future__ import annotations

import numpy as np

from curveclinic.synth.draws import Draw
from curveclinic.synth.simulate.recipe import Recipe, draw_healthy
from curveclinic.synth.simulate.trainer import Setting

REPLICAS = 6
VALUES = Setting("mlp", "linear_values", 16, 120, 10)
CLASSES = Setting("mlp", "blobs", 16, 120, 10)


def plain(n: int = REPLICAS, **values: object) -> Recipe:
    """Small steps of plain SGD without any extra."""
    recipe = draw_healthy(np.random.default_rng(0), n, n_train=96, n_val=64, slow=False)
    still: Draw = {name: np.zeros(n) for name in ("momentum", "weight_decay", "warmup", "dropout", "augment")}
    still |= {"optimiser": np.zeros(n, np.int64), "schedule": np.zeros(n, np.int64), "lr": np.full(n, 0.05)}
    still |= {"label_noise": np.zeros(n), "val_label_noise": np.zeros(n), "clip": np.full(n, np.inf)}
    still |= {"n_train": np.full(n, 96)}
    recipe.override(np.arange(n), still | {name: np.full(n, value) for name, value in values.items()})
    return recipe
