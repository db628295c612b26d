"""Looking into folders, here or in an object store: what is in them, and what the layouts of trackers are known by."""

from __future__ import annotations

import os
import re
from collections.abc import Hashable, Iterator
from contextlib import suppress
from functools import cached_property
from typing import TypeAlias

from curveclinic.readers import remote


class Folder:
    """A folder, here or in an object store, which is listed once, when it is first asked what lies in it.

    Hidden and unreadable entries are left out; nothing lies in a folder that cannot be listed.

    Attributes:
        path: where it is.
        name: its own name.
        parent: the folder that a search came from; None where the search began.
        prefix: its place under where the search began, with a slash at its end; "" there.
    """

    def __init__(self, path: str, parent: Folder | None = None) -> None:
        self.path, self.parent = path, parent
        self.name = os.path.basename(path if parent else os.path.abspath(path))
        self.prefix: str = f"{parent.prefix}{self.name}/" if parent else ""
        self._inner: dict[str, Folder] = {}

    @property
    def run_id(self) -> str:
        """What a run that it is as a whole is called."""
        return self.prefix[:-1] or self.name

    @property
    def is_remote(self) -> bool:
        """Whether it lies in an object store."""
        return remote.is_remote(self.path)

    @cached_property
    def files(self) -> list[str]:
        """Names of the files in natural order (run_2 before run_10), links last."""
        return _in_order(self._found[0])

    @cached_property
    def folders(self) -> list[str]:
        """Names of the folders, likewise: so that one is read under its own name, not as `latest-run`."""
        return _in_order(self._found[1])

    def has_file(self, name: str) -> bool:
        """Says whether there is such a file."""
        return name in self._found[0]

    def has_folder(self, name: str) -> bool:
        """Says whether there is such a folder."""
        return name in self._found[1]

    def place_of(self, name: str) -> str:
        """Returns where an entry is."""
        return os.path.join(self.path, name)

    def inner(self, name: str) -> Folder:
        """Returns a folder in it, listed or not yet; one that is not there is empty."""
        if name not in self._inner:
            self._inner[name] = Folder(self.place_of(name), self)
        return self._inner[name]

    def leave(self, name: str) -> None:
        """Forgets what lies in a folder in it, where nothing more is to be asked."""
        self._inner.pop(name, None)

    def identity(self) -> Hashable:
        """Returns what is the same for a folder reached by two names.

        Raises:
            OSError: it cannot be listed.
        """
        if self.is_remote:  # no links there
            return self.path
        status = os.stat(self.path)
        _ = self._entries
        return status.st_dev, status.st_ino

    @property
    def _found(self) -> tuple[_Names, _Names]:
        try:
            return self._entries
        except OSError:
            return {}, {}

    @cached_property
    def _entries(self) -> tuple[_Names, _Names]:
        """Names of the files and of the folders.

        Raises:
            OSError: it cannot be listed.
        """
        if self.is_remote:
            listed = (remote.names(self.path, files=files) for files in (True, False))
            files, folders = (dict.fromkeys((n for n in names if not n.startswith(".")), False) for names in listed)
            return files, folders
        files, folders = {}, {}
        with os.scandir(self.path) as found:
            for entry in found:
                if not entry.name.startswith("."):
                    _place(entry, files, folders)
        return files, folders


_Names: TypeAlias = "dict[str, bool]"
"""Names of entries, and whether they are links."""


def _place(entry: os.DirEntry[str], files: _Names, folders: _Names) -> None:
    """Puts an entry among the files or the folders; a symbolic link that leads to itself is neither."""
    with suppress(OSError):
        if entry.is_file():
            files[entry.name] = entry.is_symlink()
        elif entry.is_dir():
            folders[entry.name] = entry.is_symlink()


def _in_order(found: _Names) -> list[str]:
    return sorted(found, key=lambda name: (found[name], _natural(name)))


def _natural(name: str) -> list[tuple[int, int, str]]:
    return [(0, int(p), "") if p.isdigit() else (1, 0, p) for p in re.split(r"(\d+)", name)]


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
