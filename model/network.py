"""The network: a small strided 1D-CNN over the encoded curves, read together with the scalar features."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn

from curveclinic.labels import LABELS

N_LABELS = len(LABELS)

Outputs = tuple[Tensor, Tensor, Tensor]
"""Logits of presence (B, 20) and of severity (B, 20), and spans (B, 20, 2) as shares of the run."""


@dataclass(frozen=True)
class Shape:
    """Sizes of the network.

    Attributes:
        channels: rows of the encoded tensor; 0 leaves the curves out (ablation).
        features: scalar features; 0 leaves them out (ablation).
        patches: filters of the first convolution, which sees patches of six bins.
        width: filters of the others.
        readers: heads whose mean is the answer.
        scalars: units with which a reader takes in the features.
        hidden: units of a reader's layers.
    """

    channels: int
    features: int
    patches: int = 48
    width: int = 64
    readers: int = 2
    scalars: int = 80
    hidden: int = 92


class Reader(nn.Module):
    """One reading of what the convolutions saw and of the features; it learns by itself."""

    def __init__(self, seen: int, shape: Shape) -> None:
        super().__init__()
        facts = shape.scalars if shape.features else 0
        self.scalars = nn.Sequential(nn.Linear(shape.features, facts), nn.ReLU(), nn.Dropout(0.1)) if facts else None
        self.joint = nn.Sequential(
            nn.Dropout(0.1), nn.Linear(seen + facts, shape.hidden), nn.ReLU(),
            nn.Dropout(0.1), nn.Linear(shape.hidden, shape.hidden), nn.ReLU(),
        )  # fmt: skip
        self.presence = nn.Linear(shape.hidden, N_LABELS)
        self.severity = nn.Linear(shape.hidden, N_LABELS)
        self.span = nn.Linear(shape.hidden, 2 * N_LABELS)

    def forward(self, seen: Tensor, features: Tensor) -> Outputs:
        """Returns what this reader says of B runs."""
        parts = [seen] if self.scalars is None else [seen, self.scalars(features)]
        joint = self.joint(torch.cat(parts, dim=1))
        span = torch.sigmoid(self.span(joint)).reshape(-1, N_LABELS, 2)
        return self.presence(joint), self.severity(joint), span


class CurveNet(nn.Module):
    """Presence, severity and span of every label from encoded curves and features: the mean of a few readers.

    Readers that began differently disagree where the curves leave room for doubt; there their mean moves less than
    each of them when a log is told another way (after deep ensembles, Lakshminarayanan et al. 2017, with one trunk).

    Attributes:
        shape: sizes.
        halved: convolutions in bfloat16 while training, twice as fast where the processor has units for it; the
            features, whose last digits matter, stay in float32.
    """

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.halved = False
        p, w = shape.patches, shape.width
        self.curves = nn.Sequential(
            nn.Conv1d(max(shape.channels, 1), p, 6, stride=4, padding=1), nn.BatchNorm1d(p), nn.ReLU(),  # (B, p, 32)
            nn.Conv1d(p, w, 3, stride=2, padding=1), nn.BatchNorm1d(w), nn.ReLU(),  # (B, w, 16)
            nn.Conv1d(w, w, 3, padding=1), nn.BatchNorm1d(w), nn.ReLU(),
        )  # fmt: skip
        self.where = nn.Conv1d(w, 8, 1)  # a narrow view that keeps the place: (B, 8, 16) -> 128
        self.normalise = nn.BatchNorm1d(max(shape.features, 1))
        seen = (2 * w + 128) if shape.channels else 0
        self.readers = nn.ModuleList(Reader(seen, shape) for _ in range(shape.readers))

    def each(self, tensor: Tensor, features: Tensor) -> list[Outputs]:
        """Returns what every reader says of B runs."""
        seen, known = self._seen(tensor), self.normalise(features) if self.shape.features else features
        return [reader(seen, known) for reader in self.readers]

    def forward(self, tensor: Tensor, features: Tensor) -> Outputs:
        """Returns the mean of the readers' logits and spans."""
        return _mean(self.each(tensor, features))

    def _seen(self, tensor: Tensor) -> Tensor:
        """(B, 2 * width + 128) what the convolutions make of the curves; (B, 0) where these are left out."""
        if not self.shape.channels:
            return tensor[:, 0, :0]
        with torch.autocast(tensor.device.type, torch.bfloat16, enabled=self.halved and self.training):
            x = self.curves(tensor)  # (B, w, 16)
        x = x.float()
        return torch.cat([x.mean(dim=2), x.amax(dim=2), self.where(x).flatten(1)], dim=1)


