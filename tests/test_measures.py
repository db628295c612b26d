from itertools import pairwise

import numpy as np
import pytest

from curveclinic.measuring.jumps import jumps_of
from curveclinic.measuring.layout import Layout
from curveclinic.measuring.measures import CELLS, cells_of, segment_max, segment_min, smooth, view_of
from curveclinic.measuring.medians import median3, median5, neighbours, running_median, wide_median
from curveclinic.measuring.periods import autocorrelation_peak, quarter_levels
from curveclinic.measuring.smoothing import (
    StepAxis,
    even_grid,
    masked_quantile,
    moving_mean,
    reduced_from,
    resample,
    row_extremes,
    rows_of,
    swap_losses,
    windowed,
    windows,
    windows_of,
)
from curveclinic.ragged import Ragged, offsets_of, places


def ragged(*curves):
    return Ragged.from_list([(np.arange(1.0, len(c) + 1), np.asarray(c, dtype=float)) for c in curves])


def white(n, seed=0):
    return np.random.default_rng(seed).normal(size=n)


def test_segment_extremes_of_an_empty_run_are_nan():
    r = ragged([3.0, 1.0], [], [2.0])
    np.testing.assert_array_equal(segment_max(r.values, r.offsets), [3.0, np.nan, 2.0])
    np.testing.assert_array_equal(segment_min(r.values, r.offsets), [1.0, np.nan, 2.0])


def test_view_is_logarithmic_only_for_positive_curves_that_span_decades():
    _, log, scale = view_of(ragged([100.0, 1.0], [20.0, 1.0], [100.0, 0.0], [100.0, -1.0], [0.0, 0.0]))
    assert log.tolist() == [True, False, False, False, False]
    assert scale.tolist() == [1.0, 20.0, 100.0, 100.0, 1.0]


def test_view_values():
    values, _, _ = view_of(ragged([np.e**4, 1.0], [-4.0, 2.0]))
    np.testing.assert_allclose(values, [4.0, 0.0, -1.0, 0.5])


def test_short_runs_keep_every_point():
    cells = cells_of(ragged([3.0, 2.0, 1.0], [5.0]))
    assert cells.size.tolist() == [3, 1]
    np.testing.assert_allclose(cells.mean[0, :4] * cells.scale[0], [3.0, 2.0, 1.0, 1.0])
    assert cells.steps[0, [0, 1, 2, -1]].tolist() == [1.0, 2.0, 3.0, 3.0]


def test_cells_of_a_long_run_hold_mean_low_and_high_of_equal_counts():
    values = np.arange(4 * CELLS, dtype=float)
    cells = cells_of(ragged(values))
    folded = values.reshape(CELLS, 4)
    top = values.max()
    np.testing.assert_allclose(cells.mean[0] * top, folded.mean(axis=1))
    np.testing.assert_allclose(cells.low[0] * top, folded.min(axis=1))
    np.testing.assert_allclose(cells.high[0] * top, folded.max(axis=1))
    assert cells.steps[0, 0] == 1.0
    assert cells.steps[0, -1] == 4 * CELLS


@pytest.mark.parametrize("counts", [(5, 40), (90, 200, 128), (300, 7, 0, 1000, 200), (257, 258)])
def test_cells_of_runs_together_are_those_of_each_run_alone(counts):
    curves = [white(count, count) for count in counts]
    together = cells_of(ragged(*curves))
    for i, curve in enumerate(curves):
        alone = cells_of(ragged(curve))
        for name in ("mean", "low", "high", "steps", "noise", "cell_noise"):
            np.testing.assert_array_equal(getattr(together, name)[i], getattr(alone, name)[0], err_msg=name)


def test_non_finite_points_are_left_out():
    cells = cells_of(ragged([4.0, np.nan, 2.0, np.inf, 1.0]))
    assert cells.count.tolist() == [3]
    np.testing.assert_allclose(cells.mean[0, :3], [1.0, 0.5, 0.25])
    assert cells.steps[0, :3].tolist() == [1.0, 3.0, 5.0]


def test_an_absent_run_is_all_zeros_beside_others():
    cells = cells_of(ragged([1.0, 2.0, 3.0], []))
    assert cells.size.tolist() == [3, 0]
    assert not cells.mean[1].any()
    assert not cells.real[1].any()


