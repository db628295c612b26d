import builtins
import io
import pickle

import numpy as np
import pytest
from output_cases import HOSTILE, NASTY_CURVES, diagnosis, finding, overfit_run, undetermined

from curveclinic.errors import InputError, MissingExtraError
from curveclinic.report.plot import plot_diagnosis
from curveclinic.run import Run

pytest.importorskip("matplotlib")


def draw(figure):
    figure.savefig(io.BytesIO(), format="png", dpi=40)
    return figure


def test_losses_and_span():
    figure = draw(diagnosis(overfit_run(), finding()).plot())
    (axis,) = figure.axes
    train, val = axis.lines[:2]
    assert train.get_ydata()[:2] == pytest.approx([2 * np.exp(-0.1) + 0.01, 2 * np.exp(-0.2) + 0.01])
    assert len(val.get_xdata()) == 60
    assert axis.get_yscale() == "log"
    assert axis.get_title(loc="left") == "exp7 (runs/log.csv): overfitting"
    shade = axis.patches[0]
    corners = shade.get_extents().transformed(axis.transData.inverted())
    assert (corners.x0, corners.x1) == pytest.approx((30.0, 60.0))
    assert shade.get_label() == "overfitting, from step 30 on"


def test_every_dated_finding_is_drawn():
    figure = draw(plot_diagnosis(diagnosis(overfit_run(), finding(), finding("loss_spikes", onset=5.0, end=9.0),
                                           finding("undertrained", onset=None))))  # fmt: skip
    assert [p.get_label() for p in figure.axes[0].patches] == [
        "overfitting, from step 30 on",
        "loss_spikes, steps 5 to 9",
    ]


def test_small_panels_only_for_channels_that_are_there():
    channels = {"train_loss": [3.0, 2.0], "val_metric": [0.1, 0.2], "grad_norm": [1.0, 100.0]}
    figure = draw(plot_diagnosis(diagnosis(Run.from_arrays(channels))))
    assert [axis.get_ylabel() for axis in figure.axes] == ["loss", "metric", "grad_norm"]
    assert [axis.get_yscale() for axis in figure.axes] == ["linear", "linear", "log"]
    assert figure.axes[-1].get_xlabel() == "step"


@pytest.mark.parametrize("values", NASTY_CURVES.values(), ids=NASTY_CURVES)
def test_any_curve_can_be_drawn(values):
    channels = {"train_loss": values, "lr": [0.0, 0.0], "grad_norm": values}
    figure = draw(plot_diagnosis(diagnosis(Run.from_arrays(channels), finding(onset=1.0))))
    assert len(figure.axes) == (3 if values else 2)


def test_a_notebook_that_has_not_drawn_yet_shows_the_picture():
    figure = pickle.loads(pickle.dumps(diagnosis(overfit_run(), finding()).plot()))
    assert figure._repr_png_().startswith(b"\x89PNG")


def test_hostile_name_is_no_mathematics():
    figure = draw(plot_diagnosis(diagnosis(overfit_run(run_id=HOSTILE))))
    assert "\\$x\\$" in figure.axes[0].get_title(loc="left")


def test_no_run():
    with pytest.raises(InputError, match="nothing to plot"):
        plot_diagnosis(undetermined(None, "no loss"))


def test_missing_extra_gives_its_install_line(monkeypatch):
    real_import = builtins.__import__

    def without_matplotlib(name, *args, **kwargs):
        if name.startswith("matplotlib"):
            raise ImportError(name)
        return real_import(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without_matplotlib)
    with pytest.raises(MissingExtraError, match=r"pip install 'curveclinic\[plot\]'"):
        plot_diagnosis(diagnosis(overfit_run()))
