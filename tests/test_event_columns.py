"""The columns against the reference decoder, and both against TensorBoard's own message classes."""

import numpy as np
import pytest
from event_cases import event, record, scalar
from google.protobuf.message import DecodeError
from hypothesis import given, settings
from hypothesis import strategies as st
from tensorboard.compat.proto import event_pb2, summary_pb2, tensor_pb2, tensor_shape_pb2, types_pb2
from tensorboard.util.tensor_util import make_ndarray

from curveclinic.phrases import counted
from curveclinic.readers import event_columns
from curveclinic.readers.crc import crc
from curveclinic.readers.event_file import decode


@pytest.fixture(autouse=True)
def _nothing_remembered():
    event_columns._known_layouts.cache_clear()


def tensor(tag, value, dtype=types_pb2.DT_FLOAT, *, as_content=True, metadata=False):
    shape = tensor_shape_pb2.TensorShapeProto()
    proto = tensor_pb2.TensorProto(dtype=dtype, tensor_shape=shape)
    if dtype == types_pb2.DT_INT32:
        proto.int_val.append(int(np.nan_to_num(value)) % 1000)
    elif as_content:
        proto.tensor_content = np.array(value, dtype="<f4" if dtype == types_pb2.DT_FLOAT else "<f8").tobytes()
    elif dtype == types_pb2.DT_FLOAT:
        proto.float_val.append(value)
    else:
        proto.double_val.append(value)
    found = summary_pb2.Summary.Value(tag=tag, tensor=proto)
    if metadata:
        found.metadata.plugin_data.plugin_name = "scalars"
    return found


def histogram(tag, value):
    return summary_pb2.Summary.Value(tag=tag, histo=summary_pb2.HistogramProto(min=value, max=1.0, num=5))


def image(tag, size):
    return summary_pb2.Summary.Value(
        tag=tag, image=summary_pb2.Summary.Image(height=1, encoded_image_string=b"x" * size)
    )


def text(tag, words):
    proto = tensor_pb2.TensorProto(dtype=types_pb2.DT_STRING, string_val=[words])
    return summary_pb2.Summary.Value(tag=tag, tensor=proto)


def columns_of(tags):
    return {tag: [column.tolist() for column in columns] for tag, columns in tags.items()}


def same(a, b):
    """Equal tags in equal order, NaN equal to NaN."""
    assert list(a) == list(b)
    for tag in a:
        for mine, other in zip(a[tag], b[tag], strict=True):
            assert np.array_equal(mine, other, equal_nan=True), tag


def check(data):
    """Decodes both ways, with nothing and then with everything remembered."""
    slow = decode(data, columnwise=False)
    for _ in range(2):
        fast = decode(data)
        same(fast.tags, slow.tags)
        assert (fast.starts, fast.notes, fast.n_records) == (slow.starts, slow.notes, slow.n_records)
    return fast


TAGS = ("loss/a", "loss/b", "acc/xy", "x", "train", "valid", "long/" + "y" * 60, "ü")
"""Several of equal length: their records look alike but for a few bytes."""
STEPS = st.one_of(
    st.integers(0, 300),
    st.sampled_from([0, 127, 128, 16383, 16384, 2**21 - 1, 2**21, 2**31, 2**35, 2**53, 2**63 - 1]),
    st.sampled_from([-1, -2, -(2**31), -(2**63)]),
)
VALUES = st.floats(width=32, allow_nan=True, allow_infinity=True)
WALLS = st.one_of(st.floats(0, 2e9), st.sampled_from([0.0, 1.7e9]))


@st.composite
def one_value(draw):
    tag, value = draw(st.sampled_from(TAGS)), draw(VALUES)
    kind = draw(st.sampled_from(["simple"] * 6 + ["content", "val", "double", "int", "metadata", "empty", "histogram"]))
    return {
        "simple": lambda: scalar(tag, value),
        "content": lambda: tensor(tag, value),
        "val": lambda: tensor(tag, value, as_content=False),
        "double": lambda: tensor(tag, value, types_pb2.DT_DOUBLE),
        "int": lambda: tensor(tag, value, types_pb2.DT_INT32),
        "metadata": lambda: tensor(tag, value, metadata=True),
        "empty": lambda: summary_pb2.Summary.Value(tag=tag),
        "histogram": lambda: histogram(tag, 0.5),
    }[kind]()


