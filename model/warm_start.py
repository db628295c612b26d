"""The way back from a shipped ONNX file to a network that can be trained on.

The file is all that is kept of a training. It holds every weight, with the batch normalisations of the convolutions
folded into them and without the optimiser's memory.
"""

from __future__ import annotations

from pathlib import Path

import onnx
import torch
from onnx import numpy_helper
from torch import Tensor, nn

from curveclinic.model.halves import in_floats
from curveclinic.model.network import CurveNet, fold


@torch.no_grad()
def warm_start(net: CurveNet, path: Path, tensor: Tensor, member: int | None = None) -> None:
    """Gives a network the weights of an ONNX file that `export.write_weights` wrote.

    The normalisations that were folded in are set so that they change nothing on runs like those given, whether the
    batch or the running statistics are used.

    Args:
        net: the network, of the same shape; changed in place.
        path: the ONNX file.
        tensor: (n, channels, bins) encoded runs, several hundred.
        member: which one, from 0, where the file holds a committee of networks.

    Raises:
        ValueError: the file holds another network than this one, or a committee and none of it is named.
    """
    # copied: what onnx hands over is read-only
    prefix = "net." if member is None else f"net.members.{member}."
    saved = {
        part.name.removeprefix(prefix): torch.from_numpy(numpy_helper.to_array(part).copy())
        for part in in_floats(onnx.load(path)).graph.initializer
    }
    if member is None and any(name.startswith("members.") for name in saved):
        raise ValueError(f"{path} holds a committee of networks; say with which one to begin")
    wanted = net.state_dict()
    for name, value in wanted.items():
        if name in saved and saved[name].shape != value.shape:
            found, expected = list(saved[name].shape), list(value.shape)
            raise ValueError(f"{path}: {name} is {found}, this network's {expected}; another encoder or size wrote it")
    norms = [(name, part) for name, part in net.named_modules() if isinstance(part, nn.BatchNorm1d)]
    folded = tuple(f"{name}." for name, _ in norms if f"{name}.weight" not in saved)
    if absent := [n for n in wanted if n not in saved and not n.startswith(folded) and "num_batches" not in n]:
        raise ValueError(f"{path} holds no {', '.join(absent)}; expected a file that train.py wrote")
    net.load_state_dict({name: saved[name] for name in wanted if name in saved}, strict=False)
    x = tensor.to(next(net.parameters()).device)
    for layer in net.curves:
        if isinstance(layer, nn.BatchNorm1d):
            _change_nothing(layer, x)
        else:
            x = layer(x)


@torch.no_grad()
def keep(net: CurveNet, start: CurveNet, share: float) -> None:
    """Moves a trained network part of the way back to where it began, in place.

    What is learnt on a generator that has changed stays, at little cost to what was right before (Wortsman et al. 2022,
    Robust fine-tuning of zero-shot models). The normalisations of the convolutions are folded into them first, in both.

    Args:
        net: the network after the training.
        start: the network before it.
        share: of the way, 0 to 1.
    """
    for part in (net, start):
        fold(part)
    before = start.state_dict()
    for name, value in net.state_dict().items():
        if value.is_floating_point():
            value.lerp_(before[name].to(value.device), share)


def _change_nothing(norm: nn.BatchNorm1d, seen: Tensor) -> None:
    """Sets a normalisation to undo itself on (n, channels, places) values."""
    variance, mean = torch.var_mean(seen, dim=(0, 2), correction=0)
    assert norm.running_mean is not None
    assert norm.running_var is not None
    norm.running_mean.copy_(mean)
    norm.running_var.copy_(variance)
    norm.weight.copy_((variance + norm.eps).sqrt())
    norm.bias.copy_(mean)
