"""Contact sheets show the runs that were asked for, drawn or recorded, with what they show."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pytest

from curveclinic.errors import InputError, MissingExtraError


def test_panels_show_what_was_asked_for() -> None:
    from curveclinic.synth.sheet import synthetic_panels

    shown = synthetic_panels(3, 12, label="overfitting", family="overfit", max_points=200)
    assert len(shown) == 12
    assert {panel.family for panel in shown} == {"overfit"}
    assert all("overfitting" in panel.present for panel in shown)
    assert all(panel.title.startswith("overfit\n") for panel in shown)
    healthy = synthetic_panels(3, 12, label="healthy", max_points=200)
    assert [panel.present for panel in healthy] == [()] * 12
    assert any(panel.arguable for panel in healthy)
    assert all(f"{panel.arguable[0]}?" in panel.title for panel in healthy if panel.arguable)
    with pytest.raises(InputError, match="unknown label 'overfit'; expected one of overfitting"):
        synthetic_panels(3, 12, label="overfit")
    with pytest.raises(InputError, match="unknown family 'none'; expected one of plain"):
        synthetic_panels(3, 12, family="none")


@pytest.fixture
def records(tmp_path: Path) -> Path:
    path = tmp_path / "runs.jsonl.gz"
    body = {
        "a": (["divergence"], [1.0, 2.0, "inf", "nan"]),
        "b": ([], [2.0, 1.0, 0.5, 0.4]),
        "c": (["non_finite"], ["nan", "nan", "nan", "nan"]),
        "d": ([], [-1e300, 2.0, 1e300, 5.0]),
    }
    lines = [
        json.dumps(
            {"id": name, "positive": positive, "curves": {"train_loss": {"step": [1, 2, 3, 4], "value": values}}}
        )
        for name, (positive, values) in body.items()
    ]
    path.write_bytes(gzip.compress("\n".join(lines).encode()))
    return path


def test_records_are_read_with_their_labels(records: Path) -> None:
    from curveclinic.synth.sheet import recorded_panels

    shown = recorded_panels(records, 0, 10)
    assert [(panel.family, panel.present) for panel in shown] == [
        ("a", ("divergence",)), ("b", ()), ("c", ("non_finite",)), ("d", ())
    ]  # fmt: skip
    np.testing.assert_array_equal(shown[0].run.channels["train_loss"].values, [1.0, 2.0, np.inf, np.nan])
    assert [panel.family for panel in recorded_panels(records, 0, 10, label="healthy")] == ["b", "d"]
    assert len(recorded_panels(records, 0, 2)) == 2


def test_a_broken_record_says_where(tmp_path: Path) -> None:
    from curveclinic.synth.sheet import recorded_panels

    path = tmp_path / "runs.jsonl"
    path.write_text('{"id": "a", "curves": {}}\n{"id": "b"}\n')
    with pytest.raises(InputError, match=r"runs.jsonl, line 2: KeyError\('curves'\); expected a record"):
        recorded_panels(path, 0, 10)
    with pytest.raises(InputError, match="expected a readable JSON-lines file"):
        recorded_panels(tmp_path / "none.jsonl", 0, 10)


def test_the_sheet_command(records: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("matplotlib")
    from matplotlib.image import imread

    from curveclinic.synth.__main__ import main

    out = tmp_path / "sheet.png"
    assert main(["--sheet", str(out), "--count", "10"]) == 0
    height, width = imread(out).shape[:2]
    assert (height, width) == pytest.approx((2 * 1.6 * 110, 9 * 2.1 * 110), abs=2)
    assert main(["--sheet", str(out), "--records", str(records)]) == 0
    assert capsys.readouterr().out == f"wrote {out}: 10 runs\nwrote {out}: 4 runs\n"
    assert main(["--sheet", str(out), "--label", "nothing"]) == 2
    assert main(["--sheet", str(tmp_path / "sheet.what"), "--records", str(records)]) == 2
    assert main(["--sheet", str(out), "--records", str(records), "--label", "overfitting"]) == 2
    told = capsys.readouterr().err.splitlines()
    assert len(told) == 3
    assert told[2] == "curveclinic.synth: no run fits; try another label or family"


def test_axes_of_the_sheet(records: Path) -> None:
    pytest.importorskip("matplotlib")
    from curveclinic.report.svg import COLOURS
    from curveclinic.run import Run
    from curveclinic.synth.sheet import Panel, draw_sheet, recorded_panels

    fall = {"train_loss": [100.0, 10.0, 1.0], "val_loss": [3.0, 2.0, 1.0], "lr": [0.1, 0.1, 0.1]}
    figure = draw_sheet([Panel(Run.from_arrays(fall), "plain", (), ("overfitting",)), *recorded_panels(records, 0, 9)])
    first, second = figure.axes[:2]
    assert first.get_title() == "plain\noverfitting?"
    assert (first.get_yscale(), second.get_yscale()) == ("log", "linear")
    assert [line.get_color() for line in first.lines] == [COLOURS["train_loss"], COLOURS["val_loss"]]
    twins = [axis for axis in figure.axes if len(axis.lines) == 1 and axis.lines[0].get_linewidth() < 0.5]
    assert [list(axis.lines[0].get_ydata()) for axis in twins] == [[0.1, 0.1, 0.1]]


def test_a_sheet_without_matplotlib_names_the_extra(monkeypatch: pytest.MonkeyPatch, records: Path) -> None:
    import sys

    from curveclinic.synth.sheet import draw_sheet, recorded_panels

    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'curveclinic\[plot\]'"):
        draw_sheet(recorded_panels(records, 0, 4))
