"""Records of arrays, a row a run."""

from dataclasses import dataclass

import numpy as np

from curveclinic.ragged import FloatArray, IntArray
from curveclinic.records import joined, taken


@dataclass(eq=False)
class Inner:
    curve: FloatArray


@dataclass(eq=False)
class Outer:
    number: IntArray
    named: dict[str, FloatArray]
    inner: Inner


def outer(*numbers: int) -> Outer:
    array = np.array(numbers)
    return Outer(array, {"half": array / 2}, Inner(np.outer(array, [1.0, 10.0])))


def shown(record: Outer) -> tuple[list[int], list[float], list[list[float]]]:
    return record.number.tolist(), record.named["half"].tolist(), record.inner.curve.tolist()


def test_some_runs_of_a_record():
    assert shown(taken(outer(4, 6, 8), np.array([2, 0]))) == shown(outer(8, 4))


def test_parts_of_a_batch_as_one():
    parts = [outer(2, 4), outer(6), outer()]
    assert shown(joined(parts)) == shown(outer(2, 4, 6))
    assert shown(joined(parts, np.array([2, 0, 1]))) == shown(outer(6, 2, 4))


def test_a_single_part_is_the_whole():
    part = outer(2, 4)
    assert joined([part]) is part
