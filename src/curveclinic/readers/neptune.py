"""Parquet of the Neptune exporter: one row per point of a float series, a run in one or several part files."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from curveclinic.intake.assemble import Origin, ReadOptions, run_from_table, runs_of_each
from curveclinic.points import IntArray
from curveclinic.readers.columnar import check_size, first_line, opened
from curveclinic.readers.source import Source, no_loss
from curveclinic.readers.timed import Timed, on_steps
from curveclinic.readers.wanted import is_wanted
from curveclinic.run import Run

PART = re.compile(r"(.+)_part_(\d+)\.parquet")
_COLUMNS = ("run_id", "attribute_path", "step", "float_value")
_OPTIONAL = ("attribute_type", "timestamp")
_SERIES = "float_series"
_ADVICE = "export fewer attributes, or fewer runs to a folder"


def holds(source: Source) -> bool:
    """Says whether a Parquet file has the columns of an export."""
    import pyarrow as pa

    try:
        return set(_COLUMNS) <= set(opened(source, source.path).schema_arrow.names)
    except (pa.ArrowException, OSError, UnicodeDecodeError):
        return False


def read(source: Source, options: ReadOptions) -> list[Run]:
    """Returns the runs of an export; parts of one run are put together.

    Raises:
        LogError: no part can be read, or no run in them has a loss.
    """
    import pyarrow as pa

    pieces: dict[tuple[str, str], list[np.ndarray]] = {}
    damage: list[str] = []
    for _, path in source.parts or (("", source.path),):
        try:
            _gather(opened(source, path), source, options, pieces)
        except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
            damage.append(f"{os.path.basename(path)} is damaged ({first_line(error)})")
    origin = source.origin(notes=damage)
    runs = list(dict.fromkeys(run for run, _ in pieces))
    if not runs:
        raise no_loss(source, "; ".join(damage) or "no float series", is_log=bool(damage))
    series = [{attribute: points for (r, attribute), points in pieces.items() if r == run} for run in runs]
    return runs_of_each(_run, series, options, [replace(origin, run_id=f"{source.run_id}#{run}") for run in runs])


def _gather(file: Any, source: Source, options: ReadOptions, pieces: dict[tuple[str, str], list[np.ndarray]]) -> None:
    """Adds the points of a part, (n, 3) step, value, time, to those of their run and attribute.

    Raises:
        LogError: they are more than may be held at once: equal rows are stored in a few bytes.
    """
    import pyarrow.compute as pc

    found = file.schema_arrow.names
    groups = [file.metadata.row_group(number).total_byte_size for number in range(file.num_row_groups)]
    check_size(max(groups, default=0), source, _ADVICE)
    n_bytes = sum(part.nbytes for parts in pieces.values() for part in parts)
    for batch in file.iter_batches(columns=[*_COLUMNS, *(c for c in _OPTIONAL if c in found)]):
        batch.validate(full=True)
        for name in (*_COLUMNS, *({"attribute_type"} & set(found))):
            batch = batch.filter(pc.is_valid(batch[name]))
        if "attribute_type" in found:
            kinds, names = _coded(batch["attribute_type"])
            batch = batch.filter(np.isin(kinds, [code for code, name in enumerate(names) if name == _SERIES]))
        (runs, run_names), (attributes, attribute_names) = (_coded(batch[name]) for name in _COLUMNS[:2])
        code = runs * len(attribute_names) + attributes
        order = np.argsort(code, kind="stable")
        numbers = np.column_stack([_floats(batch, name) for name in ("step", "float_value", "timestamp")])[order]
        for part in np.split(np.arange(len(order)), np.flatnonzero(np.diff(code[order])) + 1):
            if len(part):
                run, attribute = divmod(int(code[order[part[0]]]), len(attribute_names))
                if is_wanted(attribute_names[attribute], options):
                    pieces.setdefault((run_names[run], attribute_names[attribute]), []).append(numbers[part])
                    n_bytes += numbers[part].nbytes
        check_size(n_bytes, source, _ADVICE)


def _coded(texts: Any) -> tuple[IntArray, list[str]]:
    """Returns the number of each text, in order of first appearance, and the texts; none is missing."""
    import pyarrow as pa

    if not pa.types.is_dictionary(texts.type):
        texts = texts.cast("string").dictionary_encode()
    places = texts.indices.dictionary_encode()
    return np.asarray(places.indices, np.int64), texts.dictionary.take(places.dictionary).cast("string").to_pylist()


def _floats(batch: Any, name: str) -> np.ndarray:
    """A column as float64; times as their count of units, zeros where there are none."""
    if name not in batch.schema.names:
        return np.zeros(batch.num_rows)
    column = batch[name].cast("int64") if name == "timestamp" else batch[name]
    return np.asarray(column.cast("float64").fill_null(0).to_numpy(zero_copy_only=False), dtype=np.float64)


def _run(pieces: Mapping[str, Sequence[np.ndarray]], options: ReadOptions, origin: Origin) -> Run:
    joined = {name: np.concatenate(parts) for name, parts in pieces.items()}
    table, placed = on_steps({name: Timed(x[:, 0], x[:, 1], x[:, 2]) for name, x in joined.items()})
    return run_from_table(table, options, replace(origin, notes=(*origin.notes, *placed)))
