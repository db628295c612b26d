"""The int8 network as a file: written beside the float one; the sidecar notes how far their answers differ."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import onnx

from curveclinic.deciding.classifier import Classifier, load_classifier, onnx_session
from curveclinic.deciding.sidecar import INT8_NAME, ONNX_NAME, SIDECAR_NAME, Int8
from curveclinic.errors import WeightsError
from curveclinic.model.encoder import Encoded
from curveclinic.model.int8_graph import int8_graph


def write_int8(folder: Path, calibration: Encoded, fresh: Encoded) -> Int8:
    """Writes the int8 network of a folder of weights and returns how well it agrees with the float one.

    Args:
        folder: with the float network and its sidecar, of which only the key `int8` changes.
        calibration: runs that ranges and rounding are fitted to.
        fresh: other runs, on which both networks are compared.

    Raises:
        WeightsError: there are no weights, or they do not belong together.
    """
    float32 = load_classifier(folder)
    if float32 is None:
        raise WeightsError(f"no weights in {folder}; run train.py first")
    model = int8_graph(onnx.load(folder / ONNX_NAME), calibration.tensor, calibration.features)
    content = model.SerializeToString(deterministic=True)
    int8 = Classifier(onnx_session(content, INT8_NAME), float32.sidecar)
    found = agreement(float32, int8, fresh, sha256=hashlib.sha256(content).hexdigest())
    body = json.loads((folder / SIDECAR_NAME).read_text()) | {"int8": asdict(found)}
    (folder / INT8_NAME).write_bytes(content)
    (folder / SIDECAR_NAME).write_text(json.dumps(body, indent=1, allow_nan=False) + "\n")
    return found


def agreement(float32: Classifier, int8: Classifier, runs: Encoded, *, sha256: str) -> Int8:
    """Compares what both networks say of encoded runs; `sha256` is the digest of the int8 file."""
    ours, theirs = float32.judge_encoded(runs), int8.judge_encoded(runs)
    same = ours.found == theirs.found
    difference = np.abs(ours.probability - theirs.probability)
    return Int8(
        sha256=sha256,
        runs=len(same),
        equal_label_sets=round(float(same.all(axis=1).mean()), 4),
        mean_difference=round(float(difference.mean()), 6),
        largest_difference=round(float(difference.max()), 4),
    )
