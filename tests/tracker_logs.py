"""Fixtures of experiment trackers: where they lie, what was logged, and whether a run holds exactly that."""

import gzip
import json
import math
from pathlib import Path

FIXTURES = Path(__file__).parent / "fixtures"


def logged(tool):
    """What the tool was given: run -> metric -> [[step, value], ...]."""
    return json.loads((FIXTURES / tool / "expected.json").read_text())


def unpacked(tool, name, folder):
    """The path of a compressed database, unpacked into a folder."""
    path = folder / name
    path.write_bytes(gzip.decompress((FIXTURES / tool / f"{name}.gz").read_bytes()))
    return path


def last_per_step(points):
    """(steps, values) ascending, the last value of a step."""
    kept = dict(map(tuple, points))
    return sorted(kept), [kept[step] for step in sorted(kept)]


def same(series, points):
    """Whether a channel holds exactly these points, NaN and Inf included."""
    steps, values = last_per_step(points)
    found = series.values.tolist()
    alike = [a == b or (math.isnan(a) and math.isnan(b)) for a, b in zip(found, values, strict=False)]
    return series.steps.tolist() == steps and len(found) == len(values) and all(alike)


def assert_holds(run, metrics, train="train/loss", val="val/loss"):
    """Checks both losses of a run against what was logged."""
    assert same(run.channels["train_loss"], metrics[train])
    assert same(run.channels["val_loss"], metrics[val])
