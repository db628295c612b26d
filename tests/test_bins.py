"""Bins hold the mean, the lowest and the highest of their cells; between cells the mean runs straight."""

from __future__ import annotations

import numpy as np
import pytest

from curveclinic.measuring.measures import Cells, cells_of, no_cells
from curveclinic.model.bins import BINS, bins_of
from curveclinic.ragged import FloatArray, Ragged


def cells(*curves: tuple[object, object]) -> Cells:
    return cells_of(Ragged.from_list([(np.asarray(s, dtype=float), np.asarray(v, dtype=float)) for s, v in curves]))


def axis(first: float, last: float, n: int = 1) -> tuple[FloatArray, FloatArray]:
    return np.full(n, first), np.full(n, last)


def test_a_bin_with_several_cells_holds_their_mean_and_extremes() -> None:
    bins = bins_of(cells(([0, 1, 2, 128 * 10], [0.2, 0.6, 1.0, 0.4])), *axis(0, 1280))
    assert bins.curves[:, 0, 0].tolist() == pytest.approx([0.6, 0.2, 1.0])
    assert bins.curves[:, 0, -1].tolist() == pytest.approx([0.4, 0.4, 0.4])
    assert bins.presence[0, [0, 1, -2, -1]].tolist() == [1.0, 0.0, 0.0, 1.0]


def test_between_cells_the_mean_runs_straight_whatever_their_distances() -> None:
    steps = np.array([0.0, 3.0, 70.0, 128.0])
    values = np.array([1.0, 0.5, 0.9, 0.8])
    bins = bins_of(cells((steps, values)), *axis(0, BINS))
    empty = bins.presence[0] == 0
    assert empty.sum() == BINS - 4
    np.testing.assert_allclose(
        bins.curves[:, 0, empty], np.tile(np.interp(np.arange(BINS) + 0.5, steps, values)[empty], (3, 1))
    )


def test_outside_of_a_channel_its_ends_go_on() -> None:
    bins = bins_of(cells(([32, 64], [0.5, 1.0])), *axis(0, BINS))
    assert set(bins.presence[0, :32]) == set(bins.presence[0, 65:]) == {-1.0}
    assert set(bins.curves[:, 0, :32].ravel()) == {0.5}
    assert set(bins.curves[:, 0, 65:].ravel()) == {1.0}


def test_a_run_is_the_same_beside_others_and_an_absent_one_is_zero() -> None:
    one, other = (np.arange(300.0), np.linspace(1, 0.5, 300)), (np.arange(7.0) ** 2, 1 / np.arange(1.0, 8.0))
    together = bins_of(cells(other, ([], []), one), *axis(0, 299, 3))
    alone = bins_of(cells(one), *axis(0, 299))
    np.testing.assert_array_equal(together.curves[:, 2], alone.curves[:, 0])
    np.testing.assert_array_equal(together.presence[2], alone.presence[0])
    for bins, row in ((together, 1), (bins_of(no_cells(2), *axis(0, 1, 2)), 0)):
        assert not bins.curves[:, row].any()
        assert set(bins.presence[row]) == {-1.0}


@pytest.mark.parametrize("count", [100, 128, 150, 200, 300])
def test_bins_of_runs_that_share_their_steps_are_those_of_each_run_alone(count: int) -> None:
    steps, values = np.arange(count) * 3.0 + 1.0, np.random.default_rng(count).random((4, count))
    together = bins_of(cells(*((steps, row) for row in values)), *axis(1, steps[-1], 4))
    for k, row in enumerate(values):
        # beside a run with other steps the places are worked out run by run
        apart = bins_of(cells((steps, row), ([1.0, steps[-1]], [0.0, 1.0])), *axis(1, steps[-1], 2))
        np.testing.assert_array_equal(together.curves[:, k], apart.curves[:, 0])
        np.testing.assert_array_equal(together.presence[k], apart.presence[0])
