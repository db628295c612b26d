"""Likely causes of what was found in runs: P(cause | findings, channels, measures) by a small linear model.

`weights/causes.json` holds it, fitted by `train_causes.py` on simulated trainings whose fault is known. It belongs to
one ONNX file. Absent, or made for another network or other inputs, causes are listed by experience, in the order of
the symptoms' table, without probabilities.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from curveclinic.causes import CAUSES, NO_FAULT, LikelyCause
from curveclinic.deciding.merge import Verdicts
from curveclinic.errors import WeightsError
from curveclinic.kept import kept
from curveclinic.labels import CHANNELS, LABELS
from curveclinic.ragged import BoolArray, FloatArray, IntArray
from curveclinic.symptoms import SYMPTOMS

if TYPE_CHECKING:
    from curveclinic.model.encoder import Encoded

CAUSES_FILE: Final = "causes.json"

MOST: Final = 3
"""Causes listed for a run at most."""

FLOOR: Final = 0.05
"""Probability below which a cause is not worth a word."""

_SURE: Final = 0.01
"""Probabilities nearer to 0 or 1 than this are taken as this near."""

_LIMIT: Final = 4.0
"""Bound of an input in standard deviations: real runs lie outside of what was simulated."""

_EXPERIENCE: Final = 0.5
"""Log-odds that a cause gains as the first that the symptoms' table names for a finding; later ones gain less."""

_STRANGE: Final = 1.0
"""Log-odds that a cause loses where the table names it for none of the findings."""

_SILENT: Final = 3.0
"""Log-odds that dead or saturated units gain where a layer gets no gradient and the table names them for a finding."""

_DEAD: Final = "dead_or_saturated_units"

_LONGEST: Final = 4
"""Causes the symptoms' table names for one finding at most."""


@dataclass(frozen=True, eq=False)
class CauseModel:
    """A multinomial logistic regression.

    Attributes:
        onnx_sha256: digest of the network whose probabilities it reads.
        inputs: (d,) names of the inputs.
        causes: (k,) ids, `NO_FAULT` among them.
        mean, scale: (d,) standardisation of the inputs.
        weights: (k, d).
        bias: (k,).
        recipe: how it was made: seed, runs, cache.
    """

    onnx_sha256: str
    inputs: tuple[str, ...]
    causes: tuple[str, ...]
    mean: FloatArray
    scale: FloatArray
    weights: FloatArray
    bias: FloatArray
    recipe: Mapping[str, Any]

    def probabilities(self, inputs: FloatArray, present: BoolArray, silent: BoolArray) -> FloatArray:
        """(n, k) from inputs (n, d), findings (n, 20) and whether a layer is silent (n,); every row sums to 1."""
        score = standardised(inputs, self.mean, self.scale) @ self.weights.T + self.bias
        gain = _gain(self.experience, present)
        score += _EXPERIENCE * gain - _STRANGE * ((gain == 0) & self.a_cause)
        score += _SILENT * (silent[:, None] & (gain > 0) & self.is_dead)
        share = np.exp(score - np.maximum.reduce(score, axis=1, keepdims=True))
        out: FloatArray = share / np.add.reduce(share, axis=1, keepdims=True)
        return out

    @kept
    def a_cause(self) -> BoolArray:
        """(k,) True but for `NO_FAULT`."""
        return np.array([cause != NO_FAULT for cause in self.causes])

    @kept
    def is_dead(self) -> BoolArray:
        """(k,) True for dead or saturated units."""
        return np.array([cause == _DEAD for cause in self.causes])

    @kept
    def experience(self) -> FloatArray:
        """(20, k) 1 for the first cause that the symptoms' table names for a label, less for later ones, else 0."""
        out = np.zeros((len(LABELS), len(self.causes)))
        for j, label in enumerate(LABELS):
            for place, cause in enumerate(SYMPTOMS[label].cause_ids):
                out[j, [known == cause for known in self.causes]] = 1 - place / _LONGEST
        return out

    @kept
    def unchecked(self) -> IntArray:
        """(20,) the inputs that say which labels were not checked."""
        return np.array([self.inputs.index(f"unchecked {label}") for label in LABELS])


def standardised(inputs: FloatArray, mean: FloatArray, scale: FloatArray) -> FloatArray:
    """Inputs in standard deviations, bounded."""
    out = inputs - mean
    out /= scale
    return np.minimum(np.maximum(out, -_LIMIT, out=out), _LIMIT, out=out)


def _gain(experience: FloatArray, present: BoolArray) -> FloatArray:
    """(n, k) the most that a finding (n, 20) gives each cause, by experience (20, k); 0 without findings."""
    out = np.zeros((len(present), experience.shape[1]))
    rows, labels = present.nonzero()
    if len(rows):
        fresh = np.ones(len(rows), dtype=bool)
        np.not_equal(rows[1:], rows[:-1], out=fresh[1:])
        first = fresh.nonzero()[0]
        out[rows[first]] = np.maximum.reduceat(experience[labels], first, axis=0)
    return out


