"""`python -m curveclinic.synth.simulate --runs 5000 --out cache.parquet`: trains tiny networks and records them."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import torch

from curveclinic.errors import CurveclinicError
from curveclinic.synth.simulate.record import write_tables
from curveclinic.synth.simulate.shards import Plan, write_shards

_EXIT_USAGE = 2


def main(argv: Sequence[str] | None = None) -> int:
    """Simulates until there are enough runs or no time is left; returns the exit code."""
    args = _parser().parse_args(argv)
    began = time.monotonic()
    try:
        plan = Plan(args.seed, args.runs, args.replicas, args.device, args.workers, began + 60 * args.minutes)
        rows = write_tables(write_shards(plan, args.out), args.out)
    except (CurveclinicError, OSError) as error:
        print(f"curveclinic.synth.simulate: {error}", file=sys.stderr)
        return _EXIT_USAGE
    print(f"wrote {args.out}: {rows} runs in {(time.monotonic() - began) / 60:.1f} minutes")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m curveclinic.synth.simulate", description=__doc__)
    parser.add_argument("--runs", type=int, default=5000)
    parser.add_argument("--out", type=Path, required=True, help="Parquet file; shards stay beside it")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--minutes", type=float, default=20.0, help="no new group is begun after that")
    parser.add_argument("--workers", type=int, default=1, help="processes")
    parser.add_argument("--replicas", type=int, default=16, help="networks trained at once; some hundreds suit a GPU")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    return parser


if __name__ == "__main__":
    sys.exit(main())
