"""The numbers the definitions speak of: drops, rises, plateaus, gaps, jumps, swings.

`level_of` estimates a channel's noise-free level from the logged points; the generator builds the same `Level` from
the latent curve it drew. `trend_quantities` then serves both, so that a definition means one thing everywhere.
`texture_quantities` estimates from logged points what the generator knows from its parts (noise, spikes, swings).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from curveclinic import measures as m
from curveclinic.ragged import Batch, BoolArray, FloatArray, IntArray

Quantities = dict[str, FloatArray]
"""Quantity name -> (n,) float64; NaN where a channel is missing."""

_EPS = 1e-12
_EDGE = 0.1
"""Share of the run that "initial level" and "end level" average over when the curve is noisy."""


@dataclass(frozen=True, eq=False)
class Level:
    """The smooth level of one channel of n runs on an even grid over its own steps.

    Attributes:
        steps: (n, G).
        view: (n, G) level in its view (log where the curve spans decades, else raw / largest magnitude).
        linear: (n, G) raw level / largest magnitude of the level.
        unit: (n,) raw value of 1.0 in `linear`.
        error: (n,) standard error of `view`.
        noise: (n,) standard deviation of single points in view units.
        count: (n,) number of logged finite points; 0 where the channel is absent.
        log: (n,) True where the view is logarithmic.
        positive: (n,) all logged values > 0: clauses relative to the level make sense.
    """

    steps: FloatArray
    view: FloatArray
    linear: FloatArray
    unit: FloatArray
    error: FloatArray
    noise: FloatArray
    count: IntArray
    log: BoolArray
    positive: BoolArray


def level_of(cells: m.Cells) -> Level:
    """Estimates the level from logged points."""
    smooth = m.smooth(cells)
    steps = m.own_grid(cells)
    view = m.resample(cells.steps, smooth, cells.size, steps)
    spread = np.maximum(view.max(axis=1) - view.min(axis=1), _EPS)
    averaged = np.clip(cells.cell_noise / spread, 0.0, 0.12) * cells.size
    error = cells.cell_noise / np.sqrt(np.maximum(2.0 * averaged + 1.0, 1.0))
    low = np.where(cells.log, 1.0, cells.low.min(axis=1))
    return make_level(steps, view, cells.log, cells.scale, error, cells.noise, cells.count, low > 0)


def make_level(
    steps: FloatArray, view: FloatArray, log: BoolArray, scale: FloatArray, error: FloatArray, noise: FloatArray,
    count: IntArray, positive: BoolArray,
) -> Level:  # fmt: skip
    """Builds a Level from a curve in its view; raw = exp(view) or view * scale."""
    top = view.max(axis=1, keepdims=True)
    with np.errstate(all="ignore"):
        peak = np.maximum(np.abs(view).max(axis=1, keepdims=True), 1e-300)
        linear = np.where(log[:, None], np.exp(np.minimum(view - top, 0.0)), view / peak)
        unit = np.where(log, np.exp(np.minimum(top[:, 0], 700.0)), scale * peak[:, 0])
    return Level(steps, view, linear, unit, error, noise, count, log, positive)


def raw_pair(train: Level, val: Level) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Returns common steps (n, G) and both raw levels on them, divided by one common unit."""
    n = len(train.count)
    start = np.maximum(train.steps[:, 0], val.steps[:, 0])
    stop = np.maximum(np.minimum(train.steps[:, -1], val.steps[:, -1]), start)
    grid = start[:, None] + (stop - start)[:, None] * np.linspace(0, 1, train.steps.shape[1])
    full = np.full(n, train.steps.shape[1])
    unit = np.maximum(np.maximum(train.unit, val.unit), 1e-300)
    t = m.resample(train.steps, train.linear, full, grid) * (train.unit / unit)[:, None]
    v = m.resample(val.steps, val.linear, full, grid) * (val.unit / unit)[:, None]
    return grid, t, v


def _edge(level: Level, *, end: bool) -> FloatArray:
    """Initial or end level: a single point of a clean curve, the mean of up to a tenth of a noisy one."""
    width = level.view.shape[1]
    spread = np.maximum(level.view.max(axis=1) - level.view.min(axis=1), _EPS)
    reach = np.rint(np.clip(level.error / spread, 0.0, _EDGE) * width).astype(np.int64)
    total = np.concatenate([np.zeros((len(reach), 1)), np.cumsum(level.view, axis=1)], axis=1)
    row = np.arange(len(reach))
    if end:
        return (total[:, -1] - total[row, width - 1 - reach]) / (reach + 1)
    return total[row, reach + 1] / (reach + 1)


