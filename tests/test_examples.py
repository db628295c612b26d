"""The example runs: every log is read in full, healthy ones raise no alarm, clear faults are found.

The manifest holds what `examples/make_examples.py` logged; when the examples change, that script rewrites it.
"""

import json
import warnings
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from curveclinic import Diagnosis, Run
from curveclinic.labels import LABELS
from curveclinic.predict import predict_runs
from curveclinic.readers import ReadFailure, read_runs

ROOT = Path(__file__).parent.parent
EXAMPLES = ROOT / "examples"
MANIFEST = json.loads((ROOT / "tests" / "examples_manifest.json").read_text())
EXPECTED = json.loads((EXAMPLES / "expected.json").read_text())
HEALTHY = [name for name, labels in EXPECTED.items() if not labels["present"]]
FAULTS = [(name, label) for name, labels in EXPECTED.items() for label in labels["present"]]

MISJUDGED: dict[tuple[str, str], str] = {
    ("adding-rnn", "oscillation"): "bursts of exploding gradients, each come down from in turn, look like swings",
}
"""(example, label) that the shipped classifier gets wrong, and how; one that turns right fails here until taken out."""


def known(name: str, label: str) -> pytest.ParameterSet:
    """The case as a parameter, marked where it is known to be misjudged."""
    reason = MISJUDGED.get((name, label))
    return pytest.param(name, label, marks=[pytest.mark.xfail(reason=reason)] if reason else [])


@cache
def read_examples() -> dict[str, Run]:
    """Example name -> run; a run of the Parquet file goes by folder and its own name."""
    runs: dict[str, Run] = {}
    for folder in sorted({entry["folder"] for entry in MANIFEST.values()}):
        for item in read_runs([EXAMPLES / folder]):
            assert isinstance(item, Run), item
            member = item.run_id.rpartition("#")[2]
            runs[f"{folder}/{member}" if f"{folder}/{member}" in MANIFEST else folder] = item
    return runs


@cache
def diagnose_examples() -> dict[str, Diagnosis]:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*rules")
        return dict(zip(read_examples(), predict_runs(list(read_examples().values())), strict=True))


def test_every_example_is_a_run() -> None:
    assert set(read_examples()) == set(MANIFEST) == set(EXPECTED)


def test_scan_of_the_whole_folder_reads_nothing_else() -> None:
    found = list(read_runs([EXAMPLES]))
    assert [item for item in found if isinstance(item, ReadFailure)] == []
    assert len(found) == len(MANIFEST)


def test_a_third_is_healthy_and_formats_differ() -> None:
    assert len(HEALTHY) >= len(MANIFEST) / 3
    assert len({run.format for run in read_examples().values()}) >= 6


@pytest.mark.parametrize("name", MANIFEST)
def test_channels_are_read_in_full(name: str) -> None:
    run, logged = read_examples()[name], MANIFEST[name]["channels"]
    assert set(logged) <= set(run.channels)
    for channel, expected in logged.items():
        values = run.channels[channel].values
        assert len(values) == expected["points"], channel
        # Event files hold 32-bit floats.
        np.testing.assert_allclose(values[[0, -1]], [expected["first"], expected["last"]], rtol=1e-6, err_msg=channel)


@pytest.mark.parametrize("name", MANIFEST)
def test_train_and_val_share_one_axis(name: str) -> None:
    train, val = (read_examples()[name].channels[c].steps for c in ("train_loss", "val_loss"))
    assert 0.9 <= val[-1] / train[-1] <= 1.1


@pytest.mark.parametrize(("name", "label"), [known(name, label) for name in HEALTHY for label in LABELS])
def test_healthy_run_raises_no_alarm(name: str, label: str) -> None:
    findings = diagnose_examples()[name].findings
    assert label not in {finding.label for finding in findings if finding.severity != "notice"}


@pytest.mark.parametrize("name", [name for name in HEALTHY if name not in {misjudged for misjudged, _ in MISJUDGED}])
def test_healthy_run_is_healthy(name: str) -> None:
    assert diagnose_examples()[name].is_healthy


@pytest.mark.parametrize(("name", "label"), [known(*case) for case in FAULTS])
def test_clear_fault_is_found(name: str, label: str) -> None:
    assert label in diagnose_examples()[name].labels


@pytest.mark.parametrize(
    ("name", "label"),
    [known(name, label) for name in EXPECTED if name not in HEALTHY for label in EXPECTED[name]["absent"]],
)
def test_absent_label_is_not_reported(name: str, label: str) -> None:
    diagnosis = diagnose_examples()[name]
    assert label not in {finding.label for finding in diagnosis.findings if finding.severity != "notice"}
