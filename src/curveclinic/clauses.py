"""Statements about quantities by name, and their degrees: every clause of all labels is worked out in one go.

The words are those of `degrees.py`. There they take arrays, here they build an expression that is known before any run
is: `Program` sorts its parts by depth and works out each depth as one array, where one call a clause would cost a
single run more than everything it is about.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from curveclinic.degrees import between
from curveclinic.ragged import FloatArray

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

    how: Literal["all", "any"]
    parts: tuple[Statement, ...]


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
    """Statements of one depth, worked out together as smallest values: the largest is minus the smallest of minus all.

    Attributes:
        parts: row of every part, one statement after another.
        offset, factor: (len(parts), 1) make of a part's degree x what is compared: x or -x, or of its contrary
            1 - x or x - 1.
        starts: where each statement's parts begin.
        sign: (len(starts), 1) -1.0 where the smallest is minus the statement's degree, else 1.0.
    """

    parts: _RowIndex
    offset: FloatArray
    factor: FloatArray
    starts: _RowIndex
    sign: FloatArray

    @classmethod
    def of(cls, statements: Sequence[Joined], rows: Mapping[Statement, int]) -> _Step:
        """Returns the step of statements whose parts have a row."""
        parts = [part for statement in statements for part in statement.parts]
        sign = np.array([[1.0 if statement.how == "all" else -1.0] for statement in statements])
        each = np.repeat(sign, [len(statement.parts) for statement in statements], axis=0)
        contrary = np.array([[isinstance(part, Not)] for part in parts])
        starts = np.cumsum([0, *(len(statement.parts) for statement in statements[:-1])])
        index = np.array([rows[_bare(part)] for part in parts])
        return cls(index, np.where(contrary, each, 0.0), np.where(contrary, -each, each), starts, sign)


class Program:
    """Statements made ready to be worked out for many runs."""

    def __init__(self, statements: Sequence[Statement]) -> None:
        found = dict.fromkeys(part for statement in statements for part in _parts(statement))
        clauses = [part for part in found if isinstance(part, Clause)]
        logged = [part for part in found if isinstance(part, Logged)]
        names = [part.name for part in clauses] + [part.name for part in logged]
        self._names = tuple(dict.fromkeys(names))
        self._clauses = np.array([self._names.index(clause.name) for clause in clauses])
        self._absent = np.array([[clause.absent] for clause in clauses])
        self._present = np.array([[clause.present] for clause in clauses])
        self._logged = np.array([self._names.index(part.name) for part in logged], dtype=np.intp)
        rows: dict[Statement, int] = {part: row for row, part in enumerate((*clauses, *logged))}
        self._steps = list(_steps([part for part in found if isinstance(part, Joined)], rows))
        self._out = np.array([rows[statement] for statement in statements])
        self._height = len(rows)

    def degrees(self, quantities: Mapping[str, FloatArray]) -> FloatArray:
        """(len(statements), n) degree of every statement."""
        values = np.array([quantities[name] for name in self._names])
        degrees = np.empty((self._height, values.shape[1]))
        first, done = len(self._clauses), len(self._clauses) + len(self._logged)
        degrees[:first] = between(values.take(self._clauses, axis=0), self._absent, self._present)
        degrees[first:done] = ~np.isnan(values.take(self._logged, axis=0))
        for step in self._steps:
            parts = step.offset + step.factor * degrees.take(step.parts, axis=0)
            stop = done + len(step.starts)
            np.multiply(np.minimum.reduceat(parts, step.starts, axis=0), step.sign, out=degrees[done:stop])
            done = stop
        return degrees.take(self._out, axis=0)


def _parts(statement: Statement) -> Iterator[Statement]:
    """The statement and everything it is made of, the parts first."""
    inner = statement.parts if isinstance(statement, Joined) else ()
    for part in (statement.part,) if isinstance(statement, Not) else inner:
        yield from _parts(part)
    yield statement


def _steps(joined: Sequence[Joined], rows: dict[Statement, int]) -> Iterator[_Step]:
    """Groups statements into steps, each after those it needs, and gives each statement its row."""
    waiting = list(joined)
    while waiting:
        ready = [s for s in waiting if all(_bare(part) in rows for part in s.parts)]
        yield _Step.of(ready, rows)
        rows |= {s: len(rows) + k for k, s in enumerate(ready)}
        waiting = [s for s in waiting if s not in rows]


def _bare(statement: Statement) -> Statement:
    """The statement without its negation."""
    return statement.part if isinstance(statement, Not) else statement
