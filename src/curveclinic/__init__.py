"""curveclinic: reads training and validation curves and says what is wrong with a run."""

from __future__ import annotations

from curveclinic.diagnosis import Diagnosis, Finding
from curveclinic.errors import CurveclinicError, InputError, LogError, MissingExtraError, WeightsError
from curveclinic.labels import LABELS, Label
from curveclinic.predict import predict_pathology
from curveclinic.run import Run

__all__ = [
    "LABELS",
    "CurveclinicError",
    "Diagnosis",
    "Finding",
    "InputError",
    "Label",
    "LogError",
    "MissingExtraError",
    "Run",
    "WeightsError",
    "predict_pathology",
]
__version__ = "0.1.0"
