import re

import pyarrow as pa
import pytest
from archive_cases import scan, write_archive

from curveclinic.archive.groups import NO_GROUP, Groups, parse_pattern
from curveclinic.errors import InputError


def table(*cells):
    names = ("run_id", "path", "status", "labels", "onset", "steps_min", "steps_max")
    return pa.Table.from_pylist([dict(zip(names, row, strict=True)) for row in cells])


ROWS = table(
    ("lr1/a", "logs/lr1/a", "ok", ["divergence", "loss_spikes"], 25.0, 0.0, 100.0),
    ("lr1/b", "logs/lr1/b", "ok", ["non_finite"], 75.0, 0.0, 100.0),
    ("lr1/c", "logs/lr1/c", "ok", ["undertrained"], None, 0.0, 100.0),
    ("lr2/a", "logs/lr2/a", "ok", ["healthy"], None, 0.0, 100.0),
    ("", "logs/lr2/b", "error", [], None, None, None),
    ("lr2/d", "logs/lr2/d", "ok", [], None, None, None),
    ("x", "y", "ok", ["overfitting"], 5.0, 5.0, 5.0),
)


def grouped(pattern):
    groups = Groups(re.compile(pattern))
    groups.add_rows(ROWS.slice(0, 3))
    groups.add_rows(ROWS.slice(3))
    return groups


def test_groups_are_counted():
    groups = grouped(r"(lr\d)").groups
    assert list(groups) == ["lr1", "lr2", NO_GROUP]
    first, second, rest = groups.values()
    assert (first.runs, first.diverged, first.onset, first.unreadable) == (3, 2, 0.5, 0)
    assert first.labels == {"divergence": 1, "loss_spikes": 1, "non_finite": 1, "undertrained": 1}
    assert (second.runs, second.diverged, second.onset, second.unreadable) == (2, 0, None, 1)
    assert second.labels == {}
    assert (rest.runs, rest.onset, rest.labels) == (1, None, {"overfitting": 1})


def test_the_table():
    assert grouped(r"(lr\d)").render().splitlines() == [
        "group           runs  diverged   share   onset  labels",
        "lr1                3         2   66.7%     50%  divergence 1, loss_spikes 1, non_finite 1, 1 more",
        "lr2                2         0    0.0%       -  1 unreadable",
        "(no match)         1         0    0.0%       -  overfitting 1",
    ]


@pytest.mark.parametrize(
    ("pattern", "name"),
    [("^([^/]+)/", "sweep"), ("run_.$", "run_7"), ("(s)weep.*(7)", "s/7"), ("logs/(.)", "s"), ("(q)?", NO_GROUP)],
)
def test_names(pattern, name):
    assert Groups(re.compile(pattern)).name("sweep/run_7", "logs/sweep/run_7") == name


def test_the_table_is_bounded_and_its_names_are_text(monkeypatch):
    monkeypatch.setattr("curveclinic.archive.groups.SHOWN_GROUPS", 2)
    groups = Groups(re.compile("(.*)"))
    names = [f"\x1b[2J{'x' * 60}", "b", "c"]
    groups.add_rows(table(*((n, n, "ok", ["healthy"], None, 0.0, 1.0) for n in names)))
    lines = groups.render().splitlines()
    assert (len(lines), lines[-1]) == (4, "and 1 smaller groups")
    assert all(line.isprintable() for line in lines)
    assert lines[1].split()[0].endswith("...")


def test_no_expression():
    with pytest.raises(InputError, match=r"found '\(', expected a regular expression such as .*unterminated subpattern"):
        parse_pattern("(")


def test_a_scan_prints_its_groups(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    write_archive(tmp_path / "logs", 9)
    assert scan("logs", "-o", "out.parquet", "--group-by", "^(sweep_.)") == 0
    out = capsys.readouterr().out
    lines = out.split("\n\n")[-2].splitlines()
    assert [line.split()[:3] for line in lines] == [
        ["group", "runs", "diverged"], ["sweep_0", "3", "3"], ["sweep_1", "3", "0"], ["sweep_2", "3", "0"],
    ]  # fmt: skip
    assert out.splitlines()[-1] == "9 rows written to out.parquet"
    with pytest.raises(SystemExit, match="2"):
        scan("logs", "-o", "out.parquet", "--group-by", "(")
