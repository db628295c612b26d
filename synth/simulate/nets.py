"""Tiny networks, many replicas at once: every weight has a leading replica axis, every product is a batched one."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor
from torch.nn import functional

from curveclinic.synth.simulate.tasks import IDS, TOKENS

Norms = dict[str, Tensor]
"""Running statistics of batch norm, (R, 1, width) each."""

ACTIVATIONS: Final[dict[str, Callable[[Tensor], Tensor]]] = {
    "relu": torch.relu,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "gelu": functional.gelu,
    "none": lambda x: x,
}


@dataclass(frozen=True)
class Weight:
    """One tensor of a replica.

    Attributes:
        shape: without the replica axis.
        std: of its normal initialisation before the recipe's scales; 0 for a bias.
        part: "hidden", "out", "recurrent" or "bias" (of a hidden layer): which scale of the recipe applies.
    """

    shape: tuple[int, ...]
    std: float
    part: str = "hidden"

    @property
    def size(self) -> int:
        """Numbers in it."""
        return math.prod(self.shape)


@dataclass(frozen=True)
class Mode:
    """How a forward pass runs.

    Attributes:
        dropout: (R, 1, 1) probability of a unit to be dropped; None drops none.
        norms: running statistics; None where the model has no batch norm.
        batch: normalise by the batch and update the running statistics (training), or use the running ones.
        momentum: of the running statistics.
        generator: of the dropout masks.
    """

    dropout: Tensor | None
    norms: Norms | None
    batch: bool
    momentum: float
    generator: torch.Generator


@dataclass(frozen=True)
class Net:
    """An architecture.

    Attributes:
        weights: (input width, outputs) -> its tensors, in the order `forward` takes them.
        forward: (tensors, inputs, mode) -> (R, N, outputs), or (R, N, T, outputs) for tokens.
        takes: kinds of task.
        norm_widths: widths of its batch norms.
        speed: samples a second relative to a small MLP: longer trainings are cut by it.
    """

    weights: Callable[[int, int], list[Weight]]
    forward: Callable[[list[Tensor], Tensor, Mode], Tensor]
    takes: tuple[str, ...]
    norm_widths: tuple[int, ...] = ()
    speed: float = 1.0


def _dense(i: int, o: int, gain: float = 1.0, part: str = "hidden") -> list[Weight]:
    bias = "out_bias" if part == "out" else "bias"
    return [Weight((i, o), gain / math.sqrt(i), part), Weight((1, o), 0.0, bias)]


def _drop(x: Tensor, mode: Mode) -> Tensor:
    if mode.dropout is None:
        return x
    rate = mode.dropout.reshape(-1, *[1] * (x.dim() - 1))
    kept = torch.rand(x.shape, generator=mode.generator, device=x.device) >= rate
    return x * kept / (1 - rate)


def _batch_norm(x: Tensor, mode: Mode, name: str) -> Tensor:
    assert mode.norms is not None, "a model with batch norm was given no running statistics"
    if not mode.batch:
        mean, var = mode.norms[f"{name}.mean"], mode.norms[f"{name}.var"]
    else:
        mean, var = x.mean(1, keepdim=True), x.var(1, keepdim=True, unbiased=False)
        if torch.is_grad_enabled():
            for key, value in ((f"{name}.mean", mean), (f"{name}.var", var)):
                mode.norms[key].lerp_(value.detach(), mode.momentum)
    return (x - mean) * torch.rsqrt(var + 1e-5)


def mlp(*hidden: int, act: str = "relu", norm: bool = False) -> Net:
    """Fully connected layers."""
    gain = {"relu": math.sqrt(2.0), "gelu": math.sqrt(2.0), "tanh": 1.0, "sigmoid": 1.0, "none": 1.0}[act]
    bend = ACTIVATIONS[act]

    def weights(inputs: int, outputs: int) -> list[Weight]:
        sizes = (inputs, *hidden)
        layers = [w for i, o in zip(sizes, hidden, strict=False) for w in _dense(i, o, gain)]
        return [*layers, *_dense(sizes[-1], outputs, part="out")]

    def forward(w: list[Tensor], x: Tensor, mode: Mode) -> Tensor:
        h = x.flatten(2)
        for k in range(len(hidden)):
            h = torch.baddbmm(w[2 * k + 1], h, w[2 * k])  # (R, N, width)
            if norm:
                h = _batch_norm(h, mode, str(k))
            h = _drop(bend(h), mode)
        return torch.baddbmm(w[-1], h, w[-2])

    return Net(weights, forward, ("vector", "image"), hidden if norm else ())


def _convolve(x: Tensor, w: Tensor, b: Tensor) -> Tensor:
    """3 x 3 convolution of stride 2: x (R, N, C, H, W) -> (R, N, O, H / 2, W / 2)."""
    r, n, c, height, width = x.shape
    padded = functional.pad(x, (1, 1, 1, 1))
    patches = padded.unfold(3, 3, 2).unfold(4, 3, 2)  # (R, N, C, H/2, W/2, 3, 3)
    flat = patches.permute(0, 1, 3, 4, 2, 5, 6).reshape(r, -1, 9 * c)
    out = torch.baddbmm(b, flat, w)
    return out.view(r, n, height // 2, width // 2, -1).permute(0, 1, 4, 2, 3)


def conv(*, channels: int, norm: bool = False) -> Net:
    """Two convolutions of stride 2 and one dense layer on 8 x 8 images."""
    c, d = channels, 2 * channels

    def weights(inputs: int, outputs: int) -> list[Weight]:
        first, second = (
            [Weight((9 * i, o), math.sqrt(2 / (9 * i)), "hidden"), Weight((1, o), 0.0, "bias")]
            for i, o in ((1, c), (c, d))
        )
        return [*first, *second, *_dense(4 * d, outputs, part="out")]

    def forward(w: list[Tensor], x: Tensor, mode: Mode) -> Tensor:
        h = torch.relu(_convolve(x[:, :, None], w[0], w[1]))
        h = _convolve(h, w[2], w[3]).flatten(2)
        if norm:
            h = _batch_norm(h, mode, "0")
        return torch.baddbmm(w[5], _drop(torch.relu(h), mode), w[4])

    return Net(weights, forward, ("image",), (4 * d,) if norm else (), 0.4)


def _embedded(table: Tensor, tokens: Tensor) -> Tensor:
    row = torch.arange(len(table), device=table.device)[:, None, None]
    return table[row, tokens]  # (R, N, T, width)


def recurrent(width: int, *, gated: bool) -> Net:
    """A plain tanh or a gated recurrent network; tokens are predicted at every place, series at the end."""
    gates = 3 if gated else 1

    def weights(inputs: int, outputs: int) -> list[Weight]:
        into = Weight((inputs, gates * width), 1 / math.sqrt(min(inputs, width)), "hidden")
        again = Weight((width, gates * width), 1 / math.sqrt(width), "recurrent")
        return [into, again, Weight((1, gates * width), 0.0, "bias"), *_dense(width, outputs, part="out")]

    def step(part: Tensor, again: Tensor, h: Tensor) -> Tensor:
        if not gated:
            return torch.tanh(part + again)
        (keep, use, new), (keep2, use2, new2) = part.chunk(3, 2), again.chunk(3, 2)
        z = torch.sigmoid(keep + keep2)
        return z * h + (1 - z) * torch.tanh(new + torch.sigmoid(use + use2) * new2)

    def forward(w: list[Tensor], x: Tensor, mode: Mode) -> Tensor:
        tokens = x.dtype == torch.long
        r, n, length = x.shape[:3]
        driven = _embedded(w[0], x) if tokens else torch.bmm(x.flatten(1, 2), w[0]).view(r, n, length, -1)
        h, states = x.new_zeros(r, n, width, dtype=w[0].dtype), []
        for t in range(length):
            h = step(driven[:, :, t], torch.baddbmm(w[2], h, w[1]), h)
            states.append(h)
        out = _drop(torch.stack(states, 2) if tokens else h, mode)
        return torch.baddbmm(w[4], out.flatten(1, -2), w[3]).view(*out.shape[:-1], -1)

    return Net(weights, forward, ("tokens", "series"), speed=0.2)


def attention(width: int) -> Net:
    """One causal pre-norm transformer block of two heads."""
    heads, longest = 2, 16

    def weights(inputs: int, outputs: int) -> list[Weight]:
        std = 1 / math.sqrt(width)
        return [
            Weight((inputs, width), 0.5), Weight((longest, width), 0.1),
            Weight((width, 3 * width), std), Weight((width, width), 0.5 * std),
            *_dense(width, 2 * width, math.sqrt(2.0)), Weight((2 * width, width), 0.5 * std),
            *_dense(width, outputs, part="out"),
        ]  # fmt: skip

    def forward(w: list[Tensor], x: Tensor, mode: Mode) -> Tensor:
        r, n, length = x.shape[:3]
        h = _embedded(w[0], x) if x.dtype == torch.long else torch.bmm(x.flatten(1, 2), w[0]).view(r, n, length, -1)
        h = (h + w[1][:, None, :length]).flatten(1, 2)  # (R, N T, width)
        qkv = torch.bmm(functional.layer_norm(h, (width,)), w[2])
        q, k, v = qkv.view(r * n, length, 3, heads, width // heads).permute(2, 0, 3, 1, 4)
        mixed = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        h = h + _drop(torch.bmm(mixed.transpose(1, 2).reshape(r, n * length, width), w[3]), mode)
        inner = torch.relu(torch.baddbmm(w[5], functional.layer_norm(h, (width,)), w[4]))
        h = functional.layer_norm(h + _drop(torch.bmm(inner, w[6]), mode), (width,))
        if x.dtype != torch.long:
            return torch.baddbmm(w[8], h.view(r, n, length, -1)[:, :, -1], w[7])
        return torch.baddbmm(w[8], h, w[7]).view(r, n, length, -1)

    return Net(weights, forward, ("tokens", "series"), speed=0.15)


def factors(width: int) -> Net:
    """A vector for every user and one for every thing; their product, or a linear map of it for classes."""

    def weights(inputs: int, outputs: int) -> list[Weight]:
        tables = [Weight((inputs, width), 1 / math.sqrt(width)), Weight((inputs, width), 1 / math.sqrt(width))]
        return [*tables, *_dense(width, outputs, part="out")]

    def forward(w: list[Tensor], x: Tensor, mode: Mode) -> Tensor:
        row = torch.arange(len(x), device=x.device)[:, None]
        both = w[0][row, x[..., 0]] * w[1][row, x[..., 1]]  # (R, N, width)
        return torch.baddbmm(w[3], _drop(both, mode), w[2])

    return Net(weights, forward, ("ids",))


def embedded_mlp(width: int, hidden: int) -> Net:
    """The vectors of a user and a thing side by side into one hidden layer."""

    def weights(inputs: int, outputs: int) -> list[Weight]:
        tables = [Weight((inputs, width), 1.0), Weight((inputs, width), 1.0)]
        return [*tables, *_dense(2 * width, hidden, math.sqrt(2.0)), *_dense(hidden, outputs, part="out")]

    def forward(w: list[Tensor], x: Tensor, mode: Mode) -> Tensor:
        row = torch.arange(len(x), device=x.device)[:, None]
        both = torch.cat([w[0][row, x[..., 0]], w[1][row, x[..., 1]]], 2)
        inner = _drop(torch.relu(torch.baddbmm(w[3], both, w[2])), mode)
        return torch.baddbmm(w[5], inner, w[4])

    return Net(weights, forward, ("ids",))


NETS: Final[dict[str, Net]] = {
    "linear": mlp(),
    "mlp": mlp(32),
    "mlp_wide": mlp(96),
    "mlp_tanh": mlp(24, 24, act="tanh"),
    "mlp_gelu": mlp(32, 32, act="gelu"),
    "mlp_narrow": mlp(3),
    "mlp_norm": mlp(32, 24, norm=True),
    "mlp_deep": mlp(20, 20, 20, 20),
    "mlp_sigmoid": mlp(20, 20, 20, act="sigmoid"),
    "deep_linear": mlp(20, 20, 20, act="none"),
    "bottleneck": mlp(24, 4, 24, act="gelu"),
    "conv": conv(channels=6),
    "conv_norm": conv(channels=6, norm=True),
    "rnn": recurrent(20, gated=False),
    "gru": recurrent(16, gated=True),
    "attention": attention(16),
    "factors": factors(8),
    "embedded_mlp": embedded_mlp(8, 32),
}
"""Name -> architecture; a new one is one more entry."""


_COUNTED: Final = {"tokens": TOKENS, "ids": IDS}
"""Kinds of task whose inputs are numbers of things, and how many things there are."""


def input_width(x: Tensor, kind: str) -> int:
    """Width of what a net's first layer takes."""
    if kind in _COUNTED:
        return _COUNTED[kind]
    return x.shape[-1] if kind in ("vector", "series") else math.prod(x.shape[2:])


def fresh_norms(net: Net, replicas: int, device: torch.device | str) -> Norms | None:
    """Running statistics before training."""
    out: Norms = {}
    for k, width in enumerate(net.norm_widths):
        out[f"{k}.mean"] = torch.zeros(replicas, 1, width, device=device)
        out[f"{k}.var"] = torch.ones(replicas, 1, width, device=device)
    return out or None
