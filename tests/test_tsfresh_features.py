"""Every feature against tsfresh's own calculator, then what tsfresh does not promise: hostile input and batches."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from curveclinic.labels import CHANNELS
from curveclinic.measuring import quantities
from curveclinic.model.tsfresh_features import (
    CALCULATORS,
    SELECTED,
    extract_selected,
    feature_names,
    measure,
    normalise,
)
from curveclinic.ragged import Batch, FloatArray, Ragged
from curveclinic.run import Run

PARAMETERS: dict[str, tuple[str, ...]] = {
    "quantile": ("q_0.1", "q_0.25", "q_0.9", "q_1.0"),
    "count_above": ("t_0.5", "t_0.9"),
    "index_mass_quantile": ("q_0.1", "q_0.25", "q_0.5", "q_0.75", "q_0.9"),
    "autocorrelation": ("lag_1", "lag_2", "lag_3", "lag_4", "lag_5", "lag_10"),
    "c3": ("lag_1", "lag_2", "lag_3"),
    "linear_trend": ('attr_"slope"', 'attr_"intercept"', 'attr_"rvalue"'),
    "agg_linear_trend": (
        'attr_"slope"__chunk_len_5__f_agg_"mean"',
        'attr_"rvalue"__chunk_len_5__f_agg_"mean"',
        'attr_"intercept"__chunk_len_10__f_agg_"mean"',
    ),
    "energy_ratio_by_chunks": tuple(f"num_segments_10__segment_focus_{i}" for i in range(10)),
}
NAMES = [f"{c}__{p}" if p else c for c in CALCULATORS for p in PARAMETERS.get(c, ("",))]


def _curves() -> list[FloatArray]:
    """Curves with what logs have: noise, spikes, ties, plateaus, decades, steps, and every length from 1 to 11."""
    rng = np.random.default_rng(0)
    curves: list[FloatArray] = []
    for size in (*range(1, 12), 20, 37, 50, 64, 100, 101, 129, 200, 333, 1500):
        time = np.linspace(0.0, 1.0, size)
        decay = 2.0 * np.exp(-5.0 * time) + 0.1 + 0.02 * rng.standard_normal(size)
        spiked = decay + 3.0 * (rng.random(size) < 0.03)
        curves += [
            np.cumsum(rng.standard_normal(size)),
            decay,
            spiked,
            np.round(spiked, 1),
            np.exp(-12.0 * time),
            np.full(size, 0.7),
            np.arange(size, 0, -1, dtype=np.float64),
            (np.arange(size) % 2).astype(np.float64),
            np.where(time < 0.5, 1.0, 0.25),
            np.sin(2.0 * np.pi * np.arange(size) / 7.0) - time,
            -np.abs(rng.standard_cauchy(size)),
        ]
    return curves


def _ragged(curves: list[FloatArray]) -> Ragged:
    return Ragged.from_list([(np.arange(len(c), dtype=np.float64), c) for c in curves])


@pytest.fixture(scope="module")
def reference() -> dict[str, FloatArray]:
    """tsfresh's value of every feature of every curve, from our column names alone."""
    with warnings.catch_warnings():
        # tsfresh and the libraries it loads warn about their own deprecated calls, and of division by zero.
        for category in (DeprecationWarning, FutureWarning, RuntimeWarning):
            warnings.simplefilter("ignore", category)
        import pandas as pd
        from tsfresh import extract_features
        from tsfresh.feature_extraction.settings import from_columns

        channel = normalise(_ragged(_curves()))
        table = pd.DataFrame(
            {
                "run": np.repeat(np.arange(channel.size), channel.lengths),
                "step": channel.steps,
                "train_loss": channel.values,
            }
        )
        columns = [f"train_loss__{name}" for name in NAMES]
        extracted = extract_features(
            table,
            kind_to_fc_parameters=from_columns(columns),
            column_id="run",
            column_sort="step",
            n_jobs=0,
            disable_progressbar=True,
        ).sort_index()
    return {name: extracted[f"train_loss__{name}"].to_numpy(dtype=np.float64) for name in NAMES}


@pytest.fixture(scope="module")
def ours() -> dict[str, FloatArray]:
    return dict(zip(NAMES, measure(_ragged(_curves()), NAMES).T, strict=True))


@pytest.mark.parametrize("name", NAMES)
def test_equals_tsfresh(name: str, reference: dict[str, FloatArray], ours: dict[str, FloatArray]) -> None:
    np.testing.assert_allclose(ours[name], reference[name], rtol=1e-6, atol=1e-9)


def test_every_calculator_is_compared() -> None:
    assert {name.split("__")[0] for name in NAMES} == set(CALCULATORS)


