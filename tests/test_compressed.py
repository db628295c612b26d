import bz2
import gzip
import io
import lzma
import tarfile
import zipfile
from contextlib import suppress

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tensorboardX import SummaryWriter

from curveclinic.errors import LogError
from curveclinic.readers import (
    ReadFailure,
    ReadOptions,
    compressed,
    find_sources,
    is_log,
    read_file,
    read_runs,
    read_stdin,
)

ROWS = [(k, 2 * 0.9**k + 0.001 * (k % 7)) for k in range(400)]
CSV = ("epoch,loss\n" + "".join(f"{k},{v:.6f}\n" for k, v in ROWS)).encode()
PACK = {
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
    ".zst": lambda data: pa.compress(data, codec="zstd", asbytes=True),
}


def zipped(data):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("log.csv", data)
    return out.getvalue()


def tarred(data):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        entry = tarfile.TarInfo("log.csv")
        entry.size = len(data)
        archive.addfile(entry, io.BytesIO(data))
    return out.getvalue()


@pytest.fixture
def write(tmp_path):
    def to(name, data):
        (tmp_path / name).write_bytes(data)
        return tmp_path / name

    return to


@pytest.mark.parametrize("suffix", PACK)
def test_a_compressed_log_is_read_whatever_it_is_called(write, suffix):
    for name in (f"log.csv{suffix}", "log"):
        path = write(name, PACK[suffix](CSV))
        (run,) = read_file(path)
        assert run.channels["train_loss"].values.tolist() == [float(f"{v:.6f}") for _, v in ROWS]
        assert (run.format, run.path, run.notes) == ("csv", str(path), ("train_loss <- loss",))
    assert len(read_stdin(PACK[suffix](CSV))[0].channels["train_loss"]) == 400


def test_a_log_in_several_pieces_is_read_whole(write):
    half = CSV.index(b"\n200,") + 1
    (run,) = read_file(write("log.gz", gzip.compress(CSV[:half]) + gzip.compress(CSV[half:])))
    assert len(run.channels["train_loss"]) == 400


def test_parquet_and_event_files_are_read_compressed(tmp_path, write):
    pq.write_table(pa.table({"step": np.arange(9.0), "loss": np.linspace(2, 1, 9)}), tmp_path / "a.parquet")
    (run,) = read_file(write("a.parquet.gz", gzip.compress((tmp_path / "a.parquet").read_bytes())))
    assert (run.format, len(run.channels["train_loss"])) == ("parquet", 9)
    with SummaryWriter(str(tmp_path / "tb")) as writer:
        for k in range(9):
            writer.add_scalar("train/loss", 1 / (k + 1), k)
    (log,) = (tmp_path / "tb").iterdir()
    log.with_name(log.name + ".gz").write_bytes(gzip.compress(log.read_bytes()))
    log.unlink()
    (run,) = read_runs([tmp_path / "tb"])
    assert (run.format, len(run.channels["train_loss"])) == ("tensorboard", 9)


def test_a_pattern_is_looked_for_inside(write):
    path = write("log.gz", gzip.compress(b"".join(b"s=%d T %f\n" % row for row in ROWS)))
    (run,) = read_file(path, ReadOptions(patterns=(r"s=(?P<step>\d+) T (?P<train_loss>\S+)",)))
    assert len(run.channels["train_loss"]) == 400


@pytest.mark.parametrize("suffix", [".gz", ".xz"])
def test_a_torn_log_gives_what_comes_before(write, suffix):
    whole = PACK[suffix](CSV)
    (run,) = read_file(write("log", whole[: int(0.6 * len(whole))]))
    assert 10 < len(run.channels["train_loss"]) < 400
    assert run.channels["train_loss"].values.tolist() == [float(f"{v:.6f}") for _, v in ROWS][: run.n_points]
    assert "are cut off or damaged: what comes before is read" in run.notes[-1]


