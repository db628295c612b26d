"""CSV of a W&B chart: a step column, then `<run> - <metric>` for every run, each with `__MIN` and `__MAX` beside it."""

from __future__ import annotations

from curveclinic.errors import LogError
from curveclinic.intake.assemble import Origin, ReadOptions, runs_from_grid, runs_of_each
from curveclinic.intake.cells import Column
from curveclinic.intake.charts import JOINT, is_bound, is_run_name
from curveclinic.intake.grid import Grid
from curveclinic.readers.delimited import cells_of, whole
from curveclinic.readers.source import HEAD_BYTES, Source, without_bom
from curveclinic.run import Run


def sniff(head: bytes) -> bool:
    """Says whether every column but the first is named `<run> - <metric>`; `train - loss` is none."""
    if JOINT.encode() not in head[: head.find(b"\n")]:
        return False
    first, rest, _ = without_bom(head).partition(b"\n")
    if not rest and len(head) >= HEAD_BYTES:
        first, rest = first[: first.rfind(b",") + 1].rstrip(b","), b"\n"  # so many runs that the header is cut
    if not rest or b"," not in first or first[:1] in (b"{", b"["):
        return False
    names = cells_of(first.decode("utf-8", "replace").strip(), ",")
    if len(names) < 2 or JOINT in names[0] or not all(JOINT in name for name in names[1:]):
        return False
    return any(is_run_name(name.rpartition(JOINT)[0]) for name in names[1:])


def read(source: Source, options: ReadOptions) -> list[Run]:
    """Returns one run for every run of the chart.

    Raises:
        LogError: the text is no table, or no metric in it is a loss.
    """
    grid, notes = whole(source)
    steps = {name: column for name, column in grid.columns.items() if JOINT not in name}
    runs: dict[str, dict[str, Column]] = {}
    for name, column in grid.columns.items():
        run, _, metric = name.rpartition(JOINT)
        if name not in steps and not is_bound(name):
            runs.setdefault(run, {})[metric] = column
    if not steps or not runs:
        raise LogError(f"{source.path}: no numbers in {'a column of a run' if steps else 'the step column'}")
    step = next(iter(steps.values()))
    origins = [source.origin(title=run, notes=notes) for run in runs]
    grids = [Grid({"step": step, **own}, grid.n_rows) for own in runs.values()]
    return runs_of_each(_one, grids, options, origins)


def _one(grid: Grid, options: ReadOptions, origin: Origin) -> Run:
    return runs_from_grid(grid, options, origin, split=False)[0]
