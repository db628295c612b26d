"""What is the learning rate worth that `suggest_lr` takes from a range test, beside other rules of thumb?

    python benchmarks/range_test.py            # needs the dev extra; 2 minutes on one core

Five small models on the 8 x 8 digits, three optimizers, two batch sizes, two seeds: for each a range test of 100 steps
from 1e-6 to 10, and trainings of 150 steps at 25 rates with another seed. Regret: how many times the loss (plus 0.001)
at the suggested rate exceeds the one at the best rate, interpolated between the 25 in logarithms. All rules are scored
on the tests that `suggest_lr` calls usable; the share it calls useless is a row of its own, and so is the share of
those where some rate lowers the loss by a tenth or more after all.

- lowest / 10, blow-up / 10: of other rates that `suggest_lr` reads off (blow-up where it was reached)
- longest valley: the middle of the longest falling subsequence of the raw losses (fastai's default)

What it does not show: large models, other data, schedules, long trainings (where smaller rates win).
"""

from __future__ import annotations

import argparse
import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from sklearn.datasets import load_digits
from tables import Row, print_table, write_csv
from torch import Tensor, nn
from yardstick import RESULTS

from curveclinic.checks.lr_range import LrRangeTest, suggest_lr
from curveclinic.ragged import FloatArray

RATES = np.geomspace(1e-6, 10.0, 100)
"""Learning rates of a range test."""

TRAINED = np.geomspace(1e-5, 10.0, 25)
"""Learning rates trained at."""

STEPS = 150
"""Steps of a training."""

EASED = 1e-3
"""Added to losses before they are compared by ratio: below it nobody cares."""

WORTH = 0.9
"""Share of the loss at the smallest rate below which a training has learnt something."""


def _mlp(*widths: int, norm: bool = False, act: type[nn.Module] = nn.ReLU) -> nn.Module:
    layers: list[nn.Module] = []
    for a, b in itertools.pairwise(widths[:-1]):
        layers += [nn.Linear(a, b), *([nn.BatchNorm1d(b)] if norm else []), act()]
    return nn.Sequential(*layers, nn.Linear(widths[-2], widths[-1]))


MODELS: dict[str, Callable[[], nn.Module]] = {
    "linear": lambda: nn.Linear(64, 10),
    "one hidden layer": lambda: _mlp(64, 64, 10),
    "five hidden layers": lambda: _mlp(64, 64, 64, 64, 64, 64, 10),
    "batch norm": lambda: _mlp(64, 64, 64, 10, norm=True),
    "regression": lambda: _mlp(64, 64, 1, act=nn.Tanh),
}

OPTIMIZERS: dict[str, Callable[..., torch.optim.Optimizer]] = {
    "sgd": torch.optim.SGD,
    "momentum": lambda parameters, lr: torch.optim.SGD(parameters, lr, momentum=0.9),
    "adamw": torch.optim.AdamW,
}


@dataclass(frozen=True, eq=False)
class Case:
    """One range test and the trainings that judge it.

    Attributes:
        losses: (100,) of the range test at `RATES`.
        ends: (25,) loss on all data after training at `TRAINED`.
    """

    losses: FloatArray
    ends: FloatArray


def cases(seeds: int) -> Iterator[Case]:
    """Every model with every optimizer, batch size and seed."""
    images, digits = load_digits(return_X_y=True)
    x, y = torch.tensor(images / 16.0, dtype=torch.float32), torch.tensor(digits)
    for model, optimizer, batch, seed in itertools.product(MODELS, OPTIMIZERS, (16, 64), range(seeds)):
        swept = _steps(model, optimizer, batch, seed, RATES, x, y)[1]
        ends = [_end(model, optimizer, batch, seed + 100, rate, x, y) for rate in TRAINED]
        yield Case(np.array(swept), np.array(ends))


