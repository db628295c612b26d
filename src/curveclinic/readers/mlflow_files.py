"""MLflow's file store: a run is a folder with `meta.yaml` and one text file per metric under `metrics/`."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping

from curveclinic.errors import InputError
from curveclinic.intake.assemble import ReadOptions, is_logged, run_from_table
from curveclinic.intake.naming import parse
from curveclinic.phrases import counted
from curveclinic.readers import remote
from curveclinic.readers.folders import Folder, files_below
from curveclinic.readers.number_text import number_table
from curveclinic.readers.source import NoCurvesError, Source, no_loss
from curveclinic.readers.timed import Timed, on_steps
from curveclinic.run import Run

_META = "meta.yaml"
_METRICS = "metrics"
_META_BYTES = 65536
_RUN_NAME = re.compile(r"[0-9a-f]{32}")
_LINE = re.compile(r"^(\w+):(.*)$", re.MULTILINE)


def is_run_folder(folder: Folder) -> bool:
    """Says whether a folder is a run with metrics; experiments and logged models look alike but have no run id.

    In an object store its name, which is the run id, tells as much without a request.
    """
    if not folder.has_file(_META) or not folder.has_folder(_METRICS):
        return False
    if folder.is_remote:
        return _RUN_NAME.fullmatch(folder.name) is not None
    metrics = folder.inner(_METRICS)
    return bool(meta(folder.path).keys() & {"run_id", "run_uuid"}) and bool(metrics.files or metrics.folders)


def remote_files(folder: str) -> list[str]:
    """Returns the URIs of the files of a remote run that are read, the name of its experiment included."""
    metas = [os.path.join(place, _META) for place in (os.path.dirname(folder), folder)]
    metrics = os.path.join(folder, _METRICS)
    return [*filter(remote.is_file, metas), *(f"{metrics}/{name}" for name in files_below(metrics))]


def read(source: Source, options: ReadOptions) -> list[Run]:
    """Returns the run in a run folder.

    Raises:
        LogError: it was deleted (and only met in a folder), or holds no loss.
    """
    fields = meta(source.path)
    notes: list[str] = []
    if fields.get("lifecycle_stage") == "deleted":
        if not source.named:
            raise NoCurvesError(f"{source.path}: a deleted MLflow run")
        notes.append("the run is deleted in MLflow")
    series = {}
    for name, path in _metric_files(os.path.join(source.path, _METRICS)):
        series[name], bad = _points(path)
        if bad and parse(name).quantity:
            notes.append(
                f"{name}: the file is damaged; left out "
                f"{counted(bad, 'line that is', 'lines that are')} cut short or no 'time value step'"
            )
    table, placed = on_steps(series)
    title = "/".join(t for t in (meta(os.path.dirname(source.path)).get("name"), fields.get("run_name")) if t)
    try:
        return [run_from_table(table, options, source.origin(title=title, notes=(*notes, *placed)))]
    except InputError as error:
        raise no_loss(source, error, is_log=is_logged(table)) from None


def meta(folder: str) -> Mapping[str, str]:
    """Returns the top-level scalars of a folder's `meta.yaml`; empty without one."""
    try:
        with open(os.path.join(folder, _META), "rb") as file:
            text = file.read(_META_BYTES).decode("utf-8", "replace")
    except OSError:
        return {}
    return {m.group(1): _unquoted(m.group(2).strip(" \t")) for m in _LINE.finditer(text)}


def _unquoted(value: str) -> str:
    if len(value) > 1 and value[0] == value[-1] == "'":
        return value[1:-1].replace("''", "'")
    if len(value) > 1 and value[0] == value[-1] == '"':
        return re.sub(r"\\(.)", r"\1", value[1:-1])
    return value


def _metric_files(folder: str) -> Iterator[tuple[str, str]]:
    """Yields (metric, file); a metric with a slash in its name lies in a sub-folder."""
    for name in files_below(folder):
        yield name, os.path.join(folder, name)


def _points(path: str) -> tuple[Timed, int]:
    """Returns the points of one metric file and how many lines are damaged; step is 0 where none was written."""
    *whole, cut = Source(path, "").content().split(b"\n")  # without an end a line may lack digits
    lines = [line for line in whole if line.strip()]
    if lines and len(lines[0].split()) == 2:
        lines = [line + b" 0" for line in lines]
    numbers, bad = number_table(lines, 3)
    bad += bool(cut.strip()) or not lines  # MLflow makes no file without a point
    return Timed(numbers[:, 2], numbers[:, 1], numbers[:, 0]), bad
