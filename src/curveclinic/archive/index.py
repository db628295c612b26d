"""`curves.parquet`: the curves of an archive, read once, in row groups that a scan takes one by one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from curveclinic.readers.curve_table import schema
from curveclinic.writers import replaced

if TYPE_CHECKING:
    import pyarrow as pa


def write_index(tables: Iterable[pa.Table], layers: Iterable[str], out: Path) -> int:
    """Writes an index and returns its number of rows.

    Args:
        tables: rows of `curve_table`, each with the layers of its own runs.
        layers: all `grad_norm/<layer>` channels in them.
        out: Parquet file; it appears, or is replaced, only when all rows are written.
    """
    target = schema(layers)
    return replaced(out, lambda path: _write(_conformed(tables, target), target, path))


def _write(tables: Iterable[pa.Table], target: pa.Schema, path: Path) -> int:
    import pyarrow.parquet as pq

    count = 0
    texts = [field.name for field in target if not field.name.startswith(("train_", "val_", "lr", "grad_norm"))]
    options = {"compression": "zstd", "compression_level": 1, "use_dictionary": texts, "write_page_checksum": True}
    with pq.ParquetWriter(path, target, **options) as writer:
        for table in tables:
            writer.write_table(table)
            count += table.num_rows
    return count


def _conformed(tables: Iterable[pa.Table], target: pa.Schema) -> Iterator[pa.Table]:
    """Yields tables with all columns of a schema, null where a table has none."""
    import pyarrow as pa

    for table in tables:
        columns = [
            table[field.name] if field.name in table.column_names else pa.nulls(table.num_rows, field.type)
            for field in target
        ]
        yield pa.Table.from_arrays(columns, schema=target)
