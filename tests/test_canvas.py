import numpy as np
import pytest
from output_cases import NASTY_CURVES, finding, overfit_run

from curveclinic.report.canvas import ASCII, BRAILLE, BRAILLE_PLAIN, PLOT_ROWS, draw
from curveclinic.run import Run


def text(rows):
    return ["".join(characters for characters, _ in row) for row in rows]


def test_ascii_plot_of_a_falling_line():
    run = Run.from_arrays({"train_loss": np.linspace(2, 1, 24)})
    assert text(draw(run, [], width=24, glyphs=ASCII)) == [
        "  2 |**                  ",
        "    |  **                ",
        "    |    **              ",
        "    |      **            ",
        "1.5 |        **          ",
        "    |          **        ",
        "    |            **      ",
        "    |              **    ",
        "    |                **  ",
        "  1 |                  **",
        "    +--------------------",
        "     1                 24",
        "     * train_loss",
    ]


def test_validation_is_told_apart_without_colour():
    rows = text(draw(overfit_run(), [], width=80, glyphs=BRAILLE_PLAIN))
    assert "o val_loss" in rows[-1]
    assert sum(row.count("o") for row in rows[:PLOT_ROWS]) >= 50


def test_roles_of_both_curves_and_the_span():
    rows = draw(overfit_run(), [finding()], width=80, glyphs=BRAILLE)
    roles = {role for row in rows[:PLOT_ROWS] for _, role in row}
    assert {"train", "val"} <= roles
    heavy = [(characters, role) for characters, role in rows[PLOT_ROWS] if "━" in characters]
    assert len(heavy) == 1
    assert heavy[0][1] == "severe"
    assert "━━ overfitting, from step 30 on" in text(rows)[-1]


def test_span_lies_where_the_finding_does():
    run = Run.from_arrays({"train_loss": np.linspace(2, 1, 101)})
    floor = text(draw(run, [finding(onset=51.0, end=76.0)], width=200, glyphs=ASCII))[PLOT_ROWS]
    line = floor[floor.index("+") + 1 :]
    assert len(line) == 100
    assert (line.index("="), line.rindex("=")) == (50, 74)


@pytest.mark.parametrize("width", [1, 40, 80, 500])
def test_width_is_kept_within_bounds(width):
    rows = text(draw(overfit_run(), [], width=width, glyphs=BRAILLE))[: PLOT_ROWS + 2]
    longest = max(map(len, rows))
    assert longest <= max(width, 30)
    assert longest <= 110


def test_non_finite_values_are_marked_on_top():
    run = Run.from_arrays({"train_loss": [2.0, 1.0, float("nan"), 1.0, 2.0]})
    top = draw(run, [], width=40, glyphs=ASCII)[0]
    assert ("x", "severe") in top


@pytest.mark.parametrize("glyphs", [ASCII, BRAILLE, BRAILLE_PLAIN])
@pytest.mark.parametrize("values", NASTY_CURVES.values(), ids=NASTY_CURVES)
def test_any_curve_can_be_drawn(values, glyphs):
    rows = text(draw(Run.from_arrays({"train_loss": values}), [], width=60, glyphs=glyphs))
    drawable = bool(np.isfinite(values).any())
    assert len(rows) == (PLOT_ROWS + 3 if drawable else 0)
    if drawable:
        assert len({len(row) for row in rows[: PLOT_ROWS + 1]}) == 1
        assert glyphs is not ASCII or all(row.isascii() for row in rows)


def test_lone_step_stands_in_the_middle():
    steps = text(draw(Run.from_arrays({"train_loss": [0.5]}), [], width=60, glyphs=ASCII))[PLOT_ROWS + 1]
    assert steps.split() == ["1"]
