"""The `curveclinic` command: calls one of `commands`, turns errors into one line and an exit code.

Exit codes: 0 done; 1 a `--fail-on` finding, or a check that does not pass; 2 usage, a path that does not exist or holds
no run; 3 done, but some input could not be read (1 wins over 3); 70 a bug in curveclinic; 130 interrupted; 141 the
reader of the output went away.
"""

from __future__ import annotations

import argparse
import io
import os
import sys
import traceback
import warnings
from collections.abc import Sequence
from typing import TextIO

from curveclinic.commands.arguments import parse
from curveclinic.commands.complaints import complain
from curveclinic.commands.gate import EXIT_USAGE
from curveclinic.errors import CurveclinicError

_EXIT_BUG = 70
"""EX_SOFTWARE of sysexits.h."""

_EXIT_INTERRUPTED = 130
_EXIT_BROKEN_PIPE = 141
"""What a shell reports for a program ended by SIGINT and by SIGPIPE."""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit code."""
    _stand_in_for_closed_streams()
    _never_fail_on_encoding()
    args = parse(argv)
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _complain_of_warning
            code = _run(args)
        sys.stdout.flush()
    except CurveclinicError as error:
        complain(str(error))
        return EXIT_USAGE
    except KeyboardInterrupt:
        complain("interrupted")
        return _EXIT_INTERRUPTED
    except BrokenPipeError:
        # What is still buffered goes nowhere; without this, Python complains at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _EXIT_BROKEN_PIPE
    except OSError as error:  # a full disk, a folder that went away
        complain(str(error))
        return EXIT_USAGE
    except Exception:  # Python would exit with 1, and a gate would take our bug for a finding
        traceback.print_exc()
        return _EXIT_BUG
    return code


def _run(args: argparse.Namespace) -> int:
    """Runs the command; what only other commands need is not loaded."""
    match args.command:
        case "diagnose":
            from curveclinic.commands.runs import diagnose as command
        case "cohort":
            from curveclinic.commands.runs import cohort as command
        case "scan" if args.engine:
            from curveclinic.commands.engines import scan_on_engine as command
        case "scan":
            from curveclinic.commands.archives import scan as command
        case "index":
            from curveclinic.commands.archives import index as command
        case "check":
            from curveclinic.commands.checks import check as command
        case _:
            from curveclinic.commands.explain import explain as command
    return command(args)


def _complain_of_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """Stands in for `warnings.showwarning`: the reader of a terminal has no use for our line numbers."""
    complain(f"warning: {message}")


def _stand_in_for_closed_streams() -> None:
    """Opens what the shell closed (`>&-`) as the null device: nothing to read, and what is written goes nowhere."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            null = os.open(os.devnull, os.O_RDONLY if mode == "r" else os.O_WRONLY)
            setattr(sys, name, open(null, mode, encoding="utf-8", closefd=False))  # noqa: SIM115  # as long as we run


def _never_fail_on_encoding() -> None:
    """Lets a character that the stream cannot hold come out as an escape."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
