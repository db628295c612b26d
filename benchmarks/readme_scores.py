"""Writes the scores of README.md and docs/scores.md and the numbers of weights/MODEL_CARD.md, from results/*.csv.

    python benchmarks/readme_scores.py

It measures nothing: run the other scripts first. What was not measured is left out, table by table and row by row.
It complains of those measured with other weights or rules than are shipped. What it does not show: whether those
without a record belong to them; their scripts must have been run after `train.py` and `thresholds.py --write`.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent / "docs"))  # marked.py belongs to the documentation's scripts

import readme_sections as sections
from marked import fill
from readme_parts import NO_WEIGHTS, ROOT, sidecar, table
from tables import measured_with, shipped
from yardstick import RESULTS

from curveclinic.deciding.sidecar import INT8_NAME, ONNX_NAME
from curveclinic.labels import LABELS

RECIPE = {
    "encoder": "{encoder_version}",
    "input": "{channels} x {bins} curve cells, {features} features",
    "parameters": "{recipe[parameters]:,}",
    "ONNX file": "{size:,.0f} KiB",
    "int8 ONNX file, for `--fast`": "{int8_size:,.0f} KiB",
    "label sets equal to those of the float network": "{int8[equal_label_sets]:.1%} of {int8[runs]:,} synthetic runs",
    "difference of its probabilities": "{int8[mean_difference]:.4f} on average, {int8[largest_difference]:.2f} at most",
    "synthetic runs drawn": "{recipe[runs]:,}",
    "of them logs of simulated trainings": "{recipe[share]:.0%}",
    "steps": "{recipe[step]:,} of {recipe[batch]} runs",
    "training loop": "{minutes:.0f} minutes on {recipe[device]} with {recipe[workers]} workers",
    "ran to its end": "{recipe[finished]}",
    "seed": "{recipe[seed]}",
    "torch": "{recipe[torch]}",
    "largest difference, torch to onnxruntime": "{onnx_max_difference:.1e}",
    "families held out": "{held_out}",
    "macro-F1 on unseen synthetic runs": "{scores[macro_f1]:.3f}, {scores[runs]:,} runs",
    "error of the onset there, share of the run": "median {scores[onset_error_median]:.3f}, "
    "nine of ten below {scores[onset_error_p90]:.3f}",
}
"""What the model card says of the weights -> where it stands in the sidecar."""


def scores() -> str:
    """The block of the README."""
    weights = "" if sidecar() else NO_WEIGHTS
    accurate = (sections.family_out().paragraph(), sections.untouched().paragraph())
    return (
        _joined(weights, *accurate, sections.peers_in_short(), sections.speed_in_short()) or "Nothing was measured yet."
    )


def details() -> str:
    """The block of docs/scores.md."""
    return _joined(*(section().chapter() for section in sections.DETAILS))


def _joined(*parts: str) -> str:
    return "\n\n".join(part for part in parts if part)


def recipe() -> str:
    """How the shipped weights were made."""
    body = sidecar()
    if not body:
        return NO_WEIGHTS
    sizes = {key: _kib(name) for key, name in (("size", ONNX_NAME), ("int8_size", INT8_NAME))}
    held_out = ", ".join(f"`{name}`" for name in body["recipe"].get("held_out_families", ()))
    known = body | {"channels": len(body["tensor_channels"]), "features": len(body["feature_names"])}
    known |= {key: size for key, size in sizes.items() if size}
    known |= {"held_out": held_out, "minutes": body["recipe"].get("seconds", 0.0) / 60}
    filled = ((what, _filled(template, known)) for what, template in RECIPE.items())
    return table(("", ""), ((what, text) for what, text in filled if text))


def _kib(name: str) -> float:
    """Size of a file of weights, 0 where there is none."""
    path = ROOT / "weights" / name
    return path.stat().st_size / 1024 if path.exists() else 0.0


def _filled(template: str, known: dict[str, Any]) -> str:
    """The template with its numbers; nothing where one of them was not recorded."""
    try:
        return template.format_map(known)
    except KeyError:
        return ""


def by_label() -> str:
    """The numbers of every label."""
    body = sidecar()
    if not body:
        return ""
    return table(
        ("label", "decided by", "threshold", "scale, shift", "F1, synthetic", "calibration error, synthetic"),
        (
            (
                f"`{label}`",
                "rules" if label in body["decided_by_rule"] else "network",
                f"{body['thresholds'][label]:.2f}",
                "{:.2f}, {:+.2f}".format(*body["calibration"][label]),
                _number(body["scores"]["f1"][label]),
                _number(body["scores"]["calibration_error"][label]),
            )
            for label in LABELS
        ),
    )


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def numbers() -> str:
    """The block of the model card."""
    parts = (sections.family_out(), sections.untouched(), sections.accuracy())
    return _joined(recipe(), by_label(), *(part.paragraph() for part in parts))


def stale() -> list[str]:
    """CSV files that were measured with other weights or answers than are shipped."""
    now = shipped()
    return [name for name, then in measured_with(RESULTS).items() if then != now]


def main() -> None:
    """Fills the blocks."""
    for name in stale():
        print(f"{name} was measured with other weights or answers: run its script again", file=sys.stderr)
    fill(ROOT / "README.md", {"scores": scores()})
    fill(ROOT / "docs" / "scores.md", {"details": details()})
    fill(ROOT / "weights" / "MODEL_CARD.md", {"numbers": numbers()})


if __name__ == "__main__":
    main()
