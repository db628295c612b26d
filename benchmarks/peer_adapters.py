"""Other log readers from PyPI: how each is asked about a run, and what its codes mean in our labels.

An adapter hands our curves to the peer in the form it likes best, thresholds as shipped, and returns the codes of all
it reports; it raises where the peer raises or declines. The tables below are generous. A code counts as

- every label of `also` or `means` that is truly there: "learning rate too high" is right on a run that diverges, and
  right on one that spikes;
- where none of them is there, its first `means`. A code without `means`, such as "plateau", which is also how a run
  ends that has simply converged, is then no mistake.

A peer claims to know the labels its codes mean; those of `also` it is given where they fit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from curveclinic.ragged import FloatArray
from curveclinic.run import Run

Adapter: TypeAlias = Callable[[Run], set[str]]


@dataclass(frozen=True)
class Code:
    """What a peer's code stands for.

    Attributes:
        means: labels it claims, the plainest first.
        also: labels it does not name but may be blamed on the same sight.
    """

    means: tuple[str, ...] = ()
    also: tuple[str, ...] = ()

    @property
    def labels(self) -> tuple[str, ...]:
        """All labels it can count as."""
        return self.means + self.also


@dataclass(frozen=True)
class Peer:
    """A package on PyPI.

    Attributes:
        package: its name there.
        version: the version the adapter was written for.
        find: the codes it reports on a run.
        codes: its codes that have a meaning here; the others are left out (GPU use, throughput, lr schedule).
    """

    package: str
    version: str
    find: Adapter
    codes: Mapping[str, Code]

    @property
    def claimed(self) -> frozenset[str]:
        """Labels it claims to know."""
        return frozenset(label for code in self.codes.values() for label in code.means)


class DeclinedError(Exception):
    """A peer answered that it cannot judge the run."""


STALL = Code(also=("underfitting", "not_learning", "slow_start", "train_stalled_val_falls", "vanishing_gradients"))
"""Flat for a while: harmless at the end of an ordinary run."""

OVERFIT = Code(("overfitting",), ("no_generalization", "delayed_generalization", "metric_mismatch"))
"""Validation worse than it was, or than training."""

DEAD = Code(("not_learning",), ("underfitting", "slow_start", "undertrained", "divergence", "vanishing_gradients"))
"""No gain, or next to none."""


def runmedic(run: Run) -> set[str]:
    """`runmedic.checks.run_checks` on the series in memory."""
    from runmedic.checks import run_checks
    from runmedic.model import Run as TheirRun
    from runmedic.model import Series
    from runmedic.roles import detect

    series = {name: Series(name, s.steps.tolist(), s.values.tolist()) for name, s in run.channels.items()}
    theirs = TheirRun(run.run_id, "memory", "", series)
    return {finding.check for finding in run_checks(theirs, detect(theirs))}


def trainspotter(run: Run) -> set[str]:
    """`trainspotter.detectors.run_all`; what it takes back as explained by a divergence is left out."""
    from trainspotter.detectors import run_all
    from trainspotter.model import Run as TheirRun

    theirs = TheirRun()
    names = {"train_loss": "train/loss", "val_loss": "eval/loss", "lr": "lr", "grad_norm": "grad_norm"}
    for ours, name in names.items():
        for step, value in _points(run, ours):
            theirs.add_point(name, step, value)
    theirs.finalize()
    found = [f for f in run_all(theirs) if (f.detector, f.severity) != ("overfitting", "info")]
    return {f"{f.metric}: {f.title}" if f.detector in ("spikes", "divergence") else f.title for f in found}


def trainproof(run: Run) -> set[str]:
    """`trainproof.epoch.check_records` on one record a step."""
    from trainproof.epoch import check_records

    names = {"train_loss": "loss", "val_loss": "eval_loss", "lr": "lr", "grad_norm": "grad_norm"}
    found = {f["id"] for f in check_records(records_of(run, names))["findings"]}
    if found & {"TP-NO-LOSS", "TP-NO-RECORDS", "TP-NOT-CHECKED"}:
        raise DeclinedError("no training loss")
    return found - {"TP-PASS"}


def training_doctor(run: Run) -> set[str]:
    """`Doctor.analyze`, which asks again after every step, with the detector of leaks that it ships but leaves off."""
    from training_doctor import Doctor
    from training_doctor.detectors import TrainEvalMismatchDetector

    doctor = Doctor().add_detector(TrainEvalMismatchDetector())
    for record in records_of(
        run, {"train_loss": "loss", "val_loss": "eval_loss", "lr": "lr", "grad_norm": "grad_norm"}
    ):
        both = {"train_loss": record["loss"]} if "loss" in record else {}  # its overfitting check wants this name
        doctor.store.log(**record, **both)
    return {diagnosis.detector_name for diagnosis in doctor.analyze()}


def sk_autod(run: Run) -> set[str]:
    """`sk_autod.diagnose` on the points that both losses share; it takes nothing else, and finite values only."""
    from sk_autod import diagnose

    train, val = paired(run)
    return {finding.detector_name for finding in diagnose(train.tolist(), val.tolist()).findings}


def epochix(run: Run) -> set[str]:
    """The warnings of `epochix`'s story engine that stand at the end, told by the validation metric if there is one."""
    from epochix.story_engine.warnings import WarningDetector, standing_warnings

    names = {"train_loss": "train_loss", "val_loss": "val_loss", "lr": "lr"}
    led_by = next(name for name in ("val_metric", "train_metric", "val_loss", "train_loss") if name in run.channels)
    detector, said = WarningDetector(), []
    for at, (step, value) in enumerate(_points(run, led_by)):
        latest = {name: latest(run, name, step) for name in names}
        said += detector.update(epoch=float(at), primary_value=value, **latest)
    return {warning.kind for warning in standing_warnings(said)}


