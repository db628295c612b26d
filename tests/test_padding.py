"""NaN or 0 that pads rows is no loss, by whatever door it came; one that may be real is always a finding."""

import numpy as np
import pytest
from doors import diagnoses, verdicts

from curveclinic import predict_pathology
from curveclinic.padding import settled
from curveclinic.run import Run

NAN = float("nan")
N = 100
TRAIN = 2 * np.exp(-np.arange(N) / 20) + 0.1 + 0.01 * np.random.default_rng(0).standard_normal(N)
VAL = TRAIN + 0.02


def padded(values, rows):
    """NaN but for some rows."""
    out = np.full(len(values), NAN)
    out[rows] = values[rows]
    return out


def columns(train=TRAIN, val=VAL, **others):
    return {
        "step": list(range(1, N + 1)),
        "train_loss": np.asarray(train).tolist(),
        "val_loss": np.asarray(val).tolist(),
    } | others


VAL_ROWS = np.arange(4, N, 5)
IN_TURN = np.zeros(N, dtype=bool)
IN_TURN[[*range(3, N, 7), 50, 51, 97]] = True
"""Rows of validation written between those of train, at no stride."""

PADDED = {
    "every fifth row": columns(val=padded(VAL, VAL_ROWS)),
    "from the first row": columns(val=padded(VAL, np.arange(0, N, 9))),
    "an odd last point": columns(val=padded(VAL, [*range(9, 90, 10), 95])),
    "the stride skips the first row": columns(val=padded(VAL, np.arange(10, N, 10))),
    "rows in turn": columns(train=padded(TRAIN, ~IN_TURN), val=padded(VAL, IN_TURN)),
    "a metric, too": columns(val=padded(VAL, VAL_ROWS), val_acc=padded(1 - VAL, VAL_ROWS).tolist()),
}


@pytest.mark.parametrize("given", PADDED.values(), ids=PADDED)
def test_padding_is_no_nan_loss(given, tmp_path):
    said = verdicts(given, tmp_path)
    assert "non_finite" not in {label for _, labels, _ in said.values() for label in labels}
    noted = {message for door, (_, _, message) in said.items() if door != "pandas"}  # a frame of pandas is no surprise
    (message,) = noted
    assert "NaN in rows between its own is read as not logged there" in message
    assert len({(verdict, labels) for verdict, labels, _ in said.values()}) == 1


@pytest.mark.parametrize("given", PADDED.values(), ids=PADDED)
def test_padding_leaves_the_points_that_pandas_leaves(given):
    found = {door: d.run for door, d in diagnoses(given).items()}
    for run in found.values():
        for name, series in found["pandas"].channels.items():
            np.testing.assert_array_equal(run.channels[name].steps, series.steps)
            np.testing.assert_array_equal(run.channels[name].values, series.values)


def filled(values, rows):
    """0 but for some rows."""
    out = np.zeros(len(values))
    out[rows] = values[rows]
    return out


FILLED = {
    "every fifth row": columns(val=filled(VAL, VAL_ROWS)),
    "from the first row": columns(val=filled(VAL, np.arange(0, N, 9))),
    "an odd last point": columns(val=filled(VAL, [*range(9, 90, 10), 95])),
    "train every second row": columns(train=filled(TRAIN, np.arange(1, N, 2))),
    "a metric, too": columns(val=filled(VAL, VAL_ROWS), val_acc=filled(1 - VAL / 3, VAL_ROWS).tolist()),
}
NOT_FILLED = {
    "now and then": columns(val=filled(VAL, np.setdiff1d(np.arange(N), [17, 40, 41, 77]))),
    "rounded to nothing": columns(train=np.round(np.maximum(TRAIN - 0.13, 0.0), 2)),
    "a rate that comes back to 0": columns(lr=[k % 10 / 10 for k in range(N)]),
}


@pytest.mark.parametrize("given", FILLED.values(), ids=FILLED)
def test_zeros_between_points_at_a_stride_are_gaps_by_every_door(given, tmp_path):
    said = verdicts(given, tmp_path)
    assert {labels for _, labels, _ in said.values()} == {("healthy",)}
    assert all("0 in rows between its own is read as not logged there" in message for _, _, message in said.values())


@pytest.mark.parametrize("given", NOT_FILLED.values(), ids=NOT_FILLED)
def test_other_zeros_are_values(given, tmp_path):
    said = verdicts(given, tmp_path)
    assert not any("not logged there" in message for _, _, message in said.values())
    for d in diagnoses(given).values():
        for name, series in d.run.channels.items():
            np.testing.assert_array_equal(series.values, given[name])


