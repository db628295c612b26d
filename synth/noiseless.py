"""The quantities the definitions ask for, measured on the latent curves within the logged window.

Noise is known here, not estimated: it is what the logger added. Textures (spikes, swings, patterns) are known from
their parts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

import numpy as np

from curveclinic.labels import LOSSES
from curveclinic.measuring.courses import first_values, metric_quantities
from curveclinic.measuring.gradients import gradient_quantities
from curveclinic.measuring.layout import Layout
from curveclinic.measuring.levels import Level, make_level
from curveclinic.measuring.measures import CELLS, MAD_TO_STD, Cells, View, cell_means
from curveclinic.measuring.quantities import Measured, trend_quantities
from curveclinic.measuring.smoothing import masked_median
from curveclinic.measuring.trends import Quantities
from curveclinic.ragged import BoolArray, FloatArray, IntArray, Ragged, places
from curveclinic.synth.known_texture import texture_truth
from curveclinic.synth.logger import Logged

_WINDOW: Final = 0.12
"""Share of the points an eye averages over when it judges a level."""


def noiseless_quantities(logged: Logged, seen: Measured) -> Quantities:
    """What n logged runs show without noise; seen is what was measured on them.

    What noise cannot touch (the learning rate, points that are not finite) is left as it was measured.
    """
    channels, cells = logged.clean.channels, {}
    losses, level, bare = _losses(logged, seen)
    for name in ("train_metric", "val_metric"):
        finite, written = logged.batch.channels[name].finite(), seen.cells[name]
        viewed = _viewed(channels[name], written.log, written.scale)
        cells[name] = _without_noise(written, cell_means(finite, viewed))
    return (
        trend_quantities(level)
        | metric_quantities(logged.clean, level, cells)
        | first_values(logged.clean, losses)
        | gradient_quantities(_clean_cells(channels["grad_norm"], seen.cells["grad_norm"]))
        | texture_truth(logged.parts, replace(level, noise=bare), losses, seen.losses)
    )


def scatter_about(logged: Ragged, curve: Ragged, written: Cells) -> FloatArray:
    """(n,) robust standard deviation of logged points about a curve at the same points, in the logged curve's view."""
    values, smooth = (_viewed(channel, written.log, written.scale) for channel in (logged, curve))
    return _typical(cell_means(logged, np.abs(values - smooth)), written.real, written.count)


def _clean_cells(clean: Ragged, written: Cells) -> Cells:
    """Means and extremes of a channel without noise in its own view; all else is that of the same points as logged."""
    view = View.of_finite(clean)
    layout = Layout.of(clean.offsets, clean.lengths, CELLS)
    mean, low, high = layout.summary(view.points.values)
    return replace(written, mean=mean, low=low, high=high, log=view.log, scale=view.scale)


def _losses(logged: Logged, seen: Measured) -> tuple[Cells, Level, FloatArray]:
    """Both losses without noise, in the view of the logged ones: cells, level, and bare noise of single points (2 n,).

    All hold train's n runs, then val's. The level's own noise is all that the logger and the textures added: either
    can hide a trend.
    """
    view, written = seen.view, seen.losses
    clean, textured = (_beside(view.points, curves) for curves in (logged.clean.channels, logged.textured))
    values = _viewed(clean, view.log, view.scale)
    layout = Layout.of(clean.offsets, clean.lengths, CELLS)
    noise = _typical(layout.means(np.abs(view.points.values - values)), written.real, written.count)
    cells, bare = _without_noise(written, layout.means(values)), noise.copy()
    rows = _rows_apart(clean, textured)
    some = _viewed(textured.take(rows), view.log[rows], view.scale[rows])
    points = view.points.take(rows)
    distance = cell_means(points, np.abs(points.values - some))
    bare[rows] = _typical(distance, written.real[rows], written.count[rows])
    return cells, _level(cells, seen, noise), bare


def _beside(points: Ragged, curves: Mapping[str, Ragged]) -> Ragged:
    """Both losses as one channel, train's runs and then val's, at the given points."""
    return Ragged(points.steps, np.concatenate([curves[name].values for name in LOSSES]), points.offsets)


def _rows_apart(a: Ragged, b: Ragged) -> IntArray:
    """Runs in which two channels of the same points differ."""
    place = (a.values != b.values).nonzero()[0].searchsorted(a.offsets)
    rows: IntArray = (place[1:] > place[:-1]).nonzero()[0]
    return rows


def _viewed(curve: Ragged, log: BoolArray, scale: FloatArray) -> FloatArray:
    """(total,) values in another curve's view, see `measures.view_of`; log and scale are (n,)."""
    out = scale.repeat(curve.lengths)
    np.divide(curve.values, out, out=out)
    rows = log.nonzero()[0]
    at = places(curve.offsets[rows], curve.lengths[rows])
    out[at] = np.log(np.maximum(curve.values.take(at), 1e-300))
    return out


def _without_noise(written: Cells, mean: FloatArray) -> Cells:
    """The logged cells with noise-free means; points scatter about them as they did."""
    return replace(written, mean=mean, low=mean, high=mean, cell_noise=np.zeros_like(written.cell_noise))


def _typical(distance: FloatArray, real: BoolArray, count: IntArray) -> FloatArray:
    """(n,) robust standard deviation of points from their distances, (n, CELLS) means of cells."""
    # several points a cell: the mean absolute deviation; one point: the median absolute deviation
    return np.asarray(masked_median(distance, real) * np.where(count > 2 * CELLS, 1.2533, MAD_TO_STD))


def _level(clean: Cells, seen: Measured, noise: FloatArray) -> Level:
    """The latent level with the noise the logger really added, on the steps of the measured one."""
    error = noise / np.sqrt(1.0 + _WINDOW * clean.count)
    steps, positive = seen.level.steps, seen.losses.positive
    view = seen.losses.axis.interpolate(clean.mean, steps)
    return make_level(steps, view, clean.log, clean.scale, error, noise, clean.count, positive)
