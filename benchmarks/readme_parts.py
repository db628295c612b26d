"""What sections of pages are made of: rows of results/*.csv, the sidecar, tables; see readme_sections.py."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from yardstick import RESULTS

from curveclinic.deciding.sidecar import SIDECAR_NAME

ROOT = Path(__file__).parent.parent

YARDSTICKS = {
    "real_runs": "real logs",
    "clinic_runs": "small trainings",
    "own_runs": "own trainings",
    "later_runs": "later trainings",
    "read_runs": "read logs",
    "kept_runs": "kept logs",
    "public_runs": "public logs",
    "fresh_runs": "fresh logs",
}
"""Folder of a yardstick -> what its runs are."""

SHARES = frozenset({"false_alarm", "any_label", "not_healthy", "any_report", "changed_by_every_4th_point"})
"""Measures written in percent."""

HEADS = {
    "macro_f1": "macro-F1",
    "macro_average_precision": "average precision",
    "calibration_error": "calibration error",
    "false_alarm": "false alarm",
    "any_label": "any label",
    "not_healthy": "not healthy",
    "any_report": "any report",
    "changed_by_every_4th_point": "changed at every 4th point",
}
"""Measure -> heading of its column."""

NO_WEIGHTS = "No weights are there yet: `python train.py` writes them, and until then the rules decide."

Cells = dict[str, str]


@dataclass(frozen=True)
class Section:
    """A table with what must be known to read it.

    Attributes:
        title: a heading.
        words: what is above the table.
        table: Markdown; "" where nothing was measured.
    """

    title: str
    words: str
    table: str

    def paragraph(self) -> str:
        """The section inside another text; nothing without the table."""
        return f"**{self.title}.** {self.words}\n\n{self.table}" if self.table else ""

    def chapter(self) -> str:
        """The section with a heading that can be linked to; nothing without the table."""
        return f"## {self.title}\n\n{self.words}\n\n{self.table}" if self.table else ""


def rows(name: str) -> list[Cells]:
    """The rows of a CSV; none where it was not measured."""
    path = RESULTS / f"{name}.csv"
    if not path.exists():
        return []
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def sidecar() -> dict[str, Any]:
    """The numbers of the shipped weights; empty without weights."""
    path = ROOT / "weights" / SIDECAR_NAME
    body: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    return body


def shown(measure: str, cells: Cells | None, *, value: str = "value") -> str:
    """A value, in percent where it is a share, with its interval where there is one."""
    if cells is None or not cells[value]:
        return "-"
    numbers = [float(cells[name]) for name in (value, "low", "high") if cells.get(name)]
    if measure in SHARES:
        texts = [f"{100 * number:.0f}" for number in numbers]
        return f"{texts[0]} %" + (f" ({texts[1]}-{texts[2]})" if len(texts) == 3 else "")
    texts = [f"{number:.2f}" for number in numbers]
    return texts[0] + (f" ({texts[1]}-{texts[2]})" if len(texts) == 3 else "")


def table(head: Sequence[str], body: Iterable[Sequence[str]]) -> str:
    """A Markdown table; nothing where it would have no row."""
    lines = [f"| {' | '.join(row)} |" for row in body]
    return "\n".join([f"| {' | '.join(head)} |", "|---" * len(head) + "|", *lines]) if lines else ""