@pytest.mark.parametrize("count", [60, 128, 400, 5000])
def test_noise_is_the_standard_deviation_whatever_the_trend(count):
    trend = 3.0 * np.exp(-6 * np.linspace(0, 1, count))
    cells = cells_of(ragged(*[trend + 2 + 0.1 * white(count, seed) for seed in range(20)]))
    measured = np.median(cells.noise * cells.scale)
    assert 0.065 < measured < 0.12


def test_a_clean_curve_has_no_noise_however_steep():
    assert cells_of(ragged(10 * 0.5 ** np.arange(12))).noise[0] < 1e-12


def test_spikes_are_no_noise():
    values = np.full(21, 1.5)
    values[[4, 9, 12, 17]] += 2
    assert cells_of(ragged(values)).noise[0] < 1e-9


def test_smooth_keeps_a_clean_curve_and_its_lowest_point():
    values = np.concatenate([np.linspace(2, 1, 10), [0.5], np.linspace(1, 1.5, 10)])
    np.testing.assert_allclose(smooth(cells_of(ragged(values)))[0, :21] * 2, values)


def test_smooth_cuts_an_upward_spike():
    values = np.linspace(2, 1, 30)
    values[15] = 9.0
    assert smooth(cells_of(ragged(values)))[0, :30].max() * 9 < 2.001


def test_small_medians_agree_with_numpy():
    x = white(500).reshape(5, 100)
    windows = np.lib.stride_tricks.sliding_window_view
    np.testing.assert_array_equal(median3(x, neighbours(x))[:, 1:-1], np.median(windows(x, 3, axis=1), axis=2))
    fives = median5(x, neighbours(x), median3(x, neighbours(x)))
    np.testing.assert_array_equal(fives[:, 2:-2], np.median(windows(x, 5, axis=1), axis=2))


def _running_median(row, size):
    pairs = neighbours(row)
    return running_median(row, np.array([size]), pairs, median3(row, pairs))


def test_running_median_never_looks_past_the_last_real_cell():
    row = np.concatenate([np.arange(20.0)[::-1], np.full(CELLS - 20, 0.0)])[None, :]
    np.testing.assert_array_equal(_running_median(row, 20), row)
    short = np.concatenate([[5.0, 0.0, 5.0, 0.0], np.zeros(CELLS - 4)])[None, :]
    np.testing.assert_array_equal(_running_median(short, 4), short)


def test_wide_median_removes_what_lasts_up_to_five_cells():
    row = np.ones((1, CELLS))
    row[0, 60:65] = 7.0
    np.testing.assert_array_equal(wide_median(row, np.array([CELLS])), np.ones((1, CELLS)))


def test_moving_mean_of_mixed_and_uniform_rows_is_the_same():
    x = white(2 * CELLS).reshape(2, CELLS)
    size = np.array([CELLS, CELLS])
    mixed = moving_mean(x, np.array([6, 3]), size)
    np.testing.assert_allclose(moving_mean(x, np.array([6, 6]), size)[0], mixed[0])
    np.testing.assert_allclose(mixed[0, 50], x[0, 44:57].mean())
    np.testing.assert_array_equal(moving_mean(x, np.array([0, 3]), size)[0], x[0])


def test_windows_of_rows_are_made_once_for_each_half_and_size():
    half, size = np.array([3, 1, 3, 15, 1]), np.array([20, 9, 20, CELLS, CELLS])
    for found, wanted in zip(
        windows_of(CELLS, half, size), windows(CELLS, half[:, None], size[:, None]), strict=True
    ):  # fmt: skip
        np.testing.assert_array_equal(found, wanted)
    assert [len(one) for one in windows_of(CELLS, half[[0, 2]], size[[0, 2]])] == [1, 1, 1]


