"""Generated data of many kinds: every replica of a group draws its own distribution, its own samples, its own noise."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

Generator = torch.Generator
Drawn = tuple[Tensor, Tensor]
"""Inputs (R, N, ...) and targets: classes (R, N), values (R, N) or (R, N, V), or tokens (R, N, T)."""


@dataclass(frozen=True)
class Task:
    """One kind of data.

    Attributes:
        draw: (generator, replicas, samples) -> inputs and targets; one distribution a replica.
        classes: of a classification; 0 for a regression.
        kind: "vector", "image", "tokens", "series" or "ids": which models take it.
        whole: draws all there is, in random order, whatever number is asked for.
        values: numbers that a regression predicts.
    """

    draw: Callable[[Generator, int, int], Drawn]
    classes: int
    kind: str = "vector"
    whole: int = 0
    values: int = 1

    @property
    def outputs(self) -> int:
        """Outputs of the model."""
        return self.classes or self.values


def _normal(g: Generator, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=g, device=g.device)


def _uniform(g: Generator, *shape: int) -> Tensor:
    return torch.rand(*shape, generator=g, device=g.device)


def _classes(g: Generator, count: int, *shape: int) -> Tensor:
    return torch.randint(count, shape, generator=g, device=g.device)


def _pick(table: Tensor, index: Tensor) -> Tensor:
    """table (R, K, ...) at index (R, ...)."""
    row = torch.arange(len(table), device=table.device).reshape(-1, *[1] * (index.dim() - 1))
    return table[row, index]


def _standard(values: Tensor) -> Tensor:
    """Zero mean and unit variance over the samples."""
    return (values - values.mean(1, keepdim=True)) / (values.std(1, keepdim=True) + 1e-6)


def blobs(g: Generator, r: int, n: int, *, classes: int, width: int) -> Drawn:
    """Gaussian clouds, well apart in some replicas and overlapping in others."""
    apart = 0.6 + 2.4 * _uniform(g, r, 1, 1)
    centres = apart * _normal(g, r, classes, width) / math.sqrt(width) * 2.0
    y = _classes(g, classes, r, n)
    return _pick(centres, y) + _normal(g, r, n, width), y


def imbalanced(g: Generator, r: int, n: int) -> Drawn:
    """One common and one rarer class that overlap: a constant prediction is nearly right."""
    common = 0.55 + 0.2 * _uniform(g, r, 1)
    y = (_uniform(g, r, n) > common).long()
    centres = (0.25 + 0.5 * _uniform(g, r, 1, 1)) * _normal(g, r, 2, 8) / 2.0
    return _pick(centres, y) + _normal(g, r, n, 8), y


def rings(g: Generator, r: int, n: int) -> Drawn:
    """Three rings in the plane and some inputs that say nothing."""
    y = _classes(g, 3, r, n)
    radius = (y + 1.0) * 0.7 + (0.05 + 0.2 * _uniform(g, r, 1)) * _normal(g, r, n)
    angle = 2 * math.pi * _uniform(g, r, n)
    plane = torch.stack([radius * angle.cos(), radius * angle.sin()], 2)
    return torch.cat([plane, _normal(g, r, n, 4)], 2), y


def spirals(g: Generator, r: int, n: int) -> Drawn:
    """Two arms of a spiral."""
    y = _classes(g, 2, r, n)
    way = _uniform(g, r, n).sqrt()
    angle = (1.0 + 1.5 * _uniform(g, r, 1)) * 2 * math.pi * way + math.pi * y
    plane = torch.stack([way * angle.cos(), way * angle.sin()], 2) * 2.0
    return plane + (0.02 + 0.12 * _uniform(g, r, 1, 1)) * _normal(g, r, n, 2), y


def _teacher(g: Generator, x: Tensor, outputs: int) -> Tensor:
    """(R, N, outputs) of a random network with one hidden layer a replica."""
    r, _, width = x.shape
    hidden = torch.tanh(x @ (_normal(g, r, width, 12) * 2.0 / math.sqrt(width)))
    return hidden @ _normal(g, r, 12, outputs)


def teacher_classes(g: Generator, r: int, n: int) -> Drawn:
    """Six classes decided by a random network."""
    x = _normal(g, r, n, 16)
    return x, _teacher(g, x, 6).argmax(2)


def parity(g: Generator, r: int, n: int) -> Drawn:
    """Parity of three out of ten signs: no single input says anything."""
    x = _uniform(g, r, n, 10).sub(0.5).sign()
    return x, (x[:, :, :3].prod(2) > 0).long()


def _noisy(g: Generator, clean: Tensor) -> Tensor:
    """Unit variance, then noise of its own size for every replica."""
    return _standard(clean) + 10.0 ** (-2.5 + 2.3 * _uniform(g, len(clean), 1)) * _normal(g, *clean.shape)


def linear_values(g: Generator, r: int, n: int) -> Drawn:
    """A noisy linear target."""
    x = _normal(g, r, n, 12)
    return x, _noisy(g, (x @ _normal(g, r, 12, 1))[..., 0])


def polynomial(g: Generator, r: int, n: int) -> Drawn:
    """A cubic with products of pairs of inputs."""
    x = _normal(g, r, n, 6)
    pairs = torch.einsum("rni,rij,rnj->rn", x, _normal(g, r, 6, 6) / 3, x)
    return x, _noisy(g, pairs + ((x**3).clamp(-8, 8) @ _normal(g, r, 6, 1) / 4)[..., 0])


LOUD: Final = 56
QUIET: Final = 14


def two_speeds(g: Generator, r: int, n: int) -> Drawn:
    """A linear target of loud inputs and of quiet ones, which gradient descent learns long after the others.

    With hardly more samples than loud inputs val falls, rises while those fit what the quiet ones should explain, and
    falls again: epoch-wise double descent (Heckel & Yilmaz 2021, arXiv:2007.10099).
    """
    z = _normal(g, r, n, LOUD + QUIET)
    share = 0.2 + 0.6 * _uniform(g, r, 1, 1)
    loud = (1 - share).sqrt() * _normal(g, r, LOUD, 1) / math.sqrt(LOUD)
    quiet = share.sqrt() * _normal(g, r, QUIET, 1) / math.sqrt(QUIET)
    volume = 10.0 ** (-1.0 + 0.6 * _uniform(g, r, 1, 1))
    x = torch.cat([z[..., :LOUD], z[..., LOUD:] * volume], 2)
    return x, _noisy(g, (z @ torch.cat([loud, quiet], 1))[..., 0])


def sines(g: Generator, r: int, n: int) -> Drawn:
    """A few sines of one input: high frequencies come late."""
    x = 2 * _uniform(g, r, n, 1) - 1
    rate = torch.arange(1, 6, device=g.device) * (1.0 + _uniform(g, r, 1, 1))
    waves = torch.sin(math.pi * rate * x + 6 * _uniform(g, r, 1, 5))
    return torch.cat([x, x * x], 2), _noisy(g, (waves * _normal(g, r, 1, 5)).sum(2))


def teacher_values(g: Generator, r: int, n: int) -> Drawn:
    """A random network's output."""
    x = _normal(g, r, n, 16)
    return x, _noisy(g, _teacher(g, x, 1)[..., 0])


