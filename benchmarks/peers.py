"""Other log readers of PyPI on the yardsticks, beside ours, in one table.

    python -m venv ../peers && . ../peers/bin/activate      # they stay out of the environment of development
    pip install . scipy runmedic==0.1.1 trainspotter==0.2.6 trainproof==0.22.0 training-doctor==0.1.0 sk-autod==0.1.1 \\
        epochix==0.7.36 aicoach==0.1.0
    python benchmarks/peers.py ../shared/real_runs/dev.jsonl ../shared/clinic_runs/dev.jsonl.gz \\
        benchmarks/read_runs/labels.jsonl --curves ../shared/real_runs/unlabelled.jsonl.gz

Per judge and yardstick: F1 of each label with at least five positives; macro-F1 over all of those (what a judge does
not know, it does not find) and over those that it claims to know, ours on the same labels under `macro_f1 on <peer>`.
On runs without a positive label: the share with a clearly absent label (false_alarm), with any label (any_label) and
with anything reported at all (any_report). The share of runs whose labels change when every 4th point of each channel
is kept. How many runs it declined or failed on (errors); they count as nothing found. 90 % bootstrap intervals.

A peer that is not installed gets one row, `not installed`, and its pip line is printed. A finding of any severity
counts, as a notice of ours does. `peer_adapters.py` says what each code is taken to mean. That mapping is generous:
where a code can mean several labels, those that are there count.

What it does not show: checks that are no curve's business (GPU, memory, log lines, throughput), advice, and how a peer
does on the logs its authors had in mind. The yardsticks follow our definitions, and our thresholds were chosen on them,
which flatters us; the generous mapping flatters the peers.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import sys
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
import scores
from judges import rules_alone, whole
from peer_adapters import PEERS, Peer
from robustness import FEWEST_KEPT, thinned
from tables import Row, print_table, write_scores
from yardstick import RESULTS, Record, load_records, shortest_loss, truth_of, without_positive

from curveclinic import __version__
from curveclinic.deciding.rules import judge
from curveclinic.labels import LABELS
from curveclinic.ragged import Batch, BoolArray, FloatArray, IntArray
from curveclinic.run import Run


@dataclass(frozen=True, eq=False)
class Answer:
    """What a judge says of n runs.

    Attributes:
        present: (n, 20) label found.
        reported: (n,) anything reported, with a label of ours or without.
        failed: (n,) declined, or raised an error.
    """

    present: BoolArray
    reported: BoolArray
    failed: BoolArray


def installed(peer: Peer) -> str:
    """Its version, "" when it is not installed."""
    try:
        return version(peer.package)
    except PackageNotFoundError:
        return ""


def codes_of(peer: Peer, run: Run) -> set[str] | None:
    """What a peer reports on a run; None where it declines or fails, by whatever error it has."""
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            return peer.find(run)
        except Exception:
            return None


def labels_of(peer: Peer, codes: set[str], positive: frozenset[str]) -> set[str]:
    """Our labels for a peer's codes on a run with these positives, in the peer's favour."""
    labels: set[str] = set()
    for code in (peer.codes[name] for name in codes if name in peer.codes):
        labels.update(positive.intersection(code.labels) or code.means[:1])
    return labels


def answer_of(peer: Peer, records: Sequence[Record]) -> Answer:
    """A peer's answer on every run."""
    codes = [codes_of(peer, record.run) for record in records]
    found = [labels_of(peer, said or set(), record.positive) for said, record in zip(codes, records, strict=True)]
    return Answer(
        np.array([[label in labels for label in LABELS] for labels in found]),
        np.array([bool(said) for said in codes]),
        np.array([said is None for said in codes]),
    )


def ours(name: str, records: Sequence[Record]) -> Answer:
    """Our own answer: the whole, or the rules alone."""
    runs = [record.run for record in records]
    if name == "whole":
        opinion = whole(runs)
    else:
        batch = Batch.from_runs(runs)
        opinion = rules_alone(batch, judge(batch))
    return Answer(opinion.present, opinion.present.any(axis=1), opinion.verdict == "undetermined")


def ask(name: str, records: Sequence[Record]) -> Answer:
    """The answer of a judge by its name."""
    peer = next((peer for peer in PEERS if peer.package == name), None)
    return ours(name, records) if peer is None else answer_of(peer, records)


