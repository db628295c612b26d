"""Curve features with tsfresh's definitions and names, computed for whole batches at once.

A feature of a channel is what tsfresh's calculator of that name returns for the channel's finite points after
`normalise`. A full name, `<channel>__<calculator>__<param>_<value>`, is tsfresh's column name, so
`tsfresh.feature_extraction.settings.from_columns` turns `feature_names()` into settings that recompute every value;
`tests/test_tsfresh_features.py` does just that. Where tsfresh returns NaN (too short, constant), `measure` returns NaN
and `extract_selected` returns 0.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import accumulate, chain
from typing import Any, Final

import numpy as np

from curveclinic.labels import LOSSES
from curveclinic.measuring.measures import View, segment_extremes
from curveclinic.measuring.quantities import Measured
from curveclinic.model import change_features, level_features, trend_features
from curveclinic.model.rows import Rows
from curveclinic.ragged import FloatArray, IntArray, Ragged, blocks

Calculator = Callable[..., FloatArray]
"""(rows, **parameters) -> (m,): tsfresh's parameters by tsfresh's names."""

_SLAB_CELLS = 1 << 16
"""Cells worked on at once (512 KiB): temporaries stay in a core's own cache."""

_SPARE_CELLS = 1 << 12
"""Cells of padding that cost less than working on one more block: about a hundred calls of NumPy."""

_FEW = 8
"""Curves up to which it costs less to work out what is not asked for than to pick those that are asked about."""

CALCULATORS: Final[dict[str, Calculator]] = {
    calculator.__name__: calculator
    for calculator in (
        level_features.quantile,
        level_features.standard_deviation,
        level_features.count_above,
        level_features.first_location_of_maximum,
        level_features.last_location_of_maximum,
        level_features.first_location_of_minimum,
        level_features.last_location_of_minimum,
        level_features.index_mass_quantile,
        change_features.mean_abs_change,
        change_features.autocorrelation,
        change_features.c3,
        trend_features.linear_trend,
        trend_features.agg_linear_trend,
        trend_features.energy_ratio_by_chunks,
    )
}
"""tsfresh calculator -> the same for all rows; each O(n log n) in a run's length or better."""

_AT_ONCE: Final[Mapping[Calculator, str]] = {
    level_features.quantile: "q",
    level_features.index_mass_quantile: "q",
    trend_features.energy_ratio_by_chunks: "segment_focus",
}
"""Calculator -> the parameter of which it takes several values, (k, 1), as well, and returns m for each of them."""

SELECTED: Final[Mapping[str, tuple[str, ...]]] = {
    "train_loss": (
        'agg_linear_trend__attr_"rvalue"__chunk_len_5__f_agg_"mean"',
        "c3__lag_1",
        "energy_ratio_by_chunks__num_segments_10__segment_focus_0",
        "energy_ratio_by_chunks__num_segments_10__segment_focus_3",
        "energy_ratio_by_chunks__num_segments_10__segment_focus_9",
        "first_location_of_maximum",
        "index_mass_quantile__q_0.1",
        "index_mass_quantile__q_0.25",
        "index_mass_quantile__q_0.5",
        "index_mass_quantile__q_0.9",
        "last_location_of_maximum",
        'linear_trend__attr_"intercept"',
        'linear_trend__attr_"rvalue"',
        "mean_abs_change",
        "quantile__q_0.25",
        "quantile__q_0.9",
    ),
    "val_loss": (
        'agg_linear_trend__attr_"rvalue"__chunk_len_5__f_agg_"mean"',
        "autocorrelation__lag_1",
        "energy_ratio_by_chunks__num_segments_10__segment_focus_0",
        "energy_ratio_by_chunks__num_segments_10__segment_focus_2",
        "energy_ratio_by_chunks__num_segments_10__segment_focus_7",
        "energy_ratio_by_chunks__num_segments_10__segment_focus_8",
        "first_location_of_maximum",
        "first_location_of_minimum",
        "index_mass_quantile__q_0.1",
        "index_mass_quantile__q_0.25",
        "index_mass_quantile__q_0.5",
        "index_mass_quantile__q_0.9",
        "last_location_of_minimum",
        'linear_trend__attr_"rvalue"',
        "standard_deviation",
    ),
    "train_metric": (
        'agg_linear_trend__attr_"rvalue"__chunk_len_5__f_agg_"mean"',
        "autocorrelation__lag_1",
        "c3__lag_1",
        "index_mass_quantile__q_0.1",
        "last_location_of_minimum",
        'linear_trend__attr_"rvalue"',
    ),
    "val_metric": (
        "autocorrelation__lag_1",
        "autocorrelation__lag_2",
        "autocorrelation__lag_5",
        "count_above__t_0.9",
        "index_mass_quantile__q_0.1",
        'linear_trend__attr_"rvalue"',
    ),
    "grad_norm": (
        "energy_ratio_by_chunks__num_segments_10__segment_focus_0",
        "energy_ratio_by_chunks__num_segments_10__segment_focus_1",
        "first_location_of_maximum",
        "index_mass_quantile__q_0.25",
        'linear_trend__attr_"intercept"',
    ),
}
"""Channel -> the features the network sees, as `benchmarks/select_features.py` chose them (see its CSV), but for
`change_quantiles`: an eighth of their time, and shuffled among runs it raised the network's loss by under 1 %."""

