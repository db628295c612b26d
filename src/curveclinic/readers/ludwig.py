"""Ludwig's `training_statistics.json`: splits, output features, metrics; the total is the feature `combined`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from curveclinic.intake.assemble import ReadOptions, run_from_table
from curveclinic.points import Points, as_points
from curveclinic.readers.json_text import load_json
from curveclinic.readers.source import Source
from curveclinic.run import Run

_TOTAL = "combined"
_SPLITS = ("training", "validation", "test")


def sniff(head: bytes) -> bool:
    """Says whether bytes are the head of training statistics."""
    if head.lstrip()[:1] != b"{" or b'"combined"' not in head or b'"loss"' not in head:
        return False
    return any(part in head for part in (b'"evaluation_frequency"', b'"training"', b'"test"'))


def read(source: Source, options: ReadOptions) -> list[Run]:
    """Returns the run of training statistics.

    Raises:
        LogError: the text is no JSON or holds no loss.
    """
    document, notes = load_json(source)
    return [run_from_table(dict(_series(document)), options, source.origin(notes=notes))]


def _series(document: Any) -> Iterator[tuple[str, Points]]:
    """Yields (split/metric, points) of the total, then those of the features that the total does not hold."""
    for split in _SPLITS:
        features = document.get(split) if isinstance(document, Mapping) else None
        if not isinstance(features, Mapping):
            continue
        total = features.get(_TOTAL)
        for feature, metrics in features.items():
            for metric, values in metrics.items() if isinstance(metrics, Mapping) else ():
                if feature == _TOTAL or not (metric == "loss" and isinstance(total, Mapping) and "loss" in total):
                    name = f"{split}/{metric}" if feature == _TOTAL else f"{split}/{feature}/{metric}"
                    yield name, _points(name, values)


def _points(name: str, values: Any) -> Points:
    """Values, one per evaluation; older versions write (epoch, step, value) for each."""
    if isinstance(values, list) and values and all(isinstance(v, list) and len(v) == 3 for v in values):
        return as_points(name, ([v[1] for v in values], [v[2] for v in values]))
    return as_points(name, values)
