"""`curveclinic scan --engine`: the same scan on a cluster, into a folder of Parquet files or one file made of them."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

from curveclinic.archive.earlier import check_free
from curveclinic.archive.groups import Groups
from curveclinic.archive.scan import STDIN
from curveclinic.commands.archives import counted_rows, progress
from curveclinic.commands.gate import Tally, merged
from curveclinic.commands.runs import check_paths, complain, finish, reading_options
from curveclinic.engines import storage
from curveclinic.engines.archive import load_engine, scan_on
from curveclinic.errors import InputError
from curveclinic.phrases import counted
from curveclinic.readers.once import Once
from curveclinic.readers.source import Source
from curveclinic.report.text import printable
from curveclinic.writers import WRITERS, check_target, write_tables

SHARDS_SUFFIX = ".shards"
"""Added to the name of a file OUT: the folder of the shards it is made of, kept for the next scan."""


def scan_on_engine(args: argparse.Namespace) -> int:
    """Writes one row a run and prints a summary."""
    if STDIN in args.paths:
        raise InputError("standard input cannot be read by the workers of an engine; name files or folders")
    check_paths(args.paths)
    if args.time_limit is not None:
        complain("--time-limit does nothing here: an engine has limits of its own")
    file = _file(args.output, args.paths)
    folder = f"{file}{SHARDS_SUFFIX}" if file else str(args.output)
    if args.fresh:
        storage.make_folder(folder)
        storage.clear(folder, keep=())
    tally = Tally(merged(args.fail_on))
    groups = None if args.group_by is None else Groups(args.group_by)
    engine = load_engine(args.engine)
    with progress() as advance:
        names = scan_on(
            engine,
            _sources(args.paths, tally),
            folder,
            options=reading_options(args),
            fast=args.fast,
            address=args.address,
            advance=advance,
        )
    rows = counted_rows(storage.read_shards(folder, names), tally, groups)
    count = write_tables(rows, file) if file else sum(table.num_rows for table in rows)
    if not count:
        raise InputError(f"{', '.join(args.paths)}: no run found; expected logs of training runs")
    print(tally.render())
    if groups is not None:
        print(f"\n{groups.render()}")
    where = str(file) if file else f"{folder}, {counted(len(names), 'file')}"
    print(f"\n{counted(count, 'row')} written to {printable(where)}")
    return finish(tally)


def _file(output: Path | str, inputs: Sequence[str]) -> Path | None:
    """Returns OUT if it is a single file on this machine; None for a folder."""
    if isinstance(output, str) or output.suffix.lower() not in WRITERS or output.is_dir():
        return None
    check_target(output)
    check_free(output, "scan", inputs)
    return output


def _sources(paths: Sequence[str], tally: Tally) -> Iterator[Source]:
    """Yields what is found under each path; folders with nothing in them are noted."""
    once = Once(paths)
    for path in paths:
        n_found = 0
        for source in once.under(path):
            n_found += 1
            yield source
        if not n_found and path not in once.repeated:
            tally.empty.append(path)
