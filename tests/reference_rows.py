"""The rows of a scan made from diagnoses one by one: the plain way, which the columnar one must agree with."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pyarrow as pa

from curveclinic.diagnosis import Diagnosis
from curveclinic.report.axis import losses
from curveclinic.run import Run
from curveclinic.writers import ROW, Row, schema, storable, write_tables


def row(diagnosis: Diagnosis) -> Row:
    """Returns the row of one judged run."""
    run = diagnosis.run or Run({})
    first = diagnosis.findings[0] if diagnosis.findings else None
    steps = [s.steps for s in losses(run).values()]
    return {
        **dict.fromkeys(name for name, _ in ROW),
        **{name: storable(getattr(run, name)) for name in ("run_id", "path", "format")},
        "status": "ok",
        "message": storable(diagnosis.message),
        "verdict": diagnosis.verdict,
        "labels": list(diagnosis.labels),
        "primary": diagnosis.labels[0] if diagnosis.labels else None,
        "severity": first.severity if first else None,
        "onset": _number(first.onset) if first else None,
        "end": _number(first.end) if first else None,
        **{f"probability_{label}": _number(p) for label, p in diagnosis.probabilities.items()},
        "unchecked": list(diagnosis.unchecked),
        "n_points": run.n_points,
        "steps_min": _number(min(float(s[0]) for s in steps)) if steps else None,
        "steps_max": _number(max(float(s[-1]) for s in steps)) if steps else None,
    }


def write_rows(rows: Iterable[Row], out: Path, *, at_once: int = 10_000) -> int:
    """Writes rows to a file in the format of its suffix, some at once, and returns how many."""
    iterator = iter(rows)
    chunks = iter(lambda: list(itertools.islice(iterator, at_once)), [])
    return write_tables((pa.Table.from_pylist(chunk, schema=schema()) for chunk in chunks), out)


def _number(value: float | None) -> float | None:
    return None if value is None or not np.isfinite(value) else float(value)