def test_runs_that_share_their_steps_share_one_axis():
    curves, uneven = white(3 * 60).reshape(3, 60), np.arange(60.0) ** 1.5
    steps = np.concatenate([np.arange(60.0), 2 + np.arange(60.0), uneven])
    apart = cells_of(Ragged(steps, curves.ravel(), np.arange(4) * 60))
    assert [len(apart.distinct_steps), len(apart.part(0, 1).distinct_steps)] == [3, 1]
    for own in (np.arange(60.0), uneven):
        shared = cells_of(Ragged(np.tile(own, 3), curves.ravel(), np.arange(4) * 60))
        assert len(shared.axis.size) == 1
        grid = np.linspace(-1.0, 70.0, 50)[None, :]
        wanted = [np.interp(grid[0], own, curve) for curve in shared.mean[:, :60]]
        np.testing.assert_allclose(shared.at(grid), wanted, atol=1e-12)
        np.testing.assert_array_equal(shared.at(grid.repeat(3, axis=0)), shared.at(grid))
        evened = [np.interp(np.linspace(0, own[-1], CELLS), own, curve) for curve in shared.mean[:, :60]]
        np.testing.assert_allclose(shared.axis.evened(shared.mean), evened, atol=1e-12)


def test_rows_of_cells_that_are_all_even_are_left_alone():
    even, uneven = np.arange(float(CELLS)), np.arange(float(CELLS)) ** 2
    values = white(2 * CELLS).reshape(2, CELLS)
    out = StepAxis.of(np.array([even, uneven]), np.array([CELLS, CELLS])).evened(values)
    np.testing.assert_array_equal(out[0], values[0])
    np.testing.assert_allclose(out[1], np.interp(np.linspace(0, uneven[-1], CELLS), uneven, values[1]))


def test_resample_interpolates_uneven_steps():
    steps = np.concatenate([[0.0, 1.0, 10.0], np.full(CELLS - 3, 10.0)])[None, :]
    values = np.concatenate([[0.0, 1.0, 2.0], np.full(CELLS - 3, 2.0)])[None, :]
    out = resample(steps, values, np.array([3]), np.array([[-5.0, 0.5, 1.0, 5.5, 10.0, 99.0]]))
    np.testing.assert_allclose(out[0], [0.0, 0.5, 1.0, 1.5, 2.0, 2.0])


def test_even_grid():
    np.testing.assert_allclose(even_grid(np.array([1.0]), np.array([5.0]), 5), [[1, 2, 3, 4, 5]])


def test_other_exchanges_the_two_losses_of_every_run():
    assert swap_losses(np.array([1, 2, 3, 4])).tolist() == [3, 4, 1, 2]


def test_extremes_of_rows_are_nan_where_a_value_is():
    low, high = row_extremes(np.array([[2.0, -1.0, 3.0], [1.0, np.nan, 0.0]]))
    np.testing.assert_array_equal(low, [-1.0, np.nan])
    np.testing.assert_array_equal(high, [3.0, np.nan])


def test_rows_are_reduced_from_a_column_of_their_own():
    values = np.array([[0.0, 5.0, 2.0], [7.0, 1.0, 3.0], [4.0, 6.0, 9.0]])
    assert reduced_from(np.minimum, values, np.array([1, 0, 2])).tolist() == [2.0, 1.0, 9.0]
    assert reduced_from(np.maximum, values, np.array([2, 1, 0])).tolist() == [2.0, 3.0, 9.0]
    assert reduced_from(np.minimum, values[:0], np.array([], dtype=np.int64)).tolist() == []


def test_masked_quantile_of_nothing_is_zero():
    values = np.array([[3.0, 1.0, 2.0], [1.0, 1.0, 1.0]])
    mask = np.array([[True, True, True], [False, False, False]])
    assert masked_quantile(values, mask, 0.5).tolist() == [2.0, 0.0]


def test_jumps_are_counted_once_and_ringing_is_none():
    base = np.linspace(2.0, 1.0, 100)
    spiky = base.copy()
    spiky[[30, 31, 70]] += 2.0
    ringing = base + 0.8 * np.abs(np.sin(np.arange(100) * 1.2)) * np.exp(-np.arange(100) / 40)
    jumps = jumps_of(cells_of(ragged(spiky, base, ringing)))
    assert jumps.count.tolist() == [2, 0, 0]
    assert np.flatnonzero(jumps.hit[0]).tolist() == [30, 31, 70]