def rows_of(yardstick: str, records: Sequence[Record], judges: dict[str, str], draws: int) -> Iterator[Row]:
    """Every judge's rows; `judges` maps its name to its version."""
    claims = {peer.package: columns_of(peer) for peer in PEERS}
    for name, release in judges.items():
        head = {"yardstick": yardstick, "judge": name, "version": release}
        answer = ask(name, records)
        for label, measure, values, count in measured(answer, records, claims.get(name), claims, draws):
            yield head | {"label": label, "measure": measure, **asdict(scores.estimate(values)), "n": count}
        values, count = changed_by_thinning(name, records, draws)
        yield head | _row("changed_by_every_4th_point", values, count)
        yield head | _row("errors", np.array([answer.failed.sum()], dtype=float), len(records))


def _row(measure: str, values: FloatArray, count: int) -> Row:
    return {"label": "", "measure": measure, **asdict(scores.estimate(values)), "n": count}


Measured = tuple[str, str, FloatArray, int]
"""Label ("" over several), measure, (draws + 1,) values and how many runs or labels they are over."""


def measured(
    answer: Answer, records: Sequence[Record], claimed: IntArray | None, claims: dict[str, IntArray], draws: int
) -> Iterator[Measured]:
    """Scores of one answer; `claimed` is None for ours, which claim all labels."""
    truth, clear = truth_of(records), without_positive(records)
    weight = scores.resamples(len(records), draws, seed=0)
    f1, there = scores.f1(answer.present, truth, weight), (truth == 1.0).sum(axis=0)
    counted = there >= scores.FEWEST_POSITIVES
    for j in np.flatnonzero(counted):
        yield LABELS[j], "f1", f1[:, j], int(there[j])
    own = {f"macro_f1 on {k}": c for k, c in claims.items()} if claimed is None else {"macro_f1_claimed": claimed}
    groups = {"macro_f1": np.arange(len(LABELS))} | own
    for measure, columns in groups.items():
        yield "", measure, scores.macro(f1[:, columns], truth[:, columns]), int(counted[columns].sum())
    wrong = (answer.present & (truth == 0.0)).any(axis=1)
    shares = {"false_alarm": wrong, "any_label": answer.present.any(axis=1), "any_report": answer.reported}
    for measure, flag in shares.items():
        yield "", measure, scores.share(flag, clear, weight), int(clear.sum())


def changed_by_thinning(name: str, records: Sequence[Record], draws: int) -> tuple[FloatArray, int]:
    """Share of runs whose labels change when every 4th point is kept, and of how many runs."""
    long = [record for record in records if shortest_loss(record.run) >= 4 * FEWEST_KEPT]
    thin = [Record(thinned(r.run, 4), r.family, r.positive, r.negative) for r in long]
    changed = (ask(name, long).present != ask(name, thin).present).any(axis=1)
    weight = scores.resamples(len(long), draws, seed=0)
    return scores.share(changed, np.ones_like(changed), weight), len(long)


def columns_of(peer: Peer) -> IntArray:
    """Columns of the labels it claims to know."""
    return np.array(sorted(LABELS.index(label) for label in peer.claimed))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("records", type=Path, nargs="+", help="labelled runs, JSON lines")
    parser.add_argument("--curves", type=Path, help="JSON lines with the curves, where labels stand alone")
    parser.add_argument("--out", type=Path, default=RESULTS / "peers.csv", help="CSV")
    parser.add_argument("--draws", type=int, default=1000, help="bootstrap resamples")
    options = parser.parse_args()
    releases = {peer.package: installed(peer) for peer in PEERS}
    judges = {"whole": __version__, "rules": __version__} | {name: v for name, v in releases.items() if v}
    rows: list[Row] = []
    for path in options.records:
        yardstick = path.resolve().parent.name
        rows += rows_of(yardstick, load_records(path, curves=options.curves), judges, options.draws)
        rows += [_absent(yardstick, peer) for peer in PEERS if not releases[peer.package]]
    print_table([row for row in rows if not row["label"]])
    write_scores(rows, options.out)
    for peer in PEERS:
        if not releases[peer.package]:
            print(f"{peer.package} is not installed: pip install {peer.package}=={peer.version}", file=sys.stderr)


def _absent(yardstick: str, peer: Peer) -> Row:
    head = {"yardstick": yardstick, "judge": peer.package, "version": ""}
    return head | _row("not installed", np.array([np.nan]), 0)


if __name__ == "__main__":
    main()
