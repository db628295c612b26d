"""One run handed over in every way there is, for what must not depend on the way."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from curveclinic import predict_pathology, score_table
from curveclinic.cli import main
from curveclinic.diagnosis import Diagnosis
from curveclinic.readers import read_runs
from curveclinic.run import Run

Verdict = tuple[str, tuple[str, ...], str]
"""Verdict, labels and message."""


def in_memory(columns: Mapping[str, Sequence[Any]]) -> dict[str, Any]:
    """The columns of a run, one value a row, in the containers people hold them in."""
    frame = pd.DataFrame(dict(columns))
    return {
        "lists": dict(columns),
        "dict of list": frame.to_dict("list"),
        "records": frame.to_dict("records"),
        "series": {name: frame[name] for name in frame},
        "pandas": frame,
        "polars": pl.DataFrame(dict(columns), strict=False),
        "arrow": pa.table(dict(columns)),
    }


def runs_by_door(rows: Sequence[Mapping[str, Any]], folder: Path) -> dict[str, Run]:
    """Door -> the one run of rows, in memory, also as lists by name or sorted by their second column, and in files."""
    frame = pd.DataFrame(rows)
    lists = frame.to_dict("list")
    frame.to_csv(folder / "a.csv", index=False)
    frame.to_parquet(folder / "b.parquet")
    (folder / "c.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "d.json").write_text(json.dumps(lists))
    held = {
        "lists": lists,
        "pandas": frame,
        "polars": pl.DataFrame(rows),
        "arrow": pa.Table.from_pylist(rows),
        "rows": rows,
        "sorted": frame.sort_values(frame.columns[1], kind="stable"),
    }
    return {door: predict_pathology(data).run for door, data in held.items()} | {
        run.format: run for run in read_runs([str(folder)])
    }


def diagnoses(columns: Mapping[str, Sequence[Any]]) -> dict[str, Diagnosis]:
    """Door -> the diagnosis of a run handed over in memory."""
    return {door: predict_pathology(data) for door, data in in_memory(columns).items()}


def verdicts(columns: Mapping[str, Sequence[Any]], folder: Path) -> dict[str, Verdict]:
    """Door -> verdict on a run, by all doors: in memory, as a row of a table, and scanned with and without an index."""
    out = {door: (d.verdict, d.labels, d.message) for door, d in diagnoses(columns).items()}
    out |= {f"score_table of {kind}": row for kind, row in _scored(columns)}
    with open(folder / "run.csv", "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(zip(*columns.values(), strict=True))
    source, index = str(folder / "run.csv"), str(folder / "index.parquet")
    assert main(["index", source, "-o", index]) == 0
    for door, path in (("CSV", source), ("index", index)):
        rows = folder / f"rows of {door}.parquet"
        assert main(["scan", path, "-o", str(rows)]) == 0
        out[door] = _verdict(pq.read_table(rows))
    return out


def _scored(columns: Mapping[str, Sequence[Any]]) -> Iterator[tuple[str, Verdict]]:
    for kind in (pa.list_, pa.large_list):
        cells = {name: pa.array([list(values)], kind(pa.float64())) for name, values in columns.items()}
        yield kind.__name__, _verdict(score_table(pa.table(cells)))


def _verdict(rows: pa.Table) -> Verdict:
    (row,) = rows.to_pylist()
    return row["verdict"], tuple(row["labels"]), row["message"]
