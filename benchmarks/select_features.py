"""Chooses the tsfresh features the network sees, with tsfresh itself, on synthetic labelled runs.

    python benchmarks/select_features.py                      # about 4 minutes, writes results/feature_selection.csv
    python benchmarks/select_features.py --count 300 --out trial.csv

1. tsfresh extracts every candidate of `SETTINGS` from the normalised channels (`tsfresh_features.normalise`).
2. tsfresh's relevance test (Mann-Whitney U or Fisher, Benjamini-Yekutieli at `FDR`) runs for every label and channel
   over the runs that have the channel and count for the label.
3. A random forest per label, on the features relevant for it, gives importances.
4. Per channel the most important features are taken, best first, unless they say what a taken one says (rank
   correlation above `SAME`), follow the number of logged points (`DRIFT`, `GROWTH`), or are
   relevant for no label.

The printed tuples go into `SELECTED` of `model/tsfresh_features.py`; a calculator that `CALCULATORS` there lacks is to
be written. What this does not show: whether the network, which also sees the curves, needs a feature; that is an
ablation of `train.py`. Rerun after every change of the generator; runs longer than `POINTS` are thinned, so period
features are judged on shorter periods than real ones.
"""

from __future__ import annotations

import argparse
import warnings
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pandas as pd
from sklearn.ensemble import RandomForestClassifier
from tsfresh import extract_features
from tsfresh.feature_selection.relevance import calculate_relevance_table

from curveclinic.labels import LABELS
from curveclinic.model.tsfresh_features import normalise
from curveclinic.ragged import Batch, FloatArray, Ragged

QUOTA = {"train_loss": 16, "val_loss": 16, "train_metric": 6, "val_metric": 6, "grad_norm": 6}
"""Features taken per channel: what fits the 25 us a run may cost."""

POINTS = 300
"""Longest curve given to tsfresh, whose calculators take about 10 ms a curve."""

FDR = 0.05
"""False discovery rate of a label's relevance table, tsfresh's default."""

SAME = 0.9
"""Rank correlation above which two features are one."""

DRIFT = 0.5
"""Most interquartile ranges by which a share or a correlation may move when a run is thinned: a verdict must not depend
on how often a run was logged."""

GROWTH = 0.3
"""Largest exponent of the number of points for the other features: they leave the range they were trained on in a
longer log. Counts have 1, `cid_ce` 1/2 or less, the variance of the spectrum 2."""

SHARE = 1.5
"""Size up to which a feature counts as a share or a correlation (tsfresh's autocorrelation may exceed 1)."""

THINNING = 4
"""Drift and growth are read off the same runs with every 4th point kept."""

LEAST_POSITIVE = 15
"""Fewest runs with a label for it to be tested."""

_SEGMENTS = [{"num_segments": 10, "segment_focus": i} for i in range(10)]
_FITS = ("slope", "intercept", "rvalue", "stderr")

