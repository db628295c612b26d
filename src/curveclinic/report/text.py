"""A Diagnosis and a Symptom as plain text. The lines carry a role, so that the terminal can colour the same words."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from typing import NamedTuple

from curveclinic.causes import CAUSES, Cause, LikelyCause
from curveclinic.diagnosis import SEVERITIES, Diagnosis, Finding
from curveclinic.labels import TRAITS
from curveclinic.phrases import counted, printable
from curveclinic.report.axis import number
from curveclinic.run import Run
from curveclinic.symptoms import SYMPTOMS, Symptom

TEXT_WIDTH = 100
"""Columns of plain text."""

_SHOWN = 3
"""Causes and remedies shown for each finding; `curveclinic explain` gives all."""

_NAME_LENGTH = 120
"""Longest run name or path shown in full."""


class Line(NamedTuple):
    """One line of a report; `role` is a severity, "healthy", "undetermined", "title", "body" or "faint"."""

    role: str
    text: str


def render_text(diagnosis: Diagnosis) -> str:
    """Returns the diagnosis as readable plain text."""
    return "\n".join(line.text for line in [headline(diagnosis), *body(diagnosis, TEXT_WIDTH)])


def headline(diagnosis: Diagnosis) -> Line:
    """Returns the run's name and what was found, in one line."""
    if diagnosis.verdict == "undetermined":
        return Line("undetermined", f"{name(diagnosis)}: undetermined")
    worst = max((SEVERITIES.index(f.severity) for f in diagnosis.findings), default=None)
    role = "healthy" if worst is None else SEVERITIES[worst]
    return Line(role, f"{name(diagnosis)}: {', '.join(diagnosis.labels)}")


def name(diagnosis: Diagnosis) -> str:
    """Returns how a run is called in a report: its id and where it is."""
    run = diagnosis.run
    if run is None or not (run.run_id or run.path):
        return "run"
    parts = [run.run_id or run.path]
    if run.path and run.run_id and run.run_id != run.path:
        parts.append(f"({run.path})")
    return " ".join(printable(part, _NAME_LENGTH) for part in parts)


def body(diagnosis: Diagnosis, width: int) -> list[Line]:
    """Returns everything below the headline, wrapped to `width` columns."""
    notes = filter(None, (printable(diagnosis.message), stop_text(diagnosis)))
    lines = [line for note in notes for line in _wrap("body", note, width, "  ")]
    inferred = any(cause.probability is not None for cause in diagnosis.likely_causes)
    for finding in diagnosis.findings:
        lines += [Line("body", ""), *_finding_lines(finding, width, with_causes=not inferred)]
    if inferred:
        lines += [Line("body", ""), Line("body", "  Likely causes:")]
        for text in likely_texts(diagnosis.likely_causes):
            lines += _wrap("body", text, width, "    ", " " * 10)
    if diagnosis.unchecked and diagnosis.verdict != "undetermined":
        lines += [Line("body", ""), *_wrap("faint", f"Not checked: {_unchecked(diagnosis)}", width, "  ", "    ")]
    return lines


def origin_lines(run: Run, *, told: str, width: int) -> list[str]:
    """Returns which channels a run has, and what was chosen or repaired while reading, unless `told` has it."""
    channels = ", ".join(f"{name} ({counted(len(series), 'point')})" for name, series in run.channels.items())
    texts = [f"channels: {channels}", *(f"note: {note}" for note in run.notes if note not in told)]
    return [line.text for text in texts for line in _wrap("body", printable(text), width, "  ", "    ")]


def stop_text(diagnosis: Diagnosis) -> str:
    """Returns which checkpoint to keep, "" where that is not asked."""
    return "" if diagnosis.stop_at is None else f"keep the checkpoint of step {number(diagnosis.stop_at)}"


def likely_texts(causes: Iterable[LikelyCause]) -> list[str]:
    """Returns "60 %  model too small" for every cause that has a probability."""
    return [f"{cause.probability * 100:2.0f} %  {cause.name}" for cause in causes if cause.probability is not None]


