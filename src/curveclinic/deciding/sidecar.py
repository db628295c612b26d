"""The sidecar: the JSON beside the weights that owns every number of the classifier."""

from __future__ import annotations

import json
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final

from curveclinic.errors import WeightsError
from curveclinic.labels import LABELS

ONNX_NAME: Final = "curvenet.onnx"
INT8_NAME: Final = "curvenet.int8.onnx"
SIDECAR_NAME: Final = "curvenet.json"


@dataclass(frozen=True)
class Int8:
    """The int8 network, and how well it agrees with the float one on synthetic runs that it was not fitted to.

    Attributes:
        sha256: digest of its file.
        runs: runs compared.
        equal_label_sets: share of them on which both networks find the same labels.
        mean_difference, largest_difference: of the probabilities of all labels.
    """

    sha256: str
    runs: int
    equal_label_sets: float
    mean_difference: float
    largest_difference: float


@dataclass(frozen=True)
class Sidecar:
    """What the weights file was made for.

    Attributes:
        encoder_version: the encoder the network was trained with.
        labels: label order of the outputs.
        tensor_channels: rows of the encoded tensor, in order.
        feature_names: columns of the feature array, in order.
        bins: length of the encoded tensor.
        thresholds: label -> probability from which it is reported.
        calibration: label -> (scale, shift) applied to the logit inside the graph.
        decided_by_rule: labels whose rule decides, chosen by family-out evaluation.
        recipe: how the weights were made: seed, steps, runs, device, seconds.
        scores: what was measured when they were made.
        onnx_sha256: digest of the ONNX file.
        onnx_max_difference: largest difference between torch and onnxruntime at export.
        int8: the int8 network made of the float one; None where none was made.
    """

    encoder_version: str
    labels: tuple[str, ...]
    tensor_channels: tuple[str, ...]
    feature_names: tuple[str, ...]
    bins: int
    thresholds: Mapping[str, float]
    calibration: Mapping[str, tuple[float, float]]
    decided_by_rule: tuple[str, ...]
    recipe: Mapping[str, Any]
    scores: Mapping[str, Any]
    onnx_sha256: str
    onnx_max_difference: float
    int8: Int8 | None = None


def read_sidecar(path: Path) -> Sidecar:
    """Reads and validates a sidecar.

    Raises:
        WeightsError: unreadable, unknown or missing keys, or another label order than this version's.
    """
    try:
        body = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise WeightsError(f"{path.name}: cannot be read ({error}); reinstall curveclinic") from error
    _check_keys(path, body, Sidecar, optional={"int8"})
    int8 = body.get("int8")
    if int8 is not None:
        _check_keys(path, int8, Int8)
    if tuple(body["labels"]) != LABELS:
        raise WeightsError(f"{path.name}: made for other labels than this version's; retrain with train.py")
    if set(body["thresholds"]) != set(LABELS):
        odd = sorted(set(body["thresholds"]) ^ set(LABELS))
        raise WeightsError(f"{path.name}: thresholds unknown or missing for {odd}; retrain with train.py")
    tuples = {key: tuple(body[key]) for key in ("labels", "tensor_channels", "feature_names", "decided_by_rule")}
    return Sidecar(**{**body, **tuples, "int8": None if int8 is None else Int8(**int8)})


def _check_keys(path: Path, body: Any, kind: type[Sidecar | Int8], optional: AbstractSet[str] = frozenset()) -> None:
    """Raises a WeightsError for an object whose keys are not the fields of a class."""
    names = {f.name for f in fields(kind)}
    if not isinstance(body, dict) or set(body) | optional != names:
        found = sorted((set(body) | optional) ^ names) if isinstance(body, dict) else type(body).__name__
        expected = f"expected {sorted(names)}"
        raise WeightsError(f"{path.name}: unknown or missing keys {found}; {expected}; retrain with train.py")
