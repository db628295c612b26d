"""Samples of the generator for tests: one trend or rider at a time, and what they clearly show."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from curveclinic.labels import LABELS
from curveclinic.ragged import BoolArray, FloatArray, IntArray, Ragged
from curveclinic.synth import Sample, generate
from curveclinic.synth.families import EXTRAS

MAX_POINTS = 600
LOSSES = ("train_loss", "val_loss")


def sample_of(monkeypatch: pytest.MonkeyPatch, name: str, count: int = 250) -> Sample:
    """Runs of one trend without riders, or plain runs that all carry one rider."""
    for rider, family in EXTRAS.items():
        monkeypatch.setitem(EXTRAS, rider, replace(family, weight=float(rider == name)))
    return generate(11, count, trends=("plain" if name in EXTRAS else name,), max_points=MAX_POINTS)


def present(sample: Sample) -> BoolArray:
    return (sample.target == 1.0) & (sample.weight == 1.0)


def runs_with(sample: Sample, label: str) -> tuple[IntArray, FloatArray, FloatArray]:
    """Rows that clearly show a label, with its onsets and ends."""
    j = LABELS.index(label)
    rows = np.flatnonzero(present(sample)[:, j])
    return rows, sample.truth.onset[rows, j], sample.truth.end[rows, j]


def points(channel: Ragged, row: int) -> tuple[FloatArray, FloatArray]:
    piece = slice(channel.offsets[row], channel.offsets[row + 1])
    return channel.steps[piece], channel.values[piece]


def opening_phases(sample: Sample, label: str) -> Iterator[tuple[FloatArray, float, float]]:
    """For every run that clearly shows a label of its beginning: clean train losses, their level where the label ends,
    and the share of the run by then."""
    for row, first, last in zip(*runs_with(sample, label), strict=True):
        steps, values = points(sample.logged.clean.channels["train_loss"], row)
        assert first == steps[0]
        yield values, float(np.interp(last, steps, values)), (last - first) / (steps[-1] - steps[0])
