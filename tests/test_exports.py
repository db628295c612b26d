"""The public surface is a list, and README.md and docs/ document every name, label and command on it."""

import re
from pathlib import Path

import pytest

import curveclinic
from curveclinic import readers

ROOT = Path(__file__).parent.parent
README, NAMES, COMMANDS = ((ROOT / page).read_text() for page in ("README.md", "docs/python.md", "docs/cli.md"))
PUBLIC = [
    "LABELS",
    "Cohort",
    "CurveclinicError",
    "Diagnosis",
    "Finding",
    "InitialLoss",
    "InputError",
    "Label",
    "LikelyCause",
    "LogError",
    "LrRangeTest",
    "MissingExtraError",
    "OddRun",
    "Run",
    "SmallBatchTest",
    "Spread",
    "WeightsError",
    "check_initial_loss",
    "check_overfit_small_batch",
    "judge_cohort",
    "predict_pathology",
    "score_table",
    "suggest_lr",
]

OF_READERS = ["ReadFailure", "ReadOptions", "read_file", "read_runs"]


def test_all_is_the_documented_list() -> None:
    assert curveclinic.__all__ == PUBLIC


@pytest.mark.parametrize("name", PUBLIC)
def test_name_exists(name: str) -> None:
    assert getattr(curveclinic, name).__doc__


@pytest.mark.parametrize("name", OF_READERS)
def test_what_users_call_of_the_readers_exists(name: str) -> None:
    assert name in readers.__all__
    assert getattr(readers, name).__doc__


@pytest.mark.parametrize("name", [*PUBLIC, *OF_READERS])
def test_name_is_documented(name: str) -> None:
    assert re.search(rf"`[^`\n]*\b{name}\b[^`\n]*`|^.*\b{name}\b.*$(?=[^`]*```)", NAMES, re.M)


@pytest.mark.parametrize("label", curveclinic.LABELS)
def test_label_is_in_the_readme(label: str) -> None:
    assert f"`{label}`" in README


@pytest.mark.parametrize(
    "command",
    ["diagnose", "scan", "index", "explain", "cohort", "check lr-range", "check initial-loss", "check small-batch"],
)
def test_command_is_documented(command: str) -> None:
    assert f"curveclinic {command}" in COMMANDS


def test_version_is_the_packages() -> None:
    from importlib.metadata import version

    assert curveclinic.__version__ == version("curveclinic")
