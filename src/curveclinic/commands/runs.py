"""The commands behind `curveclinic`: each reads, judges, prints and returns an exit code."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeAlias

from curveclinic.archive.scan import STDIN
from curveclinic.archive.units import chunks
from curveclinic.causes import CAUSES
from curveclinic.commands.gate import EXIT_DONE, Tally, merged
from curveclinic.commands.lookup import looked_up
from curveclinic.diagnosis import SCHEMA_VERSION, Diagnosis
from curveclinic.errors import InputError, LogError
from curveclinic.phrases import counted
from curveclinic.predict import predict_runs
from curveclinic.readers import ReadFailure, ReadOptions, exists, read_runs, read_stdin
from curveclinic.report.text import explain_all, explain_cause, explain_causes, explain_symptom, printable
from curveclinic.run import Run
from curveclinic.symptoms import SYMPTOMS

Outcome: TypeAlias = Diagnosis | ReadFailure

_ALL_CAUSES = "causes"
"""What `explain` lists all causes for."""


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


def explain(args: argparse.Namespace) -> int:
    """Prints what one label or cause means, or a list of all."""
    print(explain_all() if args.label is None else _explanation(args.label))
    return EXIT_DONE


def _explanation(text: str) -> str:
    """What a label, by name or code, or a cause means; "causes" are all of them.

    Raises:
        InputError: it is none of these.
    """
    codes = {symptom.code: symptom.label for symptom in SYMPTOMS.values()}
    hint = "'curveclinic explain' lists all labels, 'curveclinic explain causes' all causes"
    name = looked_up(text, (*SYMPTOMS, *codes, *CAUSES, _ALL_CAUSES), what="label or cause", hint=hint)
    if name == _ALL_CAUSES:
        return explain_causes()
    return explain_cause(CAUSES[name]) if name in CAUSES else explain_symptom(SYMPTOMS[codes.get(name, name)])


def complain(message: str) -> None:
    """Prints one line on stderr."""
    print(f"curveclinic: {printable(message)}", file=sys.stderr)


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
        num_classes=args.num_classes,
        metric_goal=args.metric_goal,
        patterns=tuple(args.pattern),
        verify_crc=args.verify_crc,
    )


def complain_of(path: str, reason: str) -> None:
    """Prints one line on stderr about an input that could not be read."""
    complain(reason if reason.startswith(path) else f"{path}: {reason}")


def _items(args: argparse.Namespace) -> Iterator[Run | ReadFailure]:
    options = reading_options(args)
    if STDIN in args.paths:
        yield from read_piped(options)
    yield from read_runs([path for path in args.paths if path != STDIN], options)


def read_piped(options: ReadOptions) -> Iterable[Run | ReadFailure]:
    """Returns the runs that come through standard input, or one failure."""
    try:
        return read_stdin(sys.stdin.buffer.read(), options)
    except LogError as error:
        return [ReadFailure(STDIN, "stdin", str(error))]


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


def finish(tally: Tally) -> int:
    """Complains of paths without runs and returns the exit code."""
    for path in tally.empty:
        complain(f"{path}: no run found")
    return tally.exit_code


def _print_reports(outcomes: Iterable[Outcome], *, verbose: bool) -> None:
    from curveclinic.report.terminal import open_console, to_ansi

    console = open_console(sys.stdout)
    between = ""
    for outcome in outcomes:
        if isinstance(outcome, Diagnosis):
            sys.stdout.write(between + to_ansi(console, outcome))
            if verbose and outcome.run:
                _print_origin(outcome.run, told=outcome.message)
            between = "\n"


def _print_origin(run: Run, *, told: str) -> None:
    """Which channels the run has, and what was chosen or repaired while reading, unless the report has told it."""
    channels = (f"{name} ({counted(len(series), 'point')})" for name, series in run.channels.items())
    print(f"  channels: {printable(', '.join(channels))}")
    for note in run.notes:
        if note not in told:
            print(f"  note: {printable(note)}")


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
