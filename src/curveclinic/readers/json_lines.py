"""JSON lines: one dict of numbers per line (MAE/DeiT logs, detectron2, mmengine), or one whole run per line."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from itertools import chain
from typing import Any

from curveclinic.errors import InputError, LogError
from curveclinic.intake.assemble import ReadOptions, runs_from_grid
from curveclinic.intake.grid import grid_from_rows, is_summary
from curveclinic.intake.naming import parse
from curveclinic.intake.sides import is_evaluated, is_side_column, side_column
from curveclinic.phrases import counted
from curveclinic.readers.json_text import parse_json
from curveclinic.readers.keras_history import has_series, is_counted, is_run_per_item, names_of, runs_of_items
from curveclinic.readers.keras_history import read as read_document
from curveclinic.readers.source import HEAD_BYTES, SUMMARY_FOUND, NoCurvesError, Source, no_loss, without_bom
from curveclinic.run import Run

_COUNTER = "iter"

_MODES = ("mode", "phase", "split")
"""Of what may tell the side of a row: what is believed even if every row is of the validation."""


def sniff(head: bytes) -> bool:
    """Says whether the first line is a whole JSON dict and the next one, if any, begins another."""
    head = without_bom(head).lstrip()
    if not head.startswith(b"{"):
        return False
    lines = [line for line in head.split(b"\n", 2) if line.strip()]
    first = _parsed(lines[0])
    if first is None:
        cut = len(lines) == 1 and len(head) >= HEAD_BYTES
        return cut and b'"train_loss"' in head and b"[" in head  # a run per line, the first one long
    if len(lines) > 1:
        return lines[1].lstrip().startswith(b"{")
    is_flat = not any(isinstance(value, (list, Mapping)) for value in first.values())
    return is_flat and is_counted(first) and head.endswith(b"\n")  # else a document: settings or results


def read(source: Source, options: ReadOptions) -> list[Run]:
    """Returns the runs of a file of JSON lines.

    Raises:
        LogError: most lines are no JSON, or there is no loss in them.
    """
    lines, rows = _lines(source)
    if len(lines) == 1 and not rows:
        return read_document(source, options)  # a long line without an end: a document that is cut short
    notes = _left_out(source.path, len(lines), len(rows))
    origin = source.origin(notes=notes)
    try:
        if is_run_per_item(rows[0]):
            lone = len(rows) == 1 and not rows[0].keys() & {"run_id", "id"}
            return runs_of_items(rows, [""] if lone else names_of(rows), options, origin)
        grid = grid_from_rows(_where_training_stands(rows))
        if is_summary(grid):
            raise NoCurvesError(f"{source.path}: {SUMMARY_FOUND}")
        return runs_from_grid(grid, options, origin)
    except NoCurvesError:
        raise
    except InputError as error:
        raise no_loss(source, error, is_log=any(has_series([row]) for row in rows[:20])) from None


def rows_in(source: Source) -> tuple[list[dict[str, Any]], tuple[str, ...]]:
    """Returns the dicts of a file of JSON lines, and the note on what else is in it.

    Raises:
        LogError: most lines are no JSON.
    """
    lines, rows = _lines(source)
    return rows, _left_out(source.path, len(lines), len(rows))


def _lines(source: Source) -> tuple[list[bytes], list[dict[str, Any]]]:
    """Returns the lines of a file, and the dicts in them."""
    lines = [line for line in without_bom(source.content()).split(b"\n") if line.strip()]
    return lines, [row for row in map(_parsed, lines) if row is not None]


def _left_out(path: str, n_lines: int, n_rows: int) -> tuple[str, ...]:
    """Returns the note on lines that are no JSON; raises a LogError where most are."""
    n_bad = n_lines - n_rows
    if not n_rows or n_bad > n_rows:
        raise LogError(f"{path}: no JSON dict in {n_bad} of {counted(n_lines, 'line')}")
    return (f"left out {counted(n_bad, 'line')} without JSON",) if n_bad else ()


def _parsed(line: bytes) -> dict[str, Any] | None:
    try:
        row = parse_json(line)
    except (ValueError, RecursionError):
        return None
    return row if isinstance(row, dict) else None


def _where_training_stands(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Moves rows of validation and test to the place of the training, and names metrics that only such rows can hold.

    In mmcv's rows of `"mode": "val"` the `iter` is the length of the validation set.
    """
    named = dict.fromkeys(filter(is_side_column, chain(*rows)))
    told = side_column({name: [_text(row, name) for row in rows] for name in named})
    only = next((k for k in _MODES if all(is_evaluated(_text(row, k)) for row in rows)), None)
    if told is None and only is not None:
        return [{_named(name, row[only]): cell for name, cell in row.items()} for row in rows]
    out: list[dict[str, Any]] = []
    place: dict[str, Any] = {}
    evaluated = _evaluated(rows)
    for row in rows:
        side = _text(row, told)
        if is_evaluated(side):
            out.append(row | place if place.get("epoch", "") == row.get("epoch") else row)
            continue
        place = {k: row[k] for k in ("epoch", _COUNTER) if k in row} if side else {}
        out.append({f"val/{k}" if k in evaluated else k: v for k, v in row.items()} if evaluated else row)
    return out


def _text(row: Mapping[str, Any], name: str | None) -> str:
    cell = row.get(name) if name else None
    return cell if isinstance(cell, str) else ""


def _named(name: str, side: str) -> str:
    known = parse(name)
    return f"{side}/{name}" if known.quantity in ("loss", "metric") and not known.split else name


def _evaluated(rows: list[dict[str, Any]]) -> set[str]:
    """Names of metrics of the validation set that do not say so: logged seldom, and never beside a loss (mmengine)."""
    beside: set[str] = set()
    alone: Counter[str] = Counter()
    n_losses = 0
    for row in rows:
        known = [parse(name) for name in row]
        bare = [k.raw for k in known if k.quantity == "metric" and not k.split]
        if any(k.quantity == "loss" for k in known):
            n_losses += 1
            beside.update(bare)
        else:
            alone.update(bare)
    return {name for name, count in alone.items() if name not in beside and 2 * count <= n_losses}
