"""From a task and a recipe to the samples every replica trains on and is evaluated on."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from torch import Tensor

from curveclinic.ragged import BoolArray, FloatArray
from curveclinic.synth.simulate.recipe import ORDERS, Recipe
from curveclinic.synth.simulate.tasks import Task

POOL: Final = {"vector": 640, "image": 400, "tokens": 192, "series": 400, "ids": 640}
"""Validation samples of a replica by kind of task: its own val set is the first few, all are the view without noise."""

_BLOCKS: Final = 6
"""Blocks that unshuffled data come in."""


@dataclass(frozen=True, eq=False)
class Data:
    """Samples of R replicas.

    Attributes:
        x, y: (R, N, ...) training samples; row i uses its first n_train[i].
        x_val, y_val: (R, P, ...) the pool.
        order: (R, N) sort key of the samples in an epoch, inf beyond n_train.
        jitter: (R, 1) how much of the key is drawn anew every epoch: 0 for a fixed order.
        spread: (R, 1) variance of a regression's targets.
    """

    x: Tensor
    y: Tensor
    x_val: Tensor
    y_val: Tensor
    order: Tensor
    jitter: Tensor
    spread: Tensor


def column(values: object, device: torch.device | str, dims: int = 2) -> Tensor:
    """(R, 1, ...) float32 tensor of an (R,) array."""
    flat = torch.as_tensor(np.asarray(values, dtype=np.float32), device=device)
    return flat.reshape(-1, *[1] * (dims - 1))


def make_data(task: Task, recipe: Recipe, generator: torch.Generator) -> Data:
    """Draws a data set a replica and damages it as the recipe says."""
    device, r = generator.device, recipe.size
    n, pool = int(recipe.n_train.max()), POOL[task.kind]
    x, y = task.draw(generator, r, task.whole or n + pool)
    x_val, y_val = x[:, n : n + pool], y[:, n : n + pool]
    x, y = x[:, :n], y[:, :n]
    leak = column(recipe.val_leak, device) > 0
    seen = torch.arange(x_val.shape[1], device=device)[None] % column(recipe.n_train, device).long()
    x_val = torch.where(_like(leak, x_val), _rows(x, seen), x_val)
    y_val = torch.where(_like(leak, y_val), _rows(y, seen), y_val)
    order = _order(recipe, x, y, generator)
    y = _noisy(y, column(recipe.label_noise, device), task.classes, generator)
    y_val = _noisy(y_val, column(recipe.val_label_noise, device), task.classes, generator)
    y_val = _permuted(y_val, column(recipe.val_permuted, device), task.classes)
    x, x_val = _inputs(recipe, x, x_val, generator)
    if not task.classes:
        scale, shift = (column(v, device) for v in (recipe.target_scale, recipe.target_shift))
        y, y_val = ((z + _like(shift, z)) * _like(scale, z) for z in (y, y_val))
    spread = y.float().flatten(1).var(1, keepdim=True).clamp_min(1e-12)
    jitter = column(np.choose(recipe.order, [1.0, 0.0, 0.0, 0.99]), device)
    return Data(x, y, x_val, y_val, order, jitter, spread)


def retarget(data: Data, task: Task, size: FloatArray, changed: BoolArray, generator: torch.Generator) -> None:
    """Gives some replicas, in place, targets of another task, of the same mean and variance.

    Args:
        data: of R replicas.
        task: what they learn.
        size: (R,) how much is other, 0..1.
        changed: (R,) the replicas that get them.
        generator: of the other task.
    """
    if not changed.any():
        return
    rows = torch.as_tensor(np.flatnonzero(changed), device=generator.device)
    by, width = column(size[changed], generator.device, 3), math.prod(data.x.shape[2:])
    way = torch.randn(len(rows), width, 1, generator=generator, device=generator.device) / math.sqrt(width)
    if task.classes:
        for y in (data.y, data.y_val):
            y[rows] = _other_classes(y[rows], by, task.classes)
        return
    targets = [per_sample(y[rows]) for y in (data.y, data.y_val)]
    moved = [x[rows].flatten(2).float() @ way for x in (data.x, data.x_val)]
    old, new = _Moments.of(targets[0]), _Moments.of(moved[0])
    blends = [(1 - by) * old.standard(y) + by * new.standard(z) for y, z in zip(targets, moved, strict=True)]
    blended = _Moments.of(blends[0])
    for y, blend in zip((data.y, data.y_val), blends, strict=True):
        y[rows] = (old.mean + old.std * blended.standard(blend)).reshape(y[rows].shape)


def per_sample(y: Tensor) -> Tensor:
    """(R, N, V) the values of each sample, of targets (R, N, ...)."""
    return y.reshape(*y.shape[:2], -1)


def _other_classes(y: Tensor, by: Tensor, classes: int) -> Tensor:
    """Classes (R, N, ...) of another task: the first ones, a share `by` (R, 1, 1) of all, change places."""
    first = (_like(by, y) * classes).ceil().clamp(2, classes).long()
    return torch.where(y < first, (y + 1) % first, y)


@dataclass(frozen=True, eq=False)
class _Moments:
    """Mean and standard deviation (R, 1, 1) of the training samples."""

    mean: Tensor
    std: Tensor

    @classmethod
    def of(cls, values: Tensor) -> _Moments:
        """Moments of values (R, N, V)."""
        return cls(values.mean((1, 2), keepdim=True), values.std((1, 2), keepdim=True).clamp_min(1e-6))

    def standard(self, values: Tensor) -> Tensor:
        """Values (R, N, V) with the training samples' mean taken off, in units of their deviation."""
        return (values - self.mean) / self.std


