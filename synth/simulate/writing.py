"""From recorded trainings to log files: which values a logger writes, what it averages, where a log ends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from curveclinic.ragged import Batch, BoolArray, FloatArray, IntArray, Ragged, offsets_of
from curveclinic.synth.draws import Rng, chance, log_uniform, pick
from curveclinic.synth.logger import GOAL_KNOWN, printed
from curveclinic.synth.plan import LOGGING
from curveclinic.synth.simulate.record import Cache
from curveclinic.synth.simulate.views import Views

_EPOCH, _EVAL, _STEP, _WINDOW, _EMA, _RUNNING = range(len(LOGGING))

_DECAYS: Final = (0.8, 0.9, 0.95, 0.98)
"""Factors of exponential averages, per recorded step."""

_OVERFLOW: Final = 1e37
"""Size from which a float32 training reports Inf."""

_FEWEST: Final = 5
"""Evaluations in a log that is written by epochs."""


@dataclass(frozen=True, eq=False)
class Book:
    """How n logs are written, (n,) each.

    Attributes:
        row: training in the cache.
        kind: index into `LOGGING`.
        stop: recorded steps in the log.
        every: recorded steps between train points (kinds beyond "eval").
        evals: evaluations between val points.
        first_eval: 1.0 where the untrained model was evaluated, too.
        decay: of an exponential average.
        scale, first: logged step = first + scale * training step.
        unit: of the loss.
    """

    row: IntArray
    kind: IntArray
    stop: IntArray
    every: IntArray
    evals: IntArray
    first_eval: FloatArray
    decay: FloatArray
    scale: FloatArray
    first: FloatArray
    unit: FloatArray


@dataclass(frozen=True, eq=False)
class Written:
    """n logs and their views without noise.

    Attributes:
        batch: the logs.
        level: `train_loss` and `val_loss` without noise at the finite points of the batch, swings included.
        noise: (total,) known standard deviation of each finite train point.
        metric: `train_metric` and `val_metric` without noise at their finite points.
        bad: (n,) True where a corrupted batch is among the logged points.
    """

    batch: Batch
    level: dict[str, Ragged]
    noise: FloatArray
    metric: dict[str, Ragged]


@dataclass(frozen=True, eq=False)
class _Points:
    """Where one channel's points lie: offsets (n + 1,), row in the book (total,), training step (total,)."""

    offsets: IntArray
    run: IntArray
    index: IntArray
    step: FloatArray


