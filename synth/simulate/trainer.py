"""The training loop: one step of all replicas of a group is a few batched products."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from curveclinic.ragged import FloatArray, IntArray
from curveclinic.synth.simulate.data import Data, column, make_data, per_sample, retarget
from curveclinic.synth.simulate.nets import NETS, Mode, Net, Weight, fresh_norms, input_width
from curveclinic.synth.simulate.recipe import OPTIMISERS, Recipe, rates
from curveclinic.synth.simulate.tasks import TASKS, Task

DENSE: Final = 1500
"""Most recorded steps of a training."""

_VIEWED: Final = {"vector": 512, "image": 320, "tokens": 160, "series": 320, "ids": 512}
"""Training samples of an evaluation: enough for a view of the loss without the noise of batches."""

_REHEARSAL: Final = 3e-3
"""Adam's learning rate before the log begins."""

_OVERFLOW: Final = 65504.0
"""Largest number of half precision."""

_UNDERFLOW: Final = 80.0
"""Loss from which a probability written as a float32 is 0."""


@dataclass(frozen=True, eq=False)
class Records:
    """What R replicas did.

    Attributes:
        step: (D,) recorded steps; a recorded loss is that of the batch before the step's update.
        loss, metric, lr, grad_norm: (R, D).
        bad: (R, D) True where the batch was corrupted.
        eval_step: (E,) updates done before each evaluation.
        val_loss, val_metric: (R, E) on the run's own val set.
        full_loss, full_metric: (R, E) on (most of) the train set as training sees it (dropout, augmentation, penalty).
        batch_noise: (R, E) standard deviation of the loss of one batch at fixed weights.
        pool_loss, pool_metric: (R, E) on a large sample of the val distribution.
        cost: (R,) loss of a constant prediction.
    """

    step: IntArray
    loss: FloatArray
    metric: FloatArray
    lr: FloatArray
    grad_norm: FloatArray
    bad: FloatArray
    eval_step: IntArray
    val_loss: FloatArray
    val_metric: FloatArray
    full_loss: FloatArray
    full_metric: FloatArray
    batch_noise: FloatArray
    pool_loss: FloatArray
    pool_metric: FloatArray
    cost: FloatArray


@dataclass(frozen=True, eq=False)
class Setting:
    """What the replicas of a group share.

    Attributes:
        net, task: names in `NETS` and `TASKS`.
        batch: samples a step.
        steps: length of the training.
        stride: steps between evaluations.
        error: the metric of a regression is the mean absolute error, else the explained share of the variance.
        norm_momentum: of batch norm's running statistics.
        loss: of a regression, one of `LOSSES`.
        rehearsed: steps of training before the log begins, perhaps on another task.
    """

    net: str
    task: str
    batch: int
    steps: int
    stride: int
    error: bool = False
    norm_momentum: float = 0.1
    loss: str = "squared"
    rehearsed: int = 0


LOSSES: Final[dict[str, Callable[[Tensor], Tensor]]] = {
    "squared": torch.square,
    "absolute": torch.abs,
    "huber": lambda away: functional.huber_loss(away, torch.zeros_like(away), reduction="none"),
}
"""What a regression makes of an error."""


def eval_steps(setting: Setting) -> IntArray:
    """Evaluation times: evenly spaced, and closer together at the start."""
    regular = np.arange(setting.stride, setting.steps + 1, setting.stride)
    early = [s for s in (0, 1, 2, 3, 5, 8, 12, 20, 32, 50) if s < setting.stride]
    return np.union1d(early, regular).astype(np.int64)


def simulate(setting: Setting, recipe: Recipe, *, seed: int, device: str = "cpu") -> Records:
    """Trains one replica for every row of the recipe."""
    generator = torch.Generator(device).manual_seed(seed)
    torch.set_flush_denormal(True)
    data = make_data(TASKS[setting.task], recipe, generator)
    return _Training(setting, recipe, data, generator).run()


