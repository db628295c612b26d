"""Every snippet of docs/archive.md works on the output of a scan, and answers rightly."""

import re
from pathlib import Path

import pytest

from curveclinic.writers import ROW, error_row, row, write_rows

from output_cases import diagnosis, finding, overfit_run, undetermined  # isort: skip

PAGE = (Path(__file__).parent.parent / "docs" / "archive.md").read_text()
SNIPPETS = re.findall(r"```(sql|python)\n(.*?)```", PAGE, re.S)


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A scan of six runs and a log that could not be read, and an older one with another answer for one of them."""
    monkeypatch.chdir(tmp_path)
    found = [
        diagnosis(overfit_run("a/1", "logs/a/1"), finding()),
        diagnosis(overfit_run("a/2", "logs/a/2"), finding("divergence", onset=31.0), finding("loss_spikes")),
        diagnosis(overfit_run("b/1", "logs/b/1"), finding("non_finite", onset=16.0)),
        diagnosis(overfit_run("b/2", "logs/b/2")),
        diagnosis(overfit_run("b/3", "logs/b/3")),
        undetermined(overfit_run("b/4", "logs/b/4"), "too short"),
    ]
    rows = [*map(row, found), error_row("logs/c.csv", "csv", "broken")]
    rows[3]["probability_underfitting"] = 0.45
    write_rows(rows, tmp_path / "out.parquet")
    rows[4]["primary"] = "undertrained"
    write_rows(rows[1:6], tmp_path / "older.parquet")


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


ANSWERS = [
    [
        ("healthy", 2, 33.3), ("divergence", 1, 16.7), ("loss_spikes", 1, 16.7), ("non_finite", 1, 16.7),
        ("overfitting", 1, 16.7),
    ],
    [("a", 2, 1, 30 / 59), ("b", 4, 1, None)],
    [("a/1", "overfitting", 30.0, 0.97), ("a/2", "divergence", 31.0, 0.97), ("b/1", "non_finite", 16.0, 0.97)],
    [(2, 73.0, 73 / 118)],
    [("csv", 1, "logs/c.csv")],
    [
        ("divergence", 1, 0, 1, 0, 0), ("healthy", 0, 2, 0, 0, 0), ("loss_spikes", 1, 0, 1, 0, 0),
        ("non_finite", 0, 0, 0, 1, 0), ("overfitting", 0, 0, 0, 0, 1),
    ],
    [(3, "b/2", 0.45)],
    [("a/1", 30.0)],
    [("exploding_gradients", 5), ("metric_mismatch", 5)],
    [("a/1", None, "overfitting"), ("b/3", "undertrained", "healthy")],
]  # fmt: skip


def test_there_are_ten() -> None:
    assert len(SNIPPETS) == len(ANSWERS) == 10


@pytest.mark.parametrize(("snippet", "answer"), list(zip(SNIPPETS, ANSWERS, strict=False)))
def test_snippet(here, snippet, answer):
    assert asked(*snippet) == [tuple(map(approximately, line)) for line in answer]


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
