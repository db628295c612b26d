"""What the arguments say of the logs, and the logs that come through a pipe."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence

from curveclinic.errors import InputError, LogError
from curveclinic.readers import ReadFailure, ReadOptions, exists, read_stdin
from curveclinic.readers.source import STDIN
from curveclinic.run import Run


def check_paths(paths: Sequence[str]) -> None:
    """Raises an InputError for a path that does not exist."""
    for path in paths:
        if path != STDIN and not exists(path):
            raise InputError(f"{path}: no such file or folder")


def reading_options(args: argparse.Namespace) -> ReadOptions:
    """Returns what the user said about the logs."""
    return ReadOptions(
        train_loss=args.train_loss,
        val_loss=args.val_loss,
        step=args.step,
        num_classes=args.num_classes,
        metric_goal=args.metric_goal,
        patterns=tuple(args.pattern),
        verify_crc=args.verify_crc,
    )


def read_piped(options: ReadOptions) -> Iterable[Run | ReadFailure]:
    """Returns the runs that come through standard input, or one failure."""
    try:
        return read_stdin(sys.stdin.buffer.read(), options)
    except LogError as error:
        return [ReadFailure(STDIN, "stdin", str(error))]
