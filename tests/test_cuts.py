"""The cuts of the definitions, pinned by the degrees of stored runs: a cut that moves by a third moves one of them.

`python tests/test_cuts.py` rewrites the stored runs: hand-made curves and drawn runs of which the fewest are kept that
between them feel every cut. Stored are their quantities, so that only a change of a definition changes their degrees.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from hand_curves import BENIGN, SHOWS

from curveclinic.deciding.clauses import Clause, Joined, Names, Not, Program, Statement
from curveclinic.deciding.definitions import DEFINITIONS, derived, label_degrees
from curveclinic.labels import LABELS
from curveclinic.measuring.quantities import measure
from curveclinic.ragged import Batch, FloatArray
from curveclinic.run import Run
from curveclinic.synth import generate

REFERENCE = Path(__file__).parent / "reference" / "degrees.npz"
HOW_TO_FIX = "Unless that is a mistake, rewrite the reference with `python tests/test_cuts.py`"

STATEMENTS = [define(Names()) for define in DEFINITIONS.values()]
THIRD = (0.7, 1 / 0.7)
FELT = 0.05


def inner(statement: Statement) -> tuple[Statement, ...]:
    return (statement.part,) if isinstance(statement, Not) else getattr(statement, "parts", ())


def clauses_in(statement: Statement) -> Iterator[Clause]:
    if isinstance(statement, Clause):
        yield statement
    for part in inner(statement):
        yield from clauses_in(part)


def swapped(statement: Statement, old: Clause, new: Clause) -> Statement:
    if statement == old:
        return new
    if isinstance(statement, Not):
        return Not(swapped(statement.part, old, new))
    if isinstance(statement, Joined):
        return replace(statement, parts=tuple(swapped(part, old, new) for part in statement.parts))
    return statement


CUTS = dict.fromkeys(
    (clause, cut)
    for statement in STATEMENTS
    for clause in clauses_in(statement)
    for cut in ("absent", "present")
    if abs(getattr(clause, cut)) > 1e-9 and (clause.absent, clause.present) != (0.0, 1.0)
)
"""Every cut of the definitions, but for those at 0 and those of what is 0 or 1."""


def rows_that_feel(clause: Clause, cut: str, quantities: Mapping[str, FloatArray]) -> Iterator[FloatArray]:
    """(m,) runs of which a degree changes when a cut is moved by a third, down and up."""
    concerned = [statement for statement in STATEMENTS if clause in clauses_in(statement)]
    for factor in THIRD:
        moved = replace(clause, **{cut: factor * getattr(clause, cut)})
        if moved.absent != moved.present:
            both = Program([*concerned, *(swapped(statement, clause, moved) for statement in concerned)])
            with np.errstate(invalid="ignore"):
                before, after = np.split(both.degrees(quantities), 2)
            yield np.flatnonzero(np.abs(after - before).max(axis=0) > FELT)


def stored() -> tuple[dict[str, FloatArray], FloatArray]:
    with np.load(REFERENCE) as file:
        return dict(zip(file["names"].tolist(), file["quantities"], strict=True)), file["degrees"]


def test_stored_runs_keep_their_degrees() -> None:
    quantities, degrees = stored()
    for label, found, expected in zip(LABELS, label_degrees(quantities).T, degrees.T, strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-6, err_msg=f"{label}. {HOW_TO_FIX}")


UNFELT = {
    ("first_leap", 0.35, 0.15),
    ("first_over_near", 0.01, 0.02),
    ("layer_ratio", 0.003, 0.0003),
    ("near_over_last", 2.6, 1.6),
    ("period_strength", 0.5, 0.3),
    ("t_count", 1.0, 2.0),
}
"""Clauses of which a cut may move unnoticed: no stored run comes so near to it that nothing else decides."""


def test_every_cut_is_felt_by_a_stored_run() -> None:
    quantities, _ = stored()
    quantities |= derived(quantities)
    unfelt = {
        (clause.name, clause.absent, clause.present)
        for clause, cut in CUTS
        if not any(len(rows) for rows in rows_that_feel(clause, cut, quantities))
    }
    assert unfelt == UNFELT, HOW_TO_FIX


# ---- the reference ----------------------------------------------------------------------------------------------


def random_loss(rng: np.random.Generator, x: FloatArray) -> FloatArray:
    """A fall, or none, with a rise, a plateau, a thrown first value, swings, jumps and noise, each of them at times."""
    n, drop = len(x), rng.choice([0.0, 10 ** rng.uniform(-3, 0)])
    y = 2.0 - 2.0 * drop + 2.0 * drop * np.exp(-(10 ** rng.uniform(-0.5, 2)) * x)
    if rng.random() < 0.15:
        y = 2.0 - drop * 1.9 / (1 + np.exp(-(x - rng.uniform(0.05, 0.9)) / 10 ** rng.uniform(-2.5, -1)))
    if rng.random() < 0.4:
        y += 10 ** rng.uniform(-3, 1) * np.clip(x - rng.uniform(0, 0.8), 0, None) ** rng.choice([1.0, 2.0])
    if rng.random() < 0.2:
        y += 10 ** rng.uniform(-2.5, 0) * np.sin(2 * np.pi * n * x / rng.uniform(3, 40))
    if rng.random() < 0.2:
        y[rng.integers(0, n, rng.integers(1, 16))] += 10 ** rng.uniform(-1, 1)
    if rng.random() < 0.2:
        y[: rng.integers(1, 4)] *= 10 ** rng.uniform(-0.6, 1.2)
    return y + rng.choice([0.0, 10 ** rng.uniform(-4, -0.3)]) * rng.standard_normal(n)


def random_run(rng: np.random.Generator) -> Run:
    """Channels of any kind beside each other, of few points or many."""
    n = int(rng.choice([rng.integers(2, 16), rng.integers(16, 140)]))
    x = np.linspace(0, 1, n)
    curves: dict[str, Any] = {"train_loss": random_loss(rng, x)}
    if rng.random() < 0.75:
        curves["val_loss"] = random_loss(rng, x)
    if rng.random() < 0.5 and "val_loss" in curves:
        share = rng.random()
        curves["val_loss"] = share * curves["train_loss"] + (1 - share) * curves["val_loss"]
    if rng.random() < 0.4:
        curves["val_metric"] = rng.uniform(0, 0.95) + rng.uniform(-0.6, 0.6) * x + 0.02 * rng.standard_normal(n)
    if rng.random() < 0.2:
        curves["lr"] = 1.1 + np.cos(2 * np.pi * x * rng.integers(1, 9)) * rng.uniform(0, 1)
    if rng.random() < 0.3:
        curves["grad_norm"] = np.exp(rng.uniform(-14, 4) * x + 0.2 * rng.standard_normal(n))
        curves["grad_norm"][rng.integers(n)] *= 10 ** rng.choice([0.0, rng.uniform(1, 3)])
        curves |= {"grad_norm/a": np.full(n, 10 ** rng.uniform(-5, 0)), "grad_norm/b": np.ones(n)}
    if rng.random() < 0.1:
        curves["train_loss"][rng.integers(1, n) :] = np.nan
    return Run.from_arrays(curves, num_classes=rng.choice([None, 2, 10]))


def turning_run(rng: np.random.Generator) -> Run:
    """Val falls with train, then stays or turns, in little noise or in much, at a few points or at many."""
    n = int(10 ** rng.uniform(0.6, 2.9))
    x = np.linspace(0, 1, n)
    low, rate, turn = 10 ** rng.uniform(-1.5, 0), 10 ** rng.uniform(0.5, 2), rng.uniform(0, 0.8)
    train = low * rng.uniform(0, 1) + np.exp(-rate * x) + 10 ** rng.uniform(-3, 0) * (1 - x)
    val = low + np.exp(-rate * x) + low * 10 ** rng.uniform(-2.5, 0.5) * np.clip(x - turn, 0, None)
    val *= np.exp(rng.choice([10 ** rng.uniform(-4, 0), rng.uniform(0.2, 1.0)]) * rng.standard_normal(n))
    return Run.from_arrays({"train_loss": train, "val_loss": val})


def rare_runs() -> list[Run]:
    """Runs of which nothing drawn comes near: each is close to a cut that little else decides."""
    x, scatter = np.linspace(0, 1, 60), np.random.default_rng(0).standard_normal(60)
    # a metric near its ceiling that gets worse by a few times its own scatter
    falls = {"train_loss": 2.0 - 1.5 * x, "val_loss": 2.1 - 1.5 * x}
    runs = [falls | {"val_metric": 0.98 - 0.36 * x + size * scatter} for size in np.geomspace(0.02, 0.2, 24)]
    # val rises far having come down by a trace, and train by a part of that
    rises = 0.16 * np.clip(x - 0.05, 0, None)
    for share in np.linspace(0.1, 0.9, 17):
        train = 0.05 + 0.51 * np.exp(-200 * x) + share * rises
        runs.append({"train_loss": train, "val_loss": 0.56 + rises + 0.0004 * np.exp(-60 * x)})
    # val rises from its first value on, or nearly so, which lies below what train began with
    x = np.linspace(0, 1, 240)
    learns = 0.3 + 0.7 * np.exp(-4 * x)
    starts = [(start, 0.0, 1) for start in np.linspace(0.7, 0.95, 51)]
    dips = [(0.85, turn, 1) for turn in np.linspace(0, 0.07, 36)]
    rarely = [(0.87, 0.0, every) for every in (2, 3)]
    for start, turn, every in starts + dips + rarely:
        for far in (0.08, 0.13, 0.2, 0.3, 2.0):
            val = start * (1.0 + far * np.clip(x - turn, 0, None) - 0.003 * np.minimum(x, turn))
            runs.append({"train_loss": learns, "val_loss": (np.arange(1, 241)[::every], val[::every])})
    for gain in np.linspace(0.0, 0.3, 31):
        runs.append({"train_loss": learns, "val_loss": 0.87 + x, "val_metric": 0.5 + gain * x})
    # the first step throws the loss away, and it comes down again by part of that
    for times in np.linspace(1.1, 4.0, 30):
        thrown = 1.0 + (times - 1.0) * np.exp(-4 * x)
        thrown[0] = 0.3
        runs.append({"train_loss": thrown})
    return [Run.from_arrays(curves, metric_goal="max") for curves in runs]


def rewrite(count: int = 40_000) -> None:
    """Keeps the fewest of many runs that feel all that can be felt."""
    rng = np.random.default_rng(0)
    runs = [Run.from_arrays(curves) for curves in (SHOWS | BENIGN).values()]
    runs += [random_run(rng) for _ in range(count)]
    runs += [turning_run(rng) for _ in range(count // 4)]
    runs += rare_runs()
    drawn = generate(0, count // 4, max_points=300).logged.batch
    parts = [measure(batch).quantities for batch in (Batch.from_runs(runs), drawn)]
    measured = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    quantities = measured | derived(measured)
    found = {(c, cut): list(rows_that_feel(c, cut, quantities)) for c, cut in CUTS}
    wanted = {(key, k): set(rows.tolist()) for key, both in found.items() for k, rows in enumerate(both)}
    unfelt = {(c.name, c.absent, c.present) for (c, _), both in found.items() if not any(map(len, both))}
    print("UNFELT:", *sorted(unfelt), sep="\n")
    kept = list(range(len(SHOWS) + len(BENIGN)))
    open_ = {key: rows for key, rows in wanted.items() if rows and not rows.intersection(kept)}
    while open_:
        counts = np.bincount(np.concatenate([list(rows) for rows in open_.values()]))
        kept.append(int(counts.argmax()))
        open_ = {key: rows for key, rows in open_.items() if kept[-1] not in rows}
    few = {name: values[kept] for name, values in measured.items()}
    np.savez_compressed(REFERENCE, names=list(few), quantities=np.stack(list(few.values())), degrees=label_degrees(few))


if __name__ == "__main__":
    rewrite()
