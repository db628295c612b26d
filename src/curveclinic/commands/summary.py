"""What every scan of an archive shows: how far it is, what could not be read, and at the end a summary."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

from curveclinic.archive.groups import Groups
from curveclinic.commands.complaints import complain_of, finish
from curveclinic.commands.gate import Tally
from curveclinic.phrases import counted, printable

if TYPE_CHECKING:
    import pyarrow as pa


def progress() -> AbstractContextManager[Callable[[int], None]]:
    """A count of runs on stderr where somebody looks at it."""
    if not sys.stderr.isatty():
        return nullcontext(lambda count: None)
    from curveclinic.report.terminal import counter

    return counter(sys.stderr)


def counted_rows(tables: Iterable[pa.Table], tally: Tally, groups: Groups | None) -> Iterator[pa.Table]:
    """Passes rows on, counts them, and reports unreadable inputs on stderr."""
    for table in tables:
        tally.add_rows(table)
        if groups is not None:
            groups.add_rows(table)
        complain_of_rows(table, "message")
        yield table


def complain_of_rows(table: pa.Table, reason: str) -> None:
    """Prints one line for each row that is an error; of a table of runs it says which run."""
    import pyarrow.compute as pc

    bad = pc.equal(table["status"], "error") if reason == "message" else pc.is_valid(table["error"])
    errors = table.filter(bad)
    for path, run_id, why in zip(*(errors[name].to_pylist() for name in ("path", "run_id", reason)), strict=True):
        complain_of(path, f"{run_id}: {why}" if run_id and run_id not in why else why)


def summarised(tally: Tally, groups: Groups | None, count: int, where: str) -> int:
    """Prints what was found and where the rows are, and returns the exit code."""
    print(tally.render())
    if groups is not None:
        print(f"\n{groups.render()}")
    print(f"\n{counted(count, 'row')} written to {printable(where)}")
    return finish(tally)