def test_a_level_that_does_not_come_back_is_no_jump():
    assert jumps_of(cells_of(ragged(np.repeat([1.0, 3.0], 40)))).count.tolist() == [0]


def test_a_steep_start_of_a_long_run_is_no_jump():
    curve = 0.1 + 3 * np.exp(-np.arange(5000) / 15)
    assert jumps_of(cells_of(ragged(curve))).size[0] < 0.5


@pytest.mark.parametrize(("count", "period"), [(120, 10), (600, 25), (9000, 50)])
def test_period_is_found(count, period):
    wave = np.sin(2 * np.pi * np.arange(count) / period) + 0.3 * white(count)
    strength, found = autocorrelation_peak(ragged(3 + 0.2 * wave))
    assert strength[0] > 0.7
    assert found[0] == pytest.approx(period, rel=0.1)


def test_noise_has_no_period():
    strength, _ = autocorrelation_peak(ragged(*[2 + 0.1 * white(300, seed) for seed in range(20)]))
    assert strength.max() < 0.35


@pytest.mark.parametrize("periods", [16.0, 21.3, 80.0])
def test_quarters_have_a_level_that_waves_leave_alone_and_trends_do_not(periods):
    place = (np.arange(1600) + 0.5) / 1600
    wave = np.sin(2 * np.pi * periods * place + 1.0)
    levels, error = quarter_levels(ragged(3 + wave, 3 + wave - 0.4 * place), np.full(2, 1600 / periods))
    np.testing.assert_allclose(levels[0], 3.0, atol=1 / (np.pi * (periods / 4) ** 3))
    np.testing.assert_allclose(levels[1] - levels[0], [-0.05, -0.15, -0.25, -0.35], atol=1e-6)
    assert (error < 0.06).all()


def test_the_error_of_quarters_is_that_of_the_noise_about_the_pattern():
    wave = np.sin(2 * np.pi * np.arange(1600) / 20)
    levels, error = quarter_levels(ragged(*[3 + wave + 0.3 * white(1600, seed) for seed in range(50)]), np.full(50, 20))
    np.testing.assert_allclose(error, 0.3 * np.sqrt(1.5 / 400), rtol=0.1)
    assert levels.std() == pytest.approx(error.mean(), rel=0.2)


def test_points_of_chosen_runs():
    lengths = np.array([2, 0, 3])
    np.testing.assert_array_equal(offsets_of(lengths), [0, 2, 2, 5])
    np.testing.assert_array_equal(places(np.array([4, 9, 0]), lengths), [4, 5, 0, 1, 2])
    assert len(places(np.array([], dtype=np.int64), np.array([], dtype=np.int64))) == 0


def test_windows_by_size_are_those_of_each_row():
    values = np.random.default_rng(0).normal(size=(CELLS, CELLS))
    size = np.arange(1, CELLS + 1)
    every = np.arange(CELLS + 1)
    half = np.maximum(every // 6, 1)
    tables = windows(CELLS, half[:, None], every[:, None])
    np.testing.assert_array_equal(windowed(values, *rows_of(tables, size)), moving_mean(values, half[size], size))


@pytest.mark.parametrize("lengths", [[5, 128, 0], [129, 256, 255], [257, 1000], [0, 7, 200, 3000, 130, 300]])
def test_cells_of_any_length_hold_nearly_equal_counts(lengths):
    offsets = offsets_of(np.array(lengths))
    values = np.random.default_rng(0).normal(size=offsets[-1])
    layout = Layout.of(offsets, np.array(lengths), CELLS)
    mean, low, high = layout.summary(values)
    np.testing.assert_array_equal(layout.means(values), mean)
    for row, length in enumerate(lengths):
        own = values[offsets[row] : offsets[row + 1]] if length else np.zeros(1)
        if length > CELLS:
            edges = np.arange(CELLS + 1) * length // CELLS
            cells = [own[a:b] for a, b in pairwise(edges)]
        else:
            cells = [own[[min(k, len(own) - 1)]] for k in range(CELLS)]
        for found, told in ((mean, np.mean), (low, np.min), (high, np.max)):
            np.testing.assert_allclose(found[row], [told(cell) for cell in cells], rtol=1e-12)
