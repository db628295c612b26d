"""Files of one run that lie side by side in a folder, and are read together."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

from curveclinic.readers import curve_files, neptune, remote, sided_tables, tensorboard_csv
from curveclinic.readers.source import Source

_RUN_OF: Final[dict[str, Callable[[str], str]]] = {
    "tensorboard_csv": tensorboard_csv.run_of,
    "curve_files": curve_files.run_of,
    "sided_tables": sided_tables.run_of,
}
"""Format -> what the name of a file has in common with those of the other files of its run."""


def grouped(folder: str, files: Iterable[str]) -> Iterator[tuple[list[str], str]]:
    """Yields the files of a folder, each by itself; together those of one run, at the first one, and their format.

    These are the parts of one Neptune export, what was downloaded of one run of TensorBoard, files of a curve each, and
    tables of a side each.
    """
    groups: dict[tuple[str, str], list[str]] = {}
    for name in files:
        groups.setdefault(_key(name), []).append(name)
    for (format, _), names in groups.items():
        one, format = _of_one_run(folder, format, names) if format and len(names) > 1 else ([], "")
        if one:
            yield one, format
        yield from (([name], "") for name in names if name not in one)


def _key(name: str) -> tuple[str, str]:
    """The format that a file may be a part in, "" for none, and what the parts of one run have in common."""
    part = neptune.PART.fullmatch(name)
    if part:
        return "neptune", part.group(1)
    for format, run_of in _RUN_OF.items():
        if run := run_of(name):
            return format, run
    return "", name


def _of_one_run(folder: str, format: str, names: Sequence[str]) -> tuple[list[str], str]:
    """Returns those of some files that are parts of one run by what is in them, and its format; else none."""
    paths = [os.path.join(folder, name) for name in names]
    if format == "neptune":
        return list(names) if neptune.holds(Source(paths[0], "")) else [], format
    if remote.is_remote(folder):
        return [], ""
    if format == "tensorboard_csv" and _are_downloads(paths):
        return list(names), format
    if format == "curve_files" and (found := curve_files.together(paths)):
        return [os.path.basename(path) for path in found], format
    return [os.path.basename(path) for path in sided_tables.together(paths)], "sided_tables"


def _are_downloads(paths: Sequence[str]) -> bool:
    """Says whether files are what was downloaded of one run of TensorBoard, each of another tag."""
    if len(set(map(tensorboard_csv.tag_of, paths))) < len(paths):
        return False
    try:
        return all(tensorboard_csv.sniff(Source(path, "").head()) for path in paths)
    except OSError:
        return False
