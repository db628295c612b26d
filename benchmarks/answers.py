"""What the package answers, as one hash: whatever changes an answer changes it, code or words written anew do not.

The answers are those on the runs of `examples/` and on drawn ones. Only what all machines agree on counts: the
network's probabilities, which differ in their sixth digit from processor to processor, as a mean over all runs.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from streams import runs_of

from curveclinic.deciding.rules import judge
from curveclinic.labels import LABELS
from curveclinic.predict import predict_runs
from curveclinic.ragged import Batch
from curveclinic.readers import read_runs
from curveclinic.run import Run
from curveclinic.synth.generate import generate

_EXAMPLES = Path(__file__).parents[1] / "examples"

_SEED = 20
_DRAWN = 300
"""Runs drawn: enough that every label is found in some, and few enough to take two seconds."""

_LONGEST = 400
"""Points of the longest of them."""


def hash_of_answers() -> str:
    """Returns the hash of what is said of these runs."""
    lines = [json.dumps(said) for said in said_of(_runs())]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


@cache
def _runs() -> tuple[Run, ...]:
    examples = [item for item in read_runs([_EXAMPLES]) if isinstance(item, Run)]
    return (*examples, *runs_of(generate(_SEED, _DRAWN, max_points=_LONGEST).batch))


def said_of(runs: Sequence[Run]) -> Iterator[list[Any]]:
    """Yields what is decided and what the rules measured of each run, then the mean probability of every label."""
    diagnoses, rules = predict_runs(runs), judge(Batch.from_runs(runs))
    for i, diagnosis in enumerate(diagnoses):
        present = rules.present[i]
        yield [
            diagnosis.verdict,
            [(finding.label, finding.severity, finding.source) for finding in diagnosis.findings],
            list(diagnosis.unchecked),
            [cause.cause for cause in diagnosis.likely_causes[:1]],
            np.round(rules.degree[i], 4).tolist(),
            [f"{step:.4g}" for steps in (rules.onset, rules.end) for step in steps[i, present]],
            rules.severity[i, present].tolist(),
        ]
    sums = {label: sum(diagnosis.probabilities.get(label, 0.0) for diagnosis in diagnoses) for label in LABELS}
    yield [round(total / len(runs), 3) for total in sums.values()]