def _suffix_flat(view: FloatArray, tolerance: FloatArray) -> FloatArray:
    """Share of the run at its end over which the level stays within +-tolerance (n,) of its end."""
    width = view.shape[1]
    tail_max = np.maximum.accumulate(view[:, ::-1], axis=1)
    tail_min = np.minimum.accumulate(view[:, ::-1], axis=1)
    return m.first_true(tail_max - tail_min > 2 * tolerance[:, None]) / width


def _one_channel(level: Level, prefix: str) -> Quantities:
    """Trend quantities of one loss channel; names carry the prefix t_ or v_."""
    view, width = level.view, level.view.shape[1]
    row = np.arange(len(view))
    start, end = _edge(level, end=False), _edge(level, end=True)
    low_at = view.argmin(axis=1)
    low = np.minimum(view[row, low_at], start)
    drop = np.maximum(start - low, 0.0)
    spread = view.max(axis=1) - view.min(axis=1)
    scale = np.maximum(np.maximum(drop, 2 * level.error), _EPS)
    # relative fall and rise of the raw level: 1 - exp(-d) in the log view
    first_raw = np.maximum(np.abs(start), _EPS)
    relative = np.where(level.log, -np.expm1(-drop), drop / first_raw)
    late = view[:, int(width * 0.8)]
    late_mean = view[:, int(width * 0.76) : int(width * 0.84)].mean(axis=1)
    noisy = level.error > 0.02 * np.maximum(spread, _EPS)
    end_fall = np.where(noisy, late_mean, late) - end
    fallen = m.first_true(view < (start - np.maximum(0.05 * drop, 2.5 * level.error))[:, None])
    half = m.first_true(view < (start - 0.5 * drop)[:, None])
    tolerance = np.maximum(0.04 * spread, 1.5 * level.error)
    high_after_low = np.where(np.arange(width) >= low_at[:, None], view, -np.inf).max(axis=1)
    q = {
        "start": start, "end": end, "low": low, "drop": drop, "spread": spread,
        "drop_rel": relative,
        "drop_snr": drop / np.maximum(level.error, _EPS),
        "drop_noise": drop / np.maximum(level.noise, _EPS),
        "low_at": low_at / (width - 1),
        "end_fall": end_fall / scale,
        "end_fall_snr": end_fall / np.maximum(level.error, _EPS),
        "end_fall_rel": np.where(level.log, -np.expm1(-np.maximum(end_fall, 0)), end_fall / np.maximum(np.abs(end), _EPS)),
        "rise": end - low,
        "rise_drop": (end - low) / scale,
        "rise_snr": (end - low) / np.maximum(level.error, _EPS),
        "rise_rel": np.where(level.log, np.expm1(np.clip(end - low, 0, 700)), (end - low) / np.maximum(np.abs(low), _EPS)),
        "rise_noise": (end - low) / np.maximum(level.noise, _EPS),
        "peak_rise": high_after_low - low,
        "above_start_rel": np.where(level.log, np.expm1(np.clip(end - start, -700, 700)), (end - start) / first_raw),
        "plateau": _suffix_flat(view, tolerance),
        "fallen_at": np.minimum(fallen, width - 1) / (width - 1),
        "half_at": np.minimum(half, width - 1) / (width - 1),
        "noise_rel": np.where(level.log, level.noise, level.noise / first_raw),
        "noise_drop": level.noise / scale,
        "count": level.count.astype(np.float64),
        "positive": level.positive.astype(np.float64),
    }  # fmt: skip
    absent = level.count == 0
    return {prefix + name: np.where(absent, np.nan, value) for name, value in q.items()}


def trend_quantities(train: Level, val: Level) -> Quantities:
    """Everything that depends on smooth levels alone."""
    q = _one_channel(train, "t_") | _one_channel(val, "v_")
    both = (train.count > 1) & (val.count > 1)
    pair = _pair_quantities(train, val)
    return q | {name: np.where(both, value, np.nan) for name, value in pair.items()}