def aicoach(run: Run) -> set[str]:
    """`Coach.get_advice` after the last epoch."""
    from aicoach import Coach

    if "train_loss" not in run.channels:
        raise DeclinedError("no training loss")
    coach = Coach()
    for epoch, (step, value) in enumerate(_points(run, "train_loss")):
        coach.observe(epoch, value, latest(run, "val_loss", step), latest(run, "lr", step))
    return {advice.code for advice in coach.get_advice()}


def paired(run: Run) -> tuple[FloatArray, FloatArray]:
    """Both losses at the steps they share, or training loss read off at the validation's steps if these are too few.

    Raises:
        DeclinedError: one of them was not logged.
    """
    if not {"train_loss", "val_loss"} <= set(run.channels):
        raise DeclinedError("needs both losses")
    train, val = run.channels["train_loss"], run.channels["val_loss"]
    _, at_train, at_val = np.intersect1d(train.steps, val.steps, return_indices=True)
    if len(at_train) >= min(len(train), len(val)) / 2:
        return train.values[at_train], val.values[at_val]
    return np.interp(val.steps, train.steps, train.values), val.values


def _points(run: Run, name: str) -> list[tuple[float, float]]:
    series = run.channels.get(name)
    return [] if series is None else list(zip(series.steps.tolist(), series.values.tolist(), strict=True))


def records_of(run: Run, names: Mapping[str, str]) -> list[dict[str, float]]:
    """One record a step, in order, with what was logged there."""
    records: dict[float, dict[str, float]] = {}
    for ours, theirs in names.items():
        for step, value in _points(run, ours):
            records.setdefault(step, {"step": step})[theirs] = value
    return [records[step] for step in sorted(records)]


def latest(run: Run, name: str, step: float) -> float | None:
    """The last value logged up to a step."""
    series = run.channels.get(name)
    at = 0 if series is None else int(series.steps.searchsorted(step, side="right"))
    return float(series.values[at - 1]) if series is not None and at else None


RUNMEDIC = {
    "overfitting": OVERFIT,
    "no_learning": DEAD,
    "divergence": Code(("divergence",), ("loss_spikes", "oscillation")),
    "non_finite": Code(("non_finite",)),
    "loss_spikes": Code(("loss_spikes",), ("oscillation", "periodic_loss", "divergence")),
    "val_below_train": Code(("val_below_train",)),
    "grad_spikes": Code(("exploding_gradients",)),
    "constant_lr_plateau": STALL,
}

