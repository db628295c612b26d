"""Draws the pictures of the README: one per label from a synthetic run, and a diagnosis of an example run.

    python docs/pictures.py                  # docs/labels/*.svg and docs/diagnosis.svg in a minute; then look at them
    python docs/pictures.py LABEL...         # only these labels

A label's run is drawn from the families of the generator that produce it. It shows the label clearly and no other, by
the truth of the generator and by the rules; of those that do, the clearest is taken: the one whose weakest clause in
`SHOWN` holds best. The same generator and definitions give the same pictures.
"""

from __future__ import annotations

import argparse
import html
import re
import textwrap
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from curveclinic import LABELS, Diagnosis, Finding, Run, predict_pathology
from curveclinic.deciding.degrees import above, between
from curveclinic.deciding.rules import judge
from curveclinic.labels import CHANNELS
from curveclinic.measuring.trends import Quantities
from curveclinic.ragged import Batch, BoolArray, FloatArray
from curveclinic.readers import read_file
from curveclinic.report.svg import COLOURS, render_svg
from curveclinic.report.text import finding_title, headline
from curveclinic.synth import Sample, generate

DOCS = Path(__file__).parent
EXAMPLE = DOCS.parent / "examples" / "digits-overfit" / "training_log.csv"

SEED = 20
DRAWN = 4096
"""Runs drawn for a label: enough that even a rare rider gives several clear ones."""

FEWEST, MOST = 40, 300
"""Points of the train loss: enough to show a shape, few enough for a small file."""

HINT = 0.3
"""Degree of another label up to which nothing of it is seen."""

LARGEST = 14_000
"""Bytes of a picture; a run that needs more is passed over."""


@dataclass(frozen=True)
class Shown:
    """How a label's run is chosen and drawn.

    Attributes:
        trends: families of the generator to draw from.
        clear: quantities -> (n,) in [0, 1], how plainly a reader sees the symptom.
        with_it: labels that go together with this one, and may be there too.
        below: a channel drawn below the losses, where the symptom shows in it.
        from_zero: the value axes begin at zero: a flat curve is then seen to be flat.
    """

    trends: tuple[str, ...]
    clear: Callable[[Quantities], FloatArray]
    with_it: frozenset[str] = frozenset()
    below: str = ""
    from_zero: bool = False


def below(x: FloatArray, present: float, absent: float) -> FloatArray:
    """Degree to which x is small; NaN counts as absent."""
    return between(x, absent, present)


def all_of(*degrees: FloatArray) -> FloatArray:
    """(n,) degree to which all of it holds."""
    return np.minimum.reduce(degrees)


def near(x: FloatArray, at: float, reach: float) -> FloatArray:
    """1 where x is `at`, 0 where it is `reach` or more away; NaN counts as away."""
    return below(np.abs(x - at), 0.0, reach)


def _smooth_train(q: Quantities) -> FloatArray:
    """Little noise on the train loss, against its drop."""
    return below(q["t_noise_drop"], 0.0, 0.08)


def _smooth(q: Quantities) -> FloatArray:
    """Little noise on both losses, against their drops."""
    return all_of(_smooth_train(q), below(q["v_noise_drop"], 0.0, 0.08))


def _calm(q: Quantities) -> FloatArray:
    """Little noise on both losses, against their levels."""
    return below(np.fmax(q["t_noise_rel"], q["v_noise_rel"]), 0.0, 0.05)


def _plain(q: Quantities) -> FloatArray:
    """Neither loss spans decades, and they are of a size that readers are used to."""
    usual = all_of(above(q["first"], 0.03, 0.1), below(q["first"], 20.0, 60.0))
    return all_of(usual, 1.0 - np.fmax(q["t_log"], q["v_log"]))


def _part(q: Quantities, step: str) -> FloatArray:
    """A step as a share of the run."""
    return (q[step] - q["t_first_step"]) / np.maximum(q["t_last_step"] - q["t_first_step"], 1e-9)


