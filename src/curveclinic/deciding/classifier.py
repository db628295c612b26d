"""The trained network behind one call: a ragged batch in, calibrated probabilities out."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from curveclinic.deciding.ranking import CauseModel, load_cause_model
from curveclinic.deciding.sidecar import INT8_NAME, ONNX_NAME, SIDECAR_NAME, Sidecar, read_sidecar
from curveclinic.errors import WeightsError
from curveclinic.labels import LABELS
from curveclinic.ragged import Batch, BoolArray, FloatArray

if TYPE_CHECKING:
    from curveclinic.model.encoder import Encoded

_TO_THE_END = 0.97
"""Share of the run from which an end is the last point."""

_BATCH = 512
"""Runs a call of onnxruntime; throughput is flat from 64 on."""


@dataclass(eq=False)
class NetworkOpinion:
    """What the network says of n runs; columns in the order of `labels.LABELS`.

    Attributes:
        probability: (n, 20) calibrated.
        found: (n, 20) the probability reaches the label's threshold.
        onset, end: (n, 20) steps; NaN for an end at the last point.
        severe: (n, 20) more likely severe than not.
    """

    probability: FloatArray
    found: BoolArray
    onset: FloatArray
    end: FloatArray
    severe: BoolArray


class Classifier:
    """An onnxruntime session with its sidecar, and the model of likely causes where there is one for it."""

    def __init__(self, session: Any, sidecar: Sidecar, causes: CauseModel | None = None) -> None:
        self._session = session
        self._outputs = [output.name for output in session.get_outputs()]
        self.sidecar = sidecar
        self.causes = causes
        self.threshold = np.array([sidecar.thresholds[label] for label in LABELS])
        self.decided_by_rule = frozenset(sidecar.decided_by_rule)

    def judge(self, batch: Batch) -> NetworkOpinion:
        """Judges every run of a batch; runs without a finite loss get whatever an empty input gives."""
        from curveclinic.model.encoder import encode

        return self.judge_encoded(encode(batch))

    def judge_encoded(self, encoded: Encoded) -> NetworkOpinion:
        """Judges encoded runs."""
        from curveclinic.model.encoder import to_steps

        size = len(encoded.start)
        outputs = [
            self._run(encoded.tensor[i : i + _BATCH], encoded.features[i : i + _BATCH]) for i in range(0, size, _BATCH)
        ]
        if not outputs:
            empty = np.zeros((0, len(LABELS)))
            return NetworkOpinion(empty, empty > 0, empty, empty, empty > 0)
        whole = outputs[0] if len(outputs) == 1 else map(np.concatenate, zip(*outputs, strict=True))
        probability, severe, span = whole
        span = span.astype(np.float64)
        first, last = span[:, :, 0], span[:, :, 1]
        to_the_end = last > _TO_THE_END
        np.maximum(first, last, out=last)
        steps = to_steps(span.reshape(size, -1), encoded).reshape(span.shape)
        steps[:, :, 1][to_the_end] = np.nan
        probability = probability.astype(np.float64)
        found = probability >= self.threshold
        return NetworkOpinion(probability, found, steps[:, :, 0], steps[:, :, 1], severe > 0.5)

    def _run(self, tensor: npt.NDArray[np.float32], features: npt.NDArray[np.float32]) -> tuple[Any, ...]:
        return tuple(self._session.run(self._outputs, {"tensor": tensor, "features": features}))


@cache
def weights_folder() -> Path:
    """Folder of the shipped weights."""
    return Path(str(files("curveclinic.weights")))


def load_classifier(folder: Path | None = None, *, fast: bool = False) -> Classifier | None:
    """Returns the classifier of a folder (default: the shipped one), None when it holds no weights.

    Args:
        folder: where the weights are.
        fast: take the int8 network instead of the float one.

    Raises:
        WeightsError: the ONNX file is missing or not the one the sidecar belongs to, or another encoder made it.
    """
    return _load(weights_folder() if folder is None else folder, fast)


@cache
def _load(folder: Path, fast: bool) -> Classifier | None:
    onnx, side = folder / ONNX_NAME, folder / SIDECAR_NAME
    if not onnx.exists() and not side.exists():
        return None
    if not onnx.exists() or not side.exists():
        missing = onnx.name if side.exists() else side.name
        raise WeightsError(f"{missing} is missing beside its twin; reinstall curveclinic or retrain with train.py")
    sidecar = read_sidecar(side)
    content = _int8_content(folder, sidecar) if fast else _content(onnx, sidecar.onnx_sha256, "retrain with train.py")
    _check_encoder(sidecar)
    session = onnx_session(content, INT8_NAME if fast else ONNX_NAME)
    return Classifier(session, sidecar, load_cause_model(folder, sidecar.onnx_sha256))


def _int8_content(folder: Path, sidecar: Sidecar) -> bytes:
    path = folder / INT8_NAME
    if sidecar.int8 is None or not path.exists():
        raise WeightsError(f"{path.name} is missing; make it with quantize.py, or do without --fast (fast=True)")
    return _content(path, sidecar.int8.sha256, "make it anew with quantize.py")


def _content(path: Path, sha256: str, advice: str) -> bytes:
    """Bytes of a file of weights.

    Raises:
        WeightsError: it has another digest.
    """
    content = path.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    if digest != sha256:
        raise WeightsError(
            f"{path.name}: sha256 is {digest[:12]}, the sidecar expects {sha256[:12]}; "
            f"reinstall curveclinic or {advice}"
        )
    return content


def _check_encoder(sidecar: Sidecar) -> None:
    from curveclinic.model.bins import BINS
    from curveclinic.model.encoder import ENCODER_VERSION, TENSOR_CHANNELS
    from curveclinic.model.features import FEATURE_NAMES

    found = (sidecar.encoder_version, sidecar.bins, sidecar.tensor_channels, sidecar.feature_names)
    if found != (ENCODER_VERSION, BINS, TENSOR_CHANNELS, FEATURE_NAMES):
        raise WeightsError(
            f"the weights were made for encoder {sidecar.encoder_version}, this is encoder {ENCODER_VERSION}; "
            "retrain with train.py or reinstall curveclinic"
        )


def onnx_session(content: bytes, name: str = ONNX_NAME) -> Any:
    """Returns an onnxruntime session of one thread for the bytes of a file; errors call it `name`.

    Raises:
        WeightsError: onnxruntime cannot load it.
    """
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        return ort.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's own exceptions share no base but this
        first = str(error).splitlines()[0][:200]
        raise WeightsError(
            f"{name}: onnxruntime {ort.__version__} cannot load it ({first}); "
            "upgrade onnxruntime, reinstall curveclinic or retrain with train.py"
        ) from error
