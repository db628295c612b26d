"""Runs read as columns are those that are read one by one, whatever competes, repeats, goes back or is not finite."""

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from curveclinic.curves import Curves
from curveclinic.intake.arrow_curves import Unreadable, is_curve_table, read_curves
from curveclinic.intake.assemble import ReadOptions
from curveclinic.intake.door import runs_from
from curveclinic.run import Run

CURVES = (
    "train_loss", "loss", "val_loss", "valid_loss", "test_loss", "box_loss", "val_perplexity", "val_acc", "accuracy",
    "val_f1", "lr", "grad_norm", "grad_norm/a",
)  # fmt: skip

OFTEN = (["train_loss", "val_loss"], ["train_loss", "grad_norm"], ["loss", "val_loss"], ["loss", "train_loss"])
AXES = ([], ["step"], ["step", "epoch"], ["train_loss_steps", "val_loss_steps"], ["train_loss_steps"])

LENGTH = st.sampled_from([0, 1, 2, 8, 16, 40, 40])
VALUE = st.sampled_from([2.0, 1.5, 1.0, 0.5, 0.25, 0.0, -1.0, np.nan, np.inf])


@st.composite
def curve(draw, n):
    """None, or n values: plain ones, those with a tail or gaps of another kind, and any."""
    values = [2.0 - k / 50 for k in range(n)]
    odd, at = draw(st.sampled_from([0.0, np.nan])), n - n // draw(st.integers(2, 4))
    tail, gaps = values[:at] + [odd] * (n - at), [odd if k % 4 == 1 else v for k, v in enumerate(values)]
    plain = st.sampled_from([values, values, tail, tail, gaps, None])
    return draw(plain | st.lists(VALUE, min_size=n, max_size=n)) if n < 16 else draw(plain)


@st.composite
def axis(draw, n):
    """None, or n steps, evenly increasing or in any order."""
    start, pace = draw(st.sampled_from([0, 1, 7])), draw(st.sampled_from([1, 10, 200]))
    steps = [float(start + pace * k) for k in range(n)]
    return draw(st.sampled_from([steps, steps, steps, steps, None, steps[::-1]]))


@st.composite
def tables(draw):
    """Two to five runs, a row each: a few curves, and perhaps steps; the last one has them all, so there are lists."""
    curves = draw(st.sampled_from(OFTEN) | st.lists(st.sampled_from(CURVES), min_size=1, max_size=5, unique=True))
    axes = draw(st.sampled_from(AXES))
    rows = [{name: [3.0, 4.0] for name in (*curves, *axes)}]
    for _ in range(draw(st.integers(1, 4))):
        length = st.just(draw(LENGTH)) if draw(st.integers(0, 3)) else LENGTH
        row = {name: draw(curve(draw(length))) for name in curves}
        # own steps of no value at all: an error row by row, and passed over in columns
        some = [name for name in axes if row.get(name.removesuffix("_steps"), [0.0])]
        rows.insert(0, row | {name: draw(axis(draw(length))) for name in some})
    kind = pa.list_(pa.float64())
    return pa.table({name: pa.array([row.get(name) for row in rows], kind) for name in (*curves, *axes)})


def told(curves):
    """What is known of the one run of some curves."""
    channels = curves.batch.channels
    series = {name: (c.steps.tolist(), repr(c.values.tolist())) for name, c in channels.items() if len(c.values)}
    return series, tuple(curves.notes[0]), curves.kinds[0], curves.batch.metric_sign.tolist(), curves.run_id.to_pylist()


@settings(max_examples=300, deadline=None)
@given(tables().filter(is_curve_table))
def test_columns_and_single_rows_are_read_alike(table):
    one_by_one, _ = runs_from(table)
    reading = read_curves(table, ReadOptions())
    for row, item in reading.others.items():
        expected = one_by_one[row]
        if isinstance(item, Unreadable):
            assert item.reason == str(expected)
        else:
            assert told(Curves.of([item])) == told(Curves.of([expected]))
    curves = reading.curves
    for k, row in enumerate(reading.rows.tolist()):
        expected = one_by_one[row]
        assert isinstance(expected, Run), expected
        alone = Curves(
            curves.batch.take(np.array([k])), curves.run_id.slice(k, 1), curves.path, curves.format, [curves.notes[k]],
            [curves.kinds[k]], {},
        )  # fmt: skip
        assert told(alone) == told(Curves.of([expected]))
