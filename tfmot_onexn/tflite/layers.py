"""Finds the layers of a `.tflite` file with kernels, and how often they use them."""

import dataclasses
import re
from collections.abc import Iterator
from typing import Any, TypeAlias

from ai_edge_litert import schema_py_generated as schema

from tfmot_onexn.tflite import flatbuffer, sizes

Op = schema.BuiltinOperator


@dataclasses.dataclass(frozen=True)
class Place:
    """Where a layer stands.

    Attributes:
      graph: the subgraph's index.
      operator: the operator's index in it.
      tensor: the tensor that the layer reads as its kernel, a `DENSIFY`'s result if
        the kernel is stored sparse.
    """

    graph: int
    operator: int
    tensor: int


@dataclasses.dataclass(frozen=True)
class Layer:
    """A stored kernel and what uses it.

    Attributes:
      name: that the layer has in its Keras model, as far as the file tells.
      operator: the schema's name of the first operator that uses it.
      stored: the tensor as stored, a ``TensorT``.
      places: every operator that uses it.
      positions: output positions per image over all uses, None if not known.
      strided: whether it is a convolution with strides.
    """

    name: str
    operator: str
    stored: Any
    places: tuple[Place, ...]
    positions: int | None
    strided: bool


Uses: TypeAlias = list[tuple[Place, Any]]

# operator -> its name in the schema and the rank of its kernel
_KINDS = {
    Op.CONV_2D: ("CONV_2D", 4),
    Op.DEPTHWISE_CONV_2D: ("DEPTHWISE_CONV_2D", 4),
    Op.CONV_3D: ("CONV_3D", 5),
    Op.TRANSPOSE_CONV: ("TRANSPOSE_CONV", 4),
    Op.CONV_3D_TRANSPOSE: ("CONV_3D_TRANSPOSE", 5),
    Op.FULLY_CONNECTED: ("FULLY_CONNECTED", 2),
}
_LEAST_INPUTS = {Op.TRANSPOSE_CONV: 3, Op.CONV_3D_TRANSPOSE: 3}
_KERNEL = 1


def find(model: Any) -> list[Layer]:
    """Returns the layers of a file in the order of its operators.

    A kernel that several operators use is one layer.

    Args:
      model: a ``ModelT`` that `validation` accepts.
    """
    uses: dict[tuple[int, int], Uses] = {}
    for number, graph in enumerate(model.subgraphs):
        for place, stored, operator in _uses(model, graph, number):
            uses.setdefault((number, stored), []).append((place, operator))
    sizes_of = [sizes.Sizes(model, graph) for graph in model.subgraphs]
    found = [
        _layer(model, number, stored, sizes_of[number], of_kernel)
        for (number, stored), of_kernel in uses.items()
    ]
    return _named_apart(found)


def _uses(model: Any, graph: Any, number: int) -> Iterator[tuple[Place, int, Any]]:
    """Yields each layer's place, the tensor that stores its kernel, and the layer."""
    stored_of: dict[int, int] = {}
    for index, operator in enumerate(graph.operators):
        code = flatbuffer.operator_of(model, operator)
        inputs = [int(tensor) for tensor in operator.inputs]
        if not inputs or not len(operator.outputs):
            continue
        if code in (Op.DENSIFY, Op.DEQUANTIZE):
            source = stored_of.get(inputs[0], inputs[0])
            stored_of[int(operator.outputs[0])] = source
        elif code in _KINDS and len(inputs) >= _LEAST_INPUTS.get(code, 2):
            stored = stored_of.get(inputs[_KERNEL], inputs[_KERNEL])
            tensor = graph.tensors[stored]
            has_rank = len(tensor.shape) == _KINDS[code][1]
            if (
                stored >= 0
                and has_rank
                and flatbuffer.constant(model, tensor) is not None
            ):
                yield Place(number, index, inputs[_KERNEL]), stored, operator


def _layer(
    model: Any, number: int, stored: int, sizes_: sizes.Sizes, uses: Uses
) -> Layer:
    operators = [operator for _, operator in uses]
    tensors, options = model.subgraphs[number].tensors, operators[0].builtinOptions
    names = (tensors[stored], tensors[int(operators[0].outputs[0])])
    positions = [sizes_.positions(operator) for operator in operators]
    strides = [getattr(options, name, 1) for name in ("strideH", "strideW")]
    return Layer(
        name=layer_name([flatbuffer.tensor_name(named) for named in names]),
        operator=_KINDS[flatbuffer.operator_of(model, operators[0])][0],
        stored=tensors[stored],
        places=tuple(place for place, _ in uses),
        positions=None if None in positions else sum(filter(None, positions)),
        strided=max(strides) > 1,
    )


# what TensorFlow appends to the name of a layer that computes with a kernel
_OPERATION = re.compile(
    r"/((Conv3D|conv3d_transpose)/ReadVariableOp|Tensordot/MatMul|einsum/Einsum"
    r"|separable_conv2d/depthwise|separable_conv2d|depthwise"
    r"|Conv[12]D|MatMul|conv[12]d_transpose)(_?\d+)?$"
)


def layer_name(tensor_names: list[str]) -> str:
    """Returns the name of a Keras layer from those of the tensors that it made.

    A tensor is called ``model/layer/operation``, or several such names joined by ";"
    where the converter has folded operations.

    Args:
      tensor_names: the likeliest first; it is returned if none has such a form.
    """
    for name in tensor_names:
        for part in name.split(";"):
            _, _, path = part.partition("/")
            operation = _OPERATION.search(path)
            if operation is not None:
                return path[: operation.start()]
    return tensor_names[0]


def _named_apart(layers: list[Layer]) -> list[Layer]:
    """Names the kernels of a separable convolution as its weights, others in full."""
    by_name: dict[str, list[Layer]] = {}
    for layer in layers:
        by_name.setdefault(layer.name, []).append(layer)
    separable = ["DEPTHWISE_CONV_2D", "CONV_2D"]
    renamed = []
    for layer in layers:
        alike, name = by_name[layer.name], layer.name
        if [other.operator for other in alike] == separable:
            name += "/pointwise_kernel" if layer is alike[1] else "/depthwise_kernel"
        elif len(alike) > 1:
            name = flatbuffer.tensor_name(layer.stored)
        renamed.append(dataclasses.replace(layer, name=name))
    return renamed
