"""The arguments of the `curveclinic` command."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

from curveclinic import __version__
from curveclinic.archive.groups import parse_pattern
from curveclinic.archive.pace import TIME_LIMIT, default_workers
from curveclinic.checks.initial_loss import LOSS_NAMES
from curveclinic.commands.gate import parse_gate
from curveclinic.engines.known import ENGINES
from curveclinic.errors import InputError
from curveclinic.phrases import either
from curveclinic.writers import WRITERS

T = TypeVar("T")

_PLAIN_NEGATIVE = re.compile(r"-\d+|-\d*\.\d+")
"""Negative numbers that argparse knows."""


def parse(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Returns the arguments of a command line, by default of this process."""
    return build_parser().parse_args(_with_plain_numbers(sys.argv[1:] if argv is None else argv))


def _with_plain_numbers(argv: Sequence[str]) -> list[str]:
    """Puts a blank before what argparse takes for options though it is a number, such as -1e-3 and -inf.

    What begins with a blank is never an option, and the types that read numbers pass over it.
    """
    end = list(argv).index("--") if "--" in argv else len(argv)
    return [f" {text}" if k < end and _looks_like_option(text) else text for k, text in enumerate(argv)]


def _looks_like_option(text: str) -> bool:
    """Whether it is a negative number in a spelling that argparse does not know."""
    if not text.startswith("-") or _PLAIN_NEGATIVE.fullmatch(text):
        return False
    try:
        float(text)
    except ValueError:
        return False
    return True


def build_parser() -> argparse.ArgumentParser:
    """Returns the parser of all commands."""
    parser = argparse.ArgumentParser(
        prog="curveclinic", description="Reads training and validation curves and says what is wrong with a run."
    )
    parser.add_argument("--version", action="version", version=f"curveclinic {__version__}")
    subparsers = parser.add_subparsers(required=True, metavar="COMMAND", dest="command")
    reading, gate, archive = _reading_options(), _gate_option(), _archive_options()

    one = subparsers.add_parser(
        "diagnose", parents=[reading, gate], help="say what is wrong with one run or a few",
        description="Reads one run or a few and prints what is wrong, since when, why, and what to try.",
    )  # fmt: skip
    one.add_argument("--json", action="store_true", help="print JSON: an object for one run, an array for several")
    one.add_argument("-v", "--verbose", action="store_true", help="also say which columns became which channel")

    many = subparsers.add_parser(
        "scan", parents=[reading, gate, archive], help="judge every run of an archive",
        description="Finds every run under the paths, writes one row for each, and prints a summary. What is done is "
        "kept beside OUT: the same command goes on where it was stopped, and later reads only what is new or changed.",
    )  # fmt: skip
    _add_scan(many)

    once = subparsers.add_parser(
        "index", parents=[reading, archive], help="read the logs of an archive once, into one table of curves",
        description="Keeps the curves of every run under the paths in one Parquet file, which a scan reads much "
        "faster than the logs and judges the same.",
    )  # fmt: skip
    once.add_argument("-o", "--output", type=Path, required=True, metavar="OUT", help="file to write: .parquet")

    together = subparsers.add_parser(
        "cohort", parents=[reading, gate], help="judge runs of one configuration together, such as several seeds",
        description="Prints what runs of one configuration share, how far they spread, and which of them is odd.",
    )  # fmt: skip
    together.add_argument("--json", action="store_true", help="print one JSON object")

    _add_checks(
        subparsers.add_parser("check", help="run a test made before training: range test, first loss, few samples")
    )

    words = subparsers.add_parser("explain", help="say what a label or a cause means, and what to try")
    words.add_argument(
        "label", nargs="?", metavar="LABEL",
        help="name or code of a label, or id of a cause; without one all labels are listed, with `causes` all causes",
    )  # fmt: skip
    return parser


def _add_scan(many: argparse.ArgumentParser) -> None:
    """The arguments of `scan` alone."""
    many.add_argument(
        "-o", "--output", type=_output, required=True, metavar="OUT",
        help=f"file to write: {either(WRITERS)}; with --engine also a folder, here or as s3://bucket/folder",
    )  # fmt: skip
    many.add_argument(
        "--engine", choices=tuple(ENGINES), help="scan on a cluster: workers write one Parquet file a shard"
    )
    many.add_argument(
        "--address",
        metavar="ADDRESS",
        help="of the cluster: ray://host:10001, spark://host:7077 (default: this machine)",
    )
    many.add_argument(
        "--group-by", type=_checked(parse_pattern), metavar="REGEX",
        help="also summarise by what this finds in a run's id, or else its path: '^[^/]+' is the id's first folder",
    )  # fmt: skip
    many.add_argument(
        "--fast", action="store_true",
        help="judge with the int8 network, which saves at most a few percent of a scan; about one run in a hundred "
        "gets other labels; a scan that goes on with another network than before does all runs anew",
    )  # fmt: skip


