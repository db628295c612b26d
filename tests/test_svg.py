import re
from xml.etree import ElementTree

import numpy as np
import pytest
from output_cases import HOSTILE, NASTY_CURVES, diagnosis, finding, overfit_run, undetermined

from curveclinic.report.svg import COLOURS, render_html, render_svg
from curveclinic.run import Run

SVG = "{http://www.w3.org/2000/svg}"


def parse(svg):
    return ElementTree.fromstring(svg)


def curves(svg):
    return [e for e in parse(svg).iter(f"{SVG}path") if e.get("fill") == "none"]


def test_both_curves_in_their_colours():
    assert [c.get("stroke") for c in curves(render_svg(overfit_run(), []))] == [
        COLOURS["train_loss"],
        COLOURS["val_loss"],
    ]


def test_geometry_of_a_line():
    (curve,) = curves(render_svg(Run.from_arrays({"train_loss": [2.0, 1.5, 1.0]}), []))
    assert curve.get("d") == "M62.0 24.0L338.0 119.0L614.0 214.0"


def test_first_span_is_shaded_and_every_span_is_a_bar():
    run = Run.from_arrays({"train_loss": np.linspace(2, 1, 101)})
    found = [finding(onset=51.0), finding("loss_spikes", severity="mild", onset=1.0, end=26.0)]
    shade, first, second = parse(render_svg(run, found)).iter(f"{SVG}rect")
    assert (shade.get("x"), shade.get("width"), shade.get("fill")) == ("338.0", "276.0", COLOURS["severe"])
    assert (first.get("x"), first.get("width")) == ("338.0", "276.0")
    assert (second.get("x"), second.get("width"), second.get("fill")) == ("62.0", "138.0", COLOURS["mild"])
    assert second.find(f"{SVG}title").text == "loss_spikes, steps 1 to 26"


def test_finding_without_onset_has_no_span():
    svg = render_svg(overfit_run(), [finding("undertrained", onset=None)])
    assert list(parse(svg).iter(f"{SVG}rect")) == []


@pytest.mark.parametrize("values", NASTY_CURVES.values(), ids=NASTY_CURVES)
def test_any_curve_gives_well_formed_svg_with_finite_numbers(values):
    svg = render_svg(Run.from_arrays({"train_loss": values, "val_loss": values[:1]}), [finding(onset=1.0)])
    parse(svg)
    geometry = re.sub(r">[^<]*<", "><", svg)
    assert "nan" not in geometry
    assert "inf" not in geometry
    for number in re.findall(r"-?\d+\.\d+", " ".join(c.get("d") for c in curves(svg))):
        assert 0 <= float(number) <= 640
    assert ("no finite loss to draw" in svg) == (not np.isfinite(values).any())


def test_non_finite_values_are_marked():
    svg = render_svg(Run.from_arrays({"train_loss": [2.0, float("nan"), 1.0, 0.5]}), [])
    assert "<title>NaN or Inf</title>" in svg
    assert curves(svg)[0].get("d").count("M") == 2


def test_long_curve_is_thinned_and_keeps_its_spike():
    values = np.linspace(2.0, 1.0, 100_000)
    values[54_321] = 9.0
    svg = render_svg(Run.from_arrays({"train_loss": values}), [])
    assert len(svg) < 30_000
    assert " 24.0" in curves(svg)[0].get("d")  # the upper edge of the plot


def test_html_is_one_snippet_without_ids_scripts_or_outside_references():
    page = render_html(diagnosis(overfit_run(), finding()))
    assert page == diagnosis(overfit_run(), finding())._repr_html_()
    assert page.startswith("<div")
    assert page.endswith("</div>")
    for word in ("<script", "<style", "<link", " id=", "class=", "url(", "href", "background"):
        assert word not in page
    assert re.findall(r"https?://[^\"']+", page) == ["http://www.w3.org/2000/svg"]
    parse(page.replace(" open>", ' open="">'))


def test_html_names_evidence_causes_and_remedies():
    page = render_html(diagnosis(overfit_run(), finding(), message="2 rows skipped"))
    for text in ("Validation loss rises from 0.41", "too many steps", "stop at step 30", "2 rows skipped"):
        assert page.count(text) == 1
    assert "<li>metric_mismatch: no metric is logged</li>" in page


def test_hostile_text_is_escaped():
    d = diagnosis(overfit_run(run_id=HOSTILE), finding(evidence=f"tag {HOSTILE}"), message=f'column "{HOSTILE}"')
    page = render_html(d)
    assert "<script" not in page
    assert page.count("&lt;script&gt;alert(1)&lt;/script&gt;") == 3
    assert "&amp; \\udcff" in page
    assert page.isprintable()
    page.encode("utf-8")
    parse(page.replace(" open>", ' open="">'))


def test_undetermined_without_run():
    page = render_html(undetermined(None, "no loss <found>"))
    assert "run: undetermined" in page
    assert "no loss &lt;found&gt;" in page
    assert "<svg" not in page
