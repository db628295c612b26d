"""One scan of an archive on an engine: what is not done yet is done; started again, it goes on where it stopped."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable

from curveclinic.engines import storage
from curveclinic.engines.known import Engine
from curveclinic.engines.shards import Work, from_text, lost_rows, plan, to_text
from curveclinic.readers import ReadOptions
from curveclinic.readers.remote import is_remote
from curveclinic.readers.source import Source


def scan_on(
    engine: Engine,
    sources: Iterable[Source],
    out: str,
    *,
    options: ReadOptions,
    fast: bool = False,
    address: str | None = None,
    advance: Callable[[int], None] = lambda rows: None,
) -> list[str]:
    """Scores an archive into a folder of Parquet files and returns their names, in the order of the sources.

    A shard whose worker failed has a file `...-lost.parquet` of error rows, and is tried again by the next scan.

    Args:
        engine: see `Engine`.
        sources: what there is to read.
        out: folder, or URI in an object store that every worker can write to.
        options: what the user knows better than the logs.
        fast: whether the int8 network judges instead of the float one.
        address: of the cluster; None starts one on this machine.
        advance: told how many rows have become done.
    """
    storage.make_folder(out)
    place = out if is_remote(out) else os.path.abspath(out)
    shards = {shard.name: to_text(shard) for shard in plan(sources, options, fast=fast)}
    there = set(storage.shard_names(out)) & set(shards)
    advance(storage.count_rows(out, there))
    names = {name: name for name in shards}
    todo = [text for name, text in shards.items() if name not in there]
    for done in engine(todo, Work(place, options, os.getcwd(), fast), address) if todo else ():
        if done.lost:
            names[done.name] = done.name.replace(".parquet", "-lost.parquet")
            storage.write_shard(lost_rows(from_text(shards[done.name]), done.lost), out, names[done.name])
        advance(done.rows)
    storage.clear(out, keep=names.values())
    return list(names.values())
