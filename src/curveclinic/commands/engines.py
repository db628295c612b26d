"""`curveclinic scan --engine`: the same scan on a cluster, into a folder of Parquet files or one file made of them."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from curveclinic.archive.earlier import check_free
from curveclinic.archive.groups import Groups
from curveclinic.commands.complaints import complain
from curveclinic.commands.gate import Tally, merged
from curveclinic.commands.inputs import check_paths, reading_options
from curveclinic.commands.summary import counted_rows, progress, summarised
from curveclinic.deciding.classifier import load_classifier
from curveclinic.engines import storage
from curveclinic.engines.archive import scan_on
from curveclinic.engines.known import load_engine
from curveclinic.errors import InputError
from curveclinic.phrases import counted
from curveclinic.readers.once import Once
from curveclinic.readers.remote import is_remote
from curveclinic.readers.source import STDIN, Source
from curveclinic.writers import WRITERS, check_target, write_tables

SHARDS_SUFFIX = ".shards"
"""Added to the name of a file OUT: the folder of the shards it is made of, kept for the next scan."""


def scan_on_engine(args: argparse.Namespace) -> int:
    """Writes one row a run and prints a summary.

    Raises:
        WeightsError: the int8 network is asked for and is missing or damaged; better now than in every worker.
    """
    if args.fast:
        load_classifier(fast=True)
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
    groups = Groups(args.group_by) if args.group_by else None
    engine = load_engine(args.engine)
    with progress() as advance:
        names = scan_on(
            engine,
            _sources(args.paths, tally, folder, file),
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
    return summarised(tally, groups, count, str(file or f"{folder}, {counted(len(names), 'file')}"))


def _file(output: Path | str, inputs: Sequence[str]) -> Path | None:
    """Returns OUT if it is a single file on this machine; None for a folder."""
    if isinstance(output, str) or output.suffix.lower() not in WRITERS or output.is_dir():
        return None
    check_target(output)
    check_free(output, "scan", inputs)
    return output


def _sources(paths: Sequence[str], tally: Tally, folder: str, file: Path | None) -> Iterator[Source]:
    """Yields what is found under each path, but for what this scan writes; folders with nothing in them are noted."""
    once = Once(paths)
    for path in paths:
        n_found = 0
        for source in once.under(path):
            if source.named or not _is_own(source.path, folder, file):
                n_found += 1
                yield source
        if not n_found and path not in once.repeated:
            tally.empty.append(path)


def _is_own(path: str, folder: str, file: Path | None) -> bool:
    """Says whether this is a shard in the folder of shards, or the file they are made one of."""
    place, name = os.path.split(path)
    if storage.SHARD_NAME.fullmatch(name):
        return _real(place) == _real(folder)
    return file is not None and name == file.name and _real(path) == _real(str(file))


def _real(path: str) -> str:
    return path.rstrip("/") if is_remote(path) else os.path.realpath(path)
