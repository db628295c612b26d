import numpy as np
import pytest
from output_cases import NASTY_CURVES

from curveclinic.points import Series
from curveclinic.report.axis import Axis, axes, non_finite_places, number, span, strokes
from curveclinic.run import Run


def series(values):
    return Series(np.arange(1.0, len(values) + 1), np.array(values, dtype=float))


def test_linear_axis_maps_its_ends_to_0_and_1():
    axis = Axis.over([np.array([2.0, 4.0, np.nan, np.inf])])
    assert axis == Axis(2.0, 4.0)
    assert axis.fraction(np.array([2.0, 3.0, 4.0, 9.0])).tolist() == [0.0, 0.5, 1.0, 1.0]


def test_log_only_where_allowed_and_needed():
    decades = [np.array([0.01, 10.0])]
    assert Axis.over(decades, allow_log=True) == Axis(0.01, 10.0, log=True)
    assert not Axis.over(decades).log
    assert not Axis.over([np.array([1.0, 29.0])], allow_log=True).log
    assert not Axis.over([np.array([-1.0, 1000.0])], allow_log=True).log


def test_zero_on_a_log_axis_is_drawn_at_the_smallest_positive_value():
    axis = Axis.over([np.array([0.0, 0.1, 100.0])], allow_log=True)
    assert axis.low == 0.1
    assert axis.fraction(np.array([0.0, 0.1])).tolist() == [0.0, 0.0]


def test_an_axis_from_zero_leaves_logarithms_alone():
    low = [axes([series(values)], from_zero=True)[1].low for values in ([3.0, 2.9], [-1.0, 2.0], [3.0, 0.003])]
    assert low == [0.0, -1.0, 0.003]


def test_ticks():
    assert Axis(0.0, 1.0).ticks(5) == [(0.0, "0"), (0.5, "0.5"), (1.0, "1")]
    assert [text for _, text in Axis(0.0, 1.0).ticks(6)] == ["0", "0.2", "0.4", "0.6", "0.8", "1"]
    assert [text for _, text in Axis(0.05, 20.0, log=True).ticks(4)] == ["0.1", "1", "10"]
    assert [text for _, text in Axis(0.0, 100_000.0).ticks(6)][-1] == "100,000"
    assert [text for _, text in Axis(1e-30, 1e30, log=True).ticks(4)] == ["1e-30", "1e-14", "100", "1e+18"]


@pytest.mark.parametrize("values", NASTY_CURVES.values(), ids=NASTY_CURVES)
def test_any_curve_gets_usable_axes(values):
    x, y = axes([series(values)])
    for axis, data in ((x, series(values).steps), (y, series(values).values)):
        assert axis.low < axis.high
        place = axis.fraction(data[np.isfinite(data)])
        assert np.all((place >= 0) & (place <= 1))
        ticks = axis.ticks(5)
        assert 1 <= len(ticks) <= 5
        assert all(0 <= place <= 1 for place, _ in ticks)
        assert len({text for _, text in ticks}) == len(ticks)


def test_strokes_break_at_non_finite_values():
    one = series([1, 2, np.nan, 3, np.inf, 4, 5])
    x, _ = axes([one])
    assert [s.tolist() for s in strokes(one, x, 100)] == [[0, 1], [3], [5, 6]]
    assert non_finite_places([one], x, 6) == pytest.approx([2 / 6, 4 / 6])


def test_thinning_keeps_spikes_and_ends():
    values = np.ones(100_000)
    values[31_415], values[70_000] = 50.0, -50.0
    one = series(values)
    (kept,) = strokes(one, axes([one])[0], 300)
    assert len(kept) <= 602
    assert {0, 31_415, 70_000, 99_999} <= set(kept.tolist())


def test_strokes_of_nothing():
    assert strokes(series([np.nan]), Axis(0, 1), 10) == []


def test_span():
    x = Axis(0.0, 100.0)
    assert span(None, None, x) is None
    assert span(25.0, None, x) == (0.25, 1.0)
    assert span(25.0, 50.0, x) == (0.25, 0.5)
    assert span(-5.0, 500.0, x) == (0.0, 1.0)
    assert span(50.0, 40.0, x) == (0.5, 0.5)


def test_number():
    assert [number(v) for v in (1200.0, 2.5, 1e20, 0.0)] == ["1,200", "2.5", "1e+20", "0"]


def test_axes_of_a_run():
    run = Run.from_arrays({"train_loss": ([0, 50], [1.0, 2.0]), "val_loss": ([0, 100], [1.0, 3.0])})
    assert axes(list(run.channels.values())) == (Axis(0.0, 100.0), Axis(1.0, 3.0))


def test_thinning_keeps_the_first_of_equal_lows_and_the_last_of_equal_highs():
    one = series([1, 2] * 100)
    x, _ = axes([one])
    (kept,) = strokes(one, x, 2)
    assert kept.tolist() == [0, 99, 100, 199]
