"""The commands behind `curveclinic check`: tests made before or beside a training, each of one number or one log.

Exit codes: 0 the test passes, 1 it does not (an unusable range test and "not yet" included), 2 usage, 3 unreadable.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from typing import Protocol

from curveclinic.checks.initial_loss import check_initial_loss
from curveclinic.checks.lr_range import range_test_of
from curveclinic.checks.small_batch import small_batch_test_of
from curveclinic.commands.complaints import complain_of
from curveclinic.commands.gate import EXIT_DONE, EXIT_FOUND, EXIT_UNREADABLE
from curveclinic.commands.inputs import check_paths, read_piped
from curveclinic.errors import InputError
from curveclinic.phrases import printable
from curveclinic.readers import ReadFailure, ReadOptions, read_runs
from curveclinic.readers.source import STDIN
from curveclinic.run import Run

_KEYWORDS = ("batch_size", "floor", "num_classes", "target_variance")
"""Keywords of the tests that are options here."""


class CheckResult(Protocol):
    """What every check answers."""

    @property
    def passed(self) -> bool:
        """Whether the test passes."""

    def to_dict(self) -> dict[str, object]:
        """Plain JSON-safe data."""


def check(args: argparse.Namespace) -> int:
    """Makes one test and prints the answer."""
    match args.check:
        case "lr-range":
            return _answer_of_log(range_test_of, args)
        case "small-batch":
            return _answer_of_log(lambda run: small_batch_test_of(run, floor=args.floor), args)
    try:
        found = check_initial_loss(
            args.value,
            loss=args.loss,
            num_classes=args.num_classes,
            target_variance=args.target_variance,
            batch_size=args.batch_size,
        )
    except InputError as error:
        raise InputError(_by_option(str(error)) or str(error)) from None
    return _answer(found, args)


def _by_option(message: str) -> str:
    """What an error says of a keyword, `num_classes: found none`, of the option that gives it; "" for other errors."""
    name, colon, rest = message.partition(":")
    return f"--{name.replace('_', '-')}{colon}{rest}" if name in _KEYWORDS else ""


def _answer_of_log(test: Callable[[Run], CheckResult], args: argparse.Namespace) -> int:
    """Tests the only run of a log and prints the answer, or why the log cannot be read.

    Raises:
        InputError: the path does not exist, or holds no run, several, or one that cannot be tested.
    """
    run = _one_run(args)
    if isinstance(run, ReadFailure):
        complain_of(run.path, run.reason)
        return EXIT_UNREADABLE
    try:
        found = test(run)
    except InputError as error:
        raise InputError(_by_option(str(error)) or f"{args.path}: {error}") from None
    return _answer(found, args)


def _one_run(args: argparse.Namespace) -> Run | ReadFailure:
    check_paths([args.path])
    options = ReadOptions(train_loss=args.train_loss, step=args.step, num_classes=getattr(args, "num_classes", None))
    items = list(read_piped(options) if args.path == STDIN else read_runs([args.path], options))
    if all(isinstance(item, ReadFailure) and item.empty for item in items):
        raise InputError(f"{args.path}: no run found; expected the log of a test")
    if len(items) != 1:
        names = ", ".join(printable(item.run_id) for item in items if isinstance(item, Run))
        raise InputError(f"{args.path}: found {len(items)} runs ({names}), expected one; give the log of a single test")
    return items[0]


def _answer(found: CheckResult, args: argparse.Namespace) -> int:
    """Prints an answer as text or as JSON."""
    if args.json:
        print(json.dumps({"check": args.check, "passed": found.passed, **found.to_dict()}, indent=2, allow_nan=False))
    else:
        print("\n".join(printable(line) for line in str(found).splitlines()))
    return EXIT_DONE if found.passed else EXIT_FOUND
