"""Small networks for tests: inputs, weights as after training, and a quiet exporter."""

from __future__ import annotations

import pytest
import torch

from curveclinic.model.bins import BINS
from curveclinic.model.network import N_LABELS, Calibrated, CurveNet, Shape

SMALL = Shape(3, 5, patches=4, width=4, scalars=8, hidden=8)

# What torch's exporter says about itself.
quiet_export = pytest.mark.filterwarnings(
    "ignore:.isinstance.treespec, LeafSpec.. is deprecated:FutureWarning",
    "ignore:# The axis name. batch will not be used:UserWarning",
)


def inputs(shape: Shape, size: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    tensor = torch.randn(size, max(shape.channels, 1), BINS, generator=generator)
    return tensor, torch.randn(size, max(shape.features, 1), generator=generator)


def calibrated(shape: Shape, seed: int = 1) -> Calibrated:
    """A network with weights and running statistics of its own, as after training."""
    torch.manual_seed(seed)
    net = CurveNet(shape)
    net.train()
    net(*inputs(shape, 64, seed=2))
    return Calibrated(net, torch.linspace(0.5, 2.0, N_LABELS), torch.linspace(-1.0, 1.0, N_LABELS)).eval()
