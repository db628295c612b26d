"""Looking into folders, here or in an object store: what the layouts of experiment trackers are known by."""

from __future__ import annotations

import os
from collections.abc import Iterator

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