def _steps(
    model: str, optimizer: str, batch: int, seed: int, rates: FloatArray, x: Tensor, y: Tensor
) -> tuple[nn.Module, list[float]]:
    """Trains one step at each rate; the model, and the loss before each step."""
    torch.manual_seed(seed)
    net = MODELS[model]()
    steps = OPTIMIZERS[optimizer](net.parameters(), lr=float(rates[0]))
    losses = []
    for rate, rows in zip(rates, _batches(len(x), batch, seed), strict=False):
        for group in steps.param_groups:
            group["lr"] = float(rate)
        loss = _loss(net(x[rows]), y[rows])
        losses.append(loss.item())
        steps.zero_grad()
        loss.backward()
        steps.step()
    return net, losses


def _end(model: str, optimizer: str, batch: int, seed: int, rate: float, x: Tensor, y: Tensor) -> float:
    net, _ = _steps(model, optimizer, batch, seed, np.full(STEPS, rate), x, y)
    with torch.no_grad():
        loss = _loss(net(x), y).item()
    return loss if math.isfinite(loss) else 1e3


def _loss(out: Tensor, y: Tensor) -> Tensor:
    if out.shape[1] == 1:
        return nn.functional.mse_loss(out[:, 0], (y.float() - 4.5) / 2.87)
    return nn.functional.cross_entropy(out, y)


def _batches(count: int, batch: int, seed: int) -> Iterator[Tensor]:
    generator = torch.Generator().manual_seed(seed)
    while True:
        order = torch.randperm(count, generator=generator)
        yield from (order[i : i + batch] for i in range(0, count - batch + 1, batch))


def longest_valley(losses: FloatArray) -> float:
    """Rate in the middle of the longest falling subsequence, counted as fastai's default does."""
    length = np.ones(len(losses), dtype=int)
    for i in range(1, len(losses)):
        higher = length[:i][losses[:i] > losses[i]]
        length[i] = 1 + (higher.max() if len(higher) else 0)
    end = int(length.argmax())
    third = int(length[end]) / 3
    return float(RATES[max(end - int(length[end]), 0) + int(third) + int(third / 2)])


RULES: dict[str, Callable[[Case, LrRangeTest], float | None]] = {
    "suggest_lr": lambda _, found: found.suggestion,
    "lowest / 10": lambda _, found: found.lowest and found.lowest / 10,
    "blow-up / 10": lambda _, found: found.blow_up and found.blow_up / 10,
    "longest valley": lambda case, _: longest_valley(case.losses),
}


def regret(case: Case, rate: float) -> float:
    """Loss at a rate over the loss at the best one."""
    ends = np.log(case.ends + EASED)
    return float(np.exp(np.interp(np.log(rate), np.log(TRAINED), ends) - ends.min()))


def rows_of(all_cases: list[Case]) -> Iterator[Row]:
    """Every rule's regret, then how many tests are called useless."""
    read = [(case, suggest_lr(RATES, case.losses)) for case in all_cases]
    usable = [(case, found) for case, found in read if found.usable]
    for name, rule in RULES.items():
        rates = [(case, rate) for case, rate in ((case, rule(case, found)) for case, found in usable) if rate]
        times = np.array([regret(case, rate) for case, rate in rates])
        yield _row(name, "regret, geometric mean", float(np.exp(np.log(times).mean())), len(times))
        yield _row(name, "regret, median", float(np.median(times)), len(times))
        yield _row(name, "regret, nine of ten below", float(np.quantile(times, 0.9)), len(times))
    refused = [case for case, found in read if not found.usable]
    learnt = [case.ends.min() < WORTH * case.ends[0] for case in refused]
    yield _row("suggest_lr", "called useless", len(refused) / len(read), len(read))
    yield _row("suggest_lr", "of these, some rate learns", float(np.mean(learnt)) if learnt else np.nan, len(refused))


def _row(rule: str, measure: str, value: float, count: int) -> Row:
    return {"rule": rule, "measure": measure, "value": value, "n": count}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=RESULTS / "range_test.csv", help="CSV")
    parser.add_argument("--seeds", type=int, default=2, help="seeds of every setting")
    options = parser.parse_args()
    torch.set_num_threads(1)
    rows = list(rows_of(list(cases(options.seeds))))
    print_table(rows)
    write_csv(rows, options.out)


if __name__ == "__main__":
    main()