class _Training:
    """Replicas in training; tensors have a leading replica axis."""

    def __init__(self, setting: Setting, recipe: Recipe, data: Data, generator: torch.Generator) -> None:
        self.setting, self.recipe, self.data, self.generator = setting, recipe, data, generator
        self.device = generator.device
        self.net: Net = NETS[setting.net]
        self.task: Task = TASKS[setting.task]
        self.viewed = _VIEWED[self.task.kind]
        layout = self.net.weights(input_width(data.x, self.task.kind), self.task.outputs)
        self.shapes = [w.shape for w in layout]
        self.sizes = [w.size for w in layout]
        self.theta = self._initial(layout)
        self.fresh = self.theta.detach().clone()
        self.output = torch.cat([torch.full((w.size,), w.part.startswith("out"), device=self.device) for w in layout])
        self.average = self.fresh.clone()
        self.norms = fresh_norms(self.net, recipe.size, self.device)
        self.optimise = _optimiser(recipe, self.theta)
        self.rate = column(rates(recipe, setting.steps), self.device, 1).view(recipe.size, -1)
        self.epoch = np.maximum(recipe.n_train // setting.batch, 1)
        self.order = torch.arange(data.x.shape[1], device=self.device).repeat(recipe.size, 1)
        rng = np.random.default_rng(int(torch.randint(2**31, (1,), generator=generator, device=self.device)))
        early = np.arange(setting.steps)[None] < recipe.corrupt_until[:, None] * setting.steps
        self.bad = (rng.random((recipe.size, setting.steps)) < recipe.corrupt[:, None] / setting.steps) & early
        self.columns = {name: column(value, self.device) for name, value in recipe.as_dict().items()}
        self.n_train = torch.as_tensor(recipe.n_train, device=self.device)[:, None]
        self.first_val = self._first(data.y_val.shape[1], recipe.n_val)
        self.first_train = self._first(min(data.x.shape[1], self.viewed), recipe.n_train)

    def _first(self, width: int, count: IntArray) -> Tensor:
        """(R, width) weights of a mean over the first samples."""
        mask = (torch.arange(width, device=self.device)[None] < column(count, self.device)).float()
        return mask / mask.sum(1, keepdim=True)

    def _initial(self, layout: list[Weight]) -> Tensor:
        recipe, scale = self.recipe, {}
        scale["hidden"], scale["recurrent"] = recipe.init, recipe.init * recipe.recurrent_init
        scale["out"] = recipe.init * recipe.out_init
        shift = {"bias": recipe.bias, "out_bias": recipe.out_bias}
        parts = []
        for w in layout:
            normal = torch.randn(recipe.size, w.size, generator=self.generator, device=self.device)
            if w.part == "out_bias":  # one class, or the only value, is far off
                normal = torch.eye(1, w.size, device=self.device).expand(recipe.size, -1)
            factor = scale[w.part] * w.std if w.part in scale else shift[w.part]
            parts.append((torch.ones_like(normal) if w.part == "bias" else normal) * column(factor, self.device))
        return torch.cat(parts, 1).requires_grad_()

    def run(self) -> Records:
        """Trains and evaluates to the end."""
        setting = self.setting
        every = -(-setting.steps // DENSE)
        times, at = eval_steps(setting), 0
        dense: list[tuple[Tensor, ...]] = []
        evaluated: list[tuple[Tensor, ...]] = []
        kept = np.arange(every - 1, setting.steps, every)
        self._rehearse()
        cost = self._cost().cpu().numpy().astype(np.float64)
        for step in range(setting.steps + 1):
            if at < len(times) and times[at] == step:
                evaluated.append(self._evaluate())
                at += 1
            if step < setting.steps:
                self._change(step)
                seen = self._step(step)
                if step % every == every - 1:
                    dense.append(seen)
        loss, metric, norm = (_stacked(column_) for column_ in zip(*dense, strict=True))
        names = ("full_loss", "full_metric", "batch_noise", "val_loss", "val_metric", "pool_loss", "pool_metric")
        views = {name: _stacked(column_) for name, column_ in zip(names, zip(*evaluated, strict=True), strict=True)}
        rate = self.rate.cpu().numpy().astype(np.float64)[:, kept]
        return Records(
            kept, loss, metric, rate, norm, _any(self.bad, kept, every), times, cost=cost, **views
        )  # fmt: skip

    def _rehearse(self) -> None:
        """Trains before the log begins; what is learnt may be another task than the log's."""
        if not self.setting.rehearsed:
            return
        row = torch.arange(len(self.theta), device=self.device)[:, None]
        adam = torch.optim.Adam([self.theta], lr=_REHEARSAL)
        for step in range(self.setting.rehearsed):
            index = self._indices(step)
            each, _ = self._losses(self.theta, self.data.x[row, index], self.data.y[row, index], train=True)
            (self.theta.grad,) = torch.autograd.grad(each.mean(1).sum(), self.theta)
            adam.step()
        retarget(self.data, self.task, self.recipe.retask, self.recipe.retask > 0, self.generator)
        self.theta.grad = None
        self.average = self.theta.detach().clone()

    def _change(self, step: int) -> None:
        """What happens on the way: weights are lost, targets become others."""
        recipe, steps = self.recipe, self.setting.steps
        lost = np.flatnonzero(np.floor(recipe.set_back_at * steps) == step)
        if len(lost):
            rows = torch.as_tensor(lost, device=self.device)
            share = column(recipe.set_back[lost], self.device)
            with torch.no_grad():
                kept = torch.rand(self.theta[rows].shape, generator=self.generator, device=self.device) >= share
                anew = torch.where(self.output, self.fresh[rows], self.theta[rows])
                self.theta[rows] = torch.where(share >= 1.0, anew, self.theta[rows] * kept)
        retarget(self.data, self.task, recipe.drift, np.floor(recipe.drift_at * steps) == step, self.generator)

    def _indices(self, step: int) -> Tensor:
        """(R, B) samples of this step; epochs that begin are put in their order."""
        place = step % self.epoch
        begins = np.flatnonzero((place == 0) & (self.recipe.n_train > self.setting.batch))
        if len(begins):
            rows = torch.as_tensor(begins, device=self.device)
            key = self.data.order[rows]
            drawn = torch.rand(key.shape, generator=self.generator, device=self.device)
            self.order[rows] = (key + drawn * self.data.jitter[rows]).argsort(1)
        start = torch.as_tensor(place * self.setting.batch, device=self.device)[:, None]
        return self.order.gather(1, (start + torch.arange(self.setting.batch, device=self.device)) % self.n_train)

    def _step(self, step: int) -> tuple[Tensor, ...]:
        row = torch.arange(len(self.theta), device=self.device)[:, None]
        index = self._indices(step)
        x, y = self._corrupted(self.data.x[row, index], self.data.y[row, index], step)
        each, metric = self._losses(self.theta, x, y, train=True)
        loss = each.mean(1) + self._penalty()
        (gradient,) = torch.autograd.grad(loss.sum(), self.theta)
        broken = ~torch.isfinite(loss)[:, None]
        gradient = torch.where(broken, torch.nan, gradient)  # what a framework makes of log(0) or an overflow
        norm = gradient.norm(dim=1)
        gradient *= (self.columns["clip"] / norm[:, None].clamp_min(1e-30)).clamp_max(1.0) * self.columns["sign"]
        with torch.no_grad():
            self.optimise(self.theta, gradient, self.rate[:, step : step + 1])
            if (self.recipe.averaged > 0).any():
                self.average.lerp_(self.theta, 1 - self.columns["averaged"])
        return loss.detach(), metric.mean(1), norm

    def _corrupted(self, x: Tensor, y: Tensor, step: int) -> tuple[Tensor, Tensor]:
        if not self.bad[:, step].any():
            return x, y
        now = column(self.bad[:, step], self.device) > 0
        size = self.columns["corrupt_size"]
        if x.dtype != torch.long:
            factor = torch.where(now & (size > 0), size, 1.0)
            x = x * factor.reshape(-1, *[1] * (x.dim() - 1))
        wrong = (now & ((size < 0) | (x.dtype == torch.long))).reshape(-1, *[1] * (y.dim() - 1))
        far = 6 * self.data.spread.sqrt().reshape(-1, *[1] * (y.dim() - 1))
        other = (y + 1) % self.task.classes if self.task.classes else far - y
        return x, torch.where(wrong, other, y)

    def _penalty(self) -> Tensor:
        if not (self.recipe.penalty > 0).any():
            return torch.zeros(len(self.theta), device=self.device)
        return self.columns["penalty"][:, 0] * (self.theta**2).sum(1)

    def _losses(self, theta: Tensor, x: Tensor, y: Tensor, *, train: bool) -> tuple[Tensor, Tensor]:
        """(R, N) loss and metric of every sample under the weights theta."""
        rate = self.recipe.dropout if train else self.recipe.eval_dropout
        dropout = column(rate, self.device, 3) if (rate > 0).any() else None
        if train and x.dtype != torch.long and (self.recipe.augment > 0).any():
            noise = torch.randn(x.shape, generator=self.generator, device=self.device)
            size = self.columns["augment"] * self.columns["input_scale"]
            x = x + noise * size.reshape(-1, *[1] * (x.dim() - 1))
        mode = Mode(dropout, self.norms, train, self.setting.norm_momentum, self.generator)
        weights = [
            part.view(-1, *shape)
            for part, shape in zip(torch.split(theta, self.sizes, 1), self.shapes, strict=True)
        ]  # fmt: skip
        out = self.net.forward(weights, x, mode)
        return self._classified(out, y, train) if self.task.classes else self._regressed(out, y)

    def _classified(self, out: Tensor, y: Tensor, train: bool) -> tuple[Tensor, Tensor]:
        flag = self.columns["clipped_out"].reshape(-1, *[1] * (out.dim() - 1))
        if (self.recipe.clipped_out > 0).any():
            out = torch.where(flag > 0, torch.relu(out), out)
        score = functional.log_softmax(out, -1)
        each = -score.gather(-1, y[..., None])[..., 0]
        if train and (self.recipe.smoothing > 0).any():
            soft = self.columns["smoothing"].reshape(-1, *[1] * (each.dim() - 1))
            each = (1 - soft) * each - soft * score.mean(-1)
        limit = torch.where(self.columns["log_of_zero"] > 0, _UNDERFLOW, torch.inf)
        limit = torch.where(self.columns["half"] > 0, _UNDERFLOW * 4, limit).reshape(-1, *[1] * (each.dim() - 1))
        each = torch.where(each > limit, torch.inf, each)
        right = (out.detach().argmax(-1) == y).float()
        return (each, right) if each.dim() == 2 else (each.mean(2), right.mean(2))

    def _regressed(self, out: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        flag = self.columns["clipped_out"].reshape(-1, 1, 1)
        if (self.recipe.clipped_out > 0).any():
            out = torch.where(flag > 0, torch.relu(out), out)
        away = out - y.reshape(out.shape)
        each = LOSSES[self.setting.loss](away).mean(2)
        limit = torch.where(self.columns["half"] > 0, _OVERFLOW, torch.inf)
        each = torch.where(each > limit, torch.inf, each)
        off = away.detach()
        metric = off.abs().mean(2) if self.setting.error else 1 - (off * off).mean(2) / self.data.spread
        return each, metric

    def _cost(self) -> Tensor:
        """(R,) loss of a constant prediction."""
        if self.task.classes:
            return torch.full((len(self.theta),), math.log(self.task.classes))
        y = per_sample(self.data.y)
        return LOSSES[self.setting.loss](y - y.mean((1, 2), keepdim=True)).mean((1, 2)).clamp_min(1e-12)

    @torch.no_grad()
    def _evaluate(self) -> tuple[Tensor, ...]:
        x, y = self.data.x[:, : self.viewed], self.data.y[:, : self.viewed]
        each, metric = self._losses(self.theta, x, y, train=True)
        weight = self.first_train
        mean = (each * weight).sum(1)
        var = ((each - mean[:, None]) ** 2 * weight).sum(1)
        size = self.n_train[:, 0].clamp_max(self.setting.batch)
        full = (mean + self._penalty(), (metric * weight).sum(1), (var / size).sqrt())
        theta = torch.where(self.columns["averaged"] > 0, self.average, self.theta)
        each, metric = self._losses(theta, self.data.x_val, self.data.y_val, train=False)
        weight = self._val_weight(each.shape[1])
        return (*full, (each * weight).sum(1), (metric * weight).sum(1), each.mean(1), metric.mean(1))

    def _val_weight(self, width: int) -> Tensor:
        """(R, P) the run's own val set, or a new subset of the same size."""
        if not (self.recipe.val_redraw > 0).any():
            return self.first_val
        order = torch.rand(self.recipe.size, width, generator=self.generator, device=self.device).argsort(1)
        return torch.where(self.columns["val_redraw"] > 0, self.first_val.gather(1, order), self.first_val)


def _optimiser(recipe: Recipe, theta: Tensor) -> Callable[[Tensor, Tensor, Tensor], None]:
    """Returns (weights, gradient, rate) -> None, which moves the weights in place."""
    device, kind = theta.device, recipe.optimiser
    adam = np.isin(kind, [OPTIMISERS.index("adam"), OPTIMISERS.index("adamw")])
    decoupled = column(kind == OPTIMISERS.index("adamw"), device)
    scaled = column(adam | (kind == OPTIMISERS.index("rmsprop")), device) > 0
    is_adam = column(adam, device) > 0
    keep, keep2 = column(recipe.momentum, device), column(recipe.beta2, device)
    take = torch.where(is_adam, 1 - keep, 1.0)
    decay = column(recipe.weight_decay, device)
    mean, square = torch.zeros_like(theta.detach()), torch.zeros_like(theta.detach())
    count = [0]

    def move(weights: Tensor, gradient: Tensor, rate: Tensor) -> None:
        count[0] += 1
        gradient = gradient + decay * (1 - decoupled) * weights
        mean.mul_(keep).add_(take * gradient)
        square.mul_(keep2).addcmul_(gradient, (1 - keep2) * gradient)
        ahead = torch.where(is_adam, 1 - keep ** count[0], 1.0)
        ahead2 = torch.where(is_adam, 1 - keep2 ** count[0], 1.0)
        by = torch.where(scaled, mean / ahead / ((square / ahead2).sqrt() + 1e-8), mean)
        weights.sub_(rate * (by + decoupled * decay * weights))

    return move


def _stacked(parts: tuple[Tensor, ...]) -> Any:
    """(R, times) float64."""
    return torch.stack(parts, 1).cpu().numpy().astype(np.float64)


def _any(flags: Any, kept: IntArray, every: int) -> Any:
    """(R, D) whether one of the steps at a recorded one was bad; only recorded batches show it."""
    return flags[:, kept] if every > 1 else flags