def _finding_lines(finding: Finding, width: int, *, with_causes: bool) -> list[Line]:
    lines = [Line(finding.severity, f"  {finding_title(finding)}")]
    lines += _wrap("body", printable(finding.evidence), width, "    ")
    if finding.causes and with_causes:
        lines += _wrap("body", f"likely: {'; '.join(finding.causes[:_SHOWN])}", width, "    ", " " * 12)
    for position, remedy in enumerate(finding.remedies[:_SHOWN]):
        lines += _wrap("body", remedy, width, "    try:    " if position == 0 else " " * 12, " " * 12)
    return lines


def finding_title(finding: Finding) -> str:
    """Returns label, severity, probability, span and who decided, in one line."""
    parts = [finding.label, finding.severity, f"p={finding.probability:.2f}", span_text(finding)]
    return f"{', '.join(part for part in parts if part)} ({_decided_by(finding)})"


def span_text(finding: Finding) -> str:
    """Returns "from step 12 on", "at step 12", "steps 12 to 40", or "" for a finding without onset."""
    if finding.onset is None:
        return ""
    if finding.end is None:
        return f"from step {number(finding.onset)} on"
    if finding.end == finding.onset:
        return f"at step {number(finding.onset)}"
    return f"steps {number(finding.onset)} to {number(finding.end)}"


def _decided_by(finding: Finding) -> str:
    if finding.source == "rule":
        return "rule"
    agreement = {True: "; rule agrees", False: "; rule does not find it", None: ""}
    return f"network{agreement[finding.rule_agrees]}"


def _unchecked(diagnosis: Diagnosis) -> str:
    """Labels that could not be judged, grouped by reason."""
    groups: dict[str, list[str]] = {}
    for label, reason in diagnosis.unchecked.items():
        groups.setdefault(reason, []).append(label)
    return "; ".join(f"{', '.join(labels)} ({printable(reason)})" for reason, labels in groups.items())


def _wrap(role: str, text: str, width: int, first: str, later: str | None = None) -> list[Line]:
    """Wrapped lines; a line that follows is indented by `later`, by default like the first."""
    rest = first if later is None else later
    wrapped = textwrap.wrap(text, max(width, 40), initial_indent=first, subsequent_indent=rest, break_on_hyphens=False)
    return [Line(role, line) for line in wrapped]


def explain_symptom(symptom: Symptom, *, width: int = TEXT_WIDTH) -> str:
    """Returns all there is to know about one label, wrapped to `width` columns."""
    lines = [f"{symptom.code} {symptom.label}: {symptom.title}", ""]
    needs = ", and ".join(" or ".join(channels) for channels in TRAITS[symptom.label].needs)
    for heading, content in (("Looks like", symptom.looks), ("Means", symptom.means), ("Needs", needs)):
        lines += [heading, *_texts([content], width, "  "), ""]
    for heading, items in (
        ("Harmless look-alikes", symptom.mimics),
        ("Likely causes, most likely first", [f"{CAUSES[cause].name} ({cause})" for cause in symptom.cause_ids]),
        ("What to try, first things first", symptom.remedies),
    ):
        lines += [heading, *_texts(items, width, "  - "), ""]
    if symptom.source:
        lines += ["See also", *_texts([symptom.source], width, "  "), ""]
    return "\n".join(lines[:-1])


def explain_cause(cause: Cause, *, width: int = TEXT_WIDTH) -> str:
    """Returns all there is to know about one cause, wrapped to `width` columns."""
    labels = [symptom.label for symptom in SYMPTOMS.values() if cause.id in symptom.cause_ids]
    lines = [f"{cause.id}: {cause.name}"]
    if labels:
        lines += ["", "Symptoms", *_texts([", ".join(labels)], width, "  ")]
    lines += ["", "What to try, first things first", *_texts(cause.remedies, width, "  - ")]
    return "\n".join([*lines, "", "See also", *_texts([cause.source], width, "  ")])


def _texts(items: Iterable[str], width: int, first: str) -> list[str]:
    return [line.text for item in items for line in _wrap("body", item, width, first, " " * len(first))]


def explain_all() -> str:
    """Returns one line for every label: code, name, title."""
    width = max(map(len, SYMPTOMS))
    return "\n".join(f"{s.code}  {s.label:<{width}}  {s.title}" for s in SYMPTOMS.values())


def explain_causes() -> str:
    """Returns one line for every cause: id, name."""
    width = max(map(len, CAUSES))
    return "\n".join(f"{cause.id:<{width}}  {cause.name}" for cause in CAUSES.values())