MODULUS: Final = 13


def modular_addition(g: Generator, r: int, n: int) -> Drawn:
    """(a + b) mod p from the one-hot codes of a and b: all pairs, in an order of its own for every replica."""
    p = MODULUS
    order = _uniform(g, r, p * p).argsort(1)
    a, b = order // p, order % p
    eye = torch.eye(p, device=g.device)
    return torch.cat([eye[a], eye[b]], 2) * math.sqrt(p), (a + b) % p


def bars(g: Generator, r: int, n: int) -> Drawn:
    """8 x 8 images of four oriented stripes in noise."""
    y = _classes(g, 4, r, n)
    axis = torch.arange(8.0, device=g.device)
    angle = (y * (math.pi / 4))[..., None, None]
    wave = axis[:, None] * angle.cos() + axis[None, :] * angle.sin()
    phase = (6.28 * _uniform(g, r, n))[..., None, None]
    noise = (0.3 + 1.5 * _uniform(g, r, 1, 1, 1)) * _normal(g, r, n, 8, 8)
    return torch.sin(1.5 * wave + phase) + noise, y


def shapes(g: Generator, r: int, n: int) -> Drawn:
    """8 x 8 images: one of eight random 3 x 3 stamps of the replica at a random place."""
    stamps = 2.5 * _normal(g, r, 8, 3, 3)
    y = _classes(g, 8, r, n)
    image = (0.2 + 0.8 * _uniform(g, r, 1, 1, 1)) * _normal(g, r, n, 8, 8)
    top, left = _classes(g, 6, r, n), _classes(g, 6, r, n)
    axis = torch.arange(3, device=g.device)
    rows = (top[..., None] + axis)[..., :, None]
    columns = (left[..., None] + axis)[..., None, :]
    index = (rows * 8 + columns).flatten(2)
    stamped = image.flatten(2).scatter_add(2, index, _pick(stamps, y).flatten(2))
    return stamped.view(r, n, 8, 8), y


TOKENS: Final = 12
LENGTH: Final = 10


def _walk(g: Generator, table: Tensor, n: int) -> Tensor:
    """(R, N, LENGTH + 1) tokens of a chain whose next token depends on the last two."""
    r = len(table)
    out = [_classes(g, TOKENS, r, n), _classes(g, TOKENS, r, n)]
    for _ in range(LENGTH - 1):
        chances = _pick(table, out[-2] * TOKENS + out[-1])
        gumbel = -torch.log(-torch.log(_uniform(g, r, n, TOKENS).clamp(1e-9, 1 - 1e-7)))
        out.append((chances + gumbel).argmax(2))
    return torch.stack(out, 2)


