"""Fits and writes the model behind `Diagnosis.likely_causes`; `curveclinic.deciding.ranking` reads it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from curveclinic.deciding.ranking import CAUSES_FILE, CauseModel, input_names, standardised
from curveclinic.errors import InputError
from curveclinic.ragged import FloatArray

STRENGTH: Final = 0.01
"""scikit-learn's C: best of 0.001 to 0.3 by a factor of three on families not fitted on."""

_MIX: Final = 0.5
"""Power of how common a cause is in the simulator that is taken out: among users nobody knows it."""

_FEWEST: Final = 3
"""Causes below which a multinomial regression makes no sense."""

_STEPS: Final = 300
_DIGITS: Final = 4
"""Significant digits of a number in the file."""


def fit_causes(
    inputs: FloatArray, causes: npt.NDArray[np.str_], *, onnx_sha256: str, recipe: Mapping[str, Any]
) -> CauseModel:
    """Fits P(cause | inputs).

    Args:
        inputs: (n, d) of runs with findings, from `ranking.cause_inputs`.
        causes: (n,) ids of their causes.
        onnx_sha256: digest of the network that judged them.
        recipe: how they were drawn; kept with the numbers.

    Raises:
        InputError: too few causes to tell apart.
    """
    from sklearn.linear_model import LogisticRegression

    names, common = np.unique(causes, return_counts=True)  # in the order of fit.classes_
    if len(names) < _FEWEST:
        raise InputError(f"found {len(names)} causes behind the findings, expected {_FEWEST} or more; simulate more")
    mean, spread = inputs.mean(axis=0), inputs.std(axis=0)
    mean, scale = _rounded(mean), _rounded(np.where(spread > 0, spread, 1.0))
    fit = LogisticRegression(C=STRENGTH, max_iter=_STEPS).fit(standardised(inputs, mean, scale), causes)
    weights, bias = _rounded(fit.coef_), _rounded(fit.intercept_ - _MIX * np.log(common / len(causes)))
    return CauseModel(onnx_sha256, input_names(), tuple(names.tolist()), mean, scale, weights, bias, recipe)


def _rounded(values: FloatArray) -> FloatArray:
    """Values as they are written."""
    flat = [float(f"{value:.{_DIGITS}g}") for value in values.ravel()]
    return np.array(flat).reshape(values.shape)


def write_causes(model: CauseModel, folder: Path) -> Path:
    """Writes the model beside the network's weights."""
    path = folder / CAUSES_FILE
    body = {name: v.tolist() if isinstance(v, np.ndarray) else v for name, v in asdict(model).items()}
    path.write_text(json.dumps(body, allow_nan=False) + "\n")
    return path