@st.composite
def event_files(draw):
    """Records in bursts, so that columns form, with others strewn in between."""
    records = [record(event_pb2.Event(wall_time=1.0, file_version="brain.Event:2"))]
    for _ in range(draw(st.integers(1, 6))):
        tags = draw(st.lists(st.sampled_from(TAGS), min_size=1, max_size=3))
        as_tensor, together = draw(st.booleans()), draw(st.booleans())
        make = tensor if as_tensor else scalar
        first, wall = draw(STEPS), draw(WALLS)
        for k in range(draw(st.integers(1, 40))):
            step = min(first + k, 2**63 - 1)
            values = [make(tag, draw(VALUES)) for tag in tags]
            grouped = [values] if together else [[v] for v in values]
            records += [record(event(step, *group, wall=wall + k)) for group in grouped]
            if draw(st.integers(0, 9)) == 0:
                records.append(record(event(step, *draw(st.lists(one_value(), max_size=3)))))
        records.append(
            draw(
                st.sampled_from(
                    [
                        record(event(1, image("picture", 300))),
                        record(event(1, text("note", b"words"))),
                        record(event_pb2.Event(session_log=event_pb2.SessionLog(status=1), step=first)),
                        record(b"\xff" * 30),
                        record(b""),
                    ]
                )
            )
        )
    return records


def by_protobuf(records):
    """Tag -> [(wall time, step, value)] by the message classes that TensorBoard uses."""
    tags = {}
    for item in records:
        try:
            found = event_pb2.Event.FromString(item[12:-4])
        except DecodeError:
            continue
        for value in found.summary.value:
            number = _number(value)
            if number is not None:
                tags.setdefault(value.tag, []).append((found.wall_time, float(found.step), number))
    return tags


def _number(value):
    kind = value.WhichOneof("value")
    if kind == "simple_value":
        return value.simple_value
    if kind == "tensor" and value.tensor.dtype != types_pb2.DT_STRING:
        return float(make_ndarray(value.tensor))
    return 0.0 if kind is None else None


@settings(max_examples=60, deadline=None)
@given(event_files())
def test_columns_equal_the_reference(records):
    found = check(b"".join(records))
    assert not found.notes
    assert found.n_records == len(records)


@settings(max_examples=40, deadline=None)
@given(event_files())
def test_the_reference_equals_protobuf(records):
    found = decode(b"".join(records), columnwise=False).tags
    expected = by_protobuf(records)
    assert found.keys() == expected.keys()
    for tag, points in expected.items():
        assert np.array_equal(np.array(found[tag]).T, np.array(points), equal_nan=True), tag


@settings(max_examples=60, deadline=None)
@given(event_files(), st.integers(0, 10**6))
def test_a_cut_file_gives_what_stands_before_the_cut(records, cut):
    data = b"".join(records)
    cut %= len(data)
    found = check(data[:cut])
    ends = np.cumsum([len(r) for r in records])
    n_whole = int(np.searchsorted(ends, cut, side="right"))
    assert found.n_records == n_whole
    same(found.tags, decode(b"".join(records[:n_whole])).tags)
    assert bool(found.notes) == (cut not in (0, *ends))


@settings(max_examples=80, deadline=None)
@given(event_files(), st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 7)), min_size=1, max_size=3))
def test_flipped_bits_never_make_a_wrong_number(records, flips):
    data = bytearray(b"".join(records))
    clean = decode(bytes(data)).tags
    for at, bit in flips:
        data[at % len(data)] ^= 1 << bit
    found = check(bytes(data))
    for tag, columns in found.tags.items():
        points = [tuple(map(repr, p)) for p in zip(*(c.tolist() for c in columns), strict=True)]
        before = [tuple(map(repr, p)) for p in zip(*(c.tolist() for c in clean[tag]), strict=True)]
        rest = iter(before)
        assert all(p in rest for p in points)  # a subsequence of what was written
    if sum(len(c[0]) for c in found.tags.values()) < sum(len(c[0]) for c in clean.values()):
        assert found.notes


