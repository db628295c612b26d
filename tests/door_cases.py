"""Runs as they come through the door for curves in memory, and what is read of them."""

import numpy as np

from curveclinic.intake.door import runs_from

FALLING = np.linspace(2.0, 1.0, 60)


def one(data, **options):
    runs, single = runs_from(data, **options)
    assert single
    assert len(runs) == 1
    return runs[0]


def values(run, channel="train_loss"):
    return run.channels[channel].values.tolist()


def steps(run, channel="train_loss"):
    return run.channels[channel].steps.tolist()
