"""Losses of the example runs. Each returns a dict whose "loss" is minimised; the rest is logged beside it."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from nets import BOX_BINS
from torch import Tensor

BOX_GAIN, CLS_GAIN, DFL_GAIN = 7.5, 0.5, 1.5
"""Ultralytics' default weights of the three parts."""


def classification(out: Tensor, target: Tensor) -> dict[str, Tensor]:
    """Cross-entropy and accuracy; leading axes are batch axes."""
    out, target = out.flatten(0, -2), target.flatten()
    return {"loss": F.cross_entropy(out, target), "accuracy": (out.argmax(-1) == target).float().mean()}


def regression(out: Tensor, target: Tensor) -> dict[str, Tensor]:
    """Mean squared and mean absolute error."""
    return {"loss": F.mse_loss(out, target), "mae": F.l1_loss(out, target)}


def careless_cross_entropy(out: Tensor, target: Tensor) -> dict[str, Tensor]:
    """Binary cross-entropy as written by hand: 0 * log(0) is NaN once a probability is exactly one."""
    p, y = out[:, 0].sigmoid(), target.float()
    loss = -(y * p.log() + (1 - y) * (1 - p).log()).mean()
    return {"loss": loss, "accuracy": ((p > 0.5) == (y > 0.5)).float().mean()}


def detection(out: Tensor, target: Tensor) -> dict[str, Tensor]:
    """Box, class and distribution focal loss of one box an image, and how well the boxes match."""
    kind, sides = target[:, 0].long(), target[:, 1:]  # (B,), (B, 4)
    logits, bins = out[:, :3], out[:, 3:].reshape(-1, 4, BOX_BINS)
    iou = _iou(bins.softmax(-1) @ torch.arange(BOX_BINS, dtype=torch.float32), sides)
    box = BOX_GAIN * (1 - iou).mean()
    cls = (
        CLS_GAIN
        * F.binary_cross_entropy_with_logits(logits, F.one_hot(kind, 3).float(), reduction="none").sum(1).mean()
    )
    dfl = DFL_GAIN * F.cross_entropy(bins.flatten(0, 1), sides.flatten().long())
    right = (logits.argmax(1) == kind).float()
    levels = torch.arange(0.5, 1.0, 0.05)
    return {
        "loss": box + cls + dfl,
        "box_loss": box,
        "cls_loss": cls,
        "dfl_loss": dfl,
        "precision": right.mean(),
        "recall": (iou > 0.5).float().mean(),
        "mAP50": (right * (iou > 0.5)).mean(),
        "mAP50-95": (right[:, None] * (iou[:, None] > levels)).mean(),
    }


def _iou(found: Tensor, true: Tensor) -> Tensor:
    """Overlap of boxes given as distances (left, top, right, bottom) from a point inside both."""
    inner = torch.minimum(found, true)
    overlap = (inner[:, 0] + inner[:, 2]) * (inner[:, 1] + inner[:, 3])
    areas = [(sides[:, 0] + sides[:, 2]) * (sides[:, 1] + sides[:, 3]) for sides in (found, true)]
    return overlap / (areas[0] + areas[1] - overlap)
