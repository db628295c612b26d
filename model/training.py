"""One step of a training, and what its checkpoint keeps."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from curveclinic.model.network import CurveNet, Shape, disagreement, loss_of

Batch = tuple[Tensor, ...]

STEADINESS = 3.0
"""Weight of the disagreement between a run and its twin beside the loss."""


class Training:
    """A network, the average of its weights and its optimiser."""

    def __init__(self, shape: Shape, *, lr: float, device: str) -> None:
        self.lr = lr
        self.steps = 0
        self.net = CurveNet(shape).to(device)
        self.net.halved = device != "cpu" or bool(torch.cpu.get_capabilities().get("amx_bf16"))
        self.averaged = torch.optim.swa_utils.AveragedModel(self.net, multi_avg_fn=averaging, use_buffers=True)
        self.optimiser = torch.optim.AdamW(self.net.parameters(), lr=lr, weight_decay=0.02, fused=True)

    @property
    def result(self) -> CurveNet:
        """The network with averaged weights."""
        return cast(CurveNet, self.averaged.module)

    def step(self, batch: Batch, pairs: Tensor, done: float) -> float:
        """Makes one step, every reader by itself, and returns their mean loss.

        Args:
            batch: tensor, features, target, weight, severe and spans; see `network.loss_of`.
            pairs: (m, 2) places in the batch of the same run told two ways.
            done: share of the whole training; the learning rate falls with it as half a cosine.
        """
        for group in self.optimiser.param_groups:
            group["lr"] = float(self.lr * min(1.0, (self.steps + 1) / 200) * (0.5 * (1 + np.cos(np.pi * done)) + 1e-3))
        self.net.train()
        self.optimiser.zero_grad()
        readings = self.net.each(batch[0], batch[1])
        loss = torch.stack([loss_of(outputs, *batch[2:]) for outputs in readings]).sum()
        gaps = torch.stack([disagreement(outputs[0], batch[2], batch[3], pairs) for outputs in readings]).sum()
        (loss + STEADINESS * gaps).backward()  # type: ignore[no-untyped-call]  # torch leaves it unannotated
        torch.nn.utils.clip_grad_norm_(self.net.parameters(), 1.0)
        self.optimiser.step()
        self.averaged.update_parameters(self.net)
        self.steps += 1
        return loss.item() / len(readings)

    def save(self, path: Path, state: dict[str, Any]) -> None:
        """Writes a checkpoint with what the training has behind it."""
        parts = {name: part.state_dict() for name, part in self._parts().items()}
        torch.save({**parts, "state": state}, path)

    def load(self, path: Path, device: str) -> dict[str, Any]:
        """Goes back to a checkpoint; returns what the training has behind it."""
        saved = torch.load(path, weights_only=True, map_location=device)
        for name, part in self._parts().items():
            part.load_state_dict(saved[name])
        self.steps = saved["state"]["step"]
        return dict(saved["state"])

    def _parts(self) -> dict[str, Any]:
        return {"net": self.net, "averaged": self.averaged, "optimiser": self.optimiser}


@torch.no_grad()
def averaging(averaged: Sequence[Tensor], current: Sequence[Tensor], count: int | Tensor) -> None:
    """Exponential average of the weights, in place, whose memory grows with the steps made, up to a thousand."""
    decay = min(0.999, (1 + int(count)) / (10 + int(count)))
    if averaged[0].is_floating_point():
        torch._foreach_lerp_(list(averaged), list(current), 1 - decay)
    else:
        torch._foreach_copy_(list(averaged), list(current))
