"""`python -m curveclinic.synth --sheet out.png`: looks at the generator's runs, or at recorded ones beside them."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from curveclinic.errors import CurveclinicError
from curveclinic.synth.sheet import draw_sheet, recorded_panels, simulated_panels, synthetic_panels

_DOTS_PER_INCH = 110
_EXIT_USAGE = 2


def main(argv: Sequence[str] | None = None) -> int:
    """Draws one contact sheet and returns the exit code."""
    args = _parser().parse_args(argv)
    try:
        if args.simulated is not None:
            panels = simulated_panels(args.simulated, args.seed, args.count, label=args.label, family=args.family)
        elif args.records is None:
            panels = synthetic_panels(args.seed, args.count, label=args.label, family=args.family)
        else:
            panels = recorded_panels(args.records, args.seed, args.count, label=args.label, family=args.family)
        draw_sheet(panels).savefig(args.sheet, dpi=_DOTS_PER_INCH)
    except (CurveclinicError, OSError, ValueError) as error:  # ValueError: matplotlib does not know the suffix
        print(f"curveclinic.synth: {error}", file=sys.stderr)
        return _EXIT_USAGE
    print(f"wrote {args.sheet}: {len(panels)} runs")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m curveclinic.synth",
        description="Draws many small plots: train blue, val orange; metric (red) and learning rate (green) thin; "
        "each titled with its family and labels, the arguable ones with a question mark.",
    )
    parser.add_argument(
        "--sheet", type=Path, required=True, metavar="OUT.png", help="file to write: .png, .pdf or .svg"
    )
    parser.add_argument("--label", help='only runs that clearly show it; "healthy": none')
    parser.add_argument("--family", help="only this family of the generator, or of the records")
    parser.add_argument("--count", type=_positive, default=60, help="most runs (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the runs, or of the choice among records")
    parser.add_argument(
        "--records", type=Path, metavar="FILE.jsonl[.gz]",
        help="draw labelled real runs instead: one JSON object a line with id, positive and curves",
    )  # fmt: skip
    parser.add_argument(
        "--simulated", type=Path, metavar="CACHE.parquet", help="draw logs of simulated trainings instead"
    )
    return parser


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"found {text!r}, expected a whole number of 1 or more")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