SHOWN = {
    "overfitting": Shown(
        ("overfit",),
        lambda q: all_of(
            near(q["v_rise_drop"], 0.7, 0.5), near(q["v_low_at"], 0.3, 0.2), above(q["t_drop_rel"], 0.2, 0.9),
            _smooth(q), _plain(q),
        ),
    ),
    "underfitting": Shown(
        ("underfit",),
        lambda q: all_of(near(q["t_drop_rel"], 0.24, 0.1), near(q["t_plateau"], 0.75, 0.2), _calm(q), _plain(q)),
        from_zero=True,
    ),
    "not_learning": Shown(("no_learning",), lambda q: near(q["t_noise_rel"], 0.02, 0.02), from_zero=True),
    "undertrained": Shown(
        ("too_slow", "cut_short"),
        lambda q: all_of(above(q["t_end_fall"], 0.0, 0.2), near(q["t_drop_rel"], 0.5, 0.4), _smooth(q), _plain(q)),
        from_zero=True,
    ),
    "slow_start": Shown(
        ("slow_start",),
        lambda q: all_of(near(q["t_fallen_at"], 0.3, 0.2), above(q["t_drop_rel"], 0.3, 0.9), _smooth(q), _plain(q)),
    ),
    "divergence": Shown(
        ("drift_up", "blow_up", "exponential_blow_up"),
        lambda q: all_of(
            near(q["t_low_at"], 0.4, 0.3), near(q["t_rise_drop"], 1.3, 0.5), below(q["t_plateau"], 0.0, 0.5),
            _smooth(q), _plain(q),
        ),
    ),
    "non_finite": Shown(("plain", "clean_decay"), lambda q: all_of(near(q["t_bad"], 0.35, 0.3), _smooth(q), _plain(q))),
    "oscillation": Shown(
        ("oscillating",),
        lambda q: all_of(
            near(q["t_swing"], 0.5, 0.3), below(q["t_swing_turns"], 0.05, 0.3), above(q["swing_shared"], 0.3, 1.0),
            below(q["t_above_start_rel"], -0.5, 0.0), _plain(q),
        ),
    ),
    "loss_spikes": Shown(
        ("plain",),
        lambda q: all_of(
            near(q["t_jumps"], 3.0, 2.5), above(q["t_jump_size"], 1.0, 4.0), below(q["t_jump_size"], 8.0, 24.0),
            above(_part(q, "t_jump_last") - _part(q, "t_jump_first"), 0.0, 0.5),
            above(_part(q, "t_jump_first"), 0.0, 0.1), _smooth(q), _plain(q),
        ),
    ),
    "val_spikes": Shown(
        ("plain",),
        lambda q: all_of(near(q["v_jumps"], 3.0, 2.0), above(q["v_jump_size"], 2.0, 6.0), _smooth(q), _plain(q)),
    ),
    "noisy_validation": Shown(
        ("plain",),
        lambda q: all_of(
            near(q["v_noise_drop"], 0.2, 0.1), above(q["v_noise_over_t"], 4.0, 12.0),
            below(q["v_jump_size"], 1.0, 2.5), above(q["v_count"], 20.0, 60.0), _plain(q),
        ),
    ),
    "periodic_loss": Shown(
        ("plain",),
        lambda q: all_of(
            near(q["period"] / q["t_count"], 0.1, 0.06), above(q["period_strength"], 0.5, 1.0),
            above(q["t_swing_level"], 0.02, 0.1), above(q["t_drop_rel"], 0.1, 0.6), _plain(q),
        ),
    ),
    "no_generalization": Shown(
        ("never_generalises",),
        lambda q: all_of(
            above(q["t_drop_rel"], 0.2, 0.9), near(q["v_above_start_rel"], 0.2, 0.3), _smooth_train(q), _plain(q)
        ),
    ),
    "val_below_train": Shown(
        ("val_below",),
        lambda q: all_of(
            near(q["val_over_train_end"], 0.6, 0.3), near(q["t_drop_rel"], 0.6, 0.3), below(q["t_rise_drop"], 0.0, 0.1),
            _smooth(q), _plain(q),
        ),
    ),
    "train_stalled_val_falls": Shown(
        ("stalled_train",),
        lambda q: all_of(
            above(q["v_drop_rel"], 0.2, 0.8), near(q["v_plateau"], 0.5, 0.4), near(q["t_noise_rel"], 0.015, 0.015),
            _plain(q),
        ),
        with_it=frozenset({"not_learning", "val_below_train"}),
        from_zero=True,
    ),
    "metric_mismatch": Shown(
        ("stuck_metric",),
        lambda q: all_of(
            above(q["t_drop_rel"], 0.2, 0.9), near(q["metric_span"], 0.06, 0.06), near(q["metric_typical"], 0.3, 0.25),
            _smooth(q), _plain(q),
        ),
        below="val_metric",
        from_zero=True,
    ),
    "high_initial_loss": Shown(
        ("hockey_stick",),
        lambda q: all_of(
            near(q["first_over_near"], 6.0, 4.0), near(q["near_over_last"], 2.0, 0.8), below(q["first_kink"], 0.0, 0.3),
            below(q["t_count"], 50.0, 200.0), _smooth(q), _plain(q),
        ),
    ),
    "vanishing_gradients": Shown(
        ("vanishing",),
        lambda q: all_of(near(q["grad_fall"], 5.0, 3.0), near(_part(q, "grad_fall_step"), 0.25, 0.25), _calm(q)),
        with_it=frozenset({"not_learning", "underfitting"}),
        below="grad_norm",
        from_zero=True,
    ),
    "exploding_gradients": Shown(
        ("plain",),
        lambda q: all_of(
            near(q["grad_burst"], 3.0, 1.0), above(_part(q, "grad_burst_end") - _part(q, "grad_burst_step"), 0.0, 0.3),
            _smooth(q), _plain(q),
        ),
        with_it=frozenset({"loss_spikes"}),
        below="grad_norm",
    ),
    "delayed_generalization": Shown(
        ("grokking",),
        lambda q: all_of(
            near(q["bad_share"], 0.4, 0.3), near(q["fit_at"], 0.15, 0.15), above(q["late_fall_rel"], 0.3, 0.9),
            _smooth(q), _plain(q),
        ),
    ),
}  # fmt: skip
"""Label -> families and clauses, in the order of `LABELS`."""

