from dataclasses import replace

import pytest
from output_cases import HOSTILE, diagnosis, finding, overfit_run, undetermined

from curveclinic.causes import CAUSES, LikelyCause
from curveclinic.labels import LABELS
from curveclinic.phrases import printable
from curveclinic.report.text import (
    explain_all,
    explain_cause,
    explain_causes,
    explain_symptom,
    name,
    render_text,
    span_text,
)
from curveclinic.run import Run
from curveclinic.symptoms import SYMPTOMS


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain 1.5", "plain 1.5"),
        ("été 损失", "été 损失"),
        ("\x1b[2J", "\\x1b[2J"),
        ("a\x07b\x00c\x9bd", "a\\x07b\\x00c\\x9bd"),
        ("two\nlines\tand\r\n", "two lines and  "),
        ("\u202eevil", "\\u202eevil"),
        ("odd\udcff", "odd\\udcff"),
        ("a\u2028b", "a b"),
    ],
)
def test_printable(text, shown):
    assert printable(text) == shown
    assert printable(text).isprintable()


def test_printable_cuts_long_text():
    assert printable("x" * 50, 10) == "xxxxxxx..."
    assert printable("x" * 10, 10) == "x" * 10


def test_report_of_a_finding():
    d = diagnosis(overfit_run(), finding(), finding("loss_spikes", severity="mild", onset=3.0, end=1200.0))
    assert render_text(d) == str(d)
    assert render_text(d).splitlines() == [
        "exp7 (runs/log.csv): overfitting, loss_spikes",
        "",
        "  overfitting, severe, p=0.97, from step 30 on (network; rule agrees)",
        "    Validation loss rises from 0.41 at step 30 to 0.98.",
        "    likely: too many steps",
        "    try:    stop at step 30",
        "",
        "  loss_spikes, mild, p=0.97, steps 3 to 1,200 (network; rule agrees)",
        "    Validation loss rises from 0.41 at step 30 to 0.98.",
        "    likely: too many steps",
        "    try:    stop at step 30",
        "",
        "  Not checked: metric_mismatch (no metric is logged); exploding_gradients (grad_norm is not logged)",
    ]


def test_learnt_causes_stand_once_below_the_findings():
    likely = (
        LikelyCause("model_too_small", "model too small", 0.604, ("take a larger one",)),
        LikelyCause("label_noise", "noisy labels", 0.2, ("clean them",)),
    )
    lines = render_text(replace(diagnosis(overfit_run(), finding()), likely_causes=likely)).splitlines()
    assert lines[4:6] == ["    try:    stop at step 30", ""]
    assert lines[6:9] == ["  Likely causes:", "    60 %  model too small", "    20 %  noisy labels"]
    assert not any("likely: " in line for line in lines)


def test_explanation_of_a_cause():
    text = explain_cause(CAUSES["leak"])
    assert text.splitlines()[:4] == ["leak: validation samples in the training set", "", "Symptoms",
                                     "  val_below_train, train_stalled_val_falls"]  # fmt: skip
    assert all(remedy in " ".join(text.split()) for remedy in CAUSES["leak"].remedies)
    assert CAUSES["leak"].source in " ".join(text.split())


def test_list_of_causes():
    assert [line.split()[0] for line in explain_causes().splitlines()] == list(CAUSES)


def test_report_of_a_healthy_run():
    lines = render_text(diagnosis(overfit_run(path=""), message="read as csv")).splitlines()
    assert lines[:2] == ["exp7: healthy", "  read as csv"]


def test_report_of_an_undetermined_run_without_a_run():
    assert render_text(undetermined(None, "no loss; found 'acc'")) == "run: undetermined\n  no loss; found 'acc'"


def test_long_text_is_wrapped_not_cut():
    d = diagnosis(overfit_run(), finding(evidence="word " * 100))
    assert max(map(len, render_text(d).splitlines())) <= 100
    assert render_text(d).count("word") == 100


def test_hostile_text_cannot_steer_a_terminal():
    run = overfit_run(run_id=HOSTILE, path="runs/\x1b]0;owned\x07")
    text = render_text(diagnosis(run, finding(evidence="tag \x1b[31m"), message="column \x1b[2J\n\nfake line"))
    assert all(line.isprintable() for line in text.splitlines())
    assert "\\x1b[2J" in text
    assert text.splitlines()[1] == "  column \\x1b[2J  fake line"


def test_name():
    channels = {"train_loss": [1.0, 2.0]}
    named = [("a", ""), ("", "x/log.csv"), ("x/log.csv", "x/log.csv"), ("lr=1", "x/log.csv"), ("", "")]
    shown = [name(diagnosis(Run.from_arrays(channels, run_id=i, path=p))) for i, p in named]
    assert shown == ["a", "x/log.csv", "x/log.csv", "lr=1 (x/log.csv)", "run"]


def test_span_text():
    assert span_text(finding(onset=None)) == ""
    assert span_text(finding(onset=12.0)) == "from step 12 on"
    assert span_text(finding(onset=12.0, end=12.0)) == "at step 12"
    assert span_text(finding(onset=1200.0, end=3.5)) == "steps 1,200 to 3.5"


@pytest.mark.parametrize("label", LABELS)
def test_explanation_holds_the_whole_entry(label):
    symptom = SYMPTOMS[label]
    text = explain_symptom(symptom)
    words = " ".join(text.split())
    assert text.splitlines()[0] == f"{symptom.code} {label}: {symptom.title}"
    for part in (symptom.looks, symptom.means, symptom.source, *symptom.mimics, *symptom.causes, *symptom.remedies):
        assert part in words.replace(" - ", " ") or part in words
    assert max(map(len, text.splitlines())) <= 100


def test_explanation_names_the_channels_it_needs():
    lines = explain_symptom(SYMPTOMS["metric_mismatch"]).splitlines()
    assert lines[lines.index("Needs") + 1] == "  train_loss or val_loss, and train_metric or val_metric"


def test_list_of_labels():
    lines = explain_all().splitlines()
    assert [line.split()[1] for line in lines] == list(LABELS)
    assert lines[6] == "CC107  non_finite               NaN or Inf"
