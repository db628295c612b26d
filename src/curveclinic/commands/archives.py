"""The commands for whole archives: `scan` judges every run, `index` keeps the curves of every run."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from curveclinic.archive.earlier import check_free
from curveclinic.archive.groups import Groups
from curveclinic.archive.index import write_index
from curveclinic.archive.pace import Pace
from curveclinic.archive.scan import judge_of, sources, update
from curveclinic.archive.state import State, open_state, state_path
from curveclinic.archive.units import Job
from curveclinic.commands.complaints import complain, finish
from curveclinic.commands.gate import Tally, merged
from curveclinic.commands.inputs import check_paths, reading_options
from curveclinic.commands.summary import complained, counted_rows, progress, summarised
from curveclinic.deciding.classifier import load_classifier
from curveclinic.errors import InputError
from curveclinic.phrases import counted, printable
from curveclinic.readers.once import Once
from curveclinic.readers.source import STDIN
from curveclinic.writers import check_place, check_target, remove_leftovers, write_tables

if TYPE_CHECKING:
    import pyarrow as pa


def scan(args: argparse.Namespace) -> int:
    """Writes one row a run and prints a summary.

    Raises:
        WeightsError: the int8 network is asked for and is missing or damaged; better now than in every worker.
    """
    if args.fast:
        load_classifier(fast=True)
    if isinstance(args.output, str) or args.address:
        raise InputError("an OUT in an object store and --address need --engine ray or --engine spark")
    check_target(args.output)
    check_free(args.output, "scan", args.paths)
    tally = Tally(merged(args.fail_on))
    groups = Groups(args.group_by) if args.group_by else None
    with _updated(args, Job("scan", reading_options(args), args.fast), tally) as state:
        count = write_tables(counted_rows(state.tables(), tally, groups), args.output)
    return summarised(tally, groups, count, str(args.output))


def index(args: argparse.Namespace) -> int:
    """Writes the curves of every run."""
    check_place(args.output, (".parquet",))
    check_free(args.output, "index", args.paths)
    tally = Tally({})
    with _updated(args, Job("index", reading_options(args)), tally) as state:
        count = write_index(_counted(state.tables(), tally), state.layers(), args.output)
    runs = count - tally.unreadable
    print(f"{counted(runs, 'run')} written to {printable(str(args.output))}; {tally.unreadable:,} unreadable")
    return finish(tally)


@contextmanager
def _updated(args: argparse.Namespace, job: Job, tally: Tally) -> Iterator[State]:
    """Gives the state of the output, brought up to date; paths without runs are noted.

    Raises:
        InputError: a path does not exist, or no path holds a run.
    """
    check_paths(args.paths)
    if args.workers == 1 and args.time_limit is not None:
        complain("--time-limit needs two workers or more: with one, nothing ends a log that takes too long")
    once = Once([path for path in args.paths if path != STDIN])
    found = sources(args.paths, once, stdin=lambda: sys.stdin.buffer.read(), out=args.output)
    with open_state(state_path(args.output), judge_of(job), fresh=args.fresh) as state:
        remove_leftovers(args.output)
        try:
            with progress() as advance:
                some = update(state, found, job, Pace(args.workers, args.time_limit), advance)
        except KeyboardInterrupt:
            if done := state.count():
                complain(f"{done:,} rows are kept in {state.path}; the same command goes on from there")
            raise
        if not some:
            raise InputError(f"{', '.join(args.paths)}: no run found; expected logs of training runs")
        folders = {path for path in args.paths if os.path.isdir(path)} - once.repeated
        tally.empty = [path for path in args.paths if path in folders and not state.count(path)]
        if others := state.passed_over():
            complain(f"{counted(others, 'other file')} without curves passed over")
        yield state


def _counted(tables: Iterable[pa.Table], tally: Tally) -> Iterator[pa.Table]:
    """Passes curves on, and reports and counts unreadable inputs."""
    for table in complained(tables, "error"):
        tally.unreadable += table.num_rows - table["error"].null_count
        yield table
