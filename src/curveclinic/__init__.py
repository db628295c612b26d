"""curveclinic: reads training and validation curves and says what is wrong with a run."""

from __future__ import annotations

from curveclinic.causes import LikelyCause
from curveclinic.checks.initial_loss import InitialLoss, check_initial_loss
from curveclinic.checks.lr_range import LrRangeTest, suggest_lr
from curveclinic.checks.small_batch import SmallBatchTest, check_overfit_small_batch
from curveclinic.cohort import Cohort, OddRun, Spread, judge_cohort
from curveclinic.diagnosis import Diagnosis, Finding
from curveclinic.errors import CurveclinicError, InputError, LogError, MissingExtraError, WeightsError
from curveclinic.labels import LABELS, Label
from curveclinic.predict import predict_pathology
from curveclinic.run import Run
from curveclinic.scoring import score_table

__all__ = [
    "LABELS",
    "Cohort",
    "CurveclinicError",
    "Diagnosis",
    "Finding",
    "InitialLoss",
    "InputError",
    "Label",
    "LikelyCause",
    "LogError",
    "LrRangeTest",
    "MissingExtraError",
    "OddRun",
    "Run",
    "SmallBatchTest",
    "Spread",
    "WeightsError",
    "check_initial_loss",
    "check_overfit_small_batch",
    "judge_cohort",
    "predict_pathology",
    "score_table",
    "suggest_lr",
]
__version__ = "0.1.0"
