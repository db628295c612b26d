import pytest
from output_cases import diagnosis, finding, overfit_run, undetermined

from curveclinic.commands.gate import Tally, known_label, merged, parse_gate, trips
from curveclinic.errors import InputError


@pytest.mark.parametrize(
    ("text", "gate"),
    [
        ("overfitting", {"overfitting": "notice"}),
        ("overfitting,divergence", {"overfitting": "notice", "divergence": "notice"}),
        ("overfitting,divergence:severe", {"overfitting": "severe", "divergence": "severe"}),
        ("overfitting:severe,divergence:mild", {"overfitting": "severe", "divergence": "mild"}),
        ("Overfitting,loss-spikes:mild", {"overfitting": "mild", "loss_spikes": "mild"}),
        (" overfitting:mild , non_finite ", {"overfitting": "mild", "non_finite": "notice"}),
        ("overfitting : mild", {"overfitting": "mild"}),
        ("overfitting:mild,overfitting:severe", {"overfitting": "mild"}),
    ],
)
def test_gate(text, gate):
    assert parse_gate(text) == gate


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("overfiting", "did you mean overfitting"),
        ("OVERFITING", "did you mean overfitting"),
        ("leak", "unknown label 'leak'"),
        ("qqq", "curveclinic explain"),
        ("healthy", "unknown label 'healthy'"),
        ("overfitting:sever", "unknown severity 'sever'; expected one of notice, mild, severe"),
        ("", "no label given"),
        (",", "no label given"),
        ("overfitting,,", "no label given in 'overfitting,,'; expected LABEL"),
        ("overfitting,", "no label given"),
        (":mild", "no label given"),
        ("overfitting:", "no severity given after a colon in 'overfitting:'; expected LABEL"),
        ("overfitting:,divergence", "no severity given"),
    ],
)
def test_gate_that_cannot_be_read(text, message):
    with pytest.raises(InputError, match=message):
        parse_gate(text)


def test_gates_together_fail_on_what_any_of_them_fails_on():
    gates = [{"overfitting": "severe", "divergence": "mild"}, {"overfitting": "mild"}, {"divergence": "severe"}]
    assert merged(gates) == {"overfitting": "mild", "divergence": "mild"}
    assert merged([]) == {}


def test_known_label():
    assert known_label("non_finite") == "non_finite"


def test_severity_at_or_above_the_gate_trips():
    d = diagnosis(overfit_run(), finding(severity="mild"))
    assert trips(d, {"overfitting": "notice"})
    assert trips(d, {"overfitting": "mild"})
    assert not trips(d, {"overfitting": "severe"})
    assert not trips(d, {"divergence": "notice"})
    assert not trips(d, {})


def test_exit_codes():
    tally = Tally({"overfitting": "notice"})
    assert tally.exit_code == 0
    tally.unreadable = 1
    assert tally.exit_code == 3
    tally.empty.append("folder")
    assert tally.exit_code == 2
    tally.add(diagnosis(overfit_run(), finding()))
    assert tally.exit_code == 1


def test_summary_ranks_labels_by_runs():
    tally = Tally({}, unreadable=2)
    tally.add(diagnosis(overfit_run()))
    tally.add(undetermined(None, "no loss"))
    tally.add(diagnosis(overfit_run(), finding(), finding("undertrained", severity="mild")))
    tally.add(diagnosis(overfit_run(), finding("undertrained", severity="severe")))
    assert tally.render().splitlines() == [
        "4 runs: 1 healthy, 2 with findings, 1 undetermined; 2 unreadable",
        "",
        "label                         runs     share    severe      mild    notice",
        "undertrained                     2     50.0%         1         1         0",
        "overfitting                      1     25.0%         1         0         0",
    ]
    assert Tally({}).render() == "0 runs: 0 healthy, 0 with findings, 0 undetermined; 0 unreadable"