@pytest.mark.parametrize("suffix", PACK)
def test_no_damage_is_more_than_a_failure(write, suffix):
    whole = PACK[suffix](CSV)
    rng = np.random.default_rng(0)
    for k in range(60):
        data = bytearray(whole[: rng.integers(4, len(whole) + 1)])
        data[rng.integers(len(data))] ^= 1 << int(rng.integers(8))
        with suppress(LogError):
            assert read_file(write(f"log{k}", bytes(data)))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (zipped(CSV), r"found a zip archive \(as are .npz, .pth and .xlsx\), expected a log; unpack it"),
        (tarred(CSV), "found a tar archive, expected a log; unpack it"),
        (gzip.compress(tarred(CSV)), "found a tar archive, compressed by gzip, expected one log; unpack it first"),
        (gzip.compress(b"\x01\x02\x03" * 99), "found no known log format, compressed by gzip"),
        (gzip.compress(CSV)[:9], "found nothing that can be unpacked, compressed by gzip"),
    ],
)
def test_what_is_no_single_log_is_told(write, tmp_path, data, reason):
    path = write("data", data)
    with pytest.raises(LogError, match=f"data: {reason}"):
        read_file(path)
    (failure,) = read_runs([tmp_path])
    assert isinstance(failure, ReadFailure)
    assert "no run in this folder" in failure.reason


@pytest.mark.parametrize(("name", "n_failures"), [("run.csv.gz", 1), ("data.gz", 0)])
def test_of_a_log_nothing_of_which_can_be_unpacked_a_folder_tells_too(write, tmp_path, name, n_failures):
    write("good.csv", CSV)
    write(name, gzip.compress(CSV)[:12])
    _, *failures = sorted(read_runs([tmp_path]), key=lambda item: isinstance(item, ReadFailure))
    assert len(failures) == n_failures
    assert all("found nothing that can be unpacked" in failure.reason for failure in failures)


def test_no_more_is_unpacked_than_may_be_read(write, monkeypatch):
    path = write("log.gz", gzip.compress(CSV + b"400,0.1\n" * 100_000))
    monkeypatch.setattr(compressed, "MAX_BYTES", 100_000)
    with pytest.raises(LogError, match=r"log.gz: more than 0 MB of log, compressed by gzip; unpack it first"):
        read_file(path)
    taken = []
    monkeypatch.setattr(compressed, "_read_source", lambda kind, source, most: (taken.append(most), (b"PK", False))[1])
    with pytest.raises(LogError, match="found no known log format"):
        read_file(path)
    assert taken == [compressed.HEAD_BYTES]


def test_a_log_beside_its_compressed_copy_is_read_once(write, tmp_path):
    write("log.csv", CSV)
    write("log.csv.gz", gzip.compress(CSV))
    write("other.csv.gz", gzip.compress(CSV))
    assert [run.run_id for run in read_runs([tmp_path])] == ["log.csv", "other.csv.gz"]


LONG = CSV + b"".join(b"%d,%f\n" % (k, 400 / k) for k in range(401, 9000))
"""More than is looked at of it."""


@pytest.mark.parametrize(
    ("plain", "inside", "once"),
    [
        (CSV, CSV, True),
        (CSV + b"400,0.1\n", CSV, True),  # went on after it was packed
        (LONG, LONG, True),
        (b"", CSV, False),
        (CSV[:-30], CSV, False),  # cut off
        (LONG[:-30], LONG, False),
        (b"epoch,loss\n0,3\n1,2\n2,1\n", CSV, False),  # the next run under the same name
    ],
)
@pytest.mark.parametrize("suffix", PACK)
def test_only_a_likely_copy_is_passed_over(write, tmp_path, plain, inside, once, suffix):
    write("log.csv", plain)
    write(f"log.csv{suffix}", PACK[suffix](inside))
    if plain == LONG[:-30] and suffix != ".gz":
        once = True  # only gzip tells its length without unpacking it all
    found = [source.run_id for source in find_sources(tmp_path)]
    assert found == ["log.csv"] + ([] if once else [f"log.csv{suffix}"])


@pytest.mark.parametrize("plain", [CSV, LONG])
@pytest.mark.parametrize("left", [0, 5, 200, -100])
def test_a_damaged_copy_is_no_run_of_its_own(write, tmp_path, plain, left):
    write("log.csv", plain)
    write("log.csv.gz", gzip.compress(plain)[:left])
    assert [run.run_id for run in read_runs([tmp_path])] == ["log.csv"]


def test_a_store_is_asked_for_compressed_logs_but_not_for_compressed_data():
    assert is_log("a.gz", gzip.compress(CSV)[:500])
    assert not is_log("a.tar.gz", gzip.compress(tarred(CSV)))
    assert not is_log("a.tfevents.gz", gzip.compress(b"\x00" * 500))