_LOSS_FEATURES: Final = tuple(SELECTED[name] for name in LOSSES)

_STOPS: Final = tuple(accumulate(len(names) for names in SELECTED.values()))
_COLUMNS: Final = {
    name: slice(stop - len(names), stop) for (name, names), stop in zip(SELECTED.items(), _STOPS, strict=True)
}
"""Channel -> its columns in what `extract_selected` returns."""


def feature_names() -> tuple[str, ...]:
    """Full names of the selected features, in the order of the columns of `extract_selected`."""
    return tuple(f"{channel}__{name}" for channel, names in SELECTED.items() for name in names)


def extract_selected(piece: Measured) -> FloatArray:
    """Returns the selected features of every run, (n, len(feature_names())), 0 where one is not defined."""
    channels, out = piece.batch.channels, np.zeros((piece.batch.size, _STOPS[-1]))
    for name, values in zip(LOSSES, _measure(_of_losses(piece), _LOSS_FEATURES), strict=True):
        out[:, _COLUMNS[name]] = values
    for name, features in SELECTED.items():
        if name not in LOSSES and len(channels[name].values):
            out[:, _COLUMNS[name]] = measure(channels[name], features)
    out[~np.isfinite(out)] = 0.0
    return out


def measure(channel: Ragged, names: Sequence[str]) -> FloatArray:
    """Returns features of one channel as tsfresh defines them.

    Args:
        channel: the runs; non-finite points are left out.
        names: feature names without the channel, e.g. `autocorrelation__lag_1`.

    Returns:
        (n, len(names)) values, NaN where tsfresh returns NaN and for runs without a finite point.
    """
    if not len(channel.values):
        return np.full((channel.size, len(names)), np.nan)
    return _measure(normalise(channel), (tuple(names),))[0]


