"""What every scan of an archive shows: how far it is, what could not be read, and at the end a summary."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Final

from curveclinic.archive.groups import Groups
from curveclinic.commands.complaints import complain, complain_of, finish
from curveclinic.commands.gate import Tally
from curveclinic.phrases import counted, printable

if TYPE_CHECKING:
    import pyarrow as pa

_MOST_COMPLAINTS: Final = 20
"""Inputs that could not be read of which stderr says why: more would hide all else that is said there."""


def progress() -> AbstractContextManager[Callable[[int], None]]:
    """A count of runs on stderr where somebody looks at it."""
    if not sys.stderr.isatty():
        return nullcontext(lambda count: None)
    from curveclinic.report.terminal import counter

    return counter(sys.stderr)


def counted_rows(tables: Iterable[pa.Table], tally: Tally, groups: Groups | None) -> Iterator[pa.Table]:
    """Passes rows on, counts them, and reports unreadable inputs on stderr."""
    for table in complained(tables, "message"):
        tally.add_rows(table)
        if groups is not None:
            groups.add_rows(table)
        yield table


def complained(tables: Iterable[pa.Table], reason: str) -> Iterator[pa.Table]:
    """Passes rows on, and prints a line for each that is an error, of many the first ones and how many more there are.

    Args:
        tables: rows of a scan, or of an index.
        reason: column that says why a row is an error.
    """
    left, n_more = _MOST_COMPLAINTS, 0
    for table in tables:
        errors = _errors(table, reason)
        _complain_of_rows(errors[:left], reason)
        n_more += max(0, errors.num_rows - left)
        left = max(0, left - errors.num_rows)
        yield table
    if n_more:
        complain(f"{counted(n_more, 'more input')} could not be read; what is written says why, as {reason!r}")


def _errors(table: pa.Table, reason: str) -> pa.Table:
    import pyarrow.compute as pc

    return table.filter(pc.equal(table["status"], "error") if reason == "message" else pc.is_valid(table["error"]))


def _complain_of_rows(errors: pa.Table, reason: str) -> None:
    """Prints one line for each row; of a table of runs it says which run."""
    for path, run_id, why in zip(*(errors[name].to_pylist() for name in ("path", "run_id", reason)), strict=True):
        complain_of(path, f"{run_id}: {why}" if run_id and run_id not in why else why)


def summarised(tally: Tally, groups: Groups | None, count: int, where: str) -> int:
    """Prints what was found and where the rows are, and returns the exit code."""
    print(tally.render())
    if groups is not None:
        print(f"\n{groups.render()}")
    print(f"\n{counted(count, 'row')} written to {printable(where)}")
    return finish(tally)