class Committee(nn.Module):
    """Networks that were trained apart, whose mean is the answer (after deep ensembles, Lakshminarayanan et al. 2017).

    Attributes:
        members: networks of one shape.
        shape: that of each.
    """

    def __init__(self, members: Sequence[CurveNet]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)
        self.shape = members[0].shape

    def forward(self, tensor: Tensor, features: Tensor) -> Outputs:
        """Returns the mean of the members' logits and spans."""
        return _mean([member(tensor, features) for member in self.members])


def _mean(said: Sequence[Outputs]) -> Outputs:
    presence, severity, span = (torch.stack(same).mean(dim=0) for same in zip(*said, strict=True))
    return presence, severity, span


@torch.no_grad()
def fold(net: CurveNet) -> None:
    """Puts what the normalisations of the convolutions do into the convolutions, in place; they do nothing then."""
    for convolution, norm in pairwise(net.curves):
        if not isinstance(convolution, nn.Conv1d) or not isinstance(norm, nn.BatchNorm1d):
            continue
        assert convolution.bias is not None
        assert norm.running_mean is not None
        assert norm.running_var is not None
        scale = norm.weight / (norm.running_var + norm.eps).sqrt()
        convolution.weight.mul_(scale[:, None, None])
        convolution.bias.sub_(norm.running_mean).mul_(scale).add_(norm.bias)
        norm.running_mean.zero_()
        norm.running_var.fill_(1.0 - norm.eps)
        norm.weight.fill_(1.0)
        norm.bias.zero_()


class Calibrated(nn.Module):
    """The exported graph: encoded arrays in, calibrated probabilities, severities and spans out."""

    def __init__(self, net: CurveNet | Committee, scale: Tensor, shift: Tensor) -> None:
        super().__init__()
        self.net = net
        self.register_buffer("scale", scale)
        self.register_buffer("shift", shift)

    def forward(self, tensor: Tensor, features: Tensor) -> Outputs:
        """Returns probability (B, 20), probability of being severe (B, 20), span (B, 20, 2)."""
        presence, severity, span = self.net(tensor, features)
        return torch.sigmoid(presence * self.scale + self.shift), torch.sigmoid(severity), span


def loss_of(outputs: Outputs, target: Tensor, weight: Tensor, severe: Tensor, spans: Tensor) -> Tensor:
    """Weighted cross-entropy of presence; severity and span count where the label is present and they are known.

    Args:
        outputs: of a reader.
        target, weight: (B, 20).
        severe: (B, 20), NaN where unknown.
        spans: (B, 20, 2) shares of the run, NaN where unknown.
    """
    presence, severity, span = outputs
    bce = nn.functional.binary_cross_entropy_with_logits
    main = (bce(presence, target, reduction="none") * weight).sum() / weight.sum().clamp(min=1.0)
    here = (target > 0.5) & (weight > 0.5)
    known = here & torch.isfinite(severe)
    total = main
    if bool(known.any()):
        total = total + 0.02 * bce(severity[known], severe[known])
    known_span = here[:, :, None] & torch.isfinite(spans)
    if bool(known_span.any()):
        total = total + 0.1 * nn.functional.smooth_l1_loss(span[known_span], spans[known_span], beta=0.05)
    return total


def disagreement(presence: Tensor, target: Tensor, weight: Tensor, pairs: Tensor) -> Tensor:
    """Mean squared difference of the probabilities of one run told two ways, where both show the same.

    Args:
        presence: (B, 20) logits.
        target, weight: (B, 20); cells that differ in either are left out.
        pairs: (m, 2) rows of twin and full log; 0 without any.
    """
    twin, full = pairs[:, 0], pairs[:, 1]
    same = (target[twin] == target[full]) & (weight[twin] == weight[full]) & (weight[full] > 0)
    gap = torch.sigmoid(presence[twin]) - torch.sigmoid(presence[full])
    return (gap.square() * same).sum() / same.sum().clamp(min=1)


def parameters_of(net: nn.Module) -> int:
    """Number of trainable parameters."""
    return sum(p.numel() for p in net.parameters())
