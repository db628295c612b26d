"""Writes the scores of README.md and the numbers of weights/MODEL_CARD.md from results/*.csv and the sidecar.

    python benchmarks/readme_scores.py

It measures nothing: run the other scripts first. What was not measured is left out, table by table and row by row.
What it does not show: whether the CSV files belong to the weights that are shipped; their scripts must have been run
after `train.py` and `thresholds.py --write`.
"""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent / "docs"))  # marked.py belongs to the documentation's scripts

from marked import fill
from yardstick import RESULTS

from curveclinic.labels import LABELS
from curveclinic.sidecar import ONNX_NAME, SIDECAR_NAME

ROOT = Path(__file__).parent.parent

YARDSTICKS = {"real_runs": "real logs", "clinic_runs": "small trainings"}
"""Folder of a yardstick -> what its runs are."""

SHARES = frozenset({"false_alarm", "any_label", "not_healthy", "any_report", "changed_by_every_4th_point"})
"""Measures written in percent."""

HEADS = {
    "macro_f1": "macro-F1",
    "macro_average_precision": "average precision",
    "calibration_error": "calibration error",
    "false_alarm": "false alarm",
    "any_label": "any label",
    "any_report": "any report",
    "changed_by_every_4th_point": "changed at every 4th point",
}
"""Measure -> heading of its column."""

PERTURBATIONS = {
    "every_4th_point": "every 4th point kept",
    "every_20th_point": "every 20th point kept",
    "noise_1_percent": "1 % noise",
    "losses_times_1e-6": "losses x 1e-6",
    "losses_times_1e6": "losses x 1e6",
}