def test_a_zero_where_the_stride_leads_is_a_value():
    run = Run.from_arrays({"train_loss": TRAIN, "val_loss": filled(VAL, np.delete(VAL_ROWS, 7))})
    assert run.channels["val_loss"].steps.tolist() == [5.0 * k for k in range(1, 21)]
    assert np.flatnonzero(run.channels["val_loss"].values == 0).tolist() == [7]


def test_padding_without_a_step_column():
    given = {name: values for name, values in PADDED["every fifth row"].items() if name != "step"}
    by_hand = Run.from_arrays(given)
    assert by_hand.channels["val_loss"].steps.tolist() == [5.0 * k for k in range(1, 21)]
    assert by_hand.notes == ("val_loss: NaN in rows between its own is read as not logged there",)
    for d in [*diagnoses(given).values(), predict_pathology(by_hand)]:
        assert d.run.channels["val_loss"].steps.tolist() == [5.0 * k for k in range(1, 21)]
        assert d.labels == ("healthy",)


def broken(values, rows):
    out = np.array(values)
    out[rows] = NAN
    return out


REAL = {
    "stays NaN": columns(train=broken(TRAIN, slice(60, None))),
    "both stay NaN": columns(train=broken(TRAIN, slice(60, None)), val=broken(VAL, slice(60, None))),
    "a padded val stays NaN": columns(val=padded(VAL, VAL_ROWS[:10])),
    "rows in turn, train stays NaN": columns(
        train=broken(padded(TRAIN, ~IN_TURN), slice(60, None)), val=padded(VAL, IN_TURN)
    ),
    "train turns NaN where val begins": columns(train=broken(TRAIN, slice(50, None)), val=broken(VAL, slice(50))),
}
SPORADIC = {
    "now and then": columns(train=broken(TRAIN, [17, 40, 41, 77])),
    "now and then on both sides": columns(train=broken(TRAIN, [17, 40]), val=broken(VAL, [17, 40])),
    "mostly": columns(train=padded(TRAIN, [3, 9, 20, 21, 60, 92])),
    "at a point of the stride": columns(val=broken(padded(VAL, VAL_ROWS), VAL_ROWS[7])),
    "two points": columns(val=padded(VAL, [20, 60])),
    "a regular start late": columns(val=padded(VAL, np.arange(50, N, 5))),
    "from the start": columns(train=broken(TRAIN, slice(20))),
}
"""Where pandas cannot tell NaN from a gap, see `columns._settle_nans`."""


@pytest.mark.parametrize("given", [*REAL.values(), *SPORADIC.values()], ids=[*REAL, *SPORADIC])
def test_a_real_nan_is_always_a_finding(given, tmp_path):
    said = verdicts(given, tmp_path)
    for door, (_, labels, _) in said.items():
        assert "non_finite" in labels or (door == "pandas" and given in SPORADIC.values()), door


def test_a_nan_where_the_stride_leads_is_found_at_its_row():
    run = Run.from_arrays({"train_loss": TRAIN, "val_loss": broken(padded(VAL, VAL_ROWS), VAL_ROWS[7])})
    (finding,) = [f for f in predict_pathology(run).findings if f.label == "non_finite"]
    assert (finding.onset, finding.end) == (40, 40)


def test_nothing_is_a_gap_without_another_channel_on_the_same_axis():
    val = padded(VAL, VAL_ROWS)
    for given in (
        {"val_loss": (None, val)},
        {"train_loss": (None, TRAIN[:90]), "val_loss": (None, val)},
        {"train_loss": (np.arange(0.0, N), TRAIN), "val_loss": (np.arange(1.0, N + 1), val)},
        {"train_loss": (np.arange(1.0, N + 1), TRAIN), "val_loss": (None, val)},
    ):
        assert settled(given) == (given, ())


def test_to_settle_twice_changes_nothing():
    given = {"train_loss": (None, TRAIN), "val_loss": (None, padded(VAL, VAL_ROWS))}
    once, notes = settled(given)
    assert len(notes) == 1
    assert settled(once) == (once, ())
    assert np.isnan(given["val_loss"][1]).any()  # what was handed over stays as it was


def test_a_norm_that_is_not_logged_in_a_row_hides_no_nan():
    norms = padded(np.ones(N), VAL_ROWS)
    losses = np.maximum(TRAIN - 0.2, 0.0)
    d = predict_pathology({"train_loss": losses.tolist(), "grad_norm": norms.tolist()})
    assert (losses == 0).any()
    assert "non_finite" not in d.labels