def test_equal_lengths_of_different_kinds_are_told_apart():
    """The length of a record says nothing of what is in it: a version record may be as long as a scalar."""
    scalar_length = len(event(5, scalar("loss/a", 1.0)).SerializeToString())
    version = event_pb2.Event(wall_time=1.0, file_version="v")
    version.file_version += "v" * (scalar_length - len(version.SerializeToString()))
    assert len(version.SerializeToString()) == scalar_length
    records = [record(version)]
    for k in range(1, 100):
        records += [record(event(k, scalar("loss/a", k))), record(version), record(event(k, scalar("loss/b", -k)))]
    tags = check(b"".join(records)).tags
    assert tags["loss/a"][2].tolist() == list(range(1, 100))
    assert tags["loss/b"][2].tolist() == [-k for k in range(1, 100)]


def test_many_tags_of_one_length_are_told_apart():
    rng = np.random.default_rng(0)
    tags = [f"layer_{k:03d}/norm" for k in range(300)]
    data, expected = [], {tag: [] for tag in tags}
    for step in range(12):
        for tag in rng.permutation(tags):
            value = float(np.float32(rng.normal()))
            data.append(record(event(step, scalar(str(tag), value))))
            expected[tag].append(value)
    found = check(b"".join(data)).tags
    assert {tag: columns[2].tolist() for tag, columns in found.items()} == expected


def test_tags_that_mix_to_one_number_go_to_the_reference(monkeypatch):
    monkeypatch.setattr(event_columns, "_MIX", np.uint64(0))  # every tag but the first mixes to zero
    data = b"".join(record(event(k, scalar(f"loss/{'abc'[k % 3]}", k))) for k in range(1, 100))
    tags = check(data).tags
    assert {tag: columns[1].tolist() for tag, columns in tags.items()} == {
        f"loss/{name}": list(range(k, 100, 3)) for name, k in (("b", 1), ("c", 2), ("a", 3))
    }


def test_several_numbers_of_one_tag_in_one_event_keep_their_order():
    data = b"".join(record(event(k, scalar("loss", 2 * k), scalar("loss", 2 * k + 1))) for k in range(1, 50))
    assert check(data).tags["loss"][2].tolist() == list(range(2, 100))


def test_the_tags_of_one_event_stay_in_order():
    late = [record(event(k, scalar("b", 1.0))) for k in range(200, 240)]
    both = [record(event(k, scalar("a", 1.0), scalar("b", 2.0))) for k in range(1, 40)]
    assert list(check(b"".join([*both, *late])).tags) == ["a", "b"]


@pytest.mark.parametrize("n_bad", [1, 5, 100])
def test_damaged_records_are_counted_and_left_out(n_bad):
    records = [bytearray(record(event(k, scalar("loss", k)))) for k in range(1, 129)]
    for item in records[:n_bad]:
        item[-6] ^= 4  # within the value
    found = check(b"".join(records))
    assert found.tags["loss"][2].tolist() == list(range(n_bad + 1, 129))
    assert found.notes == [f"left out {counted(n_bad, 'record')} with a wrong checksum"]


def test_columns_are_used_at_all(monkeypatch):
    """Or the tests above compare the reference with itself."""
    data = b"".join(record(event(k, scalar("loss", k), scalar("acc", 1.0))) for k in range(128, 1000))
    seen = []
    original = event_columns.take

    def counted(*args):
        taken = original(*args)
        seen.append((sum(len(p.values) for _, p in taken.found), len(taken.left)))
        return taken

    monkeypatch.setattr("curveclinic.readers.event_file.take", counted)
    assert len(decode(data).tags["loss"][2]) == 872
    assert (sum(n for n, _ in seen), sum(n for _, n in seen)) == (1744, 0)


@pytest.mark.parametrize("size", [0, 1, 8, 63, 64, 2047, 2048, 2049, 4096 + 17, 64 * 33, 100_003])
def test_checksums_by_blocks_equal_those_byte_by_byte(size):
    data = np.random.default_rng(size).bytes(size)
    table = [0] * 256
    for k in range(256):
        table[k] = k
        for _ in range(8):
            table[k] = table[k] >> 1 ^ (0x82F63B78 if table[k] & 1 else 0)
    register = 0xFFFFFFFF
    for byte in data:
        register = table[(register ^ byte) & 0xFF] ^ register >> 8
    assert crc(data) == register ^ 0xFFFFFFFF
    assert crc(b"123456789") == 0xE3069283  # the check value of CRC-32C
