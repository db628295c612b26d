"""MLflow's SQLite store, `mlflow.db`: all runs of a server in one file, read run by run."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from curveclinic.intake.assemble import Origin, ReadOptions, attempt, run_from_table, unusable, why_unusable
from curveclinic.intake.naming import parse, quoted
from curveclinic.phrases import counted
from curveclinic.readers import sqlite_file
from curveclinic.readers.source import Source, no_loss
from curveclinic.readers.timed import Timed, is_blind, on_steps
from curveclinic.readers.wanted import is_wanted
from curveclinic.run import Run

_PAGE = 256
"""Runs whose names and metrics are looked up at once."""

_MANY_KEYS = 500
"""More metrics than this are looked up in a table, not by an expression: SQLite takes long to read one so long."""

_LOOK_UP = "coalesce((SELECT w.number FROM temp.wanted_keys w WHERE w.name = key), -1)"

_TABLES = {
    "experiments": {"experiment_id", "name", "lifecycle_stage"},
    "runs": {"run_uuid", "name", "experiment_id", "lifecycle_stage"},
    "metrics": {"run_uuid", "key", "value", "timestamp", "step", "is_nan"},
}
_LARGEST_STEP = 2**53
_LARGEST_PACKED = 2**62
_PACKED = np.dtype([("packed", "i8"), ("value", "f8")])
_ROW = np.dtype([("key", "i4"), ("step", "i8"), ("value", "f8"), ("is_nan", "i1"), ("time", "i8")])


@dataclass(frozen=True)
class Entry:
    """One row of the table of runs."""

    uuid: str
    title: str


def holds(source: Source) -> bool:
    """Says whether a SQLite database is MLflow's."""
    return sqlite_file.has_columns(source, _TABLES)


def read(source: Source, options: ReadOptions) -> Iterator[Run]:
    """Yields the runs that are not deleted; one without a loss has no channels and notes why.

    At most one run's points are in memory. Nothing is locked between two runs.

    Raises:
        LogError: the database is damaged so that no run can be listed, or no run has a loss.
    """
    origin = source.origin()
    held: list[tuple[Run, bool]] = []  # runs without a loss are worth a row only beside others
    streaming = False
    with sqlite_file.opened(source) as connection:
        for run, is_damaged in _runs(connection, source, options, origin):
            streaming = streaming or bool(run.channels) or len(held) >= _PAGE
            if streaming:
                yield from (run for run, _ in held)
                held = []
                yield run
            else:
                held.append((run, is_damaged))
    if not streaming:
        damaged = [run for run, is_damaged in held if is_damaged]
        told = damaged or [run for run, _ in held]
        reason = why_unusable(told[0]) if told else "no run with curves that is not deleted"
        raise no_loss(source, reason, is_log=bool(damaged))


def _runs(
    connection: sqlite3.Connection, source: Source, options: ReadOptions, origin: Origin
) -> Iterator[tuple[Run, bool]]:
    """Yields each run with curves, and whether it is damaged."""
    after = ""
    while True:
        try:
            entries = _entries(connection, after)
            latest = _latest(connection, [e.uuid for e in entries])
            table = _metrics_table(connection)
        except sqlite_file.ERRORS as error:
            note = f"the database is damaged ({error}); runs after {after or 'the first'} are lost"
            yield unusable(source.origin(title="rest"), note), True
            return
        if not entries:
            return
        keys = sorted({key for own in latest.values() for key in own}, key=lambda k: k.encode("utf-8", "replace"))
        wanted = [key for key in keys if is_wanted(key, options)]
        if len(wanted) > _MANY_KEYS:
            _list_keys(connection, wanted)
        query = Query(table, keys, wanted)
        for entry in entries:
            here = replace(origin, run_id=f"{source.run_id}#{entry.title}")
            run, is_damaged = _run(connection, query, entry, latest.get(entry.uuid, {}), options, here)
            if run is not None:
                yield run, is_damaged
        after = entries[-1].uuid


def _entries(connection: sqlite3.Connection, after: str) -> list[Entry]:
    """Returns the next runs in order of their ids; those deleted, or of deleted experiments, are passed over."""
    rows = connection.execute(
        "SELECT r.run_uuid, r.name, e.name FROM runs r LEFT JOIN experiments e USING (experiment_id) "
        "WHERE r.run_uuid > ? AND coalesce(r.lifecycle_stage, '') != 'deleted' "
        "AND coalesce(e.lifecycle_stage, '') != 'deleted' ORDER BY r.run_uuid LIMIT ?",
        (after, _PAGE),
    )
    return [
        Entry(str(uuid), "/".join(str(t) for t in (experiment, name, uuid) if t)) for uuid, name, experiment in rows
    ]


