"""What a command says on stderr, a line each."""

from __future__ import annotations

import sys

from curveclinic.commands.gate import Tally
from curveclinic.phrases import printable


def complain(message: str) -> None:
    """Prints one line on stderr."""
    print(f"curveclinic: {printable(message)}", file=sys.stderr)


def complain_of(path: str, reason: str) -> None:
    """Prints one line on stderr about an input that could not be read."""
    complain(reason if reason.startswith(path) else f"{path}: {reason}")


def finish(tally: Tally) -> int:
    """Complains of paths without runs and returns the exit code."""
    for path in tally.empty:
        complain(f"{path}: no run found")
    return tally.exit_code
