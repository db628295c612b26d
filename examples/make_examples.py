"""Trains the example runs and writes their logs, README.md, expected.json and the tests' manifest.

    python examples/make_examples.py                  # all of them, about a minute on one core
    python examples/make_examples.py digits-cnn       # some, without the tables
    python examples/make_examples.py --plot OUT       # PNGs of all of them as well

Needs the `dev` extra. Everything is seeded: with the same torch, the same bytes come out. The runs are for tests and
documentation; no threshold, calibration or weight comes from them.
"""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from string import Template

import log_writers
import torch
from catalogue import EXAMPLES, Example
from fitting import History
from log_writers import Written

HERE = Path(__file__).parent
MANIFEST = HERE.parent / "tests" / "examples_manifest.json"
"""Kept out of examples/, where a scan would take it for a log."""


def main() -> None:
    """Writes what the command line asks for."""
    options = _options()
    torch.set_num_threads(1)  # sums in one order, hence one result
    torch.use_deterministic_algorithms(True)
    written: dict[str, Written] = {}
    for folder in options.folders or sorted({example.folder for example in EXAMPLES}):
        members = [example for example in EXAMPLES if example.folder == folder]
        histories = {example.name: example.train() for example in members}
        written |= write(HERE / folder, members, histories)
        if options.plot:
            plot(options.plot / f"{folder}.png", histories, written)
    if not options.folders:
        write_tables(written)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="*", help="examples to write (all)")
    parser.add_argument("--plot", type=Path, help="folder for plots")
    return parser.parse_args()


def write(folder: Path, members: list[Example], histories: Mapping[str, History]) -> dict[str, Written]:
    """Writes the log of one folder anew; returns the values a reader should find, by run."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    first = members[0]
    if first.write:
        return {first.name: first.write(folder, histories[first.name])}
    found = log_writers.long_parquet(folder, {name.split("/")[1]: history for name, history in histories.items()})
    return {f"{first.folder}/{run_id}": values for run_id, values in found.items()}


def write_tables(written: Mapping[str, Written]) -> None:
    """Writes what to expect of the runs: labels, first and last values, and the table for readers."""
    expected = {e.name: {"present": list(e.present), "absent": list(e.absent(written[e.name]))} for e in EXAMPLES}
    _write_json(HERE / "expected.json", expected)
    _write_json(MANIFEST, {e.name: _summary(e, written[e.name]) for e in EXAMPLES})
    rows = "\n".join(_table_row(example) for example in EXAMPLES)
    template = Template((HERE / "README.template.md").read_text())
    (HERE / "README.md").write_text(template.substitute(rows=rows))


def _summary(example: Example, written: Written) -> dict[str, object]:
    channels = {
        channel: {"points": len(values), "first": values[0], "last": values[-1]} for channel, values in written.items()
    }
    return {"folder": example.folder, "channels": channels}


def _table_row(example: Example) -> str:
    labels = ", ".join(f"`{label}`" for label in example.present) or "healthy"
    return f"| {example.name} | {example.layout} | {example.done} | {example.seen} | {labels} |"


def _write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, indent=1) + "\n")


def plot(path: Path, histories: Mapping[str, History], written: Mapping[str, Written]) -> None:
    """Draws what was logged, a panel a run: losses on linear and log axis, gradient norm where logged."""
    import matplotlib.pyplot as plt

    path.parent.mkdir(parents=True, exist_ok=True)
    figure, panels = plt.subplots(len(histories), 3, figsize=(18, 4 * len(histories)), squeeze=False)
    for name, row in zip(histories, panels, strict=True):
        for panel, scale in zip(row, ("linear", "log", "log"), strict=True):
            channels = ("grad_norm", "lr") if panel is row[2] else ("train_loss", "val_loss")
            for channel in (c for c in channels if c in written[name]):
                values = written[name][channel]
                panel.plot(
                    [(i + 1) / len(values) for i in range(len(values))], values, ".-", ms=3, lw=0.7, label=channel
                )
            panel.set(title=name, yscale=scale, xlabel="share of the run")
            if panel.lines:
                panel.legend()
    figure.tight_layout()
    figure.savefig(path, dpi=50)
    plt.close(figure)


if __name__ == "__main__":
    main()