def _latest(connection: sqlite3.Connection, uuids: Sequence[str]) -> dict[str, dict[str, int]]:
    """Returns run -> metric -> its largest step, what must be found among the points."""
    table = "latest_metrics" if "latest_metrics" in sqlite_file.tables(connection) else "metrics"
    marks = ",".join("?" * len(uuids))
    query = f"SELECT run_uuid, key, max(step) FROM {table} WHERE run_uuid IN ({marks}) GROUP BY run_uuid, key"
    found: dict[str, dict[str, int]] = {}
    for uuid, key, step in connection.execute(query, tuple(uuids)):
        found.setdefault(str(uuid), {})[str(key)] = step if isinstance(step, int) else 0
    return found


def _metrics_table(connection: sqlite3.Connection) -> str:
    """Returns what to select points from: the table by its index on runs, copied if an old database has none."""
    indexes = connection.execute("SELECT name FROM pragma_index_list('metrics') WHERE NOT partial").fetchall()
    for (name,) in indexes:
        columns = [c for (c,) in connection.execute("SELECT name FROM pragma_index_info(?)", (name,))]
        if columns == ["run_uuid"]:
            return f"main.metrics INDEXED BY {sqlite_file.identifier(name)}"
    connection.execute("CREATE TEMP TABLE IF NOT EXISTS metrics_by_run AS SELECT * FROM main.metrics")
    connection.execute("CREATE INDEX IF NOT EXISTS temp.by_run ON metrics_by_run (run_uuid)")
    return "temp.metrics_by_run INDEXED BY by_run"


def _list_keys(connection: sqlite3.Connection, wanted: Sequence[str]) -> None:
    """Puts metrics and their numbers into a temporary table."""
    connection.execute("CREATE TEMP TABLE IF NOT EXISTS wanted_keys (name TEXT PRIMARY KEY, number INTEGER)")
    connection.execute("DELETE FROM temp.wanted_keys")
    rows = ((name, number) for number, name in enumerate(wanted))
    connection.executemany("INSERT OR IGNORE INTO temp.wanted_keys VALUES (?, ?)", rows)
    connection.commit()  # nothing stays locked


class Query:
    """The query of one run's points, the metric as its number among the wanted ones.

    Most of the time goes into Python's objects for the cells, so `packed` puts step, is_nan and metric into one.
    """

    def __init__(self, table: str, keys: Sequence[str], wanted: Sequence[str]) -> None:
        self.keys = keys
        self.wanted = wanted
        listed = len(wanted) > _MANY_KEYS
        code, names = (_LOOK_UP, []) if listed else _code(list(enumerate(wanted)))
        marks = "SELECT name FROM temp.wanted_keys" if listed else ",".join("?" * len(wanted))
        only = f"AND key IN ({marks})" if len(wanted) < len(keys) else ""
        self.base = len(wanted) + 1
        self.sql = f"SELECT {code}, step, value, is_nan, timestamp FROM {table} WHERE run_uuid = ? {only}"
        self.packed = (
            f"SELECT (step * 2 + is_nan) * {self.base} + {code} + 1, value FROM {table} WHERE run_uuid = ? {only}"
        )
        self._before, self._after = tuple(names), tuple(wanted) if only and not listed else ()

    def parameters(self, uuid: str) -> tuple[str, ...]:
        """Returns the values of the query's marks for a run."""
        return (*self._before, uuid, *self._after)


def _code(wanted: Sequence[tuple[int, str]]) -> tuple[str, list[str]]:
    """Returns an SQL expression that finds the number of `key` by bisection, and the values of its marks."""
    if not wanted:
        return "-1", []
    if len(wanted) == 1:
        number, name = wanted[0]
        return f"CASE key WHEN ? THEN {number} ELSE -1 END", [name]
    middle = len(wanted) // 2
    low, low_names = _code(wanted[:middle])
    high, high_names = _code(wanted[middle:])
    return f"CASE WHEN key < ? THEN {low} ELSE {high} END", [wanted[middle][1], *low_names, *high_names]