TRAINSPOTTER = {
    "Overfitting onset": OVERFIT,
    "Plateau": STALL,
    "Eval metric too noisy to rank checkpoints": Code(("noisy_validation",), ("val_spikes", "not_learning")),
    "Gradient-norm explosion": Code(("exploding_gradients",)),
    "train/loss: Diverged (non-finite values)": Code(("non_finite",)),
    "eval/loss: Diverged (non-finite values)": Code(("non_finite",)),
    "train/loss: Diverged (sustained growth)": Code(("divergence",), ("oscillation",)),
    "eval/loss: Diverged (sustained growth)": Code(("divergence",), ("overfitting", "no_generalization")),
    "train/loss: Loss spike": Code(("loss_spikes",), ("divergence", "non_finite", "oscillation", "periodic_loss")),
    "eval/loss: Loss spike": Code(("val_spikes",), ("loss_spikes", "divergence", "non_finite", "noisy_validation")),
}

TRAINPROOF = {
    "TP-NAN": Code(("non_finite",)),
    "TP-NAN-GRAD": Code(("exploding_gradients",), ("non_finite",)),
    "TP-FLAT": DEAD,
    "TP-DEAD-RUN": DEAD,
    "TP-ZERO-LR": DEAD,
    "TP-DIVERGE": Code(("divergence",), ("loss_spikes", "oscillation", "periodic_loss", "non_finite")),
    "TP-ZERO-GRAD": Code(("vanishing_gradients",), ("not_learning",)),
    "TP-GRAD-SPIKE": Code(("exploding_gradients",), ("loss_spikes",)),
    "TP-OVERFIT": OVERFIT,
}

TRAINING_DOCTOR = {
    "lr_too_high": Code(
        ("divergence", "loss_spikes", "non_finite"), ("oscillation", "periodic_loss", "exploding_gradients")
    ),
    "lr_too_low": DEAD,
    "plateau": STALL,
    "overfitting": OVERFIT,
    "gradient_instability": Code(("exploding_gradients", "vanishing_gradients"), ("non_finite",)),
    "train_eval_mismatch": Code(("val_below_train",)),
}

SK_AUTOD = {
    "Classic overfitting": OVERFIT,
    "Missed early stopping": OVERFIT,
    "Exploding gradient": Code(("loss_spikes", "divergence"), ("oscillation", "exploding_gradients")),
    "LR too high": Code(("oscillation",), ("divergence", "loss_spikes", "periodic_loss", "not_learning")),
    "LR too low": Code(("not_learning",), ("undertrained", "underfitting", "slow_start", "vanishing_gradients")),
    "Underfitting": Code(("underfitting",), ("not_learning", "undertrained", "slow_start")),
    "Dying ReLU proxy": Code(("underfitting",), ("not_learning", "slow_start", "vanishing_gradients")),
    "Label noise floor": Code(("underfitting",), ("not_learning",)),
    "Noisy training": Code(("oscillation",), ("periodic_loss", "loss_spikes", "noisy_validation")),
    "Data leakage": Code(("val_below_train",)),
}

EPOCHIX = {
    "overfit": OVERFIT,
    "plateau": STALL,
    "divergence": Code(("divergence", "non_finite"), ("loss_spikes", "oscillation", "exploding_gradients")),
}

AICOACH = {
    "overfitting": OVERFIT,
    "plateau": STALL,
    "divergence_nan": Code(("non_finite",)),
    "divergence_inf": Code(("non_finite",)),
    "divergence_explosive": Code(("divergence",), ("loss_spikes", "oscillation")),
    "lr_oscillation": Code(("oscillation",), ("periodic_loss", "divergence", "loss_spikes", "not_learning")),
    "lr_too_slow": Code(("undertrained",), ("underfitting", "not_learning", "slow_start")),
}

PEERS = (
    Peer("runmedic", "0.1.1", runmedic, RUNMEDIC),
    Peer("trainspotter", "0.2.6", trainspotter, TRAINSPOTTER),
    Peer("trainproof", "0.22.0", trainproof, TRAINPROOF),
    Peer("training-doctor", "0.1.0", training_doctor, TRAINING_DOCTOR),
    Peer("sk-autod", "0.1.1", sk_autod, SK_AUTOD),
    Peer("epochix", "0.7.36", epochix, EPOCHIX),
    Peer("aicoach", "0.1.0", aicoach, AICOACH),
)
"""Every peer there is an adapter for."""