RECIPE = {
    "encoder": "{encoder_version}",
    "input": "{channels} x {bins} curve cells, {features} features",
    "parameters": "{recipe[parameters]:,}",
    "ONNX file": "{size:,.0f} KiB",
    "synthetic runs drawn": "{recipe[runs]:,}",
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

REVEALING = 3
"""Features named that give synthetic runs away."""

NO_WEIGHTS = "No weights are there yet: `python train.py` writes them, and until then the rules decide."

Cells = dict[str, str]


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


def section(words: str, content: str) -> str:
    """Words above a table; nothing without the table."""
    return f"{words}\n\n{content}" if content else ""


def family_out() -> str:
    """What the choice of thresholds and deciders is worth on families it has not seen."""
    measures = ("macro_f1", "false_alarm", "any_label")
    cell = {(r["yardstick"], r["judge"], r["measure"]): r for r in rows("thresholds")}
    judges = ("whole", "network alone", "rules")
    body = [
        (name, judge, *(shown(m, cell.get((yard, judge, m))) for m in measures))
        for yard, name in YARDSTICKS.items()
        for judge in judges
        if (yard, judge, measures[0]) in cell
    ]
    return section(
        "**On families of runs not seen** by the choice of thresholds and of who decides (`thresholds.csv`). Macro-F1 "
        "is over labels with five or more positives; the other two are over runs without a positive label: how many "
        "get a clearly absent label, and how many get any, notices included. The rules' cuts were set with both "
        "yardsticks in sight.",
        table(("yardstick", "judge", *(HEADS[m] for m in measures)), body),
    )


def accuracy() -> str:
    """The shipped weights and thresholds on both yardsticks."""
    measures = ("macro_f1", "macro_average_precision", "calibration_error", "false_alarm", "any_label")
    body = []
    for yard, name in YARDSTICKS.items():
        cell = {(r["judge"], r["measure"]): r for r in rows(f"accuracy_{yard}") if not r["label"]}
        for judge in ("whole", "network", "rules"):
            if (judge, measures[0]) in cell:
                body.append((name, judge, *(shown(m, cell.get((judge, m))) for m in measures)))
    return section(
        "**As shipped** (`accuracy_*.csv`; 90 % bootstrap intervals). The thresholds were chosen on these very runs: "
        "optimistic, but with intervals, ranking and calibration.",
        table(("yardstick", "judge", *(HEADS[m] for m in measures)), body),
    )


def per_label() -> str:
    """F1 of the whole for every label, with its positives, and who decides it."""
    found = {
        yard: {r["label"]: r for r in rows(f"accuracy_{yard}") if r["judge"] == "whole" and r["measure"] == "f1"}
        for yard in YARDSTICKS
    }
    known = {yard: cells for yard, cells in found.items() if cells}
    by_rule = sidecar().get("decided_by_rule", LABELS)
    body = [
        (
            f"`{label}`",
            "rules" if label in by_rule else "network",
            *(f"{shown('f1', cells[label])}, n = {cells[label]['n']}" for cells in known.values()),
        )
        for label in LABELS
    ]
    return section(
        f"**Label by label**: F1 of the whole as shipped, and the number of positives. Rules decide {len(by_rule)} of "
        f"{len(LABELS)} labels. With under ten positives a score says little.",
        table(("label", "decided by", *(YARDSTICKS[yard] for yard in known)), body if known else ()),
    )


def robustness() -> str:
    """How often the set of labels changes when the run does not."""
    cell = {
        (yard, r["judge"], r["perturbation"]): r
        for yard in YARDSTICKS
        for r in rows(f"robustness_{yard}")
        if not r["label"]
    }
    columns = [(yard, judge) for yard in YARDSTICKS for judge in ("whole", "rules") if _any(cell, yard, judge)]
    body = [
        (text, *(shown("false_alarm", cell.get((yard, judge, name)), value="share_changed") for yard, judge in columns))
        for name, text in PERTURBATIONS.items()
    ]
    return section(
        "**Does the answer change when the run does not?** Share of runs with another set of labels "
        "(`robustness_*.csv`). It does not say which of the two answers was right.",
        table(("change", *(f"{YARDSTICKS[yard]}, {judge}" for yard, judge in columns)), body if columns else ()),
    )


def _any(cell: dict[tuple[str, str, str], Cells], yard: str, judge: str) -> bool:
    return any(key[:2] == (yard, judge) for key in cell)


def speed() -> str:
    """What a diagnosis costs."""
    body = [
        (r["what"], f"{float(r['value']):,.4g} {r['unit'].replace('ratio', 'times')}")
        for r in rows("speed")
        if r["value"] and not r["what"].startswith("stage")
    ]
    return section(
        "**Speed** (`speed.csv`: stages too, all on one machine). Runs have two channels of 200 points.",
        table(("what", "value"), body),
    )


def realism() -> str:
    """How well synthetic runs can be told from real ones."""
    body = [
        (r["first"], r["second"], f"{float(r['auc']):.2f}", r["first_runs"], r["second_runs"])
        for r in rows("realism_auc")
    ]
    telling = ", ".join(f"`{r['feature']}`" for r in rows("realism")[:REVEALING])
    words = (
        "**How far from real are the training runs?** AUC of a classifier that separates two groups by the encoder's "
        "features; 0.5: it cannot (`realism*.csv`)."
    )
    words += f" What gives the synthetic runs away first: {telling}." if telling else ""
    return section(words, table(("group", "from", "AUC", "runs", "runs"), body))


def ablation() -> str:
    """What each half of the input is worth."""
    measures = ("macro_f1", "macro_average_precision", "false_alarm", "any_label")
    cell = {(r["variant"], r["yardstick"], r["measure"]): r for r in rows("ablation")}
    variants = list(dict.fromkeys(variant for variant, _, _ in cell if not variant.startswith("both - ")))
    body = [
        (variant, YARDSTICKS[yard], *(shown(m, cell.get((variant, yard, m))) for m in measures))
        for yard in YARDSTICKS
        for variant in variants
        if (variant, yard, measures[0]) in cell
    ]
    return section(
        "**What is each half worth?** Networks of the same short training, alone, with thresholds from synthetic runs "
        "(`ablation.csv`); they see far fewer runs than the shipped one.",
        table(("variant", "yardstick", *(HEADS[m] for m in measures)), body),
    )


def peers() -> str:
    """Other log readers, all labels and those that they claim to know, ours beside them."""
    shares = ("false_alarm", "any_label", "any_report", "changed_by_every_4th_point")
    cell = {(r["yardstick"], r["judge"], r["measure"]): r for r in rows("peers") if not r["label"]}
    body = []
    for yard, judge in dict.fromkeys((y, judge) for y, judge, measure in cell if measure == "macro_f1"):
        own, release = (cell.get((yard, judge, m)) for m in ("macro_f1_claimed", "macro_f1"))
        ours = cell.get((yard, "whole", f"macro_f1 on {judge}"))
        body.append(
            (
                YARDSTICKS[yard],
                f"{judge} {release['version']}" if release and own else judge,
                shown("macro_f1", release),
                shown("macro_f1", own),
                f"{shown('macro_f1', ours)}, n = {own['n']}" if ours and own else "-",
                *(shown(m, cell.get((yard, judge, m))) for m in shares),
            )
        )
    heads = ("macro-F1, all labels", "on the labels it claims", "ours on these")
    return section(
        "**Beside peers** from PyPI, their codes mapped to our labels in their favour (`peers.csv`; F1 label by label "
        "there, the mapping in `benchmarks/peer_adapters.py`). *n*: labels with five or more positives. Over runs "
        "without a positive label: *false alarm*, *any label* and *any report*, which includes codes without a label "
        "here. The yardsticks follow our definitions and set our thresholds, which flatters us.",
        table(("yardstick", "judge", *heads, *(HEADS[m] for m in shares)), body),
    )


def scores() -> str:
    """The block of the README."""
    parts = (family_out(), accuracy(), per_label(), robustness(), speed(), realism(), ablation(), peers())
    weights = "" if sidecar() else NO_WEIGHTS
    return "\n\n".join(part for part in (weights, *parts) if part) or "Nothing was measured yet."


def recipe() -> str:
    """How the shipped weights were made."""
    body = sidecar()
    if not body:
        return NO_WEIGHTS
    size = (ROOT / "weights" / ONNX_NAME).stat().st_size / 1024
    held_out = ", ".join(f"`{name}`" for name in body["recipe"].get("held_out_families", ()))
    known = body | {"channels": len(body["tensor_channels"]), "features": len(body["feature_names"])}
    known |= {"size": size, "held_out": held_out, "minutes": body["recipe"].get("seconds", 0.0) / 60}
    filled = ((what, _filled(template, known)) for what, template in RECIPE.items())
    return table(("", ""), ((what, text) for what, text in filled if text))


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
    return "\n\n".join(part for part in (recipe(), by_label(), family_out(), accuracy()) if part)


def main() -> None:
    """Fills both blocks."""
    fill(ROOT / "README.md", {"scores": scores()})
    fill(ROOT / "weights" / "MODEL_CARD.md", {"numbers": numbers()})


if __name__ == "__main__":
    main()