SETTINGS: dict[str, list[dict[str, Any]] | None] = {
    "mean": None,
    "median": None,
    "quantile": [{"q": q} for q in (0.1, 0.25, 0.75, 0.9)],
    "variance": None,
    "standard_deviation": None,
    "variation_coefficient": None,
    "root_mean_square": None,
    "skewness": None,
    "kurtosis": None,
    "mean_n_absolute_max": [{"number_of_maxima": 7}],
    "ratio_beyond_r_sigma": [{"r": r} for r in (1, 2, 3)],
    "count_above": [{"t": t} for t in (0.5, 0.9)],
    "count_below": [{"t": t} for t in (0.1, 0.5)],
    "count_above_mean": None,
    "count_below_mean": None,
    "longest_strike_above_mean": None,
    "longest_strike_below_mean": None,
    "first_location_of_maximum": None,
    "last_location_of_maximum": None,
    "first_location_of_minimum": None,
    "last_location_of_minimum": None,
    "index_mass_quantile": [{"q": q} for q in (0.1, 0.25, 0.5, 0.75, 0.9)],
    "binned_entropy": [{"max_bins": 10}],
    "ratio_value_number_to_time_series_length": None,
    "percentage_of_reoccurring_values_to_all_values": None,
    "percentage_of_reoccurring_datapoints_to_all_datapoints": None,
    "absolute_sum_of_changes": None,
    "mean_abs_change": None,
    "mean_change": None,
    "mean_second_derivative_central": None,
    "cid_ce": [{"normalize": True}, {"normalize": False}],
    "change_quantiles": [
        {"ql": low, "qh": high, "isabs": isabs, "f_agg": f_agg}
        for low, high in ((0.0, 0.4), (0.2, 0.8), (0.6, 1.0))
        for isabs in (True, False)
        for f_agg in ("mean", "var")
    ],
    "autocorrelation": [{"lag": lag} for lag in (1, 2, 3, 4, 5, 10)],
    "c3": [{"lag": lag} for lag in (1, 2, 3)],
    "time_reversal_asymmetry_statistic": [{"lag": lag} for lag in (1, 2, 3)],
    "number_crossing_m": [{"m": 0.5}],
    "number_peaks": [{"n": n} for n in (1, 3, 5)],
    "linear_trend": [{"attr": attr} for attr in _FITS],
    "agg_linear_trend": [
        {"attr": attr, "chunk_len": size, "f_agg": f_agg}
        for attr in ("slope", "rvalue", "stderr")
        for size in (5, 10)
        for f_agg in ("mean", "var")
    ],
    "energy_ratio_by_chunks": _SEGMENTS,
    "fft_coefficient": [{"coeff": k, "attr": "abs"} for k in (1, 2, 3, 5)],
    "fft_aggregated": [{"aggtype": "centroid"}, {"aggtype": "variance"}],
}
"""Candidates as tsfresh settings."""


class Sample(Protocol):
    """What `curveclinic.synth.generate` returns."""

    batch: Batch
    target: FloatArray  # (n, 20) 1 present, 0 absent
    weight: FloatArray  # (n, 20) 0 where a label does not count


def select(sample: Sample) -> pd.DataFrame:
    """Returns one row a candidate: p-values, relevance, importance, stability, selected."""
    channels = {name: thinned(sample.batch.channels[name].finite(), POINTS) for name in QUOTA}
    tables = {name: tsfresh_table(channel, name) for name, channel in channels.items()}
    p_values, relevant = relevance(tables, sample)
    result = pd.concat([stability(channels[name], table, name) for name, table in tables.items()])
    result.insert(0, "labels_tested", p_values.notna().sum(axis=1))
    result.insert(1, "labels_relevant", relevant.sum(axis=1))
    result.insert(2, "importance", importance(tables, relevant, sample))
    result["selected"] = False
    for name, table in tables.items():
        result.loc[chosen(result.loc[table.columns], table, QUOTA[name]), "selected"] = True
    return result.join(p_values.add_prefix("p_")).rename_axis("feature")


