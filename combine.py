"""Makes one network of several that were trained apart: their mean, calibrated anew.

    python combine.py runs/first runs/second --out weights

Networks that began differently err differently; where they disagree their mean is the better word. Each folder is one
that `train.py --out` wrote. Choose thresholds and make the causes anew afterwards, as after a training. Nothing here
ever reads a real log.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

import train
from curveclinic.deciding.sidecar import ONNX_NAME, SIDECAR_NAME, read_sidecar
from curveclinic.model.network import Committee, CurveNet
from curveclinic.model.warm_start import warm_start

_SUMMED = ("step", "runs", "seconds", "parameters")
"""What adds up over the trainings of the members."""

_SHARED = ("batch", "device", "workers", "torch", "held_out_families")
"""What is told once, as of the first member."""


def members_of(folders: Sequence[Path], seed: int) -> list[CurveNet]:
    """Reads the networks of some folders of weights."""
    tensors, nets = train.some_tensors(seed), [CurveNet(train.SHAPE) for _ in folders]
    for net, folder in zip(nets, folders, strict=True):
        warm_start(net, folder / ONNX_NAME, tensors)
    return nets


def recipe_of(recipes: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """How a committee was made: what its members have in common or add up to, and each of them.

    Raises:
        ValueError: the members were tested on different families, so that no runs are new to all of them.
    """
    held_out = {tuple(recipe["held_out_families"]) for recipe in recipes}
    if len(held_out) > 1:
        raise ValueError(f"the members were tested on different families: {sorted(held_out)}; train them alike")
    return {
        **{key: sum(recipe[key] for recipe in recipes) for key in _SUMMED},
        **{key: recipes[0][key] for key in _SHARED},
        "seed": ", ".join(str(recipe["seed"]) for recipe in recipes),
        "share": max(recipe["share"] for recipe in recipes),
        "finished": all(recipe["finished"] for recipe in recipes),
        "members": list(recipes),
    }


def main() -> None:
    """Reads the command line, joins, calibrates and writes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", type=Path, nargs="+", help="weights of the members")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "weights", help="folder for the weights")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    torch.set_num_threads(os.cpu_count() or 1)
    net = Committee(members_of(options.folders, options.seed))
    recipe = recipe_of([read_sidecar(folder / SIDECAR_NAME).recipe for folder in options.folders])
    config = train.Config(seed=options.seed, minutes=0.0, workers=0, device="cpu")
    train.publish(net, config, recipe, options.out)


if __name__ == "__main__":
    main()
