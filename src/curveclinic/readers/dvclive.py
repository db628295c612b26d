"""DVCLive: a folder with one tab-separated file per metric under `plots/metrics`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from curveclinic.errors import InputError
from curveclinic.intake.assemble import ReadOptions, is_logged, run_from_table
from curveclinic.intake.naming import parse
from curveclinic.phrases import counted
from curveclinic.points import Points
from curveclinic.readers.folders import Folder, files_below
from curveclinic.readers.number_text import number_table
from curveclinic.readers.source import Source, no_loss
from curveclinic.run import Run

PLOTS = "plots"
_METRICS = "metrics"


def is_run_folder(folder: Folder) -> bool:
    """Says whether a folder holds metrics as DVCLive lays them out."""
    return folder.has_folder(PLOTS) and folder.inner(PLOTS).has_folder(_METRICS) and any(_metric_files(folder.path))


def remote_files(folder: str) -> list[str]:
    """Returns the URIs of the files of a remote run."""
    return [path for _, path in _metric_files(folder)]


def read(source: Source, options: ReadOptions) -> list[Run]:
    """Returns the run in a DVCLive folder.

    Raises:
        LogError: there is no loss among its metrics.
    """
    table: dict[str, Points] = {}
    notes: list[str] = []
    for name, path in _metric_files(source.path):
        points, bad = _points(path)
        if points is not None:
            table[name] = points
        if bad and parse(name).quantity:
            notes.append(
                f"{name}: the file is damaged; "
                f"left out {counted(bad, 'line that is', 'lines that are')} cut short or no numbers"
            )
    try:
        return [run_from_table(table, options, source.origin(notes=notes))]
    except InputError as error:
        raise no_loss(source, error, is_log=is_logged(table)) from None


def _metric_files(folder: str) -> Iterator[tuple[str, str]]:
    """Yields (metric, file); the path under `plots/metrics` is the metric's name."""
    root = os.path.join(folder, PLOTS, _METRICS)
    for name in files_below(root):
        if name.endswith((".tsv", ".csv")):
            yield Path(name).with_suffix("").as_posix(), os.path.join(root, name)


def _points(path: str) -> tuple[Points | None, int]:
    """Returns the points of one metric and how many lines are damaged; None for a file of something else."""
    data = Source(path, "").content()
    header, *lines = data.splitlines() or [b""]
    if lines and not data.endswith((b"\n", b"\r")):
        lines[-1] = b"cut short"  # `0.5` may be the start of `0.5e-3`
    separator = b"\t" if b"\t" in header else b","
    names = header.split(separator)
    if b"step" not in names or len(names) < 2:
        return None, 0
    numbers, bad = number_table([line for line in lines if line.strip()], len(names), separator)
    return (numbers[:, names.index(b"step")], numbers[:, -1]), bad
