"""The quick way through plain numbers against the thorough one, cell by cell."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from curveclinic.readers import delimited, number_table
from curveclinic.readers.source import Source

CELLS = st.one_of(
    st.floats().map(repr),
    st.integers(-(10**20), 10**20).map(str),
    st.sampled_from(["nan", "NaN", "inf", "-inf", "Infinity", "1e5", "+3", " 4 ", "0.10", ".5", "5."]),
    st.sampled_from(["", "NA", "None", "null", "-", "n/a", "N/A"]),
)
ODD = st.sampled_from(
    ["x", "1,5", '"3"', "0x10", "1_000", "true", "2024-01-01", "00:05", "NAN", "-nan", "1 2", "ä", "'2'"]
)
NAMES = st.lists(
    st.sampled_from(["epoch", "step", "loss", "val_loss", "acc", "", " loss ", "run_id", "NA"]), min_size=1, max_size=4
)


@st.composite
def texts(draw):
    """Header and rows; now and then an odd cell, a short row, another line end, a second header."""
    names = draw(NAMES)
    delimiter = draw(st.sampled_from(",;\t|"))
    plain = draw(st.booleans())
    cell = CELLS if plain else st.one_of(CELLS, CELLS, CELLS, ODD)
    rows = draw(st.lists(st.lists(cell, min_size=len(names), max_size=len(names)), max_size=12))
    lines = [delimiter.join(row) for row in [names, *rows]]
    if not plain:
        odd = st.sampled_from([lines[0], "", " ", delimiter, "1", delimiter.join(["1"] * (len(names) + 1))])
        for line in draw(st.lists(odd, max_size=2)):
            lines.insert(draw(st.integers(1, len(lines))), line)
    end = draw(st.sampled_from(["\n", "\r\n"]))
    return end.join(lines) + draw(st.sampled_from(["", end]))


def thorough(data):
    try:
        return delimited.by_blocks(data, "run.csv")
    except Exception as error:
        return error


WAYS = {"python": (1 << 15, 1 << 15), "arrow": (0, 1 << 15), "csv": (0, 0)}
"""Way through the numbers -> sizes up to which a text is tiny, and medium."""


def choose_way(patch, way):
    tiny, medium = WAYS[way]
    patch.setattr(number_table, "_TINY", tiny)
    patch.setattr(number_table, "_MEDIUM", medium)


@settings(max_examples=400, deadline=None)
@given(texts(), st.sampled_from(sorted(WAYS)))
@example("epoch,epoch\n,0.0\n", "python")
@example("epoch,epoch\n,0.0\n", "arrow")
@example("epoch,epoch\n,0.0\n", "csv")
@example("loss,epoch,loss\n,0.0,0.0\n", "arrow")
@example(";epoch;epoch\n;0.0;0.0\n", "python")
@example(";epoch;epoch\n;;\n", "arrow")
def test_the_quick_way_equals_the_thorough_one(text, way):
    data = text.encode()
    with pytest.MonkeyPatch.context() as patch:
        choose_way(patch, way)
        quick = number_table.number_grid(Source("run.csv", "run.csv", data=data), delimited._delimiter)
    if quick is None:
        return
    expected, notes = thorough(data)
    assert notes == ()
    assert (quick.n_rows, quick.breaks, quick.run_of) == (expected.n_rows, expected.breaks, expected.run_of)
    assert list(quick.columns) == list(expected.columns)
    for name, column in quick.columns.items():
        assert column.rows.tolist() == expected.columns[name].rows.tolist()
        assert np.array_equal(column.values, expected.columns[name].values, equal_nan=True), name


@pytest.mark.parametrize("way", WAYS)
def test_plain_tables_take_the_quick_way(way, monkeypatch):
    """Or the test above compares nothing."""
    choose_way(monkeypatch, way)
    if way == "arrow":
        monkeypatch.delattr(number_table, "_large_grid")
    text = "epoch,loss,val_loss\n" + "".join(f"{k},{1 / (k + 1)},{'nan' if k == 3 else ''}\n" for k in range(50))
    grid = number_table.number_grid(Source("run.csv", "run.csv", data=text.encode()), delimited._delimiter)
    assert grid.columns["loss"].values.tolist() == [1 / (k + 1) for k in range(50)]
    assert grid.columns["val_loss"].rows.tolist() == [3]
    assert np.isnan(grid.columns["val_loss"].values).all()
    assert grid.n_rows == 50


@pytest.mark.parametrize(
    "text",
    [
        'epoch,"loss"\n0,1\n',
        "epoch,loss\n0,1\nepoch,loss\n0,2\n",
        "epoch,loss\n0,1\n1\n",
        "epoch,loss\n0,one\n",
        "run_id,loss\n0,1\n",
        "1,2\n3,4\n",
        "loss",
        "\nepoch,loss\n0,1\n",
    ],
)
def test_what_is_not_plain_is_left_to_the_thorough_way(text, monkeypatch):
    for way in WAYS:
        choose_way(monkeypatch, way)
        assert number_table.number_grid(Source("x", "x", data=text.encode()), delimited._delimiter) is None
