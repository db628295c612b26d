"""Small networks for the example runs."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor, nn

BOX_BINS = 8
"""Bins of a box side's distance, as in the distribution focal loss."""


def mlp(*sizes: int, act: Callable[[], nn.Module] = nn.ReLU, dropout: float = 0.0) -> nn.Sequential:
    """Fully connected layers of the given sizes, input and output included."""
    layers: list[nn.Module] = [nn.Flatten()]
    for wide, narrow in pairwise(sizes[:-1]):
        layers += [nn.Linear(wide, narrow), act(), *([nn.Dropout(dropout)] if dropout else [])]
    return nn.Sequential(*layers, nn.Linear(sizes[-2], sizes[-1]))


def cnn(*, width: int, outputs: int, side: int) -> nn.Sequential:
    """Two convolutions with batch norm, one pooling, one linear layer."""
    return nn.Sequential(
        nn.Conv2d(1, width, 3, padding=1),
        nn.BatchNorm2d(width),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(width, 2 * width, 3, padding=1),
        nn.BatchNorm2d(2 * width),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(2 * width * (side // 2) ** 2, outputs),
    )


class CharGRU(nn.Module):
    """Next-character model: embedding, GRU, linear layer."""

    def __init__(self, alphabet: int, *, width: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.embed = nn.Embedding(alphabet, width)
        self.gru = nn.GRU(width, width, batch_first=True)
        self.drop = nn.Dropout(dropout)
        self.head = nn.Linear(width, alphabet)

    def forward(self, codes: Tensor) -> Tensor:
        """(B, T) codes -> (B, T, alphabet) logits."""
        hidden, _ = self.gru(self.drop(self.embed(codes)))
        return self.head(self.drop(hidden))


class CharTransformer(nn.Module):
    """Next-character model: one pre-norm causal transformer block."""

    def __init__(self, alphabet: int, *, width: int, window: int) -> None:
        super().__init__()
        self.embed = nn.Embedding(alphabet, width)
        self.place = nn.Parameter(0.02 * torch.randn(window, width))
        self.block = nn.TransformerEncoderLayer(width, 4, 4 * width, dropout=0.1, batch_first=True, norm_first=True)
        self.head = nn.Linear(width, alphabet)
        self.register_buffer("mask", nn.Transformer.generate_square_subsequent_mask(window))

    def forward(self, codes: Tensor) -> Tensor:
        """(B, T) codes -> (B, T, alphabet) logits."""
        return self.head(self.block(self.embed(codes) + self.place, src_mask=self.mask))


class RowTransformer(nn.Module):
    """Image classifier: rows of pixels are the tokens of one transformer block."""

    def __init__(self, *, side: int, width: int, outputs: int) -> None:
        super().__init__()
        self.embed = nn.Linear(side, width)
        self.place = nn.Parameter(0.02 * torch.randn(side, width))
        self.block = nn.TransformerEncoderLayer(width, 4, 2 * width, dropout=0.1, batch_first=True, norm_first=True)
        self.head = nn.Linear(width, outputs)

    def forward(self, images: Tensor) -> Tensor:
        """(B, 1, S, S) images -> (B, outputs) logits."""
        return self.head(self.block(self.embed(images[:, 0]) + self.place).mean(1))


class IdentityRNN(nn.Module):
    """A recurrent ReLU layer started at the identity, the last state read out."""

    def __init__(self, *, width: int) -> None:
        super().__init__()
        self.rnn = nn.RNN(2, width, batch_first=True, nonlinearity="relu")
        self.head = nn.Linear(width, 1)
        nn.init.eye_(self.rnn.weight_hh_l0)
        nn.init.zeros_(self.rnn.bias_hh_l0)
        nn.init.zeros_(self.rnn.bias_ih_l0)

    def forward(self, sequences: Tensor) -> Tensor:
        """(B, T, 2) sequences -> (B, 1) values."""
        hidden, _ = self.rnn(sequences)
        return self.head(hidden[:, -1])


def detector() -> nn.Sequential:
    """One box an image: three class logits and four distributions over distances."""
    return cnn(width=8, outputs=3 + 4 * BOX_BINS, side=16)


def dead_relu(net: nn.Sequential) -> nn.Sequential:
    """The network with hidden biases so low that no hidden unit ever fires, and no preference at the output."""
    for layer in list(net)[:-1]:
        if isinstance(layer, nn.Linear):
            nn.init.constant_(layer.bias, -20.0)
    nn.init.zeros_(net[-1].bias)
    return net


def silent_output(net: nn.Sequential) -> nn.Sequential:
    """The network with a zero output layer: it starts from even odds."""
    nn.init.zeros_(net[-1].weight)
    nn.init.zeros_(net[-1].bias)
    return net


def scaled(net: nn.Module, factor: float) -> nn.Module:
    """The network with all its initial weights multiplied."""
    with torch.no_grad():
        for weight in net.parameters():
            weight.mul_(factor)
    return net