def input_names() -> tuple[str, ...]:
    """Columns of `cause_inputs`."""
    from curveclinic.model.features import FEATURE_NAMES

    by_label = ("logit", "unchecked", "present", "severity", "onset")
    labelled = [f"{kind} {label}" for kind in by_label for label in LABELS]
    return (*labelled, *(f"{kind} {name}" for kind in ("logged", "points") for name in CHANNELS), *FEATURE_NAMES)


def cause_inputs(verdicts: Verdicts, checked: BoolArray, counts: IntArray, encoded: Encoded) -> FloatArray:
    """(n, d) what the causes' model reads.

    Args:
        verdicts: the final word on n runs.
        checked: (n, 20) label could be judged.
        counts: (n, 6) finite points of every channel, as in `Batch.finite_counts`.
        encoded: the same runs, for their features and first and last step.
    """
    present = verdicts.present & checked
    sure = np.minimum(np.maximum(verdicts.probability, _SURE), 1 - _SURE)
    length = np.maximum(encoded.stop - encoded.start, 1e-12)[:, None]
    onset = (verdicts.onset - encoded.start[:, None]) / length
    columns = (
        np.where(checked, np.log(sure / (1 - sure)), 0.0),
        ~checked,
        present,
        np.where(present, verdicts.severity, 0),
        np.where(present & np.isfinite(onset), np.minimum(np.maximum(onset, 0.0), 1.0), 0.0),
        counts > 0,
        np.log1p(np.maximum(counts, 0)),
        encoded.features,
    )
    return np.concatenate(columns, axis=1, dtype=np.float64, casting="unsafe")


def rank(model: CauseModel, present: BoolArray, inputs: FloatArray, silent: BoolArray) -> list[tuple[LikelyCause, ...]]:
    """The likeliest causes of each of n runs, likeliest first; () for a run without findings.

    Args:
        model: the causes' model.
        present: (n, 20) label found.
        inputs: (n, d) from `cause_inputs`.
        silent: (n,) a layer gets no gradient, see `layers.silent_layers`.
    """
    out: list[tuple[LikelyCause, ...]] = [()] * len(present)
    rows = np.logical_or.reduce(present, axis=1).nonzero()[0]
    if not len(rows):
        return out
    probability = model.probabilities(inputs[rows], present[rows], silent[rows])
    probability *= model.a_cause & _could_show(model, inputs[rows])
    order = (-probability).argsort(axis=1, kind="stable")[:, :MOST]
    top = probability[np.arange(len(rows))[:, None], order]
    for row, columns, shares in zip(rows.tolist(), order.tolist(), top.tolist(), strict=True):
        likeliest = zip(columns, shares, strict=True)
        out[row] = tuple(_likely(model.causes[column], share) for column, share in likeliest if share >= FLOOR)
    return out


def _could_show(model: CauseModel, inputs: FloatArray) -> BoolArray:
    """(n, k) a label that the symptoms' table names the cause for was checked: without a metric none is at fault."""
    out: BoolArray = (1.0 - inputs[:, model.unchecked]) @ (model.experience > 0) > 0
    return out


def by_experience(labels: Sequence[str]) -> tuple[LikelyCause, ...]:
    """Causes of some findings in the order of the symptoms' table: each one's first, then each one's second."""
    lists = zip_longest(*(SYMPTOMS[label].cause_ids for label in labels))
    ids = dict.fromkeys(cause for row in lists for cause in row if cause is not None)
    return tuple(_likely(cause, None) for cause in list(ids)[:MOST])


def _likely(cause: str, probability: float | None) -> LikelyCause:
    entry = CAUSES[cause]
    return LikelyCause(cause, entry.name, probability, entry.remedies)


@cache
def load_cause_model(folder: Path, onnx_sha256: str) -> CauseModel | None:
    """Returns the causes' model of a folder; None without one for this network and this version's inputs and causes.

    Raises:
        WeightsError: the file is damaged.
    """
    path = folder / CAUSES_FILE
    if not path.exists():
        return None
    try:
        model = _parsed(json.loads(path.read_text()))
    except (OSError, ValueError, TypeError, KeyError) as error:
        advice = "reinstall curveclinic or run train_causes.py"
        raise WeightsError(f"{path.name}: cannot be read ({error}); {advice}") from error
    known = {*CAUSES, NO_FAULT}.issuperset(model.causes)
    fits = known and model.onnx_sha256 == onnx_sha256 and model.inputs == input_names()
    return model if fits else None


def _parsed(body: Mapping[str, Any]) -> CauseModel:
    arrays = {name: np.asarray(body[name], dtype=np.float64) for name in ("mean", "scale", "weights", "bias")}
    inputs, causes = tuple(body["inputs"]), tuple(body["causes"])
    d, k = len(inputs), len(causes)
    shapes = {"mean": (d,), "scale": (d,), "weights": (k, d), "bias": (k,)}
    wrong = [name for name, shape in shapes.items() if arrays[name].shape != shape]
    if wrong:
        raise ValueError(f"{wrong[0]} has shape {arrays[wrong[0]].shape}, expected {shapes[wrong[0]]}")
    return CauseModel(body["onnx_sha256"], inputs, causes, recipe=body["recipe"], **arrays)