def _add_checks(check: argparse.ArgumentParser) -> None:
    """The tests behind `check`."""
    tests = check.add_subparsers(required=True, metavar="TEST", dest="check")
    answer = argparse.ArgumentParser(add_help=False)
    answer.add_argument("--json", action="store_true", help="print one JSON object")
    log = argparse.ArgumentParser(add_help=False)
    log.add_argument("path", metavar="FILE", help="log of the test; - is stdin")
    log.add_argument("--train-loss", metavar="NAME", help="column or tag of the training loss")
    log.add_argument("--step", metavar="NAME", help="column of the steps")

    tests.add_parser(
        "lr-range", parents=[log, answer], help="suggest a learning rate from the log of a range test",
        description="Reads learning rate and training loss of a range test and suggests a rate, or says why it cannot.",
    )  # fmt: skip

    first = tests.add_parser(
        "initial-loss", parents=[answer], help="compare the loss before the first step with the cost of a guess",
        description="Says whether the first loss is that of a guess, and what makes it larger or smaller.",
    )  # fmt: skip
    first.add_argument("value", type=float, metavar="VALUE", help="mean loss of the untrained model")
    loss_help = f"which loss it is (default: {LOSS_NAMES[0]})"
    first.add_argument("--loss", choices=LOSS_NAMES, default=LOSS_NAMES[0], help=loss_help)
    first.add_argument("--num-classes", type=_class_count, metavar="N", help="number of classes of a classifier")
    first.add_argument("--target-variance", type=float, metavar="X", help="variance of the targets of a regression")
    first.add_argument("--batch-size", type=_count, metavar="N", help="samples of a batch")

    few = tests.add_parser(
        "small-batch", parents=[log, answer], help="tell whether a few samples were learnt by heart",
        description="Reads the training loss on a few samples that never change and says whether it went to nothing.",
    )  # fmt: skip
    few.add_argument("--num-classes", type=_class_count, metavar="N", help="number of classes of a classifier")
    few.add_argument("--floor", type=float, default=0.0, metavar="X", help="least loss that is possible (default: 0)")


def _reading_options() -> argparse.ArgumentParser:
    """Arguments of every command that reads runs."""
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("paths", nargs="+", metavar="PATH", help="log file or folder; - is stdin")
    parser.add_argument("--train-loss", metavar="NAME", help="column or tag of the training loss")
    parser.add_argument("--val-loss", metavar="NAME", help="column or tag of the validation loss")
    parser.add_argument("--step", metavar="NAME", help="column of the steps")
    parser.add_argument(
        "--pattern", action="append", default=[], type=_checked(_pattern), metavar="REGEX",
        help="how a text log prints its numbers: named groups are columns, (?P<step>\\d+) .* (?P<train_loss>\\S+); "
        "may be given several times, for lines of several kinds",
    )  # fmt: skip
    parser.add_argument("--num-classes", type=_class_count, metavar="N", help="number of classes of a classifier")
    parser.add_argument("--metric-goal", choices=("max", "min"), help="whether a larger or a smaller metric is better")
    parser.add_argument(
        "--verify-crc", action="store_true",
        help="also check the records of event files that hold no scalars, at the cost of reading them",
    )  # fmt: skip
    return parser


def _gate_option() -> argparse.ArgumentParser:
    """The argument of every command that can fail on what it finds."""
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument(
        "--fail-on", type=_checked(parse_gate), action="append", default=[], metavar="LABEL,...[:SEVERITY]",
        help="exit with 1 when one of these is found, at this severity (notice, mild, severe) or above; "
        "may be given several times",
    )  # fmt: skip
    return parser


def _archive_options() -> argparse.ArgumentParser:
    """Arguments of the commands that read whole archives."""
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument(
        "--workers", type=_count, default=default_workers(), metavar="N",
        help="processes that read and judge; 1 uses no other process (default: %(default)s, one a core)",
    )  # fmt: skip
    parser.add_argument(
        "--time-limit", type=_seconds, metavar="S",
        help="seconds one log may take, and one more for each MB; needs two workers or more, and starts them also for "
        f"an archive of less than 1 MB, which is else read without (default: {TIME_LIMIT:g})",
    )  # fmt: skip
    parser.add_argument("--fresh", action="store_true", help="forget what an earlier scan has kept beside OUT")
    return parser


def _output(text: str) -> Path | str:
    """A path, or the URI of a folder as it is."""
    from curveclinic.readers.remote import is_remote

    return text if is_remote(text) else Path(text)


def _whole(text: str, *, least: int) -> int:
    if not text.isdecimal() or int(text) < least:
        raise argparse.ArgumentTypeError(f"found {text.strip()!r}, expected a whole number of {least} or more")
    return int(text)


_count = partial(_whole, least=1)
_class_count = partial(_whole, least=2)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        raise argparse.ArgumentTypeError(f"found {text.strip()!r}, expected a number of seconds above 0")
    return seconds


def _pattern(text: str) -> str:
    from curveclinic.readers.console import compiled

    compiled([text])
    return text


def _checked(parse: Callable[[str], T]) -> Callable[[str], T]:
    """A function that tells argparse what another one has to say of an argument."""

    def parsed(text: str) -> T:
        try:
            return parse(text)
        except InputError as error:
            raise argparse.ArgumentTypeError(str(error)) from error

    return parsed
