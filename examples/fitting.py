"""One training loop for all example runs; it keeps every optimiser step, every epoch and every evaluation."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import torch
from tasks import Task
from torch import Tensor, nn

Criterion = Callable[[Tensor, Tensor], dict[str, Tensor]]


@dataclass(frozen=True)
class Row:
    """What was measured after an optimiser step (counted from 1) in an epoch (counted from 0)."""

    step: int
    epoch: int
    values: dict[str, float]


@dataclass
class History:
    """All that was measured; the loggers pick from it.

    Attributes:
        steps: batch losses, lr and gradient norm (before clipping) of every optimiser step.
        epochs: means of the batch losses over every epoch.
        evals: losses on the validation set, at every epoch's end or every `eval_every` steps.
        steps_per_epoch: optimiser steps of an epoch.
    """

    steps: list[Row] = field(default_factory=list)
    epochs: list[Row] = field(default_factory=list)
    evals: list[Row] = field(default_factory=list)
    steps_per_epoch: int = 1


@dataclass(frozen=True)
class Plan:
    """How a run is trained."""

    epochs: int
    batch: int
    lr: float
    optimizer: str = "adam"
    momentum: float = 0.0
    weight_decay: float = 0.0
    schedule: Callable[[float], float] | None = None  # progress in [0, 1) -> factor of lr
    shuffle: bool = True
    clip: float = 0.0
    eval_every: int = 0  # optimiser steps; 0: at every epoch's end
    val_sample: int = 0  # draws this many validation samples anew each time; 0: all of them
    augment: Callable[[Tensor, float], Tensor] | None = None  # (inputs, progress) -> inputs


def cosine(progress: float) -> float:
    """One half wave down to zero."""
    return 0.5 * (1.0 + float(torch.cos(torch.tensor(torch.pi * progress))))


def warmup_linear(progress: float, *, warmup: float = 0.1) -> float:
    """Up to the full rate over the first tenth, then straight down to zero."""
    return progress / warmup if progress < warmup else (1.0 - progress) / (1.0 - warmup)


def linear(progress: float, *, floor: float) -> float:
    """Straight down to a small share of the rate."""
    return 1.0 - (1.0 - floor) * progress


def ramp(progress: float) -> float:
    """A warm-up over half the run."""
    return min(1.0, 2.0 * progress)


def two_drops(progress: float) -> float:
    """A tenth of the rate after each of 60 % and 85 % of the run."""
    return 0.1 ** ((progress >= 0.6) + (progress >= 0.85))


def fit(net: nn.Module, task: Task, criterion: Criterion, plan: Plan, *, seed: int = 0) -> History:
    """Trains the network and returns all that was measured on the way."""
    torch.manual_seed(seed + 1)  # dropout
    generator = torch.Generator().manual_seed(seed)
    optimizer = _optimizer(net, plan)
    per_epoch = -(-len(task.x_train) // plan.batch)
    history = History(steps_per_epoch=per_epoch)
    for epoch in range(plan.epochs):
        for batch in _batches(len(task.x_train), plan, generator):
            progress = len(history.steps) / (plan.epochs * per_epoch)
            values = _train_step(net, task, criterion, plan, optimizer, batch, progress)
            history.steps.append(Row(len(history.steps) + 1, epoch, values))
            if plan.eval_every and len(history.steps) % plan.eval_every == 0:
                history.evals.append(_evaluate(net, task, criterion, plan, generator, len(history.steps), epoch))
        history.epochs.append(Row(len(history.steps), epoch, _mean(history.steps[-per_epoch:])))
        if not plan.eval_every:
            history.evals.append(_evaluate(net, task, criterion, plan, generator, len(history.steps), epoch))
    return history


def _optimizer(net: nn.Module, plan: Plan) -> torch.optim.Optimizer:
    if plan.optimizer == "sgd":
        return torch.optim.SGD(net.parameters(), plan.lr, momentum=plan.momentum, weight_decay=plan.weight_decay)
    return torch.optim.AdamW(net.parameters(), plan.lr, weight_decay=plan.weight_decay)


def _batches(count: int, plan: Plan, generator: torch.Generator) -> Iterator[Tensor]:
    order = torch.randperm(count, generator=generator) if plan.shuffle else torch.arange(count)
    return iter(order.split(plan.batch))


def _train_step(
    net: nn.Module,
    task: Task,
    criterion: Criterion,
    plan: Plan,
    optimizer: torch.optim.Optimizer,
    batch: Tensor,
    progress: float,
) -> dict[str, float]:
    lr = plan.lr * (plan.schedule(progress) if plan.schedule else 1.0)
    for group in optimizer.param_groups:
        group["lr"] = lr
    net.train()
    x = plan.augment(task.x_train[batch], progress) if plan.augment else task.x_train[batch]
    parts = criterion(net(x), task.y_train[batch])
    optimizer.zero_grad()
    parts["loss"].backward()
    norm = nn.utils.clip_grad_norm_(net.parameters(), plan.clip or torch.inf)
    optimizer.step()
    return {**{name: part.item() for name, part in parts.items()}, "lr": lr, "grad_norm": norm.item()}


@torch.no_grad()
def _evaluate(
    net: nn.Module, task: Task, criterion: Criterion, plan: Plan, generator: torch.Generator, step: int, epoch: int
) -> Row:
    net.eval()
    chosen = torch.arange(len(task.x_val))
    if plan.val_sample:
        chosen = torch.randperm(len(task.x_val), generator=generator)[: plan.val_sample]
    parts = criterion(net(task.x_val[chosen]), task.y_val[chosen])
    return Row(step, epoch, {name: part.item() for name, part in parts.items()})


def _mean(rows: list[Row]) -> dict[str, float]:
    """Mean of every value over the rows; the lr is the last one."""
    means = {name: sum(row.values[name] for row in rows) / len(rows) for name in rows[0].values}
    return {**means, "lr": rows[-1].values["lr"]}
