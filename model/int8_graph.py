"""The network with its convolutions in 8-bit integers: a float graph in, the same graph quantised out.

Three convolutions of each network take four fifths of the time; only they are quantised, the rest stays as it is. One
byte is too coarse for an activation whose largest value is ten times the usual one, so some get more of them, which
integer units hardly notice:

- what one convolution hands to the next is a sum of parts, min(x, reach) and then what lies beyond (outlier channel
  splitting, Zhao et al. 2019): a part is one more output channel, with another bias, that saturates at 255;
- cells of the training loss are a byte, and a second one for what the first has rounded away.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime as ort
from onnx import helper, numpy_helper

from curveclinic.model.encoder import TENSOR_CHANNELS
from curveclinic.model.halves import halved, in_floats, rebuilt
from curveclinic.model.rounding import rounded
from curveclinic.ragged import FloatArray, IntArray

Float32Array = npt.NDArray[np.float32]

_REACH: Final = 0.999
"""Quantile of the values between two convolutions that one part reaches; most channels need one part or two."""

_TRAIN_LOSS: Final = [k for k, name in enumerate(TENSOR_CHANNELS) if name.startswith("train_loss__")]
_FINE: Final = slice(_TRAIN_LOSS[0], _TRAIN_LOSS[-1])
"""Channels of cells that get a second byte: the training loss, but for the mask that is last of its channels. It does
half the harm of one byte; each further channel costs time."""

_FINER: Final = 8
"""How much finer the second byte of a cell is than the first."""

_ZERO: Final = 128
"""Byte of a cell of 0."""

_LAST: Final = 255
"""Largest byte."""

_Nodes = tuple[list[onnx.NodeProto], dict[str, Any]]
"""Nodes of a graph in order, and the arrays that belong to them by name."""


@dataclass(frozen=True, eq=False)
class Layer:
    """A convolution and the ReLU behind it.

    Attributes:
        conv: node of the convolution.
        output: name of what the ReLU gives.
        weights: (outputs, inputs, taps).
        bias: (outputs,).
    """

    conv: onnx.NodeProto
    output: str
    weights: FloatArray
    bias: FloatArray

    def windows(self, values: FloatArray) -> FloatArray:
        """(n * places, inputs * taps) what the convolution sees of (n, inputs, length) values at each place."""
        option = {attribute.name: list(attribute.ints) for attribute in self.conv.attribute}
        padded = np.pad(values, ((0, 0), (0, 0), tuple(option["pads"])))
        seen = np.lib.stride_tricks.sliding_window_view(padded, self.weights.shape[2], axis=2)
        taken = seen[:, :, :: option["strides"][0]].transpose(0, 2, 1, 3)
        windows: FloatArray = taken.reshape(-1, values.shape[1] * self.weights.shape[2])
        return windows


@dataclass(frozen=True, eq=False)
class Parts:
    """How the channels of an activation are told in bytes.

    Attributes:
        channel: (m,) channel that each part is of.
        first: (m,) value at which it begins.
        reach: value above that at which it ends.
        unit: (m,) or () what the other two are multiples of.
    """

    channel: IntArray
    first: FloatArray
    reach: float
    unit: FloatArray

    def of(self, values: FloatArray) -> FloatArray:
        """(n, m, length) the parts of (n, channels, length) values, in units."""
        told: FloatArray = np.clip(values[:, self.channel] - self.first[:, None], 0.0, self.reach)
        return told


def int8_graph(model: onnx.ModelProto, tensor: Float32Array, features: Float32Array) -> onnx.ModelProto:
    """Returns the network with its convolutions in integers.

    Args:
        model: the float network.
        tensor, features: encoded runs, (n, channels, cells) and (n, features), that ranges and rounding are fitted to.
    """
    model = in_floats(model)
    layers = list(_layers(model))
    seen = _activations(model, [layer.output for layer in layers], tensor, features)
    cells, step = _cells(tensor)
    nodes, stored = _cell_nodes(layers[0].conv.input[0], step)
    source = nodes[-1].output[0]
    for chain in _chains(layers):
        more, arrays = _chain_nodes(chain, source, cells, step, seen)
        nodes, stored = nodes + more, stored | arrays
    return _replaced(model, layers, nodes, stored)


def _chains(layers: Sequence[Layer]) -> Iterator[list[Layer]]:
    """Yields the layers of each network, each after the one it reads."""
    after = {layer.conv.input[0]: layer for layer in layers}
    outputs = {layer.output for layer in layers}
    for first in layers:
        if first.conv.input[0] not in outputs:
            chain = [first]
            while chain[-1].output in after:
                chain.append(after[chain[-1].output])
            yield chain


def _chain_nodes(
    layers: Sequence[Layer], source: str, inputs: FloatArray, step: float, seen: Mapping[str, FloatArray]
) -> _Nodes:
    """Nodes of the convolutions of one network in integers.

    Args:
        layers: its convolutions.
        source: name of the bytes of the cells.
        inputs: the numbers they are read as.
        step: difference between two of these bytes.
        seen: name -> values inside the float network.
    """
    nodes, stored = list[onnx.NodeProto](), dict[str, Any]()
    weights = np.concatenate([layers[0].weights, layers[0].weights[:, _FINE] / _FINER], axis=1)
    for layer, next_ in zip(layers, [*layers[1:], None], strict=True):
        values = seen[layer.output]
        integers, scale = rounded(weights.reshape(len(weights), -1), layer.windows(inputs))
        parts = _whole(values) if next_ is None else _parts(values)
        more, arrays = _conv_nodes(layer, source, integers.reshape(weights.shape), scale, step, parts)
        nodes, stored, source = nodes + more, stored | arrays, layer.output
        if next_ is not None:
            inputs, step, weights = parts.of(values), parts.reach / _LAST, next_.weights[:, parts.channel]
    return nodes, stored


def _layers(model: onnx.ModelProto) -> Iterator[Layer]:
    """Yields the convolutions with a ReLU behind them, in order."""
    arrays = {one.name: numpy_helper.to_array(one).astype(np.float64) for one in model.graph.initializer}
    relus = {node.input[0]: node.output[0] for node in model.graph.node if node.op_type == "Relu"}
    for node in model.graph.node:
        if node.op_type == "Conv" and node.output[0] in relus:
            yield Layer(node, relus[node.output[0]], arrays[node.input[1]], arrays[node.input[2]])


def _activations(
    model: onnx.ModelProto, names: Sequence[str], tensor: Float32Array, features: Float32Array
) -> dict[str, FloatArray]:
    """Name -> values inside the float network, (n, channels, length) each."""
    open_model = onnx.ModelProto()
    open_model.CopyFrom(model)
    open_model.graph.output.extend(helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in names)
    session = ort.InferenceSession(open_model.SerializeToString(), providers=["CPUExecutionProvider"])
    found = session.run(list(names), {"tensor": tensor, "features": features})
    return {name: values.astype(np.float64) for name, values in zip(names, found, strict=True)}


def _cells(tensor: Float32Array) -> tuple[FloatArray, float]:
    """First and second bytes of all cells as the numbers they are read as, and the step of these bytes."""
    values = tensor.astype(np.float64)
    step = float(np.abs(values).max() / (_LAST - _ZERO))
    first = np.rint(values / step) * step
    return np.concatenate([first, (values - first)[:, _FINE] * _FINER], axis=1), step


def _parts(values: FloatArray) -> Parts:
    """Parts of an activation (n, channels, length) that the next convolution adds up."""
    reach = float(np.quantile(values, _REACH))
    counts = np.maximum(np.ceil(values.max(axis=(0, 2)) / reach), 1).astype(np.int64)
    number = np.concatenate([np.arange(count) for count in counts])
    return Parts(np.repeat(np.arange(len(counts)), counts), number * reach, reach, np.ones(()))


def _whole(values: FloatArray) -> Parts:
    """One part a channel, in units of its largest value: for what is made floats again."""
    largest = np.maximum(values.max(axis=(0, 2)), np.finfo(np.float32).tiny)
    return Parts(np.arange(len(largest)), np.zeros(len(largest)), 1.0, largest)


def _cell_nodes(name: str, step: float) -> _Nodes:
    """Nodes from the encoded curves to the bytes of their cells."""
    node, byte, fine = helper.make_node, ["cell_step", "cell_zero"], ["fine_begin", "fine_end", "channel_axis"]
    nodes = [
        node("QuantizeLinear", [name, *byte], ["first_bytes"]),
        node("Slice", [name, *fine], ["fine_cells"]),
        node("Slice", ["first_bytes", *fine], ["fine_bytes"]),
        node("DequantizeLinear", ["fine_bytes", *byte], ["fine_told"]),
        node("Sub", ["fine_cells", "fine_told"], ["fine_rest"]),
        node("QuantizeLinear", ["fine_rest", "fine_step", "cell_zero"], ["second_bytes"]),
        node("Concat", ["first_bytes", "second_bytes"], ["bytes"], axis=1),
        node("DequantizeLinear", ["bytes", *byte], ["cells"]),
    ]
    stored = {"cell_step": np.float32(step), "fine_step": np.float32(step / _FINER), "cell_zero": np.uint8(_ZERO)}
    places = {"fine_begin": [_FINE.start], "fine_end": [_FINE.stop], "channel_axis": [1]}
    return nodes, stored | {key: np.array(value, dtype=np.int64) for key, value in places.items()}


def _conv_nodes(
    layer: Layer, source: str, integers: npt.NDArray[np.int8], scale: FloatArray, step: float, parts: Parts
) -> _Nodes:
    """Nodes of one convolution in integers with its ReLU.

    Args:
        layer: the float convolution; the nodes give a value of the name of its output.
        source: name of the input, a value made of bytes.
        integers: (outputs, inputs, taps) weights.
        scale: (outputs,) what makes weights of them.
        step: difference between two bytes of the input.
        parts: how the output is told.
    """
    name, node = layer.output, helper.make_node
    own_scale = (scale[parts.channel] / parts.unit).astype(np.float32)
    bias_scale = own_scale * np.float32(step)
    bias = (layer.bias[parts.channel] - parts.first) / parts.unit
    stored = {
        f"{name}_weight": integers[parts.channel],
        f"{name}_weight_scale": own_scale,
        f"{name}_bias": np.rint(bias / bias_scale).astype(np.int32),
        f"{name}_bias_scale": bias_scale,
        f"{name}_step": np.float32(parts.reach / _LAST),
        f"{name}_zero": np.uint8(0),
        f"{name}_scale": (parts.unit * parts.reach / _LAST).astype(np.float32),
    }
    conv = node("Conv", [source, f"{name}_float_weight", f"{name}_float_bias"], [f"{name}_sum"])
    conv.attribute.extend(layer.conv.attribute)
    nodes = [
        node("DequantizeLinear", [f"{name}_weight", f"{name}_weight_scale"], [f"{name}_float_weight"], axis=0),
        node("DequantizeLinear", [f"{name}_bias", f"{name}_bias_scale"], [f"{name}_float_bias"], axis=0),
        conv,
        node("Relu", [f"{name}_sum"], [f"{name}_positive"]),
        node("QuantizeLinear", [f"{name}_positive", f"{name}_step", f"{name}_zero"], [f"{name}_bytes"]),
        node("DequantizeLinear", [f"{name}_bytes", f"{name}_scale"], [name], axis=1),
    ]
    return nodes, stored


def _replaced(
    model: onnx.ModelProto, layers: Sequence[Layer], nodes: Sequence[onnx.NodeProto], stored: dict[str, Any]
) -> onnx.ModelProto:
    """The network with these nodes and arrays in place of the layers."""
    gone = {name for layer in layers for name in (layer.output, layer.conv.output[0])}
    kept = [node for node in model.graph.node if node.output[0] not in gone]
    used = {name for node in kept for name in node.input}
    arrays = {one.name: numpy_helper.to_array(one) for one in model.graph.initializer if one.name in used}
    return halved(rebuilt(model, [*nodes, *kept], arrays | {name: np.asarray(one) for name, one in stored.items()}))
