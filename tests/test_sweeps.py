import numpy as np
import pytest
from doors import verdicts

from curveclinic.deciding.sweeps import notes_of_sweeps, sweep_notes
from curveclinic.ragged import Ragged

N = 60
TEST = np.geomspace(1e-5, 10, N)
NOTE = "lr rises from 1e-05 to 10 all along, as in a range test; `curveclinic check lr-range` reads one"


def losses():
    """A range test: flat, a fall, a blow-up."""
    place = np.linspace(0, 1, N)
    return 2.3 - 1.8 / (1 + np.exp(-25 * (place - 0.55))) + np.where(place > 0.85, 60 * (place - 0.85), 0)


def test_a_range_test_is_told_by_every_door(tmp_path):
    said = verdicts({"train_loss": losses().tolist(), "lr": TEST.tolist()}, tmp_path)
    assert {message for _, _, message in said.values()} == {NOTE}


@pytest.mark.parametrize(
    "rates",
    [
        np.linspace(1e-6, 1e-2, N),  # a linear warm-up that is still going
        np.r_[np.linspace(1e-6, 1e-2, 10), np.full(50, 1e-2)],
        np.r_[TEST[:50], TEST[39:49]],
        np.geomspace(1e-3, 1e-1, N),
        TEST[::-1],
        TEST[:: N // 8],
        np.r_[0.0, TEST],
        np.full(N, np.nan),
        np.r_[TEST[:-5], np.nan, TEST[-4:]],
    ],
)
def test_schedules_are_no_range_tests(rates):
    assert sweep_notes(rates) == ()


@pytest.mark.parametrize(("power", "is_sweep"), [(1, False), (2, False), (3, False), (4, True), (8, True)])
def test_a_warm_up_that_eases_in_has_come_further_by_half_time_than_a_sweep(power, is_sweep):
    rates = 1e-6 + 1e-2 * np.linspace(0, 1, N) ** power
    assert bool(sweep_notes(rates)) == is_sweep


def test_of_many_runs_each_has_its_own_note():
    axis = np.arange(1.0, N + 1)
    none = np.empty(0)
    lr = [(none, none), (axis, TEST), (axis, TEST[::-1]), (axis[:3], TEST[[0, 1, -1]]), (axis, TEST), (none, none)]
    assert notes_of_sweeps(Ragged.from_list(lr)) == {1: (NOTE,), 4: (NOTE,)}
    assert notes_of_sweeps(Ragged.from_list([(none, none)])) == {}
