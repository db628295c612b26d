"""Which trainings there are: nets, data and faults that go together, and how long a group of replicas runs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from curveclinic.synth.draws import Rng
from curveclinic.synth.simulate.faults import FAULTS, HEALTHY, Fault
from curveclinic.synth.simulate.nets import NETS
from curveclinic.synth.simulate.recipe import Recipe, draw_healthy
from curveclinic.synth.simulate.tasks import TASKS
from curveclinic.synth.simulate.trainer import LOSSES, Setting

_SOUND: Final = 0.25
"""Share of replicas without a fault; some of them overfit or stay undertrained all the same."""

_SHORTEST, _LONGEST = 100, 3000
_PATIENT: Final = 5000
"""Longest training of a group that waits for its validation."""

_SMALL: Final = {"modular_addition": (85, 129), "parity": (75, 180), "two_speeds": (62, 110)}
"""Range of training samples with which a net memorises first."""

_EVALS: Final = (30, 60, 110)
"""Evaluations of a training; a third of the groups each."""

_COST: Final = 1.2e5
"""Samples that a replica of a small MLP may cost, evaluations included."""

_SIMPLE: Final = ("linear", "mlp_narrow")
_SLOW: Final = ("tokens", "series")
_LATE: Final = ("grokking", "large_and_decayed", "interpolated_noise", "double_descent")
"""Faults that need long trainings and memory: they come in groups of their own."""

_REHEARSED: Final = 0.1
"""Share of the groups that have learnt something before their logs begin."""

_AT_START: Final = (
    "initialisation_too_small", "initialisation_too_large", "output_initialisation", "saturated_units", "dead_relu",
)  # fmt: skip
"""Causes that are over once a net has learnt something."""

_NET_WEIGHTS: Final = {"linear": 1.3, "mlp_narrow": 1.3, "conv": 1.2, "conv_norm": 0.8, "rnn": 1.2, "gru": 0.7,
                       "attention": 1.2}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Group:
    """Replicas of one net on one task.

    Attributes:
        setting: what they share.
        recipe: what they do not.
        faults: name of each replica's fault.
    """

    setting: Setting
    recipe: Recipe
    faults: list[str]

    @property
    def families(self) -> list[str]:
        """Net x task x fault of each replica."""
        return [f"{self.setting.net} x {self.setting.task} x {fault}" for fault in self.faults]


def draw_group(rng: Rng, replicas: int) -> Group:
    """Draws a net, a task that it takes, a length, and a recipe and a fault for every replica."""
    if rng.random() < 0.1:
        return _late_group(rng, replicas)
    names = list(NETS)
    weights = np.array([_NET_WEIGHTS.get(name, 1.0) for name in names])
    net = str(rng.choice(names, p=weights / weights.sum()))
    fitting = [name for name, task in TASKS.items() if task.kind in NETS[net].takes and not task.whole]
    task = str(rng.choice(fitting))
    batch = int(rng.choice([4, 8, 16, 32, 64], p=[0.1, 0.2, 0.3, 0.25, 0.15]))
    n_train = int(np.exp(rng.uniform(np.log(96), np.log(1500))))
    steps = int(np.exp(rng.uniform(np.log(_SHORTEST), np.log(_LONGEST))))
    faults = _faults(rng, net, task, replicas)
    if rng.random() >= _REHEARSED:
        return _group(rng, net, task, faults, batch, n_train, steps)
    faults = [HEALTHY if fault != HEALTHY and FAULTS[fault].cause in _AT_START else fault for fault in faults]
    group = _group(rng, net, task, faults, batch, n_train, steps)
    return replace(group, setting=replace(group.setting, rehearsed=int(rng.integers(100, 600))))


def _late_group(rng: Rng, replicas: int) -> Group:
    """Long full-batch trainings whose validation comes late, and sound ones beside them."""
    fault = str(rng.choice(_LATE, p=[0.4, 0.2, 0.2, 0.2]))
    tasks = FAULTS[fault].tasks or ("blobs", "many_blobs", "teacher_classes", "bars")
    nets = FAULTS[fault].nets or ("mlp_wide", "mlp", "mlp_gelu")
    pairs = [(n, t) for n in nets for t in tasks if TASKS[t].kind in NETS[n].takes]
    net, task = pairs[rng.integers(len(pairs))]
    faults = [fault if rng.random() < 0.85 else HEALTHY for _ in range(replicas)]
    few, many = _SMALL.get(task, (80, 400))
    n_train, steps = int(rng.integers(few, many)), int(rng.integers(2000, _PATIENT))
    return _group(rng, net, task, faults, 64, n_train, steps, patient=True)


def _faults(rng: Rng, net: str, task: str, replicas: int) -> list[str]:
    regression = TASKS[task].classes == 0
    names = [n for n, f in FAULTS.items() if n not in _LATE and f.fits(net, task, regression=regression)]
    weights = np.array([FAULTS[name].weight for name in names])
    # replicas of a group share few faults, so that a family has several runs
    few = rng.choice(names, size=min(8, len(names)), replace=False, p=weights / weights.sum())
    sick = few[rng.integers(len(few), size=replicas)]
    usual = "too_small" if "too_small" in names and net in _SIMPLE else HEALTHY
    return [str(fault) if rng.random() > _SOUND else usual for fault in sick]


def _group(
    rng: Rng, net: str, task: str, faults: list[str], batch: int, n_train: int, steps: int, *, patient: bool = False
) -> Group:  # fmt: skip
    slow = NETS[net].speed < 0.3
    recipe = draw_healthy(
        rng, len(faults), n_train=n_train, n_val=int(np.exp(rng.uniform(np.log(40), np.log(400)))), slow=slow
    )
    for name in dict.fromkeys(faults):
        if name != HEALTHY:
            _apply(rng, recipe, FAULTS[name], np.flatnonzero([fault == name for fault in faults]))
    if TASKS[task].whole:
        recipe.n_train = np.minimum(recipe.n_train, TASKS[task].whole - 40)
    evals = int(rng.choice(_EVALS))
    allowed = _COST * NETS[net].speed * (6.0 if patient else 1.0)
    evals = int(np.clip(allowed * 0.6 / (min(n_train, 400) + 500), 25, evals))
    steps = int(np.clip(allowed / (3.0 * batch), 150, steps))
    stride = max(steps // evals, 1)
    error, lag = bool(rng.random() < 0.5), float(rng.choice([0.01, 0.1, 0.1, 0.3]))
    loss = str(rng.choice(list(LOSSES), p=[0.7, 0.15, 0.15]))
    return Group(Setting(net, task, batch, steps // stride * stride, stride, error, lag, loss), recipe, faults)


def _apply(rng: Rng, recipe: Recipe, fault: Fault, rows: np.ndarray[tuple[int], np.dtype[np.int64]]) -> None:
    recipe.override(rows, fault.draw(rng, len(rows)))
    for name, factor in fault.factor(rng, len(rows)).items():
        getattr(recipe, name)[rows] *= factor
