"""Looking into folders, here or in an object store: what is in them, and what the layouts of trackers are known by."""

from __future__ import annotations

import os
import re
from collections.abc import Hashable, Iterator

from curveclinic.readers import remote


def is_file(path: str) -> bool:
    """Says whether there is such a file."""
    return remote.is_file(path) if remote.is_remote(path) else os.path.isfile(path)


def is_folder(path: str) -> bool:
    """Says whether there is such a folder."""
    return remote.is_folder(path) if remote.is_remote(path) else os.path.isdir(path)


def file_names(folder: str) -> list[str]:
    """Returns the names of the files in a folder, sorted; none of one that cannot be listed."""
    try:
        if remote.is_remote(folder):
            return sorted(remote.names(folder, files=True))
        with os.scandir(folder) as found:
            return sorted(entry.name for entry in found if entry.is_file())
    except OSError:
        return []


def entries(folder: str, *, files: bool) -> list[str]:
    """Returns the names in a folder in natural order (run_2 before run_10); hidden and unreadable ones left out.

    Links come last, so that a folder is read under its own name, not as `latest-run`.
    """
    try:
        found = _listed(folder, files=files) if remote.is_remote(folder) else _scanned(folder, files=files)
    except OSError:
        return []
    return sorted(found, key=lambda name: (found[name], _natural(name)))


def _natural(name: str) -> list[tuple[int, int, str]]:
    return [(0, int(p), "") if p.isdigit() else (1, 0, p) for p in re.split(r"(\d+)", name)]


def _scanned(folder: str, *, files: bool) -> dict[str, bool]:
    """Names in a folder, and whether they are links."""
    with os.scandir(folder) as found:
        return {e.name: e.is_symlink() for e in found if not e.name.startswith(".") and _is(e, files=files)}


def _listed(folder: str, *, files: bool) -> dict[str, bool]:
    """Names in a folder of an object store, where there are no links."""
    return dict.fromkeys((name for name in remote.names(folder, files=files) if not name.startswith(".")), False)


def _is(entry: os.DirEntry[str], *, files: bool) -> bool:
    """Whether an entry is a file, or a folder; a symbolic link that leads to itself is neither."""
    try:
        return entry.is_file() if files else entry.is_dir()
    except OSError:
        return False


def identity(folder: str) -> Hashable:
    """Returns what is the same for a folder reached by two names.

    Raises:
        OSError: it cannot be listed.
    """
    if remote.is_remote(folder):  # no links there
        return folder
    status = os.stat(folder)
    os.scandir(folder).close()
    return status.st_dev, status.st_ino


def files_below(folder: str) -> Iterator[str]:
    """Yields the paths of all files in a folder and below it, relative to it, with slashes.

    In an object store a name may be anything: one that leads out of the folder is left out.
    """
    if remote.is_remote(folder):
        yield from _remote_below(folder, "")
        return
    for inner, folders, files in os.walk(folder):
        folders.sort()
        relative = os.path.relpath(inner, folder).replace(os.sep, "/")
        yield from (name if relative == "." else f"{relative}/{name}" for name in sorted(files))


def _remote_below(folder: str, prefix: str) -> Iterator[str]:
    yield from (f"{prefix}{name}" for name in sorted(remote.names(folder, files=True)) if remote.is_plain(name))
    for name in sorted(remote.names(folder, files=False)):
        if remote.is_plain(name):
            yield from _remote_below(f"{folder}/{name}", f"{prefix}{name}/")
