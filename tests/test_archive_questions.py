"""Every snippet of docs/archive.md works on the output of a scan, and answers rightly."""

import re
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hand_curves import SHOWS, decay, healthy

from curveclinic.archive.tables import rows_table
from curveclinic.predict import predict_runs
from curveclinic.readers import ReadFailure
from curveclinic.run import Run
from curveclinic.writers import ROW, write_tables

PAGE = (Path(__file__).parent.parent / "docs" / "archive.md").read_text()
SNIPPETS = re.findall(r"```(sql|python)\n(.*?)```", PAGE, re.S)


def _torn():
    """Overfits, and is not finite at the end: the second finding is not the primary one."""
    curves = {name: values.copy() for name, values in SHOWS["overfitting"].items()}
    curves["train_loss"][55:] = np.nan
    return curves


RUNS = [
    Run.from_arrays(curves, run_id=name, path=f"logs/{name}", format="csv")
    for name, curves in {
        "a/1": SHOWS["overfitting"],
        "a/2": SHOWS["divergence"],
        "a/3": _torn(),
        "a/4": SHOWS["not_learning"],
        "b/1": SHOWS["non_finite"],
        "b/2": healthy(),
        "b/3": healthy(seed=4),
        "b/4": {"train_loss": decay(3)},
    }.items()
]
"""Eight runs that were read; the last one is too short to be judged."""

HAIR = 0.45
"""Probability put into the row of a healthy run, to be healthy by a hair."""


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A scan of these runs and a log that could not be read, and an older one with another answer for one of them."""
    monkeypatch.chdir(tmp_path)
    rows = rows_table([*RUNS, ReadFailure("logs/c.csv", "csv", "broken")])
    rows = changed(rows, "probability_underfitting", 5, HAIR)
    write_tables([rows], tmp_path / "out.parquet")
    write_tables([changed(rows, "primary", 6, "undertrained").slice(1, 7)], tmp_path / "older.parquet")


def changed(rows, name, at, value):
    """The rows with one cell changed."""
    cells = rows[name].to_pylist()
    cells[at] = value
    return rows.set_column(rows.column_names.index(name), rows.field(name), pa.array(cells, rows.field(name).type))


@pytest.fixture(scope="module")
def answers():
    """What the snippets should answer, from the diagnoses one by one."""
    found = dict(zip((run.run_id for run in RUNS), predict_runs(RUNS), strict=True))
    assert [d.labels for d in found.values()] == [
        ("overfitting",), ("divergence",), ("non_finite", "overfitting"), ("not_learning",), ("non_finite",),
        ("healthy",), ("healthy",), (),
    ]  # fmt: skip
    labels = Counter(label for d in found.values() for label in d.labels)
    unchecked = Counter(label for d in found.values() for label in d.unchecked)
    onset = {name: d.findings[0].onset for name, d in found.items() if d.findings}
    blown = ("a/2", "a/3", "b/1")
    surest = {name: d.probabilities[d.labels[0]] for name, d in found.items() if d.findings}
    severe = [n for n, d in found.items() if d.findings and d.findings[0].severity == "severe"]
    names = sorted(labels)
    together = [(a, *(sum({a, b} <= set(d.labels) for d in found.values()) for b in names)) for a in names]
    wasted = sum(60 - onset[name] for name in blown)
    return [
        [(x, n, round(100 * n / 8, 1)) for x, n in sorted(labels.items(), key=lambda item: (-item[1], item[0]))],
        [("a", 4, 2, (onset["a/2"] - 1) / 59), ("b", 4, 1, None)],
        [(n, found[n].labels[0], onset[n], surest[n]) for n in sorted(severe, key=lambda n: (-surest[n], n))],
        [(3, wasted, wasted / (3 * 59))],
        [("csv", 1, "logs/c.csv")],
        together,
        [(5, "b/2", HAIR)],
        [("a/1", found["a/1"].stop_at)],
        sorted(unchecked.items(), key=lambda item: (-item[1], item[0])),
        [("a/1", None, "overfitting"), ("b/3", "undertrained", "healthy")],
    ]


def asked(language, code):
    """The answer of a snippet as a list of tuples."""
    if language == "sql":
        duckdb = pytest.importorskip("duckdb")
        return duckdb.sql(code).fetchall()
    pytest.importorskip("polars" if "polars" in code else "pandas")
    names = {}
    exec(code, names)
    answer = names["answer"]
    return answer.rows() if hasattr(answer, "rows") else list(answer.itertuples(name=None))


def test_there_are_ten(answers) -> None:
    assert len(SNIPPETS) == len(answers) == 10


@pytest.mark.parametrize("number", range(len(SNIPPETS)))
def test_snippet(here, answers, number):
    assert asked(*SNIPPETS[number]) == [tuple(map(approximately, line)) for line in answers[number]]


def approximately(value):
    return pytest.approx(value) if isinstance(value, float) else value


def test_the_table_of_columns_is_complete():
    table = PAGE.partition("| column |")[2].partition("\n\n")[0]
    told = set(re.findall(r"`([a-z_<>]+)`", "".join(line.split("|")[1] for line in table.splitlines()[2:])))
    assert told == {re.sub("probability_.*", "probability_<label>", name) for name, _ in ROW}


def test_real_output_is_answered_too(tmp_path, monkeypatch):
    """The columns of a real scan, with all its nulls, in place of rows made by hand."""
    from archive_cases import scan, write_archive

    monkeypatch.chdir(tmp_path)
    write_archive(tmp_path / "logs", 6)
    assert scan("logs", "-o", "out.parquet") == 0
    assert scan("logs", "-o", "older.parquet") == 0
    answers = [asked(language, code) for language, code in SNIPPETS]
    assert answers[1][0][:3] == ("sweep_0", 2, 2)
    assert answers[9] == []
