"""Curves that are no training runs: what a careful reader would not put a name to. The inputs of `abstention.py`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np

from curveclinic.labels import LOSSES
from curveclinic.ragged import FloatArray
from curveclinic.run import Run
from curveclinic.synth.generate import generate

Rng = np.random.Generator
Pair = tuple[FloatArray, FloatArray]
"""Train and val loss, (n,) each."""


def random_walk(rng: Rng, n: int, size: float) -> Pair:
    """Two walks that do not know each other, each spanning about `size` of its level."""
    walks = np.cumsum(rng.standard_normal((2, n)), axis=1)
    walks *= size / np.maximum(np.ptp(walks, axis=1, keepdims=True), 1e-9)
    return _positive(rng, walks)


def geometric_walk(rng: Rng, n: int, size: float) -> Pair:
    """Walks of the logarithm: prices, not losses."""
    walks = np.cumsum(rng.standard_normal((2, n)), axis=1)
    one, other = np.exp(3 * size * walks / np.maximum(np.ptp(walks, axis=1, keepdims=True), 1e-9))
    return one, other


def sine(rng: Rng, n: int, size: float) -> Pair:
    """A wave and another one."""
    x = np.linspace(0, 1, n)
    waves = np.stack([np.sin(2 * np.pi * (rng.uniform(1.5, min(12, n / 6)) * x + rng.random())) for _ in range(2)])
    return _positive(rng, 0.5 * size * (waves + 0.05 * rng.standard_normal((2, n))))


def sawtooth(rng: Rng, n: int, size: float) -> Pair:
    """Ramps that fall back."""
    x = np.linspace(0, 1, n)
    teeth = np.stack([np.mod(rng.uniform(2, min(12, n / 6)) * x + rng.random(), 1.0) for _ in range(2)])
    return _positive(rng, size * (teeth - 0.5) * rng.choice([-1, 1]))


def square_wave(rng: Rng, n: int, size: float) -> Pair:
    """Two levels in turn."""
    x = np.linspace(0, 1, n)
    cycles = [rng.uniform(2, min(10, n / 6)) * x + rng.random() for _ in range(2)]
    waves = np.sign(np.sin(2 * np.pi * np.stack(cycles)))
    return _positive(rng, 0.5 * size * waves)


def white_noise(rng: Rng, n: int, size: float) -> Pair:
    """Noise about a level, never negative."""
    return _positive(rng, size / 4 * rng.standard_normal((2, n)))


def heavy_noise(rng: Rng, n: int, size: float) -> Pair:
    """Noise of the kind that jumps over decades."""
    one, other = np.exp(3 * size * rng.standard_normal((2, n)))
    return one, other


def uniform_noise(rng: Rng, n: int, size: float) -> Pair:
    """Any value between 0 and 1."""
    one, other = rng.random((2, n))
    return one, other


def constant(rng: Rng, n: int, size: float) -> Pair:
    """One value."""
    return np.full(n, rng.uniform(0.1, 5)), np.full(n, rng.uniform(0.1, 5))


def steps(rng: Rng, n: int, size: float) -> Pair:
    """Levels that change at random places."""
    at = np.sort(rng.integers(0, n, (2, rng.integers(3, 9))), axis=1)
    levels = rng.uniform(-0.5, 0.5, (2, at.shape[1] + 1))
    out = np.stack([lv[np.searchsorted(a, np.arange(n), side="right")] for lv, a in zip(levels, at, strict=True)])
    return _positive(rng, size * out)


def shuffled(rng: Rng, n: int, size: float) -> Pair:
    """The points of a real-looking run in any order."""
    train, val = _learning(rng, n)
    return rng.permutation(train), rng.permutation(val)


def pasted(rng: Rng, n: int, size: float) -> Pair:
    """The first part of one run and the last of another one, in other units."""
    cut = int(n * rng.uniform(0.35, 0.65))
    first, second = _learning(rng, n), _learning(rng, n)
    unit = np.exp(rng.uniform(0.7, 2.5) * rng.choice([-1, 1]))
    one, other = (np.append(a[:cut], unit * b[cut:] * a[0] / b[0]) for a, b in zip(first, second, strict=True))
    return one, other


def unrelated(rng: Rng, n: int, size: float) -> Pair:
    """The train loss of one run beside a walk as its val loss."""
    return _learning(rng, n)[0], random_walk(rng, n, size)[1]


def zero_noise(rng: Rng, n: int, size: float) -> Pair:
    """Noise about zero."""
    one, other = size * rng.standard_normal((2, n))
    return one, other


def zero_walk(rng: Rng, n: int, size: float) -> Pair:
    """Walks from zero."""
    one, other = np.cumsum(size * rng.standard_normal((2, n)), axis=1)
    return one, other


def zero_sine(rng: Rng, n: int, size: float) -> Pair:
    """A wave about zero and its cosine."""
    x = 2 * np.pi * rng.uniform(1.5, min(12, n / 6)) * np.linspace(0, 1, n)
    return size * np.sin(x), size * np.cos(x)


def triangle(rng: Rng, n: int, size: float) -> Pair:
    """Straight up and straight down."""
    x = np.linspace(0, 1, n)
    both = [np.abs(np.mod(rng.uniform(2, min(10, n / 6)) * x + rng.random(), 1.0) - 0.5) * 2 for _ in range(2)]
    return _positive(rng, size * (np.stack(both) - 0.5))


def chirp(rng: Rng, n: int, size: float) -> Pair:
    """A wave that becomes faster."""
    x = np.linspace(0, 1, n)
    both = [np.sin(2 * np.pi * rng.uniform(1.5, max(2.5, min(12, n / 8))) * x**2 + 6 * rng.random()) for _ in range(2)]
    return _positive(rng, 0.5 * size * np.stack(both))


def chaos(rng: Rng, n: int, size: float) -> Pair:
    """The logistic map."""
    out = np.empty((2, n))
    out[:, 0] = rng.uniform(0.1, 0.9, 2)
    for k in range(1, n):
        out[:, k] = 3.95 * out[:, k - 1] * (1 - out[:, k - 1])
    return _positive(rng, size * (out - 0.5))


def smoothed_noise(rng: Rng, n: int, size: float) -> Pair:
    """Noise under a moving mean of a twentieth of the points."""
    width = max(n // 20, 2)
    noise = rng.standard_normal((2, n + width - 1))
    smooth = np.stack([np.convolve(row, np.ones(width) / np.sqrt(width), mode="valid") for row in noise])
    return _positive(rng, size / 4 * smooth)


def copied_walk(rng: Rng, n: int, size: float) -> Pair:
    """A walk whose val is the same walk with a trace of noise."""
    train = random_walk(rng, n, size)[0]
    return train, 1.02 * train * (1 + 0.01 * rng.standard_normal(n))


def copied_sine(rng: Rng, n: int, size: float) -> Pair:
    """A wave whose val is the same wave with a trace of noise."""
    train = sine(rng, n, size)[0]
    return train, 1.02 * train * (1 + 0.01 * rng.standard_normal(n))


NONSENSE: Final[dict[str, Callable[[Rng, int, float], Pair]]] = {
    "random_walk": random_walk,
    "geometric_walk": geometric_walk,
    "sine": sine,
    "sawtooth": sawtooth,
    "square_wave": square_wave,
    "white_noise": white_noise,
    "uniform_noise": uniform_noise,
    "heavy_noise": heavy_noise,
    "constant": constant,
    "steps": steps,
    "shuffled": shuffled,
    "pasted": pasted,
    "unrelated": unrelated,
    "zero_noise": zero_noise,
    "zero_walk": zero_walk,
    "zero_sine": zero_sine,
    "triangle": triangle,
    "chirp": chirp,
    "chaos": chaos,
    "smoothed_noise": smoothed_noise,
    "copied_walk": copied_walk,
    "copied_sine": copied_sine,
}
"""Kind -> (rng, points, relative size) -> train and val loss."""

FRESH: Final = (
    *("zero_noise", "zero_walk", "zero_sine", "triangle", "chirp", "chaos", "smoothed_noise"),
    *("copied_walk", "copied_sine"),
)
"""Kinds nobody looked at while the cuts of `doubt.py` were chosen."""

LENGTHS: Final = (12, 30, 100, 400, 1500)
SIZES: Final = (0.05, 0.3, 1.0)
"""Span of what moves, over the level."""


def nonsense_runs(kind: str, seed: int, repeats: int) -> list[Run]:
    """Runs of one kind, by length, then size, then repeat; every second one has no val loss."""
    rng = np.random.default_rng((seed, list(NONSENSE).index(kind)))
    out = []
    for n in LENGTHS:
        for size in SIZES:
            for k in range(repeats):
                train, val = NONSENSE[kind](rng, n, size)
                out.append(Run.from_arrays({"train_loss": train} | ({"val_loss": val} if k % 2 else {})))
    return out


def _positive(rng: Rng, waves: FloatArray) -> Pair:
    """Levels of about 1 under what moves; what would be negative is folded up."""
    one, other = np.abs(rng.uniform(0.9, 1.1, (2, 1)) + waves) * np.exp(rng.uniform(-2, 2))
    return one, other


def _learning(rng: Rng, n: int) -> Pair:
    """Both losses of one plain synthetic run on n points."""
    sample = generate(int(rng.integers(1 << 31)), 4, trends=("plain",), max_points=4000)
    grid = np.linspace(0, 1, n)
    channels = [sample.batch.channels[name].finite() for name in LOSSES]
    i = int(max(range(4), key=lambda k: min(c.lengths[k] for c in channels)))
    curves = []
    for c in channels:
        values = c.values[c.offsets[i] : c.offsets[i + 1]]
        curves.append(np.interp(grid, np.linspace(0, 1, max(len(values), 1)), values) if len(values) else np.ones(n))
    return curves[0], curves[1]
