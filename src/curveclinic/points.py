"""Whatever holds numbers -> points: sequences, arrays, tensors, columns; what is missing, and what is no number."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt

from curveclinic.errors import InputError
from curveclinic.phrases import counted

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

Points = tuple[FloatArray | None, FloatArray]
"""Steps (None: not logged) and values of one raw series; missing points are left out."""

_STORED_INF = 1.797e308
"""Databases without Inf (MLflow's) store the largest float in its place."""

MISSING_TEXT = frozenset(("", "na", "n/a", "<na>", "null", "none", "-", "--"))
"""Cells that mean "nothing was logged here", lower-case; NaN is not among them."""

_PLAIN = frozenset((float, int, np.float64, np.float32))
"""Types of the cells of most lists, and of lists of arrays: never missing, never text."""

_NESTED = "; of several runs give a mapping each, of batches the mean of each epoch"
"""Advice on lists within a list."""

_TEXT_VALUES = {
    "nan": np.nan,
    "inf": np.inf,
    "+inf": np.inf,
    "infinity": np.inf,
    "+infinity": np.inf,
    "-inf": -np.inf,
    "-infinity": -np.inf,
}


@dataclass(frozen=True, eq=False)
class Series:
    """One logged channel.

    Attributes:
        steps: (n,) float64, strictly increasing.
        values: (n,) float64; NaN and Inf are data, missing points are left out.
    """

    steps: FloatArray
    values: FloatArray

    def __len__(self) -> int:
        return len(self.values)


def as_points(name: str, data: Any) -> tuple[FloatArray | None, FloatArray]:
    """Returns (steps, values) of a channel's raw data without its missing points.

    Steps are None when they were not given, unless points are missing: then position, from 1, is the step.
    The index of a pandas Series gives them, unless it only counts.

    Raises:
        InputError: the data is not a sequence of numbers, or steps and values differ in length.
    """
    if isinstance(data, Series):
        return data.steps, data.values
    if _is_ready(data):
        return None, with_inf(data)
    data = _unpacked(data)
    if _is_pair(data):
        source = _column(name, data[1])
        steps, values = _array(f"{name}, steps", _in_seconds(_column(name, data[0]))), _numbers(name, source)
        if len(steps) != len(values):
            raise InputError(f"{name}: {len(steps)} steps but {len(values)} values; give one step for every value")
        if _is_plain(source):
            return steps, values
        here = _present(source, len(values))
        return steps[here], values[here]
    data = _column(name, data)
    if has_steps(data):
        return as_points(name, (index_of(data), data))
    values = _numbers(name, data)
    if _is_plain(data):
        return None, values
    # A gap keeps its place on the implied axis: position, not count, is the step.
    keep = _present(data, len(values))
    if keep.all():
        return None, values
    return np.arange(1, len(values) + 1, dtype=np.float64)[keep], values[keep]


def index_of(data: Any) -> FloatArray | None:
    """Returns the index of a pandas Series whose numbers increase; None for others."""
    index = getattr(data, "index", None)
    if getattr(getattr(index, "dtype", None), "kind", "") not in ("i", "u", "f"):
        return None
    steps = np.asarray(index, dtype=np.float64)
    return steps if (steps[1:] > steps[:-1]).all() and not np.isnan(steps).any() else None


def has_steps(data: Any) -> bool:
    """Whether data are a Series whose index says more than the places of its values, from 0."""
    index = index_of(data)
    return index is not None and not np.array_equal(index, np.arange(len(index)))


def without_index(data: Any) -> Any:
    """Returns the values of a Series, anything else as it is."""
    return data if index_of(data) is None else data.to_numpy()


def _is_ready(data: Any) -> bool:
    """Whether it is an array of values as they are kept."""
    return type(data) is np.ndarray and data.dtype == np.float64 and data.ndim == 1


def _unpacked(data: Any) -> Any:
    """Returns (steps, values) of a list of TensorBoard's `ScalarEvent` or MLflow's `Metric`; anything else as it is."""
    is_logged = isinstance(data, (list, tuple)) and all(hasattr(p, "step") and hasattr(p, "value") for p in data)
    if not is_logged or not data:
        return data
    return [point.step for point in data], [point.value for point in data]


def _is_pair(data: Any) -> bool:
    """Whether data are (steps, values)."""
    if not isinstance(data, tuple) or len(data) != 2:
        return False
    return isinstance(data[0], np.ndarray) or not (data[0] is None or np.isscalar(data[0]))


def _column(name: str, data: Any) -> Any:
    """What holds the values of an Arrow array, whose nulls are missing, or of a table of one column."""
    if type(data).__module__.partition(".")[0] == "pyarrow" and hasattr(data, "null_count"):
        is_plain = not data.null_count and str(data.type).startswith(("double", "float", "int", "uint"))
        return np.asarray(data) if is_plain else data.to_pylist()
    if type(data).__name__ == "DataFrame":
        columns = list(data.columns)
        if len(columns) != 1:
            found = counted(len(columns), "column")
            raise InputError(f"{name}: found a table of {found}, expected one sequence of numbers")
        return data[columns[0]]
    return data


def _in_seconds(steps: Any) -> Any:
    """Returns steps; those that are all a `datetime` as seconds."""
    if not isinstance(steps, (list, tuple)) or not steps or not isinstance(steps[0], datetime):
        return steps
    return [step.timestamp() if isinstance(step, datetime) else step for step in steps]


def _is_plain(source: Any) -> bool:
    """Whether the data can hold numbers only, so that no cell needs a look."""
    if isinstance(source, np.ndarray):
        # masked arrays are asked about last: NumPy loads them when they are first named
        return bool(source.dtype != object) and (
            type(source) is np.ndarray or not isinstance(source, np.ma.MaskedArray)
        )
    return isinstance(source, (list, tuple)) and _PLAIN.issuperset(map(type, source))


def _present(source: Any, size: int) -> npt.NDArray[np.bool_]:
    return np.fromiter((not _is_missing(v) for v in source), dtype=bool, count=size)


def _is_missing(value: Any) -> bool:
    if isinstance(value, str):
        return value.strip().lower() in MISSING_TEXT
    if hasattr(value, "as_py"):  # what an Arrow array holds
        value = value.as_py()
    return value is None or type(value).__name__ in ("NAType", "MaskedConstant")


def _numbers(name: str, data: Any) -> FloatArray:
    """Values as float64; missing ones are NaN here and are dropped by the caller."""
    if getattr(getattr(data, "dtype", None), "kind", "f") in "Mm":
        raise InputError(f"{name}: found times among the values, expected numbers; times may be steps: (steps, values)")
    return with_inf(_array(name, data))


def _array(name: str, data: Any) -> FloatArray:
    if _is_ready(data):
        return np.asarray(data)
    if data is None or isinstance(data, (str, bytes, Mapping, Iterator, set)) or np.isscalar(data):
        raise InputError(f"{name}: found {type(data).__name__}, expected a sequence of numbers")
    if hasattr(data, "detach"):
        data = _of_tensor(name, data)
    if getattr(getattr(data, "dtype", None), "kind", "f") == "c":
        raise InputError(f"{name}: found complex numbers, expected real ones, such as their magnitudes")
    try:
        array = np.asarray(data, dtype=np.float64)
    except (TypeError, ValueError, RuntimeError, OverflowError):
        array = np.array([_number(name, value) for value in _listed(name, data)], dtype=np.float64)
    if array.ndim == 2 and array.shape[1] == 1:  # a column, or numbers that were kept as tensors of one element
        array = array[:, 0]
    if array.ndim != 1:
        advice = "; give steps and values as a tuple of two: (steps, values)" if 2 in array.shape else _NESTED
        raise InputError(f"{name}: found an array of shape {array.shape}, expected one dimension{advice}")
    return array


def _of_tensor(name: str, tensor: Any) -> Any:
    """Values of a torch tensor, which may be on a device, part of a graph, or of a type that NumPy lacks (bfloat16)."""
    try:
        return tensor.detach().double().cpu().numpy()
    except (TypeError, RuntimeError, NotImplementedError) as error:  # sparse, or without data
        raise InputError(f"{name}: found a tensor without plain values ({error}), expected numbers") from None


def with_inf(values: FloatArray) -> FloatArray:
    """Returns values with Inf where a database stored the largest float in its place."""
    if not len(values) or -_STORED_INF < values[values.argmin()] <= values[values.argmax()] < _STORED_INF:
        return values
    overflow = (np.abs(values) >= _STORED_INF).nonzero()[0]  # NaN leads here, too
    found = values[overflow]
    if np.isinf(found).all():  # or there is none
        return values
    out: FloatArray = values.copy()
    out[overflow] = np.copysign(np.inf, found)
    return out


def _listed(name: str, data: Any) -> list[Any]:
    try:
        return list(data)
    except TypeError:
        raise InputError(f"{name}: found {type(data).__name__}, expected a sequence of numbers") from None


def as_number(value: Any) -> float | None:
    """Returns the number a cell holds, None for a missing one; NaN and Inf are numbers.

    Raises:
        ValueError: the cell holds something else.
    """
    if _is_missing(value):
        return None
    number = _number("cell", value)
    return float(np.copysign(np.inf, number)) if abs(number) >= _STORED_INF else number


def _number(name: str, value: Any) -> float:
    if hasattr(value, "as_py"):  # older Arrow scalars are no numbers
        value = value.as_py()
    if _is_missing(value):
        return np.nan
    if isinstance(value, str):
        text = value.strip().lower()
        if text in _TEXT_VALUES:
            return _TEXT_VALUES[text]
    elif hasattr(value, "detach"):  # a torch tensor that is part of a graph warns where it becomes a number
        value = value.detach()
    try:
        return float(value.strip().removesuffix("%") if isinstance(value, str) else value)
    except (TypeError, ValueError, RuntimeError, OverflowError):
        if isinstance(value, (list, tuple)) or getattr(value, "ndim", 0) > 0:
            found = f"{type(value).__name__} of {len(value)}"
            raise InputError(f"{name}: found a {found} among the values, expected a number{_NESTED}") from None
        raise InputError(f"{name}: found {str(value)[:40]!r} among the values, expected a number") from None