def thinned(channel: Ragged, points: int) -> Ragged:
    """Every k-th point of each run, k the smallest that leaves at most `points`."""
    stride = np.repeat(-(-channel.lengths // points), channel.lengths)
    position = np.arange(len(channel.values)) - np.repeat(channel.offsets[:-1], channel.lengths)
    return channel.where(position % stride == 0)


def tsfresh_table(channel: Ragged, name: str) -> pd.DataFrame:
    """tsfresh's features of the runs that have the channel, undefined ones 0."""
    view = normalise(channel)
    frame = pd.DataFrame({"run": np.repeat(np.arange(view.size), view.lengths), "step": view.steps, name: view.values})
    features = extract_features(
        frame, default_fc_parameters=SETTINGS, column_id="run", column_sort="step", n_jobs=0, disable_progressbar=True
    )
    return features.astype(np.float64).replace([np.inf, -np.inf], np.nan).fillna(0.0).sort_index()


def relevance(tables: dict[str, pd.DataFrame], sample: Sample) -> tuple[pd.DataFrame, pd.DataFrame]:
    """p-value and relevance of every feature (rows) for every label that occurs often enough (columns)."""
    features = [feature for table in tables.values() for feature in table.columns]
    p_values = pd.DataFrame(np.nan, index=features, columns=list(LABELS))
    relevant = pd.DataFrame(False, index=features, columns=list(LABELS))
    for column, label in enumerate(LABELS):
        for table in tables.values():
            counted = table.loc[sample.weight[table.index, column] > 0.0]
            present = pd.Series(sample.target[counted.index, column] >= 0.5, index=counted.index)
            if min(present.sum(), (~present).sum()) < LEAST_POSITIVE:
                continue
            found = calculate_relevance_table(counted, present, ml_task="classification", fdr_level=FDR, n_jobs=0)
            p_values.loc[found.index, label] = found["p_value"]
            relevant.loc[found.index, label] = found["relevant"].astype(bool)
    return p_values, relevant


def importance(tables: dict[str, pd.DataFrame], relevant: pd.DataFrame, sample: Sample) -> pd.Series[float]:
    """Forests' importance relative to each label's best; the root mean square over labels favours specialists."""
    matrix = pd.concat(tables.values(), axis=1).reindex(range(sample.batch.size)).fillna(0.0)
    scores = []
    for column, label in enumerate(LABELS):
        features = relevant.index[relevant[label]]
        counted = np.flatnonzero(sample.weight[:, column] > 0.0)
        present = sample.target[counted, column] >= 0.5
        if not len(features) or present.sum() < LEAST_POSITIVE:
            continue
        forest = RandomForestClassifier(200, min_samples_leaf=3, class_weight="balanced", random_state=0, n_jobs=2)
        forest.fit(matrix.loc[counted, features].to_numpy(), present)
        scores.append(pd.Series(forest.feature_importances_ / forest.feature_importances_.max(), index=features))
    return (pd.concat(scores, axis=1).reindex(relevant.index).fillna(0.0) ** 2).mean(axis=1) ** 0.5


def stability(channel: Ragged, table: pd.DataFrame, name: str) -> pd.DataFrame:
    """Drift, growth (upper quartile of |a| where a feature ~ points^a) and size of every feature, by thinning."""
    long = table.index[channel.lengths[table.index] >= 20 * THINNING]
    points = channel.take(long.to_numpy())
    position = np.arange(len(points.values)) - np.repeat(points.offsets[:-1], points.lengths)
    before, after = table.loc[long], tsfresh_table(points.where(position % THINNING == 0), name).set_index(long)
    ratio = (before / after).abs().where((before != 0.0) & (after != 0.0))
    growth = np.log(ratio).abs().quantile(0.75) / np.log(THINNING)
    spread = (before.quantile(0.75) - before.quantile(0.25)).clip(lower=1e-9)
    drift = (after - before).abs().median() / spread
    return pd.DataFrame({"drift": drift, "growth": growth, "size": before.abs().max()}).fillna(0.0)


def chosen(candidates: pd.DataFrame, table: pd.DataFrame, quota: int) -> list[str]:
    """Most important features first, without near copies, the irrelevant and those that follow the run's length."""
    share = candidates["size"] <= SHARE
    stable = (share & (candidates["drift"] <= DRIFT)) | (~share & (candidates["growth"] <= GROWTH))
    order = candidates[stable & (candidates["labels_relevant"] > 0)].sort_values("importance", ascending=False).index
    likeness = table[order].corr(method="spearman").abs()
    taken: list[str] = []
    for feature in order:
        if len(taken) < quota and (likeness.loc[feature, taken] < SAME).all():
            taken.append(feature)
    return taken


def main() -> None:
    from curveclinic.synth import generate

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=5000, help="synthetic runs")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "feature_selection.csv")
    options = parser.parse_args()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # tsfresh and pandas warn about each other and about constant features
        result = select(generate(options.seed, options.count))
    options.out.parent.mkdir(parents=True, exist_ok=True)
    result.sort_index().to_csv(options.out, float_format="%.3g")
    for name in QUOTA:
        picked = result[result["selected"] & result.index.str.startswith(f"{name}__")]
        print(name, *(f"    {feature.split('__', 1)[1]!r}," for feature in sorted(picked.index)), sep="\n")


if __name__ == "__main__":
    main()
