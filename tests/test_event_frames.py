"""Windows over event files: what is read, what is not, and how much memory that takes."""

import io
import os
import struct
import tracemalloc

import numpy as np
import pytest
from event_cases import record

from curveclinic.readers import ReadOptions, event_frames, read_file
from curveclinic.readers.crc import masked_crc
from curveclinic.readers.event_file import decode


def part(number, data):
    """A field of wire type 2."""
    size, text = len(data), b""
    while size > 0x7F:
        text += bytes([size & 0x7F | 0x80])
        size >>= 7
    return bytes([number << 3 | 2]) + text + bytes([size]) + data


def scalar(step, value, tag=b"loss"):
    summary = part(5, part(1, part(1, tag) + b"\x15" + struct.pack("<f", value)))
    return b"\x09" + struct.pack("<d", 1e9 + step) + b"\x10" + varint(step) + summary


def varint(number):
    text = b""
    while number > 0x7F:
        text += bytes([number & 0x7F | 0x80])
        number >>= 7
    return text + bytes([number])


def image(size):
    return b"\x09" + struct.pack("<d", 1e9) + part(5, part(1, part(1, b"picture") + part(4, part(4, bytes(size)))))


class CountingFile(io.FileIO):
    n_read = 0

    def read(self, size=-1):
        data = super().read(size)
        self.n_read += len(data)
        return data


@pytest.fixture
def saved(tmp_path):
    def save(data):
        path = tmp_path / "events.out.tfevents.1.host"
        path.write_bytes(data)
        return path

    return save


def test_long_images_are_stepped_over_unread(saved):
    picture = record(image(1_000_000))
    path = saved(b"".join(record(scalar(k, k)) + picture for k in range(40)))
    with CountingFile(path) as file:
        found = decode(file)
        assert found.tags["loss"][2].tolist() == list(range(40))
        assert (found.n_records, found.notes) == (80, [])
        assert file.n_read < 0.15 * path.stat().st_size


@pytest.mark.parametrize("size", [100, 5_000, 65_000, 66_000, 200_000, 1_048_560, 3_000_000])
def test_records_of_any_size_between_scalars(saved, size):
    data = b"".join(record(scalar(k, k)) + record(image(size)) for k in range(7))
    with open(saved(data), "rb", buffering=0) as file:
        for held in (data, file):
            found = decode(held)
            assert found.tags["loss"][1].tolist() == list(range(7))
            assert (found.n_records, found.notes) == (14, [])


def test_a_long_record_may_hold_scalars():
    values = b"".join(
        part(1, part(1, b"w/%05d" % k + bytes(60)) + b"\x15" + struct.pack("<f", k)) for k in range(20_000)
    )
    long = b"\x10\x05" + part(5, values)
    data = record(scalar(4, 1.0)) + record(long) + record(scalar(6, 2.0))
    assert len(long) > 1 << 20
    tags = decode(data).tags
    assert len(tags) == 20_001
    assert [tags[f"w/{k:05d}" + "\0" * 60][2].tolist() for k in (0, 19_999)] == [[0.0], [19_999.0]]
    damaged = bytearray(data)
    damaged[len(data) // 2] ^= 1
    found = decode(bytes(damaged))
    assert (list(found.tags), found.notes) == (["loss"], ["left out 1 record with a wrong checksum"])


def test_checksums_of_images_are_checked_on_request(saved):
    for size in (10_000, 300_000):
        data = bytearray(record(scalar(1, 2.0)) + record(image(size)) + record(scalar(2, 1.0)))
        data[5000] ^= 1
        path = saved(bytes(data))
        (run,) = read_file(path)
        assert (run.channels["train_loss"].values.tolist(), run.notes) == ([2, 1], ("train_loss <- loss",))
        (run,) = read_file(path, ReadOptions(verify_crc=True))
        assert run.channels["train_loss"].values.tolist() == [2, 1]
        assert "left out 1 record with a wrong checksum" in run.notes


def test_foreseen_records_are_those_walked():
    """Cadences that repeat, change, and are broken in many ways; every record is found."""
    rng = np.random.default_rng(0)
    for trial in range(30):
        lengths = [int(n) for n in rng.integers(1, 90, rng.integers(1, 6))]
        order = []
        while len(order) < 6000:
            order += lengths * int(rng.integers(1, 400))
            order += [int(n) for n in rng.choice([*lengths, 95], rng.integers(0, 4))]
        data = b"".join(record(bytes(n)) for n in order)
        cut = data[: len(data) - int(rng.integers(0, 3)) * 7] if trial % 2 else data
        walk = event_frames.Walk(event_frames.Bytes(cut))
        windows = list(walk.windows())
        found = np.concatenate([w.lengths for w in windows])
        whole = np.cumsum(np.array(order) + 16) <= len(cut)
        assert found.tolist() == np.array(order)[whole].tolist()
        assert bool(walk.note) == (len(cut) < len(data))


def test_garbage_is_met_where_it_stands():
    good = b"".join(record(scalar(k, k)) for k in range(1, 5000))
    for n_junk in (1, 11, 12, 40, 5000):
        found = decode(good + b"\x07" * n_junk)
        assert len(found.tags["loss"][2]) == 4999
        expected = "the last record is cut off and is left out"
        if n_junk >= 12:
            expected = f"garbage after 4,999 records: the {n_junk} bytes from byte {len(good)} on are left out"
        assert found.notes == [expected]


def test_a_file_that_shrinks_while_it_is_read_ends_there(saved):
    path = saved(b"".join(record(scalar(k, k)) for k in range(1, 60_000)))

    class Shrinking(io.FileIO):
        def read(self, size=-1):
            data = super().read(size)
            os.truncate(path, 2_000_000)
            return data

    with Shrinking(path) as file:
        found = decode(file)
    assert found.notes == ["the last record is cut off and is left out"]
    assert 30_000 < len(found.tags["loss"][2]) < 59_999


@pytest.mark.parametrize("hole", [200_000_000, 3_000_000_000])
def test_memory_does_not_grow_with_what_is_skipped(tmp_path, hole):
    """A sparse file with one huge image."""
    path = tmp_path / "events.out.tfevents.1.host"
    body = image(0)
    summary = part(1, b"picture") + b"\x22" + varint(hole + 1 + len(varint(hole))) + b"\x22" + varint(hole)
    head = body[:9] + b"\x2a" + varint(_nested(summary, hole)) + b"\x0a" + varint(len(summary) + hole) + summary
    length = struct.pack("<Q", len(head) + hole)
    with open(path, "wb") as file:
        file.write(record(scalar(1, 3.0)))
        file.write(length + struct.pack("<I", masked_crc(length)) + head)
        file.seek(hole + 4, os.SEEK_CUR)
        file.write(record(scalar(2, 1.0)))
    tracemalloc.start()
    (run,) = read_file(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert run.channels["train_loss"].values.tolist() == [3, 1]
    assert peak < 16e6


def _nested(summary, hole):
    return 1 + len(varint(len(summary) + hole)) + len(summary) + hole


def test_memory_is_bounded_by_the_points(saved):
    """40 bytes a point of columns, a window, and no more."""
    n = 150_000
    path = saved(b"".join(record(scalar(k, 1.0)) for k in range(n)))
    tracemalloc.start()
    with open(path, "rb", buffering=0) as file:
        found = decode(file)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(found.tags["loss"][2]) == n
    assert peak < 100 * n + 16e6
