import os

import pytest

from curveclinic.archive import signatures
from curveclinic.archive.signatures import UNREADABLE, Signature, digest, signature
from curveclinic.readers.source import Source


@pytest.fixture
def make(tmp_path):
    def write(name, text, time=100):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        os.utime(path, ns=(time, time))
        return str(path)

    return write


def test_a_file(make):
    path = make("a.csv", "12345", time=7)
    assert signature(Source(path, "a")) == Signature(5, 7)
    before = digest(Source(path, "a"))
    make("a.csv", "12346", time=7)
    assert digest(Source(path, "a")) != before
    make("a.csv", "12345", time=9)
    assert digest(Source(path, "a")) == before


def test_a_file_read_already_has_the_same_hash_and_that_of_what_was_read(make):
    path = make("a.csv", "12345")
    opened = Source(path, "a").opened()
    assert digest(opened) == digest(Source(path, "a"))
    make("a.csv", "12346")
    assert digest(opened) != digest(Source(path, "a"))


def test_a_run_of_several_files(make):
    parts = (("train/", make("train/e", "123", time=3)), ("val/", make("val/e", "4567", time=8)))
    source = Source(os.path.dirname(parts[0][1]), "a", parts=parts)
    assert signature(source) == Signature(7, 8)
    before = digest(source)
    make("train/e", "1234")
    make("val/e", "567")
    assert digest(source) != before  # the same bytes in a row, but in other files


def test_what_is_read_together_with_a_source_counts(make):
    other = Source(make("b.csv", "4567", time=8), "b")
    source = Source(make("a.csv", "123", time=3), "a", beside=(other,))
    assert signature(source) == Signature(7, 8)
    before = digest(source)
    make("b.csv", "4568", time=8)
    assert digest(source) != before


def test_a_folder_counts_what_its_curves_are_read_from(make, tmp_path):
    make("run/metrics/loss", "123", time=3)
    make("run/artifacts/model.bin", "1234567890", time=9)
    source = Source(str(tmp_path / "run"), "run", format="mlflow")
    assert signature(source) == Signature(3, 3)
    before = digest(source)
    make("run/artifacts/model.bin", "x")
    assert digest(source) == before
    make("run/metrics/acc", "45", time=5)
    assert signature(source) == Signature(5, 5)
    assert digest(source) != before


def test_what_a_database_has_not_taken_over_counts(make):
    source = Source(make("mlflow.db", "123"), "a")
    before = digest(source)
    make("mlflow.db-wal", "45")
    assert signature(source) == Signature(5, 100)
    assert digest(source) != before


def test_bytes_of_a_pipe():
    assert signature(Source("-", "-", data=b"123")) == Signature(3, 0)
    assert digest(Source("-", "-", data=b"123")) != digest(Source("-", "-", data=b"124"))


def test_a_large_source_has_no_hash(make, monkeypatch):
    monkeypatch.setattr(signatures, "HASHED_BYTES", 4)
    assert digest(Source(make("a", "12345"), "a")) == b""
    assert len(digest(Source(make("a", "1234"), "a"))) == 32


def test_what_cannot_be_read_has_no_signature(tmp_path, make):
    assert signature(Source(str(tmp_path / "gone"), "a")) == UNREADABLE
    assert signature(Source(make("a", "1"), "a", unreadable="Permission denied")) == UNREADABLE