def draw_book(rng: Rng, cache: Cache, rows: IntArray, count: int) -> Book:
    """Draws trainings and how each is logged; a prefix of a training is a run, too."""
    row = rows[rng.integers(len(rows), size=count)]
    dense = np.diff(cache.dense_offsets)[row]
    share = np.where(rng.random(count) < 0.6, 1.0, rng.uniform(0.1, 1.0, count))
    stop = np.clip(np.rint(dense * share), np.minimum(dense, 12), dense).astype(np.int64)
    stride, thin = cache.numbers["stride"][row], cache.numbers["every"][row]
    there = (stop * thin // stride).astype(np.int64)
    by_step = pick(rng, [0, 0, 4, 3, 1.5, 1.2], count)
    kind = np.where(there >= _FEWEST, np.where(rng.random(count) < 0.55, pick(rng, [6, 1.2], count), by_step), by_step)
    evals = np.minimum(rng.choice([1, 1, 1, 2, 3, 6, 10], count), np.maximum(there // _FEWEST, 1))
    # a fixed order of the data shows in logs of steps only
    ordered = (cache.numbers["fixed_order"][row] > 0) & (rng.random(count) < 0.7)
    kind = np.where(ordered, np.minimum(np.maximum(by_step, _STEP), _WINDOW), kind)
    points = np.minimum(np.where(ordered, log_uniform(rng, 150, 1500, count), log_uniform(rng, 15, 1500, count)), stop)
    by_epoch = kind <= _EVAL
    period = evals * stride
    scale = np.where(by_epoch & (rng.random(count) < 0.7), 1 / period, 1.0)
    scale = np.where(~by_epoch & (rng.random(count) < 0.12), 1 / cache.numbers["epoch"][row], scale)
    resumed = np.where(rng.random(count) < 0.03, np.rint(log_uniform(rng, 10, 1e5, count)), 0.0)
    return Book(
        row,
        kind,
        stop,
        np.maximum(stop // points, 1).astype(np.int64),
        evals,
        chance(rng, 0.25, count),
        rng.choice(_DECAYS, count),
        scale,
        resumed - np.where(rng.random(count) < 0.4, 1.0, 0.0) * (scale != 1.0) * by_epoch,
        np.where(rng.random(count) < 0.93, 1.0, 10.0 ** rng.uniform(-7, 8, count)),
    )


def write(rng: Rng, cache: Cache, views: Views, book: Book) -> Written:
    """Writes the logs."""
    t, v = _train_points(cache, book), _val_points(cache, book)
    dense, seen = cache.dense, cache.evaluated
    unit_t, unit_v = book.unit[t.run], book.unit[v.run]
    loss = _averaged(cache, book, t, dense["loss"], seen["full_loss"]) * unit_t
    level = _averaged(cache, book, t, views.train, seen["full_loss"]) * unit_t
    noise = _noise(cache, book, t, views.noise) * unit_t
    at = _eval_index(cache, book, v)
    val, val_level = seen["val_loss"][at] * unit_v, views.val[at] * unit_v
    percent = np.where(rng.random(len(book.row)) < 0.15, 100.0, 1.0)
    t_metric = _averaged(cache, book, t, dense["metric"], seen["full_metric"]) * percent[t.run]
    v_metric = seen["val_metric"][at] * percent[v.run]
    v_clean = seen["pool_metric"][at] * percent[v.run]
    last = cache.dense_offsets[book.row][t.run] + _ends(cache, book, t) - 1
    rate, norm = dense["lr"][last], _averaged(cache, book, t, dense["grad_norm"], None)
    has = _channels(rng, len(book.row))
    ends = _last_step(rng, t, loss)
    digits = pick(rng, {99: 7, 6: 1, 4: 3, 3: 0.6}, len(book.row))
    channels, views_, metrics = {}, {}, {}
    for name, p, values, clean in (
        ("train_loss", t, loss, level), ("val_loss", v, val, val_level), ("train_metric", t, t_metric, t_metric),
        ("val_metric", v, v_metric, v_clean), ("lr", t, rate, rate), ("grad_norm", t, norm, norm),
    ):  # fmt: skip
        plain = digits[p.run] if name.endswith("_loss") or name.endswith("_metric") else np.full(len(p.run), 99)
        shown = _shown(values, np.where(book.unit[p.run] == 1.0, plain, 99))
        keep = has[name][p.run] & (p.step <= ends[p.run]) & (rng.random(len(p.run)) >= has["missing"][p.run])
        channels[name] = _kept(book, p, shown, keep)
        finite = keep & np.isfinite(shown)
        if name.endswith("_loss"):
            views_[name] = _kept(book, p, np.where(np.isfinite(clean), clean, shown), finite)
        if name.endswith("_metric"):
            metrics[name] = _kept(book, p, np.where(np.isfinite(clean), clean, shown), finite)
        if name == "train_loss":
            noise = noise[finite]
    sign = np.where(rng.random(len(book.row)) < GOAL_KNOWN, cache.numbers["metric_sign"][book.row], 0.0)
    nothing = np.full(len(book.row), np.nan)
    return Written(Batch(channels, nothing, sign, nothing), views_, noise, metrics)


def _channels(rng: Rng, n: int) -> dict[str, BoolArray]:
    """Which channels a log has, and the share of its rows that is missing."""
    has_val = rng.random(n) < 0.84
    there = {"train_loss": 1.0, "train_metric": 0.4, "val_metric": 0.66, "lr": 0.36, "grad_norm": 0.25}
    out = {name: rng.random(n) < share for name, share in there.items()}
    out["val_loss"] = has_val  # a metric may be all that is logged of validation
    out["missing"] = np.where(rng.random(n) < 0.04, rng.uniform(0.005, 0.15, n), 0.0)
    return out


def _train_points(cache: Cache, book: Book) -> _Points:
    stride, thin = cache.numbers["stride"][book.row], cache.numbers["every"][book.row]
    period = (book.evals * stride).astype(np.int64)
    by_epoch = book.kind <= _EVAL
    extra = ((book.kind == _EVAL) & (book.first_eval > 0)).astype(np.int64)
    counts = np.where(by_epoch, book.stop * thin // period + extra, book.stop // book.every).astype(np.int64)
    offsets, run, index = _laid_out(counts)
    step = (index + 1 - extra[run]) * period[run]
    ends = (index + 1) * book.every[run] * thin[run] - 1
    return _Points(offsets, run, index, np.where(by_epoch[run], step, ends).astype(np.float64))


def _val_points(cache: Cache, book: Book) -> _Points:
    stride, thin = cache.numbers["stride"][book.row], cache.numbers["every"][book.row]
    period, extra = (book.evals * stride).astype(np.int64), (book.first_eval > 0).astype(np.int64)
    offsets, run, index = _laid_out((book.stop * thin // period + extra).astype(np.int64))
    return _Points(offsets, run, index, ((index + 1 - extra[run]) * period[run]).astype(np.float64))


def _laid_out(counts: IntArray) -> tuple[IntArray, IntArray, IntArray]:
    offsets = offsets_of(counts)
    run = np.repeat(np.arange(len(counts)), counts)
    return offsets, run, np.arange(offsets[-1]) - offsets[run]


def _eval_index(cache: Cache, book: Book, points: _Points) -> IntArray:
    """(total,) place of each point's evaluation in the cache; the evenly spaced ones follow the early ones."""
    row, stride = book.row[points.run], cache.numbers["stride"][book.row[points.run]]
    whole = cache.evaluated["eval_step"][cache.eval_offsets[1:] - 1]
    early = np.diff(cache.eval_offsets) - (whole // cache.numbers["stride"]).astype(np.int64)
    place = early[row] + (points.step // stride).astype(np.int64) - 1
    return cache.eval_offsets[row] + np.where(points.step == 0, 0, place)


def _ends(cache: Cache, book: Book, t: _Points) -> IntArray:
    """(total,) recorded steps before and at each train point, at least 1."""
    thin, by_epoch = cache.numbers["every"][book.row][t.run], (book.kind <= _EVAL)[t.run]
    by_eval = np.maximum(t.step // thin, 1)
    return np.where(by_epoch, by_eval, (t.index + 1) * book.every[t.run]).astype(np.int64)


def _starts(cache: Cache, book: Book, t: _Points, ends: IntArray) -> IntArray:
    """(total,) first recorded step that a train point averages over."""
    kind, every = book.kind[t.run], book.every[t.run]
    thin, stride = cache.numbers["every"][book.row], cache.numbers["stride"][book.row]
    period = np.maximum(book.evals * stride // thin, 1).astype(np.int64)[t.run]
    epoch = np.maximum(cache.numbers["epoch"][book.row] // thin, 5 * book.every).astype(np.int64)[t.run]
    start = np.select(
        [kind == _EPOCH, kind == _WINDOW, kind == _RUNNING],
        [ends - period, ends - every, (ends - 1) // epoch * epoch],
        ends - 1,
    )
    return np.clip(start, 0, ends - 1).astype(np.int64)


def _averaged(cache: Cache, book: Book, t: _Points, values: FloatArray, evaluated: FloatArray | None) -> FloatArray:
    """A recorded series as the logger averages it; what it evaluates comes from the evaluations."""
    ends = _ends(cache, book, t)
    starts, base = _starts(cache, book, t, ends), cache.dense_offsets[book.row][t.run]
    with np.errstate(all="ignore"):
        out = _means(values, base + starts, base + ends)
    lagged = np.flatnonzero(book.kind[t.run] == _EMA)
    if len(lagged):
        out[lagged] = _exponential(cache, book, t, values, lagged, ends)
    exact = np.flatnonzero(book.kind[t.run] == _EVAL)
    if evaluated is not None and len(exact):
        out[exact] = evaluated[_eval_index(cache, book, t)[exact]]
    return out


def _means(values: FloatArray, starts: IntArray, ends: IntArray) -> FloatArray:
    """Means of slices, which may overlap."""
    # from the last slice to the first: what lies between one's end and the next one's start is not summed up then
    order = np.argsort(-starts, kind="stable")
    bounds = np.stack([starts, ends], axis=1)[order].ravel()
    inside = values if bounds.max(initial=0) < len(values) else np.append(values, 0.0)
    out = np.empty(len(starts))
    out[order] = np.add.reduceat(inside, bounds)[::2]
    out /= ends - starts
    return out


def _exponential(
    cache: Cache, book: Book, t: _Points, values: FloatArray, points: IntArray, ends: IntArray
) -> FloatArray:
    """Bias-corrected exponential averages at some points."""
    from scipy.signal import lfilter

    out = np.empty(len(points))
    for decay in _DECAYS:
        mine = np.flatnonzero(book.decay[t.run[points]] == decay)
        if not len(mine):
            continue
        runs, place = np.unique(t.run[points[mine]], return_inverse=True)
        rows, width = book.row[runs], int(book.stop[runs].max())
        column = np.minimum(np.arange(width), np.diff(cache.dense_offsets)[rows][:, None] - 1)
        dense = values[cache.dense_offsets[rows][:, None] + column]
        with np.errstate(all="ignore"):
            smooth = lfilter([1 - decay], [1.0, -decay], dense, axis=1) / (1 - decay ** np.arange(1, width + 1))
        out[mine] = smooth[place, ends[points[mine]] - 1]
    return out


def _noise(cache: Cache, book: Book, t: _Points, noise: FloatArray) -> FloatArray:
    """(total,) standard deviation that averaging leaves of the batches' noise."""
    ends = _ends(cache, book, t)
    starts, base = _starts(cache, book, t, ends), cache.dense_offsets[book.row][t.run]
    kind, decay = book.kind[t.run], book.decay[t.run]
    mean = np.sqrt(_means(noise**2, base + starts, base + ends) / (ends - starts))
    left = np.where(kind == _EMA, np.sqrt((1 - decay) / (1 + decay)), np.where(kind == _EVAL, 0.0, 1.0))
    out: FloatArray = mean * left
    return out


def _last_step(rng: Rng, t: _Points, loss: FloatArray) -> FloatArray:
    """(n,) training step at which a log ends: some trainers stop soon after the first NaN."""
    n = len(t.offsets) - 1
    broken = np.full(n, np.inf)
    np.fmin.at(broken, t.run, np.where(np.isfinite(loss), np.inf, t.step))
    longest = np.zeros(n)
    np.fmax.at(longest, t.run, t.step)
    goes_on = np.where(rng.random(n) < 0.6, np.inf, broken + longest * rng.uniform(0.0, 0.2, n))
    return goes_on


def _shown(values: FloatArray, digits: IntArray) -> FloatArray:
    """Six significant digits, fixed decimals in some logs; Inf beyond what a float32 holds."""
    with np.errstate(all="ignore"):
        factor = 10.0 ** np.where(digits < 99, digits, 0)
        plain = (digits < 99) & (np.abs(values) < 1e12)
        shown = printed(np.where(plain, np.rint(values * factor) / factor, values))
        huge = ~(np.abs(shown) < _OVERFLOW)
    shown[huge] = np.where(np.isnan(shown[huge]), np.nan, np.inf)
    return shown


def _kept(book: Book, points: _Points, values: FloatArray, keep: BoolArray) -> Ragged:
    steps = book.first[points.run] + book.scale[points.run] * points.step
    steps = np.where(np.abs(steps - np.rint(steps)) < 1e-6, np.rint(steps), steps)
    return Ragged(steps, values, points.offsets).where(keep)
