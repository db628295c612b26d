"""Statements about quantities by name, and their degrees: every clause of all labels is worked out in one go.

A definition is an expression that is known before any run is: `Program` sorts its parts by depth and kind and works out
each sort as one array, where one call a clause would cost a single run more than everything it is about.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from operator import itemgetter
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from curveclinic.deciding.degrees import between
from curveclinic.measuring.trends import table_of
from curveclinic.ragged import FloatArray

_How = Literal["all", "any"]
_RowIndex = npt.NDArray[np.intp]


@dataclass(frozen=True)
class Statement:
    """Something that holds to a degree."""

    def __rsub__(self, one: float) -> Not:
        """`1.0 - statement`: its contrary."""
        if one != 1.0:
            raise ValueError(f"found {one} - statement, expected 1.0 - statement")
        return Not(self)


@dataclass(frozen=True)
class Quantity:
    """A quantity by its name."""

    name: str


class Names:
    """What a definition is written over: `q["t_drop_rel"]` names a quantity."""

    def __getitem__(self, name: str) -> Quantity:
        return Quantity(name)


@dataclass(frozen=True)
class Clause(Statement):
    """A quantity between two cuts: degree 0 at or beyond `absent`, 1 at or beyond `present`."""

    name: str
    absent: float
    present: float


@dataclass(frozen=True)
class Not(Statement):
    """The contrary of a statement."""

    part: Statement


@dataclass(frozen=True)
class Joined(Statement):
    """All of some statements, or any of them."""

    how: _How
    parts: tuple[Statement, ...]


_OTHER: Final[dict[_How, _How]] = {"all": "any", "any": "all"}
"""How the contraries are joined that make the contrary."""

_REDUCE: Final[dict[_How, np.ufunc]] = {"all": np.minimum, "any": np.maximum}
"""What the degree of joined statements is."""


@dataclass(frozen=True)
class Logged(Statement):
    """A quantity could be measured."""

    name: str


def above(x: Quantity, absent: float, present: float) -> Clause:
    """x is large; NaN counts as absent."""
    return Clause(x.name, absent, present)


def below(x: Quantity, present: float, absent: float) -> Clause:
    """x is small; NaN counts as absent."""
    return Clause(x.name, absent, present)


def holds(x: Quantity) -> Clause:
    """x, itself 0 or 1, is 1."""
    return Clause(x.name, 0.0, 1.0)


def all_of(*parts: Statement) -> Joined:
    """Every statement holds."""
    return Joined("all", parts)


def any_of(*parts: Statement) -> Joined:
    """At least one statement holds."""
    return Joined("any", parts)


def where_logged(x: Quantity, statement: Statement) -> Joined:
    """The statement where x could be measured, true where its channel is missing."""
    return any_of(1.0 - Logged(x.name), statement)


@dataclass(frozen=True, eq=False)
class _Step:
    """Statements of one kind that are worked out together.

    Attributes:
        reduce: smallest or largest of each statement's parts.
        parts: row of every part, one statement after another.
        starts: where each statement's parts begin.
        rows: where their degrees go.
    """

    reduce: np.ufunc
    parts: _RowIndex
    starts: _RowIndex
    rows: slice


class Program:
    """Statements made ready to be worked out for many runs."""

    def __init__(self, statements: Sequence[Statement]) -> None:
        wanted = [_plain(statement) for statement in statements]
        found = dict.fromkeys(part for statement in wanted for part in _parts(statement))
        clauses = [part for part in found if isinstance(part, Clause)]
        logged = [part for part in found if isinstance(part, Logged)]
        contraries = [part for part in found if isinstance(part, Not)]
        names = [part.name for part in clauses] + [part.name for part in logged]
        distinct = tuple(dict.fromkeys(names))
        self._named = itemgetter(*distinct)
        self._clauses = np.array([distinct.index(clause.name) for clause in clauses])
        self._absent = np.array([[clause.absent] for clause in clauses])
        self._present = np.array([[clause.present] for clause in clauses])
        self._logged = np.array([distinct.index(part.name) for part in logged], dtype=np.intp)
        rows: dict[Statement, int] = {part: row for row, part in enumerate((*clauses, *logged, *contraries))}
        self._denied = np.array([rows[part.part] for part in contraries], dtype=np.intp)
        self._steps = list(_steps([part for part in found if isinstance(part, Joined)], rows))
        self._out = np.array([rows[statement] for statement in wanted])
        self._height = len(rows)

    def degrees(self, quantities: Mapping[str, FloatArray]) -> FloatArray:
        """(len(statements), n) degree of every statement."""
        values = table_of(self._named(quantities))
        degrees = np.empty((self._height, values.shape[1]))
        first, single = len(self._clauses), len(self._clauses) + len(self._logged)
        degrees[:first] = between(values.take(self._clauses, axis=0), self._absent, self._present)
        degrees[first:single] = ~np.isnan(values.take(self._logged, axis=0))
        np.subtract(1.0, degrees.take(self._denied, axis=0), out=degrees[single : single + len(self._denied)])
        for step in self._steps:
            step.reduce.reduceat(degrees.take(step.parts, axis=0), step.starts, axis=0, out=degrees[step.rows])
        return degrees.take(self._out, axis=0)


def _plain(statement: Statement, *, contrary: bool = False) -> Statement:
    """The statement, or its contrary, with single statements denied only, and nothing joined to its own kind."""
    if isinstance(statement, Not):
        return _plain(statement.part, contrary=not contrary)
    if not isinstance(statement, Joined):
        return Not(statement) if contrary else statement
    how = _OTHER[statement.how] if contrary else statement.how
    inner = [_plain(part, contrary=contrary) for part in statement.parts]
    parts = (part.parts if isinstance(part, Joined) and part.how == how else (part,) for part in inner)
    return Joined(how, tuple(dict.fromkeys(chain.from_iterable(parts))))


def _parts(statement: Statement) -> Iterator[Statement]:
    """The statement and everything it is made of, the parts first."""
    inner = statement.parts if isinstance(statement, Joined) else ()
    for part in (statement.part,) if isinstance(statement, Not) else inner:
        yield from _parts(part)
    yield statement


def _steps(joined: Sequence[Joined], rows: dict[Statement, int]) -> Iterator[_Step]:
    """Groups statements of a kind into steps, each after those it needs, and gives each statement its row."""
    waiting = list(joined)
    while waiting:
        for how, reduce in _REDUCE.items():
            ready = [s for s in waiting if s.how == how and all(part in rows for part in s.parts)]
            if ready:
                parts = np.array([rows[part] for s in ready for part in s.parts])
                starts = np.cumsum([0, *(len(s.parts) for s in ready[:-1])])
                yield _Step(reduce, parts, starts, slice(len(rows), len(rows) + len(ready)))
                rows |= {s: len(rows) + k for k, s in enumerate(ready)}
                waiting = [s for s in waiting if s not in rows]
