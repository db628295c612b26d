"""The commands behind `curveclinic check`: tests made before or beside a training, each of one number or one log.

Exit codes: 0 the test passes, 1 it does not (an unusable range test and "not yet" included), 2 usage, 3 unreadable.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from typing import Protocol

from curveclinic.errors import InputError, LogError
from curveclinic.gate import EXIT_DONE, EXIT_FOUND, EXIT_UNREADABLE
from curveclinic.initial_loss import check_initial_loss
from curveclinic.lr_range import range_test_of
from curveclinic.readers import ReadFailure, ReadOptions, read_runs, read_stdin
from curveclinic.run import Run
from curveclinic.small_batch import small_batch_test_of
from curveclinic.text import printable

STDIN = "-"


class CheckResult(Protocol):
    """What every check answers."""

    @property
    def passed(self) -> bool:
        """Whether the test passes."""

    def to_dict(self) -> dict[str, object]:
        """Plain JSON-safe data."""


def lr_range(args: argparse.Namespace) -> int:
    """Suggests a learning rate from the log of a range test."""
    run = _one_run(args)
    return _unreadable(run) if isinstance(run, ReadFailure) else _answer(range_test_of(run), args)


def initial_loss(args: argparse.Namespace) -> int:
    """Compares a first loss with the cost of a guess."""
    found = check_initial_loss(
        args.value,
        loss=args.loss,
        num_classes=args.num_classes,
        target_variance=args.target_variance,
        batch_size=args.batch_size,
    )
    return _answer(found, args)


def small_batch(args: argparse.Namespace) -> int:
    """Tells whether a few samples were learnt by heart."""
    run = _one_run(args)
    return (
        _unreadable(run) if isinstance(run, ReadFailure) else _answer(small_batch_test_of(run, floor=args.floor), args)
    )


def _one_run(args: argparse.Namespace) -> Run | ReadFailure:
    """The only run of a log.

    Raises:
        InputError: the path does not exist, or holds no run or several.
    """
    options = ReadOptions(train_loss=args.train_loss, num_classes=getattr(args, "num_classes", None))
    items = _stdin(options) if args.path == STDIN else _file(args.path, options)
    if len(items) != 1:
        names = ", ".join(printable(item.run_id) for item in items if isinstance(item, Run))
        raise InputError(f"{args.path}: found {len(items)} runs ({names}), expected one; give the log of a single test")
    return items[0]


def _file(path: str, options: ReadOptions) -> list[Run | ReadFailure]:
    if not os.path.exists(path):
        raise InputError(f"{path}: no such file or folder")
    items = list(read_runs([path], options))
    if os.path.isdir(path) and all(isinstance(item, ReadFailure) and not item.format for item in items):
        raise InputError(f"{path}: no run found; expected the log of a test")
    return items


def _stdin(options: ReadOptions) -> list[Run | ReadFailure]:
    try:
        return list(read_stdin(sys.stdin.buffer.read(), options))
    except LogError as error:
        return [ReadFailure(STDIN, "stdin", str(error))]


def _answer(found: CheckResult, args: argparse.Namespace) -> int:
    """Prints an answer as text or as JSON."""
    if args.json:
        print(json.dumps({"check": args.check, "passed": found.passed, **found.to_dict()}, indent=2, allow_nan=False))
    else:
        print("\n".join(printable(line) for line in str(found).splitlines()))
    return EXIT_DONE if found.passed else EXIT_FOUND


def _unreadable(failure: ReadFailure) -> int:
    where = "" if failure.reason.startswith(failure.path) else f"{failure.path}: "
    print(f"curveclinic: {printable(where + failure.reason)}", file=sys.stderr)
    return EXIT_UNREADABLE