def _like(flag: Tensor, x: Tensor) -> Tensor:
    return flag.reshape(-1, *[1] * (x.dim() - 1))


def _rows(x: Tensor, index: Tensor) -> Tensor:
    return x[torch.arange(len(x), device=x.device)[:, None], index]


def _uniform(shape: torch.Size, g: torch.Generator) -> Tensor:
    return torch.rand(shape, generator=g, device=g.device)


def _noisy(y: Tensor, share: Tensor, classes: int, g: torch.Generator) -> Tensor:
    """Labels replaced at random; values mixed with noise of the same size."""
    share = _like(share, y)
    if classes:
        other = torch.randint(classes, y.shape, generator=g, device=g.device)
        return torch.where(_uniform(y.shape, g) < share, other, y)
    noise = torch.randn(y.shape, generator=g, device=g.device)
    return y * (1 - share) + share * noise


def _permuted(y: Tensor, flag: Tensor, classes: int) -> Tensor:
    changed = (y + 1) % classes if classes else -y
    return torch.where(_like(flag, y) > 0, changed, y)


def _inputs(recipe: Recipe, x: Tensor, x_val: Tensor, g: torch.Generator) -> tuple[Tensor, Tensor]:
    """Scales and shifts; tokens of a shifted val set are partly random."""
    device = g.device
    scale, shift = (column(v, device, x.dim()) for v in (recipe.input_scale, recipe.input_shift))
    away, size = (column(v, device, x.dim()) for v in (recipe.val_shift, recipe.val_size))
    if x.dtype == torch.long:
        other = torch.randint(int(x.max()) + 1, x_val.shape, generator=g, device=device)
        return x, torch.where(_uniform(x_val.shape, g) < away / 3.0, other, x_val)
    direction = torch.randn((len(x), 1, *x.shape[2:]), generator=g, device=device)
    moved = x_val * size + away * direction
    return (x + shift) * scale, (moved + shift) * scale


def _order(recipe: Recipe, x: Tensor, y: Tensor, g: torch.Generator) -> Tensor:
    r, n = x.shape[:2]
    anything = _uniform(torch.Size((r, n)), g)
    target = y.float().reshape(r, n, -1)[:, :, 0]
    rank = target.argsort(1).argsort(1).float() / n
    feature = x.float().reshape(r, n, -1)[:, :, 0].argsort(1).argsort(1).float() / n
    keys = {
        "shuffled": torch.zeros_like(anything),
        "fixed": anything,
        "by_class": torch.floor(rank * _BLOCKS) + 0.9 * anything,
        "by_target_blocks": torch.floor(feature * _BLOCKS),
    }
    key = torch.stack([keys[name] for name in ORDERS])[
        torch.as_tensor(recipe.order, device=g.device), torch.arange(r, device=g.device)
    ]
    beyond = torch.arange(n, device=g.device)[None] >= column(recipe.n_train, g.device)
    return key.masked_fill(beyond, torch.inf)