WIDTH = 640
"""Of everything `render_svg` draws."""

PANEL = 234
"""Height of a panel without the bar that names the finding: the table of the README names it."""

GREY = "#7f8c9b"
"""Text and grid: an image has no page colour to take, so one that can be read on white and on near-black."""


def clear_runs(label: str) -> Iterator[tuple[Run, Finding]]:
    """Yields the runs that show the label, the clearest first, with the finding as the generator knows it."""
    shown = SHOWN[label]
    sample = generate((SEED, LABELS.index(label)), DRAWN, trends=shown.trends, max_points=MOST)
    rules = judge(sample.batch)
    with np.errstate(invalid="ignore"):
        score = np.where(_shows(label, sample, rules.degree), np.nan_to_num(shown.clear(sample.seen.quantities)), 0.0)
    for row in np.argsort(-score, kind="stable")[: np.count_nonzero(score)]:
        yield run_of(sample.batch, int(row)), finding_of(sample, int(row), label)


def _shows(label: str, sample: Sample, by_rule: FloatArray) -> BoolArray:
    """(n,) the label is clearly there and no other is, but for those that go with it; the rules agree."""
    shown, column = SHOWN[label], LABELS.index(label)
    lengths = {name: channel.lengths for name, channel in sample.batch.channels.items()}
    other = np.array([name != label and name not in shown.with_it for name in LABELS])
    degree = sample.truth.degree * sample.truth.checked
    fits: BoolArray = (lengths["train_loss"] >= FEWEST) & (lengths["val_loss"] >= FEWEST / 2)
    fits &= (degree[:, column] >= 0.999) & (by_rule[:, column] >= 0.999)
    fits &= (np.maximum(degree, by_rule)[:, other] <= HINT).all(axis=1)
    return fits & (lengths[shown.below] >= FEWEST / 2) if shown.below else fits


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
    shown = SHOWN[label]
    panels = [render_svg(run, [finding], from_zero=shown.from_zero)]
    if shown.below:
        other = render_svg(Run({"train_loss": run.channels[shown.below]}), [finding], from_zero=shown.from_zero)
        panels.append(other.replace("train_loss", shown.below).replace(COLOURS["train_loss"], COLOURS["undetermined"]))
    return for_an_image(stacked(panels, heights=[PANEL] * len(panels)), font=16)


def clearest_picture(label: str) -> str:
    """The picture of the clearest run that needs few bytes."""
    drawn = (label_picture(label, run, finding) for run, finding in clear_runs(label))
    return next(svg for svg in drawn if len(svg) <= LARGEST)


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
    """Draws the pictures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    none: list[str] = []  # argparse looks for it among the choices
    parser.add_argument("labels", nargs="*", choices=[*LABELS, none], metavar="LABEL", help="(default: everything)")
    options = parser.parse_args()
    (DOCS / "labels").mkdir(exist_ok=True)
    for label in options.labels or LABELS:
        (DOCS / "labels" / f"{label}.svg").write_text(clearest_picture(label))
    if not options.labels:
        (run,) = read_file(EXAMPLE)
        diagnosis = predict_pathology(replace(run, path="", run_id=EXAMPLE.parent.name))
        assert isinstance(diagnosis, Diagnosis)
        (DOCS / "diagnosis.svg").write_text(diagnosis_picture(diagnosis))


if __name__ == "__main__":
    main()