def _pair_quantities(train: Level, val: Level) -> Quantities:
    grid, t, v = raw_pair(train, val)
    n, width = t.shape
    row = np.arange(n)
    v_low_at = v.argmin(axis=1)
    gap = v - t
    gap_at_low, gap_end = gap[row, v_low_at], gap[:, -max(width // 20, 1) :].mean(axis=1)
    v_range = np.maximum(v.max(axis=1) - v.min(axis=1), _EPS)
    t_range = np.maximum(t.max(axis=1) - t.min(axis=1), _EPS)
    half = width // 2
    # train while val rises: how far it falls (or how close it stays to its floor) after the val minimum
    t_after = (t[row, v_low_at] - t[:, -max(width // 20, 1) :].mean(axis=1)) / t_range
    t_floor = (t[:, -max(width // 20, 1) :].mean(axis=1) - t.min(axis=1)) / t_range
    below = _below_train(t, v, train, val)
    fit_at = m.first_true(t <= (t.min(axis=1) + 0.1 * t_range)[:, None])
    after_fit = np.where(np.arange(width) >= fit_at[:, None], v, -np.inf)
    worst_after = after_fit.argmax(axis=1)
    v_peak = after_fit[row, np.minimum(worst_after, width - 1)]
    v_late_low = np.where(np.arange(width) >= worst_after[:, None], v, np.inf).min(axis=1)
    late_fall = np.where(np.isfinite(v_peak), v_peak - v_late_low, 0.0)
    at_bad = np.where(
        (np.arange(width) >= fit_at[:, None]) & (v > (v_late_low + 0.7 * late_fall)[:, None]), 1.0, 0.0
    ).mean(axis=1)
    v_half = v[:, half:]
    return {
        "gap_end": gap_end,
        "gap_growth_v": (gap_end - gap_at_low) / v_range,
        "gap_growth_t": (gap_end - gap_at_low) / t_range,
        "gap_ratio": np.where(gap_at_low > 0, gap_end / np.maximum(gap_at_low, _EPS), np.nan),
        "gap_level": np.abs(gap_end) / np.maximum(np.abs(v[:, -1]), _EPS),
        "val_over_train_end": v[:, -1] / np.maximum(np.abs(t[:, -1]), _EPS),
        "v_flat_late": (v_half.max(axis=1) - v_half.min(axis=1)) / v_range,
        "t_late_fall": (t[:, half] - t[:, -1]) / t_range,
        "t_late_log_fall": np.log(np.maximum(t[:, half], _EPS) / np.maximum(t[:, -1], _EPS)),
        "t_after_low": t_after,
        "t_floor": t_floor,
        "below": below,
        "fit_at": fit_at / (width - 1),
        "late_fall": late_fall / v_range,
        "late_fall_rel": late_fall / np.maximum(np.abs(np.where(np.isfinite(v_peak), v_peak, 1.0)), _EPS),
        "late_fall_error": late_fall / np.maximum(val.error * np.where(val.log, np.abs(v).max(axis=1), v_range / np.maximum(val.view.max(1) - val.view.min(1), _EPS)), _EPS),
        "bad_share": at_bad,
        "late_fall_at": np.minimum(worst_after, width - 1) / (width - 1),
        "v_low_step": grid[row, v_low_at],
        "fit_step": grid[row, np.minimum(fit_at, width - 1)],
    }  # fmt: skip


def _below_train(t: FloatArray, v: FloatArray, train: Level, val: Level) -> FloatArray:
    """Margin by which val lies below train at 80 % of the points, in units of DESIGN's visible margin."""
    both_range = np.maximum(np.maximum(t.max(axis=1), v.max(axis=1)) - np.minimum(t.min(axis=1), v.min(axis=1)), _EPS)
    positive = train.positive & val.positive
    by_range = (t - v) / (0.2 * both_range)[:, None]
    by_level = np.where(positive[:, None], (t - v) / np.maximum(0.03 * np.abs(t), _EPS), -np.inf)
    return np.quantile(np.maximum(by_range, by_level), 0.2, axis=1, method="lower")


def texture_quantities(batch: Batch, cells: Mapping[str, m.Cells], levels: Mapping[str, Level]) -> Quantities:
    """Estimates of what rides on the level: jumps, swings, periods, noise of val against train."""
    t, v = cells["train_loss"], cells["val_loss"]
    q: Quantities = {}
    for prefix, c, level in (("t_", t, levels["train_loss"]), ("v_", v, levels["val_loss"])):
        spread = np.maximum(np.quantile(c.mean, 0.95, axis=1) - np.quantile(c.mean, 0.05, axis=1), _EPS)
        limit = np.maximum(np.maximum(7.0 * c.noise, 0.15 * spread), 1e-3 * np.abs(np.median(c.mean, axis=1)))
        jumps = m.jumps_of(c, np.where(c.count > 0, limit, np.inf))
        q[prefix + "jumps"] = jumps.count.astype(np.float64)
        q[prefix + "jump_size"] = jumps.largest / np.maximum(limit, _EPS)
        row = np.arange(len(limit))
        q[prefix + "jump_first"] = c.steps[row, np.maximum(jumps.first, 0)]
        q[prefix + "jump_last"] = c.steps[row, np.maximum(jumps.last, 0)]
        q |= _swings(c, level, prefix)
    q["jump_shared"] = _shared_jumps(t, v)
    raw_t, raw_v = _raw_noise(t), _raw_noise(v)
    q["v_noise_over_t"] = raw_v / np.maximum(raw_t, _EPS * np.maximum(raw_v, 1e-300))
    q["period_strength"], q["period"] = m.autocorrelation_peak(batch.channels["train_loss"])
    q["swing_shared"] = _shared_swings(t, v)
    return q


def _swings(cells: m.Cells, level: Level, prefix: str) -> Quantities:
    """Swings about a wide moving mean: amplitude against the drop, persistence, number of turns."""
    wide = m.moving_mean(cells.mean, np.maximum(cells.size // 6, 1), cells.size)
    real = np.arange(m.CELLS)[None, :] < cells.size[:, None]
    rest = np.where(real & (np.arange(m.CELLS)[None, :] >= cells.size[:, None] // 10), cells.mean - wide, 0.0)
    rest_count = np.maximum((rest != 0).sum(axis=1), 1)
    amplitude = m.masked_quantile(np.abs(rest), rest != 0, 0.7)
    spread = np.maximum(np.quantile(wide, 0.98, axis=1) - np.quantile(wide, 0.02, axis=1), 0.02 * np.abs(wide).mean(axis=1) + _EPS)
    variance = np.maximum((rest**2).sum(axis=1), 1e-300)
    persistence = (rest[:, 1:] * rest[:, :-1]).sum(axis=1) / variance
    turns = ((rest[:, 1:] * rest[:, :-1]) < 0).sum(axis=1) / rest_count
    return {
        prefix + "swing": amplitude / spread,
        prefix + "swing_level": np.where(cells.log, amplitude, amplitude / np.maximum(np.abs(wide).mean(axis=1), _EPS)),
        prefix + "swing_persistence": persistence,
        prefix + "swing_turns": turns,
    }


def _raw_noise(cells: m.Cells) -> FloatArray:
    """Typical scatter of single points in raw units, over the last half of the run."""
    late = cells.mean[:, m.CELLS // 2]
    return np.where(cells.log, cells.late_noise * np.exp(np.minimum(late, 700.0)), cells.late_noise * cells.scale)


def _shared_jumps(t: m.Cells, v: m.Cells) -> FloatArray:
    """Size of train's jump at the place of val's largest one, in units of train's noise and spread."""
    zero = np.zeros(len(t.size))
    jv, jt = m.jumps_of(v, zero), m.jumps_of(t, zero)
    row = np.arange(len(zero))
    at = v.steps[row, jv.prominence.argmax(axis=1)]
    span = np.maximum(t.steps[:, -1] - t.steps[:, 0], _EPS)
    near = np.abs(t.steps - at[:, None]) <= (0.02 * span + np.abs(v.steps[:, -1] - v.steps[:, 0]) / np.maximum(v.size, 2))[:, None]
    spread = np.quantile(t.mean, 0.95, axis=1) - np.quantile(t.mean, 0.05, axis=1)
    return np.where(near, jt.prominence, 0.0).max(axis=1) / np.maximum(np.maximum(7.0 * t.noise, 0.15 * spread), _EPS)


def _shared_swings(t: m.Cells, v: m.Cells) -> FloatArray:
    """Correlation of train's and val's swings on common steps: a moving model moves both."""
    grid = m.common_grid(t, v, 64)
    a, b = m.resample(t.steps, t.mean, t.size, grid), m.resample(v.steps, v.mean, v.size, grid)
    full = np.full(len(a), 64)
    half = np.full(len(a), 8)
    pad = lambda x: np.concatenate([x, np.repeat(x[:, -1:], m.CELLS - 64, axis=1)], axis=1)  # noqa: E731
    a, b = (x - m.moving_mean(pad(x), half, full)[:, :64] for x in (a, b))
    norm = np.sqrt((a**2).sum(axis=1) * (b**2).sum(axis=1))
    return (a * b).sum(axis=1) / np.maximum(norm, 1e-300) * (norm > 0)


def channel_quantities(batch: Batch, levels: Mapping[str, Level], cells: Mapping[str, m.Cells]) -> Quantities:
    """What the optional channels say: metric, learning rate, gradient norm, first values, non-finite points."""
    return (
        _metric_quantities(batch, levels, cells)
        | _first_values(batch, cells["train_loss"])
        | _gradient_quantities(cells["grad_norm"], cells["train_loss"])
        | _schedule_quantities(cells["lr"])
        | {"layer_ratio": batch.layer_ratio}
        | {f"{p}bad": _share_not_finite(batch, c) for p, c in (("t_", "train_loss"), ("v_", "val_loss"))}
    )


def _share_not_finite(batch: Batch, name: str) -> FloatArray:
    channel = batch.channels[name]
    bad = np.concatenate([[0], np.cumsum(~np.isfinite(channel.values))])[channel.offsets]
    with np.errstate(all="ignore"):
        return np.where(channel.lengths > 0, np.diff(bad) / np.maximum(channel.lengths, 1), np.nan)


def _metric_quantities(batch: Batch, levels: Mapping[str, Level], cells: Mapping[str, m.Cells]) -> Quantities:
    n = batch.size
    out = {k: np.full(n, np.nan) for k in ("metric_gain_after_low", "metric_gain", "metric_span", "metric_count", "metric_trend")}
    row = np.arange(n)
    for name in ("train_metric", "val_metric"):  # val wins where both are there
        c, loss = cells[name], levels["val_loss"] if name == "val_metric" else levels["train_loss"]
        good = (c.count >= 4) & (loss.count > 1)
        level = m.smooth(c) * np.where(c.log, 1.0, c.scale)[:, None]
        level = np.where(c.log[:, None], np.exp(np.minimum(level, 700)), level) * batch.metric_sign[:, None]
        on_loss = m.resample(c.steps, level, c.size, loss.steps)
        low_at = loss.view.argmin(axis=1)
        tail = on_loss[:, -max(on_loss.shape[1] // 12, 1) :].mean(axis=1)
        spread = on_loss.max(axis=1) - on_loss.min(axis=1)
        noise = np.where(c.log, c.noise * np.abs(level).mean(axis=1), c.noise * c.scale)
        at_low = on_loss[row, low_at]
        # a metric that beats noise: span of the level against the scatter of its points
        middle = on_loss.shape[1] // 2
        trend = (on_loss[:, middle:].mean(axis=1) - on_loss[:, : max(middle // 3, 1)].mean(axis=1)) / np.maximum(noise, 0.02 * np.abs(on_loss).mean(axis=1) + _EPS)
        values = {
            "metric_gain_after_low": (tail - at_low) / np.maximum(spread, _EPS) * (spread > 2 * noise),
            "metric_gain": (tail - on_loss[:, 0]) / np.maximum(np.abs(on_loss).max(axis=1), _EPS),
            "metric_span": spread / np.maximum(np.abs(on_loss).max(axis=1), _EPS),
            "metric_count": c.count.astype(np.float64),
            "metric_trend": trend,
        }  # fmt: skip
        for key, value in values.items():
            out[key] = np.where(good, value, out[key])
    return out


def _first_values(batch: Batch, t: m.Cells) -> Quantities:
    """First train loss against the level at 2 % of the run, against its end and against a chance prediction."""
    channel = batch.channels["train_loss"].finite()
    n = channel.lengths
    later = channel.offsets[:-1] + np.minimum(np.maximum(2, np.ceil(0.02 * n).astype(np.int64)), np.maximum(n - 1, 0))
    have = n >= 3
    pick = lambda index: channel.values[np.minimum(np.where(have, index, 0), max(len(channel.values) - 1, 0))] if len(channel.values) else np.full(len(n), np.nan)  # noqa: E731
    first = pick(channel.offsets[:-1])
    near = np.median(np.stack([pick(np.minimum(later + k, channel.offsets[1:] - 1)) for k in (0, 1, 2)]), axis=0)
    last = np.median(np.stack([pick(np.maximum(channel.offsets[1:] - 1 - k, channel.offsets[:-1])) for k in (0, 1, 2)]), axis=0)
    fine = have & (first > 0) & (near > 0) & (t.low.min(axis=1) > (-np.inf))
    lowest = m.segment_min(channel.values, channel.offsets)
    fine &= lowest > 0
    with np.errstate(all="ignore"):
        return {
            "first_over_near": np.where(fine, first / near, np.nan),
            "near_over_last": np.where(fine, near / np.maximum(last, 1e-300), np.nan),
            "first_over_chance": np.where(fine, first / np.log(np.maximum(batch.num_classes, 2)), np.nan) * np.where(batch.num_classes >= 2, 1, np.nan),
            "first": first,
            "near": near,
        }  # fmt: skip


def _gradient_quantities(g: m.Cells, t: m.Cells) -> Quantities:
    """log10 growth of the gradient norm: bursts over the running median, start against end."""
    raw = np.where(g.log[:, None], g.high, np.log(np.maximum(g.high * g.scale[:, None], 1e-300))) / np.log(10)
    mid = np.where(g.log[:, None], g.mean, np.log(np.maximum(g.mean * g.scale[:, None], 1e-300))) / np.log(10)
    base = m.running_median(mid, 15, g.size)
    typical = np.median(base, axis=1)
    skip = np.arange(m.CELLS)[None, :] < np.minimum(np.maximum(g.size // 30, 2), 4)[:, None]
    real = np.arange(m.CELLS)[None, :] < g.size[:, None]
    burst = np.where(real & ~skip, raw - base, 0.0).max(axis=1)
    early = m.masked_median(mid, real & (np.arange(m.CELLS)[None, :] < np.maximum(g.size // 8, 3)[:, None]))
    late = m.masked_median(mid, real & (np.arange(m.CELLS)[None, :] >= (g.size - np.maximum(g.size // 8, 3))[:, None]))
    lowest_early = np.where(real, np.minimum.accumulate(base, axis=1), np.inf)
    growth = np.where(real & ~skip, base - lowest_early, 0.0).max(axis=1)
    have = g.count >= 4
    return {
        "grad_burst": np.where(have, burst, np.nan),
        "grad_growth": np.where(have, growth, np.nan),
        "grad_end_log10": np.where(have, late, np.nan),
        "grad_fall": np.where(have, np.maximum(early, typical) - late, np.nan),
        "grad_burst_step": g.steps[np.arange(len(g.size)), np.where(real & ~skip, np.maximum(raw - base, base - lowest_early), 0.0).argmax(axis=1)],
        "grad_typical": 10.0 ** np.clip(typical, -300, 300),
    }  # fmt: skip


def _schedule_quantities(lr: m.Cells) -> Quantities:
    """Rises of the learning rate after its first fall: a cyclic schedule explains bumps."""
    value = np.where(lr.log[:, None], np.exp(np.minimum(lr.mean, 700.0)), lr.mean * lr.scale[:, None])
    top = np.maximum(value.max(axis=1), 1e-300)
    after_peak = np.arange(m.CELLS)[None, :] > value.argmax(axis=1)[:, None]
    floor = np.minimum.accumulate(np.where(after_peak, value, np.inf), axis=1)
    with np.errstate(invalid="ignore"):
        rises = np.where(after_peak, value - floor, 0.0).max(axis=1) / top
    return {"lr_cycles": np.where(lr.count >= 3, rises, np.nan)}


def logged_quantities(batch: Batch) -> tuple[Quantities, dict[str, Level], dict[str, m.Cells]]:
    """All quantities of logged runs, with the levels and cells they were read from."""
    cells = {name: m.cells_of(channel) for name, channel in batch.channels.items()}
    levels = {name: level_of(cells[name]) for name in ("train_loss", "val_loss")}
    q = trend_quantities(levels["train_loss"], levels["val_loss"])
    q |= texture_quantities(batch, cells, levels) | channel_quantities(batch, levels, cells)
    return q, levels, cells
