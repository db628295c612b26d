"""Paths that overlap, as `logs logs/run.csv`: each log is met once, under the id it has where it is met first."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import lru_cache

from curveclinic.readers import remote
from curveclinic.readers.discovery import file_source, find_sources
from curveclinic.readers.source import Source


class Once:
    """Finds the sources under paths, each once.

    Attributes:
        repeated: paths under which something was met that an earlier path had led to.
    """

    def __init__(self, paths: Sequence[str]) -> None:
        self.repeated: set[str] = set()
        self._one = len(paths) < 2  # which repeats nothing: nothing is kept of it
        self._met: set[int] = set()  # under earlier paths
        self._real_folder = lru_cache(maxsize=1024)(os.path.realpath)  # many files lie in one
        files = () if self._one else map(file_source, paths)
        self._named = {place for source in files if source is not None for place in self._places(source)}

    def under(self, path: str) -> Iterator[Source]:
        """Yields what is found under one of the paths; a file that the user names, too, is marked so at once."""
        here: set[int] = set()
        for source in find_sources(path):
            if self._one:
                yield source
                continue
            places = self._places(source)
            if places <= self._met:
                self.repeated.add(path)
                continue
            here |= places
            yield replace(source, named=True) if len(places) == 1 and places <= self._named else source
        self._met |= here

    def _places(self, source: Source) -> set[int]:
        """Returns a number for each file of a source, wherever links lead: of a million, eight bytes each are kept."""
        own = {hash(self._real(path)) for path in [path for _, path in source.parts] or [source.path]}
        return own.union(*map(self._places, source.beside))

    def _real(self, path: str) -> str:
        if remote.is_remote(path):
            return path
        folder, name = os.path.split(path)
        if os.path.islink(path) or name in ("", ".", ".."):
            return os.path.realpath(path)
        return os.path.join(self._real_folder(folder), name)
