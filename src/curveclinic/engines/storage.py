"""The folder of a scan on an engine: one Parquet file a shard, here or in an object store."""

from __future__ import annotations

import os
import re
import uuid
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, Final

from curveclinic.readers import remote

if TYPE_CHECKING:
    import pyarrow as pa

SHARD_NAME: Final = re.compile(r"shard-\d{8}-[0-9a-f]{16}(-lost)?\.parquet")
"""Files of ours; anything else in the folder is left alone."""

_UNFINISHED: Final = re.compile(r"\.shard-.*\.tmp")


def make_folder(out: str) -> None:
    """Makes the folder, if it is not there."""
    store, inner = _open(out)
    store.create_dir(inner, recursive=True)


def shard_names(out: str) -> list[str]:
    """Names of the shards that are there, in order."""
    return [name for name in _names(out) if SHARD_NAME.fullmatch(name)]


def write_shard(rows: pa.Table, out: str, name: str) -> None:
    """Writes the rows of a shard; the file appears only when it is whole."""
    import pyarrow.parquet as pq

    store, inner = _open(out)
    unfinished = f"{inner}/.{name}.{uuid.uuid4().hex}.tmp"
    try:
        pq.write_table(rows, unfinished, filesystem=store, compression="zstd")
        store.move(unfinished, f"{inner}/{name}")
    except BaseException:
        remove(out, [os.path.basename(unfinished)])
        raise


def read_shards(out: str, names: Iterable[str]) -> Iterator[pa.Table]:
    """Yields the rows of shards."""
    import pyarrow.parquet as pq

    store, inner = _open(out)
    for name in names:
        yield pq.read_table(f"{inner}/{name}", filesystem=store, partitioning=None)


def count_rows(out: str, names: Iterable[str]) -> int:
    """Returns how many rows shards hold, without reading them."""
    import pyarrow.parquet as pq

    store, inner = _open(out)
    return sum(pq.read_metadata(f"{inner}/{name}", filesystem=store).num_rows for name in names)


def clear(out: str, keep: Iterable[str]) -> None:
    """Removes shards of ours but those to keep, and what killed workers left unfinished."""
    kept = set(keep)
    remove(out, [n for n in _names(out) if (SHARD_NAME.fullmatch(n) and n not in kept) or _UNFINISHED.fullmatch(n)])


def remove(out: str, names: Iterable[str]) -> None:
    """Removes files that may be gone already."""
    store, inner = _open(out)
    for name in names:
        try:
            store.delete_file(f"{inner}/{name}")
        except FileNotFoundError:
            continue


def _names(out: str) -> list[str]:
    import pyarrow.fs as fs

    store, inner = _open(out)
    return sorted(info.base_name for info in store.get_file_info(fs.FileSelector(inner)) if info.is_file)


def _open(out: str) -> tuple[Any, str]:
    """Returns the file system of a folder and its path there."""
    import pyarrow.fs as fs

    return remote.open_uri(out) if remote.is_remote(out) else (fs.LocalFileSystem(), os.path.abspath(out))
