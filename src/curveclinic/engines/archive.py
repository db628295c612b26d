"""One scan of an archive on an engine: what is not done yet is done; started again, it goes on where it stopped."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from importlib import import_module
from typing import Any, Final, TypeAlias

from curveclinic.engines import storage
from curveclinic.engines.shards import Done, Work, from_text, lost_rows, plan, to_text
from curveclinic.readers import ReadOptions
from curveclinic.readers.remote import is_remote
from curveclinic.readers.source import Source

Engine: TypeAlias = "Callable[[Sequence[str], Work, str | None], Iterator[Done]]"
"""(texts of shards, what to do with each, address of the cluster) -> what became of them, in any order."""

ENGINES: Final = {"ray": "ray_engine", "spark": "spark_engine"}
"""Name -> module, loaded when it is asked for."""


def load_engine(name: str) -> Engine:
    """Returns the function that does shards on an engine."""
    module: Any = import_module(f"curveclinic.engines.{ENGINES[name]}")
    run: Engine = module.run
    return run


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
