"""Draws the pictures of the README: one per label from a synthetic run, and a diagnosis of an example run.

    python docs/pictures.py                         # all of docs/labels/*.svg and docs/diagnosis.svg
    python docs/pictures.py --candidates DIR        # the runs to choose from, several a label, into DIR

A label's run is a clear one: the label is there and no other, by the truth of the generator and by the rules. Which of
those is drawn was chosen by eye and stands in `PICKS`; look again after a change of the generator.
"""

from __future__ import annotations

import argparse
import html
import re
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np

from curveclinic import LABELS, Diagnosis, Finding, Run, predict_pathology
from curveclinic.labels import CHANNELS
from curveclinic.ragged import Batch
from curveclinic.readers import read_file
from curveclinic.rules import judge
from curveclinic.svg import COLOURS, render_svg
from curveclinic.synth import Sample, generate
from curveclinic.text import finding_title, headline

DOCS = Path(__file__).parent
EXAMPLE = DOCS.parent / "examples" / "digits-overfit" / "training_log.csv"

SEED = 20
DRAWN = 1024
"""Runs drawn of a family: enough that even a rare rider gives a few clear ones."""

FEWEST, MOST = 40, 300
"""Points of the train loss: enough to show a shape, few enough for a small file."""

PICKS = {
    "overfitting": ("overfit", 5),
    "underfitting": ("underfit", 0),
    "not_learning": ("no_learning", 0),
    "undertrained": ("too_slow", 0),
    "slow_start": ("slow_start", 3),
    "divergence": ("blow_up", 5),
    "non_finite": ("plain", 1),
    "oscillation": ("oscillating", 3),
    "loss_spikes": ("plain", 3),
    "val_spikes": ("plain", 3),
    "noisy_validation": ("plain", 1),
    "periodic_loss": ("plain", 4),
    "no_generalization": ("never_generalises", 5),
    "val_below_train": ("val_below", 2),
    "train_stalled_val_falls": ("stalled_train", 0),
    "metric_mismatch": ("stuck_metric", 1),
    "high_initial_loss": ("hockey_stick", 1),
    "vanishing_gradients": ("vanishing", 8),
    "exploding_gradients": ("plain", 3),
    "delayed_generalization": ("grokking", 5),
}
"""Label -> family of the generator, and which of its clear runs."""

BELOW = {
    "metric_mismatch": "val_metric",
    "vanishing_gradients": "grad_norm",
    "exploding_gradients": "grad_norm",
}
"""Labels whose symptom shows in another channel, drawn below the losses."""

WIDTH = 640
"""Of everything `render_svg` draws."""

PANEL = 234
"""Height of a panel without the bar that names the finding: the table of the README names it."""

GREY = "#7f8c9b"
"""Text and grid: an image has no page colour to take, so one that can be read on white and on near-black."""


def candidates(label: str) -> Iterator[tuple[Run, Finding]]:
    """Yields the clear runs of a label's family, with the finding as the generator knows it."""
    sample = generate((SEED, LABELS.index(label)), DRAWN, trends=[PICKS[label][0]], max_points=MOST)
    column, rules = LABELS.index(label), judge(sample.batch)
    lengths = {name: channel.lengths for name, channel in sample.batch.channels.items()}
    others = np.delete(sample.truth.degree * sample.truth.checked, column, axis=1).max(axis=1)
    fits = (lengths["train_loss"] >= FEWEST) & (lengths["val_loss"] >= FEWEST / 2) & (others <= 0.5)
    fits &= (sample.truth.degree[:, column] >= 0.999) & sample.truth.checked[:, column]
    fits &= rules.present[:, column] & (rules.present.sum(axis=1) == 1)
    if label in BELOW:
        fits &= lengths[BELOW[label]] >= FEWEST / 2
    for row in np.flatnonzero(fits):
        yield run_of(sample.batch, int(row)), finding_of(sample, int(row), label)


def run_of(batch: Batch, row: int) -> Run:
    """One run of a batch."""
    cut = {name: slice(*batch.channels[name].offsets[row : row + 2]) for name in CHANNELS}
    pairs = {name: (batch.channels[name].steps[s], batch.channels[name].values[s]) for name, s in cut.items()}
    return Run.from_arrays({name: pair for name, pair in pairs.items() if len(pair[0])})