def markov(g: Generator, r: int, n: int, *, order: int) -> Drawn:
    """Text of a random Markov chain; the task is the next token."""
    sharp = (1.0 + 3.0 * _uniform(g, r, 1, 1)) * _normal(g, r, TOKENS**order, TOKENS)
    table = sharp if order == 2 else sharp.repeat(1, TOKENS, 1)
    walk = _walk(g, table, n)
    return walk[:, :, :-1].contiguous(), walk[:, :, 1:].contiguous()


def adding(g: Generator, r: int, n: int) -> Drawn:
    """The sum of two marked numbers of a series of twelve."""
    values = _uniform(g, r, n, 12) - 0.5
    marks = torch.zeros_like(values)
    first, second = _classes(g, 6, r, n, 1), 6 + _classes(g, 6, r, n, 1)
    marks.scatter_(2, first, 1.0).scatter_(2, second, 1.0)
    return torch.stack([2 * values, marks], 3), _standard((values * marks).sum(2))


def ups_and_downs(g: Generator, r: int, n: int) -> Drawn:
    """Which of three autoregressive processes a noisy series comes from."""
    y = _classes(g, 3, r, n)
    keep = torch.tensor([-0.5, 0.2, 0.85], device=g.device)[y]
    x = [_normal(g, r, n)]
    for _ in range(11):
        x.append(keep * x[-1] + _normal(g, r, n))
    return torch.stack(x, 2)[..., None], y


WIDTH: Final = 16


def low_rank(g: Generator, r: int, n: int) -> Drawn:
    """Vectors near a bent surface of few dimensions, to be reconstructed."""
    hidden = torch.tanh(_normal(g, r, n, 4) @ _normal(g, r, 4, 10))
    x = hidden @ _normal(g, r, 10, WIDTH) + (0.05 + 0.6 * _uniform(g, r, 1, 1)) * _normal(g, r, n, WIDTH)
    x = _standard(x)
    return x, x.clone()


PIXELS: Final = 64


def pictures(g: Generator, r: int, n: int) -> Drawn:
    """Images of stripes, to be reconstructed."""
    image = bars(g, r, n)[0]
    image = image / image.flatten(1).std(1).reshape(-1, 1, 1, 1)
    return image, image.flatten(2)


IDS: Final = 50
"""Users, and as many things, of a recommender."""


def _taste(g: Generator, r: int, n: int) -> Drawn:
    """Pairs of a user and a thing (R, N, 2), and how well they go together: a product of two vectors."""
    pair = _classes(g, IDS, r, n, 2)
    users, things = _normal(g, r, IDS, 3), _normal(g, r, IDS, 3)
    return pair, (_pick(users, pair[..., 0]) * _pick(things, pair[..., 1])).sum(2)


def ratings(g: Generator, r: int, n: int) -> Drawn:
    """What a user gives a thing."""
    pair, liking = _taste(g, r, n)
    return pair, _noisy(g, liking)


def clicks(g: Generator, r: int, n: int) -> Drawn:
    """Whether a user takes a thing."""
    pair, liking = _taste(g, r, n)
    sharp = 0.5 + 3.0 * _uniform(g, r, 1)
    return pair, (_uniform(g, r, n) < torch.sigmoid(sharp * liking)).long()


TASKS: Final[dict[str, Task]] = {
    "blobs": Task(lambda g, r, n: blobs(g, r, n, classes=4, width=10), 4),
    "many_blobs": Task(lambda g, r, n: blobs(g, r, n, classes=20, width=16), 20),
    "imbalanced": Task(imbalanced, 2),
    "rings": Task(rings, 3),
    "spirals": Task(spirals, 2),
    "teacher_classes": Task(teacher_classes, 6),
    "parity": Task(parity, 2),
    "modular_addition": Task(modular_addition, MODULUS, whole=MODULUS**2),
    "linear_values": Task(linear_values, 0),
    "polynomial": Task(polynomial, 0),
    "two_speeds": Task(two_speeds, 0),
    "sines": Task(sines, 0),
    "teacher_values": Task(teacher_values, 0),
    "bars": Task(bars, 4, "image"),
    "shapes": Task(shapes, 8, "image"),
    "markov": Task(lambda g, r, n: markov(g, r, n, order=1), TOKENS, "tokens"),
    "markov_pairs": Task(lambda g, r, n: markov(g, r, n, order=2), TOKENS, "tokens"),
    "adding": Task(adding, 0, "series"),
    "ups_and_downs": Task(ups_and_downs, 3, "series"),
    "low_rank": Task(low_rank, 0, values=WIDTH),
    "pictures": Task(pictures, 0, "image", values=PIXELS),
    "ratings": Task(ratings, 0, "ids"),
    "clicks": Task(clicks, 2, "ids"),
}
"""Name -> data; a new kind of data is one more entry."""
