"""From a trained network to the shipped files: ONNX, sidecar, and the checks that guard them."""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime as ort
import torch

from curveclinic.deciding.sidecar import ONNX_NAME, SIDECAR_NAME
from curveclinic.model.bins import BINS
from curveclinic.model.halves import halved
from curveclinic.model.network import Calibrated, CurveNet, fold

TOLERANCE = 1e-4
"""Largest allowed difference between torch's and onnxruntime's outputs."""


def export_onnx(model: Calibrated, path: Path) -> None:
    """Writes the whole graph, encoded arrays to probabilities, with a dynamic batch, as one file."""
    model.eval()
    shape = model.net.shape
    example = (torch.zeros(2, max(shape.channels, 1), BINS), torch.zeros(2, max(shape.features, 1)))
    batch = torch.export.Dim("batch", min=1)
    torch.onnx.export(
        model, example, str(path), dynamo=True, external_data=False, verbose=False,
        input_names=["tensor", "features"], output_names=["probability", "severe", "span"],
        dynamic_shapes=({0: batch}, {0: batch}),
    )  # fmt: skip


@torch.no_grad()
def rounded(model: Calibrated) -> Calibrated:
    """Returns the model with the weights that its file will hold: matrices and filters rounded to half precision."""
    out = copy.deepcopy(model)
    for part in out.modules():
        if isinstance(part, CurveNet):
            fold(part)
    for weights in out.parameters():
        if weights.ndim > 1:
            weights.copy_(weights.half().float())
    return out


def strip(path: Path) -> None:
    """Takes out of an ONNX file what torch notes about the machine it was exported on: source paths, stack traces.

    What is left is stored in half precision.
    """
    model = onnx.load(path)
    graph = model.graph
    for part in (
        model,
        graph,
        *graph.node,
        *graph.initializer,
        *graph.input,
        *graph.output,
        *graph.value_info,
        *model.functions,
    ):
        part.ClearField("doc_string")
        part.ClearField("metadata_props")
    onnx.save(halved(model), path)


def largest_difference(
    model: Calibrated, path: Path, tensor: npt.NDArray[np.float32], features: npt.NDArray[np.float32]
) -> float:
    """Returns the largest absolute difference between torch and onnxruntime over all outputs."""
    session = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    served = session.run(None, {"tensor": tensor, "features": features})
    with torch.no_grad():
        trained = model.eval()(torch.from_numpy(tensor), torch.from_numpy(features))
    return max(float(np.abs(a - b.numpy()).max()) for a, b in zip(served, trained, strict=True))


def sha256_of(path: Path) -> str:
    """Hex digest of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def write_weights(model: Calibrated, folder: Path, sidecar: Mapping[str, Any], check: tuple[Any, Any]) -> float:
    """Exports, checks and only then replaces the files in the folder.

    Args:
        model: calibrated network.
        folder: where the weights live.
        sidecar: everything but the hash; see `curveclinic.deciding.sidecar`.
        check: encoded tensor and features to compare torch and onnxruntime on.

    Returns:
        The largest difference found.

    Raises:
        RuntimeError: torch and onnxruntime disagree on the rounded weights; the folder is left as it was.
    """
    folder.mkdir(parents=True, exist_ok=True)
    fresh = folder / (ONNX_NAME + ".new")
    model = rounded(model)
    export_onnx(model, fresh)
    strip(fresh)
    worst = largest_difference(model, fresh, *check)
    if worst > TOLERANCE:
        fresh.unlink()
        raise RuntimeError(f"torch and onnxruntime differ by {worst:.2e}, expected at most {TOLERANCE:.0e}")
    body = {**sidecar, "onnx_sha256": sha256_of(fresh), "onnx_max_difference": worst}
    text = json.dumps(body, indent=1, allow_nan=False) + "\n"
    fresh.replace(folder / ONNX_NAME)
    (folder / SIDECAR_NAME).write_text(text)
    return worst