def finding_of(sample: Sample, row: int, label: str) -> Finding:
    """What the generator knows of one run, as a finding."""
    column = LABELS.index(label)
    onset, end = float(sample.truth.onset[row, column]), float(sample.truth.end[row, column])
    first, last = (None if np.isnan(step) else step for step in (onset, end))
    return Finding(label, 1.0, "severe", first, last, "model", None, None, "", (), ())


def label_picture(label: str, run: Run, finding: Finding) -> str:
    """The losses with the span of the finding; below them the channel that shows it, where that is another."""
    panels = [render_svg(run, [finding])]
    if label in BELOW:
        channel = BELOW[label]
        panel = render_svg(Run({"train_loss": run.channels[channel]}), [finding])
        panels.append(panel.replace("train_loss", channel).replace(COLOURS["train_loss"], COLOURS["undetermined"]))
    return for_an_image(stacked(panels, heights=[PANEL] * len(panels)), font=17)


def diagnosis_picture(diagnosis: Diagnosis) -> str:
    """Headline, curves, and the first finding in words."""
    assert diagnosis.run is not None
    first = diagnosis.findings[0]
    words = [finding_title(first), *textwrap.wrap(first.evidence, 95), f"try: {first.remedies[0]}"]
    curves = render_svg(diagnosis.run, diagnosis.findings)
    panels = [caption([headline(diagnosis).text], weight="bold"), curves, caption(words)]
    return for_an_image(stacked(panels, heights=[height_of(panel) for panel in panels]), font=12)


def caption(words: Sequence[str], *, weight: str = "normal") -> str:
    """Lines of text as an SVG."""
    lines = [f'<text x="10" y="{17 + 19 * i}">{html.escape(line)}</text>' for i, line in enumerate(words)]
    height = 19 * len(words) + 8
    return f'<svg height="{height}"><g font-size="13" font-weight="{weight}">{"".join(lines)}</g></svg>'


def height_of(svg: str) -> int:
    """The height an SVG states."""
    found = re.search(r'height="(\d+)"', svg)
    assert found is not None
    return int(found.group(1))


def stacked(panels: Sequence[str], *, heights: Sequence[int]) -> str:
    """One SVG with the panels below one another, each cut to its height."""
    tops = np.cumsum([0, *heights[:-1]]).tolist()
    placed = [
        re.sub(r"<svg [^>]*>", f'<svg y="{top}" width="{WIDTH}" height="{height}">', panel, count=1)
        for panel, top, height in zip(panels, tops, heights, strict=True)
    ]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {sum(heights)}" role="img" '
        f'font-family="system-ui,sans-serif" font-size="11" fill="currentColor">{"".join(placed)}</svg>'
    )


def for_an_image(svg: str, *, font: int) -> str:
    """The SVG in a colour and size of its own, since an image takes none from its page."""
    return svg.replace("currentColor", GREY).replace('font-size="11"', f'font-size="{font}"') + "\n"


def main() -> None:
    """Draws the pictures, or the candidates for them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--candidates", type=Path, metavar="DIR", help="write the runs to choose from instead")
    options = parser.parse_args()
    if options.candidates:
        options.candidates.mkdir(parents=True, exist_ok=True)
        for label in LABELS:
            for k, (run, finding) in enumerate(islice(candidates(label), 9)):
                (options.candidates / f"{label}-{k}.svg").write_text(label_picture(label, run, finding))
        return
    (DOCS / "labels").mkdir(exist_ok=True)
    for label, (_, nth) in PICKS.items():
        run, finding = next(islice(candidates(label), nth, None))
        (DOCS / "labels" / f"{label}.svg").write_text(label_picture(label, run, finding))
    (run,) = read_file(EXAMPLE)
    diagnosis = predict_pathology(replace(run, path="", run_id=EXAMPLE.parent.name))
    assert isinstance(diagnosis, Diagnosis)
    (DOCS / "diagnosis.svg").write_text(diagnosis_picture(diagnosis))


if __name__ == "__main__":
    main()