def _measure(curves: Ragged, names: tuple[tuple[str, ...], ...]) -> list[FloatArray]:
    """`measure` of normalised channels stacked on one another, each with its names; shared work is done once."""
    plan, n = _plan(names, together=curves.size <= _FEW), curves.size // len(names)
    values = np.empty((curves.size, plan.width))
    values.fill(np.nan)
    if len(curves.values):
        with np.errstate(divide="ignore", invalid="ignore"):
            for index, rows in _slabs(curves):
                for group in plan.groups:
                    if group.channel is None:
                        values[index, group.columns] = group.of(rows)
                    elif len(own := (index // n == group.channel).nonzero()[0]):
                        values[index[own], group.columns] = group.of(rows.take(own))
    return [values[k * n : (k + 1) * n].take(columns, axis=1) for k, columns in enumerate(plan.columns)]


@dataclass(frozen=True, eq=False)
class _Group:
    """Features worked out on the same rows.

    Attributes:
        channel: the only channel that asks for them; None where all of them go by the same calculators.
        columns: where the values go.
        features: calculator and parameters of each, or of several at once.
    """

    channel: int | None
    columns: slice
    features: tuple[tuple[Calculator, dict[str, Any]], ...]

    def of(self, rows: Rows) -> FloatArray:
        """(m, features) values."""
        found = [calculator(rows, **parameters) for calculator, parameters in self.features]
        values: FloatArray = np.concatenate(found, axis=None).reshape(-1, len(rows.lengths)).T
        return values


@dataclass(frozen=True, eq=False)
class _Plan:
    """Groups of features, their number, and the columns that belong to each channel."""

    groups: tuple[_Group, ...]
    width: int
    columns: tuple[IntArray, ...]


@cache
def _plan(names: tuple[tuple[str, ...], ...], *, together: bool) -> _Plan:
    """A feature is worked out for all channels where each of them needs its calculator, and with it what is costly.

    Args:
        names: of the features of each channel.
        together: work all features out for all channels.
    """
    shared = set.intersection(*({_parse(name)[0] for name in own} for own in names))
    everyone = dict.fromkeys(name for own in names for name in own if together or _parse(name)[0] in shared)
    kinds: list[tuple[int | None, list[str]]] = [(None, list(everyone))]
    kinds += [(k, [name for name in own if name not in everyone]) for k, own in enumerate(names)]
    groups: list[_Group] = []
    place: dict[tuple[int | None, str], int] = {}
    for channel, group in kinds:
        if group:
            columns = slice(len(place), len(place) + len(group))
            at_once = _at_once(group)
            groups.append(_Group(channel, columns, tuple(_parse_all(some) for some in at_once)))
            place |= {(channel, name): columns.start + i for i, name in enumerate(chain.from_iterable(at_once))}
    return _Plan(
        tuple(groups),
        len(place),
        tuple(np.array([place[None if name in everyone else k, name] for name in own]) for k, own in enumerate(names)),
    )


def normalise(channel: Ragged) -> Ragged:
    """Returns the finite points of every run on [0, 1]; a constant run is all zeros.

    The view is `measures.view_of` (log(v) for a positive curve with max / min above 30, else v), then
    (view - min) / (max - min). Give these values to tsfresh to recompute a feature.
    """
    points = View.of(channel).points
    return _between_0_and_1(points, *segment_extremes(points.values, points.offsets))


def _of_losses(piece: Measured) -> Ragged:
    """`normalise` of both losses, one after the other."""
    return _between_0_and_1(piece.view.points, piece.losses.lowest, piece.losses.highest)


def _between_0_and_1(points: Ragged, low: FloatArray, high: FloatArray) -> Ragged:
    """The points, 0 at the lowest (n,) of each run and 1 at the highest."""
    span = high - low
    span[~(span > 0.0)] = 1.0
    values = points.values - low.repeat(points.lengths)
    values /= span.repeat(points.lengths)
    return Ragged(points.steps, values, points.offsets)


def _slabs(channel: Ragged) -> Iterator[tuple[IntArray, Rows]]:
    """Yields every non-empty run of a normalised channel once, in pieces that fit the cache, with its index."""
    for block in blocks(channel, spare=_SPARE_CELLS):
        height = max(1, _SLAB_CELLS // block.values.shape[1])
        for start in range(0, len(block.rows), height):
            part = slice(start, start + height)
            lengths = block.lengths[part]  # ascending
            yield block.rows[part], Rows(np.ascontiguousarray(block.values[part, : lengths[-1]]), lengths)


@cache
def _parse(name: str) -> tuple[Calculator, dict[str, Any]]:
    """Splits a feature name as tsfresh does: `c3__lag_2` -> (c3, {"lag": 2})."""
    calculator, *parts = name.split("__")
    if calculator not in CALCULATORS:
        raise ValueError(f"no feature {name!r}; expected one of {', '.join(CALCULATORS)}, with tsfresh's parameters")
    pairs = (part.rsplit("_", 1) for part in parts)
    return CALCULATORS[calculator], {key: ast.literal_eval(value) for key, value in pairs}


def _at_once(names: Sequence[str]) -> list[list[str]]:
    """The feature names, those together that one call of their calculator works out."""
    kinds: dict[tuple[Any, ...], list[str]] = {}
    for name in names:
        calculator, parameters = _parse(name)
        kind = tuple(item for item in parameters.items() if item[0] != _AT_ONCE.get(calculator))
        kinds.setdefault((calculator, *kind), []).append(name)
    return list(kinds.values())


def _parse_all(names: Sequence[str]) -> tuple[Calculator, dict[str, Any]]:
    """`_parse` of names that one call works out, with all values of the parameter that differs."""
    calculator, parameters = _parse(names[0])
    if len(names) == 1:
        return calculator, parameters
    several = _AT_ONCE[calculator]
    return calculator, parameters | {several: np.array([[_parse(name)[1][several]] for name in names])}
