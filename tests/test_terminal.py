import io

import pytest
from output_cases import HOSTILE, diagnosis, finding, overfit_run, undetermined
from rich.console import Console

from curveclinic.report.canvas import ASCII, BRAILLE, BRAILLE_PLAIN
from curveclinic.report.terminal import choose_glyphs, open_console, render_terminal, to_ansi
from curveclinic.report.text import render_text


def colour_console(**kwargs):
    return Console(file=io.StringIO(), force_terminal=True, color_system="standard", width=80, **kwargs)


def test_words_are_those_of_the_plain_report():
    d = diagnosis(overfit_run(), finding())
    rendered = render_terminal(d, width=100, glyphs=ASCII).plain.splitlines()
    plain = render_text(d).splitlines()
    assert rendered[0] == plain[0]
    assert rendered[14:] == plain[1:]


def test_severity_and_curves_have_their_own_styles():
    text = render_terminal(diagnosis(overfit_run(), finding()), width=80, glyphs=BRAILLE)
    styles = {str(span.style): text.plain[span.start : span.end] for span in text.spans}
    assert "train_loss" in styles["blue"]
    assert "val_loss" in styles["bright_yellow"]
    assert str(text.style) == ""
    evidence = text.plain.index("Validation loss rises")
    assert not [s for s in text.spans if s.start <= evidence < s.end and str(s.style)]


def test_no_colour_without_a_terminal(monkeypatch):
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    console = open_console(io.StringIO())
    assert "\x1b" not in to_ansi(console, diagnosis(overfit_run(), finding()))


def test_no_colour_with_no_color(monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    ansi = to_ansi(colour_console(), diagnosis(overfit_run(), finding()))
    assert "\x1b[31" not in ansi
    assert "\x1b[34" not in ansi
    assert "o val_loss" in ansi  # the curves are told apart all the same


def test_colour_on_a_terminal(monkeypatch):
    monkeypatch.delenv("NO_COLOR", raising=False)
    ansi = to_ansi(colour_console(), diagnosis(overfit_run(), finding()))
    assert "\x1b[1;31mexp7 (runs/log.csv): overfitting\x1b[0m" in ansi
    assert "\x1b[34m" in ansi


def test_a_terminal_of_no_columns_still_gets_its_report(monkeypatch):
    monkeypatch.setenv("COLUMNS", "0")
    shown = to_ansi(open_console(io.StringIO()), diagnosis(overfit_run(), finding()))
    assert "Validation loss rises" in shown
    assert max(map(len, shown.splitlines())) > 60


def test_hostile_name_is_shown_and_does_nothing(monkeypatch):
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    shown = to_ansi(open_console(io.StringIO()), diagnosis(overfit_run(run_id=HOSTILE), finding()))
    assert "[red]x[/red] \\x1b[2J\\x07\\u202e $x$ & \\udcff" in shown
    assert all(line.isprintable() for line in shown.splitlines())


@pytest.mark.parametrize(
    ("encoding", "colour", "glyphs"),
    [
        ("utf-8", True, BRAILLE),
        ("utf-8", False, BRAILLE_PLAIN),
        ("ascii", True, ASCII),
        ("cp1252", False, ASCII),
        ("no-such-encoding", False, ASCII),
    ],
)
def test_glyphs_follow_the_encoding(encoding, colour, glyphs):
    assert choose_glyphs(encoding, colour=colour) == glyphs


def test_undetermined_without_run_has_no_plot():
    text = render_terminal(undetermined(None, "no loss found"), width=80, glyphs=ASCII)
    assert text.plain == "run: undetermined\n  no loss found"
