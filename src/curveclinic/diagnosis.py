"""`Diagnosis` and `Finding`: the answer for one run. Values only; rendering lives elsewhere."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any, Literal

from curveclinic.causes import LikelyCause
from curveclinic.read_only import ReadOnlyDict
from curveclinic.run import Run

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Severity = Literal["notice", "mild", "severe"]
Source = Literal["model", "rule"]
Verdict = Literal["healthy", "findings", "undetermined"]

SEVERITIES: tuple[Severity, ...] = ("notice", "mild", "severe")
"""Severities from the least to the most serious."""

SCHEMA_VERSION = 1
"""Version of the dict made by `Diagnosis.to_dict`."""

_DIGITS = 6
"""Decimals of a probability in that dict: the last ones depend on how many runs were judged at once."""


@dataclass(frozen=True)
class Finding:
    """One symptom found in a run.

    Attributes:
        label: name of the symptom, one of `labels.LABELS`.
        probability: calibrated probability in [0, 1] of the source that decided.
        severity: "notice" (worth knowing, usually benign), "mild" or "severe".
        onset: step at which it starts; None when the symptom has no start (undertrained).
        end: step at which it ends; None when it lasts to the last point.
        source: "model" or "rule", whichever decided.
        model_probability: the network's probability, None when it did not judge.
        rule_agrees: whether the hand rule finds the label too; None when it could not judge.
        evidence: one sentence with the run's own numbers; of many runs judged at once it is written when first read.
        causes: likely causes, most likely first.
        remedies: what to try, first things first.
    """

    label: str
    probability: float
    severity: Severity
    onset: float | None
    end: float | None
    source: Source
    model_probability: float | None
    rule_agrees: bool | None
    evidence: str
    causes: tuple[str, ...]
    remedies: tuple[str, ...]

    @classmethod
    def deferred(cls, tell: Callable[[], str], **known: Any) -> Finding:
        """Returns a finding with all fields but its evidence, which `tell` writes when it is first read."""
        finding = object.__new__(cls)
        finding.__dict__.update(known, _tell=tell)
        return finding

    if not TYPE_CHECKING:  # a checker would take it for every attribute

        def __getattr__(self, name: str) -> str:
            if name != "evidence" or "_tell" not in self.__dict__:
                raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
            self.__dict__["evidence"] = text = self.__dict__["_tell"]()
            return text

    def __reduce__(self) -> tuple[Any, ...]:
        return Finding, tuple(getattr(self, own.name) for own in fields(self))


@dataclass(frozen=True)
class Diagnosis:
    """What is wrong with one run, since when, how surely, on what evidence.

    Attributes:
        verdict: "healthy", "findings" or "undetermined".
        labels: labels found, most important first; ("healthy",) when judged and nothing was found;
            () when undetermined.
        probabilities: label -> calibrated probability, checked labels only.
        findings: one entry per label found, most important first.
        unchecked: label -> why it could not be judged.
        rule_labels: labels the hand rules find.
        message: reason of an undetermined verdict, or remarks on the input, and on what too few points left open where
            nothing above a notice was found; "" otherwise.
        run: the run that was judged; None when the input could not become one.
        stop_at: step whose checkpoint to keep, the onset of overfitting: where val loss was lowest, noise aside (its
            lowest single value may lie elsewhere), or first as good where it settles; None unless overfitting was
            found.
        likely_causes: what may be behind the findings, likeliest first; their probabilities sum to 1 at most, the rest
            is for other causes and for no fault at all. () without findings, or where no cause stands out.
    """

    verdict: Verdict
    labels: tuple[str, ...]
    probabilities: Mapping[str, float]
    findings: tuple[Finding, ...]
    unchecked: Mapping[str, str]
    rule_labels: tuple[str, ...]
    message: str = ""
    run: Run | None = field(default=None, repr=False, compare=False)
    stop_at: float | None = None
    likely_causes: tuple[LikelyCause, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "probabilities", ReadOnlyDict(self.probabilities))
        object.__setattr__(self, "unchecked", ReadOnlyDict(self.unchecked))

    @property
    def is_healthy(self) -> bool:
        """True when the run was judged and nothing above a notice was found."""
        return self.verdict != "undetermined" and all(f.severity == "notice" for f in self.findings)

    def to_dict(self) -> dict[str, Any]:
        """Returns plain JSON-safe data: no NaN, no Inf, no numpy types."""
        return {
            "schema_version": SCHEMA_VERSION,
            "run_id": self.run.run_id if self.run else "",
            "verdict": self.verdict,
            "labels": list(self.labels),
            "is_healthy": self.is_healthy,
            "probabilities": {k: round(float(v), _DIGITS) for k, v in self.probabilities.items()},
            "findings": [_entry(finding) for finding in self.findings],
            "likely_causes": [_entry(cause) for cause in self.likely_causes],
            "unchecked": dict(self.unchecked),
            "rule_labels": list(self.rule_labels),
            "message": self.message,
            "stop_at": self.stop_at,
        }

    def plot(self) -> Figure:
        """Returns a figure of the curves with every finding's span shaded; needs the `plot` extra.

        A notebook shows it; `.savefig(path)` writes it. It is none of pyplot's: `.show()` does not work.
        """
        from curveclinic.report.plot import plot_diagnosis

        return plot_diagnosis(self)

    def __str__(self) -> str:
        from curveclinic.report.text import render_text

        return render_text(self)

    def _repr_html_(self) -> str:
        from curveclinic.report.svg import render_html

        return render_html(self)


def _entry(value: Finding | LikelyCause) -> Any:
    """The fields of a value, its probabilities rounded."""
    known = asdict(value)
    for name in ("probability", "model_probability"):
        if known.get(name) is not None:
            known[name] = round(float(known[name]), _DIGITS)
    return _json_safe(known)


def _json_safe(value: Any) -> Any:
    """Replaces what JSON cannot hold; a number that is not finite becomes None."""
    if isinstance(value, dict):
        return {k: _json_safe(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_json_safe(v) for v in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value