def test_a_run_has_the_same_features_in_any_batch() -> None:
    curves = _curves()
    together = measure(_ragged(curves), NAMES)
    for order in (np.arange(len(curves))[::-1], np.random.default_rng(1).permutation(len(curves))[:40]):
        np.testing.assert_array_equal(measure(_ragged([curves[i] for i in order]), NAMES), together[order])
    alone = np.concatenate([measure(_ragged([curve]), NAMES) for curve in curves[::7]])
    np.testing.assert_array_equal(alone, together[::7])


def test_non_finite_points_are_left_out() -> None:
    clean = np.linspace(3.0, 1.0, 50) ** 2
    dirty = np.insert(clean, [3, 20, 50], [np.nan, np.inf, -np.inf])
    np.testing.assert_array_equal(measure(_ragged([dirty]), NAMES), measure(_ragged([clean]), NAMES))


HOSTILE: dict[str, FloatArray] = {
    "empty": np.empty(0),
    "only_nan": np.full(5, np.nan),
    "one_point": np.array([2.5]),
    "zeros": np.zeros(30),
    "blown_up": np.array([1.0, 2.0, 1e31, 3.0, 1e31]),
    "range_overflows": np.array([1e308, -1.7e308, 0.0, 1e308, 1.0]),
    "largest": np.full(20, np.finfo(np.float64).max),
    "denormal": np.arange(1.0, 40.0) * 5e-324,
    "denormal_to_huge": np.geomspace(1e-310, 1e300, 50),
    "last_bit": 1.0 + np.arange(20) % 2 * np.finfo(np.float64).eps,
    "signed_zero": np.array([0.0, -0.0, 0.0, -0.0]),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_curves_give_finite_features(case: str) -> None:
    channel = _ragged([HOSTILE[case], np.linspace(2.0, 1.0, 30)])
    view = normalise(channel).values
    assert view.min() >= 0.0
    assert view.max() <= 1.0
    assert not np.isinf(measure(channel, NAMES)).any()
    batch = Batch(dict.fromkeys(CHANNELS, channel), np.full(2, np.nan), np.ones(2), np.full(2, np.nan))
    assert np.isfinite(extract_selected(quantities.measure(batch))).all()


def test_an_empty_run_has_no_values_and_no_runs_no_rows() -> None:
    assert np.isnan(measure(_ragged([np.empty(0)]), NAMES)).all()
    assert measure(_ragged([]), NAMES).shape == (0, len(NAMES))


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        pytest.param([3.0, 1.0, 2.0], [1.0, 0.0, 0.5], id="linear"),
        pytest.param([100.0, 1.0, 10.0], [1.0, 0.0, 0.5], id="decades are read on a log scale"),
        pytest.param([100.0, 0.0, 50.0], [1.0, 0.0, 0.5], id="not above zero"),
        pytest.param([4.0, 4.0, 4.0], [0.0, 0.0, 0.0], id="constant"),
        pytest.param([1.6e308, -1.6e308, 0.0], [1.0, 0.0, 0.5], id="range beyond float64"),
    ],
)
def test_normalise(values: list[float], expected: list[float]) -> None:
    np.testing.assert_allclose(normalise(_ragged([np.array(values)])).values, expected, rtol=1e-12, atol=1e-15)


def test_unit_of_the_loss_does_not_matter() -> None:
    curve = 2.0 * np.exp(-np.linspace(0.0, 2.0, 80)) + 0.01 * np.random.default_rng(0).standard_normal(80)
    scaled = measure(_ragged([curve * 1e-6, curve, curve * 1e6]), SELECTED["train_loss"])
    np.testing.assert_allclose(scaled, np.broadcast_to(scaled[1], scaled.shape), rtol=1e-6, atol=1e-9)


def test_an_unknown_feature_is_named_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"no feature 'ar_coefficient__coeff_1__k_10'.*autocorrelation"):
        measure(_ragged([np.ones(3)]), ["ar_coefficient__coeff_1__k_10"])


def test_selected_features_exist_once_each() -> None:
    assert set(SELECTED) <= set(CHANNELS)
    for names in SELECTED.values():
        assert {name.split("__")[0] for name in names} <= set(CALCULATORS)
        assert len(set(names)) == len(names)


def test_selected_columns_follow_their_names() -> None:
    losses = {"train_loss": [3.0, 2.0, 1.5, 1.2], "val_loss": [3.0, 2.5, 2.4, 2.6, 2.9, 3.3, 3.1]}
    runs = [Run.from_arrays({**losses, "grad_norm": [1.0, 2.0, 1.5, 0.5]})]
    batch = Batch.from_runs(runs)
    table = extract_selected(quantities.measure(batch))
    assert table.shape == (1, len(feature_names()))
    channel, name = feature_names()[-1].split("__", 1)
    column = feature_names().index(f"val_loss__{SELECTED['val_loss'][0]}")
    assert table[0, column] == measure(batch.channels["val_loss"], SELECTED["val_loss"][:1])[0, 0]
    assert table[0, -1] == measure(batch.channels[channel], [name])[0, 0]
