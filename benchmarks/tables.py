"""Result rows as CSV files and as text, and what they were measured with."""

from __future__ import annotations

import csv
import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from answers import hash_of_answers

from curveclinic.deciding.classifier import weights_folder
from curveclinic.deciding.sidecar import ONNX_NAME, SIDECAR_NAME

MEASURED_WITH = "measured_with.json"
"""File beside the CSV files: name of each -> what `shipped` said when it was written."""

Row = Mapping[str, Any]


def write_scores(rows: Sequence[Row], path: Path) -> None:
    """Writes rows that depend on what the package answers, as `write_csv` does, and records that beside them."""
    write_csv(rows, path)
    known = measured_with(path.parent) | {path.name: shipped()}
    text = json.dumps(dict(sorted(known.items())), indent=1)
    path.with_name(MEASURED_WITH).write_text(f"{text}\n")


def measured_with(folder: Path) -> dict[str, dict[str, str]]:
    """Name of a CSV file -> the weights and answers it was measured with; empty before any was recorded."""
    path = folder / MEASURED_WITH
    known: dict[str, dict[str, str]] = json.loads(path.read_text()) if path.exists() else {}
    return known


def shipped() -> dict[str, str]:
    """Hashes of the weights with their sidecar, and of what the package answers, as they are now.

    What the sidecar says of the int8 network is left out: scores are those of the float network.
    """
    network, numbers = (weights_folder() / name for name in (ONNX_NAME, SIDECAR_NAME))
    weights = [network.read_bytes(), _without_int8(numbers)] if network.exists() and numbers.exists() else []
    return {"weights": hashlib.sha256(b"".join(weights)).hexdigest(), "answers": hash_of_answers()}


def _without_int8(sidecar: Path) -> bytes:
    body = json.loads(sidecar.read_text())
    body.pop("int8", None)
    return f"{json.dumps(body, indent=1, allow_nan=False)}\n".encode()


def write_csv(rows: Sequence[Row], path: Path) -> None:
    """Writes rows of equal keys; numbers have four significant digits, NaN is an empty cell."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows({key: shown(value, blank="") for key, value in row.items()} for row in rows)
    print(f"wrote {path}")


def print_table(rows: Sequence[Row]) -> None:
    """Prints rows of equal keys under a heading, numbers to the right."""
    cells = [list(rows[0]), *([shown(value) for value in row.values()] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for first, *others in cells:
        print(first.ljust(widths[0]), *(cell.rjust(w) for cell, w in zip(others, widths[1:], strict=True)), sep="  ")
    print()


def shown(value: Any, *, blank: str = "-") -> str:
    """Text of one cell."""
    if isinstance(value, float):
        return blank if math.isnan(value) else f"{value:.4g}"
    return str(value)
