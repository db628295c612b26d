"""Yardsticks: labelled real runs in JSON lines, read as `Run`s with what a reader of their plots said of them.

A label a reader called neither present nor absent is not scored. Context such as the number of classes is left out
unless asked for: few users say it.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from curveclinic.labels import LABELS, LOSSES
from curveclinic.ragged import BoolArray, FloatArray
from curveclinic.run import Run

RESULTS = Path(__file__).parent / "results"
"""Where the scripts write their CSV files by default."""


@dataclass(frozen=True, eq=False)
class Record:
    """One real run.

    Attributes:
        run: the curves; `run_id` is the record's id.
        family: runs of a family share task and setting.
        positive, negative: labels clearly there and clearly absent; empty for unlabelled runs.
        cause: what was changed in the run, in the yardstick's words; "" for nothing or where it is not told.
    """

    run: Run
    family: str
    positive: frozenset[str] = frozenset()
    negative: frozenset[str] = frozenset()
    cause: str = ""


def load_records(path: Path, *, curves: Path | None = None, num_classes: bool = False) -> list[Record]:
    """Reads a JSON-lines file, gzipped or not.

    Args:
        path: the file.
        curves: another such file that holds, under the same ids, what this one leaves out.
        num_classes: hand over the number of classes where it is known.

    Raises:
        KeyError: a run has its curves in neither file.
    """
    whole = {body["id"]: body for body in _lines(curves)} if curves else {}
    return [_record(whole.get(body["id"], {}) | body, num_classes=num_classes) for body in _lines(path)]


def truth_of(records: Sequence[Record]) -> FloatArray:
    """(n, 20) 1 present, 0 absent, NaN not scored."""
    truth = np.full((len(records), len(LABELS)), np.nan)
    for i, record in enumerate(records):
        truth[i, [LABELS.index(label) for label in record.negative]] = 0.0
        truth[i, [LABELS.index(label) for label in record.positive]] = 1.0
    return truth


def without_positive(records: Sequence[Record]) -> BoolArray:
    """(n,) runs on which no label is clearly there: what a user calls healthy."""
    return np.array([not record.positive for record in records], dtype=bool)


def shortest_loss(run: Run) -> int:
    """Points of the shorter logged loss, 0 without any."""
    return min((len(run.channels[name]) for name in LOSSES if name in run.channels), default=0)


def default_out(script: str, records: Path) -> Path:
    """The CSV of a script for one yardstick, named after the yardstick's folder."""
    return RESULTS / f"{Path(script).stem}_{records.resolve().parent.name}.csv"


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    with gzip.open(path, "rt") if path.suffix == ".gz" else path.open() as lines:
        for line in lines:
            yield json.loads(line)


def _record(body: dict[str, Any], *, num_classes: bool) -> Record:
    if "curves" not in body:
        raise KeyError(f"{body['id']} has no curves; give the file that holds them (--curves)")
    channels = {name: (curve["step"], curve["value"]) for name, curve in body["curves"].items()}
    classes = body.get("context", {}).get("num_classes") if num_classes else None
    run = Run.from_arrays(channels, run_id=body["id"], num_classes=classes)
    labels = (frozenset(body.get(name, ())) for name in ("positive", "negative"))
    return Record(run, body["family"], *labels, cause=body.get("cause") or "")
