"""Makes `curvenet.int8.onnx`, the network of `curveclinic scan --fast`, of the float network beside it.

    python quantize.py                 # the shipped weights, in half a minute
    python quantize.py runs/quick      # those of another folder

`train.py` does it at the end of a training. Do it again after `benchmarks/thresholds.py --write`: it measures on fresh
synthetic runs how often both networks find the same labels, and notes it in the sidecar. The float network stays as it
is. Nothing here ever reads a real log.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from curveclinic.deciding.classifier import weights_folder
from curveclinic.deciding.sidecar import INT8_NAME
from curveclinic.model.encoder import Encoded, encode_measured
from curveclinic.model.int8 import write_int8
from curveclinic.records import joined
from curveclinic.synth.generate import BLOCK, generate

_SEED = 11
"""First number of every seed: no other script draws with it."""

CALIBRATION = 4_096
"""Runs that ranges and rounding are fitted to."""

FRESH = 8_192
"""Runs on which both networks are compared."""

_MAX_POINTS = 4_000
"""Longest run drawn, as in `train.py`."""


def main() -> None:
    """Reads the command line, draws and writes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?", default=weights_folder(), help="folder of the weights")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    add_int8(options.folder, options.seed)


def add_int8(folder: Path, seed: int, *, calibration: int = CALIBRATION, fresh: int = FRESH) -> None:
    """Draws runs, makes the int8 network of a folder with some of them and compares it on the others."""
    found = write_int8(folder, drawn((_SEED, seed, 0), calibration), drawn((_SEED, seed, 1), fresh))
    print(
        f"wrote {folder / INT8_NAME}: the labels of the float network on {found.equal_label_sets:.2%} of "
        f"{found.runs:,} runs; probabilities differ by {found.mean_difference:.5f} on average, "
        f"by {found.largest_difference:.2f} at most"
    )


def drawn(seed: tuple[int, ...], count: int) -> Encoded:
    """Draws runs of all families and encodes them."""
    blocks = [_block((*seed, k), min(BLOCK, count - k * BLOCK)) for k in range(-(-count // BLOCK))]
    return joined(blocks)


def _block(seed: tuple[int, ...], count: int) -> Encoded:
    return encode_measured(generate(seed, count, max_points=_MAX_POINTS).seen)


if __name__ == "__main__":
    main()
