"""The parts of benchmarks/range_test.py that no training is needed for."""

import csv
from pathlib import Path

import numpy as np
import pytest
import range_test
from range_test import RATES, TRAINED, Case

ROOT = Path(__file__).parent.parent

SWEPT = 2.3 * (1 - 0.5 / (1 + np.exp(-3 * np.log10(RATES / 1e-3)))) + 10 ** (1.5 * np.log10(RATES / 1e-1))


def case(best, losses=SWEPT):
    return Case(losses, 0.1 + np.log10(TRAINED / best) ** 2)


def test_the_longest_valley_is_entered_to_its_middle():
    losses = np.concatenate([np.full(40, 2.0), np.linspace(1.99, 1.0, 30), np.full(30, 9.0)])
    assert range_test.longest_valley(losses) == RATES[38 + 10 + 5]  # 31 points from the last of the plateau on


def test_regret_is_one_at_the_best_rate_and_a_ratio_elsewhere():
    best = TRAINED[10]
    assert range_test.regret(case(best), best) == pytest.approx(1.0)
    there = case(best).ends[14] + range_test.EASED
    assert range_test.regret(case(best), TRAINED[14]) == pytest.approx(there / (0.1 + range_test.EASED))


def test_what_is_said_of_the_suggestion_is_what_was_measured():
    with (ROOT / "benchmarks" / "results" / "range_test.csv").open(newline="") as file:
        found = {(r["rule"], r["measure"]): r for r in csv.DictReader(file)}
    ours = found["suggest_lr", "regret, geometric mean"]
    page = " ".join((ROOT / "docs" / "cli.md").read_text().split())
    assert f"is {ours['value']} times the best one ({ours['n']} tests, geometric mean)" in page


def test_useless_tests_are_counted_and_not_scored():
    flat = Case(np.full(100, 2.3), np.full(25, 2.3))
    rows = {(r["rule"], r["measure"]): r for r in range_test.rows_of([case(1e-3), flat, case(1e-3, np.full(100, 2.3))])}
    assert rows["suggest_lr", "regret, median"]["n"] == 1
    assert rows["suggest_lr", "regret, median"]["value"] == pytest.approx(1.0, abs=0.1)
    assert rows["suggest_lr", "called useless"]["value"] == pytest.approx(2 / 3)
    assert rows["suggest_lr", "of these, some rate learns"]["value"] == 0.5
