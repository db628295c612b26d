"""`--fail-on`: which findings make a command fail, and what a command has seen in all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from curveclinic.commands.lookup import looked_up
from curveclinic.diagnosis import SEVERITIES, Diagnosis, Severity
from curveclinic.errors import InputError
from curveclinic.labels import COLUMN, LABELS
from curveclinic.phrases import counted

if TYPE_CHECKING:
    import pyarrow as pa

Gate = Mapping[str, Severity]
"""Label -> least severity that fails."""

_JOINT = ":"
"""Between a label and its severity; in neither of them."""

_EXPECTED = "expected LABEL,...[:severity], for example overfitting,divergence:severe"

EXIT_DONE, EXIT_FOUND, EXIT_USAGE, EXIT_UNREADABLE = 0, 1, 2, 3


def parse_gate(text: str) -> dict[str, Severity]:
    """Returns the gate of `LABEL,...[:severity]`.

    A severity holds for its label and for those before it that have none; without one, any severity fails.

    Raises:
        InputError: unknown label or severity, or none where one should be, as where a variable was empty.
    """
    gates: list[Gate] = []
    waiting: list[str] = []
    for part in text.split(","):
        label, colon, severity = (word.strip() for word in part.partition(_JOINT))
        if not label:
            raise InputError(f"no label given in {text!r}; {_EXPECTED}")
        waiting.append(known_label(label))
        if colon:
            gates.append(dict.fromkeys(waiting, _known_severity(severity, text)))
            waiting = []
    return merged([*gates, dict.fromkeys(waiting, SEVERITIES[0])])


def merged(gates: Iterable[Gate]) -> dict[str, Severity]:
    """Returns the gate that fails on what any of these fails on."""
    both: dict[str, Severity] = {}
    for gate in gates:
        for label, severity in gate.items():
            both[label] = min(severity, both.get(label, severity), key=SEVERITIES.index)
    return both


def known_label(text: str) -> str:
    """Returns the label that a text means; raises InputError with the nearest name when there is none."""
    return looked_up(text, LABELS, what="label", hint="'curveclinic explain' lists all labels")


def _known_severity(text: str, whole: str) -> Severity:
    if not text:
        raise InputError(f"no severity given after a colon in {whole!r}; {_EXPECTED}")
    for severity in SEVERITIES:
        if text == severity:
            return severity
    raise InputError(f"unknown severity {text!r}; expected one of {', '.join(SEVERITIES)}")


def trips(diagnosis: Diagnosis, gate: Gate) -> bool:
    """Tells whether a finding is one the gate fails on."""
    return any(f.label in gate and f.severity in _from(gate[f.label]) for f in diagnosis.findings)


def _from(least: Severity) -> tuple[Severity, ...]:
    """This severity and the worse ones."""
    return SEVERITIES[SEVERITIES.index(least) :]


def _counts(values: Any) -> dict[str, int]:
    """Value -> how often it is in an Arrow array."""
    return {item["values"]: item["counts"] for item in values.value_counts().to_pylist()}


@dataclass
class Tally:
    """What a command has seen so far.

    Attributes:
        gate: findings that make it fail.
        verdicts: verdict -> number of runs.
        found: (label, severity) -> number of runs.
        unreadable: number of inputs that could not be read.
        tripped: number of runs with a finding of the gate.
        empty: given paths that hold no run.
    """

    gate: Gate
    verdicts: Counter[str] = field(default_factory=Counter)
    found: Counter[tuple[str, str]] = field(default_factory=Counter)
    unreadable: int = 0
    tripped: int = 0
    empty: list[str] = field(default_factory=list)

    def add(self, diagnosis: Diagnosis) -> None:
        """Counts one judged run."""
        self.verdicts[diagnosis.verdict] += 1
        self.found.update((f.label, f.severity) for f in diagnosis.findings)
        self.tripped += trips(diagnosis, self.gate)

    def add_rows(self, rows: pa.Table) -> None:
        """Counts the rows of a scan, which carry the severities of all their findings."""
        import pyarrow as pa
        import pyarrow.compute as pc

        self.verdicts.update(_counts(rows["verdict"].drop_null()))
        self.unreadable += _counts(rows["status"]).get("error", 0)
        found = rows.filter(pc.equal(rows["verdict"], "findings")).combine_chunks()
        lists, severities = (found[name].combine_chunks() for name in ("labels", "severities"))
        pairs = pc.binary_join_element_wise(pc.list_flatten(lists), pc.list_flatten(severities), _JOINT)
        for pair, count in _counts(pairs).items():
            label, _, severity = pair.partition(_JOINT)
            self.found[label, severity] += count
        bad = pa.array([f"{label}{_JOINT}{s}" for label, least in self.gate.items() for s in _from(least)], pa.string())
        self.tripped += len(pc.unique(pc.list_parent_indices(lists).filter(pc.is_in(pairs, bad))))

    @property
    def runs(self) -> int:
        """Number of runs judged, undetermined ones included."""
        return self.verdicts.total()

    @property
    def exit_code(self) -> int:
        """Exit code; a finding of the gate wins over everything, a wrong path over an unreadable input."""
        if self.tripped:
            return EXIT_FOUND
        if self.empty:
            return EXIT_USAGE
        return EXIT_UNREADABLE if self.unreadable else EXIT_DONE

    def render(self) -> str:
        """Returns the summary: one line of totals, then one line a label, the most frequent first."""
        totals = [
            f"{self.verdicts['healthy']:,} healthy",
            f"{self.verdicts['findings']:,} with findings",
            f"{self.verdicts['undetermined']:,} undetermined",
        ]
        head = f"{counted(self.runs, 'run')}: {', '.join(totals)}; {self.unreadable:,} unreadable"
        return "\n".join([head, *self._table()])

    def _table(self) -> list[str]:
        runs: Counter[str] = Counter()
        for (label, _), count in self.found.items():
            runs[label] += count
        if not runs:
            return []
        heads = "".join(f"{title:>10}" for title in ("runs", "share", *reversed(SEVERITIES)))
        lines = ["", f"{'label':<24}{heads}"]
        for label, count in sorted(runs.items(), key=lambda item: (-item[1], COLUMN[item[0]])):
            split = "".join(f"{self.found[label, severity]:>10,}" for severity in reversed(SEVERITIES))
            lines.append(f"{label:<24}{count:>10,}{count / self.runs:>10.1%}{split}")
        return lines