def _run(
    connection: sqlite3.Connection,
    query: Query,
    entry: Entry,
    latest: Mapping[str, int],
    options: ReadOptions,
    origin: Origin,
) -> tuple[Run | None, bool]:
    """Returns a run, and whether it is damaged; without channels if it has no loss, None if it has no curves at all."""
    series, damage = _points(connection, query, entry.uuid, latest)
    wanted = set(query.wanted)
    torn = [k for k in latest if k in wanted and (k not in series or series[k].steps.max() < latest[k])]
    if torn and not damage:
        damage = (f"the database is damaged; points of {quoted(torn)} are lost",)
    table, placed = on_steps(series)
    others = {name: (None, np.empty(0)) for name in latest if name not in table and not parse(name).quantity}
    made = attempt(run_from_table, {**table, **others}, options, replace(origin, notes=(*damage, *placed)))
    if isinstance(made, Run):
        return made, bool(damage)
    if not damage and not any(len(s.steps) > 1 for s in series.values()):
        return None, False
    return unusable(origin, "; ".join((*damage, str(made)))), bool(damage)


def _points(
    connection: sqlite3.Connection, query: Query, uuid: str, latest: Mapping[str, int]
) -> tuple[dict[str, Timed], tuple[str, ...]]:
    """Returns the points of a run by metric, with times only if steps do not tell, and what is damaged."""
    rows = _packed_rows(connection, query, uuid, latest)
    if rows is not None:
        series = _series(rows, query.wanted)
        if not any(map(is_blind, series.values())):
            return series, ()
    rows, damage = _rows(connection, query, uuid)
    return _series(rows, query.wanted), damage


def _packed_rows(
    connection: sqlite3.Connection, query: Query, uuid: str, latest: Mapping[str, int]
) -> np.ndarray | None:
    """Returns the points of a run without their times; None if steps are too large to pack or rows are damaged."""
    if any(2 * query.base * (abs(step) + 1) > _LARGEST_PACKED for step in latest.values()):
        return None
    try:
        cells = np.fromiter(connection.execute(query.packed, query.parameters(uuid)), dtype=_PACKED)
    except (*sqlite_file.ERRORS, TypeError, ValueError, OverflowError):
        return None
    rows = np.zeros(len(cells), dtype=_ROW)
    rest, code = np.divmod(cells["packed"], query.base)
    rows["key"], rows["value"] = code - 1, cells["value"]
    rows["step"], rows["is_nan"] = np.divmod(rest, 2)
    return rows


def _series(rows: np.ndarray, wanted: Sequence[str]) -> dict[str, Timed]:
    """Returns the points by metric, in the order written."""
    order = np.argsort(rows["key"], kind="stable")
    bounds = np.searchsorted(rows["key"][order], np.arange(len(wanted) + 1))
    values = np.where(rows["is_nan"] != 0, np.nan, rows["value"])
    steps, times = (rows[field].astype(np.float64) for field in ("step", "time"))
    own = {name: order[bounds[number] : bounds[number + 1]] for number, name in enumerate(wanted)}
    return {name: Timed(steps[at], values[at], times[at]) for name, at in own.items() if len(at)}


def _rows(connection: sqlite3.Connection, query: Query, uuid: str) -> tuple[np.ndarray, tuple[str, ...]]:
    """Returns the points of one run in the order written; of a damaged database those before the damage."""
    try:
        return np.fromiter(connection.execute(query.sql, query.parameters(uuid)), dtype=_ROW), ()
    except (*sqlite_file.ERRORS, TypeError, ValueError, OverflowError):
        rows: list[tuple[int, int, float, int, int]] = []
        note = _collect(connection, query, uuid, rows)
    return np.array(rows, dtype=_ROW), (note,)


def _collect(
    connection: sqlite3.Connection, query: Query, uuid: str, rows: list[tuple[int, int, float, int, int]]
) -> str:
    """Gathers sound rows one by one and returns what is wrong with the others."""
    n_bad = 0
    try:
        for key, step, value, is_nan, time in connection.execute(query.sql, query.parameters(uuid)):
            sound = isinstance(step, int) and isinstance(value, (int, float)) and abs(step) < _LARGEST_STEP
            if sound and is_nan in (0, 1) and isinstance(time, int) and abs(time) < _LARGEST_STEP:
                rows.append((key, step, float(value), is_nan, time))
            else:
                n_bad += 1
    except sqlite_file.ERRORS as error:
        return f"the database is damaged ({error}); the points after the first {len(rows)} are left out"
    return f"the database is damaged; left out {counted(n_bad, 'row')} without a point"
