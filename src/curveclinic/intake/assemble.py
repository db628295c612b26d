"""From raw series to a `Run`: names are chosen, axes are brought together, and what was done is noted."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeVar

import numpy as np

from curveclinic.errors import InputError
from curveclinic.intake.choosing import choose
from curveclinic.intake.file_names import named_by_file
from curveclinic.intake.grid import Grid, tables
from curveclinic.intake.hidden_nan import revealed
from curveclinic.intake.joined import without_fillers
from curveclinic.intake.naming import called, parse, quoted
from curveclinic.intake.other_units import share_axis
from curveclinic.intake.vocabulary import REWARDS, tokens
from curveclinic.labels import MetricGoal
from curveclinic.padding import settled
from curveclinic.phrases import counted
from curveclinic.points import Points
from curveclinic.run import Run, is_sound_axis, on_steps

T = TypeVar("T")

_JUDGED = ("train_loss", "val_loss", "grad_norm")
"""Channels of which one must be logged."""


@dataclass(frozen=True, kw_only=True)
class ReadOptions:
    """What the user knows better than the names in a log.

    Attributes:
        train_loss: name of the train loss, or a regular expression found in it.
        val_loss: the same for the validation loss.
        step: the same for the steps.
        num_classes: number of classes of a classifier.
        metric_goal: "max" when a larger metric is better, "min" when a smaller one is.
        patterns: regular expressions for text logs; what their named groups find in a line are its columns.
        verify_crc: whether to check also the records of event files that hold no scalars (images, texts).
    """

    train_loss: str | None = None
    val_loss: str | None = None
    step: str | None = None
    num_classes: int | None = None
    metric_goal: MetricGoal | None = None
    patterns: tuple[str, ...] = ()
    verify_crc: bool = False

    @property
    def names_columns(self) -> bool:
        """Whether the user says which series are which."""
        return any(name is not None for name in (self.train_loss, self.val_loss, self.step))


IN_MEMORY = "call it 'train_loss'"
"""Advice where there is no command line."""


@dataclass(frozen=True, kw_only=True)
class Origin:
    """Where raw series came from; `advice` tells the user of this origin how to name a column."""

    run_id: str = ""
    path: str = ""
    format: str = ""
    notes: tuple[str, ...] = ()
    advice: str = "name it with --train-loss"


def run_from_table(table: Mapping[str, Points], options: ReadOptions, origin: Origin, *, one_axis: bool = False) -> Run:
    """Returns the run made of the channels chosen from a table of raw series.

    Args:
        table: raw name -> points.
        options: what the user knows better.
        origin: where the series came from.
        one_axis: all steps come from one column, so a series that ends early ended early.

    Raises:
        InputError: no loss is found in the table.
    """
    if options.step is not None and not one_axis:
        table = _counted_by(options.step, table)
    table = table if one_axis else without_fillers(table)
    table, said = named_by_file(table, origin.path) if origin.path else (table, ())
    choice = choose(table, train_loss=options.train_loss, val_loss=options.val_loss, metric_goal=options.metric_goal)
    if choice.channels.keys().isdisjoint(_JUDGED):
        raise InputError(_no_loss(table, origin))
    # `from_arrays` does both, too; `revealed` needs to know which norms are NaN because they were not logged
    placed, nowhere = (choice.channels, ()) if one_axis else _placed(choice.channels)
    placed, gaps = settled(placed) if "grad_norm" in placed else (placed, ())
    shared, notes = (placed, ()) if one_axis else share_axis(placed)
    channels, hidden = revealed(shared)
    return Run.from_arrays(
        {name: values if steps is None else (steps, values) for name, (steps, values) in channels.items()},
        run_id=origin.run_id,
        num_classes=options.num_classes,
        metric_goal=choice.metric_goal,
        path=origin.path,
        format=origin.format,
        notes=(*origin.notes, *said, *choice.notes, *nowhere, *gaps, *hidden, *notes),
        kind=choice.kind,
    )


def _counted_by(step: str, table: Mapping[str, Points]) -> dict[str, Points]:
    """Returns series on the steps that one of them holds, which the user names.

    Raises:
        InputError: there is no such series, or it has other points than one without steps.
    """
    name = called(step, table, "step")
    at, counts = table[name]
    out: dict[str, Points] = {}
    for other, (steps, values) in table.items():
        if other == name or not len(counts):
            continue
        if steps is not None and at is not None:
            order = np.argsort(at, kind="stable")
            out[other] = (np.interp(steps, at[order], counts[order]), values)
        elif len(values) == len(counts):
            out[other] = (counts, values)
        else:
            out[other] = (steps, values)
    return out


def _placed(channels: Mapping[str, Points]) -> tuple[Mapping[str, Points], tuple[str, ...]]:
    """Leaves out the points of channels whose step can be none."""
    out, notes = dict(channels), []
    for name, (steps, values) in channels.items():
        if steps is None or is_sound_axis(steps):
            continue
        steps, values, note = on_steps(steps, values)
        if note:
            out[name] = (steps, values)
            notes.append(f"{name}: {note}")
    return out, tuple(notes)


def _no_loss(table: Mapping[str, Points], origin: Origin) -> str:
    empty = [name for name, (_, values) in table.items() if parse(name).may_be_loss and not len(values)]
    if empty:
        return f"no point in {quoted(empty)}; expected numbers; log more often or wait"
    names = [parse(name) for name in table]
    scores = [n for n in names if n.quantity == "metric" or n.reinforced or REWARDS & set(tokens(n.raw))]
    if scores and len(scores) == len(names):
        return f"no loss column; found only metrics or rewards, {quoted(table)}; log a loss, too"
    if not table:
        return f"no loss column; no column but the steps holds a number; {origin.advice}"
    return f"no loss column; found {quoted(table)}; {origin.advice}"


def is_logged(table: Mapping[str, Points]) -> bool:
    """Says whether a table without a loss is a log all the same: a known quantity has several points in it."""
    return any(parse(name).quantity and len(values) > 1 for name, (_, values) in table.items())


def runs_from_grid(grid: Grid, options: ReadOptions, origin: Origin, *, split: bool = True) -> list[Run]:
    """Returns the runs held by the rows of a log, one or several.

    Args:
        grid: the rows.
        options: what the user knows better.
        origin: where the rows came from.
        split: whether rows whose steps start over may be several runs.

    Raises:
        InputError: there are no rows, or none of the runs has a loss.
    """
    if not grid.columns:
        raise InputError(
            f"no numbers in {counted(grid.n_rows, 'row')}; expected columns such as 'step', 'train_loss', 'val_loss'"
        )
    is_named = not {options.train_loss, options.val_loss}.isdisjoint(grid.columns)
    found = tables(grid, split=split, step=options.step, one=is_named)
    origins = [
        replace(
            origin,
            run_id=_numbered_id(origin, name or (str(k) if len(found) > 1 else "")),
            notes=(*origin.notes, *grid.notes, *notes),
        )
        for k, (name, _, notes) in enumerate(found, 1)
    ]
    return runs_of_each(partial(run_from_table, one_axis=True), [table for _, table, _ in found], options, origins)


def _numbered_id(origin: Origin, name: str) -> str:
    if not name or not origin.run_id:
        return name or origin.run_id
    return f"{origin.run_id}#{name}"


def attempt(make: Callable[..., T], *args: Any, **options: Any) -> T | InputError:
    """Returns what `make` makes, or the InputError it raises."""
    try:
        return make(*args, **options)
    except InputError as error:
        return error


def attempt_run(table: Mapping[str, Points] | InputError, options: ReadOptions, origin: Origin) -> Run | InputError:
    """Returns the run of a table that may be an error already, or why there is none."""
    return table if isinstance(table, InputError) else attempt(run_from_table, table, options, origin)


def runs_of_each(
    make: Callable[[T, ReadOptions, Origin], Run],
    items: Iterable[T | InputError],
    options: ReadOptions,
    origins: Sequence[Origin],
    *,
    some: bool = True,
) -> list[Run]:
    """Returns the runs of one source that `make` makes of each item, with `unusable` in the place of a bad one.

    Raises:
        InputError: none is usable, where `some` must be; the reason is the first one's.
    """
    made = [
        item if isinstance(item, InputError) else attempt(make, item, options, origin)
        for item, origin in zip(items, origins, strict=True)
    ]
    reasons = [item for item in made if isinstance(item, InputError)]
    if some and reasons and len(reasons) == len(made):
        raise reasons[0]
    both = zip(made, origins, strict=True)
    return [unusable(origin, str(item)) if isinstance(item, InputError) else item for item, origin in both]


def unusable(origin: Origin, reason: str) -> Run:
    """Returns what stands among the runs of a source for one that could not be read, see `why_unusable`."""
    return Run({}, run_id=origin.run_id, path=origin.path, format=origin.format, notes=(reason,))


def why_unusable(run: Run) -> str:
    """Returns why a run could not be read, "" for one that could."""
    return "" if run.channels else "; ".join(run.notes)
