"""Records: dataclasses of arrays with a row a run, and dicts of such; what is done to every array of one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields
from operator import attrgetter
from typing import Any, ClassVar, TypeVar

import numpy as np

from curveclinic.ragged import IntArray

Record = TypeVar("Record")
Own = TypeVar("Own", bound="PerRun")


class PerRun:
    """Base of dataclasses of nothing but arrays, of which some runs are soon taken: what is measured is taken often."""

    _arrays: ClassVar[attrgetter[tuple[Any, ...]]]
    """The arrays as a tuple, in the order they are declared."""

    def __init_subclass__(cls) -> None:
        cls._arrays = attrgetter(*cls.__annotations__)

    def take(self: Own, rows: IntArray) -> Own:
        """Returns the given runs, in that order."""
        return type(self)(*[values.take(rows, axis=0) for values in self._arrays(self)])

    def part(self: Own, start: int, stop: int) -> Own:
        """Returns consecutive runs without copying them."""
        arrays = self._arrays(self)
        return self if stop - start == len(arrays[0]) else type(self)(*[values[start:stop] for values in arrays])


def taken(record: Record, rows: IntArray) -> Record:
    """Returns the given runs of a record, in that order."""
    out: Record = _built([record], lambda arrays: arrays[0][rows])
    return out


def joined(parts: Sequence[Record], places: IntArray | None = None) -> Record:
    """Returns the runs of several records as one.

    Args:
        parts: one record or more of a class.
        places: (n,) where each run of the whole is among those of the parts; None leaves them one after another.
    """
    if len(parts) == 1:
        return parts[0]
    whole: Record = _built(parts, np.concatenate)
    return whole if places is None else taken(whole, places)


def _built(records: Sequence[Any], made: Callable[[list[Any]], Any]) -> Any:
    """A record whose arrays are made of those of several records; arrays in dicts and in records within them, too."""
    first = records[0]
    if isinstance(first, np.ndarray):
        return made(list(records))
    if isinstance(first, dict):
        return {name: _built([record[name] for record in records], made) for name in first}
    return type(first)(*(_built([getattr(record, f.name) for record in records], made) for f in fields(first)))
