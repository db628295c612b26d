"""The commands for one run or a few, `diagnose` and `cohort`: each reads, judges, prints and returns an exit code."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Iterator
from typing import Any, TypeAlias

from curveclinic.chunks import chunks
from curveclinic.commands.complaints import complain, complain_of, finish
from curveclinic.commands.gate import Tally, merged
from curveclinic.commands.inputs import check_paths, read_piped, reading_options
from curveclinic.diagnosis import SCHEMA_VERSION, Diagnosis
from curveclinic.errors import InputError
from curveclinic.phrases import printable
from curveclinic.predict import predict_runs
from curveclinic.readers import ReadFailure, read_runs
from curveclinic.readers.source import STDIN
from curveclinic.run import Run

Outcome: TypeAlias = Diagnosis | ReadFailure


def diagnose(args: argparse.Namespace) -> int:
    """Prints every run's diagnosis as text with a plot, or as JSON."""
    tally = Tally(merged(args.fail_on))
    outcomes = _counted(_judge(_read(args, tally)), tally)
    if args.json:
        _print_json(outcomes)
    else:
        _print_reports(outcomes, verbose=args.verbose)
    return finish(tally)


def cohort(args: argparse.Namespace) -> int:
    """Prints what runs of one configuration share, and which of them is odd."""
    from curveclinic.cohort import judge_cohort

    tally = Tally(merged(args.fail_on))
    outcomes = list(_counted(_judge(_read(args, tally)), tally))
    try:
        found = judge_cohort([outcome for outcome in outcomes if isinstance(outcome, Diagnosis)])
    except InputError as error:
        if not tally.unreadable:
            raise
        complain(str(error))  # too few, because some could not be read
        return finish(tally)
    if args.json:
        print(json.dumps(found.to_dict(), indent=2, allow_nan=False))
    else:
        print("\n".join(printable(line) for line in str(found).splitlines()))
    return finish(tally)


def _read(args: argparse.Namespace, tally: Tally) -> Iterator[Run | ReadFailure]:
    """Yields what the paths hold; paths that hold no run are counted.

    Raises:
        InputError: a path does not exist, or no path held anything.
    """
    check_paths(args.paths)
    some = False
    for item in _items(args):
        if isinstance(item, ReadFailure) and item.empty:
            tally.empty.append(item.path)
        else:
            some = True
            yield item
    if not some:
        raise InputError(f"{', '.join(args.paths)}: no run found; expected logs of training runs")


def _items(args: argparse.Namespace) -> Iterator[Run | ReadFailure]:
    options = reading_options(args)
    if STDIN in args.paths:
        yield from read_piped(options)
    yield from read_runs([path for path in args.paths if path != STDIN], options)


def _judge(items: Iterable[Run | ReadFailure]) -> Iterator[Outcome]:
    """Yields one outcome an item, in order."""
    for chunk in chunks(items):
        runs = [item for item in chunk if isinstance(item, Run)]
        diagnoses = iter(predict_runs(runs) if runs else ())
        for item in chunk:
            yield next(diagnoses) if isinstance(item, Run) else item


def _counted(outcomes: Iterable[Outcome], tally: Tally) -> Iterator[Outcome]:
    """Passes outcomes on, counts them, and reports unreadable inputs on stderr."""
    for outcome in outcomes:
        if isinstance(outcome, Diagnosis):
            tally.add(outcome)
        else:
            tally.unreadable += 1
            complain_of(outcome.path, outcome.reason)
        yield outcome


def _print_reports(outcomes: Iterable[Outcome], *, verbose: bool) -> None:
    from curveclinic.report.terminal import open_console, report_width, to_ansi
    from curveclinic.report.text import origin_lines

    console = open_console(sys.stdout)
    between = ""
    for outcome in outcomes:
        if isinstance(outcome, Diagnosis):
            sys.stdout.write(between + to_ansi(console, outcome))
            if verbose and outcome.run:
                for line in origin_lines(outcome.run, told=outcome.message, width=report_width(console)):
                    print(line)
            between = "\n"


def _print_json(outcomes: Iterator[Outcome]) -> None:
    """One object for one outcome, an array with one line an object for several."""
    first, second = next(outcomes, None), next(outcomes, None)
    if first is None:
        return
    if second is None:
        print(json.dumps(_to_json(first), indent=2, allow_nan=False))
        return
    print("[\n" + _line(first) + ",\n" + _line(second), end="")
    for outcome in outcomes:
        print(",\n" + _line(outcome), end="")
    print("\n]")


def _line(outcome: Outcome) -> str:
    return json.dumps(_to_json(outcome), allow_nan=False)


def _to_json(outcome: Outcome) -> dict[str, Any]:
    """`Diagnosis.to_dict()` and where the run came from; for an unreadable input the reason."""
    if isinstance(outcome, Diagnosis):
        run = outcome.run or Run({})
        origin = {"status": "ok", "path": run.path, "format": run.format, "notes": list(run.notes)}
        return {**outcome.to_dict(), **origin}
    origin = {"status": "error", "path": outcome.path, "format": outcome.format}
    return {"schema_version": SCHEMA_VERSION, "run_id": "", "message": outcome.reason, **origin}
