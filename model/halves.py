"""Weights in half precision in an ONNX file, half its size; onnxruntime makes them floats again when it loads them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper, numpy_helper

_ENDING: Final = "_half"
"""What stands behind the name of an array that is stored in half precision."""


def halved(model: onnx.ModelProto) -> onnx.ModelProto:
    """Returns the graph with its matrices and filters stored in half precision, a cast to float behind each."""
    arrays = {one.name: numpy_helper.to_array(one) for one in model.graph.initializer}
    large = {name: array for name, array in arrays.items() if array.dtype == np.float32 and array.ndim > 1}
    casts = [helper.make_node("Cast", [name + _ENDING], [name], to=onnx.TensorProto.FLOAT) for name in large]
    halves = {name + _ENDING: array.astype(np.float16) for name, array in large.items()}
    rest = {name: array for name, array in arrays.items() if name not in large}
    return rebuilt(model, [*casts, *model.graph.node], rest | halves)


def in_floats(model: onnx.ModelProto) -> onnx.ModelProto:
    """Returns the graph with all that is stored in half precision as floats, without the casts."""
    arrays = {one.name: numpy_helper.to_array(one) for one in model.graph.initializer}
    casts = {node.input[0]: node.output[0] for node in model.graph.node if node.op_type == "Cast"}
    halves = {name for name, array in arrays.items() if array.dtype == np.float16 and name in casts}
    nodes = [node for node in model.graph.node if not (node.op_type == "Cast" and node.input[0] in halves)]
    floats = {
        casts[name] if name in halves else name: array.astype(np.float32) if name in halves else array
        for name, array in arrays.items()
    }
    return rebuilt(model, nodes, floats)


def rebuilt(
    model: onnx.ModelProto, nodes: Sequence[onnx.NodeProto], arrays: Mapping[str, npt.NDArray[Any]]
) -> onnx.ModelProto:
    """Returns the graph with other nodes in order, and other arrays by name; its inputs and outputs stay."""
    out = onnx.ModelProto()
    out.CopyFrom(model)
    for field in ("node", "initializer", "value_info"):
        out.graph.ClearField(field)
    out.graph.node.extend(nodes)
    out.graph.initializer.extend(numpy_helper.from_array(array, name) for name, array in arrays.items())
    onnx.checker.check_model(out)
    return out
