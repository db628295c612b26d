"""Writes the numbers of docs/scale.md from results/scan.csv and results/quantized.csv.

    python benchmarks/scale_page.py

It measures nothing: run scan.py and quantized.py first. What it does not show: that 100 million runs were scored; the
figures are those of the largest archive measured, multiplied.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "docs"))  # marked.py belongs to the documentation's scripts

from marked import fill
from readme_parts import ROOT, YARDSTICKS, Cells, rows, table

RUNS = 100_000_000
CORES = 64
"""Of the machine or cluster the hours are told for."""

NETWORKS = ("float32", "int8")

AGREED = {"synthetic": "fresh synthetic runs", **YARDSTICKS}
"""What both networks were compared on in quantized.csv -> what it is."""

IDLE = 0.5
"""Load average below which times are those of the measured program."""


def cost(measured: Sequence[Cells]) -> str:
    """What `RUNS` runs cost: core hours by stage, then disk and memory."""
    stages = [(row["what"].removeprefix("stage: "), float(row["value"])) for row in measured if row["unit"] == "us/run"]
    lines = [(name, f"{us:,.0f}", f"{_core_hours(us):,.1f}", _clock(us)) for name, us in stages]
    head = ("stage", "us a run", "core hours", f"on {CORES} cores")
    body = table(head, lines)
    return f"{body}\n\n{_whole(measured)}\n\n{_room(measured)}" if lines else "Not measured yet."


def _whole(measured: Sequence[Cells]) -> str:
    """What the largest scan cost a run, with all that is not in the stages."""
    last = [row for row in measured if row["unit"] == "runs/s"][-1]
    workers = int(last["what"].removeprefix("scan, ").split()[0])
    us = workers / float(last["value"]) * 1e6
    return (
        f"The stages are timed alone. A scan of {int(last['runs']):,} runs by {workers} workers, with starting them, "
        f"handing rows over and its state, took {us:,.0f} us a run and worker: {_core_hours(us):,.1f} core hours."
    )


def _core_hours(us: float) -> float:
    return us * 1e-6 * RUNS / 3600


def _clock(us: float) -> str:
    minutes = _core_hours(us) * 60 / CORES
    return f"{minutes:,.1f} min"


def _room(measured: Sequence[Cells]) -> str:
    last = {row["what"]: float(row["value"]) for row in measured}
    return (
        f"Two channels of 200 points a run. {RUNS / 1e6:,.0f} million of them take "
        f"{last['archive on disk'] * RUNS / 1e12:.2g} TB as a table of curves and "
        f"{last['rows on disk'] * RUNS / 1e9:.2g} GB as rows; "
        f"{last['CSV log on disk'] * RUNS / 1e12:.2g} TB as CSV logs. "
        f"The largest process of a scan took {last['scan, largest process']:,.0f} MiB. "
        "Reading was timed on files the system held in memory."
    )


def growth(measured: Sequence[Cells]) -> str:
    """Speed and memory of scans of growing archives."""
    speed = [row for row in measured if row["unit"] == "runs/s"]
    peak = {row["runs"]: row for row in measured if row["what"] == "scan, largest process"}
    whole = {row["runs"]: row for row in measured if row["what"].endswith("whole") and row["unit"] == "s"}
    lines = [
        (
            f"{int(row['runs']):,}",
            f"{float(whole[row['runs']]['value']):,.1f} s",
            f"{float(row['value']):,.0f}",
            f"{float(peak[row['runs']]['value']):,.0f} MiB",
        )
        for row in speed
    ]
    if not lines:
        return "Not measured yet."
    return f"{table(('runs', speed[0]['what'], 'runs/s', 'largest process'), lines)}\n\n{_load(measured)}"


def _load(measured: Sequence[Cells]) -> str:
    """Says whether the machine was idle."""
    load = next(float(row["value"]) for row in measured if "load average before" in row.values())
    told = f"The load average was {load:.1f} before the first measurement"
    return f"{told}." if load < IDLE else f"{told}: other programs ran, and an idle machine is faster."


def fast(measured: Sequence[Cells]) -> str:
    """What the int8 network saves, and how often it answers otherwise."""
    if not measured:
        return "Not measured yet."
    known = {(row["where"], row["network"], row["measure"]): float(row["value"]) for row in measured}
    counts = {row["where"]: int(row["runs"]) for row in measured if row["where"]}
    lines = [line for where in counts for line in _compared(where, known)]
    same = [
        f"{known[where, 'both', 'equal labels of a scan']:.1%} of {counts[where]:,} {words}"
        for where, words in AGREED.items()
        if where in counts
    ]
    mean, largest = (known["synthetic", "both", f"{which} difference of probability"] for which in ("mean", "largest"))
    body = table(("", *NETWORKS, "share"), lines)
    return (
        f"{body}\n\nA scan finds the same labels with both on {', '.join(same)}. On the synthetic ones, which neither "
        f"was fitted to, probabilities differ by {mean:.4f} on average, by {largest:.2f} at most. Time of one "
        "thread, on a processor with integer units for neural networks (`quantized.csv`); without them less is saved. "
        f"{_load(measured)}"
    )


def _compared(where: str, known: Mapping[tuple[str, str, str], float]) -> Iterator[tuple[str, ...]]:
    """Lines on what was measured with each network."""
    for measure in (name for place, network, name in known if (place, network) == (where, NETWORKS[0])):
        one, other = (known[where, network, measure] for network in NETWORKS)
        if measure == "macro_f1":
            yield f"macro-F1, {YARDSTICKS[where]}", f"{one:.3f}", f"{other:.3f}", ""
        else:
            yield measure.replace("us/run", "us a run"), f"{one:.1f}", f"{other:.1f}", f"{other / one:.0%}"


def main() -> None:
    """Fills all blocks."""
    measured = rows("scan")
    blocks = {"scale": cost(measured), "growth": growth(measured), "fast": fast(rows("quantized"))}
    fill(ROOT / "docs" / "scale.md", blocks)


if __name__ == "__main__":
    main()
