"""How soon and how steadily a growing run is judged, and what stopping at the first finding of overfitting is worth.

    python benchmarks/early.py ../shared/clinic_runs/dev.jsonl.gz ../shared/real_runs/dev.jsonl

Synthetic runs, of the families that training never saw and fresh ones of all families, are judged at 10, 20 ... 100 %
of their steps. The truth of a prefix is measured anew on its own points.

- detection: of runs that show a label in the end, the share in which it is found at a prefix after its true onset
  (found), and that prefix's place less the onset, as a share of the run (delay). The grid alone costs 0 to 0.1.
- alarms: of runs without any label but undertrained in the end, the share with a label, at any prefix, that is
  clearly absent there (false_alarm; serious: above a notice; confirmed: found at the prefix before, too) or not
  clearly there (doubtful). Undertrained is not counted: a prefix often is.
- flaps: of all runs, the share in which a label comes or goes from one prefix to the next while its truth stays on
  its side (present to present, absent to absent), the first correct finding aside; per run, how often.
- stopping: training ends when overfitting is first found, looked for after every val point or at 50 places, and the
  checkpoint of `stop_at` is kept; beside EarlyStopping of Keras and Lightning (min_delta 0, the best checkpoint kept).
  best_kept: true val loss of the kept checkpoint within 1 % of the drop of the whole run's lowest; regret: its
  distance over the drop; saved: share of the val points that were not trained for.

Of the yardsticks no truth is known on the way: the first prefix with a label that a reader saw in the whole run, any
label above a notice on runs without one, and changes of the answer, whatever the truth.

What it does not show: runs the generator cannot draw; spikes between a run's first and last one, whose places are
taken as even; how a schedule that depends on the planned end would have gone after an early stop; what a second
chance (a warm restart after the stop) would have brought. Delays on the yardsticks hold the reader's label of the end.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from stop_policies import comparison
from streams import ABSENT, PRESENT, SHARES, Stream, logged_stream, synthetic_stream
from tables import Row, print_table, write_scores
from yardstick import RESULTS, load_records, truth_of, without_positive

from curveclinic.deciding.classifier import weights_folder
from curveclinic.deciding.sidecar import SIDECAR_NAME, read_sidecar
from curveclinic.labels import LABELS
from curveclinic.ragged import BoolArray, FloatArray
from curveclinic.synth.families import TRENDS
from curveclinic.synth.generate import generate

HELD_OUT: tuple[str, ...] = tuple(read_sidecar(weights_folder() / SIDECAR_NAME).recipe["held_out_families"])
"""Families that the shipped network was never trained on."""

MAX_POINTS = 2000
"""Longest synthetic run."""

COUNTED = np.array([label != "undertrained" for label in LABELS])
"""(20,) labels an alarm or a flap counts for."""

_PLACES = np.array(SHARES)


def detection(stream: Stream, name: str) -> Iterator[Row]:
    """How often and how long after its onset a label is found."""
    shown = (stream.degree[-1] >= PRESENT) & np.isfinite(stream.onset)
    after = _PLACES[:, None, None] >= stream.onset - 1e-9
    hit = stream.found & after
    delay = np.where(hit.any(axis=0), _PLACES[hit.argmax(axis=0)] - stream.onset, np.nan)
    for j, label in enumerate(LABELS):
        yield from _delays(name, label, delay[shown[:, j], j])
    yield from _delays(name, "all", delay[shown])


def _delays(name: str, label: str, delay: FloatArray) -> Iterator[Row]:
    if not len(delay):
        return
    seen = delay[~np.isnan(delay)]
    quartiles = np.quantile(seen, [0.25, 0.5, 0.75]) if len(seen) else np.full(3, np.nan)
    values = dict(zip(("delay_q1", "delay_median", "delay_q3"), quartiles, strict=True))
    for measure, value in (values | {"found": len(seen) / len(delay)}).items():
        yield _row("detection", name, label, measure, value, len(delay))


def alarms(stream: Stream, name: str) -> Iterator[Row]:
    """Labels on prefixes of clean runs that are not there."""
    clean = ~(stream.degree[-1] >= PRESENT)[:, COUNTED].any(axis=1)
    false = stream.found & (stream.degree <= ABSENT) & COUNTED
    doubtful = stream.found & (stream.degree < PRESENT) & COUNTED
    for measure, cells in (
        ("false_alarm", false), ("false_alarm_serious", false & stream.serious),
        ("confirmed_serious", false & stream.serious & _again(stream.found & stream.serious)),
        ("doubtful", doubtful), ("doubtful_serious", doubtful & stream.serious),
    ):  # fmt: skip
        yield _row("alarms", name, "all", measure, cells.any(axis=(0, 2))[clean].mean(), int(clean.sum()))
        for j in np.flatnonzero(cells[:, clean].any(axis=(0, 1))):
            yield _row("alarms", name, LABELS[j], measure, cells[:, clean, j].any(axis=0).mean(), int(clean.sum()))
    for k, share in enumerate(SHARES[: len(false)]):
        flagged = (false[k] & stream.serious[k]).any(axis=1)[clean].mean()
        yield _row("alarms", name, f"at {share:g}", "false_alarm_serious", flagged, int(clean.sum()))


def _again(found: BoolArray) -> BoolArray:
    """(k, n, 20) found at the prefix before, too."""
    return np.concatenate([np.zeros_like(found[:1]), found[:-1]])


def flaps(stream: Stream, name: str) -> Iterator[Row]:
    """Changes of the answer that the truth does not make."""
    before, after = stream.found[:-1], stream.found[1:]
    there = (stream.degree[:-1] >= PRESENT) & (stream.degree[1:] >= PRESENT)
    gone = (stream.degree[:-1] <= ABSENT) & (stream.degree[1:] <= ABSENT)
    first = after & ~np.logical_or.accumulate(stream.found, axis=0)[:-1]
    flap = (before != after) & (there | gone) & ~(there & first) & COUNTED
    changed = (before != after) & COUNTED
    for measure, cells in (("flaps", flap), ("changes", changed)):
        yield from _per_run("flaps", name, measure, cells)


def _per_run(part: str, name: str, measure: str, cells: BoolArray) -> Iterator[Row]:
    yield _row(part, name, "all", f"runs_with_{measure}", cells.any(axis=(0, 2)).mean(), cells.shape[1])
    yield _row(part, name, "all", f"{measure}_per_run", cells.sum(axis=(0, 2)).mean(), cells.shape[1])
    for j in np.flatnonzero(cells.any(axis=(0, 1))):
        yield _row(part, name, LABELS[j], f"{measure}_per_run", cells[:, :, j].sum(axis=0).mean(), cells.shape[1])


def yardstick_rows(path: Path) -> Iterator[Row]:
    """What can be said of real runs, whose truth on the way nobody knows."""
    records = load_records(path)
    name, stream, truth = path.resolve().parent.name, logged_stream([r.run for r in records]), truth_of(records)
    first = np.where(stream.found.any(axis=0), _PLACES[stream.found.argmax(axis=0)], np.nan)
    for j, label in enumerate(LABELS):
        at = first[truth[:, j] == 1.0, j]
        if len(at):
            seen = at[~np.isnan(at)]
            middle = float(np.median(seen)) if len(seen) else np.nan
            yield _row("detection", name, label, "first_found_at", middle, len(at))
            yield _row("detection", name, label, "found", len(seen) / len(at), len(at))
    clear = without_positive(records)
    some = (stream.serious & COUNTED).any(axis=(0, 2))
    yield _row("alarms", name, "all", "any_serious_on_runs_without_label", some[clear].mean(), int(clear.sum()))
    early = stream.undetermined.any(axis=0).mean()
    yield _row("alarms", name, "all", "undetermined_at_any_prefix", early, len(records))
    yield from _per_run("flaps", name, "changes", (stream.found[:-1] != stream.found[1:]) & COUNTED)


def synthetic_rows(name: str, trends: Sequence[str], runs: int, seed: int) -> Iterator[Row]:
    """Everything about synthetic runs of the given families."""
    stream = synthetic_stream(generate((seed, 1), runs, trends=trends, max_points=MAX_POINTS))
    for part in (detection, alarms, flaps):
        yield from part(stream, name)


def _row(part: str, runs: str, who: str, measure: str, value: float, n: int) -> Row:
    return {"part": part, "runs": runs, "who": who, "measure": measure, "value": float(value), "n": n}


def print_summary(rows: Sequence[Row]) -> None:
    """Prints one table a part and set of runs, measures side by side."""
    for part in dict.fromkeys(r["part"] for r in rows):
        for runs in dict.fromkeys(r["runs"] for r in rows if r["part"] == part):
            cells = {(r["who"], r["measure"]): r for r in rows if (r["part"], r["runs"]) == (part, runs)}
            measures = list(dict.fromkeys(measure for _, measure in cells))
            print_table(
                [
                    {f"{part}: {runs}": who, "n": next(cells[w, m]["n"] for w, m in cells if w == who)}
                    | {m: cells[who, m]["value"] if (who, m) in cells else np.nan for m in measures}
                    for who in dict.fromkeys(who for who, _ in cells)
                ]
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("records", type=Path, nargs="*", help="labelled runs, JSON lines")
    parser.add_argument("--out", type=Path, default=RESULTS / "early.csv", help="CSV of all values")
    parser.add_argument("--runs", type=int, default=1000, help="synthetic runs of each set")
    parser.add_argument("--stopping-runs", type=int, default=4000, help="synthetic runs drawn to compare policies on")
    parser.add_argument("--seed", type=int, default=20)
    options = parser.parse_args()
    rows: list[Row] = []
    for name, trends in (("held-out families", HELD_OUT), ("all families", tuple(TRENDS))):
        rows += synthetic_rows(name, trends, options.runs, options.seed)
    many = options.stopping_runs
    for name, trends, runs in (("held-out families", HELD_OUT, many // 4), ("all families", tuple(TRENDS), many)):
        rows += comparison(generate((options.seed, 2), runs, trends=trends, max_points=MAX_POINTS), name)
    for path in options.records:
        rows += yardstick_rows(path)
    print_summary(rows)
    write_scores(rows, options.out)


if __name__ == "__main__":
    main()
